"""SASLprep: one spelling for one password (RFC 4013, on RFC 3454).

Rule: pure. Our own names and passwords are plain ASCII and pass through unchanged;
this is for accounts that were made elsewhere.
"""

import stringprep
import unicodedata
from collections.abc import Callable
from typing import Final

__all__ = ["SaslprepError", "prepare"]


class SaslprepError(ValueError):
    """A name or password that no server can take."""


def prepare(text: str) -> str:
    """Prepare a user name or password by SASLprep (RFC 4013).

    Raises:
        SaslprepError: it holds characters that no password may hold.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(check(char) for char in prepared for check in _PROHIBITED):
        msg = "password or name has a character that SASLprep prohibits"
        raise SaslprepError(msg)
    _check_direction(prepared)
    return prepared


_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _check_direction(text: str) -> None:
    """Refuse mixed directions (RFC 3454, section 6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    ends_right = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    if any(map(stringprep.in_table_d2, text)) or not ends_right:
        msg = "password or name mixes writing directions"
        raise SaslprepError(msg)
