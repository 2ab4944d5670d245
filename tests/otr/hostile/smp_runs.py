"""Comparisons of secrets, brought to any moment, and how one is seen to be refused."""

import copy
import dataclasses
import functools

from coykiosk.otr import (
    Output,
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
)
from coykiosk.otr.wire import Tlv
from tests.otr.hostile.forging_smp import (
    ABORT,
    Mallory,
    agreed,
    numbers_of,
    record,
)
from tests.otr.wiring import recorded_key

ALICE_FP, BOB_FP = (recorded_key(name).fingerprint for name in ("alice", "bob"))
SECRET = "the parcel is under the bridge"  # noqa: S105 # a test's own words
WRONG = "a wrong guess"
FAILURES = {SmpOutcome.FAILED, SmpOutcome.ABORTED, SmpOutcome.CHEATED}


@dataclasses.dataclass
class Run:
    """A comparison brought to where message `number` is Mallory's to send."""

    mallory: Mallory
    number: int
    numbers: list[int]
    """What an honest end would send now."""

    @property
    def is_running(self) -> bool:
        """Whether Alice, too, has a part in it yet."""
        return self.number != 1

    def send(self, numbers: list[int]) -> list[Output]:
        return self.mallory.say(record(self.number, numbers))


def run_to(number: int, *, secret: str = SECRET, question: str | None = None) -> Run:
    """Alice knows SECRET; Mallory plays with `secret`, honestly so far."""
    return copied(prepared(number, secret, question))


def copied(run: Run) -> Run:
    """A run of its own; only the long-term keys, which nothing changes, are shared."""
    pair = run.mallory.pair
    keys = (pair.alice._our_key, pair.bob._our_key)
    return copy.deepcopy(run, {id(key): key for key in keys})


@functools.cache
def prepared(number: int, secret: str, question: str | None) -> Run:
    mallory = agreed()
    alice = mallory.alice
    if number in {1, 3}:
        first = mallory.message_1()
        if number == 1:
            return Run(mallory, 1, first)
        words = None if question is None else question.encode()
        mallory.say(record(1, first, question=words))
        (second,) = mallory.hear(alice.smp_answer(SECRET, 0))
        return Run(mallory, 3, mallory.message_3(numbers_of(second), secret))
    (asked,) = mallory.hear(alice.smp_start(SECRET, 0, question=question))
    second_numbers = mallory.message_2(numbers_of(asked), secret)
    if number == 2:
        return Run(mallory, 2, second_numbers)
    (third,) = mallory.hear(mallory.say(record(2, second_numbers)))
    return Run(mallory, 4, mallory.message_4(numbers_of(third)))


def ended(outputs: list[Output]) -> list[SmpEnded]:
    return [output for output in outputs if isinstance(output, SmpEnded)]


def outcomes(outputs: list[Output]) -> list[SmpOutcome]:
    return [end.outcome for end in ended(outputs)]


def is_refusal(run: Run, outputs: list[Output]) -> bool:
    """Alice has left the run, told Mallory so, and nothing vouches for anything."""
    sent = [tlv.type for tlv in run.mallory.hear(outputs)]
    how = outcomes(outputs)
    return (
        sent == [ABORT]
        and len(how) == run.is_running
        and set(how) <= {SmpOutcome.ABORTED, SmpOutcome.CHEATED}
        and not any(end.vouches for end in ended(outputs))
        and not any(isinstance(each, SmpAsked | SmpAnswered) for each in outputs)
    )


def any_message(number: int) -> Tlv:
    """A well-formed message of this number; its proofs are of another run."""
    return record(number, prepared(number, SECRET, None).numbers)


STATES = ["idle", "asked", "awaiting 2", "awaiting 3", "awaiting 4"]
EXPECTED = {"idle": 1, "asked": 1, "awaiting 2": 2, "awaiting 3": 3, "awaiting 4": 4}


def in_state(state: str) -> Mallory:
    number = {"idle": 1, "asked": 1, "awaiting 2": 2, "awaiting 3": 3, "awaiting 4": 4}
    run = run_to(number[state])
    if state == "asked":
        run.send(run.numbers)
    return run.mallory
