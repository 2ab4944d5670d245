"""Chats in pairs: two conversations, with the test as the network between them."""

import pytest

from coykiosk import otr
from coykiosk.contract import (
    ChatChanged,
    ChatPhase,
    Failed,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    Protection,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.asking import ASK_AGAIN_AFTER_S, AWAY_CAP_S, AWAY_FIRST_S
from coykiosk.session.outbox import MESSAGE_LIMIT_CHARS
from tests.session.chatting import (
    ALICE,
    BOB,
    KEYS,
    NOON,
    PHONE,
    End,
    Pair,
    put_mallory_in_bobs_place,
    with_phone,
)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_opening_leads_to_an_encrypted_chat_at_both_ends(pair: Pair) -> None:
    pair.secure()

    assert pair.alice.phase is pair.bob.phase is ChatPhase.ENCRYPTED
    assert pair.alice.chat.protection is Protection.PRIVATE
    assert pair.alice.met == [KEYS["bob"].fingerprint]


def test_text_typed_before_otr_waits_and_is_sent_when_it_is_up(pair: Pair) -> None:
    pair.say(pair.alice, "meet me at noon")
    waiting = [event.state for event in pair.alice.of(MessageAccepted)]
    pair.secure()

    assert waiting == [MessageState.WAITING]
    changed = pair.alice.of(MessageStateChanged)
    assert [event.state for event in changed] == [
        MessageState.SENDING,
        MessageState.SENT,
    ]
    received = pair.bob.of(MessageReceived)
    assert [event.text for event in received] == ["meet me at noon"]


@pytest.mark.hostile("G27")
def test_nothing_typed_ever_crosses_in_clear(pair: Pair) -> None:
    words = "the parcel is under the bridge"
    pair.say(pair.alice, words)
    pair.carry()
    pair.secure()
    pair.say(pair.alice, words)
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    pair.say(pair.alice, words)
    pair.carry()

    assert [body for body in pair.seen if words in body] == []
    assert [body for body in pair.seen if not body.startswith("?OTR")] == []


def test_order_is_kept_when_several_texts_wait(pair: Pair) -> None:
    for number in range(5):
        pair.say(pair.alice, str(number))
    pair.secure()

    received = pair.bob.of(MessageReceived)
    assert [event.text for event in received] == list("01234")


@pytest.mark.hostile("G27")
def test_text_waits_when_the_contact_has_ended_otr(pair: Pair) -> None:
    pair.secure()
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    pair.say(pair.alice, "still there?")
    sent_before = len(pair.seen)
    pair.carry()

    assert pair.alice.phase is ChatPhase.ENDED_BY_CONTACT
    assert pair.alice.chat.protection is Protection.STOP
    assert len(pair.seen) == sent_before
    assert pair.alice.of(MessageStateChanged) == []


def test_restart_sends_what_waited_after_the_contact_ended_otr(pair: Pair) -> None:
    pair.secure()
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    pair.say(pair.alice, "still there?")

    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.carry()

    received = pair.bob.of(MessageReceived)
    assert [event.text for event in received] == ["still there?"]


@pytest.mark.hostile("G15", "G28", "G38")
def test_new_key_holds_back_what_waits_until_it_is_accepted() -> None:
    pair = Pair(alice=(KEYS["mallory"].fingerprint,))
    pair.say(pair.alice, "for bob only")
    pair.secure()
    held = list(pair.bob.of(MessageReceived))
    shown = pair.alice.of(ChatChanged)[-1]

    pair.alice.take(pair.alice.chat.accept_new_key(KEYS["bob"].fingerprint, pair.now))
    pair.carry()

    assert held == []
    assert (shown.key_is_new, shown.protection) == (True, Protection.STOP)
    assert len(pair.bob.of(MessageReceived)) == 1
    assert pair.alice.met == [KEYS["bob"].fingerprint]
    assert pair.alice.chat.protection is Protection.PRIVATE


@pytest.mark.hostile("G28")
def test_text_typed_to_one_key_is_not_sent_to_another_known_one() -> None:
    both = (KEYS["bob"].fingerprint, KEYS["mallory"].fingerprint)
    pair = Pair(alice=both)
    pair.secure()
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    pair.say(pair.alice, "for bob alone")
    put_mallory_in_bobs_place(pair)

    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.carry()
    pair.say(pair.alice, "and who are you?")
    pair.carry()

    states = [event.state for event in pair.alice.of(MessageStateChanged)]
    assert states == [MessageState.FAILED, MessageState.SENDING, MessageState.SENT]
    read = [event.text for event in pair.bob.of(MessageReceived)]
    assert read == ["and who are you?"]


@pytest.mark.hostile("G15")
def test_known_key_is_an_alarm_when_it_takes_the_place_of_another_in_a_chat() -> None:
    both = (KEYS["bob"].fingerprint, KEYS["mallory"].fingerprint)
    pair = Pair(alice=both)
    pair.secure()
    put_mallory_in_bobs_place(pair)

    pair.bob.take(pair.bob.chat.open(pair.now, ask_at=pair.now))
    pair.carry()
    pair.say(pair.alice, "still bob?")
    pair.carry()

    assert pair.alice.chat.protection is Protection.STOP
    assert pair.alice.of(ChatChanged)[-1].key_is_new
    assert pair.bob.of(MessageReceived) == []


def test_comparison_that_nobody_can_answer_is_left_at_once(pair: Pair) -> None:
    pair.secure()
    bob = pair.bob.chat._instances
    (asked,) = bob.smp_start("the name of the cat", pair.now)
    assert isinstance(asked, otr.Inject)

    pair.alice.take(pair.alice.chat.receive(BOB, asked.text, pair.now, NOON))

    (answer,) = pair.alice.wire
    (ended,) = bob.receive(answer.body, pair.now)
    assert isinstance(ended, otr.SmpEnded)
    assert ended.outcome is otr.SmpOutcome.ABORTED


@pytest.mark.hostile("G15")
def test_text_under_a_new_key_is_marked_stop() -> None:
    pair = Pair(alice=(KEYS["mallory"].fingerprint,))
    pair.secure()
    pair.say(pair.bob, "it is me")
    pair.carry()

    received = pair.alice.of(MessageReceived)[-1]
    assert received.protection is Protection.STOP


@pytest.mark.hostile("G25")
def test_plain_text_in_an_encrypted_chat_is_marked_stop(pair: Pair) -> None:
    pair.secure()

    pair.alice.take(pair.alice.chat.receive(BOB, "psst", pair.now, NOON))

    received = pair.alice.of(MessageReceived)[-1]
    assert received.protection is Protection.STOP
    assert pair.alice.chat.protection is Protection.STOP


def test_plain_text_before_otr_is_marked_open(pair: Pair) -> None:
    pair.alice.take(pair.alice.chat.receive(BOB, "hi", pair.now, NOON))

    received = pair.alice.of(MessageReceived)[-1]
    assert received.protection is Protection.OPEN


@pytest.mark.hostile("G27")
def test_text_waits_while_offline_and_goes_out_later(pair: Pair) -> None:
    pair.secure()
    pair.alice.take(pair.alice.chat.went_offline())
    pair.say(pair.alice, "hello again")
    offline_phase = pair.alice.phase
    assert not pair.alice.wire

    pair.alice.take(pair.alice.chat.went_online(pair.now, ask_at=pair.now))
    pair.carry()

    assert offline_phase is ChatPhase.OFFLINE
    assert len(pair.bob.of(MessageReceived)) == 1


def test_question_waits_for_its_time(pair: Pair) -> None:
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now + 5))
    asked_early = bool(pair.alice.wire)
    due = pair.alice.chat.deadline()

    pair.alice.take(pair.alice.chat.tick(pair.now + 5))

    assert not asked_early
    assert due == pair.now + 5
    assert [sent.body for sent in pair.alice.wire] == ["?OTRv3?"]


