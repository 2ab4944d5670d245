"""A bound on what strangers can make us do: so much at once, so much a second.

Rule: nothing here ever waits; what goes beyond the allowance is left undone.
"""


class Allowance:
    """So much at once, and so much a second."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._left = float(burst)
        self._at: float | None = None

    def has_left(self, now: float) -> bool:
        """Tell whether `take` would find one."""
        if self._at is not None:
            self._left += (now - self._at) * self._per_second
        self._at = now
        self._left = min(self._left, self._burst)
        return self._left >= 1

    def take(self, now: float) -> bool:
        """Use one, if one is left."""
        if not self.has_left(now):
            return False
        self._left -= 1
        return True
