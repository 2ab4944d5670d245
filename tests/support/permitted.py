"""What the program may address and write, all of it, and why.

The practice network stands for the world: whoever is contacted is one of its
relays, our own tor, or a leak.
"""

import re
import sys
from pathlib import Path

from tests.support.tracing import Bound, Contact, Opened, Trace

PYTHON = Path(sys.executable).name
PROGRAMS = {
    PYTHON,
    "tor",
    # A child starts by asking to die with its parent; one waits to remove its files.
    *("setpriv", "sh", "rm", "sleep"),
    # urwid wants to know whether this is Linux on Windows.
    "uname",
}
_SCRATCH = re.compile(r"^(?:/[^/]+)+/coykiosk-[0-9a-f]{16}(?=/|$)")
_PORT = re.compile(r"^(?:OR|Dir)Port (?:127\.0\.0\.1:)?(\d+)", re.MULTILINE)


def relay_ports(network: Path) -> set[int]:
    """The ports of all relays of a private Tor network, from what they were told."""
    found: set[int] = set()
    for torrc in network.glob("tor/*/torrc"):
        found |= {int(port) for port in _PORT.findall(torrc.read_text())}
    return found


def directories_made(trace: Trace) -> set[Path]:
    """The private directories that the program made, by what was written there."""
    matches = (_SCRATCH.match(written.path) for written in trace.written())
    return {Path(match[0]) for match in matches if match}


def check_contacts(trace: Trace, relays: set[int]) -> None:
    """Check that there is no way out but tor's.

    Args:
        trace: All processes of one run.
        relays: The ports of 127.0.0.1 that are the Tor network.

    Raises:
        AssertionError: somebody addressed somebody else, or could have.
    """
    doors = [
        str(scratch / name)
        for scratch in directories_made(trace)
        for name in ("socks", "control")
    ]
    permitted = {
        # Our program: tor's two doors, which are Unix sockets in a private directory.
        Opened(PYTHON, "AF_UNIX SOCK_STREAM"),
        *(Contact(PYTHON, door) for door in doors),
        # Our tor: the same two doors from the inside, and the relays.
        Opened("tor", "AF_UNIX SOCK_STREAM"),
        *(Bound("tor", door) for door in doors),
        Opened("tor", "AF_INET SOCK_STREAM"),
        *(Contact("tor", f"127.0.0.1:{port}") for port in relays),
        # tor asks the kernel what addresses this machine has (getifaddrs(3)), by
        # netlink(7). That is a question to the kernel; nothing leaves the machine.
        Opened("tor", "AF_NETLINK SOCK_RAW"),
        Bound("tor", "family AF_NETLINK"),
        Contact("tor", "family AF_NETLINK"),
        # Nobody else has any socket at all.
    }
    strays = {*trace.sockets(), *trace.contacts(), *trace.bound()} - permitted
    assert not strays, f"not permitted: {sorted(map(str, strays))}"


def check_written(trace: Trace, vault: Path | None) -> None:
    """Check that nothing is written but the vault and the private directory.

    Args:
        trace: All processes of one run.
        vault: The vault that the person wanted; None where nothing is to be kept.

    Raises:
        AssertionError: something else was made, changed or removed, or tried to.
    """
    # What python's subprocess gives a child for the standard files it is to lack.
    permitted = [r"/dev/null"]
    # In memory as a rule, and removed at the end.
    permitted += [rf"{re.escape(str(d))}(?:/.*)?" for d in directories_made(trace)]
    if vault is not None:
        folder, name = re.escape(str(vault.parent)), re.escape(vault.name)
        permitted += [folder, f"{folder}/{name}", f"{folder}/{name}\\.lock"]
        # A new content, before it takes the vault's name.
        permitted.append(rf"{folder}/\.{name}\.[0-9a-f]{{16}}\.tmp")
    pattern = re.compile("|".join(permitted))
    strays = {w for w in trace.written() if not pattern.fullmatch(w.path)}
    assert not strays, f"not permitted: {sorted(map(str, strays))}"
