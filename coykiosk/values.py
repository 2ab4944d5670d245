"""The small values that commands and events carry.

Rule: pure and below everything; a secret shows, compares and copies nothing by
accident. `contract` hands all of these on: import them from there.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ClassVar, Final, NoReturn, Self, final
from unicodedata import normalize

__all__ = [
    "ChatPhase",
    "Door",
    "EnrolmentStep",
    "Jid",
    "MessageState",
    "Picture",
    "PracticeStep",
    "Protection",
    "Puzzle",
    "Secret",
]

_MAX_PART_BYTES: Final = 1023  # RFC 7622, section 3.1


@dataclass(frozen=True, slots=True)
class Jid:
    """An XMPP address, normalised to lower case (RFC 7622).

    Full Unicode preparation (PRECIS) happens where stanzas are made; here we
    refuse what can be no address at all.
    """

    localpart: str
    domainpart: str
    resource: str = ""

    _FORBIDDEN: ClassVar[frozenset[str]] = frozenset("\"&'/:<>@ ")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name@server` or `name@server/resource`.

        Raises:
            ValueError: the text is no address of a person.
        """
        bare, _, resource = text.strip().partition("/")
        # As nodeprep and nameprep map (RFC 6122, appendix A): what looks the same
        # to a person and to a server must be one chat to us.
        bare = normalize("NFKC", normalize("NFKC", bare).casefold())
        localpart, at, domainpart = bare.partition("@")
        domainpart = domainpart.rstrip(".")
        if not (localpart and at and domainpart):
            msg = "an address looks like name@server"
            raise ValueError(msg)
        for part in (localpart, domainpart):
            if len(part.encode()) > _MAX_PART_BYTES or not part.isprintable():
                msg = "part too long or unprintable"
                raise ValueError(msg)
            if cls._FORBIDDEN & set(part):
                msg = "an address has no blanks, quotes or brackets"
                raise ValueError(msg)
        if len(resource.encode()) > _MAX_PART_BYTES:
            msg = "resource too long"
            raise ValueError(msg)
        return cls(localpart, domainpart, resource)

    @property
    def bare(self) -> "Jid":
        """The address without its resource."""
        return Jid(self.localpart, self.domainpart)

    def __str__(self) -> str:
        bare = f"{self.localpart}@{self.domainpart}"
        return f"{bare}/{self.resource}" if self.resource else bare


@final
class Secret:
    """Bytes that must not be shown, compared carelessly, copied or kept.

    `wipe` overwrites our buffer; copies that libraries made are out of reach.
    """

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray | str) -> None:
        self._buffer = bytearray(value.encode() if isinstance(value, str) else value)

    def reveal(self) -> bytes:
        """Return the value; keep the copy as short-lived as you can.

        Raises:
            ValueError: it has been wiped.
        """
        if not self._buffer:
            msg = "secret: empty or wiped"
            raise ValueError(msg)
        return bytes(self._buffer)

    def copy(self) -> "Secret":
        """Return an independent secret with the same value."""
        return Secret(self._buffer)

    def wipe(self) -> None:
        """Overwrite the value with zeros and forget it; idempotent."""
        self._buffer[:] = bytes(len(self._buffer))
        del self._buffer[:]

    def __bool__(self) -> bool:
        return bool(self._buffer)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> NoReturn:
        msg = "secrets are compared with hmac.compare_digest only"
        raise TypeError(msg)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __reduce__(self) -> NoReturn:
        msg = "secrets are not pickled"
        raise TypeError(msg)


class Protection(Enum):
    """Who can read a chat, decided by the worst fact; what the person is told."""

    STOP = auto()
    """Do not type: plain text came into an OTR chat, or OTR was ended."""
    OPEN = auto()
    """The server could read it (we therefore send nothing yet)."""
    PRIVATE = auto()
    """Only the other end can read it; we do not know who that is."""
    CHECKED = auto()
    """Only the person whose safety words were checked can read it."""


class ChatPhase(Enum):
    """How far a chat is on its way to being encrypted."""

    OFFLINE = auto()
    """Our account is not connected; text waits."""
    ASKING = auto()
    """We asked for OTR; nobody has answered yet; text waits."""
    AWAY = auto()
    """The contact's server says that they are not there; we ask again by and by."""
    AGREEING = auto()
    """The other end answered; the keys are being agreed; text waits."""
    ENCRYPTED = auto()
    """OTR is up; what waited has been sent."""
    ENDED_BY_CONTACT = auto()
    """The other end closed the encryption; nothing is sent until it restarts."""


class MessageState(Enum):
    """What became of a text the person typed."""

    WAITING = auto()
    """For the contact's encryption, or for a connection."""
    SENDING = auto()
    """Given to the connection; the server has not said yet that it has it."""
    SENT = auto()
    """The server has it; or, where it does not tell, it was given to it."""
    FAILED = auto()
    UNCERTAIN = auto()
    """It may not have arrived: the connection broke before the server said that it
    has it, or the keys were renewed before an answer came."""


@dataclass(frozen=True, slots=True)
class Door:
    """A server of the person's own choice."""

    domain: str
    """What its addresses end in: a domain name, or an onion."""
    onion: str | None
    """Where it is reached, if the person knows that."""
    token: str = field(repr=False)
    """The right to make one account there (XEP-0445); "" without an invitation."""


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A picture as greys; nothing of what it was packed in is left."""

    width: int
    height: int
    greys: bytes
    """A byte for each pixel, row by row; 0 is black, 255 white."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """What a server wants to have answered by a person (XEP-0158)."""

    server: str
    question: str
    """The server's own words; "" when the picture is all there is."""
    picture: Picture | None
    n_wrong: int
    """How many answers of this person it has not taken."""
    life_s: float
    """How long the server waits for the answer."""


class EnrolmentStep(Enum):
    """The steps of the one action, in the order in which they are shown."""

    WAITING_FOR_TOR = auto()
    SEALING_VAULT = auto()
    REACHING_SERVER = auto()
    MAKING_ACCOUNT = auto()
    SIGNING_IN = auto()


class PracticeStep(Enum):
    """What the practice network is busy with."""

    STARTING_RELAYS = auto()
    AGREEING_CONSENSUS = auto()
    STARTING_SERVER = auto()
    PUBLISHING_ONION = auto()
    CALLING_PARTNER = auto()
