"""A proxy on loopback that lets a connection come so far and no further.

Like `roundtrips`, it counts flights: all that one side sends before the other one
speaks is one flight, however many TLS records or packets it is made of. A `Hold`
names the flight from which on nothing passes, in either direction; both ends still
think that they are connected. What becomes of them is the test's to say: `cut`, or
nothing at all, which is silence.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self


class Side(Enum):
    """Who speaks."""

    CLIENT = auto()
    SERVER = auto()


@dataclass(frozen=True)
class Hold:
    """The first flight that does not pass: this side's n-th, from 1."""

    side: Side
    flight: int


class FaultProxy:
    """Forwards one port to another, and stops where it is told to.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.hold: Hold | None = None
        """Applies to the first connection that gets so far, and to no other."""
        self.reached = asyncio.Event()
        """Set once a flight has been held."""
        self._server: asyncio.Server | None = None
        self.is_hushed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    def hush(self) -> None:
        """Let nothing pass from now on, on any connection."""
        self.is_hushed = True

    def cut(self) -> None:
        """End every connection, as a cable does that is pulled."""
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._join(reader, writer)
        except ConnectionError:
            pass  # the server is not there, which the client will notice
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        above_reader, above_writer = await asyncio.open_connection(
            "127.0.0.1", self.target
        )
        ends = {writer, above_writer}
        self._writers |= ends
        connection = _Connection(self)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.pump(Side.CLIENT, reader, above_writer))
                group.create_task(connection.pump(Side.SERVER, above_reader, writer))
        finally:
            self._writers -= ends
            above_writer.transport.abort()


class _Connection:
    """One connection through the proxy, and how many flights it has seen."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._speaker: Side | None = None
        self._n_flights = {Side.CLIENT: 0, Side.SERVER: 0}
        self._is_held = False

    async def pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(65536):
                self._count(side)
                if not self._is_held:
                    writer.write(data)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            # A held connection tells neither end that the other one has left.
            if not self._is_held:
                writer.close()

    def _count(self, side: Side) -> None:
        self._is_held = self._is_held or self._proxy.is_hushed
        if side is self._speaker or self._is_held:
            return
        self._speaker = side
        self._n_flights[side] += 1
        if self._proxy.hold == Hold(side, self._n_flights[side]):
            self._proxy.hold = None
            self._is_held = True
            self._proxy.reached.set()
