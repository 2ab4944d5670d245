"""Comparing secrets with a peer who cheats: out of turn, again, late, or by guessing."""

import hashlib

import pytest

from coykiosk.otr import (
    EndedByPeer,
    LocalError,
    MessageState,
    Output,
    PrivateKey,
    Received,
    Secured,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
)
from coykiosk.otr.wire import Tlv
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.forging_smp import (
    ABORT,
    EXTRA_KEY,
    MESSAGE_1,
    MESSAGE_1_WITH_QUESTION,
    MESSAGE_2,
    MESSAGE_3,
    MESSAGE_4,
    Mallory,
    agreed,
    numbers_of,
    record,
)
from tests.otr.hostile.smp_runs import (
    EXPECTED,
    FAILURES,
    SECRET,
    STATES,
    Run,
    any_message,
    ended,
    in_state,
    is_refusal,
    outcomes,
    run_to,
)
from tests.otr.hostile.watching import standing
from tests.otr.wiring import Pair, recorded_key, text_of

ALICE_FP, BOB_FP = (recorded_key(name).fingerprint for name in ("alice", "bob"))

# --- the state -------------------------------------------------------------------


@pytest.mark.hostile("G33")
@pytest.mark.parametrize(
    ("state", "number"),
    [(state, n) for state in STATES for n in (1, 2, 3, 4) if n != EXPECTED[state]],
)
def test_message_out_of_turn_ends_the_run(state: str, number: int) -> None:
    mallory = in_state(state)
    run = Run(mallory, 1 if state == "idle" else 2, [])

    outputs = mallory.say(any_message(number))

    assert is_refusal(run, outputs)


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("number", [2, 3, 4])
def test_message_that_comes_twice_counts_once(number: int) -> None:
    run = run_to(number)
    first = run.send(run.numbers)
    run.mallory.hear(first)

    second = run.send(run.numbers)

    after_the_end = Run(run.mallory, 1 if number != 2 else 2, [])
    assert is_refusal(after_the_end, second)
    assert not any(end.vouches for end in ended(second))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("value", [b"", b"words", bytes(60_000)], ids=len)
def test_abort_ends_the_run_and_is_never_answered(state: str, value: bytes) -> None:
    """Two ends that answer each other's aborts never stop."""
    mallory = in_state(state)

    outputs = mallory.say(Tlv(ABORT, value))

    assert len(outputs) == (state != "idle")
    assert set(outcomes(outputs)) <= {SmpOutcome.ABORTED, SmpOutcome.FAILED}
    assert mallory.say(Tlv(ABORT, value)) == []


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("number", [2, 3, 4])
def test_message_after_an_abort_is_out_of_turn(number: int) -> None:
    run = run_to(number)
    run.mallory.say(Tlv(ABORT, b""))

    outputs = run.send(run.numbers)

    assert is_refusal(Run(run.mallory, 1, []), outputs)


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("state", STATES)
def test_honest_run_succeeds_after_a_cheated_one(state: str) -> None:
    mallory = in_state(state)
    mallory.hear(mallory.say(Tlv(MESSAGE_3, b"garbage")))
    mallory.say(Tlv(ABORT, b""))

    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 1))
    second = mallory.message_2(numbers_of(first), SECRET)
    (third,) = mallory.hear(mallory.say(record(2, second)))
    outputs = mallory.say(record(4, mallory.message_4(numbers_of(third))))

    assert outcomes(outputs) == [SmpOutcome.SUCCEEDED]


@pytest.mark.hostile("G33", "G30")
def test_whole_run_in_one_message_succeeds_at_nothing() -> None:
    """Messages 1, 3, 2, 4 at once: nobody was asked in between."""
    mallory = agreed()
    records = [any_message(number) for number in (1, 3, 2, 4)]

    outputs = mallory.say(*records)

    assert not any(end.outcome is SmpOutcome.SUCCEEDED for end in ended(outputs))
    assert len([each for each in outputs if isinstance(each, SmpAsked)]) == 1


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("secret", ["", "\0" * 0])
@pytest.mark.parametrize("operation", ["start", "answer"])
def test_empty_secret_is_refused_and_leaves_the_run_alone(
    operation: str, secret: str
) -> None:
    mallory = agreed()
    mallory.ask()
    act = mallory.alice.smp_start if operation == "start" else mallory.alice.smp_answer

    with pytest.raises(LocalError):
        act(secret, 0)

    (second,) = mallory.hear(mallory.alice.smp_answer(SECRET, 0))
    assert second.type == MESSAGE_2


