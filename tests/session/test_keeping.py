"""The profile and its vault: one piece of work at a time, whatever is cancelled."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from coykiosk.contract import Event, Failed, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.keeping import GUARD_SETTLED_AFTER_S, Keeping
from coykiosk.session.world import World
from coykiosk.vault.layout import Header
from coykiosk.vault.profile import Account, Profile
from coykiosk.vault.store import VaultStore
from tests.session import idle
from tests.support.headless import (
    WORDS,
    LoopbackTor,
    eventually,
    leap,
    quick_vault,
    run_leaping,
)
from tests.vault.conftest import quick_derive

T = TypeVar("T")

GUARDS = "Guard in=default rsa_id=" + "A" * 40
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def make_record(localpart: str, *, pending: bool = True) -> Account:
    return idle.make_record(localpart, pending=pending)


def make_profile(localpart: str) -> Profile:
    return Profile([make_record(localpart, pending=False)], "")


@dataclass
class Room:
    """What a Keeping is given, and what it says."""

    tor: LoopbackTor = field(default_factory=lambda: LoopbackTor({}))
    events: list[Event] = field(default_factory=list)

    @asynccontextmanager
    async def keeping(self, vault: VaultStore | None) -> AsyncIterator[Keeping]:
        loop = asyncio.get_running_loop()
        # Two threads: were the order left to the executor, it would be lost.
        worker = ThreadPoolExecutor(2)

        async def run_blocking(function: Callable[[], T], /) -> T:
            return await loop.run_in_executor(worker, function)

        keeping = Keeping(
            vault,
            World(
                tor=self.tor,
                random_bytes=os.urandom,
                now=loop.time,
                wall_clock=lambda: NOON,
                run_blocking=run_blocking,
                publish=self.events.append,
            ),
        )
        try:
            yield keeping
        finally:
            keeping.close()
            worker.shutdown()


@pytest.fixture
def room() -> Room:
    return Room()


def names_in(path: Path) -> list[str]:
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    vault.close()
    return [record.localpart for record in profile.accounts]


def content(path: Path) -> bytes:
    return path.read_bytes()


async def tended(keeping: Keeping) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(keeping.keep_saved())


# --- keeping, and keeping nothing ---------------------------------------------------


def test_save_writes_nothing_when_nothing_is_kept(room: Room, path: Path) -> None:
    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            keeping.profile.accounts.append(make_record("quiet"))
            await keeping.save()

    run_leaping(main)

    assert not path.parent.exists()


def test_created_vault_holds_what_was_saved(room: Room, path: Path) -> None:
    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts.append(make_record("quiet"))
            await keeping.save()

    run_leaping(main)

    assert names_in(path) == ["quiet"]


def test_save_soon_is_saved_by_the_task_that_tends(room: Room, path: Path) -> None:
    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            task = await tended(keeping)
            sealed = content(path)
            keeping.profile.accounts.append(make_record("quiet"))
            keeping.save_soon()
            await eventually(lambda: content(path) != sealed)
            task.cancel()
            await asyncio.wait([task])

    run_leaping(main)

    assert names_in(path) == ["quiet"]


def test_save_that_fails_is_told_and_tried_again_with_the_next_change(
    room: Room, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError(ErrorCode.VAULT_UNWRITABLE, reason="the disk is full")

    async def main() -> None:
        vault = quick_vault(path)
        async with room.keeping(vault) as keeping:
            await keeping.create(Secret(WORDS))
            task = await tended(keeping)
            with monkeypatch.context() as patch:
                patch.setattr(VaultStore, "save", refuse)
                keeping.save_soon()
                await eventually(lambda: room.events)
            sealed = content(path)
            keeping.profile.accounts.append(make_record("quiet"))
            keeping.save_soon()
            await eventually(lambda: content(path) != sealed)
            task.cancel()
            await asyncio.wait([task])

    run_leaping(main)

    [failed] = room.events
    assert isinstance(failed, Failed)
    assert failed.error.code is ErrorCode.VAULT_UNWRITABLE
    assert failed.during is None
    assert names_in(path) == ["quiet"]


def test_new_vault_is_refused_where_there_is_no_place(room: Room) -> None:
    async def main() -> None:
        async with room.keeping(None) as keeping:
            with pytest.raises(UserError) as caught:
                keeping.refuse_new_vault()
            assert caught.value.code is ErrorCode.VAULT_UNWRITABLE

    run_leaping(main)


def test_discard_removes_the_vault_that_this_session_made(
    room: Room, path: Path
) -> None:
    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            record = make_record("quiet")
            keeping.profile.accounts.append(record)
            await keeping.create(Secret(WORDS))
            await keeping.discard()
            assert not record.password
            assert not keeping.is_kept
            assert not keeping.profile.accounts

    run_leaping(main)

    assert not path.parent.exists()


def test_discard_never_touches_a_vault_that_was_there_before(
    room: Room, path: Path
) -> None:
    vault = quick_vault(path)
    vault.create(Secret(WORDS), make_profile("quiet"))
    vault.close()

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.unlock(Secret(WORDS))
            await keeping.discard()

    run_leaping(main)

    assert names_in(path) == ["quiet"]


def test_create_that_is_refused_makes_a_later_discard_harmless(
    room: Room, path: Path
) -> None:
    vault = quick_vault(path)
    vault.create(Secret(WORDS), make_profile("quiet"))
    vault.close()

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            with pytest.raises(UserError) as caught:
                await keeping.create(Secret("another passphrase"))
            assert caught.value.code is ErrorCode.VAULT_EXISTS
            await keeping.discard()

    run_leaping(main)

    assert names_in(path) == ["quiet"]


def test_close_wipes_the_profile_and_gives_the_lock_back(
    room: Room, path: Path
) -> None:
    record = make_record("quiet")

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts.append(record)
            await keeping.save()

    run_leaping(main)

    assert not record.password
    assert not record.otr_key
    assert names_in(path) == ["quiet"]


# --- forgetting one account -----------------------------------------------------------


def test_forgotten_account_is_wiped_and_out_of_the_file(room: Room, path: Path) -> None:
    records = [make_record(name, pending=False) for name in ("first", "second")]

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts += records
            await keeping.save()
            await keeping.forget(records[0])
            assert not records[0].password
            assert not records[0].otr_key
            assert records[1].password
            assert keeping.is_kept

    run_leaping(main)

    assert names_in(path) == ["second"]


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "older"])
def test_vault_goes_with_the_last_account(
    room: Room, path: Path, *, is_new: bool
) -> None:
    if not is_new:
        vault = quick_vault(path)
        vault.create(Secret(WORDS), make_profile("quiet"))
        vault.close()

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            if is_new:
                await keeping.create(Secret(WORDS))
                keeping.profile.accounts.append(make_record("quiet"))
            else:
                await keeping.unlock(Secret(WORDS))
            await keeping.forget(keeping.profile.accounts[0])
            assert not keeping.has_vault
            # and there is room for another
            keeping.refuse_new_vault()
            await keeping.create(Secret("another passphrase"))
            await keeping.discard()

    run_leaping(main)

    assert not path.exists()


def test_bridges_outlive_the_last_account(room: Room, path: Path) -> None:
    """The next one must not be made openly, where that is what one hides."""
    bridges = ("192.0.2.7:443 " + "A" * 40,)

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts.append(make_record("quiet", pending=False))
            keeping.profile.bridges = bridges
            await keeping.forget(keeping.profile.accounts[0])
            assert keeping.profile.bridges == bridges

    run_leaping(main)


def test_vault_stays_for_an_account_that_may_exist(room: Room, path: Path) -> None:
    """Its password is nowhere else."""

    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts += [
                make_record("unanswered", pending=True),
                make_record("quiet", pending=False),
            ]
            await keeping.forget(keeping.profile.accounts[1])

    run_leaping(main)

    assert names_in(path) == ["unanswered"]


def test_account_is_not_wiped_under_the_hands_of_a_save(room: Room, path: Path) -> None:
    record = make_record("quiet", pending=False)
    wiped_during_save = []
    gate = threading.Event()

    async def main() -> None:
        vault = quick_vault(path)
        async with room.keeping(vault) as keeping:
            await keeping.create(Secret(WORDS))
            keeping.profile.accounts += [record, make_record("other", pending=False)]
            save = vault.save

            def slow(content: Profile) -> None:
                assert gate.wait(20)
                wiped_during_save.append(not record.password)
                save(content)

            vault.save = slow  # type: ignore[method-assign]  # for this test
            loop = asyncio.get_running_loop()
            saving = loop.create_task(keeping.save())
            await asyncio.sleep(0)
            forgetting = loop.create_task(keeping.forget(record))
            for _ in range(20):
                await asyncio.sleep(0)
            gate.set()
            await asyncio.wait([saving, forgetting])
            saving.result()
            forgetting.result()

    run_leaping(main)

    assert wiped_during_save == [False, False]
    assert not record.password
    assert names_in(path) == ["other"]


# --- cancelled while the disk is busy ---------------------------------------------------


class Gate:
    """A derivation that takes until the test lets it through."""

    def __init__(self) -> None:
        self.is_entered = threading.Event()
        self.is_open = threading.Event()

    def derive(self, passphrase: bytes, header: Header) -> bytes:
        self.is_entered.set()
        assert self.is_open.wait(20)
        return quick_derive(passphrase, header)

    def vault(self, path: Path) -> VaultStore:
        return VaultStore(
            path, random_bytes=os.urandom, derive=self.derive, free_kib=lambda: 0
        )


@pytest.mark.parametrize("n_cancels", [1, 2])
def test_cancelled_work_is_waited_for_however_often_it_is_cancelled(
    room: Room, path: Path, n_cancels: int
) -> None:
    gate = Gate()

    async def main() -> None:
        async with room.keeping(gate.vault(path)) as keeping:
            loop = asyncio.get_running_loop()
            creating = loop.create_task(keeping.create(Secret(WORDS)))
            await eventually(gate.is_entered.is_set)
            for _ in range(n_cancels):
                creating.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
            is_over_early = creating.done()
            gate.is_open.set()
            await asyncio.wait([creating])
            assert not is_over_early
            assert creating.cancelled()
            # It was under way and came to be; so it can be taken away.
            assert content(path)
            await keeping.discard()

    run_leaping(main)

    assert not path.parent.exists()


def test_next_work_waits_for_work_that_was_cancelled(room: Room, path: Path) -> None:
    gate = Gate()

    async def main() -> None:
        async with room.keeping(gate.vault(path)) as keeping:
            loop = asyncio.get_running_loop()
            creating = loop.create_task(keeping.create(Secret(WORDS)))
            await eventually(gate.is_entered.is_set)
            creating.cancel()
            discarding = loop.create_task(keeping.discard())
            for _ in range(5):
                await asyncio.sleep(0)
            assert not discarding.done()
            gate.is_open.set()
            await asyncio.wait([creating, discarding])

    run_leaping(main)

    assert not path.parent.exists()


def test_unlock_that_is_cancelled_leaves_no_secret_behind(
    room: Room, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = quick_vault(path)
    vault.create(Secret(WORDS), make_profile("quiet"))
    vault.close()
    gate = Gate()
    opened: list[Account] = []
    real = VaultStore.unlock

    def unlock(self: VaultStore, passphrase: Secret) -> Profile:
        profile = real(self, passphrase)
        opened.extend(profile.accounts)
        return profile

    monkeypatch.setattr(VaultStore, "unlock", unlock)

    async def main() -> None:
        async with room.keeping(gate.vault(path)) as keeping:
            loop = asyncio.get_running_loop()
            unlocking = loop.create_task(keeping.unlock(Secret(WORDS)))
            await eventually(gate.is_entered.is_set)
            unlocking.cancel()
            gate.is_open.set()
            await asyncio.wait([unlocking])

    run_leaping(main)

    assert [bool(record.password) for record in opened] == [False]
    monkeypatch.undo()
    assert names_in(path) == ["quiet"]


# --- guards -----------------------------------------------------------------------------


def test_guards_are_saved_once_tor_has_settled_on_them(room: Room, path: Path) -> None:
    async def main() -> None:
        async with room.keeping(quick_vault(path)) as keeping:
            await keeping.create(Secret(WORDS))
            task = await tended(keeping)
            sealed = content(path)
            await asyncio.sleep(0)
            room.tor.guards = GUARDS
            leap(GUARD_SETTLED_AFTER_S + 1)
            await eventually(lambda: content(path) != sealed)
            task.cancel()
            await asyncio.wait([task])

    run_leaping(main)

    vault = quick_vault(path)
    assert vault.unlock(Secret(WORDS)).guard_state == GUARDS
    vault.close()


def test_guards_of_a_tor_that_is_not_ours_are_not_kept(room: Room) -> None:
    async def main() -> None:
        async with room.keeping(None) as keeping:
            keeping.profile.guard_state = GUARDS
            assert not keeping.learn_guards()
            assert keeping.profile.guard_state == GUARDS

    run_leaping(main)


# --- attempts ----------------------------------------------------------------------------


def test_drop_pending_forgets_what_was_refused_and_wipes_it(room: Room) -> None:
    refused, lost, made = (
        make_record("refused"),
        make_record("lost"),
        make_record("made", pending=False),
    )

    async def main() -> None:
        async with room.keeping(None) as keeping:
            keeping.profile.accounts[:] = [refused, lost, made]
            keeping.drop_pending(except_for={"lost"})
            assert keeping.profile.accounts == [lost, made]
            assert not refused.password
            assert lost.password

    run_leaping(main)


def test_settle_keeps_the_account_and_those_that_may_exist(room: Room) -> None:
    refused, lost, made = (
        make_record("refused"),
        make_record("lost"),
        make_record("made"),
    )

    async def main() -> None:
        async with room.keeping(None) as keeping:
            keeping.profile.accounts[:] = [refused, lost, made]
            keeping.settle(made, except_for={"lost"})
            assert keeping.profile.accounts == [lost, made]
            assert (lost.pending, made.pending) == (True, False)
            assert not refused.password

    run_leaping(main)
