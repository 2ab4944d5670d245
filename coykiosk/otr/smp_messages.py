"""The five messages of SMP as values, to and from the records (TLVs) they travel in.

Rule: a message is taken whole or raises `RemoteError`: the exact count of numbers,
every group element in the group, every answer of a proof in 1..q-1, no byte left
over. Whether the proofs hold is for `smp` to say, which knows what they are about.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from coykiosk.otr.events import RemoteError
from coykiosk.otr.primitives import Q, check_public_value
from coykiosk.otr.smp_proofs import Coordinates, CoordinatesProof, LogProof
from coykiosk.otr.wire import Reader, Tlv, encode_int, encode_mpi

# OTRv3, "TLV record types".
TLV_SMP_1: Final = 2
TLV_SMP_2: Final = 3
TLV_SMP_3: Final = 4
TLV_SMP_4: Final = 5
TLV_SMP_ABORT: Final = 6
TLV_SMP_1_QUESTION: Final = 7
FIRST_TLVS: Final = frozenset({TLV_SMP_1, TLV_SMP_1_QUESTION})
SMP_TLVS: Final = frozenset(range(TLV_SMP_1, TLV_SMP_1_QUESTION + 1))

MAX_QUESTION_BYTES: Final = 4096
"""Longest question in UTF-8, of theirs and of ours."""
_HASH_BITS: Final = 256
_COUNTS: Final = {TLV_SMP_1: 6, TLV_SMP_2: 11, TLV_SMP_3: 8, TLV_SMP_4: 3}


@dataclass(frozen=True, slots=True)
class Smp1:
    """The initiator's two halves of the generators, perhaps with a question."""

    g2a: int
    g2a_proof: LogProof
    g3a: int
    g3a_proof: LogProof
    question: str | None = field(default=None, repr=False)

    def encode(self) -> Tlv:
        """Return the record: type 2, or 7 with a question before the numbers."""
        numbers = _encode_numbers(
            *(self.g2a, *_of_log(self.g2a_proof), self.g3a, *_of_log(self.g3a_proof))
        )
        if self.question is None:
            return Tlv(TLV_SMP_1, numbers)
        return Tlv(TLV_SMP_1_QUESTION, self.question.encode() + b"\0" + numbers)


@dataclass(frozen=True, slots=True)
class Smp2:
    """The responder's halves, and its secret, hidden."""

    g2b: int
    g2b_proof: LogProof
    g3b: int
    g3b_proof: LogProof
    hidden: Coordinates
    hidden_proof: CoordinatesProof

    def encode(self) -> Tlv:
        """Return the record."""
        return Tlv(
            TLV_SMP_2,
            _encode_numbers(
                self.g2b,
                *_of_log(self.g2b_proof),
                self.g3b,
                *_of_log(self.g3b_proof),
                *_of_hidden(self.hidden, self.hidden_proof),
            ),
        )


@dataclass(frozen=True, slots=True)
class Smp3:
    """The initiator's secret, hidden, and its half of the comparison."""

    hidden: Coordinates
    hidden_proof: CoordinatesProof
    r: int
    r_proof: LogProof

    def encode(self) -> Tlv:
        """Return the record."""
        hidden = _of_hidden(self.hidden, self.hidden_proof)
        return Tlv(TLV_SMP_3, _encode_numbers(*hidden, self.r, *_of_log(self.r_proof)))


@dataclass(frozen=True, slots=True)
class Smp4:
    """The responder's half of the comparison."""

    r: int
    r_proof: LogProof

    def encode(self) -> Tlv:
        """Return the record."""
        return Tlv(TLV_SMP_4, _encode_numbers(self.r, *_of_log(self.r_proof)))


@dataclass(frozen=True, slots=True)
class SmpAbort:
    """Whoever sends this has left the comparison."""

    def encode(self) -> Tlv:
        """Return the record, which is empty."""
        return Tlv(TLV_SMP_ABORT, b"")


SmpMessage = Smp1 | Smp2 | Smp3 | Smp4 | SmpAbort


