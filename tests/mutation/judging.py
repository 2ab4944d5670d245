"""A pytest plugin that runs the collected tests again and again, once for a mutant.

The tests are imported and collected once. Each mutant then gets a fork of that state
with the mutant switched on, in which the tests that reach its function run, up to the
first that fails: first those that noticed another mutant of it, then the fastest.

Rule: only a test that fails, or one that never ends, kills a mutant. Whatever else
happens in a fork is neither, and is reported as it is.
"""

import gc
import json
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Final, NoReturn

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from tests.mutation.making import Mutant

_ALL_PASS: Final = 0
_ONE_FAILS: Final = 1
_BROKEN: Final = 2
# Enough for all tests of a function on a slow machine; what takes longer hangs.
_CPU_BASE_S: Final = 30
_CPU_FACTOR: Final = 4


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    HANGS = "hangs"
    """Noticed, too: it kept the tests from coming to an end."""
    SURVIVES = "survives"
    UNREACHED = "is reached by no test"
    BROKEN = "has no verdict"

    @property
    def is_noticed(self) -> bool:
        """Whether the tests noticed the mutant."""
        return self in {Verdict.KILLED, Verdict.HANGS}


_VERDICTS: Final = {
    _ALL_PASS: Verdict.SURVIVES,
    _ONE_FAILS: Verdict.KILLED,
    -signal.SIGXCPU: Verdict.HANGS,
}


@dataclass(slots=True)
class Reach:
    """Which tests reach a function, and how long each test takes; by index."""

    tests_of: dict[str, list[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """What fails without any mutant."""

    def tests(self, mutant: Mutant) -> list[int]:
        """The tests that may notice it."""
        return self.tests_of.get(mutant.function_key, [])


@dataclass(frozen=True, slots=True)
class _Trial:
    """A fork that is at work."""

    mutant: Mutant
    found: int
    """Where it writes which test has failed: a pipe's end for reading."""


class Judge:
    """Give to `pytest.main` as a plugin.

    Args:
        mutants: What to judge, already in the modules that the tests import.
        note: Called with each mutant and its verdict.
    """

    def __init__(
        self, mutants: Iterable[Mutant], note: Callable[[Mutant, Verdict], None]
    ) -> None:
        self._mutants = list(mutants)
        self._note = note
        self._running: dict[int, _Trial] = {}
        self._noticed_by: defaultdict[str, list[int]] = defaultdict(list)
        """Of each function, the tests that killed a mutant; the last one last."""
        self.failed: list[str] = []
        """What fails without any mutant; then nothing was judged."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop over the tests."""
        # Its dots would tell of tests, not of mutants.
        session.config.pluginmanager.unregister(name="terminalreporter")
        gc.freeze()
        reach = _in_a_fork(lambda: _measure(session.items))
        self.failed = reach.failed
        if not self.failed:
            self._judge_all(reach, session.items)
        return True

    def _judge_all(self, reach: Reach, items: list[pytest.Item]) -> None:
        # Those with many tests first, so that no worker is left with a long one.
        self._mutants.sort(key=lambda each: -len(reach.tests(each)))
        n_workers = os.cpu_count() or 1
        try:
            for mutant in self._mutants:
                if len(self._running) == n_workers:
                    self._await_one()
                self._start(mutant, reach, items)
            while self._running:
                self._await_one()
        finally:
            for pid in self._running:
                os.kill(pid, signal.SIGKILL)

    def _start(self, mutant: Mutant, reach: Reach, items: list[pytest.Item]) -> None:
        tests = reach.tests(mutant)
        if not tests:
            self._note(mutant, Verdict.UNREACHED)
            return
        killers = self._noticed_by[mutant.function_key]
        seconds = reach.seconds
        order = sorted(
            tests,
            key=lambda test: (
                -killers.index(test) if test in killers else 1,
                seconds[test],
            ),
        )
        budget_s = _CPU_BASE_S + _CPU_FACTOR * sum(seconds[test] for test in tests)
        found, finding = os.pipe()
        pid = os.fork()
        if pid == 0:
            _try(mutant, {test: items[test] for test in order}, finding, budget_s)
        os.close(finding)
        self._running[pid] = _Trial(mutant, found)

    def _await_one(self) -> None:
        pid, status = os.wait()
        trial = self._running.pop(pid)
        with os.fdopen(trial.found, "rb") as pipe:
            failed = pipe.read()
        if failed:
            killers = self._noticed_by[trial.mutant.function_key]
            test = int.from_bytes(failed, "big")
            if test in killers:
                killers.remove(test)
            killers.append(test)
        verdict = _VERDICTS.get(os.waitstatus_to_exitcode(status), Verdict.BROKEN)
        self._note(trial.mutant, verdict)


def _measure(items: list[pytest.Item]) -> Reach:
    """Run every test once, with all mutants off."""
    reach = Reach()
    tests_of = defaultdict(list)
    set_mutant_under_test("stats")
    for index, item in enumerate(items):
        state()._stats.clear()  # where the trampolines write
        started = time.process_time()
        if not _passes(item):
            reach.failed.append(item.nodeid)
        reach.seconds.append(time.process_time() - started)
        for function in state()._stats:
            tests_of[function].append(index)
    reach.tests_of = dict(tests_of)
    return reach


def _try(
    mutant: Mutant, items: dict[int, pytest.Item], finding: int, budget_s: float
) -> NoReturn:
    """Run the tests with the mutant on, in this process, which ends with it."""
    code = _BROKEN
    try:
        _be_quiet()
        limit = int(time.process_time() + budget_s)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        set_mutant_under_test(mutant.key)
        failed = next((test for test, item in items.items() if not _passes(item)), None)
        if failed is None:
            code = _ALL_PASS
        else:
            os.write(finding, failed.to_bytes(4, "big"))
            code = _ONE_FAILS
    finally:
        os._exit(code)


def _passes(item: pytest.Item) -> bool:
    """Run one test; nothing that it set up is left for the next."""
    before = item.session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return item.session.testsfailed == before


def _in_a_fork(work: Callable[[], Reach]) -> Reach:
    """Do it where whatever the tests leave behind ends with it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            _be_quiet()
            with os.fdopen(writing, "w") as pipe:
                json.dump(asdict(work()), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        reach = Reach(**json.load(pipe))
    os.waitpid(pid, 0)
    return reach


def _be_quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
