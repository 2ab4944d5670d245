"""A way out that is none: whatever is asked for, it leads to a port of 127.0.0.1.

The journeys and the bench use it where a session without Tor is wanted; nothing of
it is ever part of the program.
"""

import asyncio
from typing import final

from coykiosk.ports import IsolationKey, Stream


@final
class LoopbackStream:
    """A ports.Stream on plain TCP."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._is_closed = False

    async def read(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except ConnectionError:
            return b""

    def write(self, data: bytes) -> None:
        if not self._is_closed:
            self._writer.write(data)

    async def drain(self) -> None:
        if not self._is_closed:
            await self._writer.drain()

    async def close(self) -> None:
        self._is_closed = True
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


@final
class LoopbackDialer:
    """A ports.Dialer to one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        stream = LoopbackStream(reader, writer)
        stream.write(first_bytes)
        return stream
