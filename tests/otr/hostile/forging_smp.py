"""The comparison of secrets (SMP) played by hand, so that every number can be wrong.

Written from the specification's formulas and not with the engine's own functions: a
mistake that both had in common would hide itself. Numbers of a message are a plain
list in the order of the wire; a test changes one and sends the rest as it was.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from coykiosk.otr import Inject, Instances, Output
from coykiosk.otr.messages import DataMessage
from coykiosk.otr.primitives import P, RandomBytes, power
from coykiosk.otr.ratchet import Ratchet
from coykiosk.otr.wire import Tlv, read_tlvs
from tests.otr.wiring import (
    TAGS,
    Pair,
    message_of,
    ratchet_of,
    recorded_key,
    redrawable,
    text_of,
)

Q: Final = (P - 1) // 2
G: Final = 2

MESSAGE_1, MESSAGE_2, MESSAGE_3, MESSAGE_4 = 2, 3, 4, 5
ABORT, MESSAGE_1_WITH_QUESTION, EXTRA_KEY = 6, 7, 8

FIELDS: Final = {
    1: ("g2", "c2", "D2", "g3", "c3", "D3"),
    2: ("g2", "c2", "D2", "g3", "c3", "D3", "P", "Q", "cP", "D5", "D6"),
    3: ("P", "Q", "cP", "D5", "D6", "R", "cR", "D7"),
    4: ("R", "cR", "D7"),
}
"""The numbers of each message, in the order of the wire."""
ELEMENTS: Final = {
    number: [name for name in names if name[0] in "gPQR"]
    for number, names in FIELDS.items()
}
EXPONENTS: Final = {
    number: [name for name in names if name[0] == "D"]
    for number, names in FIELDS.items()
}
HASHES: Final = {
    number: [name for name in names if name[0] == "c"]
    for number, names in FIELDS.items()
}


def at(number: int, name: str) -> int:
    """Where this field of message `number` stands."""
    return FIELDS[number].index(name)


def mpi(value: int) -> bytes:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return len(raw).to_bytes(4, "big") + raw


def hashed(version: int, *values: int) -> int:
    """H(version, values) as a number."""
    data = bytes([version]) + b"".join(map(mpi, values))
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


def value_of(numbers: list[int], *, count: int | None = None) -> bytes:
    """The value of an SMP record: how many numbers, then the numbers."""
    head = len(numbers) if count is None else count
    return head.to_bytes(4, "big") + b"".join(map(mpi, numbers))


def record(
    number: int,
    numbers: list[int],
    *,
    question: bytes | None = None,
    count: int | None = None,
) -> Tlv:
    """SMP message `number` (1 to 4) as a record; with a question it is type 7."""
    value = value_of(numbers, count=count)
    if question is None:
        return Tlv(number + 1, value)
    return Tlv(MESSAGE_1_WITH_QUESTION, question + b"\0" + value)


def numbers_of(tlv: Tlv) -> list[int]:
    """The numbers of a record, with or without a question."""
    value = tlv.value
    if tlv.type == MESSAGE_1_WITH_QUESTION:
        value = value.partition(b"\0")[2]
    numbers, position = [], 4
    while position < len(value):
        length = int.from_bytes(value[position : position + 4], "big")
        position += 4 + length
        numbers.append(int.from_bytes(value[position - length : position], "big"))
    assert len(numbers) == int.from_bytes(value[:4], "big")
    return numbers


def number_of_secret(secret: str, *, asker: bytes, answerer: bytes, ssid: bytes) -> int:
    """x or y: what is compared in place of the secret itself."""
    data = b"\1" + asker + answerer + ssid + secret.encode()
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


@dataclass
class Prover:
    """One end's numbers; what it has of the other end is filled in on the way."""

    random_bytes: RandomBytes
    secret: int = 0
    a2: int = 0
    a3: int = 0
    their_g3: int = 0
    g2: int = 0
    g3: int = 0
    our_p: int = 0
    our_q: int = 0
    their_p: int = 0
    their_q: int = 0
    r4: int = field(default=0)

    def __post_init__(self) -> None:
        self.a2 = self.draw()
        self.a3 = self.draw()
        self.r4 = self.draw()

    def draw(self) -> int:
        return int.from_bytes(self.random_bytes(192), "big") % Q

    def elements(self, version: int) -> list[int]:
        """g2, c2, D2, g3, c3, D3 with proofs of this version and the next."""
        numbers = []
        for offset, exponent in enumerate((self.a2, self.a3)):
            r = self.draw()
            c = hashed(version + offset, power(G, r))
            numbers += [power(G, exponent), c, (r - exponent * c) % Q]
        return numbers

    def meet(self, their_g2: int, their_g3: int) -> None:
        """Make the shared bases from the other end's elements."""
        self.their_g3 = their_g3
        self.g2 = power(their_g2, self.a2)
        self.g3 = power(their_g3, self.a3)

    def coordinates(self, version: int) -> list[int]:
        """P, Q, cP, D5, D6."""
        self.our_p = power(self.g3, self.r4)
        self.our_q = power(G, self.r4) * power(self.g2, self.secret) % P
        r5, r6 = self.draw(), self.draw()
        c = hashed(version, power(self.g3, r5), power(G, r5) * power(self.g2, r6) % P)
        d5, d6 = (r5 - self.r4 * c) % Q, (r6 - self.secret * c) % Q
        return [self.our_p, self.our_q, c, d5, d6]

    def result(self, version: int, *, q_asker: int, q_answerer: int) -> list[int]:
        """R, cR, D7."""
        ratio = q_asker * pow(q_answerer, -1, P) % P
        r7 = self.draw()
        c = hashed(version, power(G, r7), power(ratio, r7))
        return [power(ratio, self.a3), c, (r7 - self.a3 * c) % Q]


