"""Seeded runs against real Prosody, with bad weather in front of TLS.

Nothing is lost without a word, nothing comes twice, and both are online in the end. A
run that fails names its seed.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coykiosk.contract import (
    AcceptContact,
    AccountOffline,
    AccountOnline,
    ChatChanged,
    ChatPhase,
    Connect,
    ContactAsked,
    CreateAccount,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    OpenChat,
    SendMessage,
)
from coykiosk.session.account import FIRST_CONTACT_DELAY_S
from tests.session.conftest import Prosody
from tests.session.faulty_run import MAY_BE_LOST, TURNS, UNSETTLED, is_in_order
from tests.session.own_server import OwnServer, own_server
from tests.support.headless import (
    ONION,
    LoopbackTor,
    Person,
    eventually,
    headless,
    leap,
    make_server,
    run_leaping,
)
from tests.support.weather_proxy import FAIR, WeatherProxy, draw_quick_weather

pytestmark = pytest.mark.network

MAX_LAST_WORDS = 4


@dataclass
class Talker:
    """One of the two, and the weather between them and the server."""

    person: Person
    proxy: WeatherProxy
    tor: LoopbackTor
    jid: Jid
    contact: Jid = field(init=False)
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)
        self.person.submit(SendMessage(self.person.me, self.contact, text))

    @property
    def heard(self) -> list[str]:
        return [event.text for event in self.person.of(MessageReceived)]

    @property
    def fates(self) -> list[MessageState]:
        """How each text stands, in the order in which they were said."""
        fates = {e.message_id: e.state for e in self.person.of(MessageAccepted)}
        for event in self.person.of(MessageStateChanged):
            before = fates[event.message_id]
            assert (before, event.state) in TURNS, (before, event.state)
            fates[event.message_id] = event.state
        return list(fates.values())

    @property
    def is_online(self) -> bool:
        turns = [
            isinstance(event, AccountOnline)
            for event in self.person.events
            if isinstance(event, AccountOnline | AccountOffline)
        ]
        return turns[-1]

    @property
    def is_settled(self) -> bool:
        fates = self.fates
        is_all_taken = len(fates) == len(self.said)
        return self.is_online and is_all_taken and not UNSETTLED & set(fates)

    async def come_back(self) -> None:
        """Want to be online, whenever it turns out that one is not."""
        n_seen = 0
        while True:
            n_offline = len(self.person.of(AccountOffline))
            if n_offline > n_seen:
                n_seen = n_offline
                self.person.submit(Connect())
            await asyncio.sleep(0.005)


@asynccontextmanager
async def talker(port: int) -> AsyncIterator[Talker]:
    async with WeatherProxy(port) as proxy:
        tor = LoopbackTor({ONION: proxy.port})
        async with headless([make_server()], tor) as person:
            person.submit(CreateAccount(None))
            jid = (await person.until(AccountOnline)).account
            yield Talker(person, proxy, tor, jid)


@asynccontextmanager
async def two_talkers(port: int) -> AsyncIterator[tuple[Talker, Talker]]:
    """Two people in an encrypted chat; both want to be online."""
    async with talker(port) as alice, talker(port) as bob:
        alice.contact, bob.contact = bob.jid, alice.jid
        leap(FIRST_CONTACT_DELAY_S[1] + 0.1)
        alice.person.submit(OpenChat(alice.person.me, bob.jid))
        await bob.person.until(ContactAsked)
        bob.person.submit(AcceptContact(bob.person.me, alice.jid))
        for each in (alice, bob):
            await each.person.until(
                ChatChanged, lambda e: e.phase is ChatPhase.ENCRYPTED
            )
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(each.come_back()) for each in (alice, bob)]
            yield alice, bob
            for task in helpers:
                task.cancel()


def both_settled(*people: Talker) -> Callable[[], bool]:
    return lambda: all(each.is_settled for each in people)


async def have_last_words(*people: Talker, about: str = "") -> None:
    """Talk until both have read what the other one has said last.

    Keys that do not fit any more may cost the first words, and show by that.
    """
    await eventually(both_settled(*people))
    for n in range(MAX_LAST_WORDS):
        words = f"last words {n} {about}"
        for each in people:
            each.say(words)
        await eventually(both_settled(*people))
        for _ in range(100):
            if all(each.heard[-1:] == [words] for each in people):
                return
            await asyncio.sleep(0.01)
        leap(30.0)  # an exchange of keys that was cut is begun anew
    raise AssertionError([(each.fates, each.heard[-1:]) for each in people])


def check(*people: Talker) -> None:
    alice, bob = people
    for speaker, listener in ((alice, bob), (bob, alice)):
        heard = listener.heard
        assert len(set(heard)) == len(heard), "a text came twice"
        assert is_in_order(heard, speaker.said), "texts came in another order"
        for text, fate in zip(speaker.said, speaker.fates, strict=True):
            assert text in heard or fate in MAY_BE_LOST, (text, fate)


def run_on_sockets(port: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

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
            check(*people)
        return sum(each.proxy.n_faults for each in people)

    try:
        run_leaping(main)
    except BaseException as error:
        error.add_note(f"This was seed {seed}.")
        raise


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_run_on_sockets_loses_and_doubles_nothing(prosody: Prosody, seed: int) -> None:
    run_on_sockets(prosody.direct_port, seed)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(50))
def test_fifty_runs_on_sockets_lose_and_double_nothing(
    prosody: Prosody, seed: int
) -> None:
    run_on_sockets(prosody.direct_port, seed)


# --- the server, or tor, is not there for a while ----------------------------------


def test_texts_wait_and_arrive_when_the_server_is_restarted(tmp_path: Path) -> None:
    """What is typed meanwhile waits; what was under way may not have arrived."""

    async def stay_away(server: OwnServer, alice: Talker, bob: Talker) -> None:
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
            check(alice, bob)
            assert before == {MessageState.WAITING}
            for speaker, listener in ((alice, bob), (bob, alice)):
                assert set(speaker.said) == set(listener.heard)
                assert set(speaker.fates) == {MessageState.SENT}

    run_leaping(main)
