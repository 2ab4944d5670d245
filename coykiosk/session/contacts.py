"""Whom the person knows: whose key was met, and who is on the server's list.

Rule: pure. Nobody is ever put on the server's list from here: it would tell the
operator whom the person knows (RFC 6121, section 2, is read, and only shortened).
"""

from collections.abc import Container, Iterable
from typing import Final

from coykiosk.contract import ContactsChanged, Jid
from coykiosk.session.inbound import RosterItem, RosterReceived

__all__ = ["Contacts"]

MAX_LISTED: Final = 2_000
"""Of the server's list; it must not fill the memory by pushes."""
_REMOVED: Final = "remove"


class Contacts:
    """The contacts of one account.

    Args:
        account: Its bare address.
    """

    def __init__(self, account: Jid) -> None:
        self._account = account
        self._listed: dict[Jid, None] = {}
        self._forgotten: set[Jid] = set()
        """Who is not shown again, should the server still have them."""
        self._told = ContactsChanged(account, (), ())

    def receive(self, roster: RosterReceived) -> None:
        """Take the server's list, or one change to it."""
        if not roster.is_push:
            self._listed.clear()
        for item in roster.items:
            self._take(item)

    def _take(self, item: RosterItem) -> None:
        contact = item.jid.bare
        if item.subscription == _REMOVED:
            self._listed.pop(contact, None)
        elif contact.localpart and len(self._listed) < MAX_LISTED:
            self._listed[contact] = None

    def forget(self, contact: Jid) -> None:
        """Show them no more, whatever the server has on its list."""
        self._forgotten.add(contact.bare)

    def remember(self, contact: Jid) -> None:
        """They are somebody again."""
        self._forgotten.discard(contact.bare)

    @property
    def unwanted(self) -> tuple[Jid, ...]:
        """Who is on the server's list, and is forgotten here."""
        return _in_order(self._forgotten & self._listed.keys())

    def show(
        self, known: Iterable[str], blocked: Container[str]
    ) -> list[ContactsChanged]:
        """Say who they are, if that changed.

        Args:
            known: Bare addresses whose keys were met.
            blocked: Bare addresses of whom nothing is shown.
        """
        met = {_jid(name) for name in known if name not in blocked}
        listed = {jid for jid in self._listed if str(jid) not in blocked}
        others = listed - met - self._forgotten - {self._account}
        shown = ContactsChanged(self._account, _in_order(met), _in_order(others))
        if shown == self._told:
            return []
        self._told = shown
        return [shown]


def _jid(name: str) -> Jid:
    localpart, _, domain = name.partition("@")
    return Jid(localpart, domain)


def _in_order(contacts: Iterable[Jid]) -> tuple[Jid, ...]:
    return tuple(sorted(contacts, key=str))
