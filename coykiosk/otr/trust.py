"""Which keys of a contact we know, which a person has checked, which alarm.

Rule: a key is believed on first sight and never again; a further one is believed
when the person says so. Only what people did outside the chat, or a comparison of
secrets, makes a key verified. Fingerprints are compared whole.
"""

from collections.abc import Collection
from enum import Enum


class Standing(Enum):
    """What we hold of the key at the other end."""

    FIRST = "first"
    """No key of this contact was ever met."""
    KNOWN = "known"
    """Met before, or accepted by the person; nobody has checked whose it is."""
    VERIFIED = "verified"
    """The person has checked whose it is."""
    CHANGED = "changed"
    """Another than those we know, or it took the place of one in a running chat."""


class KeyBook:
    """The keys of one contact.

    Args:
        known: Fingerprints met before, 20 bytes each.
        verified: Those of them that were checked.
    """

    def __init__(
        self, known: Collection[bytes] = (), verified: Collection[bytes] = ()
    ) -> None:
        self._verified = set(verified)
        self._known = set(known) | self._verified
        self._suspects: set[bytes] = set()

    @property
    def known(self) -> frozenset[bytes]:
        """The keys that may be talked to."""
        return frozenset(self._known - self._suspects)

    @property
    def verified(self) -> frozenset[bytes]:
        """The keys that were checked."""
        return frozenset(self._verified)

    def standing(self, fingerprint: bytes) -> Standing:
        """Tell what we hold of a key."""
        if fingerprint in self._verified:
            return Standing.VERIFIED
        if fingerprint in self._suspects:
            return Standing.CHANGED
        if fingerprint in self._known:
            return Standing.KNOWN
        return Standing.CHANGED if self._known else Standing.FIRST

    def replaced(self, fingerprint: bytes) -> None:
        """Note a key that took the place of another within a running session.

        No program changes its key in the middle of a chat, so this is an alarm
        even for a key that was accepted long ago; but not for a verified one.
        """
        if fingerprint in self._known - self._verified:
            self._suspects.add(fingerprint)  # one that is not known alarms anyway

    def accept(self, fingerprint: bytes) -> None:
        """Believe a key: the first one, or because the person says so."""
        self._known.add(fingerprint)
        self._suspects.discard(fingerprint)

    def verify(self, fingerprint: bytes) -> None:
        """The person has checked whose key it is."""
        self.accept(fingerprint)
        self._verified.add(fingerprint)

    def doubt(self, fingerprint: bytes) -> None:
        """Take the mark of a check back; the key stays known."""
        self._verified.discard(fingerprint)
