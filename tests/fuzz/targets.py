"""The two targets: what is run, how its inputs are changed, what it begins with.

Rule: importing this imports the engine; a fuzzer that instruments what is imported
must be there before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.engine import EngineTarget
from tests.fuzz.mutators import (
    Havoc,
    cross_programs,
    mutate_program,
    mutate_reading,
)
from tests.fuzz.parser import read_anything
from tests.fuzz.seeds import program_seeds, reading_seeds

TARGETS: Final = ("parser", "engine")
_CORPUS: Final = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Target:
    """What a fuzzer needs to know."""

    run: Callable[[bytes], None]
    """Whatever it raises is a finding."""
    mutate: Callable[[bytes, int, int, Havoc], bytes]
    cross: Callable[[bytes, bytes, int, int], bytes] | None


def make_target(name: str) -> Target:
    """Make a target; the engine's prepares its worlds now."""
    if name == "parser":
        return Target(read_anything, mutate_reading, None)
    return Target(EngineTarget().run, mutate_program, cross_programs)


def seeds(name: str) -> tuple[bytes, ...]:
    """Inputs made by hand, which a fuzzer would be long in finding."""
    return reading_seeds() if name == "parser" else program_seeds()


def kept_folder(name: str) -> Path:
    """Where the corpus of a target is kept."""
    return _CORPUS / name


def kept(name: str) -> list[Path]:
    """The inputs that are kept for a target, in a fixed order."""
    return sorted(kept_folder(name).iterdir())
