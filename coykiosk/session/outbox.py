"""The texts a person typed in one chat: those that wait, and those on the way.

Rule: pure; keeps texts in order and stanza ids for as long as they are of use, both
bounded. What was sent but never answered can be lost when the contact's program
lost its keys; who asks for it here can tell the person.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from coykiosk.ports import RandomBytes

__all__ = ["MAX_WAITING", "Outbox", "Typed"]

MAX_WAITING: Final = 200
MAX_REMEMBERED: Final = 500


@dataclass(frozen=True, slots=True)
class Typed:
    """One text on its way."""

    message_id: str
    text: str = field(repr=False)


class Outbox:
    """The texts of one chat.

    Args:
        random_bytes: Source of message ids.
    """

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes
        self._waiting: deque[Typed] = deque()
        self._by_stanza: dict[str, str] = {}
        """Stanza id -> message id, to tell which text an error answers."""
        self._unheard: deque[str] = deque(maxlen=MAX_REMEMBERED)
        """Sent since the contact was last heard; message ids."""

    @property
    def is_full(self) -> bool:
        """Whether no further text can wait."""
        return len(self._waiting) >= MAX_WAITING

    @property
    def has_waiting(self) -> bool:
        """Whether a text waits."""
        return bool(self._waiting)

    def add(self, text: str) -> Typed:
        """Let a text wait."""
        typed = Typed(self._random_bytes(16).hex(), text)
        self._waiting.append(typed)
        return typed

    def take(self) -> Typed:
        """Take the text that has waited longest."""
        return self._waiting.popleft()

    def sent(self, message_id: str, stanza_ids: list[str]) -> None:
        """A text went out in these stanzas."""
        self._unheard.append(message_id)
        for stanza_id in stanza_ids:
            self._by_stanza[stanza_id] = message_id
        while len(self._by_stanza) > MAX_REMEMBERED:
            del self._by_stanza[next(iter(self._by_stanza))]

    def bounced(self, stanza_id: str) -> str | None:
        """Return the text that a returned stanza carried, if it carried one."""
        message_id = self._by_stanza.pop(stanza_id, None)
        if message_id is not None and message_id in self._unheard:
            self._unheard.remove(message_id)
        return message_id

    def heard(self) -> None:
        """The contact wrote within the session: what came before has arrived."""
        self._unheard.clear()

    def take_unheard(self) -> list[str]:
        """Return the texts that nobody may have read, oldest first; once."""
        unheard = list(self._unheard)
        self._unheard.clear()
        return unheard

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
