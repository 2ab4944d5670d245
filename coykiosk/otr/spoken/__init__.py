"""Reading keys aloud: 25 words, 60 digits, or hex in the letters of radio.

Rule: nothing here is secret and nothing speaks; what to say goes out as values, and
what was typed comes back as bytes or as the place of the slip.

Reading order: `codes` (what is spoken, and the answers of a parser), then a spelling
each: `words` on the list in `pgp_words`, `digits`, `hex`; `input` cuts what was typed.
"""

from coykiosk.otr.spoken.codes import (
    Code,
    Half,
    Heard,
    Misheard,
    Reason,
    compare,
    halves,
)
from coykiosk.otr.spoken.digits import digits_of, parse_digit_group, parse_digits
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex, parse_hex_group
from coykiosk.otr.spoken.words import (
    choices,
    parse_word_line,
    parse_words,
    words_of,
)

__all__ = [
    "Code",
    "Half",
    "Heard",
    "Misheard",
    "Reason",
    "choices",
    "compare",
    "digits_of",
    "halves",
    "hex_of",
    "nato_of",
    "parse_digit_group",
    "parse_digits",
    "parse_hex",
    "parse_hex_group",
    "parse_word_line",
    "parse_words",
    "words_of",
]
