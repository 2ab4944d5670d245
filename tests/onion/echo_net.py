"""A private Tor network with an echo behind its onion, and tors of ours on it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from coykiosk.contract import Event
from coykiosk.onion.daemon import TorDaemon
from coykiosk.onion.dialer import SocksStream
from coykiosk.onion.scratch import Scratch
from coykiosk.ports import IsolationKey
from coykiosk.practice.tornet import PrivateTorNetwork
from tests.support.listener import Listener
from tests.support.shared_net import tor_network

T = TypeVar("T")

PORT: Final = 5222
"""The onion's."""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def echo_network() -> AsyncIterator[tuple[PrivateTorNetwork, Scratch]]:
    """As `tor_network`: an echo listens at the onion's `PORT`."""
    async with Listener(_echo) as server, tor_network({PORT: server.port}) as network:
        yield network


class Client:
    """A tor of our own on that network.

    Args:
        tornet: The network.
        torrc: Lines that lead into it; those of the network, if there are none.
    """

    def __init__(self, tornet: PrivateTorNetwork, torrc: tuple[str, ...] = ()) -> None:
        self.events: list[Event] = []
        self.host = tornet.onion_host
        self.daemon = TorDaemon(
            self._publish, os.environ, extra_torrc=torrc or tornet.client_torrc
        )
        self._news = asyncio.Event()

    def _publish(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, kind: type[T]) -> T:
        while not any(isinstance(event, kind) for event in self.events):
            self._news.clear()
            await self._news.wait()
        return next(event for event in self.events if isinstance(event, kind))

    async def start(self, guard_state: str = "") -> None:
        await self.daemon.start(guard_state=guard_state)
        await self.daemon.wait_ready()

    async def dial(self, key: IsolationKey, first_bytes: bytes = b"") -> SocksStream:
        return await self.daemon.dialer.open(
            self.host, PORT, isolation_key=key, first_bytes=first_bytes
        )

    async def first_hop(self) -> str:
        """Talk with the onion and return the first relay of that connection."""
        key = fresh()
        stream = await self.dial(key, b"hello")
        assert await stream.read() == b"hello"
        circuit = await self.daemon.circuit(key)
        await stream.close()
        assert circuit is not None
        return circuit.hops[0].fingerprint

    async def circuit_rows(self) -> list[str]:
        """What tor says of its circuits, a row each."""
        tor = self.daemon._tor
        assert tor is not None
        return (await tor.control.circuit_status()).splitlines()

    @property
    def pid(self) -> int:
        tor = self.daemon._tor
        assert tor is not None
        assert tor.own is not None
        pid: int = tor.own._process.pid
        return pid


def fresh() -> IsolationKey:
    return IsolationKey.fresh(os.urandom)
