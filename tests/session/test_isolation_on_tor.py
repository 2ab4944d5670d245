"""Isolation on a real, private Tor network, as tor itself tells it.

Two sessions with an account each, by an onion of the record, and a third whose
server has to be looked up first, all on one tor; every connection is cut once. Then
the control port is asked whose each circuit was.
"""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import dns.rcode
import pytest

from coykiosk.contract import (
    AcceptContact,
    AccountOffline,
    AccountOnline,
    AskCircuit,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    Connect,
    ContactAsked,
    CreateAccount,
    Jid,
    MessageReceived,
    OpenChat,
    SendMessage,
)
from coykiosk.onion.daemon import TorDaemon
from coykiosk.ports import Circuit, IsolationKey
from coykiosk.register.servers import Server, TlsMode
from tests.session.conftest import Prosody
from tests.session.people import STILL_S
from tests.session.test_resolving_on_tor import Net, Watched, honest
from tests.support.dns_server import failing
from tests.support.headless import Person, headless, leap, make_server
from tests.support.tor_watch import TorWatch, watching

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

RUN_LIMIT_S = 200.0
LOOKUP, EXIT_LOOKUP, SIGN_IN = "lookup", "lookup through an exit", "sign-in"


class SharedTor:
    """A ports.Tor for one of several sessions: none of them ends it for the others."""

    def __init__(self, tor: TorDaemon) -> None:
        self._tor = tor
        self.dialer = Watched(tor.dialer)

    def check_bridges(self, text: str) -> tuple[str, ...]:
        return self._tor.check_bridges(text)

    async def use_bridges(self, lines: Sequence[str]) -> None:
        """There are none here, and taking them away would start tor anew."""
        assert not lines

    async def start(self, *, guard_state: str) -> None:
        await self._tor.start(guard_state=guard_state)

    async def wait_ready(self) -> None:
        await self._tor.wait_ready()

    async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
        return await self._tor.circuit(isolation_key)

    def guard_state(self) -> str:
        return ""

    async def stop(self) -> None:
        """Leave it to the test."""


@dataclass
class Seat:
    """A session, and what it asked Tor for."""

    person: Person
    tor: SharedTor
    jid: Jid

    @property
    def keys(self) -> list[IsolationKey]:
        """The isolation keys, each once, in order."""
        return list(dict.fromkeys(key for _, _, key in self.tor.dialer.asked))

    async def path(self) -> Circuit:
        """What the screen is given to draw."""
        self.person.submit(AskCircuit(self.person.me))
        circuit = (await self.person.until(CircuitKnown)).circuit
        assert circuit is not None
        return circuit


@dataclass
class Run:
    """What all sessions did, and what tor said to it."""

    watch: TorWatch
    seats: list[Seat]
    purposes: dict[str, list[str]]
    """Of each account, in order."""
    paths: list[tuple[IsolationKey, Circuit]]
    """What the screens were given, and of whom."""

    @property
    def keys(self) -> list[IsolationKey]:
        return [key for seat in self.seats for key in seat.keys]


async def create(stack: AsyncExitStack, net: Net, server: Server) -> Seat:
    tor = SharedTor(net.tor)
    person = await stack.enter_async_context(
        headless([server], tor, resolvers=net.resolvers)
    )
    person.submit(CreateAccount(None))
    return Seat(person, tor, (await person.until(AccountOnline)).account)


async def cut_and_return(watch: TorWatch, seat: Seat) -> None:
    """Have tor tear the circuit down, and ask for a new one as a person would."""
    await watch.settle()
    await watch.close_circuit(watch.carried_by(seat.keys[-1].user))
    await seat.person.until(AccountOffline)
    seat.person.submit(Connect())
    await seat.person.until(AccountOnline)


async def talk(one: Seat, two: Seat) -> None:
    """Have an encrypted chat, and a message in it."""
    leap(STILL_S)
    one.person.submit(OpenChat(one.person.me, two.jid))
    await two.person.until(ContactAsked)
    two.person.submit(AcceptContact(two.person.me, one.jid))
    for seat in (one, two):
        await seat.person.until(ChatChanged, lambda e: e.phase is ChatPhase.ENCRYPTED)
    one.person.submit(SendMessage(one.person.me, two.jid, "hello"))
    await two.person.until(MessageReceived)


def purposes_of(seat: Seat, net: Net) -> list[str]:
    """What each of its keys was for, by where it led."""
    resolver, exit_resolver = net.resolvers
    names = {
        (resolver.host, resolver.port): LOOKUP,
        (exit_resolver.host, exit_resolver.port): EXIT_LOOKUP,
    }
    where = {key: (host, port) for host, port, key in seat.tor.dialer.asked}
    return [names.get(where[key], SIGN_IN) for key in seat.keys]


