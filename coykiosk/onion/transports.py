"""Which program carries which kind of bridge, and what tor is told of both.

Rule: a program is looked for where tor is, and named to tor by its whole path. It is
a child of tor's that the kernel ends with tor, and gets tor's environment: none of
ours.

Source: tor(1), "UseBridges", "ClientTransportPlugin"; Tor's pt-spec, 3.2.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.bridges import Bridge, BridgeError, BridgeKind, parse_bridges
from coykiosk.onion.scratch import search_path

__all__ = ["bridge_torrc", "read_bridges", "require_programs"]

_PROGRAMS: Final = MappingProxyType(
    {
        # Each with the names that it goes by; the first is Debian's package, too.
        BridgeKind.OBFS4: ("obfs4proxy", "lyrebird"),
        BridgeKind.MEEK: ("obfs4proxy", "lyrebird"),
        BridgeKind.SNOWFLAKE: ("snowflake-client",),
    }
)
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9/._+-]+")
"""tor takes the line to pieces at its blanks, and knows no quotes there."""
_MAX_SOCKS_CHARS: Final = 510  # RFC 1929, section 2


def read_bridges(text: str) -> tuple[Bridge, ...]:
    """Read bridge lines; see `bridges.parse_bridges`.

    Raises:
        UserError: BRIDGE_LINE_BAD, BRIDGE_KIND_UNKNOWN.
    """
    try:
        return parse_bridges(text)
    except BridgeError as exc:
        number = str(exc.number)
        if exc.kind:
            raise UserError(
                ErrorCode.BRIDGE_KIND_UNKNOWN, number=number, kind=exc.kind
            ) from exc
        raise UserError(
            ErrorCode.BRIDGE_LINE_BAD, number=number, reason=exc.reason
        ) from exc


def require_programs(bridges: Sequence[Bridge], environ: Mapping[str, str]) -> None:
    """Check that every program is there that these bridges need.

    Raises:
        UserError: BRIDGE_PROGRAM_MISSING.
    """
    path = search_path(environ)
    for bridge in bridges:
        if bridge.kind is not BridgeKind.PLAIN:
            _command(bridge.kind, path)


def bridge_torrc(
    bridges: Sequence[Bridge], environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Return tor's configuration lines for these bridges, none for none.

    Args:
        bridges: The only ways into the network that tor may take.
        environ: Where PATH is read.

    Raises:
        UserError: BRIDGE_PROGRAM_MISSING.
    """
    if not bridges:
        return ()
    path = search_path(environ)
    kinds = dict.fromkeys(bridge.kind for bridge in bridges)
    plugins = [
        f"ClientTransportPlugin {kind.value} exec {_command(kind, path)}"
        for kind in kinds
        if kind is not BridgeKind.PLAIN
    ]
    return (
        "UseBridges 1",
        *plugins,
        *(f"Bridge {_for_program(bridge)}" for bridge in bridges),
    )


def _command(kind: BridgeKind, path: str) -> str:
    """Return how tor starts the program of a kind.

    A transport ends when tor's pipe to it closes, if it is still in its senses; the
    parent-death signal does not depend on that.
    """
    names = _PROGRAMS[kind]
    program = _find(names, path, package=names[0])
    setpriv = _find(("setpriv",), path, package="util-linux")
    return f"{setpriv} --pdeathsig KILL -- {program}"


def _find(names: Sequence[str], path: str, *, package: str) -> str:
    for name in names:
        found = shutil.which(name, path=path)
        # Where a path cannot be told to tor, the program is as good as missing.
        if found is not None and _PLAIN_PATH.fullmatch(found):
            return found
    raise UserError(ErrorCode.BRIDGE_PROGRAM_MISSING, program=names[0], package=package)


def _for_program(bridge: Bridge) -> str:
    """Return the bridge's line, in words that every version of the program knows."""
    arguments = dict(bridge.arguments)
    # COMPAT(snowflake-client 2.5, Debian 12): it knows one `front` and would leave
    # out `fronts`, and so ask the broker by its own name, for all to see. Newer ones
    # prefer `fronts`.
    if "fronts" not in arguments or "front" in arguments:
        return bridge.line
    first = f" front={arguments['fronts'].partition(',')[0]}"
    used = sum(len(name) + len(value) + 2 for name, value in bridge.arguments)
    if used + len(first) + 1 > _MAX_SOCKS_CHARS:
        # No room for both: the one that old and new understand.
        kept = " ".join(w for w in bridge.line.split() if not w.startswith("fronts="))
        return kept + first
    return bridge.line + first
