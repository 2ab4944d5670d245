"""What the nodes of the private Tor network are told; all as text.

Rule: pure. The lines differ from the public network's where a network of five
relays on one address needs it, and nowhere else; what a client is told is the
shortest list of all.

Source: tor(1), "Testing network options", "Directory authority server options".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "VOTING_INTERVAL_S",
    "Authority",
    "Place",
    "client_lines",
    "make_torrc",
    "onion_lines",
    "parse_fingerprint",
    "parse_v3_identity",
    "quoted",
    "relay_lines",
    "vote_offset",
]

VOTING_INTERVAL_S: Final = 1800
"""One consensus in half an hour; the greatest value for a first vote (tor(1)).

The first vote is not awaited, it is called: see `vote_offset`. Both intervals are
equal because onion services reckon their periods from a consensus's length:
were the second one longer than the first, their addresses would be lost for a
while (rend-spec-v3, [TIME-PERIODS])."""
_VOTE_DELAY_S: Final = 2  # the least that tor takes in a testing network

_V3_IDENTITY: Final = re.compile(r"^fingerprint ([0-9A-F]{40})$", re.MULTILINE)
_FINGERPRINT: Final = re.compile(r"\w+ ([0-9A-F ]{40,50})\s*")
_FINGERPRINT_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node keeps its things: a directory of its own, mode 0700."""

    path: Path

    @property
    def torrc(self) -> Path:
        """Its configuration."""
        return self.path / "torrc"

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.path / "data"

    @property
    def control(self) -> Path:
        """The Unix socket of its control port."""
        return self.path / "c"

    @property
    def log(self) -> Path:
        """Its warnings, kept to say why it ended."""
        return self.path / "log"

    @property
    def service(self) -> Path:
        """The onion service's key and host name, where there is one."""
        return self.path / "service"


@dataclass(frozen=True, slots=True)
class Authority:
    """What everybody must know of the directory authority."""

    nickname: str
    or_address: str
    """Address and port of its relay."""
    dir_address: str
    """Address and port of its directory."""
    v3_identity: str
    """40 hex digits: the hash of its authority identity key."""
    fingerprint: str
    """40 hex digits: the hash of its relay identity key."""

    @property
    def line(self) -> str:
        """The DirAuthority line that points to it."""
        or_port = self.or_address.rpartition(":")[2]
        return (
            f"DirAuthority {self.nickname} orport={or_port} no-v2 "
            f"v3ident={self.v3_identity} {self.dir_address} {self.fingerprint}"
        )


def parse_v3_identity(certificate: str) -> str:
    """Read the identity out of an authority's certificate.

    Raises:
        ValueError: this is no certificate.

    Source: dir-spec, "Creating key certificates".
    """
    match = _V3_IDENTITY.search(certificate)
    if match is None:
        msg = f"no fingerprint line in a certificate of {len(certificate)} characters"
        raise ValueError(msg)
    return match[1]


def parse_fingerprint(text: str) -> str:
    """Read a relay's fingerprint out of the file of that name.

    Raises:
        ValueError: this is no such file.
    """
    match = _FINGERPRINT.fullmatch(text)
    digits = match[1].replace(" ", "") if match else ""
    if len(digits) != _FINGERPRINT_CHARS:
        msg = f"expected a name and a fingerprint, got {len(text)} characters"
        raise ValueError(msg)
    return digits


def client_lines(authority: Authority) -> tuple[str, ...]:
    """Return what a tor must be told to take this network for the Tor network."""
    return (
        "TestingTorNetwork 1",
        authority.line,
        # All relays have one address and one owner; the public network's rules
        # would find no path of three.
        "EnforceDistinctSubnets 0",
        "PathsNeededToBuildCircuits 0.67",
        "ClientRejectInternalAddresses 0",
    )


