"""The practice network that the measures share, with a domain that all can find.

profanity registers at the domain itself, so that has to be a name for this machine
which nobody has to be asked for, and still a domain to everybody else. Its way
through Tor is `tor_relay`, because it has none of its own.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from coykiosk.errors import UserError
from coykiosk.onion.daemon import TorDaemon
from coykiosk.onion.scratch import Scratch
from coykiosk.ports import IsolationKey, Stream
from coykiosk.practice.network import DIRECT_TLS_PORT, STARTTLS_PORT
from coykiosk.practice.tornet import PrivateTorNetwork
from coykiosk.practice.xmpp_server import PracticeServer
from tests.support.terminal import Terminal

DOMAIN: Final = "127.0.0.0x1"
"""To getaddrinfo this is an address, 127.0.0.1 (inet_aton(3))."""
_ROOT: Final = Path(__file__).parents[2]
_TOR_LIMIT_S: Final = 60.0


@asynccontextmanager
async def bench_server() -> AsyncIterator[PracticeServer]:
    """Run the practice network's Prosody alone, without a Tor network."""
    server = PracticeServer(domain=DOMAIN)
    scratch = await Scratch.create(environ=None)
    try:
        await server.start(scratch)
        yield server
    finally:
        await server.stop()
        await scratch.close()


@dataclass(frozen=True, slots=True)
class BenchNetwork:
    """A private Tor network, and behind its onion a Prosody for `DOMAIN`."""

    server: PracticeServer
    onion_host: str
    client_torrc: tuple[str, ...]

    def start_program(self, place: Path) -> Terminal:
        """Start coykiosk in a terminal, for this network and with an empty HOME."""
        place.mkdir()
        servers = place / "servers.toml"
        servers.write_text(
            self.server.servers_toml(onion=self.onion_host, port=DIRECT_TLS_PORT)
        )
        settings = place / "settings.json"
        settings.write_text(
            json.dumps(
                {
                    "servers": str(servers),
                    "torrc": list(self.client_torrc),
                    "vault": str(place / "vault"),
                }
            )
        )
        run_app = _ROOT / "tests" / "support" / "run_app.py"
        return Terminal(
            [sys.executable, "-B", str(run_app), str(settings)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(_ROOT),
            },
        )


@asynccontextmanager
async def bench_network() -> AsyncIterator[BenchNetwork]:
    """Bring the network up, and take it down."""
    scratch = await Scratch.create(environ=None)
    server = PracticeServer(domain=DOMAIN)
    tor = PrivateTorNetwork(
        {
            STARTTLS_PORT: f"127.0.0.1:{server.starttls_port}",
            DIRECT_TLS_PORT: f"127.0.0.1:{server.direct_tls_port}",
        },
        wall_clock=lambda: datetime.now(UTC),
    )
    try:
        await server.start(scratch)
        await tor.start(scratch, lambda _: None)
        await tor.wait_onion_published()
        yield BenchNetwork(server, tor.onion_host, tor.client_torrc)
    finally:
        await tor.stop()
        await server.stop()
        await scratch.close()


@asynccontextmanager
async def tor_relay(network: BenchNetwork) -> AsyncIterator[int]:
    """Have a port on 127.0.0.1 whose connections go through a tor of their own.

    Each leads to the onion's STARTTLS port on a circuit of its own, as with
    torsocks. That tor has just been started, and is ready.
    """
    tor = TorDaemon(
        lambda _: None, {"PATH": os.defpath}, extra_torrc=network.client_torrc
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stream = await tor.dialer.open(
                network.onion_host,
                STARTTLS_PORT,
                isolation_key=IsolationKey.fresh(os.urandom),
            )
            await _join(reader, writer, stream)
        finally:
            writer.close()

    try:
        async with asyncio.timeout(_TOR_LIMIT_S):
            await tor.start(guard_state="")
            await tor.wait_ready()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()
    finally:
        await tor.stop()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
) -> None:
    """Carry bytes both ways until either end closes."""

    async def up() -> None:
        while data := await reader.read(65536):
            stream.write(data)
            await stream.drain()
        await stream.close()

    async def down() -> None:
        while data := await stream.read():
            writer.write(data)
            await writer.drain()
        writer.close()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(up())
            group.create_task(down())
    except* (UserError, ConnectionError):
        pass  # one end has gone, which the other is told by the close
    finally:
        await stream.close()
