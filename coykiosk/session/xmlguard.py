"""The gate before every XML parser: what a server sends is weighed first.

Rule: pure; nothing reaches a parser that has not passed `XmlGuard` whole. It
reads bytes as they come, cut anywhere, and gives back complete top-level pieces:
the stream head, then one stanza at a time. On the way it refuses what RFC 6120,
section 11.1, forbids (declarations of documents and entities, processing
instructions, comments), what is too large, too deep or has too many attributes,
and what is not UTF-8. The outcome never depends on where the bytes were cut.

    PROLOG --'<?'--> DECLARATION --'?>'--> PROLOG
    PROLOG, CONTENT --'<'--> MARKUP --name--> START_TAG <--quote--> QUOTED
                               |--'/'-------> END_TAG
                               `--'!'-------> CDATA_START --> CDATA --']]>'--> CONTENT
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Final, NoReturn, final

__all__ = [
    "POST_AUTH_LIMITS",
    "PRE_AUTH_LIMITS",
    "Limits",
    "Piece",
    "PieceKind",
    "XmlGuard",
    "XmlRefusedError",
]


class XmlRefusedError(Exception):
    """The server sent what no parser of ours will see; the stream must end.

    The message is one short ASCII phrase of ours, never the server's words.
    """

    @property
    def condition(self) -> str:
        """The phrase in the shape of a condition: `too-deep`, `not-utf-8`."""
        return re.sub("[^a-z0-9]+", "-", str(self).lower())


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one top-level piece may weigh."""

    stanza_bytes: int
    depth: int = 40
    """Nesting, the stream element included."""
    attributes: int = 64
    """Per element."""
    elements: int = 10_000
    """Per stanza."""


PRE_AUTH_LIMITS: Final = Limits(stanza_bytes=128 * 1024)  # a picture of 64 KiB
POST_AUTH_LIMITS: Final = Limits(stanza_bytes=256 * 1024)


class PieceKind(Enum):
    """What a complete piece is."""

    HEAD = auto()
    """The start tag of the stream, without its XML declaration."""
    STANZA = auto()
    """One complete child of the stream element."""
    END = auto()
    """The end tag of the stream."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One complete top-level piece, as it was on the wire."""

    kind: PieceKind
    data: bytes


_Scanner = Callable[[], Piece | None]


class _State(IntEnum):  # hashed at every step, which an Enum does slowly
    PROLOG = auto()
    DECLARATION = auto()
    CONTENT = auto()
    MARKUP = auto()
    START_TAG = auto()
    QUOTED = auto()
    END_TAG = auto()
    CDATA_START = auto()
    CDATA = auto()
    CLOSED = auto()


_BLANK: Final = b" \t\r\n"
_CDATA_START: Final = b"<![CDATA["
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NAME_START: Final = re.compile(rb"[A-Za-z_:\x80-\xff]")
_IN_START_TAG: Final = re.compile(rb"[\"'<>]")
_DECLARATION: Final = re.compile(
    rb"<\?xml\s+version\s*=\s*(['\"])1\.0\1"
    rb"(\s+encoding\s*=\s*(['\"])[Uu][Tt][Ff]-8\3)?"
    rb"(\s+standalone\s*=\s*(['\"])(yes|no)\5)?\s*\?>"
)
_MAX_DECLARATION_BYTES: Final = 128


