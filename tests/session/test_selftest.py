"""A message to ourselves: delivered, refused, or somebody else's business."""

import pytest

from coykiosk.contract import Jid
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    MessagesTaken,
    PresenceIn,
)
from coykiosk.session.selftest import SelfTest, Verdict
from tests.support.chance import seeded

ME = Jid("lufimo", "example.org", "desk")
EVE = Jid("eve", "example.com", "x")


def begun() -> tuple[SelfTest, str]:
    test = SelfTest(ME, seeded(1))
    return test, test.message().stanza_id


def came(sender: Jid, message_id: str) -> MessageIn:
    return MessageIn(
        sender=sender,
        body="?OTRv3?",
        message_id=message_id,
        delayed=False,
        is_copy=False,
    )


def test_message_goes_to_our_own_address_and_looks_like_any_other() -> None:
    message = SelfTest(ME, seeded(1)).message()

    assert message.to == ME.bare
    assert message.body == "?OTRv3?"
    assert len(message.stanza_id) == 32


@pytest.mark.parametrize("sender", [ME, ME.bare])
def test_message_that_comes_back_to_us_was_delivered(sender: Jid) -> None:
    test, message_id = begun()

    assert test.receive(came(sender, message_id)) is Verdict.DELIVERED


def test_error_says_that_our_server_does_not_deliver() -> None:
    test, message_id = begun()

    verdict = test.receive(MessageError(ME.bare, message_id, "policy-violation", "w"))

    assert verdict is Verdict.REFUSED
    assert test.condition == "policy-violation"


def test_nobody_else_can_speak_for_the_message() -> None:
    test, message_id = begun()
    others: list[Inbound] = [
        came(EVE, message_id),
        came(ME, "0" * 32),
        MessageError(EVE, message_id, "policy-violation", ""),
        MessageError(ME, "0" * 32, "policy-violation", ""),
        MessagesTaken((message_id,)),
        PresenceIn(ME, available=True),
    ]

    assert [test.receive(each) for each in others] == [None] * len(others)
