"""A thousand contacts in one process: a component of a real Prosody (XEP-0114).

A component may speak as anybody of its domain, so that a thousand accounts need not
be signed in. Some of the contacts are real OTR ends; what all others say is in clear.
Nothing is sent faster than the client takes it: after some stanzas it is asked a
question, and the crowd is silent until its answer has come.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk import otr

CROWD_DOMAIN: Final = "crowd.example"
SHARED_WORD: Final = "known"
N_CONTACTS: Final = 1_000
N_ENCRYPTED: Final = 50
TEXT: Final = "the quick brown fox jumps over the lazy dog, and then it has a rest. "
_SPACE: Final = "{jabber:component:accept}"
_N_IN_FLIGHT: Final = 200
_LIMIT_S: Final = 120.0
_POLL_S: Final = 0.05
_NOW: Final = 0.0  # no timer of these ends ever comes due


def contact(number: int) -> str:
    """The bare address of a contact; the first are those with OTR."""
    return f"c{number}@{CROWD_DOMAIN}"


class Crowd:
    """The contacts, all of them online; make it with `crowd`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self._root: ET.Element | None = None
        self._is_in = asyncio.Event()
        self._answered = asyncio.Event()
        self._asked = ""
        self._ends: dict[str, otr.Instances] = {}
        self.n_heard = 0
        """Messages of the client's that are no part of a key exchange."""

    async def join(self) -> None:
        """Open the stream, and show the secret."""
        self._write(
            "<stream:stream xmlns='jabber:component:accept' "
            "xmlns:stream='http://etherx.jabber.org/streams' "
            f"to='{CROWD_DOMAIN}'>"
        )
        async with asyncio.timeout(_LIMIT_S):
            await self._is_in.wait()

    def close(self) -> None:
        """Leave."""
        self._writer.close()

    def renew(self) -> None:
        """Have the first contacts be new people, with new keys."""
        self._ends = {
            contact(number): otr.Instances(
                otr.PrivateKey.generate(),
                otr.draw_instance_tag(secrets.token_bytes),
                secrets.token_bytes,
            )
            for number in range(N_ENCRYPTED)
        }
        self.n_heard = 0

    @property
    def n_encrypted(self) -> int:
        """How many of the ends are in a session with the client."""
        encrypted = otr.MessageState.ENCRYPTED
        return sum(end.message_state is encrypted for end in self._ends.values())

    async def speak(self, to: str, n_messages: int, *, with_otr: bool) -> None:
        """Have each message be said by the next contact, and return when all came.

        Args:
            to: The client's full address.
            n_messages: Every other one is from a contact with OTR.
            with_otr: Whether these encrypt; else what they say is as long.
        """
        for number in range(n_messages):
            if number % 2:
                index = N_ENCRYPTED + number // 2 % (N_CONTACTS - N_ENCRYPTED)
                self._message(contact(index), to, TEXT)
            else:
                sender = contact(number // 2 % N_ENCRYPTED)
                for body in self._bodies(sender, number, with_otr=with_otr):
                    self._message(sender, to, body)
            if number % _N_IN_FLIGHT == _N_IN_FLIGHT - 1:
                await self.wait_taken(to)
        await self.wait_taken(to)

    async def wait_taken(self, to: str) -> None:
        """Return when the client has taken everything that was sent to it."""
        self._answered.clear()
        self._asked = secrets.token_hex(8)
        self._write(
            f"<iq type='get' from='{contact(0)}/r' to='{to}' id='{self._asked}'>"
            "<ping xmlns='urn:xmpp:ping'/></iq>"
        )
        await self._writer.drain()
        async with asyncio.timeout(_LIMIT_S):
            await self._answered.wait()

    def _bodies(self, sender: str, number: int, *, with_otr: bool) -> list[str]:
        if not with_otr:
            return [_AS_LONG_AS_OTR]
        outputs = self._ends[sender].send(f"{number} {TEXT}", _NOW)
        return [each.text for each in outputs if isinstance(each, otr.Inject)]

    def _message(self, sender: str, to: str, body: str) -> None:
        self._write(
            f"<message type='chat' from='{sender}/r' to='{to}' "
            f"id='{secrets.token_hex(8)}'><body>{body}</body>"
            "<no-store xmlns='urn:xmpp:hints'/></message>"
        )

    def _write(self, text: str) -> None:
        self._writer.write(text.encode())

    # --- what the server and the client say -----------------------------------------

    async def listen(self) -> None:
        """Read until the end."""
        while data := await self._reader.read(65536):
            self._parser.feed(data)
            for event in self._parser.read_events():
                self._on_event(*event)

    def _on_event(self, kind: str, element: ET.Element) -> None:
        if kind == "start":
            self._depth += 1
            if self._depth == 1:
                self._root = element
                told = (element.get("id", "") + SHARED_WORD).encode()
                proof = hashlib.sha1(told, usedforsecurity=False).hexdigest()
                self._write(f"<handshake>{proof}</handshake>")
            return
        self._depth -= 1
        if self._depth == 1:
            self._take(element)
            assert self._root is not None
            self._root.clear()

    def _take(self, element: ET.Element) -> None:
        us, them = element.get("to", ""), element.get("from", "")
        match element.tag.removeprefix(_SPACE), element.get("type"):
            case "handshake", _:
                self._is_in.set()
            case "presence", "probe":
                self._write(f"<presence from='{us}/r' to='{them}'/>")
            case "iq", "result" | "error" if element.get("id") == self._asked:
                self._answered.set()
            case "message", kind if kind != "error":
                body = element.findtext(f"{_SPACE}body", "")
                self._hear(us.partition("/")[0], them, body)

    def _hear(self, us: str, them: str, body: str) -> None:
        end = self._ends.get(us)
        outputs = [] if end is None else end.receive(body, _NOW)
        for output in outputs:
            match output:
                case otr.Inject(text=text):
                    self._message(us, them, text)
                case otr.Received() | otr.PlainReceived():
                    self.n_heard += 1
                case _:
                    pass  # of the key exchange


@asynccontextmanager
async def crowd(port: int) -> AsyncIterator[Crowd]:
    """Join a server as its component."""
    made = Crowd(*await _connect(port))
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(made.listen())
        try:
            await made.join()
            yield made
        finally:
            listening.cancel()
            made.close()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as the server listens there, too."""
    async with asyncio.timeout(_LIMIT_S):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(_POLL_S)


def _length_of_a_message() -> int:
    """How many characters our OTR makes of a text of this size."""
    ends = [
        otr.Instances(
            otr.PrivateKey.generate(),
            otr.draw_instance_tag(secrets.token_bytes),
            secrets.token_bytes,
        )
        for _ in range(2)
    ]
    said = [(1, each) for each in ends[0].ask(_NOW)]
    while said:
        to, output = said.pop(0)
        if isinstance(output, otr.Inject):
            answers = ends[to].receive(output.text, _NOW)
            said += [(1 - to, answer) for answer in answers]
    [sent] = ends[0].send(f"1000 {TEXT}", _NOW)
    assert isinstance(sent, otr.Inject)
    return len(sent.text)


_AS_LONG_AS_OTR: Final = (TEXT * 20)[: _length_of_a_message()]
