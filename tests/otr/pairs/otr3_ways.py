"""Where otr3 departs from the protocol, and what comes of it between it and us.

Rule: a scenario for every peer that otr3 cannot play as it stands is named in
`NOT_AS_IT_STANDS`, and one here shows what happens in its place.
"""

from typing import Final

from tests.otr.pairs.comparing import (
    SECRET,
    WRONG,
    assert_failed,
    assert_next_comparison_succeeds,
    assert_succeeded,
)
from tests.otr.pairs.ends import AKE_TIMEOUT_S, Ends, Roles, assert_same_session
from tests.otr.pairs.kinds import PeerKind
from tests.otr.pairs.plan import ALL_SIZES, WHOLE_AND_CUT, Scenario
from tests.otr.pairs.trouble import AKE_EXPIRE_S, MESSAGES
from tests.peers.driver import Records, Takes, joined

OTR3: Final = PeerKind(
    "otr3",
    shows_plain_text=True,
    sends_plain_text=True,
    ignores_query_for_s=60,
    stalls_after_winning_tie=True,
    forgets_old_commits=False,
    counts_forged_texts=True,
    keeps_smp_over_new_ake=True,
)
"""otr3 of October 2016, as Debian ships it, allowed versions 2 and 3.

When a comparison fails it sends an abort where message 4 should be; we know that
nobody is asked at this point and take it for what it means: the secrets differ. So
the scenarios see no difference.
"""

NOT_AS_IT_STANDS: Final = frozenset(
    {
        # otr3 drops a malformed record of a comparison without a word.
        ("a_step_out_of_order_ends_the_comparison", Roles.WE_BEGIN),
        # Our commit is lost there too, so that the one we begin again with meets
        # otr3's a second time; it may win and stall again, and we begin again once.
        (
            "we_begin_again_when_the_one_that_we_gave_way_to_stalls",
            Roles.WE_BEGIN,
        ),
    }
)
"""Scenarios by name, and who begins."""

_MAX_ABORT_CHARS: Final = 800
"""A data message of 256 bytes with an old MAC key or two; message 4 needs 512."""
_TLV_SMP3: Final = 4
_WELL_FORMED_SMP3: Final = b"\0\0\0\x08" + b"\0\0\0\x01\x02" * 8
# Piece sizes that divide the length of a data message with one short text, 686.
_SIZES_WITHOUT_REST: Final = (134, 379)


def a_replayed_counter_costs_otr3_one_text(ends: Ends) -> None:
    """OTRv3, "Receiving a Data Message": verify the MAC, then look at the counter."""
    ends.agree()
    recorded = Records()
    ends.do(ends.first, "send", b"only once", hook=recorded)
    ends.do(ends.who_can_ask_while_encrypted(), "query")
    for sender, parcel in recorded.seen:
        ends.wire.deliver(sender, parcel)
    ends.wire.carry()
    ends.first.forget_said()

    ends.do(ends.first, "send", b"taken for a replay")
    ends.do(ends.first, "send", b"read")

    assert ends.second.displayed() == [b"only once", b"read"]
    assert len([line for line in ends.first.said if "GENERAL_ERR" in line]) == 1
    ends.assert_texts_pass()


def the_first_text_is_answered_by_a_heartbeat_at_once(ends: Ends) -> None:
    """otr3 has never sent anything, and takes that for a minute of silence."""
    ends.agree()
    recorded = Records()

    ends.do(ends.first, "send", b"one", hook=recorded)
    ends.do(ends.first, "send", b"two", hook=recorded)

    senders = [sender for sender, _ in recorded.seen]
    assert senders == [ends.first, ends.second, ends.first]
    assert ends.first.displayed() == []


def a_key_that_otr3_waited_for_too_long_is_of_no_use(ends: Ends) -> None:
    hook = Takes(MESSAGES.index("key"))
    ends.do(ends.first, "query", hook=hook)
    for end in ends.both:
        ends.do(end, "clock", AKE_EXPIRE_S)

    ((sender, parcel),) = hook.taken
    ends.wire.deliver(sender, parcel)
    ends.wire.carry()

    assert [state.name for state in ends.states()] == ["plain", "plain"]
    ends.ask_again(ends.first)
    assert_same_session(ends)


