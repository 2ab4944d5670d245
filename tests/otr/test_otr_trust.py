"""Which keys are believed, and which alarm."""

import pytest

from coykiosk.otr import (
    Inject,
    Instances,
    KeyBook,
    LocalError,
    PrivateKey,
    Received,
    Secured,
    Standing,
)
from tests.otr.wiring import TAGS, Pair, injected, recorded_key, redrawable

OLD, NEW = b"o" * 20, b"n" * 20


def test_first_key_is_told_from_later_ones() -> None:
    book = KeyBook()

    first = book.standing(OLD)
    book.accept(OLD)

    assert first is Standing.FIRST
    assert book.standing(OLD) is Standing.KNOWN
    assert book.standing(NEW) is Standing.CHANGED


def test_accepted_key_is_known_and_not_verified() -> None:
    book = KeyBook([OLD])

    book.accept(NEW)

    assert book.standing(NEW) is Standing.KNOWN
    assert book.known == {OLD, NEW}
    assert book.verified == frozenset()


def test_verified_key_is_known_too() -> None:
    book = KeyBook(verified=[OLD])

    assert book.standing(OLD) is Standing.VERIFIED
    assert book.known == {OLD}


def test_key_can_be_verified_and_doubted_again() -> None:
    book = KeyBook([OLD])

    book.verify(OLD)
    verified = book.standing(OLD)
    book.doubt(OLD)

    assert verified is Standing.VERIFIED
    assert book.standing(OLD) is Standing.KNOWN


def test_known_key_alarms_when_it_replaced_another_until_it_is_accepted() -> None:
    book = KeyBook([OLD, NEW])

    book.replaced(NEW)
    standing, known = book.standing(NEW), book.known
    book.accept(NEW)

    assert (standing, known) == (Standing.CHANGED, frozenset({OLD}))
    assert book.standing(NEW) is Standing.KNOWN


def test_strangers_keys_are_not_remembered_without_end() -> None:
    book = KeyBook([OLD])

    for n in range(1000):
        book.replaced(n.to_bytes(20, "big"))

    assert book._suspects == set()
    assert book.standing(bytes(20)) is Standing.CHANGED


def test_verified_key_does_not_alarm_when_it_replaced_another() -> None:
    book = KeyBook([OLD], verified=[NEW])

    book.replaced(NEW)

    assert book.standing(NEW) is Standing.VERIFIED


@pytest.mark.parametrize("shorter", [OLD[:-1], OLD[:4], OLD + b"o", b""])
def test_fingerprint_is_compared_whole(shorter: bytes) -> None:
    assert KeyBook([OLD]).standing(shorter) is Standing.CHANGED


def test_exchange_tells_which_key_it_replaced() -> None:
    pair = Pair()
    pair.agree()
    other = Instances(PrivateKey.generate(), TAGS["bob"], redrawable("other"))

    outputs = meet(pair.alice, other)

    (secured,) = [output for output in outputs if isinstance(output, Secured)]
    assert secured.replaced == recorded_key("bob").fingerprint
    assert not secured.refreshed


def test_exchange_replaces_no_key_when_it_is_the_same_or_the_first() -> None:
    pair = Pair()
    bob = pair.bob

    first = meet(pair.alice, bob)
    second = meet(pair.alice, bob)

    secured = [output for output in first + second if isinstance(output, Secured)]
    assert [each.replaced for each in secured] == [None, None]
    assert [each.refreshed for each in secured] == [False, True]


def meet(alice: Instances, other: Instances) -> list[object]:
    """Let `other` ask Alice; returns what Alice was told."""
    told: list[object] = []
    to_alice = injected(other.ask(0))
    while to_alice:
        outputs = alice.receive(to_alice.pop(0), 0)
        told += [output for output in outputs if not isinstance(output, Inject)]
        for text in injected(outputs):
            to_alice += injected(other.receive(text, 0))
    return told


def test_text_goes_to_the_named_key_only() -> None:
    """The best device is another person's, as one who has taken the account over."""
    alice = Instances(recorded_key("alice"), TAGS["alice"], redrawable("alice"))
    bob = Instances(recorded_key("bob"), 0x101, redrawable("bob"))
    mallory = Instances(recorded_key("alice"), 0x102, redrawable("mallory"))
    meet(alice, bob)
    meet(alice, mallory)
    bobs = recorded_key("bob").fingerprint

    (text,) = injected(alice.send("for bob", 0, fingerprint=bobs))

    assert bob.receive(text, 0) == [
        Received("for bob", recorded_key("alice").fingerprint)
    ]


def test_text_for_a_key_that_is_not_there_is_refused() -> None:
    pair = Pair()
    pair.agree()

    with pytest.raises(LocalError, match="of another key"):
        pair.alice.send("x", 0, fingerprint=b"x" * 20)
