"""Side-by-side runs: ours and another program, on this machine, now, as a ratio.

Run it from the top of the checkout: `python -m tests.bench`, or with `--only NAME`.
Nothing here passes or fails; README.md says what each figure means.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from tests.bench import first_paint, load, memory, one_action, otr, round_trips
from tests.bench.table import Report, table

_MEASURES: Final[Mapping[str, Callable[[], Report]]] = {
    "first-paint": first_paint.measure,
    "one-action": one_action.measure,
    "round-trips": round_trips.measure,
    "memory": memory.measure,
    "load": load.measure,
    "otr": otr.measure,
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Compare, and print ratios."
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=_MEASURES,
        metavar="NAME",
        help=f"measure this alone, may be repeated: {', '.join(_MEASURES)}",
    )
    names: list[str] = parser.parse_args().only or list(_MEASURES)
    for name in names:
        began = time.monotonic()
        report = _MEASURES[name]()
        _say(f"{name} ({time.monotonic() - began:.0f} s)\n")
        _say(table(report.rows))
        for remark in report.remarks:
            _say(f"* {remark}")
        _say("")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
