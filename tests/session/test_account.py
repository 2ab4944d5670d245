"""An account from sign-in to quit: chats, strangers, and a server that goes away."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from coykiosk import otr
from coykiosk.contract import (
    AcceptContact,
    AccountOffline,
    AccountOnline,
    BlockedChanged,
    ChatChanged,
    ChatPhase,
    Connect,
    ContactAsked,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    OpenChat,
    Protection,
    Quit,
    RefuseContact,
    RestartEncryption,
    Secret,
    SendMessage,
    UnlockVault,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.register.servers import TlsMode
from coykiosk.session import account
from coykiosk.session.account import AccountSession
from coykiosk.session.backoff import BACKOFF_CAP_S, RECONNECT_DELAY_S
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    PresenceIn,
    SubscriptionAsked,
)
from coykiosk.session.opening import Opened, Purpose
from coykiosk.session.sending import GOODBYE_LIMIT_S
from coykiosk.session.signing_in import OPENING_LIMIT_S
from coykiosk.session.strangers import MAX_STRANGERS
from tests.session import people
from tests.session.conftest import Prosody
from tests.session.idle import idle_world, make_record
from tests.session.own_server import OwnServer, own_server
from tests.session.people import STILL_S, create, introduce, phase, unlock
from tests.support.accounts import loopback_route, open_account
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    headless,
    leap,
    make_server,
    quick_vault,
    run_leaping,
)
from tests.support.relay import Side

SERVERS = [make_server()]


def sitting(
    server: Prosody | OwnServer, path: Path | None = None
) -> AbstractAsyncContextManager[tuple[Person, LoopbackTor]]:
    port = server.port if isinstance(server, OwnServer) else server.direct_port
    return people.sitting(port, path)


async def let_run(n_turns: int = 20) -> None:
    for _ in range(n_turns):
        await asyncio.sleep(0)


async def meet(alice: Person, bob: Person) -> tuple[Jid, Jid]:
    """Make two accounts, and an encrypted chat between them."""
    a, b = await create(alice), await create(bob)
    await introduce(alice, bob)
    return a, b


# --- two people ----------------------------------------------------------------------


@pytest.mark.network
def test_two_sessions_chat_under_otr_through_a_real_server(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, _), sitting(prosody) as (bob, _):
            a, b = await meet(alice, bob)
            alice.submit(SendMessage(alice.me, b, "the quick brown fox"))
            heard = await bob.until(MessageReceived)
            bob.submit(SendMessage(bob.me, a, "jumps over\nthe lazy dog \U0001f98a"))
            answer = await alice.until(MessageReceived)
            assert (heard.text, heard.chat) == ("the quick brown fox", a)
            assert heard.author.bare == a
            assert heard.protection is Protection.PRIVATE
            assert answer.text == "jumps over\nthe lazy dog \U0001f98a"
            assert answer.protection is Protection.PRIVATE

    run_leaping(main)


@pytest.mark.network
def test_text_typed_at_once_waits_and_is_sent_when_the_contact_has_accepted(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, _), sitting(prosody) as (bob, _):
            a, b = await create(alice), await create(bob)
            alice.submit(
                OpenChat(alice.me, b), SendMessage(alice.me, b, "are you there?")
            )
            accepted = await alice.until(MessageAccepted)
            leap(STILL_S)
            await bob.until(ContactAsked)
            bob.submit(AcceptContact(bob.me, a))
            sending = await alice.until(MessageStateChanged)
            sent = await alice.until(MessageStateChanged)
            heard = await bob.until(MessageReceived)
            assert accepted.state is MessageState.WAITING
            assert accepted.protection is Protection.OPEN
            assert sending.state is MessageState.SENDING
            assert sent.state is MessageState.SENT
            assert sent.message_id == sending.message_id == accepted.message_id
            assert heard.text == "are you there?"

    run_leaping(main)


@pytest.mark.network
def test_new_account_is_still_before_it_speaks_for_the_first_time(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "FIRST_CONTACT_DELAY_S", (500.0, 500.0))

    async def main() -> None:
        async with sitting(prosody) as (alice, _), sitting(prosody) as (bob, _):
            await create(alice)
            b = await create(bob)
            alice.submit(OpenChat(alice.me, b))
            await phase(alice, ChatPhase.ASKING)
            # What she sends would be on its way before the answer to this is.
            async with Raw.joined(prosody) as raw:
                raw.say(b, "hello")
                asked = await bob.until(ContactAsked)
                assert asked.contact == raw.jid
            leap(500.1)
            await bob.until(ContactAsked)

    run_leaping(main)


@pytest.mark.network
def test_contact_whom_the_server_cannot_reach_is_shown_as_away(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, _):
            await create(alice)
            leap(STILL_S)
            alice.submit(OpenChat(alice.me, Jid("nobody", DOMAIN)))
            await phase(alice, ChatPhase.AWAY)

    run_leaping(main)


@pytest.mark.network
def test_quit_tells_the_contact_that_the_encryption_has_ended(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, _):
            async with sitting(prosody) as (bob, _):
                await meet(alice, bob)
            ended = await phase(alice, ChatPhase.ENDED_BY_CONTACT)
            assert ended.protection is Protection.STOP

    run_leaping(main)


@pytest.mark.network
def test_text_typed_after_the_contact_has_ended_is_not_sent(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, _):
            async with sitting(prosody) as (bob, _):
                _, b = await meet(alice, bob)
            await phase(alice, ChatPhase.ENDED_BY_CONTACT)
            alice.submit(SendMessage(alice.me, b, "wait"))
            accepted = await alice.until(MessageAccepted)
            await let_run()
            assert accepted.state is MessageState.WAITING
            assert not alice.of(MessageStateChanged)

    run_leaping(main)


@pytest.mark.network
def test_encryption_that_has_ended_can_be_asked_for_again(
    prosody: Prosody, tmp_path: Path
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with sitting(prosody) as (alice, _):
            async with sitting(prosody, path) as (bob, _):
                await create(bob, WORDS)
                _, b = await introduced(alice, bob)
            await phase(alice, ChatPhase.ENDED_BY_CONTACT)
            async with sitting(prosody, path) as (bob, _):
                await unlock(bob)
                alice.submit(RestartEncryption(alice.me, b))
                await phase(bob, ChatPhase.ENCRYPTED)
                again = await phase(alice, ChatPhase.ENCRYPTED)
                # It is the same person: nobody is asked, nobody is alarmed.
                assert not bob.of(ContactAsked)
                assert not again.key_is_new

    run_leaping(main)


async def introduced(alice: Person, bob: Person) -> tuple[Jid, Jid]:
    """As `meet`, but the second account is there already."""
    a = await create(alice)
    await introduce(alice, bob)
    return a, bob.of(AccountOnline)[-1].account


@pytest.mark.network
def test_known_contact_opens_the_chat_of_a_later_session_by_writing(
    prosody: Prosody, tmp_path: Path
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with sitting(prosody) as (alice, _):
            async with sitting(prosody, path) as (bob, _):
                await create(bob, WORDS)
                a, b = await introduced(alice, bob)
            async with sitting(prosody, path) as (bob, _):
                await unlock(bob)
                alice.submit(
                    RestartEncryption(alice.me, b),
                    SendMessage(alice.me, b, "back again?"),
                )
                changed = await bob.until(ChatChanged)
                heard = await bob.until(MessageReceived)
                assert changed.chat == a
                assert heard.text == "back again?"
                assert heard.protection is Protection.PRIVATE
                assert not bob.of(ContactAsked)

    run_leaping(main)


# --- strangers -------------------------------------------------------------------------


class Raw:
    """Somebody whose program says whatever the test wants."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.jid = opened.jid.bare

    @classmethod
    @asynccontextmanager
    async def joined(cls, prosody: Prosody) -> AsyncIterator["Raw"]:
        opened = await open_account(
            loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin=""),
            port=prosody.direct_port,
            localpart="raw" + os.urandom(6).hex(),
            password="a" * 24,
            purpose=Purpose.REGISTER,
        )
        try:
            yield cls(opened)
        finally:
            await opened.stream.close()

    def write(self, stanza: str) -> None:
        self._opened.stream.write(stanza.encode())

    def say(self, to: Jid, text: str) -> None:
        self.write(f"<message to='{to}' type='chat'><body>{text}</body></message>")


