"""How long to wait before a connection that was lost is tried again.

Rule: pure; drawn anew each time, from a range that doubles with every failure, so that
neither one account's returns nor those of several make a pattern.
"""

from collections.abc import Callable
from typing import Final

from coykiosk.errors import ErrorCode, UserError

__all__ = ["BACKOFF_CAP_S", "RECONNECT_DELAY_S", "pause_after"]

BACKOFF_CAP_S: Final = 300.0
BACKOFF_FIRST_S: Final = 4.0
RECONNECT_DELAY_S: Final = 8.0
"""Uniform delay before a reconnect, so that accounts are not linked by time."""
WANTS_A_PERSON: Final = frozenset(
    {
        ErrorCode.BRIDGES_LEAD_OUT,
        ErrorCode.BRIDGES_NOT_OURS,
        ErrorCode.BRIDGE_KIND_UNKNOWN,
        ErrorCode.BRIDGE_LINE_BAD,
        ErrorCode.BRIDGE_PROGRAM_MISSING,
        ErrorCode.CERTIFICATE_BAD,
        ErrorCode.LOGIN_REFUSED,
        ErrorCode.TOR_CONTROL_REFUSED,
        ErrorCode.TOR_IMPOSTOR,
        ErrorCode.TOR_MISSING,
        ErrorCode.TOR_START_FAILED,
        ErrorCode.TOR_STOPPED,
    }
)
"""What does not mend itself: trying again by ourselves would only annoy."""


def pause_after(
    error: UserError, n_failures: int, uniform: Callable[[float, float], float]
) -> float | None:
    """Return the seconds until the next try by itself.

    Args:
        error: Why there is no connection.
        n_failures: In a row, this one included.
        uniform: Draws a number between two bounds.

    Returns:
        None where only a person can mend it.
    """
    if error.code in WANTS_A_PERSON:
        return None
    ceiling = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2 ** min(n_failures, 10))
    return uniform(0, RECONNECT_DELAY_S) + uniform(0, ceiling)
