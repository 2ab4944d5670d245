"""Scenarios: texts through a session that is up, on a good wire and on bad ones."""

from typing import Final

from tests.otr.pairs.ends import Ends, texts_in_clear
from tests.otr.pairs.kinds import PeerKind
from tests.otr.pairs.plan import ALL_SIZES, WHOLE_AND_CUT, Scenario
from tests.peers.driver import (
    Parcel,
    Peer,
    Records,
    Takes,
    all_doubled,
    armoured,
    b64,
    joined,
    last_first,
    raw_of,
)

N_ROUNDS: Final = 50
HEARTBEAT_AFTER_S: Final = 61
MAX_TEXT_BYTES: Final = 20_000
# One, two, three and four bytes in UTF-8, and what other layers give a meaning to.
_ALPHABET: Final = "aé☃🛰 \n<&%\\"
_SIZES: Final = (1, 7, 40, 333, 1, 2_000, 85, 3, 140, 700)
"""Bytes of the texts; one of 20 kB goes each way besides."""


def texts_of_every_size_pass_both_ways(ends: Ends) -> None:
    """Fifty rounds: the keys rotate in each, and texts in a row do not rotate them."""
    ends.agree()
    recorded = Records()
    sent: dict[Peer, list[bytes]] = {end: [] for end in ends.both}

    for n_round in range(N_ROUNDS):
        for sender in ends.both:
            for text in _texts_of_round(n_round, sender.start.account):
                sent[sender].append(text)
                sender.do("send", text)
            ends.wire.carry(recorded)

    assert ends.second.displayed() == sent[ends.first]
    assert ends.first.displayed() == sent[ends.second]
    assert max(map(len, sent[ends.first])) == MAX_TEXT_BYTES
    assert texts_in_clear(recorded.seen) == []


def _texts_of_round(n_round: int, name: str) -> list[bytes]:
    sizes = [_SIZES[n_round % len(_SIZES)]]
    if n_round % 10 == 3:
        sizes *= 3
    if n_round == N_ROUNDS // 2:
        sizes = [MAX_TEXT_BYTES]
    return [_text(f"{name} {n_round}", size) for size in sizes]


def _text(label: str, n_bytes: int) -> bytes:
    """Return a text of this size in UTF-8, or its label when that is longer."""
    start = f"{label} ".encode()
    unit = _ALPHABET.encode()
    n_units, n_rest = divmod(max(n_bytes - len(start), 0), len(unit))
    return start + unit * n_units + b"." * n_rest


