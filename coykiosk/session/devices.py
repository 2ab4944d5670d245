"""A contact's devices: where each is, and what goes to which.

Rule: pure; an address counts once the device has proved itself by OTR from there.
What is made here is an OTR message to be sent, and nothing else can be.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from coykiosk import otr
from coykiosk.contract import Jid
from coykiosk.ports import RandomBytes

__all__ = ["Devices", "SendOtr"]

MAX_DEVICES: Final = 32


@dataclass(frozen=True, slots=True)
class SendOtr:
    """Put an OTR message on the stream."""

    to: Jid
    body: str
    stanza_id: str


class Devices:
    """The devices of one contact.

    Args:
        contact: Bare address; where to, when a device's place is not known.
        random_bytes: Source of stanza ids.
    """

    def __init__(self, contact: Jid, random_bytes: RandomBytes) -> None:
        self._contact = contact
        self._random_bytes = random_bytes
        self._places: dict[int, Jid] = {}
        """Instance tag -> full address."""

    @property
    def places(self) -> frozenset[Jid]:
        """The full addresses from where a device has proved itself."""
        return frozenset(self._places.values())

    def place(self, instance_tag: int, address: Jid) -> None:
        """Remember from where a device has just proved itself.

        Whichever was there before is there no more: an address has one device.
        """
        for tag in [each for each, at in self._places.items() if at == address]:
            del self._places[tag]
        self._places.pop(instance_tag, None)
        self._places[instance_tag] = address
        while len(self._places) > MAX_DEVICES:
            del self._places[next(iter(self._places))]

    def address(self, outputs: Iterable[otr.Output]) -> list[SendOtr]:
        """Address what OTR wants sent, each to the device it is for."""
        return [
            self._make(
                output, self._places.get(output.instance_tag or 0, self._contact)
            )
            for output in outputs
            if isinstance(output, otr.Inject)
        ]

    def answer(self, output: otr.Inject, asker: Jid) -> SendOtr:
        """Address an answer to who asked, wherever that device was before.

        What is for another device, a goodbye because there are too many of them, goes
        to that one.
        """
        tag = output.instance_tag or 0
        is_at_asker = (each for each, at in self._places.items() if at == asker)
        is_for_other = tag in self._places and any(each != tag for each in is_at_asker)
        return self._make(output, self._places[tag] if is_for_other else asker)

    def _make(self, output: otr.Inject, to: Jid) -> SendOtr:
        return SendOtr(to, output.text, self._random_bytes(16).hex())
