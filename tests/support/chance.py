"""Chance that are the same in every run."""

import random
from collections.abc import Callable


def repeatable(seed: int) -> random.Random:
    """Return a source of chance that depends on the seed alone."""
    return random.Random(seed)  # noqa: S311 - repeatable, and protects nothing


def seeded(seed: int) -> Callable[[int], bytes]:
    """Return a source of bytes that depends on the seed alone."""
    return repeatable(seed).randbytes
