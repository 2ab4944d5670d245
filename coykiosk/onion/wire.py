"""One connection to a listener of tor's, on this machine or a gateway's.

Rule: the address is an IP literal or a path, so asyncio has nothing to look up;
nobody but this room connects, and to nothing else.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final, cast

from coykiosk.onion.addresses import Address, TcpAddress, UnixAddress

__all__ = ["Wire", "connect_local"]

_CONNECT_LIMIT_S: Final = 5.0
"""To a listener on this machine, or on a gateway next door."""
_MAX_UNREAD_BYTES: Final = 256 * 1024


class Wire(asyncio.Protocol):
    """Turns asyncio's callbacks into state that a coroutine can wait for."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.unread = bytearray()
        self.is_ended = False
        self.failure: Exception | None = None
        self.changed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone = asyncio.Event()
        self._is_paused = False
        self._is_aborted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; end it if nobody wants it any more."""
        self.transport = cast("asyncio.Transport", transport)  # stream sockets only
        if self._is_aborted:  # while it was still connecting
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what arrives; stop reading while too much lies unread."""
        self.unread += data
        if (
            len(self.unread) > _MAX_UNREAD_BYTES
            and self.transport
            and not self.is_ended
        ):
            self.transport.pause_reading()
            self._is_paused = True
        self.changed.set()

    def eof_received(self) -> None:
        """Note that the other end closed; asyncio then closes ours."""
        self.is_ended = True
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake everybody who waits: it is over."""
        self.is_ended = True
        self.failure = exc
        self.changed.set()
        self.writable.set()
        self.gone.set()

    def pause_writing(self) -> None:
        """Note that the send queue is long."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Note that the send queue is short again."""
        self.writable.set()

    def take(self) -> bytes:
        """Return and forget what has arrived."""
        data = bytes(self.unread)
        self.unread.clear()
        if self._is_paused and self.transport and not self.gone.is_set():
            self.transport.resume_reading()
        self._is_paused = False
        return data

    async def receive(self) -> bytes:
        """Return the next bytes, or b"" at the end."""
        while not self.unread and not self.is_ended:
            self.changed.clear()
            await self.changed.wait()
        return self.take()

    def send(self, data: bytes) -> None:
        """Queue bytes; dropped once the connection ends."""
        if self.transport and not self.transport.is_closing() and not self.is_ended:
            self.transport.write(data)

    def abort(self) -> None:
        """End it at once, also while it is still connecting."""
        self._is_aborted = True
        self.is_ended = True
        self.unread.clear()
        self.changed.set()
        if self.transport:
            self.transport.abort()


async def connect_local(
    address: Address, factory: Callable[[], asyncio.Protocol]
) -> None:
    """Connect a protocol to a listener of tor's, bounded in time.

    Raises:
        OSError: nothing listens there, we may not, or it takes too long.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_LIMIT_S):
        match address:
            case UnixAddress(path):
                await loop.create_unix_connection(factory, str(path))
            case TcpAddress(host, port):
                # An IP literal: asyncio takes it as it is and asks no resolver.
                ipaddress.ip_address(host)
                await loop.create_connection(factory, host, port)
