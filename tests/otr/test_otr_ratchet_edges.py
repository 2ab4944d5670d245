"""The ratchet by itself: what it seals, which next keys it takes, why it refuses."""

import dataclasses

import pytest

from coykiosk.otr import RemoteError
from coykiosk.otr.messages import DataMessage, decode
from coykiosk.otr.ratchet import Ratchet
from tests.otr.wiring import TAGS, Pair, injected, message_of, ratchet_of

MAX_TURNS_WITHOUT_OURS = 3
MAX_PAST = 8


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.agree()
    return pair


@pytest.fixture
def alice(pair: Pair) -> Ratchet:
    return ratchet_of(pair.alice, TAGS["bob"])


@pytest.fixture
def bob(pair: Pair) -> Ratchet:
    return ratchet_of(pair.bob, TAGS["alice"])


def sealed(ratchet: Ratchet) -> DataMessage:
    return ratchet.seal(b"hi", flags=1, sender_tag=0x101, receiver_tag=0x102)


def turn_alone(sender: Ratchet, receiver: Ratchet) -> None:
    """Announce and use a new key without having seen a new one of the receiver."""
    receiver.open(sealed(sender))
    sender._rotate_ours()


def test_sealed_message_has_the_fields_that_go_over_the_wire(alice: Ratchet) -> None:
    message = sealed(alice)

    assert decode(message.encode()) == message


def test_forged_message_is_refused_for_its_mac(pair: Pair, alice: Ratchet) -> None:
    (text,) = injected(pair.bob.send("hi", 0))
    message = message_of(text)
    assert isinstance(message, DataMessage)
    forged = dataclasses.replace(message, mac=bytes(20))

    with pytest.raises(RemoteError, match="mac does not match"):
        alice.open(forged)


@pytest.mark.parametrize("n_turns", [1, 2, 3], ids=["1 ago", "2 ago", "3 ago"])
def test_next_key_is_refused_when_it_was_one_before(
    alice: Ratchet, bob: Ratchet, n_turns: int
) -> None:
    old = bob._our_current.copy()
    for _ in range(n_turns):
        alice.open(sealed(bob))
        bob.open(sealed(alice))
    bob._our_current = old

    with pytest.raises(RemoteError, match="no new key"):
        alice.open(sealed(bob))


def test_key_may_turn_three_times_alone_and_not_a_fourth(
    alice: Ratchet, bob: Ratchet
) -> None:
    for _ in range(MAX_TURNS_WITHOUT_OURS):
        turn_alone(bob, alice)

    with pytest.raises(RemoteError, match="no new key"):
        turn_alone(bob, alice)


def test_key_may_turn_three_times_alone_after_each_turn_of_ours(
    alice: Ratchet, bob: Ratchet
) -> None:
    bob.open(sealed(alice))
    turn_alone(bob, alice)  # the first of three: ours turns with it
    for _ in range(MAX_TURNS_WITHOUT_OURS - 1):
        turn_alone(bob, alice)

    with pytest.raises(RemoteError, match="no new key"):
        turn_alone(bob, alice)


def test_only_the_newest_of_their_past_keys_are_remembered(
    alice: Ratchet, bob: Ratchet
) -> None:
    for _ in range(20):
        alice.open(sealed(bob))
        bob.open(sealed(alice))

    assert len(alice._their_past) == MAX_PAST


def test_key_may_turn_again_with_a_message_for_our_newest_key(
    alice: Ratchet, bob: Ratchet
) -> None:
    for _ in range(MAX_TURNS_WITHOUT_OURS):
        turn_alone(bob, alice)
    bob.open(sealed(alice))
    before = alice._their_keyid

    opened = alice.open(sealed(bob))

    assert opened.plaintext == b"hi"
    assert alice._their_keyid == before + 1
