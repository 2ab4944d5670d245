"""Lookups on a real, private Tor network: a DNS server behind an onion, one at an exit.

The resolver's onion and the XMPP server's are one; Prosody and both DNS servers are
real and on this machine. The exits of the network lead here and nowhere else.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import dns.rcode
import pytest

from coykiosk.contract import Secret
from coykiosk.onion.daemon import TorDaemon
from coykiosk.ports import Dialer, IsolationKey, Stream
from coykiosk.register.records import TlsMode
from coykiosk.session.opening import Opened, OpeningError, Purpose, Trust
from coykiosk.session.reaching import reach
from coykiosk.session.resolvers import Resolver
from coykiosk.session.resolving import ANSWER_LIMIT_S, find_ways
from tests.session.conftest import DOMAIN, Prosody, make_route
from tests.session.hostile import tls_context
from tests.session.idle import idle_world
from tests.support.dns_server import (
    LIES,
    Answerer,
    DnsServer,
    failing,
    serving,
    silent,
    zone,
)
from tests.support.headless import LeapingLoop, leap
from tests.support.shared_net import SharedNet, tor_network

pytestmark = [pytest.mark.network, pytest.mark.timeout(240)]

T = TypeVar("T")

LIMIT_S = 120.0
NAMED = "door.practice.example"
"""Leads to this machine: the exits have nobody to ask for a name."""
ROUTE = make_route(host=DOMAIN, tls=TlsMode.STARTTLS)
DIRECT, STARTTLS = TlsMode.DIRECT, TlsMode.STARTTLS


class Watched:
    """A way out that keeps a record."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self.asked: list[tuple[str, int, IsolationKey]] = []

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        self.asked.append((host, port, isolation_key))
        return await self._dialer.open(
            host, port, isolation_key=isolation_key, first_bytes=first_bytes
        )


class Net(SharedNet):
    """The network with all its servers, and a tor of ours on it."""

    def __init__(self, prosody: Prosody) -> None:
        self.onion_dns = DnsServer(silent)
        self.exit_dns = DnsServer(silent)
        self._prosody = prosody
        super().__init__(LeapingLoop, limit_s=LIMIT_S)

    async def _start(self) -> None:
        prosody, enter = self._prosody, self._stack.enter_async_context
        context = tls_context(prosody.identity)
        await enter(serving(self.onion_dns, context))
        await enter(serving(self.exit_dns))
        ports = {
            853: self.onion_dns.port,
            5222: prosody.starttls_port,
            5223: prosody.direct_port,
        }
        tornet, _ = await enter(tor_network(ports))
        await tornet.wait_onion_published()
        self.onion = tornet.onion_host
        self.tor = TorDaemon(
            lambda _: None,
            {"PATH": os.defpath},
            extra_torrc=(
                *tornet.client_torrc,
                # The short descriptors have no room for exits to one machine.
                "UseMicrodescriptors 0",
                f"MapAddress {NAMED} 127.0.0.1",
            ),
        )
        self._stack.push_async_callback(self.tor.stop)
        await self.tor.start(guard_state="")
        await self.tor.wait_ready()

    @property
    def resolvers(self) -> tuple[Resolver, ...]:
        return (
            Resolver(self.onion, 853),
            Resolver("127.0.0.1", self.exit_dns.port),
        )

    def play(self, onion: Answerer, at_exit: Answerer = silent) -> None:
        """Have the resolvers answer like this, and forget what they were asked."""
        for server, answer in ((self.onion_dns, onion), (self.exit_dns, at_exit)):
            server.answer = answer
            server.asked.clear()
            server.on_question = lambda: None

    def find(self) -> tuple[list[tuple[str, int, TlsMode]], Watched]:
        dialer = Watched(self.tor.dialer)
        routes = self.run(
            find_ways(dialer, ROUTE, resolvers=self.resolvers, random_bytes=os.urandom)
        )
        return [(each.host, each.port, each.tls) for each in routes], dialer

    async def reach(self) -> Opened:
        async with asyncio.timeout(LIMIT_S) as limit:
            opened = await reach(
                idle_world(self.tor, resolvers=self.resolvers),
                replace(ROUTE, scram=()),
                localpart="t" + os.urandom(6).hex(),
                password=Secret("a" * 24),
                purpose=Purpose.REGISTER,
                isolation_key=IsolationKey.fresh(os.urandom),
                on_step=lambda _: None,
                limit=limit,
            )
        await opened.stream.close()
        return opened


@pytest.fixture(scope="module")
def net(prosody: Prosody) -> Iterator[Net]:
    made = Net(prosody)
    yield made
    made.close()


def honest(**services: list[str]) -> Answerer:
    return zone(DOMAIN, **services)


FOUND = honest(xmpps=["0 0 5223 a.example."], xmpp=["1 0 5222 b.example."])
FOUND_WAYS = [("a.example", 5223, DIRECT), ("b.example", 5222, STARTTLS)]
FALLBACK = [(DOMAIN, 5222, STARTTLS)]


