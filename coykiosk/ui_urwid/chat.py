"""One chat: what was said, who can read it, and the line one types.

Rule: the state of the chat stands in its own rows, never among the messages. A
text leaves the compose line only when it has been handed over; an unknown slash
command is never sent as text, and nothing is handed over while the chat says STOP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import urwid

from coykiosk.contract import Jid, Protection
from coykiosk.text import _, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.actions import Action
from coykiosk.ui_urwid.editing import line_edit
from coykiosk.ui_urwid.keymap import action_for_slash
from coykiosk.ui_urwid.log import LogView
from coykiosk.ui_urwid.own_name import headline_as, own_short_name
from coykiosk.ui_urwid.palette import ATTRIBUTES
from coykiosk.ui_urwid.sheet import Part, blank, clipped, stack
from coykiosk.ui_urwid.untrusted import Kind, clean, clean_typed, clip, width
from coykiosk.ui_urwid.view import ChatView, ViewState

__all__ = ["ChatPage", "Composer", "Typed"]

_PROMPT: Final = "> "
_MAX_DRAFT_CHARS: Final = 20_000
_MAX_RECALLED: Final = 100
_ROOMY_ROWS: Final = 10  # fewer rows: only the essential is drawn
_MAX_ADVICE_ROWS: Final = 3
_MIN_NAME_CELLS: Final = 6


@dataclass(frozen=True, slots=True)
class Typed:
    """A text to be sent, as the person meant it."""

    text: str


class Composer:
    """The line of one chat: its draft, and its earlier lines in memory only."""

    def __init__(self) -> None:
        self.edit = line_edit(_PROMPT, max_chars=_MAX_DRAFT_CHARS)
        self._earlier: list[str] = []
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """True while nothing is typed."""
        return not self.edit.edit_text

    def insert(self, text: str) -> None:
        """Put pasted text at the cursor."""
        room = _MAX_DRAFT_CHARS - len(self.edit.edit_text)
        self.edit.insert_text(clean_typed(text)[: max(0, room)])

    def keypress(self, cols: int, key: str) -> None:
        """Edit the draft."""
        if len(key) > 1:
            self.edit.keypress((cols,), key)
            return
        before = self.edit.edit_text[: self.edit.edit_pos][-1:]
        kept = clean_typed(before + key)[len(clean_typed(before)) :]
        if kept:
            self.edit.keypress((cols,), kept)

    def taken(self) -> None:
        """Remember the draft for `recall` and empty the line."""
        self._earlier.append(self.edit.edit_text)
        del self._earlier[:-_MAX_RECALLED]
        self._at = len(self._earlier)
        self.edit.set_edit_text("")

    def recall(self, cols: int, step: int) -> None:
        """Take an earlier (-1) or later (1) line; move within a draft of several."""
        _x, y = self.edit.get_cursor_coords((cols,)) or (0, 0)
        if 0 <= y + step < self.edit.rows((cols,)):
            self.edit.keypress((cols,), "up" if step < 0 else "down")
            return
        if not 0 <= self._at + step <= len(self._earlier):
            return
        self._at += step
        text = self._earlier[self._at] if self._at < len(self._earlier) else ""
        self.edit.set_edit_text(text)
        self.edit.set_edit_pos(len(text))


class ChatPage:
    """The chats, one of them on the screen."""

    def __init__(self) -> None:
        self._composers: dict[Jid, Composer] = {}
        self._logs: dict[Jid, LogView] = {}
        self._notice = ""
        self._cols = 80

    # --- what has the keys ------------------------------------------------------

    def composer(self, contact: Jid) -> Composer:
        """Return the compose line of a chat."""
        return self._composers.setdefault(contact, Composer())

    def log(self, contact: Jid) -> LogView:
        """Return the message log of a chat."""
        return self._logs.setdefault(contact, LogView())

    def forget(self, contacts: Iterable[Jid]) -> None:
        """Keep nothing of what was typed and shown in the chats with them."""
        self._notice = ""
        for contact in contacts:
            self._composers.pop(contact, None)
            self._logs.pop(contact, None)

    def keypress(self, contact: Jid, key: str) -> None:
        """Edit the draft."""
        self._notice = ""
        self.composer(contact).keypress(self._cols, key)

    def paste(self, contact: Jid, text: str) -> None:
        """Put pasted text into the draft."""
        self._notice = ""
        self.composer(contact).insert(text)

    def recall(self, contact: Jid, step: int) -> None:
        """Take an earlier or later line of one's own."""
        self.composer(contact).recall(self._cols, step)

    def submit(self, chat: ChatView) -> Typed | Action | None:
        """Take the draft: a text to send, a command, or a reason why not."""
        composer = self.composer(chat.contact)
        text = composer.edit.edit_text.rstrip()
        self._notice = ""
        if not text.strip():
            return None
        if text.startswith("/") and not text.startswith("//"):
            return self._command(composer, text)
        if chat.protection is Protection.STOP:
            self._notice = _("Not sent: this chat says STOP. Your text is still here.")
            return None
        composer.taken()
        self.log(chat.contact).to_newest()
        return Typed(text.removeprefix("/") if text.startswith("//") else text)

    def _command(self, composer: Composer, text: str) -> Action | None:
        word = text[1:].split(maxsplit=1)[0] if text[1:].strip() else ""
        action = action_for_slash(word)
        if action is None:
            shown = clip(clean(word, Kind.NICK), 20) if word else ""
            self._notice = _(
                "There is no such command: /{word}. Nothing was sent. "
                "Type // to begin a text with a slash."
            ).format(word=shown)
            return None
        composer.taken()
        return action

    # --- how it looks -----------------------------------------------------------

    def draw(self, state: ViewState, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw the chat that is shown."""
        self._cols = cols
        chat = state.chat
        if chat is None:
            return blank(cols, rows)
        is_roomy = rows >= _ROOMY_ROWS
        above = [_title(state, chat, cols)] if is_roomy else []
        below = self._below(state, chat, cols, rows)
        n_taken = len(above) + sum(canvas.rows() for canvas, _focus in below)
        log = self.log(chat.contact)
        log.show(chat.lines)
        height = max(1, rows - n_taken)
        parts = [*above, (log.draw(cols, height), False), *below]
        drawn = stack(parts)
        # In the smallest terminals the compose line is what must stay.
        return clipped(drawn, max(0, drawn.rows() - rows), rows)

    def _below(
        self, state: ViewState, chat: ChatView, cols: int, rows: int
    ) -> list[Part]:
        """Draw what stands between the messages and the edge of the page."""
        is_roomy = rows >= _ROOMY_ROWS
        parts: list[Part] = []
        parts.append((_protection(state, chat, cols, is_roomy=is_roomy), False))
        if self._notice:
            notice = urwid.Text(("caution", self._notice)).render((cols,))
            parts.append((notice, False))
        edit = self.composer(chat.contact).edit.render((cols,), focus=True)
        parts.append((_around_cursor(edit, max(1, rows // 3)), True))
        return parts


def _line(words: str, attribute: str, cols: int) -> urwid.Canvas:
    return urwid.Text((attribute, clip(words, cols)), wrap="clip").render((cols,))


def _title(state: ViewState, chat: ChatView, cols: int) -> Part:
    """Draw whom this chat is with, and what waits in the others."""
    contact, as_me = wording.address(chat.contact), ""
    rights = _elsewhere(state, chat)
    right = rights[0]
    if state.others:
        name = own_short_name(state, max(_MIN_NAME_CELLS, cols // 4))
        as_me = _(", as {name}").format(name=name)
        # As whom one writes is worth more than what is elsewhere.
        free = cols - width(as_me) - 3
        needed = min(width(contact), max(_MIN_NAME_CELLS, free // 2))
        fitting = [each for each in rights if needed + width(each) <= free]
        right = fitting[0] if fitting else ""
    left = clip(contact, max(1, cols - width(right) - width(as_me) - 3)) + as_me
    space = max(1, cols - width(left) - width(right) - 2)
    return _line(f" {left}{' ' * space}{right} ", "title", cols), False


def _elsewhere(state: ViewState, chat: ChatView) -> list[str]:
    """Return what to say of the other chats, the longest first."""
    n, chats = state.n_unread, list(state.front.chats)
    place = _("chat {n} of {all}").format(
        n=chats.index(chat.contact) + 1, all=len(chats)
    )
    if not n:
        return [place, ""] if len(chats) > 1 else [""]
    unread = ngettext("{n} unread", "{n} unread", n).format(n=n)
    longer = ngettext("{n} unread elsewhere", "{n} unread elsewhere", n).format(n=n)
    whole = [f"{place}, {longer}"] if len(chats) > 1 else []
    return [*whole, longer, unread]


def _protection(
    state: ViewState, chat: ChatView, cols: int, *, is_roomy: bool
) -> urwid.Canvas:
    """Draw who can read this chat now, and what to do about it."""
    attribute = ATTRIBUTES[chat.protection]
    if not is_roomy:
        words = headline_as(state, chat, cols)
        return urwid.Text((attribute, words), wrap="clip").render((cols,))
    headline = (attribute, wording.chat_headline(chat))
    text = urwid.Text([headline, " ", wording.chat_advice(chat)])
    canvas = text.render((cols,))
    return clipped(canvas, 0, min(canvas.rows(), _MAX_ADVICE_ROWS))


def _around_cursor(canvas: urwid.Canvas, rows: int) -> urwid.CompositeCanvas:
    """Return the rows of a long draft in which the cursor is."""
    if canvas.rows() <= rows:
        return urwid.CompositeCanvas(canvas)
    y = canvas.cursor[1] if canvas.cursor is not None else canvas.rows() - 1
    top = max(0, min(canvas.rows() - rows, y - rows + 1))
    return clipped(canvas, top, rows)
