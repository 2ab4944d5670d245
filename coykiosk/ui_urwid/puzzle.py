"""The screen on which a person solves a server's puzzle.

Rule: the server's words are shown as the server's words; what is typed goes into the
puzzle's answer and nowhere else. The time that is left is counted here, from the
moment the puzzle was first drawn.
"""

import math
from collections.abc import Callable
from typing import Final

import urwid

from coykiosk.contract import Picture, Puzzle
from coykiosk.text import _, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.dialogs import Rows, gap
from coykiosk.ui_urwid.editing import line_edit
from coykiosk.ui_urwid.mosaic import (
    Cell,
    fitted,
    ink_cells,
    shaded_cells,
    window,
)
from coykiosk.ui_urwid.sheet import Sheet
from coykiosk.ui_urwid.untrusted import Kind, clean, clean_typed
from coykiosk.ui_urwid.view import ViewState

__all__ = ["PuzzlePage"]

MAX_ANSWER_CHARS: Final = 200
_FULL_COLOURS: Final = 256
_OTHER_ROWS: Final = 8
"""What stands around the picture, on the smallest screen."""
_MIN_PICTURE_ROWS: Final = 4
_ROOMY_ROWS: Final = 14
_MARGINS: Final = 4
_UPPER_HALF: Final = "▀"


class PuzzlePage:
    """The picture or the question, the answer, and the time that is left.

    Args:
        now: Monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.n_colours = _FULL_COLOURS
        """How many colours the terminal has."""
        self._edit = line_edit("> ", max_chars=MAX_ANSWER_CHARS)
        self._sheet = Sheet()
        self._puzzle: Puzzle | None = None
        self._ends_at = 0.0
        self._is_enlarged = False
        self._left = 0

    @property
    def is_empty(self) -> bool:
        """True while nothing is typed."""
        return not self._edit.edit_text

    def keypress(self, key: str) -> None:
        """Edit the answer."""
        self._edit.keypress((MAX_ANSWER_CHARS,), key)
        self._sheet.follow_cursor()

    def paste(self, text: str) -> None:
        """Put a pasted text where the cursor is."""
        self._edit.insert_text(clean_typed(text).replace("\n", " "))

    def take_answer(self) -> str:
        """Return what was typed, without the blanks around it, and forget it."""
        answer: str = self._edit.edit_text.strip()
        self._edit.set_edit_text("")
        return answer

    def enlarge(self) -> None:
        """Show each pixel of the picture, or all of it again."""
        self._is_enlarged = not self._is_enlarged
        self._left = 0

    def scroll(self, pages: int) -> None:
        """Move along an enlarged picture, half a screen at a time."""
        if self._is_enlarged and self._puzzle is not None and self._puzzle.picture:
            picture = self._puzzle.picture
            step = pages * max(1, picture.width // 4)
            self._left = max(0, min(picture.width - 1, self._left + step))
        else:
            self._sheet.scroll(pages)

    def draw(self, state: ViewState, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw the puzzle for a terminal of this size."""
        puzzle = state.puzzle
        if puzzle is None:
            return self._sheet.draw(cols, rows)
        if puzzle is not self._puzzle:
            self._begin(puzzle)
        shown = self._picture_rows(puzzle, cols - _MARGINS, rows - _OTHER_ROWS)
        is_compact = rows < _ROOMY_ROWS
        body = [*_heading(puzzle, is_compact=is_compact), *shown]
        tail: list[urwid.Widget] = [urwid.Text(self._time_words())]
        tail += [] if is_compact else _advice(puzzle)
        self._sheet.show([*body, self._edit, *tail], len(body))
        return self._sheet.draw(cols, rows)

    def _begin(self, puzzle: Puzzle) -> None:
        self._puzzle = puzzle
        self._ends_at = self._now() + puzzle.life_s
        self._edit.set_edit_text("")
        self._is_enlarged = False
        self._left = 0
        self._sheet.to_top()

    def _time_words(self) -> str | tuple[str, str]:
        seconds = math.ceil(self._ends_at - self._now())
        if seconds <= 0:
            return "caution", _("[--] Its time is over. F6 asks for another one.")
        return ngettext(
            "The server waits for {n} more second.",
            "The server waits for {n} more seconds.",
            seconds,
        ).format(n=seconds)

    def _picture_rows(self, puzzle: Puzzle, cols: int, rows: int) -> Rows:
        if puzzle.picture is None:
            return []
        picture = puzzle.picture
        if self._is_enlarged:
            picture = window(picture, self._left, cols)
        else:
            picture = fitted(picture, cols, max(_MIN_PICTURE_ROWS, rows))
        return _shaded(picture) if self.n_colours >= _FULL_COLOURS else _inked(picture)


def _heading(puzzle: Puzzle, *, is_compact: bool) -> Rows:
    server = clean(puzzle.server, Kind.JID)
    rows: list[urwid.Widget] = []
    if puzzle.n_wrong:
        words = _("[--] That was not it; here is another one.")
        rows.append(urwid.Text(("caution", words)))
    elif not is_compact:
        words = _("{server} wants to see that a person is there.").format(server=server)
        rows.append(urwid.Text(words))
    if puzzle.picture is not None:
        rows.append(urwid.Text(("strong", _("Type what the picture shows:"))))
    if puzzle.question:
        rows.append(urwid.Text(wording.server_says(puzzle.question)))
    return rows


def _advice(puzzle: Puzzle) -> Rows:
    words = _("F6: another one. F4: leave this server out. Esc: stop, and go back.")
    if puzzle.picture is not None:
        words = _(
            "F6: another picture. F8: larger. F4: leave this server out. Esc: stop."
        )
    return [gap(), urwid.Text(words)]


def _shaded(picture: Picture) -> Rows:
    return [
        urwid.Text([(_grey(cell), _UPPER_HALF) for cell in row], wrap="clip")
        for row in shaded_cells(picture)
    ]


def _grey(cell: Cell) -> urwid.AttrSpec:
    upper, lower = (f"g{round(grey * 100 / 255)}" for grey in cell)
    return urwid.AttrSpec(upper, lower, _FULL_COLOURS)


def _inked(picture: Picture) -> Rows:
    return [urwid.Text(row, wrap="clip") for row in ink_cells(picture)]
