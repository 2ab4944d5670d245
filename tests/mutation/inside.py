"""Make and judge all mutants, in the copy of the checkout that it is started in.

Run by `python -m tests.mutation`, never by hand: it changes the files where it is.
Its one argument is the file for the verdicts: a line of JSON each, as they fall.
"""

import json
import sys
import time
from dataclasses import asdict
from io import TextIOBase
from pathlib import Path
from typing import Final

import pytest

from tests.mutation.judging import Judge, Verdict
from tests.mutation.making import Mutant, add_operators, mutate
from tests.mutation.plan import MODULES, TESTS, say

_TELL_EVERY_S: Final = 20
# A test that hangs in a mutant has failed.
_ONE_TEST_S: Final = 60


class Clerk:
    """Writes the verdicts down, and says now and then how far it is."""

    def __init__(self, file: TextIOBase, n_mutants: int) -> None:
        self._file = file
        self._n_mutants = n_mutants
        self.n_judged = 0
        self._n_living = 0
        self._said = time.monotonic()

    def note(self, mutant: Mutant, verdict: Verdict) -> None:
        """Take one verdict."""
        self.n_judged += 1
        self._n_living += not verdict.is_noticed
        line = {"verdict": verdict.value, **asdict(mutant)}
        self._file.write(f"{json.dumps(line)}\n")
        if time.monotonic() - self._said > _TELL_EVERY_S:
            self._said = time.monotonic()
            self._file.flush()
            say(f"{self.n_judged} of {self._n_mutants} judged, {self._n_living} live")


def main() -> int:
    """Run; returns the exit status."""
    add_operators()
    mutants = [mutant for module in MODULES for mutant in mutate(Path(module))]
    say(f"{len(mutants)} mutants; first the tests run without any")
    with Path(sys.argv[1]).open("w") as file:
        clerk = Clerk(file, len(mutants))
        judge = Judge(mutants, clerk.note)
        status = pytest.main(
            [
                *("-q", "-s", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"),
                f"--timeout={_ONE_TEST_S}",
                *TESTS,
            ],
            plugins=[judge],
        )
    for name in judge.failed:
        say(f"fails without a mutant: {name}")
    if judge.failed or clerk.n_judged != len(mutants):
        say(f"{clerk.n_judged} judged; pytest ended with {int(status)}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
