"""The screens before the first chat: start, unlock, progress, signing in, closing.

Rule: Tor is already connecting while they are read; each says in one glance what
Enter does. The suggested words live in a `Secret` until the session ends.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, assert_never

import urwid

from coykiosk.contract import EnrolmentStep, Secret
from coykiosk.text import _, describe, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.account_rows import leaving_rows
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.dialogs import Rows, gap, words_box
from coykiosk.ui_urwid.passphrase import PassphraseField
from coykiosk.ui_urwid.sheet import Sheet
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import Page, ViewState

__all__ = ["Judgement", "WelcomePage"]

_CHOICE_COLS: Final = 6
_ROOMY_COLS: Final = 60
_ROOMY_ROWS: Final = 18
_KEEP_NOTHING: Final = _("new anonymous account, nothing kept: gone when you quit")
_DOOR_CHOICE: Final = ("F9", _("an invitation, or a server of your own choice"))
_KEEP_NOTHING_SHORT: Final = _("new account, nothing kept")


_PLACES: Final = {
    Page.UNLOCK: Where.UNLOCK,
    Page.PROGRESS: Where.PROGRESS,
    Page.SIGNING_IN: Where.SIGNING_IN,
    Page.LEAVING: Where.LEAVING,
    Page.CLOSING: Where.CLOSING,
    Page.CLOSED: Where.CLOSING,
}


class Judgement(Enum):
    """What is known of the strength of the person's own words."""

    UNKNOWN = auto()
    CHECKING = auto()
    WEAK = auto()
    ENOUGH = auto()


