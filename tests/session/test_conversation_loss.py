"""What a person is told of texts that were lost, or may have been; and of no others."""

import pytest

from coykiosk import otr
from coykiosk.contract import ChatPhase, Jid, MessageState
from coykiosk.otr.engine import KEY_CHANGE_S
from coykiosk.session.asking import ASK_AGAIN_AFTER_S
from coykiosk.session.conversation import Conversation, SendOtr
from coykiosk.session.outbox import MAX_REMEMBERED
from tests.otr.wiring import injected
from tests.session.chatting import (
    ALICE,
    BOB,
    KEYS,
    NOON,
    PHONE,
    Pair,
    put_mallory_in_bobs_place,
    restart_bob,
    with_phone,
)
from tests.support.chance import seeded

SENDING, SENT = MessageState.SENDING, MessageState.SENT
FAILED = MessageState.FAILED
UNCERTAIN, WAITING = MessageState.UNCERTAIN, MessageState.WAITING
QUERY = "?OTRv3?"


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.secure()
    pair.now += ASK_AGAIN_AFTER_S + 1
    return pair


def ask(pair: Pair) -> None:
    """Bob, or anybody on the way, asks Alice for OTR in the running session."""
    pair.alice.take(pair.alice.chat.receive(BOB, QUERY, pair.now, NOON))


# --- the contact's program was restarted -------------------------------------------


@pytest.mark.parametrize("is_delivered", [True, False], ids=["unreadable", "lost"])
def test_text_that_a_restarted_contact_cannot_read_is_uncertain(
    pair: Pair, *, is_delivered: bool
) -> None:
    pair.say(pair.alice, "moved to five")
    restart_bob(pair)
    if is_delivered:
        pair.step(pair.alice)
    pair.alice.wire.clear()

    pair.bob.take(pair.bob.chat.open(pair.now, ask_at=pair.now))
    pair.carry()
    pair.say(pair.alice, "are you back?")
    pair.carry()

    assert pair.alice.fates == {
        "moved to five": [SENDING, SENT, UNCERTAIN],
        "are you back?": [SENDING, SENT],
    }
    assert pair.bob.read == ["are you back?"]


def test_text_is_uncertain_when_an_error_line_led_to_new_keys(pair: Pair) -> None:
    restart_bob(pair)
    pair.say(pair.alice, "lost")
    pair.alice.wire.clear()

    line = "?OTR Error: not in private"
    pair.alice.take(pair.alice.chat.receive(BOB, line, pair.now, NOON))
    pair.carry()

    assert pair.alice.fates == {"lost": [SENDING, SENT, UNCERTAIN]}


def test_text_that_was_answered_is_certain_when_keys_are_renewed(pair: Pair) -> None:
    pair.say(pair.alice, "read")
    pair.carry()
    pair.say(pair.bob, "yes")
    pair.carry()

    ask(pair)
    pair.carry()

    assert pair.alice.fates == {"read": [SENDING, SENT]}


def test_text_that_was_answered_by_a_goodbye_is_certain(pair: Pair) -> None:
    pair.say(pair.alice, "see you")
    pair.carry()
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()

    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.carry()

    assert pair.alice.fates == {"see you": [SENDING, SENT]}


def test_text_that_came_back_stays_failed_when_keys_are_renewed(pair: Pair) -> None:
    pair.say(pair.alice, "back")
    stanza_id = pair.alice.wire.popleft().stanza_id
    pair.alice.take(pair.alice.chat.bounced(stanza_id, "gone", pair.now))

    ask(pair)
    pair.carry()

    assert pair.alice.fates == {"back": [SENDING, SENT, FAILED]}


def test_unanswered_texts_are_remembered_up_to_a_bound(pair: Pair) -> None:
    for number in range(MAX_REMEMBERED + 1):
        pair.say(pair.alice, str(number))
    pair.carry()

    ask(pair)
    pair.carry()

    uncertain = [text for text, fate in pair.alice.fates.items() if UNCERTAIN in fate]
    assert uncertain == [str(number) for number in range(1, MAX_REMEMBERED + 1)]


# --- keys are renewed while people type --------------------------------------------


