"""Scenarios: comparing secrets (SMP), and keys for other uses."""

from typing import Final

from tests.otr.pairs.ends import Ends, assert_same_session
from tests.otr.pairs.plan import ALL_SIZES, WHOLE_AND_CUT, Scenario
from tests.peers.driver import Peer, Takes, all_doubled, b64

SECRET: Final = "Ärger im Hafen 🛥".encode()
WRONG: Final = "Ärger im Hafen".encode()
QUESTION: Final = "Wo haben wir uns zuletzt gesehen? 🛰".encode()
_TLV_SMP3: Final = 4


def secrets_that_are_equal_prove_both_ends(ends: Ends) -> None:
    ends.agree()

    compare(ends, ends.first, SECRET, SECRET)

    assert ends.second.said_of("smp") == ["ask-secret", "success"]
    assert ends.first.said_of("smp") == ["in-progress", "success"]
    assert [bool(state.trust) for state in ends.states()] == [True, True]
    ends.assert_texts_pass()


def a_question_that_is_answered_proves_who_answers(ends: Ends) -> None:
    ends.agree()

    compare(ends, ends.first, SECRET, SECRET, QUESTION)

    assert ends.second.said_of("smp") == [f"ask-answer {b64(QUESTION)}", "success"]
    assert ends.first.said_of("smp") == ["in-progress", "success"]
    assert ends.first.state().trust
    # Who only answered has learnt nothing about who asked.
    assert not ends.second.state().trust


def secrets_that_differ_prove_nothing(ends: Ends) -> None:
    ends.agree()

    compare(ends, ends.first, SECRET, WRONG)

    assert_failed(ends)


def a_wrong_answer_to_a_question_proves_nothing(ends: Ends) -> None:
    ends.agree()

    compare(ends, ends.first, SECRET, WRONG, QUESTION)

    assert_failed(ends)


def assert_failed(ends: Ends) -> None:
    """The comparison ended without success, and both ends know; the session is up."""
    assert ends.second.said_of("smp")[1:] == ["failure"]
    # COMPAT(otr3): an abort in the place of the last message means the same.
    assert ends.first.said_of("smp") == ["in-progress", "failure"]
    assert [state.trust for state in ends.states()] == ["", ""]
    ends.assert_texts_pass()


def a_second_try_may_succeed_after_a_wrong_secret(ends: Ends) -> None:
    ends.agree()
    compare(ends, ends.first, SECRET, WRONG)
    ends.forget_said()

    compare(ends, ends.first, SECRET, SECRET)

    assert_succeeded(ends)


def both_ends_may_compare_one_after_the_other(ends: Ends) -> None:
    ends.agree()

    for asker in (ends.first, ends.second, ends.first):
        ends.forget_said()
        compare(ends, asker, SECRET, SECRET, QUESTION)
        assert_succeeded(ends)

    assert [bool(state.trust) for state in ends.states()] == [True, True]


def who_asked_may_leave(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET)

    ends.do(ends.first, "smp-abort")

    assert ends.second.said_of("smp") == ["ask-secret", "abort"]
    assert_next_comparison_succeeds(ends)


def who_was_asked_may_leave(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET, QUESTION)

    ends.do(ends.second, "smp-abort")

    assert ends.first.said_of("smp") == ["abort"]
    assert_next_comparison_succeeds(ends)


def who_asked_may_leave_while_the_answer_is_on_its_way(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET)
    ends.second.do("smp-reply", SECRET)

    ends.first.do("smp-abort")
    ends.wire.carry()

    assert "success" not in [*ends.first.said_of("smp"), *ends.second.said_of("smp")]
    assert_next_comparison_succeeds(ends)


