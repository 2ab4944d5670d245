"""A session without a screen and without Tor: the real Kiosk, watched by a test.

The way out leads to ports of 127.0.0.1; the vault is a real file whose derivation
is quick. The clock is real until a test leaps: `leap` brings a limit or a pause to
its end at once, while sockets go on as ever.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from coykiosk.contract import AccountOnline, Command, Event, Jid, Quit
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import (
    Circuit,
    Hop,
    IsolationKey,
    RandomBytes,
    Stream,
    Tor,
    WallClock,
)
from coykiosk.register.servers import Registration, Server, TlsMode
from coykiosk.session.kiosk import Kiosk
from coykiosk.session.resolvers import RESOLVERS, Resolver
from coykiosk.session.world import World
from coykiosk.vault.store import VaultStore
from tests.support.loopback import LoopbackStream
from tests.support.running import run_clean
from tests.vault.conftest import quick_derive

T = TypeVar("T")
E = TypeVar("E")

DOMAIN: Final = "practice.example"
ONION: Final = "a" * 56 + ".onion"
LIMIT_S: Final = 20.0
"""Real seconds within which everything here has happened, or never will."""
WORDS: Final = "badness impish glorify dish bobble patronize"


# --- time -------------------------------------------------------------------------


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward."""

    def __init__(self) -> None:
        self._leapt_s = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._leapt_s

    def leap(self, seconds: float) -> None:
        self._leapt_s += seconds


def leap(seconds: float) -> None:
    """Let time pass at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    loop.leap(seconds)


def run_leaping(main: Callable[[], Awaitable[T]]) -> T:
    """As `run_clean`, with a clock that can be put forward."""
    return run_clean(main, limit_s=None, loop_factory=LeapingLoop)


async def eventually(is_so: Callable[[], object]) -> None:
    """Wait for something that tells nobody when it happens."""
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never happens"
        await asyncio.sleep(0.005)


# --- the way out --------------------------------------------------------------------


class _Wire:
    """A stream that ends with Tor."""

    def __init__(self, inner: LoopbackStream, dialer: "LoopbackWays") -> None:
        self._inner = inner
        self._dialer = dialer

    async def read(self) -> bytes:
        data = await self._inner.read()
        if not data and self._dialer.failure is not None:
            raise UserError(self._dialer.failure)
        return data

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    async def drain(self) -> None:
        await self._inner.drain()

    async def close(self) -> None:
        await self._inner.close()

    def tear(self) -> None:
        self._inner.writer.transport.abort()


class LoopbackWays:
    """A ports.Dialer that knows to which port each host leads, and keeps a record."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.is_down = False
        """Tor works, but gets nowhere."""
        self.failure: ErrorCode | None = None
        self.asked: list[tuple[str, IsolationKey]] = []
        self._wires: list[_Wire] = []

    @property
    def keys(self) -> list[IsolationKey]:
        return [key for _, key in self.asked]

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        self._refuse_if_ended()
        self.asked.append((host, isolation_key))
        unreachable = UserError(ErrorCode.SERVER_UNREACHABLE, server=host)
        if self.is_down or host not in self.ports:
            raise unreachable
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.ports[host]
            )
        except OSError as exc:
            raise unreachable from exc
        wire = _Wire(LoopbackStream(reader, writer), self)
        self._wires.append(wire)
        try:
            self._refuse_if_ended()  # it may have meanwhile
        except UserError:
            await wire.close()
            raise
        wire.write(first_bytes)
        return wire

    def _refuse_if_ended(self) -> None:
        if self.failure is not None:
            raise UserError(self.failure)

    def tear(self) -> None:
        """End every connection from this side."""
        for wire in self._wires:
            wire.tear()
        self._wires.clear()


