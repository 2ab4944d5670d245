"""From exec to the first sight of the start screen, beside urwid's bare hello.

Only what the program writes is looked at, no emulator is in the way. The program
finds no tor and may start none: nothing of this leaves the machine.
"""

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.imports import ImportCosts, import_costs
from tests.bench.table import Report, Row, spread

N_RUNS = 15
ROOT = Path(__file__).parents[2]
_LIMIT_S = 20.0
_TITLE = b"coykiosk"
_WORDS = b"Write these words"
_GREETING = b"Hello World"
_HELLO = """\
import urwid
urwid.MainLoop(urwid.Filler(urwid.Text("Hello World"))).run()
"""
_PYTHON = (sys.executable, "-B")
_OURS = (*_PYTHON, "-m", "coykiosk")
_URWID = (*_PYTHON, "-c", _HELLO)
_BARE = (*_PYTHON, "-c", "print('Hello World')")


@dataclass(frozen=True, slots=True)
class _Times:
    """Milliseconds of each run."""

    title: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    hello: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def measure() -> Report:
    """Compare, interleaved, with everything already in the disk cache."""
    times = _Times()
    with tempfile.TemporaryDirectory() as place:
        environ = _environ(Path(place))
        _compile_sources(environ)
        start = (*_OURS, "--vault", f"{place}/vault")
        programs = (
            (times.title, start, _TITLE),
            (times.hello, _URWID, _GREETING),
            (times.words, start, _WORDS),
            (times.bare, _BARE, _GREETING),
        )
        for _ in range(1 + N_RUNS):
            for found, argv, sight in programs:
                found.append(1000 * time_until(sight, argv, environ))
        for found, _, _ in programs:
            del found[0]  # it filled the disk cache
        costs = import_costs(("coykiosk.__main__", "coykiosk.app"), environ, ROOT)
    return _report(times, costs)


def _report(times: _Times, costs: ImportCosts) -> Report:
    title, words, hello, bare = (
        statistics.median(found)
        for found in (times.title, times.words, times.hello, times.bare)
    )
    hello_is = "urwid's hello"
    return Report(
        rows=(
            Row("first paint (the title)", title, hello, hello_is, "ms"),
            Row("start screen with its words", words, hello, hello_is, "ms"),
            Row(
                "first paint, without Python's own start",
                title - bare,
                hello - bare,
                hello_is,
                "ms",
            ),
        ),
        remarks=(
            spread("first paint", times.title, "ms"),
            spread("start screen with its words", times.words, "ms"),
            spread(hello_is, times.hello, "ms"),
            spread("Python printing a line", times.bare, "ms"),
            *costs.lines(8),
        ),
    )


def time_until(sight: bytes, argv: Sequence[str], environ: Mapping[str, str]) -> float:
    """Start a program in a terminal; return the seconds until it has written that."""
    terminal, inside = pty.openpty()
    try:
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        began = time.perf_counter()
        with subprocess.Popen(  # noqa: S603 - our own words
            argv,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environ,
            cwd=ROOT,
            start_new_session=True,
        ) as process:
            try:
                return _read_until(sight, terminal) - began
            finally:
                process.kill()
    finally:
        os.close(terminal)
        os.close(inside)


def _read_until(sight: bytes, terminal: int) -> float:
    """Return the moment at which it has come."""
    output = b""
    while select.select([terminal], [], [], _LIMIT_S)[0]:
        output += os.read(terminal, 65536)
        if sight in output:
            return time.perf_counter()
    msg = f"it did not come: {sight!r} in {output!r}"
    raise AssertionError(msg)


def _compile_sources(environ: Mapping[str, str]) -> None:
    """Compile the sources, as the set-up of ./kiosk does."""
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "coykiosk"],
        env=environ,
        cwd=ROOT,
        check=True,
    )


def _environ(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        # It is killed long before it looks for a tor; should it get so far after
        # all, it looks for one here and does not start its own.
        "TOR_SKIP_LAUNCH": "1",
        "TOR_SOCKS_HOST": "127.0.0.1",
        "TOR_SOCKS_PORT": "9",
    }
