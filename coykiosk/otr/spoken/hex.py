"""A fingerprint as other OTR clients show it: 40 hex digits, read in NATO letters.

Rule: this spelling checks nothing. A digit that was misheard is another fingerprint,
and nobody can tell it from an attack; words and digits are offered first.

The 20 bytes are five groups of eight hex digits, upper case, the high half of a byte
first. Aloud, A to F are Alpha, Bravo, Charlie, Delta, Echo, Foxtrot; the digits are
zero to eight, and niner.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from coykiosk.otr.events import LocalError
from coykiosk.otr.spoken.codes import LINE_BYTES, Code, Heard, Misheard, joined
from coykiosk.otr.spoken.input import fault, in_groups, pieces

__all__ = ["HEX_PER_GROUP", "hex_of", "nato_of", "parse_hex", "parse_hex_group"]

HEX_PER_GROUP: Final = 2 * LINE_BYTES
_N_GROUPS: Final = Code.FINGERPRINT.n_lines

_SPOKEN: Final = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "niner",
    "Alpha",
    "Bravo",
    "Charlie",
    "Delta",
    "Echo",
    "Foxtrot",
)
_VALUE_OF: Final[Mapping[str, int]] = MappingProxyType(
    {name.casefold(): value for value, name in enumerate(_SPOKEN)}
    | {"nine": 9, "alfa": 10}  # ICAO spells Alfa
    | {letter: value for value, letter in enumerate("abcdef", start=10)}
)
# The longest names first, for "nine" begins "niner" and "e" begins "eight".
_SIGNS: Final = re.compile(
    "|".join([*sorted(_VALUE_OF, key=len, reverse=True), "."]), re.DOTALL
)


def hex_of(fingerprint: bytes) -> tuple[str, ...]:
    """Spell a fingerprint in five groups of eight hex digits, upper case.

    Raises:
        LocalError: `fingerprint` has not 20 bytes.
    """
    Code.FINGERPRINT.check_length(fingerprint)
    spelled = fingerprint.hex().upper()
    return tuple(
        spelled[at : at + HEX_PER_GROUP] for at in range(0, len(spelled), HEX_PER_GROUP)
    )


def nato_of(fingerprint: bytes) -> tuple[tuple[str, ...], ...]:
    """Return the names of the hex digits as they are said, five groups of eight.

    Raises:
        LocalError: `fingerprint` has not 20 bytes.
    """
    return tuple(
        tuple(_SPOKEN[int(digit, 16)] for digit in group)
        for group in hex_of(fingerprint)
    )


def parse_hex(text: str) -> Heard | Misheard:
    """Read a fingerprint in hex that a listener typed, or took from another client.

    Digits of any script, letters and their NATO names may be mixed; blanks, dashes
    and colons may stand anywhere or nowhere. They count only when digits are missing
    or left over, and they make five pieces.

    Returns:
        The 20 bytes, or the first group with a sign that is none or too few or many.
    """
    found = [_hex_digits(piece) for piece in pieces(text)]
    groups = in_groups(found, _N_GROUPS, HEX_PER_GROUP)
    return joined(_read_group(signs, at) for at, signs in enumerate(groups, start=1))


def parse_hex_group(text: str, group: int) -> Heard | Misheard:
    """Read one group of eight hex digits that a listener typed.

    Args:
        text: As for `parse_hex`.
        group: Which group of the fingerprint it is, from 1.

    Returns:
        Its 4 bytes, or what is wrong with it.

    Raises:
        LocalError: a fingerprint has no such group.
    """
    if not 1 <= group <= _N_GROUPS:
        msg = f"fingerprint: hex group {group}"
        raise LocalError(msg)
    signs = [sign for piece in pieces(text) for sign in _hex_digits(piece)]
    return _read_group(signs, group)


def _hex_digits(piece: str) -> list[int | None]:
    return [
        _VALUE_OF[sign] if sign in _VALUE_OF else unicodedata.decimal(sign, None)
        for sign in _SIGNS.findall(piece)
    ]


def _read_group(signs: list[int | None], group: int) -> Heard | Misheard:
    wrong = fault(signs, HEX_PER_GROUP, group)
    if wrong is not None:
        return wrong
    return Heard(bytes.fromhex("".join(f"{sign:x}" for sign in signs)))