LEAK = "buy-gold-at-evil-example"


@pytest.mark.network
def test_stranger_is_told_of_once_and_nothing_of_their_words(prosody: Prosody) -> None:
    async def main() -> None:
        async with (
            sitting(prosody) as (alice, _),
            Raw.joined(prosody) as raw,
            Raw.joined(prosody) as last,
        ):
            a = await create(alice)
            raw.say(a, LEAK)
            raw.write(
                f"<presence to='{a}' type='subscribe'><status>{LEAK}</status></presence>"
            )
            raw.say(a, f"?OTRv3?{LEAK}")
            await alice.until(ContactAsked)
            last.say(a, LEAK)
            await alice.until(ContactAsked)
            assert [e.contact for e in alice.of(ContactAsked)] == [raw.jid, last.jid]
            assert LEAK not in repr(alice.events)
            assert not alice.of(ChatChanged)

    run_leaping(main)


@pytest.mark.network
def test_stranger_who_was_refused_stays_silent_until_the_person_opens_a_chat(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with (
            sitting(prosody) as (alice, _),
            Raw.joined(prosody) as raw,
            Raw.joined(prosody) as last,
        ):
            a = await create(alice)
            raw.say(a, LEAK)
            await alice.until(ContactAsked)
            alice.submit(RefuseContact(alice.me, raw.jid))
            await let_run()
            raw.say(a, LEAK)
            last.say(a, LEAK)
            again = await alice.until(ContactAsked)
            alice.submit(OpenChat(alice.me, raw.jid))
            raw.say(a, "now?")
            heard = await alice.until(MessageReceived)
            assert again.contact == last.jid
            assert (heard.text, heard.protection) == ("now?", Protection.OPEN)

    run_leaping(main)


# --- strangers, without a network ---------------------------------------------------------


def make_session() -> tuple[AccountSession, list[Event]]:
    """An account that is not connected, and what it publishes."""
    events: list[Event] = []

    world = idle_world(publish=events.append)
    record = make_record("quiet", otr_key=KEY.to_bytes())
    [route] = make_server().routes()
    session = AccountSession(
        record, route=route, world=world, kept=False, save=lambda: None
    )
    return session, events


KEY = otr.PrivateKey.generate()


def said(sender: Jid) -> MessageIn:
    return MessageIn(sender, LEAK, "1", delayed=False, is_copy=False)


def test_strangers_are_told_of_up_to_a_limit() -> None:
    session, events = make_session()

    for n in range(MAX_STRANGERS + 50):
        session.chats.receive(said(Jid(f"bot{n}", DOMAIN, "x")))

    assert events == [
        ContactAsked(session.jid, Jid(f"bot{n}", DOMAIN)) for n in range(MAX_STRANGERS)
    ]


def test_refused_strangers_stay_silent_beyond_the_limit() -> None:
    session, events = make_session()
    bots = [Jid(f"bot{n}", DOMAIN) for n in range(MAX_STRANGERS + 50)]
    for bot in bots:
        session.chats.receive(said(bot))
        session.chats.refuse(bot)
    events.clear()

    for bot in bots:
        session.chats.receive(said(bot))

    assert events == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(said(Jid("", DOMAIN)), id="our server"),
        pytest.param(said(Jid("", "other.example", "announce")), id="another server"),
        pytest.param(SubscriptionAsked(Jid("", DOMAIN)), id="a server's subscription"),
        pytest.param(said(Jid("quiet", DOMAIN, "phone")), id="ourselves"),
        pytest.param(
            SubscriptionAsked(Jid("quiet", DOMAIN, "phone")), id="our subscription"
        ),
        pytest.param(
            MessageIn(Jid("x", DOMAIN), "", "1", delayed=False, is_copy=True), id="copy"
        ),
    ],
)
def test_what_no_person_wrote_is_no_stranger(
    value: MessageIn | SubscriptionAsked,
) -> None:
    session, events = make_session()

    session.chats.receive(value)

    assert events == []


