"""The inputs that fuzzing has found, played again; and that the fuzzer would notice.

A promise of the engine is broken on purpose, and the harness must say so: one that
never complains proves nothing.
"""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coykiosk.otr import (
    EndedByPeer,
    ErrorLine,
    Inject,
    Instances,
    Output,
    PlainReceived,
    Received,
    RemoteError,
    Secured,
    SmpEnded,
    SmpOutcome,
    framing,
    ratchet,
)
from tests.fuzz.checks import Broken
from tests.fuzz.engine import EngineTarget
from tests.fuzz.parser import READERS, read_anything
from tests.fuzz.program import Do, Program, Step
from tests.fuzz.targets import kept, seeds
from tests.otr.wiring import forget_what_was_taken

ALICE, BOB = 0, 1
MAX_ALLOCATED_BYTES = 128 * 1024
"""For an input of 257 bytes, tables of the readers' own included."""


@pytest.fixture(scope="module")
def engine_target() -> EngineTarget:
    return EngineTarget()


def _name(file: Path) -> str:
    return file.name


@pytest.mark.parametrize("file", kept("parser"), ids=_name)
def test_parser_takes_what_fuzzing_has_found(file: Path) -> None:
    data = file.read_bytes()

    read_anything(data)


@pytest.mark.parametrize("data", seeds("parser"), ids=lambda data: f"reader-{data[0]}")
def test_parser_takes_inputs_made_by_hand(data: bytes) -> None:
    read_anything(data)


@pytest.mark.parametrize("file", kept("engine"), ids=_name)
def test_engine_keeps_its_promises_in_what_fuzzing_has_found(
    file: Path, engine_target: EngineTarget
) -> None:
    data = file.read_bytes()

    engine_target.run(data)


@pytest.mark.parametrize("data", seeds("engine"), ids=lambda data: f"ending-{data[1]}")
def test_engine_keeps_its_promises_in_stories_made_by_hand(
    data: bytes, engine_target: EngineTarget
) -> None:
    engine_target.run(data)


