"""Random bytes that are the same in every run."""

import random
from collections.abc import Callable


def seeded(seed: int) -> Callable[[int], bytes]:
    """Return a source of bytes that depends on the seed alone."""
    return random.Random(seed).randbytes  # noqa: S311 - repeatable, and protects nothing