def test_someone_in_a_chat_with_us_does_not_ask_to_talk() -> None:
    session, events = make_session()
    session.chats.open(Jid("eve", DOMAIN))
    events.clear()

    session.chats.receive(SubscriptionAsked(Jid("eve", DOMAIN)))

    assert events == []


EVE = Jid("eve", DOMAIN, "phone")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(said(EVE), id="message"),
        pytest.param(SubscriptionAsked(EVE), id="subscription"),
        pytest.param(PresenceIn(EVE, available=True), id="presence"),
        pytest.param(MessageError(EVE, "1", "gone", LEAK), id="error"),
    ],
)
def test_nothing_of_who_is_blocked_is_told(value: Inbound) -> None:
    session, events = make_session()
    session.chats.receive(said(EVE))
    session.chats.block(EVE)
    events.clear()

    session.chats.receive(value)

    assert events == []


def test_who_is_blocked_is_told_as_it_now_is() -> None:
    session, events = make_session()

    session.chats.block(EVE)
    session.chats.block(Jid("mallory", DOMAIN))
    session.chats.block(EVE)
    session.chats.people.unblock(EVE)

    own, eve, mallory = session.jid, EVE.bare, Jid("mallory", DOMAIN)
    assert events == [
        BlockedChanged(own, (eve,)),
        BlockedChanged(own, (eve, mallory)),
        BlockedChanged(own, (eve, mallory)),
        BlockedChanged(own, (mallory,)),
    ]
    assert session.record.blocked == (f"mallory@{DOMAIN}",)


