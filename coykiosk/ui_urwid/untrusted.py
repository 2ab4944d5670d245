"""Make text that others wrote fit to be shown on a terminal.

The only door from remote text to the screen. Rule: what leaves `clean` holds no
control, no bidirectional control, nothing invisible and nothing whose width a
terminal could count differently; no text, however made, writes outside its rows.
Nothing is removed in silence that could change what a reader understands: it is
shown by its code point. Pure; no urwid.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from functools import lru_cache
from itertools import groupby, islice
from typing import Final

from wcwidth import wcwidth
from wcwidth import width as cells_of

__all__ = ["Kind", "clean", "clean_typed", "clip", "width"]


class Kind(Enum):
    """What a text is, which decides how strict we are with it."""

    BODY = auto()
    """A message: several lines, long ones folded with a count."""
    NICK = auto()
    """A name somebody gave themselves or others: one short line."""
    JID = auto()
    """An address: one line; everything that is not plain ASCII is pointed out."""
    SERVER_TEXT = auto()
    """Words of a server, such as the reason of a refusal: one line."""


_MAX_BODY_CHARS: Final = 20_000  # of the text as it came; the rest is counted
_MAX_BODY_SHOWN_CHARS: Final = 40_000  # after code points were spelled out
_MAX_BODY_LINES: Final = 300
_MAX_CELLS: Final = {Kind.NICK: 24, Kind.JID: 160, Kind.SERVER_TEXT: 160}
_MAX_RAW_LINE_CHARS: Final = 2_000
_MAX_MARKS: Final = 4  # combining characters on one base
_MAX_POINTS: Final = 6  # code points listed beside a suspicious name
_TAB: Final = "    "
_CUT: Final = ".."
_WIDE: Final = 2  # cells
_NO_NAME: Final = "<no visible name>"
_SUSPICIOUS: Final = "(!) "

_ZWNJ: Final = "\u200c"
_BIDI: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    "\u206a\u206b\u206c\u206d\u206e\u206f"
)
# Letters and symbols by category, but drawn as nothing at all.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u17b4\u17b5")
# They change the look of a neighbour or a line break and carry no text of their own:
# soft hyphen, joiners, word joiner, byte order mark, variation selectors, and the
# rest of the format characters that are not bidirectional controls.
_SILENT: Final = re.compile(
    "[\u00ad\u034f\u180b-\u180f\u200b-\u200d\u2060-\u2064\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef]"
)
_LINE_BREAKS: Final = frozenset("\n\u2028\u2029")
_PICTOGRAPHS: Final = (
    (0x231A, 0x23FF),
    (0x2600, 0x27BF),
    (0x2B1B, 0x2B55),
    (0x1F000, 0x1FAFF),
)
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)
# Jamo vowels and finals: of no width behind their leading consonant.
_TRAILING_JAMO: Final = ((0x1160, 0x11FF), (0xD7B0, 0xD7FF))
_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_ASCII_SHOWN: Final = range(0x20, 0x7F)


def clean(text: str, kind: Kind) -> str:
    r"""Return what may be shown of a text that somebody else wrote.

    Returns:
        For `Kind.BODY` one or more lines separated by "\n" and no other control;
        for the others exactly one line, never empty-looking, of bounded width.

    Source: Unicode UAX 9 (bidirectional controls), UAX 31 section 2.3 (joiners),
        UTR 36 sections 2 and 3 (visual spoofing).
    """
    if kind is Kind.BODY:
        return _clean_body(text)
    raw = text[:_MAX_RAW_LINE_CHARS]
    shown = " ".join("".join(_pieces(raw, kind)).split()) or _NO_NAME
    points = _suspicious_points(raw, kind)
    if not points:
        return clip(shown, _MAX_CELLS[kind])
    listed = " ".join(islice(points, _MAX_POINTS))
    more = " .." if len(points) > _MAX_POINTS else ""
    return f"{_SUSPICIOUS}{clip(shown, _MAX_CELLS[kind])} <{listed}{more}>"


def clean_typed(text: str) -> str:
    r"""Return what of a typed or pasted text goes into our own line.

    Controls, bidirectional controls and invisible characters go; "\n" stays, a
    tab becomes blanks. What is left is what will be sent, so nothing is spelled
    out and emoji stay themselves.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", _TAB)
    kept: list[str] = []
    for at, char in enumerate(text):
        if char in _LINE_BREAKS:
            kept.append("\n")
        elif char == _ZWNJ:
            # Persian spells with it; while typing, the next letter is not there yet.
            if at and _is_arabic_letter(text[at - 1]):
                kept.append(char)
        elif unicodedata.category(char) == "Zs":
            kept.append(" ")
        elif not (char in _BLANK or unicodedata.category(char)[0] == "C"):
            kept.append(char)
    return "".join(kept)


def width(text: str) -> int:
    """Return the cells of one line of cleaned text, as urwid counts them."""
    return cells_of(text, control_codes="ignore")


