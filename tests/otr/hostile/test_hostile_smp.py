"""The numbers of a comparison of secrets: none is believed, each is proved."""

from collections.abc import Callable

import pytest

from coykiosk.otr import (
    SmpAsked,
    SmpOutcome,
)
from coykiosk.otr.primitives import P, power
from coykiosk.otr.wire import Tlv, encode_data, encode_int
from tests.otr.hostile.forging_smp import (
    ABORT,
    ELEMENTS,
    EXPONENTS,
    FIELDS,
    HASHES,
    MESSAGE_1_WITH_QUESTION,
    G,
    Q,
    agreed,
    at,
    hashed,
    mpi,
    numbers_of,
    record,
)
from tests.otr.hostile.smp_runs import SECRET, WRONG, Run, ended, is_refusal, run_to
from tests.otr.wiring import recorded_key

ALICE_FP, BOB_FP = (recorded_key(name).fingerprint for name in ("alice", "bob"))

# --- the tools of this file work ----------------------------------------------------


@pytest.mark.parametrize("number", [2, 4], ids=["alice asks", "to the end"])
def test_hand_made_answers_are_taken_when_nothing_is_wrong(number: int) -> None:
    run = run_to(number)

    outputs = run.send(run.numbers)

    kinds = [type(output).__name__ for output in outputs]
    assert kinds == (["Inject", "SmpAnswered"] if number == 2 else ["SmpEnded"])
    assert all(end.outcome is SmpOutcome.SUCCEEDED for end in ended(outputs))


@pytest.mark.parametrize("number", [1, 3], ids=["mallory asks", "to the end"])
def test_hand_made_questions_are_taken_when_nothing_is_wrong(number: int) -> None:
    run = run_to(number)

    outputs = run.send(run.numbers)

    kinds = [type(output).__name__ for output in outputs]
    assert kinds == (["SmpAsked"] if number == 1 else ["Inject", "SmpEnded"])
    assert all(end.outcome is SmpOutcome.SUCCEEDED for end in ended(outputs))


# --- numbers ------------------------------------------------------------------------

OUTSIDE = {
    "0": 0,
    "1": 1,
    "p-1": P - 1,
    "p": P,
    "p+1": P + 1,
    "2^1536": 2**1536,
    "50 kB": 2 ** (8 * 50_000),
}
EXPONENTS_OUTSIDE = {"0": 0, "q": Q, "q+1": Q + 1, "p": P, "2q": 2 * Q}


def cases(names: dict[int, list[str]]) -> list[tuple[int, str]]:
    return [(number, name) for number in names for name in names[number]]


@pytest.mark.hostile("G33", "G9")
@pytest.mark.parametrize("value", OUTSIDE)
@pytest.mark.parametrize(("number", "name"), cases(ELEMENTS))
def test_element_out_of_the_group_ends_the_run(
    number: int, name: str, value: str
) -> None:
    run = run_to(number)
    run.numbers[at(number, name)] = OUTSIDE[value]

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("value", EXPONENTS_OUTSIDE)
@pytest.mark.parametrize(("number", "name"), cases(EXPONENTS))
def test_exponent_out_of_range_ends_the_run(number: int, name: str, value: str) -> None:
    """D and D + q pass the same proof, so that a message would have many forms."""
    run = run_to(number)
    run.numbers[at(number, name)] = EXPONENTS_OUTSIDE[value]

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize(("number", "name"), cases(EXPONENTS))
def test_exponent_with_q_added_ends_the_run_though_its_proof_holds(
    number: int, name: str
) -> None:
    run = run_to(number)
    run.numbers[at(number, name)] += Q

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("delta", [1, -1, 1 << 255, 1 << 256, 1 << 2000])
@pytest.mark.parametrize(("number", "name"), cases(HASHES))
def test_wrong_hash_ends_the_run(number: int, name: str, delta: int) -> None:
    run = run_to(number)
    position = at(number, name)
    run.numbers[position] = abs(run.numbers[position] + delta)

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize(
    ("number", "name"), [(n, name) for n in FIELDS for name in FIELDS[n]]
)
def test_each_number_is_covered_by_a_proof(number: int, name: str) -> None:
    """Every number, squared, is still in its range; only the proof tells."""
    run = run_to(number)
    position = at(number, name)
    modulus = Q if name.startswith("D") else P
    run.numbers[position] = run.numbers[position] ** 2 % modulus

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33", "G9")
@pytest.mark.parametrize(
    "element", [0, 1, P - 1, P, P + 1], ids=["0", "1", "p-1", "p", "p+1"]
)
@pytest.mark.parametrize("name", ["g2", "g3"])
def test_degenerate_generator_is_refused_though_its_proof_holds(
    name: str, element: int
) -> None:
    """With g2 or g3 fixed by one end, it could find the other's secret by trial."""
    run = run_to(1)
    position = at(1, name)
    version = 1 if name == "g2" else 2
    answer = 2
    while True:
        commitment = power(G, answer)
        if element % P == 0:
            commitment = 0
        c = hashed(version, commitment)
        if commitment == power(G, answer) * power(element, c) % P:
            break
        answer += 1
    run.numbers[position : position + 3] = [element, c, answer]

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("name", ["P", "Q"])
@pytest.mark.parametrize("number", [2, 3])
def test_hidden_secret_of_zero_is_refused_though_its_proof_holds(
    number: int, name: str
) -> None:
    """Zero times anything is zero, whatever is proved about it."""
    run = run_to(number)
    prover, names = run.mallory.prover, FIELDS[number]
    numbers = dict(zip(names, run.numbers, strict=True))
    r5, r6 = 12345, 67890
    left = 0 if name == "P" else power(prover.g3, r5)
    right = 0 if name == "Q" else power(G, r5) * power(prover.g2, r6) % P
    c = hashed(5 if number == 2 else 6, left, right)
    numbers |= {
        name: 0,
        "cP": c,
        "D5": (r5 - prover.r4 * c) % Q,
        "D6": (r6 - prover.secret * c) % Q,
    }

    assert is_refusal(run, run.send([numbers[each] for each in names]))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("name", ["P", "Q"])
