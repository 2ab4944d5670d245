"""People who asked to talk and whom nobody has answered yet.

Rule: pure and bounded. Each is told of once; what they wrote is not kept.
"""

from typing import Final

from coykiosk.contract import Jid

__all__ = ["MAX_STRANGERS", "Strangers"]

MAX_STRANGERS: Final = 50
"""Requests that wait for an answer; the screen shows as many."""


class Strangers:
    """The strangers of one account, for one session."""

    def __init__(self) -> None:
        self._waiting: set[Jid] = set()
        self._refused: set[Jid] = set()

    def add(self, contact: Jid) -> bool:
        """Note that someone asks; whether that is to be told.

        Args:
            contact: Bare address.
        """
        is_full = len(self._waiting) >= MAX_STRANGERS
        if is_full or contact in self._waiting or contact in self._refused:
            return False
        self._waiting.add(contact)
        return True

    def accept(self, contact: Jid) -> None:
        """The person talks with them: they are no stranger any more."""
        self._waiting.discard(contact)
        self._refused.discard(contact)

    def refuse(self, contact: Jid) -> None:
        """Hear nothing more of them in this session."""
        if len(self._refused) < MAX_STRANGERS:
            # Beyond that they stay where they are: told of, and never again.
            self._waiting.discard(contact)
            self._refused.add(contact)
