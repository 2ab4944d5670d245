"""What lies before the person: the state, the pages, and what covers them.

Rule: this is the one mutable place of the screen. `deeds` changes it for a key,
`shell` for an event and for text, and `shell` draws it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from coykiosk.contract import Command, Jid
from coykiosk.errors import ErrorCode
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.bridges import BridgesField
from coykiosk.ui_urwid.chat import ChatPage
from coykiosk.ui_urwid.dialogs import Dialog
from coykiosk.ui_urwid.door import DoorPage
from coykiosk.ui_urwid.puzzle import PuzzlePage
from coykiosk.ui_urwid.roster import WhoPage
from coykiosk.ui_urwid.sheet import Sheet
from coykiosk.ui_urwid.view import Page, ViewState
from coykiosk.ui_urwid.welcome import WelcomePage

__all__ = ["Desk"]


@dataclass(slots=True)
class Desk:
    """Everything the screen holds on to."""

    welcome: WelcomePage
    submit: Callable[[Command], None]
    """Hands a command to the session; never waits."""
    ask_judge: Callable[[str, int], None]
    """Wants the strength of a passphrase; the answer names the number again."""
    puzzle: PuzzlePage
    state: ViewState = field(default_factory=ViewState)
    door: DoorPage = field(default_factory=DoorPage)
    who: WhoPage = field(default_factory=WhoPage)
    chats: dict[Jid | None, ChatPage] = field(default_factory=dict)
    """What is typed and scrolled in the chats of each account."""
    bridges: BridgesField = field(default_factory=BridgesField)
    dialog: Dialog | None = None
    sheet: Sheet = field(default_factory=Sheet)
    wants_redraw: bool = False

    @property
    def where(self) -> Where:
        """What has the keys."""
        if self.dialog is not None:
            return self.dialog.where
        if self.state.page in {Page.CLOSING, Page.CLOSED}:
            return Where.CLOSING
        if (self.state.problems or self.state.news) and self.is_empty:
            # While something is typed a row at the edge tells it: the Enter that
            # ends a line must not close what one has not seen.
            problems = self.state.problems
            is_held = problems and problems[0].code is ErrorCode.ACCOUNT_HELD_BACK
            talks = self.state.page in {Page.WHO, Page.CHAT}
            return Where.HELD_BACK if is_held and talks else Where.SHEET
        return self.page_where

    @property
    def page_where(self) -> Where:
        """What would have the keys if nothing lay over it."""
        match self.state.page:
            case Page.WHO:
                return self.who.where(self.state)
            case Page.CHAT:
                return Where.CHAT
            case Page.PUZZLE:
                return Where.PUZZLE
            case Page.DOOR:
                return Where.DOOR
            case _:
                return self.welcome.where(self.state)

    @property
    def is_empty(self) -> bool:
        """True while nothing is typed where the cursor is."""
        if self.state.page is Page.WHO:
            return self.who.is_empty
        if self.state.page is Page.PUZZLE:
            return self.puzzle.is_empty
        if self.state.page is Page.DOOR:
            return self.door.is_empty
        current = self.current
        if current is not None:
            return self.chat.composer(current).is_empty
        passphrase = self.welcome.field(self.state)
        return passphrase is None or passphrase.is_empty

    @property
    def chat(self) -> ChatPage:
        """The chats of the account in front."""
        return self.chats.setdefault(self.state.account, ChatPage())

    @property
    def current(self) -> Jid | None:
        """The chat on the screen, if the chat page is shown."""
        return self.state.front.current if self.state.page is Page.CHAT else None

    def forget_chats(self, account: Jid, contacts: Iterable[Jid]) -> None:
        """Drop what an account said and typed in the chats with these contacts."""
        if account in self.chats:
            self.chats[account].forget(contacts)

    def forget_account(self, account: Jid, *, keep_words: bool) -> None:
        """Drop what was said and typed over an account that is gone.

        Args:
            account: Its bare address.
            keep_words: The words made for the vault still open it.
        """
        self.who = WhoPage()
        self.chats.pop(account, None)
        if not keep_words:
            self.welcome.forget_words()

    @property
    def has_account_here(self) -> bool:
        """Whether the account may be opened: there is one, and nothing is under way."""
        is_here = self.state.page in {Page.WHO, Page.CHAT, Page.SIGNING_IN}
        return self.state.account is not None and is_here and self.dialog is None

    def read_problem(self) -> None:
        """Take away the problem that lies over the screen, if one does."""
        if self.dialog is None and self.where in {Where.SHEET, Where.HELD_BACK}:
            self.state = steps.problem_read(self.state)

    def open(self, dialog: Dialog) -> None:
        """Lay something over the screen."""
        self.dialog = dialog
        self.sheet.to_top()

    def open_sheet(self, kind: Action, title: str) -> None:
        """Lay something to read over the screen."""
        about = self.page_where
        self.open(Dialog(Where.SHEET, title, kind, about=about))
