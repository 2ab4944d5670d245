"""A server that means ill, on real sockets: refused in words, with little memory.

HOSTILE_SERVER.md beside this file has a row for each thing it may try; the names of its
tests are checked. The server speaks good TLS and has our account; it attacks as soon as
we have said hello, before the login, or as soon as we are signed in.
"""

import asyncio
import itertools
import re
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import pytest

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    ContactAsked,
    CreateAccount,
    Event,
    MessageReceived,
    ServerTried,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.text import describe
from tests.session.conftest import DOMAIN, Identity, make_identity
from tests.session.hostile import stage
from tests.session.pure_server import Handler, PureServer, stream_error
from tests.support.headless import (
    ONION,
    LoopbackTor,
    headless,
    leap,
    make_server,
    run_leaping,
)
from tests.support.tables import named_in_rows, names_of_tests

TABLE: Final = Path(__file__).with_name("HOSTILE_SERVER.md")
MAX_MEMORY: Final = 3 * 1024 * 1024
"""Bytes of Python objects at the worst moment, of both ends, beyond those at the start
of the attack; what the server sends is without end, or ten megabytes."""
MAX_TAKEN: Final = 32 * 1024 * 1024
"""Bytes that the server gets rid of before it is cut off: in buffers of the kernel."""
HEAD: Final = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams' id='1' "
    f"from='{DOMAIN}' version='1.0'>"
).encode()
TEN_MB: Final = [b"x" * 65_536] * 160
N_FLOOD: Final = 5_000
LIMIT_S: Final = 61.0
PING: Final = b"<iq type='get' id='pong' from='practice.example'><ping xmlns='urn:xmpp:ping'/></iq>"
PONG: Final = '<iq type="result" id="pong"'
GOODBYE: Final = b"</stream:stream>"
T = TypeVar("T")
LAUGHS: Final = b"".join(
    b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
)


