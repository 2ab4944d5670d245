"""A fingerprint in 60 digits, a half of an ssid in twelve, with check digits.

Rule: this is version 1 of the code, and it never changes.

A group is 2 bytes, their number (the first byte is worth 256) in five decimal digits,
00000 to 65535, and a check digit by Damm's method: an interim digit starts as the
group's number (`spoken`), 0 to 9; for each of the five digits, from the left, it
becomes the digit of the table below in the row of the interim digit and the column of
this digit, both counted from 0; the check digit is what it is in the end. A
fingerprint is groups 0 to 9; the first half of an ssid is groups 0 and 1, the second
half groups 2 and 3.

Examples: 02 3C, the number 572, is 005724 in group 0 and 005723 in group 1.

Within a group this notices each single wrong digit, each swap of neighbours, each
digit left out or said twice; of all groups each swap of two. Digits are written here
as ASCII; a listener may type those of any script.

Source of the method and its table: H. M. Damm, "Total anti-symmetrische
Quasigruppen", 2004.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from coykiosk.otr.events import LocalError
from coykiosk.otr.spoken.codes import GROUP_BYTES, Code, Heard, Misheard, Reason, joined
from coykiosk.otr.spoken.input import fault, in_groups, pieces

__all__ = ["DIGITS_PER_GROUP", "digits_of", "parse_digit_group", "parse_digits"]

DIGITS_PER_GROUP: Final = 6
_NUMBER_DIGITS: Final = DIGITS_PER_GROUP - 1
_MAX_NUMBER: Final = 0xFFFF
_TABLE: Final = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def digits_of(value: bytes, code: Code = Code.FINGERPRINT) -> tuple[str, ...]:
    """Spell a value in groups of six ASCII digits.

    Args:
        value: As many bytes as `code` has.
        code: What it is.

    Returns:
        Ten groups for a fingerprint, two for a half of an ssid.

    Raises:
        LocalError: `value` has another length.
    """
    code.check_length(value)
    parts = (value[at : at + GROUP_BYTES] for at in range(0, len(value), GROUP_BYTES))
    return tuple(
        _spell(int.from_bytes(part, "big"), number)
        for number, part in enumerate(parts, start=code.first_group)
    )


def parse_digits(text: str, code: Code = Code.FINGERPRINT) -> Heard | Misheard:
    """Read all groups that a listener typed.

    Blanks and dashes may stand anywhere or nowhere. They count only when digits are
    missing or left over, and they make as many pieces as there are groups.

    Returns:
        The bytes, 20 or 4; or the first group that was misheard.
    """
    found = [_digits(piece) for piece in pieces(text)]
    groups = in_groups(found, code.n_groups, DIGITS_PER_GROUP)
    return joined(
        _read_group(digits, group, code) for group, digits in enumerate(groups, start=1)
    )


def parse_digit_group(
    text: str, group: int, code: Code = Code.FINGERPRINT
) -> Heard | Misheard:
    """Read one group that a listener typed.

    Args:
        text: Six digits, in one piece or several.
        group: Which group of the code it is, from 1 as people count.
        code: What is read.

    Returns:
        Its 2 bytes, or what is wrong with it.

    Raises:
        LocalError: the code has no such group.
    """
    if not 1 <= group <= code.n_groups:
        msg = f"{code.name}: group {group}"
        raise LocalError(msg)
    return _read_group(_digits("".join(pieces(text))), group, code)


def _digits(piece: str) -> list[int | None]:
    return [unicodedata.decimal(char, None) for char in piece]


def _read_group(digits: list[int | None], group: int, code: Code) -> Heard | Misheard:
    wrong = fault(digits, DIGITS_PER_GROUP, group)
    if wrong is not None:
        return wrong
    spelled = "".join(map(str, digits))
    if spelled[-1] != _check_digit(spelled[:-1], code.first_group + group - 1):
        return Misheard(group, Reason.CHECK)
    number = int(spelled[:-1])
    if number > _MAX_NUMBER:
        return Misheard(group, Reason.TOO_LARGE)
    return Heard(number.to_bytes(GROUP_BYTES, "big"))


def _spell(number: int, group_number: int) -> str:
    digits = f"{number:0{_NUMBER_DIGITS}}"
    return digits + _check_digit(digits, group_number)


def _check_digit(digits: Iterable[str], group_number: int) -> str:
    interim = str(group_number)
    for digit in digits:
        interim = _TABLE[int(interim)][int(digit)]
    return interim
