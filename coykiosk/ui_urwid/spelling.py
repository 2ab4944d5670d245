"""How to say an address aloud, letter by letter.

Rule: pure; every character has a word of its own, or is shown cleaned.

Source: ICAO Annex 10, volume II, 5.2.1.3 (the spelling alphabet).
"""

from typing import Final

from coykiosk.contract import Jid
from coykiosk.text import _
from coykiosk.ui_urwid.untrusted import Kind, clean

__all__ = ["spoken"]

_SPELLING: Final = {
    word[0].lower(): word
    for word in (
        *("Alfa", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel"),
        *("India", "Juliett", "Kilo", "Lima", "Mike", "November", "Oscar", "Papa"),
        *("Quebec", "Romeo", "Sierra", "Tango", "Uniform", "Victor", "Whiskey"),
        *("X-ray", "Yankee", "Zulu"),
    )
}
_DIGITS: Final = (
    *(_("zero"), _("one"), _("two"), _("three"), _("four")),
    *(_("five"), _("six"), _("seven"), _("eight"), _("nine")),
)
_SIGNS: Final = {".": _("dot"), "-": _("dash"), "_": _("underscore"), "@": _("at")}


def spoken(jid: Jid) -> str:
    """Return how to say a bare address aloud."""
    return " ".join(_spoken_char(char) for char in str(jid.bare))


def _spoken_char(char: str) -> str:
    if "0" <= char <= "9":
        return _DIGITS[int(char)]
    return _SPELLING.get(char) or _SIGNS.get(char) or clean(char, Kind.NICK)
