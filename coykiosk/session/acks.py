"""What the server has taken of ours, and we of the server's (XEP-0198).

Rule: sans-IO; counts stanzas and holds no text. A message counts as sent when the
server says that it has it: a connection through Tor can be dead for minutes before
anybody notices, and what was written to it meanwhile is nowhere.

    OFF --enable--> ASKED --enabled--> ON          counts both ways
                      +-----failed---> OFF          the server cannot

Ours are counted from `<enable/>` on, the server's from `<enabled/>` on. Source:
XEP-0198, sections 3 and 4. Resumption (section 5) is not asked for.
"""

import re
from collections import deque
from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.session.wire import ACKS, CLIENT

__all__ = ["Acks", "AcksBrokenError"]

MAX_UNTAKEN: Final = 10_000
"""A server that takes so many and says so of none has broken its word."""
_COUNT: Final = re.compile("[0-9]{1,10}")
_MODULUS: Final = 1 << 32  # XEP-0198, section 4: h wraps around
_STANZAS: Final = frozenset(
    "{" + CLIENT + "}" + name for name in ("iq", "message", "presence")
)
_PREFIX: Final = "{" + ACKS + "}"
_NOTHING: Final[tuple[str, tuple[str, ...]]] = ("", ())


class AcksBrokenError(Exception):
    """The server says that it took what it was never sent."""


class _State(Enum):
    OFF = auto()
    ASKED = auto()
    ON = auto()


@final
class Acks:
    """The counts of one stream; use once."""

    def __init__(self) -> None:
        self._state = _State.OFF
        self._untaken: deque[str | None] = deque()
        """Ours that the server has not taken: the id of a message, None of others."""
        self._n_taken = 0
        """What of ours the server has taken, modulo 2^32."""
        self._n_received = 0
        """What of the server's we have taken, modulo 2^32."""

    @property
    def are_expected(self) -> bool:
        """Whether the server will tell what it has taken, as far as we know."""
        return self._state is not _State.OFF

    def enable(self) -> str:
        """Return the request to count; what is sent after it is counted."""
        self._state = _State.ASKED
        return f"<enable xmlns='{ACKS}'/>"

    def sent(self, message_id: str | None) -> str:
        """Count a stanza of ours; return what is to go out right behind it.

        Args:
            message_id: Of a message; None of any other stanza.

        Raises:
            AcksBrokenError: the server never says what it has taken.
        """
        if self._state is _State.OFF:
            return ""
        if len(self._untaken) >= MAX_UNTAKEN:
            msg = "nothing is ever taken"
            raise AcksBrokenError(msg)
        self._untaken.append(message_id)
        return "" if message_id is None else f"<r xmlns='{ACKS}'/>"

    def count(self) -> str:
        """Return what we say of the server's; "" while nothing is counted.

        Also before a goodbye: what is not counted is not there, and the server would
        give it back to its sender or keep it.
        """
        if self._state is not _State.ON:
            return ""
        return f"<a xmlns='{ACKS}' h='{self._n_received}'/>"

    def is_ours(self, element: ET.Element) -> bool:
        """Whether an element is for `take`, and no stanza."""
        return element.tag.startswith(_PREFIX)

    def received(self, element: ET.Element) -> None:
        """Count a stanza of the server's."""
        if self._state is _State.ON and element.tag in _STANZAS:
            self._n_received = (self._n_received + 1) % _MODULUS

    def take(self, element: ET.Element) -> tuple[str, tuple[str, ...]]:
        """Take an element of this protocol.

        Returns:
            What is to be sent, and the messages that the server now has. When the
            server cannot count, all are taken for sent, as they were before.

        Raises:
            AcksBrokenError: see there.
        """
        match element.tag.removeprefix(_PREFIX), self._state:
            case "enabled", _State.ASKED:
                self._state = _State.ON
                return _NOTHING
            case "failed", _State.ASKED:
                self._state = _State.OFF
                return "", self._drop(len(self._untaken))
            case "r", _State.ON:
                return self.count(), ()
            case "a", _State.ON:
                return "", self._take_count(element.get("h", ""))
            case _:
                return _NOTHING

    def _take_count(self, text: str) -> tuple[str, ...]:
        count = int(text) if _COUNT.fullmatch(text) else _MODULUS
        n_new = (count - self._n_taken) % _MODULUS
        if count >= _MODULUS or n_new > len(self._untaken):
            msg = f"{len(self._untaken)} were sent, and other than that were taken"
            raise AcksBrokenError(msg)
        self._n_taken = count
        return self._drop(n_new)

    def _drop(self, count: int) -> tuple[str, ...]:
        taken = [self._untaken.popleft() for _ in range(count)]
        return tuple(each for each in taken if each is not None)