def test_opening_a_chat_asks_once_although_it_has_just_gone_online() -> None:
    pair = Pair()
    fresh = End(ALICE, BOB, KEYS["alice"], 9)

    fresh.take(fresh.chat.went_online(pair.now, ask_at=pair.now))
    fresh.take(fresh.chat.open(pair.now, ask_at=pair.now))

    assert [sent.body for sent in fresh.wire] == ["?OTRv3?"]


@pytest.mark.hostile("G28")
def test_unanswered_question_is_repeated_with_a_later_text_only(pair: Pair) -> None:
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))
    pair.alice.wire.clear()
    pair.say(pair.alice, "a")
    asked_at_once = bool(pair.alice.wire)

    pair.now += ASK_AGAIN_AFTER_S + 1
    pair.say(pair.alice, "b")

    assert not asked_at_once
    assert [sent.body for sent in pair.alice.wire] == ["?OTRv3?"]


def test_bounced_text_is_shown_as_failed(pair: Pair) -> None:
    pair.secure()
    pair.say(pair.alice, "lost")
    stanza_id = pair.alice.wire[-1].stanza_id

    pair.alice.take(pair.alice.chat.bounced(stanza_id, "service-unavailable", 0))

    changed = pair.alice.of(MessageStateChanged)[-1]
    assert changed.state is MessageState.FAILED
    failed = pair.alice.of(Failed)[-1]
    assert failed.error.code is ErrorCode.MESSAGE_BOUNCED