async def run_all(net: Net, prosody: Prosody) -> Run:
    net.play(honest(xmpps=[f"0 0 5223 {net.onion}."]))
    pin = (prosody.identity.pin,)
    onion = replace(make_server(onion=net.onion, spki=pin), port=5223)
    named = replace(onion, onion=None, port=5222, tls=TlsMode.STARTTLS, clearnet=True)
    paths: list[tuple[IsolationKey, Circuit]] = []
    async with AsyncExitStack() as stack:
        assert net.tor._tor is not None
        assert net.tor._tor.own is not None
        layout = net.tor._tor.own._layout
        watch = await stack.enter_async_context(
            watching(layout.control, layout.data / "control_auth_cookie")
        )
        seats = [await create(stack, net, each) for each in (onion, onion, named)]
        await talk(*seats[:2])
        paths += [(seat.keys[-1], await seat.path()) for seat in seats]
        # From here on the onion's resolver knows nothing, the other is asked as well.
        net.play(failing(dns.rcode.SERVFAIL), honest(xmpps=[f"0 0 5223 {net.onion}."]))
        for seat in seats:
            await cut_and_return(watch, seat)
        paths += [(seat.keys[-1], await seat.path()) for seat in seats]
        await watch.settle()
        purposes = {str(seat.jid): purposes_of(seat, net) for seat in seats}
    return Run(watch, seats, purposes, paths)


@pytest.fixture(scope="module")
def run(prosody: Prosody) -> Iterator[Run]:
    """One run of everything; the tests look at it from several sides."""
    with pytest.MonkeyPatch.context() as patch:
        # An onion out of the DNS must show a certificate that the system believes.
        patch.setenv("SSL_CERT_FILE", str(prosody.identity.certificate_file))
        net = Net(prosody)
        try:
            yield net.run(run_all(net, prosody), RUN_LIMIT_S)
        finally:
            net.close()


def test_each_purpose_of_each_account_has_a_key_of_its_own(run: Run) -> None:
    """Making the account and signing in to it is one purpose: it is one stream."""
    assert list(run.purposes.values()) == [
        [SIGN_IN, SIGN_IN],
        [SIGN_IN, SIGN_IN],
        [LOOKUP, SIGN_IN, LOOKUP, EXIT_LOOKUP, SIGN_IN],
    ]
    assert len(run.keys) == len({key.user for key in run.keys}) == 9
    assert len({key.password for key in run.keys}) == 9
    assert len({seat.jid for seat in run.seats}) == 3


def test_no_stream_is_without_a_key(run: Run) -> None:
    users = {event.user for event in run.watch.user_streams}

    assert users == {key.user for key in run.keys}


def test_no_circuit_is_ever_of_two_keys(run: Run) -> None:
    """As tor says in CIRC, CIRC_MINOR and STREAM events."""
    users_by_circuit = run.watch.users_by_circuit()

    shared = {each: users for each, users in users_by_circuit.items() if len(users) > 1}
    assert shared == {}
    assert len(users_by_circuit) >= 9


def test_circuits_of_two_keys_are_other_circuits(run: Run) -> None:
    """As counted over the streams of each key, attached for however short a time."""
    circuits = [run.watch.circuits_of(key.user) for key in run.keys]

    assert all(circuits)
    assert len(set.union(*circuits)) == sum(map(len, circuits))


def test_two_accounts_share_no_circuit(run: Run) -> None:
    one, two, three = (
        set.union(*(run.watch.circuits_of(key.user) for key in seat.keys))
        for seat in run.seats
    )

    assert one & two == two & three == one & three == set()


def test_return_after_a_cut_is_on_another_circuit(run: Run) -> None:
    for_sign_in = [
        [
            run.watch.carried_by(key.user)
            for key, purpose in zip(seat.keys, run.purposes[str(seat.jid)], strict=True)
            if purpose == SIGN_IN
        ]
        for seat in run.seats
    ]

    assert [len(set(circuits)) for circuits in for_sign_in] == [2, 2, 2]


def test_path_for_the_screen_is_the_one_that_tor_tells(run: Run) -> None:
    shown = [tuple(hop.fingerprint for hop in path.hops) for _, path in run.paths]

    told = [run.watch.path_of(run.watch.carried_by(key.user)) for key, _ in run.paths]
    assert shown == told
    assert all(path.to_onion for _, path in run.paths)
    # Guard, middle, rendezvous point: the rest of the way is the service's to know.
    assert all(len(hops) >= 3 for hops in shown)
