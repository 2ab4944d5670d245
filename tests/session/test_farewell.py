"""Leaving an account for good: burnt at its server, or forgotten here alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coykiosk.contract import (
    AccountForgotten,
    AccountOffline,
    AccountOnline,
    BurnAccount,
    ChatPhase,
    Command,
    CreateAccount,
    Failed,
    ForgetAccount,
    Jid,
    Quit,
    Secret,
    UnlockVault,
)
from coykiosk.errors import ErrorCode
from coykiosk.ports import Stream
from coykiosk.session import farewell, requests
from coykiosk.session.farewell import MAX_TRIES
from coykiosk.vault.disk import LockedFile
from coykiosk.vault.profile import Account
from tests.session.conftest import Prosody
from tests.session.people import (
    changing,
    content_of,
    create,
    introduce,
    is_let_in,
    phase,
    records_in,
    sitting,
    unlock,
    until_with_time,
)
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    DOMAIN,
    WORDS,
    LoopbackTor,
    Person,
    eventually,
    run_leaping,
)
from tests.support.relay import Side

pytestmark = pytest.mark.network

ANSWER = Hold(Side.SERVER, 5)
"""On the connection that is made for the request: the answer to it."""
REQUEST = Hold(Side.CLIENT, 5)


async def burn(person: Person) -> AccountForgotten:
    person.submit(BurnAccount(person.of(AccountOnline)[-1].account))
    return await person.until(AccountForgotten)


def hold_next(proxy: FaultProxy, tor: LoopbackTor, hold: Hold) -> None:
    """Hold a flight of the connection that is dialled next."""
    dial = tor.ways.open

    async def dial_and_hold(*args: Any, **kwargs: Any) -> Stream:
        tor.ways.open = dial  # type: ignore[method-assign]  # as it was
        proxy.hold = hold
        return await dial(*args, **kwargs)

    tor.ways.open = dial_and_hold  # type: ignore[method-assign]  # for one call


@asynccontextmanager
async def owner(
    port: int, path: Path | None = None
) -> AsyncIterator[tuple[Person, LoopbackTor, Jid]]:
    """Seat a person who has just made an account, and keeps it if there is a path."""
    async with sitting(port, path) as (person, tor):
        jid = await create(person, None if path is None else WORDS)
        yield person, tor, jid


@asynccontextmanager
async def burning(
    prosody: Prosody, hold: Hold, path: Path | None = None
) -> AsyncIterator[tuple[Person, LoopbackTor, FaultProxy]]:
    """Seat a person whose account is being burnt, and has been held at a flight."""
    async with (
        FaultProxy(prosody.direct_port) as proxy,
        owner(proxy.port, path) as (person, tor, jid),
    ):
        hold_next(proxy, tor, hold)
        person.submit(BurnAccount(jid))
        await proxy.reached.wait()
        yield person, tor, proxy


async def failure(person: Person) -> tuple[ErrorCode, type[Command] | None]:
    failed = await person.until(Failed)
    return failed.error.code, failed.during


# --- burnt --------------------------------------------------------------------------


def test_burnt_account_is_gone_at_the_server_and_in_the_vault(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, _, jid):
            password = records_of(person, path)[0].password.reveal()
            assert await is_let_in(prosody.direct_port, jid.localpart, password)
            event = await burn(person)
            assert event == AccountForgotten(
                jid, is_burnt=True, vault_exists=False, vault_open=False, others=()
            )
            assert not prosody.has_account(jid.localpart)
            assert not await is_let_in(prosody.direct_port, jid.localpart, password)
        assert not path.parent.exists()
        assert not person.of(Failed)
        assert not person.of(AccountOffline)

    run_leaping(main)


def records_of(person: Person, path: Path) -> list[Account]:
    """Read the accounts in a vault that a session has open, from a copy."""
    assert not person.running.done()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    try:
        return records_in(copy)
    finally:
        copy.unlink()


def test_contact_is_told_that_the_chat_ends_before_the_account_is_burnt(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port) as (bob, _),
        ):
            await create(alice)
            await create(bob)
            await introduce(alice, bob)
            await burn(bob)
            await phase(alice, ChatPhase.ENDED_BY_CONTACT)

    run_leaping(main)


def test_burnt_account_makes_room_for_a_new_one(prosody: Prosody, path: Path) -> None:
    async def main() -> tuple[Jid, Jid]:
        async with sitting(prosody.direct_port, path) as (person, _):
            first = await create(person, WORDS)
            await burn(person)
            second = await create(person, WORDS)
        return first, second

    first, second = run_leaping(main)

    assert first != second
    assert [record.localpart for record in records_in(path)] == [second.localpart]


@pytest.mark.parametrize("hold", [ANSWER, REQUEST], ids=["answer", "request"])
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "silence"])
def test_burning_that_got_no_answer_is_looked_into_by_signing_in(
    prosody: Prosody, hold: Hold, *, is_cut: bool
) -> None:
    async def main() -> None:
        async with burning(prosody, hold) as (person, tor, proxy):
            jid = person.of(AccountOnline)[-1].account
            # Held at the proxy: whatever passed has arrived.
            if hold is ANSWER:
                await eventually(lambda: not prosody.has_account(jid.localpart))
            if is_cut:
                proxy.cut()
            else:
                # Both the question and the goodbye after it have a limit.
                await until_with_time(lambda: len(tor.ways.asked) > 2)
            assert (await person.until(AccountForgotten)).is_burnt
            assert not prosody.has_account(jid.localpart)
            assert len(set(tor.ways.keys)) == len(tor.ways.keys) == 3

    run_leaping(main)


def test_refused_burning_leaves_the_account_as_it_was(
    prosody: Prosody, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> requests.Request:
        return requests.change_password(Jid("somebody-else", DOMAIN), "x")

    monkeypatch.setattr(requests, "remove_account", refused)

    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, _, jid):
            person.submit(BurnAccount(jid))
            failed = await person.until(Failed)
            assert failed.error.code is ErrorCode.BURN_REFUSED
            assert failed.error.facts == {"server": DOMAIN, "condition": "bad-request"}
            assert failed.during is BurnAccount
            assert (await person.until(AccountOnline)).account == jid
            assert prosody.has_account(jid.localpart)
        assert not person.of(AccountForgotten)

    run_leaping(main)

    assert len(records_in(path)) == 1


def test_burning_without_a_way_to_the_server_says_that_it_was_not_asked(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, tor, jid):
            tor.ways.is_down = True
            person.submit(BurnAccount(jid))
            assert await failure(person) == (ErrorCode.BURN_NOT_ASKED, BurnAccount)
            await person.until(AccountOffline)
            tor.ways.is_down = False
            # It goes on as ever, and can be burnt later.
            person.submit(BurnAccount(jid))
            assert (await person.until(AccountForgotten)).is_burnt

    run_leaping(main)


def test_burning_whose_end_cannot_be_looked_into_is_unsure(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with burning(prosody, ANSWER, path) as (person, tor, proxy):
            tor.ways.is_down = True
            proxy.cut()
            assert await failure(person) == (ErrorCode.BURN_UNSURE, BurnAccount)
        assert not person.of(AccountForgotten)

    run_leaping(main)

    assert len(records_in(path)) == 1


def test_account_that_its_server_does_not_know_is_not_called_burnt(
    prosody: Prosody, path: Path
) -> None:
    """Nothing was asked, so nothing was deleted: the password may have gone astray."""

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await create(person, WORDS)
        with changing(path) as profile:
            profile.accounts[0].password = Secret("another")
        async with sitting(prosody.direct_port, path) as (person, _):
            person.submit(UnlockVault(Secret(WORDS)))
            jid = (await person.until(AccountOffline)).account
            person.submit(BurnAccount(jid))
            failed = await person.until(Failed)
            assert failed.error.code is ErrorCode.BURN_REFUSED
            assert failed.error.facts["condition"] == "not-authorized"

    run_leaping(main)


def test_server_that_never_answers_is_not_asked_for_ever(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets us in each time, so the account is still there."""

    monkeypatch.setattr(farewell, "BURN_LIMIT_S", 0.0)

    async def main() -> None:
        async with owner(prosody.direct_port) as (person, tor, jid):
            monkeypatch.setattr(
                requests, "remove_account", lambda: requests.block([jid])
            )
            person.submit(BurnAccount(jid))
            assert await failure(person) == (ErrorCode.BURN_UNSURE, BurnAccount)
            await person.until(AccountOnline)
            assert len(tor.ways.asked) == 1 + MAX_TRIES + 1

    run_leaping(main)


