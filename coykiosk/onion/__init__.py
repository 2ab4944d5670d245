"""Tor: found running or started by us, and the one way out through it.

Rule: this room alone opens sockets, and only to tor's SOCKS listener and
control port; it alone starts processes. No name is ever looked up here. It says
what is by publishing events and speaks no prose.

Reading order: `addresses` and `environment` (where a tor may be); `socks5`,
`wire` and `dialer` (the door); `status`, `hello`, `worker` and `control` (what tor
says); `finder` (a running tor, proven); `scratch`, `torrc` and `child` (a tor of
our own); `daemon` (the whole).
"""

from coykiosk.onion.addresses import Address, TcpAddress, UnixAddress
from coykiosk.onion.daemon import TorDaemon
from coykiosk.onion.dialer import SocksDialer, SocksStream
from coykiosk.onion.scratch import ChildError, Scratch

__all__ = [
    "Address",
    "ChildError",
    "Scratch",
    "SocksDialer",
    "SocksStream",
    "TcpAddress",
    "TorDaemon",
    "UnixAddress",
]
