"""A server as a value: one record, the ways to it, and how early each is tried.

Rule: nothing here reads, draws or decides for good; a record says what a dated
public list says, and what is old is called old.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum, unique
from typing import Final

__all__ = [
    "CLIENT_PORT",
    "Registration",
    "Route",
    "Server",
    "Tier",
    "TlsMode",
    "tier_of",
]

CLIENT_PORT: Final = 5222  # RFC 6120, section 14.7, "xmpp-client"


@unique
class TlsMode(Enum):
    """How a port begins TLS."""

    DIRECT = "direct"
    """At once (XEP-0368)."""
    STARTTLS = "starttls"
    """Inside of the XML stream (RFC 6120, section 5)."""


@unique
class Registration(Enum):
    """How a stranger gets an account, as far as the record's source knows."""

    OPEN = "open"
    """In-band with a name and a password, and nothing else (XEP-0077)."""
    FORM = "form"
    """In-band with a form to fill in."""
    CAPTCHA = "captcha"
    """In-band with a puzzle to solve (XEP-0158)."""
    WEB = "web"
    """On a web page only."""
    INVITE = "invite"
    """With a token from somebody who has an account (XEP-0401)."""
    NO = "no"
    """Not at all in-band."""
    UNKNOWN = "unknown"
    """Nobody says, or nobody says whether a form or a puzzle is in the way."""


class Tier(IntEnum):
    """How early a way to a server is tried; lower comes first."""

    OPEN_ONION = 1
    ONION = 2
    """An onion where registration may need a person, or is not known."""
    OPEN_EXIT = 3
    EXIT = 4
    """An exit where registration may need a person, or is not known."""
    NEVER = 5
    """Known not to take strangers in-band: only when a person asks for it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a server."""

    domain: str
    """The domain part of its addresses: what the certificate must be valid for."""
    host: str
    """What Tor is asked to connect to: an onion, the domain, or an SRV target."""
    port: int
    tls: TlsMode
    spki: tuple[str, ...]
    """Pinned SHA-256 hashes of public keys, base64; may be empty."""
    scram: tuple[str, ...]
    """SCRAM mechanisms the record says it offers; may be empty."""
    registration: Registration
    by_srv: bool = False
    """True when host and port came out of the DNS, where many can write them."""
    sasl2: bool = False
    """True when it is known to offer SASL2, with a session and acknowledgements."""
    token: str = field(default="", repr=False)
    """An invitation's, which is shown to the server first; mostly "" (XEP-0445)."""

    @property
    def is_onion(self) -> bool:
        """True when the way ends at an onion service, not at an exit."""
        return self.host.endswith(".onion")

    @property
    def onion_vouches(self) -> bool:
        """True when reaching the onion is proof of who is there.

        A record, or the person, says that this onion is this domain. An onion out of
        the DNS is what a resolver says; there the certificate must prove it.
        """
        return self.is_onion and not self.by_srv

    @property
    def needs_srv(self) -> bool:
        """True when the domain's SRV records are to be asked for first.

        The way that a client goes which has found none (RFC 6120, section 3.2.2) is
        never what is wanted, it is what is left: so it stands for "ask the domain",
        here and in the vault, and no record needs another word for that.
        """
        plain = (self.domain, CLIENT_PORT, TlsMode.STARTTLS)
        is_plain = (self.host, self.port, self.tls) == plain
        return is_plain and not self.is_onion and not self.by_srv


@dataclass(frozen=True, slots=True)
class Server:
    """One record of servers.toml."""

    domain: str
    onion: str | None
    port: int
    """Of the onion; of the domain where there is no onion."""
    tls: TlsMode
    """How that port begins TLS."""
    clearnet: bool
    """May it be reached by its name, through a Tor exit?"""
    register: Registration
    register_checked: date | None
    onion_checked: date | None
    operator: str
    spki: tuple[str, ...]
    scram: tuple[str, ...]
    source: str
    sasl2: bool = False
    token: str = field(default="", repr=False)
    """An invitation's; never in a file."""

    def routes(self) -> tuple[Route, ...]:
        """Return the ways to this server, best first: its onion, then an exit.

        Where an onion has taken `port` and `tls`, the name is reached as its SRV
        records say (`Route.needs_srv`).
        """
        ways: list[tuple[str, int, TlsMode]] = []
        if self.onion is not None:
            ways.append((self.onion, self.port, self.tls))
            if self.clearnet:
                ways.append((self.domain, CLIENT_PORT, TlsMode.STARTTLS))
        elif self.clearnet or self.domain.endswith(".onion"):
            ways.append((self.domain, self.port, self.tls))
        return tuple(
            Route(
                domain=self.domain,
                host=host,
                port=port,
                tls=tls,
                spki=self.spki,
                scram=self.scram,
                sasl2=self.sasl2,
                registration=self.register,
                token=self.token,
            )
            for host, port, tls in ways
        )

    def is_old(self, today: date) -> bool:
        """Tell whether any claim of the record is older than twelve months.

        A record without any date is old: nobody can say that it still holds.
        """
        dates = [d for d in (self.register_checked, self.onion_checked) if d]
        return not dates or min(dates) < _a_year_before(today)


def tier_of(route: Route) -> Tier:
    """Return how early this way to a server is tried."""
    match route.registration:
        case Registration.OPEN:
            return Tier.OPEN_ONION if route.is_onion else Tier.OPEN_EXIT
        case Registration.FORM | Registration.CAPTCHA | Registration.UNKNOWN:
            return Tier.ONION if route.is_onion else Tier.EXIT
        case Registration.WEB | Registration.INVITE | Registration.NO:
            return Tier.NEVER


def _a_year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
