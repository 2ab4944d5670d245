"""Which running tor we may use, read from the environment; as values.

Rule: pure. The variables mean what they mean to Tor Browser, Tails and Whonix:

    TOR_SOCKS_IPC_PATH       SOCKS on a Unix socket; wins over host and port
    TOR_SOCKS_HOST, _PORT    SOCKS over TCP; 127.0.0.1 and 9150 when one is missing
    TOR_CONTROL_IPC_PATH, TOR_CONTROL_HOST, TOR_CONTROL_PORT   likewise; 9151
    TOR_CONTROL_PASSWD       in double quotes, or as hex digits; wins over the cookie
    TOR_CONTROL_COOKIE_AUTH_FILE
    TOR_SKIP_LAUNCH=1        never start a tor (a second one inside the first)
    TOR_SKIP_CONTROLPORTTEST the control port may name other listeners (Whonix)

Without any of them: Debian's tor on 9050. Its control port is /run/tor/control
or 9051; behind Tails' filter (onion-grater) it is 951.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coykiosk.onion.addresses import Address, TcpAddress, UnixAddress, parse_host

__all__ = ["BadEnvironmentError", "Candidate", "Credentials", "Wishes", "read_wishes"]

_LOOPBACK: Final = "127.0.0.1"
_BROWSER_SOCKS: Final = 9150
_BROWSER_CONTROL: Final = 9151
_SYSTEM_SOCKS: Final = 9050
_SYSTEM_CONTROLS: Final[tuple[Address, ...]] = (
    UnixAddress(Path("/run/tor/control")),
    TcpAddress(_LOOPBACK, 9051),
    TcpAddress(_LOOPBACK, 951),
)
_HEX_PAIRS: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")


class BadEnvironmentError(Exception):
    """A variable says something that cannot be followed; the text names it."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens the control port, where its own word is not enough."""

    password: str | None = None
    cookie_path: Path | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tor that may be running."""

    socks: Address
    controls: tuple[Address, ...]
    """Its control port, in the order in which to try."""
    is_configured: bool
    """True when a person asked for exactly this one."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that the environment says about tor."""

    candidates: tuple[Candidate, ...]
    """In the order in which to try."""
    credentials: Credentials
    may_launch: bool
    """False when a tor of our own must never be started."""
    must_match: bool
    """False when the control port's list of listeners says nothing."""


def read_wishes(environ: Mapping[str, str]) -> Wishes:
    """Read the TOR_* variables.

    Raises:
        BadEnvironmentError: a host that is a name or outside the own network, a
            port that is no number, a path that is not absolute.
    """
    socks = _read_address(environ, "SOCKS", _BROWSER_SOCKS)
    control = _read_address(environ, "CONTROL", _BROWSER_CONTROL)
    skips_launch = environ.get("TOR_SKIP_LAUNCH") == "1"
    configured = socks is not None or control is not None
    if configured:
        candidates: tuple[Candidate, ...] = (_complete(socks, control),)
    else:
        candidates = (_default(_SYSTEM_SOCKS),)
        if skips_launch:
            candidates += (_default(_BROWSER_SOCKS),)
    # Tor over Tor: a gateway of one's own means that nothing here may start one.
    gateway = any(
        isinstance(address, TcpAddress) and not address.is_loopback
        for address in (socks, control)
    )
    return Wishes(
        candidates=candidates,
        credentials=_read_credentials(environ),
        may_launch=not skips_launch and not gateway,
        must_match=not environ.get("TOR_SKIP_CONTROLPORTTEST") and not gateway,
    )


def _default(port: int) -> Candidate:
    socks = TcpAddress(_LOOPBACK, port)
    return Candidate(socks, _controls_of(socks), is_configured=False)


def _complete(socks: Address | None, control: Address | None) -> Candidate:
    """Guess the half that was not given from the half that was."""
    if socks is None:
        is_system = control in _SYSTEM_CONTROLS
        port = _SYSTEM_SOCKS if is_system else _BROWSER_SOCKS
        socks = TcpAddress(_LOOPBACK, port)
    controls = _controls_of(socks) if control is None else (control,)
    return Candidate(socks, controls, is_configured=True)


def _controls_of(socks: Address) -> tuple[Address, ...]:
    host = socks.host if isinstance(socks, TcpAddress) else _LOOPBACK
    browser = TcpAddress(host, _BROWSER_CONTROL)
    if host != _LOOPBACK:
        return (browser, TcpAddress(host, 9051))
    if isinstance(socks, TcpAddress) and socks.port == _BROWSER_SOCKS:
        return (browser, *_SYSTEM_CONTROLS)
    return (*_SYSTEM_CONTROLS, browser)


def _read_address(
    environ: Mapping[str, str], kind: str, default_port: int
) -> Address | None:
    path = environ.get(f"TOR_{kind}_IPC_PATH", "")
    if path:
        if not path.startswith("/"):
            msg = f"TOR_{kind}_IPC_PATH is not an absolute path"
            raise BadEnvironmentError(msg)
        return UnixAddress(Path(path))
    host = environ.get(f"TOR_{kind}_HOST", "")
    port = environ.get(f"TOR_{kind}_PORT", "")
    if not host and not port:
        return None
    try:
        checked_host = parse_host(host or _LOOPBACK)
    except ValueError as exc:
        msg = f"TOR_{kind}_HOST is not an address of this network"
        raise BadEnvironmentError(msg) from exc
    try:
        return TcpAddress(checked_host, int(port or default_port))
    except ValueError as exc:
        msg = f"TOR_{kind}_PORT is not a port number"
        raise BadEnvironmentError(msg) from exc


def _read_credentials(environ: Mapping[str, str]) -> Credentials:
    password = environ.get("TOR_CONTROL_PASSWD", "")
    cookie = environ.get("TOR_CONTROL_COOKIE_AUTH_FILE", "")
    return Credentials(
        password=_read_password(password) if password else None,
        cookie_path=Path(cookie) if cookie else None,
    )


def _read_password(text: str) -> str:
    r"""Undo the quoting: `"a\"b"` and hex digits as Tor Browser reads them.

    Anything else is taken as it is, as most other programs do.
    """
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        password = re.sub(r"\\(.)", r"\1", text[1:-1])
    elif _HEX_PAIRS.fullmatch(text):
        try:
            password = bytes.fromhex(text).decode()
        except UnicodeDecodeError as exc:
            msg = "TOR_CONTROL_PASSWD is not text"
            raise BadEnvironmentError(msg) from exc
    else:
        password = text
    if not password or not password.isprintable():
        msg = "TOR_CONTROL_PASSWD is empty or not printable"
        raise BadEnvironmentError(msg)
    return password
