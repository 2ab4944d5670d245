"""Who is told that we are there: those we talk with under OTR, and nobody else.

Rule: pure. The presence of the sign-in goes to nobody (we let nobody subscribe, and
ask nobody); a device is told by a presence for it alone (RFC 6121, section 4.6) once
it has proved its key, and told the contrary when the chat ends.

Why at all: libotr's clients say that they end OTR only to whom they see online, and
do not see us otherwise; we would go on encrypting to keys that are gone. What it
tells: nothing to the server, which carries our messages to that very address; and to
the contact the moment of our leaving, also by a broken connection, which their server
could have found out by writing to us. So it goes to the devices of an encrypted chat
alone, not to whom we ask and who does not answer, nor while their key is in doubt.
"""

from dataclasses import dataclass
from typing import final

from coykiosk.contract import Jid

__all__ = ["Seen", "TellPresence"]


@dataclass(frozen=True, slots=True)
class TellPresence:
    """Tell one device whether we are there."""

    to: Jid
    """Full address."""
    available: bool


@final
class Seen:
    """Who sees us on one stream."""

    def __init__(self) -> None:
        self._by_chat: dict[Jid, frozenset[Jid]] = {}

    def show_to(self, chat: Jid, devices: frozenset[Jid]) -> list[TellPresence]:
        """Let exactly these devices of a contact see us.

        Args:
            chat: The contact's bare address.
            devices: Full addresses.
        """
        before = self._by_chat.pop(chat, frozenset())
        if devices:
            self._by_chat[chat] = devices
        return [
            TellPresence(each, available=each in devices)
            for each in sorted(before ^ devices, key=str)
        ]

    def forget(self) -> None:
        """The stream is gone: our server has told them so by itself."""
        self._by_chat.clear()
