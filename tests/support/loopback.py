"""A way out that is none: whatever is asked for, it leads to a port of 127.0.0.1.

Tests without Tor, the journeys and the bench use it; nothing of it is ever part of
the program.
"""

import asyncio
from dataclasses import dataclass, field

from coykiosk.ports import IsolationKey, Stream


@dataclass
class LoopbackStream:
    """A ports.Stream on plain TCP."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_closed: bool = False

    async def read(self) -> bytes:
        try:
            return await self.reader.read(65536)
        except ConnectionError:
            return b""

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self.writer.write(data)

    async def drain(self) -> None:
        if self.is_closed:
            return
        try:
            await self.writer.drain()
        except ConnectionError:
            return  # as the real one: `read` tells it

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.writer.close()
        try:
            async with asyncio.timeout(1.0):  # as the real one
                await asyncio.shield(self.writer.wait_closed())
        except TimeoutError:
            self.writer.transport.abort()
        except ConnectionError:
            return


@dataclass
class LoopbackDialer:
    """A ports.Dialer to one port of this machine, which keeps a record."""

    port: int
    asked: list[tuple[str, int, IsolationKey, bytes]] = field(default_factory=list)
    streams: list[LoopbackStream] = field(default_factory=list)
    has_dialed: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        self.asked.append((host, port, isolation_key, first_bytes))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        stream = LoopbackStream(reader, writer)
        self.streams.append(stream)
        stream.write(first_bytes)
        self.has_dialed.set()
        return stream
