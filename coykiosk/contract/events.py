"""What the session tells the screen: what has happened, or what now is.

Rule: an event says what *is*, never what to redraw. Text crosses raw: cleaning is
the screen's duty at the last moment. What concerns one account names it: `account`
is one's own bare address.
"""

from dataclasses import dataclass
from datetime import datetime

from coykiosk.contract.commands import Command
from coykiosk.errors import UserError
from coykiosk.ports import Circuit
from coykiosk.values import (
    ChatPhase,
    EnrolmentStep,
    Jid,
    MessageState,
    PracticeStep,
    Protection,
    Puzzle,
)


@dataclass(frozen=True, slots=True)
class Started:
    """The first event: what this start finds."""

    vault_exists: bool
    practice: bool


@dataclass(frozen=True, slots=True)
class TorProgress:
    """tor is on its way into the network."""

    percent: int
    tag: str
    """tor's own bootstrap tag, for example `handshake_dir`; an ASCII word."""


@dataclass(frozen=True, slots=True)
class TorReady:
    """Circuits can be built."""

    own: bool
    """True when it is our child; False when we use a tor found running."""


@dataclass(frozen=True, slots=True)
class TorStopped:
    """tor is gone, and with it every connection."""

    error: UserError


@dataclass(frozen=True, slots=True)
class BridgesSet:
    """From now on tor goes through these bridges, or openly."""

    lines: tuple[str, ...]
    """Each as it is kept; () when there are none."""


@dataclass(frozen=True, slots=True)
class VaultUnlocked:
    """The vault is open; these accounts are now being signed in."""

    accounts: tuple[Jid, ...]


@dataclass(frozen=True, slots=True)
class EnrolmentAdvanced:
    """The one action has reached this step."""

    step: EnrolmentStep
    server: str
    """The domain being tried; "" while none is."""


@dataclass(frozen=True, slots=True)
class PuzzleAsked:
    """A server wants a person to answer this before it makes the account."""

    puzzle: Puzzle


@dataclass(frozen=True, slots=True)
class ServerTried:
    """A server did not take us; the next one is tried."""

    server: str
    error: UserError
    words: str = ""
    """What the server itself said, if anything."""


@dataclass(frozen=True, slots=True)
class EnrolmentCancelled:
    """Making the account was stopped; the start screen applies again."""


@dataclass(frozen=True, slots=True)
class AccountOnline:
    """The account is signed in."""

    account: Jid
    """Bare address."""
    via_onion: bool
    channel_bound: bool
    """True when the login proved that nobody sits between us and the server."""
    kept: bool
    """True when the account is in the vault."""


@dataclass(frozen=True, slots=True)
class AccountOffline:
    """The account lost its connection, or could not get one."""

    account: Jid
    error: UserError
    retry_in_s: float | None
    """Seconds until the next try by itself; None when it waits for a key."""


@dataclass(frozen=True, slots=True)
class AccountConnecting:
    """The account is being signed in anew, because the person asked for it."""

    account: Jid


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """The account has another password, here and at its server."""

    account: Jid


@dataclass(frozen=True, slots=True)
class AccountForgotten:
    """Nothing is left of the account on this side."""

    account: Jid
    is_burnt: bool
    """True when its server has deleted it as well."""
    vault_exists: bool
    """True when there is still a vault, opened or not."""
    vault_open: bool
    """True when it is open; it holds something else."""
    others: tuple[Jid, ...]
    """The accounts that are left in this session."""


@dataclass(frozen=True, slots=True)
class CircuitKnown:
    """The answer to `AskCircuit`."""

    account: Jid
    circuit: Circuit | None


@dataclass(frozen=True, slots=True)
class ContactAsked:
    """A stranger wants to talk; nothing of what they wrote is shown."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class ContactsChanged:
    """These are all whom the account knows; bare addresses, sorted."""

    account: Jid
    known: tuple[Jid, ...]
    """Whose keys were met."""
    listed: tuple[Jid, ...]
    """Who is on the server's list alone."""


@dataclass(frozen=True, slots=True)
class BlockedChanged:
    """These are all whom the account shows nothing of."""

    account: Jid
    contacts: tuple[Jid, ...]
    """Bare addresses, in the order in which they were blocked."""


@dataclass(frozen=True, slots=True)
class ChatChanged:
    """A chat exists, and this is how it stands."""

    account: Jid
    chat: Jid
    """Bare address of the contact."""
    phase: ChatPhase
    protection: Protection
    their_fingerprint: bytes | None
    """20 bytes, once encrypted."""
    key_is_new: bool
    """True when this contact was known by another key before."""


@dataclass(frozen=True, slots=True)
class ChatClosed:
    """A chat has ended, and nothing of it is kept."""

    account: Jid
    chat: Jid


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """A text of ours is in the chat, in this state."""

    account: Jid
    chat: Jid
    message_id: str
    text: str
    at: datetime
    state: MessageState
    protection: Protection


@dataclass(frozen=True, slots=True)
class MessageStateChanged:
    """A text of ours was sent, or cannot be."""

    account: Jid
    chat: Jid
    message_id: str
    state: MessageState
    protection: Protection
    """The protection it went out under."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The other end wrote."""

    account: Jid
    chat: Jid
    author: Jid
    text: str
    at: datetime
    protection: Protection
    """PRIVATE or CHECKED when it came under OTR; STOP when it came in clear."""


@dataclass(frozen=True, slots=True)
class PracticeAdvanced:
    """The practice network has reached this step."""

    step: PracticeStep


@dataclass(frozen=True, slots=True)
class PracticeReady:
    """The practice partner is online at this address."""

    partner: Jid


@dataclass(frozen=True, slots=True)
class Failed:
    """A command could not be carried out."""

    error: UserError
    during: type[Command] | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The session has ended and wiped; the screen may leave."""


Event = (
    Started
    | TorProgress
    | TorReady
    | TorStopped
    | BridgesSet
    | VaultUnlocked
    | EnrolmentAdvanced
    | PuzzleAsked
    | ServerTried
    | EnrolmentCancelled
    | AccountOnline
    | AccountOffline
    | AccountConnecting
    | PasswordChanged
    | AccountForgotten
    | CircuitKnown
    | ContactAsked
    | ContactsChanged
    | BlockedChanged
    | ChatChanged
    | ChatClosed
    | MessageAccepted
    | MessageStateChanged
    | MessageReceived
    | PracticeAdvanced
    | PracticeReady
    | Failed
    | Closed
)
