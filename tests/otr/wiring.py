"""Two ends and the wire between them, recorded keys, and bytes anyone can redraw."""

import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from coykiosk.otr import Inject, Instances, MessageState, Output, PrivateKey
from coykiosk.otr.ake_states import draw_commit
from coykiosk.otr.engine import Engine
from coykiosk.otr.framing import Binary, armour, read
from coykiosk.otr.messages import DataMessage, Message, decode
from coykiosk.otr.primitives import RandomBytes
from coykiosk.otr.ratchet import Opened, Ratchet
from coykiosk.otr.wire import encode_mpi

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "otr_vectors.json").read_text()
)
TAGS = {"alice": 0x27E31597, "bob": 0x5A73A599}
MAX_ROUNDS = 200


def recorded_key(name: str) -> PrivateKey:
    """One of the two long-term keys of the vectors."""
    numbers = VECTORS["keys"][name]
    return PrivateKey.from_bytes(
        b"\0\0" + b"".join(encode_mpi(int(numbers[part], 16)) for part in "pqgyx")
    )


def redrawable(seed: object) -> RandomBytes:
    """A random source that gives the same bytes to everyone with the same seed."""
    counter = itertools.count()

    def draw(n_bytes: int) -> bytes:
        return hashlib.shake_256(f"{seed}/{next(counter)}".encode()).digest(n_bytes)

    return draw


def fixed_then(first: bytes, then: RandomBytes) -> RandomBytes:
    """A random source that starts with `first`, whatever sizes it is asked for."""
    queue = bytearray(first)

    def draw(n_bytes: int) -> bytes:
        if not queue:
            return then(n_bytes)
        taken = bytes(queue[:n_bytes])
        del queue[:n_bytes]
        return taken

    return draw


def seed_of_commit(prefix: bytes) -> int:
    """Return a seed from which the first commit's hash starts with this byte."""
    return next(
        seed
        for seed in itertools.count()
        if draw_commit(redrawable(seed)).hashed_gx.startswith(prefix)
    )


def injected(outputs: Iterable[Output]) -> list[str]:
    """What is to be carried to the other end."""
    return [output.text for output in outputs if isinstance(output, Inject)]


def told(outputs: Iterable[Output]) -> list[Output]:
    """What the caller is told."""
    return [output for output in outputs if not isinstance(output, Inject)]


def message_of(text: str) -> Message:
    """The message inside an armoured text."""
    inbound = read(text)
    assert isinstance(inbound, Binary)
    return decode(inbound.raw)


def text_of(message: Message) -> str:
    return armour(message.encode())


def raw_of(text: str) -> bytes:
    inbound = read(text)
    assert isinstance(inbound, Binary)
    return inbound.raw


class Pair:
    """Alice and Bob in one room; nothing is lost unless a test loses it."""

    def __init__(
        self,
        *,
        alice_seed: object = "alice",
        bob_seed: object = "bob",
        max_message_chars: int | None = None,
    ) -> None:
        self.now = 0.0
        self.alice = Instances(
            recorded_key("alice"),
            TAGS["alice"],
            redrawable(alice_seed),
            max_message_chars=max_message_chars,
        )
        self.bob = Instances(
            recorded_key("bob"),
            TAGS["bob"],
            redrawable(bob_seed),
            max_message_chars=max_message_chars,
        )
        self.told: dict[Instances, list[Output]] = {self.alice: [], self.bob: []}

    def other(self, end: Instances) -> Instances:
        return self.bob if end is self.alice else self.alice

    def carry(self, sender: Instances, outputs: Iterable[Output]) -> None:
        """Carry messages both ways until nobody has anything to say."""
        waiting = [(sender, output) for output in outputs]
        for _ in range(MAX_ROUNDS):
            if not waiting:
                return
            end, output = waiting.pop(0)
            if isinstance(output, Inject):
                receiver = self.other(end)
                answers = receiver.receive(output.text, self.now)
                waiting += [(receiver, answer) for answer in answers]
            else:
                self.told[end].append(output)
        raise AssertionError("the two ends never come to rest")  # noqa: EM101 # a test's own words

    def agree(self, asker: Instances | None = None) -> None:
        """Run a whole key exchange; Alice asks unless told otherwise."""
        end = asker or self.alice
        self.carry(end, end.ask(self.now))
        assert self.alice.message_state is MessageState.ENCRYPTED
        assert self.bob.message_state is MessageState.ENCRYPTED
        self.forget_told()

    def forget_told(self) -> None:
        for outputs in self.told.values():
            outputs.clear()

    def handshake(self) -> dict[str, str]:
        """The four armoured messages of an exchange that Bob begins, not carried on.

        Returns them after both ends are encrypted.
        """
        (commit,) = injected(self.bob.receive("?OTRv3?", self.now))
        (key,) = injected(self.alice.receive(commit, self.now))
        (reveal_sig,) = injected(self.bob.receive(key, self.now))
        (sig,) = injected(self.alice.receive(reveal_sig, self.now))
        self.bob.receive(sig, self.now)
        return {"commit": commit, "key": key, "reveal_sig": reveal_sig, "sig": sig}


def engine_of(end: Instances, tag: int) -> Engine:
    engine = end._engines.get(tag)
    assert engine is not None
    return engine


def ratchet_of(end: Instances, tag: int) -> Ratchet:
    session = engine_of(end, tag)._session
    assert session is not None
    return session.ratchet


def forget_what_was_taken(patch: pytest.MonkeyPatch) -> None:
    """Put a fault in: a data message is taken however often it comes."""
    opened, on_data = Ratchet.open, Engine._on_data

    def open_again(ratchet: Ratchet, message: DataMessage) -> Opened:
        for keys in ratchet._pairs.values():
            keys.receive_counter = 0
        return opened(ratchet, message)

    def take_again(engine: Engine, message: DataMessage, now: float) -> list[Output]:
        engine._taken.clear()
        return on_data(engine, message, now)

    patch.setattr(Ratchet, "open", open_again)
    patch.setattr(Engine, "_on_data", take_again)
