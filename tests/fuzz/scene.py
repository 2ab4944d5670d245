"""Who is there, what has been said, and what is on the wire.

Rule: whatever an honest end sends is entered into the ledger here, and nowhere else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from coykiosk.otr import Inject, Instances, Output
from coykiosk.otr.framing import Binary, Fragment
from coykiosk.otr.messages import DataMessage, Message, RevealSig, Signature
from coykiosk.otr.payload import TLV_DISCONNECTED, unpack
from tests.fuzz.inside import plaintext_of
from tests.fuzz.ledger import Ledger, Words, decoded, reading

NAMES: Final = ("alice", "bob", "mallory")


@dataclass(slots=True)
class Scene:
    """A world: who is there, what was said, what is on the wire."""

    ends: dict[str, Instances]
    tags: dict[str, int]
    fingerprints: dict[str, bytes]
    now: float = 1000.0
    ledger: Ledger = field(default_factory=Ledger)
    air: dict[str, list[str]] = field(
        default_factory=lambda: {name: [] for name in NAMES}
    )
    """What each has put on the wire; nothing is ever taken away."""
    carried: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    """How much of it has been delivered in order."""
    secrets: dict[str, list[str]] = field(
        default_factory=lambda: {name: [] for name in NAMES}
    )
    """What each has typed to be compared."""

    def sent(self, name: str, outputs: Iterable[Output], *, text: str = "") -> None:
        """Enter what an end sends; `text` is what its person had typed."""
        texts = [output.text for output in outputs if isinstance(output, Inject)]
        self.air[name] += texts
        for message in _whole(texts):
            if isinstance(message, RevealSig | Signature):
                self.ledger.sign(message, self.fingerprints[name])
            elif isinstance(message, DataMessage):
                plaintext = plaintext_of(self.ends[name], message)
                self.write(name, message, plaintext=plaintext, text=text)

    def secrets_of(self, author: bytes) -> list[str]:
        """Return what the one with this fingerprint has typed to be compared."""
        return [
            secret
            for name, fingerprint in self.fingerprints.items()
            if fingerprint == author
            for secret in self.secrets[name]
        ]

    def write(
        self, name: str, message: DataMessage, *, plaintext: bytes | None, text: str
    ) -> None:
        """Enter a data message made with the keys of this end."""
        self.ledger.write(
            Words(
                key=(message.authenticated, message.mac),
                author=self.fingerprints[name],
                sender_tag=message.head.sender_tag,
                text=text,
                may_end=plaintext is None or _ends(plaintext),
                plaintext=plaintext,
            )
        )


def _ends(plaintext: bytes) -> bool:
    return any(each.type == TLV_DISCONNECTED for each in unpack(plaintext).records)


def _whole(texts: Iterable[str]) -> Iterator[Message]:
    pieces: list[str] = []
    for text in texts:
        inbound = reading(text)
        if isinstance(inbound, Fragment):
            pieces.append(inbound.piece)
            if inbound.index < inbound.count:
                continue
            inbound = reading("".join(pieces))
            pieces.clear()
        if isinstance(inbound, Binary):
            yield decoded(inbound.raw)
