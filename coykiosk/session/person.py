"""The person at the keyboard, as far as the making of an account needs them.

Rule: one puzzle lies before them at a time; whoever waits for its answer may be
cancelled at any moment, and what they say when nobody waits is nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coykiosk.contract import Event, Puzzle, PuzzleAsked

__all__ = ["Another", "Answer", "Person", "Solved"]


@dataclass(frozen=True, slots=True)
class Solved:
    """What the person typed."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Another:
    """They cannot read it, or its time is over: another one, please."""


Answer = Solved | Another


class Person:
    """Whom the making of an account may ask, and who may hurry it on.

    Args:
        publish: Where questions are put.
    """

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._answer: asyncio.Future[Answer] | None = None
        self._at_work: asyncio.Future[Any] | None = None

    # --- for whoever makes the account ---------------------------------------------

    async def solve(self, puzzle: Puzzle) -> Answer:
        """Show a puzzle and wait for what the person makes of it, however long."""
        self._answer = asyncio.get_running_loop().create_future()
        self._publish(PuzzleAsked(puzzle))
        try:
            return await self._answer
        finally:
            self._answer = None

    def watch(self, work: asyncio.Future[Any]) -> None:
        """From now on it is this work that `skip` cancels."""
        self._at_work = work

    # --- for the front desk -----------------------------------------------------------

    def answer(self, text: str) -> None:
        """They typed an answer."""
        self._say(Solved(text))

    def another(self) -> None:
        """They want another puzzle."""
        self._say(Another())

    def skip(self) -> None:
        """They want to go on to the next server."""
        if self._at_work is not None:
            self._at_work.cancel()

    def _say(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
