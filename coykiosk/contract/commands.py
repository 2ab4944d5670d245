"""What the screen tells the session to do; each is named by a verb.

Rule: what is done as somebody says as whom: `account` is one's own bare address.
"""

from dataclasses import dataclass

from coykiosk.values import Door, Jid, Secret


@dataclass(frozen=True, slots=True)
class UnlockVault:
    """Open the vault with this passphrase and sign its accounts in."""

    passphrase: Secret
    door: Door | None = None
    """The one server that may be tried if there is no account in it yet."""


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """The one action: make a new anonymous account and go online."""

    passphrase: Secret | None
    """Seals a new vault; None keeps nothing at all."""
    door: Door | None = None
    """The one server that may be tried; None leaves the choice to us."""
    is_further: bool = False
    """Whether it is wanted beside those that there are; then no passphrase is asked
    for, and it is kept where they are."""


@dataclass(frozen=True, slots=True)
class CancelCreation:
    """Stop making an account; what was begun is undone."""


@dataclass(frozen=True, slots=True)
class AnswerPuzzle:
    """Give this answer to the puzzle that lies before the person."""

    answer: str


@dataclass(frozen=True, slots=True)
class AskAnotherPuzzle:
    """Have the server show another puzzle."""


@dataclass(frozen=True, slots=True)
class SkipServer:
    """Leave the server that is being tried, and try the next one."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Try at once to bring every account back online."""


@dataclass(frozen=True, slots=True)
class OpenChat:
    """Start an OTR chat with this contact."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class AcceptContact:
    """Talk with a stranger who asked."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class RefuseContact:
    """Ignore a stranger who asked, for this session; they are told nothing."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class ForgetContact:
    """End the chat with them, and keep neither their key nor that they were known."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class BlockContact:
    """End the chat with them, and show nothing of them from now on."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class UnblockContact:
    """Let them write again."""

    account: Jid
    contact: Jid


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send this text, as soon as the chat is encrypted and not before."""

    account: Jid
    chat: Jid
    text: str


@dataclass(frozen=True, slots=True)
class RestartEncryption:
    """Ask the other end for OTR again."""

    account: Jid
    chat: Jid


@dataclass(frozen=True, slots=True)
class AcceptNewKey:
    """Take a contact's new key for theirs, and send what waited."""

    account: Jid
    chat: Jid
    fingerprint: bytes
    """The key that was shown, 20 bytes; no other is accepted."""


@dataclass(frozen=True, slots=True)
class AskCircuit:
    """Tell which relays the account's connection runs through."""

    account: Jid


@dataclass(frozen=True, slots=True)
class UseBridges:
    """Reach the Tor network through these bridges only, from now on."""

    text: str
    """Bridge lines as the person pasted or typed them; "" for no bridges."""


@dataclass(frozen=True, slots=True)
class NewCircuit:
    """Connect the account again at once, over another path through Tor."""

    account: Jid


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Give the account another random password, at its server and in the vault."""

    account: Jid


@dataclass(frozen=True, slots=True)
class ForgetAccount:
    """End its chats, sign out, and keep nothing of the account on this side."""

    account: Jid


@dataclass(frozen=True, slots=True)
class BurnAccount:
    """Have its server delete the account, then forget it."""

    account: Jid


@dataclass(frozen=True, slots=True)
class Quit:
    """End every chat, sign out, wipe, and answer with `Closed`."""


Command = (
    UnlockVault
    | CreateAccount
    | CancelCreation
    | AnswerPuzzle
    | AskAnotherPuzzle
    | SkipServer
    | Connect
    | OpenChat
    | AcceptContact
    | RefuseContact
    | ForgetContact
    | BlockContact
    | UnblockContact
    | SendMessage
    | RestartEncryption
    | AcceptNewKey
    | AskCircuit
    | UseBridges
    | NewCircuit
    | ChangePassword
    | ForgetAccount
    | BurnAccount
    | Quit
)