class Mallory:
    """Bob's end of a session with Alice, in hostile hands; it has all the keys."""

    def __init__(self, pair: Pair, *, seed: object = "mallory smp") -> None:
        self.pair = pair
        self.alice: Instances = pair.alice
        self.prover = Prover(redrawable(seed))
        self.now = 0.0

    @property
    def ratchet(self) -> Ratchet:
        return ratchet_of(self.pair.bob, TAGS["alice"])

    def sealed(self, *records: Tlv, text: bytes = b"", flags: int = 0) -> str:
        """A data message of Bob's session with these records behind the text."""
        plaintext = text + b"\0" + b"".join(each.encode() for each in records)
        return text_of(
            self.ratchet.seal(
                plaintext,
                flags=flags,
                sender_tag=TAGS["bob"],
                receiver_tag=TAGS["alice"],
            )
        )

    def say(self, *records: Tlv, text: bytes = b"") -> list[Output]:
        """Send records to Alice; returns her outputs."""
        return self.alice.receive(self.sealed(*records, text=text), self.now)

    def hear(self, outputs: list[Output]) -> list[Tlv]:
        """The records of what Alice sent, padding aside."""
        heard = []
        for output in outputs:
            if isinstance(output, Inject):
                message = message_of(output.text)
                assert isinstance(message, DataMessage)
                opened = self.ratchet.open(message)
                records = opened.plaintext.partition(b"\0")[2]
                heard += [tlv for tlv in read_tlvs(records) if tlv.type != 0]
        return heard

    def number_of(self, secret: str, *, alice_asks: bool) -> int:
        """The number that stands for the secret between these two ends."""
        alice, bob = (recorded_key(name).fingerprint for name in ("alice", "bob"))
        ssid = self.alice.ssid
        assert ssid is not None
        asker, answerer = (alice, bob) if alice_asks else (bob, alice)
        return number_of_secret(secret, asker=asker, answerer=answerer, ssid=ssid)

    # --- Mallory asks -------------------------------------------------------------

    def message_1(self) -> list[int]:
        return self.prover.elements(1)

    def message_3(self, message_2: list[int], secret: str) -> list[int]:
        """The right answer to Alice's message 2, under this secret."""
        self.prover.secret = self.number_of(secret, alice_asks=False)
        names = dict(zip(FIELDS[2], message_2, strict=True))
        self.prover.meet(names["g2"], names["g3"])
        self.prover.their_p, self.prover.their_q = names["P"], names["Q"]
        return self.prover.coordinates(6) + self.prover.result(
            7, q_asker=self.prover.our_q, q_answerer=names["Q"]
        )

    def ask(self, question: bytes | None = None) -> list[Output]:
        """Send a right message 1."""
        return self.say(record(1, self.message_1(), question=question))

    # --- Mallory answers ----------------------------------------------------------

    def message_2(self, message_1: list[int], secret: str) -> list[int]:
        """The right answer to Alice's message 1, under this secret."""
        self.prover.secret = self.number_of(secret, alice_asks=True)
        names = dict(zip(FIELDS[1], message_1, strict=True))
        elements = self.prover.elements(3)
        self.prover.meet(names["g2"], names["g3"])
        return elements + self.prover.coordinates(5)

    def message_4(self, message_3: list[int]) -> list[int]:
        """The right answer to Alice's message 3."""
        names = dict(zip(FIELDS[3], message_3, strict=True))
        return self.prover.result(8, q_asker=names["Q"], q_answerer=self.prover.our_q)


def agreed(*, seed: object = "mallory smp") -> Mallory:
    """Alice encrypted with Bob's key, and Mallory who holds it."""
    pair = Pair()
    pair.agree()
    return Mallory(pair, seed=seed)
