"""Comparing secrets between two of our ends: the table, the person, the session."""

from collections.abc import Callable

import pytest

from coykiosk.otr import (
    EndedByPeer,
    ExtraKey,
    Inject,
    Instances,
    LocalError,
    Output,
    Secured,
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    TooManyGuessesError,
)
from coykiosk.otr.payload import MAX_EXTRA_DATA_BYTES
from coykiosk.otr.primitives import Exponent
from coykiosk.otr.smp import Smp
from coykiosk.otr.smp_messages import MAX_QUESTION_BYTES
from tests.otr.wiring import (
    TAGS,
    Pair,
    engine_of,
    injected,
    recorded_key,
    redrawable,
    told,
)

Act = Callable[[str], list[Output]]

ALICE_FP = recorded_key("alice").fingerprint
BOB_FP = recorded_key("bob").fingerprint


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.agree()
    return pair


def compare(pair: Pair, ours: str, theirs: str, question: str | None = None) -> None:
    """Alice asks, Bob answers."""
    pair.carry(pair.alice, pair.alice.smp_start(ours, pair.now, question=question))
    pair.carry(pair.bob, pair.bob.smp_answer(theirs, pair.now))


def ended(
    outcome: SmpOutcome, fingerprint: bytes, *, we_asked: bool, question: bool = False
) -> SmpEnded:
    return SmpEnded(outcome, we_asked, question, fingerprint)


def smp_of(end: Instances, tag: int) -> Smp:
    session = engine_of(end, tag)._session
    assert session is not None
    return session.smp


# --- how it ends --------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "outcome"),
    [("Kitty", SmpOutcome.SUCCEEDED), ("kitty", SmpOutcome.FAILED)],
    ids=["same", "another letter"],
)
def test_both_ends_learn_whether_the_secrets_are_the_same(
    pair: Pair, theirs: str, outcome: SmpOutcome
) -> None:
    compare(pair, "Kitty", theirs)

    assert pair.told[pair.alice] == [
        SmpAnswered(BOB_FP),
        ended(outcome, BOB_FP, we_asked=True),
    ]
    assert pair.told[pair.bob] == [
        SmpAsked(None, ALICE_FP),
        ended(outcome, ALICE_FP, we_asked=False),
    ]


def test_question_is_shown_to_the_other_end(pair: Pair) -> None:
    compare(pair, "blau", "blau", question="Welche Farbe? Привет")

    asked = pair.told[pair.bob][0]
    assert asked == SmpAsked("Welche Farbe? Привет", ALICE_FP)


@pytest.mark.parametrize(
    ("outcome", "we_asked", "question", "vouches"),
    [
        (SmpOutcome.SUCCEEDED, True, False, True),
        (SmpOutcome.SUCCEEDED, True, True, True),
        (SmpOutcome.SUCCEEDED, False, False, True),
        (SmpOutcome.SUCCEEDED, False, True, False),
        (SmpOutcome.FAILED, True, False, False),
        (SmpOutcome.ABORTED, True, False, False),
        (SmpOutcome.CHEATED, True, False, False),
    ],
)
def test_only_a_success_vouches_and_not_for_who_merely_asked_a_question(
    outcome: SmpOutcome, we_asked: bool, question: bool, vouches: bool
) -> None:
    assert SmpEnded(outcome, we_asked, question, BOB_FP).vouches is vouches


def test_second_comparison_works_in_the_other_direction(pair: Pair) -> None:
    compare(pair, "one", "one")
    pair.forget_told()

    pair.carry(pair.bob, pair.bob.smp_start("two", 0))
    pair.carry(pair.alice, pair.alice.smp_answer("two", 0))

    assert ended(SmpOutcome.SUCCEEDED, ALICE_FP, we_asked=True) in pair.told[pair.bob]
    assert ended(SmpOutcome.SUCCEEDED, BOB_FP, we_asked=False) in pair.told[pair.alice]


def test_comparison_ends_differently_in_each_session_of_the_same_keys(
    pair: Pair,
) -> None:
    """Somebody in between has two sessions, and cannot pass one on to the other."""
    first = injected(pair.alice.smp_start("same", 0))
    pair.agree()

    answers = pair.bob.receive(first[0], 0)

    assert not [each for each in answers if isinstance(each, SmpAsked)]


