"""What a negotiation is told, and what it wants done, as values.

Rule: pure; a secret in here shows itself to nobody.
"""

from dataclasses import dataclass, field
from enum import Enum, auto, unique

from coykiosk.contract import Secret
from coykiosk.session.binding import Bound
from coykiosk.session.challenge import Challenge
from coykiosk.session.resumption import Resumption
from coykiosk.session.saslwords import Offer
from coykiosk.session.scram import ChannelBinding, Derivation
from coykiosk.session.xmlreader import XmlReader

__all__ = [
    "Ask",
    "Derive",
    "Done",
    "Output",
    "Plan",
    "Purpose",
    "Registered",
    "Send",
    "SignedIn",
]


@unique
class Purpose(Enum):
    """What a connection is opened for."""

    REGISTER = auto()
    """Make the account, then sign in to it."""
    LOG_IN = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a negotiation has to know."""

    purpose: Purpose
    domain: str
    localpart: str
    password: Secret
    """Not wiped here."""
    is_open: bool
    """A name and a password are known to be enough for an account."""
    scram: tuple[str, ...]
    """The mechanisms the server is known to offer; may be empty."""
    binding: ChannelBinding
    token: str = field(default="", repr=False)
    """An invitation's; "" without one."""
    avoid_plus: bool = False
    """The last connection broke over channel binding."""
    knows_sasl2: bool = False
    """The server is known to offer SASL2, with a session and acknowledgements."""
    avoid_sasl2: bool = False
    """The last connection broke over what was sent ahead of its answer."""
    resumption: Resumption | None = None
    """The session to go on with, if it may be."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes at once, all in one."""

    data: bytes = field(repr=False)
    submits: bool = False
    """They ask for the account: after them it may exist."""


@dataclass(frozen=True, slots=True)
class Derive:
    """Run this, and give the result to `derived`; nothing else comes before."""

    derivation: Derivation


@dataclass(frozen=True, slots=True)
class Ask:
    """Have a person answer this; then `solve`, `another` or give up."""

    challenge: Challenge
    n_wrong: int
    """How many answers were not taken before."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The account exists."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The server knows us, and has proved that it knows our password."""

    channel_bound: bool


@dataclass(frozen=True, slots=True)
class Done:
    """The session is up; the negotiation is over."""

    bound: Bound
    reader: XmlReader
    """With everything that was received after the binding; go on with it."""
    channel_bound: bool
    offer: Offer | None
    """How the server lets one log in, for whoever comes again."""


Output = Send | Derive | Ask | Registered | SignedIn | Done