def test_text_waits_while_the_contact_may_have_changed_keys(pair: Pair) -> None:
    """After our Reveal Signature, until their Signature, they have other keys."""
    ask(pair)
    pair.step(pair.alice)  # commit
    pair.step(pair.bob)  # key
    pair.say(pair.alice, "typed meanwhile")
    before = dict(pair.alice.fates)

    pair.carry()

    assert before == {"typed meanwhile": []}
    assert pair.alice.fates == {"typed meanwhile": [SENDING, SENT]}
    assert pair.bob.read == ["typed meanwhile"]


def test_text_does_not_wait_for_ever_when_nobody_answers(pair: Pair) -> None:
    ask(pair)
    pair.step(pair.alice)
    pair.step(pair.bob)
    pair.alice.wire.clear()  # the Reveal Signature never arrives
    begun = pair.now
    pair.say(pair.alice, "typed meanwhile")
    due = pair.alice.chat.deadline()

    pair.now = begun + KEY_CHANGE_S
    pair.alice.take(pair.alice.chat.tick(pair.now))
    pair.carry()

    assert due == begun + KEY_CHANGE_S
    assert pair.bob.read == ["typed meanwhile"]


def test_texts_that_cross_new_keys_arrive_at_both_ends(pair: Pair) -> None:
    ask(pair)
    pair.step(pair.alice)
    pair.step(pair.bob)
    pair.step(pair.alice)  # Bob has the new keys, Alice not yet
    pair.say(pair.alice, "hello bob")
    pair.say(pair.bob, "hello alice")

    pair.carry()

    assert pair.bob.read == ["hello bob"]
    assert pair.alice.read == ["hello alice"]


def test_second_question_does_not_undo_an_exchange_that_is_nearly_done() -> None:
    """Bob is done and writes while Alice still waits for his last message."""
    pair = Pair()
    ask(pair)
    for sender in (pair.alice, pair.bob, pair.alice):
        pair.step(sender)
    pair.say(pair.bob, "first words")

    ask(pair)
    pair.carry()

    assert pair.alice.read == ["first words"]
    assert pair.alice.phase is pair.bob.phase is ChatPhase.ENCRYPTED


# --- what somebody on the way can make of it ---------------------------------------


@pytest.mark.hostile("G19")
def test_message_delivered_twice_leaves_everything_as_it_was(pair: Pair) -> None:
    pair.say(pair.bob, "hi")
    twice = pair.bob.wire[0].body
    pair.carry()
    pair.say(pair.alice, "read by bob")
    pair.carry()

    pair.alice.take(pair.alice.chat.receive(BOB, twice, pair.now, NOON))

    assert not pair.alice.wire
    assert pair.alice.fates == {"read by bob": [SENDING, SENT]}
    assert pair.alice.read == ["hi"]


class Stranger:
    """Somebody with a key and a tag of her own, at Bob's address."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._otr = otr.Instances(KEYS["mallory"], 0x999, seeded(9))

    def gives(self, outputs: list[otr.Output]) -> None:
        """Send these, and go on until nobody has anything to say."""
        chat, now = self._pair.alice.chat, self._pair.now
        texts = injected(outputs)
        while texts:
            effects = chat.receive(BOB, texts.pop(0), now, NOON)
            self._pair.alice.take(effects)
            for effect in effects:
                if isinstance(effect, SendOtr):
                    texts += injected(self._otr.receive(effect.body, now))
        self._pair.alice.wire.clear()

    def agrees(self) -> None:
        self.gives(self._otr.receive(QUERY, self._pair.now))

    def leaves(self) -> None:
        self.gives(self._otr.end(self._pair.now))

    def says(self, text: str) -> None:
        self.gives(self._otr.send(text, self._pair.now))


@pytest.mark.hostile("G29")
def test_stranger_makes_no_text_look_lost(pair: Pair) -> None:
    pair.say(pair.alice, "read by bob")
    pair.carry()

    pair.alice.take(pair.alice.chat.receive(BOB, "?OTR Error: x", pair.now, NOON))
    Stranger(pair).agrees()

    assert pair.alice.fates == {"read by bob": [SENDING, SENT]}


@pytest.mark.hostile("G29")
def test_stranger_makes_no_text_look_read(pair: Pair) -> None:
    stranger = Stranger(pair)
    stranger.agrees()
    pair.say(pair.alice, "lost on the way")
    pair.alice.wire.clear()

    stranger.says("hi")
    ask(pair)
    pair.carry()

    assert pair.alice.fates == {"lost on the way": [SENDING, SENT, UNCERTAIN]}


@pytest.mark.hostile("G28")
def test_text_typed_after_a_key_was_accepted_goes_to_no_older_one(pair: Pair) -> None:
    """The first key's device was stolen, say: the person has accepted the second."""
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    put_mallory_in_bobs_place(pair)
    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.carry()
    accepted = KEYS["mallory"].fingerprint
    pair.alice.take(pair.alice.chat.accept_new_key(accepted, pair.now))
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()
    pair.say(pair.alice, "for the key that I have accepted")

    restart_bob(pair)
    pair.alice.take(pair.alice.chat.restart(pair.now))
    pair.carry()

    assert pair.bob.read == []
    assert pair.alice.fates == {"for the key that I have accepted": [FAILED]}