def test_burning_ends_with_tor(prosody: Prosody) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port) as (person, tor, jid):
            tor.die()
            await person.until(AccountOffline)
            person.submit(BurnAccount(jid))
            assert await failure(person) == (ErrorCode.TOR_STOPPED, BurnAccount)

    run_leaping(main)


@pytest.mark.parametrize("n_turns", [0, 1, 5, 20])
def test_quit_while_an_account_is_being_burnt_ends_all(
    prosody: Prosody, *, n_turns: int
) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port) as (person, _, jid):
            person.submit(BurnAccount(jid))
            for _ in range(n_turns):
                await asyncio.sleep(0)
            person.submit(Quit())
            await person.ended()

    run_leaping(main)


def test_account_is_burnt_once_however_often_that_is_wanted(prosody: Prosody) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port) as (person, tor, jid):
            person.submit(BurnAccount(jid), ForgetAccount(jid), BurnAccount(jid))
            await person.until(AccountForgotten)
            person.submit(BurnAccount(jid))
            person.submit(CreateAccount(None))
            await person.until(AccountOnline)
            assert len(person.of(AccountForgotten)) == 1
            assert len(tor.ways.asked) == 3

    run_leaping(main)


# --- forgotten ------------------------------------------------------------------------


def test_forgotten_account_stays_at_the_server_and_nowhere_else(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, tor, jid):
            person.submit(ForgetAccount(jid))
            event = await person.until(AccountForgotten)
            assert event == AccountForgotten(
                jid, is_burnt=False, vault_exists=False, vault_open=False, others=()
            )
            assert content_of(path) is None
            assert prosody.has_account(jid.localpart)
            assert len(tor.ways.asked) == 1
        assert content_of(path) is None
        assert not person.of(AccountOffline)

    run_leaping(main)


