"""Servers in this process, on loopback and inside TLS, that do as they are told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.session.conftest import Identity
from tests.session.pure_server import PureServer

Part = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


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
    playing: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        playing.add(task)
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await part(reader, writer)
        except asyncio.CancelledError:
            pass  # the end of the play
        finally:
            writer.transport.abort()
            playing.discard(task)

    context = None if identity is None else tls_context(identity)
    server = await asyncio.start_server(play, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        await server.wait_closed()


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
