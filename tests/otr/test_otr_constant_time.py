"""Which powers and comparisons see a secret: a whole conversation, watched.

What is watched are the two libraries' own doors, so a shortcut anywhere in the package
shows: a secret exponent in the fast power, or a secret compared by `==`, which leaves
no trace at the door of constant-time comparison.
"""

import hmac

import gmpy2  # type: ignore[import-untyped]  # gmpy2 2.3 ships neither stubs nor py.typed
import pytest

from coykiosk.otr.primitives import Exponent
from tests.otr.wiring import Pair

HASH_OF_COMMIT, MAC, SMP_RESULT = 32, 20, 196


class Doors:
    """Everything that went through them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secret: set[int] = set()
        self.raised_fast: set[int] = set()
        self.raised_slowly: set[int] = set()
        self.compared: list[int] = []
        init, fast, slow = Exponent.__init__, gmpy2.powmod, gmpy2.powmod_sec
        compare = hmac.compare_digest

        def note_secret(exponent: Exponent, value: bytes | bytearray) -> None:
            self.secret.add(int.from_bytes(value, "big"))
            init(exponent, value)

        def note_fast(base: int, exponent: int, modulus: int) -> object:
            self.raised_fast.add(exponent)
            return fast(base, exponent, modulus)

        def note_slow(base: int, exponent: int, modulus: int) -> object:
            self.raised_slowly.add(exponent)
            return slow(base, exponent, modulus)

        def note_compared(left: bytes, right: bytes) -> bool:
            self.compared.append(len(left))
            return compare(left, right)

        monkeypatch.setattr(Exponent, "__init__", note_secret)
        monkeypatch.setattr(gmpy2, "powmod", note_fast)
        monkeypatch.setattr(gmpy2, "powmod_sec", note_slow)
        monkeypatch.setattr(hmac, "compare_digest", note_compared)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Doors:
    return Doors(monkeypatch)


def talk_and_compare(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.send("hello", 0))
    pair.carry(pair.bob, pair.bob.send("hello", 0))
    pair.carry(pair.alice, pair.alice.smp_start("secret", 0))
    pair.carry(pair.bob, pair.bob.smp_answer("secret", 0))


@pytest.mark.hostile("G40")
def test_secret_exponents_meet_the_constant_time_power_only(doors: Doors) -> None:
    pair = Pair()
    pair.agree()

    talk_and_compare(pair)

    # The last key of each end was drawn for a turn that never came.
    assert len(doors.secret - doors.raised_slowly) <= 2
    assert doors.raised_slowly <= doors.secret
    assert not doors.raised_fast & doors.secret


@pytest.mark.hostile("G21")
def test_exchange_compares_its_hash_and_macs_in_constant_time(doors: Doors) -> None:
    Pair().agree()

    assert doors.compared == [HASH_OF_COMMIT, MAC, MAC]


@pytest.mark.hostile("G21")
def test_messages_and_comparisons_are_compared_in_constant_time(doors: Doors) -> None:
    pair = Pair()
    pair.agree()
    doors.compared.clear()

    talk_and_compare(pair)

    text, record, result = [MAC], [MAC], [SMP_RESULT]
    assert doors.compared == [*text * 2, *record * 3, *result, *record, *result]
