"""The front desk, with a real Prosody and a real vault, from the key to the wipe."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coykiosk import otr
from coykiosk.contract import (
    AccountOnline,
    AskCircuit,
    CancelCreation,
    CircuitKnown,
    Closed,
    Command,
    Connect,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    EnrolmentStep,
    Failed,
    Jid,
    OpenChat,
    Quit,
    RefuseContact,
    RestartEncryption,
    Secret,
    SendMessage,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session import kiosk
from coykiosk.session.keeping import Keeping
from coykiosk.session.outbox import MESSAGE_LIMIT_CHARS
from coykiosk.vault.profile import Account, Profile
from coykiosk.vault.store import VaultStore
from tests.session.conftest import Prosody
from tests.session.own_server import accounts_in
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    eventually,
    headless,
    make_server,
    quick_vault,
    run_leaping,
)
from tests.support.relay import Side

pytestmark = pytest.mark.network

GUARDS = "Guard in=default rsa_id=" + "A" * 40
SERVERS = [make_server()]


@pytest.fixture
def tor(prosody: Prosody) -> LoopbackTor:
    return LoopbackTor({ONION: prosody.direct_port})


@pytest.fixture
def kept(path: Path, tor: LoopbackTor) -> Jid:
    """An account in a closed vault."""

    async def main() -> Jid:
        async with sitting(tor, path) as person:
            return await create(person)

    jid = run_leaping(main)
    tor.ways.asked.clear()
    tor.started_with.clear()
    return jid


@asynccontextmanager
async def sitting(tor: LoopbackTor, path: Path | None) -> AsyncIterator[Person]:
    vault = None if path is None else quick_vault(path)
    async with headless(SERVERS, tor, vault=vault) as person:
        yield person


async def create(person: Person, passphrase: str | None = WORDS) -> Jid:
    secret = None if passphrase is None else Secret(passphrase)
    person.submit(CreateAccount(secret))
    return (await person.until(AccountOnline)).account


async def unlock(person: Person) -> Jid:
    person.submit(UnlockVault(Secret(WORDS)))
    await person.until(VaultUnlocked)
    return (await person.until(AccountOnline)).account


async def failure(person: Person) -> tuple[ErrorCode, type[Command] | None]:
    failed = await person.until(Failed)
    return failed.error.code, failed.during


async def let_run(n_turns: int = 20) -> None:
    for _ in range(n_turns):
        await asyncio.sleep(0)


def records_in(path: Path) -> list[Account]:
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    vault.close()
    return list(profile.accounts)


def is_there(path: Path) -> bool:
    return path.exists()


# --- the one action -----------------------------------------------------------------


def test_creation_tells_its_steps_in_order_and_ends_online(
    tor: LoopbackTor, path: Path, prosody: Prosody
) -> None:
    async def main() -> Person:
        async with sitting(tor, path) as person:
            await create(person)
        return person

    person = run_leaping(main)

    steps = [(e.step, e.server) for e in person.of(EnrolmentAdvanced)]
    assert steps == [
        (EnrolmentStep.WAITING_FOR_TOR, ""),
        (EnrolmentStep.SEALING_VAULT, ""),
        (EnrolmentStep.REACHING_SERVER, DOMAIN),
        (EnrolmentStep.MAKING_ACCOUNT, DOMAIN),
        (EnrolmentStep.SIGNING_IN, DOMAIN),
    ]
    online, closed = person.events[len(steps) :]
    assert isinstance(online, AccountOnline)
    assert online.via_onion
    assert online.kept
    assert isinstance(closed, Closed)
    assert prosody.has_account(online.account.localpart)
    [record] = records_in(path)
    assert Jid(record.localpart, record.domain) == online.account
    assert not record.pending
    assert record.spki == (prosody.identity.pin,)
    assert record.host == ONION


def test_account_opens_again_with_the_same_words_under_real_argon2(
    tor: LoopbackTor, path: Path
) -> None:
    def vault() -> VaultStore:
        return VaultStore(path, random_bytes=os.urandom, free_kib=lambda: 0)

    async def main() -> tuple[Jid, Jid]:
        async with headless(SERVERS, tor, vault=vault()) as person:
            first = await create(person)
        async with headless(SERVERS, tor, vault=vault()) as person:
            return first, await unlock(person)

    first, second = run_leaping(main)

    assert first == second


def test_unlocking_signs_in_and_registers_nothing(
    kept: Jid, tor: LoopbackTor, path: Path, prosody: Prosody
) -> None:
    before = accounts_in(prosody.directory)

    async def main() -> Person:
        async with sitting(tor, path) as person:
            await unlock(person)
        return person

    person = run_leaping(main)

    assert person.of(VaultUnlocked) == [VaultUnlocked((kept,))]
    assert not person.of(EnrolmentAdvanced)
    assert accounts_in(prosody.directory) == before


def test_creation_that_keeps_nothing_writes_no_file(
    tor: LoopbackTor, path: Path
) -> None:
    async def main() -> AccountOnline:
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(None))
            online = await person.until(AccountOnline)
            assert not is_there(path.parent)
        return online

    online = run_leaping(main)

    assert not online.kept
    assert not is_there(path.parent)


def test_creation_that_keeps_nothing_needs_no_place_to_keep_it(
    tor: LoopbackTor,
) -> None:
    async def main() -> None:
        async with sitting(tor, None) as person:
            person.submit(CreateAccount(Secret(WORDS)))
            assert await failure(person) == (
                ErrorCode.VAULT_UNWRITABLE,
                CreateAccount,
            )
            await create(person, None)

    run_leaping(main)


def test_creation_leaves_a_vault_alone_that_exists(
    kept: Jid, tor: LoopbackTor, path: Path
) -> None:
    secret = Secret("another passphrase")

    async def main() -> None:
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(secret))
            assert await failure(person) == (ErrorCode.VAULT_EXISTS, CreateAccount)

    run_leaping(main)

    assert not tor.ways.asked
    assert not secret
    assert [record.localpart for record in records_in(path)] == [kept.localpart]


@pytest.mark.parametrize("passphrase", ["", "  \t "], ids=["nothing", "blanks"])
def test_creation_refuses_a_passphrase_that_is_none(
    tor: LoopbackTor, path: Path, passphrase: str
) -> None:
    async def main() -> None:
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(Secret(passphrase)))
            assert await failure(person) == (
                ErrorCode.PASSPHRASE_WEAK,
                CreateAccount,
            )
            assert not tor.ways.asked
            assert not is_there(path)
            await create(person)

    run_leaping(main)

    assert is_there(path)


@pytest.mark.parametrize("is_online", [False, True], ids=["meanwhile", "afterwards"])
def test_second_creation_is_ignored_and_its_passphrase_wiped(
    tor: LoopbackTor, path: Path, prosody: Prosody, *, is_online: bool
) -> None:
    before = accounts_in(prosody.directory)
    second = Secret("another passphrase")

    async def main() -> Person:
        async with sitting(tor, path) as person:
            if is_online:
                await create(person)
                person.submit(CreateAccount(second))
            else:
                person.submit(CreateAccount(Secret(WORDS)), CreateAccount(second))
                await person.until(AccountOnline)
            await let_run()
        return person

    person = run_leaping(main)

    assert len(person.of(AccountOnline)) == 1
    assert not person.of(Failed)
    assert not second
    assert len(accounts_in(prosody.directory) - before) == 1


def test_creation_that_cannot_write_its_password_down_registers_nothing(
    tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError(ErrorCode.VAULT_UNWRITABLE, reason="the disk is full")

    async def main() -> None:
        async with sitting(tor, path) as person:
            with monkeypatch.context() as patch:
                patch.setattr(VaultStore, "save", refuse)
                person.submit(CreateAccount(Secret(WORDS)))
                assert await failure(person) == (
                    ErrorCode.VAULT_UNWRITABLE,
                    CreateAccount,
                )
            assert not tor.ways.asked
            assert not is_there(path.parent)
            await create(person)

    run_leaping(main)


def test_creation_that_cannot_be_undone_says_so_and_the_session_lives(
    tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError(ErrorCode.VAULT_UNWRITABLE, reason="permission denied")

    async def main() -> Person:
        async with sitting(tor, path) as person:
            tor.ways.is_down = True
            with monkeypatch.context() as patch:
                patch.setattr(VaultStore, "discard", refuse)
                person.submit(CreateAccount(Secret(WORDS)))
                await person.until(Failed, lambda e: e.during is CreateAccount)
        return person

    person = run_leaping(main)

    codes = {failed.error.code for failed in person.of(Failed)}
    assert codes == {ErrorCode.NO_SERVER_LEFT, ErrorCode.VAULT_UNWRITABLE}


def test_creation_without_tor_is_told_and_works_when_there_is_one(
    tor: LoopbackTor, path: Path
) -> None:
    async def main() -> None:
        async with sitting(tor, path) as person:
            tor.start_failure = ErrorCode.TOR_MISSING
            person.submit(CreateAccount(Secret(WORDS)))
            assert await failure(person) == (ErrorCode.TOR_MISSING, CreateAccount)
            assert not is_there(path.parent)
            tor.start_failure = None
            await create(person)

    run_leaping(main)


# --- cancelling ------------------------------------------------------------------------


HOLDS = {
    EnrolmentStep.REACHING_SERVER: Hold(Side.SERVER, 1),
    EnrolmentStep.MAKING_ACCOUNT: Hold(Side.SERVER, 2),
    EnrolmentStep.SIGNING_IN: Hold(Side.SERVER, 3),
}


@pytest.mark.parametrize("step", HOLDS)
def test_cancel_at_the_server_leaves_nothing_and_the_next_try_works(
    prosody: Prosody, path: Path, step: EnrolmentStep
) -> None:
    async def main() -> None:
        async with FaultProxy(prosody.direct_port) as proxy:
            tor = LoopbackTor({ONION: proxy.port})
            async with sitting(tor, path) as person:
                proxy.hold = HOLDS[step]
                person.submit(CreateAccount(Secret(WORDS)))
                await person.until(EnrolmentAdvanced, lambda e: e.step is step)
                await proxy.reached.wait()
                person.submit(CancelCreation())
                await person.until(EnrolmentCancelled)
                assert not is_there(path.parent)
                assert not person.of(Failed)
                await create(person)

    run_leaping(main)

    assert len(records_in(path)) == 1


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing kept"])
def test_cancel_at_the_last_moment_leaves_nothing_and_the_next_try_works(
    tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool
) -> None:
    """The account is made and signed in to, but not yet written down as such."""
    real = Keeping.save
    saves: list[int] = []
    is_saving = asyncio.Event()

    async def save(self: Keeping) -> None:
        saves.append(len(saves))
        if len(saves) == 2:
            is_saving.set()
            await asyncio.Event().wait()
        await real(self)

    monkeypatch.setattr(Keeping, "save", save)

    async def main() -> tuple[Person, Jid]:
        async with sitting(tor, path) as person:
            words = Secret(WORDS) if is_kept else None
            person.submit(CreateAccount(words))
            await is_saving.wait()
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)
            assert not is_there(path.parent)
            return person, await create(person)

    person, jid = run_leaping(main)

    assert not person.of(Failed)
    assert [record.localpart for record in records_in(path)] == [jid.localpart]


def test_cancel_while_tor_is_on_its_way_leaves_nothing(
    tor: LoopbackTor, path: Path
) -> None:
    async def main() -> None:
        tor.is_slow = True
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(Secret(WORDS)))
            await person.until(EnrolmentAdvanced)
            await eventually(lambda: is_there(path))
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)
            assert not is_there(path.parent)

    run_leaping(main)


@pytest.mark.parametrize("n_turns", range(0, 12, 3))
@pytest.mark.parametrize("n_cancels", [1, 2, 3])
def test_cancel_is_carried_out_however_early_and_often_it_comes(
    tor: LoopbackTor, path: Path, n_turns: int, n_cancels: int
) -> None:
    passphrase = Secret(WORDS)

    async def main() -> Person:
        async with sitting(tor, path) as person:
            tor.is_slow = True
            person.submit(CreateAccount(passphrase))
            await let_run(n_turns)
            for _ in range(n_cancels):
                person.submit(CancelCreation())
                await let_run(n_turns)
            await person.until(EnrolmentCancelled)
            assert not is_there(path.parent)
            tor.arrive()
            await create(person)
        return person

    person = run_leaping(main)

    assert len(person.of(EnrolmentCancelled)) == 1
    assert not passphrase


@pytest.mark.parametrize(
    "then", [CancelCreation(), Quit()], ids=lambda command: type(command).__name__
)
@pytest.mark.parametrize("is_down", [False, True], ids=["cancelled", "failed"])
def test_undoing_is_not_interrupted(
    tor: LoopbackTor,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    then: Command,
    is_down: bool,
) -> None:
    is_undoing, may_go_on = threading.Event(), threading.Event()
    real = VaultStore.discard

    def discard(self: VaultStore) -> None:
        is_undoing.set()
        assert may_go_on.wait(20)
        real(self)

    monkeypatch.setattr(VaultStore, "discard", discard)

    async def main() -> Person:
        async with sitting(tor, path) as person:
            tor.ways.is_down = is_down
            tor.is_slow = not is_down
            person.submit(CreateAccount(Secret(WORDS)))
            if not is_down:
                await eventually(lambda: is_there(path))
                person.submit(CancelCreation())
            await eventually(is_undoing.is_set)
            person.submit(then)
            await let_run()
            assert not person.running.done()
            may_go_on.set()
            expected = Failed if is_down else EnrolmentCancelled
            await person.until(expected)
        return person

    person = run_leaping(main)

    assert isinstance(person.events[-1], Closed)
    assert not is_there(path.parent)


def test_cancel_without_a_creation_does_nothing(tor: LoopbackTor) -> None:
    async def main() -> Person:
        async with sitting(tor, None) as person:
            person.submit(CancelCreation())
            await let_run()
        return person

    assert [type(event) for event in run_leaping(main).events] == [Closed]


def test_cancel_of_a_resumed_creation_leaves_the_vault_as_it_was(
    tor: LoopbackTor, path: Path, kept: Jid
) -> None:
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    profile.accounts[0].pending = True
    vault.save(profile)
    vault.close()

    async def main() -> None:
        tor.is_slow = True
        async with sitting(tor, path) as person:
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(EnrolmentAdvanced)
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)

    run_leaping(main)

    [record] = records_in(path)
    assert (record.localpart, record.pending) == (kept.localpart, True)
    assert record.password


# --- unlocking -------------------------------------------------------------------------


def test_unlock_with_wrong_words_is_told_and_may_be_tried_again(
    kept: Jid, tor: LoopbackTor, path: Path
) -> None:
    wrong = Secret("not these words at all")

    async def main() -> Jid:
        async with sitting(tor, path) as person:
            person.submit(UnlockVault(wrong))
            assert await failure(person) == (
                ErrorCode.VAULT_WRONG_PASSPHRASE,
                UnlockVault,
            )
            assert not tor.started_with
            return await unlock(person)

    assert run_leaping(main) == kept
    assert not wrong


@pytest.mark.parametrize("n_turns", [0, 1, 30])
def test_unlock_twice_opens_once(
    kept: Jid, tor: LoopbackTor, path: Path, n_turns: int
) -> None:
    secrets = [Secret(WORDS), Secret(WORDS)]

    async def main() -> Person:
        async with sitting(tor, path) as person:
            for secret in secrets:
                person.submit(UnlockVault(secret))
                await let_run(n_turns)
            await person.until(AccountOnline)
            await eventually(lambda: not any(secrets))
        return person

    person = run_leaping(main)

    assert person.of(VaultUnlocked) == [VaultUnlocked((kept,))]
    assert len(person.of(AccountOnline)) == 1


def test_unlock_wrong_and_right_at_once_opens(
    kept: Jid, tor: LoopbackTor, path: Path
) -> None:
    async def main() -> Jid:
        async with sitting(tor, path) as person:
            person.submit(UnlockVault(Secret("wrong")), UnlockVault(Secret(WORDS)))
            return (await person.until(AccountOnline)).account

    assert run_leaping(main) == kept


def test_unlock_says_that_another_session_has_the_vault(
    kept: Jid, tor: LoopbackTor, path: Path, prosody: Prosody
) -> None:
    async def main() -> None:
        other_tor = LoopbackTor({ONION: prosody.direct_port})
        async with (
            sitting(tor, path) as first,
            sitting(other_tor, path) as second,
        ):
            await unlock(first)
            second.submit(UnlockVault(Secret(WORDS)))
            assert await failure(second) == (ErrorCode.VAULT_IN_USE, UnlockVault)

    run_leaping(main)


def test_unlock_without_tor_goes_online_when_there_is_one(
    kept: Jid, tor: LoopbackTor, path: Path
) -> None:
    async def main() -> Jid:
        async with sitting(tor, path) as person:
            tor.start_failure = ErrorCode.TOR_MISSING
            person.submit(UnlockVault(Secret(WORDS)))
            assert await failure(person) == (ErrorCode.TOR_MISSING, UnlockVault)
            # A second Enter is no way to do harm.
            person.submit(UnlockVault(Secret(WORDS)))
            await let_run()
            tor.start_failure = None
            person.submit(Connect())
            return (await person.until(AccountOnline)).account

    assert run_leaping(main) == kept


def test_creation_that_keeps_nothing_leaves_a_locked_vault_alone(
    kept: Jid, tor: LoopbackTor, path: Path
) -> None:
    before = path.read_bytes()

    async def main() -> AccountOnline:
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(None))
            return await person.until(AccountOnline)

    online = run_leaping(main)

    assert not online.kept
    assert online.account != kept
    assert path.read_bytes() == before


# --- guards -----------------------------------------------------------------------------


def test_guard_of_one_session_is_the_guard_of_the_next(
    tor: LoopbackTor, path: Path
) -> None:
    async def main() -> None:
        async with sitting(tor, path) as person:
            await create(person)
            tor.guards = GUARDS
        async with sitting(tor, path) as person:
            await unlock(person)

    run_leaping(main)

    assert tor.started_with == ["", GUARDS]


# --- commands that cannot be carried out ---------------------------------------------------


STRANGER = Jid("somebody", DOMAIN)
NOBODY = Jid("nobody", DOMAIN)


@pytest.mark.parametrize(
    "command",
    [
        OpenChat(NOBODY, STRANGER),
        RefuseContact(NOBODY, STRANGER),
        SendMessage(NOBODY, STRANGER, "hello"),
        RestartEncryption(NOBODY, STRANGER),
    ],
    ids=lambda command: type(command).__name__,
)
def test_command_without_an_account_is_told(tor: LoopbackTor, command: Command) -> None:
    async def main() -> None:
        async with sitting(tor, None) as person:
            person.submit(command)
            assert await failure(person) == (
                ErrorCode.CONNECTION_LOST,
                type(command),
            )

    run_leaping(main)


def test_command_that_makes_no_sense_is_told_and_the_session_goes_on(
    tor: LoopbackTor,
) -> None:
    async def main() -> None:
        async with sitting(tor, None) as person:
            own = await create(person, None)
            for command, code in unusable(own):
                person.submit(command)
                assert await failure(person) == (code, type(command)), command

    run_leaping(main)


def unusable(own: Jid) -> Iterable[tuple[Command, ErrorCode]]:
    own_phone = Jid(own.localpart, own.domainpart, "phone")
    return (
        (OpenChat(own, own), ErrorCode.ADDRESS_BAD),
        (OpenChat(own, own_phone), ErrorCode.ADDRESS_BAD),
        (OpenChat(own, Jid("a\u2028b", DOMAIN)), ErrorCode.ADDRESS_BAD),
        (SendMessage(own, STRANGER, "hello"), ErrorCode.ADDRESS_BAD),
        (RestartEncryption(own, STRANGER), ErrorCode.ADDRESS_BAD),
    )


def test_text_that_is_too_long_is_told_and_not_shown_as_sent(
    tor: LoopbackTor,
) -> None:
    async def main() -> Person:
        async with sitting(tor, None) as person:
            await create(person, None)
            person.submit(
                OpenChat(person.me, STRANGER),
                SendMessage(person.me, STRANGER, "x" * (MESSAGE_LIMIT_CHARS + 1)),
            )
            assert await failure(person) == (
                ErrorCode.MESSAGE_TOO_LONG,
                SendMessage,
            )
        return person

    run_leaping(main)


def test_circuit_is_told_of_the_connection_that_is_used(tor: LoopbackTor) -> None:
    async def main() -> CircuitKnown:
        async with sitting(tor, None) as person:
            await create(person, None)
            person.submit(AskCircuit(person.me))
            return await person.until(CircuitKnown)

    known = run_leaping(main)

    assert known.account.domainpart == DOMAIN
    assert known.circuit is not None
    assert known.circuit.to_onion


# --- the end -----------------------------------------------------------------------------


def test_quit_publishes_closed_last_and_wipes(
    tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles: list[tuple[Profile, list[Account]]] = []
    real = VaultStore.save

    def save(self: VaultStore, profile: Profile) -> None:
        profiles.append((profile, list(profile.accounts)))
        real(self, profile)

    monkeypatch.setattr(VaultStore, "save", save)

    async def main() -> Person:
        async with sitting(tor, path) as person:
            await create(person)
        return person

    person = run_leaping(main)

    assert isinstance(person.events[-1], Closed)
    assert len(person.of(Closed)) == 1
    assert tor.n_stops
    for profile, accounts in profiles:
        assert not profile.accounts
        assert not any(each.password or each.otr_key for each in accounts)


@pytest.mark.parametrize("n_turns", [0, 1, 2, 3, 5, 8, 13, 50])
@pytest.mark.parametrize("start", ["create", "unlock", "connect", "cancel"])
def test_quit_at_any_moment_ends_and_leaves_the_vault_whole(
    kept: Jid, tor: LoopbackTor, path: Path, start: str, n_turns: int
) -> None:
    """Whatever has just begun; also before its task has taken its first step."""
    fresh = path.parent / "fresh"
    passphrase = Secret(WORDS)
    begins: dict[str, tuple[Path, list[Command]]] = {
        "create": (fresh, [CreateAccount(passphrase)]),
        "unlock": (path, [UnlockVault(passphrase)]),
        "connect": (path, [UnlockVault(passphrase), Connect()]),
        "cancel": (fresh, [CreateAccount(passphrase), CancelCreation()]),
    }
    place, commands = begins[start]

    async def main() -> Person:
        async with sitting(tor, place) as person:
            person.submit(*commands)
            await let_run(n_turns)
            person.submit(Quit())
            await person.ended()
        return person

    person = run_leaping(main)

    assert isinstance(person.events[-1], Closed)
    assert not passphrase
    assert [record.localpart for record in records_in(path)] == [kept.localpart]
    if fresh.exists():  # it had got so far that there was an account to keep
        assert person.of(AccountOnline)


def test_defect_ends_the_session_with_its_cause_and_gives_the_vault_back(
    kept: Jid, tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(kiosk, "AccountSession", break_down)

    async def main() -> Person:
        async with sitting(tor, path) as person:
            person.submit(UnlockVault(Secret(WORDS)))
            with pytest.raises(ExceptionGroup) as caught:
                await person.ended()
            assert caught.group_contains(ZeroDivisionError)
        return person

    person = run_leaping(main)

    assert not person.of(Closed)
    assert not person.of(Failed)
    assert records_in(path)


def test_defect_in_the_one_action_ends_the_session(
    tor: LoopbackTor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down() -> otr.PrivateKey:
        raise ZeroDivisionError

    monkeypatch.setattr(otr.PrivateKey, "generate", staticmethod(break_down))
    passphrase = Secret(WORDS)

    async def main() -> None:
        async with sitting(tor, path) as person:
            person.submit(CreateAccount(passphrase))
            with pytest.raises(ExceptionGroup) as caught:
                await person.ended()
            assert caught.group_contains(ZeroDivisionError)

    run_leaping(main)

    assert not passphrase
