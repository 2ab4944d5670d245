import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from OpenSSL import SSL

from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.certificates import (
    Authorities,
    CertificateBadError,
    CertificateFacts,
    Fault,
    Trust,
    judge,
    names_domain,
    system_authorities,
)
from coykiosk.session.tls import TlsEngine, TlsError, TlsStream
from tests.session.conftest import DOMAIN, Identity, load_key, make_identity
from tests.support.running import run_clean

NOBODY = Authorities(bundle=None, directory=None)


class MemoryServer:
    """The standard library's TLS on the other end, on memory."""

    def __init__(
        self,
        identity: Identity,
        prepare: Callable[[ssl.SSLContext], None] | None = None,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate_file, identity.key_file)
        context.set_alpn_protocols(["xmpp-client"])
        self.server_name: str | None = None
        context.sni_callback = self._on_name
        if prepare is not None:
            prepare(context)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=True)

    def _on_name(self, _tls: object, name: str | None, _context: object) -> None:
        self.server_name = name

    def feed(self, data: bytes) -> bytes:
        """Take the client's records; return ours."""
        self._in.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._out.read()

    def send(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._out.read()

    def take(self) -> bytes:
        return self._out.read()

    def receive(self, data: bytes) -> bytes:
        self._in.write(data)
        return self.tls.read(65536)


def only_tls12(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def only_tls11(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1


def only_cbc(context: ssl.SSLContext) -> None:
    only_tls12(context)
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")


def engine_for(
    authorities: Authorities = NOBODY, *, is_direct: bool = True
) -> TlsEngine:
    return TlsEngine(DOMAIN, is_direct=is_direct, authorities=authorities)


def shake_hands(engine: TlsEngine, server: MemoryServer) -> None:
    """Go on until our side is done; our last flight is not delivered yet."""
    to_server = engine.begin()
    for _ in range(10):
        if engine.shake_hands(server.feed(to_server)):
            return
        to_server = engine.take_outgoing()
    pytest.fail("no handshake")


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("identity"))


# --- the engine ----------------------------------------------------------------------


@pytest.mark.parametrize("prepare", [None, only_tls12], ids=["TLS 1.3", "TLS 1.2"])
def test_engine_carries_data_both_ways(
    identity: Identity, prepare: Callable[[ssl.SSLContext], None] | None
) -> None:
    server, engine = MemoryServer(identity, prepare), engine_for()
    shake_hands(engine, server)

    engine.encrypt(b"ping" * 20_000)
    tickets = server.feed(engine.take_outgoing())
    heard = b""
    while len(heard) < 80_000:
        heard += server.receive(b"")

    assert heard == b"ping" * 20_000
    assert engine.decrypt(tickets + server.send(b"pong")) == b"pong"


def test_engine_names_the_jid_domain_and_the_protocol(identity: Identity) -> None:
    server, engine = MemoryServer(identity), engine_for()

    shake_hands(engine, server)

    assert server.server_name == DOMAIN
    assert server.tls.selected_alpn_protocol() == "xmpp-client"


def test_engine_names_no_protocol_after_starttls(identity: Identity) -> None:
    server, engine = MemoryServer(identity), engine_for(is_direct=False)

    shake_hands(engine, server)

    assert server.tls.selected_alpn_protocol() is None


def test_engine_holds_its_last_flight_back_until_it_is_asked_for(
    identity: Identity,
) -> None:
    """So that it travels with the first data, and only after the verdict."""
    server, engine = MemoryServer(identity), engine_for()
    to_server = engine.begin()

    assert engine.shake_hands(server.feed(to_server))

    engine.encrypt(b"hello")
    server.feed(engine.take_outgoing())
    assert server.receive(b"") == b"hello"


def test_channel_binding_is_the_finished_message_of_the_client_on_tls12(
    identity: Identity,
) -> None:
    server, engine = MemoryServer(identity, only_tls12), engine_for()

    shake_hands(engine, server)

    binding = engine.channel_binding()
    assert binding.kind == "tls-unique"
    assert binding.data == server.tls.get_channel_binding("tls-unique")


def test_channel_binding_is_what_the_server_exports_on_tls13(
    identity: Identity,
) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_file(str(identity.certificate_file))
    context.use_privatekey_file(str(identity.key_file))
    server = SSL.Connection(context, None)
    server.set_accept_state()
    engine = engine_for()
    server.bio_write(engine.begin())
    with pytest.raises(SSL.WantReadError):
        server.do_handshake()

    assert engine.shake_hands(server.bio_read(65536))

    server.bio_write(engine.take_outgoing())
    server.do_handshake()
    binding = engine.channel_binding()
    label = b"EXPORTER-Channel-Binding"
    assert binding.kind == "tls-exporter"
    assert len(binding.data) == 32
    assert binding.data == server.export_keying_material(label, 32, None)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("prepare", [only_tls11, only_cbc], ids=["TLS 1.1", "CBC"])
def test_engine_refuses_weak_tls(
    identity: Identity, prepare: Callable[[ssl.SSLContext], None]
) -> None:
    server, engine = MemoryServer(identity, prepare), engine_for()

    with pytest.raises((TlsError, ssl.SSLError)):
        shake_hands(engine, server)


def test_engine_refuses_what_is_no_tls() -> None:
    engine = engine_for()
    engine.begin()

    with pytest.raises(TlsError):
        engine.shake_hands(b"<stream:stream>" * 10)


def test_engine_refuses_a_damaged_record(identity: Identity) -> None:
    server, engine = MemoryServer(identity), engine_for()
    shake_hands(engine, server)
    tickets = server.feed(engine.take_outgoing())
    record = bytearray(server.send(b"a message of importance"))
    record[-1] ^= 1
    engine.decrypt(tickets)

    with pytest.raises(TlsError):
        engine.decrypt(bytes(record))


def test_engine_offers_no_session_to_resume(identity: Identity) -> None:
    """Channel binding on TLS 1.2 is sound for full handshakes only."""
    first_server, first = MemoryServer(identity, only_tls12), engine_for()
    shake_hands(first, first_server)

    second_server, second = MemoryServer(identity, only_tls12), engine_for()
    shake_hands(second, second_server)

    assert not second_server.tls.session_reused


# --- the verdict -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    directory = tmp_path_factory.mktemp("root")
    return make_identity(directory, ("root.example",), is_authority=True)


def facts_of(identity: Identity, authorities: Authorities) -> CertificateFacts:
    """Have the certificate checked in a real handshake."""
    engine = engine_for(authorities)
    shake_hands(engine, MemoryServer(identity))
    return engine.facts()


def issued(root: Identity, directory: Path) -> Identity:
    return make_identity(directory, issuer=(root.certificate, load_key(root)))


def test_judge_takes_a_certificate_by_its_chain(root: Identity, tmp_path: Path) -> None:
    server = issued(root, tmp_path)

    verdict = judge(
        facts_of(server, root.authorities), domain=DOMAIN, is_onion=False, pins=()
    )

    assert verdict.trust is Trust.CHAIN
    assert verdict.pin == server.pin


def test_judge_takes_a_good_chain_when_another_key_is_pinned(
    root: Identity, tmp_path: Path
) -> None:
    facts = facts_of(issued(root, tmp_path), root.authorities)

    verdict = judge(facts, domain=DOMAIN, is_onion=True, pins=["another"])

    assert verdict.trust is Trust.CHAIN


def test_judge_takes_a_self_signed_certificate_on_an_onion_once(
    identity: Identity,
) -> None:
    facts = facts_of(identity, NOBODY)

    first = judge(facts, domain=DOMAIN, is_onion=True, pins=())
    again = judge(facts, domain=DOMAIN, is_onion=True, pins=[first.pin])

    assert first.trust is Trust.FIRST_SIGHT
    assert again.trust is Trust.PINNED
    assert first.pin == identity.pin


OTHER = ("other.example",)


@dataclass(frozen=True)
class Bad:
    """A certificate that must be refused, and why."""

    fault: Fault
    from_root: bool = False
    is_onion: bool = False
    is_pinned: bool = False
    names: tuple[str, ...] = (DOMAIN,)
    days: tuple[int, int] = (-1, 30)


ONION_NAME = ("a" * 56 + ".onion",)
PAST, FUTURE = (-9, -2), (2, 9)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Bad(Fault.UNTRUSTED), id="exit: self-signed"),
        pytest.param(Bad(Fault.UNTRUSTED, is_pinned=True), id="exit: pinned"),
        pytest.param(
            Bad(Fault.WRONG_NAME, from_root=True, names=OTHER), id="exit: name"
        ),
        pytest.param(Bad(Fault.EXPIRED, from_root=True, days=PAST), id="exit: expired"),
        pytest.param(Bad(Fault.EXPIRED, from_root=True, days=FUTURE), id="exit: early"),
        pytest.param(
            Bad(Fault.WRONG_NAME, is_onion=True, names=OTHER), id="onion: name"
        ),
        pytest.param(
            Bad(Fault.WRONG_NAME, is_onion=True, names=ONION_NAME),
            id="onion: names the onion only",
        ),
        pytest.param(Bad(Fault.EXPIRED, is_onion=True, days=PAST), id="onion: expired"),
        pytest.param(
            Bad(Fault.EXPIRED, is_onion=True, is_pinned=True, days=PAST),
            id="onion: expired although pinned",
        ),
        pytest.param(
            Bad(Fault.WRONG_NAME, is_onion=True, is_pinned=True, names=OTHER),
            id="onion: wrong name although pinned",
        ),
        pytest.param(
            Bad(Fault.EXPIRED, from_root=True, is_onion=True, days=PAST),
            id="onion: expired chain",
        ),
    ],
)
def test_judge_refuses(root: Identity, tmp_path: Path, bad: Bad) -> None:
    issuer = (root.certificate, load_key(root)) if bad.from_root else None
    server = make_identity(tmp_path, bad.names, days=bad.days, issuer=issuer)
    facts = facts_of(server, root.authorities)
    pins = [server.pin] if bad.is_pinned else []

    with pytest.raises(CertificateBadError) as caught:
        judge(facts, domain=DOMAIN, is_onion=bad.is_onion, pins=pins)

    assert caught.value.fault is bad.fault