def test_hidden_secret_that_is_ours_sent_back_is_refused(name: str) -> None:
    """Pa/Pb or Qa/Qb would be 1, and the result no result."""
    mallory = agreed()
    mallory.ask()
    (second,) = mallory.hear(mallory.alice.smp_answer(SECRET, 0))
    alices = dict(zip(FIELDS[2], numbers_of(second), strict=True))
    numbers = mallory.message_3(numbers_of(second), "wrong")
    numbers[at(3, name)] = alices[name]

    run = Run(mallory, 3, numbers)

    assert is_refusal(run, run.send(numbers))


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("value", [1, 0, P - 1], ids=["1", "0", "p-1"])
@pytest.mark.parametrize("number", [3, 4])
def test_last_element_of_its_own_choice_wins_nothing(number: int, value: int) -> None:
    """R decides; a wrong secret with an R that would fit must fail all the same."""
    run = run_to(number, secret=WRONG)
    run.numbers[at(number, "R")] = value

    outputs = run.send(run.numbers)

    assert is_refusal(run, outputs)


@pytest.mark.hostile("G33")
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_element_outside_the_subgroup_ends_the_run(number: int) -> None:
    """-g^a is in range; raised to a secret power it would tell one bit of it."""
    run = run_to(number)
    name = ELEMENTS[number][0]
    run.numbers[at(number, name)] = P - run.numbers[at(number, name)]

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33")
def test_negative_generator_is_refused_though_its_proof_holds() -> None:
    """With an even hash the proof for g^a is a proof for -g^a as well."""
    run = run_to(1)
    exponent, blinding = 987654321, 2
    while hashed(1, power(G, blinding)) % 2:
        blinding += 1
    c = hashed(1, power(G, blinding))
    answer = (blinding - exponent * c) % Q
    element = P - power(G, exponent)
    assert power(G, answer) * power(element, c) % P == power(G, blinding)
    run.numbers[:3] = [element, c, answer]

    assert is_refusal(run, run.send(run.numbers))


# --- replayed proofs ----------------------------------------------------------------


@pytest.mark.hostile("G33", "G12")
def test_proofs_of_our_first_message_are_none_in_the_second() -> None:
    """Each place has a version byte of its own, so a mirror is no answer."""
    mallory = agreed()
    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0))
    ours = numbers_of(first)
    honest = mallory.message_2(ours, SECRET)

    run = Run(mallory, 2, ours + honest[6:])

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33", "G12")
def test_proofs_of_our_second_message_are_none_in_the_third() -> None:
    mallory = agreed()
    mallory.ask()
    (second,) = mallory.hear(mallory.alice.smp_answer(SECRET, 0))
    ours = numbers_of(second)
    honest = mallory.message_3(ours, "wrong")

    run = Run(mallory, 3, ours[6:] + honest[5:])

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33", "G12")
def test_proof_of_our_third_message_is_none_in_the_fourth() -> None:
    """Mallory does not know the secret and sends Alice's own R back."""
    mallory = agreed()
    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0))
    second = mallory.message_2(numbers_of(first), "wrong")
    (third,) = mallory.hear(mallory.say(record(2, second)))

    run = Run(mallory, 4, numbers_of(third)[5:])

    assert is_refusal(run, run.send(run.numbers))


@pytest.mark.hostile("G33", "G12")
@pytest.mark.parametrize("question", [None, b"our own question"])
def test_our_own_first_message_sent_back_is_refused(question: bytes | None) -> None:
    """While we wait for message 2, a message 1 is out of turn, ours above all."""
    mallory = agreed()
    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 0))

    run = Run(mallory, 2, [])
    outputs = mallory.say(record(1, numbers_of(first), question=question))

    assert is_refusal(run, outputs)


