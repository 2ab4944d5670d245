"""The servers we know: what servers.toml says, read strictly, and whom to try first.

Rule: a file is taken whole or not at all. Whatever is not exactly as it should be
is refused with its line and the reason, because a slip in an onion address or in a
pin sends people to somebody else.

A record is one `[[server]]` table:

    domain            the part of an address behind the @, lower case, A-labels
    onion             optional: its version 3 onion address, for clients
    port              of the onion, or of the domain if there is none; 5222, which for
                      a domain and with "starttls" means: as its SRV records say
    tls               "starttls" or "direct": how that port begins TLS
    clearnet          may it be reached by its name through a Tor exit?
    register          "open" (name and password, nothing else), "form", "captcha",
                      "web", "invite", "no", or "unknown"
    register_checked  date of that claim; may be missing where it is "unknown"
    onion_checked     date when the onion was last listed; just where there is one
    operator          who runs it; equal for all domains of the same people
    spki              optional: SHA-256 of its public keys, base64 (RFC 7469, 2.4)
    scram             optional: the SCRAM mechanisms it offers
    sasl2             optional: does it offer them by SASL2 (XEP-0388), with Bind 2 and
                      acknowledgements inline?
    source            which public list says so
"""

import re
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import date
from functools import partial
from typing import Final, NoReturn, TypeVar

from coykiosk.ports import RandomBytes
from coykiosk.register import checks
from coykiosk.register.draw import pick
from coykiosk.register.records import (
    CLIENT_PORT,
    Registration,
    Route,
    Server,
    Tier,
    TlsMode,
    tier_of,
)
from coykiosk.register.toml_lines import find_places, line_of_syntax_error

__all__ = [
    "Registration",
    "Route",
    "Server",
    "ServersFileError",
    "Tier",
    "TlsMode",
    "load_servers",
    "order_servers",
    "tier_of",
]

MAX_FILE_CHARS: Final = 256 * 1024

_RECORD: Final = "server"
_REQUIRED: Final = ("domain", "tls", "clearnet", "register", "operator", "source")
_OPTIONAL: Final = (
    "onion",
    "port",
    "register_checked",
    "onion_checked",
    "spki",
    "scram",
    "sasl2",
)
_MAX_KEY_CHARS: Final = 32
_POSITION: Final = re.compile(r" \(at [^()]*\)\Z")

T = TypeVar("T")
D = TypeVar("D")


class ServersFileError(Exception):
    """A servers file is not as it must be, and none of it is used.

    Args:
        line: Where, counted from 1.
        reason: What is wrong there; lower case, no full stop, fit to be shown.
        name: The file's name.
    """

    def __init__(self, line: int, reason: str, *, name: str = "") -> None:
        super().__init__(f"{name}:{line}: {reason}")
        self.line = line
        self.reason = reason
        self.name = name