def clip(text: str, cells: int) -> str:
    """Return one cleaned line cut to so many cells, ending in ".." where cut."""
    if width(text) <= cells:
        return text
    room = cells - len(_CUT)
    if room < 0:
        return _CUT[: max(0, cells)]
    lengths = range(len(text) + 1)
    longest = bisect_right(lengths, room, key=lambda n: width(text[:n])) - 1
    return text[:longest] + _CUT


def _clean_body(text: str) -> str:
    text = text.replace("\r\n", "\n")
    hidden_chars = max(0, len(text) - _MAX_BODY_CHARS)
    shown = "".join(_bounded(_pieces(text[:_MAX_BODY_CHARS], Kind.BODY)))
    lines = [line.rstrip() for line in shown.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    hidden_lines = max(0, len(lines) - _MAX_BODY_LINES)
    lines = lines[:_MAX_BODY_LINES]
    if hidden_lines:
        lines.append(f"[{hidden_lines} more lines not shown]")
    if hidden_chars:
        lines.append(f"[{hidden_chars} more characters not shown]")
    return "\n".join(lines) or "<nothing to see>"


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    """Pass pieces on until they fill the room one message may take."""
    room = _MAX_BODY_SHOWN_CHARS
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            yield "\n[the rest is not shown]"
            return
        yield piece


def _pieces(text: str, kind: Kind) -> Iterator[str]:
    """Yield what is shown for each character, runs of spelled-out ones folded."""
    at = 0
    has_base, n_marks = False, 0
    for char, run in groupby(text):
        n_run = sum(1 for _ in run)
        start, at = at, at + n_run
        if _is_combining(char):
            room = min(n_run, _MAX_MARKS - n_marks) if has_base else 0
            n_marks += max(0, room)
            yield char * room
            continue
        shown = _shown(char, kind, _neighbours(text, start, at))
        has_base, n_marks = shown == char and not shown.isspace(), 0
        if shown.startswith("<U+") and n_run > 1:
            yield f"{shown[:-1]} x{n_run}>"
        else:
            yield shown * n_run


def _neighbours(text: str, start: int, end: int) -> tuple[str, str]:
    """Return the characters before and behind a run, "" at the ends."""
    return text[start - 1 : start] if start else "", text[end : end + 1]


def _shown(char: str, kind: Kind, beside: tuple[str, str]) -> str:
    """Return what stands for a character that is no combining mark."""
    joins = char == _ZWNJ and all(map(_is_arabic_letter, beside))
    if ord(char) in _ASCII_SHOWN or joins:
        return char
    if char in _LINE_BREAKS:
        return "\n" if kind is Kind.BODY else " "
    if char == "\t":
        return _TAB
    # A name must not look like another one for what is not seen in it; in a
    # message, direction can change the meaning and joiners cannot.
    if char in _BIDI:
        return _code_point(char) if kind is Kind.BODY else ""
    if _SILENT.match(char):
        return "" if kind is Kind.BODY else _code_point(char)
    return _shown_alone(char)


@lru_cache(maxsize=4096)
def _shown_alone(char: str) -> str:
    """Return what stands for a character whatever its neighbours are."""
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category[0] in "CZ" or char in _BLANK:
        return _code_point(char)
    if _is_pictograph(char):
        if ord(char) in _FLAG_LETTERS:
            return f":{chr(ord(char) - _FLAG_LETTERS.start + ord('A'))}:"
        name = unicodedata.name(char, "").lower()
        return f":{name}:" if name else _code_point(char)
    return char if wcwidth(char) in {1, 2} else _code_point(char)


def _code_point(char: str) -> str:
    return f"<U+{ord(char):04X}>"


def _is_pictograph(char: str) -> bool:
    point = ord(char)
    if any(first <= point <= last for first, last in _PICTOGRAPHS):
        return True
    return unicodedata.category(char) == "So" and wcwidth(char) == _WIDE


def _is_combining(char: str) -> bool:
    """Tell whether a character is drawn into the cell of the one before it."""
    if any(first <= ord(char) <= last for first, last in _TRAILING_JAMO):
        return char not in _BLANK
    return (
        unicodedata.category(char) in {"Mn", "Mc", "Me"}
        and char not in _BLANK
        and not _SILENT.match(char)
    )


def _is_arabic_letter(char: str) -> bool:
    return unicodedata.category(char or " ")[0] in "LM" and unicodedata.name(
        char, ""
    ).startswith("ARABIC")


def _suspicious_points(raw: str, kind: Kind) -> list[str]:
    """Return the code points that make a name or address look like another."""
    if raw.isascii() or kind is Kind.SERVER_TEXT:
        return []
    odd = list(dict.fromkeys(char for char in raw if not char.isascii()))
    points = [f"U+{ord(char):04X}" for char in odd]
    if kind is Kind.JID:
        return points
    hidden = any(char in _BIDI for char in odd)
    return points if hidden or len(_scripts(raw)) > 1 else []


def _scripts(raw: str) -> frozenset[str]:
    """Return the scripts of a name's letters; East Asian ones count as one."""
    words = {
        unicodedata.name(char, "?").split(" ", 1)[0].split("-", 1)[0]
        for char in raw
        if char.isalpha()
    }
    return frozenset("EAST ASIAN" if word in _EAST_ASIAN else word for word in words)
