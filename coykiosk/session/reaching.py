"""From a way to a server to a session there, by whatever door its domain names.

Rule: a way that is known is gone; one that needs looking up is looked up each time,
because targets change, and then the targets are tried one after the other. The next
one has its turn only while nothing was said inside of TLS: from there on the
server has been found, and what it answers is the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import final

from coykiosk.contract import Secret
from coykiosk.ports import IsolationKey
from coykiosk.register.records import Route
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.opening import (
    Opened,
    OpeningError,
    OpeningStep,
    Purpose,
    open_session,
)
from coykiosk.session.resolving import find_ways
from coykiosk.session.resumption import Resumption
from coykiosk.session.solving import Solve, ask_nobody
from coykiosk.session.world import World

__all__ = ["reach"]


async def reach(
    world: World,
    route: Route,
    *,
    localpart: str,
    password: Secret,
    purpose: Purpose,
    isolation_key: IsolationKey,
    on_step: Callable[[OpeningStep], None],
    limit: asyncio.Timeout,
    solve: Solve = ask_nobody,
    resumption: Resumption | None = None,
) -> Opened:
    """Open one session to one server.

    Args:
        world: The doors, chance, and whom to ask for names.
        route: Which server, and how; looked up first if it `needs_srv`.
        localpart: The account's name.
        password: Not wiped here; copies are.
        purpose: Make the account first, or not.
        isolation_key: Whose circuit it may use; lookups have circuits of their own.
        on_step: Called with each step as it is reached; must not raise.
        limit: The caller's, running; it stands still during the lookup, which has
            limits of its own.
        solve: Whom to ask when the server wants a person.
        resumption: As `open_session`.

    Raises:
        OpeningError: no server was found, or the one that was found says no. When
            several could not be reached: the reason of the first, which is the one
            that the domain prefers.
        UserError: as `open_session`.
    """
    steps = _Steps(on_step)

    async def open_by(way: Route) -> Opened:
        return await open_session(
            world.tor.dialer,
            way,
            localpart=localpart,
            password=password,
            purpose=purpose,
            isolation_key=isolation_key,
            random_bytes=world.random_bytes,
            on_step=steps,
            solve=solve,
            resumption=resumption,
        )

    ways: tuple[Route, ...] = (route,)
    if route.needs_srv:
        steps(OpeningStep.CONNECTING)
        time_left = _time_left(limit)
        limit.reschedule(None)
        ways = await find_ways(
            world.tor.dialer,
            route,
            resolvers=world.resolvers,
            random_bytes=world.random_bytes,
        )
        limit.reschedule(asyncio.get_running_loop().time() + time_left)
    if not ways:
        condition = "not-offered"
        raise _unreachable(condition)
    return await _in_turn(ways, open_by, steps, limit)


async def _in_turn(
    ways: Sequence[Route],
    open_by: Callable[[Route], Awaitable[Opened]],
    steps: "_Steps",
    limit: asyncio.Timeout,
) -> Opened:
    """Try one way after the other; each has an equal share of the time that is left.

    The last one has all of it, and so no limit but the caller's.
    """
    first_error: OpeningError | None = None
    for n_left in range(len(ways), 0, -1):
        share = _time_left(limit) / n_left if n_left > 1 else None
        try:
            async with asyncio.timeout(share) as steps.limit:
                return await open_by(ways[-n_left])
        except TimeoutError:
            error = _unreachable("target-silent")
        except OpeningError as exc:
            error = exc
        if steps.is_found:
            raise error
        first_error = first_error or error
    assert first_error is not None, "there was no way"
    raise first_error


def _time_left(limit: asyncio.Timeout) -> float:
    when = limit.when()
    assert when is not None
    return when - asyncio.get_running_loop().time()


def _unreachable(condition: str) -> OpeningError:
    error = NegotiationError(OpeningReason.UNREACHABLE, condition)
    return OpeningError(error, submitted=False)


@final
class _Steps:
    """Passes steps on, `CONNECTING` once however many targets there are."""

    def __init__(self, on_step: Callable[[OpeningStep], None]) -> None:
        self._on_step = on_step
        self._is_told = False
        self.is_found = False
        """One of the targets is the server: its certificate is good."""
        self.limit: asyncio.Timeout | None = None
        """How long the target that is being tried may take to show that."""

    def __call__(self, step: OpeningStep) -> None:
        if step is OpeningStep.CONNECTING and self._is_told:
            return
        self._is_told = True
        if step is OpeningStep.SECURED:
            self.is_found = True
            if self.limit is not None and not self.limit.expired():
                self.limit.reschedule(None)
        self._on_step(step)