def a_lost_text_is_missed_and_nothing_else(ends: Ends) -> None:
    ends.agree()

    for n in range(14):
        # In pairs, so that losses fall into rows as well as between turns.
        sender = ends.both[n // 2 % 2]
        sender.do("send", b"%d" % n)
        if n in (1, 4, 5, 8, 9, 10):
            sender.outbox.clear()
        ends.wire.carry()

    assert ends.second.displayed() == [b"0", b"12", b"13"]
    assert ends.first.displayed() == [b"2", b"3", b"6", b"7", b"11"]
    ends.assert_texts_pass()


def a_text_that_comes_twice_is_shown_once(ends: Ends) -> None:
    ends.agree()
    texts = [b"%d" % n for n in range(6)]

    for text in texts:
        for sender in ends.both:
            ends.do(sender, "send", text, hook=all_doubled)

    assert ends.first.displayed() == texts
    assert ends.second.displayed() == texts
    ends.assert_texts_pass()


def an_overtaken_text_is_not_shown(ends: Ends) -> None:
    """OTRv3, "Receiving a Data Message": the counter must be greater than before."""
    ends.agree()
    for text in (b"one", b"two", b"three"):
        ends.first.do("send", text)

    ends.wire.carry(last_first)

    assert ends.second.displayed() == [b"three"]
    ends.assert_texts_pass()


def a_text_from_before_the_last_turns_is_not_shown(ends: Ends) -> None:
    """Its keys have rotated out at both ends meanwhile."""
    ends.agree()
    hook = Takes(0)
    ends.do(ends.first, "send", b"late", hook=hook)
    for n in range(3):
        for sender in ends.both:
            ends.do(sender, "send", b"%d" % n)

    ((sender, late),) = hook.taken
    ends.wire.deliver(sender, late)
    ends.wire.carry()

    assert ends.second.displayed() == [b"0", b"1", b"2"]
    ends.assert_texts_pass()


def a_forged_text_is_not_shown_and_its_sender_hears_of_it(ends: Ends) -> None:
    ends.agree()

    ends.do(ends.first, "send", b"x" * 300, hook=_forged)

    assert ends.second.displayed() == []
    assert "event RCVDMSG_UNREADABLE -" in ends.second.said
    assert [line for line in ends.first.said if "GENERAL_ERR" in line]
    ends.get_over_forged_text(ends.first)
    ends.assert_texts_pass()


def _forged(_sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
    """Change one bit of the encrypted part; error lines pass as they are."""
    return [
        parcel if parcel[0].startswith(b"?OTR E") else (_changed(joined(parcel)),)
        for parcel in parcels
    ]


def _changed(message: bytes) -> bytes:
    # What follows the encrypted part is at most the MAC, a length and old MAC keys.
    raw = bytearray(raw_of(message))
    raw[-200] ^= 1
    return armoured(bytes(raw))


def a_text_that_looks_like_otr_is_only_a_text(ends: Ends, text: str) -> None:
    ends.agree()

    ends.do(ends.first, "send", text.encode())

    assert ends.second.displayed() == [text.encode()]
    assert ends.first.displayed() == []
    assert {state.name for state in ends.states()} == {"encrypted"}


def a_text_in_clear_is_never_shown_as_if_it_were_encrypted(ends: Ends) -> None:
    ends.agree()

    ends.second.do("recv", b"I am Alice, honestly")

    assert ends.second.displayed() == []
    assert ends.second.said_of("plain-warning") == [b64("I am Alice, honestly")]
    ends.assert_texts_pass()


def a_silent_end_answers_a_text_by_an_empty_message(ends: Ends) -> None:
    """Only an answer lets the keys rotate (OTRv3, "Forgetting old keys")."""
    ends.agree()
    ends.do(ends.second, "clock", HEARTBEAT_AFTER_S)
    recorded = Records()

    ends.do(ends.first, "send", b"still there?", hook=recorded)

    assert [sender for sender, _ in recorded.seen] == [ends.first, ends.second]
    assert ends.first.displayed() == []
    ends.assert_texts_pass()


def _has_heartbeat(_first: PeerKind, second: PeerKind) -> bool:
    return second.has_clock and second.has_heartbeat


def _can_type_a_query(first: PeerKind, _second: PeerKind) -> bool:
    return not first.takes_query_text_for_query


TEXTS: Final = (
    Scenario(texts_of_every_size_pass_both_ways, ALL_SIZES),
    Scenario(a_lost_text_is_missed_and_nothing_else, WHOLE_AND_CUT),
    Scenario(a_text_that_comes_twice_is_shown_once, WHOLE_AND_CUT),
    Scenario(an_overtaken_text_is_not_shown, WHOLE_AND_CUT),
    Scenario(a_text_from_before_the_last_turns_is_not_shown, WHOLE_AND_CUT),
    Scenario(a_forged_text_is_not_shown_and_its_sender_hears_of_it, WHOLE_AND_CUT),
    *(
        Scenario(a_text_that_looks_like_otr_is_only_a_text, variant={"text": text})
        for text in ("?OTR:AAMD.", "?OTR Error: x", "?OTR,1,2,x,")
    ),
    Scenario(
        a_text_that_looks_like_otr_is_only_a_text,
        needs=_can_type_a_query,
        variant={"text": "?OTRv2?"},
    ),
    Scenario(a_text_in_clear_is_never_shown_as_if_it_were_encrypted),
    Scenario(a_silent_end_answers_a_text_by_an_empty_message, needs=_has_heartbeat),
)
