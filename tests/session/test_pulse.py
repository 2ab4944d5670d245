"""The moments at which we ask whether the server is there."""

import asyncio
from itertools import pairwise

from coykiosk.session.pulse import Pulse
from tests.session.test_stream import run_jumping
from tests.support.chance import seeded

N_PINGS = 2_000


def test_pings_come_at_any_moment_of_a_minute_alike() -> None:
    """Uniform from 60 to 120 seconds after the last sign of life, and no other."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        moments = [loop.time()]

        def ping() -> None:
            moments.append(loop.time())
            pulse.heard()

        pulse = Pulse(ping, seeded(11))
        watching = loop.create_task(pulse.watch())
        await asyncio.sleep(N_PINGS * 90)
        watching.cancel()
        await asyncio.wait([watching])
        return [b - a for a, b in pairwise(moments)]

    gaps = run_jumping(main())

    shares = [sum(60 + 6 * n <= gap < 66 + 6 * n for gap in gaps) for n in range(10)]
    assert sum(shares) == len(gaps) > 1_900
    assert all(150 <= share <= 250 for share in shares)  # of about 200 each


def test_pings_of_two_people_have_nothing_in_common() -> None:
    async def main() -> list[list[float]]:
        loop = asyncio.get_running_loop()
        both: list[list[float]] = [[], []]
        pulses: list[Pulse] = []

        def make(number: int) -> Pulse:
            def ping() -> None:
                both[number].append(loop.time())
                pulses[number].heard()

            return Pulse(ping, seeded(number))

        pulses += [make(number) for number in range(2)]
        watching = [loop.create_task(pulse.watch()) for pulse in pulses]
        await asyncio.sleep(20_000)
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        return both

    one, other = run_jumping(main())

    assert min(len(one), len(other)) > 200
    assert not {round(at, 1) for at in one} & {round(at, 1) for at in other}
