"""Where OTR meets a chat message: armour, fragments, queries, tags, error lines.

Rule: text in, values out; nothing here knows a key. Markers count only at the
start of a message (blanks before them aside): what a person quotes in the middle
of a sentence is their text and no protocol. The whitespace tag alone may stand
anywhere.
"""

import binascii
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from coykiosk.otr.events import LocalError, RemoteError

QUERY: Final = "?OTRv3?"
ERROR_PREFIX: Final = "?OTR Error: "
OUR_VERSION: Final = "3"
OLD_VERSIONS: Final = frozenset({"1", "2"})

_ARMOUR_START: Final = "?OTR:"
_ARMOUR_END: Final = "."
_ERROR_START: Final = "?OTR Error:"
_FRAGMENT_START: Final = "?OTR|"
# Digits are spelt out: \d would take those of every script.
_QUERY: Final = re.compile(r"\?OTR(\?)?(?:v([0-9A-Za-z]*)\?)?")
_FRAGMENT: Final = re.compile(
    r"\?OTR(?:\|([0-9A-Fa-f]{1,8})\|([0-9A-Fa-f]{1,8}))?"
    r",([0-9]{1,5}),([0-9]{1,5}),(.*),",
    re.DOTALL,
)

# OTRv3, "Tagged plaintext messages".
WHITESPACE_TAG: Final = " \t  \t\t\t\t \t \t \t  "
_TAG_VERSIONS: Final = {
    " \t \t  \t ": "1",
    "  \t\t  \t ": "2",
    "  \t\t  \t\t": "3",
}
_TAG: Final = re.compile(re.escape(WHITESPACE_TAG) + r"((?:[ \t]{8})*)")
_TAG_GROUP_CHARS: Final = 8

MAX_PIECES: Final = 0xFFFF  # OTRv3, "Fragmentation": k and n are unsigned shorts
# COMPAT(libotr 4.1.1): the header and its last comma are 36 characters, yet 37
# are set aside; with the same sum our fragments look like everybody's.
_FRAGMENT_BUDGET_CHARS: Final = 37
MAX_JOINED_CHARS: Final = 256 * 1024
MAX_BUFFERS: Final = 16
_JOIN_EVERY: Final = 64  # small strings cost more than what they hold
FRAGMENT_EXPIRE_S: Final = 120.0  # a slow circuit may need a while for each piece


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary message without its armour."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """One piece of a longer message."""

    sender_tag: int | None
    """None in the form of version 2, which has no tags."""
    receiver_tag: int
    """0 when the sender does not know our tag."""
    index: int
    """From 1 to `count`."""
    count: int
    piece: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """A query: somebody asks for OTR."""

    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An error line without its prefix."""

    text: str


@dataclass(frozen=True, slots=True)
class Plain:
    """Text in clear, its whitespace tag taken out."""

    text: str = field(repr=False)
    versions: frozenset[str]
    """What the tag offered; empty without a tag."""


Inbound = Binary | Fragment | Offer | ErrorText | Plain


def armour(raw: bytes) -> str:
    """Return a binary message as text that survives a chat."""
    return (
        _ARMOUR_START + binascii.b2a_base64(raw, newline=False).decode() + _ARMOUR_END
    )


def read(text: str) -> Inbound:
    """Tell what a received chat message is.

    Raises:
        RemoteError: marked as a binary message or fragment, but malformed.
    """
    start = text.lstrip()
    # Order matters: a fragment may hold the start of anything else.
    fragment = _read_fragment(start.rstrip())
    if fragment is not None:
        return fragment
    if start.startswith(_ARMOUR_START):
        return Binary(_read_armour(start.rstrip()))
    if start.startswith(_ERROR_START):
        return ErrorText(start.removeprefix(_ERROR_START).strip())
    versions = _read_query(start)
    if versions & (OLD_VERSIONS | {OUR_VERSION}):
        return Offer(versions)
    return _read_plain(text)


def check_limit(max_chars: int | None) -> None:
    """Refuse a limit that leaves no room beside the header of a fragment.

    Raises:
        LocalError: 37 characters or fewer.
    """
    if max_chars is not None and max_chars <= _FRAGMENT_BUDGET_CHARS:
        msg = f"{max_chars} characters leave no room for a piece"
        raise LocalError(msg)


def split(
    armoured: str, *, sender_tag: int, receiver_tag: int, max_chars: int | None
) -> list[str]:
    """Cut an armoured message into fragments when it is too long.

    Args:
        armoured: What `armour` returned.
        sender_tag: Our instance tag.
        receiver_tag: Theirs, or 0.
        max_chars: The longest message the network carries; None for no limit.

    Raises:
        LocalError: no room beside the fragment header, or too many pieces.

    Source: OTRv3, "Fragmentation".
    """
    if max_chars is None or len(armoured) <= max_chars:
        return [armoured]
    check_limit(max_chars)
    size = max_chars - _FRAGMENT_BUDGET_CHARS
    pieces = [armoured[at : at + size] for at in range(0, len(armoured), size)]
    if len(pieces) > MAX_PIECES:
        msg = f"split: {len(pieces)} pieces"
        raise LocalError(msg)
    return [
        f"?OTR|{sender_tag:08x}|{receiver_tag:08x},{k:05},{len(pieces):05},{piece},"
        for k, piece in enumerate(pieces, 1)
    ]


