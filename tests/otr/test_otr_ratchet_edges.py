"""The ratchet by itself: what it seals, and why it refuses."""

import dataclasses

import pytest

from coykiosk.otr import RemoteError
from coykiosk.otr.messages import DataMessage, decode
from tests.otr.wiring import TAGS, Pair, injected, message_of, ratchet_of


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.agree()
    return pair


def test_sealed_message_has_the_fields_that_go_over_the_wire(pair: Pair) -> None:
    ratchet = ratchet_of(pair.alice, TAGS["bob"])

    message = ratchet.seal(b"hi", flags=1, sender_tag=0x101, receiver_tag=0x102)

    assert decode(message.encode()) == message


def test_forged_message_is_refused_for_its_mac(pair: Pair) -> None:
    (text,) = injected(pair.bob.send("hi", 0))
    message = message_of(text)
    assert isinstance(message, DataMessage)
    forged = dataclasses.replace(message, mac=bytes(20))

    with pytest.raises(RemoteError, match="mac does not match"):
        ratchet_of(pair.alice, TAGS["bob"]).open(forged)
