"""Several accounts in one session, on real Prosody: made, used and left one by one."""

import asyncio
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountForgotten,
    AccountOnline,
    CancelCreation,
    ChatChanged,
    ChatPhase,
    ContactAsked,
    CreateAccount,
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
from tests.session.conftest import Prosody
from tests.session.people import STILL_S, create, records_in, sitting
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    WORDS,
    Person,
    eventually,
    leap,
    run_leaping,
)
from tests.support.relay import Side

pytestmark = pytest.mark.network

FURTHER = CreateAccount(None, is_further=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault"


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
                await alice.until(
                    ChatChanged,
                    lambda e, me=account: (  # type: ignore[misc]  # a default binds it
                        e.account == me and e.phase is ChatPhase.ENCRYPTED
                    ),
                )
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
