"""What our own tor is told, and what we keep of what it says; all as text.

Rule: pure. Of tor's state only the guard lines are ever read or written, each
checked against a strict grammar; of its log only the last complaint is kept.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Layout", "complaint", "guard_lines", "make_torrc"]

_MAX_GUARDS: Final = 80  # tor samples at most 60 guards
_MAX_GUARDS_BYTES: Final = 32 * 1024
_MAX_LINE_BYTES: Final = 1024
_GUARD_VALUE: Final = r"[A-Za-z0-9:.,+_-]{1,64}"
# Bridges are left out: their lines hold addresses. tor ignores keys it does not
# know and writes more as it grows, so keys are open, their alphabet is not.
_GUARD: Final = re.compile(
    r"Guard in=(?:default|restricted) rsa_id=[0-9A-F]{40}"
    rf"(?: (?!bridge_)[a-z_]{{1,32}}={_GUARD_VALUE}){{0,24}}"
)
_COMPLAINT: Final = re.compile(r" \[(?P<level>warn|err)\] (?P<text>.+)$")
_NOISE: Final = (
    "You are running Tor as root",
    "You have used DirAuthority",
    "TestingTorNetwork is set",
    "Tor is running with TestingTorNetwork",
)
_PLUGIN: Final = "ClientTransportPlugin "
_POINTS_UP: Final = "see warnings above"
_MAX_REASON: Final = 120


@dataclass(frozen=True, slots=True)
class Layout:
    """Where our tor keeps its things; all of it inside one private directory."""

    root: Path

    @property
    def torrc(self) -> Path:
        """Its configuration."""
        return self.root / "torrc"

    @property
    def defaults(self) -> Path:
        """An empty file in place of the machine's default configuration."""
        return self.root / "torrc-defaults"

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.root / "data"

    @property
    def state(self) -> Path:
        """Where it keeps its guards."""
        return self.data / "state"

    @property
    def socks(self) -> Path:
        """The Unix socket that takes SOCKS."""
        return self.root / "socks"

    @property
    def control(self) -> Path:
        """The Unix socket of the control port."""
        return self.root / "control"


def make_torrc(
    layout: Layout,
    *,
    owner_pid: int,
    bridges: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> str:
    """Return the configuration of our own tor.

    Args:
        layout: Where its files lie.
        owner_pid: The process without which it ends itself.
        bridges: The lines of `transports.bridge_torrc`, none for no bridges.
        extra: Further lines, for the practice network.

    Raises:
        ValueError: a path has a character that cannot be quoted.
    """
    starts_programs = any(line.startswith(_PLUGIN) for line in bridges)
    lines = [
        f"DataDirectory {_quoted(layout.data)}",
        # A Unix socket in a directory of mode 0700: no other user gets at it, and
        # no port can be taken. IsolateSOCKSAuth is tor's default; said anyway.
        f"SocksPort unix:{_quoted(layout.socks)} IsolateSOCKSAuth ExtendedErrors",
        f"ControlPort unix:{_quoted(layout.control)}",
        "CookieAuthentication 1",
        f"__OwningControllerProcess {owner_pid}",
        "ClientOnly 1",
        "DormantCanceledByStartup 1",
        "Log warn stdout",
        "SafeLogging 1",
        # It starts nothing but the programs that carry bridges.
        *(() if starts_programs else ("NoExec 1",)),
        "DisableDebuggerAttachment 1",
        *bridges,
        *extra,
    ]
    return "\n".join(lines) + "\n"


def guard_lines(state: str) -> str:
    """Return the guard lines of tor's state, the only ones worth keeping.

    Used in both directions, so that nothing but guard lines gets into a state
    file either. Lines that break the grammar are left out.

    Source: Tor's guard-spec, "Persistent state", `Guard` lines.
    """
    kept: list[str] = []
    size = 0
    for line in state.split("\n"):
        if len(line) > _MAX_LINE_BYTES or _GUARD.fullmatch(line) is None:
            continue
        size += len(line) + 1
        if len(kept) == _MAX_GUARDS or size > _MAX_GUARDS_BYTES:
            break
        kept.append(line)
    return "".join(line + "\n" for line in kept)


def complaint(line: str, previous: str) -> str:
    """Return the more telling one of tor's last complaint and this log line.

    Args:
        line: One line of tor's log.
        previous: What this function returned before, "" at first.
    """
    match = _COMPLAINT.search(line)
    if match is None or match["text"].startswith(_NOISE):
        return previous
    text = match["text"].strip()
    if previous and _POINTS_UP in text:
        return previous
    printable = "".join(c for c in text if c.isprintable())
    return printable[:_MAX_REASON]


def _quoted(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or '"' in text or "\\" in text:
        msg = "torrc: path cannot be quoted"
        raise ValueError(msg)
    return f'"{text}"'