# --- leaving it ---------------------------------------------------------------


def test_person_who_is_asked_may_refuse(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))
    pair.forget_told()

    pair.carry(pair.bob, pair.bob.smp_abort(0))

    assert pair.told[pair.alice] == [ended(SmpOutcome.ABORTED, BOB_FP, we_asked=True)]
    assert pair.told[pair.bob] == [ended(SmpOutcome.ABORTED, ALICE_FP, we_asked=False)]


def test_person_who_asked_may_give_up(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0, question="?"))
    pair.forget_told()

    pair.carry(pair.alice, pair.alice.smp_abort(0))

    assert pair.told[pair.bob] == [
        ended(SmpOutcome.ABORTED, ALICE_FP, we_asked=False, question=True)
    ]
    with pytest.raises(LocalError, match="nobody asks"):
        pair.bob.smp_answer("x", 0)


def test_abort_says_nothing_when_nothing_is_under_way(pair: Pair) -> None:
    assert pair.alice.smp_abort(0) == []


def test_new_start_aborts_the_one_before(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))
    pair.forget_told()

    pair.carry(pair.alice, pair.alice.smp_start("y", 0, question="again?"))

    assert pair.told[pair.alice] == [ended(SmpOutcome.ABORTED, BOB_FP, we_asked=True)]
    assert pair.told[pair.bob] == [
        ended(SmpOutcome.ABORTED, ALICE_FP, we_asked=False),
        SmpAsked("again?", ALICE_FP),
    ]


def test_second_asking_takes_the_place_of_the_first(pair: Pair) -> None:
    """As libotr does; a client that lost track may ask again without an abort."""
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))
    smp_of(pair.alice, TAGS["bob"]).close(0)
    pair.forget_told()

    compare(pair, "y", "y")

    assert pair.told[pair.bob] == [
        SmpAsked(None, ALICE_FP),
        ended(SmpOutcome.SUCCEEDED, ALICE_FP, we_asked=False),
    ]


def test_both_who_ask_at_once_are_aborted(pair: Pair) -> None:
    (from_alice,) = pair.alice.smp_start("x", 0)
    (from_bob,) = pair.bob.smp_start("x", 0)
    assert isinstance(from_alice, Inject)
    assert isinstance(from_bob, Inject)

    pair.carry(pair.bob, pair.bob.receive(from_alice.text, 0))
    pair.carry(pair.alice, pair.alice.receive(from_bob.text, 0))

    assert pair.told[pair.bob] == [ended(SmpOutcome.ABORTED, ALICE_FP, we_asked=True)]
    assert pair.told[pair.alice] == [ended(SmpOutcome.ABORTED, BOB_FP, we_asked=True)]


@pytest.mark.parametrize("asker", ["alice", "bob"])
def test_new_exchange_ends_a_comparison(pair: Pair, asker: str) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))
    pair.forget_told()
    end = pair.alice if asker == "alice" else pair.bob

    pair.carry(end, end.ask(0))

    kinds = [[type(output) for output in pair.told[each]] for each in pair.told]
    assert kinds == [[SmpEnded, Secured], [SmpEnded, Secured]]
    with pytest.raises(LocalError, match="nobody asks"):
        pair.bob.smp_answer("x", 0)


def test_end_of_the_session_ends_a_comparison_at_both_ends(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))
    pair.forget_told()

    pair.carry(pair.alice, pair.alice.end(0))

    aborted = ended(SmpOutcome.ABORTED, BOB_FP, we_asked=True)
    assert pair.told[pair.alice] == [aborted]
    assert pair.told[pair.bob] == [
        ended(SmpOutcome.ABORTED, ALICE_FP, we_asked=False),
        EndedByPeer(),
    ]


# --- what the person may not do -----------------------------------------------


@pytest.mark.parametrize("secret", ["", "x"])
def test_comparison_needs_a_session(secret: str) -> None:
    alice = Pair().alice

    with pytest.raises(LocalError, match="no such instance"):
        alice.smp_start(secret, 0)


def test_comparison_needs_a_session_that_is_not_over(pair: Pair) -> None:
    pair.carry(pair.bob, pair.bob.end(0))

    for act in (
        lambda: pair.alice.smp_start("x", 0),
        lambda: pair.alice.smp_answer("x", 0),
        lambda: pair.alice.use_extra_key(1, 0),
    ):
        with pytest.raises(LocalError, match="finished"):
            act()


