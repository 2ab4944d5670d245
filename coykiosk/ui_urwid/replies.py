"""Keep what a terminal answers from being read as keys.

A terminal that is asked something (its size, its colours, its title) answers
through the keyboard. We ask nothing, so every answer was provoked by somebody
else's text, on this screen or before it, and may be made to look like typing.
Rule: pure; a control sequence that is no key we know never becomes input.

    TEXT --ESC [--> CSI --final--> TEXT         (a key passes, an answer does not)
    TEXT --ESC ] P X ^ _--> STRING --BEL, ST--> TEXT          (nothing passes)

Source: ECMA-48 sections 5.4 and 5.6; xterm "Control Sequences", reports.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

__all__ = ["ReplyFilter"]

_ESC: Final = 0x1B
_BEL: Final = 0x07
_CSI: Final = ord("[")
_ST: Final = ord("\\")
_STRINGS: Final = frozenset(b"]PX^_")  # OSC, DCS, SOS, PM, APC
_PARAMETERS: Final = range(0x20, 0x40)
_FINALS: Final = range(0x40, 0x7F)
_MOUSE: Final = ord("M")
_MOUSE_BYTES: Final = 3  # X10 report: button, column, row
_MAX_CSI_BYTES: Final = 64
_SPLIT_LIMIT_S: Final = 0.5  # an answer comes in one go; a person does not type so

_PLAIN: Final = frozenset(b"0123456789;:")
# Cursor keys, Home, End, F1-F4, Shift+Tab, keypad; not R, which is also the
# position report: F3 comes as ESC O R, ESC [ 13 ~ or ESC [ [ C.
_KEY_FINALS: Final = frozenset(b"ABCDEFHPQSZabcd~^u")


class _Mode(Enum):
    TEXT = auto()
    ESC_PASSED = auto()
    """The read before ended with ESC, which may have been the key Esc."""
    CSI = auto()
    CONSOLE_KEY = auto()
    """Behind ESC [ [, with which the Linux console begins F1 to F5."""
    MOUSE = auto()
    STRING = auto()
    STRING_ESC = auto()


class ReplyFilter:
    """Takes the bytes of each read, gives back those that may be keys."""

    def __init__(self) -> None:
        self._mode = _Mode.TEXT
        self._held: list[int] = []
        self._n_mouse = 0
        self._last_read = 0.0

    def feed(self, codes: Iterable[int], now: float) -> list[int]:
        """Filter one read.

        Args:
            codes: The bytes as they came.
            now: Monotonic seconds; a sequence that stays open too long is over.
        """
        if now - self._last_read > _SPLIT_LIMIT_S:
            self._mode = _Mode.TEXT
            self._held.clear()
        self._last_read = now
        passed: list[int] = []
        for code in codes:
            passed += self._step(code)
        if self._mode is _Mode.TEXT and self._held == [_ESC]:
            # It may be the key Esc, and nobody should wait for what follows.
            passed += self._release()
            self._mode = _Mode.ESC_PASSED
        return passed

    def _release(self) -> list[int]:
        held, self._held = self._held, []
        return held

    def _step(self, code: int) -> list[int]:
        match self._mode:
            case _Mode.TEXT | _Mode.ESC_PASSED:
                return self._in_text(code)
            case _Mode.CSI:
                return self._in_csi(code)
            case _Mode.CONSOLE_KEY:
                self._mode = _Mode.TEXT
                return [*self._release(), code]
            case _Mode.MOUSE:
                self._n_mouse -= 1
                self._mode = _Mode.MOUSE if self._n_mouse else _Mode.TEXT
                return []
            case _Mode.STRING | _Mode.STRING_ESC:
                return self._in_string(code)

    def _in_text(self, code: int) -> list[int]:
        is_behind_esc = self._mode is _Mode.ESC_PASSED or self._held == [_ESC]
        self._mode = _Mode.TEXT
        if is_behind_esc and code == _CSI:
            self._mode = _Mode.CSI
            self._held.append(code)
            return []
        if is_behind_esc and code in _STRINGS:
            self._mode = _Mode.STRING
            self._held.clear()
            return []
        passed = self._release()
        if code == _ESC:
            self._held.append(code)
            return passed
        return [*passed, code]

    def _in_csi(self, code: int) -> list[int]:
        parameters = self._held[self._held.index(_CSI) + 1 :]
        if code in _PARAMETERS:
            if len(self._held) < _MAX_CSI_BYTES:
                self._held.append(code)
            return []
        if code == _CSI and not parameters:
            self._mode = _Mode.CONSOLE_KEY
            self._held.append(code)
            return []
        self._mode = _Mode.TEXT
        held = self._release()
        if code not in _FINALS:
            # A control or a letter beyond ASCII: the sequence was none.
            return self._in_text(code)
        if code == _MOUSE and not parameters:
            self._mode, self._n_mouse = _Mode.MOUSE, _MOUSE_BYTES
            return []
        is_key = code in _KEY_FINALS and _PLAIN.issuperset(parameters)
        return [*held, code] if is_key and len(held) < _MAX_CSI_BYTES else []

    def _in_string(self, code: int) -> list[int]:
        if self._mode is _Mode.STRING_ESC:
            self._mode = _Mode.TEXT
            if code == _ST:
                return []
            self._held.append(_ESC)
            return self._in_text(code)
        if code == _ESC:
            self._mode = _Mode.STRING_ESC
        elif code == _BEL:
            self._mode = _Mode.TEXT
        elif code < ord(" "):
            # No answer has controls in it: a person is typing again.
            self._mode = _Mode.TEXT
            return self._in_text(code)
        return []
