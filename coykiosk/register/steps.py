"""What comes into the enrolment machine and what goes out of it, as values.

Rule: an outcome says what happened on the wire, not what to do about it; an effect
says what to do, and carries all that is needed to do it.
"""

from dataclasses import dataclass
from enum import Enum, auto, unique

from coykiosk.register.identity import Identity
from coykiosk.register.records import Route, Server

__all__ = [
    "Attempt",
    "AttemptKind",
    "Broken",
    "CertificateBad",
    "Confused",
    "Effect",
    "Enrolled",
    "GiveUp",
    "InvitationRefused",
    "LoginRefused",
    "NeedsCaptcha",
    "NeedsForm",
    "Outcome",
    "PuzzleLost",
    "Refused",
    "RegistrationClosed",
    "Silent",
    "Skipped",
    "Succeeded",
    "Tried",
    "Unreachable",
    "Unresolved",
    "WebOnly",
]

# --- outcomes: what came of the last attempt ------------------------------


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The account exists, and we are signed in to it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered the registration with an error stanza."""

    condition: str
    """Defined condition (RFC 6120, section 8.3.3), e.g. "conflict"."""
    error_type: str
    """"auth", "cancel", "continue", "modify" or "wait" (section 8.3.2)."""
    text: str
    """The server's own words, or ""; not to be trusted."""


@dataclass(frozen=True, slots=True)
class RegistrationClosed:
    """The server does not offer in-band registration."""


@dataclass(frozen=True, slots=True)
class NeedsForm:
    """Registration wants a form filled in."""

    what: str = "form"
    """"email" for an address or number of the person, else "form"."""


@dataclass(frozen=True, slots=True)
class NeedsCaptcha:
    """Registration wants a puzzle solved, and nobody has solved it."""

    why: str = "no-picture"
    """"no-picture" that can be shown, "wrong-answers", or "skipped"."""


@dataclass(frozen=True, slots=True)
class InvitationRefused:
    """The server does not know the invitation, or no longer."""

    text: str = ""
    """The server's own words; not to be trusted."""


@dataclass(frozen=True, slots=True)
class PuzzleLost:
    """The stream was cut while a person was at the puzzle."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The person wanted to go on to the next server."""

    submitted: bool
    """True when the registration may have reached the server."""


@dataclass(frozen=True, slots=True)
class WebOnly:
    """The server sends strangers to a web page."""

    url: str = ""
    """Its address, in the server's words: not to be trusted, never opened."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Tor could not connect; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer came within the limit."""

    submitted: bool
    """True when the registration may have reached the server."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream was cut."""

    submitted: bool
    """True when the registration may have reached the server."""


@dataclass(frozen=True, slots=True)
class CertificateBad:
    """The certificate proves nothing; nothing was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Signing in was refused."""

    condition: str
    """SASL error condition (RFC 6120, section 6.5)."""


@dataclass(frozen=True, slots=True)
class Confused:
    """The server said what no server may say at this point."""

    reason: str


Outcome = (
    Succeeded
    | Refused
    | RegistrationClosed
    | NeedsForm
    | NeedsCaptcha
    | InvitationRefused
    | PuzzleLost
    | Skipped
    | WebOnly
    | Unreachable
    | Silent
    | Broken
    | CertificateBad
    | LoginRefused
    | Confused
)


# --- effects: what to do next ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """A visit to a server that gave us no account."""

    domain: str
    outcome: Outcome
    """What ended it."""
    route: Route
    """By which way it was visited."""


@unique
class AttemptKind(Enum):
    """What an attempt is for."""

    REGISTER = auto()
    LOG_IN = auto()
    """The answer to the registration was lost: find out if the account exists."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Connect, do what `kind` says, and feed what came of it."""

    server: Server
    route: Route
    identity: Identity
    kind: AttemptKind
    limit_s: float
    """Seconds the attempt may take, once the server is looked up where that is needed;
    after that it is Silent."""
    fresh_circuit: bool
    """True: use a new isolation key. False: the last attempt's circuit may serve
    again; it is the same server, and it has seen us anyway."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """There is an account, and we are signed in to it."""

    server: Server
    route: Route
    identity: Identity


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No server is left."""

    tried: tuple[Tried, ...]


Effect = Attempt | Enrolled | GiveUp


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An account that exists or not: the server never said, and we moved on."""

    server: Server
    route: Route
    identity: Identity
