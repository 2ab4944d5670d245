"""The terminal as we use it: urwid's raw display, less trusting and less talkative.

Rule: nothing is asked of the terminal, so nothing it sends is an answer; Ctrl-C
and its like are keys; whatever happens, `stop` gives the terminal back as it was,
its alternate screen empty.
"""

import contextlib
import curses
import os
import termios
import time
import tty
from typing import Final, TextIO

from urwid.display.raw import Screen as RawScreen

from coykiosk.ui_urwid.palette import PALETTE
from coykiosk.ui_urwid.replies import ReplyFilter

__all__ = ["Terminal"]

_USUAL_COLOURS: Final = 16
_CLEAR: Final = "\x1b[0m\x1b[2J\x1b[H"  # ECMA-48: SGR 0, ED 2, CUP


class _Writer:
    """Writes straight to the terminal, keeping nothing for a later that may fail.

    What is left in the buffer of a closed terminal would break the end of Python.
    """

    def __init__(self, tty_out: TextIO) -> None:
        self._fd = tty_out.fileno()
        self._encoding = tty_out.encoding or "ascii"
        self._waiting: list[str] = []

    def fileno(self) -> int:
        return self._fd

    def write(self, data: str) -> None:
        self._waiting.append(data)

    def flush(self) -> None:
        data = "".join(self._waiting).encode(self._encoding, "replace")
        self._waiting.clear()
        while data:
            data = data[os.write(self._fd, data) :]


class Terminal(RawScreen):
    """A tty that is drawn on and read from.

    Args:
        tty_in: Read from; must be a terminal.
        tty_out: Written to; must be a terminal.
    """

    def __init__(self, tty_in: TextIO, tty_out: TextIO) -> None:
        super().__init__(
            tty_in, _Writer(tty_out), bracketed_paste_mode=True, focus_reporting=False
        )
        self._fd = tty_in.fileno()
        self._replies = ReplyFilter()
        self.register_palette(PALETTE)
        self.n_colours: Final = _count_colours(self.term, tty_out.fileno())
        """What terminfo says; 16 for a terminal that it does not know."""
        if not self.n_colours:
            self.set_terminal_properties(colors=1)

    def _start(self, alternate_buffer: bool = True) -> None:  # noqa: FBT001, FBT002 - urwid's own signature
        """Take the terminal over; Ctrl-C, Ctrl-Z, Ctrl-S and their like become keys.

        `stop` puts back the settings that were there before, these two included.
        """
        super()._start(alternate_buffer)
        mode = termios.tcgetattr(self._fd)
        mode[tty.LFLAG] &= ~termios.ISIG
        mode[tty.IFLAG] &= ~termios.IXON
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    def end(self) -> None:
        """Give the terminal back; idempotent, also when it is gone."""
        if not self.started:
            return
        # A terminal that was closed has nothing to clear any more.
        with contextlib.suppress(OSError):
            self.write(_CLEAR)
            self.flush()
        self.stop()

    def _detect_terminal_modes(self) -> None:
        """Ask nothing: an answer could not be told from one that others provoked."""

    def _get_input_codes(self) -> list[int]:
        codes = super()._get_input_codes()
        return self._replies.feed(codes, time.monotonic())


def _count_colours(term: str, fd: int) -> int:
    """Return how many colours terminfo knows for this terminal; unknown ones may."""
    try:
        curses.setupterm(term or os.environ.get("TERM", "dumb"), fd)
    except curses.error:
        return _USUAL_COLOURS
    return max(0, curses.tigetnum("colors"))
