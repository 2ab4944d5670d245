"""From a domain to a session: which of its doors is tried, and when the search ends."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOnline,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentStep,
    Failed,
    Secret,
    ServerTried,
    UnlockVault,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import IsolationKey
from coykiosk.register.records import Route, Server, TlsMode
from coykiosk.session.opening import (
    Opened,
    OpeningError,
    OpeningReason,
    OpeningStep,
    Purpose,
    Trust,
)
from coykiosk.session.reaching import reach
from coykiosk.session.resolvers import RESOLVERS
from coykiosk.session.resolving import ANSWER_LIMIT_S
from coykiosk.session.world import World
from tests.session.conftest import (
    DOMAIN,
    Identity,
    Prosody,
    make_identity,
    make_route,
)
from tests.session.hostile import played_by, silent, stage
from tests.session.idle import idle_world
from tests.session.pure_server import PureServer
from tests.support.dns_server import Answerer, DnsServer, serving, zone
from tests.support.headless import (
    WORDS,
    LoopbackTor,
    eventually,
    headless,
    leap,
    make_server,
    quick_vault,
    run_leaping,
)
from tests.support.listener import Part

ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"
A, B, C = "a.example", "b.example", "c.example"
ROUTE = make_route(host=DOMAIN, tls=TlsMode.STARTTLS)
KEY = IsolationKey("u" * 32, "p" * 32)
LIMIT_S = 30.0


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("wrong"))


@pytest.fixture
def _believed(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system believes `identity`, and not `wrong`, which names the domain too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate_file))


believed = pytest.mark.usefixtures("_believed")


def tls_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    return context


def good() -> Part:
    return played_by(PureServer)


def closed() -> Part:
    return played_by(lambda: PureServer(offers_registration=False))


async def hangs_up_inside(
    reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
) -> None:
    """Let in, take the first words, and end."""
    await reader.read(65536)


@dataclass
class Town:
    """A domain in the DNS, servers under names, and a way to all of them."""

    tor: LoopbackTor
    dns: DnsServer
    steps: list[OpeningStep] = field(default_factory=list)

    async def reach(self, route: Route = ROUTE, limit_s: float = LIMIT_S) -> Opened:
        async with asyncio.timeout(limit_s) as limit:
            return await reach(
                self.world(),
                route,
                localpart="someone",
                password=Secret("pencil"),
                purpose=Purpose.REGISTER,
                isolation_key=KEY,
                on_step=self.steps.append,
                limit=limit,
            )

    async def visit(self, route: Route = ROUTE) -> Opened:
        opened = await self.reach(route)
        await opened.stream.close()
        return opened

    async def fail(self, route: Route = ROUTE) -> OpeningError:
        with pytest.raises(OpeningError) as caught:
            await self.reach(route)
        return caught.value

    def world(self) -> World:
        return idle_world(self.tor)

    @property
    def dialed(self) -> list[str]:
        """The hosts after the resolver, in order."""
        return [host for host, _ in self.tor.ways.asked if host != RESOLVERS[0].host]


@asynccontextmanager
async def town(
    resolver: Identity, answer: Answerer, doors: Mapping[str, tuple[Part, Identity]]
) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(
            serving(DnsServer(answer), tls_context(resolver))
        )
        ports = {RESOLVERS[0].host: dns.port}
        for host, (part, identity) in doors.items():
            ports[host] = await stack.enter_async_context(
                stage(part, identity=identity)
            )
        tor = LoopbackTor(ports)
        await tor.start(guard_state="")
        yield Town(tor, dns)


def in_town(
    resolver: Identity,
    answer: Answerer,
    doors: Mapping[str, tuple[Part, Identity]],
    act: Callable[[Town], Awaitable[object]],
) -> tuple[Town, object]:
    async def main() -> tuple[Town, object]:
        async with town(resolver, answer, doors) as made:
            return made, await act(made)

    return run_leaping(main)


def at(*hosts: str) -> Answerer:
    """A domain with these targets, in this order, for direct TLS."""
    return zone(
        DOMAIN, xmpps=[f"{place} 0 5223 {host}." for place, host in enumerate(hosts)]
    )


# --- the door ---------------------------------------------------------------------------


@believed
def test_domain_is_looked_up_and_reached_at_its_target(identity: Identity) -> None:
    made, opened = in_town(identity, at(A), {A: (good(), identity)}, Town.visit)

    assert isinstance(opened, Opened)
    assert opened.trust is Trust.CHAIN
    assert not opened.via_onion
    assert made.dialed == [A]


@believed
def test_lookup_and_session_never_share_a_circuit(identity: Identity) -> None:
    made, _ = in_town(identity, at(A), {A: (good(), identity)}, Town.visit)

    resolver, door = made.tor.ways.keys
    assert door == KEY
    assert resolver != KEY


@believed
def test_way_that_is_known_is_not_looked_up(identity: Identity) -> None:
    async def act(made: Town) -> Opened:
        return await made.visit(make_route(host=A))

    made, _ = in_town(identity, at(B), {A: (good(), identity)}, act)

    assert made.dns.asked == []
    assert made.dialed == [A]


@believed
def test_steps_are_told_once_however_many_targets_there_are(
    identity: Identity,
) -> None:
    made, _ = in_town(identity, at(A, B, C), {C: (good(), identity)}, Town.visit)

    assert made.dialed == [A, B, C]
    assert made.steps == list(OpeningStep)


# --- the next door ----------------------------------------------------------------------


@believed
def test_target_with_a_bad_certificate_is_left_without_a_word(
    identity: Identity, wrong: Identity
) -> None:
    heard: list[bytes] = []

    async def listening(
        reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        heard.append(await reader.read(65536))

    made, _ = in_town(
        identity,
        at(A, B),
        {A: (listening, wrong), B: (good(), identity)},
        Town.visit,
    )

    assert made.dialed == [A, B]
    assert not any(heard)


@believed
def test_target_that_is_silent_costs_its_share_of_the_time(
    identity: Identity,
) -> None:
    """Which is half of it, when there is one more."""

    async def act(made: Town) -> Opened:
        async with asyncio.TaskGroup() as group:
            visiting = group.create_task(made.visit())
            await eventually(lambda: made.dialed == [A])
            leap(LIMIT_S / 2)
        return visiting.result()

    async def main() -> list[str]:
        # No TLS here: whoever listens never says a word.
        async with (
            stage(silent) as port,
            town(identity, at(A, B), {B: (good(), identity)}) as made,
        ):
            made.tor.ways.ports[A] = port
            await act(made)
            return made.dialed

    assert run_leaping(main) == [A, B]


@believed
def test_time_of_the_last_target_is_the_callers(identity: Identity) -> None:
    async def main() -> None:
        async with (
            stage(silent) as port,
            town(identity, at(A), {}) as made,
        ):
            made.tor.ways.ports[A] = port
            async with asyncio.TaskGroup() as group:
                visiting = group.create_task(expect_timeout(made))
                await eventually(lambda: made.dialed == [A])
                leap(LIMIT_S)
            assert visiting.result()

    async def expect_timeout(made: Town) -> bool:
        with pytest.raises(TimeoutError):
            await made.reach()
        return True

    run_leaping(main)


@believed
def test_time_of_the_caller_stands_still_while_a_resolver_thinks(
    identity: Identity,
) -> None:
    async def act(made: Town) -> Opened:
        def think() -> None:
            made.dns.on_question = lambda: None
            leap(ANSWER_LIMIT_S - 1)

        made.dns.on_question = think
        opened = await made.reach(limit_s=ANSWER_LIMIT_S / 2)
        await opened.stream.close()
        return opened

    made, _ = in_town(identity, at(A), {A: (good(), identity)}, act)

    assert made.dialed == [A]


@believed
@pytest.mark.parametrize(
    ("part", "reason"),
    [
        pytest.param(closed(), OpeningReason.REGISTRATION_CLOSED, id="says no"),
        pytest.param(hangs_up_inside, OpeningReason.BROKEN, id="hangs up"),
    ],
)
def test_server_that_was_found_is_the_last_one_tried(
    identity: Identity, part: Part, reason: OpeningReason
) -> None:
    """The others are the same server, and a second request would be a second account."""
    made, error = in_town(
        identity, at(A, B), {A: (part, identity), B: (good(), identity)}, Town.fail
    )

    assert isinstance(error, OpeningError)
    assert error.reason is reason
    assert made.dialed == [A]


@believed
@pytest.mark.parametrize(
    ("hosts", "reason"),
    [
        pytest.param((A, B, C), OpeningReason.UNREACHABLE, id="unreachable"),
        pytest.param((B, A, C), OpeningReason.CERTIFICATE_BAD, id="certificate"),
    ],
)
def test_reason_is_that_of_the_target_which_the_domain_prefers(
    identity: Identity,
    wrong: Identity,
    hosts: tuple[str, ...],
    reason: OpeningReason,
) -> None:
    made, error = in_town(identity, at(*hosts), {B: (good(), wrong)}, Town.fail)

    assert isinstance(error, OpeningError)
    assert error.reason is reason
    assert not error.submitted
    assert made.dialed == list(hosts)


@believed
def test_end_of_tor_is_no_reason_to_try_the_next(identity: Identity) -> None:
    async def act(made: Town) -> ErrorCode:
        made.dns.on_question = made.tor.die
        with pytest.raises(UserError) as caught:
            await made.reach()
        return caught.value.code

    made, code = in_town(identity, at(A), {A: (good(), identity)}, act)

    assert code is ErrorCode.TOR_STOPPED
    assert made.dialed == []


def test_service_that_is_not_offered_is_not_there(identity: Identity) -> None:
    declining = zone(DOMAIN, xmpps=["0 0 0 ."], xmpp=["0 0 0 ."])

    made, error = in_town(identity, declining, {DOMAIN: (good(), identity)}, Town.fail)

    assert isinstance(error, OpeningError)
    assert (error.reason, error.condition) == (OpeningReason.UNREACHABLE, "not-offered")
    assert made.dialed == []


# --- an onion out of the DNS ---------------------------------------------------------------


@believed
def test_onion_of_the_dns_is_taken_by_a_certificate_of_the_domain(
    identity: Identity,
) -> None:
    made, opened = in_town(
        identity,
        at(A, ONION),
        {ONION: (good(), identity), A: (good(), identity)},
        Town.visit,
    )

    assert isinstance(opened, Opened)
    assert opened.via_onion
    assert opened.trust is Trust.CHAIN
    assert made.dialed == [ONION]


@believed
@pytest.mark.parametrize("is_pinned", [False, True], ids=["first sight", "pinned"])
def test_onion_of_the_dns_cannot_vouch_for_itself(
    identity: Identity, wrong: Identity, *, is_pinned: bool
) -> None:
    """A record's onion may; this one is the word of a resolver, or of an exit."""
    route = replace(ROUTE, spki=(wrong.pin,) if is_pinned else ())

    async def act(made: Town) -> OpeningError:
        return await made.fail(route)

    _, error = in_town(identity, at(ONION), {ONION: (good(), wrong)}, act)

    assert isinstance(error, OpeningError)
    assert error.reason is OpeningReason.CERTIFICATE_BAD
    assert error.condition == "untrusted"