def test_chat_with_who_is_blocked_is_refused_until_they_are_let_in() -> None:
    session, events = make_session()
    session.chats.block(EVE)

    with pytest.raises(UserError) as caught:
        session.chats.open(EVE)
    session.chats.people.unblock(EVE)
    session.chats.open(EVE)

    assert caught.value.code is ErrorCode.CONTACT_BLOCKED
    assert isinstance(events[-1], ChatChanged)


def test_contact_whose_key_was_met_does_not_ask_to_talk_by_asking_to_see_us() -> None:
    session, events = make_session()
    session.record.known[str(EVE.bare)] = (b"k" * 20,)

    session.chats.receive(SubscriptionAsked(EVE))

    assert events == []


# --- the connection --------------------------------------------------------------------------


async def offline(person: Person, code: ErrorCode) -> AccountOffline:
    event = await person.until(AccountOffline)
    assert event.error.code is code
    return event


@pytest.mark.network
def test_account_comes_back_by_itself_after_the_server_was_restarted(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with own_server(tmp_path) as server:
            async with sitting(server) as (person, tor):
                jid = await create(person)
                await server.stop()
                first = await offline(person, ErrorCode.CONNECTION_LOST)
                assert first.retry_in_s is not None
                leap(first.retry_in_s + 0.1)
                second = await offline(person, ErrorCode.SERVER_UNREACHABLE)
                assert second.retry_in_s is not None
                await server.start()
                leap(second.retry_in_s + 0.1)
                online = await person.until(AccountOnline)
                assert online.account == jid
            assert len(tor.ways.keys) == len(set(tor.ways.keys)) == 3

    run_leaping(main)


@pytest.mark.network
def test_pause_between_tries_grows_but_not_without_end(prosody: Prosody) -> None:
    async def main() -> list[float]:
        pauses = []
        async with sitting(prosody) as (person, tor):
            await create(person)
            tor.ways.is_down = True
            tor.ways.tear()
            for _ in range(40):
                pause = (await person.until(AccountOffline)).retry_in_s
                assert pause is not None
                pauses.append(pause)
                leap(pause + 0.1)
        return pauses

    pauses = run_leaping(main)

    assert max(pauses) <= BACKOFF_CAP_S + RECONNECT_DELAY_S
    assert max(pauses[:1]) <= 16
    assert max(pauses) > 30
    assert len(set(pauses)) == len(pauses)


@pytest.mark.network
def test_texts_typed_while_away_are_sent_after_the_connection_is_back(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with sitting(prosody) as (alice, tor), sitting(prosody) as (bob, _):
            _, b = await meet(alice, bob)
            tor.ways.tear()
            await alice.until(AccountOffline)
            alice.submit(SendMessage(alice.me, b, "from the tunnel"))
            accepted = await alice.until(MessageAccepted)
            alice.submit(Connect())
            await alice.until(AccountOnline)
            heard = await bob.until(MessageReceived)
            assert accepted.state is MessageState.WAITING
            assert heard.text == "from the tunnel"
            assert heard.protection is Protection.PRIVATE

    run_leaping(main)


@pytest.mark.network
def test_server_that_shows_another_key_later_is_not_believed(tmp_path: Path) -> None:
    """Within one session, too: the first key that an onion showed is pinned."""

    async def main() -> None:
        async with own_server(tmp_path) as server, sitting(server) as (person, tor):
            await create(person)
            await server.stop()
            await person.until(AccountOffline)
            server.renew_certificate()
            await server.start()
            person.submit(Connect())
            event = await offline(person, ErrorCode.CERTIFICATE_BAD)
            n_asked = len(tor.ways.asked)
            leap(BACKOFF_CAP_S * 10)
            await let_run()
            assert event.retry_in_s is None
            assert event.error.facts["reason"] == "pin-changed"
            assert len(tor.ways.asked) == n_asked

    run_leaping(main)


@pytest.mark.network
def test_server_that_shows_another_key_in_a_later_session_is_not_believed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with own_server(tmp_path) as server:
            async with sitting(server, path) as (person, _):
                await create(person, WORDS)
            await server.stop()
            server.renew_certificate()
            await server.start()
            async with sitting(server, path) as (person, _):
                person.submit(UnlockVault(Secret(WORDS)))
                event = await offline(person, ErrorCode.CERTIFICATE_BAD)
                assert event.retry_in_s is None

    run_leaping(main)


@pytest.mark.network
def test_account_that_its_server_has_deleted_waits_for_the_person(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with own_server(tmp_path) as server:
            async with sitting(server, path) as (person, _):
                jid = await create(person, WORDS)
            server.delete(jid.localpart)
            async with sitting(server, path) as (person, tor):
                person.submit(UnlockVault(Secret(WORDS)))
                event = await offline(person, ErrorCode.LOGIN_REFUSED)
                leap(BACKOFF_CAP_S * 10)
                await let_run()
                assert event.retry_in_s is None
                assert event.error.facts["condition"] == "not-authorized"
                assert len(tor.ways.asked) == 1
                person.submit(Connect())
                await offline(person, ErrorCode.LOGIN_REFUSED)
                assert len(tor.ways.asked) == 2

    run_leaping(main)


@pytest.mark.network
def test_sign_in_that_meets_silence_is_given_up_and_tried_again(
    prosody: Prosody, tmp_path: Path
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with sitting(prosody, path) as (person, _):
            await create(person, WORDS)
        async with FaultProxy(prosody.direct_port) as proxy:
            tor = LoopbackTor({ONION: proxy.port})
            proxy.hold = Hold(Side.SERVER, 2)
            async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
                person.submit(UnlockVault(Secret(WORDS)))
                await proxy.reached.wait()
                leap(OPENING_LIMIT_S + 1)
                event = await offline(person, ErrorCode.SERVER_SILENT)
                assert event.retry_in_s is not None
                leap(event.retry_in_s + 0.1)
                await person.until(AccountOnline)

    run_leaping(main)


@pytest.mark.network
def test_tor_that_dies_takes_the_account_along_until_the_person_wants_it_back(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with sitting(prosody) as (person, tor):
            jid = await create(person)
            tor.die()
            event = await offline(person, ErrorCode.TOR_STOPPED)
            leap(BACKOFF_CAP_S * 10)
            await let_run()
            assert event.retry_in_s is None
            assert len(tor.ways.asked) == 1
            person.submit(Connect())
            assert (await person.until(AccountOnline)).account == jid
            assert len(tor.started_with) == 2

    run_leaping(main)


@pytest.mark.network
def test_connect_that_finds_no_tor_is_told(prosody: Prosody) -> None:
    async def main() -> None:
        async with sitting(prosody) as (person, tor):
            await create(person)
            tor.start_failure = ErrorCode.TOR_START_FAILED
            tor.die()
            await offline(person, ErrorCode.TOR_STOPPED)
            person.submit(Connect())
            failed = await person.until(Failed)
            assert failed.error.code is ErrorCode.TOR_START_FAILED
            assert failed.during is Connect

    run_leaping(main)


@pytest.mark.network
@pytest.mark.parametrize("place", ["waiting", "opening"])
def test_quit_ends_an_account_that_is_not_online(
    prosody: Prosody, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "vault"

    async def main() -> None:
        async with sitting(prosody, path) as (person, _):
            await create(person, WORDS)
        async with FaultProxy(prosody.direct_port) as proxy:
            tor = LoopbackTor({ONION: proxy.port})
            proxy.hold = Hold(Side.SERVER, 2)
            tor.ways.is_down = place == "waiting"
            async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
                person.submit(UnlockVault(Secret(WORDS)))
                if place == "waiting":
                    await person.until(AccountOffline)
                else:
                    await proxy.reached.wait()
                person.submit(Quit())
                await person.ended()

    run_leaping(main)


@pytest.mark.network
@pytest.mark.parametrize("n_turns", range(6))
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["quit", "cancelled"])
def test_end_of_the_session_is_not_lost_when_the_connection_ends_with_it(
    prosody: Prosody, *, n_turns: int, is_cancelled: bool
) -> None:
    """A TaskGroup tells of a failure and forgets the cancellation (before 3.13)."""

    async def main() -> None:
        async with sitting(prosody) as (person, tor):
            await create(person)
            tor.die()
            await let_run(n_turns)
            if is_cancelled:
                person.running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await person.ended()
            else:
                person.submit(Quit())
                await person.ended()

    run_leaping(main)


@pytest.mark.network
def test_quit_waits_for_a_server_that_says_nothing_only_so_long(
    prosody: Prosody,
) -> None:
    async def main() -> None:
        async with FaultProxy(prosody.direct_port) as proxy:
            tor = LoopbackTor({ONION: proxy.port})
            async with headless(SERVERS, tor) as person:
                await create(person)
                proxy.hush()
                person.submit(Quit())
                await let_run()
                assert not person.running.done()
                leap(GOODBYE_LIMIT_S + 0.1)
                await person.ended()

    run_leaping(main)


def test_defect_in_a_chat_leaves_the_account_whole() -> None:
    """It is never swallowed: not even when it comes with the server's stanzas."""
    session, _ = make_session()
    session.chats.open(Jid("friend", DOMAIN))

    with pytest.raises(AssertionError):
        session.chats.receive(object())  # type: ignore[arg-type]  # the defect
