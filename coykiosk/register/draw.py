"""Fair draws from a source of random bytes.

Rule: every outcome is equally likely, exactly; a remainder (`%`) would favour the
small numbers, so what does not fit is thrown away and drawn again.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from coykiosk.ports import RandomBytes

__all__ = ["below", "pick"]

_MAX_DRAWS: Final = 200
"""A draw fits with a chance of more than a half; this many misses (2**-200) mean
that the source is stuck, and a stuck source must not make a password."""

T = TypeVar("T")


def below(limit: int, random_bytes: RandomBytes) -> int:
    """Draw a number from [0, limit), all equally likely.

    Args:
        limit: How many outcomes there are; at least 1.
        random_bytes: Where the randomness comes from.

    Raises:
        ValueError: `limit` is less than 1.
        RuntimeError: the source gives the same useless bytes again and again.
    """
    if limit < 1:
        msg = f"draw: expected a limit of at least 1, got {limit}"
        raise ValueError(msg)
    n_bits = (limit - 1).bit_length()
    if n_bits == 0:
        return 0
    n_bytes = (n_bits + 7) // 8
    mask = (1 << n_bits) - 1
    for _ in range(_MAX_DRAWS):
        number = int.from_bytes(random_bytes(n_bytes), "big") & mask
        if number < limit:
            return number
    msg = "draw: the random source is stuck"
    raise RuntimeError(msg)


def pick(choices: Sequence[T], random_bytes: RandomBytes) -> T:
    """Draw one of the choices, all equally likely.

    Raises:
        ValueError: there is nothing to choose from.
        RuntimeError: the random source is stuck.
    """
    return choices[below(len(choices), random_bytes)]
