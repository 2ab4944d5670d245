"""Seeded runs against real Prosody, with bad weather in front of TLS.

Nothing is lost without a word, nothing comes twice, and both are online in the end. A
run that fails names its seed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOnline,
    CreateAccount,
    MessageState,
)
from tests.session.conftest import Prosody, start_prosody
from tests.session.own_server import OwnServer, own_server
from tests.session.people import introduce
from tests.session.talking import (
    Talker,
    assert_nothing_is_lost_without_a_word,
    have_last_words,
    untold,
)
from tests.support.chance import repeatable
from tests.support.headless import (
    ONION,
    LoopbackTor,
    eventually,
    headless,
    make_server,
    run_leaping,
)
from tests.support.weather_proxy import FAIR, WeatherProxy, draw_quick_weather

pytestmark = pytest.mark.network

Someone = Talker[WeatherProxy]


@asynccontextmanager
async def talker(port: int) -> AsyncIterator[Someone]:
    async with WeatherProxy(port) as proxy:
        tor = LoopbackTor({ONION: proxy.port})
        async with headless([make_server()], tor) as person:
            person.submit(CreateAccount(None))
            jid = (await person.until(AccountOnline)).account
            yield Talker(person, tor, proxy, jid)


@asynccontextmanager
async def two_talkers(port: int) -> AsyncIterator[tuple[Someone, Someone]]:
    """Two people in an encrypted chat; both want to be online."""
    async with talker(port) as alice, talker(port) as bob:
        alice.contact, bob.contact = bob.jid, alice.jid
        await introduce(alice.person, bob.person)
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(each.come_back()) for each in (alice, bob)]
            yield alice, bob
            for task in helpers:
                task.cancel()


def run_on_sockets(port: int, seed: int) -> None:
    chance = repeatable(seed)

    async def main() -> int:
        async with two_talkers(port) as people:
            for each in people:
                each.proxy.forecast = lambda: draw_quick_weather(chance)
                each.proxy.cut()
            for n in range(12):
                who = chance.choice(people)
                for m in range(chance.randrange(1, 4)):
                    who.say(f"{n}.{m} " + "x" * chance.choice([0, 60, 900]))
                await asyncio.sleep(chance.choice([0.0, 0.01, 0.1]))
            for each in people:
                each.proxy.forecast = lambda: FAIR
            await have_last_words(*people)
            # What went to a session that nobody goes on with comes back in time.
            await eventually(lambda: not untold(*people))
            assert_nothing_is_lost_without_a_word(*people)
        return sum(each.proxy.n_faults for each in people)

    try:
        run_leaping(main)
    except BaseException as error:
        error.add_note(f"This was seed {seed}.")
        raise


@pytest.fixture(scope="module")
def hasty_prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    """A server that soon gives back what came for a session nobody goes on with."""
    yield from start_prosody(
        tmp_path_factory.mktemp("hasty"), options="smacks_hibernation_time = 4\n"
    )


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_run_on_sockets_loses_and_doubles_nothing(
    hasty_prosody: Prosody, seed: int
) -> None:
    run_on_sockets(hasty_prosody.direct_port, seed)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(50))
def test_fifty_runs_on_sockets_lose_and_double_nothing(
    hasty_prosody: Prosody, seed: int
) -> None:
    run_on_sockets(hasty_prosody.direct_port, seed)


# --- the server, or tor, is not there for a while ----------------------------------


def test_texts_wait_and_arrive_when_the_server_is_restarted(tmp_path: Path) -> None:
    """What is typed meanwhile waits; what was under way may not have arrived."""

    async def stay_away(server: OwnServer, alice: Someone, bob: Someone) -> None:
        await server.stop()
        await eventually(lambda: not alice.is_online and not bob.is_online)
        for n in range(5):
            alice.say(f"from alice {n}")
            bob.say(f"from bob {n}")
        await eventually(lambda: len(alice.fates) == len(alice.said))

    async def main() -> None:
        async with (
            own_server(tmp_path) as server,
            two_talkers(server.port) as (alice, bob),
        ):
            await have_last_words(alice, bob)
            await stay_away(server, alice, bob)
            before = set(alice.fates[-5:] + bob.fates[-5:])
            await server.start()
            await have_last_words(alice, bob, about="the restart")
            assert_nothing_is_lost_without_a_word(alice, bob)
            assert before == {MessageState.WAITING}
            for speaker, listener in ((alice, bob), (bob, alice)):
                assert set(speaker.said) == set(listener.heard)
                assert set(speaker.fates) == {MessageState.SENT}

    run_leaping(main)
