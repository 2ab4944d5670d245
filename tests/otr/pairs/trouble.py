"""Scenarios: messages that are lost, doubled, late or crossing while keys are agreed.

The promise of each: whatever happened, asking once more brings up a session, and
what is still on its way does not harm it.
"""

from typing import Final

from tests.otr.pairs.ends import AKE_TIMEOUT_S, Ends, assert_same_session
from tests.otr.pairs.kinds import OURS, PeerKind
from tests.otr.pairs.plan import ALL_SIZES, WHOLE_AND_CUT, Scenario
from tests.peers.driver import Peer, Takes, all_doubled, joined, last_first, raw_of

MESSAGES: Final = ("query", "commit", "key", "reveal_sig", "sig")
"""Of an exchange, in the order in which they are carried."""
AKE_EXPIRE_S: Final = 131
"""A second more than either waits for any answer; libotr's is the longest."""
_MAX_DRAWS: Final = 64
"""Commits until one hash is the higher; each has an even chance."""


def asking_again_helps_when_a_message_was_lost(ends: Ends, lost: str) -> None:
    ends.do(ends.first, "query", hook=Takes(MESSAGES.index(lost)))

    ends.ask_again(ends.first)

    assert_same_session(ends)
    ends.assert_texts_pass()


def the_other_end_may_be_the_one_to_ask_again(ends: Ends, lost: str) -> None:
    ends.do(ends.first, "query", hook=Takes(MESSAGES.index(lost)))

    ends.ask_again(ends.second)

    assert_same_session(ends)
    ends.assert_texts_pass()


def asking_again_helps_when_a_fragment_was_lost(ends: Ends, lost: str) -> None:
    hook = Takes(MESSAGES.index(lost))
    ends.do(ends.first, "query", hook=hook)
    ((sender, parcel),) = hook.taken
    assert len(parcel) > 1

    ends.wire.deliver(sender, (*parcel[:1], *parcel[2:]))
    ends.wire.carry()
    assert not all(state.name == "encrypted" for state in ends.states())
    ends.ask_again(ends.first)

    assert_same_session(ends)
    ends.assert_texts_pass()


def a_message_of_a_lost_exchange_may_come_late(ends: Ends, late: str) -> None:
    hook = Takes(MESSAGES.index(late))
    ends.do(ends.first, "query", hook=hook)
    ends.ask_again(ends.first)
    assert_same_session(ends)

    for sender, parcel in hook.taken:
        ends.wire.deliver(sender, parcel)
    ends.wire.carry()

    if ends.kind(ends.second).drops_session_for_any_key:
        ends.ask_again(ends.first)
    assert_same_session(ends)
    ends.assert_texts_pass()


def a_late_message_may_fall_into_the_next_exchange(ends: Ends, late: str) -> None:
    """Reordered: it comes between query and answer of the second attempt."""
    hook = Takes(MESSAGES.index(late))
    ends.do(ends.first, "query", hook=hook)
    ends.let_queries_pass(ends.first)
    ends.first.do("query")
    ends.wire.step()

    for sender, parcel in hook.taken:
        ends.wire.deliver(sender, parcel)
    ends.wire.carry()

    ends.ask_again(ends.first)
    assert_same_session(ends)
    ends.assert_texts_pass()


def a_session_comes_up_when_everything_comes_twice(ends: Ends) -> None:
    ends.do(ends.first, "query", hook=all_doubled)

    assert_same_session(ends)
    ends.assert_texts_pass()


def asking_again_helps_when_answers_overtook_each_other(ends: Ends) -> None:
    """Each end may be left with another one of two commits; neither can tell."""
    ends.first.do("query")
    ends.first.do("query")

    ends.wire.carry(last_first)

    ends.ask_again(ends.first)
    assert_same_session(ends)
    ends.assert_texts_pass()


