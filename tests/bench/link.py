"""A long line: the counting proxy, with the delay of a network on its way."""

import asyncio
from dataclasses import dataclass
from typing import final

from tests.support.relay import CHUNK_BYTES, Side
from tests.support.roundtrips import CountingProxy


@dataclass(frozen=True, slots=True)
class Trip:
    """What it took."""

    round_trips: int
    seconds: float

    def __add__(self, other: "Trip") -> "Trip":
        return Trip(self.round_trips + other.round_trips, self.seconds + other.seconds)


@final
class LongLine(CountingProxy):
    """Counts round trips as the client lives through them.

    Half of the delay lies on the way out, half on the way back. What a client sends
    before an answer has come is one flight, however many packets it takes and
    however slow the machine is; so the delay makes the count exact, too.

    Args:
        port: Where the real server listens, on 127.0.0.1.
        round_trip_s: What a round trip takes.
    """

    def __init__(self, port: int, round_trip_s: float) -> None:
        super().__init__(port)
        self._one_way_s = round_trip_s / 2
        self._began_at: float | None = None

    @property
    def trip(self) -> "Trip":
        """How far it has got, from the first byte that a client sent."""
        assert self._began_at is not None, "no client has said anything"
        now = asyncio.get_running_loop().time()
        return Trip(self.round_trips, now - self._began_at)

    async def _pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def take() -> None:
            while True:
                data = await _read(reader)
                if side is Side.CLIENT and data:
                    self._client_spoke_last = True
                    if self._began_at is None:
                        self._began_at = loop.time()
                on_the_way.put_nowait((loop.time() + self._one_way_s, data))
                if not data:
                    return

        async def give() -> None:
            while True:
                due, data = await on_the_way.get()
                await asyncio.sleep(due - loop.time())
                if not data or writer.is_closing():
                    return
                if side is Side.SERVER and self._client_spoke_last:
                    self._client_spoke_last = False
                    self.round_trips += 1
                writer.write(data)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(take())
                group.create_task(give())
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Return the next bytes; b"" once the connection has ended, in whatever way."""
    try:
        return await reader.read(CHUNK_BYTES)
    except ConnectionError:
        return b""
