"""A pseudo-terminal with a screen in it, and a child that draws on it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "scripted_session.py"
DEADLINE_S = 20.0


class TerminalDouble:
    """What a person in front of a terminal sees and types."""

    def __init__(self, script: str, cols: int, rows: int, term: str) -> None:
        self.master, self.slave = pty.openpty()
        self.raw = bytearray()
        self.screen = pyte.Screen(cols, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(cols, rows, tell=False)
        self.settings_before = termios.tcgetattr(self.slave)
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TERM": term,
            "LANG": "C.UTF-8",
            **({"NO_COLOR": "1"} if term == "mono" else {}),
        }
        self.child = subprocess.Popen(  # noqa: S603 - our own child, fixed arguments
            [sys.executable, str(CHILD), script],
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )

    def resize(self, cols: int, rows: int, *, tell: bool = True) -> None:
        size = struct.pack("HHHH", rows, cols, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        if tell:
            self.screen.resize(rows, cols)
            self.child.send_signal(28)  # SIGWINCH: the pty is not its controlling one

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def pump(self, seconds: float = 0.05) -> bool:
        """Read what was drawn within this time; False when nothing was."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait_for(self, words: str) -> None:
        """Read until these words are on the screen."""
        end = time.monotonic() + DEADLINE_S
        while words not in self.text:
            if time.monotonic() > end:
                message = f"not seen: {words!r} on\n{self.text}"
                raise AssertionError(message)
            self.pump()

    def wait_for_end(self) -> int:
        """Read until the child has ended."""
        end = time.monotonic() + DEADLINE_S
        while self.child.poll() is None:
            if time.monotonic() > end:
                message = f"still running, showing\n{self.text}"
                raise AssertionError(message)
            self.pump()
        while self.pump(0):
            pass
        return int(self.child.returncode)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if self.child.stderr is not None:
            self.child.stderr.close()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


@contextmanager
def terminal(
    script: str, cols: int = 80, rows: int = 24, term: str = "xterm-256color"
) -> Iterator[TerminalDouble]:
    """Start the screen with a scripted session in a terminal of this size."""
    double = TerminalDouble(script, cols, rows, term)
    try:
        yield double
    finally:
        double.close()
