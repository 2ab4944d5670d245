"""Servers in this process, on loopback and inside TLS, that do as they are told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

from tests.session.conftest import Identity
from tests.session.pure_server import PureServer
from tests.support.listener import Listener, Part


def tls_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    context.set_alpn_protocols(["xmpp-client"])
    return context


@contextlib.asynccontextmanager
async def stage(part: Part, *, identity: Identity | None = None) -> AsyncIterator[int]:
    """Play a part for every connection; yield the port.

    On leaving, parts that still play are cancelled and waited for.
    """
    context = None if identity is None else tls_context(identity)
    async with Listener(part, context) as listener:
        yield listener.port


def played_by(make: Callable[[], PureServer]) -> Part:
    """Let a fresh pure server answer each connection until it says goodbye."""

    async def part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = make()
        while data := await reader.read(65536):
            answer = server.receive(data)
            writer.write(answer)
            await writer.drain()
            if answer.endswith(b"</stream:stream>"):
                return

    return part


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Listen, and never say a word."""
    while await reader.read(65536):
        pass
