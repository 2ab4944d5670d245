"""Instance tags: which device of an account a message is from and for.

Rule: a tag is a name and no proof; anybody can write any tag on a message. What it
buys is that devices do not answer for each other.
"""

from typing import Final

from coykiosk.otr.events import LocalError, RemoteError
from coykiosk.otr.primitives import RandomBytes

MIN_TAG: Final = 0x100  # OTRv3, "Instance Tags"
_MAX_TAG: Final = 0xFFFFFFFF
# COMPAT(old otr4j, xabber-android #413): takes tags up to this number only.
_MAX_DRAWN_TAG: Final = 0x11111111
_DRAWN_TAG_MASK: Final = 0x1FFFFFFF
_TAG_BYTES: Final = 4


def draw_instance_tag(random_bytes: RandomBytes) -> int:
    """Draw the tag of an account on this device, to be kept as long as both."""
    while True:
        drawn = int.from_bytes(random_bytes(_TAG_BYTES), "big") & _DRAWN_TAG_MASK
        if MIN_TAG <= drawn <= _MAX_DRAWN_TAG:
            return drawn


def check_our_tag(tag: int) -> None:
    """Refuse a tag that no peer would take.

    Raises:
        LocalError: outside 0x100..0xffffffff.
    """
    if not MIN_TAG <= tag <= _MAX_TAG:
        msg = f"instance tag {tag:#x}"
        raise LocalError(msg)


def is_for_us(
    sender_tag: int, receiver_tag: int, *, our_tag: int, may_be_open: bool
) -> bool:
    """Tell whether a message comes from another instance and is for ours.

    Args:
        sender_tag: As the message has it.
        receiver_tag: As the message has it.
        our_tag: Ours.
        may_be_open: Whether 0, for any instance, is allowed as receiver.

    Raises:
        RemoteError: no instance can have the sender's tag.
    """
    if sender_tag < MIN_TAG:
        msg = f"sender's instance tag {sender_tag:#x}"
        raise RemoteError(msg)
    if sender_tag == our_tag:
        return False  # our own words, sent back to us
    return receiver_tag == our_tag or (may_be_open and receiver_tag == 0)
