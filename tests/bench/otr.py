"""Our OTR engine beside libotr: both ends in one process on either side, CPU time.

The two take turns at each figure, several times over, so that a slow moment of the
machine is nobody's. libotr is run as Debian ships it, by libotr_bench.c.
"""

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.bench.otr_ends import Ends
from tests.bench.otr_memory import weigh
from tests.bench.otr_parts import dearest_files, library_parts
from tests.bench.table import Report, Row, spread

_N_ROUNDS: Final = 15
_N_CONVERSATIONS: Final = 500
_SOURCE: Final = Path(__file__).with_name("libotr_bench.c")
_OTHER: Final = "libotr"
_SCALES: Final = {"ms": 1e3, "us": 1e6}


class Libotr:
    """The other side: one process that is told what to do."""

    def __init__(self, program: Path, *options: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the program we just built
            [str(program), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=10)  # the end of its input is its end

    def __call__(self, command: str, *numbers: int) -> list[float]:
        """Give one command; return its figures."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, *numbers, file=self._process.stdin, flush=True)
        figures = []
        while (line := self._process.stdout.readline()) != "ok\n":
            assert line, "libotr_bench has died"
            figures.append(float(line))
        return figures


@dataclass(frozen=True, slots=True)
class _Race:
    """One figure: how both sides are asked for it, and what came."""

    what: str
    command: str
    numbers: tuple[int, ...]
    ours: Callable[..., list[float]]
    unit: str
    limit: str = ""
    our_s: list[float] = field(default_factory=list)
    their_s: list[float] = field(default_factory=list)

    def run(self, libotr: Libotr) -> None:
        """Have both do it once more."""
        self.our_s.extend(self.ours(*self.numbers))
        self.their_s.extend(libotr(self.command, *self.numbers))

    @property
    def row(self) -> Row:
        ours, theirs = (
            _SCALES[self.unit] * statistics.median(found)
            for found in (self.our_s, self.their_s)
        )
        return Row(self.what, ours, theirs, _OTHER, self.unit, self.limit)

    @property
    def remarks(self) -> tuple[str, str]:
        scale = _SCALES[self.unit]
        return (
            spread(f"{self.what}, ours", [scale * s for s in self.our_s], self.unit),
            spread(
                f"{self.what}, libotr", [scale * s for s in self.their_s], self.unit
            ),
        )


def measure() -> Report:
    """Compare."""
    ends = Ends()
    races = _races(ends)
    with tempfile.TemporaryDirectory() as place:
        program = _build(Path(place))
        with Libotr(program) as libotr, Libotr(program, "--quick-random") as quick:
            quick_s = []
            for _ in range(_N_ROUNDS):
                for race in races.values():
                    race.run(libotr)
                quick_s += quick("keygen", *races["keygen"].numbers)
            allocated, resident = libotr("memory", _N_CONVERSATIONS)
    ours = weigh(_N_CONVERSATIONS)
    what = "memory of an idle conversation"
    return Report(
        rows=(
            *(race.row for race in races.values()),
            Row(
                f"{what}, allocated",
                *(ours.allocated / 1e3, allocated / 1e3, _OTHER, "kB"),
                "<= 40 kB",
            ),
            Row(f"{what}, RSS", ours.resident / 1e3, resident / 1e3, _OTHER, "kB"),
        ),
        remarks=(
            *(remark for race in races.values() for remark in race.remarks),
            spread("DSA key, libotr, quick random", [1e3 * s for s in quick_s], "ms"),
            library_parts(races["same"].row.ours),
            dearest_files(lambda: ends.same(1000, 100)),
        ),
    )


def _races(ends: Ends) -> dict[str, _Race]:
    row = "message in a row"
    return {
        "ake": _Race("key exchange", "ake", (25,), ends.ake, "ms", "<= 0.5 x"),
        "greeting": _Race(
            *("key exchange and a first message each way", "greeting", (25,)),
            *(ends.greeting, "ms"),
        ),
        "alternating": _Race(
            *("message in turn, 100 B", "alternating", (100, 100)),
            *(ends.alternating, "ms", "<= 0.5 x"),
        ),
        "smp": _Race("comparison (SMP)", "smp", (2,), ends.smp, "ms", "<= 0.6 x"),
        "keygen": _Race("DSA key", "keygen", (12,), ends.keygen, "ms", "<= 1 x"),
        "same": _Race(
            *(f"{row}, 100 B", "same", (2000, 100), ends.same, "us", "<= 60 us"),
        ),
        "same-1000": _Race(f"{row}, 1 kB", "same", (2000, 1000), ends.same, "us"),
    }


def _build(folder: Path) -> Path:
    compiler = shutil.which("gcc")
    assert compiler, "gcc is missing: apt install gcc libotr5-dev"
    program = folder / "libotr_bench"
    subprocess.run(  # noqa: S603 - fixed words
        [
            *(compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"),
            *("-Wno-unused-parameter", "-o", str(program)),
            *(str(_SOURCE), "-lotr", "-lgcrypt"),
        ],
        check=True,
    )
    return program