def an_answer_after_minutes_is_not_taken(ends: Ends) -> None:
    hook = Takes(MESSAGES.index("key"))
    ends.do(ends.first, "query", hook=hook)
    ends.do(ends.second, "clock", AKE_EXPIRE_S)
    ends.do(ends.second, "poll")

    ((sender, parcel),) = hook.taken
    ends.wire.deliver(sender, parcel)
    ends.wire.carry()

    assert ends.second.state().name == "plain"
    ends.ask_again(ends.first)
    assert_same_session(ends)


def a_session_comes_up_when_both_commit_at_once(ends: Ends, higher: str) -> None:
    """OTRv3, "Receiving a D-H Commit Message": the higher hash is kept."""
    winner = ends.first if higher == "first" else ends.second
    _commit_at_once(ends, winner)

    ends.wire.carry()

    if ends.kind(winner).stalls_after_winning_tie:
        ends.do(ends.other(winner), "clock", AKE_TIMEOUT_S)
    else:
        # Whose commit was answered sent the Reveal Signature.
        assert winner.state().half == "first"
    assert_same_session(ends)
    ends.assert_texts_pass()


def we_begin_again_when_the_one_that_we_gave_way_to_stalls(ends: Ends) -> None:
    _commit_at_once(ends, ends.second)
    ends.wire.step()  # the commits
    # COMPAT(CoyIM 0.4): it takes our answers for nothing, as if they had been lost.
    ends.wire.carry(lambda sender, parcels: [] if sender is ends.first else parcels)
    assert [state.name for state in ends.states()] == ["plain", "plain"]

    ends.do(ends.first, "clock", AKE_TIMEOUT_S)

    assert_same_session(ends)
    ends.assert_texts_pass()


def _commit_at_once(ends: Ends, winner: Peer) -> None:
    """Let both queries be answered by commits that are still on their way."""
    for _ in range(_MAX_DRAWS):
        for end in ends.both:
            end.do("forget")
            end.outbox.clear()
            end.do("query")
        ends.wire.step()
        if _hashed_gx(winner) > _hashed_gx(ends.other(winner)):
            ends.forget_said()
            return
    raise AssertionError("the hash is never the higher one")  # noqa: EM101 # a test's own words


def _hashed_gx(committer: Peer) -> bytes:
    """Return the hash at the end of the D-H Commit on its way, 32 bytes."""
    return raw_of(joined(tuple(committer.outbox)))[-32:]


def _forgets_old_commits(_first: PeerKind, second: PeerKind) -> bool:
    return second.has_clock and second.forgets_old_commits


def _we_are_first(first: PeerKind, _second: PeerKind) -> bool:
    return first is OURS


TROUBLE: Final = (
    *(
        Scenario(body, WHOLE_AND_CUT, variant={"lost": lost})
        for body in (
            asking_again_helps_when_a_message_was_lost,
            the_other_end_may_be_the_one_to_ask_again,
        )
        for lost in MESSAGES
    ),
    *(
        Scenario(
            asking_again_helps_when_a_fragment_was_lost,
            (60, 140),
            variant={"lost": lost},
        )
        for lost in MESSAGES[1:]
    ),
    *(
        Scenario(body, WHOLE_AND_CUT, variant={"late": late})
        for body in (
            a_message_of_a_lost_exchange_may_come_late,
            a_late_message_may_fall_into_the_next_exchange,
        )
        for late in MESSAGES
    ),
    Scenario(a_session_comes_up_when_everything_comes_twice, ALL_SIZES),
    Scenario(asking_again_helps_when_answers_overtook_each_other, WHOLE_AND_CUT),
    Scenario(an_answer_after_minutes_is_not_taken, needs=_forgets_old_commits),
    *(
        Scenario(
            a_session_comes_up_when_both_commit_at_once,
            ALL_SIZES,
            variant={"higher": higher},
        )
        for higher in ("first", "second")
    ),
    Scenario(
        we_begin_again_when_the_one_that_we_gave_way_to_stalls,
        ALL_SIZES,
        needs=_we_are_first,
    ),
)
