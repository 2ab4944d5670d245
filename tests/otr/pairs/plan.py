"""Which scenarios are played with whom: in which roles, with which fragment sizes.

A test file for a peer needs three lines: `cases(SCENARIOS, KIND)`, `meet(...)`, `play(ends)`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.otr.pairs.ends import Ends, Roles
from tests.otr.pairs.kinds import OURS, PeerKind

ALL_SIZES: Final = (0, 60, 85, 134, 140, 379, 400)
"""Longest messages of networks and of tests before us; 0 is for no limit."""
WHOLE_AND_CUT: Final = (0, 140)
WHOLE: Final = (0,)


def _always(_first: PeerKind, _second: PeerKind) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that two ends do, and what has to come of it."""

    body: Callable[..., None]
    """Takes the `Ends`, and `variant` by its name."""
    sizes: tuple[int, ...] = WHOLE
    """Where cutting messages adds something."""
    needs: Callable[[PeerKind, PeerKind], bool] = _always
    """Whether these two, first and second, can do it at all."""
    variant: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the body, and part of the name."""

    @property
    def name(self) -> str:
        return "-".join([self.body.__name__, *map(str, self.variant.values())])

    def play(self, ends: Ends) -> None:
        self.body(ends, **self.variant)


def cases(
    scenarios: Sequence[Scenario],
    theirs: PeerKind,
    *,
    sizes: Collection[int] = ALL_SIZES,
) -> list[Any]:
    """Return all that is to be played: parameters (scenario, roles, mms) with ids."""
    ordered = {Roles.WE_BEGIN: (OURS, theirs), Roles.THEY_BEGIN: (theirs, OURS)}
    if theirs is OURS:
        del ordered[Roles.THEY_BEGIN]
    return [
        pytest.param(scenario, roles, mms, id=f"{scenario.name}-{roles.value}-{mms}")
        for scenario in scenarios
        for roles, kinds in ordered.items()
        if scenario.needs(*kinds)
        for mms in scenario.sizes
        if mms in sizes
    ]
