"""Where tor listens, as values; every host is an IP address, never a name.

Rule: pure. A name would have to be looked up, and nothing is looked up here.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Address", "TcpAddress", "UnixAddress", "parse_host", "parse_listener"]

_MAX_PORT: Final = 65535
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """An IP address and a port; 10.x and the like for a gateway of one's own."""

    host: str
    """An IPv4 or IPv6 address in its normal text form."""
    port: int

    def __post_init__(self) -> None:
        ipaddress.ip_address(self.host)
        if not 0 < self.port <= _MAX_PORT:
            msg = "port out of range"
            raise ValueError(msg)

    @property
    def is_loopback(self) -> bool:
        """True when it never leaves the machine."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket's absolute path."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


def parse_host(text: str) -> str:
    """Return the IP address a person meant by a host of their own network.

    `localhost` is what everybody writes for 127.0.0.1. Any other name is
    refused, and so is an address out in the world: the way to tor is not
    encrypted.

    Raises:
        ValueError: it is a name, or an address of the open internet.
    """
    if text.lower() == "localhost":
        return _LOOPBACK
    address = ipaddress.ip_address(text.strip("[]"))
    if not address.is_private and not address.is_link_local:
        msg = "address outside the own network"
        raise ValueError(msg)
    return str(address)


def parse_listener(text: str) -> Address | None:
    """Read one listener as tor prints it: `127.0.0.1:9050` or `unix:/path`.

    Returns:
        None for anything else.

    Source: Tor's control-spec, GETINFO net/listeners/*.
    """
    if text.startswith("unix:/"):
        return UnixAddress(Path(text.removeprefix("unix:")))
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        return None
    try:
        return TcpAddress(str(ipaddress.ip_address(host.strip("[]"))), int(port))
    except ValueError:
        return None