class _FaultError(Exception):
    """Something is wrong, and nobody has looked for the line yet."""

    def __init__(
        self,
        reason: str,
        *,
        index: int | None = None,
        key: str | None = None,
        first: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
        """Which record; None for what stands outside of all."""
        self.key = key
        self.first = first
        """The record that had the value first, if that is the trouble."""


def load_servers(
    text: str | bytes, *, name: str, today: date | None = None
) -> tuple[Server, ...]:
    """Read and check a whole servers file.

    Args:
        text: The content; bytes are read as UTF-8.
        name: The file's name, for the error.
        today: If given, a claim of a later date is refused. For a file about to
            be shipped; a machine whose clock is behind must still be able to
            start, so a running program does not ask for it.

    Raises:
        ServersFileError: something is wrong; with its line.
    """
    content = _decoded(text, name) if isinstance(text, bytes) else text
    if len(content) > MAX_FILE_CHARS:
        reason = f"the file is longer than {MAX_FILE_CHARS} characters"
        raise ServersFileError(1, reason, name=name)
    try:
        document = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        line = line_of_syntax_error(content, error)
        raise ServersFileError(line, _syntax_reason(error), name=name) from error
    try:
        return _read_document(document, today)
    except _FaultError as fault:
        line, reason = _locate(content, fault)
        raise ServersFileError(line, reason, name=name) from fault


def order_servers(
    servers: Iterable[Server],
    random_bytes: RandomBytes,
    *,
    in_use: Container[str] = (),
) -> list[Server]:
    """Put the servers into the order in which they are tried.

    Tier after tier, by the best way to each server. Inside a tier each next place
    goes to an operator, all remaining ones equally likely, and then to one of
    that operator's remaining domains: whoever runs eleven domains gets no more
    of our users than whoever runs one. Servers that are known not to take
    strangers in-band are left out. Whoever sees one account of a person come and
    go should not see the other: their operators come last, in that order.

    Args:
        servers: Records in any order.
        random_bytes: Where the randomness comes from.
        in_use: Domains at which the person has accounts.
    """
    tiers: dict[Tier, dict[str, list[Server]]] = {}
    seeing: set[str] = set()
    for server in servers:
        if server.domain in in_use:
            seeing.add(server.operator)
        routes = server.routes()
        tier = tier_of(routes[0]) if routes else Tier.NEVER
        if tier is not Tier.NEVER:
            operators = tiers.setdefault(tier, {})
            operators.setdefault(server.operator, []).append(server)
    ordered: list[Server] = []
    for tier in sorted(tiers):
        operators = tiers[tier]
        while operators:
            operator = pick(tuple(operators), random_bytes)
            server = pick(operators[operator], random_bytes)
            ordered.append(server)
            operators[operator].remove(server)
            if not operators[operator]:
                del operators[operator]
    return sorted(ordered, key=lambda server: server.operator in seeing)


def _decoded(text: bytes, name: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ServersFileError(line, "not UTF-8", name=name) from error


def _syntax_reason(error: ValueError | RecursionError) -> str:
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "not TOML: nested too deep, or a number too long"
    words = _POSITION.sub("", str(error))
    return f"not TOML: {words[:1].lower()}{words[1:]}"


def _locate(text: str, fault: _FaultError) -> tuple[int, str]:
    places = find_places(text, record=_RECORD)
    reason = fault.reason
    if fault.key is not None:
        reason = f"{ascii(fault.key)[1:-1][:_MAX_KEY_CHARS]}: {reason}"
    if fault.index is None:
        return places.top.get(fault.key or _RECORD, 1), reason
    if fault.first is not None:
        reason += f" (line {places.line(_RECORD, fault.first, fault.key)})"
    return places.line(_RECORD, fault.index, fault.key), reason


def _read_document(
    document: Mapping[str, object], today: date | None
) -> tuple[Server, ...]:
    for key in document:
        if key != _RECORD:
            reason = "unknown; servers are [[server]] tables"
            raise _FaultError(reason, key=key)
    records = document.get(_RECORD, [])
    if not isinstance(records, list):
        reason = "must be [[server]] tables"
        raise _FaultError(reason, key=_RECORD)
    if not records:
        reason = "there is no [[server]] in it"
        raise _FaultError(reason)
    servers: list[Server] = []
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            reason = "must be [[server]] tables"
            raise _FaultError(reason, key=_RECORD)
        server = _Record(record, index, today).read()
        _check_against(servers, server, index)
        servers.append(server)
    return tuple(servers)


def _check_against(servers: list[Server], server: Server, index: int) -> None:
    for first, earlier in enumerate(servers):
        if earlier.domain == server.domain:
            reason = "is there twice"
            raise _FaultError(reason, index=index, key="domain", first=first)
        # One onion is one machine: under two names of its operator it would be
        # drawn twice as often.
        shared = server.onion is not None and server.onion == earlier.onion
        if shared and server.operator != earlier.operator:
            reason = "another operator has this onion"
            raise _FaultError(reason, index=index, key="onion", first=first)


class _Record:
    """One table of the file, being read."""

    def __init__(
        self, table: Mapping[str, object], index: int, today: date | None
    ) -> None:
        self._table = table
        self._index = index
        self._today = today

    def read(self) -> Server:
        """Check every key, and what they say together.

        Raises:
            _FaultError: something is wrong.
        """
        self._check_keys()
        server = Server(
            domain=self._need("domain", checks.a_domain),
            onion=self._may("onion", checks.an_onion, None),
            port=self._may("port", checks.a_port, CLIENT_PORT),
            tls=self._need("tls", partial(checks.a_word, words=TlsMode)),
            clearnet=self._need("clearnet", checks.a_truth),
            register=self._need("register", partial(checks.a_word, words=Registration)),
            register_checked=self._may("register_checked", self._a_past_day, None),
            onion_checked=self._may("onion_checked", self._a_past_day, None),
            operator=self._need("operator", checks.some_text),
            spki=self._may("spki", checks.pins, ()),
            scram=self._may("scram", checks.scram_mechanisms, ()),
            sasl2=self._may("sasl2", checks.a_truth, default=False),
            source=self._need("source", checks.some_text),
        )
        self._check_together(server)
        return server

    def _check_keys(self) -> None:
        for key in self._table:
            if key not in _REQUIRED and key not in _OPTIONAL:
                self._refuse("no such key", key)
        for key in _REQUIRED:
            if key not in self._table:
                self._refuse("is missing", key)

    def _check_together(self, server: Server) -> None:
        has_onion = server.onion is not None
        if has_onion and server.onion_checked is None:
            self._refuse("is missing, and there is an onion", "onion_checked")
        if not has_onion and server.onion_checked is not None:
            self._refuse("is there, but no onion", "onion_checked")
        is_claim = server.register is not Registration.UNKNOWN
        if is_claim and server.register_checked is None:
            reason = 'is missing, and register is not "unknown"'
            self._refuse(reason, "register_checked")
        if server.domain.endswith(".onion") and (has_onion or server.clearnet):
            reason = "an onion name has no second onion, and no exit leads to it"
            self._refuse(reason, "domain")
        if not server.routes():
            self._refuse("no onion, and clearnet is false: no way to it", "clearnet")

    def _a_past_day(self, value: object) -> date:
        day = checks.a_date(value)
        if self._today is not None and day > self._today:
            msg = "lies in the future"
            raise checks.ValueRefused(msg)
        return day

    def _need(self, key: str, check: Callable[[object], T]) -> T:
        try:
            return check(self._table[key])
        except checks.ValueRefused as refused:
            raise _FaultError(refused.reason, index=self._index, key=key) from refused

    def _may(self, key: str, check: Callable[[object], T], default: D) -> T | D:
        return self._need(key, check) if key in self._table else default

    def _refuse(self, reason: str, key: str) -> NoReturn:
        raise _FaultError(reason, index=self._index, key=key)
