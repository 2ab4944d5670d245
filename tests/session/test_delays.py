"""How long an account is still: what each random delay is drawn from.

The source is seeded, so that every run sees the same draws. The tolerance is more
than four standard deviations of what is counted: hardly any seed would fail.
"""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from coykiosk import otr
from coykiosk.contract import AccountOffline, Event, Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import IsolationKey, RandomBytes
from coykiosk.register.identity import Identity
from coykiosk.register.servers import TlsMode
from coykiosk.session.account import AccountSession
from coykiosk.session.account_desk import FURTHER_DELAY_S, AccountDesk
from coykiosk.session.enrol import NewAccount
from coykiosk.session.keeping import Keeping
from coykiosk.session.opening import Opened
from coykiosk.session.pulse import DeadError, Pulse
from coykiosk.session.world import World
from tests.session.idle import idle_world, make_record
from tests.support.accounts import loopback_route
from tests.support.chance import seeded
from tests.support.headless import DOMAIN, eventually

N_DRAWS = 4_000
TOLERANCE = 0.035
NOW = 1_000.0
KEY = otr.PrivateKey.generate()
LOST = UserError(ErrorCode.CONNECTION_LOST, server=DOMAIN)


def world(
    random_bytes: RandomBytes, publish: Callable[[Event], None] = lambda _: None
) -> World:
    return idle_world(random_bytes=random_bytes, now=lambda: NOW, publish=publish)


def account(
    world: World,
    kind: type[AccountSession] = AccountSession,
    *,
    localpart: str = "someone",
) -> AccountSession:
    record = make_record(localpart, otr_key=KEY.to_bytes(), instance_tag=0x101)
    route = loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin="")
    return kind(record, route=route, world=world, kept=False, save=lambda: None)


def below(draws: list[float], bound: float) -> float:
    """The share of draws that are less."""
    return sum(draw < bound for draw in draws) / len(draws)


# --- what all are drawn with --------------------------------------------------------


def test_uniform_draw_fills_ten_equal_parts_alike() -> None:
    chance = world(seeded(1))

    draws = [chance.uniform(2.0, 8.0) for _ in range(N_DRAWS)]

    edges = [2.0, 2.6, 3.2, 3.8, 4.4, 5.0, 5.6, 6.2, 6.8, 7.4, 8.0]
    shares = [below(draws, high) - below(draws, low) for low, high in pairwise(edges)]
    assert shares == pytest.approx([0.1] * 10, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("byte", "least", "most"),
    [
        pytest.param(b"\x00", 2.0, 2.0, id="the least is the lower bound"),
        pytest.param(b"\xff", 7.999999, 8.0, id="the most is the upper bound"),
    ],
)
def test_uniform_draw_stays_within_its_bounds(
    byte: bytes, least: float, most: float
) -> None:
    draw = world(lambda n_bytes: byte * n_bytes).uniform(2.0, 8.0)

    assert least <= draw <= most


# --- before the first words of a new account ----------------------------------------


def test_new_account_is_silent_for_two_to_eight_seconds_all_equally_likely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stay_online(self: AccountSession, _opened: Opened) -> None:
        silences.append(self._ask_not_before - NOW)

    silences: list[float] = []
    monkeypatch.setattr(AccountSession, "_stay_online", stay_online)
    chance = world(seeded(2))
    made = account(chance)
    new = NewAccount(
        Identity("someone", "a" * 24),
        loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin=""),
        Opened.__new__(Opened),  # nobody looks into it
        IsolationKey.fresh(chance.random_bytes),
    )

    async def main() -> None:
        for _ in range(N_DRAWS):
            await made.run(new)

    asyncio.run(main())

    assert min(silences) >= 2.0
    assert max(silences) <= 8.0
    assert [below(silences, bound) for bound in (3.5, 5.0, 6.5)] == pytest.approx(
        [0.25, 0.5, 0.75], abs=TOLERANCE
    )


# --- before each reconnect ------------------------------------------------------------


def pauses(n_failures: int, *, seed: int) -> list[float]:
    """How long it waits after so many failures in a row, drawn again and again."""

    def publish(event: Event) -> None:
        assert isinstance(event, AccountOffline)
        assert event.retry_in_s is not None
        found.append(event.retry_in_s)
        waiting.connect()  # the person does not wait, or this test would

    found: list[float] = []
    waiting = account(world(seeded(seed), publish))

    async def main() -> None:
        for _ in range(N_DRAWS):
            await waiting._wait_after(LOST, n_failures)

    asyncio.run(main())
    return found