def decode_smp(tlv: Tlv) -> SmpMessage:
    """Read one record of SMP.

    Raises:
        RemoteError: malformed, or a number that no honest end sends.

    Source: OTRv3, "Socialist Millionaires' Protocol (SMP)", "SMP message 1" to "4".
    """
    if tlv.type == TLV_SMP_ABORT:
        return SmpAbort()  # whatever it carries: leaving must always work
    if tlv.type == TLV_SMP_1_QUESTION:
        question, end, numbers = tlv.value.partition(b"\0")
        if not end or len(question) > MAX_QUESTION_BYTES:
            msg = f"smp: a question of {len(question)} bytes"
            raise RemoteError(msg)
        first = _read_1(_Numbers(numbers, _COUNTS[TLV_SMP_1]))
        return replace(first, question=question.decode("utf-8", "replace"))
    read_body = _BODIES.get(tlv.type)
    if read_body is None:
        msg = f"smp: record of type {tlv.type}"
        raise RemoteError(msg)
    return read_body(_Numbers(tlv.value, _COUNTS[tlv.type]))


class _Numbers:
    """The MPIs of one message, taken in order and each checked for what it is."""

    def __init__(self, value: bytes, expected: int) -> None:
        reader = Reader(value)
        count = reader.integer()
        if count != expected:
            msg = f"smp: {count} numbers in place of {expected}"
            raise RemoteError(msg)
        self._numbers = iter([reader.mpi() for _ in range(expected)])
        reader.finish()

    def element(self) -> int:
        """Take a group element."""
        value = next(self._numbers)
        check_public_value(value)
        return value

    def challenge(self) -> int:
        """Take a hash."""
        value = next(self._numbers)
        # It equals a hash or the proof fails; a longer one would only cost time.
        if value.bit_length() > _HASH_BITS:
            msg = f"smp: a hash of {value.bit_length()} bits"
            raise RemoteError(msg)
        return value

    def answer(self) -> int:
        """Take the answer of a proof."""
        value = next(self._numbers)
        if not 1 <= value < Q:
            msg = f"smp: answer out of range, {value.bit_length()} bits"
            raise RemoteError(msg)
        return value

    def log_proof(self) -> LogProof:
        """Take a proof of a logarithm."""
        return LogProof(self.challenge(), self.answer())

    def hidden(self) -> tuple[Coordinates, CoordinatesProof]:
        """Take P, Q and the proof about them."""
        coordinates = Coordinates(self.element(), self.element())
        return coordinates, CoordinatesProof(
            self.challenge(), self.answer(), self.answer()
        )


def _read_1(numbers: _Numbers) -> Smp1:
    return Smp1(
        numbers.element(),
        numbers.log_proof(),
        numbers.element(),
        numbers.log_proof(),
    )


def _read_2(numbers: _Numbers) -> Smp2:
    return Smp2(
        numbers.element(),
        numbers.log_proof(),
        numbers.element(),
        numbers.log_proof(),
        *numbers.hidden(),
    )


def _read_3(numbers: _Numbers) -> Smp3:
    return Smp3(*numbers.hidden(), numbers.element(), numbers.log_proof())


def _read_4(numbers: _Numbers) -> Smp4:
    return Smp4(numbers.element(), numbers.log_proof())


def _of_log(proof: LogProof) -> tuple[int, int]:
    return proof.c, proof.d


def _of_hidden(
    hidden: Coordinates, proof: CoordinatesProof
) -> tuple[int, int, int, int, int]:
    return hidden.p, hidden.q, proof.c, proof.d5, proof.d6


def _encode_numbers(*numbers: int) -> bytes:
    return encode_int(len(numbers)) + b"".join(map(encode_mpi, numbers))


_BODIES: Final[dict[int, Callable[[_Numbers], SmpMessage]]] = {
    TLV_SMP_1: _read_1,
    TLV_SMP_2: _read_2,
    TLV_SMP_3: _read_3,
    TLV_SMP_4: _read_4,
}
