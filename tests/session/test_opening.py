import asyncio
import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Dialer, IsolationKey, Stream
from coykiosk.register.servers import Registration, Route, TlsMode
from coykiosk.session.certificates import Authorities
from coykiosk.session.opening import (
    Opened,
    OpeningError,
    OpeningReason,
    OpeningStep,
    Purpose,
    Trust,
    open_session,
)
from tests.session.conftest import (
    DOMAIN,
    ONION,
    Identity,
    Prosody,
    make_identity,
    make_route,
)
from tests.session.hostile import played_by, silent, stage
from tests.session.pure_server import PureServer, stream_error
from tests.session.sasl2_server import Sasl2Server
from tests.support.loopback import LoopbackDialer
from tests.support.roundtrips import CountingProxy
from tests.support.running import run_clean

KEY = IsolationKey("u" * 32, "p" * 32)
PLUS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")


@dataclass
class Attempt:
    """One call of open_session, and what it reported on the way."""

    route: Route
    localpart: str = "someone"
    password: str = "pencil"  # noqa: S105 - of RFC 5802
    purpose: Purpose = Purpose.REGISTER
    authorities: Authorities | None = None
    steps: list[OpeningStep] = field(default_factory=list)

    async def open(self, dialer: Dialer) -> Opened:
        return await open_session(
            dialer,
            self.route,
            localpart=self.localpart,
            password=Secret(self.password),
            purpose=self.purpose,
            isolation_key=KEY,
            random_bytes=os.urandom,
            on_step=self.steps.append,
            authorities=self.authorities,
        )

    async def open_and_close(self, dialer: Dialer) -> Opened:
        opened = await self.open(dialer)
        await opened.stream.close()
        return opened


def fresh_name() -> str:
    return "t" + os.urandom(6).hex()


def fail(attempt: Attempt, dialer: LoopbackDialer) -> OpeningError:
    """Run an attempt that must fail; every connection must be closed then."""

    async def main() -> OpeningError:
        with pytest.raises(OpeningError) as caught:
            await attempt.open(dialer)
        assert all(stream.is_closed for stream in dialer.streams)
        return caught.value

    error = run_clean(main)
    assert isinstance(error, OpeningError)
    return error


def fail_at(part: PureServer, identity: Identity, attempt: Attempt) -> OpeningError:
    async def main() -> OpeningError:
        async with stage(played_by(lambda: part), identity=identity) as port:
            dialer = LoopbackDialer(port)
            with pytest.raises(OpeningError) as caught:
                await attempt.open(dialer)
            assert all(stream.is_closed for stream in dialer.streams)
            return caught.value

    error = run_clean(main)
    assert isinstance(error, OpeningError)
    return error


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("identity"))


# --- real Prosody ----------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize(
    ("tls", "round_trips"), [(TlsMode.DIRECT, 4), (TlsMode.STARTTLS, 5)]
)
def test_opening_registers_and_logs_in_with_few_round_trips(
    prosody: Prosody, tls: TlsMode, round_trips: int
) -> None:
    """From the first client byte to the roster result, counted at a proxy."""
    name = fresh_name()
    register = Attempt(make_route(tls=tls), name)
    log_in = Attempt(make_route(tls=tls), name, purpose=Purpose.LOG_IN)

    async def main() -> list[int]:
        counts = []
        for attempt in (register, log_in):
            async with CountingProxy(prosody.port(tls)) as proxy:
                opened = await attempt.open(LoopbackDialer(proxy.port))
                await read_roster(opened)
                counts.append(proxy.round_trips)
                await opened.stream.close()
        return counts

    assert run_clean(main) == [round_trips, round_trips]
    assert prosody.has_account(name)
    assert register.steps == list(OpeningStep)
    assert OpeningStep.SUBMITTING not in log_in.steps


async def read_roster(opened: Opened) -> None:
    """Read until the answer to the roster request has come."""
    while True:
        stanza = opened.reader.next_stanza()
        if stanza is None:
            opened.reader.feed(await opened.stream.read())
        elif stanza.get("id") == opened.bound.roster_id:
            assert stanza.get("type") == "result"
            return


