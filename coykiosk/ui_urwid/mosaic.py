"""A picture in cells: two pixels to each, one above the other.

Rule: pure, no urwid. The picture is stretched to its full contrast and shrunk by
averaging, never enlarged: what a server drew is drawn, and nothing is guessed.
"""

from typing import Final

from coykiosk.contract import Picture

__all__ = ["Cell", "fitted", "ink_cells", "shaded_cells", "window"]

Cell = tuple[int, int]
"""The grey of the upper and of the lower half, 0 to 255."""

_BLACK_BELOW: Final = 128
_INK: Final = {
    (False, False): " ",
    (True, False): "▀",
    (False, True): "▄",
    (True, True): "█",
}
"""Whether there is ink above, and below."""


def fitted(picture: Picture, cols: int, rows: int) -> Picture:
    """Shrink a picture until it fits into so many cells; its shape stays."""
    width, height = picture.width, picture.height
    most_width, most_height = max(1, cols), max(1, 2 * rows)
    if width > most_width:
        width, height = most_width, max(1, height * most_width // width)
    if height > most_height:
        width, height = max(1, width * most_height // height), most_height
    if (width, height) == (picture.width, picture.height):
        return picture
    greys = bytes(
        _mean(picture, x, y, width, height) for y in range(height) for x in range(width)
    )
    return Picture(width, height, greys)


def _mean(picture: Picture, x: int, y: int, width: int, height: int) -> int:
    """Average what of a picture falls into one pixel of a smaller one."""
    left, right = _span(x, picture.width, width)
    top, bottom = _span(y, picture.height, height)
    total = sum(
        sum(picture.greys[row * picture.width + left : row * picture.width + right])
        for row in range(top, bottom)
    )
    return total // ((right - left) * (bottom - top))


def _span(at: int, n_from: int, n_to: int) -> tuple[int, int]:
    start = at * n_from // n_to
    return start, max(start + 1, (at + 1) * n_from // n_to)


def window(picture: Picture, left: int, cols: int) -> Picture:
    """Cut the columns out that begin at `left`."""
    left = max(0, min(left, picture.width - cols))
    width = min(cols, picture.width)
    rows = range(0, picture.width * picture.height, picture.width)
    greys = b"".join(picture.greys[at + left : at + left + width] for at in rows)
    return Picture(width, picture.height, greys)


def shaded_cells(picture: Picture) -> list[list[Cell]]:
    """Return the picture's cells, row by row, at full contrast."""
    darkest, lightest = min(picture.greys), max(picture.greys)
    span = max(1, lightest - darkest)
    stretched = bytes((grey - darkest) * 255 // span for grey in picture.greys)
    lines = [
        stretched[at : at + picture.width]
        for at in range(0, len(stretched), picture.width)
    ]
    if len(lines) % 2:
        lines.append(bytes(picture.width * [255]))
    return [
        list(zip(upper, lower, strict=True))
        for upper, lower in zip(lines[::2], lines[1::2], strict=True)
    ]


def ink_cells(picture: Picture) -> list[str]:
    """Return the rows of a picture in ink alone, for where there are no greys.

    Whichever of dark and light covers less is the ink: a puzzle's letters are few.
    """
    cells = shaded_cells(picture)
    dark = [[(u < _BLACK_BELOW, low < _BLACK_BELOW) for u, low in row] for row in cells]
    n_dark = sum(u + low for row in dark for u, low in row)
    is_inverted = 2 * n_dark > 2 * sum(len(row) for row in dark)
    return [
        "".join(_INK[u != is_inverted, low != is_inverted] for u, low in row)
        for row in dark
    ]
