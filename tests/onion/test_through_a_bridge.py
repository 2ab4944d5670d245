"""Our tor through a real obfs4 bridge, and in front of one that is gone."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coykiosk.contract import Event, Failed, TorProgress, TorReady, TorStopped
from coykiosk.errors import ErrorCode, UserError
from coykiosk.practice.tornet import PrivateTorNetwork
from tests.onion.echo_net import Client, echo_network, fresh
from tests.support.obfs4_bridge import Obfs4Bridge, blocked, start_bridge
from tests.support.shared_net import SharedNet

pytestmark = [pytest.mark.network, pytest.mark.timeout(240)]


class Net(SharedNet):
    """The network, and a bridge into it."""

    tornet: PrivateTorNetwork
    bridge: Obfs4Bridge

    async def _start(self) -> None:
        self.tornet, scratch = await self._stack.enter_async_context(echo_network())
        async with asyncio.TaskGroup() as group:
            bridge = group.create_task(
                start_bridge(scratch, self.tornet.client_torrc, scratch.path)
            )
            group.create_task(self.tornet.wait_onion_published())
        self.bridge = bridge.result()
        self._stack.push_async_callback(self.bridge.stop)


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.close()


async def first_hops(client: Client) -> set[str]:
    """The first relays of all circuits that tor has."""
    rows = [row.split() for row in await client.circuit_rows()]
    return {row[2][1:41] for row in rows if row[1] == "BUILT"}


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/exe").readlink().name


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0.02)


def test_tor_reaches_an_onion_through_the_bridge_and_nothing_else(net: Net) -> None:
    async def main() -> tuple[Any, ...]:
        client = Client(net.tornet)
        lines = client.daemon.check_bridges(f"\nBridge {net.bridge.line}\n")
        await client.daemon.use_bridges(lines)
        before = list(client.events)
        try:
            await client.start()
            hop = await client.first_hop()
            hops = await first_hops(client)
        finally:
            await client.daemon.stop()
        return before, hop, hops, client.events

    before, hop, hops, events = net.run(main())

    assert before == []
    assert hop == net.bridge.fingerprint
    assert hops == {net.bridge.fingerprint}
    tags = [event.tag for event in events if isinstance(event, TorProgress)]
    assert "conn_done_pt" in tags
    assert events[-2:] == [TorProgress(100, "done"), TorReady(own=True)]


def test_tor_is_started_anew_when_bridges_are_given_and_taken_away(net: Net) -> None:
    async def main() -> tuple[Any, ...]:
        client = Client(net.tornet)
        await client.start()
        stream = await client.dial(fresh())
        try:
            waiting = asyncio.get_running_loop().create_task(stream.read())
            await asyncio.sleep(0)
            await client.daemon.use_bridges((net.bridge.line,))
            with pytest.raises(UserError) as caught:
                await waiting
            await client.daemon.wait_ready()
            hidden = await client.first_hop()
            await client.daemon.use_bridges(())
            await client.daemon.wait_ready()
            open_hop = await client.first_hop()
        finally:
            await client.daemon.stop()
        return caught.value.code, hidden, open_hop, client.events

    code, hidden, open_hop, events = net.run(main(), 120)

    assert code is ErrorCode.CONNECTION_LOST
    assert hidden == net.bridge.fingerprint
    assert open_hop != net.bridge.fingerprint
    assert not any(isinstance(event, TorStopped) for event in events)
    assert sum(isinstance(event, TorReady) for event in events) == 3


@pytest.mark.parametrize("is_frozen", [False, True], ids=["well", "frozen"])
def test_transport_dies_with_tor_and_knows_nothing_of_us(
    net: Net, monkeypatch: pytest.MonkeyPatch, *, is_frozen: bool
) -> None:
    monkeypatch.setenv("COYKIOSK_TEST_MARK", "told")

    async def main() -> tuple[list[int], bytes, str]:
        client = Client(net.tornet)
        await client.daemon.use_bridges((net.bridge.line,))
        await client.daemon.start(guard_state="")
        try:
            await client.daemon.wait_ready()
            children = children_of(client.pid)
            (child,) = children
            environment, program = environment_of(child), program_of(child)
            if is_frozen:
                os.kill(child, signal.SIGSTOP)
            os.kill(client.pid, signal.SIGKILL)
            await eventually(lambda: not is_running(child))
        finally:
            await client.daemon.stop()
        return children, environment, program

    children, environment, program = net.run(main())

    assert program == "obfs4proxy"
    assert b"COYKIOSK_TEST_MARK" not in environment
    assert not any(is_running(child) for child in children)


@pytest.mark.parametrize("ruin", ["gone", "stranger"])
def test_person_is_told_when_the_bridge_does_not_answer(
    net: Net, monkeypatch: pytest.MonkeyPatch, ruin: str
) -> None:
    monkeypatch.setattr("coykiosk.onion.daemon._STALL_S", 3.0)
    line = net.bridge.line
    if ruin == "stranger":
        line = line.replace("cert=", "cert=AAAA")[: line.index(" iat")] + " iat-mode=0"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # held, and never listened on
        if ruin == "gone":
            port = nobody.getsockname()[1]
            line = line.replace(line.split()[1], f"127.0.0.1:{port}")

        async def main() -> list[Event]:
            client = Client(net.tornet)
            await client.daemon.use_bridges(client.daemon.check_bridges(line))
            await client.daemon.start(guard_state="")
            try:
                await client.until(Failed)
            finally:
                await client.daemon.stop()
            return client.events

        events = net.run(main())

    failed = next(event for event in events if isinstance(event, Failed))
    assert (failed.error.code, failed.during) == (ErrorCode.BRIDGES_SILENT, None)
    assert not any(isinstance(event, TorReady) for event in events)


def test_person_is_told_that_tor_is_blocked_and_bridges_lead_around_it(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.daemon._STALL_S", 3.0)
    taken: list[asyncio.StreamWriter] = []

    async def swallow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        taken.append(writer)
        while await reader.read(65536):
            pass

    async def main() -> tuple[Failed, str, list[Event]]:
        censor = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = censor.sockets[0].getsockname()[1]
        client = Client(net.tornet, blocked(net.tornet.client_torrc, port))
        await client.daemon.start(guard_state="")
        try:
            failed = await client.until(Failed)
            await client.daemon.use_bridges((net.bridge.line,))
            await client.daemon.wait_ready()
            hop = await client.first_hop()
        finally:
            await client.daemon.stop()
            censor.close()
            for writer in taken:
                writer.close()
        return failed, hop, client.events

    failed, hop, events = net.run(main())

    assert taken
    assert failed.error.code is ErrorCode.TOR_BLOCKED
    assert hop == net.bridge.fingerprint
    assert not any(isinstance(event, TorStopped) for event in events)
