"""Scenarios: how a session comes up, is renewed, and ends."""

from typing import Final

from tests.otr.pairs.ends import Ends, assert_same_session, texts_in_clear
from tests.otr.pairs.kinds import PeerKind
from tests.otr.pairs.plan import ALL_SIZES, WHOLE_AND_CUT, Scenario
from tests.peers.driver import Records, b64, joined, raw_of

TYPE_DH_KEY: Final = 0x0A


def one_session_comes_up(ends: Ends) -> None:
    ends.do(ends.first, "query")

    assert_same_session(ends)
    # OTRv3, "Session id": who sent the Reveal Signature shows the first half bold.
    assert ends.second.state().half == "first"
    assert_said_of_new_session(ends)


def assert_said_of_new_session(ends: Ends) -> None:
    for end in ends.both:
        assert end.said_of("gone-secure") == [""]
        assert end.said_of("new-fingerprint") == [ends.other(end).fingerprint.hex()]


def a_session_comes_up_from_the_whitespace_tag(ends: Ends) -> None:
    # libotr cuts this into fragments of version 2, which have no tags, and does not
    # itself read those whose piece holds a comma. We do, and never cut such text.
    text = b"hello, " * 20

    ends.do(ends.first, "send", text)

    assert_same_session(ends)
    assert ends.second.said_of("plain-warning") == [b64(text)]
    ends.assert_texts_pass()


def a_session_comes_up_from_a_query_in_fragments(ends: Ends) -> None:
    """A query that is typed is sent with a paragraph about OTR, commas in it."""
    ends.do(ends.first, "send", b"?OTRv23?")

    assert_same_session(ends)
    assert ends.second.said_of("plain-warning") == []
    assert_said_of_new_session(ends)


def a_session_is_renewed_while_it_is_up(ends: Ends) -> None:
    ends.agree()
    before = ends.first.state()
    asker = ends.who_can_ask_while_encrypted()

    ends.do(asker, "query")

    assert_same_session(ends)
    assert ends.first.state().ssid != before.ssid
    for end in ends.both:
        assert end.said_of("new-fingerprint") == []
        if not ends.kind(end).drops_session_for_any_key:
            assert end.said_of("still-secure") == [""]
    ends.assert_texts_pass()


def texts_pass_in_the_old_session_until_the_new_one_is_up(ends: Ends) -> None:
    ends.agree()
    asker = ends.who_can_ask_while_encrypted()
    other = ends.other(asker)

    asker.do("query")
    ends.wire.step()  # the query
    ends.wire.step()  # the commit
    other.do("send", b"before")  # behind it on the wire comes the key

    ends.wire.carry()
    assert asker.displayed() == [b"before"]
    assert_same_session(ends)
    ends.assert_texts_pass()


def texts_of_the_session_before_are_not_taken_again(ends: Ends) -> None:
    """A replay after a new exchange meets other keys (OTRv3, "Key management")."""
    ends.agree()
    recorded = Records()
    ends.do(ends.first, "send", b"only once", hook=recorded)
    ends.do(ends.who_can_ask_while_encrypted(), "query")
    (text, *_) = recorded.seen

    ends.wire.deliver(*text)
    ends.wire.carry()

    assert ends.second.displayed() == [b"only once"]
    ends.get_over_forged_text(ends.first)
    ends.assert_texts_pass()


def what_is_said_in_clear_after_a_replayed_key_is_shown_as_clear(ends: Ends) -> None:
    """A D-H Key of anybody ends libotr's session; it does not tell its user."""
    recorded = Records()
    ends.do(ends.first, "query", hook=recorded)
    ends.do(ends.second, "send", b"encrypted")
    (key,) = (
        parcel
        for sender, parcel in recorded.seen[1:]
        if sender is ends.first and raw_of(joined(parcel))[2] == TYPE_DH_KEY
    )

    ends.wire.deliver(ends.first, key)
    ends.wire.carry()
    assert ends.second.state().name == "plain"
    ends.do(ends.second, "send", b"in clear")

    assert ends.first.displayed() == [b"encrypted"]
    assert ends.first.said_of("plain-warning") == [b64("in clear")]
    ends.ask_again(ends.first)
    assert_same_session(ends)
    ends.assert_texts_pass()


