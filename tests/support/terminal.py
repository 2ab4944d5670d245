"""A program in a pseudo-terminal: typed to, and read like a person reads it.

Every wait ends on a sight, never on a time; the time is only the limit after
which the test fails and shows the screen.
"""

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

_LFLAG = 3  # in what tcgetattr returns
_GLANCE_S = 0.02  # how long we read before we look again

KEYS: dict[str, bytes] = {
    "enter": b"\r",
    "esc": b"\x1b",
    "tab": b"\t",
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "page up": b"\x1b[5~",
    "page down": b"\x1b[6~",
    "f1": b"\x1bOP",
    "f2": b"\x1bOQ",
    "f3": b"\x1bOR",
    "f4": b"\x1bOS",
    "f5": b"\x1b[15~",
    "f6": b"\x1b[17~",
    "f7": b"\x1b[18~",
    "f8": b"\x1b[19~",
    "f9": b"\x1b[20~",
    "f10": b"\x1b[21~",
    **{f"ctrl {chr(96 + n)}": bytes([n]) for n in range(1, 27)},
}


class Terminal:
    """A child process whose terminal we are."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._emulator = pyte.ByteStream(self._screen)
        self.output = bytearray()
        """All bytes the program has written."""
        self._status: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - no shell wanted
            finally:
                os._exit(127)
        self._set_size(columns, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.close()

    # --- acting -----------------------------------------------------------------

    def type(self, text: str) -> None:
        """Type text, as from the keyboard."""
        os.write(self._fd, text.encode())

    def press(self, *keys: str) -> None:
        """Press named keys."""
        for key in keys:
            os.write(self._fd, KEYS[key])

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def close(self) -> None:
        """Close the window over the program; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program at once, if it still runs."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            _, self._status = os.waitpid(self.pid, 0)

    def _set_size(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    # --- reading ----------------------------------------------------------------

    @property
    def screen(self) -> pyte.Screen:
        """The emulated screen: cells, colours, cursor."""
        return self._screen

    def text(self) -> str:
        """The screen as it stands, one line a row."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def flat(self) -> str:
        """The screen as one line with single blanks, for text that wraps."""
        return " ".join(self.text().split())

    @property
    def is_cooked(self) -> bool:
        """Whether lines are edited and echoed, and Ctrl-C is a signal, as in a shell."""
        cooked = termios.ICANON | termios.ECHO | termios.ISIG
        return int(termios.tcgetattr(self._fd)[_LFLAG]) & cooked == cooked

    def wait_for(self, pattern: str, *, within_s: float = 20.0) -> re.Match[str]:
        """Wait until a regular expression is on the screen; match on flat text."""
        found: re.Match[str] | None = None

        def is_there() -> bool:
            nonlocal found
            found = re.search(pattern, self.flat())
            return found is not None

        self.wait_until(is_there, what=pattern, within_s=within_s)
        assert found is not None
        return found

    def wait_gone(self, pattern: str, *, within_s: float = 20.0) -> None:
        """Wait until a regular expression is no longer on the screen."""
        self.wait_until(
            lambda: re.search(pattern, self.flat()) is None,
            what=f"no {pattern}",
            within_s=within_s,
        )

    def wait_until(
        self, is_true: Callable[[], bool], *, what: str, within_s: float
    ) -> None:
        """Read output until something holds."""
        deadline = time.monotonic() + within_s
        while not is_true():
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(min(left, _GLANCE_S)):
                if is_true():
                    return
                message = f"did not see: {what}\n--- screen ---\n{self.text()}"
                raise AssertionError(message)

    def wait_end(self, *, within_s: float = 20.0) -> int:
        """Wait until the program has ended; return its exit code (-signal)."""
        deadline = time.monotonic() + within_s
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
                break
            if time.monotonic() > deadline:
                message = f"still running\n--- screen ---\n{self.text()}"
                raise AssertionError(message)
            self._read(0.05)
        self._drain()
        return os.waitstatus_to_exitcode(self._status)

    def _read(self, limit_s: float) -> bool:
        """Take in what the program writes; False when it has closed its end."""
        fds = [] if self._fd < 0 else [self._fd]
        ready, _, _ = select.select(fds, [], [], limit_s)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        self.output += data
        self._emulator.feed(data)
        return bool(data)

    def _drain(self) -> None:
        while self._fd >= 0 and select.select([self._fd], [], [], 0)[0]:
            if not self._read(0):
                return
