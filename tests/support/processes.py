"""Processes as the kernel lists them: whose children they are, and whether they run.

Source: proc(5).
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_POLL_S = 0.01
_SCRATCH = re.compile(r"(?:/[^/\0]+)+/coykiosk-[0-9a-f]{16}(?![0-9a-f])")


def children(pid: int) -> list[int]:
    """The processes that a process, by any of its threads, has started."""
    found: list[int] = []
    # Any of them may end while we look.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            try:
                found += map(int, (thread / "children").read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                # Else every process would seem to have none.
                assert not thread.exists(), "this kernel does not list children"
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    found: list[int] = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def program_of(pid: int) -> str:
    """The name of what it executes; "" when it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not just waiting to be taken notice of."""
    return _state(pid) not in {"", "Z", "X"}


def scratch_directories(pids: Iterable[int]) -> set[Path]:
    """The private directories that processes were told of on their command lines."""
    found: set[Path] = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            found |= {Path(match) for match in _SCRATCH.findall(line)}
    return found


def freeze(pid: int, *, within_s: float = 5.0) -> None:
    """Stop a process where it is, so that it can be looked at."""
    os.kill(pid, signal.SIGSTOP)
    assert wait_until(lambda: _state(pid) in {"T", "Z", "X", ""}, within_s=within_s)


def wait_until(is_true: Callable[[], bool], *, within_s: float) -> bool:
    """Wait until something holds; tell whether it does."""
    deadline = time.monotonic() + within_s
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def kill(pid: int) -> None:
    """End a process at once, if it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _state(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The second field is a name in brackets, which may hold anything.
    return text.rpartition(") ")[2][:1]
