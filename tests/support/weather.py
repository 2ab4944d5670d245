"""Connections through bad weather: on memory, drawn from a seed, on any clock.

What travels takes its time, arrives in order, and can be cut, held up, thinned to a
byte at a time, altered, repeated or swallowed at any byte. Bytes here are those of
TLS, so what alters them ends the connection; the ends find that out themselves.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import IsolationKey, Stream
from tests.support.relay import Side


class Fault(Enum):
    """What happens to a connection at one byte."""

    NONE = auto()
    CUT = auto()
    """It ends; the client notices at once."""
    SILENCE = auto()
    """Nothing passes any more, and nobody is told."""
    GARBLE = auto()
    REPEAT = auto()
    LOSE = auto()


@dataclass(frozen=True)
class Weather:
    """What one connection goes through."""

    latency_s: float = 0.3
    fault: Fault = Fault.NONE
    side: Side = Side.CLIENT
    """Whose bytes it happens to."""
    at: int = 0
    """Before this byte of that side, from 0."""
    is_noticed_after_s: float = 0.0
    """When the server finds out that the connection has been cut."""
    arrives_late: bool = False
    """What the client had sent before the cut still comes to the server."""
    pause_at: int = 1 << 60
    pause_s: float = 0.0
    slow_from: int = 1 << 60
    slow_bytes: int = 0
    """So many go one at a time."""


FAIR = Weather()


def draw_weather(chance: random.Random) -> Weather:
    """Draw what a connection goes through; one of four only takes its time."""
    faults = [fault for fault in Fault if fault is not Fault.NONE]
    is_early = chance.random() < 0.4
    return Weather(
        latency_s=chance.choice([0.0, 0.05, 0.6, chance.uniform(0, 5)]),
        fault=chance.choices([Fault.NONE, Fault.CUT, chance.choice(faults)], [2, 4, 2])[
            0
        ],
        side=chance.choice(list(Side)),
        at=chance.randrange(2500 if is_early else 12_000),
        is_noticed_after_s=chance.choice([0.0, 1.0, 90.0, 700.0]),
        arrives_late=chance.random() < 0.5,
        pause_at=chance.randrange(20_000),
        pause_s=chance.choice([0.5, 20.0, 100.0]),
        slow_from=chance.randrange(40_000),
        slow_bytes=chance.randrange(300),
    )


class Far(Protocol):
    """The server's end of a connection."""

    def receive(self, data: bytes) -> None:
        """Take bytes."""

    def lost(self) -> None:
        """Notice that the connection is gone."""


class _Lane:
    """One direction of a connection.

    Args:
        weather: What it goes through.
        side: Who speaks on it.
        arrive: Takes what gets through.
        happens: Called when a fault ends the connection.
    """

    def __init__(
        self,
        weather: Weather,
        side: Side,
        arrive: Callable[[bytes], None],
        happens: Callable[[], None],
    ) -> None:
        self._weather = weather
        self._has_fault = weather.side is side and weather.fault is not Fault.NONE
        self._arrive = arrive
        self._happens = happens
        self._loop = asyncio.get_running_loop()
        self._n_sent = 0
        self._due = 0.0
        self._pending: set[asyncio.TimerHandle] = set()
        self._is_dead = False

    def send(self, data: bytes) -> None:
        for piece in self._pieces(data):
            self._send_piece(piece)

    def _pieces(self, data: bytes) -> list[bytes]:
        start = self._weather.slow_from - self._n_sent
        end = start + self._weather.slow_bytes
        start, end = max(0, start), max(0, end)
        slow = [data[n : n + 1] for n in range(start, min(end, len(data)))]
        return [each for each in (data[:start], *slow, data[end:]) if each]

    def _send_piece(self, piece: bytes) -> None:
        if self._is_dead:
            return
        weather = self._weather
        self._due = max(self._due, self._loop.time() + weather.latency_s)
        if self._n_sent <= weather.pause_at < self._n_sent + len(piece):
            self._due += weather.pause_s
        if len(piece) == 1:
            self._due += 0.01
        at = weather.at - self._n_sent
        self._n_sent += len(piece)
        if self._has_fault and at < len(piece):
            self._has_fault = False
            self._fall_on(piece, max(0, at))
        else:
            self._deliver(piece)

    def _fall_on(self, piece: bytes, at: int) -> None:
        before, after = piece[:at], piece[at:]
        match self._weather.fault:
            case Fault.GARBLE:
                self._deliver(before + bytes([after[0] ^ 0x55]) + after[1:])
            case Fault.REPEAT:
                self._deliver(before + after[:7] + after)
            case Fault.LOSE:
                self._deliver(before + after[7:])
            case _:
                self._deliver(before)
                self._schedule(self._happens)

    def _deliver(self, data: bytes) -> None:
        if data:
            self._schedule(lambda: self._arrive(data))

    def _schedule(self, deed: Callable[[], None]) -> None:
        # The loop's own order of timers that are due at once is not that of sending.
        self._due = max(self._due + 1e-6, self._loop.time())

        def do() -> None:
            self._pending.discard(handle)
            deed()

        handle = self._loop.call_at(self._due, do)
        self._pending.add(handle)

    def close_after(self, deed: Callable[[], None]) -> None:
        """Let nothing follow; the end arrives behind all that is under way."""
        if not self._is_dead:
            self._is_dead = True
            self._schedule(deed)

    def die(self, *, arrives_late: bool = False) -> None:
        """Let nothing follow, nor anything arrive that is under way."""
        self._is_dead = True
        if not arrives_late:
            for handle in self._pending:
                handle.cancel()
            self._pending.clear()


