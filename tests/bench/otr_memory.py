"""What one idle conversation of ours holds, weighed in a process of its own.

    python -m tests.bench.otr_memory N

Prints bytes for each end of N conversations, twice: what Python allocated for it
(tracemalloc), and what the process grew by (RSS).
"""

import gc
import os
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from tests.bench.otr_ends import Account, Conversation

_N_BEFORE = 20
"""Conversations that are held already, so that what all share is not counted."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes for one end of one conversation."""

    allocated: float
    resident: float


def weigh(n: int) -> Weight:
    """Weigh our ends in a fresh Python."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.bench.otr_memory", str(n)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    allocated, resident = map(float, done.stdout.split())
    return Weight(allocated, resident)


def _main(n: int) -> None:
    alice, bob = Account(), Account()
    # Order matters: tracemalloc's own tables would count as resident.
    held = _talks(_N_BEFORE, alice, bob)
    before = _resident()
    held += _talks(n, alice, bob)
    resident = _resident() - before
    tracemalloc.start()
    held += _talks(n, alice, bob)
    allocated, _ = tracemalloc.get_traced_memory()
    sys.stdout.write(f"{allocated / (2 * n)}\n{resident / (2 * n)}\n")


def _talks(n: int, alice: Account, bob: Account) -> list[Conversation]:
    """Return conversations that are encrypted, both directions used."""
    talks = [Conversation(alice, bob) for _ in range(n)]
    for talk in talks:
        talk.agree()
        talk.warm_up()
    gc.collect()
    return talks


def _resident() -> int:
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    _main(int(sys.argv[1]))