def test_contact_who_is_not_there_is_shown_as_away_without_alarm(pair: Pair) -> None:
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))
    question = pair.alice.wire.popleft()

    pair.alice.take(
        pair.alice.chat.bounced(question.stanza_id, "service-unavailable", pair.now)
    )

    assert pair.alice.phase is ChatPhase.AWAY
    assert pair.alice.of(Failed) == []


def test_away_contact_is_asked_again_with_growing_pauses(pair: Pair) -> None:
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))

    pauses = []
    for _ in range(8):
        question = pair.alice.wire.popleft()
        pair.alice.take(
            pair.alice.chat.bounced(question.stanza_id, "service-unavailable", pair.now)
        )
        due = pair.alice.chat.deadline()
        assert due is not None
        pauses.append(due - pair.now)
        pair.now = due
        pair.alice.take(pair.alice.chat.tick(pair.now))

    assert pauses[0] <= AWAY_FIRST_S * 1.5
    assert max(pauses) <= AWAY_CAP_S * 1.5
    assert pauses[-1] > AWAY_CAP_S * 0.5


def test_away_contact_who_comes_back_is_encrypted_with(pair: Pair) -> None:
    pair.say(pair.alice, "are you there?")
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))
    question = pair.alice.wire.popleft()
    pair.alice.take(
        pair.alice.chat.bounced(question.stanza_id, "service-unavailable", pair.now)
    )
    due = pair.alice.chat.deadline()
    assert due is not None

    pair.alice.take(pair.alice.chat.tick(due))
    pair.carry()

    assert pair.alice.phase is ChatPhase.ENCRYPTED
    assert [event.text for event in pair.bob.of(MessageReceived)] == ["are you there?"]


def test_too_long_a_text_is_refused_and_nothing_taken(pair: Pair) -> None:
    pair.secure()

    with pytest.raises(UserError) as caught:
        pair.say(pair.alice, "x" * (MESSAGE_LIMIT_CHARS + 1))

    assert caught.value.code is ErrorCode.MESSAGE_TOO_LONG
    assert not pair.alice.wire
    assert pair.alice.of(MessageAccepted) == []


def test_lost_session_is_offered_anew_when_the_contact_speaks(pair: Pair) -> None:
    pair.secure()
    pair.say(pair.alice, "do you read me")
    fresh = End(BOB, ALICE, KEYS["bob"], 3, (KEYS["alice"].fingerprint,))
    fresh.take(fresh.chat.went_online(pair.now, ask_at=pair.now))
    fresh.wire.clear()
    pair.bob = fresh
    pair.now += ASK_AGAIN_AFTER_S + 1

    pair.carry()

    assert pair.bob.phase is ChatPhase.ENCRYPTED
    assert pair.alice.phase is ChatPhase.ENCRYPTED


