"""A private Tor network on loopback: one authority, four more relays, an onion.

Rule: real tor from end to end, nothing on another address than 127.0.0.1, every
file and every child inside the scratch directory it is given. It never waits for a
time: each step ends when the nodes say so on their control ports.

    keys -> relays start -> all descriptors are at the authority
         -> the vote is called, not awaited -> consensus
         -> relays and the onion's node fetch it, kicked, not awaited
         -> both descriptors of the onion are stored

It takes about eight seconds on two cores: half a second for keys, the rest for
tor's own ticks, which come once a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from coykiosk.contract import PracticeStep
from coykiosk.errors import UserError
from coykiosk.onion.scratch import ChildError, Scratch
from coykiosk.ports import WallClock
from coykiosk.practice import tor_config
from coykiosk.practice.authority import make_authority
from coykiosk.practice.control_line import ControlFault, ControlLine
from coykiosk.practice.descriptors import EVENT, DescriptorWatch
from coykiosk.practice.faults import failed, missing, refused_by_system
from coykiosk.practice.loopback import HeldPort
from coykiosk.practice.node import Node, prepare_place
from coykiosk.practice.tor_config import Authority, Place

__all__ = ["OnStep", "PrivateTorNetwork"]

OnStep = Callable[[PracticeStep], None]
"""Is told what the network is busy with."""

T = TypeVar("T")

_AUTHORITY: Final = "PracticeAuthority"
_RELAYS: Final = ("PracticeOne", "PracticeTwo", "PracticeThree", "PracticeFour")
"""Each half of a path to an onion has three relays, and the client's last one is the
service's fourth. Tried: with two of them nothing is ever reached, with three the
service sometimes finds no relay to choose."""

_POLL_S: Final = 0.05
_STEP_LIMIT_S: Final = 60.0
_VOTE_LEADS_S: Final = (2, 3, 5, 10, 20)
"""How soon a vote is called; a longer lead when a busy machine missed it."""
_VOTE_SLACK_S: Final = 1.5
_FIRST_KICK_S: Final = 0.2
_KICK_EVERY_S: Final = 1.0
_HAS_DIRECTORY: Final = 75  # percent; control-spec, bootstrap phase "enough_dirinfo"


class PrivateTorNetwork:
    """The network, from `start` to `stop`.

    Args:
        services: Port of the onion -> address and port on this machine.
        wall_clock: Decides when the first vote is due.
    """

    def __init__(
        self,
        services: Mapping[int, str],
        *,
        wall_clock: WallClock = lambda: datetime.now(UTC),
    ) -> None:
        self._services = dict(services)
        self._wall_clock = wall_clock
        self._ports: list[HeldPort] = []
        self._nodes: list[Node] = []
        self._authority: Authority | None = None
        self._onion_host = ""
        self._events: ControlLine | None = None

    @property
    def client_torrc(self) -> tuple[str, ...]:
        """The lines that make a tor a client of this network; after `start`."""
        assert self._authority is not None, "not started"
        return tor_config.client_lines(self._authority)

    @property
    def onion_host(self) -> str:
        """The onion service's name, with `.onion`; after `start`."""
        assert self._onion_host, "not started"
        return self._onion_host

    async def start(self, scratch: Scratch, on_step: OnStep) -> None:
        """Bring the network up, until a client can make its way into it.

        The onion service is on its way then; `wait_onion_published` says when.
        Whatever happens, `stop` must be called.

        Raises:
            UserError: PRACTICE_MISSING, PRACTICE_FAILED, NO_FREE_PORT.
        """
        try:
            await self._boot(scratch, on_step)
        except FileNotFoundError as exc:
            raise missing(exc) from exc
        except ChildError as exc:
            reason = f"keys: {exc}"
            raise failed(reason) from exc
        except (OSError, ValueError) as exc:
            raise refused_by_system(exc) from exc

    async def wait_onion_published(self) -> None:
        """Wait until a client can find the onion service.

        Raises:
            UserError: PRACTICE_FAILED.
        """
        watch = DescriptorWatch()
        events = self._events
        assert events is not None, "not started"

        async def is_published() -> bool:
            # Events of one line only, so a time-out cannot cut one in half.
            try:
                async with asyncio.timeout(_POLL_S):
                    while not watch.is_published:
                        for line in await events.next_event():
                            watch.receive(line)
            except TimeoutError:
                pass
            return watch.is_published

        await self._poll(is_published, "publishing the onion service")

    async def wait_broken(self) -> UserError:
        """Wait until any node ends, and return which and why."""
        ends = [
            asyncio.get_running_loop().create_task(node.wait_end())
            for node in self._nodes
        ]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for end in ends:
                end.cancel()

    async def stop(self) -> None:
        """End every node and let go of the ports; idempotent."""
        if self._events is not None:
            self._events.close()
        for node in self._nodes:
            await node.kill()
        for port in self._ports:
            port.release()

    # --- the steps of `start`, in their order ------------------------------------

    async def _boot(self, scratch: Scratch, on_step: OnStep) -> None:
        on_step(PracticeStep.STARTING_RELAYS)
        root = _make_root(scratch.path)
        first = prepare_place(root, "a")
        self._authority = await make_authority(
            scratch,
            first,
            nickname=_AUTHORITY,
            or_address=str(self._hold_port()),
            dir_address=str(self._hold_port()),
        )
        await self._start_relays(scratch, root, first)
        relays = list(self._nodes)
        await self._poll(self._are_all_described, "the relays' start")
        on_step(PracticeStep.AGREEING_CONSENSUS)
        await self._call_vote()
        onion = await self._start_onion(scratch, prepare_place(root, "o"))
        await self._spread_directory([*relays, onion])

    async def _start_relays(self, scratch: Scratch, root: Path, first: Place) -> None:
        authority = self._authority
        assert authority is not None
        resolv_conf = root / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        # No vote before all relays are known: it would agree on nobody, for long.
        never = tor_config.vote_offset(self._now(), lead_s=-10)
        lines = tor_config.relay_lines(
            authority,
            nickname=_AUTHORITY,
            or_address=authority.or_address,
            resolv_conf=resolv_conf,
            offset_s=never,
        )
        node = await self._add(scratch, _AUTHORITY, first, lines)

        async def answers() -> bool:
            return bool(await node.ask("GETINFO version"))

        # A relay that finds no authority to report to would wait long to try again.
        await self._poll(answers, "the authority's start")
        for number, name in enumerate(_RELAYS, start=1):
            lines = tor_config.relay_lines(
                authority,
                nickname=name,
                or_address=str(self._hold_port()),
                resolv_conf=resolv_conf,
            )
            await self._add(scratch, name, prepare_place(root, str(number)), lines)

    async def _are_all_described(self) -> bool:
        """Tell whether the authority has every relay's descriptor."""
        lines = await self._nodes[0].ask("GETINFO desc/all-recent")
        n_known = sum(line.startswith("router ") for line in lines)
        return n_known == len(self._nodes)

    async def _call_vote(self) -> None:
        """Have the authority vote now, and wait for the consensus.

        Raises:
            UserError: PRACTICE_FAILED.
        """
        for lead_s in _VOTE_LEADS_S:
            offset = tor_config.vote_offset(self._now(), lead_s)
            await self._nodes[0].ask(f"SETCONF TestingV3AuthVotingStartOffset={offset}")
            try:
                await self._poll(
                    self._is_agreed, "the consensus", limit_s=lead_s + _VOTE_SLACK_S
                )
            except UserError:
                self._check_alive()
            else:
                return
        reason = "the relays do not agree on a consensus"
        raise failed(reason)

    async def _is_agreed(self) -> bool:
        """Tell whether there is a consensus that has every relay."""
        lines = await self._nodes[0].ask("GETINFO ns/all")
        n_listed = sum(line.startswith("r ") for line in lines)
        return n_listed == len(self._nodes)

    async def _start_onion(self, scratch: Scratch, place: Place) -> Node:
        assert self._authority is not None
        lines = tor_config.onion_lines(self._authority, place, self._services)
        node = await self._add(scratch, "the onion service", place, lines)

        async def listens_for_events() -> bool:
            events = await node.open_line()
            self._events = events
            await events.ask(f"SETEVENTS {EVENT}")
            return True

        async def has_name() -> bool:
            self._onion_host = _read_if_there(place.service / "hostname")
            return bool(self._onion_host)

        await self._poll(listens_for_events, "the onion service's start")
        await self._poll(has_name, "the onion service's start")
        return node

    async def _spread_directory(self, nodes: list[Node]) -> None:
        """Have every node fetch the consensus and what belongs to it, now.

        They have been asking in vain since they started, and would wait ever longer
        before they ask again; a reload starts their count anew. The authority needs
        none: and a reload would make it forget when it votes.
        """
        waiting = list(nodes)
        loop = asyncio.get_running_loop()
        next_kick = loop.time() + _FIRST_KICK_S

        async def is_spread() -> bool:
            nonlocal next_kick
            for node in list(waiting):
                if await node.bootstrap_percent() >= _HAS_DIRECTORY:
                    waiting.remove(node)
            if loop.time() >= next_kick:
                next_kick = loop.time() + _KICK_EVERY_S
                for node in waiting:
                    if node is not self._nodes[0]:
                        await node.ask("SIGNAL RELOAD")
            return not waiting

        await self._poll(is_spread, "spreading the directory")

    # --- tools --------------------------------------------------------------------

    async def _add(
        self, scratch: Scratch, name: str, place: Place, lines: tuple[str, ...]
    ) -> Node:
        node = await Node.start(scratch, name, place, lines)
        self._nodes.append(node)
        return node

    async def _poll(
        self,
        is_done: Callable[[], Awaitable[bool]],
        what: str,
        *,
        limit_s: float = _STEP_LIMIT_S,
    ) -> None:
        """Ask until the answer is yes; a node that cannot answer yet is asked again.

        Raises:
            UserError: PRACTICE_FAILED: a node ended, or it takes too long.
        """
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        if await is_done():
                            return
                    except ControlFault:
                        pass
                    self._check_alive()
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as exc:
            reason = f"{what} takes too long"
            raise failed(reason) from exc

    def _check_alive(self) -> None:
        for node in self._nodes:
            node.check_alive()

    def _hold_port(self) -> HeldPort:
        port = HeldPort()
        self._ports.append(port)
        return port

    def _now(self) -> float:
        return self._wall_clock().timestamp()


def _make_root(parent: Path) -> Path:
    root = parent / "tor"
    root.mkdir(mode=0o700)
    return root


def _read_if_there(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
