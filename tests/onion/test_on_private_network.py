"""Our tor and our dialer on a real, private Tor network with an onion service."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from coykiosk.contract import Event, TorProgress, TorReady, TorStopped
from coykiosk.errors import ErrorCode, UserError
from coykiosk.practice.tornet import PrivateTorNetwork
from tests.onion.echo_net import Client, echo_network, fresh
from tests.support.shared_net import SharedNet

pytestmark = [pytest.mark.network, pytest.mark.timeout(240)]


class Net(SharedNet):
    """The network, with its onion published."""

    tornet: PrivateTorNetwork

    async def _start(self) -> None:
        self.tornet, _ = await self._stack.enter_async_context(echo_network())
        await self.tornet.wait_onion_published()


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.close()


def test_dialer_reaches_an_onion_and_first_bytes_arrive(net: Net) -> None:
    async def main() -> tuple[bytes, bytes, list[Event]]:
        client = Client(net.tornet)
        await client.start()
        try:
            stream = await client.dial(fresh(), b"early")
            early = await stream.read()
            stream.write(b"late")
            late = await stream.read()
            await stream.close()
        finally:
            await client.daemon.stop()
        return early, late, client.events

    early, late, events = net.run(main())

    assert (early, late) == (b"early", b"late")
    percents = [e.percent for e in events if isinstance(e, TorProgress)]
    assert percents == sorted(percents)
    assert events[-2:] == [TorProgress(100, "done"), TorReady(own=True)]


def test_two_keys_never_share_a_circuit_and_one_key_does(net: Net) -> None:
    async def main() -> tuple[Any, ...]:
        client = Client(net.tornet)
        await client.start()
        try:
            mine, yours, unused = fresh(), fresh(), fresh()
            streams = [await client.dial(k) for k in (mine, yours, mine)]
            rows = await client.circuit_rows()
            seen = [await client.daemon.circuit(k) for k in (mine, yours, unused)]
            for stream in streams:
                await stream.close()
        finally:
            await client.daemon.stop()
        return mine, yours, rows, seen

    mine, yours, rows, (circuit_1, circuit_2, circuit_3) = net.run(main())

    joined = [row for row in rows if "HS_STATE=HSCR_JOINED" in row]
    assert sum(mine.user in row for row in joined) == 1
    assert sum(yours.user in row for row in joined) == 1
    assert not any(mine.user in row and yours.user in row for row in joined)
    assert circuit_1.to_onion
    assert circuit_2.to_onion
    assert len(circuit_1.hops) >= 3
    assert all(len(hop.fingerprint) == 40 for hop in circuit_1.hops)
    assert circuit_3 is None


def test_unknown_onion_is_said_to_be_unreachable(net: Net) -> None:
    async def main() -> UserError:
        client = Client(net.tornet)
        await client.start()
        client.host = "a" * 55 + "d.onion"
        try:
            with pytest.raises(UserError) as caught:
                await client.dial(fresh())
        finally:
            await client.daemon.stop()
        return caught.value

    error = net.run(main())

    assert error.code is ErrorCode.SERVER_UNREACHABLE
    assert error.facts["server"].endswith(".onion")


def test_reads_end_when_tor_is_killed_and_nothing_goes_out_after(net: Net) -> None:
    async def main() -> tuple[list[ErrorCode], list[Event]]:
        client = Client(net.tornet)
        await client.start()
        codes: list[ErrorCode] = []

        async def expect(work: Coroutine[Any, Any, Any]) -> None:
            with pytest.raises(UserError) as caught:
                await work
            codes.append(caught.value.code)

        try:
            stream = await client.dial(fresh(), b"x")
            await stream.read()
            async with asyncio.TaskGroup() as group:
                group.create_task(expect(stream.read()))
                await asyncio.sleep(0)
                os.kill(client.pid, signal.SIGKILL)
            await expect(client.dial(fresh()))
            await expect(client.daemon.wait_ready())
            await stream.close()
        finally:
            await client.daemon.stop()
        return codes, client.events

    codes, events = net.run(main())

    assert codes == [ErrorCode.TOR_STOPPED] * 3
    assert isinstance(events[-1], TorStopped)
    assert sum(isinstance(event, TorStopped) for event in events) == 1


def test_guard_is_the_same_in_the_next_session_when_it_is_kept(net: Net) -> None:
    async def session(guard_state: str) -> tuple[str, str]:
        client = Client(net.tornet)
        await client.start(guard_state)
        try:
            guard = await client.first_hop()
        finally:
            await client.daemon.stop()
        return guard, client.daemon.guard_state()

    async def main() -> tuple[str, list[str], str]:
        first, kept = await session("")
        later = [(await session(kept))[0] for _ in range(3)]
        return first, later, kept

    first, later, kept = net.run(main())

    assert later == [first] * 3
    assert f"rsa_id={first}" in kept
    assert all(row.startswith("Guard in=default ") for row in kept.splitlines())
