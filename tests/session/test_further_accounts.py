"""Several accounts in one session, on real Prosody: made, used and left one by one."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountForgotten,
    AccountOffline,
    AccountOnline,
    AskCircuit,
    CancelCreation,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    Connect,
    ContactAsked,
    CreateAccount,
    Door,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    EnrolmentStep,
    Failed,
    ForgetAccount,
    Jid,
    MessageReceived,
    OpenChat,
    Secret,
    SendMessage,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode
from coykiosk.otr import PrivateKey
from coykiosk.ports import Circuit, IsolationKey
from coykiosk.register.servers import Registration
from coykiosk.session.account_desk import FURTHER_DELAY_S
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore
from tests.session.conftest import Prosody
from tests.session.own_server import OTHER_DOMAIN, own_server
from tests.session.people import STILL_S, create, records_in, sitting
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    DOMAIN,
    LIMIT_S,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    eventually,
    headless,
    leap,
    make_server,
    quick_vault,
    run_leaping,
)
from tests.support.relay import Side

pytestmark = pytest.mark.network

FURTHER = CreateAccount(None, is_further=True)
OTHER_ONION = "b" * 56 + ".onion"


async def nothing_happens() -> None:
    """Let everything run that can, without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def create_further(person: Person) -> Jid:
    person.submit(FURTHER)
    return (await person.until(AccountOnline)).account


def test_further_account_is_another_one_with_keys_and_a_path_of_its_own(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> tuple[Jid, Jid, int]:
        async with sitting(prosody.direct_port, path) as (person, tor):
            first = await create(person, WORDS)
            second = await create_further(person)
            keys = {isolation_key for _, isolation_key in tor.ways.asked}
        return first, second, len(keys)

    first, second, n_paths = run_leaping(main)

    assert first != second
    assert n_paths == 2
    records = records_in(path)
    assert [Jid(r.localpart, r.domain) for r in records] == [first, second]
    prints = {PrivateKey.from_bytes(r.otr_key.reveal()).fingerprint for r in records}
    assert len(prints) == len({r.instance_tag for r in records}) == 2


def test_both_accounts_of_a_vault_come_online(prosody: Prosody, path: Path) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            both = (await create(person, WORDS), await create_further(person))
        async with sitting(prosody.direct_port, path) as (person, _):
            person.submit(UnlockVault(Secret(WORDS)))
            unlocked = await person.until(VaultUnlocked)
            assert unlocked.accounts == both
            leap(10)
            await eventually(
                lambda: {e.account for e in person.of(AccountOnline)} == set(both)
            )

    run_leaping(main)


def is_encrypted_as(account: Jid) -> Callable[[ChatChanged], bool]:
    return lambda e: e.account == account and e.phase is ChatPhase.ENCRYPTED


def test_what_is_said_as_one_account_is_of_that_account(prosody: Prosody) -> None:
    """The same contact talks with both, and cannot tell that they are one person."""

    async def main() -> tuple[list[MessageReceived], list[MessageReceived]]:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port) as (bob, _),
        ):
            mine, other = await create(alice), await create_further(alice)
            b = await create(bob)
            leap(STILL_S)
            for account in (mine, other):
                alice.submit(OpenChat(account, b))
                asked = await bob.until(ContactAsked)
                assert asked.contact == account
                bob.submit(OpenChat(b, account))
                await alice.until(ChatChanged, is_encrypted_as(account))
            alice.submit(SendMessage(mine, b, "as one"))
            alice.submit(SendMessage(other, b, "as the other"))
            await eventually(lambda: len(bob.of(MessageReceived)) == 2)
            bob.submit(SendMessage(b, other, "hello, other"))
            await alice.until(MessageReceived)
            return bob.of(MessageReceived), alice.of(MessageReceived)

    at_bob, at_alice = run_leaping(main)

    assert len({e.chat for e in at_bob}) == 2
    assert {e.text for e in at_bob} == {"as one", "as the other"}
    [heard] = at_alice
    assert heard.account == next(e.chat for e in at_bob if e.text == "as the other")


def test_key_pressed_twice_makes_no_second_account(prosody: Prosody) -> None:
    async def main() -> int:
        async with sitting(prosody.direct_port) as (person, _):
            person.submit(CreateAccount(None), CreateAccount(None))
            await person.until(AccountOnline)
            person.submit(CreateAccount(None))
            leap(10)
            await asyncio.sleep(0)
        return len(person.of(AccountOnline))

    assert run_leaping(main) == 1


