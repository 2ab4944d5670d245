"""Bridge lines, read strictly: hidden ways into the Tor network.

Rule: pure. A line is taken to pieces and put together again from what was
understood, so that nothing in it can become another line of tor's configuration;
what is not understood is refused with the number of the line and why.

Source: tor(1), "Bridge"; Tor's pt-spec, 3.5 (arguments travel in the user and
password of SOCKS5).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final

__all__ = ["Bridge", "BridgeError", "BridgeKind", "parse_bridges"]

MAX_BRIDGES: Final = 20
MAX_TEXT_CHARS: Final = 20_000
MAX_LINE_CHARS: Final = 1_000
_MAX_SOCKS_CHARS: Final = 510  # RFC 1929, section 2: 255 for each of the two fields
_MAX_PORT: Final = 65535

_PREFIX: Final = re.compile(r"bridge:?[ \t]+", re.IGNORECASE)
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_LINE: Final = re.compile(r"[A-Za-z0-9 \[\].:/+=,_?&%~@-]*")
"""No quote, no backslash, no `#`, no `;`: nothing that tor or a transport gives a
meaning beyond the argument that it stands in."""
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+)):(?P<port>\d{1,5})"
)
_FINGERPRINT: Final = re.compile(r"[0-9A-Fa-f]{40}")

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})"
_NAMES: Final = rf"{_NAME}(?:,{_NAME})*"
_SECURE_URL: Final = (
    # A broker that is asked without encryption would show who asks; our own
    # machine cannot be overheard.
    rf"(?:https://{_NAME}(?::\d{{1,5}})?|http://127\.0\.0\.1(?::\d{{1,5}})?)"
    r"(?:/[A-Za-z0-9._~/?&=%+,@-]*)?"
)
_STUN: Final = rf"stuns?:{_NAME}(?::\d{{1,5}})?"
_WORD: Final = r"[A-Za-z0-9_]{1,40}"


class BridgeKind(Enum):
    """How a bridge hides; the value is tor's name of the transport."""

    PLAIN = ""
    OBFS4 = "obfs4"
    SNOWFLAKE = "snowflake"
    MEEK = "meek_lite"


class BridgeError(Exception):
    """A line that is no bridge we can use.

    Args:
        number: Which line of the text, from 1; 0 for the text as a whole.
        reason: One word for why; `text` knows what it means.
        kind: The transport that is not supported, for the reason `bridge-kind`.
    """

    def __init__(self, number: int, reason: str, kind: str = "") -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number
        self.reason = reason
        self.kind = kind


@dataclass(frozen=True, slots=True, repr=False)
class Bridge:
    """One bridge, every part of it checked."""

    kind: BridgeKind
    address: str
    """IP address and port, an IPv6 address in brackets."""
    fingerprint: str
    """40 upper-case hex digits: the bridge must have this key."""
    arguments: tuple[tuple[str, str], ...] = ()
    """For the transport."""

    @property
    def line(self) -> str:
        """The bridge as people hand it on, in one form."""
        words = [self.kind.value, self.address, self.fingerprint]
        words += [f"{name}={value}" for name, value in self.arguments]
        return " ".join(word for word in words if word)

    @property
    def is_on_this_machine(self) -> bool:
        """True when nothing of it leads off this machine: the loopback, no names."""
        is_direct = self.kind in {BridgeKind.PLAIN, BridgeKind.OBFS4}
        return is_direct and self.address.startswith(("127.", "[::1]"))

    def __repr__(self) -> str:
        return f"Bridge({self.kind.name})"


