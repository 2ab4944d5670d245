"""A new password, a contact who is kept out, a new path: on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import (
    AccountConnecting,
    AccountOffline,
    AccountOnline,
    AskCircuit,
    BlockContact,
    BlockedChanged,
    ChangePassword,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    Command,
    Connect,
    ContactAsked,
    Failed,
    Jid,
    MessageReceived,
    NewCircuit,
    OpenChat,
    PasswordChanged,
    Protection,
    RestartEncryption,
    SendMessage,
    UnblockContact,
)
from coykiosk.errors import ErrorCode
from coykiosk.session.chats import Chats
from coykiosk.session.inbound import Inbound, MessageIn, PresenceIn
from coykiosk.session.questions import Questions
from coykiosk.vault.disk import LockedFile
from tests.session.conftest import Prosody
from tests.session.own_server import own_server
from tests.session.people import (
    STILL_S,
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
from tests.session.raw_client import RawClient, raw_client
from tests.support.fault_proxy import FaultProxy
from tests.support.headless import WORDS, Person, eventually, leap, run_leaping

pytestmark = pytest.mark.network


async def failure(person: Person) -> tuple[ErrorCode, type[Command] | None]:
    failed = await person.until(Failed)
    return failed.error.code, failed.during


# --- the password ---------------------------------------------------------------------


def made_with(prosody: Prosody, path: Path) -> tuple[Jid, bytes]:
    """Make an account in a closed vault; return its password too."""

    async def main() -> Jid:
        async with sitting(prosody.direct_port, path) as (person, _):
            return await create(person, WORDS)

    jid = run_leaping(main)
    [record] = records_in(path)
    return jid, record.password.reveal()


@asynccontextmanager
async def unheard_change(
    prosody: Prosody, path: Path
) -> AsyncIterator[tuple[Person, FaultProxy]]:
    """Seat a person whose new password is on the disk, and on its way to nobody."""
    async with (
        FaultProxy(prosody.direct_port) as proxy,
        sitting(proxy.port, path) as (person, _),
    ):
        jid = await unlock(person)
        sealed = content_of(path)
        proxy.hush()
        person.submit(ChangePassword(jid))
        await eventually(lambda: content_of(path) != sealed)
        yield person, proxy


def test_new_password_lets_in_and_the_old_one_does_not(
    prosody: Prosody, path: Path
) -> None:
    jid, old = made_with(prosody, path)

    async def change() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await unlock(person)
            person.submit(ChangePassword(jid))
            assert (await person.until(PasswordChanged)).account == jid
            assert not person.of(AccountOffline)

    run_leaping(change)
    [record] = records_in(path)
    new = record.password.reveal()

    async def try_both() -> tuple[bool, bool]:
        port = prosody.direct_port
        with_new = await is_let_in(port, jid.localpart, new)
        return with_new, await is_let_in(port, jid.localpart, old)

    assert run_leaping(try_both) == (True, False)
    assert not record.next_password
    assert (len(new), len(old)) == (24, 24)


def test_password_can_be_changed_again_and_again(prosody: Prosody, path: Path) -> None:
    jid, old = made_with(prosody, path)

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, tor):
            await unlock(person)
            person.submit(ChangePassword(jid), ChangePassword(jid), ChangePassword(jid))
            for _ in range(3):
                await person.until(PasswordChanged)
            tor.ways.tear()
            gone = await person.until(AccountOffline)
            assert gone.retry_in_s is not None
            leap(gone.retry_in_s + 0.1)
            await person.until(AccountOnline)
            assert len(tor.ways.asked) == 2

    run_leaping(main)

    assert records_in(path)[0].password.reveal() != old


def test_answer_to_a_new_password_that_is_lost_costs_nothing(
    prosody: Prosody, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has the new one already: the old one does not let us in."""
    jid, old = made_with(prosody, path)

    async def main() -> None:
        async with (
            FaultProxy(prosody.direct_port) as proxy,
            sitting(proxy.port, path) as (person, tor),
        ):
            await unlock(person)

            def lose(self: Questions, iq: ET.Element) -> bool:
                if iq.get("id") in self._open:
                    proxy.cut()
                return False

            monkeypatch.setattr(Questions, "answer", lose)
            person.submit(ChangePassword(jid))
            code = await failure(person)
            monkeypatch.undo()
            person.submit(Connect())
            await person.until(AccountOnline)
            assert code == (ErrorCode.PASSWORD_UNSURE, ChangePassword)
            assert len(tor.ways.asked) == len(set(tor.ways.keys)) == 3

    run_leaping(main)
    [record] = records_in(path)

    async def is_in() -> bool:
        return await is_let_in(
            prosody.direct_port, jid.localpart, record.password.reveal()
        )

    assert run_leaping(is_in)
    assert record.password.reveal() != old
    assert not record.next_password


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "connected"])
def test_request_for_a_new_password_that_is_lost_costs_nothing(
    prosody: Prosody, path: Path, *, is_killed: bool
) -> None:
    """The server never heard of the new one, or hears of it as the session goes on."""
    jid, old = made_with(prosody, path)
    snapshot = path.with_name("snapshot")

    async def main() -> None:
        async with unheard_change(prosody, path) as (person, proxy):
            # What is on the disk while the request is on its way.
            copy(path, snapshot)
            await until_with_time(lambda: person.of(Failed))
            assert await failure(person) == (ErrorCode.PASSWORD_UNSURE, ChangePassword)
            proxy.is_hushed = False
            proxy.cut()
            await person.until(AccountOffline)
            if not is_killed:
                person.submit(Connect())
                await person.until(AccountOnline)

    async def later() -> None:
        found = snapshot if is_killed else path
        async with sitting(prosody.direct_port, found) as (person, _):
            await unlock(person)

    run_leaping(main)
    run_leaping(later)
    [record] = records_in(snapshot if is_killed else path)

    async def is_in() -> bool:
        return await is_let_in(
            prosody.direct_port, jid.localpart, record.password.reveal()
        )

    assert run_leaping(is_in)
    if is_killed:
        assert record.password.reveal() == old
        assert record.next_password


