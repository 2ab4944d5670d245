"""Long-term keys: storing, signing, and refusing keys under which anybody signs."""

import dataclasses
from collections.abc import Callable

import pytest

from coykiosk.otr import LocalError, PrivateKey, RemoteError
from coykiosk.otr.dsa import PublicKey
from coykiosk.otr.wire import Reader, encode_mpi
from tests.otr.wiring import VECTORS, recorded_key

DIGEST = bytes(range(32))


@dataclasses.dataclass(frozen=True)
class Numbers:
    p: int
    q: int
    g: int
    y: int

    @classmethod
    def of(cls, name: str) -> "Numbers":
        recorded = VECTORS["keys"][name]
        return cls(*(int(recorded[part], 16) for part in "pqgy"))

    def encode(self, key_type: int = 0) -> bytes:
        mpis = b"".join(map(encode_mpi, (self.p, self.q, self.g, self.y)))
        return key_type.to_bytes(2, "big") + mpis


ALICE = Numbers.of("alice")


def test_generated_key_signs_and_verifies() -> None:
    key = PrivateKey.generate()

    signature = key.sign(DIGEST)

    assert len(signature) == 40
    PublicKey.read(Reader(key.public.encoded)).verify(DIGEST, signature)


def test_key_survives_storing() -> None:
    key = recorded_key("alice")

    again = PrivateKey.from_bytes(key.to_bytes())

    assert again.to_bytes() == key.to_bytes()
    assert again.fingerprint == key.fingerprint
    recorded_key("alice").public.verify(DIGEST, again.sign(DIGEST))


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_fingerprint_is_the_recorded_one(name: str) -> None:
    recorded = VECTORS["ake"]["derived"][f"fp_{name}"]

    assert recorded_key(name).fingerprint.hex() == recorded


def test_key_shows_no_secret_when_printed() -> None:
    key = recorded_key("alice")

    shown = repr(key)

    assert shown == f"PrivateKey(fingerprint={key.fingerprint.hex()})"


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: b"",
        lambda stored: stored[:-1],
        lambda stored: stored + b"\0",
        lambda stored: stored[:-1] + bytes([stored[-1] ^ 1]),
        lambda stored: b"\0\1" + stored[2:],
    ],
    ids=["empty", "cut", "longer", "other x", "other type"],
)
def test_stored_key_is_refused_when_damaged(damage: Callable[[bytes], bytes]) -> None:
    stored = damage(recorded_key("alice").to_bytes())

    with pytest.raises(LocalError, match="no key"):
        PrivateKey.from_bytes(stored)


@pytest.mark.hostile("G11")
@pytest.mark.parametrize("flip", [0, 19, 20, 39])
def test_signature_is_refused_when_one_byte_flips(flip: int) -> None:
    key = recorded_key("alice")
    signature = bytearray(key.sign(DIGEST))
    signature[flip] ^= 1

    with pytest.raises(RemoteError, match="does not verify"):
        key.public.verify(DIGEST, bytes(signature))


def test_signature_is_refused_when_the_whole_digest_is_not_what_was_signed() -> None:
    key = recorded_key("alice")
    # The leftmost 160 bits are the same: FIPS truncation would accept this.
    other = DIGEST[:20] + bytes(12)

    with pytest.raises(RemoteError):
        key.public.verify(other, key.sign(DIGEST))


@pytest.mark.hostile("G11")
@pytest.mark.parametrize("half", [0, 1], ids=["r", "s"])
@pytest.mark.parametrize("value", [0, ALICE.q, 2**160 - 1], ids=["0", "q", "max"])
def test_signature_is_refused_when_r_or_s_is_out_of_range(
    half: int, value: int
) -> None:
    key = recorded_key("alice")
    parts = [key.sign(DIGEST)[:20], key.sign(DIGEST)[20:]]
    parts[half] = value.to_bytes(20, "big")

    with pytest.raises(RemoteError):
        key.public.verify(DIGEST, b"".join(parts))


@pytest.mark.hostile("G11")
def test_public_key_of_another_type_is_refused() -> None:
    with pytest.raises(RemoteError, match="type 1"):
        PublicKey.read(Reader(ALICE.encode(key_type=1)))


@pytest.mark.hostile("G11")
@pytest.mark.parametrize(
    "numbers",
    [
        dataclasses.replace(ALICE, y=0),
        dataclasses.replace(ALICE, y=1),
        dataclasses.replace(ALICE, y=ALICE.p - 1),
        dataclasses.replace(ALICE, y=ALICE.p),
        dataclasses.replace(ALICE, y=ALICE.y + ALICE.p),
        dataclasses.replace(ALICE, y=2),
        dataclasses.replace(ALICE, g=0),
        dataclasses.replace(ALICE, g=1),
        dataclasses.replace(ALICE, g=ALICE.p - 1),
        dataclasses.replace(ALICE, g=2),
        dataclasses.replace(ALICE, p=ALICE.p - 1),
        dataclasses.replace(ALICE, p=ALICE.p + 2),
        dataclasses.replace(ALICE, q=ALICE.q + 2),
        dataclasses.replace(ALICE, q=ALICE.q >> 1),
        dataclasses.replace(ALICE, q=(ALICE.p - 1) >> 1),
        dataclasses.replace(ALICE, p=0, q=0, g=0, y=0),
        dataclasses.replace(ALICE, p=2**511 + 1),
        dataclasses.replace(ALICE, p=2**2047 + 1),
    ],
    ids=[
        "y=0",
        "y=1",
        "y=p-1",
        "y=p",
        "y beyond p",
        "y outside the subgroup",
        "g=0",
        "g=1",
        "g=p-1",
        "g outside the subgroup",
        "p even",
        "q not dividing p-1",
        "other q",
        "q of 159 bits",
        "q of 1023 bits",
        "all zero",
        "p of 512 bits",
        "p of 2048 bits",
    ],
)
def test_public_key_is_refused_when_its_numbers_are_no_key(numbers: Numbers) -> None:
    with pytest.raises(RemoteError, match="public key"):
        PublicKey.read(Reader(numbers.encode()))


@pytest.mark.hostile("G11")
def test_public_key_is_refused_when_q_is_composite() -> None:
    """Such keys load without complaint in the library below."""
    q = (2**80 - 65) * (2**80 - 1)
    p = 2 * q * (2**1023 // (2 * q) + 1) + 1
    assert (q.bit_length(), p.bit_length()) == (160, 1024)
    numbers = Numbers(p, q, 2, 3)

    with pytest.raises(RemoteError, match="no prime"):
        PublicKey.read(Reader(numbers.encode()))


@pytest.mark.hostile("G11")
def test_public_key_is_refused_again_though_good_ones_are_remembered() -> None:
    bad = dataclasses.replace(ALICE, y=1).encode()

    for _ in range(2):
        PublicKey.read(Reader(ALICE.encode()))
        with pytest.raises(RemoteError, match="y does not generate"):
            PublicKey.read(Reader(bad))
