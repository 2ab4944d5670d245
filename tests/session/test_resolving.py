"""Asking resolvers: who is asked, over what, for how long, and who is believed.

Real DNS servers on loopback stand in for the resolvers; the same on a Tor network is
in test_resolving_on_tor.
"""

import ast
import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import dns.rcode
import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import IsolationKey, Stream
from coykiosk.register.records import Registration, Route, TlsMode
from coykiosk.session.resolvers import RESOLVERS, Resolver
from coykiosk.session.resolving import ANSWER_LIMIT_S, find_ways
from tests.session.conftest import Identity, make_identity
from tests.session.hostile import stage
from tests.support.chance import seeded
from tests.support.dns_server import (
    LIES,
    Answerer,
    DnsServer,
    failing,
    serving,
    silent,
    zone,
)
from tests.support.headless import LoopbackWays, leap, run_leaping
from tests.support.listener import Part

T = TypeVar("T")

DOMAIN = "chat.example"
FIRST = Resolver("r" * 56 + ".onion", 853)
SECOND = Resolver("192.0.2.53", 53)
BOTH = (FIRST, SECOND)
ROUTE = Route(
    domain=DOMAIN,
    host=DOMAIN,
    port=5222,
    tls=TlsMode.STARTTLS,
    spki=(),
    scram=(),
    registration=Registration.OPEN,
)
HONEST = zone(DOMAIN, xmpps=["0 0 5223 a.example."], xmpp=["1 0 5222 b.example."])
FOUND = [("a.example", 5223, TlsMode.DIRECT), ("b.example", 5222, TlsMode.STARTTLS)]
FALLBACK = [(DOMAIN, 5222, TlsMode.STARTTLS)]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a certificate that names somebody else."""
    return tls_context(make_identity(tmp_path_factory.mktemp("r"), ("r.example",)))


def tls_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    return context


class Bench:
    """Two resolvers, an onion and an address, and what they were asked."""

    def __init__(self, first: DnsServer, second: DnsServer) -> None:
        self.first = first
        self.second = second
        self.ways = LoopbackWays({FIRST.host: first.port, SECOND.host: second.port})

    async def find(
        self, resolvers: tuple[Resolver, ...] = BOTH, route: Route = ROUTE
    ) -> list[tuple[str, int, TlsMode]]:
        routes = await find_ways(
            self.ways, route, resolvers=resolvers, random_bytes=seeded(3)
        )
        return [(each.host, each.port, each.tls) for each in routes]


def on_bench(
    context: ssl.SSLContext,
    first: DnsServer,
    second: DnsServer,
    act: Callable[[Bench], Awaitable[T]],
) -> T:
    async def main() -> T:
        async with serving(first, context), serving(second):
            return await act(Bench(first, second))

    return run_leaping(main)


def unused() -> DnsServer:
    """A resolver that nobody should need."""

    def answer(_query: object) -> list[bytes]:
        raise AssertionError

    return DnsServer(answer)


# --- asking -----------------------------------------------------------------------------


def test_onion_resolver_is_asked_first_and_alone_when_it_answers(
    context: ssl.SSLContext,
) -> None:
    first, second = DnsServer(HONEST), unused()

    ways = on_bench(context, first, second, Bench.find)

    assert ways == FOUND
    assert first.asked == [
        "_xmpps-client._tcp.chat.example.",
        "_xmpp-client._tcp.chat.example.",
    ]
    assert second.n_connections == 0


@pytest.mark.parametrize("reverses", [False, True])
def test_both_questions_go_out_before_any_answer_on_one_connection(
    context: ssl.SSLContext, *, reverses: bool
) -> None:
    """The server waits for both: a client that asked in turn would wait for ever."""
    first = DnsServer(HONEST, waits_for=2, reverses=reverses)

    ways = on_bench(context, first, unused(), Bench.find)

    assert ways == FOUND
    assert first.n_connections == 1


def test_questions_are_padded_inside_of_tls_and_not_in_clear(
    context: ssl.SSLContext,
) -> None:
    first, second = DnsServer(silent), DnsServer(HONEST)
    first.on_question = lambda: leap(ANSWER_LIMIT_S)

    on_bench(context, first, second, Bench.find)

    assert first.lengths == [128, 128]
    assert all(length < 60 for length in second.lengths)


def test_every_resolver_is_asked_on_a_circuit_of_its_own(
    context: ssl.SSLContext,
) -> None:
    async def twice(bench: Bench) -> list[IsolationKey]:
        source = seeded(1)
        for _ in range(2):
            await find_ways(bench.ways, ROUTE, resolvers=BOTH, random_bytes=source)
        return bench.ways.keys

    keys = on_bench(
        context, DnsServer(failing(dns.rcode.SERVFAIL)), DnsServer(HONEST), twice
    )

    assert len(keys) == 4
    assert len(set(keys)) == 4


def test_plain_resolver_gets_the_questions_together_with_the_connect() -> None:
    """And an onion the first flight of TLS: either saves a round trip."""
    seen: list[tuple[str, int, bytes]] = []

    class Refusing:
        async def open(
            self,
            host: str,
            port: int,
            *,
            isolation_key: IsolationKey,
            first_bytes: bytes = b"",
        ) -> Stream:
            seen.append((host, port, first_bytes))
            raise UserError(ErrorCode.SERVER_UNREACHABLE, server=host)

    async def main() -> None:
        await find_ways(Refusing(), ROUTE, resolvers=BOTH, random_bytes=seeded(1))

    asyncio.run(main())

    [(onion, onion_port, hello), (address, port, questions)] = seen
    assert (onion, onion_port, address, port) == (FIRST.host, 853, SECOND.host, 53)
    assert hello.startswith(b"\x16\x03\x01")  # TLS handshake record
    assert questions.count(b"\x04_tcp\x04chat\x07example\x00") == 2


# --- the next one ---------------------------------------------------------------------------


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES.keys())
def test_liar_leads_to_the_next_resolver(
    context: ssl.SSLContext, answer: Answerer
) -> None:
    first, second = DnsServer(answer), DnsServer(HONEST)

    ways = on_bench(context, first, second, Bench.find)

    assert ways == FOUND
    assert len(second.asked) == 2


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES.keys())
def test_liars_lead_to_the_domain_itself(
    context: ssl.SSLContext, answer: Answerer
) -> None:
    ways = on_bench(context, DnsServer(answer), DnsServer(answer), Bench.find)

    assert ways == FALLBACK


@pytest.mark.parametrize(
    "rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP]
)
def test_resolver_that_could_not_find_out_leads_to_the_next(
    context: ssl.SSLContext, rcode: dns.rcode.Rcode
) -> None:
    ways = on_bench(context, DnsServer(failing(rcode)), DnsServer(HONEST), Bench.find)

    assert ways == FOUND


def test_name_that_does_not_exist_is_an_answer(context: ssl.SSLContext) -> None:
    ways = on_bench(
        context, DnsServer(failing(dns.rcode.NXDOMAIN)), unused(), Bench.find
    )

    assert ways == FALLBACK


def test_service_that_is_not_offered_leaves_no_way(context: ssl.SSLContext) -> None:
    declining = zone(DOMAIN, xmpps=["0 0 0 ."], xmpp=["0 0 0 ."])

    ways = on_bench(context, DnsServer(declining), unused(), Bench.find)

    assert ways == []


def test_dead_resolver_costs_its_limit_and_leads_to_the_next(
    context: ssl.SSLContext,
) -> None:
    first, second = DnsServer(silent), DnsServer(HONEST)
    first.on_question = lambda: leap(ANSWER_LIMIT_S)

    ways = on_bench(context, first, second, Bench.find)

    assert ways == FOUND


def test_dead_resolvers_lead_to_the_domain_itself(context: ssl.SSLContext) -> None:
    dead = [DnsServer(silent), DnsServer(silent)]
    for each in dead:
        each.on_question = lambda: leap(ANSWER_LIMIT_S)

    ways = on_bench(context, dead[0], dead[1], Bench.find)

    assert ways == FALLBACK


def test_answer_that_came_in_time_counts_although_the_other_never_came(
    context: ssl.SSLContext,
) -> None:
    """The next resolver is asked for what is still open, and hears no more."""

    def half(query: object) -> list[bytes]:
        first.on_question = lambda: leap(ANSWER_LIMIT_S)
        return list(HONEST(query)) if len(first.asked) == 1 else []  # type: ignore[arg-type]  # passed on

    first, second = DnsServer(half), DnsServer(HONEST)

    ways = on_bench(context, first, second, Bench.find)

    assert ways == FOUND
    assert second.asked == ["_xmpp-client._tcp.chat.example."]


def test_service_that_nobody_could_find_out_about_hides_no_other(
    context: ssl.SSLContext,
) -> None:
    def half(query: object) -> list[bytes]:
        which = HONEST if "_xmpp-client" in str(query) else failing(dns.rcode.SERVFAIL)
        return list(which(query))  # type: ignore[arg-type]  # passed on

    ways = on_bench(context, DnsServer(half), DnsServer(half), Bench.find)

    assert ways == FOUND[1:]


# --- what is in the way -------------------------------------------------------------------------


async def hangs_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(10)


async def talks_nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    await writer.drain()


@pytest.mark.parametrize("part", [hangs_up, talks_nonsense])
def test_resolver_without_tls_or_manners_leads_to_the_next(part: Part) -> None:
    @asynccontextmanager
    async def bench() -> AsyncIterator[Bench]:
        second = DnsServer(HONEST)
        async with stage(part) as port, serving(second):
            yield Bench(DnsServer(silent, port=port), second)

    async def main() -> list[tuple[str, int, TlsMode]]:
        async with bench() as made:
            return await made.find()

    assert run_leaping(main) == FOUND


def test_resolver_that_tor_cannot_reach_leads_to_the_next(
    context: ssl.SSLContext,
) -> None:
    async def act(bench: Bench) -> list[tuple[str, int, TlsMode]]:
        del bench.ways.ports[FIRST.host]
        return await bench.find()

    ways = on_bench(context, unused(), DnsServer(HONEST), act)

    assert ways == FOUND


def test_end_of_tor_ends_the_search(context: ssl.SSLContext) -> None:
    """Nobody can be asked any more; to go on would only hide why."""

    async def act(bench: Bench) -> ErrorCode:
        bench.ways.failure = ErrorCode.TOR_STOPPED
        with pytest.raises(UserError) as caught:
            await bench.find()
        return caught.value.code

    code = on_bench(context, unused(), unused(), act)

    assert code is ErrorCode.TOR_STOPPED


def test_domain_that_is_no_name_of_the_dns_is_asked_of_nobody(
    context: ssl.SSLContext,
) -> None:
    route = Route(
        domain="a..b",
        host="a..b",
        port=5222,
        tls=TlsMode.STARTTLS,
        spki=(),
        scram=(),
        registration=Registration.OPEN,
    )

    async def act(bench: Bench) -> list[tuple[str, int, TlsMode]]:
        return await bench.find(route=route)

    ways = on_bench(context, unused(), unused(), act)

    assert ways == [("a..b", 5222, TlsMode.STARTTLS)]


def test_search_that_is_cancelled_leaves_no_connection(
    context: ssl.SSLContext,
) -> None:
    """`run_leaping` and the warning of an unclosed socket see what is left."""
    first = DnsServer(silent)

    async def act(bench: Bench) -> None:
        came = asyncio.Event()
        first.on_question = came.set
        async with asyncio.TaskGroup() as group:
            searching = group.create_task(bench.find())
            await came.wait()
            searching.cancel()

    on_bench(context, first, unused(), act)


# --- the list, and what is never used ------------------------------------------------------------


def test_resolvers_need_no_name_to_be_looked_up() -> None:
    onion, address = RESOLVERS

    assert onion.speaks_tls
    assert onion.port == 853
    assert address.host.replace(".", "").isdigit()
    assert not address.speaks_tls
    assert address.port == 53


_BYTES_ONLY = {
    "dns.exception",
    "dns.flags",
    "dns.message",
    "dns.name",
    "dns.opcode",
    "dns.rcode",
    "dns.rdataclass",
    "dns.rdatatype",
    "dns.wire",
}


def test_only_the_bytes_of_dnspython_are_imported() -> None:
    """import-linter sees `dns` only as a whole, so this says which parts of it."""
    root = Path(__file__).parents[2] / "coykiosk"
    imported: set[str] = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}

    assert {name for name in imported if name.split(".")[0] == "dns"} == _BYTES_ONLY


def test_program_loads_nothing_that_resolves_names() -> None:
    script = (
        "import coykiosk.service, coykiosk.rehearsal, sys;"
        "print(sorted(m for m in sys.modules if sys.modules[m] and m.split('.')[0] in"
        " ('aiodns', 'pycares') or m in ('dns.resolver', 'dns.query', 'dns.nameserver',"
        " 'dns.asyncquery', 'dns.asyncresolver', 'dns.asyncbackend', 'dns._ddr')))"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert done.stdout == "[]\n"
