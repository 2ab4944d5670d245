"""What is shown, as one value.

Rule: pure and frozen. Everything that decides what is drawn is here, but cursors
and scrolling. Text is kept as it came; cleaning happens when it is drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from coykiosk.contract import (
    AccountForgotten,
    AccountOffline,
    AccountOnline,
    ChatPhase,
    CircuitKnown,
    Door,
    EnrolmentStep,
    Jid,
    MessageState,
    PasswordChanged,
    PracticeStep,
    Protection,
    Puzzle,
    ServerTried,
)
from coykiosk.errors import UserError

__all__ = [
    "AccountView",
    "ChatView",
    "Line",
    "Page",
    "TorPhase",
    "TorView",
    "ViewState",
]


class Page(Enum):
    """Which screen lies at the bottom."""

    STARTING = auto()
    START = auto()
    UNLOCK = auto()
    DOOR = auto()
    PROGRESS = auto()
    PUZZLE = auto()
    SIGNING_IN = auto()
    WHO = auto()
    CHAT = auto()
    LEAVING = auto()
    """The account is being burnt or forgotten."""
    CLOSING = auto()
    CLOSED = auto()


class TorPhase(Enum):
    """How Tor is, as far as the screen has been told."""

    WAITING = auto()
    """For the vault, which knows the guard to go back to."""
    CONNECTING = auto()
    READY = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class TorView:
    """What is known of Tor."""

    phase: TorPhase = TorPhase.CONNECTING
    percent: int = 0
    tag: str = ""
    own: bool = True
    error: UserError | None = None
    trouble: UserError | None = None
    """Why it gets no further, while it goes on trying."""
    stuck_at: int = 0
    """How far it was then, in per cent."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message in a chat."""

    number: int
    """Counts up in its chat and never changes: scrolling holds on to it."""
    author: Jid | None
    """None when we wrote it."""
    text: str
    at: datetime
    mark: Protection
    """The protection at its moment, not now."""
    message_id: str = ""
    state: MessageState | None = None
    """None for what the other end wrote."""


@dataclass(frozen=True, slots=True)
class ChatView:
    """One chat."""

    contact: Jid
    phase: ChatPhase = ChatPhase.OFFLINE
    protection: Protection = Protection.OPEN
    their_fingerprint: bytes | None = None
    key_is_new: bool = False
    lines: tuple[Line, ...] = ()
    n_rows: int = 0
    """How many lines of text they have, as the senders broke them."""
    n_written: int = 0
    """How many lines there ever were; the number of the next one."""
    n_unread: int = 0


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account of one's own, and what is said over it."""

    online: AccountOnline | None = None
    offline: AccountOffline | None = None
    """Set while there is no connection, with the reason."""
    circuit: CircuitKnown | None = None
    requests: tuple[Jid, ...] = ()
    chats: Mapping[Jid, ChatView] = field(default_factory=lambda: MappingProxyType({}))
    """By bare address, in the order in which they began."""
    known: tuple[Jid, ...] = ()
    """Those whose keys were met, in this session or an earlier one."""
    listed: tuple[Jid, ...] = ()
    """Those who are on the server's list alone."""
    blocked: tuple[Jid, ...] = ()
    """Those of whom the account shows nothing."""
    current: Jid | None = None
    """The chat that the chat page shows."""
    wanted: Jid | None = None
    """The chat the person asked for and that is not there yet."""

    @property
    def n_unread(self) -> int:
        """Unread messages in all its chats."""
        return sum(chat.n_unread for chat in self.chats.values())


_NOBODY: Final = AccountView()


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that decides what is drawn, but cursors and scrolling."""

    page: Page = Page.STARTING
    practice: bool = False
    vault_exists: bool = False
    vault_open: bool = False
    practice_step: PracticeStep | None = None
    partner: Jid | None = None
    """The practice partner, until the chat with them has opened."""
    tor: TorView = TorView()
    bridges: tuple[str, ...] = ()
    """The lines of the bridges that tor goes through."""
    editing_bridges: bool = False
    """The field for them is open."""
    bridges_sent: bool = False
    """The session has been asked to use others, and has not answered."""
    bridges_problem: UserError | None = None
    keep: bool = True
    """False while the account being made, or in use, is kept nowhere."""
    step: EnrolmentStep | None = None
    step_server: str = ""
    door: Door | None = None
    """The one server at which the account is to be made; None: we choose."""
    puzzle: Puzzle | None = None
    """What lies before the person on the puzzle page."""
    cancelling: bool = False
    tried: tuple[ServerTried, ...] = ()
    unlocking: bool = False
    unlock_problem: UserError | None = None
    account: Jid | None = None
    """The one in front: who the person is now, in all they do."""
    accounts: Mapping[Jid, AccountView] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """All that there are, by bare address, in the order in which they came."""
    has_forgotten: bool = False
    """An account went: what is still told of it makes no account of it again."""
    is_burning: bool = False
    """While the account goes: its server is asked to delete it as well."""
    typing_address: bool = False
    address_problem: UserError | None = None
    problems: tuple[UserError, ...] = ()
    """Waiting to be read, oldest first."""
    news: tuple[AccountForgotten | PasswordChanged, ...] = ()
    """What was done, waiting to be read, oldest first."""

    @property
    def front(self) -> AccountView:
        """The account in front; an empty one while there is none."""
        return self.accounts.get(self.account, _NOBODY) if self.account else _NOBODY

    @property
    def others(self) -> tuple[Jid, ...]:
        """The accounts that are not in front."""
        return tuple(each for each in self.accounts if each != self.account)

    @property
    def n_unread(self) -> int:
        """Unread messages in all chats of all accounts."""
        return sum(view.n_unread for view in self.accounts.values())

    @property
    def chat(self) -> ChatView | None:
        """The chat that is shown."""
        front = self.front
        return front.chats.get(front.current) if front.current else None
