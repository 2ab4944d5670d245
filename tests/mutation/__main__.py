"""Mutation testing: is every line of the protocol's core held in place by a test?

    python -m tests.mutation

Each mutant is one small change to one function. The tests must notice it; those that
may live are listed in explained.toml, each with its reason. It ends with 0 when the
survivors are exactly those of the list.

Rule: works on a copy in a temporary directory, and leaves the checkout alone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from tests.mutation.plan import LEFT_ALONE, say

LISTED: Final = Path(__file__).with_name("explained.toml")
CHECKOUT: Final = Path(__file__).resolve().parents[2]
NOTICED: Final = frozenset({"killed", "hangs"})
_RESULT: Final = "verdicts.jsonl"


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """A mutant as the list has it."""

    file: str
    function: str
    diff: str
    """The lines taken away and put in."""


def main() -> int:
    """Run; returns the exit status."""
    signal.signal(signal.SIGTERM, _leave)
    explained = read_list(LISTED)
    with tempfile.TemporaryDirectory(prefix="coykiosk-mutation-") as scratch:
        copy = Path(scratch) / "copy"
        fill(copy)
        status = run_inside(copy)
        if status:
            return status
        lines = (copy / _RESULT).read_text().splitlines()
    return judge([json.loads(line) for line in lines], explained)


def _leave(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def fill(copy: Path) -> None:
    """Copy what the tests need, and tell mutmut what to leave alone."""
    litter = shutil.ignore_patterns("__pycache__", "out")
    for name in ("coykiosk", "tests"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=litter, symlinks=True)
    for name in ("pyproject.toml", "servers.toml"):
        shutil.copy(CHECKOUT / name, copy)
    patterns = "".join(f"\n    {pattern}" for pattern in LEFT_ALONE)
    (copy / "setup.cfg").write_text(
        f"[mutmut]\nsource_paths = coykiosk\ntrack_dependencies = false\n"
        f"do_not_mutate_patterns ={patterns}\n"
    )


def run_inside(copy: Path) -> int:
    """Make and judge the mutants, in a process group that ends when we do."""
    # With CI set, Hypothesis draws the same examples each time.
    environment = os.environ | {"CI": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(  # noqa: S603 # this Python, and nothing from outside
        [sys.executable, "-m", "tests.mutation.inside", _RESULT],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def read_list(path: Path) -> Counter[Known]:
    """Read the survivors that are explained, and how many are alike."""
    listed: Counter[Known] = Counter()
    for entry in tomllib.loads(path.read_text())["mutant"]:
        why, times = entry.pop("why"), entry.pop("times", 1)
        known = Known(**entry)
        if not why.strip() or known in listed:
            msg = f"{path.name}: no reason, or twice: {known}"
            raise ValueError(msg)
        listed[known] = times
    return listed


def judge(verdicts: list[dict[str, str]], explained: Counter[Known]) -> int:
    """Compare what survived with the list; returns the exit status."""
    counts = Counter(each["verdict"] for each in verdicts)
    survivors = Counter(
        Known(each["file"], each["function"], each["diff"])
        for each in verdicts
        if each["verdict"] not in NOTICED
    )
    new, gone = survivors - explained, explained - survivors
    show("survives and is not in the list", new)
    show("is in the list and does not survive, or is no more", gone)
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
    say(f"\n{len(verdicts)} mutants: {told}; {explained.total()} explained")
    return 1 if new or gone else 0


def show(what: str, mutants: Counter[Known]) -> None:
    """Print mutants as they would stand in the list."""
    for mutant, times in sorted(mutants.items()):
        alike = f"\ntimes = {times}" if times > 1 else ""
        say(f"\nA mutant {what}:\n")
        say(f'[[mutant]]\nfile = "{mutant.file}"\nfunction = "{mutant.function}"')
        say(f"diff = '''\n{mutant.diff}'''{alike}")


if __name__ == "__main__":
    sys.exit(main())