def make_torrc(place: Place, lines: Sequence[str], *, owner_pid: int) -> str:
    """Return the configuration of one node.

    Args:
        place: Where its files lie.
        lines: What it is, from the functions below.
        owner_pid: The process without which it ends itself.

    Raises:
        ValueError: a path has a character that cannot be quoted.
    """
    return "".join(
        f"{line}\n"
        for line in (
            f"DataDirectory {quoted(place.data)}",
            f"ControlPort unix:{quoted(place.control)}",
            "CookieAuthentication 0",  # the socket lies in a directory of mode 0700
            f"__OwningControllerProcess {owner_pid}",
            "SocksPort 0",
            "Log warn stdout",
            "ShutdownWaitLength 0",
            "NumCPUs 1",
            "GeoIPFile",
            "GeoIPv6File",
            *lines,
        )
    )


def relay_lines(
    authority: Authority,
    *,
    nickname: str,
    or_address: str,
    resolv_conf: Path,
    offset_s: int | None = None,
) -> tuple[str, ...]:
    """Return what makes a node a relay of this network.

    Args:
        authority: The one directory authority.
        nickname: The name that a circuit's picture shows.
        or_address: Where it takes circuits.
        resolv_conf: The only name servers it may ask.
        offset_s: Given to the authority itself: when it votes (`vote_offset`).
    """
    lines = (
        *client_lines(authority),
        f"Nickname {nickname}",
        f"ORPort {or_address} IPv4Only",
        "Address 127.0.0.1",
        "ContactInfo practice",
        "AssumeReachable 1",
        # It is an exit to this machine and to nothing else, and asks no name
        # server of the machine's.
        "ExitRelay 1",
        "ExitPolicyRejectPrivate 0",
        "ExitPolicy accept 127.0.0.0/8:*",
        "ExitPolicy reject *:*",
        f"ServerDNSResolvConfFile {quoted(resolv_conf)}",
        "ServerDNSDetectHijacking 0",
        "ServerDNSTestAddresses",
    )
    return lines if offset_s is None else lines + _voting_lines(authority, offset_s)


def onion_lines(
    authority: Authority, place: Place, services: Mapping[int, str]
) -> tuple[str, ...]:
    """Return what makes a node carry the onion service.

    Args:
        authority: The one directory authority.
        place: Where the service's key goes.
        services: Port of the onion -> address and port on this machine.
    """
    return (
        *client_lines(authority),
        f"HiddenServiceDir {quoted(place.service)}",
        *(f"HiddenServicePort {port} {to}" for port, to in services.items()),
    )


def vote_offset(now: float, lead_s: float) -> int:
    """Return the voting offset that makes the next vote due in a moment.

    Args:
        now: Seconds since the epoch.
        lead_s: The consensus is due at most this long from now, and at least a
            second less; a negative lead calls for no vote within this interval.
    """
    return int(now + lead_s) % VOTING_INTERVAL_S


def _voting_lines(authority: Authority, offset_s: int) -> tuple[str, ...]:
    """What makes a relay the directory authority."""
    return (
        f"DirPort {authority.dir_address}",
        "AuthoritativeDirectory 1",
        "V3AuthoritativeDirectory 1",
        f"TestingV3AuthInitialVotingInterval {VOTING_INTERVAL_S}",
        f"TestingV3AuthInitialVoteDelay {_VOTE_DELAY_S}",
        f"TestingV3AuthInitialDistDelay {_VOTE_DELAY_S}",
        f"TestingV3AuthVotingStartOffset {offset_s}",
        f"V3AuthVotingInterval {VOTING_INTERVAL_S} seconds",
        f"V3AuthVoteDelay {_VOTE_DELAY_S} seconds",
        f"V3AuthDistDelay {_VOTE_DELAY_S} seconds",
        "V3AuthNIntervalsValid 3",
        "MinUptimeHidServDirectoryV2 0",
        "TestingMinExitFlagThreshold 0",
        "TestingDirAuthVoteExit *",
        "TestingDirAuthVoteGuard *",
        "TestingDirAuthVoteHSDir *",
    )


def quoted(path: Path) -> str:
    """Return a path as a torrc takes it.

    Raises:
        ValueError: it has a character that cannot be quoted.
    """
    text = str(path)
    if not text.isprintable() or '"' in text or "\\" in text:
        msg = "torrc: path cannot be quoted"
        raise ValueError(msg)
    return f'"{text}"'