def test_judge_refuses_another_key_than_the_pinned_one(identity: Identity) -> None:
    facts = facts_of(identity, NOBODY)

    with pytest.raises(CertificateBadError) as caught:
        judge(facts, domain=DOMAIN, is_onion=True, pins=["A" * 43 + "="])

    assert caught.value.fault is Fault.PIN_CHANGED


def test_judge_refuses_at_first_sight_what_somebody_unknown_vouches_for(
    root: Identity, tmp_path: Path
) -> None:
    facts = facts_of(issued(root, tmp_path), NOBODY)

    with pytest.raises(CertificateBadError) as caught:
        judge(facts, domain=DOMAIN, is_onion=True, pins=())

    assert caught.value.fault is Fault.UNTRUSTED


@pytest.mark.parametrize(
    ("names", "domain", "expected"),
    [
        (("a.example",), "a.example", True),
        (("A.Example",), "a.example", True),
        (("a.example",), "A.EXAMPLE.", True),
        (("*.example.org",), "a.example.org", True),
        (("*.example.org",), "example.org", False),
        (("*.example.org",), "a.b.example.org", False),
        (("*.org",), "example.org", False),
        (("*",), "localhost", False),
        (("a*.example.org",), "ab.example.org", False),
        (("other.example", "a.example"), "a.example", True),
        (("a.example.evil",), "a.example", False),
    ],
)
def test_names_domain_matches_as_the_standard_says(
    tmp_path: Path, names: tuple[str, ...], domain: str, expected: bool
) -> None:
    """RFC 6125, section 6.4."""
    certificate = make_identity(tmp_path, names).certificate

    assert names_domain(certificate, domain) is expected


