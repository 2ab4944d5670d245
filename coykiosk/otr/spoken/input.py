"""What a listener typed, cut into words, signs and groups.

Rule: forgiving in what cannot matter, and in nothing else: the case of letters,
their width, blanks, line breaks, dashes and other punctuation, and marks nobody sees.
Nothing is ever corrected towards a word or a number.
"""

import unicodedata
from collections.abc import Sequence
from itertools import chain
from typing import Final, TypeVar

from coykiosk.otr.spoken.codes import Misheard, Reason

__all__ = ["MAX_CHARS", "fault", "in_groups", "pieces", "rows"]

MAX_CHARS: Final = 4096
"""Ten times the longest code. A bound, for a Unicode normalisation can be slow."""
_NO_SIGN: Final = "\N{REPLACEMENT CHARACTER}"

T = TypeVar("T")


def pieces(text: str) -> list[str]:
    """Cut a text at blanks and punctuation; the pieces come in lower case.

    Case and width are folded (NFKC). Format characters vanish: Arabic and Persian
    keyboards leave direction marks and joiners in numbers. In place of what goes
    beyond `MAX_CHARS` stands one piece that is no word and no digit.
    """
    folded = unicodedata.normalize("NFKC", _bounded(text)).casefold()
    return folded.translate({ord(char): _kept(char) for char in set(folded)}).split()


def rows(text: str) -> list[list[str]]:
    """Cut a text at its line breaks, and each row into pieces; empty rows vanish."""
    return [row for row in map(pieces, _bounded(text).splitlines()) if row]


def in_groups(found: list[list[T]], n_groups: int, size: int) -> list[list[T]]:
    """Share out what was found among the groups it should be.

    If their number is right, it means nothing how they were set apart: each group
    takes its `size`. If it is not, and there are as many pieces as groups, these are
    the groups, so that one sign too few does not spoil all groups after it. And if
    that does not help either, the last group takes what is left.
    """
    stream = list(chain.from_iterable(found))
    if len(found) == n_groups and len(stream) != n_groups * size:
        return found
    last = (n_groups - 1) * size
    groups = [stream[start : start + size] for start in range(0, last, size)]
    return [*groups, stream[last:]]


def fault(signs: Sequence[int | None], size: int, line: int) -> Misheard | None:
    """Say what is wrong with a group of signs before their values are looked at.

    Args:
        signs: The value of each; None for what is no such sign.
        size: How many there should be.
        line: Which group it is, from 1.
    """
    if None in signs[:size]:
        return Misheard(line, Reason.UNKNOWN, signs.index(None) + 1)
    if len(signs) < size:
        return Misheard(line, Reason.TOO_FEW)
    if len(signs) > size:
        return Misheard(line, Reason.TOO_MANY)
    return None


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]} {_NO_SIGN}"


def _kept(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":
        return ""
    return " " if category == "Cc" or category[0] in "PZ" else char
