"""What every part of session is given from outside, in one value.

Rule: the parts of session reach the network, the clock, chance, threads and the
screen through this value and in no other way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from coykiosk.contract import Event
from coykiosk.ports import RandomBytes, Tor, WallClock
from coykiosk.session.resolvers import RESOLVERS, Resolver

__all__ = ["RunBlocking", "World"]

T = TypeVar("T")


class RunBlocking(Protocol):
    """Runs a function that takes its time without stopping the event loop."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return what the function returns, or raise what it raises."""


@dataclass(frozen=True, slots=True)
class World:
    """The doors, the clocks and chance."""

    tor: Tor
    random_bytes: RandomBytes
    now: Callable[[], float]
    """Monotonic seconds."""
    wall_clock: WallClock
    run_blocking: RunBlocking
    publish: Callable[[Event], None]
    resolvers: tuple[Resolver, ...] = RESOLVERS
    """Whom to ask for names, in this order."""

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between two bounds, every value equally likely."""
        share = int.from_bytes(self.random_bytes(7)) / (1 << 56)
        return low + (high - low) * share
