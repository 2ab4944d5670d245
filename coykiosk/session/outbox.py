"""The texts a person typed in one chat: those that wait, and those on the way.

Rule: pure; keeps texts in order and stanza ids for as long as they are of use, both
bounded. A text belongs to the key the person had before them when they typed it,
and goes to no other. What was sent and not answered before the keys were renewed may
be lost: the contact's program may have been restarted. Who asks for it here can tell
the person.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from coykiosk.contract import (
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageState,
    MessageStateChanged,
    Protection,
    SendMessage,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import RandomBytes

__all__ = ["MAX_WAITING", "Outbox", "Typed"]

MAX_WAITING: Final = 200
MAX_REMEMBERED: Final = 500
MESSAGE_LIMIT_CHARS: Final = 10_000
"""Longest text of one message; well below every server's stanza limit."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One text on its way."""

    message_id: str
    text: str = field(repr=False)
    meant_for: bytes | None
    """The key it was typed to, 20 bytes; None when the chat had none yet."""

    def may_go_to(self, fingerprint: bytes | None) -> bool:
        """Whether that is the key it was typed to."""
        return self.meant_for is None or self.meant_for == fingerprint


@dataclass(slots=True)
class _Untaken:
    """A text that the server has not said it has."""

    stanza_ids: set[str]
    """Those of its stanzas that are not taken."""
    protection: Protection
    """What it went out under."""


class Outbox:
    """The texts of one chat.

    Args:
        contact: Bare address.
        account: Our own.
        random_bytes: Source of message ids.
    """

    def __init__(self, contact: Jid, account: Jid, random_bytes: RandomBytes) -> None:
        self._contact = contact
        self._account = account
        self._random_bytes = random_bytes
        self._waiting: deque[Typed] = deque()
        self._by_stanza: dict[str, str] = {}
        """Stanza id -> message id, to tell which text an error answers."""
        self._untaken: dict[str, _Untaken] = {}
        """Given to the connection, and not confirmed by the server; by message id."""
        self._unheard: OrderedDict[str, bytes] = OrderedDict()
        """Sent since its key was last heard: message id -> fingerprint."""

    @property
    def has_waiting(self) -> bool:
        """Whether a text waits."""
        return bool(self._waiting)

    def accept(
        self,
        text: str,
        *,
        meant_for: bytes | None,
        at: datetime,
        protection: Protection,
    ) -> MessageAccepted:
        """Let a text wait.

        Raises:
            UserError: MESSAGE_TOO_LONG, TOO_MANY_WAITING; nothing was taken.
        """
        if len(text) > MESSAGE_LIMIT_CHARS:
            raise UserError(ErrorCode.MESSAGE_TOO_LONG, limit=str(MESSAGE_LIMIT_CHARS))
        if len(self._waiting) >= MAX_WAITING:
            raise UserError(ErrorCode.TOO_MANY_WAITING, count=str(MAX_WAITING))
        typed = Typed(self._random_bytes(16).hex(), text, meant_for)
        self._waiting.append(typed)
        return MessageAccepted(
            account=self._account,
            chat=self._contact,
            message_id=typed.message_id,
            text=text,
            at=at,
            state=MessageState.WAITING,
            protection=protection,
        )

    def take(self) -> Typed:
        """Take the text that has waited longest."""
        return self._waiting.popleft()

    def readdress(self, fingerprint: bytes) -> None:
        """The person takes this key for the contact's: what waits is meant for it."""
        self._waiting = deque(
            replace(typed, meant_for=fingerprint) for typed in self._waiting
        )

    def gone(
        self,
        typed: Typed,
        stanza_ids: list[str],
        protection: Protection,
        fingerprint: bytes,
    ) -> MessageStateChanged:
        """A text goes out in these stanzas, for this key."""
        self._unheard[typed.message_id] = fingerprint
        if len(self._unheard) > MAX_REMEMBERED:
            self._unheard.popitem(last=False)
        for stanza_id in stanza_ids:
            self._by_stanza[stanza_id] = typed.message_id
        while len(self._by_stanza) > MAX_REMEMBERED:
            del self._by_stanza[next(iter(self._by_stanza))]
        if not stanza_ids:  # nothing was left of it that could be sent
            return self._changed(typed.message_id, MessageState.SENT, protection)
        self._untaken[typed.message_id] = _Untaken(set(stanza_ids), protection)
        return self._changed(typed.message_id, MessageState.SENDING, protection)

    def taken(self, stanza_ids: Iterable[str]) -> list[MessageStateChanged]:
        """The server has these stanzas: a text is sent when it has all of its."""
        if not self._untaken:
            return []  # as in most chats most of the time
        stanza_ids = frozenset(stanza_ids)
        sent = []
        for message_id, untaken in tuple(self._untaken.items()):
            untaken.stanza_ids -= stanza_ids
            if not untaken.stanza_ids:
                del self._untaken[message_id]
                sent.append(
                    self._changed(message_id, MessageState.SENT, untaken.protection)
                )
        return sent

    def cut_off(self) -> list[MessageStateChanged]:
        """The connection is gone: what was not taken may or may not have arrived."""
        uncertain = [
            self._changed(message_id, MessageState.UNCERTAIN, untaken.protection)
            for message_id, untaken in self._untaken.items()
        ]
        for message_id in self._untaken:
            self._unheard.pop(message_id, None)
        self._untaken.clear()
        return uncertain

    def not_sent(self, typed: Typed, protection: Protection) -> MessageStateChanged:
        """A text that was taken is left unsent."""
        return self._changed(typed.message_id, MessageState.FAILED, protection)

    def bounced(
        self, stanza_id: str, condition: str, protection: Protection
    ) -> list[Event]:
        """A stanza came back; tells so if it carried a text."""
        message_id = self._by_stanza.pop(stanza_id, None)
        if message_id is None:
            return []
        self._unheard.pop(message_id, None)
        self._untaken.pop(message_id, None)
        contact = str(self._contact)
        error = UserError(
            ErrorCode.MESSAGE_BOUNCED, contact=contact, condition=condition
        )
        changed = self._changed(message_id, MessageState.FAILED, protection)
        return [changed, Failed(error, SendMessage)]

    def heard(self, fingerprint: bytes) -> None:
        """This key wrote within the session: what was sent to it has arrived.

        Not what the server has not taken: the two have crossed.
        """
        for message_id in self._unheard_by(fingerprint):
            if message_id not in self._untaken:
                del self._unheard[message_id]

    def renewed(
        self, fingerprint: bytes, protection: Protection
    ) -> list[MessageStateChanged]:
        """A session with this key began: what it has not answered may be lost."""
        uncertain = self._unheard_by(fingerprint)
        for message_id in uncertain:
            del self._unheard[message_id]
            self._untaken.pop(message_id, None)  # that the server has it is no comfort
        return [
            self._changed(message_id, MessageState.UNCERTAIN, protection)
            for message_id in uncertain
        ]

    def _unheard_by(self, fingerprint: bytes) -> list[str]:
        return [each for each, key in self._unheard.items() if key == fingerprint]

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _changed(
        self, message_id: str, state: MessageState, protection: Protection
    ) -> MessageStateChanged:
        return MessageStateChanged(
            self._account, self._contact, message_id, state, protection
        )
