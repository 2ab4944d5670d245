"""What the imports before the first paint cost, module by module.

Source: `python -X importtime`.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"import time: +(\d+) \| +(\d+) \|( +)(\S+)$")
_N_RUNS = 5


@dataclass(frozen=True, slots=True)
class ImportCosts:
    """Milliseconds a module takes by itself, without those that it imports."""

    own_ms: Mapping[str, float]

    def lines(self, n_most: int) -> tuple[str, ...]:
        """Return remarks: the packages that cost most, and most of our modules."""
        packages: dict[str, float] = {}
        for name, cost in self.own_ms.items():
            root = name.split(".")[0]
            group = root if root in _NAMED else "Python's own"
            packages[group] = packages.get(group, 0.0) + cost
        ours = {k: v for k, v in self.own_ms.items() if k.startswith("coykiosk")}
        return (
            "imports before the paint, in ms, traced and so slower than they are: "
            + _listed(packages, len(packages)),
            f"of ours the {n_most} dearest: {_listed(ours, n_most)}",
        )


_NAMED = frozenset({"coykiosk", "urwid", "urwid_readline", "wcwidth"})


def import_costs(
    modules: Sequence[str], environ: Mapping[str, str], cwd: Path
) -> ImportCosts:
    """Import modules in a Python of their own, several times; keep the least cost."""
    least: dict[str, float] = {}
    code = "import " + ", ".join(modules)
    for _ in range(_N_RUNS):
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-B", "-X", "importtime", "-c", code],
            env=environ,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        for line in done.stderr.splitlines():
            found = _LINE.match(line)
            if found:
                cost = int(found[1]) / 1000
                least[found[4]] = min(cost, least.get(found[4], cost))
    return ImportCosts(least)


def _listed(costs: Mapping[str, float], n_most: int) -> str:
    most = sorted(costs.items(), key=lambda item: -item[1])[:n_most]
    return ", ".join(f"{name} {cost:.1f}" for name, cost in most)