@pytest.mark.network
@pytest.mark.parametrize("tls", TlsMode)
def test_opening_sends_its_first_words_with_the_connect(
    prosody: Prosody, tls: TlsMode
) -> None:
    dialer = LoopbackDialer(prosody.port(tls))
    attempt = Attempt(make_route(tls=tls), fresh_name())

    run_clean(lambda: attempt.open_and_close(dialer))

    [(host, port, key, first_bytes)] = dialer.asked
    assert (host, port, key) == (ONION, 5222, KEY)
    if tls is TlsMode.DIRECT:
        assert first_bytes[:2] == b"\x16\x03"  # a TLS handshake record
        assert DOMAIN.encode() in first_bytes  # SNI
    else:
        assert b"<starttls" in first_bytes
        assert attempt.localpart.encode() not in first_bytes


@pytest.mark.network
def test_opening_gives_the_pin_of_a_self_signed_onion(prosody: Prosody) -> None:
    attempt = Attempt(make_route(), fresh_name())

    opened = run_clean(
        lambda: attempt.open_and_close(LoopbackDialer(prosody.direct_port))
    )

    assert opened.trust is Trust.FIRST_SIGHT
    assert opened.pin == prosody.identity.pin
    assert opened.jid.localpart == attempt.localpart
    assert opened.jid.resource


@pytest.mark.network
def test_opening_takes_the_pinned_key_again(prosody: Prosody) -> None:
    route = make_route(spki=(prosody.identity.pin,))
    attempt = Attempt(route, fresh_name())

    opened = run_clean(
        lambda: attempt.open_and_close(LoopbackDialer(prosody.direct_port))
    )

    assert opened.trust is Trust.PINNED


@pytest.mark.network
@pytest.mark.parametrize(
    ("route", "condition"),
    [
        pytest.param(make_route(host=DOMAIN), "untrusted", id="through an exit"),
        pytest.param(make_route(spki=("A" * 43 + "=",)), "pin-changed", id="pin"),
    ],
)
@pytest.mark.parametrize("tls", TlsMode)
def test_opening_says_nothing_to_a_server_with_a_wrong_certificate(
    prosody: Prosody, tls: TlsMode, route: Route, condition: str
) -> None:
    name = fresh_name()
    route = make_route(tls=tls, host=route.host, spki=route.spki)
    attempt = Attempt(route, name)

    error = fail(attempt, LoopbackDialer(prosody.port(tls)))

    assert error.reason is OpeningReason.CERTIFICATE_BAD
    assert error.condition == condition
    assert not error.submitted
    assert attempt.steps == [OpeningStep.CONNECTING]
    assert not prosody.has_account(name)


@pytest.mark.network
def test_opening_takes_a_certificate_by_its_chain_through_an_exit(
    prosody: Prosody,
) -> None:
    attempt = Attempt(
        make_route(host=DOMAIN),
        fresh_name(),
        authorities=prosody.identity.authorities,
    )

    opened = run_clean(
        lambda: attempt.open_and_close(LoopbackDialer(prosody.direct_port))
    )

    assert opened.trust is Trust.CHAIN


@pytest.mark.network
@pytest.mark.parametrize("tls", TlsMode)
def test_opening_says_conflict_when_the_name_is_taken(
    prosody: Prosody, tls: TlsMode
) -> None:
    name = fresh_name()
    dialer = LoopbackDialer(prosody.port(tls))
    run_clean(lambda: Attempt(make_route(tls=tls), name).open_and_close(dialer))

    error = fail(Attempt(make_route(tls=tls), name), dialer)

    assert error.reason is OpeningReason.REFUSED
    assert (error.condition, error.error_type) == ("conflict", "cancel")
    assert error.text == "The requested username already exists."
    assert not error.submitted


@pytest.mark.network
@pytest.mark.parametrize("registration", [Registration.OPEN, Registration.UNKNOWN])
def test_opening_says_closed_when_registration_is_off(
    closed_prosody: Prosody, registration: Registration
) -> None:
    attempt = Attempt(make_route(registration=registration))

    error = fail(attempt, LoopbackDialer(closed_prosody.direct_port))

    assert error.reason is OpeningReason.REGISTRATION_CLOSED
    assert not error.submitted


@pytest.mark.network
@pytest.mark.parametrize(
    ("registration", "scram"),
    [
        pytest.param(Registration.UNKNOWN, (), id="nothing known"),
        pytest.param(Registration.OPEN, (), id="no mechanism known"),
        pytest.param(Registration.FORM, ("SCRAM-SHA-1",), id="a form expected"),
        pytest.param(Registration.OPEN, ("SCRAM-SHA-512",), id="a wrong record"),
        pytest.param(Registration.OPEN, PLUS, id="PLUS, not on TLS 1.3 there"),
    ],
)
def test_opening_gets_there_when_the_record_says_little_or_is_wrong(
    prosody: Prosody, registration: Registration, scram: tuple[str, ...]
) -> None:
    name = fresh_name()
    attempt = Attempt(make_route(registration=registration, scram=scram), name)

    run_clean(lambda: attempt.open_and_close(LoopbackDialer(prosody.direct_port)))

    assert prosody.has_account(name)
    # A record that hides PLUS costs a second connection where it is offered.
    assert list(dict.fromkeys(attempt.steps)) == list(OpeningStep)