@pytest.mark.hostile("G33")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("secret", "Secret"),
        ("secret", "secret "),
        ("secret", " secret"),
        ("secret", "secre"),
        ("secret", "secret\0"),
        ("secret", "secret\u200b"),
        ("café", "cafe\u0301"),
        ("a", "b"),
        ("1", "01"),
    ],
    ids=ascii,
)
def test_secrets_that_differ_by_anything_are_different(ours: str, theirs: str) -> None:
    mallory = agreed()
    (first,) = mallory.hear(mallory.alice.smp_start(ours, 0))
    second = mallory.message_2(numbers_of(first), theirs)
    (third,) = mallory.hear(mallory.say(record(2, second)))

    outputs = mallory.say(record(4, mallory.message_4(numbers_of(third))))

    assert outcomes(outputs) == [SmpOutcome.FAILED]


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("question", ["x" * 4097, "☃" * 1366, "x" * 100_000], ids=len)
def test_question_of_ours_that_is_too_long_is_refused(question: str) -> None:
    mallory = agreed()

    with pytest.raises(LocalError):
        mallory.alice.smp_start(SECRET, 0, question=question)


@pytest.mark.hostile("G33", "G26")
def test_nul_in_a_question_of_ours_does_not_cut_the_message() -> None:
    mallory = agreed()

    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0, question="who\0 is it"))

    assert first.type == MESSAGE_1_WITH_QUESTION
    assert first.value.startswith(b"who is it\0\0\0\0\6")


# --- guessing -----------------------------------------------------------------------


def guess(mallory: Mallory, word: str, now: float) -> list[Output]:
    """Mallory asks, Alice answers, and Mallory learns whether the word was right."""
    mallory.now = now
    mallory.ask()
    (second,) = mallory.hear(mallory.alice.smp_answer(SECRET, now))
    outputs = mallory.say(record(3, mallory.message_3(numbers_of(second), word)))
    mallory.hear(outputs)
    return outputs


@pytest.mark.hostile("G34")
def test_one_run_tells_one_guess() -> None:
    """After message 4, a second message 3 for the same run is out of turn."""
    mallory = agreed()
    mallory.ask()
    (second,) = mallory.hear(mallory.alice.smp_answer(SECRET, 0))
    wrong = mallory.message_3(numbers_of(second), "wrong")
    right = mallory.message_3(numbers_of(second), SECRET)

    first = mallory.say(record(3, wrong))
    mallory.hear(first)
    second_try = mallory.say(record(3, right))

    assert outcomes(first) == [SmpOutcome.FAILED]
    assert is_refusal(Run(mallory, 1, []), second_try)


@pytest.mark.hostile("G34")
def test_guesses_are_few() -> None:
    mallory = agreed()
    words = [f"guess {n}" for n in range(5)]
    failed = [outcomes(guess(mallory, word, 0)) for word in words]
    mallory.ask()

    with pytest.raises(LocalError, match="too many"):
        mallory.alice.smp_answer(SECRET, 0)
    with pytest.raises(LocalError, match="too many"):
        mallory.alice.smp_start(SECRET, 0)

    assert failed == [[SmpOutcome.FAILED]] * 5


@pytest.mark.hostile("G34")
@pytest.mark.parametrize("renewal", ["re-key", "end", "new key"])
def test_guesses_stay_few_when_the_session_is_renewed(renewal: str) -> None:
    mallory = agreed()
    for n in range(5):
        guess(mallory, f"guess {n}", 0)
    pair = mallory.pair
    if renewal == "end":
        mallory.say(Tlv(1, b""))
        pair.bob.end(0)
    if renewal != "new key":
        pair.carry(pair.bob, pair.bob.ask(1))
        assert pair.alice.message_state is MessageState.ENCRYPTED
    else:
        stranger = ForgedBob(pair.alice)
        stranger.send_commit()
        pair.alice.receive(text_of(stranger.reveal_sig(key=PrivateKey.generate())), 1)

    with pytest.raises(LocalError, match="too many"):
        pair.alice.smp_start(SECRET, 1)


@pytest.mark.hostile("G34")
def test_run_left_after_our_third_message_counts_as_a_guess() -> None:
    """Who has it can work out whether the guess was right, and say nothing."""
    mallory = agreed()
    for _ in range(5):
        (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0))
        second = mallory.message_2(numbers_of(first), "guess")
        mallory.hear(mallory.say(record(2, second)))
        mallory.say(Tlv(ABORT, b""))

    with pytest.raises(LocalError, match="too many"):
        mallory.alice.smp_start(SECRET, 0)