class WelcomePage:
    """Everything up to the moment at which there is an account."""

    def __init__(self, suggest_passphrase: Callable[[], str]) -> None:
        self._suggest = suggest_passphrase
        self.words: Secret | None = None
        """The words made for the person; None until the start screen is shown."""
        self.own = PassphraseField(is_shown=True)
        self.unlock = PassphraseField(is_shown=False)
        self.judgement = Judgement.UNKNOWN
        self.was_refused = False
        """Enter was pressed while the person's own words were too weak."""
        self.had_own = False
        """Words of the person's own were taken, and are not here any more."""
        self._sheet = Sheet()
        self._page = Page.STARTING

    # --- what has the keys ------------------------------------------------------

    def where(self, state: ViewState) -> Where:
        """Return which bindings apply."""
        if state.page is Page.START:
            return Where.START_WORDS if self.own.is_empty else Where.START_OWN
        return _PLACES.get(state.page, Where.STARTING)

    def field(self, state: ViewState) -> PassphraseField | None:
        """Return the field that typed text goes into."""
        if state.page is Page.START:
            return self.own
        if state.page is Page.UNLOCK and not state.unlocking:
            return self.unlock
        return None

    def scroll(self, pages: int) -> None:
        """Show what lies below or above."""
        self._sheet.scroll(pages)

    def edited(self) -> None:
        """Forget what was known of the text before it changed."""
        self.judgement = Judgement.UNKNOWN
        self.was_refused = False
        self._sheet.follow_cursor()

    def new_words(self) -> None:
        """Make other words."""
        if self.words is not None:
            self.words.wipe()
        self.words = Secret(self._suggest())

    def forget_words(self) -> None:
        """Overwrite the words that were made: they open nothing."""
        if self.words is not None:
            self.words.wipe()
        self.words = None

    def wipe(self) -> None:
        """Overwrite every passphrase that is still here."""
        self.own.clear()
        self.unlock.clear()
        if self.words is not None:
            self.words.wipe()

    # --- how it looks -----------------------------------------------------------

    def draw(self, state: ViewState, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw the screen that applies."""
        if state.page is not self._page:
            self._page = state.page
            self._sheet.to_top()
        if state.page is Page.START and self.words is None:
            self.new_words()
        is_compact = cols < _ROOMY_COLS or rows < _ROOMY_ROWS
        body, focus = self._rows(state, is_compact=is_compact)
        if is_compact and state.page in {Page.START, Page.UNLOCK}:
            body = [*body, *_practice_rows(state)]
        self._sheet.show(body, focus)
        return self._sheet.draw(cols, rows)

    def _rows(  # noqa: PLR0911 - one return for each page
        self, state: ViewState, *, is_compact: bool
    ) -> tuple[Rows, int | None]:
        match state.page:
            case Page.STARTING:
                return [gap(), *_greeting()], None
            case Page.START:
                return self._start_rows(state, is_compact=is_compact)
            case Page.UNLOCK:
                return self._unlock_rows(state, is_compact=is_compact)
            case Page.PROGRESS:
                return _progress_rows(state, is_compact=is_compact), None
            case Page.SIGNING_IN:
                return _signing_in_rows(state), None
            case Page.LEAVING:
                return leaving_rows(state), None
            case Page.CLOSING | Page.CLOSED:
                text = _("Closing: ending the chats, signing out, wiping the memory.")
                return [gap(), urwid.Text(text)], None
            case Page.WHO | Page.CHAT | Page.PUZZLE | Page.DOOR:
                return [], None
            case _:
                assert_never(state.page)

    def _start_rows(
        self, state: ViewState, *, is_compact: bool
    ) -> tuple[Rows, int | None]:
        rows = _opening(state, is_compact=is_compact)
        rows += _door_rows(state)
        if self.own.is_empty:
            rows += self._made_words_rows(state, is_compact=is_compact)
            return rows, None
        rows.append(urwid.Text(_("Your own words, to open your vault next time:")))
        focus = len(rows)
        rows += [self.own.widget(), urwid.Text(self._judged()), gap()]
        rows += _choices(
            ("Enter", _("new anonymous account, in a vault that your words open")),
            ("Esc", _("go back to the six words made for you")),
            ("F4", _KEEP_NOTHING_SHORT if is_compact else _KEEP_NOTHING),
        )
        return rows, focus

    def _made_words_rows(self, state: ViewState, *, is_compact: bool) -> Rows:
        words = self.words.reveal().decode() if self.words else ""
        heading = _("Write these words down on paper; they open your vault next time:")
        kept = _("new anonymous account, in a vault that these words open")
        if is_compact:
            heading = _("Write these words down on paper. They open your vault:")
        if self.had_own:
            heading = _("Your own words are not kept: type them again, or take these:")
        if is_compact:
            kept = _("new account, in that vault")
        choices = _choices(
            ("Enter", kept),
            ("F4", _KEEP_NOTHING_SHORT if is_compact else _KEEP_NOTHING),
            ("F6", _("other words - or just type words of your own")),
            *([] if is_compact or state.door is not None else [_DOOR_CHOICE]),
        )
        box = words_box(words, is_compact=is_compact)
        room = [] if is_compact else [gap()]
        return [urwid.Text(heading), *room, box, *room, *choices]

    def _judged(self) -> str | tuple[str, str]:
        match self.judgement:
            case Judgement.UNKNOWN:
                return _("Six or more words that have nothing to do with each other.")
            case Judgement.CHECKING:
                return _("Checking how hard they are to guess ...")
            case Judgement.ENOUGH:
                return "ok", _("[ok] strong enough")
            case Judgement.WEAK if self.was_refused:
                return "stop", _(
                    "[!!] Not taken: too easy to guess. Type more words, or Esc."
                )
            case Judgement.WEAK:
                return "caution", _("[--] weak: too easy to guess; type more words")
            case _:
                assert_never(self.judgement)

    def _unlock_rows(
        self, state: ViewState, *, is_compact: bool
    ) -> tuple[Rows, int | None]:
        rows = _opening(state, is_compact=is_compact)
        rows += _door_rows(state)
        rows.append(
            urwid.Text(_("There is a vault here. Type the words that open it:"))
        )
        focus = len(rows)
        rows.append(self.unlock.widget())
        if state.unlocking:
            rows.append(urwid.Text(_("Opening the vault; this takes a second or two.")))
        elif state.unlock_problem is not None:
            told = describe(state.unlock_problem, _as_server_text)
            rows += [urwid.Text(("caution", told.happened)), urwid.Text(told.to_do)]
        rows.append(gap())
        rows += _choices(
            ("Enter", _("open the vault and sign in")),
            ("F8", _("show what you type, or hide it")),
            ("F4", _("leave the vault alone: a new account that is not kept")),
            *([] if is_compact or state.door is not None else [_DOOR_CHOICE]),
        )
        return rows, None if state.unlocking else focus


def _door_rows(state: ViewState) -> Rows:
    """Say where the account will be made, if the person said so."""
    if state.door is None:
        return []
    server = clean(state.door.domain, Kind.JID)
    words = _("The account will be made at {server}. F9 changes that.")
    if state.door.token:
        words = _(
            "The account will be made at {server}, by your invitation. F9 changes that."
        )
    return [urwid.Text(("strong", words.format(server=server)))]


def _as_server_text(fact: str) -> str:
    return clean(fact, Kind.SERVER_TEXT)


def _greeting() -> Rows:
    text = _(
        "coykiosk makes you an anonymous chat account, reached only through Tor, and "
        "sends nothing that is not encrypted for the person you talk to."
    )
    return [urwid.Text(text)]


def _opening(state: ViewState, *, is_compact: bool) -> list[urwid.Widget]:
    """Return what stands above the question, where there is room for it."""
    if is_compact:
        return []
    return [gap(), *_greeting(), *_practice_rows(state), gap()]


def _choices(*choices: tuple[str, str]) -> Rows:
    return [
        urwid.Columns([(_CHOICE_COLS, urwid.Text(("key", key))), urwid.Text(words)], 1)
        for key, words in choices
    ]


def _practice_rows(state: ViewState) -> Rows:
    """Say that this is practice, and how far its network is."""
    if not state.practice:
        return []
    words = _("PRACTICE: everything is real, but nothing leaves this machine.")
    rows: list[urwid.Widget] = [gap(), urwid.Text(("strong", words))]
    progress = wording.practice_words(state)
    return [*rows, urwid.Text(progress)] if progress else rows


def _progress_rows(state: ViewState, *, is_compact: bool) -> Rows:
    steps = wording.enrolment_steps(state)
    now = steps.index(state.step) if state.step in steps else 0
    heading = urwid.Text(("strong", _("Making your anonymous account")))
    rows: list[urwid.Widget] = [gap(), heading, gap()]
    for number, step in enumerate(steps):
        words = _("{n} of {all}: {words}").format(
            n=number + 1,
            all=len(steps),
            words=wording.step_words(step, state.step_server),
        )
        if number == now:
            rows.append(urwid.Text(("strong", f"[..] {words}")))
        elif not is_compact:
            rows.append(
                urwid.Text(f"[ok] {words}" if number < now else f"[  ] {words}")
            )
    return [*rows, *_practice_progress(state), gap(), *_tried_summary(state)]


def _practice_progress(state: ViewState) -> Rows:
    words = wording.practice_words(state)
    return [gap(), urwid.Text(words)] if words else []


def _tried_summary(state: ViewState) -> Rows:
    if state.cancelling:
        return [urwid.Text(_("Stopping; what was begun is undone ..."))]
    if not state.tried:
        words = _("This takes some seconds. F4: next server. Esc stops it.")
        if state.step is EnrolmentStep.WAITING_FOR_TOR:
            words = _("F3 shows how far Tor is. Esc stops it.")
        return [urwid.Text(words)]
    words = ngettext(
        "{n} server did not take you; the next one is tried. F7 says why.",
        "{n} servers did not take you; the next one is tried. F7 says why.",
        len(state.tried),
    ).format(n=len(state.tried))
    return [urwid.Text(words), urwid.Text(_("Esc stops it."))]


def _signing_in_rows(state: ViewState) -> Rows:
    if state.account is None:
        words = _("The vault is open, but no account is in it yet. F5 makes one.")
        door = _door_rows(state) or [
            urwid.Text(_("F9: with an invitation, or a server you name."))
        ]
        return [gap(), urwid.Text(words), *door, *_practice_progress(state)]
    name = wording.address(state.account)
    rows: list[urwid.Widget] = [
        gap(),
        urwid.Text(_("Signing in as")),
        urwid.Text(("strong", f"  {name}")),
        gap(),
    ]
    if state.front.offline is not None:
        rows.append(urwid.Text(("caution", wording.offline_words(state.front.offline))))
    else:
        rows.append(urwid.Text(_("Through Tor, this takes some seconds.")))
    return [*rows, *_practice_progress(state)]
