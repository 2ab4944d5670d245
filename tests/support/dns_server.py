"""A real DNS server on loopback, over TCP or TLS, that can be told to misbehave.

It is made of dnspython's messages and asyncio's streams, and shares nothing with the
code under test but the former.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.support.listener import Listener

Answerer = Callable[[dns.message.Message], Iterable[bytes]]
"""From a question to the chunks that are written; an empty one says nothing."""

DIRECT = "_xmpps-client._tcp."
STARTTLS = "_xmpp-client._tcp."


def framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire


def zone(domain: str, **services: Sequence[str]) -> Answerer:
    """Answer honestly for one domain.

    Args:
        domain: The domain.
        services: `xmpps` and `xmpp`, with their records: priority, weight, port,
            target.
    """
    names = {"xmpps": DIRECT, "xmpp": STARTTLS}
    known = {
        dns.name.from_text(names[key] + domain): records
        for key, records in services.items()
    }

    def answer(query: dns.message.Message) -> Iterable[bytes]:
        name = query.question[0].name
        response = dns.message.make_response(query, recursion_available=True)
        if name in known:
            response.answer.append(srv(name, *known[name]))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        yield framed(response.to_wire())

    return answer


def srv(name: dns.name.Name, *records: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 300, "IN", "SRV", *records)


def failing(rcode: dns.rcode.Rcode) -> Answerer:
    def answer(query: dns.message.Message) -> Iterable[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        yield framed(response.to_wire())

    return answer


def lying(change: Callable[[dns.message.Message], bytes]) -> Answerer:
    """Answer with a target of our own choice, and something wrong about it."""

    def answer(query: dns.message.Message) -> Iterable[bytes]:
        response = dns.message.make_response(query)
        name = query.question[0].name
        response.answer.append(srv(name, "0 0 5223 evil.example."))
        yield framed(change(response))

    return answer


def wrong_id(response: dns.message.Message) -> bytes:
    response.id ^= 0x8001
    return response.to_wire()


def wrong_question(response: dns.message.Message) -> bytes:
    response.question[0].name = dns.name.from_text("_xmpp-client._tcp.evil.example.")
    return response.to_wire()


def wrong_owner(response: dns.message.Message) -> bytes:
    response.answer[0].name = dns.name.from_text("_xmpp-client._tcp.evil.example.")
    return response.to_wire()


def a_question(response: dns.message.Message) -> bytes:
    response.flags &= ~dns.flags.QR
    return response.to_wire()


def cut(response: dns.message.Message) -> bytes:
    response.flags |= dns.flags.TC
    return response.to_wire()


def truncated(response: dns.message.Message) -> bytes:
    return response.to_wire()[:-5]


def garbage(response: dns.message.Message) -> bytes:
    return response.id.to_bytes(2, "big") + b"\xc0\x0c" * 100


def stuffed(response: dns.message.Message) -> bytes:
    """64 kB of records."""
    name = response.question[0].name
    records = [f"{n} 0 5223 evil.example." for n in range(2000)]
    response.answer = [srv(name, *records)]
    return response.to_wire(max_size=65535)


def silent(_query: dns.message.Message) -> Iterable[bytes]:
    return ()


def endless(_query: dns.message.Message) -> Iterable[bytes]:
    while True:
        yield b"\x0f\xff" + b"\xc0\x0c" * 2000


LIES: Mapping[str, Answerer] = {
    "wrong id": lying(wrong_id),
    "wrong question": lying(wrong_question),
    "another name": lying(wrong_owner),
    "a question": lying(a_question),
    "cut": lying(cut),
    "truncated": lying(truncated),
    "garbage": lying(garbage),
    "64 kB of records": lying(stuffed),
    "endless": endless,
}


@dataclass
class DnsServer:
    """What a running server was asked; use `serving`."""

    answer: Answerer
    waits_for: int = 1
    """Questions of a connection that must have come before the first answer."""
    reverses: bool = False
    """The last of them is answered first."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Names, in order."""
    lengths: list[int] = field(default_factory=list)
    """Bytes of each question."""
    n_connections: int = 0
    on_question: Callable[[], None] = lambda: None

    async def play(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.n_connections += 1
        while True:
            queries = [await self._read(reader) for _ in range(self.waits_for)]
            self.on_question()
            for query in reversed(queries) if self.reverses else queries:
                for chunk in self.answer(query):
                    writer.write(chunk)
                    await writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> dns.message.Message:
        wire = await reader.readexactly(
            int.from_bytes(await reader.readexactly(2), "big")
        )
        query = dns.message.from_wire(wire)
        self.asked.append(query.question[0].name.to_text())
        self.lengths.append(len(wire))
        return query


@contextlib.asynccontextmanager
async def serving(
    server: DnsServer, context: ssl.SSLContext | None = None
) -> AsyncIterator[DnsServer]:
    """Run a server until the end of the block; its `port` is set."""
    async with Listener(server.play, context) as listener:
        server.port = listener.port
        yield server
