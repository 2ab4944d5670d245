"""A proxy on loopback in front of TLS, through which the weather is bad.

It does on real sockets what `weather` does in memory: it cuts a connection at any byte,
with or without what is under way, delays it, lets bytes through one at a time, and
alters or repeats some. Each connection draws its own weather.
"""

import asyncio
import random
from typing import TYPE_CHECKING

from tests.support.relay import CHUNK_BYTES, Pump, Relay, Side
from tests.support.weather import Fault, Weather

if TYPE_CHECKING:
    from collections.abc import Callable

FAIR = Weather(latency_s=0.0)


def draw_quick_weather(chance: random.Random) -> Weather:
    """Draw what a connection goes through; nothing of it takes long.

    Bytes that are swallowed would: the rest of their record is waited for.
    """
    broken = [Fault.GARBLE, Fault.REPEAT]
    return Weather(
        latency_s=chance.choice([0.0, 0.0, 0.003, 0.02]),
        fault=chance.choices([Fault.NONE, Fault.CUT, chance.choice(broken)], [1, 4, 2])[
            0
        ],
        side=chance.choice(list(Side)),
        at=chance.choice([chance.randrange(2000), chance.randrange(9000)]),
        arrives_late=chance.random() < 0.5,
        pause_at=chance.randrange(12_000),
        pause_s=chance.choice([0.0, 0.1, 0.3]),
        slow_from=chance.randrange(12_000),
        slow_bytes=chance.randrange(400),
    )


class WeatherProxy(Relay):
    """Forwards one port to another, through weather.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.forecast: Callable[[], Weather] = lambda: FAIR
        self.n_faults = 0

    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        weather = self.forecast()
        lanes = {side: _Lane(self, weather, side) for side in Side}

        async def pump(
            side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await lanes[side].pump(reader, writer)

        return pump


class _Lane:
    """One direction of a connection."""

    def __init__(self, proxy: WeatherProxy, weather: Weather, side: Side) -> None:
        self._proxy = proxy
        self._weather = weather
        self._has_fault = weather.side is side and weather.fault is not Fault.NONE
        self._n_passed = 0

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await asyncio.sleep(self._weather.latency_s)
            for piece in self._pieces(data):
                writer.write(await self._through(piece, writer))
                await writer.drain()
        raise ConnectionResetError  # which ends the other direction, too

    def _pieces(self, data: bytes) -> list[bytes]:
        start = self._weather.slow_from - self._n_passed
        end = max(0, start + self._weather.slow_bytes)
        start = max(0, start)
        slow = [data[n : n + 1] for n in range(start, min(end, len(data)))]
        return [each for each in (data[:start], *slow, data[end:]) if each]

    async def _through(self, piece: bytes, writer: asyncio.StreamWriter) -> bytes:
        weather, at = self._weather, self._weather.at - self._n_passed
        if self._n_passed <= weather.pause_at < self._n_passed + len(piece):
            await asyncio.sleep(weather.pause_s)
        self._n_passed += len(piece)
        if not self._has_fault or at >= len(piece):
            return piece
        self._has_fault = False
        self._proxy.n_faults += 1
        before, after = piece[: max(0, at)], piece[max(0, at) :]
        match weather.fault:
            case Fault.GARBLE:
                return before + bytes([after[0] ^ 0x55]) + after[1:]
            case Fault.REPEAT:
                return before + after[:7] + after
            case _:
                if weather.arrives_late:
                    writer.write(before)
                    await writer.drain()
                raise ConnectionResetError