def both_ends_know_that_it_is_over(ends: Ends) -> None:
    ends.agree()

    ends.do(ends.first, "end")

    assert [state.name for state in ends.states()] == ["plain", "finished"]


def nothing_leaves_in_clear_when_the_other_end_has_gone(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "end")

    ends.second.do("send", b"for their eyes only")

    # COMPAT(libotr 4.1.1): it sends an empty message in the place of the text.
    leaves = [b""] if ends.kind(ends.second).sends_after_end else []
    assert ends.second.outbox == leaves
    ends.wire.carry()
    assert b"for their eyes only" not in ends.first.displayed()


def nothing_leaves_in_clear_after_our_own_end(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "end")

    said = ends.first.do("send", b"for their eyes only")

    assert ends.first.outbox == []
    assert said[0].startswith("error ")


def a_session_comes_back_after_an_end(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "end")
    ends.forget_said()

    ends.ask_again(ends.second)

    assert_same_session(ends)
    ends.assert_texts_pass()


def both_may_end_at_once(ends: Ends) -> None:
    ends.agree()
    recorded = Records()
    for end in ends.both:
        end.do("end")

    ends.wire.carry(recorded)

    assert "encrypted" not in [state.name for state in ends.states()]
    assert texts_in_clear(recorded.seen) == []
    ends.ask_again(ends.first)
    assert_same_session(ends)


def a_session_comes_back_after_one_end_lost_its_memory(ends: Ends) -> None:
    ends.agree()
    ends.first.do("forget")
    ends.do(ends.second, "send", b"are you there?")
    assert ends.first.displayed() == []

    ends.ask_again(ends.first)

    assert_same_session(ends)
    ends.assert_texts_pass()


def _sends_tags(first: PeerKind, second: PeerKind) -> bool:
    return first.sends_plain_text and not second.shows_plain_text


def _types_queries(first: PeerKind, _second: PeerKind) -> bool:
    return first.takes_query_text_for_query


def _falls_back_to_clear(_first: PeerKind, second: PeerKind) -> bool:
    return second.drops_session_for_any_key and second.sends_plain_text


def _keeps_clear_text(first: PeerKind, _second: PeerKind) -> bool:
    # A peer with an opportunistic policy speaks in clear again: its user's choice.
    return not first.sends_plain_text


EXCHANGE: Final = (
    Scenario(one_session_comes_up, ALL_SIZES),
    Scenario(a_session_comes_up_from_the_whitespace_tag, ALL_SIZES, _sends_tags),
    Scenario(a_session_comes_up_from_a_query_in_fragments, ALL_SIZES, _types_queries),
    Scenario(a_session_is_renewed_while_it_is_up, ALL_SIZES),
    Scenario(texts_pass_in_the_old_session_until_the_new_one_is_up, WHOLE_AND_CUT),
    Scenario(texts_of_the_session_before_are_not_taken_again, WHOLE_AND_CUT),
    Scenario(
        what_is_said_in_clear_after_a_replayed_key_is_shown_as_clear,
        WHOLE_AND_CUT,
        _falls_back_to_clear,
    ),
    Scenario(both_ends_know_that_it_is_over, ALL_SIZES),
    Scenario(nothing_leaves_in_clear_when_the_other_end_has_gone, ALL_SIZES),
    Scenario(nothing_leaves_in_clear_after_our_own_end, needs=_keeps_clear_text),
    Scenario(a_session_comes_back_after_an_end, WHOLE_AND_CUT),
    Scenario(both_may_end_at_once),
    Scenario(a_session_comes_back_after_one_end_lost_its_memory),
)
