"""A proxy on loopback that lets a connection come so far and no further.

Like `roundtrips`, it counts flights: all that one side sends before the other one
speaks is one flight, however many TLS records or packets it is made of. A `Hold`
names the flight from which on nothing passes, in either direction; both ends still
think that they are connected. What becomes of them is the test's to say: `cut`, or
nothing at all, which is silence.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.support.relay import CHUNK_BYTES, Pump, Relay, Side


@dataclass(frozen=True)
class Hold:
    """The first flight that does not pass: this side's n-th, from 1."""

    side: Side
    flight: int


class FaultProxy(Relay):
    """Forwards one port to another, and stops where it is told to.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.hold: Hold | None = None
        """Applies to the first connection that gets so far, and to no other."""
        self.reached = asyncio.Event()
        """Set once a flight has been held."""
        self.is_hushed = False

    def hush(self) -> None:
        """Let nothing pass from now on, on any connection."""
        self.is_hushed = True

    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        return _Connection(self).pump


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
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                self._count(side)
                if not self._is_held:
                    writer.write(data)
                    await writer.drain()
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
