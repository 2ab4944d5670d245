"""A real tor that is killed while people talk: what is typed meanwhile arrives."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

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
    MessageState,
    OpenChat,
)
from coykiosk.errors import ErrorCode
from coykiosk.onion.daemon import TorDaemon
from coykiosk.ports import Tor
from coykiosk.register.servers import load_servers
from coykiosk.session.account import FIRST_CONTACT_DELAY_S
from tests.session.talking import (
    Talker,
    assert_nothing_is_lost_without_a_word,
    have_last_words,
)
from tests.support.headless import LoopbackTor, headless, leap, run_leaping
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.weather_proxy import WeatherProxy

pytestmark = [pytest.mark.network, pytest.mark.timeout(240)]

Someone = Talker[WeatherProxy]

LIMIT_S = 90.0
"""Real seconds in which a tor has found its way into the network."""


async def patiently(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never happens"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def talker(network: SharedPracticeNetwork, tor: Tor) -> AsyncIterator[Someone]:
    servers = load_servers(network.servers_toml, name="practice")
    async with headless(servers, tor) as person:
        person.submit(CreateAccount(None))
        await patiently(lambda: person.of(AccountOnline))
        jid = person.of(AccountOnline)[-1].account
        nowhere = WeatherProxy(0)
        yield Talker(person, LoopbackTor({}), nowhere, jid)


def test_texts_wait_and_arrive_when_tor_is_killed_and_started_again(
    practice_network: SharedPracticeNetwork,
) -> None:
    daemon = TorDaemon(
        lambda _: None, os.environ, extra_torrc=practice_network.client_torrc
    )
    beside = LoopbackTor(
        {practice_network.onion_host: practice_network.direct_tls_port}
    )

    async def main() -> None:
        async with (
            talker(practice_network, beside) as bob,
            talker(practice_network, daemon) as alice,
        ):
            await become_private(alice, bob)
            await have_last_words(alice, bob)
            kill_tor(daemon)
            await patiently(lambda: alice.person.of(AccountOffline))
            [offline] = alice.person.of(AccountOffline)
            for n in range(3):
                alice.say(f"from alice {n}")
                bob.say(f"from bob {n}")
            await patiently(lambda: len(alice.fates) == len(alice.said))
            before = set(alice.fates[-3:])
            alice.person.submit(Connect())
            await patiently(lambda: alice.is_online)
            await have_last_words(alice, bob, about="the new tor")
            assert_nothing_is_lost_without_a_word(alice, bob)
            assert offline.error.code is ErrorCode.TOR_STOPPED
            assert before == {MessageState.WAITING}
            for speaker, listener in ((alice, bob), (bob, alice)):
                assert set(speaker.said) == set(listener.heard)
                assert set(speaker.fates) == {MessageState.SENT}

    run_leaping(main)


def kill_tor(daemon: TorDaemon) -> None:
    """As a system does that is out of memory."""
    tor = daemon._tor
    assert tor is not None
    assert tor.own is not None
    os.kill(tor.own._process.pid, signal.SIGKILL)


async def become_private(alice: Someone, bob: Someone) -> None:
    alice.contact, bob.contact = bob.jid, alice.jid
    leap(FIRST_CONTACT_DELAY_S[1] + 0.1)
    alice.person.submit(OpenChat(alice.person.me, bob.jid))
    await patiently(lambda: bob.person.of(ContactAsked))
    bob.person.submit(AcceptContact(bob.person.me, alice.jid))

    def is_private() -> bool:
        changes = [each.person.of(ChatChanged) for each in (alice, bob)]
        return all(each and each[-1].phase is ChatPhase.ENCRYPTED for each in changes)

    await patiently(is_private)
