"""A fingerprint in 25 words, a half of an ssid in five: words that check words.

Rule: this is version 1 of the code, and it never changes.

A line is 4 bytes b1 b2 b3 b4 and becomes five words of the PGP word list:

    place   1               2                3               4                5
    byte    b1              b2               b3              b4               check
    list    two syllables   three syllables  two syllables   three syllables  two

The check byte is a CRC-8 over b1 b2 b3 b4: polynomial x^8+x^2+x+1 (0x07), most
significant bit first, nothing reflected, no final exclusive-or, and the initial
value 17 x the line's number (`spoken`), so 11 hex for line 1 up to 77 hex for line 7.
A fingerprint is its 20 bytes in lines 1 to 5; the first half of an ssid is line 6
alone, the second half line 7 alone.

Examples: 00 00 00 00 in line 1 is "aardvark adroitness aardvark adroitness hamlet"
(check 71); E5 82 94 F2 in line 1 is "topmost Istanbul Pluto vagabond tissue" (E3).

Within a line this notices each single wrong word, each swap of neighbours, each word
left out or said twice, and all but 1 in 255 swaps of two words with one in between;
of all lines it notices each swap of two.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from coykiosk.otr.events import LocalError
from coykiosk.otr.spoken.codes import LINE_BYTES, Code, Heard, Misheard, Reason, joined
from coykiosk.otr.spoken.input import in_groups, pieces, rows
from coykiosk.otr.spoken.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES

__all__ = [
    "WORDS_PER_LINE",
    "choices",
    "parse_word_line",
    "parse_words",
    "words_of",
]

WORDS_PER_LINE: Final = LINE_BYTES + 1
_POLYNOMIAL: Final = 0x07  # without its x^8
_INITIAL_STEP: Final = 17
_BYTE_BITS: Final = 8
_TOP_BIT: Final = 0x80

_BYTE_OF: Final[Mapping[str, int]] = MappingProxyType(
    {
        word.casefold(): byte
        for words in (TWO_SYLLABLES, THREE_SYLLABLES)
        for byte, word in enumerate(words)
    }
)
_TWO_FOLDED: Final = frozenset(word.casefold() for word in TWO_SYLLABLES)


def choices(place: int) -> tuple[str, ...]:
    """Return all 256 words that can stand at a place of a line, in order of bytes.

    For completion while a listener types: always all of them, whatever is expected.

    Args:
        place: 1 to 5.

    Raises:
        LocalError: no line has such a place.
    """
    if not 1 <= place <= WORDS_PER_LINE:
        msg = f"word line: place {place}"
        raise LocalError(msg)
    return TWO_SYLLABLES if place % 2 else THREE_SYLLABLES


def words_of(
    value: bytes, code: Code = Code.FINGERPRINT
) -> tuple[tuple[str, ...], ...]:
    """Spell a value in lines of five words.

    Args:
        value: As many bytes as `code` has.
        code: What it is.

    Returns:
        Five lines for a fingerprint, one for a half of an ssid.

    Raises:
        LocalError: `value` has another length.
    """
    code.check_length(value)
    parts = (value[at : at + LINE_BYTES] for at in range(0, len(value), LINE_BYTES))
    return tuple(
        tuple(
            choices(place)[byte]
            for place, byte in enumerate([*part, _check_byte(part, number)], start=1)
        )
        for number, part in enumerate(parts, start=code.first_line)
    )


def parse_words(text: str, code: Code = Code.FINGERPRINT) -> Heard | Misheard:
    """Read all lines that a listener typed.

    Line breaks may stand anywhere. They count only when words are missing or left
    over, and there are as many rows as lines: then each row is a line. Without such
    rows, a word said twice at the end of a line is noticed in the next.

    Returns:
        The bytes, 20 or 4; or the first line that was misheard.
    """
    lines = in_groups(rows(text), code.n_lines, WORDS_PER_LINE)
    return joined(
        _read_line(words, line, code) for line, words in enumerate(lines, start=1)
    )


def parse_word_line(
    text: str, line: int, code: Code = Code.FINGERPRINT
) -> Heard | Misheard:
    """Read one line that a listener typed.

    Args:
        text: Five words; they may have come in several rows.
        line: Which line of the code it is, from 1.
        code: What is read.

    Returns:
        Its 4 bytes, or what is wrong with it.

    Raises:
        LocalError: the code has no such line.
    """
    if not 1 <= line <= code.n_lines:
        msg = f"{code.name}: line {line}"
        raise LocalError(msg)
    return _read_line(pieces(text), line, code)


def _read_line(words: list[str], line: int, code: Code) -> Heard | Misheard:
    for place, word in enumerate(words[:WORDS_PER_LINE], start=1):
        if word not in _BYTE_OF:
            return Misheard(line, Reason.UNKNOWN, place)
        if (word in _TWO_FOLDED) != (place % 2 == 1):
            return Misheard(line, Reason.OTHER_LIST, place)
    if len(words) < WORDS_PER_LINE:
        return Misheard(line, Reason.TOO_FEW)
    if len(words) > WORDS_PER_LINE:
        return Misheard(line, Reason.TOO_MANY)
    *part, check = (_BYTE_OF[word] for word in words)
    if check != _check_byte(part, code.first_line + line - 1):
        return Misheard(line, Reason.CHECK)
    return Heard(bytes(part))


def _check_byte(part: Iterable[int], number: int) -> int:
    crc = _INITIAL_STEP * number
    for byte in part:
        crc ^= byte
        for _ in range(_BYTE_BITS):
            overflows = crc & _TOP_BIT
            crc = crc << 1 & 0xFF
            if overflows:
                crc ^= _POLYNOMIAL
    return crc