def test_passphrase_given_with_a_further_account_is_wiped_unused(
    prosody: Prosody,
) -> None:
    words = Secret("words that nobody asked for")

    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, _):
            await create(person)
            person.submit(CreateAccount(words, is_further=True))
            assert not (await person.until(AccountOnline)).kept

    run_leaping(main)

    assert not words


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing kept"])
def test_cancelled_further_account_leaves_the_first_as_it_was(
    prosody: Prosody, path: Path, *, is_kept: bool
) -> None:
    async def main() -> Jid:
        async with (
            FaultProxy(prosody.direct_port) as proxy,
            sitting(proxy.port, path if is_kept else None) as (person, _),
        ):
            first = await create(person, WORDS if is_kept else None)
            proxy.hold = Hold(Side.SERVER, 1)
            person.submit(FURTHER)
            await person.until(
                EnrolmentAdvanced, lambda e: e.step is EnrolmentStep.REACHING_SERVER
            )
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)
            proxy.hold = None
            # It still works: the first goes on, and another can be made.
            assert await create_further(person) != first
            person.submit(ForgetAccount(first))
            gone = await person.until(AccountForgotten)
            assert len(gone.others) == 1
        return gone.others[0]

    left = run_leaping(main)

    if is_kept:
        [record] = records_in(path)
        assert Jid(record.localpart, record.domain) == left


