"""The terminal's loop: keys and events in, at most thirty pictures a second out.

Rule: importing this is light, and something is on the screen before anything else
is done. One coroutine owns the screen: callbacks only fill its inbox, so whatever
goes wrong leaves through `run`, which gives the terminal back first. Nothing is
drawn while nothing happens.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO, assert_never

from urwid import AsyncioEventLoop
from urwid.display.common import InputClosedError

from coykiosk.contract import Command, Event
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.shell import Shell
from coykiosk.ui_urwid.terminal import Terminal
from coykiosk.ui_urwid.view import Page

__all__ = ["Screen"]

_FRAME_S: Final = 1 / 30
_JUDGE_AFTER_S: Final = 0.4  # of no typing; the judge is slow to start
_CLOCK_S: Final = 1.0  # only while something on the screen counts seconds
_GOODBYE_LIMIT_S: Final = 5.0  # how long we wait for `Closed`


@dataclass(frozen=True, slots=True)
class _Keys:
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    generation: int
    is_enough: bool


@dataclass(frozen=True, slots=True)
class _Broken:
    cause: BaseException


@dataclass(frozen=True, slots=True)
class _Happened:
    event: Event


_Item = _Keys | _Judged | _Broken | _Happened


class Screen:
    """The full-screen terminal interface.

    Args:
        submit: Hands a command to the session; must not wait.
        suggest_passphrase: Makes six words; called when the start screen is shown.
        judge_passphrase: True for a passphrase that is hard enough to guess;
            called in a thread, after a pause in typing, never while one types.
        tty_in: The terminal to read from, standard input by default.
        tty_out: The terminal to draw on, standard output by default.
    """

    def __init__(
        self,
        *,
        submit: Callable[[Command], None],
        suggest_passphrase: Callable[[], str],
        judge_passphrase: Callable[[str], bool],
        tty_in: TextIO | None = None,
        tty_out: TextIO | None = None,
    ) -> None:
        self._tty_in = tty_in or sys.stdin
        self._tty_out = tty_out or sys.stdout
        self._judge = judge_passphrase
        self._shell = Shell(
            submit=submit,
            suggest_passphrase=suggest_passphrase,
            ask_judge=self._ask_judge,
        )
        self._inbox: deque[_Item] = deque()
        self._awake = asyncio.Event()
        self._was_painted = asyncio.Event()
        self._is_over = False
        self._terminal: Terminal | None = None
        self._judge_timer: asyncio.TimerHandle | None = None
        self._goodbye_timer: asyncio.TimerHandle | None = None
        self._clock_timer: asyncio.TimerHandle | None = None
        self._next_frame_at = 0.0

    # --- from outside -------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Take an event of the session; never waits. From the loop's thread only."""
        self._put(_Happened(event))

    async def painted(self) -> None:
        """Wait until something is on the screen."""
        await self._was_painted.wait()

    def abort(self) -> None:
        """Give the terminal back at once; `run` returns soon after. Idempotent."""
        self._restore()
        self._end()

    async def run(self) -> None:
        """Show the screen until the session has closed or the terminal is gone.

        Raises:
            UserError: NOT_A_TERMINAL.
        """
        if not (self._tty_in.isatty() and self._tty_out.isatty()):
            raise UserError(ErrorCode.NOT_A_TERMINAL)
        self._terminal = Terminal(self._tty_in, self._tty_out)
        self._shell.colours_are(self._terminal.n_colours)
        try:
            self._terminal.start()
            with self._reading(self._terminal):
                self._drain()  # what was told before is in the first picture
                self._draw(self._terminal)
                self._was_painted.set()
                await self._serve(self._terminal)
        finally:
            self._restore()

    # --- the loop -----------------------------------------------------------------

    async def _serve(self, terminal: Terminal) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_over:
            await self._awake.wait()
            self._drain()
            pause = self._next_frame_at - loop.time()
            if pause > 0 and not self._is_over:
                await asyncio.sleep(pause)
                self._drain()
            if not self._is_over:
                self._draw(terminal)

    def _drain(self) -> None:
        self._awake.clear()
        while self._inbox and not self._is_over:
            self._take(self._inbox.popleft())
        if self._shell.state.page is Page.CLOSED:
            self._end()
        elif self._shell.where is Where.CLOSING and self._goodbye_timer is None:
            loop = asyncio.get_running_loop()
            self._goodbye_timer = loop.call_later(_GOODBYE_LIMIT_S, self._end)

    def _take(self, item: _Item) -> None:
        match item:
            case _Happened(event):
                self._shell.apply(event)
            case _Keys(keys):
                self._shell.press_all(keys)
            case _Judged(generation, is_enough):
                self._shell.judged(generation, is_enough=is_enough)
            case _Broken(cause):
                raise cause
            case _:
                assert_never(item)

    def _draw(self, terminal: Terminal) -> None:
        if self._shell.take_redraw_wish():
            terminal.clear()
        cols, rows = terminal.get_cols_rows()
        size = max(1, cols), max(1, rows)
        try:
            terminal.draw_screen(size, self._shell.draw(*size))
        except OSError:
            # The terminal was closed under us; there is nobody to show it to.
            self._end()
        loop = asyncio.get_running_loop()
        self._next_frame_at = loop.time() + _FRAME_S
        if self._clock_timer is not None:
            self._clock_timer.cancel()
        if self._shell.has_clock:
            self._clock_timer = loop.call_later(_CLOCK_S, self._awake.set)

    def _put(self, item: _Item) -> None:
        self._inbox.append(item)
        self._awake.set()

    def _end(self) -> None:
        self._is_over = True
        self._awake.set()

    def _restore(self) -> None:
        for timer in (self._judge_timer, self._goodbye_timer, self._clock_timer):
            if timer is not None:
                timer.cancel()
        if self._terminal is not None:
            self._terminal.end()
        self._shell.wipe()

    # --- keys ----------------------------------------------------------------------

    @contextmanager
    def _reading(self, terminal: Terminal) -> Iterator[None]:
        """Watch the keyboard and the size of the window."""
        loop = asyncio.get_running_loop()
        alarms = AsyncioEventLoop(loop=loop)
        fds = [
            source if isinstance(source, int) else source.fileno()
            for source in terminal.get_input_descriptors()
        ]

        def on_readable() -> None:
            try:
                codes = terminal.get_available_raw_input()
            except (InputClosedError, OSError):
                # End of file, or EIO: the terminal was closed.
                for fd in fds:
                    loop.remove_reader(fd)
                self._end()
                return
            terminal.parse_input(alarms, self._on_keys, codes)

        for fd in fds:
            loop.add_reader(fd, on_readable)
        try:
            yield
        finally:
            for fd in fds:
                loop.remove_reader(fd)

    def _on_keys(self, keys: Sequence[object], _raw: Sequence[int]) -> None:
        """Take what urwid read; mouse and position reports are no keys."""
        self._put(_Keys(tuple(key for key in keys if isinstance(key, str))))

    # --- the strength of a passphrase -------------------------------------------------

    def _ask_judge(self, text: str, generation: int) -> None:
        if self._judge_timer is not None:
            self._judge_timer.cancel()
        loop = asyncio.get_running_loop()
        self._judge_timer = loop.call_later(
            _JUDGE_AFTER_S, self._start_judging, text, generation
        )

    def _start_judging(self, text: str, generation: int) -> None:
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(None, self._judge, text)

        def on_answer(answer: asyncio.Future[bool]) -> None:
            if answer.cancelled():
                return
            cause = answer.exception()
            if cause is not None:
                self._put(_Broken(cause))
            else:
                self._put(_Judged(generation, answer.result()))

        answer.add_done_callback(on_answer)
