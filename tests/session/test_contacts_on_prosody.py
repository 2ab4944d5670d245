"""Contacts on real Prosody: found again after unlocking, and forgotten everywhere."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import (
    AccountOffline,
    BlockContact,
    BlockedChanged,
    ChatClosed,
    ChatPhase,
    Connect,
    ContactAsked,
    ContactsChanged,
    Failed,
    ForgetContact,
    Jid,
    OpenChat,
    RestartEncryption,
    Secret,
    UnlockVault,
)
from coykiosk.errors import ErrorCode
from coykiosk.session import requests
from coykiosk.session.requests import Request
from tests.session.conftest import Prosody
from tests.session.people import (
    create,
    introduce,
    phase,
    records_in,
    sitting,
    unlock,
)
from tests.support.headless import WORDS, Person, eventually, run_leaping

pytestmark = pytest.mark.network

LISTED = Jid("aunt", "elsewhere.example")


def roster_file(prosody: Prosody, account: Jid) -> Path:
    [made] = prosody.directory.glob(f"**/accounts/{account.localpart}.dat")
    return made.parents[1] / "roster" / made.name


def list_at_server(prosody: Prosody, account: Jid, contact: Jid = LISTED) -> None:
    """Have a contact on the list, as another program would have put it there."""
    path = roster_file(prosody, account)
    path.parent.mkdir(exist_ok=True)
    item = f'["{contact}"] = {{ ["subscription"] = "none"; ["groups"] = {{}} }}'
    path.write_text(f'return {{ [false] = {{ ["version"] = 1 }}; {item} }};')


async def meet(bob: Person, port: int, path: Path) -> Jid:
    """Have somebody with a vault talk with him once, and quit; return who they are."""
    async with sitting(port, path) as (alice, _):
        account = await create(alice, WORDS)
        await introduce(alice, bob)
        known = alice.of(ContactsChanged)[-1].known
        assert known == (bob.me,)
    return account


def test_who_was_talked_with_is_a_contact_in_the_next_session(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (bob, _):
            b = await create(bob)
            a = await meet(bob, prosody.direct_port, path)
            async with sitting(prosody.direct_port, path) as (alice, _):
                await unlock(alice)
                assert alice.of(ContactsChanged)[-1] == ContactsChanged(a, (b,), ())
                alice.submit(OpenChat(a, b))
                await phase(alice, ChatPhase.ENCRYPTED)

    run_leaping(main)


def test_forgotten_contact_is_told_the_end_and_is_a_stranger_later(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (bob, _),
            sitting(prosody.direct_port, path) as (alice, _),
        ):
            a, b = await create(alice, WORDS), await create(bob)
            await introduce(alice, bob)
            alice.submit(ForgetContact(a, b))
            assert (await alice.until(ChatClosed)).chat == b
            assert (await alice.until(ContactsChanged)).known == ()
            await phase(bob, ChatPhase.ENDED_BY_CONTACT)
            bob.submit(RestartEncryption(b, a))
            assert (await alice.until(ContactAsked)).contact == b

    run_leaping(main)

    [record] = records_in(path)
    assert record.known == {}


def test_contact_on_the_list_of_the_server_is_shown_and_taken_off_it(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (alice, _):
            a = await create(alice, WORDS)
        list_at_server(prosody, a)
        async with sitting(prosody.direct_port, path) as (alice, _):
            await unlock(alice)
            shown = await alice.until(ContactsChanged)
            assert shown == ContactsChanged(a, (), (LISTED,))
            alice.submit(ForgetContact(a, LISTED))
            assert (await alice.until(ContactsChanged)).listed == ()
            await eventually(
                lambda: LISTED.localpart not in roster_file(prosody, a).read_text()
            )

    run_leaping(main)


def test_contact_that_the_server_keeps_on_its_list_is_told_of_and_not_shown(
    prosody: Prosody, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_contact: Jid) -> Request:
        return Request(ET.Element("{urn:nobody:knows}this"))

    monkeypatch.setattr(requests, "remove_contact", refused)

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (alice, _):
            a = await create(alice, WORDS)
            list_at_server(prosody, a)
        async with sitting(prosody.direct_port, path) as (alice, _):
            await unlock(alice)
            await alice.until(ContactsChanged)
            alice.submit(ForgetContact(a, LISTED))
            failed = await alice.until(Failed)
            assert failed.error.code is ErrorCode.STILL_LISTED
            assert failed.during is ForgetContact
            assert alice.of(ContactsChanged)[-1].listed == ()

    run_leaping(main)


def test_contact_who_is_forgotten_offline_is_taken_off_the_list_later(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (bob, _):
            b = await create(bob)
            a = await meet(bob, prosody.direct_port, path)
            list_at_server(prosody, a, b)
            async with sitting(prosody.direct_port, path) as (alice, tor):
                tor.ways.is_down = True
                alice.submit(UnlockVault(Secret(WORDS)))
                await alice.until(AccountOffline)
                alice.submit(ForgetContact(a, b))
                await alice.until(ContactsChanged, lambda e: e.known == ())
                tor.ways.is_down = False
                alice.submit(Connect())
                await eventually(
                    lambda: b.localpart not in roster_file(prosody, a).read_text()
                )
                assert alice.of(ContactsChanged)[-1] == ContactsChanged(a, (), ())

    run_leaping(main)


@pytest.mark.parametrize("command", [ForgetContact, BlockContact])
def test_contact_who_is_left_while_the_connection_is_gone_is_told_when_it_is_back(
    prosody: Prosody, command: type[ForgetContact | BlockContact]
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (bob, _),
            sitting(prosody.direct_port) as (alice, tor),
        ):
            b, a = await create(bob), await create(alice)
            await introduce(alice, bob)
            tor.ways.is_down = True
            tor.ways.tear()
            await alice.until(AccountOffline)
            alice.submit(command(a, b))
            await eventually(lambda: alice.of(ChatClosed) or alice.of(BlockedChanged))
            tor.ways.is_down = False
            alice.submit(Connect())
            await phase(bob, ChatPhase.ENDED_BY_CONTACT)

    run_leaping(main)