@pytest.mark.hostile("G34")
def test_success_and_early_aborts_use_no_guess_up() -> None:
    mallory = agreed()
    for _ in range(8):
        assert outcomes(guess(mallory, SECRET, 0)) == [SmpOutcome.SUCCEEDED]
        mallory.ask()
        mallory.say(Tlv(ABORT, b""))
    mallory.now = 1000.0

    outputs = guess(mallory, SECRET, 1000.0)

    assert outcomes(outputs) == [SmpOutcome.SUCCEEDED]


@pytest.mark.hostile("G34", "G18")
def test_flood_of_questions_is_verified_a_bounded_number_of_times() -> None:
    mallory = agreed()
    first = record(1, mallory.message_1())

    outputs = [mallory.say(first) for _ in range(100)]

    asked = [
        each for output in outputs for each in output if isinstance(each, SmpAsked)
    ]
    assert len(asked) == 16


# --- what a result is worth ---------------------------------------------------------


@pytest.mark.hostile("G35")
@pytest.mark.parametrize(
    ("number", "secret", "question", "vouches"),
    [
        (4, SECRET, None, True),
        (4, SECRET, "ours?", True),
        (3, SECRET, None, True),
        (3, SECRET, "theirs?", False),
        (4, "wrong", None, False),
        (4, "wrong", "ours?", False),
        (3, "wrong", None, False),
        (3, "wrong", "theirs?", False),
    ],
)
def test_only_a_success_that_the_peer_did_not_frame_vouches(
    number: int, secret: str, question: str | None, vouches: bool
) -> None:
    """With a question of the peer's choice we proved ourselves, and learnt nothing."""
    run = run_to(number, secret=secret, question=question)

    outputs = run.send(run.numbers)

    (end,) = ended(outputs)
    assert end.vouches is vouches
    assert end.we_asked is (number == 4)
    assert end.had_question is (question is not None)
    assert end.fingerprint == BOB_FP


@pytest.mark.hostile("G35")
@pytest.mark.parametrize("outcome", sorted(FAILURES, key=str))
@pytest.mark.parametrize("we_asked", [False, True])
@pytest.mark.parametrize("had_question", [False, True])
def test_nothing_but_success_vouches(
    had_question: bool, we_asked: bool, outcome: SmpOutcome
) -> None:
    end = SmpEnded(outcome, we_asked, had_question, BOB_FP)

    assert not end.vouches


@pytest.mark.hostile("G35")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["same", "other"])
def test_new_exchange_ends_the_run_before_it_is_reported(key: str, state: str) -> None:
    """Else the result of one key's run would be taken for another key's."""
    mallory = in_state(state)
    bob = ForgedBob(mallory.alice)
    bob.send_commit()
    signer = recorded_key("bob") if key == "same" else PrivateKey.generate()

    outputs = mallory.alice.receive(text_of(bob.reveal_sig(key=signer)), 0)

    kinds = [type(output) for output in outputs[1:]]
    assert kinds == ([] if state == "idle" else [SmpEnded]) + [Secured]
    assert outcomes(outputs) == ([] if state == "idle" else [SmpOutcome.ABORTED])
    assert all(end.fingerprint == BOB_FP for end in ended(outputs))


@pytest.mark.hostile("G35")
@pytest.mark.parametrize("number", [2, 3, 4])
def test_run_of_the_old_session_cannot_be_finished_in_the_new(number: int) -> None:
    run = run_to(number)
    run.mallory.pair.agree()

    outputs = run.send(run.numbers)

    assert is_refusal(Run(run.mallory, 1, []), outputs)


@pytest.mark.hostile("G36")
@pytest.mark.parametrize("part", ["ssid", "alice's key", "bob's key", "roles"])
def test_same_secret_is_unequal_when_the_session_is_not_the_same(part: str) -> None:
    """Somebody between passes the numbers on: two sessions, two keys, no success."""
    mallory = agreed()
    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0))
    ssid = mallory.alice.ssid
    assert ssid is not None
    asker, answerer = ALICE_FP, BOB_FP
    if part == "ssid":
        ssid = bytes(8)
    if part == "alice's key":
        asker = bytes(20)
    if part == "bob's key":
        answerer = bytes(20)
    if part == "roles":
        asker, answerer = answerer, asker
    second = _message_2_with(mallory, numbers_of(first), asker + answerer + ssid)
    (third,) = mallory.hear(mallory.say(record(2, second)))

    outputs = mallory.say(record(4, mallory.message_4(numbers_of(third))))

    assert outcomes(outputs) == [SmpOutcome.FAILED]