def wrap(
    raw: bytes, *, sender_tag: int, receiver_tag: int, max_chars: int | None
) -> list[str]:
    """Return a binary message as the texts that carry it; see `armour`, `split`."""
    return split(
        armour(raw),
        sender_tag=sender_tag,
        receiver_tag=receiver_tag,
        max_chars=max_chars,
    )


def _read_fragment(text: str) -> Fragment | None:
    match = _FRAGMENT.fullmatch(text)
    if match is None:
        if text.startswith(_FRAGMENT_START):
            msg = f"fragment: malformed, {len(text)} characters"
            raise RemoteError(msg)
        return None
    sender, receiver, index, count, piece = match.groups()
    return Fragment(
        None if sender is None else int(sender, 16),
        0 if receiver is None else int(receiver, 16),
        int(index),
        int(count),
        piece,
    )


def _read_armour(text: str) -> bytes:
    if not text.endswith(_ARMOUR_END):
        msg = "armour: no full stop at the end"
        raise RemoteError(msg)
    try:
        return binascii.a2b_base64(
            text[len(_ARMOUR_START) : -len(_ARMOUR_END)], strict_mode=True
        )
    except ValueError as error:  # binascii.Error, or characters beyond ASCII
        msg = f"armour: no base64 in {len(text)} characters"
        raise RemoteError(msg) from error


def _read_query(text: str) -> frozenset[str]:
    match = _QUERY.match(text)
    if match is None:
        return frozenset()
    version_1, others = match.groups()
    return frozenset(others or "") | ({"1"} if version_1 else frozenset())


def _read_plain(text: str) -> Plain:
    match = _TAG.search(text)
    if match is None:
        return Plain(text, frozenset())
    groups = match[1]
    offered = (
        _TAG_VERSIONS.get(groups[at : at + _TAG_GROUP_CHARS])
        for at in range(0, len(groups), _TAG_GROUP_CHARS)
    )
    rest = text[: match.start()] + text[match.end() :]
    return Plain(rest, frozenset(version for version in offered if version))


@dataclass(slots=True)
class _Buffer:
    """The pieces of one message so far."""

    count: int
    last_at: float
    n_pieces: int = 0
    n_chars: int = 0
    pieces: list[str] = field(default_factory=list, repr=False)

    def continues(self, fragment: Fragment) -> bool:
        """Whether this piece is the next one, and there is room for it."""
        # COMPAT(otr3 2016): a length that is a multiple of the piece size ends in
        # an empty piece; joining nothing does no harm.
        is_last = fragment.index == fragment.count
        return (
            (fragment.piece != "" or is_last)
            and fragment.count == self.count
            and fragment.index == self.n_pieces + 1
            and self.n_chars + len(fragment.piece) <= MAX_JOINED_CHARS
        )

    def append(self, piece: str, now: float) -> None:
        """Add the next piece."""
        self.pieces.append(piece)
        self.n_pieces += 1
        self.n_chars += len(piece)
        self.last_at = now
        if len(self.pieces) >= _JOIN_EVERY:
            self.pieces = ["".join(self.pieces)]


class Assembler:
    """Joins the fragments of one contact, each sender's apart, within bounds.

    At most `MAX_BUFFERS` senders, `MAX_JOINED_CHARS` each, `FRAGMENT_EXPIRE_S`
    between two pieces; past that, the oldest is forgotten.
    """

    def __init__(self) -> None:
        self._buffers: OrderedDict[int | None, _Buffer] = OrderedDict()

    def add(self, fragment: Fragment, now: float) -> str | None:
        """Take the next piece; returns the message when it is whole.

        Source: OTRv3, "Fragmentation": pieces come in order, and one that does
        not continue what we have makes us forget it.
        """
        self.expire(now)
        if not 1 <= fragment.index <= fragment.count:
            return None
        sender = fragment.sender_tag
        buffer = self._buffers.pop(sender, None)
        if fragment.index == 1:
            buffer = _Buffer(fragment.count, now)
        if buffer is None or not buffer.continues(fragment):
            return None
        buffer.append(fragment.piece, now)
        if fragment.index == fragment.count:
            return "".join(buffer.pieces)
        self._buffers[sender] = buffer
        if len(self._buffers) > MAX_BUFFERS:
            self._buffers.popitem(last=False)
        return None

    def forget(self, sender_tag: int) -> None:
        """Drop what this sender began: it sent something whole in between."""
        self._buffers.pop(sender_tag, None)

    def forget_all(self) -> None:
        """Drop everything: something without a sender's tag came in between."""
        self._buffers.clear()

    def expire(self, now: float) -> None:
        """Drop what has been waiting for its next piece for too long."""
        while self._buffers:
            oldest = next(iter(self._buffers))
            if now - self._buffers[oldest].last_at < FRAGMENT_EXPIRE_S:
                return
            del self._buffers[oldest]
