"""What the engine target is told to do: a world to start in, and steps, as bytes.

Rule: any bytes are a program, and writing one that was read gives a program of the
same meaning; so a fuzzer may change what it likes. Every step has the same shape,
that a step can be moved, doubled or left out without spoiling those after it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

MAX_STEPS: Final = 24
_HEAD_BYTES: Final = 2
_STEP_HEAD_BYTES: Final = 6


class Do(IntEnum):
    """What a step does; see `moves`."""

    SAY = 0
    DELIVER = 1
    DELIVER_ALL = 2
    WRITE = 3
    MANGLE = 4
    EDIT = 5
    HOSTILE = 6
    FORGE_AKE = 7
    FRAGMENT = 8
    CUT = 9
    FLOOD = 10
    WAIT = 11
    ASK = 12
    END = 13
    SMP_START = 14
    SMP_ANSWER = 15
    SMP_ABORT = 16
    EXTRA_KEY = 17
    REMIX = 18
    CROWD = 19
    MEET = 20
    TRUST = 21


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; what a, b, c and d mean is up to `do`."""

    do: Do
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    blob: bytes = b""
    """At most 255 bytes."""

    def encode(self) -> bytes:
        """Return 6 bytes and the blob."""
        head = (self.do, self.a, self.b, self.c, self.d, len(self.blob))
        return bytes(head) + self.blob


@dataclass(frozen=True, slots=True)
class Program:
    """A whole input."""

    world: int
    """Which of the prepared worlds; any number."""
    ending: int
    """How the fresh start at the end is made; any number."""
    steps: tuple[Step, ...] = ()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read any bytes; what is missing is zero, what is too much is left out."""
        world, ending = data[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0")
        at = _HEAD_BYTES
        steps: list[Step] = []
        while at < len(data) and len(steps) < MAX_STEPS:
            head = data[at : at + _STEP_HEAD_BYTES].ljust(_STEP_HEAD_BYTES, b"\0")
            at += _STEP_HEAD_BYTES
            code, a, b, c, d, n_bytes = head
            steps.append(Step(Do(code % len(Do)), a, b, c, d, data[at : at + n_bytes]))
            at += n_bytes
        return cls(world, ending, tuple(steps))

    def encode(self) -> bytes:
        """Return the bytes that `read` takes."""
        head = bytes((self.world, self.ending))
        return head + b"".join(step.encode() for step in self.steps)
