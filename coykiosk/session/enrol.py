"""The pump of the one action: carries out what register.flow decides.

Rule: decides nothing about servers; before a registration goes out, the name and
password that it will create are handed to `remember`, which returns when they
are safe. So a cut at any moment leaves no account whose password is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, assert_never

from coykiosk.contract import (
    EnrolmentAdvanced,
    EnrolmentStep,
    Secret,
    ServerTried,
)
from coykiosk.errors import ErrorCode, UserError, only_error
from coykiosk.ports import IsolationKey
from coykiosk.register.flow import (
    Attempt,
    AttemptKind,
    Enrolled,
    Enrolment,
    GiveUp,
    InvitationRefused,
    LoginRefused,
    Outcome,
    Refused,
    Silent,
    Skipped,
    Succeeded,
    Unreachable,
)
from coykiosk.register.identity import Identity
from coykiosk.register.servers import Route
from coykiosk.session.opening import (
    Opened,
    OpeningError,
    OpeningStep,
    Purpose,
)
from coykiosk.session.outcomes import to_outcome, to_user_error_from_outcome
from coykiosk.session.person import Person
from coykiosk.session.reaching import reach
from coykiosk.session.solving import Solve, Solving, ask_nobody
from coykiosk.session.world import World

__all__ = ["NewAccount", "NotFound", "enrol", "find_again"]

FIND_AGAIN_LIMIT_S: Final = 60.0
_NO_SUCH_ACCOUNT: Final = "not-authorized"  # RFC 6120, section 6.5.10


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that did not exist before, and the stream it is signed in on."""

    identity: Identity
    route: Route
    opened: Opened
    isolation_key: IsolationKey


@dataclass(frozen=True, slots=True)
class NotFound:
    """An account whose registration was never answered lets nobody in."""

    may_exist: bool
    """False when its server has said that there is no such account."""


async def enrol(
    enrolment: Enrolment,
    *,
    world: World,
    person: Person,
    remember: Callable[[Identity, Route], Awaitable[None]],
    on_submitted: Callable[[Identity], None],
) -> NewAccount:
    """Try servers until one takes us.

    Args:
        enrolment: The machine that decides, not yet started.
        world: The doors, the clocks and chance.
        person: Whom a server's puzzle is shown to.
        remember: Makes the credentials safe; awaited before they are used.
        on_submitted: Called before they go out: from now on the account may exist.

    Raises:
        UserError: NO_SERVER_LEFT, or TOR_STOPPED.
    """
    isolation_key = IsolationKey.fresh(world.random_bytes)
    n_told = 0
    effect = enrolment.start()
    while True:
        match effect:
            case Attempt():
                if effect.kind is AttemptKind.REGISTER:
                    await remember(effect.identity, effect.route)
                if effect.fresh_circuit:
                    isolation_key = IsolationKey.fresh(world.random_bytes)
                result = await _attempt(
                    effect.route,
                    effect.identity,
                    purpose=_PURPOSES[effect.kind],
                    limit_s=effect.limit_s,
                    isolation_key=isolation_key,
                    world=world,
                    person=person,
                    on_submitted=on_submitted,
                )
                if isinstance(result, NewAccount):
                    enrolment.feed(Succeeded())
                    return result
                effect = enrolment.feed(result)
                n_told = _tell_tried(enrolment, n_told, world)
            case GiveUp(tried=tried):
                raise UserError(ErrorCode.NO_SERVER_LEFT, count=str(len(tried)))
            case Enrolled():
                msg = "enrolled without having signed in"
                raise AssertionError(msg)
            case _ as unreachable:
                assert_never(unreachable)


