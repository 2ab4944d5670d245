"""What a comparison of secrets holds while it waits for the other end.

Rule: values and no decisions: what a message leads to is `smp`'s.

Source: OTRv3, "Socialist Millionaires' Protocol (SMP)", "The SMP state machine".
"""

from dataclasses import dataclass
from typing import assert_never

from coykiosk.otr.primitives import Exponent
from coykiosk.otr.smp_messages import Smp1
from coykiosk.otr.smp_proofs import Bases, Coordinates


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody compares anything."""


@dataclass(frozen=True, slots=True)
class Asked:
    """They have begun; the person here has not answered yet."""

    first: Smp1

    @property
    def had_question(self) -> bool:
        """Whether a question came with it."""
        return self.first.question is not None


@dataclass(frozen=True, slots=True, repr=False)
class Awaiting2:
    """We have begun."""

    a2: Exponent
    a3: Exponent
    secret: Exponent
    had_question: bool


@dataclass(frozen=True, slots=True, repr=False)
class Awaiting3:
    """We have answered."""

    b3: Exponent
    bases: Bases
    g3a: int
    ours: Coordinates
    had_question: bool


@dataclass(frozen=True, slots=True, repr=False)
class Awaiting4:
    """We have shown what tells them whether both are the same."""

    a3: Exponent
    g3b: int
    ratio: Coordinates
    """Pa/Pb and Qa/Qb."""
    had_question: bool


SmpState = Idle | Asked | Awaiting2 | Awaiting3 | Awaiting4


def exponents_of(state: SmpState) -> tuple[Exponent, ...]:
    """Return the secrets that a state holds."""
    match state:
        case Awaiting2(a2, a3, secret):
            return a2, a3, secret
        case Awaiting3(b3):
            return (b3,)
        case Awaiting4(a3):
            return (a3,)
        case Idle() | Asked():
            return ()
        case _:
            assert_never(state)