def test_password_that_goes_out_again_with_its_session_costs_nothing(
    prosody: Prosody, path: Path
) -> None:
    """XEP-0198: what was not taken is sent again, after the old one has let us in."""
    jid, old = made_with(prosody, path)

    async def main() -> list[bytes]:
        async with unheard_change(prosody, path) as (person, proxy):
            proxy.is_hushed = False
            proxy.cut()
            await person.until(AccountOffline)
            person.submit(Connect())
            await person.until(AccountOnline)
            copied = path.with_name("copied")
            copy(path, copied)
            [record] = records_in(copied)
            kept = [record.password.reveal(), record.next_password.reveal()]
            port = prosody.direct_port
            tried = [await is_let_in(port, jid.localpart, each) for each in kept]
            assert any(tried)
            return kept

    kept = run_leaping(main)

    assert kept[0] == old
    assert len(kept[1]) == 24


def test_password_that_cannot_be_kept_is_not_asked_for(
    prosody: Prosody, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jid, old = made_with(prosody, path)

    def refuse(_: LockedFile, __: bytes) -> None:
        raise OSError(28, "full")

    async def main() -> None:
        async with sitting(prosody.direct_port, path) as (person, _):
            await unlock(person)
            monkeypatch.setattr(LockedFile, "replace", refuse)
            person.submit(ChangePassword(jid))
            code = await failure(person)
            monkeypatch.undo()
            assert code == (ErrorCode.VAULT_UNWRITABLE, ChangePassword)
            assert await is_let_in(prosody.direct_port, jid.localpart, old)

    run_leaping(main)

    [record] = records_in(path)
    assert record.password.reveal() == old
    assert not record.next_password


def test_password_is_not_changed_without_a_connection(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, tor):
            jid = await create(person)
            tor.ways.is_down = True
            tor.ways.tear()
            await person.until(AccountOffline)
            person.submit(ChangePassword(jid))
            assert await failure(person) == (ErrorCode.CONNECTION_LOST, ChangePassword)

    run_leaping(main)


# --- who is kept out --------------------------------------------------------------------


def kept_out_by(prosody: Prosody, jid: Jid) -> str:
    files = list(prosody.directory.glob(f"**/blocklist/{jid.localpart}.dat"))
    return files[0].read_text() if files else ""


def test_blocked_contact_is_told_that_the_chat_ends_and_is_heard_no_more(
    prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port, path) as (bob, _),
        ):
            a, b = await create(alice), await create(bob, WORDS)
            await introduce(alice, bob)
            bob.submit(BlockContact(bob.me, a))
            assert (await bob.until(BlockedChanged)).contacts == (a,)
            await phase(alice, ChatPhase.ENDED_BY_CONTACT)
            await eventually(lambda: str(a) in kept_out_by(prosody, b))
            n_events = len(bob.events)
            await ask_again(alice, b)
            async with sitting(prosody.direct_port) as (carol, _):
                c = await create(carol)
                leap(STILL_S)
                carol.submit(OpenChat(carol.me, b))
                # What alice sent is there before this is.
                assert (await bob.until(ContactAsked)).contact == c
            assert len(bob.events) == n_events + 1
            bob.submit(OpenChat(bob.me, a))
            assert await failure(bob) == (ErrorCode.CONTACT_BLOCKED, OpenChat)
        async with sitting(prosody.direct_port, path) as (bob, _):
            await unlock(bob)
            assert bob.of(BlockedChanged)[0].contacts == (a,)

    run_leaping(main)


