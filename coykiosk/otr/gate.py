"""What comes in, made whole: pieces joined, and what is for others left out.

Rule: nothing here knows a key or answers anybody. Whatever text comes in, one value
goes out, nothing, or `RemoteError`.

Source: OTRv3, "Fragmentation" and "Instance Tags".
"""

from dataclasses import dataclass

from coykiosk.otr.events import RemoteError
from coykiosk.otr.framing import (
    OLD_VERSIONS,
    Assembler,
    Binary,
    ErrorText,
    Fragment,
    Inbound,
    Offer,
    Plain,
    read,
)
from coykiosk.otr.messages import (
    TYPE_DH_COMMIT,
    Message,
    decode,
    read_header,
    read_version,
)
from coykiosk.otr.tags import is_for_us


@dataclass(frozen=True, slots=True)
class Addressed:
    """A binary message for us, and whose it says it is."""

    message: Message
    sender_tag: int


@dataclass(frozen=True, slots=True)
class TooOld:
    """A binary message of version 1 or 2."""


Arrival = Addressed | TooOld | Offer | ErrorText | Plain


class Gate:
    """Turns the texts of one contact into whole messages for this instance."""

    def __init__(self, our_tag: int) -> None:
        self._our_tag = our_tag
        self._fragments = Assembler()

    def take(self, text: str, now: float) -> Arrival | None:
        """Take a text; None while pieces are missing, or when it is for others.

        Raises:
            RemoteError: marked as OTR, but malformed.
        """
        inbound: Inbound | None = read(text)
        if isinstance(inbound, Fragment):
            inbound = self._join(inbound, now)
        match inbound:
            case None:
                return None
            case Binary(raw):
                return self._address(raw)
            case Fragment():
                msg = "a fragment inside a fragment"
                raise RemoteError(msg)
            case _:
                # It has no sender's tag, so it interrupts them all.
                self._fragments.forget_all()
                return inbound

    def expire(self, now: float) -> None:
        """Forget pieces whose next one is late."""
        self._fragments.expire(now)

    def forget_all(self) -> None:
        """Forget all pieces."""
        self._fragments.forget_all()

    def _join(self, fragment: Fragment, now: float) -> Inbound | None:
        sender = fragment.sender_tag  # None in version 2, which had no tags
        if sender is not None and not is_for_us(
            sender, fragment.receiver_tag, our_tag=self._our_tag, may_be_open=True
        ):
            return None
        joined = self._fragments.add(fragment, now)
        return None if joined is None else read(joined)

    def _address(self, raw: bytes) -> Addressed | TooOld | None:
        if str(read_version(raw)) in OLD_VERSIONS:
            return TooOld()
        header = read_header(raw)
        if not is_for_us(
            header.sender_tag,
            header.receiver_tag,
            our_tag=self._our_tag,
            may_be_open=header.type == TYPE_DH_COMMIT,
        ):
            return None
        self._fragments.forget(header.sender_tag)
        return Addressed(decode(raw), header.sender_tag)
