"""A text counts as sent when the server has it, and not when it was written."""

import pytest

from coykiosk.contract import (
    ChatPhase,
    MessageState,
    MessageStateChanged,
    Protection,
)
from tests.session.chatting import BOB, NOON, Pair

SENDING, SENT = MessageState.SENDING, MessageState.SENT
FAILED, UNCERTAIN = MessageState.FAILED, MessageState.UNCERTAIN


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.secure()
    pair.alice.is_taken_at_once = False
    return pair


def say(pair: Pair, text: str) -> str:
    """Let Alice say something; returns the id of its stanza."""
    pair.say(pair.alice, text)
    return pair.alice.wire[-1].stanza_id


def test_text_is_sent_when_the_server_has_it(pair: Pair) -> None:
    stanza_id = say(pair, "hello")
    before = pair.alice.fates
    pair.alice.take(pair.alice.chat.taken(("of another chat",)))
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    assert before == {"hello": [SENDING]}
    assert pair.alice.fates == {"hello": [SENDING, SENT]}


def test_text_of_which_nothing_is_left_to_be_sent_does_not_hang(pair: Pair) -> None:
    pair.say(pair.alice, "\0")

    assert pair.alice.fates == {"\0": [SENT]}


def test_text_stays_uncertain_when_the_server_has_what_nobody_can_read(
    pair: Pair,
) -> None:
    """The contact renewed the keys; then comes the server's word on the text before."""
    stanza_id = say(pair, "who knows")
    pair.alice.wire.clear()
    pair.alice.take(pair.alice.chat.receive(BOB, "?OTRv3?", pair.now, NOON))
    pair.carry()

    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    assert pair.alice.fates == {"who knows": [SENDING, UNCERTAIN]}


def test_text_that_crossed_a_text_of_theirs_was_not_answered_by_it(
    pair: Pair,
) -> None:
    """The server has it later than they wrote; then they begin a new session."""
    stanza_id = say(pair, "lost")
    pair.alice.wire.clear()
    pair.say(pair.bob, "written before that")
    pair.carry()
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    pair.alice.take(pair.alice.chat.receive(BOB, "?OTRv3?", pair.now, NOON))
    pair.carry()

    assert pair.bob.read == []
    assert pair.alice.fates == {"lost": [SENDING, SENT, UNCERTAIN]}


def test_text_may_not_have_arrived_when_the_connection_broke_before(
    pair: Pair,
) -> None:
    stanza_id = say(pair, "taken")
    say(pair, "who knows")
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    pair.alice.take(pair.alice.chat.went_offline())
    pair.alice.take(pair.alice.chat.went_offline())

    assert pair.alice.fates == {
        "taken": [SENDING, SENT],
        "who knows": [SENDING, UNCERTAIN],
    }


def test_text_is_told_to_be_uncertain_once(pair: Pair) -> None:
    """The connection broke, and then the contact came with new keys."""
    say(pair, "who knows")
    pair.alice.wire.clear()
    pair.alice.take(pair.alice.chat.went_offline())
    pair.alice.take(pair.alice.chat.went_online(pair.now, ask_at=float("inf")))

    pair.alice.take(pair.alice.chat.receive(BOB, "?OTRv3?", pair.now, NOON))
    pair.carry()

    assert pair.alice.fates == {"who knows": [SENDING, UNCERTAIN]}


def test_text_that_came_back_is_never_sent(pair: Pair) -> None:
    stanza_id = say(pair, "back")
    pair.alice.take(pair.alice.chat.bounced(stanza_id, "gone", pair.now))
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))
    pair.alice.take(pair.alice.chat.went_offline())

    assert pair.alice.fates == {"back": [SENDING, FAILED]}


def test_text_keeps_the_protection_that_it_went_out_under(pair: Pair) -> None:
    stanza_id = say(pair, "hello")
    pair.alice.take(pair.alice.chat.receive(BOB, "in clear", pair.now, NOON))

    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    assert pair.alice.chat.protection is Protection.STOP
    changed = pair.alice.of(MessageStateChanged)[-1]
    assert (changed.state, changed.protection) == (SENT, Protection.PRIVATE)


# --- the session goes on over another connection ---------------------------------------


def test_text_stays_under_way_while_the_session_may_go_on(pair: Pair) -> None:
    stanza_id = say(pair, "hello")

    pair.alice.take(pair.alice.chat.suspended())
    before = pair.alice.fates
    pair.alice.take(pair.alice.chat.taken((stanza_id,)))

    assert before == {"hello": [SENDING]}
    assert pair.alice.fates == {"hello": [SENDING, SENT]}
    assert pair.alice.phase is ChatPhase.OFFLINE


def test_text_is_uncertain_when_the_session_does_not_go_on_after_all(
    pair: Pair,
) -> None:
    say(pair, "who knows")

    pair.alice.take(pair.alice.chat.suspended())
    pair.alice.take(pair.alice.chat.went_offline())

    assert pair.alice.fates == {"who knows": [SENDING, UNCERTAIN]}


def test_chat_goes_on_where_it_stood_and_asks_nothing(pair: Pair) -> None:
    n_seen = len(pair.seen)
    pair.alice.take(pair.alice.chat.suspended())
    pair.say(pair.alice, "from the tunnel")
    waiting = pair.alice.fates
    pair.alice.take(pair.alice.chat.resumed(pair.now + 300))
    pair.carry()

    assert waiting == {"from the tunnel": []}
    assert pair.alice.fates == {"from the tunnel": [SENDING]}
    assert pair.bob.read == ["from the tunnel"]
    assert pair.alice.phase is ChatPhase.ENCRYPTED
    assert not any(text.startswith("?OTRv") for text in pair.seen[n_seen:])


def test_question_that_was_due_meanwhile_is_asked_when_the_session_goes_on() -> None:
    pair = Pair()
    pair.alice.take(pair.alice.chat.suspended())
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))
    asked_too_early = list(pair.alice.wire)

    pair.alice.take(pair.alice.chat.resumed(pair.now))
    pair.carry()

    assert asked_too_early == []
    assert pair.alice.phase is ChatPhase.ENCRYPTED