# --- what an onion resolver says ----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            honest(xmpps=["0 0 443 a.example."]),
            [("a.example", 443, DIRECT)],
            id="xmpps only",
        ),
        pytest.param(
            honest(xmpp=["0 0 5269 a.example."]),
            [("a.example", 5269, STARTTLS)],
            id="xmpp only",
        ),
        pytest.param(
            honest(
                xmpps=["10 5 5223 b.example.", "30 5 5223 d.example."],
                xmpp=[
                    "5 0 5222 a.example.",
                    "30 9 5222 e.example.",
                    "20 0 1 c.example.",
                ],
            ),
            [
                ("a.example", 5222, STARTTLS),
                ("b.example", 5223, DIRECT),
                ("c.example", 1, STARTTLS),
                ("d.example", 5223, DIRECT),
            ],
            id="both, several priorities",
        ),
        pytest.param(honest(xmpps=["0 0 0 ."], xmpp=["0 0 0 ."]), [], id="not offered"),
        pytest.param(
            honest(xmpps=["0 0 0 ."], xmpp=["0 0 5222 a.example."]),
            [("a.example", 5222, STARTTLS)],
            id="STARTTLS only",
        ),
        pytest.param(failing(dns.rcode.NXDOMAIN), FALLBACK, id="NXDOMAIN"),
    ],
)
def test_onion_resolver_says_what_the_ways_are(
    net: Net, answer: Answerer, expected: list[tuple[str, int, TlsMode]]
) -> None:
    net.play(answer)

    ways, dialer = net.find()

    assert ways == expected
    assert len(net.onion_dns.asked) == 2
    assert [(host, port) for host, port, _ in dialer.asked] == [(net.onion, 853)]


def test_onion_in_srv_comes_first(net: Net) -> None:
    net.play(honest(xmpps=["0 0 5223 a.example."], xmpp=[f"99 0 5222 {net.onion}."]))

    ways, _ = net.find()

    assert ways == [(net.onion, 5222, STARTTLS), ("a.example", 5223, DIRECT)]


@pytest.mark.parametrize("lie", LIES)
def test_lying_onion_resolver_leads_to_the_one_at_an_exit(net: Net, lie: str) -> None:
    net.play(LIES[lie], FOUND)

    ways, dialer = net.find()

    assert ways == FOUND_WAYS
    assert len(net.exit_dns.asked) == 2
    (_, _, first), (_, _, second) = dialer.asked
    assert first != second


def test_liars_everywhere_lead_to_the_domain_itself(net: Net) -> None:
    net.play(LIES["wrong id"], LIES["another name"])

    ways, _ = net.find()

    assert ways == FALLBACK


def test_resolver_that_fails_leads_to_the_one_at_an_exit(net: Net) -> None:
    net.play(failing(dns.rcode.SERVFAIL), FOUND)

    ways, _ = net.find()

    assert ways == FOUND_WAYS


def test_dead_resolvers_lead_to_the_domain_itself(net: Net) -> None:
    """They take the questions and say nothing; their time is made to pass."""
    net.play(silent, silent)
    for server in (net.onion_dns, net.exit_dns):
        server.on_question = lambda: leap(ANSWER_LIMIT_S)

    ways, _ = net.find()

    assert ways == FALLBACK
    assert net.exit_dns.asked


def test_onion_resolver_that_is_not_there_leads_to_the_one_at_an_exit(
    net: Net,
) -> None:
    net.play(silent, FOUND)
    nobody = (Resolver(net.onion, 854), net.resolvers[1])

    routes = net.run(
        find_ways(net.tor.dialer, ROUTE, resolvers=nobody, random_bytes=os.urandom)
    )

    assert [(each.host, each.port, each.tls) for each in routes] == FOUND_WAYS


# --- all the way into an account -----------------------------------------------------------


@pytest.fixture
def _believed(prosody: Prosody, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system believes the server's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(prosody.identity.certificate_file))


@pytest.mark.usefixtures("_believed")
@pytest.mark.parametrize("tls", TlsMode)
def test_account_is_made_at_an_onion_of_the_dns(net: Net, tls: TlsMode) -> None:
    door = {
        DIRECT: {"xmpps": [f"0 0 5223 {net.onion}."]},
        STARTTLS: {"xmpp": [f"0 0 5222 {net.onion}."]},
    }
    net.play(honest(**door[tls]))

    opened = net.run(net.reach())

    assert opened.via_onion
    assert opened.trust is Trust.CHAIN
    assert opened.jid.domainpart == DOMAIN


@pytest.mark.usefixtures("_believed")
@pytest.mark.parametrize("tls", TlsMode)
def test_account_is_made_through_an_exit_at_the_port_of_the_dns(
    net: Net, prosody: Prosody, tls: TlsMode
) -> None:
    door = {DIRECT: "xmpps", STARTTLS: "xmpp"}
    net.play(honest(**{door[tls]: [f"0 0 {prosody.port(tls)} {NAMED}."]}))

    opened = net.run(net.reach())

    assert not opened.via_onion
    assert opened.trust is Trust.CHAIN


@pytest.mark.usefixtures("_believed")
def test_account_is_made_at_the_second_target_when_the_first_is_gone(
    net: Net, prosody: Prosody
) -> None:
    """The onion has no such port."""
    net.play(
        honest(
            xmpps=[
                f"0 0 5224 {net.onion}.",
                f"0 0 {prosody.direct_port} {NAMED}.",
            ]
        )
    )

    opened = net.run(net.reach())

    assert not opened.via_onion


def test_onion_of_a_lying_resolver_gets_no_account(net: Net, prosody: Prosody) -> None:
    """Here nobody believes the certificate: the onion is whose it likes to be."""
    net.play(honest(xmpps=[f"0 0 5223 {net.onion}."]))
    before = set((prosody.directory / "data").rglob("*.dat"))

    with pytest.raises(OpeningError) as caught:
        net.run(net.reach())

    assert caught.value.condition == "untrusted"
    assert set((prosody.directory / "data").rglob("*.dat")) == before
