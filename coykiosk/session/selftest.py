"""Does our server deliver what we write? A message to ourselves finds out.

Rule: pure. Some servers take everybody who comes through Tor and hold back what they
write, until an administrator looks, or for ever; such an account looks like one and is
none. The message is a plain request for OTR to our own address, as anybody sends it.
"""

from enum import Enum, auto
from typing import Final, final

from coykiosk.contract import Jid
from coykiosk.ports import RandomBytes
from coykiosk.session.devices import SendOtr
from coykiosk.session.inbound import Inbound, MessageError, MessageIn

__all__ = ["SelfTest", "Verdict"]

SELF_TEST_LIMIT_S: Final = 60.0
"""A message to ourselves that takes longer than this does not come."""
_REQUEST: Final = "?OTRv3?"


class Verdict(Enum):
    """What became of the message."""

    DELIVERED = auto()
    REFUSED = auto()
    """It came back, with a condition."""


@final
class SelfTest:
    """One message to ourselves, and what becomes of it.

    Args:
        account: Our bare address.
        random_bytes: For the message's id.
    """

    def __init__(self, account: Jid, random_bytes: RandomBytes) -> None:
        self._account = account.bare
        self._message_id = random_bytes(16).hex()
        self.condition = ""
        """Why it was refused (RFC 6120, section 8.3.3)."""

    def message(self) -> SendOtr:
        """Return what is to be sent."""
        return SendOtr(self._account, _REQUEST, self._message_id)

    def receive(self, value: Inbound) -> Verdict | None:
        """Look at what came in; None when it is not our message."""
        match value:
            case MessageIn(sender=sender, message_id=message_id):
                is_ours = sender.bare == self._account
                came = is_ours and message_id == self._message_id
                return Verdict.DELIVERED if came else None
            case MessageError(sender=sender, message_id=message_id) as error:
                server = Jid("", self._account.domainpart)
                is_ours = sender.bare in (self._account, server)
                if not is_ours or message_id != self._message_id:
                    return None
                self.condition = error.condition
                return Verdict.REFUSED
            case _:
                return None