def asking_again_helps_when_otr3_stalls_twice(ends: Ends) -> None:
    for end in ends.both:
        end.do("query")
    ends.wire.step()  # the queries; what both commit to is now on its way
    ends.wire.carry(lambda sender, parcels: [] if sender is ends.first else parcels)
    ends.do(ends.first, "clock", AKE_TIMEOUT_S)

    ends.ask_again(ends.first)

    assert_same_session(ends)
    ends.assert_texts_pass()


def a_query_soon_after_the_exchange_is_not_answered(ends: Ends) -> None:
    ends.agree()
    before = ends.first.state()

    ends.do(ends.first, "query")
    assert ends.first.state() == before
    ends.assert_texts_pass()
    ends.do(ends.second, "clock", OTR3.ignores_query_for_s)
    ends.do(ends.first, "query")

    assert_same_session(ends)
    assert ends.first.state().ssid != before.ssid


def an_empty_last_fragment_belongs_to_the_message(ends: Ends) -> None:
    """otr3 sends one when the length is a multiple of the piece size."""
    ends.agree()
    recorded = Records()

    ends.do(ends.first, "send", b"short", hook=recorded)

    _, parcel = recorded.seen[0]
    assert parcel[-1].endswith(b",%05d,%05d,," % (len(parcel), len(parcel)))
    assert ends.second.displayed() == [b"short"]


def an_abort_in_the_place_of_message_4_means_that_the_secrets_differ(
    ends: Ends,
) -> None:
    ends.agree()
    recorded = Records()
    ends.do(ends.first, "smp", SECRET)

    ends.do(ends.second, "smp-reply", WRONG, hook=recorded)

    sender, last = recorded.seen[-1]
    assert sender is ends.second
    assert len(joined(last)) < _MAX_ABORT_CHARS
    assert_failed(ends)
    assert_next_comparison_succeeds(ends)


def a_malformed_step_is_overlooked(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET)

    ends.do(ends.first, "tlv", _TLV_SMP3, b"\0\0\0\0")

    assert ends.first.said_of("smp") == []
    ends.do(ends.second, "smp-reply", SECRET)
    assert_succeeded(ends)


def a_well_formed_step_out_of_order_ends_the_comparison(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET)

    ends.do(ends.first, "tlv", _TLV_SMP3, _WELL_FORMED_SMP3)

    assert ends.second.said_of("smp") == ["ask-secret", "error"]
    assert ends.first.said_of("smp") == ["abort"]
    assert_next_comparison_succeeds(ends)


def _otr3_is_second(_first: PeerKind, second: PeerKind) -> bool:
    return second is OTR3


def _otr3_is_first(first: PeerKind, _second: PeerKind) -> bool:
    return first is OTR3


OTR3_WAYS: Final = (
    Scenario(a_replayed_counter_costs_otr3_one_text, WHOLE_AND_CUT, _otr3_is_second),
    Scenario(
        the_first_text_is_answered_by_a_heartbeat_at_once,
        WHOLE_AND_CUT,
        _otr3_is_second,
    ),
    Scenario(a_key_that_otr3_waited_for_too_long_is_of_no_use, needs=_otr3_is_second),
    Scenario(asking_again_helps_when_otr3_stalls_twice, WHOLE_AND_CUT, _otr3_is_second),
    Scenario(a_query_soon_after_the_exchange_is_not_answered, needs=_otr3_is_second),
    Scenario(
        an_empty_last_fragment_belongs_to_the_message,
        _SIZES_WITHOUT_REST,
        _otr3_is_first,
    ),
    Scenario(
        an_abort_in_the_place_of_message_4_means_that_the_secrets_differ,
        ALL_SIZES,
        _otr3_is_second,
    ),
    Scenario(a_malformed_step_is_overlooked, needs=_otr3_is_second),
    Scenario(
        a_well_formed_step_out_of_order_ends_the_comparison, needs=_otr3_is_second
    ),
)
