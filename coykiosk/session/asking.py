"""When to ask a contact for OTR: the first time, again, and when they are away.

Rule: pure; keeps times and says when, asks nothing itself. All times are
monotonic seconds.
"""

from typing import Final

from coykiosk.ports import RandomBytes

__all__ = ["ASK_AGAIN_AFTER_S", "AWAY_CAP_S", "AWAY_FIRST_S", "Asking"]

ASK_AGAIN_AFTER_S: Final = 20.0
"""An unanswered question is repeated at most this often because of a new text."""
AWAY_FIRST_S: Final = 20.0
AWAY_CAP_S: Final = 600.0
"""A contact who is not there is asked again after about this long; the pause
doubles from the first to the cap, each drawn anew, so that it is no beacon."""


class Asking:
    """The times of one chat's questions.

    Args:
        random_bytes: Makes the pauses uneven.
    """

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes
        self._due: float | None = None
        self._asked_at: float | None = None
        self._n_away = 0

    @property
    def is_away(self) -> bool:
        """The last question came back: nobody was there."""
        return self._n_away > 0

    def deadline(self) -> float | None:
        """When a question is due; None while none is planned."""
        return self._due

    def is_due(self, now: float) -> bool:
        """Whether to ask now."""
        return self._due is not None and self._due <= now

    def has_just_asked(self, now: float) -> bool:
        """Whether an answer to the last question may still be on its way."""
        return self._asked_at is not None and now - self._asked_at <= ASK_AGAIN_AFTER_S

    def is_stale(self, now: float) -> bool:
        """Whether a new text is a reason to repeat the question at once."""
        return self._due is None and not self.has_just_asked(now)

    def plan(self, at: float) -> None:
        """Have a question asked at this time."""
        self._due = at

    def asked(self, now: float) -> None:
        """A question goes out."""
        self._due = None
        self._asked_at = now

    def came_back(self, now: float) -> None:
        """The question was returned: plan the next, later each time."""
        pause = min(AWAY_CAP_S, AWAY_FIRST_S * 2 ** min(self._n_away, 10))
        share = int.from_bytes(self._random_bytes(4)) / (1 << 32)
        self._due = now + pause * (0.5 + share)
        self._n_away += 1

    def was_answered(self) -> None:
        """The contact is there: no question is due any more."""
        self._n_away = 0
        self._due = None

    def forget(self) -> None:
        """Begin anew, after a loss of connection."""
        self._n_away = 0
        self._due = self._asked_at = None