@final
class XmlGuard:
    """Cuts one direction of one XML stream into checked top-level pieces."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._at = 0  # how far the buffer has been scanned
        self._end = 0  # how far it may be: nothing beyond the size limit is looked at
        self._state = _State.PROLOG
        self._quote = b""
        self._depth = 0
        self._n_attributes = 0
        self._n_elements = 0
        self._has_declaration = False
        self._scanners: dict[_State, _Scanner] = {
            _State.PROLOG: self._in_content,
            _State.DECLARATION: self._in_declaration,
            _State.CONTENT: self._in_content,
            _State.MARKUP: self._in_markup,
            _State.START_TAG: self._in_start_tag,
            _State.QUOTED: self._in_quoted,
            _State.END_TAG: self._in_end_tag,
            _State.CDATA_START: self._in_cdata_start,
            _State.CDATA: self._in_cdata,
        }

    @property
    def is_empty(self) -> bool:
        """Whether every byte fed so far has been given back."""
        return not self._buffer

    def feed(self, data: bytes) -> None:
        """Take bytes; `next_piece` gives back what they complete."""
        self._buffer += data
        self._end = min(len(self._buffer), self._limits.stanza_bytes)

    def set_limits(self, limits: Limits) -> None:
        """Weigh what has not been given back yet by other limits."""
        self._limits = limits
        self._end = min(len(self._buffer), self._limits.stanza_bytes)

    def next_piece(self) -> Piece | None:
        """Return the next complete piece; None when more bytes are needed.

        Raises:
            XmlRefusedError: the guard must then not be used again.
        """
        while self._at < self._end:
            if self._state is _State.CLOSED:
                self._drop_all()
                break
            before = (self._at, self._state, len(self._buffer))
            piece = self._scanners[self._state]()
            if piece is not None:
                return piece
            if before == (self._at, self._state, len(self._buffer)):
                break  # needs more bytes
        if len(self._buffer) > self._limits.stanza_bytes:
            self._refuse("too large")
        return None

    # --- one method for each state; each moves `_at` over what it has judged ---

    def _in_content(self) -> None:
        found = self._find(b"<")
        end = found if found >= 0 else self._end
        if self._depth <= 1:
            if self._buffer[self._at : end].strip(_BLANK):
                self._refuse("text between stanzas")
            self._drop(self._at, end)  # white space is a keep-alive
            end = self._at
        self._at = end
        if found >= 0:
            self._state = _State.MARKUP
            self._at += 1

    def _in_markup(self) -> None:
        following = bytes(self._buffer[self._at : self._at + 1])
        if following == b"/":
            self._state = _State.END_TAG
        elif following == b"!":
            self._state = _State.CDATA_START
        elif following == b"?":
            if self._depth or self._has_declaration:
                self._refuse("processing instruction")
            self._state = _State.DECLARATION
        elif _NAME_START.match(following):
            self._begin_element()
        else:
            self._refuse("not well-formed")
        self._at += 1

    def _begin_element(self) -> None:
        self._state = _State.START_TAG
        self._n_attributes = 0
        self._depth += 1
        self._n_elements = self._n_elements + 1 if self._depth > 1 else 0
        if self._depth > self._limits.depth:
            self._refuse("too deep")
        if self._n_elements > self._limits.elements:
            self._refuse("too many elements")

    def _in_start_tag(self) -> Piece | None:
        match = _IN_START_TAG.search(self._buffer, self._at, self._end)
        if match is None:
            self._at = self._end
            return None
        self._at = match.end()
        mark = match.group()
        if mark == b"<":
            self._refuse("not well-formed")
        if mark != b">":
            self._quote = mark
            self._state = _State.QUOTED
            self._n_attributes += 1
            if self._n_attributes > self._limits.attributes:
                self._refuse("too many attributes")
            return None
        self._state = _State.CONTENT
        if self._buffer[self._at - 2] == ord("/"):
            if self._depth == 1:
                self._refuse("not well-formed")
            return self._end_element()
        return self._cut(PieceKind.HEAD) if self._depth == 1 else None

    def _in_quoted(self) -> None:
        found = self._find(self._quote)
        end = found if found >= 0 else self._end
        if self._buffer.find(b"<", self._at, end) >= 0:
            self._refuse("not well-formed")
        self._at = end
        if found >= 0:
            self._at += 1
            self._state = _State.START_TAG

    def _in_end_tag(self) -> Piece | None:
        found = self._find(b">")
        if found < 0:
            self._at = self._end
            return None
        self._at = found + 1
        self._state = _State.CONTENT
        if self._depth == 0:
            self._refuse("not well-formed")
        return self._end_element()

    def _end_element(self) -> Piece | None:
        self._depth -= 1
        if self._depth == 0:
            self._state = _State.CLOSED
            return self._cut(PieceKind.END)
        return self._cut(PieceKind.STANZA) if self._depth == 1 else None

    def _in_declaration(self) -> None:
        found = self._find(b"?>")
        if found < 0:
            if len(self._buffer) > _MAX_DECLARATION_BYTES:
                self._refuse("bad XML declaration")
            return
        declaration = bytes(self._buffer[: found + 2])
        is_short = len(declaration) <= _MAX_DECLARATION_BYTES
        if not (is_short and _DECLARATION.fullmatch(declaration)):
            self._refuse("bad XML declaration")
        # Order matters: the parser must not see a declaration, or it could read
        # the rest in another encoding than the one that was checked here.
        self._drop(0, found + 2)
        self._at = 0
        self._has_declaration = True
        self._state = _State.PROLOG

    def _in_cdata_start(self) -> None:
        start = self._at - len(b"<!")
        end = min(start + len(_CDATA_START), self._end)
        seen = bytes(self._buffer[start:end])
        if self._depth < 2 or not _CDATA_START.startswith(seen):  # noqa: PLR2004  # inside a stanza
            self._refuse("document type, entity or comment")
        if seen == _CDATA_START:
            self._at = end
            self._state = _State.CDATA

    def _in_cdata(self) -> None:
        found = self._find(b"]]>")
        if found >= 0:
            self._at = found + 3
            self._state = _State.CONTENT
        else:
            # The last two bytes may be the beginning of the end.
            self._at = max(self._at, self._end - 2)

    # --- helpers -----------------------------------------------------------------

    def _find(self, wanted: bytes) -> int:
        return self._buffer.find(wanted, self._at, self._end)

    def _cut(self, kind: PieceKind) -> Piece:
        data = bytes(self._buffer[: self._at])
        self._drop(0, self._at)
        self._at = 0
        self._n_elements = 0
        if _CONTROL.search(data):
            self._refuse("control character")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            self._refuse("not UTF-8")
        return Piece(kind, data)

    def _drop(self, start: int, end: int) -> None:
        del self._buffer[start:end]
        self._end = min(len(self._buffer), self._limits.stanza_bytes)

    def _drop_all(self) -> None:
        self._buffer.clear()
        self._at = self._end = 0

    def _refuse(self, reason: str) -> NoReturn:
        self._drop_all()
        raise XmlRefusedError(reason)