@pytest.mark.parametrize("declared", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
@pytest.mark.parametrize("reader", range(len(READERS)))
def test_reader_allocates_nothing_for_what_is_only_declared(
    reader: int, declared: bytes
) -> None:
    data = bytes((reader,)) + declared * 64
    read_anything(data)  # so that what is made once is there

    tracemalloc.start()
    read_anything(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < MAX_ALLOCATED_BYTES


def _forgets_the_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratchet, "check_equal", lambda *_: None)


def _tells(
    change: Callable[[Output], Output],
) -> Callable[[pytest.MonkeyPatch], None]:
    """An engine whose outputs are others."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        rightly = Instances.receive

        def receive(self: Instances, text: str, now: float) -> list[Output]:
            return [change(output) for output in rightly(self, text, now)]

        monkeypatch.setattr(Instances, "receive", receive)

    return patch


def _of_another(output: Output) -> Output:
    if isinstance(output, Received):
        return replace(output, fingerprint=bytes(20))
    return output


def _altered(output: Output) -> Output:
    if isinstance(output, Received):
        return replace(output, text=output.text + "!")
    return output


def _promoted(output: Output) -> Output:
    if isinstance(output, PlainReceived):
        return Received(output.text, bytes(20))
    return output


def _ended(output: Output) -> Output:
    return EndedByPeer() if isinstance(output, ErrorLine) else output


def _successful(output: Output) -> Output:
    if isinstance(output, SmpEnded):
        return replace(output, outcome=SmpOutcome.SUCCEEDED)
    return output


def _unchanged(output: Output) -> Output:
    return replace(output, refreshed=True) if isinstance(output, Secured) else output


def _misnamed(output: Output) -> Output:
    if isinstance(output, Secured):
        return replace(output, fingerprint=bytes(20))
    return output


def _sends_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Instances, "send", lambda _self, text, _now, **_: [Inject(text)]
    )


def _obeys_error_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    rightly = Instances.receive

    def receive(self: Instances, text: str, now: float) -> list[Output]:
        outputs = rightly(self, text, now)
        if any(isinstance(output, ErrorLine) for output in outputs):
            self._engines.clear()
        return outputs

    monkeypatch.setattr(Instances, "receive", receive)


def _answers_error_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    rightly = Instances.receive

    def receive(self: Instances, text: str, now: float) -> list[Output]:
        outputs = rightly(self, text, now)
        line = Inject("?OTR Error: a message of yours could not be read")
        told = any(isinstance(output, ErrorLine) for output in outputs)
        return [*outputs, line] if told else outputs

    monkeypatch.setattr(Instances, "receive", receive)


def _never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instances, "ask", lambda *_: [])


def _keeps_every_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_BUFFERS", 1000)


def _repeats_itself(times: int) -> Callable[[pytest.MonkeyPatch], None]:
    """An engine that says everything several times."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        rightly = Instances.receive

        def receive(self: Instances, text: str, now: float) -> list[Output]:
            return rightly(self, text, now) * times

        monkeypatch.setattr(Instances, "receive", receive)

    return patch


_SAID = Step(Do.SAY, BOB, blob=b"hello Alice")
_CARRIED = Step(Do.DELIVER, BOB, 0, ALICE)
_ALL = Step(Do.DELIVER_ALL)
_LATER = Step(Do.WAIT)
_ERROR = Step(Do.WRITE, BOB, d=10, blob=b"no")
_WRONG_ANSWER = (
    Step(Do.SMP_START, BOB, c=1, blob=b"right"),
    _ALL,
    Step(Do.SMP_ANSWER, ALICE, c=1, blob=b"wrong"),
    _ALL,
)


@pytest.mark.parametrize(
    ("spoil", "steps", "complaint"),
    [
        (
            _forgets_the_mac,
            (_SAID, Step(Do.MANGLE, BOB, blob=b"\x00\xf0\1")),
            "unauthenticated input changed a session",
        ),
        (forget_what_was_taken, (_SAID, _CARRIED, _CARRIED), "told without a trace"),
        (forget_what_was_taken, (_SAID, _CARRIED, _LATER, _CARRIED), "taken twice"),
        (_tells(_of_another), (_SAID, _CARRIED), "wrong fingerprint"),
        (_tells(_altered), (_SAID, _CARRIED), "a text was altered"),
        (_tells(_promoted), (Step(Do.WRITE, blob=b"hi"),), "Received of nobody"),
        (_tells(_ended), (_ERROR,), "EndedByPeer of nobody"),
        (_tells(_misnamed), (), "secured with a wrong key"),
        (_tells(_unchanged), (Step(Do.MEET),), "a change of key goes unnoticed"),
        (_tells(_successful), _WRONG_ANSWER, "different secrets are equal"),
        (_sends_in_clear, (_SAID,), "something left in clear"),
        (_obeys_error_lines, (_ERROR,), "unauthenticated input changed a session"),
        (_answers_error_lines, (_ERROR, _ALL), "two ends never come to rest"),
        (_never_asks, (Step(Do.END, BOB), _ALL), "cannot start afresh"),
        (_keeps_every_buffer, (Step(Do.FLOOD, 4, 19, 127, 2),), "bytes of fragments"),
        (_repeats_itself(2), (_SAID, _CARRIED), "one message, several texts"),
        (_repeats_itself(30), (_SAID, _CARRIED), "30 outputs for one message"),
        (_repeats_itself(30), (), "30 messages in answer to one"),
    ],
    ids=[
        "forgets-the-mac",
        "forgets-what-was-taken",
        "forgets-what-was-taken-later",
        "names-another-author",
        "alters-a-text",
        "takes-clear-text-for-encrypted",
        "is-ended-by-an-error-line",
        "agrees-with-another-key",
        "takes-a-new-key-for-the-old-one",
        "takes-any-secret-for-the-same",
        "sends-in-clear",
        "drops-sessions-on-an-error-line",
        "answers-error-lines",
        "never-asks",
        "keeps-every-buffer",
        "tells-a-text-twice",
        "tells-too-much",
        "answers-too-much",
    ],
)
def test_harness_notices_an_engine_that(
    spoil: Callable[[pytest.MonkeyPatch], None],
    steps: tuple[Step, ...],
    complaint: str,
    engine_target: EngineTarget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = Program(0, 4, steps).encode()
    spoil(monkeypatch)

    with pytest.raises(Broken, match=complaint):
        engine_target.run(program)


def test_harness_lets_errors_of_the_engine_through(
    engine_target: EngineTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(_self: Instances, _text: str, _now: float) -> list[Output]:
        raise RemoteError

    monkeypatch.setattr(Instances, "receive", receive)

    with pytest.raises(RemoteError):
        engine_target.run(Program(0, 0, (_SAID, _CARRIED)).encode())


def test_program_means_the_same_when_it_is_written_again() -> None:
    steps = (Step(Do.REMIX, 1, 2, 3, 4, b"blob"), Step(Do.TRUST))
    program = Program(2, 5, steps)

    again = Program.read(program.encode())

    assert again == program