@pytest.mark.hostile("G33", "G36")
@pytest.mark.parametrize("number", [2, 4])
def test_answer_of_an_earlier_run_is_refused_in_the_next(number: int) -> None:
    old = run_to(number)
    mallory = old.mallory
    old.send(old.numbers)
    (first,) = mallory.hear(mallory.alice.smp_start(SECRET, 1))[-1:]
    run = Run(mallory, number, old.numbers)
    if number == 4:
        mallory.hear(mallory.say(record(2, mallory.message_2(numbers_of(first), "x"))))

    assert is_refusal(run, run.send(old.numbers))


# --- the shape of a message ---------------------------------------------------------


def shapes() -> dict[str, Callable[[bytes], bytes]]:
    def cut(length: int) -> Callable[[bytes], bytes]:
        return lambda value: value[:length]

    def with_count(change: Callable[[int], int]) -> Callable[[bytes], bytes]:
        return lambda value: (
            encode_int(change(int.from_bytes(value[:4], "big"))) + value[4:]
        )

    return {
        "empty": cut(0),
        "half a count": cut(3),
        "count only": cut(4),
        "first length only": cut(8),
        "one byte short": cut(-1),
        "one number short": lambda value: value[: value.rindex(encode_int(192))],
        "one byte more": lambda value: value + b"\0",
        "one number more": lambda value: value + mpi(5),
        "counted one more": lambda value: (
            with_count(lambda count: count + 1)(value) + mpi(5)
        ),
        "count 0": with_count(lambda count: 0),
        "count 1": with_count(lambda count: 1),
        "count one less": with_count(lambda count: count - 1),
        "count one more": with_count(lambda count: count + 1),
        "count 2^31": with_count(lambda count: 2**31),
        "count 2^32-1": with_count(lambda count: 2**32 - 1),
        "leading zero": lambda value: (
            value[:4]
            + encode_data(b"\0" + value[8 : 8 + int.from_bytes(value[4:8], "big")])
            + value[8 + int.from_bytes(value[4:8], "big") :]
        ),
        "length 2^32-1": lambda value: value[:4] + b"\xff" * 4 + value[8:],
        "length 2^31": lambda value: value[:4] + b"\x80\0\0\0" + value[8:],
        "all zeros": lambda value: bytes(len(value)),
        "all ones": lambda value: b"\xff" * len(value),
    }


SHAPES = shapes()


@pytest.mark.hostile("G2", "G3", "G5", "G8", "G33")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_misshapen_message_ends_the_run(number: int, shape: str) -> None:
    run = run_to(number)
    right = record(number, run.numbers)
    misshapen = SHAPES[shape](right.value)
    assert misshapen != right.value

    outputs = run.mallory.say(Tlv(right.type, misshapen))

    assert is_refusal(run, outputs)


@pytest.mark.hostile("G33", "G8")
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"question without an end",
        b"\xff" * 100,
        b"x" * 60_000,
        b"who?\0",
        b"who?\0\0\0",
        b"\0",
        b"\0\0\0\0\6",
    ],
    ids=[
        "empty",
        "no NUL",
        "no UTF-8",
        "60 kB without NUL",
        "no numbers",
        "half a count",
        "NUL only",
        "count only",
    ],
)
def test_misshapen_question_asks_nobody(value: bytes) -> None:
    mallory = agreed()

    outputs = mallory.say(Tlv(MESSAGE_1_WITH_QUESTION, value))

    assert not any(isinstance(output, SmpAsked) for output in outputs)
    assert [tlv.type for tlv in mallory.hear(outputs)] == [ABORT]


@pytest.mark.hostile("G7", "G33", "G34", "G37")
@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"where did we meet?", "where did we meet?"),
        (b"", ""),
        ("naïve ☃?".encode(), "naïve ☃?"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"%s%n {0.__class__}", "%s%n {0.__class__}"),
        (b"<b>hi</b><script>", "<b>hi</b><script>"),
        ("\u202egnp.exe\x1b[2J".encode(), "\u202egnp.exe\x1b[2J"),
        (b"?OTRv3?", "?OTRv3?"),
        (b"x" * 4096, "x" * 4096),
    ],
    ids=[
        "plain",
        "empty",
        "UTF-8",
        "not",
        "format",
        "HTML",
        "bidi",
        "query",
        "longest",
    ],
)
def test_question_is_handed_out_as_the_peers_words(raw: bytes, shown: str) -> None:
    """Raw, in an event of its own: no text of a chat, and no words of ours."""
    mallory = agreed()

    outputs = mallory.ask(raw)

    (asked,) = outputs
    assert isinstance(asked, SmpAsked)
    assert asked.question == shown
    assert asked.fingerprint == BOB_FP