@pytest.mark.hostile("G41")
@pytest.mark.parametrize("tag", [None, 0x12345])
def test_abort_says_nothing_when_the_session_is_over(
    pair: Pair, tag: int | None
) -> None:
    pair.carry(pair.bob, pair.bob.end(0))

    assert pair.alice.smp_abort(0, instance_tag=tag) == []


def test_empty_secret_is_refused_and_changes_nothing(pair: Pair) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0))

    with pytest.raises(LocalError, match="empty secret"):
        pair.bob.smp_answer("", 0)
    with pytest.raises(LocalError, match="empty secret"):
        pair.alice.smp_start("", 0)

    pair.carry(pair.bob, pair.bob.smp_answer("x", 0))
    assert ended(SmpOutcome.SUCCEEDED, BOB_FP, we_asked=True) in pair.told[pair.alice]


@pytest.mark.parametrize(
    ("question", "fits"),
    [
        ("x" * MAX_QUESTION_BYTES, True),
        ("x" * (MAX_QUESTION_BYTES + 1), False),
        ("é" * (MAX_QUESTION_BYTES // 2), True),
        ("é" * (MAX_QUESTION_BYTES // 2 + 1), False),
    ],
    ids=["longest", "too long", "longest in two bytes", "too long in two bytes"],
)
def test_question_is_refused_when_it_is_too_long(
    pair: Pair, question: str, fits: bool
) -> None:
    if fits:
        pair.carry(pair.alice, pair.alice.smp_start("x", 0, question=question))
        assert pair.told[pair.bob] == [SmpAsked(question, ALICE_FP)]
    else:
        with pytest.raises(LocalError, match="question"):
            pair.alice.smp_start("x", 0, question=question)


@pytest.mark.parametrize(
    ("question", "arrives"),
    [("a\0b", "ab"), ("", None), ("\0", None), ("half \ud800", "half ?")],
    ids=["nul", "empty", "only nul", "half a character"],
)
def test_question_is_cleaned_of_what_cannot_be_sent(
    pair: Pair, question: str, arrives: str | None
) -> None:
    pair.carry(pair.alice, pair.alice.smp_start("x", 0, question=question))

    assert pair.told[pair.bob] == [SmpAsked(arrives, ALICE_FP)]


def test_failed_comparisons_run_out_and_come_back(pair: Pair) -> None:
    for guess in range(5):
        compare(pair, "right", f"wrong {guess}")

    with pytest.raises(TooManyGuessesError):
        pair.alice.smp_start("right", 599)
    pair.carry(pair.alice, pair.alice.smp_start("right", 600))
    pair.now = 600
    pair.carry(pair.bob, pair.bob.smp_answer("right", 600))

    assert ended(SmpOutcome.SUCCEEDED, BOB_FP, we_asked=True) in pair.told[pair.alice]


def test_failed_comparisons_count_over_new_sessions(pair: Pair) -> None:
    for guess in range(5):
        compare(pair, "right", f"wrong {guess}")
        pair.agree()
    pair.carry(pair.alice, pair.alice.ask(0))

    with pytest.raises(TooManyGuessesError):
        pair.alice.smp_start("right", 0)


def test_guess_counts_when_the_other_end_leaves_after_message_3(pair: Pair) -> None:
    """It can work out from message 3 whether it guessed right, and say nothing."""
    for _ in range(5):
        pair.carry(pair.alice, pair.alice.smp_start("right", 0))
        (second,) = injected(pair.bob.smp_answer("a guess", 0))
        pair.alice.receive(second, 0)
        smp_of(pair.bob, TAGS["alice"]).close(0)
        pair.agree()

    with pytest.raises(TooManyGuessesError):
        pair.alice.smp_start("right", 0)


def test_refusals_and_successes_do_not_count_as_guesses(pair: Pair) -> None:
    for _ in range(8):
        pair.carry(pair.alice, pair.alice.smp_start("right", 0))
        pair.carry(pair.bob, pair.bob.smp_abort(0))
    for _ in range(6):
        compare(pair, "right", "right")

    assert pair.told[pair.alice][-1] == ended(
        SmpOutcome.SUCCEEDED, BOB_FP, we_asked=True
    )


# --- devices ------------------------------------------------------------------


def test_comparison_is_with_the_device_that_asked() -> None:
    tags = {"desk": 0x101, "phone": 0x102}
    alice = Instances(recorded_key("alice"), TAGS["alice"], redrawable("alice"))
    devices = {
        name: Instances(recorded_key("bob"), tag, redrawable(name))
        for name, tag in tags.items()
    }
    for now, device in enumerate(devices.values()):
        carry(alice, device, device.ask(now), now)

    asked = carry(alice, devices["desk"], devices["desk"].smp_start("x", 5), 5)
    carry(alice, devices["phone"], devices["phone"].send("hello", 6), 6)
    answer = alice.smp_answer("x", 7, instance_tag=tags["desk"])
    (from_alice,) = injected(answer)
    outputs = devices["desk"].receive(from_alice, 7)

    assert [each.instance_tag for each in asked if isinstance(each, SmpAsked)] == [
        tags["desk"]
    ]
    assert alice.their_instance_tag == tags["phone"]
    assert SmpAnswered(ALICE_FP) in told(outputs)
    with pytest.raises(LocalError, match="no such instance"):
        alice.smp_answer("x", 7, instance_tag=0x103)


def carry(
    alice: Instances, device: Instances, outputs: list[Output], now: float
) -> list[Output]:
    """Carry between Alice and one device; returns what Alice was told."""
    alice_told: list[Output] = []
    to_alice = injected(outputs)
    while to_alice:
        answers = alice.receive(to_alice.pop(0), now)
        alice_told += told(answers)
        for text in injected(answers):
            to_alice += injected(device.receive(text, now))
    return alice_told


# --- secrets ------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 2, 3], ids=["asked", "answered", "almost done"])
def test_exponents_are_wiped_when_a_comparison_is_left(
    pair: Pair, n_steps: int
) -> None:
    ends = (pair.alice, TAGS["bob"]), (pair.bob, TAGS["alice"])
    steps: list[Act] = [
        lambda _: pair.alice.smp_start("x", 0),
        lambda text: [*pair.bob.receive(text, 0), *pair.bob.smp_answer("x", 0)],
        lambda text: pair.alice.receive(text, 0),
    ]
    text = ""
    for step in steps[:n_steps]:
        (text,) = injected(step(text))
    kept = [
        exponent
        for end, tag in ends
        for exponent in exponents_in(smp_of(end, tag)._state)
    ]
    assert kept
    assert all(any(exponent._bytes) for exponent in kept)

    for end, _ in ends:
        end.smp_abort(0)

    assert not any(any(exponent._bytes) for exponent in kept)


def exponents_in(state: object) -> list[Exponent]:
    values = [getattr(state, name) for name in getattr(state, "__slots__", ())]
    return [value for value in values if isinstance(value, Exponent)]


# --- the extra key ------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"file.txt", bytes(MAX_EXTRA_DATA_BYTES)])
def test_extra_key_is_the_same_at_both_ends(pair: Pair, data: bytes) -> None:
    key, outputs = pair.alice.use_extra_key(0x102, 0, data=data)
    pair.carry(pair.alice, outputs)

    assert len(key) == 32
    assert pair.told[pair.bob] == [ExtraKey(key, 0x102, data, ALICE_FP)]


def test_extra_key_differs_in_each_direction_of_a_turn(pair: Pair) -> None:
    first, outputs = pair.alice.use_extra_key(1, 0)
    pair.carry(pair.alice, outputs)
    second, outputs = pair.bob.use_extra_key(1, 0)
    pair.carry(pair.bob, outputs)

    assert first != second
    assert pair.told[pair.alice] == [ExtraKey(second, 1, b"", BOB_FP)]


@pytest.mark.parametrize(
    ("use", "n_bytes"),
    [(-1, 0), (1 << 32, 0), (1, MAX_EXTRA_DATA_BYTES + 1)],
    ids=["negative use", "use of 33 bits", "too much data"],
)
def test_extra_key_is_refused_when_it_does_not_fit(
    pair: Pair, use: int, n_bytes: int
) -> None:
    with pytest.raises(LocalError, match="extra key"):
        pair.alice.use_extra_key(use, 0, data=bytes(n_bytes))
