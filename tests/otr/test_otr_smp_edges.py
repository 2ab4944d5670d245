"""One end of a comparison alone: its edges, and what it says of whom and when."""

import hashlib
import itertools

import pytest

from coykiosk.otr import RemoteError, SmpAnswered, SmpAsked, SmpEnded, SmpOutcome
from coykiosk.otr.allowance import Allowance
from coykiosk.otr.primitives import Q, RandomBytes
from coykiosk.otr.smp import Smp, SmpSession, SmpStep
from coykiosk.otr.smp_messages import Smp1, SmpAbort, decode_smp
from coykiosk.otr.wire import Tlv, encode_int, encode_mpi
from tests.otr.wiring import TAGS, recorded_key, redrawable

ALICE_FP, BOB_FP = (recorded_key(name).fingerprint for name in ("alice", "bob"))
SSID = bytes(range(8))
ABORT = Tlv(6, b"")
FIRST, SECOND, FOURTH, ASKING = 2, 3, 5, 7
"""The record types of messages 1, 2 and 4, and of 1 with a question."""


def drawing(*exponents: int) -> RandomBytes:
    """A random source that gives these exponents and then ends."""
    left = iter(exponents)
    return lambda n_bytes: next(left).to_bytes(n_bytes, "big")


def alice(draw: RandomBytes | None = None, guesses: Allowance | None = None) -> Smp:
    session = SmpSession(ALICE_FP, BOB_FP, SSID, TAGS["bob"])
    return Smp(session, draw or redrawable("alice"), guesses or Allowance(5, 0))


def bob(draw: RandomBytes | None = None) -> Smp:
    session = SmpSession(BOB_FP, ALICE_FP, SSID, TAGS["alice"])
    return Smp(session, draw or redrawable("bob"), Allowance(5, 0))


def bring_to_message_4(initiator: Smp, now: float) -> Tlv:
    """Play until message 4 is to come; returns it."""
    responder = bob()
    *_, first = initiator.start("x", None, now).replies
    responder.receive(first, now)
    (second,) = responder.answer("x", now).replies
    (third,) = initiator.receive(second, now).replies
    (fourth,) = responder.receive(third, now).replies
    return fourth


def first_message() -> Tlv:
    (first,) = bob().start("x", None, 0).replies
    return first


def record(kind: int, *numbers: int) -> Tlv:
    body = b"".join(map(encode_mpi, numbers))
    return Tlv(kind, encode_int(len(numbers)) + body)


# --- hidden secrets that are equal (OTRv3, "SMP": P and Q of both must differ) --------


def hashed(secret: bytes) -> int:
    """The secret as both ends hide it when Alice asks."""
    data = b"\1" + ALICE_FP + BOB_FP + SSID + secret
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


A2, B2 = 1001, 2003
R4 = 3001
# Q = g^r4 g2^secret, with g2 = g^(a2 b2).
R4_OF_AN_EQUAL_Q = (R4 + A2 * B2 * (hashed(b"hers") - hashed(b"his"))) % Q


@pytest.mark.parametrize(
    ("his", "his_r4"),
    [("hers", R4), ("his", R4), ("his", R4_OF_AN_EQUAL_Q)],
    ids=["P and Q", "P only", "Q only"],
)
def test_initiator_ends_it_when_the_hidden_secrets_are_equal(
    his: str, his_r4: int
) -> None:
    any_exponent = itertools.count(5001)
    three = [[next(any_exponent) for _ in range(3)] for _ in range(4)]
    initiator = alice(drawing(A2, *three[0], R4, *three[1]))
    responder = bob(drawing(B2, *three[2], his_r4, *three[3]))
    (first,) = initiator.start("hers", None, 0).replies
    responder.receive(first, 0)
    (second,) = responder.answer(his, 0).replies

    step = initiator.receive(second, 0)

    cheated = SmpEnded(
        SmpOutcome.CHEATED, we_asked=True, had_question=False, fingerprint=BOB_FP
    )
    assert step == SmpStep((ABORT,), (cheated,))


# --- numbers at their bounds ----------------------------------------------------------

IN_THE_GROUP = 4


@pytest.mark.parametrize("answer", [1, 2, Q - 1], ids=["1", "2", "q-1"])
def test_answer_of_a_proof_is_read_up_to_its_bounds(answer: int) -> None:
    message = decode_smp(record(FOURTH, IN_THE_GROUP, 7, answer))

    assert message.encode() == record(FOURTH, IN_THE_GROUP, 7, answer)


@pytest.mark.parametrize("answer", [0, Q, Q + 1], ids=["0", "q", "q+1"])
def test_answer_of_a_proof_is_refused_beyond_its_bounds(answer: int) -> None:
    with pytest.raises(RemoteError, match="answer out of range"):
        decode_smp(record(FOURTH, IN_THE_GROUP, 7, answer))


def test_hash_is_read_when_it_has_256_bits() -> None:
    longest = (1 << 256) - 1

    message = decode_smp(record(FOURTH, IN_THE_GROUP, longest, 1))

    assert message.encode() == record(FOURTH, IN_THE_GROUP, longest, 1)


def test_hash_is_refused_when_it_has_257_bits() -> None:
    with pytest.raises(RemoteError, match="hash of 257 bits"):
        decode_smp(record(FOURTH, IN_THE_GROUP, 1 << 256, 1))


LONGEST = 4096


def test_question_is_read_up_to_its_longest() -> None:
    body = first_message().value

    message = decode_smp(Tlv(ASKING, b"q" * LONGEST + b"\0" + body))

    assert isinstance(message, Smp1)
    assert message.question == "q" * LONGEST