async def find_again(
    identity: Identity, route: Route, *, world: World, person: Person | None = None
) -> NewAccount | NotFound:
    """Sign in to an account whose registration was never answered.

    Args:
        identity: Its name and password.
        route: The way to its server.
        world: The doors, the clocks and chance.
        person: Who may go on without it while it is looked for.

    Raises:
        UserError: TOR_STOPPED.
    """
    result = await _attempt(
        route,
        identity,
        purpose=Purpose.LOG_IN,
        limit_s=FIND_AGAIN_LIMIT_S,
        isolation_key=IsolationKey.fresh(world.random_bytes),
        world=world,
        person=person,
        on_submitted=lambda _: None,
    )
    if isinstance(result, NewAccount):
        return result
    match result:
        case LoginRefused(condition=condition) if condition == _NO_SUCH_ACCOUNT:
            return NotFound(may_exist=False)
        case _:  # anything else says nothing about the account
            return NotFound(may_exist=True)


def _tell_tried(enrolment: Enrolment, n_told: int, world: World) -> int:
    for tried in enrolment.tried[n_told:]:
        error = to_user_error_from_outcome(tried.outcome, server=tried.domain)
        world.publish(ServerTried(tried.domain, error, _words_of(tried.outcome)))
    return len(enrolment.tried)


def _words_of(outcome: Outcome) -> str:
    match outcome:
        case Refused(text=text) | InvitationRefused(text=text):
            return text
        case _:
            return ""


async def _attempt(
    route: Route,
    identity: Identity,
    *,
    purpose: Purpose,
    limit_s: float,
    isolation_key: IsolationKey,
    world: World,
    person: Person | None,
    on_submitted: Callable[[Identity], None],
) -> Outcome | NewAccount:
    """Dial, secure, register and sign in; tell how it ended."""
    is_submitted = False

    def on_step(step: OpeningStep) -> None:
        nonlocal is_submitted
        if step is OpeningStep.SUBMITTING:
            is_submitted = True
            on_submitted(identity)
        shown = _SHOWN_STEPS.get(step)
        if shown is not None:
            world.publish(EnrolmentAdvanced(shown, route.domain))

    try:
        opened = await _open(
            route,
            identity,
            purpose=purpose,
            limit_s=limit_s,
            isolation_key=isolation_key,
            world=world,
            person=person,
            on_step=on_step,
        )
    except TimeoutError:
        return Silent(submitted=is_submitted)
    except OpeningError as error:
        return to_outcome(error)
    except UserError as error:
        if error.code is ErrorCode.SERVER_UNREACHABLE:
            return Unreachable()
        raise
    if opened is None:
        return Skipped(submitted=is_submitted)
    return NewAccount(identity, route, opened, isolation_key)


async def _open(
    route: Route,
    identity: Identity,
    *,
    purpose: Purpose,
    limit_s: float,
    isolation_key: IsolationKey,
    world: World,
    person: Person | None,
    on_step: Callable[[OpeningStep], None],
) -> Opened | None:
    """Open a session within a time; None when the person went on without it.

    Raises:
        TimeoutError: it took too long.
        OpeningError, UserError: as `reach`.
    """
    password = Secret(identity.password)
    try:
        async with asyncio.timeout(limit_s) as limit, asyncio.TaskGroup() as group:
            solve: Solve = ask_nobody
            if person is not None:
                solve = Solving(person, route.domain, limit, limit_s)
            opening = group.create_task(
                reach(
                    world,
                    route,
                    localpart=identity.localpart,
                    password=password,
                    purpose=purpose,
                    isolation_key=isolation_key,
                    on_step=on_step,
                    solve=solve,
                    limit=limit,
                )
            )
            if person is not None:
                person.watch(opening)
    except BaseExceptionGroup as errors:
        error = only_error(errors, OpeningError, UserError)
        if error is None:
            raise
        raise error from errors
    finally:
        password.wipe()
    return None if opening.cancelled() else opening.result()


_PURPOSES = {
    AttemptKind.REGISTER: Purpose.REGISTER,
    AttemptKind.LOG_IN: Purpose.LOG_IN,
}

_SHOWN_STEPS = {
    OpeningStep.CONNECTING: EnrolmentStep.REACHING_SERVER,
    OpeningStep.SECURED: EnrolmentStep.MAKING_ACCOUNT,
    OpeningStep.REGISTERED: EnrolmentStep.SIGNING_IN,
}