@dataclass
class Trap:
    """Lets one client in, as far as it wants to, and attacks it."""

    pieces: Callable[[], Iterable[bytes]]
    is_before_login: bool = False
    us: bytes = b""
    n_sent: int = 0
    seen: list[str] = field(default_factory=list)
    """What the client said after the attack began."""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    handlers: dict[str, Handler] = field(default_factory=dict)
    is_deaf: bool = False
    """From the attack on it reads nothing."""
    known: dict[str, str] = field(default_factory=dict)
    """The accounts, with their passwords."""

    async def play(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        server = obliging(self.known)
        for name, handler in self.handlers.items():
            setattr(server, name, handler)
        while data := await reader.read(65_536):
            if self.is_before_login:
                writer.write(HEAD)
                break
            writer.write(server.receive(data))
            await writer.drain()
            if any("xmpp-bind" in text for text in server.seen):
                self.us = server.bound_jid.partition("/")[0].encode()
                break
        listening = asyncio.get_running_loop().create_task(self._listen(reader, writer))
        try:
            await self._attack(writer)
            await listening
        finally:
            listening.cancel()

    async def is_stuck(self) -> None:
        """Wait until it gets nothing more across, or nothing is left of it."""
        n_before, n_same = -1, 0
        while n_same < 40:
            n_same = n_same + 1 if self.n_sent == n_before > 0 else 0
            n_before = self.n_sent
            await asyncio.sleep(0.01)

    async def _attack(self, writer: asyncio.StreamWriter) -> None:
        if not tracemalloc.is_tracing():
            tracemalloc.start()
        for piece in self.pieces():
            writer.write(piece.replace(b"{us}", self.us))
            await writer.drain()
            self.n_sent += len(piece)

    async def _listen(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.is_deaf:
            await asyncio.Event().wait()
        while data := await reader.read(65_536):
            self.seen.append(data.decode())
            self.answers.set()
            if data.endswith(GOODBYE):
                writer.write(GOODBYE)


def obliging(known: dict[str, str]) -> PureServer:
    """Make a server that has whatever account is asked for, also later."""
    server = PureServer(accounts=set(known))

    def know(localpart: str, password: str) -> None:
        known[localpart] = password
        server.localpart, server.password = localpart, password
        server.bound_jid = f"{localpart}@{DOMAIN}/here"

    def learn(_stanza_id: str, text: str) -> None:
        found = re.search("<username>(.*)</username><password>(.*)</password>", text)
        assert found is not None
        know(*found.groups())

    for account in known.items():
        know(*account)
    server.on_register = learn
    return server


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("identity"))


@dataclass(frozen=True)
class End:
    """How a session under attack ended, and what it took."""

    error: UserError
    n_memory: int


def attack(trap: Trap, identity: Identity, **handlers: Handler) -> End:
    """Be attacked until the server is left.

    Args:
        trap: The server.
        identity: Its certificate.
        handlers: What it does instead of what a good server does.
    """
    trap.handlers = handlers

    async def main() -> UserError:
        async with stage(trap.play, identity=identity) as port:
            tor = LoopbackTor({ONION: port})
            async with headless([make_server()], tor) as person:
                person.submit(CreateAccount(None))
                if trap.is_before_login or handlers:
                    return (await person.until(ServerTried)).error
                await person.until(AccountOnline)
                if trap.is_deaf:
                    await trap.is_stuck()
                    await let_time_pass(lambda: bool(person.of(AccountOffline)))
                return (await person.until(AccountOffline)).error

    return End(*measured(main))


async def let_time_pass(is_enough: Callable[[], bool]) -> None:
    while not is_enough():
        leap(LIMIT_S)
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Borne:
    """What came of an attack that is no reason to leave."""

    events: list[Event]
    told: str
    """What the server was answered, before it was answered its last question."""
    n_memory: int


def bear(trap: Trap, identity: Identity) -> Borne:
    """Be attacked, and be still there afterwards: the server is answered a ping."""
    pieces = trap.pieces
    trap.pieces = lambda: itertools.chain(pieces(), [PING])

    async def main() -> list[Event]:
        async with stage(trap.play, identity=identity) as port:
            tor = LoopbackTor({ONION: port})
            async with headless([make_server()], tor) as person:
                person.submit(CreateAccount(None))
                while "pong" not in "".join(trap.seen):
                    trap.answers.clear()
                    await trap.answers.wait()
                assert not person.of(AccountOffline)
                return list(person.events)

    events, n_memory = measured(main)
    told = "".join(trap.seen).partition(PONG)[0]
    return Borne(events, told, n_memory)


def measured(main: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """Run; return the result, and the peak of memory since the attack began."""
    try:
        return run_leaping(main), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_told(error: UserError) -> None:
    sentences = describe(error)
    assert DOMAIN in sentences.happened
    assert sentences.to_do


def endlessly(start: bytes, piece: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: itertools.chain([start], itertools.repeat(piece * 1_000))


def once(*pieces: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: pieces


ATTACKS: Final = [
    pytest.param(
        lambda: [b"<message><body>", *TEN_MB, b"</body></message>"],
        "too-large",
        id="stanza of ten megabytes",
    ),
    pytest.param(
        lambda: [b"<message id='", *TEN_MB, b"'/>"],
        "too-large",
        id="attribute of ten megabytes",
    ),
    pytest.param(lambda: [b"<", *TEN_MB, b"/>"], "too-large", id="name of ten mb"),
    pytest.param(
        lambda: [b"<message><![CDATA[", *TEN_MB, b"]]></message>"],
        "too-large",
        id="CDATA of ten megabytes",
    ),
    pytest.param(endlessly(b"", b"<a>"), "too-deep", id="nesting without end"),
    pytest.param(
        endlessly(b"<stream:features>", b"<f/>"),
        "too-many-elements",
        id="features without end",
    ),
    pytest.param(
        endlessly(b"<message ", b"a='' "),
        "too-many-attributes",
        id="attributes without end",
    ),
    pytest.param(
        once(b"<!DOCTYPE l [<!ENTITY l0 'ha'>" + LAUGHS + b"]><message>&l9;</message>"),
        "document-type-entity-or-comment",
        id="entities in entities",
    ),
    pytest.param(
        once(b"<!DOCTYPE l SYSTEM 'http://192.0.2.1/x.dtd'>"),
        "document-type-entity-or-comment",
        id="entities from elsewhere",
    ),
    pytest.param(
        once(b"<message><body>&l9;</body></message>"),
        "not-well-formed",
        id="entity that nobody declared",
    ),
    pytest.param(
        once(b"<message><body>", b"\xe2\x82", b"</body></message>"),
        "not-utf-8",
        id="half a character",
    ),
    pytest.param(
        once(b"<message><body>\xed\xa0\x80</body></message>"),
        "not-utf-8",
        id="half a pair",
    ),
    pytest.param(
        once(b"<message><body>\x1b[2J</body></message>"),
        "control-character",
        id="control characters",
    ),
    pytest.param(
        once(b"<!-- a comment -->"), "document-type-entity-or-comment", id="comment"
    ),
    pytest.param(
        once(b"<?php x ?>"), "processing-instruction", id="processing instruction"
    ),
    pytest.param(once(b"<a></b>"), "not-well-formed", id="tags that do not match"),
    pytest.param(
        once(stream_error("not-authorized").encode()),
        "not-authorized",
        id="stream error",
    ),
]


@pytest.mark.parametrize("is_before_login", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("pieces", "reason"), ATTACKS)
def test_hostile_server_is_left_with_a_sentence_and_within_bounds(
    identity: Identity,
    pieces: Callable[[], Iterable[bytes]],
    reason: str,
    *,
    is_before_login: bool,
) -> None:
    trap = Trap(pieces, is_before_login)

    end = attack(trap, identity)

    assert end.error.code is ErrorCode.SERVER_CONFUSED
    assert end.error.facts["reason"] == reason
    assert_told(end.error)
    assert end.n_memory < MAX_MEMORY
    assert trap.n_sent < MAX_TAKEN


def test_server_that_ends_the_stream_in_the_middle_of_the_login_is_left(
    identity: Identity,
) -> None:
    trap = Trap(once())

    def break_off(_stanza_id: str, _text: str) -> str:
        return stream_error("policy-violation")

    end = attack(trap, identity, on_response=break_off)

    assert end.error.code is ErrorCode.SERVER_CONFUSED
    assert_told(end.error)


def test_server_that_lets_somebody_else_answer_counts_as_silent(
    identity: Identity,
) -> None:
    trap = Trap(once())

    def forged(stanza_id: str, _text: str) -> str:
        # Nothing else will come: let the limit of the attempt pass.
        asyncio.get_running_loop().call_soon(leap, LIMIT_S)
        bind = "urn:ietf:params:xml:ns:xmpp-bind"
        inside = f"<bind xmlns='{bind}'><jid>someone@{DOMAIN}/x</jid></bind>"
        return f"<iq type='result' id='{stanza_id}' from='e.example'>{inside}</iq>"

    end = attack(trap, identity, on_bind=forged)

    assert end.error.code is ErrorCode.SERVER_SILENT
    assert_told(end.error)


FLOODS: Final = {
    "features": b"<stream:features/>",
    "presence": b"<presence from='bot%d@e.example/x'/>",
    "requests to see us": b"<presence type='subscribe' from='bot%d@e.example'/>",
    "messages": b"<message from='bot%d@e.example'><body>buy</body></message>",
    "errors": b"<message type='error' from='bot%d@e.example' id='%d'/>",
    "answers": b"<iq type='result' id='%d' from='bot@e.example'/>",
    "blanks": b" " * 1_000,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_flood_of_small_things_leaves_memory_level(
    identity: Identity, flood: str
) -> None:
    piece = FLOODS[flood]
    trap = Trap(lambda: (piece.replace(b"%d", b"%d" % n) for n in range(N_FLOOD)))

    end = bear(trap, identity)

    assert end.n_memory < MAX_MEMORY
    assert sum(isinstance(event, ContactAsked) for event in end.events) <= 50
    assert not any(isinstance(event, MessageReceived) for event in end.events)


def test_server_that_asks_and_never_listens_is_left_before_the_answers_pile_up(
    identity: Identity,
) -> None:
    question = b"<iq type='get' id='" + b"q" * 60_000 + b"' from='e@e.example/x'/>"
    trap = Trap(lambda: itertools.repeat(question, 1_000), is_deaf=True)

    end = attack(trap, identity)

    assert end.error.code is ErrorCode.CONNECTION_LOST
    assert_told(end.error)
    assert end.n_memory < MAX_MEMORY
    assert trap.n_sent < MAX_TAKEN


INJECTED: Final = {
    f"{name} from {sender}": text.format(sender=sender, us="{us}")
    for sender in ("eve@e.example/x", f"eve@{DOMAIN}", "{us}/other", "e.example")
    for name, text in {
        "roster push": "<iq type='set' id='push' from='{sender}'>"
        "<query xmlns='jabber:iq:roster'><item jid='eve@e.example'"
        " subscription='both'/></query></iq>",
        "roster": "<iq type='result' id='roster' from='{sender}'>"
        "<query xmlns='jabber:iq:roster'><item jid='eve@e.example'"
        " subscription='both'/></query></iq>",
        "copy of a message": "<message from='{sender}'>"
        "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='bob@e.example' type='chat'>"
        "<body>SAID</body></message></forwarded></received></message>",
        "copy of ours": "<message from='{sender}'>"
        "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' to='bob@e.example' type='chat'>"
        "<body>SAID</body></message></forwarded></sent></message>",
        "archive": "<message from='{sender}'>"
        "<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='bob@e.example' type='chat'>"
        "<body>SAID</body></message></forwarded></result></message>",
    }.items()
}


@pytest.mark.parametrize("name", INJECTED)
def test_what_others_inject_is_not_believed(identity: Identity, name: str) -> None:
    trap = Trap(once(INJECTED[name].encode()))

    end = bear(trap, identity)

    assert not any(isinstance(event, MessageReceived) for event in end.events)
    assert "SAID" not in "".join(map(repr, end.events))
    told = re.sub('<iq type="set".*?prefs></iq>', "", end.told)  # no archive, please
    if name.startswith("roster push"):
        assert told.startswith('<iq type="error" id="push"')
        assert told.count("service-unavailable") == 1
    else:
        assert told == ""


# --- the table --------------------------------------------------------------------------


def test_table_names_tests_that_are_there() -> None:
    named = named_in_rows(TABLE)

    assert len(named) >= 15
    assert all(named)
    assert set().union(*named) - names_of_tests() == set()