@pytest.mark.network
@pytest.mark.parametrize(
    ("scram", "round_trips", "n_connections"),
    [
        pytest.param(PLUS, 5, 1, id="PLUS known"),
        pytest.param(PLUS[1:], 8, 2, id="PLUS not known"),
        pytest.param((), 6, 1, id="nothing known"),
    ],
)
@pytest.mark.parametrize("tls", TlsMode)
def test_opening_binds_the_channel_on_tls12(
    tls12_prosody: Prosody,
    tls: TlsMode,
    scram: tuple[str, ...],
    round_trips: int,
    n_connections: int,
) -> None:
    """Prosody 0.12.3 answers no PLUS on a stream that saw another exchange fail."""
    attempt = Attempt(make_route(tls=tls, scram=scram), fresh_name())

    async def main() -> tuple[bool, int]:
        async with CountingProxy(tls12_prosody.port(tls)) as proxy:
            opened = await attempt.open_and_close(LoopbackDialer(proxy.port))
            return opened.channel_bound, proxy.round_trips

    n_starttls = n_connections if tls is TlsMode.STARTTLS else 0
    assert run_clean(main) == (True, round_trips + n_starttls)


@pytest.mark.network
def test_opening_says_login_refused_when_the_password_is_wrong(
    prosody: Prosody,
) -> None:
    name = fresh_name()
    dialer = LoopbackDialer(prosody.direct_port)
    run_clean(lambda: Attempt(make_route(), name).open_and_close(dialer))
    wrong = "not the one"

    error = fail(Attempt(make_route(), name, wrong, Purpose.LOG_IN), dialer)

    assert error.reason is OpeningReason.LOGIN_REFUSED
    assert error.condition == "not-authorized"


# --- servers that misbehave -----------------------------------------------------------------


def test_opening_tries_once_without_plus_when_the_server_hangs_up_on_it(
    identity: Identity,
) -> None:
    """Some servers offer PLUS on TLS 1.3 and close the stream when it comes."""

    def hang_up_on_plus(_stanza_id: str, text: str) -> str | None:
        content = base64.b64decode(text.partition(">")[2].rpartition("</")[0])
        is_bound = content.startswith(
            b"c=" + base64.b64encode(b"p=tls-exporter,,")[:16]
        )
        return stream_error("internal-server-error") if is_bound else None

    accounts: set[str] = set()
    servers = [
        PureServer(mechanisms=PLUS, accounts=accounts, on_response=hang_up_on_plus)
        for _ in range(2)
    ]
    attempt = Attempt(make_route(scram=PLUS))
    queue = list(servers)

    async def main() -> Opened:
        part = played_by(lambda: queue.pop(0))
        async with stage(part, identity=identity) as port:
            return await attempt.open_and_close(LoopbackDialer(port))

    opened = run_clean(main)

    assert opened.channel_bound is False
    assert queue == []
    assert not any("jabber:iq:register" in text for text in servers[1].seen)


@pytest.mark.parametrize(
    ("server", "reason", "submitted"),
    [
        pytest.param(
            PureServer(on_register=lambda *_: "</stream:stream>"),
            OpeningReason.BROKEN,
            True,
            id="cut instead of the answer to the registration",
        ),
        pytest.param(
            PureServer(on_auth=lambda *_: "</stream:stream>"),
            OpeningReason.BROKEN,
            True,
            id="cut instead of a challenge",
        ),
        pytest.param(
            PureServer(on_response=lambda *_: stream_error("policy-violation")),
            OpeningReason.CONFUSED,
            True,
            id="stream error in the middle of SASL",
        ),
        pytest.param(
            PureServer(signature="v=AAAA"),
            OpeningReason.CONFUSED,
            True,
            id="wrong signature",
        ),
        pytest.param(
            PureServer(first_extra="<!DOCTYPE x [<!ENTITY lol 'lol'>]>"),
            OpeningReason.CONFUSED,
            True,
            id="DTD",
        ),
        pytest.param(
            PureServer(first_extra="<message><body>" + "x" * 140_000),
            OpeningReason.CONFUSED,
            True,
            id="huge stanza that never ends",
        ),
    ],
)
def test_opening_tells_how_a_bad_server_ended_it(
    identity: Identity, server: PureServer, reason: OpeningReason, submitted: bool
) -> None:
    error = fail_at(server, identity, Attempt(make_route()))

    assert error.reason is reason
    assert error.submitted is submitted