def test_names_domain_looks_at_no_common_name(tmp_path: Path) -> None:
    certificate = make_identity(tmp_path, (DOMAIN,), has_names=False).certificate

    assert not names_domain(certificate, DOMAIN)


def test_system_authorities_are_found() -> None:
    found = system_authorities()

    assert found.bundle is not None or found.directory is not None


def test_system_authorities_follow_the_environment(
    monkeypatch: pytest.MonkeyPatch, identity: Identity
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate_file))

    assert system_authorities().bundle == identity.certificate_file


# --- the stream ------------------------------------------------------------------------------


class ScriptedStream:
    """A ports.Stream that gives prepared chunks and keeps what it is given."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.written = b""
        self.n_closed = 0

    async def read(self) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        return

    async def close(self) -> None:
        self.n_closed += 1


def secured(
    identity: Identity, records: Callable[[MemoryServer], bytes]
) -> tuple[TlsStream, ScriptedStream, MemoryServer]:
    server, engine = MemoryServer(identity), engine_for()
    shake_hands(engine, server)
    inner = ScriptedStream([])
    stream = TlsStream(inner, engine, server=DOMAIN)
    stream.write(b"first")
    tickets = server.feed(inner.written)
    assert server.receive(b"") == b"first"
    data = tickets + records(server)
    edges = range(0, len(data) + 1, 7)
    inner.chunks = [data[a:b] for a, b in pairwise([*edges, len(data)]) if a != b]
    return stream, inner, server


def test_stream_reads_what_was_sent_when_records_come_in_pieces(
    identity: Identity,
) -> None:
    stream, _, _ = secured(identity, lambda server: server.send(b"one"))

    assert run_clean(stream.read) == b"one"
    assert run_clean(stream.read) == b""


def test_stream_says_connection_lost_when_a_record_is_forged(
    identity: Identity,
) -> None:
    stream, _, _ = secured(identity, lambda server: server.send(b"one")[:-4] + b"evil")

    with pytest.raises(UserError) as caught:
        run_clean(stream.read)

    assert caught.value.code is ErrorCode.CONNECTION_LOST


def test_stream_ends_when_the_other_end_says_so(identity: Identity) -> None:
    def goodbye(server: MemoryServer) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            server.tls.unwrap()
        return server.take()

    stream, _, _ = secured(identity, goodbye)

    assert run_clean(stream.read) == b""


def test_stream_closes_the_inner_one_and_writes_no_more(identity: Identity) -> None:
    stream, inner, _ = secured(identity, lambda _server: b"")

    run_clean(stream.close)
    written = inner.written
    stream.write(b"too late")
    run_clean(stream.close)

    assert inner.written == written
    assert inner.n_closed == 2
