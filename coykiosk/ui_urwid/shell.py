"""The frame: keys and events in, commands and a picture out.

Rule: no terminal and no event loop here, so that all of it runs in a test. What a
key does is looked up in `keys` and nowhere else; what has no row there edits text.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import urwid

from coykiosk.contract import (
    AccountForgotten,
    BlockedChanged,
    BridgesSet,
    ChatClosed,
    Command,
    Event,
)
from coykiosk.text import _
from coykiosk.ui_urwid import dialogs, steps, wording
from coykiosk.ui_urwid.account_rows import (
    account_rows,
    further_rows,
    news_rows,
    question_rows,
)
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.deeds import Deeds
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.dialogs import Dialog, Rows
from coykiosk.ui_urwid.door import DoorPage
from coykiosk.ui_urwid.footer import footer_parts
from coykiosk.ui_urwid.keymap import action_for
from coykiosk.ui_urwid.puzzle import PuzzlePage
from coykiosk.ui_urwid.roster import WhoPage
from coykiosk.ui_urwid.sheet import Part, blank, clipped, stack
from coykiosk.ui_urwid.state import reduce
from coykiosk.ui_urwid.tor import tor_rows
from coykiosk.ui_urwid.untrusted import clean_typed, clip, width
from coykiosk.ui_urwid.view import Page, ViewState
from coykiosk.ui_urwid.welcome import WelcomePage

__all__ = ["Shell"]

_MIN_COLS: Final = 20
_MIN_ROWS: Final = 5
_ROOMY_COLS: Final = 60
_ROOMY_ROWS: Final = 18
_TITLE_FROM_ROWS: Final = 12
_MAX_PASTE_CHARS: Final = 100_000
_ASK_PASTE_CHARS: Final = 500
_PASTE_BEGINS: Final = "begin paste"
_PASTE_ENDS: Final = "end paste"
_BOUND: Final = frozenset({Where.ACCOUNT, Where.FURTHER, Where.CONFIRM})
"""Overlays that ask about what lies below them."""
_PASTED_KEYS: Final = {"enter": "\n", "tab": "\t"}


class Shell:
    """The whole screen, but the terminal.

    Args:
        submit: Hands a command to the session.
        suggest_passphrase: Makes six words.
        ask_judge: Wants to know the strength of a passphrase; `judged` is called
            with the same number once it is known.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        submit: Callable[[Command], None],
        suggest_passphrase: Callable[[], str],
        ask_judge: Callable[[str, int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        puzzle = PuzzlePage(now)
        self._desk = Desk(WelcomePage(suggest_passphrase), submit, ask_judge, puzzle)
        self._deeds = Deeds(self._desk)
        self._pasted: list[str] | None = None
        self._is_too_small = False

    @property
    def state(self) -> ViewState:
        """What is shown."""
        return self._desk.state

    @property
    def where(self) -> Where:
        """What has the keys."""
        return self._desk.where

    @property
    def has_clock(self) -> bool:
        """Whether what is shown changes by the second."""
        return self.where is Where.PUZZLE

    def colours_are(self, n_colours: int) -> None:
        """Take note of what the terminal can show."""
        self._desk.puzzle.n_colours = n_colours

    def take_redraw_wish(self) -> bool:
        """Return whether the person wants the terminal painted anew."""
        wish, self._desk.wants_redraw = self._desk.wants_redraw, False
        return wish

    def wipe(self) -> None:
        """Overwrite the passphrases that are still here."""
        self._desk.welcome.wipe()
        urwid.CanvasCache.clear()

    # --- what comes in ------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take an event of the session."""
        before, account = self._desk.page_where, self._desk.state.account
        was_asked = self._desk.state.bridges_sent and self.where is Where.BRIDGES
        self._desk.state = reduce(self._desk.state, event)
        if was_asked and isinstance(event, BridgesSet):
            self._deeds.tor.taken()
        dialog = self._desk.dialog
        moved = self._desk.page_where is not before
        is_other = account != self._desk.state.account
        if is_other or (moved and self._desk.state.page is Page.CHAT):
            # It was typed for another account, or the chat asked for is there.
            self._desk.who.clear()
            self._sync_address()
        is_bound = dialog is not None and dialog.where in _BOUND
        if (moved or is_other) and is_bound:
            # A question about a chat makes no sense over another screen.
            self._desk.dialog = None
        self._desk.who.settle(self._desk.state)
        self._forget(event)

    def _forget(self, event: Event) -> None:
        """Keep nothing of what the session keeps nothing of."""
        match event:
            case AccountForgotten(account):
                self._desk.forget_account(account.bare, keep_words=event.vault_open)
            case ChatClosed(account, contact):
                self._desk.forget_chats(account.bare, (contact.bare,))
            case BlockedChanged(account, contacts):
                self._desk.forget_chats(account.bare, contacts)
            case _:
                return
        urwid.CanvasCache.clear()

    def judged(self, generation: int, *, is_enough: bool) -> None:
        """Take the answer to `ask_judge`."""
        self._deeds.welcome.judged(generation, is_enough=is_enough)

    def press_all(self, keys: Sequence[str]) -> None:
        """Take the keys of one read, in urwid's names.

        What arrives in the same read behind the end of a paste belongs to the
        paste: a text that brings its own end mark must not press keys.
        """
        for key in keys:
            if self._pasted is not None:
                self._collect(key)
            elif key == _PASTE_BEGINS:
                self._pasted = []
            else:
                self.press(key)
        if self._pasted is not None and _PASTE_ENDS in keys:
            pasted, self._pasted = "".join(self._pasted), None
            self._paste(pasted)

    def _collect(self, key: str) -> None:
        if self._pasted is not None and len(self._pasted) < _MAX_PASTE_CHARS:
            text = key if len(key) == 1 else _PASTED_KEYS.get(key, "")
            self._pasted.append(text)

    def press(self, key: str) -> None:
        """Take one key."""
        action = action_for(self._desk.where, key, empty=self._desk.is_empty)
        if self._is_too_small and action not in {Action.QUIT, Action.YES, Action.NO}:
            return
        if action is not None:
            self._deeds.do(action)
        else:
            self._edit(key)
        self._desk.who.settle(self._desk.state)
        self._sync_address()

    def _edit(self, key: str) -> None:
        where = self._desk.where
        if where is Where.BRIDGES:
            self._desk.bridges.keypress(key)
            self._desk.sheet.follow_cursor()
        if where is not self._desk.page_where:
            return
        field = self._desk.welcome.field(self._desk.state)
        current = self._desk.current
        if self._desk.state.page is Page.WHO:
            self._desk.who.keypress(key)
            self._desk.state = steps.address_is_being_typed(
                self._desk.state, typing=not self._desk.who.is_empty
            )
        elif self._desk.state.page is Page.PUZZLE:
            self._desk.puzzle.keypress(key)
        elif self._desk.state.page is Page.DOOR:
            self._desk.door.keypress(key)
        elif current is not None:
            self._desk.chat.keypress(current, key)
        elif field is not None and field.keypress(key):
            self._deeds.welcome.passphrase_edited()

    def _paste(self, text: str) -> None:
        """Put a pasted text where the cursor is; ask first when it is long."""
        where = self._desk.where
        if where is Where.BRIDGES and not self._is_too_small:
            self._desk.bridges.paste(text)
            self._desk.sheet.follow_cursor()
        if self._is_too_small or where is not self._desk.page_where:
            return
        text = clean_typed(text).strip("\n")
        field = self._desk.welcome.field(self._desk.state)
        current = self._desk.current
        if self._desk.state.page is Page.WHO:
            self._desk.who.paste(text)
        elif self._desk.state.page is Page.PUZZLE:
            self._desk.puzzle.paste(text)
        elif self._desk.state.page is Page.DOOR:
            self._desk.door.paste(text)
        elif current is not None and ("\n" in text or len(text) > _ASK_PASTE_CHARS):
            title = _("Paste this?")
            self._desk.open(Dialog(Where.CONFIRM, title, Action.SEND, text))
        elif current is not None:
            self._desk.chat.paste(current, text)
        elif field is not None:
            field.insert(text)
            self._deeds.welcome.passphrase_edited()
        self._sync_address()

    def _sync_address(self) -> None:
        typing = not self._desk.who.is_empty
        if typing != self._desk.state.typing_address:
            self._desk.state = steps.address_is_being_typed(
                self._desk.state, typing=typing
            )

    # --- what comes out -----------------------------------------------------------

    def draw(self, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw everything for a terminal of this size."""
        self._is_too_small = cols < _MIN_COLS or rows < _MIN_ROWS
        if self._is_too_small:
            return _too_small(cols, rows)
        footer = footer_parts(self._desk, cols, rows)
        height = max(1, rows - sum(canvas.rows() for canvas, _focus in footer))
        drawn = stack([(self._body(cols, height), True), *footer])
        return clipped(drawn, max(0, drawn.rows() - rows), rows)

    def _body(self, cols: int, rows: int) -> urwid.CompositeCanvas:
        if self._desk.where is not self._desk.page_where:
            return self._covered(cols, rows)
        view = self._desk.state
        if view.page is Page.CHAT:
            return self._desk.chat.draw(view, cols, rows)
        title = self._title(cols) if rows >= _TITLE_FROM_ROWS else []
        page = self._page()
        return stack([*title, (page.draw(view, cols, rows - len(title)), True)])

    def _page(self) -> WhoPage | PuzzlePage | DoorPage | WelcomePage:
        match self._desk.state.page:
            case Page.WHO:
                return self._desk.who
            case Page.PUZZLE:
                return self._desk.puzzle
            case Page.DOOR:
                return self._desk.door
            case _:
                return self._desk.welcome

    def _title(self, cols: int) -> list[Part]:
        words = _("coykiosk")
        if self._desk.state.practice:
            words = _("coykiosk - PRACTICE, nothing leaves this machine")
        return [_bar(words, cols)]

    def _covered(self, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw what lies over the page."""
        title, body = self._dialog(is_compact=rows < _ROOMY_ROWS or cols < _ROOMY_COLS)
        bar = [_bar(title, cols)]
        focus = None
        if self._desk.where is Where.BRIDGES:
            body, focus = self._desk.bridges.rows(self._desk.state)
        self._desk.sheet.show(
            [dialogs.gap(), *body], None if focus is None else focus + 1
        )
        return stack([*bar, (self._desk.sheet.draw(cols, max(1, rows - 1)), True)])

    def _dialog(self, *, is_compact: bool) -> tuple[str, Rows]:
        view, dialog = self._desk.state, self._desk.dialog
        if dialog is None and view.problems:
            title = _("This needs your attention")
            return title, dialogs.problem_rows(view.problems[0], view)
        if dialog is None:
            return _("Done"), news_rows(view.news[0])
        return dialog.title, self._dialog_rows(dialog, is_compact=is_compact)

    def _dialog_rows(  # noqa: PLR0911 - one return for each kind of dialog
        self, dialog: Dialog, *, is_compact: bool
    ) -> Rows:
        view = self._desk.state
        match dialog.kind:
            case Action.HELP:
                return dialogs.help_rows(dialog.about)
            case Action.WORDS:
                words = self._desk.welcome.words
                return dialogs.words_rows(view, words, is_compact=is_compact)
            case Action.TRIED:
                return dialogs.tried_rows(view)
            case Action.TOR:
                return tor_rows(view)
            case Action.QUIT:
                return dialogs.quit_rows(view)
            case Action.ACCOUNT:
                return account_rows(view, is_compact=is_compact)
            case Action.FURTHER:
                return further_rows(view)
            case _ if dialog.subject:
                return question_rows(dialog.kind, dialog.subject, keep=view.keep)
            case Action.NEW_KEY if view.front.current is not None:
                name, contact = (
                    wording.nick(view.front.current),
                    wording.address(view.front.current),
                )
                return dialogs.new_key_rows(name, contact, dialog.key or b"")
            case _:
                return dialogs.paste_rows(dialog.text)


def _bar(words: str, cols: int) -> Part:
    text = clip(f" {words}", cols)
    filled = text + " " * max(0, cols - width(text))
    return urwid.Text(("title", filled), wrap="clip").render((cols,)), False


def _too_small(cols: int, rows: int) -> urwid.CompositeCanvas:
    """Say that the window is too small, in whatever room there is."""
    if cols < 1 or rows < 1:
        return blank(max(1, cols), max(1, rows))
    words = _("Make the window larger. Ctrl+Q: quit")
    return clipped(urwid.Text(words, wrap="any").render((cols,)), 0, rows)
