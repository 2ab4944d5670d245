"""A terminal's screen as an SVG picture, cell by cell."""

from html import escape

import pyte
from pyte.screens import Char

_CELL_W, _CELL_H, _MARGIN = 8.4, 18, 14
_NAMED = {
    "default": "#d8d8d8",
    "black": "#1c1c1c",
    "red": "#d55e00",
    "green": "#009e73",
    "brown": "#e69f00",
    "blue": "#56b4e9",
    "magenta": "#cc79a7",
    "cyan": "#56b4e9",
    "white": "#ffffff",
}
_BACKGROUND = "#14171a"


def svg(screen: pyte.Screen) -> str:
    """Draw the screen; runs of equal cells become one piece of text."""
    width = screen.columns * _CELL_W + 2 * _MARGIN
    height = screen.lines * _CELL_H + 2 * _MARGIN
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}"'
            f' height="{height:.0f}" font-family="monospace" font-size="14">'
        ),
        f'<rect width="100%" height="100%" rx="6" fill="{_BACKGROUND}"/>',
    ]
    for y in range(screen.lines):
        row = [screen.buffer[y][x] for x in range(screen.columns)]
        parts += _runs(row, y)
    cursor = screen.cursor
    if not cursor.hidden:
        parts.append(_box(cursor.x, cursor.y, 1, "#d8d8d8", opacity="0.45"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _runs(row: list[Char], y: int) -> list[str]:
    parts = []
    start = 0
    while start < len(row):
        end = start + 1
        while end < len(row) and _style(row[end]) == _style(row[start]):
            end += 1
        text = "".join(char.data for char in row[start:end])
        ink, paper, is_bold = _style(row[start])
        if paper != _BACKGROUND:
            parts.append(_box(start, y, end - start, paper))
        if text.strip():
            parts.append(_text(text, start, y, ink, is_bold=is_bold))
        start = end
    return parts


def _style(char: Char) -> tuple[str, str, bool]:
    ink = _colour(char.fg, _NAMED["default"])
    paper = _colour(char.bg, _BACKGROUND)
    return (paper, ink, char.bold) if char.reverse else (ink, paper, char.bold)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return _NAMED.get(name.removeprefix("bright"), f"#{name}")


def _box(x: int, y: int, cells: int, colour: str, *, opacity: str = "1") -> str:
    return (
        f'<rect x="{_MARGIN + x * _CELL_W:.1f}" y="{_MARGIN + y * _CELL_H}"'
        f' width="{cells * _CELL_W:.1f}" height="{_CELL_H}" fill="{colour}"'
        f' opacity="{opacity}"/>'
    )


def _text(text: str, x: int, y: int, colour: str, *, is_bold: bool) -> str:
    stripped = text.lstrip()
    x += len(text) - len(stripped)
    stripped = stripped.rstrip()
    weight = ' font-weight="bold"' if is_bold else ""
    return (
        f'<text x="{_MARGIN + x * _CELL_W:.1f}" y="{_MARGIN + y * _CELL_H + 13}"'
        f' textLength="{len(stripped) * _CELL_W:.1f}" fill="{colour}"{weight}'
        f' xml:space="preserve">{escape(stripped)}</text>'
    )
