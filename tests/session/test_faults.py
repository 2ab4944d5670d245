"""Seeded runs through bad weather: nothing is lost without a word, or comes twice.

A run that fails names its seed; `do_run` repeats it. What is exempt is said in
`Somebody.lost_by`, and must stay rare.
"""

import asyncio
import gc
import itertools
import sys
import tracemalloc
from collections.abc import Iterator
from statistics import mean

import pytest
from OpenSSL import SSL

from coykiosk.contract import AccountOffline, AccountOnline, MessageState
from coykiosk.session import opening
from coykiosk.session.backoff import BACKOFF_CAP_S, RECONNECT_DELAY_S
from coykiosk.session.certificates import Authorities
from tests.session.conftest import make_identity
from tests.session.faulty_run import NAMES, Run, Somebody, do_run, run_seed
from tests.session.keeping_server import server_context

N_BATCHES = 20
N_IN_BATCH = 50
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    return server_context(make_identity(tmp_path_factory.mktemp("server")))


@pytest.fixture(autouse=True)
def _nobody_vouches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reading all authorities for each connection would be most of the time."""
    nobody = Authorities(bundle=None, directory=None)
    monkeypatch.setattr(opening, "system_authorities", lambda: nobody)
    # What earlier tests hold must not be looked through after each run.
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("seed", range(1000, 1025))
def test_run_through_bad_weather_loses_and_doubles_nothing(
    context: SSL.Context, seed: int
) -> None:
    run = do_run(seed, context)

    assert run.n_lost <= 3


class Restarts(Run):
    """The server ends in the middle of it, and has forgotten every session."""

    async def live(self) -> None:
        await super().live()
        self.server.restart()
        await super().live()


@pytest.mark.parametrize("seed", range(3000, 3010))
def test_talk_goes_on_when_the_server_has_forgotten_every_session(
    context: SSL.Context, seed: int
) -> None:
    run = run_seed(Restarts, seed, context)

    assert run.server.n_bound >= len(NAMES)


@pytest.mark.deep
@pytest.mark.parametrize("batch", range(N_BATCHES))
def test_thousand_runs_through_bad_weather_lose_nothing_and_leave_nothing(
    context: SSL.Context, batch: int
) -> None:
    seeds = range(batch * N_IN_BATCH, (batch + 1) * N_IN_BATCH)
    fates: list[MessageState] = []
    n_lost = n_resumed = n_doubled = 0
    blocks = []

    for seed in seeds:
        run = do_run(seed, context)
        fates += [fate for each in run.people for fate in each.fates]
        n_lost += run.n_lost
        n_resumed += run.server.n_resumed
        n_doubled += run.server.n_doubled
        del run
        gc.collect()
        blocks.append(sys.getallocatedblocks())

    # The weather is bad, and the network is still of use.
    assert n_resumed > N_IN_BATCH / 2
    assert n_doubled > 0
    assert fates.count(MessageState.SENT) > 0.8 * len(fates)
    assert n_lost < 0.01 * len(fates)
    third = N_IN_BATCH // 3
    assert mean(blocks[-third:]) - mean(blocks[:third]) < 3000


@pytest.mark.deep
def test_memory_is_level_over_many_runs(context: SSL.Context) -> None:
    sizes = []
    do_run(0, context)
    tracemalloc.start()
    try:
        for seed in range(2000, 2045):
            do_run(seed, context)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert mean(sizes[-15:]) - mean(sizes[:15]) < 200_000


# --- a day of flapping -------------------------------------------------------------


class Day(Run):
    """A network that comes and goes for a day, for both at the same moments."""

    n_hours = 24

    async def live(self) -> None:
        self.is_calm = True
        self.blocks: list[int] = []
        until = self.server.loop.time() + self.n_hours * HOUR_S
        numbers = itertools.count()
        hour = 0
        while (now := self.server.loop.time()) < until:
            for each in self.people:
                each.ways.is_down = not each.ways.is_down
                if each.ways.is_down:
                    each.ways.cut()
            if self.chance.random() < 0.2:
                who = self.chance.choice(self.people)
                who.say(f"{who.name} {next(numbers)}")
            longest = self.chance.choice([20.0, 200.0, 900.0])
            await asyncio.sleep(self.chance.uniform(0, longest))
            if now >= hour * HOUR_S:
                hour += 1
                gc.collect()
                self.blocks.append(sys.getallocatedblocks())


@pytest.mark.parametrize(
    "hours", [2, pytest.param(24, marks=pytest.mark.deep)], ids=["two", "a-day"]
)
def test_flapping_ends_online_and_never_in_step(
    context: SSL.Context, hours: int
) -> None:
    class Hours(Day):
        n_hours = hours

    run = run_seed(Hours, 7, context)
    alice, bob = run.people

    waits = [wait for each in run.people for wait in waits_of(each)]
    assert len(waits) > 5 * hours
    assert max(waits) <= BACKOFF_CAP_S + RECONNECT_DELAY_S
    assert len(set(waits)) == len(waits)
    # Never twice in one moment, neither one of them nor both.
    moments = sorted([*alice.ways.moments[1:], *bob.ways.moments[1:]])
    assert min(late - early for early, late in itertools.pairwise(moments)) > 0
    together = sum(
        abs(mine - theirs) < 0.5
        for mine in alice.ways.moments[1:]
        for theirs in bob.ways.moments[1:]
    )
    assert together < 0.1 * len(moments)
    assert all(most_tries(each) <= 60 for each in run.people)
    assert alice.is_online
    assert bob.is_online
    if hours > 12:
        # What is told and said is kept by the test; it is all that may grow.
        assert isinstance(run, Day)
        first, last = run.blocks[4], run.blocks[-1]
        n_events = sum(len(each.events) for each in run.people)
        assert last - first < 25 * n_events


def waits_of(somebody: Somebody) -> list[float]:
    waits = [event.retry_in_s for event in somebody.of(AccountOffline)]
    return [wait for wait in waits if wait is not None]


def most_tries(somebody: Somebody) -> int:
    """Return in how many tries, at most, an hour saw somebody come online."""
    moments = [at for at, event in somebody.events if isinstance(event, AccountOnline)]
    return max(sum(start <= at < start + HOUR_S for at in moments) for start in moments)
