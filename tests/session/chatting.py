"""Two people who chat, with the test as the network between them."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from coykiosk import otr
from coykiosk.contract import (
    ChatPhase,
    Event,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
)
from coykiosk.session.conversation import Conversation, Effect, KeyMet, SendOtr
from tests.support.chance import seeded

E = TypeVar("E")

ALICE = Jid("alice", "a.example", "x1")
BOB = Jid("bob", "b.example", "y2")
TAGS = {ALICE: 0x101, BOB: 0x102}
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
KEYS = {name: otr.PrivateKey.generate() for name in ("alice", "bob", "mallory")}


@dataclass
class End:
    """One person's side of the chat, and what they were told."""

    jid: Jid
    peer: Jid
    key: otr.PrivateKey
    seed: int
    known: tuple[bytes, ...] = ()
    wire: deque[SendOtr] = field(default_factory=deque)
    events: list[Event] = field(default_factory=list)
    met: list[bytes] = field(default_factory=list)
    is_taken_at_once: bool = True
    """Whether what this end sends is with its server at once."""

    def __post_init__(self) -> None:
        draw = seeded(self.seed)
        self.chat = Conversation(
            self.peer.bare,
            account=self.jid.bare,
            instances=otr.Instances(self.key, TAGS[self.jid], draw),
            known_keys=self.known,
            random_bytes=draw,
        )

    def take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendOtr():
                    self.wire.append(effect)
                    if self.is_taken_at_once:
                        self.take(self.chat.taken((effect.stanza_id,)))
                case KeyMet(fingerprint=fingerprint):
                    self.met.append(fingerprint)
                case _:
                    self.events.append(effect)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def phase(self) -> ChatPhase:
        return self.chat.phase

    @property
    def read(self) -> list[str]:
        """What this person was shown of the other's texts."""
        return [event.text for event in self.of(MessageReceived)]

    @property
    def fates(self) -> dict[str, list[MessageState]]:
        """What this person was told of each text of theirs."""
        texts = {each.message_id: each.text for each in self.of(MessageAccepted)}
        fates: dict[str, list[MessageState]] = {text: [] for text in texts.values()}
        for event in self.of(MessageStateChanged):
            fates[texts[event.message_id]].append(event.state)
        return fates


class Pair:
    def __init__(self, **known: tuple[bytes, ...]) -> None:
        self.now = 1000.0
        self.seen: list[str] = []
        """Everything that crossed the network."""
        self.alice = End(ALICE, BOB, KEYS["alice"], 1, known.get("alice", ()))
        self.bob = End(BOB, ALICE, KEYS["bob"], 2, known.get("bob", ()))
        for end in (self.alice, self.bob):
            end.take(end.chat.went_online(self.now, ask_at=float("inf")))

    def carry(self) -> None:
        """Deliver until nothing is under way."""
        for _ in range(100):
            for sender, receiver in (
                (self.alice, self.bob),
                (self.bob, self.alice),
            ):
                while sender.wire:
                    sent = sender.wire.popleft()
                    self.seen.append(sent.body)
                    receiver.take(
                        receiver.chat.receive(sender.jid, sent.body, self.now, NOON)
                    )
            if not (self.alice.wire or self.bob.wire):
                return
        message = "the two never come to rest"
        raise AssertionError(message)

    def step(self, sender: End) -> None:
        """Deliver the oldest message of one end, and nothing else."""
        receiver = self.bob if sender is self.alice else self.alice
        sent = sender.wire.popleft()
        receiver.take(receiver.chat.receive(sender.jid, sent.body, self.now, NOON))

    def secure(self) -> None:
        self.alice.take(self.alice.chat.open(self.now, ask_at=self.now))
        self.carry()

    def say(self, end: End, text: str) -> None:
        end.take(end.chat.send(text, self.now, NOON))


def restart_bob(pair: Pair) -> None:
    """Bob's program is gone without a goodbye, and comes back without its keys."""
    pair.bob = End(BOB, ALICE, KEYS["bob"], 3, (KEYS["alice"].fingerprint,))
    pair.bob.take(pair.bob.chat.went_online(pair.now, ask_at=float("inf")))


def put_mallory_in_bobs_place(pair: Pair) -> None:
    """With bob's address and instance tag, and a key of her own."""
    pair.bob = End(BOB, ALICE, KEYS["mallory"], 3)
    pair.bob.take(pair.bob.chat.went_online(pair.now, ask_at=float("inf")))


PHONE = Jid("bob", "b.example", "phone")


def with_phone(pair: Pair) -> End:
    """Let Bob come with a second device, with the same key."""
    TAGS[PHONE] = 0x103
    phone = End(PHONE, ALICE, KEYS["bob"], 4, (KEYS["alice"].fingerprint,))
    phone.take(phone.chat.went_online(pair.now, ask_at=float("inf")))
    phone.take(phone.chat.open(pair.now, ask_at=pair.now))
    for _ in range(10):
        for sent in list(phone.wire):
            pair.alice.take(pair.alice.chat.receive(PHONE, sent.body, pair.now, NOON))
        phone.wire.clear()
        for sent in list(pair.alice.wire):
            assert sent.to == PHONE
            phone.take(phone.chat.receive(ALICE, sent.body, pair.now, NOON))
        pair.alice.wire.clear()
    return phone
