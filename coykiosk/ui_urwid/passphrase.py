"""A field for a passphrase: kept in one buffer, hidden or shown, and wiped.

Rule: the field remembers nothing: no history, no undo, no cut text; its buffer
is overwritten when the value is taken, cleared, or the program ends. Python
makes copies while a value is shown or normalised; those are out of reach.
"""

import unicodedata
from typing import Final

import urwid

from coykiosk.contract import Secret
from coykiosk.ui_urwid.untrusted import clean_typed

__all__ = ["PassphraseField", "normalised"]

_ROOM_BYTES: Final = 1024  # reserved at once, so that growing leaves no copies
_BULLET: Final = "*"
_PROMPT: Final = "> "
_CONTINUES: Final = 0b1000_0000  # UTF-8: a byte 10xxxxxx is not the first of its letter
_CONTINUES_MASK: Final = 0b1100_0000


def normalised(text: str) -> str:
    """Return a passphrase as it is used: blanks count as one, at the ends as none.

    Source: RFC 8265 section 4.2.2 (OpaqueString: NFC, all blanks are U+0020);
    folding repeated blanks is ours, because nobody can see them on paper.
    """
    return unicodedata.normalize("NFC", " ".join(text.split()))


class PassphraseField:
    """What is typed stays in a buffer of ours; the cursor stays at the end."""

    def __init__(self, *, is_shown: bool) -> None:
        self.is_shown = is_shown
        self._buffer = bytearray(_ROOM_BYTES)
        self._used = 0

    def __repr__(self) -> str:
        return "PassphraseField(…)"

    @property
    def is_empty(self) -> bool:
        """True while there is nothing in it."""
        return self._used == 0

    def insert(self, text: str) -> None:
        """Add typed or pasted text at the end; line breaks become blanks."""
        added = clean_typed(text).replace("\n", " ").encode()
        if self.is_empty:
            added = added.lstrip(b" ")
        if self._used + len(added) <= _ROOM_BYTES:
            self._buffer[self._used : self._used + len(added)] = added
            self._used += len(added)

    def keypress(self, key: str) -> bool:
        """Edit; return True when the key was ours."""
        if len(key) == 1:
            self.insert(key)
            return True
        match key:
            case "backspace" | "ctrl h":
                self._cut(self._before_last_letter())
            case "ctrl w" | "meta backspace":
                kept = self._buffer[: self._used].rstrip(b" ").rfind(b" ")
                self._cut(kept + 1)
            case "ctrl u":
                self.clear()
            case _:
                return False
        return True

    def _before_last_letter(self) -> int:
        end = max(0, self._used - 1)
        while end and self._buffer[end] & _CONTINUES_MASK == _CONTINUES:
            end -= 1
        return end

    def _cut(self, end: int) -> None:
        self._buffer[end : self._used] = bytes(self._used - end)
        self._used = end

    def clear(self) -> None:
        """Overwrite and forget what was typed."""
        self._cut(0)

    def text(self) -> str:
        """Return what was typed, normalised; a copy that cannot be wiped."""
        return normalised(self._buffer[: self._used].decode())

    def take(self) -> Secret:
        """Return what was typed, normalised, and forget it here."""
        secret = Secret(self.text())
        self.clear()
        return secret

    def widget(self) -> urwid.Edit:
        """Return the field as it is drawn now."""
        typed = self._buffer[: self._used].decode()
        shown = typed if self.is_shown else _BULLET * len(typed)
        return urwid.Edit(("key", _PROMPT), shown, wrap="any")