def _message_2_with(mallory: Mallory, first: list[int], bound: bytes) -> list[int]:
    numbers = mallory.message_2(first, SECRET)
    digest = hashlib.sha256(b"\1" + bound + SECRET.encode()).digest()
    mallory.prover.secret = int.from_bytes(digest, "big")
    return numbers[:6] + mallory.prover.coordinates(5)


@pytest.mark.hostile("G36")
def test_two_people_with_somebody_between_them_do_not_succeed() -> None:
    """Alice and Bob both type the same; Mallory, with two sessions, relays."""
    to_alice, to_bob = Mallory(Pair(), seed="x"), Mallory(Pair(bob_seed="b2"), seed="y")
    to_alice.pair.agree()
    to_bob.pair.agree()
    assert to_alice.alice.ssid != to_bob.alice.ssid
    (first,) = to_alice.hear(to_alice.alice.smp_start(SECRET, 0))
    to_bob.say(first)
    (second,) = to_bob.hear(to_bob.alice.smp_answer(SECRET, 0))
    (third,) = to_alice.hear(to_alice.say(second))

    at_bob = to_bob.say(third)
    (fourth,) = to_bob.hear(at_bob)
    at_alice = to_alice.say(fourth)

    assert outcomes(at_bob) == [SmpOutcome.FAILED]
    assert outcomes(at_alice) == [SmpOutcome.FAILED]


# --- after the end ------------------------------------------------------------------


@pytest.mark.hostile("G41")
@pytest.mark.parametrize("how", ["they end", "we end", "re-key", "new key", "abort"])
def test_answer_that_comes_too_late_is_refused(how: str) -> None:
    """The question is still on the screen; what it belonged to is gone."""
    mallory = agreed()
    mallory.ask(b"who am I?")
    if how == "they end":
        outputs = mallory.say(Tlv(1, b""))
        assert outputs[-1] == EndedByPeer()
    elif how == "we end":
        mallory.alice.end(0)
    elif how == "abort":
        mallory.say(Tlv(ABORT, b""))
    elif how == "re-key":
        mallory.pair.agree()
    else:
        bob = ForgedBob(mallory.alice)
        bob.send_commit()
        mallory.alice.receive(text_of(bob.reveal_sig(key=PrivateKey.generate())), 0)
    session = standing(mallory.alice)

    with pytest.raises(LocalError):
        mallory.alice.smp_answer(SECRET, 0)

    assert standing(mallory.alice) == session


@pytest.mark.hostile("G41")
@pytest.mark.parametrize("instance_tag", [0, 1, 0x100, 0x5000, 2**32])
def test_answer_to_an_instance_that_is_gone_is_refused(instance_tag: int) -> None:
    mallory = agreed()
    mallory.ask()

    with pytest.raises(LocalError):
        mallory.alice.smp_answer(SECRET, 0, instance_tag=instance_tag)


@pytest.mark.hostile("G40", "G41")
@pytest.mark.parametrize("state", ["awaiting 2", "awaiting 3", "awaiting 4"])
@pytest.mark.parametrize("how", ["they end", "we end", "re-key", "abort", "cheat"])
def test_exponents_of_a_run_are_overwritten_when_it_is_over(
    how: str, state: str
) -> None:
    mallory = in_state(state)
    (engine,) = mallory.alice._engines
    assert engine._session is not None
    smp_state = engine._session.smp._state
    exponents = [
        getattr(smp_state, name)
        for name in ("a2", "a3", "b3", "secret")
        if hasattr(smp_state, name)
    ]
    assert all(any(exponent._bytes) for exponent in exponents)

    if how == "they end":
        mallory.say(Tlv(1, b""))
    if how == "we end":
        mallory.alice.end(0)
    if how == "re-key":
        mallory.pair.agree()
    if how == "abort":
        mallory.say(Tlv(ABORT, b""))
    if how == "cheat":
        mallory.say(Tlv(MESSAGE_4, b""))

    assert exponents
    assert not any(any(exponent._bytes) for exponent in exponents)


@pytest.mark.hostile("G30", "G33")
def test_text_beside_a_cheat_is_still_read() -> None:
    mallory = agreed()

    outputs = mallory.say(
        Tlv(MESSAGE_1, b""), Tlv(EXTRA_KEY, b"\0\0\0\1"), text=b"hello"
    )

    assert outputs[0] == Received("hello", BOB_FP)
