import asyncio
import inspect
import os
import re
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import Jid, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import IsolationKey
from coykiosk.session.acks import Acks
from coykiosk.session.binding import Bound
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    MessagesTaken,
    PresenceIn,
    RosterReceived,
    SubscriptionAsked,
)
from coykiosk.session.opening import Opened, Purpose, Trust, open_session
from coykiosk.session.resumption import Resumption
from coykiosk.session.stream import XmppStream
from coykiosk.session.tamed import TamedXmpp
from coykiosk.session.xmlguard import POST_AUTH_LIMITS
from coykiosk.session.xmlreader import XmlReader
from tests.session.conftest import Prosody, make_route
from tests.support.chance import seeded
from tests.support.loopback import LoopbackDialer
from tests.support.roundtrips import CountingProxy
from tests.support.running import run_clean

V = TypeVar("V", bound=Inbound)

US = Jid("me", "a.example", "here")
BOB = Jid("bob", "b.example", "phone")
HEAD = (
    b"<stream:stream xmlns='jabber:client' from='a.example' id='1' version='1.0' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
END = b"</stream:stream>"


class QueueStream:
    """A ports.Stream whose other end is the test."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | UserError] = asyncio.Queue()
        self.written: list[bytes] = []
        self.has_written = asyncio.Event()
        self.is_closed = False

    def say(self, *chunks: bytes | UserError) -> None:
        for chunk in chunks:
            self.incoming.put_nowait(chunk)

    async def read(self) -> bytes:
        chunk = await self.incoming.get()
        if isinstance(chunk, UserError):
            raise chunk
        return chunk

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.has_written.set()

    async def drain(self) -> None:
        return

    async def close(self) -> None:
        self.is_closed = True

    async def next_written(self) -> str:
        while not self.written:
            self.has_written.clear()
            await self.has_written.wait()
        return self.written.pop(0).decode()


class Bench:
    """A stream under test, its wire, and what came out of it."""

    def __init__(
        self,
        *,
        rest: bytes = b"",
        early: tuple[str, ...] = (),
        offers_acks: bool = False,
        resumed: Resumption | None = None,
        acks: Acks | None = None,
        on_value: Callable[[Inbound], None] | None = None,
    ) -> None:
        reader = XmlReader(POST_AUTH_LIMITS)
        reader.feed(HEAD + rest)
        self.wire = QueueStream()
        self.values: list[Inbound] = []
        elements = tuple(ET.fromstring(text) for text in early)  # noqa: S314 - our own words
        opened = Opened(
            stream=self.wire,
            bound=Bound(US, elements, "roster-1", offers_acks, resumed, acks),
            reader=reader,
            channel_bound=False,
            pin="",
            trust=Trust.CHAIN,
            via_onion=True,
        )
        self.stream = XmppStream(
            opened,
            on_inbound=on_value or self.values.append,
            random_bytes=seeded(7),
        )

    async def run(self, *chunks: bytes | UserError) -> None:
        """Run on prepared chunks until the stream ends."""
        self.wire.say(*chunks)
        await self.stream.run()

    @property
    def answers(self) -> list[str]:
        return [data.decode() for data in self.wire.written]


def run_to_end(*chunks: bytes, **options: Any) -> tuple[Bench, UserError]:
    async def main() -> tuple[Bench, UserError]:
        bench = Bench(**options)
        with pytest.raises(UserError) as caught:
            await bench.run(*chunks)
        assert bench.wire.is_closed
        return bench, caught.value

    result: tuple[Bench, UserError] = run_clean(main)
    return result


# --- reading -------------------------------------------------------------------------------


def test_stream_gives_values_in_order_however_the_bytes_are_cut() -> None:
    data = (
        "<iq type='result' id='roster-1'><query xmlns='jabber:iq:roster'/></iq>"
        "<presence from='bob@b.example/phone'/> \n"
        "<message from='bob@b.example/phone' type='chat'><body>ä</body></message>"
        "<presence from='eve@e.example' type='subscribe'/></stream:stream>"
    ).encode()

    bench, error = run_to_end(*(data[at : at + 1] for at in range(len(data))))

    assert bench.values == [
        RosterReceived((), is_push=False),
        PresenceIn(BOB, available=True),
        MessageIn(BOB, "ä", "", delayed=False, is_copy=False),
        SubscriptionAsked(Jid("eve", "e.example")),
    ]
    assert bench.answers == []
    assert error.code is ErrorCode.CONNECTION_LOST


def test_stream_begins_with_what_came_together_with_the_binding() -> None:
    message = (
        "<message xmlns='jabber:client' from='bob@b.example'><body>{}</body></message>"
    )

    bench, _ = run_to_end(
        END, early=(message.format("1"),), rest=message.format("2").encode()
    )

    bodies = [value.body for value in bench.values if isinstance(value, MessageIn)]
    assert bodies == ["1", "2"]


@pytest.mark.parametrize(
    ("chunk", "code", "reason"),
    [
        pytest.param(b"", ErrorCode.CONNECTION_LOST, None, id="cut"),
        pytest.param(END, ErrorCode.CONNECTION_LOST, None, id="closed"),
        pytest.param(
            b"<stream:error><system-shutdown "
            b"xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ErrorCode.CONNECTION_LOST,
            None,
            id="shutdown",
        ),
        pytest.param(
            b"<stream:error><see-other-host xmlns="
            b"'urn:ietf:params:xml:ns:xmpp-streams'>evil.example</see-other-host>"
            b"</stream:error>",
            ErrorCode.CONNECTION_LOST,
            None,
            id="sent elsewhere",
        ),
        pytest.param(
            b"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            b"</stream:error>",
            ErrorCode.SERVER_CONFUSED,
            "conflict",
            id="replaced",
        ),
        pytest.param(
            b"<!DOCTYPE x>",
            ErrorCode.SERVER_CONFUSED,
            "document-type-entity-or-comment",
            id="DTD",
        ),
        pytest.param(
            b"<message><body>" + b"x" * 300_000,
            ErrorCode.SERVER_CONFUSED,
            "too-large",
            id="huge",
        ),
        pytest.param(
            b"<a></b>", ErrorCode.SERVER_CONFUSED, "not-well-formed", id="malformed"
        ),
    ],
)
def test_stream_ends_with_the_reason(
    chunk: bytes, code: ErrorCode, reason: str | None
) -> None:
    bench, error = run_to_end(chunk)

    assert error.code is code
    assert error.facts.get("reason") == reason
    assert error.facts["server"] == "a.example"
    assert bench.answers == []


def test_stream_passes_on_that_tor_has_stopped() -> None:
    async def main() -> ErrorCode:
        bench = Bench()
        with pytest.raises(UserError) as caught:
            await bench.run(UserError(ErrorCode.TOR_STOPPED))
        return caught.value.code

    assert run_clean(main) is ErrorCode.TOR_STOPPED


def test_stream_raises_the_bug_of_a_callback_and_tells_nobody_of_it() -> None:
    def buggy(_value: Inbound) -> None:
        msg = "a bug"
        raise ZeroDivisionError(msg)

    async def main() -> list[str]:
        bench = Bench(on_value=buggy)
        with pytest.raises(ZeroDivisionError):
            await bench.run(b"<presence from='bob@b.example'/>")
        assert bench.wire.is_closed
        return bench.answers

    assert run_clean(main) == []


def test_stream_raises_what_slixmpp_would_have_swallowed() -> None:
    async def main() -> None:
        bench = Bench()

        async def crash(_data: object) -> None:
            msg = "in a handler"
            raise ZeroDivisionError(msg)

        bench.stream.add_event_handler("anything", crash)
        bench.stream.event("anything")
        with pytest.raises(ZeroDivisionError):
            await bench.run()

    run_clean(main)


# --- answering -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<time xmlns='urn:xmpp:time'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='jabber:iq:roster'><item jid='eve@e.example'/></query>",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["get", "set"])
def test_stream_answers_every_stranger_with_the_same_words(
    kind: str, payload: str
) -> None:
    request = f"<iq type='{kind}' id='q' from='eve@e.example/x'>{payload}</iq>"

    bench, _ = run_to_end(request.encode(), END)

    expected = (
        '<iq type="error" id="q" to="eve@e.example/x"><error type="cancel">'
        f'<service-unavailable xmlns="{STANZAS}" /></error></iq>'
    )
    assert bench.answers == [expected]
    assert bench.values == []


@pytest.mark.parametrize("sender", ["", "from='a.example'", "from='me@a.example'"])
def test_stream_answers_a_ping_of_our_own_server(sender: str) -> None:
    request = f"<iq type='get' id='p' {sender}><ping xmlns='urn:xmpp:ping'/></iq>"

    bench, _ = run_to_end(request.encode(), END)

    [answer] = bench.answers
    assert re.match('<iq type="result" id="p"', answer)


def test_stream_answers_a_roster_push_and_passes_it_on() -> None:
    push = (
        b"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
        b"<item jid='bob@b.example' subscription='to'/></query></iq>"
    )

    bench, _ = run_to_end(push, END)

    assert bench.answers == ['<iq type="result" id="r" />']
    [value] = bench.values
    assert isinstance(value, RosterReceived)
    assert value.is_push


@pytest.mark.parametrize(
    "stanza",
    [
        pytest.param(
            b"<iq type='result' id='roster-1' from='eve@e.example'>"
            b"<query xmlns='jabber:iq:roster'><item jid='eve@e.example'/></query></iq>",
            id="roster from a stranger",
        ),
        pytest.param(b"<iq type='result' id='nobody-asked'/>", id="stray result"),
        pytest.param(b"<iq type='error' id='nobody-asked'/>", id="stray error"),
        pytest.param(b"<iq type='made-up' id='q' from='e@e'/>", id="unknown type"),
        pytest.param(b"<iq id='q'/>", id="no type"),
        pytest.param(b"<presence type='subscribed' from='e@e'/>", id="subscribed"),
        pytest.param(b"<message from='e@e'/>", id="empty message"),
        pytest.param(b"<stream:features/>", id="features again"),
        pytest.param(b"<r xmlns='urn:xmpp:sm:3'/>", id="not negotiated"),
        pytest.param(b"<wobble xmlns='urn:x'/>", id="unknown"),
    ],
)
def test_stream_ignores(stanza: bytes) -> None:
    bench, _ = run_to_end(stanza, END)

    assert bench.values == []
    assert bench.answers == []


def test_stream_never_answers_a_request_to_see_us() -> None:
    bench, _ = run_to_end(b"<presence type='subscribe' from='e@e.example'/>", END)

    assert bench.answers == []
    assert bench.values == [SubscriptionAsked(Jid("e", "e.example"))]


# --- sending and closing ---------------------------------------------------------------------------


def test_stream_sends_a_message_at_once() -> None:
    async def main() -> list[str]:
        bench = Bench()
        bench.stream.send_message(BOB, "?OTR:AAMD", message_id="f" * 32)
        written = bench.answers
        await bench.stream.close()
        return written

    [text] = run_clean(main)

    assert text.startswith('<message type="chat" to="bob@b.example/phone" id="fff')
    assert "lang" not in text


def test_stream_asks_the_server_to_keep_nothing() -> None:
    async def main() -> list[str]:
        bench = Bench()
        bench.stream.forbid_archive()
        with pytest.raises(UserError):
            await bench.run(END)
        return bench.answers

    (request,) = run_clean(main)

    assert re.fullmatch(
        r'<iq type="set" id="[0-9a-f]{32}"><prefs xmlns="urn:xmpp:mam:2" '
        r'default="never"><always /><never /></prefs></iq>',
        request,
    )


def test_stream_says_goodbye_and_waits_for_the_servers() -> None:
    async def main() -> list[str]:
        bench = Bench()
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.stream.run())
            closing = group.create_task(bench.stream.close())
            assert await bench.wire.next_written() == "</stream:stream>"
            assert not closing.done()
            bench.wire.say(END)
        assert bench.wire.is_closed
        await bench.stream.close()
        return bench.answers

    assert run_clean(main) == []


def test_stream_closes_at_once_when_the_goodbye_takes_too_long() -> None:
    async def main() -> bool:
        bench = Bench()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await bench.stream.close()
            assert bench.wire.is_closed
            bench.stream.abort()
            await running
        return running.done()

    assert run_clean(main)


def test_stream_leaves_nothing_behind_when_cancelled() -> None:
    async def main() -> bool:
        bench = Bench()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            await asyncio.sleep(0)
            running.cancel()
        return bench.wire.is_closed

    assert run_clean(main)


def test_stream_closes_when_it_was_never_run() -> None:
    async def main() -> tuple[bool, list[str]]:
        bench = Bench()
        await bench.stream.close()
        return bench.wire.is_closed, bench.answers

    assert run_clean(main) == (True, ["</stream:stream>"])


# --- staying alive, on a clock that jumps ----------------------------------------------------------


class JumpingSelector(selectors.DefaultSelector):
    """Where others wait, this one moves the clock."""

    clock = 0.0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.clock += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.clock


def run_jumping(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


PING = re.compile(
    r'<iq type="get" id="([0-9a-f]{32})" to="a\.example"><ping xmlns="urn:xmpp:ping" />'
)


def test_stream_pings_at_moments_that_are_no_beacon() -> None:
    async def main() -> list[float]:
        bench = Bench()
        loop = asyncio.get_running_loop()
        moments = [loop.time()]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            for _ in range(20):
                ping = PING.match(await bench.wire.next_written())
                assert ping is not None
                moments.append(loop.time())
                answer = f"<iq type='error' id='{ping.group(1)}' from='a.example'/>"
                bench.wire.say(answer.encode())
            running.cancel()
        return moments

    moments = run_jumping(main())

    gaps = [b - a for a, b in pairwise(moments)]
    assert all(60 <= gap <= 121 for gap in gaps)
    assert max(gaps) - min(gaps) > 20


def test_stream_says_connection_lost_when_nothing_is_heard_after_a_ping() -> None:
    async def main() -> tuple[ErrorCode, float, bool]:
        bench = Bench()
        with pytest.raises(UserError) as caught:
            await bench.run()
        moment = asyncio.get_running_loop().time()
        return caught.value.code, moment, bench.wire.is_closed

    code, moment, is_closed = run_jumping(main())

    assert code is ErrorCode.CONNECTION_LOST
    assert 120 <= moment <= 181
    assert is_closed


# --- acknowledgements (XEP-0198) ---------------------------------------------------------

SM = "urn:xmpp:sm:3"
ENABLE = f"<enable xmlns='{SM}' resume='true'/>"
RESUMABLE = f"<enabled xmlns='{SM}' resume='true' id='prev' max='300'/>".encode()
ENABLED = f"<enabled xmlns='{SM}'/>".encode()


def ack(count: int) -> bytes:
    return f"<a xmlns='{SM}' h='{count}'/>".encode()


def test_stream_asks_for_acknowledgements_only_where_they_are_offered() -> None:
    without, _ = run_to_end(END)
    bench, _ = run_to_end(END, offers_acks=True)

    assert without.answers == []
    assert bench.answers == [ENABLE]


def test_stream_goes_on_with_acknowledgements_that_began_with_the_session() -> None:
    acks = Acks()
    acks.enable()
    acks.sent(None, "<presence/>")
    acks.take(ET.fromstring(ENABLED))  # noqa: S314 - our own words

    async def main() -> Bench:
        bench = Bench(offers_acks=True, acks=acks)
        bench.stream.start()
        bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        with pytest.raises(UserError):
            await bench.run(b"<presence from='bob@b.example'/>", ack(2), END)
        return bench

    bench = run_clean(main)

    assert not any("<enable" in text for text in bench.answers)
    assert MessagesTaken(("1" * 32,)) in bench.values
    assert acks.count() == ack(1).decode()


def test_stream_takes_nothing_from_words_of_a_login() -> None:
    words = (
        b"<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
        b"<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>"
        b"eve@e.example/x</authorization-identifier></success>"
        b"<challenge xmlns='urn:xmpp:sasl:2'>AAAA</challenge>"
    )

    bench, error = run_to_end(words, END)

    assert error.code is ErrorCode.CONNECTION_LOST
    assert (bench.values, bench.answers) == ([], [])


def test_stream_tells_what_the_server_has_taken() -> None:
    async def main() -> Bench:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        for message_id in ("1" * 32, "2" * 32):
            bench.stream.send_message(BOB, "?OTRv3?", message_id=message_id)
        with pytest.raises(UserError):
            await bench.run(ENABLED, ack(1), ack(1), ack(2), END)
        return bench

    bench = run_clean(main)

    assert bench.answers[0] == ENABLE
    assert all(text.endswith(f"<r xmlns='{SM}'/>") for text in bench.answers[1:])
    assert bench.values == [MessagesTaken(("1" * 32,)), MessagesTaken(("2" * 32,))]


def test_stream_counts_what_it_takes() -> None:
    three = (
        b"<presence from='bob@b.example'/>"
        b"<message from='bob@b.example'><body>x</body></message>"
        b"<iq type='result' id='nothing'/>"
    )
    ask = f"<r xmlns='{SM}'/>".encode()

    bench, _ = run_to_end(three, ENABLED, ask, three, ask, END, offers_acks=True)

    assert bench.answers[1:] == [ack(0).decode(), ack(3).decode()]


def test_stream_takes_all_for_sent_when_the_server_cannot_count_after_all() -> None:
    async def main() -> Bench:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        with pytest.raises(UserError):
            await bench.run(f"<failed xmlns='{SM}'/>".encode(), END)
        bench.stream.send_message(BOB, "?OTRv3?", message_id="2" * 32)
        return bench

    bench = run_clean(main)

    assert bench.values == [MessagesTaken(("1" * 32,)), MessagesTaken(("2" * 32,))]


def test_stream_ends_when_the_server_takes_what_it_was_never_sent() -> None:
    bench, error = run_to_end(ENABLED, ack(1), offers_acks=True)

    assert error.code is ErrorCode.SERVER_CONFUSED
    assert error.facts["reason"] == "acknowledgements"
    assert bench.values == []


def test_stream_ends_when_the_server_never_says_what_it_has_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coykiosk.session.acks.MAX_UNTAKEN", 3)

    async def main() -> tuple[int, ErrorCode]:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        for _ in range(4):
            bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        with pytest.raises(UserError) as caught:
            await bench.run()
        return len(bench.answers), caught.value.code

    assert run_clean(main) == (4, ErrorCode.SERVER_CONFUSED)


def test_stream_says_what_it_has_taken_before_the_goodbye() -> None:
    async def main() -> Bench:
        has_come = asyncio.Event()
        bench = Bench(offers_acks=True, on_value=lambda _: has_come.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.stream.run())
            bench.wire.say(ENABLED, b"<presence from='bob@b.example'/>")
            await has_come.wait()
            closing = group.create_task(bench.stream.close())
            await bench.wire.next_written()
            bench.wire.say(END)
            await closing
        return bench

    assert run_clean(main).answers == [ack(1).decode() + END.decode()]


def test_stream_says_connection_lost_soon_when_a_message_is_not_taken() -> None:
    async def main() -> tuple[ErrorCode, float]:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        with pytest.raises(UserError) as caught:
            await bench.run()
        return caught.value.code, asyncio.get_running_loop().time()

    code, moment = run_jumping(main())

    assert code is ErrorCode.CONNECTION_LOST
    assert moment <= 61


# --- over more than one stream (XEP-0198, section 5) --------------------------------------


def lose_stream(*chunks: bytes, sends: tuple[str, ...] = ("1", "2")) -> Resumption:
    """Let a stream end under way, after it got these."""

    async def main() -> Resumption | None:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        for message_id in sends:
            bench.stream.send_message(BOB, "?OTRv3?", message_id=message_id * 32)
        with pytest.raises(UserError):
            await bench.run(RESUMABLE, *chunks, b"")
        # The chats have not heard of it yet.
        bench.stream.send_message(BOB, "?OTRv3?", message_id="9" * 32)
        return bench.stream.suspend(1000.0)

    resumption = run_clean(main)
    assert isinstance(resumption, Resumption)
    return resumption


def go_on(resumption: Resumption, *chunks: bytes) -> Bench:
    """Open another stream, on which the server says that it has one stanza."""
    resumption.begin()
    resumption.take(ET.Element("{" + SM + "}resumed", {"h": "1"}))
    bench, _ = run_to_end(*chunks, END, offers_acks=True, resumed=resumption)
    return bench


def test_stream_that_goes_on_sends_first_what_the_server_does_not_have() -> None:
    bench = go_on(lose_stream())

    assert [re.findall(r'id="(.)', each) for each in bench.answers] == [["2"], ["9"]]
    assert "<r " not in bench.answers[0]
    assert bench.answers[1].endswith(f"<r xmlns='{SM}'/>")


def test_stream_that_goes_on_tells_what_the_server_has_taken_of_all() -> None:
    bench = go_on(lose_stream(), ack(3))

    assert bench.values == [MessagesTaken(("2" * 32, "9" * 32))]


def test_stream_that_goes_on_counts_on_and_answers_at_moments_of_silence() -> None:
    message = b"<message from='bob@b.example'><body>x</body></message>"
    ask = f"<r xmlns='{SM}'/>".encode()
    resumption = lose_stream(message, message, message[:20])

    bench = go_on(resumption, ask, message, ask, ask)

    assert bench.answers[2:] == [ack(n).decode() for n in (2, 3, 3)]


def test_stream_that_goes_on_can_be_lost_and_go_on_again() -> None:
    first = lose_stream()
    second = go_on(first).stream.suspend(2000.0)
    assert second is not None

    bench = go_on(second)

    assert second.jid == first.jid == US
    assert second.roster_id == "roster-1"
    assert [re.findall(r'id="(.)', each) for each in bench.answers] == [["2"], ["9"]]


def test_stream_says_connection_lost_soon_when_nothing_sent_again_is_taken() -> None:
    resumption = lose_stream()
    resumption.take(ET.Element("{" + SM + "}resumed", {"h": "1"}))

    async def main() -> float:
        bench = Bench(offers_acks=True, resumed=resumption)
        with pytest.raises(UserError):
            await bench.run()
        return asyncio.get_running_loop().time()

    assert run_jumping(main()) <= 61


def chatter(bench: Bench, *more: bytes) -> None:
    """Let the server say something every ten seconds, for a while."""
    loop = asyncio.get_running_loop()
    message = b"<message from='bob@b.example'><body>x</body></message>"
    for n, chunk in enumerate((*more, *(message for _ in range(10)))):
        loop.call_later(10.0 * n, bench.wire.say, chunk)


def test_stream_says_connection_lost_when_the_server_talks_but_does_not_hear() -> None:
    async def main() -> tuple[ErrorCode, float]:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        chatter(bench, ENABLED)
        with pytest.raises(UserError) as caught:
            await bench.run()
        return caught.value.code, asyncio.get_running_loop().time()

    code, moment = run_jumping(main())

    assert code is ErrorCode.CONNECTION_LOST
    assert moment <= 61


def test_stream_lives_while_the_server_takes_something_now_and_then() -> None:
    async def main() -> float:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        loop = asyncio.get_running_loop()
        for n in range(6):
            loop.call_later(
                40 * n,
                lambda: bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32),
            )
            if n > 0:  # never all of it
                loop.call_later(40 * n + 1, bench.wire.say, ack(n))
        bench.wire.say(ENABLED)
        with pytest.raises(UserError):
            await bench.run()
        return loop.time()

    assert run_jumping(main()) > 200


def test_session_whose_first_stream_fell_silent_may_go_on() -> None:
    async def main() -> Resumption | None:
        bench = Bench(offers_acks=True)
        bench.stream.start()
        bench.stream.send_message(BOB, "?OTRv3?", message_id="1" * 32)
        with pytest.raises(UserError):
            await bench.run(RESUMABLE)
        return bench.stream.suspend(0.0)

    assert run_jumping(main()) is not None


def test_what_goes_out_again_goes_out_before_anything_new() -> None:
    resumption = lose_stream()
    resumption.take(ET.Element("{" + SM + "}resumed", {"h": "1"}))

    async def main() -> list[str]:
        bench = Bench(offers_acks=True, resumed=resumption)
        bench.stream.send_message(BOB, "?OTRv3?", message_id="a" * 32)
        with pytest.raises(UserError):
            await bench.run(END)
        return bench.answers

    answers = run_clean(main)

    assert [re.findall(r' id="(.)', each)[0] for each in answers] == ["2", "9", "a"]


@pytest.mark.parametrize("hears", [False, True])
def test_session_that_went_on_and_was_not_heard_does_not_go_on_again(
    *, hears: bool
) -> None:
    """Or a server that mistakes what it gets would keep us from ever being heard."""
    resumption = lose_stream(ack(0))
    resumption.take(ET.Element("{" + SM + "}resumed", {"h": "1"}))

    async def main() -> Resumption | None:
        bench = Bench(offers_acks=True, resumed=resumption)
        chatter(bench, *([ack(2)] if hears else []))
        with pytest.raises(UserError):
            await bench.run()
        return bench.stream.suspend(0.0)

    again = run_jumping(main())

    assert (again is not None) == hears


@pytest.mark.parametrize(
    "answer", [ENABLED, f"<failed xmlns='{SM}'/>".encode(), b""], ids=str
)
def test_stream_cannot_be_suspended_when_the_server_does_not_resume(
    answer: bytes,
) -> None:
    bench, _ = run_to_end(*filter(None, [answer]), END, offers_acks=True)

    assert bench.stream.suspend(1000.0) is None


def test_stream_writes_nothing_by_itself_but_pings() -> None:
    """slixmpp would write a blank every 300 seconds."""

    async def main() -> list[str]:
        bench = Bench()
        bench.stream.event("session_start")
        with pytest.raises(UserError):
            await bench.run()
        return bench.answers

    written = run_jumping(main())

    assert len(written) == 1
    assert PING.match(written[0])


# --- slixmpp itself -----------------------------------------------------------------------------------


OVERRIDDEN = (
    "__init__",
    "_attempt_connection",
    "_start_keepalive",
    "abort",
    "connect",
    "exception",
    "get_dns_records",
    "new_id",
    "send",
    "send_message",
    "send_raw",
)


def test_slixmpp_still_has_the_hooks_that_we_use() -> None:
    """Semi-private: should a version change them, this must be looked at again."""
    base = TamedXmpp.__mro__[1]

    for name in (*OVERRIDDEN, "_spawn_event", "add_filter", "start_stream_handler"):
        assert callable(getattr(base, name))


def test_slixmpp_has_no_attribute_that_ours_would_hide() -> None:
    async def main() -> set[str]:
        base = TamedXmpp.__mro__[1]
        plain = base("me@a.example", loop=asyncio.get_running_loop())
        theirs = set(vars(plain)) | set(dir(base))
        source = inspect.getsource(TamedXmpp) + inspect.getsource(XmppStream)
        ours = set(re.findall(r"self\.(\w+)(?:: [^=]+)? = ", source))
        ours |= set(re.findall(r"def (\w+)\(", source)) - set(OVERRIDDEN)
        return ours & theirs

    assert run_clean(main) == {"auto_authorize", "auto_subscribe"}


def test_slixmpp_cannot_connect_or_resolve() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(AssertionError):
            bench.stream.connect("127.0.0.1", 1)
        with pytest.raises(AssertionError):
            await bench.stream.get_dns_records("a.example")
        with pytest.raises(AssertionError):
            await bench.stream._attempt_connection("127.0.0.1", 1, False, None)
        await bench.stream.close()

    run_clean(main)


def test_slixmpp_loads_no_plugin_and_approves_nobody() -> None:
    async def main() -> None:
        bench = Bench()
        assert not list(bench.stream.plugin)
        assert bench.stream.auto_authorize is None
        assert bench.stream.auto_subscribe is False
        await bench.stream.close()

    run_clean(main)


# --- two accounts on real Prosody ----------------------------------------------------------------------


async def sign_in(
    prosody: Prosody,
    *,
    name: str = "",
    resumption: Resumption | None = None,
    dialer: LoopbackDialer | None = None,
) -> Opened:
    return await open_session(
        dialer or LoopbackDialer(prosody.direct_port),
        make_route(),
        localpart=name or "s" + os.urandom(6).hex(),
        password=Secret("pa55" * 6),
        purpose=Purpose.LOG_IN if name else Purpose.REGISTER,
        resumption=resumption,
        isolation_key=IsolationKey.fresh(os.urandom),
        random_bytes=os.urandom,
        on_step=lambda _: None,
    )


class Person:
    """An account that is online, and a queue of the messages it gets."""

    def __init__(self, opened: Opened) -> None:
        self.jid = opened.jid
        self.values: asyncio.Queue[Inbound] = asyncio.Queue()
        self.stream = XmppStream(
            opened, on_inbound=self.values.put_nowait, random_bytes=os.urandom
        )

    async def next_of(self, kind: type[V]) -> V:
        while True:
            value = await self.values.get()
            if isinstance(value, kind):
                return value


@pytest.mark.network
def test_two_accounts_exchange_messages_through_prosody(prosody: Prosody) -> None:
    async def main() -> tuple[MessageIn, MessageIn]:
        alice, bob = [Person(await sign_in(prosody)) for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            group.create_task(alice.stream.run())
            group.create_task(bob.stream.run())
            await alice.next_of(RosterReceived)
            alice.stream.send_message(bob.jid.bare, "?OTRv3?", message_id="1" * 32)
            asked = await bob.next_of(MessageIn)
            text = "?OTR:" + "A" * 4000 + "."
            bob.stream.send_message(asked.sender, text, message_id="2" * 32)
            answered = await alice.next_of(MessageIn)
            await alice.stream.close()
            await bob.stream.close()
        assert asked.sender == alice.jid
        return asked, answered

    asked, answered = run_clean(main)

    assert asked.body == "?OTRv3?"
    assert asked.message_id == "1" * 32
    assert answered.body == "?OTR:" + "A" * 4000 + "."


class Written(NamedTuple):
    """What came of one message to an address that nobody has."""

    by: Jid
    answer: Inbound


def write_to_nobody(
    prosody: Prosody,
    awaited: type[Inbound],
    *,
    message_id: str,
    before: Callable[[XmppStream], None] = lambda _: None,
) -> Written:
    async def main() -> Written:
        alice = Person(await sign_in(prosody))
        async with asyncio.TaskGroup() as group:
            group.create_task(alice.stream.run())
            before(alice.stream)
            nobody = Jid("nobody", alice.jid.domainpart)
            alice.stream.send_message(nobody, "?OTRv3?", message_id=message_id)
            answer = await alice.next_of(awaited)
            await alice.stream.close()
        return Written(alice.jid, answer)

    written: Written = run_clean(main)
    return written


@pytest.mark.network
def test_prosody_says_that_it_has_a_message(prosody: Prosody) -> None:
    def expects(stream: XmppStream) -> None:
        stream.start()
        assert stream._acks.are_expected  # or the word would come from ourselves

    written = write_to_nobody(
        prosody, MessagesTaken, message_id="4" * 32, before=expects
    )

    assert written.answer == MessagesTaken(("4" * 32,))


@pytest.mark.network
def test_prosody_keeps_in_mind_that_it_is_to_keep_nothing(prosody: Prosody) -> None:
    written = write_to_nobody(
        prosody,
        MessageError,  # it comes after the request was done
        message_id="5" * 32,
        before=XmppStream.forbid_archive,
    )

    name = written.by.localpart
    (preferences,) = prosody.directory.glob(f"**/archive_prefs/{name}.dat")
    assert "[false] = false;" in preferences.read_text()


@pytest.mark.network
def test_a_message_to_nobody_comes_back_from_prosody(prosody: Prosody) -> None:
    error = write_to_nobody(prosody, MessageError, message_id="3" * 32).answer

    assert isinstance(error, MessageError)
    assert (error.message_id, error.condition) == ("3" * 32, "service-unavailable")


@pytest.mark.network
def test_a_stream_pings_prosody_and_is_answered(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.session.pulse.PING_EVERY_S", (0.0, 0.0))
    monkeypatch.setattr("coykiosk.session.pulse.PING_LIMIT_S", 10.0)

    async def main() -> None:
        opened = await sign_in(prosody)
        alice = Person(opened)
        has_many = asyncio.Event()
        answers: list[bytes] = []
        real_feed = opened.reader.feed

        def feed(data: bytes) -> None:
            answers.extend(re.findall(rb"<iq [^>]*type='result'", data))
            if len(answers) > 5:
                has_many.set()
            real_feed(data)

        monkeypatch.setattr(opened.reader, "feed", feed)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(alice.stream.run())
            await has_many.wait()
            running.cancel()

    run_clean(main, limit_s=20)


@pytest.mark.network
@pytest.mark.parametrize("half", ["", "<message to='x@y'><body>?OTR:AAM"])
def test_session_that_prosody_does_not_hear_any_more_is_given_up(
    prosody: Prosody, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    """Prosody 0.12 goes on in the middle of what the last stream was cut in.

    Should it stop doing so, the reasons given in `XmppStream.start` are no more.
    """
    monkeypatch.setattr("coykiosk.session.pulse.PING_LIMIT_S", 2.0)

    async def main() -> tuple[MessagesTaken | None, Resumption | None]:
        dialer = LoopbackDialer(prosody.direct_port)
        first = Person(await sign_in(prosody, dialer=dialer))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(let_end(first.stream))
            first.stream.send_message(first.jid, "?OTRv3?", message_id="1" * 32)
            await first.next_of(MessagesTaken)
            first.stream.send_raw(half)
            await asyncio.sleep(0)
            dialer.streams[0].writer.close()
            await running
        lost = first.stream.suspend(0.0)
        name = first.jid.localpart
        opened = await sign_in(prosody, name=name, resumption=lost)
        assert opened.bound.resumed is lost
        second = Person(opened)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(let_end(second.stream))
            second.stream.send_message(first.jid, "?OTRv3?", message_id="2" * 32)
            taken = None if half else await second.next_of(MessagesTaken)
            if not half:
                await second.stream.close()
            await running
        assert isinstance(taken, MessagesTaken | None)
        return taken, second.stream.suspend(0.0)

    taken, again = run_clean(main, limit_s=30)

    assert taken == (None if half else MessagesTaken(("2" * 32,)))
    assert (again is None) == bool(half)


async def let_end(stream: XmppStream) -> None:
    """Run a stream for as long as it lives."""
    with suppress(UserError):
        await stream.run()


@pytest.mark.network
def test_resumption_takes_as_many_round_trips_as_a_new_session(
    prosody: Prosody,
) -> None:
    async def main() -> list[int]:
        counts = []
        first = Person(await sign_in(prosody))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(let_end(first.stream))
            first.stream.send_message(first.jid, "?OTRv3?", message_id="1" * 32)
            await first.next_of(MessagesTaken)
            first.stream.abort()
            await running
        lost = first.stream.suspend(0.0)
        for resumption in (lost, None):
            async with CountingProxy(prosody.direct_port) as proxy:
                opened = await sign_in(
                    prosody,
                    name=first.jid.localpart,
                    resumption=resumption,
                    dialer=LoopbackDialer(proxy.port),
                )
                counts.append(proxy.round_trips)
                assert (opened.jid == first.jid) == (resumption is not None)
                await opened.stream.close()
        return counts

    assert run_clean(main) == [4, 4]
