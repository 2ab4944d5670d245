"""The keys of one chat's contact: whose key is in sight, and whether it alarms.

Rule: pure. The first key ever met is believed; any other one, and one that takes
the place of another in a running chat, is for the person to decide about, and
until then nothing goes to it.
"""

from coykiosk import otr

__all__ = ["ContactKeys"]


class ContactKeys:
    """What we hold of the keys that a contact shows.

    Args:
        instances: The OTR engines for the contact's devices.
        known: Fingerprints met before, 20 bytes each.
    """

    def __init__(self, instances: otr.Instances, known: tuple[bytes, ...]) -> None:
        self._instances = instances
        self._book = otr.KeyBook(known)
        self._meant: bytes | None = None
        """The key the person last had before them, and did not need to doubt."""
        instances.trust(self._book.known)

    @property
    def shown(self) -> bytes | None:
        """The key of the session that is talked in, 20 bytes."""
        return self._instances.their_fingerprint

    @property
    def is_in_doubt(self) -> bool:
        """Whether the person has to decide about the key that is shown."""
        return self.shown is not None and self.alarms(self.shown)

    def alarms(self, fingerprint: bytes) -> bool:
        """Whether nothing may go to this key until the person has decided."""
        return self._book.standing(fingerprint) is otr.Standing.CHANGED

    def was_shown(self) -> None:
        """The chat has just been shown with the key that is in sight."""
        if self.shown is not None and not self.is_in_doubt:
            self._meant = self.shown

    @property
    def meant(self) -> bytes | None:
        """Whom the person means who types now; None before the first key."""
        return self._meant

    def saw(self, secured: otr.Secured) -> bool:
        """Take note of a session's key; returns whether it is to be remembered."""
        key = secured.fingerprint
        if secured.replaced is not None:
            self._book.replaced(key)
        is_first = self._book.standing(key) is otr.Standing.FIRST
        if is_first:
            self._book.accept(key)
        self._instances.trust(self._book.known)
        return is_first

    def accept(self, fingerprint: bytes) -> None:
        """The person takes this key for the contact's."""
        self._book.accept(fingerprint)
        self._instances.trust(self._book.known)
