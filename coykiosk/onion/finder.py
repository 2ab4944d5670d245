"""Find a tor that is already running, and prove that it is one.

Rule: a tor that was found by its usual port, not named by a person, is passed
over in silence as soon as one proof is missing; a named one that fails a proof
is an error, never replaced. The proofs: a SOCKS request only tor answers, a
control port that opens to us, and the two belonging to the same tor.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import Address, TcpAddress, UnixAddress
from coykiosk.onion.control import (
    ControlError,
    ControlPort,
    ControlRefusedError,
    NotTorError,
)
from coykiosk.onion.dialer import is_tor_socks
from coykiosk.onion.environment import Candidate, Wishes

__all__ = ["FoundTor", "find_tor", "listener_uids"]

_FIRST_PERSON_UID: Final = 1000  # Debian policy, section 9.2.2
_LISTENING: Final = "0A"  # TCP_LISTEN in /proc/net/tcp, see proc(5)
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared, never bound
_PROC_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass(frozen=True, slots=True)
class FoundTor:
    """A running tor, proven."""

    socks: Address
    control: ControlPort
    """Connected and authenticated."""


async def find_tor(wishes: Wishes) -> FoundTor | None:
    """Return the first running tor that passes, None when there is none.

    Raises:
        UserError: TOR_IMPOSTOR or TOR_CONTROL_REFUSED, for a tor that a person
            named.
    """
    for candidate in wishes.candidates:
        found = await _try(candidate, wishes)
        if found is not None:
            return found
    return None


async def _try(candidate: Candidate, wishes: Wishes) -> FoundTor | None:
    if not candidate.is_configured and not _is_of_the_system(candidate.socks):
        return None
    try:
        is_tor = await is_tor_socks(candidate.socks)
    except OSError:
        return None  # nothing listens: no tor is running there
    if not is_tor:
        _refuse(candidate, ErrorCode.TOR_IMPOSTOR, candidate.socks)
        return None
    for address in candidate.controls:
        control = await _try_control(address, candidate, wishes)
        if control is None:
            continue
        if not wishes.must_match or await _lists(control, candidate.socks):
            return FoundTor(candidate.socks, control)
        await control.close()
        if len(candidate.controls) == 1:
            _refuse(candidate, ErrorCode.TOR_IMPOSTOR, candidate.socks)
            return None
    _refuse(candidate, ErrorCode.TOR_CONTROL_REFUSED, candidate.controls[0])
    return None


async def _try_control(
    address: Address, candidate: Candidate, wishes: Wishes
) -> ControlPort | None:
    if not candidate.is_configured and not _is_of_the_system(address):
        return None
    try:
        return await ControlPort.connect(address, wishes.credentials)
    except NotTorError:
        if len(candidate.controls) == 1:
            _refuse(candidate, ErrorCode.TOR_IMPOSTOR, address)
        return None
    except (OSError, ControlRefusedError, ControlError):
        return None


def _refuse(candidate: Candidate, code: ErrorCode, address: Address) -> None:
    """Raise for a tor that was asked for; pass over one that was not."""
    if candidate.is_configured:
        raise UserError(code, address=str(address))


async def _lists(control: ControlPort, socks: Address) -> bool:
    """Tell whether this tor says that it listens there; True if it will not say."""
    listeners = await control.socks_listeners()
    if listeners is None:
        return True
    return any(_is_same(listener, socks) for listener in listeners)


def _is_same(listener: Address, wanted: Address) -> bool:
    match listener, wanted:
        case TcpAddress(), TcpAddress():
            return listener.port == wanted.port and (
                listener.host == wanted.host or listener.host in _WILDCARDS
            )
        case UnixAddress(), UnixAddress():
            return listener.path.resolve() == wanted.path.resolve()
        case _:
            return False


def _is_of_the_system(address: Address) -> bool:
    """Tell whether a system account, root or we ourselves listen there.

    On a machine that several people use, any of them may sit on tor's usual
    port while no tor runs.
    """
    uids: list[int] = []
    match address:
        case UnixAddress(path):
            with contextlib.suppress(OSError):
                uids.append(path.stat().st_uid)
        case TcpAddress():
            for table in _PROC_TABLES:
                with contextlib.suppress(OSError):
                    text = table.read_text(encoding="ascii")
                    uids += listener_uids(text, address.port)
    return bool(uids) and all(
        uid < _FIRST_PERSON_UID or uid == os.getuid() for uid in uids
    )


def listener_uids(table: str, port: int) -> Sequence[int]:
    """Return who listens on a TCP port, from the text of /proc/net/tcp.

    Source: proc(5), /proc/net/tcp: local address, state, user.
    """
    uids: list[int] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[3] == _LISTENING:  # noqa: PLR2004  # up to uid
            local_port = fields[1].rpartition(":")[2]
            if int(local_port, 16) == port:
                uids.append(int(fields[7]))
    return uids