_COMMON_WEB: Final = {"url": _SECURE_URL, "front": _NAMES}
_ARGUMENTS: Final = MappingProxyType(
    {
        BridgeKind.PLAIN: {},
        # 52 bytes in base64, as obfs4proxy writes them; padding is left out.
        BridgeKind.OBFS4: {"cert": r"[A-Za-z0-9+/]{70}(?:==)?", "iat-mode": "[0-2]"},
        BridgeKind.SNOWFLAKE: {
            **_COMMON_WEB,
            "fronts": _NAMES,
            "ampcache": _SECURE_URL,
            "ice": rf"{_STUN}(?:,{_STUN})*",
            "utls-imitate": _WORD,
            "utls-nosni": "true|false",
            "fingerprint": r"[0-9A-Fa-f]{40}",
            "max": "[1-9]",
        },
        BridgeKind.MEEK: {**_COMMON_WEB, "utls": _WORD},
    }
)
_REQUIRED: Final = MappingProxyType(
    {
        BridgeKind.PLAIN: frozenset[str](),
        BridgeKind.OBFS4: frozenset({"cert", "iat-mode"}),
        # COMPAT(snowflake-client 2.5): without `ice` it ends at the first connection.
        BridgeKind.SNOWFLAKE: frozenset({"url", "ice"}),
        BridgeKind.MEEK: frozenset({"url"}),
    }
)


def parse_bridges(text: str) -> tuple[Bridge, ...]:
    """Read bridge lines as they are pasted: one a line, `Bridge` before it or not.

    Empty lines count in the numbering and for nothing else; a bridge that is there
    twice is there once.

    Raises:
        BridgeError: a line is no bridge we can use, or there are too many.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise BridgeError(0, "bridge-many")
    found: dict[str, Bridge] = {}
    for number, row in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line = _PREFIX.sub("", row.strip(" \t"), count=1)
        if not line:
            continue
        bridge = _parse_line(number, line)
        found[bridge.line] = bridge
        if len(found) > MAX_BRIDGES:
            raise BridgeError(number, "bridge-many")
    return tuple(found.values())


def _parse_line(number: int, line: str) -> Bridge:
    if len(line) > MAX_LINE_CHARS:
        raise BridgeError(number, "bridge-long")
    line = line.replace("\t", " ")
    if not _LINE.fullmatch(line):
        raise BridgeError(number, "bridge-letters")
    words = line.split()
    kind = BridgeKind.PLAIN
    if _KIND.fullmatch(words[0]):
        kind = _read_kind(number, words.pop(0))
    if not words:
        raise BridgeError(number, "bridge-address")
    address = _read_address(number, words[0])
    if len(words) == 1 or not _FINGERPRINT.fullmatch(words[1]):
        raise BridgeError(number, "bridge-fingerprint")
    arguments = _read_arguments(number, kind, words[2:])
    return Bridge(kind, address, words[1].upper(), arguments)


def _read_kind(number: int, word: str) -> BridgeKind:
    try:
        return BridgeKind(word)
    except ValueError:
        raise BridgeError(number, "bridge-kind", word) from None


def _read_address(number: int, word: str) -> str:
    match = _ADDRESS.fullmatch(word)
    if match is None:
        raise BridgeError(number, "bridge-address")
    port = int(match["port"])
    address: IPv4Address | IPv6Address
    try:
        address = IPv6Address(match["v6"]) if match["v6"] else IPv4Address(match["v4"])
    except AddressValueError:
        raise BridgeError(number, "bridge-address") from None
    is_scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    if is_scoped or address.is_unspecified or address.is_multicast:
        raise BridgeError(number, "bridge-address")
    if not 1 <= port <= _MAX_PORT:
        raise BridgeError(number, "bridge-address")
    return f"[{address}]:{port}" if match["v6"] else f"{address}:{port}"


def _read_arguments(
    number: int, kind: BridgeKind, words: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    known = _ARGUMENTS[kind]
    arguments: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known or name in arguments:
            raise BridgeError(number, "bridge-argument")
        if not re.fullmatch(known[name], value):
            raise BridgeError(number, "bridge-value")
        arguments[name] = value
    if not _REQUIRED[kind] <= arguments.keys():
        raise BridgeError(number, "bridge-short")
    if "cert" in arguments:
        arguments["cert"] = arguments["cert"].rstrip("=")
    if sum(len(name) + len(value) + 2 for name, value in arguments.items()) > (
        _MAX_SOCKS_CHARS
    ):
        raise BridgeError(number, "bridge-long")
    return tuple(arguments.items())
