"""Real Prosody on loopback, certificates, and a dialer that records."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from coykiosk.register.servers import Registration, Route, TlsMode
from coykiosk.session.certificates import Authorities, spki_hash
from tests.support.ending import end

DOMAIN = "practice.example"

ONION = "a" * 56 + ".onion"


# --- no name is ever looked up -----------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a vault may be; its folder is not there yet."""
    return tmp_path / "folder" / "vault"


@pytest.fixture(autouse=True)
def _no_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        pytest.fail("a name was looked up")

    real = socket.getaddrinfo

    def numeric_only(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "127.0.0.1":
            pytest.fail(f"a name was looked up: {host!r}")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", numeric_only)
    monkeypatch.setattr(socket, "gethostbyname", refuse)


# --- certificates --------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """A key and a certificate in files, as servers want them."""

    certificate: x509.Certificate
    certificate_file: Path
    key_file: Path

    @property
    def pin(self) -> str:
        return spki_hash(self.certificate)

    @property
    def authorities(self) -> Authorities:
        """A world in which this certificate is an authority."""
        return Authorities(bundle=self.certificate_file, directory=None)


def make_identity(
    directory: Path,
    names: tuple[str, ...] = (DOMAIN,),
    *,
    days: tuple[int, int] = (-1, 30),
    is_authority: bool = False,
    has_names: bool = True,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    issuer_name = subject if issuer is None else issuer[0].subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
        )
    )
    if has_names:
        dns_names = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(dns_names, critical=False)
    signer = key if issuer is None else issuer[1]
    certificate = builder.sign(signer, hashes.SHA256())
    directory.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = directory / "cert.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return Identity(certificate, certificate_file, key_file)


def load_key(identity: Identity) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(identity.key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


# --- a way to a server -----------------------------------------------------------------


def make_route(
    *,
    tls: TlsMode = TlsMode.DIRECT,
    host: str = ONION,
    spki: tuple[str, ...] = (),
    scram: tuple[str, ...] = ("SCRAM-SHA-1",),
    registration: Registration = Registration.OPEN,
    domain: str = DOMAIN,
) -> Route:
    return Route(
        domain=domain,
        host=host,
        port=5222,
        tls=tls,
        spki=spki,
        scram=scram,
        registration=registration,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


# --- Prosody --------------------------------------------------------------------------


@dataclass(frozen=True)
class Prosody:
    """A running server."""

    identity: Identity
    directory: Path
    direct_port: int
    starttls_port: int

    def port(self, tls: TlsMode) -> int:
        return self.direct_port if tls is TlsMode.DIRECT else self.starttls_port

    def has_account(self, localpart: str) -> bool:
        accounts = self.directory / "data" / "practice%2eexample" / "accounts"
        return (accounts / f"{localpart}.dat").exists()


PLUGINS = Path(__file__).parents[1] / "support" / "prosody_modules"

_CONFIG = """\
run_as_root = true
daemonize = false
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
admin_socket = "{directory}/admin"
log = {{ error = "{directory}/error.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {starttls_port} }}
c2s_direct_tls_ports = {{ {direct_port} }}
s2s_ports = {{ }}
plugin_paths = {{ "{plugins}" }}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "register", "ping",
  "private", "blocklist", "carbons", "offline", "smacks", "mam"{modules} }}
modules_disabled = {{ "s2s", "http" }}
allow_registration = {registration}
c2s_require_encryption = true
authentication = "internal_hashed"
ssl = {{ certificate = "{certificate}", key = "{key}"{protocol} }}
c2s_direct_tls_ssl = {{ certificate = "{certificate}", key = "{key}"{protocol} }}
{options}
VirtualHost "practice.example"
"""


def start_prosody(
    directory: Path,
    *,
    registration: bool = True,
    protocol: str = "",
    options: str = "",
    modules: tuple[str, ...] = (),
) -> Iterator[Prosody]:
    identity = make_identity(directory)
    server = Prosody(identity, directory, free_port(), free_port())
    modules = modules if protocol else ("no_binding", *modules)
    config = directory / "prosody.cfg.lua"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            direct_port=server.direct_port,
            starttls_port=server.starttls_port,
            registration="true" if registration else "false",
            certificate=identity.certificate_file,
            key=identity.key_file,
            protocol=f', protocol = "{protocol}"' if protocol else "",
            plugins=PLUGINS,
            options=options,
            modules="".join(f', "{name}"' for name in modules),
        )
    )
    process = subprocess.Popen(  # noqa: S603 - our own words
        ["/usr/bin/prosody", "-F", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not all(map(_is_open, (server.direct_port, server.starttls_port))):
            assert process.poll() is None, "prosody ended"
            assert time.monotonic() < deadline, "prosody does not listen"
            time.sleep(0.05)
        yield server
    finally:
        end(process)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    yield from start_prosody(tmp_path_factory.mktemp("prosody"))


@pytest.fixture(scope="session")
def closed_prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    yield from start_prosody(tmp_path_factory.mktemp("closed"), registration=False)


@pytest.fixture(scope="session")
def tls12_prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    yield from start_prosody(tmp_path_factory.mktemp("tls12"), protocol="tlsv1_2")
