"""What the server has taken of ours, and we of the server's (XEP-0198).

Rule: sans-IO; counts stanzas, and keeps ours as they went out (OTR, never a text in
clear) only while they may have to go out once more. A message counts as sent when the
server says that it has it: a connection through Tor can be dead for minutes before
anybody notices, and what was written to it meanwhile is nowhere.

    OFF --enable--> ASKED --enabled--> ON          counts both ways
                      +-----failed---> OFF          the server cannot

Ours are counted from `<enable/>` on, the server's from `<enabled/>` on. The counts
belong to the session: where the server lets it be resumed, they outlive the stream
(`resumption`). Source: XEP-0198, sections 3 to 5.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.session.wire import ACKS, CLIENT, quoted

__all__ = ["Acks", "AcksBrokenError"]

MAX_UNTAKEN: Final = 10_000
"""A server that takes so many and says so of none has broken its word."""
MAX_KEPT_CHARS: Final = 4 * 1024 * 1024
"""Of stanzas that are not taken; what is beyond is not sent once more."""
MAX_ID_BYTES: Final = 4000  # XEP-0198, section 3
_TRUE: Final = frozenset({"true", "1"})  # XML Schema part 2, section 3.2.2
_COUNT: Final = re.compile("[0-9]{1,10}")
_MODULUS: Final = 1 << 32  # XEP-0198, section 4: h wraps around
_STANZAS: Final = frozenset(
    "{" + CLIENT + "}" + name for name in ("iq", "message", "presence")
)
_PREFIX: Final = "{" + ACKS + "}"
_QUESTION: Final = f"<r xmlns='{ACKS}'/>"
_NOTHING: Final[tuple[str, tuple[str, ...]]] = ("", ())


class AcksBrokenError(Exception):
    """The server says that it took what it was never sent."""


class _State(Enum):
    OFF = auto()
    ASKED = auto()
    ON = auto()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A stanza of ours that the server has not taken."""

    message_id: str | None
    """None of what is no message."""
    text: str = field(default="", repr=False)
    """As it went out; "" when it is not kept."""


@final
class Acks:
    """The counts of one session."""

    def __init__(self) -> None:
        self._state = _State.OFF
        self._untaken: deque[_Sent] = deque()
        self._n_kept = 0
        """How many characters of those are kept."""
        self._n_asked_about = 0
        """How many of those the server has been asked about."""
        self._has_answered = False
        self._previd = ""
        self._max_s: int | None = None
        self._n_taken = 0
        """What of ours the server has taken, modulo 2^32."""
        self._n_received = 0
        """What of the server's we have taken, modulo 2^32."""

    @property
    def are_expected(self) -> bool:
        """Whether the server will tell what it has taken, as far as we know."""
        return self._state is not _State.OFF

    @property
    def is_resumable(self) -> bool:
        """Whether the server lets the session go on over another stream."""
        return bool(self._previd)

    @property
    def max_s(self) -> int | None:
        """For how long it does so, as it says, in seconds; None when it does not."""
        return self._max_s

    @property
    def is_whole(self) -> bool:
        """Whether all that is not taken is kept."""
        return all(each.text for each in self._untaken)

    @property
    def owes_answer(self) -> bool:
        """Whether the server has still to say that it has what we asked about."""
        return self._n_asked_about > 0

    @property
    def has_answered(self) -> bool:
        """Whether it has said of anything on this stream that it has it."""
        return self._has_answered

    def enable(self) -> str:
        """Return the request to count; what is sent after it is counted."""
        self._state = _State.ASKED
        return f"<enable xmlns='{ACKS}' resume='true'/>"

    def sent(self, message_id: str | None, text: str) -> str:
        """Count a stanza of ours; return what is to go out right behind it.

        Args:
            message_id: Of a message; None of any other stanza.
            text: The stanza as it goes out.

        Raises:
            AcksBrokenError: the server never says what it has taken.
        """
        if self._state is _State.OFF:
            return ""
        if len(self._untaken) >= MAX_UNTAKEN:
            msg = "nothing is ever taken"
            raise AcksBrokenError(msg)
        may_be_resumed = self._state is _State.ASKED or self.is_resumable
        if not may_be_resumed or self._n_kept + len(text) > MAX_KEPT_CHARS:
            text = ""
        self._n_kept += len(text)
        self._untaken.append(_Sent(message_id, text))
        if message_id is None:
            return ""
        self._n_asked_about = len(self._untaken)
        return _QUESTION

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
                self._take_offer(element)
                return _NOTHING
            case "failed", _State.ASKED:
                self._state = _State.OFF
                return "", self._drop(len(self._untaken))
            case "r", _State.ON:
                return self.count(), ()
            case "a", _State.ON:
                self._has_answered = True
                return "", self.learn(element.get("h", ""))
            case _:
                return _NOTHING

    # --- from one stream to the next ------------------------------------------------

    def resume(self) -> str:
        """Return the request to go on with this session on a new stream."""
        return (
            f"<resume xmlns='{ACKS}' h='{self._n_received}'"
            f" previd='{quoted(self._previd)}'/>"
        )

    def again(self) -> list[str]:
        """Return what is to go out first on a new stream: what is not taken, in order.

        What is not kept any more is not counted any more either.
        """
        self._has_answered = False
        self._untaken = deque(each for each in self._untaken if each.text)
        self._n_asked_about = len(self._untaken)
        texts = [each.text for each in self._untaken]
        return [*texts[:-1], texts[-1] + _QUESTION] if texts else []

    def forsake(self) -> None:
        """Never send once more what is not taken, and tell nothing of it."""
        self._untaken = deque(_Sent(None) for _ in self._untaken)
        self._n_kept = 0

    def _take_offer(self, enabled: ET.Element) -> None:
        """Read whether the session can be resumed.

        Where to (`location`) is not read: a server does not choose whom we talk to.
        """
        previd, longest = enabled.get("id", ""), enabled.get("max", "")
        if enabled.get("resume") in _TRUE and _can_be_repeated(previd):
            self._previd = previd
            self._max_s = int(longest) if _COUNT.fullmatch(longest) else None
        else:
            self._untaken = deque(_Sent(each.message_id) for each in self._untaken)
            self._n_kept = 0

    def learn(self, text: str) -> tuple[str, ...]:
        """Take a count of the server's (`h`); return the messages that it now has.

        Raises:
            AcksBrokenError: see there.
        """
        count = int(text) if _COUNT.fullmatch(text) else _MODULUS
        n_new = (count - self._n_taken) % _MODULUS
        if count >= _MODULUS or n_new > len(self._untaken):
            msg = f"{len(self._untaken)} were sent, and other than that were taken"
            raise AcksBrokenError(msg)
        self._n_taken = count
        return self._drop(n_new)

    def _drop(self, count: int) -> tuple[str, ...]:
        taken = [self._untaken.popleft() for _ in range(count)]
        self._n_asked_about = max(0, self._n_asked_about - count)
        self._n_kept -= sum(len(each.text) for each in taken)
        return tuple(each.message_id for each in taken if each.message_id is not None)


def _can_be_repeated(previd: str) -> bool:
    """Whether an id will be the same when we say it; a line break would not."""
    return previd.isprintable() and 0 < len(previd.encode()) <= MAX_ID_BYTES