class LoopbackTor:
    """A ports.Tor that is ready as soon as it is started, unless told otherwise."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ways = LoopbackWays(ports)
        self.guards = ""
        self.start_failure: ErrorCode | None = None
        self.is_slow = False
        """Started, it is not ready before `arrive`."""
        self.started_with: list[str] = []
        """The guard state of each start."""
        self.bridges: list[tuple[str, ...]] = []
        """What was to be used, each time."""
        self.n_stops = 0
        self._turned = asyncio.Event()
        self._is_running = False
        self._failure: ErrorCode | None = None

    @property
    def dialer(self) -> LoopbackWays:
        return self.ways

    def check_bridges(self, text: str) -> tuple[str, ...]:
        if "bad" in text:
            raise UserError(ErrorCode.BRIDGE_LINE_BAD, number="1", reason="bridge-long")
        return tuple(text.split("\n")) if text else ()

    async def use_bridges(self, lines: Sequence[str]) -> None:
        was_running = self._is_running
        self.bridges.append(tuple(lines))
        if was_running:
            self.die()
            self.arrive()

    async def start(self, *, guard_state: str) -> None:
        if self._is_running:
            return
        if self.start_failure is not None:
            self._turn(self.start_failure)
            raise UserError(self.start_failure)
        self.started_with.append(guard_state)
        if self.is_slow:
            self._failure = None
        else:
            self.arrive()

    def arrive(self) -> None:
        """Be ready."""
        self._is_running = True
        self._turn(None)

    async def wait_ready(self) -> None:
        while not self._is_running:
            if self._failure is not None:
                raise UserError(self._failure)
            await self._turned.wait()

    async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
        if isolation_key not in self.ways.keys:
            return None
        hop = Hop("A" * 40, "guard")
        return Circuit((hop, hop, hop), to_onion=True)

    def guard_state(self) -> str:
        return self.guards

    async def stop(self) -> None:
        self.n_stops += 1
        self.die()

    def die(self) -> None:
        """End, and every connection with it."""
        self._is_running = False
        self._turn(ErrorCode.TOR_STOPPED)
        self.ways.tear()

    def _turn(self, failure: ErrorCode | None) -> None:
        self._failure = self.ways.failure = failure
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()


def make_server(
    *,
    domain: str = DOMAIN,
    onion: str = ONION,
    tls: TlsMode = TlsMode.DIRECT,
    register: Registration = Registration.OPEN,
    spki: tuple[str, ...] = (),
) -> Server:
    """Make a record; of two, the one with OPEN registration is tried first."""
    return Server(
        domain=domain,
        onion=onion,
        port=5222,
        tls=tls,
        clearnet=False,
        register=register,
        register_checked=None,
        onion_checked=None,
        operator="",
        spki=spki,
        scram=("SCRAM-SHA-1",) if register is Registration.OPEN else (),
        source="",
    )


# --- a person -------------------------------------------------------------------------


def quick_vault(path: Path) -> VaultStore:
    """Make a real vault whose derivation costs nothing."""
    return VaultStore(
        path, random_bytes=os.urandom, derive=quick_derive, free_kib=lambda: 0
    )


@dataclass
class Person:
    """Someone in front of a session: gives commands, and sees what comes of them."""

    running: asyncio.Task[None]
    commands: asyncio.Queue[Command]
    events: list[Event]
    came: asyncio.Event
    """Set when an event has come, or the session has ended."""
    _n_seen: int = 0

    def submit(self, *commands: Command) -> None:
        for command in commands:
            self.commands.put_nowait(command)

    @property
    def me(self) -> Jid:
        """The account that was online last."""
        return self.of(AccountOnline)[-1].account

    def of(self, kind: type[E]) -> list[E]:
        """All events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(
        self, kind: type[E], is_it: Callable[[E], bool] = lambda _: True
    ) -> E:
        """Return the first such event that no `until` has looked at before."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            self.came.clear()
            while self._n_seen < len(self.events):
                event = self.events[self._n_seen]
                self._n_seen += 1
                if isinstance(event, kind) and is_it(event):
                    return event
            if self.running.done():
                self.running.result()
                raise AssertionError(kind, self.events)
            assert time.monotonic() < deadline, (kind, self.events)
            await self._come()

    async def ended(self) -> None:
        """Wait until the session has ended; raise what it raised."""
        deadline = time.monotonic() + LIMIT_S
        while not self.running.done():
            self.came.clear()
            assert time.monotonic() < deadline, "the session does not end"
            await self._come()
        self.running.result()

    async def _come(self) -> None:
        # The limit is there to look at the real clock now and then.
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.came.wait()


@asynccontextmanager
async def headless(
    servers: Sequence[Server],
    tor: Tor,
    *,
    vault: VaultStore | None = None,
    random_bytes: RandomBytes = os.urandom,
    wall_clock: WallClock = lambda: datetime.now(UTC),
    resolvers: tuple[Resolver, ...] = RESOLVERS,
) -> AsyncIterator[Person]:
    """Run a session; on leaving it quits, and must end by itself."""
    commands: asyncio.Queue[Command] = asyncio.Queue()
    events: list[Event] = []
    came = asyncio.Event()
    worker = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()

    def publish(event: Event) -> None:
        events.append(event)
        came.set()

    async def run_blocking(function: Callable[[], T], /) -> T:
        return await loop.run_in_executor(worker, function)

    kiosk = Kiosk(
        servers=servers,
        vault=vault,
        world=World(
            tor=tor,
            random_bytes=random_bytes,
            now=loop.time,
            wall_clock=wall_clock,
            run_blocking=run_blocking,
            publish=publish,
            resolvers=resolvers,
        ),
        commands=commands,
    )
    running = loop.create_task(kiosk.run())
    running.add_done_callback(lambda _: came.set())
    person = Person(running, commands, events, came)
    try:
        yield person
        if not running.done():
            person.submit(Quit())
            await person.ended()
    finally:
        running.cancel()
        await asyncio.wait([running])
        worker.shutdown()
