"""What was really said, by whom: against this the engines' claims are held.

Rule: an entry is made from what an honest engine put on the wire, or from what was
forged with the keys it really has; nothing here asks the engine that receives. A
message without an entry is somebody else's, and must not do anything.
"""

import functools
from dataclasses import dataclass, field
from typing import Final

from coykiosk.otr.events import RemoteError
from coykiosk.otr.framing import Binary, Fragment, Inbound, read
from coykiosk.otr.messages import (
    DataMessage,
    Message,
    RevealSig,
    Signature,
    decode,
)
from coykiosk.otr.tags import is_for_us

Key = tuple[bytes, bytes]
"""What is authenticated, and its MAC."""
_REMEMBERED_CHARS: Final = 8192


def reading(text: str) -> Inbound:
    """Read a text as the engine does; remembered, as ends say the same in each run."""
    return read(text) if len(text) > _REMEMBERED_CHARS else _read(text)


@functools.lru_cache(2048)
def _read(text: str) -> Inbound:
    return read(text)


@functools.lru_cache(2048)
def decoded(raw: bytes) -> Message:
    """Decode a message as the engine does, remembered like `reading`."""
    return decode(raw)


@dataclass(frozen=True, slots=True)
class Words:
    """A data message that its author's keys made."""

    key: Key
    author: bytes
    """Fingerprint of whose keys they are."""
    sender_tag: int
    text: str
    """Empty when there is none in it."""
    may_end: bool
    """Whether it may end the session."""
    plaintext: bytes | None
    """Text and records; None when the keys were gone before we could look."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature of a key exchange that its author made."""

    author: bytes
    sender_tag: int


Heard = Words | Proof


@dataclass(slots=True)
class Ledger:
    """All that the ends of one world have said."""

    words: dict[Key, Words] = field(default_factory=dict)
    proofs: dict[Key, bytes] = field(default_factory=dict)
    accepted: set[tuple[str, Key]] = field(default_factory=set)
    """Who has already taken which data message."""
    pieces: dict[tuple[str, int | None], list[Fragment]] = field(default_factory=dict)

    def write(self, words: Words) -> None:
        """Enter a data message; entered twice, it is still the first."""
        self.words.setdefault(words.key, words)

    def sign(self, message: RevealSig | Signature, author: bytes) -> None:
        """Enter a proof; it names its author, whatever tags it travels under."""
        self.proofs[message.encrypted_signature, message.mac] = author

    def hear(self, end: str, our_tag: int, text: str) -> Heard | None:
        """Tell what an end that is given this text hears; None: nobody's word."""
        try:
            inbound: Inbound | None = reading(text)
            if isinstance(inbound, Fragment):
                joined = self._join(end, our_tag, inbound)
                inbound = None if joined is None else reading(joined)
            if not isinstance(inbound, Binary):
                return None
            return self._find(decoded(inbound.raw))
        except RemoteError:
            return None

    def _find(self, message: Message) -> Heard | None:
        match message:
            case DataMessage():
                return self.words.get((message.authenticated, message.mac))
            case RevealSig() | Signature():
                key = (message.encrypted_signature, message.mac)
                author = self.proofs.get(key)
                return None if author is None else Proof(author, message.sender_tag)
            case _:
                return None

    def _join(self, end: str, our_tag: int, fragment: Fragment) -> str | None:
        """Join without any bound: whatever the engine can join, this has joined."""
        sender = fragment.sender_tag
        if sender is not None and not is_for_us(
            sender, fragment.receiver_tag, our_tag=our_tag, may_be_open=True
        ):
            return None
        if not 1 <= fragment.index <= fragment.count:
            return None
        before = self.pieces.pop((end, sender), [])
        if fragment.index == 1:
            before = []
        elif not before or before[0].count != fragment.count:
            return None
        if fragment.index != len(before) + 1:
            return None
        pieces = [*before, fragment]
        if fragment.index == fragment.count:
            return "".join(piece.piece for piece in pieces)
        self.pieces[end, sender] = pieces
        return None