@pytest.mark.parametrize(
    ("n_failures", "ceiling"),
    [(1, 8.0), (2, 16.0), (3, 32.0), (4, 64.0), (5, 128.0), (6, 256.0)],
)
def test_pause_is_full_jitter_below_a_ceiling_that_doubles(
    n_failures: int, ceiling: float
) -> None:
    """Uniform up to the ceiling, and on top of it uniform up to 8 s.

    The sum of the two is a trapezium: even between 8 s and the ceiling.
    """
    found = pauses(n_failures, seed=10 + n_failures)

    assert min(found) >= 0.0
    assert max(found) <= ceiling + 8.0
    assert below(found, (ceiling + 8.0) / 2) == pytest.approx(0.5, abs=TOLERANCE)
    assert below(found, 8.0) == pytest.approx(4.0 / ceiling, abs=TOLERANCE)
    assert below(found, ceiling) == pytest.approx(1 - 4.0 / ceiling, abs=TOLERANCE)


@pytest.mark.parametrize("n_failures", [7, 11, 1_000])
def test_pause_is_capped_at_five_minutes_and_stays_random(n_failures: int) -> None:
    found = pauses(n_failures, seed=20)

    assert max(found) <= 308.0
    bounds = [0.25 * 300 + 4, 0.5 * 300 + 4, 0.75 * 300 + 4]
    assert [below(found, bound) for bound in bounds] == pytest.approx(
        [0.25, 0.5, 0.75], abs=TOLERANCE
    )


def test_two_accounts_that_are_cut_off_together_come_back_apart() -> None:
    """Less than a second between them would link them; by chance it is seldom."""
    ours, theirs = pauses(1, seed=31), pauses(1, seed=32)

    n_close = sum(abs(a - b) < 1.0 for a, b in zip(ours, theirs, strict=True))

    assert n_close / N_DRAWS < 0.2


def test_what_needs_a_person_is_not_tried_again_by_itself() -> None:
    told: list[Event] = []

    def publish(event: Event) -> None:
        told.append(event)
        waiting.connect()

    waiting = account(world(seeded(40), publish))
    error = UserError(ErrorCode.CERTIFICATE_BAD, server=DOMAIN, reason="changed")

    asyncio.run(waiting._wait_after(error, 1))

    assert told == [AccountOffline(Jid("someone", DOMAIN), error, None)]


# --- signs of life ---------------------------------------------------------------------


def test_pings_are_one_to_two_minutes_apart_all_equally_likely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[float] = []
    real = asyncio.timeout

    def at_once(seconds: float) -> asyncio.Timeout:
        limits.append(seconds)
        return real(0)

    def answer() -> None:
        pulse.heard()
        if len(limits) > 2 * N_DRAWS:
            pulse._heard.clear()  # the server has died

    pulse = Pulse(answer, seeded(50))
    monkeypatch.setattr(asyncio, "timeout", at_once)

    async def main() -> None:
        with pytest.raises(DeadError):
            await pulse.watch()

    asyncio.run(main())

    pings = limits[0::2]
    assert min(pings) >= 60.0
    assert max(pings) <= 120.0
    assert [below(pings, bound) for bound in (75, 90, 105)] == pytest.approx(
        [0.25, 0.5, 0.75], abs=TOLERANCE
    )


# --- several accounts --------------------------------------------------------------------


def test_every_account_but_the_first_waits_a_little_before_it_signs_in() -> None:
    pauses: list[float] = []

    class Started(AccountSession):
        """An account that only notes how long it is to wait."""

        async def run(self, new: NewAccount | None, *, pause_s: float = 0.0) -> None:
            assert new is None
            pauses.append(pause_s)

    async def main() -> None:
        around = world(seeded(3))
        async with asyncio.TaskGroup() as group:
            desk = AccountDesk(
                {},
                Keeping(None, world(seeded(1))),
                world(seeded(2)),
                in_background=group.create_task,
            )
            for number in range(400):
                named = f"name{number}"
                desk.start(account(around, Started, localpart=named), None)

    asyncio.run(main())

    first, *others = pauses
    assert first == 0.0
    assert len(others) == 399
    assert 0 <= min(others) <= max(others) <= FURTHER_DELAY_S
    assert abs(below(others, FURTHER_DELAY_S / 2) - 0.5) < 0.12


def test_account_that_waits_signs_in_at_once_when_the_person_asks() -> None:
    told: list[Event] = []

    async def main() -> None:
        around = world(seeded(1), told.append)
        await around.tor.start(guard_state="")
        waiting = account(around)
        task = asyncio.get_running_loop().create_task(waiting.run(None, pause_s=3600))
        await asyncio.sleep(0)
        assert not told
        waiting.connect()
        await eventually(lambda: told)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())

    assert isinstance(told[0], AccountOffline)
