"""The messages of a chat, newest at the bottom, each in rows of its own.

Rule: what the other end wrote stays in its column. The gutter, the time and the
name are ours on every row; nothing that comes in moves what is being read.
"""

from collections.abc import Sequence
from typing import Final

import urwid

from coykiosk.text import _, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.palette import ATTRIBUTES
from coykiosk.ui_urwid.sheet import Part, clipped, stack
from coykiosk.ui_urwid.untrusted import Kind, clean, clip
from coykiosk.ui_urwid.view import Line

__all__ = ["LogView"]

_GUTTER_COLS: Final = 4  # three of mark and a blank
_NAME_CELLS: Final = 12
_HEAD_COLS: Final = 6 + _NAME_CELLS  # "12:03 " and the name
_WIDE_FROM_COLS: Final = 60
_CACHED_CANVASES: Final = 400


class LogView:
    """A box that shows the end of a chat, or the part one scrolled to."""

    def __init__(self) -> None:
        self._lines: Sequence[Line] = ()
        self._anchor: tuple[int, int] | None = None
        """Number of the line at the bottom edge and its rows below the edge;
        None while the newest is followed."""
        self._n_seen = 0
        self._size = (80, 1)
        self._canvases: dict[Line, tuple[int, urwid.Canvas]] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines; what is being read stays where it is."""
        self._lines = lines
        if self._anchor is None:
            self._n_seen = lines[-1].number + 1 if lines else 0

    @property
    def n_new_below(self) -> int:
        """How many came since one scrolled away and lie below the edge."""
        if self._anchor is None or not self._lines:
            return 0
        first_new = max(self._n_seen, self._anchor[0] + 1)
        return max(0, self._lines[-1].number + 1 - first_new)

    def to_newest(self) -> None:
        """Follow the newest message again."""
        self._anchor = None
        self.show(self._lines)

    def page_up(self) -> None:
        """Show older messages."""
        self._move(-max(1, self._size[1] - 1))

    def page_down(self) -> None:
        """Show newer messages."""
        self._move(max(1, self._size[1] - 1))

    def _move(self, rows: int) -> None:
        """Move the bottom edge by so many rows, and keep the box full."""
        if not self._lines:
            return
        place, below = self._bottom()
        place, below = self._normal(place, below - rows)
        missing = self._size[1] - self._rows_above(place, below)
        if missing > 0:
            place, below = self._normal(place, below - missing)
        at_the_end = place == len(self._lines) - 1 and below == 0
        self._anchor = None if at_the_end else (self._lines[place].number, below)
        self.show(self._lines)

    def _bottom(self) -> tuple[int, int]:
        """Return the index of the line at the bottom edge and its rows below it."""
        last = len(self._lines) - 1
        if self._anchor is None:
            return last, 0
        number, below = self._anchor
        place = number - self._lines[0].number
        if place < 0:
            return 0, 0  # it has been dropped: the scrollback is bounded
        place = min(place, last)
        return place, min(below, self._n_rows(place) - 1)

    def _normal(self, place: int, below: int) -> tuple[int, int]:
        """Move to the neighbours until `below` lies within its line."""
        while below < 0 and place < len(self._lines) - 1:
            place += 1
            below += self._n_rows(place)
        while below >= self._n_rows(place) and place > 0:
            below -= self._n_rows(place)
            place -= 1
        return place, max(0, min(below, self._n_rows(place) - 1))

    def _rows_above(self, place: int, below: int) -> int:
        """Count the rows above the bottom edge, no further than the box is high."""
        rows = -below
        while place >= 0 and rows < self._size[1]:
            rows += self._n_rows(place)
            place -= 1
        return rows

    def _n_rows(self, place: int) -> int:
        return int(self._canvas(self._lines[place]).rows())

    def draw(self, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw what fits above the bottom edge."""
        self._size = (cols, rows)
        if not self._lines:
            hint = urwid.Text(_("Nothing was written here yet."), align="center")
            return clipped(hint.render((cols,)), 0, rows)
        messages = self._messages(rows)
        if self._anchor is None or rows == 1:
            return messages
        # Drawn over the last row, so that the height is the same in every position;
        # paging moves one row less than a page, so no row stays hidden.
        words = _("-- older messages; Ctrl+End: newest --")
        if self.n_new_below:
            words = ngettext(
                "-- {n} new below: Ctrl+End --",
                "-- {n} new below: Ctrl+End --",
                self.n_new_below,
            ).format(n=self.n_new_below)
        notice = urwid.Text(("key", words), align="right", wrap="clip")
        shown = clipped(messages, 0, rows - 1)
        return stack([(shown, False), (notice.render((cols,)), False)])

    def _messages(self, rows: int) -> urwid.CompositeCanvas:
        place, below = self._bottom()
        parts: list[Part] = []
        height = -below
        while place >= 0 and height < rows:
            canvas = self._canvas(self._lines[place])
            parts.insert(0, (canvas, False))
            height += canvas.rows()
            place -= 1
        drawn = stack(parts)
        if below:
            drawn.trim(0, drawn.rows() - below)
        if height >= rows:
            return clipped(drawn, height - rows, rows)
        drawn.pad_trim_top_bottom(rows - height, 0)
        return drawn

    def _canvas(self, line: Line) -> urwid.Canvas:
        """Return a line as drawn at the present width."""
        cols = self._size[0]
        found = self._canvases.get(line)
        if found is not None and found[0] == cols:
            return found[1]
        if len(self._canvases) >= _CACHED_CANVASES:
            self._canvases.clear()
        canvas = _drawn(line, cols)
        self._canvases[line] = (cols, canvas)
        return canvas


def _drawn(line: Line, cols: int) -> urwid.CompositeCanvas:
    """Draw one message: gutter, time, name, and the text in its own column."""
    inner = max(1, cols - _GUTTER_COLS)
    body = _body(line)
    time = f"{line.at.astimezone():%H:%M}"
    if cols >= _WIDE_FROM_COLS:
        name = clip(_name(line), _NAME_CELLS)
        head = urwid.Text([f"{time} ", (_who(line), name)], wrap="clip")
        message: urwid.Widget = urwid.Columns([(_HEAD_COLS, head), body], 1)
    else:
        name = clip(_name(line), max(1, inner - 6))
        head = urwid.Text([f"{time} ", (_who(line), name)], wrap="clip")
        message = urwid.Pile([head, urwid.Padding(body, left=min(2, inner - 1))])
    text = message.render((inner,))
    mark = (ATTRIBUTES[line.mark], wording.gutter(line))
    edge = stack(
        [
            (urwid.Text(mark, wrap="clip").render((_GUTTER_COLS,)), False)
            for _row in range(text.rows())
        ]
    )
    joined = [(edge, None, False, _GUTTER_COLS), (text, None, False, inner)]
    return urwid.CompositeCanvas(urwid.CanvasJoin(joined))


def _body(line: Line) -> urwid.Text:
    note = wording.line_note(line)
    text = clean(line.text, Kind.BODY)
    return urwid.Text([text, "\n", ("note", f"({note})")] if note else text)


def _name(line: Line) -> str:
    return _("you") if line.author is None else wording.nick(line.author)


def _who(line: Line) -> str:
    return "ours" if line.author is None else "theirs"
