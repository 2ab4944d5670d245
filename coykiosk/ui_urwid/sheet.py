"""A page of text and fields that scrolls when the terminal is too small for it.

Rule: whatever has the cursor is always in sight, and when something lies below
the edge the last row says so and names the key.
"""

from collections.abc import Sequence
from typing import Final

import urwid

from coykiosk.text import _

__all__ = ["Part", "Sheet", "blank", "clipped", "stack"]

Part = tuple[urwid.Canvas, bool]
"""A canvas, and whether the cursor may be in it."""

_MARGIN_FROM_COLS: Final = 60  # narrower terminals have no cells to give away


def stack(parts: Sequence[Part]) -> urwid.CompositeCanvas:
    """Put canvases of one width below each other; the flagged one has the focus."""
    return urwid.CompositeCanvas(
        urwid.CanvasCombine(
            [(canvas, place, focus) for place, (canvas, focus) in enumerate(parts)]
        )
    )


def blank(cols: int, rows: int) -> urwid.CompositeCanvas:
    """Return rows with nothing in them."""
    return urwid.CompositeCanvas(urwid.SolidCanvas(" ", cols, rows))


def clipped(canvas: urwid.Canvas, top: int, rows: int) -> urwid.CompositeCanvas:
    """Return exactly so many rows of a canvas from `top` on, blank where it ends."""
    part = urwid.CompositeCanvas(canvas)
    there = max(0, min(rows, canvas.rows() - top))
    if there == 0:
        return blank(canvas.cols(), rows)
    part.trim(top, there)
    if there < rows:
        part.pad_trim_top_bottom(0, rows - there)
    return part


class Sheet:
    """A box that shows flow widgets from the top and scrolls by pages."""

    def __init__(self) -> None:
        self._parts: Sequence[urwid.Widget] = ()
        self._focus: int | None = None
        self._top = 0
        self._rows = 1
        self._follows_cursor = True

    def show(self, parts: Sequence[urwid.Widget], focus: int | None = None) -> None:
        """Show these widgets; the one at `focus` has the cursor."""
        self._parts = parts
        if focus != self._focus:
            self._follows_cursor = True
        self._focus = focus

    def to_top(self) -> None:
        """Scroll back to the beginning."""
        self._top = 0
        self._follows_cursor = True

    def follow_cursor(self) -> None:
        """Bring the cursor back in sight, because something was typed."""
        self._follows_cursor = True

    def scroll(self, pages: int) -> None:
        """Move by whole pages, one row kept; a negative number goes up."""
        self._top = max(0, self._top + pages * max(1, self._rows - 2))
        self._follows_cursor = False

    def draw(self, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw what fits."""
        margin = 2 if cols >= _MARGIN_FROM_COLS else 0
        canvas = self._content(cols - 2 * margin)
        canvas.pad_trim_left_right(margin, margin)
        self._rows = rows
        is_longer = canvas.rows() > rows > 1
        shown = rows - 1 if is_longer else rows
        self._place(canvas, shown)
        part = clipped(canvas, self._top, shown)
        if not is_longer:
            return part
        below = self._top + shown < canvas.rows()
        words = _("-- more below: PgDn --") if below else _("-- PgUp: back up --")
        more = urwid.Text(("key", words), align="right", wrap="clip")
        return stack([(part, True), (more.render((cols,)), False)])

    def _place(self, canvas: urwid.CompositeCanvas, shown: int) -> None:
        """Move the top edge into the page, and to the cursor if that is out of it."""
        last = max(0, canvas.rows() - shown)
        self._top = max(0, min(self._top, last))
        if self._follows_cursor and canvas.cursor is not None:
            _x, y = canvas.cursor
            # One row more than the cursor's own: what stands below an edit is
            # what there is to say about it.
            self._top = max(self._top, min(last, y + 2 - shown))
            self._top = min(self._top, y)

    def _content(self, cols: int) -> urwid.CompositeCanvas:
        if not self._parts:
            return blank(cols, 1)
        return stack(
            [
                (part.render((cols,), place == self._focus), place == self._focus)
                for place, part in enumerate(self._parts)
            ]
        )