def test_further_account_that_no_server_makes_leaves_the_first_as_it_was(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> Jid:
        async with sitting(prosody.direct_port, path) as (person, tor):
            first = await create(person, WORDS)
            tor.ways.ports.clear()
            person.submit(FURTHER)
            failed = await person.until(Failed)
            assert failed.error.code is ErrorCode.NO_SERVER_LEFT
            assert len(person.of(VaultUnlocked)) == 0
        return first

    first = run_leaping(main)

    assert [Jid(r.localpart, r.domain) for r in records_in(path)] == [first]


# --- what must not link them, or lose one -----------------------------------------------------


@asynccontextmanager
async def before_two_domains(
    port: int, other_port: int, path: Path
) -> AsyncIterator[tuple[Person, LoopbackTor]]:
    """Seat a person who tries `DOMAIN` first and `OTHER_DOMAIN` then."""
    tor = LoopbackTor({ONION: port, OTHER_ONION: other_port})
    servers = [
        make_server(),
        make_server(domain=OTHER_DOMAIN, onion=OTHER_ONION, register=Registration.FORM),
    ]
    async with headless(servers, tor, vault=quick_vault(path)) as person:
        yield person, tor


def test_account_left_over_from_a_cut_has_a_key_of_its_own_when_it_is_found(
    tmp_path: Path, path: Path
) -> None:
    async def main() -> None:
        async with (
            own_server(tmp_path) as server,
            FaultProxy(server.port) as proxy,
            before_two_domains(proxy.port, server.port, path) as (person, tor),
        ):
            proxy.hold = Hold(Side.SERVER, 2)  # it is made, and nobody tells us
            person.submit(CreateAccount(Secret(WORDS)))
            await proxy.reached.wait()
            await eventually(lambda: server.accounts(DOMAIN))
            del tor.ways.ports[ONION]
            proxy.cut()
            first = (await person.until(AccountOnline)).account
            tor.ways.ports[ONION] = proxy.port
            second = await create_further(person)
            assert (first.domainpart, second.domainpart) == (OTHER_DOMAIN, DOMAIN)
            [left_over] = server.accounts(DOMAIN)
            assert second.localpart == left_over

    run_leaping(main)

    records = records_in(path)
    prints = {PrivateKey.from_bytes(r.otr_key.reveal()).fingerprint for r in records}
    assert len(prints) == len({r.instance_tag for r in records}) == len(records) == 2


async def make_two(port: int, path: Path) -> None:
    """Have one account at each domain in a vault."""
    async with before_two_domains(port, port, path) as (person, _):
        await create(person, WORDS)
        await create_further(person)


def leave_pending(path: Path, number: int) -> None:
    """Let an account in a closed vault be one of which nobody was told."""
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    profile.accounts[number].pending = True
    vault.save(profile)
    vault.close()


def test_account_left_over_is_not_taken_for_one_on_a_server_that_was_named(
    tmp_path: Path, path: Path
) -> None:
    async def main() -> None:
        async with own_server(tmp_path) as server:
            await make_two(server.port, path)
            leave_pending(path, 1)
            async with before_two_domains(server.port, server.port, path) as (
                person,
                tor,
            ):
                person.submit(UnlockVault(Secret(WORDS)))
                await person.until(AccountOnline)
                door = Door(OTHER_DOMAIN, OTHER_ONION, "")
                n_asked = len(tor.ways.asked)
                person.submit(CreateAccount(None, door, is_further=True))
                # Nothing answers there in the way that a server named is spoken to.
                await person.until(Failed)
                assert {host for host, _ in tor.ways.asked[n_asked:]} == {OTHER_ONION}

    run_leaping(main)

    assert [record.pending for record in records_in(path)] == [False, True]


def test_cancelled_account_that_was_found_again_is_left_over_as_before(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, may_save = threading.Event(), threading.Event()
    save = VaultStore.save

    def save_slowly(self: VaultStore, profile: Profile) -> None:
        if sum(not each.pending for each in profile.accounts) == 2:
            saving.set()
            may_save.wait(LIMIT_S)
        save(self, profile)

    async def main() -> None:
        async with own_server(tmp_path) as server:
            await make_two(server.port, path)
            leave_pending(path, 1)
            monkeypatch.setattr(VaultStore, "save", save_slowly)
            async with before_two_domains(server.port, server.port, path) as (
                person,
                _,
            ):
                person.submit(UnlockVault(Secret(WORDS)))
                await person.until(AccountOnline)
                person.submit(FURTHER)
                await eventually(saving.is_set)
                person.submit(CancelCreation())
                may_save.set()
                await person.until(EnrolmentCancelled)

    run_leaping(main)

    assert [record.pending for record in records_in(path)] == [False, True]


@pytest.mark.parametrize("is_leaving", [True, False], ids=["leaving", "gone"])
def test_further_account_is_not_made_beside_none(
    prosody: Prosody, path: Path, *, is_leaving: bool
) -> None:
    """Where it would be kept, nobody has said."""

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            person.submit(ForgetAccount(await create(person, WORDS)))
            if not is_leaving:
                await person.until(AccountForgotten)
            person.submit(FURTHER)
            await person.until(EnrolmentCancelled)
            await eventually(lambda: person.of(AccountForgotten))
            assert len(person.of(AccountOnline)) == 1

    run_leaping(main)

    assert not path.exists()


def test_vault_stays_for_an_account_that_is_being_made_while_the_last_one_goes(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> Jid:
        async with sitting(prosody.direct_port, path) as (person, _):
            first = await create(person, WORDS)
            person.submit(FURTHER, ForgetAccount(first))
            online = await person.until(AccountOnline)
            assert online.kept
            await eventually(lambda: person.of(AccountForgotten))
        return online.account

    left = run_leaping(main)

    assert [Jid(r.localpart, r.domain) for r in records_in(path)] == [left]


def late(n_bytes: int) -> bytes:
    """Chance that draws every pause at its upper end."""
    return b"\xff" * n_bytes if n_bytes == 7 else os.urandom(n_bytes)


@pytest.mark.parametrize("asks", [False, True], ids=["unlocked", "asked for"])
def test_accounts_of_one_vault_do_not_come_online_together(
    prosody: Prosody, path: Path, *, asks: bool
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await create(person, WORDS)
            await create_further(person)
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with headless(
            [make_server()], tor, vault=quick_vault(path), random_bytes=late
        ) as person:
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(AccountOnline)
            if asks:
                leap(FURTHER_DELAY_S + 1)
                await eventually(lambda: len(person.of(AccountOnline)) == 2)
                tor.ways.is_down = True
                tor.ways.tear()
                await eventually(lambda: len(person.of(AccountOffline)) >= 2)
                tor.ways.is_down = False
                person.submit(Connect())
                n_online = len(person.of(AccountOnline))
                await eventually(lambda: len(person.of(AccountOnline)) > n_online)
            n_asked = len(tor.ways.asked)
            await nothing_happens()
            assert len(tor.ways.asked) == n_asked
            leap(FURTHER_DELAY_S + 1)
            await eventually(lambda: len(tor.ways.asked) > n_asked)

    run_leaping(main)


def test_nobody_can_ask_to_talk_with_their_own_other_account(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, _):
            first, second = await create(person), await create_further(person)
            person.submit(OpenChat(first, second))
            failed = await person.until(Failed)
            assert failed.error.code is ErrorCode.ADDRESS_BAD

    run_leaping(main)


def test_path_of_an_account_that_goes_meanwhile_is_not_told(prosody: Prosody) -> None:
    class SlowTor(LoopbackTor):
        async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
            asked.set()
            await may_tell.wait()
            return await super().circuit(isolation_key)

    async def main() -> None:
        tor = SlowTor({ONION: prosody.direct_port})
        async with headless([make_server()], tor) as person:
            account = await create(person)
            person.submit(AskCircuit(account))
            await asked.wait()
            person.submit(ForgetAccount(account))
            await person.until(AccountForgotten)
            may_tell.set()
            await nothing_happens()
            assert person.of(CircuitKnown) == []

    asked, may_tell = asyncio.Event(), asyncio.Event()
    run_leaping(main)