def test_forgotten_account_is_out_of_an_older_vault_too(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await create(person, WORDS)
        async with sitting(prosody.direct_port, path) as (person, _):
            jid = await unlock(person)
            person.submit(ForgetAccount(jid))
            assert not (await person.until(AccountForgotten)).vault_exists
        assert content_of(path) is None

    run_leaping(main)


def test_account_is_forgotten_while_it_waits_for_its_server(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, tor, jid):
            tor.ways.is_down = True
            tor.ways.tear()
            await person.until(AccountOffline)
            person.submit(ForgetAccount(jid))
            await person.until(AccountForgotten)
        assert content_of(path) is None

    run_leaping(main)


def test_account_of_a_session_that_keeps_nothing_leaves_the_vault_alone(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await create(person, WORDS)
        sealed = content_of(path)
        async with sitting(prosody.direct_port, path) as (person, _):
            jid = await create(person)
            person.submit(ForgetAccount(jid))
            event = await person.until(AccountForgotten)
            assert event.vault_exists
            assert content_of(path) == sealed
            person.submit(UnlockVault(Secret(WORDS)))
            assert (await person.until(AccountOnline)).account != jid

    run_leaping(main)


def two_in_a_vault(prosody: Prosody, tmp_path: Path) -> tuple[Path, list[Jid]]:
    """Put two accounts that exist into one closed vault."""
    paths = [tmp_path / "one", tmp_path / "two"]

    async def main() -> list[Jid]:
        jids = []
        for path in paths:
            async with sitting(prosody.direct_port, path) as (person, _):
                jids.append(await create(person, WORDS))
        return jids

    jids = run_leaping(main)
    other = records_in(paths[1])
    with changing(paths[0]) as profile:
        profile.accounts += other
    return paths[0], jids


def test_forgetting_one_of_two_accounts_keeps_the_other(
    prosody: Prosody, tmp_path: Path
) -> None:
    path, (first, second) = two_in_a_vault(prosody, tmp_path)

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(AccountOnline, lambda e: e.account == first)
            if second not in {e.account for e in person.of(AccountOnline)}:
                await person.until(AccountOnline, lambda e: e.account == second)
            person.submit(ForgetAccount(first))
            event = await person.until(AccountForgotten)
            assert (event.vault_exists, event.others) == (True, (second,))
            # It is told how the one is that is looked at now.
            assert (await person.until(AccountOnline)).account == second
            assert records_of(person, path)[0].domain == DOMAIN

    run_leaping(main)

    assert [record.localpart for record in records_in(path)] == [second.localpart]


def test_vault_that_cannot_be_removed_is_told(
    prosody: Prosody, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: LockedFile) -> None:
        raise PermissionError(13, "no")

    async def main() -> None:
        async with owner(prosody.direct_port, path) as (person, _, jid):
            monkeypatch.setattr(LockedFile, "remove", refuse)
            person.submit(ForgetAccount(jid))
            event = await person.until(AccountForgotten)
            assert event.vault_exists
            assert await failure(person) == (ErrorCode.VAULT_UNWRITABLE, ForgetAccount)

    run_leaping(main)


def test_tor_is_left_running_for_the_next_account(prosody: Prosody) -> None:
    async def main() -> LoopbackTor:
        async with owner(prosody.direct_port) as (person, tor, jid):
            person.submit(ForgetAccount(jid))
            await person.until(AccountForgotten)
            assert tor.n_stops == 0
        return tor

    assert run_leaping(main).n_stops == 1