def an_answer_that_nobody_waits_for_is_not_sent(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", SECRET)
    ends.do(ends.first, "smp-abort")

    said = ends.second.do("smp-reply", SECRET)

    assert said[0].startswith("error ")
    assert ends.second.outbox == []


def an_answer_after_the_end_is_not_sent(ends: Ends) -> None:
    """A dialog may outlive the session it belongs to."""
    ends.agree()
    ends.do(ends.first, "smp", SECRET)
    ends.do(ends.first, "end")

    said = ends.second.do("smp-reply", SECRET)

    assert said[0].startswith("error ")
    assert ends.second.outbox == []


def asking_anew_takes_the_place_of_the_first_question(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "smp", WRONG, b"first?")
    ends.do(ends.first, "smp", SECRET, b"second?")

    ends.do(ends.second, "smp-reply", SECRET)

    assert ends.second.said_of("smp")[-2:] == [
        f"ask-answer {b64('second?')}",
        "success",
    ]
    assert ends.first.said_of("smp")[-1] == "success"


def comparisons_that_cross_come_to_nothing_and_harm_nothing(ends: Ends) -> None:
    """OTRv3, "Receiving a SMP message": each gets a first message in another state."""
    ends.agree()
    for end in ends.both:
        end.do("smp", SECRET)

    ends.wire.carry()

    assert "success" not in [*ends.first.said_of("smp"), *ends.second.said_of("smp")]
    assert_next_comparison_succeeds(ends)


def texts_may_come_between_the_steps(ends: Ends) -> None:
    ends.agree()

    ends.do(ends.first, "smp", SECRET)
    ends.assert_texts_pass("while asked")
    ends.second.do("smp-reply", SECRET)
    ends.second.do("send", b"answered")
    ends.wire.carry()

    assert ends.first.displayed()[-1] == b"answered"
    assert_succeeded(ends)


def a_comparison_succeeds_when_everything_comes_twice(ends: Ends) -> None:
    ends.agree()

    ends.do(ends.first, "smp", SECRET, hook=all_doubled)
    ends.do(ends.second, "smp-reply", SECRET, hook=all_doubled)

    assert_succeeded(ends)


def a_new_comparison_succeeds_when_a_message_was_lost(ends: Ends, lost: int) -> None:
    ends.agree()
    hook = Takes(lost)
    ends.do(ends.first, "smp", SECRET, hook=hook)
    ends.do(ends.second, "smp-reply", SECRET, hook=hook)

    assert_next_comparison_succeeds(ends, ends.first)


def the_other_end_needs_two_tries_when_a_message_was_lost(
    ends: Ends, lost: int
) -> None:
    """Its first message meets one that still waits, and is answered by an abort."""
    ends.agree()
    hook = Takes(lost)
    ends.do(ends.first, "smp", SECRET, hook=hook)
    ends.do(ends.second, "smp-reply", SECRET, hook=hook)

    compare(ends, ends.second, SECRET, SECRET)

    assert_next_comparison_succeeds(ends)


def a_step_out_of_order_ends_the_comparison(ends: Ends) -> None:
    """OTRv3, "Receiving a SMP message": abort, and expect the first message again."""
    ends.agree()
    ends.do(ends.first, "smp", SECRET)

    ends.do(ends.first, "tlv", _TLV_SMP3, b"\0\0\0\0")

    assert "abort" in ends.first.said_of("smp")
    assert "success" not in ends.second.said_of("smp")
    assert_next_comparison_succeeds(ends)


def a_new_session_ends_the_comparison(ends: Ends) -> None:
    """The secrets are bound to the session's id: it cannot succeed any more."""
    ends.agree()
    ends.do(ends.first, "smp", SECRET)
    ends.do(ends.who_can_ask_while_encrypted(), "query")
    assert_same_session(ends)

    ends.do(ends.second, "smp-reply", SECRET)

    assert "success" not in [*ends.first.said_of("smp"), *ends.second.said_of("smp")]
    keeps = ends.kind(ends.first).keeps_smp_over_new_ake
    assert_next_comparison_succeeds(ends, ends.first if keeps else ends.second)


def compare(
    ends: Ends, asker: Peer, secret: bytes, answer: bytes, question: bytes | None = None
) -> None:
    """Run a whole comparison: one asks, the other types an answer."""
    ends.do(asker, "smp", secret, *([] if question is None else [question]))
    ends.do(ends.other(asker), "smp-reply", answer)


def assert_succeeded(ends: Ends) -> None:
    assert [end.said_of("smp")[-1] for end in ends.both] == ["success", "success"]


def assert_next_comparison_succeeds(ends: Ends, asker: Peer | None = None) -> None:
    """Nothing is left of the one before: the other end can begin one, or `asker`."""
    ends.forget_said()
    compare(ends, asker or ends.second, SECRET, SECRET)
    assert_succeeded(ends)


def an_extra_key_is_the_same_at_both_ends(ends: Ends) -> None:
    ends.agree()

    for sender in ends.both:
        (said,) = ends.do(sender, "extrakey", 0x2A0001, b"file.txt")
        way, use, key, data = said.split(" ")[1:]

        assert (way, use, data) == ("sent", str(0x2A0001), b64("file.txt"))
        assert len(bytes.fromhex(key)) == 32
        received = f"recv {use} {key} {data}"
        assert ends.other(sender).said_of("extrakey")[-1] == received


def an_extra_key_changes_with_the_keys_of_the_session(ends: Ends) -> None:
    ends.agree()
    keys = set()

    for _ in range(3):
        for sender in ends.both:
            (said,) = ends.do(sender, "extrakey", 1)
            keys.add(said.split(" ")[3])

    # Six uses; a rotation is as late as the turn in which it is noticed.
    assert len(keys) > 2


def no_extra_key_is_to_be_had_after_the_end(ends: Ends) -> None:
    ends.agree()
    ends.do(ends.first, "end")

    said = ends.second.do("extrakey", 1)

    assert said[0].startswith("error ")
    assert ends.second.outbox == []


COMPARING: Final = (
    Scenario(secrets_that_are_equal_prove_both_ends, ALL_SIZES),
    Scenario(a_question_that_is_answered_proves_who_answers, ALL_SIZES),
    Scenario(secrets_that_differ_prove_nothing, ALL_SIZES),
    Scenario(a_wrong_answer_to_a_question_proves_nothing, WHOLE_AND_CUT),
    Scenario(a_second_try_may_succeed_after_a_wrong_secret),
    Scenario(both_ends_may_compare_one_after_the_other, WHOLE_AND_CUT),
    Scenario(who_asked_may_leave, ALL_SIZES),
    Scenario(who_was_asked_may_leave, ALL_SIZES),
    Scenario(who_asked_may_leave_while_the_answer_is_on_its_way),
    Scenario(an_answer_that_nobody_waits_for_is_not_sent),
    Scenario(an_answer_after_the_end_is_not_sent),
    Scenario(asking_anew_takes_the_place_of_the_first_question),
    Scenario(comparisons_that_cross_come_to_nothing_and_harm_nothing),
    Scenario(texts_may_come_between_the_steps, WHOLE_AND_CUT),
    Scenario(a_comparison_succeeds_when_everything_comes_twice),
    *(
        Scenario(body, variant={"lost": n})
        for body in (
            a_new_comparison_succeeds_when_a_message_was_lost,
            the_other_end_needs_two_tries_when_a_message_was_lost,
        )
        for n in range(4)
    ),
    Scenario(a_step_out_of_order_ends_the_comparison),
    Scenario(a_new_session_ends_the_comparison),
    Scenario(an_extra_key_is_the_same_at_both_ends, ALL_SIZES),
    Scenario(an_extra_key_changes_with_the_keys_of_the_session),
    Scenario(no_extra_key_is_to_be_had_after_the_end),
)
