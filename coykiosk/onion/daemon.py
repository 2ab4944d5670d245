"""The tor we use, found or our own: `ports.Tor`.

Rule: one writer. What tor says and what becomes of it is told as events; when
it is gone, the dialer is cut before anybody is told, so that no connection
outlives it and none can be made.

    stopped --start--> bootstrapping --100 %--> ready
       ^                 ^   |                    |
       |                 +---|--- use_bridges ----+
       +---- stop, or tor is gone (TorStopped) ---+

With bridges it is always our own tor: one that runs already takes none from us, and
would go the way that the bridges are to hide. What cannot be used as a bridge keeps
tor from starting; it never falls back to the open way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from coykiosk.contract import Event, Failed, TorProgress, TorReady, TorStopped
from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.attached import Attached, complaint
from coykiosk.onion.bridges import Bridge
from coykiosk.onion.child import OwnTor
from coykiosk.onion.dialer import SocksDialer
from coykiosk.onion.environment import BadEnvironmentError, Wishes, read_wishes
from coykiosk.onion.finder import find_tor
from coykiosk.onion.status import Bootstrap, find_circuit
from coykiosk.onion.torrc import guard_lines
from coykiosk.onion.transports import read_bridges, require_programs
from coykiosk.ports import Circuit, IsolationKey

__all__ = ["TorDaemon"]

_STALL_S: Final = 60.0
"""Without progress for this long, the network is to blame."""
_ASK_AGAIN_S: Final = 2.0
"""How often a tor whose events are withheld is asked how far it is."""


class TorDaemon:
    """Finds or starts tor, watches it, and ends what is ours.

    Args:
        publish: Takes the events; never blocks.
        environ: TOR_*, PATH and the like.
        extra_torrc: Lines for a tor of our own, which is then always started:
            they describe another network than a running tor's.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        environ: Mapping[str, str],
        *,
        extra_torrc: Sequence[str] = (),
    ) -> None:
        self._publish = publish
        self._environ = environ
        self._extra_torrc = tuple(extra_torrc)
        self._dialer = SocksDialer(on_gone=self._lose_current)
        self._lock = asyncio.Lock()
        self._tor: Attached | None = None
        self._tending: set[asyncio.Task[None]] = set()
        self._guards = ""
        self._bridges: tuple[str, ...] = ()
        self._is_wanted = False
        """True from the first `start` to `stop`, however tor fares."""
        self._failure: UserError | None = None
        self._turned = asyncio.Event()

    @property
    def dialer(self) -> SocksDialer:
        """The way out; refuses with TOR_STOPPED until Tor runs."""
        return self._dialer

    def check_bridges(self, text: str) -> tuple[str, ...]:
        """Read bridge lines, and see whether they can be used here.

        Raises:
            UserError: BRIDGE_LINE_BAD, BRIDGE_KIND_UNKNOWN, BRIDGE_PROGRAM_MISSING,
                BRIDGES_NOT_OURS, BRIDGES_LEAD_OUT, TOR_START_FAILED.
        """
        return tuple(bridge.line for bridge in self._usable(text))

    async def use_bridges(self, lines: Sequence[str]) -> None:
        """Take these ways from now on; see `ports.Tor.use_bridges`."""
        async with self._lock:
            if self._bridges == tuple(lines) and self._tor is not None:
                return
            self._bridges = tuple(lines)
            if not self._is_wanted:
                return
            await self._dismiss()
            self._publish(TorProgress(0, "starting"))
            try:
                await self._begin()
            except UserError as error:
                self._publish(TorStopped(error))

    async def start(self, *, guard_state: str) -> None:
        """Find a running tor or start our own; see `ports.Tor.start`.

        Raises:
            UserError: TOR_MISSING, TOR_START_FAILED, TOR_IMPOSTOR,
                TOR_CONTROL_REFUSED, or one of the BRIDGE codes.
        """
        async with self._lock:
            self._is_wanted = True
            if self._tor is not None:
                return
            # After a death, what this session knows counts: the guard stays.
            self._guards = guard_lines(guard_state) or self._guards
            await self._begin()

    async def wait_ready(self) -> None:
        """Wait until circuits can be built.

        Raises:
            UserError: TOR_STOPPED when tor died or was stopped; what `start`
                raised when it could not start.
        """
        while self._tor is None or not self._tor.is_ready:
            if self._failure is not None:
                raise UserError(self._failure.code, **self._failure.facts)
            await self._turned.wait()

    async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
        """Return the built circuit that carries this key's streams, if any."""
        if self._tor is None:
            return None
        return find_circuit(await self._tor.control.circuit_status(), isolation_key)

    def guard_state(self) -> str:
        """Return the guard lines worth keeping, "" when there are none."""
        if self._tor is not None:
            own = self._tor.own
            return "" if own is None else own.guards() or self._guards
        return self._guards

    async def stop(self) -> None:
        """End our own tor and remove its directory; idempotent."""
        async with self._lock:
            self._is_wanted = False
            tor, self._tor = self._tor, None
            self._failure = UserError(ErrorCode.TOR_STOPPED)
            self._dialer.cut(self._failure)
            self._turn()
            if tor is not None:
                tor.is_dismissed = True
                tor.gone.set()
            if self._tending:
                await asyncio.gather(*self._tending)

    async def _dismiss(self) -> None:
        """End the tor there is, for another one; who waits for tor goes on waiting."""
        tor, self._tor = self._tor, None
        self._failure = None
        self._dialer.change()
        if tor is not None:
            tor.is_dismissed = True
            tor.gone.set()
        if self._tending:
            # Not `gather`: were we cancelled here, it would cancel the clearing away.
            await asyncio.wait(tuple(self._tending))

    async def _begin(self) -> None:
        """Get a tor, and have it tended."""
        self._failure = None
        try:
            tor = await self._obtain()
        except UserError as error:
            self._failure = error
            self._turn()
            raise
        self._tor = tor
        self._dialer.use(tor.socks)
        # Owned by `stop`, which waits for its end and raises what it raises.
        task = asyncio.get_running_loop().create_task(self._tend(tor))
        self._tending.add(task)
        task.add_done_callback(partial(self._tended, tor))

    def _wishes(self) -> Wishes:
        try:
            return read_wishes(self._environ)
        except BadEnvironmentError as exc:
            reason = str(exc)
            raise UserError(ErrorCode.TOR_START_FAILED, reason=reason) from exc

    def _usable(self, text: str) -> tuple[Bridge, ...]:
        """Read bridges that tor can be told to use here; raises as `check_bridges`."""
        bridges = read_bridges(text)
        if not bridges:
            return ()
        if self._extra_torrc:
            # Another network, all on this machine: no bridge of it lies elsewhere.
            if not all(bridge.is_on_this_machine for bridge in bridges):
                raise UserError(ErrorCode.BRIDGES_LEAD_OUT)
        elif not self._wishes().may_launch:
            raise UserError(ErrorCode.BRIDGES_NOT_OURS)
        require_programs(bridges, self._environ)
        return bridges

    async def _obtain(self) -> Attached:
        """Find a tor or launch one."""
        bridges = self._usable("\n".join(self._bridges))
        if self._bridges and not bridges:
            raise UserError(ErrorCode.BRIDGE_LINE_BAD, number="1")
        if not self._extra_torrc and not bridges:
            wishes = self._wishes()
            found = await find_tor(wishes)
            if found is not None:
                self._guards = ""
                return Attached(found.socks, found.control, None)
            if not wishes.may_launch:
                where = wishes.candidates[0].socks
                reason = f"no tor answers at {where}, and none may be started"
                raise UserError(ErrorCode.TOR_START_FAILED, reason=reason)
        own, control = await OwnTor.launch(
            self._environ,
            extra_torrc=self._extra_torrc,
            guard_state=self._guards,
            bridges=bridges,
        )
        return Attached(own.socks, control, own)

    async def _tend(self, tor: Attached) -> None:
        """Look after one tor until it is gone, then clear it away."""
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._follow(tor))]
                if tor.own is not None:
                    helpers.append(group.create_task(self._outlive(tor, tor.own)))
                await tor.gone.wait()
                for helper in helpers:
                    helper.cancel()
        finally:
            await self._clear_away(tor)

    async def _clear_away(self, tor: Attached) -> None:
        try:
            if tor.own is not None:
                guards = await tor.own.end()
                if tor.is_dismissed:
                    self._guards = guards or self._guards
            await tor.control.close()
        finally:
            if tor.own is not None:
                await tor.own.close()

    async def _outlive(self, tor: Attached, own: OwnTor) -> None:
        await own.wait_end()
        self._lose(tor)

    async def _follow(self, tor: Attached) -> None:
        """Follow the bootstrap: what tor tells, what it must be asked, the silence."""
        tor.tells_progress = await tor.control.watch(
            on_bootstrap=partial(self._heard, tor), on_closed=partial(self._lose, tor)
        )
        first = await tor.control.bootstrap()
        if first is not None:
            self._heard(tor, first)
        elif tor.own is None:
            # A filtered control port says nothing of it; the system's own tor is
            # up as a rule, and a connection will tell.
            self._become_ready(tor)
        while not tor.is_ready:
            tor.moved.clear()
            try:
                async with asyncio.timeout(_STALL_S):
                    await self._next_move(tor)
            except TimeoutError:
                self._complain(tor)

    async def _next_move(self, tor: Attached) -> None:
        if tor.tells_progress:
            await tor.moved.wait()
            return
        while not tor.moved.is_set():
            await asyncio.sleep(_ASK_AGAIN_S)
            now = await tor.control.bootstrap()
            if now is not None:
                self._heard(tor, now)

    def _heard(self, tor: Attached, bootstrap: Bootstrap) -> None:
        if tor is not self._tor or tor.is_ready:
            return
        before, tor.bootstrap = tor.bootstrap, bootstrap
        if before is None or bootstrap.percent > before.percent:
            tor.moved.set()  # to change back and forth is no progress
        if before is None or (before.percent, before.tag) != (
            bootstrap.percent,
            bootstrap.tag,
        ):
            self._publish(TorProgress(bootstrap.percent, bootstrap.tag))
        if bootstrap.is_done:
            self._become_ready(tor)
        elif bootstrap.is_severe:
            self._complain(tor)

    def _become_ready(self, tor: Attached) -> None:
        if tor is not self._tor:
            return
        tor.is_ready = True
        tor.moved.set()
        self._publish(TorReady(own=tor.own is not None))
        self._turn()

    def _complain(self, tor: Attached) -> None:
        """Say that tor is stuck, once for each place; tor goes on trying."""
        percent = tor.bootstrap.percent if tor.bootstrap else 0
        if tor is not self._tor or tor.n_percent_complained >= percent:
            return
        tor.n_percent_complained = percent
        error = complaint(tor.bootstrap, with_bridges=bool(self._bridges))
        self._publish(Failed(error, None))

    def _lose(self, tor: Attached) -> None:
        """Tor is gone, without having been asked to go."""
        tor.gone.set()
        if tor is not self._tor:
            return
        if tor.own is not None:
            self._guards = tor.own.guards() or self._guards
        self._tor = None
        self._failure = UserError(ErrorCode.TOR_STOPPED)
        # Order matters: the connections end before anybody is told.
        self._dialer.cut(self._failure)
        self._publish(TorStopped(self._failure))
        self._turn()

    def _lose_current(self) -> None:
        """A connection noticed first that tor is gone."""
        if self._tor is not None:
            self._lose(self._tor)

    def _tended(self, tor: Attached, task: asyncio.Task[None]) -> None:
        """Forget a finished task; one that failed stays for `stop` to raise."""
        if task.cancelled() or task.exception() is None:
            self._tending.discard(task)
        else:
            self._lose(tor)

    def _turn(self) -> None:
        """Wake everybody who waits for a change."""
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()