@pytest.mark.parametrize(
    "before", [b"q" * (LONGEST + 1) + b"\0", b"q"], ids=["too long", "without an end"]
)
def test_question_is_refused(before: bytes) -> None:
    body = first_message().value if before.endswith(b"\0") else b""

    with pytest.raises(RemoteError, match="a question of"):
        decode_smp(Tlv(ASKING, before + body))


def test_record_that_is_not_of_smp_is_refused() -> None:
    with pytest.raises(RemoteError, match="record of type 8"):
        decode_smp(Tlv(8, b""))


def test_abort_is_an_empty_record_of_type_6() -> None:
    assert SmpAbort().encode() == ABORT


# --- what is out of turn ---------------------------------------------------------------


def is_told(end: Smp, now: float) -> bool:
    """Send a message 4 that nobody waits for; whether it is answered."""
    return end.receive(record(FOURTH, IN_THE_GROUP, 7, 1), now).replies == (ABORT,)


def test_who_is_out_of_turn_is_told_16_times_at_once() -> None:
    end = alice()

    told = [is_told(end, 0) for _ in range(20)]

    assert told == [True] * 16 + [False] * 4


def test_who_is_out_of_turn_is_told_again_ten_seconds_later() -> None:
    end = alice()
    for _ in range(16):
        is_told(end, 0)

    told = [is_told(end, now) for now in (9.5, 10.5, 11)]

    assert told == [False, True, False]


def test_end_of_a_comparison_is_told_however_much_was_out_of_turn() -> None:
    end = alice()
    for _ in range(20):
        is_told(end, 0)
    end.start("x", None, 0)

    assert is_told(end, 0)


# --- leaving --------------------------------------------------------------------------


def test_initiator_calls_it_failed_when_an_abort_comes_in_place_of_message_4() -> None:
    """CoyIM's otr3 aborts there when the secrets differ; nobody is asked then."""
    initiator = alice()
    bring_to_message_4(initiator, 0)

    step = initiator.receive(ABORT, 0)

    failed = SmpEnded(
        SmpOutcome.FAILED, we_asked=True, had_question=False, fingerprint=BOB_FP
    )
    assert step == SmpStep((), (failed,))


@pytest.mark.parametrize("kind", [FIRST, SECOND], ids=["another question", "message 2"])
def test_guess_is_counted_when_it_comes_when_we_wait_for_message_4(kind: int) -> None:
    """Who has our message 3 knows the result, and may leave in any way."""
    guesses = Allowance(1, 0.1)
    initiator = alice(guesses=guesses)
    bring_to_message_4(initiator, 100)

    step = initiator.receive(Tlv(kind, b""), 100)

    assert [end.outcome for end in ended(step)] == [SmpOutcome.CHEATED]
    assert not guesses.has_left(109)
    assert guesses.has_left(110)


def ended(step: SmpStep) -> list[SmpEnded]:
    return [each for each in step.reports if isinstance(each, SmpEnded)]


# --- questions without end ------------------------------------------------------------


def test_question_is_refused_unread_when_16_came_at_once() -> None:
    smp = alice()
    first = first_message()
    for _ in range(16):
        smp.receive(first, 0)

    step = smp.receive(first, 0)

    aborted = SmpEnded(
        SmpOutcome.ABORTED, we_asked=False, had_question=False, fingerprint=BOB_FP
    )
    assert step == SmpStep((ABORT,), (aborted,))


@pytest.mark.parametrize(
    ("now", "is_asked"), [(9.9, False), (10, True)], ids=["too early", "in time"]
)
def test_question_is_heard_again_ten_seconds_after_too_many(
    now: float, is_asked: bool
) -> None:
    smp = alice()
    first = first_message()
    for _ in range(16):
        smp.receive(first, 0)

    step = smp.receive(first, now)

    assert [isinstance(each, SmpAsked) for each in step.reports] == [is_asked]


def test_guess_is_counted_when_too_many_questions_come_before_message_4() -> None:
    guesses = Allowance(1, 0.1)
    smp = alice(guesses=guesses)
    first = first_message()
    for _ in range(16):
        smp.receive(first, 100)
    bring_to_message_4(smp, 100)

    step = smp.receive(first, 100)

    assert [end.outcome for end in ended(step)] == [SmpOutcome.ABORTED]
    assert not guesses.has_left(109)
    assert guesses.has_left(110)


# --- whom it is about -----------------------------------------------------------------


def test_every_report_names_the_instance() -> None:
    initiator, responder = alice(), bob()

    (first,) = initiator.start("x", None, 0).replies
    asked = responder.receive(first, 0)
    (second,) = responder.answer("x", 0).replies
    answered = initiator.receive(second, 0)
    told_responder = responder.receive(answered.replies[0], 0)
    told_initiator = initiator.receive(told_responder.replies[0], 0)

    assert [tag_of(step) for step in (asked, told_responder)] == [TAGS["alice"]] * 2
    assert [tag_of(step) for step in (answered, told_initiator)] == [TAGS["bob"]] * 2


def tag_of(step: SmpStep) -> int:
    (report,) = step.reports
    assert isinstance(report, SmpAsked | SmpAnswered | SmpEnded)
    return report.instance_tag


def test_secret_with_half_a_character_is_compared_with_a_question_mark() -> None:
    """Half of a surrogate pair has no UTF-8; a terminal's input can hold one."""
    initiator, responder = alice(), bob()
    (first,) = initiator.start("a\ud800", None, 0).replies
    responder.receive(first, 0)
    (second,) = responder.answer("a?", 0).replies
    (third,) = initiator.receive(second, 0).replies

    step = responder.receive(third, 0)

    assert [end.outcome for end in ended(step)] == [SmpOutcome.SUCCEEDED]
