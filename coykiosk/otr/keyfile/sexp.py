"""S-expressions, the notation of libgcrypt in which libotr keeps private keys.

Rule: an atom may be a secret, so neither a repr nor an error shows one. Size, depth
and number of what is read are bounded, and nothing here calls itself.

What is read: words, "strings" with escapes, #hex# and |base64| with white space in
them, and 3:raw. What is left out, as nobody writes it into a key file: display hints
[...], which libgcrypt reads as one more atom, and {...}, which it refuses too.

Source: Rivest, "S-Expressions" (1997); libgcrypt manual, "S-expressions".
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from coykiosk.otr.events import LocalError

MAX_BYTES: Final = 1 << 20  # some 900 accounts; most files hold few
MAX_DEPTH: Final = 32  # a private key needs 5
MAX_NODES: Final = 1 << 15  # 27 for each account, so MAX_BYTES is met first
MAX_ESCAPES: Final = 1 << 12  # in one string: names are shorter, and memory is bounded

# No part of a pattern can match in two ways, so that what does not match is known
# in a time that grows with its length only.
_TOKEN: Final = re.compile(
    rb"""
      (?P<space> \s+)
    | (?P<open> \()
    | (?P<close> \))
    | (?P<word> [A-Za-z\-./_:*+=][A-Za-z0-9\-./_:*+=]*)
    | (?P<raw> [1-9][0-9]{0,6}):
    # A length before the other kinds says nothing that the marks do not say.
    | (?:[1-9][0-9]{0,6})? "(?P<quoted> [^"\\]*(?:\\.[^"\\]*){0,%d})"
    | (?:[1-9][0-9]{0,6})? \#(?P<hex> [0-9A-Fa-f\s]*)\#
    | (?:[1-9][0-9]{0,6})? \|(?P<base64> [A-Za-z0-9+/\s]*(?:=[=\s]*)?)\|
    """
    % MAX_ESCAPES,
    re.VERBOSE | re.DOTALL,
)
_BLANKS: Final = b" \t\v\f\r\n"

_ESCAPE: Final = re.compile(
    rb"\\(x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|\r\n?|\n\r?|.)", re.DOTALL
)
_ESCAPED: Final = {
    b"b": b"\b",
    b"t": b"\t",
    b"v": b"\v",
    b"n": b"\n",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"'": b"'",
    b"\\": b"\\",
}
_LINE_ENDS: Final = frozenset((b"\r", b"\n", b"\r\n", b"\n\r"))
_CODE_CHARS: Final = 3  # x7f or 177

_WORD: Final = re.compile(rb"[A-Za-z\-./_:*+=][A-Za-z0-9\-./_:*+=]*")
# What libgcrypt takes for text: Latin-1 without its control characters, which also
# lets some UTF-8 through and not other. Whatever else there is, it writes as hex,
# as does 1.11 with a zero byte anywhere; 1.10 did so only in front.
_TEXT: Final = re.compile(rb"(?![\x80-\xff])[\b\t\v\n\f\r\x20-\x7e\xa1-\xff]*")
_TO_ESCAPE: Final = re.compile(rb"[\b\t\v\n\f\r\"'\\]")
_ESCAPES: Final = {char: b"\\" + code for code, char in _ESCAPED.items()}

_UNREADABLE: Final = {
    b'"': f"a string that does not end, or has more than {MAX_ESCAPES} backslashes",
    b"#": "a hex number with another character in it, or one that does not end",
    b"|": "base64 with another character in it, or one that does not end",
} | dict.fromkeys(
    (b"%d" % digit for digit in range(10)), "a digit that begins no length"
)


@dataclass(frozen=True, slots=True)
class Atom:
    """A string of bytes, however it was written."""

    value: bytes = field(repr=False)
    """May be part of a secret."""
    line: int = field(default=0, compare=False)
    """Where it stands; the first line is 1."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A list: what stands between two parentheses."""

    items: "tuple[Node, ...]"
    line: int = field(default=0, compare=False)
    """Where it begins; the first line is 1."""

    @property
    def head(self) -> bytes | None:
        """The first item, which says what the list is; None when it does not say."""
        match self.items:
            case (Atom(value), *_):
                return value
            case _:
                return None


Node = Atom | Branch


class _Place:
    """How far a text has been read, for saying where something is wrong."""

    __slots__ = ("at", "line")

    def __init__(self) -> None:
        self.at = 0
        self.line = 1

    def refuse(self, what: str) -> NoReturn:
        msg = f"s-expression: line {self.line}, offset {self.at}: {what}"
        raise LocalError(msg)


class _Tree:
    """The lists that are open, the outermost first."""

    __slots__ = ("_n_nodes", "_open", "_place", "_top")

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._top: list[Node] = []
        self._open: list[tuple[list[Node], int]] = []
        self._n_nodes = 0

    def open(self) -> None:
        if len(self._open) == MAX_DEPTH:
            self._place.refuse(f"more than {MAX_DEPTH} lists inside each other")
        self._open.append(([], self._place.line))

    def close(self) -> None:
        if not self._open:
            self._place.refuse("a list ends that has not begun")
        items, line = self._open.pop()
        self.add(Branch(tuple(items), line))

    def add(self, node: Node) -> None:
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            self._place.refuse(f"more than {MAX_NODES} lists and values")
        (self._open[-1][0] if self._open else self._top).append(node)

    def finish(self) -> tuple[Node, ...]:
        if self._open:
            self._place.refuse(f"the list from line {self._open[-1][1]} does not end")
        return tuple(self._top)


def read_sexps(data: bytes) -> tuple[Node, ...]:
    """Read everything that `data` holds; of nothing, that is nothing.

    Raises:
        LocalError: it is none, or passes a bound; says at which line and offset.
    """
    place = _Place()
    if len(data) > MAX_BYTES:
        place.refuse(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    tree = _Tree(place)
    while place.at < len(data):
        token = _TOKEN.match(data, place.at)
        if token is None:
            mark = data[place.at : place.at + 1]
            place.refuse(_UNREADABLE.get(mark, "a character without a meaning"))
        end = token.end()
        match token.lastgroup:
            case "open":
                tree.open()
            case "close":
                tree.close()
            case "space":
                pass
            case "raw":
                end += int(token["raw"])
                if end > len(data):
                    place.refuse("a string that is longer than the rest")
                tree.add(Atom(data[token.end() : end], place.line))
            case _:
                tree.add(Atom(_value(token, place), place.line))
        place.line += data.count(b"\n", place.at, end)
        place.at = end
    return tree.finish()


def _value(token: re.Match[bytes], place: _Place) -> bytes:
    kind = token.lastgroup
    # Every alternative of the pattern has one named group.
    assert kind is not None
    written: bytes = token[kind]
    match kind:
        case "word":
            return written
        case "quoted":
            return _ESCAPE.sub(lambda escape: _unescape(escape, place), written)
        case "hex":
            digits = written.translate(None, _BLANKS)
            if len(digits) % 2:
                place.refuse(f"{len(digits)} hex digits, an odd number")
            return bytes.fromhex(digits.decode("ascii"))
        case _:
            return _from_base64(written.translate(None, _BLANKS + b"="), place)


def _from_base64(digits: bytes, place: _Place) -> bytes:
    # libgcrypt reads it without the padding, too.
    if len(digits) % 4 == 1:
        place.refuse(f"base64 of {len(digits)} characters")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def _unescape(escape: re.Match[bytes], place: _Place) -> bytes:
    code = escape[1]
    if code in _LINE_ENDS:
        return b""
    if len(code) == _CODE_CHARS:
        return bytes((int(code[1:], 16) if code[:1] == b"x" else int(code, 8),))
    if code not in _ESCAPED:
        place.refuse("a string with a backslash before what it does not escape")
    return _ESCAPED[code]


def write_atom(value: bytes) -> bytes:
    """Write `value` as libgcrypt does: a word, else a "string", else #HEX#."""
    if _WORD.fullmatch(value):
        return value
    if _TEXT.fullmatch(value):
        return b'"' + _TO_ESCAPE.sub(lambda char: _ESCAPES[char[0]], value) + b'"'
    return b"#" + value.hex().upper().encode() + b"#"
