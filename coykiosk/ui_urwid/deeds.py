"""What each action of the key table does.

Rule: one small deed for each action; it changes the desk and submits commands.
None of them waits: what comes of a command arrives as an event.
"""

from collections.abc import Callable

from coykiosk.contract import (
    AcceptContact,
    AcceptNewKey,
    Command,
    Jid,
    OpenChat,
    Quit,
    RefuseContact,
    RestartEncryption,
    SendMessage,
)
from coykiosk.text import _
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.account_deeds import AccountDeeds
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.chat import Typed
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.dialogs import Dialog
from coykiosk.ui_urwid.tor_deeds import TorDeeds
from coykiosk.ui_urwid.view import Page
from coykiosk.ui_urwid.welcome_deeds import WelcomeDeeds

__all__ = ["Deeds"]


class Deeds:
    """Carries out actions on a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._account = AccountDeeds(desk)
        self.welcome = WelcomeDeeds(desk, self._account.ask_further)
        self.tor = TorDeeds(desk)
        self._table: dict[Action, Callable[[], None]] = {
            **self.welcome.table(),
            **self._talking_table(),
            **self._reading_table(),
            **self.tor.table(),
            **self._account.table(),
        }

    def do(self, action: Action) -> None:
        """Carry out one action."""
        self._table[action]()

    def _talking_table(self) -> dict[Action, Callable[[], None]]:
        return {
            Action.OPEN: self._open_chat,
            Action.ACCEPT: self._accept,
            Action.REFUSE: self._refuse,
            Action.CHOOSE_NEXT: lambda: self._choose(1),
            Action.CHOOSE_PREVIOUS: lambda: self._choose(-1),
            Action.SEND: self._send,
            Action.RECALL_OLDER: lambda: self._recall(-1),
            Action.RECALL_NEWER: lambda: self._recall(1),
            Action.OLDER: lambda: self._page_log(-1),
            Action.NEWER: lambda: self._page_log(1),
            Action.NEWEST: lambda: self._page_log(0),
            Action.WHO: self._who,
            Action.ENCRYPT: self._encrypt,
            Action.NEW_KEY: self._new_key,
            Action.NEXT_CHAT: lambda: self._turn(1),
            Action.PREVIOUS_CHAT: lambda: self._turn(-1),
            Action.UNREAD_CHAT: self._unread,
        }

    def _reading_table(self) -> dict[Action, Callable[[], None]]:
        sheet = self._desk.open_sheet
        return {
            Action.HELP: lambda: sheet(Action.HELP, _("Help: what the keys do here")),
            Action.WORDS: lambda: sheet(Action.WORDS, _("The words of your vault")),
            Action.TRIED: lambda: sheet(Action.TRIED, _("Servers tried so far")),
            Action.CLOSE_SHEET: self._close_sheet,
            Action.SCROLL_DOWN: lambda: self._scroll(1),
            Action.SCROLL_UP: lambda: self._scroll(-1),
            Action.QUIT: self._quit,
            Action.YES: self._yes,
            Action.NO: self._no,
            Action.REDRAW: self._redraw,
        }

    # --- people -------------------------------------------------------------------

    def _choose(self, step: int) -> None:
        self._desk.who.choose(self._desk.state, step)

    def _open_chat(self) -> None:
        desk = self._desk
        if desk.where in {Where.WHO_CHAT, Where.WHO_CONTACT}:
            contact = desk.who.chosen
        else:
            contact = desk.who.typed_address(desk.state)
        if contact is not None:
            self._ask_for(contact)

    def _as_me(self, command: Callable[[Jid], Command]) -> None:
        """Submit what is done as the account in front."""
        if self._desk.state.account is not None:
            self._desk.submit(command(self._desk.state.account))

    def _ask_for(self, contact: Jid) -> None:
        desk = self._desk
        is_there = contact in desk.state.front.chats
        desk.state = steps.chat_asked_for(desk.state, contact)
        if is_there:
            desk.who.clear()
        else:
            # What was typed stays until the chat is there: it may have a slip in it.
            self._as_me(lambda me: OpenChat(me, contact))

    def _accept(self) -> None:
        desk = self._desk
        contact = desk.who.chosen
        if contact is not None:
            desk.who.unchoose()
            desk.state = steps.request_answered(desk.state, contact, accepted=True)
            self._as_me(lambda me: AcceptContact(me, contact))

    def _refuse(self) -> None:
        desk = self._desk
        contact = desk.who.chosen
        if contact is not None:
            desk.who.unchoose()
            desk.state = steps.request_answered(desk.state, contact, accepted=False)
            self._as_me(lambda me: RefuseContact(me, contact))

    def _who(self) -> None:
        desk = self._desk
        current = desk.state.front.current
        if desk.state.page is Page.CHAT:
            desk.state = steps.who_shown(desk.state)
        elif current is not None:
            desk.state = steps.chat_shown(desk.state, current)

    def _turn(self, step: int) -> None:
        desk = self._desk
        contacts = list(desk.state.front.chats)
        if not contacts:
            return
        if desk.current is None:
            at = 0 if step > 0 else len(contacts) - 1
        else:
            at = (contacts.index(desk.current) + step) % len(contacts)
        desk.state = steps.chat_shown(desk.state, contacts[at])

    def _unread(self) -> None:
        state = steps.unread_shown(self._desk.state)
        if state.account != self._desk.state.account:
            self._desk.who.clear()
        self._desk.state = state

    # --- one chat -----------------------------------------------------------------

    def _send(self) -> None:
        chat = self._desk.state.chat
        if chat is None:
            return
        match self._desk.chat.submit(chat):
            case Typed(text):
                self._as_me(lambda me: SendMessage(me, chat.contact, text))
            case Action() as action:
                self.do(action)
            case None:
                pass

    def _recall(self, step: int) -> None:
        if self._desk.current is not None:
            self._desk.chat.recall(self._desk.current, step)

    def _page_log(self, step: int) -> None:
        if self._desk.current is None:
            return
        log = self._desk.chat.log(self._desk.current)
        if step == 0:
            log.to_newest()
        elif step < 0:
            log.page_up()
        else:
            log.page_down()

    def _encrypt(self) -> None:
        current = self._desk.current
        if current is not None:
            self._as_me(lambda me: RestartEncryption(me, current))

    def _new_key(self) -> None:
        chat = self._desk.state.chat
        if chat is not None and chat.key_is_new:
            title = _("Is this key theirs?")
            key = chat.their_fingerprint
            self._desk.open(Dialog(Where.CONFIRM, title, Action.NEW_KEY, key=key))

    # --- what lies over the screen ---------------------------------------------------

    def _scroll(self, pages: int) -> None:
        if self._desk.where is not self._desk.page_where:
            self._desk.sheet.scroll(pages)
        elif self._desk.state.page is Page.WHO:
            self._desk.who.scroll(pages)
        elif self._desk.state.page is Page.PUZZLE:
            self._desk.puzzle.scroll(pages)
        elif self._desk.state.page is Page.DOOR:
            self._desk.door.scroll(pages)
        else:
            self._desk.welcome.scroll(pages)

    def _close_sheet(self) -> None:
        if self._desk.where is Where.BRIDGES:
            self.tor.leave_field()
        elif self._desk.dialog is not None:
            self._desk.dialog = None
        elif self._desk.state.problems:
            self._desk.state = steps.problem_read(self._desk.state)
        else:
            self._desk.state = steps.news_read(self._desk.state)

    def _yes(self) -> None:
        dialog, self._desk.dialog = self._desk.dialog, None
        if dialog is None or self._account.confirmed(dialog):
            return
        if dialog.where is Where.CONFIRM_QUIT:
            self._leave()
        elif dialog.kind is Action.NEW_KEY:
            current, key = self._desk.current, dialog.key
            if current is not None and key is not None:
                self._as_me(lambda me: AcceptNewKey(me, current, key))
        elif self._desk.current is not None:
            self._desk.chat.paste(self._desk.current, dialog.text)

    def _no(self) -> None:
        self._desk.dialog = None

    def _redraw(self) -> None:
        self._desk.wants_redraw = True

    def _quit(self) -> None:
        if self._desk.state.page in {Page.WHO, Page.CHAT}:
            title = _("Quit?")
            self._desk.open(Dialog(Where.CONFIRM_QUIT, title, Action.QUIT))
        else:
            self._leave()

    def _leave(self) -> None:
        self._desk.dialog = None
        self._desk.state = steps.closing(self._desk.state)
        self._desk.submit(Quit())
