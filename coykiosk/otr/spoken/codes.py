"""Reading a key aloud: what is spoken, what was heard, and whether it is the right one.

Rule: a parser never sees the value that is expected, so what it says of a line cannot
help anybody to a key that looks alike. It tells a slip of the tongue or the ear
(`Misheard`) from a code that is whole (`Heard`); only `compare` says whether that is
the right one. No prose here: whoever shows a `Misheard` has the words for it.

The codes are a format of their own, version 1, and never change: two people must
agree on them whatever releases they have. What is read aloud are bytes, the first
byte first:

    what                     bytes   word lines       digit groups
    fingerprint              20      5, number 1-5    10, number 0-9
    ssid, the first half     4       1, number 6      2, number 0-1
    ssid, the second half    4       1, number 7      2, number 2-3

The numbers enter the check word or check digit, so that no line passes for another.
`words`, `digits` and `hex` define the three spellings.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from coykiosk.otr.events import LocalError

__all__ = [
    "GROUP_BYTES",
    "LINE_BYTES",
    "Code",
    "Half",
    "Heard",
    "Misheard",
    "Reason",
    "compare",
    "halves",
    "joined",
]

_FINGERPRINT_BYTES: Final = 20  # OTRv3, "Public keys, signatures, and fingerprints"
_HALF_BYTES: Final = 4  # OTRv3, "AKE": ssid has 64 bits
LINE_BYTES: Final = 4  # of a line of words, of a group of hex
GROUP_BYTES: Final = 2  # of a group of digits


class Code(Enum):
    """What is spoken: how long it is, and the numbers its check words start from."""

    FINGERPRINT = (_FINGERPRINT_BYTES, 1, 0)
    """The long-term key: the full check, each direction once."""
    SSID_FIRST_HALF = (_HALF_BYTES, 6, 0)
    """The quick check of one session, as read by the end whose half is the first."""
    SSID_SECOND_HALF = (_HALF_BYTES, 7, 2)
    """The quick check of one session, as read by the other end."""

    def __init__(self, n_bytes: int, first_line: int, first_group: int) -> None:
        self.n_bytes = n_bytes
        self.first_line = first_line
        self.first_group = first_group

    @property
    def n_lines(self) -> int:
        """How many lines of words it takes."""
        return self.n_bytes // LINE_BYTES

    @property
    def n_groups(self) -> int:
        """How many groups of digits it takes."""
        return self.n_bytes // GROUP_BYTES

    def check_length(self, value: bytes) -> None:
        """Refuse a value that is no such thing.

        Raises:
            LocalError: `value` is too long or too short.
        """
        if len(value) != self.n_bytes:
            msg = f"{self.name}: expected {self.n_bytes} bytes, got {len(value)}"
            raise LocalError(msg)


class Reason(Enum):
    """What is wrong with a line of words or a group of digits, the first thing only."""

    UNKNOWN = "unknown"
    """A word that is in neither list; a sign that is no digit. `place` says which."""
    OTHER_LIST = "other list"
    """A word that cannot stand at this place: one was left out or said twice before."""
    TOO_FEW = "too few"
    """Words or digits are missing at the end."""
    TOO_MANY = "too many"
    """Words or digits are left over at the end."""
    CHECK = "check"
    """All is well spelled, but the check word or digit does not fit: misheard."""
    TOO_LARGE = "too large"
    """The check digit fits, but no group has a number over 65535."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A code that is whole. Whose it is, `compare` must say."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Misheard:
    """The first line or group that is not as it can have been read aloud."""

    line: int
    """Which line or group, as people count: from 1, in each code anew."""
    reason: Reason
    place: int | None = None
    """Which word or sign of it, from 1; None where the whole line is meant."""


@dataclass(frozen=True, slots=True)
class Half:
    """One half of an ssid, and how it is read aloud."""

    code: Code
    value: bytes


def halves(ssid: bytes, *, our_half_first: bool) -> tuple[Half, Half]:
    """Split an ssid into the half we read aloud and the one we listen for.

    Args:
        ssid: 8 bytes, as `Secured` has it.
        our_half_first: As `Secured` has it.

    Returns:
        Our half, then theirs.

    Raises:
        LocalError: `ssid` has not 8 bytes.

    Source: OTRv3, "Authenticated Key Exchange (AKE)": which half is shown in bold.
    """
    if len(ssid) != 2 * _HALF_BYTES:
        msg = f"ssid: expected {2 * _HALF_BYTES} bytes, got {len(ssid)}"
        raise LocalError(msg)
    first = Half(Code.SSID_FIRST_HALF, ssid[:_HALF_BYTES])
    second = Half(Code.SSID_SECOND_HALF, ssid[_HALF_BYTES:])
    return (first, second) if our_half_first else (second, first)


def compare(heard: bytes, expected: bytes) -> bool:
    """Tell whether what was heard is what we expect: all of it, never a part.

    The time it takes does not depend on where the two differ.

    Raises:
        LocalError: `expected` is neither a fingerprint nor a half of an ssid; cut
            short or empty, it would be matched too easily.
    """
    if len(expected) not in {_FINGERPRINT_BYTES, _HALF_BYTES}:
        msg = f"comparison: expected 20 or 4 bytes, got {len(expected)}"
        raise LocalError(msg)
    return hmac.compare_digest(heard, expected)


def joined(parts: Iterable[Heard | Misheard]) -> Heard | Misheard:
    """Put the values of the lines together, or name the first that is wrong."""
    value = b""
    for part in parts:
        if isinstance(part, Misheard):
            return part
        value += part.value
    return Heard(value)