@pytest.mark.hostile("G17")
@pytest.mark.parametrize(
    "offer", ["?OTRv2?", "?OTR?", "?OTRv12?"], ids=["v2", "v1", "v1 and v2"]
)
def test_old_offer_is_told_and_not_answered(pair: Pair, offer: str) -> None:
    pair.alice.take(pair.alice.chat.receive(BOB, offer, pair.now, NOON))

    failed = pair.alice.of(Failed)[-1]
    assert failed.error.code is ErrorCode.OTR_TOO_OLD
    assert not pair.alice.wire


def test_old_offer_is_told_once_until_the_person_asks_again(pair: Pair) -> None:
    for _ in range(3):
        pair.alice.take(pair.alice.chat.receive(BOB, "?OTRv2?", pair.now, NOON))
    n_told_before = len(pair.alice.of(Failed))

    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.alice.take(pair.alice.chat.receive(BOB, "?OTRv2?", pair.now, NOON))

    assert n_told_before == 1
    assert len(pair.alice.of(Failed)) == 2


@pytest.mark.hostile("G38")
def test_key_that_changed_meanwhile_is_not_accepted() -> None:
    """The person accepts the key that they were shown, and no other."""
    pair = Pair(alice=(KEYS["mallory"].fingerprint,))
    pair.say(pair.alice, "for bob only")
    pair.secure()

    pair.alice.take(pair.alice.chat.accept_new_key(bytes(20), pair.now))
    pair.carry()

    assert pair.bob.of(MessageReceived) == []
    assert pair.alice.met == []


@pytest.mark.hostile("G29")
def test_forged_error_lines_cost_one_question_and_no_text(pair: Pair) -> None:
    pair.secure()
    pair.now += ASK_AGAIN_AFTER_S + 1

    for _ in range(50):
        error = "?OTR Error: forged"
        pair.alice.take(pair.alice.chat.receive(BOB, error, pair.now, NOON))

    assert [sent.body for sent in pair.alice.wire] == ["?OTRv3?"]
    assert pair.alice.phase is ChatPhase.ENCRYPTED


@pytest.mark.hostile("G39")
def test_text_goes_to_the_device_it_is_encrypted_for(pair: Pair) -> None:
    """The phone ends OTR; what is encrypted for the other device goes there."""
    pair.secure()
    pair.now += 1
    phone = with_phone(pair)
    phone.take(phone.chat.end(pair.now))
    for sent in list(phone.wire):
        pair.alice.take(pair.alice.chat.receive(PHONE, sent.body, pair.now, NOON))

    pair.say(pair.alice, "hello")

    assert [sent.to for sent in pair.alice.wire] == [BOB]
    assert phone.phase is not ChatPhase.ENCRYPTED


@pytest.mark.hostile("G39")
def test_goodbye_goes_to_every_device(pair: Pair) -> None:
    pair.secure()
    pair.now += 1
    with_phone(pair)

    pair.alice.take(pair.alice.chat.end(pair.now))

    assert {sent.to for sent in pair.alice.wire} == {BOB, PHONE}


def test_exchange_that_came_to_nothing_is_begun_again(pair: Pair) -> None:
    """Bob's program vanishes after its first message of the exchange."""
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))
    pair.bob.take(
        pair.bob.chat.receive(ALICE, pair.alice.wire.popleft().body, pair.now, NOON)
    )
    commit = pair.bob.wire.popleft()
    pair.alice.take(pair.alice.chat.receive(BOB, commit.body, pair.now, NOON))
    agreeing = pair.alice.phase
    pair.alice.wire.clear()

    for _ in range(20):
        due = pair.alice.chat.deadline()
        if due is None:
            break
        pair.now = max(due, pair.now)
        pair.alice.take(pair.alice.chat.tick(pair.now))
        if pair.alice.phase is ChatPhase.ASKING and pair.alice.wire:
            break

    assert agreeing is ChatPhase.AGREEING
    assert pair.alice.wire[-1].body == "?OTRv3?"


@pytest.mark.hostile("G40")
def test_no_repr_shows_what_was_typed(pair: Pair) -> None:
    pair.say(pair.alice, "my secret words")

    assert "my secret words" not in repr(pair.alice.chat._outbox._waiting)
