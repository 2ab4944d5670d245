"""A server's puzzle, from the stream to the person and back.

Rule: the time of an attempt stands still while a person thinks; the stream does not,
so it is watched, and an answer that has nowhere to go is not waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, assert_never

from coykiosk.contract import Puzzle
from coykiosk.errors import UserError, only_error
from coykiosk.picture import PictureRefusedError, read_picture
from coykiosk.session.challenge import CHALLENGE_LIFE_S
from coykiosk.session.failure import NegotiationError, OpeningReason, is_cut
from coykiosk.session.negotiate import Negotiation
from coykiosk.session.person import Another, Answer, Person, Solved
from coykiosk.session.plan import Ask, Output
from coykiosk.session.securing import read_some
from coykiosk.session.tls import TlsStream

__all__ = ["Solve", "Solving", "answer", "ask_nobody"]

Solve = Callable[[Ask], Awaitable[Answer]]
"""Has a person answer a challenge; may take as long as it takes.

Raises:
    NegotiationError: NEEDS_CAPTCHA: it cannot be shown to anybody.
"""


async def ask_nobody(_ask: Ask) -> Answer:
    """Be the `Solve` where no person waits for an account."""
    raise NegotiationError(OpeningReason.NEEDS_CAPTCHA, "no-picture")


@dataclass(frozen=True, slots=True)
class Solving:
    """The `Solve` of one attempt to make an account."""

    person: Person
    server: str
    limit: asyncio.Timeout
    """Of the attempt; stopped meanwhile."""
    limit_s: float
    """What it is set to again afterwards."""

    async def __call__(self, ask: Ask) -> Answer:
        """Show a challenge, if it can be shown; see `Solve`."""
        self.limit.reschedule(None)
        try:
            image = ask.challenge.image
            puzzle = Puzzle(
                server=self.server,
                question=ask.challenge.question,
                picture=None if image is None else await read_picture(image),
                n_wrong=ask.n_wrong,
                life_s=CHALLENGE_LIFE_S,
            )
            return await self.person.solve(puzzle)
        except (PictureRefusedError, OSError) as exc:
            reason = OpeningReason.NEEDS_CAPTCHA
            raise NegotiationError(reason, "no-picture") from exc
        finally:
            now = asyncio.get_running_loop().time()
            if not self.limit.expired():
                self.limit.reschedule(now + self.limit_s)


async def answer(
    ask: Ask, solve: Solve, negotiation: Negotiation, tls: TlsStream
) -> list[Output]:
    """Have a person answer; return what the negotiation makes of it.

    Raises:
        NegotiationError: NEEDS_CAPTCHA; PUZZLE_LOST: the stream ended meanwhile.
        UserError: as the stream says.
    """
    outputs: list[Output] = []
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(negotiation, tls, outputs))
            found = await solve(ask)
            watching.cancel()
    except BaseExceptionGroup as errors:
        error = only_error(errors, NegotiationError, UserError)
        if error is None:
            raise
        raise error from errors
    match found:
        case Solved(text=text):
            return [*outputs, *negotiation.solve(text)]
        case Another():
            return [*outputs, *negotiation.another()]
        case _ as unreachable:
            assert_never(unreachable)


async def _watch(
    negotiation: Negotiation, tls: TlsStream, outputs: list[Output]
) -> NoReturn:
    """Take what comes in while the person thinks."""
    try:
        while True:
            outputs += negotiation.receive(await read_some(tls))
    except (NegotiationError, UserError) as exc:
        if not is_cut(exc):
            raise
        raise NegotiationError(OpeningReason.PUZZLE_LOST) from exc