class WeatheredStream:
    """The client's end: a ports.Stream."""

    def __init__(
        self, weather: Weather, connect: Callable[["WeatheredStream"], Far]
    ) -> None:
        self._weather = weather
        self._received: list[bytes] = []
        self._is_ended = False
        self._came = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._notice: asyncio.TimerHandle | None = None
        self.far = connect(self)
        self._up = _Lane(weather, Side.CLIENT, self.far.receive, self._happen)
        self._down = _Lane(weather, Side.SERVER, self._arrived, self._happen)

    # --- the client ---------------------------------------------------------------

    async def read(self) -> bytes:
        while not self._received and not self._is_ended:
            self._came.clear()
            await self._came.wait()
        data, self._received = b"".join(self._received), []
        return data

    def write(self, data: bytes) -> None:
        if not self._is_closed:
            self._up.send(data)

    async def drain(self) -> None:
        """Return at once: there is always room."""

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._end_reading()
        self._down.die()
        self._up.close_after(self.far.lost)

    # --- the server ---------------------------------------------------------------

    def server_writes(self, data: bytes) -> None:
        self._down.send(data)

    def server_closes(self) -> None:
        self._down.close_after(self._end_reading)

    # --- the weather --------------------------------------------------------------

    def cut(self) -> None:
        """End it now, as a cable does that is pulled."""
        self._part()
        self._end_reading()

    def vanish(self) -> None:
        """Forget all that is under way; for the end of a test."""
        self._up.die()
        self._down.die()
        if self._notice is not None:
            self._notice.cancel()

    def _happen(self) -> None:
        self._part()
        if self._weather.fault is Fault.CUT:
            self._end_reading()

    def _part(self) -> None:
        self._up.die(arrives_late=self._weather.arrives_late)
        self._down.die()
        if self._notice is None:
            self._notice = self._loop.call_later(
                self._weather.is_noticed_after_s, self.far.lost
            )

    def _arrived(self, data: bytes) -> None:
        self._received.append(data)
        self._came.set()

    def _end_reading(self) -> None:
        self._is_ended = True
        self._came.set()


class WeatheredWays:
    """A ports.Dialer, and a ports.Tor that is always ready.

    Args:
        connect: Makes the server's end of a connection.
        forecast: Draws what the next connection goes through.
    """

    def __init__(
        self,
        connect: Callable[[WeatheredStream], Far],
        forecast: Callable[[], Weather],
    ) -> None:
        self._connect = connect
        self._forecast = forecast
        self.is_down = False
        self.moments: list[float] = []
        """When it was dialled."""
        self.keys: list[IsolationKey] = []
        self._streams: list[WeatheredStream] = []

    @property
    def dialer(self) -> "WeatheredWays":
        return self

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        self.moments.append(asyncio.get_running_loop().time())
        self.keys.append(isolation_key)
        weather = self._forecast()
        await asyncio.sleep(weather.latency_s)
        if self.is_down:
            raise UserError(ErrorCode.SERVER_UNREACHABLE, server=host)
        stream = WeatheredStream(weather, self._connect)
        self._streams = [*self._streams[-3:], stream]
        stream.write(first_bytes)
        return stream

    def cut(self) -> None:
        """End every connection."""
        for stream in self._streams:
            stream.cut()

    def vanish(self) -> None:
        """Forget all that is under way; for the end of a test."""
        for stream in self._streams:
            stream.vanish()

    def check_bridges(self, text: str) -> tuple[str, ...]:
        """Take none."""
        assert not text
        return ()

    async def use_bridges(self, lines: Sequence[str]) -> None:
        """Use none."""
        assert not lines

    async def start(self, *, guard_state: str) -> None:
        """Do nothing: it runs."""

    async def wait_ready(self) -> None:
        """Return at once."""

    async def circuit(self, isolation_key: IsolationKey) -> None:
        """Know of none."""

    def guard_state(self) -> str:
        return ""

    async def stop(self) -> None:
        """Do nothing."""