@believed
def test_onion_of_a_record_still_vouches_for_itself(
    identity: Identity, wrong: Identity
) -> None:
    async def act(made: Town) -> Opened:
        return await made.visit(make_route(host=ONION))

    _, opened = in_town(identity, at(A), {ONION: (good(), wrong)}, act)

    assert isinstance(opened, Opened)
    assert opened.trust is Trust.FIRST_SIGHT


# --- a whole session, with a real server ------------------------------------------------------


def exit_server() -> Server:
    """A record without an onion: its name is all that is known."""
    return replace(make_server(), onion=None, clearnet=True, tls=TlsMode.STARTTLS)


@pytest.mark.network
def test_account_is_made_and_found_again_by_what_the_dns_says_at_the_time(
    prosody: Prosody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault keeps the domain, no target of the day, and no pin of theirs."""
    monkeypatch.setenv("SSL_CERT_FILE", str(prosody.identity.certificate_file))
    path = tmp_path / "vault"

    async def main() -> tuple[list[str], list[bool]]:
        answers = [at(A), at(B, ONION)]
        dns = DnsServer(answers[0])
        async with serving(dns, tls_context(prosody.identity)):
            ports = dict.fromkeys([A, B, ONION], prosody.direct_port)
            tor = LoopbackTor({RESOLVERS[0].host: dns.port, **ports})
            online = []
            async with headless([exit_server()], tor, vault=quick_vault(path)) as who:
                who.submit(CreateAccount(Secret(WORDS)))
                online.append(await who.until(AccountOnline))
            dns.answer = answers[1]
            async with headless([], tor, vault=quick_vault(path)) as who:
                who.submit(UnlockVault(Secret(WORDS)))
                online.append(await who.until(AccountOnline))
        hosts = [host for host, _ in tor.ways.asked]
        return hosts, [each.via_onion for each in online]

    hosts, via_onion = run_leaping(main)

    assert hosts == [RESOLVERS[0].host, A, RESOLVERS[0].host, ONION]
    assert via_onion == [False, True]
    vault = quick_vault(path)
    [record] = vault.unlock(Secret(WORDS)).accounts
    vault.close()
    assert (record.host, record.port, record.tls) == (DOMAIN, 5222, "starttls")
    assert record.spki == ()


def test_server_that_declines_is_told_as_one_that_cannot_be_reached(
    identity: Identity,
) -> None:
    declining = zone(DOMAIN, xmpp=["0 0 0 ."])

    async def main() -> tuple[list[ServerTried], list[EnrolmentStep]]:
        async with town(identity, declining, {}) as made:
            await made.tor.stop()
            async with headless([exit_server()], made.tor) as person:
                person.submit(CreateAccount(None))
                await person.until(Failed)
        steps = [each.step for each in person.of(EnrolmentAdvanced)]
        return person.of(ServerTried), steps

    [tried], steps = run_leaping(main)

    assert tried.server == DOMAIN
    assert tried.error.code is ErrorCode.SERVER_UNREACHABLE
    assert steps[-1] is EnrolmentStep.REACHING_SERVER
