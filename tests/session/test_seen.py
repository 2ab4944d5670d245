"""Who is told that we are there."""

from coykiosk.contract import Jid
from coykiosk.session.seen import Seen, TellPresence
from tests.session import chatting
from tests.session.chatting import KEYS, NOON, Pair, put_mallory_in_bobs_place

BOB = Jid("bob", "b.example")
PHONE = Jid("bob", "b.example", "phone")
DESK = Jid("bob", "b.example", "desk")
NOBODY: frozenset[Jid] = frozenset()


def test_device_is_told_once_that_we_are_there() -> None:
    seen = Seen()

    first = seen.show_to(BOB, frozenset({PHONE}))
    again = seen.show_to(BOB, frozenset({PHONE}))

    assert first == [TellPresence(PHONE, available=True)]
    assert again == []


def test_device_that_another_takes_the_place_of_is_told_that_we_are_gone() -> None:
    seen = Seen()
    seen.show_to(BOB, frozenset({PHONE}))

    told = seen.show_to(BOB, frozenset({DESK}))

    assert set(told) == {
        TellPresence(PHONE, available=False),
        TellPresence(DESK, available=True),
    }


def test_end_of_a_chat_is_told_to_all_its_devices_and_to_no_other() -> None:
    seen = Seen()
    seen.show_to(BOB, frozenset({PHONE, DESK}))
    seen.show_to(Jid("eve", "e.example"), frozenset({Jid("eve", "e.example", "x")}))

    told = seen.show_to(BOB, NOBODY)

    assert told == [
        TellPresence(DESK, available=False),
        TellPresence(PHONE, available=False),
    ]


def test_nobody_is_told_twice_that_we_are_gone() -> None:
    seen = Seen()
    seen.show_to(BOB, frozenset({PHONE}))

    seen.forget()

    assert seen.show_to(BOB, NOBODY) == []
    assert seen.show_to(BOB, frozenset({PHONE})) == [
        TellPresence(PHONE, available=True)
    ]


# --- which devices that are ------------------------------------------------------------


def test_contact_who_was_only_asked_does_not_see_us() -> None:
    pair = Pair()
    pair.alice.take(pair.alice.chat.open(pair.now, ask_at=pair.now))

    assert pair.alice.chat.devices == NOBODY


def test_device_sees_us_from_where_it_has_proved_its_key() -> None:
    pair = Pair()

    pair.secure()

    assert pair.alice.chat.devices == frozenset({chatting.BOB})


def test_device_with_a_key_in_doubt_does_not_see_us_before_it_is_accepted() -> None:
    pair = Pair(alice=(KEYS["bob"].fingerprint,))
    put_mallory_in_bobs_place(pair)
    pair.secure()
    before = pair.alice.chat.devices

    mallory = KEYS["mallory"].fingerprint
    pair.alice.take(pair.alice.chat.accept_new_key(mallory, pair.now))

    assert before == NOBODY
    assert pair.alice.chat.devices == frozenset({chatting.BOB})


def test_text_in_clear_from_another_address_shows_us_to_nobody_else() -> None:
    pair = Pair()
    pair.secure()

    pair.alice.take(
        pair.alice.chat.receive(Jid("bob", "b.example", "z"), "hi", pair.now, NOON)
    )

    assert pair.alice.chat.devices == frozenset({chatting.BOB})


def test_nobody_sees_us_once_either_end_has_ended_the_chat() -> None:
    pair = Pair()
    pair.secure()

    pair.bob.take(pair.bob.chat.end(pair.now))
    pair.carry()

    assert pair.bob.chat.devices == NOBODY
    assert pair.alice.chat.devices == NOBODY


def test_nobody_sees_us_without_a_connection() -> None:
    pair = Pair()
    pair.secure()

    pair.alice.take(pair.alice.chat.went_offline())

    assert pair.alice.chat.devices == NOBODY
