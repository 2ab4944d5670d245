"""Finding out that a connection is dead which nobody has closed.

Rule: asks at moments that are no beacon of one program, and only when nobody else has
asked the server something meanwhile; whatever the server says is a sign of life,
unless it owes us a word that we are heard (the caller tells which).
"""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn, final

from coykiosk.ports import RandomBytes

__all__ = ["DeadError", "Pulse"]

PING_EVERY_S: Final = (60.0, 120.0)
"""Uniform (XEP-0199 leaves it to us)."""
PING_LIMIT_S: Final = 60.0
"""A server that is silent for so long after a question is gone."""


class DeadError(Exception):
    """The server has not said a word since it was asked."""


@final
class Pulse:
    """The signs of life of one connection.

    Args:
        ping: Asks the server for one.
        random_bytes: For the moments.
    """

    def __init__(self, ping: Callable[[], None], random_bytes: RandomBytes) -> None:
        self._ping = ping
        self._random_bytes = random_bytes
        self._asked = asyncio.Event()
        """Something went out that the server will answer at once."""
        self._heard = asyncio.Event()
        """The server has said something since."""
        self.is_dead = False
        """Whether `watch` has found that the server says nothing any more."""

    def asked(self) -> None:
        """Something goes out now that the server answers at once."""
        self._heard.clear()
        self._asked.set()

    def heard(self) -> None:
        """The server has said something that shows that it hears us."""
        self._heard.set()

    async def watch(self) -> NoReturn:
        """Ask now and then, for ever.

        Raises:
            DeadError: no answer came.
        """
        shortest, longest = PING_EVERY_S
        while True:
            part = int.from_bytes(self._random_bytes(4)) / 2**32
            try:
                async with asyncio.timeout(shortest + part * (longest - shortest)):
                    await self._asked.wait()
            except TimeoutError:
                self.asked()
                self._ping()
            self._asked.clear()
            try:
                async with asyncio.timeout(PING_LIMIT_S):
                    await self._heard.wait()
            except TimeoutError as exc:
                self.is_dead = True
                raise DeadError from exc