def test_contact_who_is_let_in_again_is_heard_again(prosody: Prosody) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port) as (bob, _),
        ):
            a, b = await create(alice), await create(bob)
            await introduce(alice, bob)
            bob.submit(BlockContact(bob.me, a))
            await eventually(lambda: str(a) in kept_out_by(prosody, b))
            await bob.until(BlockedChanged)
            bob.submit(UnblockContact(bob.me, a))
            assert (await bob.until(BlockedChanged)).contacts == ()
            assert str(a) not in kept_out_by(prosody, b)
            await ask_again(alice, b)
            # Their key is known, so the chat opens by itself, as it did before.
            await phase(bob, ChatPhase.ENCRYPTED)
            assert bob.of(ChatChanged)[-1].protection is Protection.PRIVATE
            assert len(bob.of(ContactAsked)) == 1

    run_leaping(main)


async def ask_again(person: Person, contact: Jid) -> None:
    person.submit(RestartEncryption(person.me, contact))


async def ask(stranger: RawClient, contact: Jid) -> list[ET.Element]:
    """Have a stranger ask; return what came to them until the server had it."""
    stranger.seen.clear()
    stranger.say(f"<message type='chat' to='{contact}'><body>?OTRv3?</body></message>")
    stranger.say("<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>")
    await stranger.answer("after")
    return stranger.seen