@pytest.mark.hostile("G28")
def test_text_is_for_the_key_that_was_last_shown() -> None:
    """Two known keys on two devices: what was heard last is what is shown."""
    pair = Pair(alice=(KEYS["bob"].fingerprint, KEYS["mallory"].fingerprint))
    pair.secure()
    stranger = Stranger(pair)
    pair.now += 1
    stranger.agrees()
    pair.now += 1
    pair.say(pair.bob, "me again")
    pair.carry()
    stranger.leaves()
    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()

    pair.say(pair.alice, "for bob")
    stranger.agrees()

    assert pair.alice.fates == {"for bob": [FAILED]}


# --- several devices ----------------------------------------------------------------


@pytest.mark.hostile("G39")
def test_question_of_one_device_leaves_the_exchange_of_another_alone() -> None:
    pair = Pair()
    ask(pair)
    for sender in (pair.alice, pair.bob, pair.alice):
        pair.step(sender)
    last = pair.bob.wire.popleft()

    pair.alice.take(pair.alice.chat.receive(PHONE, QUERY, pair.now, NOON))
    pair.alice.wire.clear()
    pair.alice.take(pair.alice.chat.receive(BOB, last.body, pair.now, NOON))
    pair.say(pair.bob, "from the first device")
    pair.carry()

    assert pair.alice.read == ["from the first device"]


@pytest.mark.hostile("G39")
def test_goodbye_for_want_of_room_goes_to_the_device_it_is_for() -> None:
    draw = seeded(1)
    instances = otr.Instances(KEYS["alice"], 0x101, draw)
    chat = Conversation(
        BOB.bare,
        account=ALICE.bare,
        instances=instances,
        known_keys=(),
        random_bytes=draw,
    )
    chat.went_online(0, ask_at=float("inf"))
    devices = {}
    for number in range(9):
        jid = Jid("bob", "b.example", f"device{number}")
        device = otr.Instances(KEYS["bob"], 0x200 + number, seeded(100 + number))
        devices[jid] = device
        waiting = [(jid, text) for text in injected(device.receive(QUERY, number))]
        while waiting:
            sender, text = waiting.pop(0)
            for effect in chat.receive(sender, text, float(number), NOON):
                if isinstance(effect, SendOtr):
                    to = effect.to
                    outputs = devices[to].receive(effect.body, float(number))
                    waiting += [(to, answer) for answer in injected(outputs)]

    states = [device.message_state for device in devices.values()]

    encrypted = otr.MessageState.ENCRYPTED
    assert states == [otr.MessageState.FINISHED, *[encrypted] * 8]


@pytest.mark.hostile("G39")
def test_device_that_comes_to_the_address_of_another_is_answered_there(
    pair: Pair,
) -> None:
    with_phone(pair)
    pair.bob = with_phone(pair)

    pair.say(pair.alice, "hello")

    assert [sent.to for sent in pair.alice.wire] == [PHONE]
    assert pair.alice.jid == ALICE
