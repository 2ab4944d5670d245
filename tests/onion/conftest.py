"""Listeners that play a part, and a deadline for every test that waits."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coykiosk.onion.addresses import TcpAddress, UnixAddress, parse_listener
from coykiosk.onion.control import ControlPort
from coykiosk.onion.environment import Credentials
from coykiosk.onion.scratch import Scratch

T = TypeVar("T")

DEADLINE_S = 30.0
CURTAIN_S = 5.0
Part = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Stage = Callable[[Part], "contextlib.AbstractAsyncContextManager[UnixAddress]"]
RealTorStage = Callable[..., "contextlib.AbstractAsyncContextManager[RealTor]"]


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine to its end, bounded in time."""

    async def bounded(work: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await work

    return lambda work: asyncio.run(bounded(work))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a function that puts a scripted server on a Unix socket."""

    numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def put(part: Part) -> AsyncIterator[UnixAddress]:
        playing: set[asyncio.Task[None]] = set()

        async def play(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            assert task is not None
            playing.add(task)
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await part(reader, writer)
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

        path = tmp_path / f"s{next(numbers)}"
        server = await asyncio.start_unix_server(play, str(path))
        try:
            yield UnixAddress(path)
        finally:
            # A connection that ended at once is still in the listener's queue;
            # every turn of the loop accepts, plays and closes a step of it.
            for _ in range(8):
                await asyncio.sleep(0)
            server.close()
            if playing:
                _, late = await asyncio.wait(playing, timeout=CURTAIN_S)
                assert not late, "a client is still connected"
            path.unlink(missing_ok=True)

    return put


DEAD_NETWORK = (
    "UseDefaultFallbackDirs 0",
    f"DirAuthority dead orport=9 no-v2 v3ident={1:040} 127.0.0.1:9 {2:040}",
    "ClientRejectInternalAddresses 0",
)
"""tor lines for a network whose only authority is nobody on this machine."""


@dataclass(frozen=True, slots=True)
class RealTor:
    """A real tor with no network, run by somebody else than the code under test."""

    socks: TcpAddress
    control: TcpAddress
    cookie: Path
    process: asyncio.subprocess.Process


@pytest.fixture
def dead_network() -> tuple[str, ...]:
    return DEAD_NETWORK


@pytest.fixture
def real_tor() -> RealTorStage:
    """Return a context in which a real tor listens on free TCP ports."""

    @contextlib.asynccontextmanager
    async def put(*lines: str) -> AsyncIterator[RealTor]:
        scratch = await Scratch.create()
        try:
            data = scratch.path / "data"
            data.mkdir(mode=0o700)
            ports = scratch.path / "ports"
            torrc = (
                f"DataDirectory {data}",
                "SocksPort 127.0.0.1:auto",
                "ControlPort 127.0.0.1:auto",
                f"ControlPortWriteToFile {ports}",
                *(lines or ("CookieAuthentication 1",)),
                *DEAD_NETWORK,
            )
            process = await scratch.spawn("tor", "-f", "-", input=_joined(torrc))
            while not ports.exists():
                assert process.returncode is None, "tor did not start"
                await asyncio.sleep(0.02)
            address = parse_listener(ports.read_text().strip().removeprefix("PORT="))
            assert isinstance(address, TcpAddress)
            cookie = data / "control_auth_cookie"
            credentials = Credentials(password="known")  # noqa: S106  # a test's
            control = await ControlPort.connect(address, credentials)
            listeners = await control.socks_listeners()
            await control.close()
            assert listeners is not None
            socks = listeners[0]
            assert isinstance(socks, TcpAddress)
            yield RealTor(socks, address, cookie, process)
        finally:
            await scratch.close()

    return put


def _joined(lines: tuple[str, ...]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()