def test_opening_says_broken_when_the_server_hangs_up_at_once(
    identity: Identity,
) -> None:
    async def hang_up(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.close()

    async def main() -> OpeningError:
        async with stage(hang_up) as port:
            with pytest.raises(OpeningError) as caught:
                await Attempt(make_route()).open(LoopbackDialer(port))
            return caught.value

    error = run_clean(main)

    assert error.reason is OpeningReason.BROKEN
    assert not error.submitted


def test_opening_says_confused_when_there_is_no_tls() -> None:
    async def chat(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async def main() -> OpeningError:
        async with stage(chat) as port:
            with pytest.raises(OpeningError) as caught:
                await Attempt(make_route()).open(LoopbackDialer(port))
            return caught.value

    assert run_clean(main).reason is OpeningReason.CONFUSED


def test_opening_says_nothing_to_a_server_of_another_name(tmp_path: Path) -> None:
    server = PureServer()
    other = make_identity(tmp_path, ("other.example",))

    error = fail_at(server, other, Attempt(make_route()))

    assert error.reason is OpeningReason.CERTIFICATE_BAD
    assert error.condition == "wrong-name"
    assert server.n_heads == 0


def test_opening_never_goes_on_in_clear_when_starttls_is_refused() -> None:
    tls = "urn:ietf:params:xml:ns:xmpp-tls"
    server = PureServer(on_starttls=lambda *_: f"<failure xmlns='{tls}'/>")

    async def main() -> OpeningError:
        async with stage(played_by(lambda: server)) as port:
            route = make_route(tls=TlsMode.STARTTLS)
            with pytest.raises(OpeningError) as caught:
                await Attempt(route).open(LoopbackDialer(port))
            return caught.value

    error = run_clean(main)

    assert error.reason is OpeningReason.CONFUSED
    assert [text[:9] for text in server.seen] == ["<starttls"]


def test_opening_leaves_the_loop_free_when_the_server_wants_many_iterations(
    identity: Identity,
) -> None:
    server = PureServer(iterations=400_000)

    async def main() -> int:
        n_turns = 0
        async with stage(played_by(lambda: server), identity=identity) as port:
            dialer = LoopbackDialer(port)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(Attempt(make_route()).open_and_close(dialer))
                while not task.done():
                    await asyncio.wait([task], timeout=0.005)
                    n_turns += 1
        return n_turns

    assert run_clean(main) > 5


@pytest.mark.parametrize(
    ("knows_sasl2", "purpose", "round_trips"),
    [
        (True, Purpose.REGISTER, 3),
        (True, Purpose.LOG_IN, 3),
        (False, Purpose.REGISTER, 4),
        (False, Purpose.LOG_IN, 4),
    ],
)
def test_opening_saves_a_round_trip_where_the_session_comes_with_the_login(
    identity: Identity, *, knows_sasl2: bool, purpose: Purpose, round_trips: int
) -> None:
    """TLS; header and first message; response, roster and presence."""
    route = make_route(scram=("SCRAM-SHA-1",) if knows_sasl2 else ())

    async def main() -> int:
        part = played_by(lambda: Sasl2Server(accounts={"someone"}))
        async with (
            stage(part, identity=identity) as port,
            CountingProxy(port) as proxy,
        ):
            attempt = Attempt(replace(route, sasl2=knows_sasl2), purpose=purpose)
            opened = await attempt.open(LoopbackDialer(proxy.port))
            await read_roster(opened)
            await opened.stream.close()
            return proxy.round_trips

    assert run_clean(main) == round_trips


def test_opening_goes_the_old_way_after_a_server_that_takes_nothing_ahead(
    identity: Identity,
) -> None:
    """XEP-0388, "During Authentication": nothing else may be said while it lasts."""
    played: list[Sasl2Server] = []

    def make() -> Sasl2Server:
        played.append(Sasl2Server(is_strict=True, accounts={"someone"}))
        return played[-1]

    async def main() -> Opened:
        async with stage(played_by(make), identity=identity) as port:
            attempt = Attempt(make_route(scram=()), purpose=Purpose.LOG_IN)
            return await attempt.open_and_close(LoopbackDialer(port))

    opened = run_clean(main)

    assert opened.jid.localpart == "someone"
    assert len(played) == 2
    assert any("sasl:2" in text for text in played[0].seen)
    assert not any("sasl:2" in text for text in played[1].seen)


# --- the dialer --------------------------------------------------------------------------------


class RefusingDialer:
    """A ports.Dialer that gets nowhere."""

    def __init__(self, error: UserError) -> None:
        self.error = error

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        raise self.error


def test_opening_says_unreachable_when_tor_cannot_get_there() -> None:
    dialer = RefusingDialer(UserError(ErrorCode.SERVER_UNREACHABLE, server=ONION))

    with pytest.raises(OpeningError) as caught:
        run_clean(lambda: Attempt(make_route()).open(dialer))

    assert caught.value.reason is OpeningReason.UNREACHABLE


def test_opening_lets_pass_that_tor_has_stopped() -> None:
    error = UserError(ErrorCode.TOR_STOPPED)

    with pytest.raises(UserError) as caught:
        run_clean(lambda: Attempt(make_route()).open(RefusingDialer(error)))

    assert caught.value is error


# --- cancelled at any point ----------------------------------------------------------------------


def stuck_at(what: str) -> Callable[[asyncio.Event], PureServer]:
    """Return a server that says nothing from a certain question on."""

    def make(reached: asyncio.Event) -> PureServer:
        def stop(_stanza_id: str, _text: str) -> str:
            reached.set()
            return "<half"

        return PureServer(**{what: stop})  # type: ignore[arg-type]  # one of its handlers

    return make


@pytest.mark.parametrize(
    ("what", "submitted"),
    [
        ("on_register", True),
        ("on_auth", True),
        ("on_response", True),
        ("on_bind", True),
    ],
)
def test_opening_leaves_nothing_behind_when_cancelled(
    identity: Identity, what: str, submitted: bool
) -> None:
    attempt = Attempt(make_route())

    async def main() -> bool:
        reached = asyncio.Event()
        server = stuck_at(what)(reached)
        async with stage(played_by(lambda: server), identity=identity) as port:
            dialer = LoopbackDialer(port)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(attempt.open(dialer))
                await reached.wait()
                task.cancel()
            return all(stream.is_closed for stream in dialer.streams)

    assert run_clean(main)
    assert (OpeningStep.SUBMITTING in attempt.steps) is submitted


@pytest.mark.parametrize("tls", TlsMode)
def test_opening_leaves_nothing_behind_when_cancelled_before_tls(tls: TlsMode) -> None:
    attempt = Attempt(make_route(tls=tls))

    async def main() -> bool:
        async with stage(silent) as port:
            dialer = LoopbackDialer(port)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(attempt.open(dialer))
                await dialer.has_dialed.wait()
                task.cancel()
            return all(stream.is_closed for stream in dialer.streams)

    assert run_clean(main)
    assert attempt.steps == [OpeningStep.CONNECTING]


def test_opening_announces_the_submission_before_the_bytes_go_out(
    identity: Identity,
) -> None:
    order: list[str] = []

    def on_register(_stanza_id: str, _text: str) -> None:
        order.append("server has it")

    server = PureServer(on_register=on_register)
    attempt = Attempt(make_route())

    async def main() -> None:
        async with stage(played_by(lambda: server), identity=identity) as port:
            opened = await open_session(
                LoopbackDialer(port),
                attempt.route,
                localpart="someone",
                password=Secret(attempt.password),
                purpose=Purpose.REGISTER,
                isolation_key=KEY,
                random_bytes=os.urandom,
                on_step=lambda step: order.append(step.name),
            )
            await opened.stream.close()

    run_clean(main)

    assert order.index("SUBMITTING") < order.index("server has it")


def test_opening_leaves_the_callers_password_alone(identity: Identity) -> None:
    password = Secret("pencil")

    async def main() -> None:
        async with stage(played_by(PureServer), identity=identity) as port:
            opened = await open_session(
                LoopbackDialer(port),
                make_route(),
                localpart="someone",
                password=password,
                purpose=Purpose.REGISTER,
                isolation_key=KEY,
                random_bytes=os.urandom,
                on_step=lambda _: None,
            )
            await opened.stream.close()

    run_clean(main)

    assert password.reveal() == b"pencil"
