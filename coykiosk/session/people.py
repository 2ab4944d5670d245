"""Whom an account knows and whom it keeps out, as its record has it.

Rule: the only writer of `known` and `blocked` in the record; each change of ours is
told and saved at once. A server's are told when `settle` is called, however many.
"""

import asyncio
from collections.abc import Callable

from coykiosk.contract import BlockedChanged, Event, Jid
from coykiosk.session.contacts import Contacts
from coykiosk.session.inbound import RosterReceived
from coykiosk.vault.profile import Account

__all__ = ["People"]


class People:
    """The people in one account's record.

    Args:
        record: The profile's entry.
        account: Its bare address.
        publish: Told of each change.
        save: Called when the record changed and should be saved soon.
    """

    def __init__(
        self,
        record: Account,
        account: Jid,
        *,
        publish: Callable[[Event], None],
        save: Callable[[], None],
    ) -> None:
        self._record = record
        self._account = account
        self._publish = publish
        self._save = save
        self._contacts = Contacts(account)
        self.list_changed = asyncio.Event()
        """The server's list is another one, or somebody should leave it; see `settle`."""

    def tell(self) -> None:
        """Publish whom the account knows, and whom it shows nothing of."""
        if self._record.blocked:
            self._tell_blocked()
        self._tell_contacts()

    def _tell_blocked(self) -> None:
        self._publish(BlockedChanged(self._account, self.blocked))
        self._tell_contacts()

    def _tell_contacts(self) -> None:
        for event in self._contacts.show(self._record.known, self._record.blocked):
            self._publish(event)

    # --- who is known ------------------------------------------------------------

    def keys_of(self, contact: Jid) -> tuple[bytes, ...]:
        """Return the fingerprints met there, 20 bytes each; a bare address."""
        return self._record.known.get(str(contact), ())

    def is_known(self, contact: Jid) -> bool:
        """Whether a key of theirs was met."""
        return str(contact.bare) in self._record.known

    def meet(self, contact: Jid, fingerprint: bytes) -> None:
        """Remember a key of theirs."""
        known = self.keys_of(contact)
        if fingerprint not in known:
            self._record.known[str(contact)] = (*known, fingerprint)
            self._contacts.remember(contact)
            self._save()
            self._tell_contacts()

    def forget(self, contact: Jid) -> None:
        """Remember neither key nor name of theirs."""
        if self._record.known.pop(str(contact.bare), None) is not None:
            self._save()
        self._contacts.forget(contact)
        self._tell_contacts()
        self.list_changed.set()

    def take_list(self, roster: RosterReceived) -> None:
        """Take the server's list, or a change to it; `settle` tells of it."""
        self._contacts.receive(roster)
        self.list_changed.set()

    def settle(self) -> tuple[Jid, ...]:
        """Tell what the server's list is now.

        Returns:
            Who is on it, and is forgotten here.
        """
        self.list_changed.clear()
        self._tell_contacts()
        return self._contacts.unwanted

    # --- who is kept out -----------------------------------------------------------

    @property
    def blocked(self) -> tuple[Jid, ...]:
        """Those of whom nothing is taken."""
        parts = (each.partition("@") for each in self._record.blocked)
        return tuple(Jid(localpart, domain) for localpart, _, domain in parts)

    def is_blocked(self, contact: Jid) -> bool:
        """Whether nothing of theirs is taken."""
        return str(contact.bare) in self._record.blocked

    def block(self, contact: Jid) -> None:
        """Take nothing of theirs from now on."""
        if not self.is_blocked(contact):
            self._record.blocked = (*self._record.blocked, str(contact.bare))
            self._save()
        self._tell_blocked()

    def unblock(self, contact: Jid) -> None:
        """Take what they write, as a stranger's or a known contact's."""
        name = str(contact.bare)
        self._record.blocked = tuple(
            each for each in self._record.blocked if each != name
        )
        self._save()
        self._tell_blocked()
