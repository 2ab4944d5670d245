"""What a person types to open the vault: suggested, judged, normalised.

Rule: cheap to import, for the first screen shows a suggestion before anything
heavy is loaded; zxcvbn is imported by the first `judge`.

Six words from the EFF's list of 7,776: log2(7776 x 7775 x ... x 7771) = 77.5
bits, drawn and not chosen, so the estimate holds whatever the attacker knows.
"""

import unicodedata
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Final

from coykiosk.ports import RandomBytes

__all__ = ["MIN_ENTROPY_BITS", "Judgement", "judge", "normalise", "suggest"]

N_WORDS: Final = 6
LIST_LENGTH: Final = 7776  # 6^5: five dice a word
MIN_ENTROPY_BITS: Final = 50.0  # 2^50 guesses: centuries, at 10^5 of them a second

_LIST: Final = Path(__file__).with_name("eff_large_wordlist.txt")
_WORD_BITS: Final = log2(LIST_LENGTH)
_DRAW_BYTES: Final = 2
# Draws from here on would make the first words of the list more likely.
_DRAW_LIMIT: Final = 256**_DRAW_BYTES // LIST_LENGTH * LIST_LENGTH
_MAX_JUDGED_CHARS: Final = 72  # zxcvbn 4.5 raises ValueError beyond
_STRONG: Final = 4  # zxcvbn's highest score


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well a passphrase stands against guessing."""

    score: int
    """0 to 4, as zxcvbn counts: 4 is more than 10^10 guesses."""
    is_enough: bool
    """Good for a vault whose file the attacker has copied."""
    entropy_bits: float
    """log2 of the guesses needed; for a phrase of one's own, an estimate."""


def suggest(random_bytes: RandomBytes) -> str:
    """Draw six different words, with one blank between them.

    Each word is equally likely: draws that fall into the incomplete last stretch
    of the range are thrown away. A word drawn twice is drawn again, so that every
    suggestion is worth the same to `judge`.
    """
    words = _words()
    chosen: list[str] = []
    while len(chosen) < N_WORDS:
        drawn = int.from_bytes(random_bytes(_DRAW_BYTES))
        word = words[drawn % LIST_LENGTH]
        if drawn < _DRAW_LIMIT and word not in chosen:
            chosen.append(word)
    return " ".join(chosen)


def judge(passphrase: str) -> Judgement:
    """Estimate how many guesses a passphrase withstands.

    Six or more different words of our list count as drawn from it. All else goes
    to zxcvbn, which sees at most the first 72 characters: what follows can only
    add to its estimate.
    """
    text = normalise(passphrase)
    if not text:
        return Judgement(0, is_enough=False, entropy_bits=0.0)
    words = text.split(" ")
    if len(set(words)) >= N_WORDS and not set(words).difference(_words()):
        bits = _WORD_BITS * len(set(words))
        return Judgement(_STRONG, is_enough=True, entropy_bits=bits)

    # 25 ms that the first paint must not pay; and it ships no types.
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415

    result = zxcvbn(text[:_MAX_JUDGED_CHARS])
    bits = log2(result["guesses"])
    return Judgement(result["score"], bits >= MIN_ENTROPY_BITS, bits)


def normalise(text: str) -> str:
    """Return the one spelling of a passphrase that keys are derived from.

    Unicode compatibility composition (NFKC, UAX #15: stable across versions for
    assigned characters), so that another keyboard or input method that shows the
    same letters gives the same key; runs of blanks of any kind become one space,
    those at the ends go. Case stays as it is: it may be part of what was chosen,
    and RFC 8265, section 4.2, keeps it too.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _words() -> tuple[str, ...]:
    lines = _LIST.read_text(encoding="ascii").splitlines()
    return tuple(line.partition("\t")[2] for line in lines)
