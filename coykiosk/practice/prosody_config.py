"""What the practice server is told, and what is said about it; all as text.

Rule: pure. One text does for Prosody 0.12 and 13.

Source: prosody.im/doc/configure; XEP-0077; the record of `register.servers`.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

__all__ = [
    "Layout",
    "ServerRecord",
    "account_file_name",
    "make_config",
    "read_mechanisms",
]

_MODULES: Final = (
    "blocklist",
    "carbons",
    "disco",
    "ping",
    "private",
    "register",
    "register_ibr",
    "roster",
    "saslauth",
    "smacks",
    "tls",
    "user_account_management",
)
_NOT_MODULES: Final = (
    "admin_adhoc",
    "admin_shell",
    "admin_socket",
    "admin_telnet",
    "http",
    "s2s",
    "s2s_auth_certs",
)
_PLAIN: Final = frozenset((string.ascii_letters + string.digits).encode())
_MECHANISM: Final = "<mechanism>{}</mechanism>"
_SCRAM: Final = (  # best first; Prosody lists them in no order
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the server keeps its things; all of it inside one private directory."""

    root: Path
    domain: str

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.root / "prosody.cfg.lua"

    @property
    def data(self) -> Path:
        """Accounts and what belongs to them."""
        return self.root / "data"

    @property
    def certificates(self) -> Path:
        """Found by Prosody by their names."""
        return self.root / "certs"

    @property
    def certificate(self) -> Path:
        """The domain's certificate."""
        return self.certificates / f"{self.domain}.crt"

    @property
    def key(self) -> Path:
        """The certificate's key."""
        return self.certificates / f"{self.domain}.key"

    @property
    def log(self) -> Path:
        """Its errors, kept to say why it ended."""
        return self.root / "log"

    def account(self, localpart: str) -> Path:
        """Where Prosody keeps this account, if there is one."""
        return (
            self.data
            / account_file_name(self.domain)
            / "accounts"
            / f"{account_file_name(localpart)}.dat"
        )


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """One record of a servers file."""

    domain: str
    onion: str
    port: int
    """Of the onion; begins with TLS at once."""
    checked: date
    spki: str
    scram: tuple[str, ...]

    def to_toml(self) -> str:
        """Return the servers file that has this record alone."""
        lines: Mapping[str, str] = {
            "domain": _text(self.domain),
            "onion": _text(self.onion),
            "port": str(self.port),
            "tls": _text("direct"),
            "clearnet": "false",
            "register": _text("open"),
            "register_checked": self.checked.isoformat(),
            "onion_checked": self.checked.isoformat(),
            "operator": _text("this machine"),
            "spki": _texts([self.spki]),
            "scram": _texts(self.scram),
            "source": _text("started here just now"),
        }
        # An empty list claims nothing, and such a key is left out.
        body = "".join(f"{k} = {v}\n" for k, v in lines.items() if v != "[]")
        return f"[[server]]\n{body}"


def make_config(
    layout: Layout,
    *,
    starttls_port: int,
    direct_tls_port: int,
    plugins: Path | None = None,
    extra_modules: Sequence[str] = (),
) -> str:
    """Return Prosody's configuration.

    Args:
        layout: Where its files lie.
        starttls_port: For clients that begin TLS inside the stream.
        direct_tls_port: For clients that begin with TLS (XEP-0368).
        plugins: Where else modules are looked for.
        extra_modules: Modules to load beside ours.

    Raises:
        ValueError: a path has a character that cannot be quoted.
    """
    settings = {
        "daemonize": "false",
        "run_as_root": "true",
        "data_path": _path(layout.data),
        "certificates": _path(layout.certificates),
        "plugin_paths": _list([plugins] if plugins else []),
        "interfaces": '{ "127.0.0.1" }',
        "local_interfaces": '{ "127.0.0.1" }',
        "c2s_ports": f"{{ {starttls_port} }}",
        "c2s_direct_tls_ports": f"{{ {direct_tls_port} }}",
        # Nothing else is to listen, whatever a module would like.
        "s2s_ports": "{}",
        "s2s_direct_tls_ports": "{}",
        "http_ports": "{}",
        "https_ports": "{}",
        "modules_enabled": _list([*_MODULES, *extra_modules]),
        "modules_disabled": _list(_NOT_MODULES),
        "allow_registration": "true",
        "c2s_require_encryption": "true",
        "authentication": '"internal_hashed"',
        "password_hash": '"SHA-256"',
        "storage": '"internal"',
        "log": f'{{ {{ levels = {{ min = "error" }}, to = "file", '
        f"filename = {_path(layout.log)} }} }}",
    }
    body = "".join(f"{key} = {value}\n" for key, value in settings.items())
    return f'{body}VirtualHost "{layout.domain}"\n'


def account_file_name(name: str) -> str:
    """Return how Prosody's file storage spells a name (util.datamanager)."""
    return "".join(
        chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in name.encode()
    )


def read_mechanisms(features: str) -> tuple[str, ...]:
    """Return the SCRAM mechanisms that stream features offer, best first.

    Source: RFC 6120, section 6.4.1.
    """
    return tuple(name for name in _SCRAM if _MECHANISM.format(name) in features)


def _list(items: Sequence[str | Path]) -> str:
    return "{ " + ", ".join(_path(item) for item in items) + " }"


def _path(value: str | Path) -> str:
    """Quote for Lua; these are names and paths of ours, none needs an escape."""
    text = str(value)
    if not text.isprintable() or '"' in text or "\\" in text:
        msg = "prosody: path cannot be quoted"
        raise ValueError(msg)
    return f'"{text}"'


def _text(value: str) -> str:
    return f'"{value}"'


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"