def test_stranger_who_asked_is_blocked_without_a_word(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XEP-0191, section 3.3: Prosody 0.12 gives the message back, 13 swallows it."""
    heard: list[Jid] = []
    receive = Chats.receive

    def note(self: Chats, value: Inbound) -> None:
        if isinstance(value, MessageIn):
            heard.append(value.sender.bare)
        receive(self, value)

    monkeypatch.setattr(Chats, "receive", note)

    async def main() -> None:
        port = prosody.direct_port
        alice, carol = await raw_client(port), await raw_client(port)
        a, c = alice.jid.bare, carol.jid.bare
        async with sitting(port) as (bob, _):
            b = await create(bob)
            await ask(alice, b)
            await bob.until(ContactAsked)
            bob.submit(BlockContact(bob.me, a))
            await eventually(lambda: str(a) in kept_out_by(prosody, b))
            came = await ask(alice, b)
            await ask(carol, b)
            # What alice said is there before this is.
            assert (await bob.until(ContactAsked)).contact == c
            assert [sender for sender in heard if sender != b] == [a, c]
            assert {stanza.get("type") for stanza in came} <= {"error"}
        await alice.close()
        await carol.close()

    run_leaping(main)


def test_contact_is_kept_out_also_where_the_server_cannot(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            own_server(tmp_path) as server,
            sitting(server.port) as (alice, _),
            sitting(server.port) as (bob, _),
        ):
            a, b = await create(alice), await create(bob)
            await introduce(alice, bob)
            bob.submit(BlockContact(bob.me, a))
            await bob.until(BlockedChanged)
            await phase(alice, ChatPhase.ENDED_BY_CONTACT)
            n_events = len(bob.events)
            await ask_again(alice, b)
            async with sitting(server.port) as (carol, _):
                await create(carol)
                leap(STILL_S)
                carol.submit(OpenChat(carol.me, b))
                # What alice sent is there before this is.
                asked = await bob.until(ContactAsked)
                assert asked.contact != a
                assert len(bob.events) == n_events + 1
            bob.submit(UnblockContact(bob.me, a))
            assert (await bob.until(BlockedChanged)).contacts == ()

    run_leaping(main)


def test_contact_blocked_without_a_connection_is_blocked_at_the_server_later(
    prosody: Prosody,
) -> None:
    eve = Jid("eve", "practice.example")

    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, tor):
            jid = await create(person)
            tor.ways.is_down = True
            tor.ways.tear()
            await person.until(AccountOffline)
            person.submit(BlockContact(person.me, eve))
            await person.until(BlockedChanged)
            person.submit(UnblockContact(person.me, eve))
            assert await failure(person) == (ErrorCode.STILL_BLOCKED, UnblockContact)
            tor.ways.is_down = False
            person.submit(Connect())
            await person.until(AccountOnline)
            await eventually(lambda: str(eve) in kept_out_by(prosody, jid))
            assert not [e for e in person.of(Failed) if e.during is BlockContact]

    run_leaping(main)


def test_nobody_blocks_themselves(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, _):
            own = await create(person)
            person.submit(BlockContact(own, own))
            assert await failure(person) == (ErrorCode.ADDRESS_BAD, BlockContact)

    run_leaping(main)


# --- a new path ----------------------------------------------------------------------------


def test_new_circuit_connects_again_at_once_and_the_chat_goes_on(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port) as (bob, tor),
        ):
            a, b = await create(alice), await create(bob)
            await introduce(alice, bob)
            bob.submit(SendMessage(bob.me, a, "from here"))
            before = await alice.until(MessageReceived)
            bob.submit(NewCircuit(b))
            assert (await bob.until(AccountConnecting)).account == b
            bob.submit(SendMessage(bob.me, a, "from elsewhere"))
            assert (await bob.until(AccountOnline)).account == b
            bob.submit(AskCircuit(bob.me))
            after = await alice.until(MessageReceived)
            assert after.text == "from elsewhere"
            # It is the same session, over another connection.
            assert after.author == before.author
            alice.submit(SendMessage(alice.me, b, "to elsewhere"))
            assert (await bob.until(MessageReceived)).text == "to elsewhere"
            assert not bob.of(AccountOffline)
            assert len(tor.ways.asked) == len(set(tor.ways.keys)) == 2
            assert bob.of(CircuitKnown)[0].circuit is not None

    run_leaping(main)


def test_new_circuit_is_a_reason_not_to_wait_any_longer(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, tor):
            jid = await create(person)
            tor.ways.tear()
            await person.until(AccountOffline)
            person.submit(NewCircuit(jid))
            await person.until(AccountOnline)
            assert len(set(tor.ways.keys)) == 2

    run_leaping(main)


@pytest.mark.parametrize("n_turns", [0, 1, 2, 5])
def test_new_circuit_wanted_as_the_connection_breaks_is_had_at_once(
    prosody: Prosody, n_turns: int
) -> None:
    async def main() -> None:
        async with sitting(prosody.direct_port) as (person, tor):
            jid = await create(person)
            person.submit(NewCircuit(jid))
            for _ in range(n_turns):
                await asyncio.sleep(0)
            tor.ways.tear()
            for _ in range(20):
                await asyncio.sleep(0)
            if person.of(AccountOffline):
                person.submit(NewCircuit(jid))
            await person.until(AccountOnline)

    run_leaping(main)


# --- who sees us ------------------------------------------------------------------------------


def test_contact_sees_us_while_otr_is_up_and_not_before(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[tuple[Jid, PresenceIn]] = []
    receive = Chats.receive

    def note(self: Chats, value: Inbound) -> None:
        if isinstance(value, PresenceIn) and value.sender.bare != self._account:
            came.append((self._account, value))
        receive(self, value)

    monkeypatch.setattr(Chats, "receive", note)

    async def main() -> None:
        async with (
            sitting(prosody.direct_port) as (alice, _),
            sitting(prosody.direct_port) as (bob, _),
        ):
            a, b = await create(alice), await create(bob)
            leap(STILL_S)
            alice.submit(OpenChat(alice.me, b))
            await bob.until(ContactAsked)
            assert came == []
            bob.submit(OpenChat(bob.me, a))
            await phase(alice, ChatPhase.ENCRYPTED)
            await phase(bob, ChatPhase.ENCRYPTED)
            await eventually(lambda: len(came) == 2)
            assert {at: (v.sender.bare, v.available) for at, v in came} == {
                a: (b, True),
                b: (a, True),
            }
            came.clear()
            bob.submit(BlockContact(bob.me, a))
            await eventually(lambda: came)
            [(at, value)] = [each for each in came if each[0] == a]
            assert (at, value.sender.bare, value.available) == (a, b, False)

    run_leaping(main)
