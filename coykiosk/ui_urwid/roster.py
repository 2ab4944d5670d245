"""The screen that asks whom to talk to: one's address, requests, chats.

Rule: nothing that arrives moves the cursor or takes the keys; a stranger is
answered only after one has gone down to their line.
"""

from dataclasses import dataclass
from typing import Final

import urwid

from coykiosk.contract import Jid
from coykiosk.text import _, describe, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.dialogs import Rows, gap
from coykiosk.ui_urwid.editing import line_edit
from coykiosk.ui_urwid.own_name import own_name
from coykiosk.ui_urwid.sheet import Part, Sheet, stack
from coykiosk.ui_urwid.spelling import spoken
from coykiosk.ui_urwid.untrusted import Kind, clean, clean_typed, clip, width
from coykiosk.ui_urwid.view import ChatView, ViewState

__all__ = ["Place", "WhoPage", "who_places"]

_ROOMY_ROWS: Final = 18
_MAX_CONTACTS: Final = 20  # drawn at once; of more, a part of the address picks
_MAX_ADDRESS_CHARS: Final = 512
_PROMPT: Final = "> "
_CHOSEN: Final = "> "
_NOT_CHOSEN: Final = "  "


_HEADINGS: Final = {
    Where.WHO_REQUEST: _("Asking to talk:"),
    Where.WHO_CHAT: _("Your chats:"),
    Where.WHO_CONTACT: _("Your contacts:"),
    Where.WHO_BLOCKED: _("Blocked:"),
    Where.WHO_ACCOUNT: _("Your other accounts:"),
}


_TALK: Final = _("{name}: Enter talk, Delete forget, F8 block")


@dataclass(frozen=True, slots=True)
class Place:
    """A line that one can go down to."""

    where: Where
    jid: Jid


def who_places(state: ViewState, typed: str = "") -> list[Place]:
    """Return the lines below the address line, in their order.

    Args:
        state: Who there is.
        typed: What stands in the address line: of the contacts it leaves those who
            have it in their address.
    """
    front = state.front
    contacts = _contacts(state, typed)[:_MAX_CONTACTS]
    return [
        *(Place(Where.WHO_REQUEST, jid) for jid in front.requests),
        *(Place(Where.WHO_CHAT, jid) for jid in front.chats),
        *(Place(Where.WHO_CONTACT, jid) for jid in contacts),
        *(Place(Where.WHO_ACCOUNT, jid) for jid in state.others),
        *(Place(Where.WHO_BLOCKED, jid) for jid in front.blocked),
    ]


def _contacts(state: ViewState, typed: str) -> list[Jid]:
    front = state.front
    busy = {*front.requests, *front.chats}
    return [
        jid
        for jid in (*front.known, *front.listed)
        if jid not in busy and typed in f"{jid.localpart}@{jid.domainpart}"
    ]


class WhoPage:
    """One's own address, the question, and everybody there is."""

    def __init__(self) -> None:
        self._edit = line_edit(_PROMPT, max_chars=_MAX_ADDRESS_CHARS, wrap="any")
        self._chosen: Place | None = None
        self._problem = ""
        self._sheet = Sheet()
        self._cols = 80

    # --- what has the keys ------------------------------------------------------

    def where(self, state: ViewState) -> Where:
        """Return which bindings apply."""
        chosen = self._chosen
        return chosen.where if chosen in self._places(state) else Where.WHO_ENTRY

    @property
    def is_empty(self) -> bool:
        """True while nothing is typed."""
        return not self._edit.edit_text

    @property
    def _typed(self) -> str:
        return str(self._edit.edit_text).strip().lower()

    def _places(self, state: ViewState) -> list[Place]:
        return who_places(state, self._typed)

    @property
    def chosen(self) -> Jid | None:
        """Who is in the line that the person went down to."""
        return self._chosen.jid if self._chosen else None

    def keypress(self, key: str) -> None:
        """Edit the address; typing goes there from wherever one is."""
        if len(key) == 1 and not clean_typed(key).strip():
            return
        self._chosen = None
        self._problem = ""
        self._sheet.follow_cursor()
        self._edit.keypress((self._cols,), key)

    def paste(self, text: str) -> None:
        """Insert pasted text, without its line breaks and blanks."""
        self._chosen = None
        self._problem = ""
        room = _MAX_ADDRESS_CHARS - len(self._edit.edit_text)
        self._edit.insert_text("".join(clean_typed(text).split())[:room])

    def choose(self, state: ViewState, step: int) -> None:
        """Go down (1) or up (-1) through the address line and everybody."""
        places = [None, *self._places(state)]
        at = places.index(self._chosen) if self._chosen in places else 0
        self._chosen = places[max(0, min(len(places) - 1, at + step))]
        self._sheet.follow_cursor()

    def typed_address(self, state: ViewState) -> Jid | None:
        """Return the address that was typed, or say what is wrong with it."""
        text = self._edit.edit_text.strip()
        if not text:
            self._problem = _("Type the address of the person, then press Enter.")
            return None
        try:
            contact = Jid.parse(text).bare
        except ValueError:
            self._problem = _(
                "This is no address. An address looks like name@server, without blanks."
            )
            return None
        if contact in state.accounts:
            self._problem = _("This is your own address; give it to somebody else.")
            return None
        return contact

    def clear(self) -> None:
        """Empty the address line, because it was used."""
        self._edit.set_edit_text("")
        self._problem = ""
        self._chosen = None
        self._sheet.to_top()

    def settle(self, state: ViewState) -> None:
        """Go back to the address line for good, once the chosen line is gone."""
        if self._chosen is not None and self._chosen not in self._places(state):
            self._chosen = None

    def unchoose(self) -> None:
        """Go back to the address line, because the choice was answered."""
        self._chosen = None

    def scroll(self, pages: int) -> None:
        """Show what lies below or above."""
        self._sheet.scroll(pages)

    # --- how it looks -----------------------------------------------------------

    def draw(self, state: ViewState, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw the screen."""
        self._cols = cols
        is_compact = rows < _ROOMY_ROWS
        above = _you_bar(state, cols) if is_compact and rows > 1 else []
        you = [] if above else _you_rows(state, is_compact=is_compact)
        body: list[urwid.Widget] = [*you, gap()] if you else []
        body.append(urwid.Text(("strong", _("Who do you want to talk to?"))))
        edit_at = len(body)
        body += [self._edit, urwid.Text(self._below_edit(state))]
        focus = edit_at
        for place, row in self._people(state):
            if place is not None and place == self._chosen:
                focus = len(body)
            body.append(row)
        if is_compact:
            body += [gap(), *_spoken_rows(state)]
        self._sheet.show(body, focus)
        return stack([*above, (self._sheet.draw(cols, rows - len(above)), True)])

    def _below_edit(self, state: ViewState) -> str | tuple[str, str]:
        """Return the one thing to say about the address line."""
        if self._problem:
            return "caution", self._problem
        if state.address_problem is not None:
            told = describe(
                state.address_problem, lambda fact: clean(fact, Kind.SERVER_TEXT)
            )
            return "caution", f"{told.happened} {told.to_do}"
        if state.front.wanted is not None:
            name = wording.address(state.front.wanted)
            return _("Opening the chat with {name} ...").format(name=name)
        if state.partner is not None:
            words = _("Your practice partner is {name}; the chat opens by itself.")
            return words.format(name=wording.address(state.partner))
        practising = wording.practice_words(state)
        return practising or _(
            "Type their address, like name@server, then press Enter."
        )

    def _people(self, state: ViewState) -> list[tuple[Place | None, urwid.Widget]]:
        rows: list[tuple[Place | None, urwid.Widget]] = []
        heading: str | None = None
        last_contact = 0
        for place in self._places(state):
            if heading != _HEADINGS[place.where]:
                heading = _HEADINGS[place.where]
                rows += [(None, gap()), (None, urwid.Text(("strong", heading)))]
            rows.append((place, self._row(place, self._words(place, state))))
            if place.where is Where.WHO_REQUEST and place == self._chosen:
                rows.append((None, _check(place.jid)))
            if place.where is Where.WHO_CONTACT:
                last_contact = len(rows)
        n_more = len(_contacts(state, self._typed)) - _MAX_CONTACTS
        if n_more > 0:
            words = ngettext(
                "and {n} more: type a part of the address",
                "and {n} more: type a part of the address",
                n_more,
            ).format(n=n_more)
            row = urwid.Padding(urwid.Text(words), left=len(_CHOSEN))
            rows.insert(last_contact, (None, row))
        return rows

    def _words(self, place: Place, state: ViewState) -> str:
        name, is_chosen = wording.address(place.jid), place == self._chosen
        match place.where:
            case Where.WHO_REQUEST:
                words = (
                    _("{name} wants to talk: Enter accept, Delete ignore, F8 block")
                    if is_chosen
                    else _("{name} wants to talk")
                )
            case Where.WHO_CHAT:
                name = _chat_words(state.front.chats[place.jid])
                words = _TALK if is_chosen else "{name}"
            case Where.WHO_CONTACT:
                words = _TALK if is_chosen else "{name}"
                if place.jid in state.front.listed:
                    name = _("{name} (on your server's list)").format(name=name)
            case Where.WHO_ACCOUNT:
                name = wording.other_account_words(place.jid, state)
                words = _("{name}: Enter be this one") if is_chosen else "{name}"
            case _:
                words = _("{name}: Enter unblock") if is_chosen else "{name}"
        return words.format(name=name)

    def _row(self, place: Place, words: str) -> urwid.Widget:
        is_chosen = place == self._chosen
        # An edit nobody types into: it puts the hardware cursor on the chosen row,
        # where a screen reader looks.
        row = urwid.Edit(f"{_CHOSEN if is_chosen else _NOT_CHOSEN}{words}")
        row.set_layout("left", "space")
        return urwid.AttrMap(row, "title") if is_chosen else row


def _check(jid: Jid) -> urwid.Widget:
    """Say how one finds out whether that is who one thinks it is.

    One letter makes another person, and a request says nothing else: what its
    sender has to say for themselves anybody can say.
    """
    words = _(
        "Not sure that it is them? Have them say their address, by another way: "
        "{spoken}"
    ).format(spoken=spoken(jid))
    return urwid.Padding(urwid.Text(words), left=len(_CHOSEN))


def _chat_words(chat: ChatView) -> str:
    words = f"{wording.MARKS[chat.protection]} {wording.address(chat.contact)}"
    if not chat.n_unread:
        return words
    unread = ngettext("{n} unread", "{n} unread", chat.n_unread)
    return f"{words}  ({unread.format(n=chat.n_unread)})"


def _you_bar(state: ViewState, cols: int) -> list[Part]:
    """Say who one is now in a row that stays, where one could be somebody else."""
    if not state.others:
        return []
    words = f" {_('You are')} "
    shown = clip(words + own_name(state, max(1, cols - width(words))), cols)
    filled = shown + " " * max(0, cols - width(shown))
    return [(urwid.Text(("title", filled), wrap="clip").render((cols,)), False)]


def _you_rows(state: ViewState, *, is_compact: bool) -> Rows:
    """Say who one is now, how to say it, and whether it lasts."""
    if state.account is None:
        return []
    name = ("strong", wording.address(state.account))
    if is_compact:
        return [urwid.Text([_("You are"), " ", name])]
    kept = (
        _("It is kept in your vault; F6 shows the words that open it. F4: account.")
        if state.keep
        else _("Nothing is kept: when you quit, this account is gone. F4: account.")
    )
    return [
        gap(),
        urwid.Text([_("You are"), "  ", name]),
        gap(),
        *_spoken_rows(state),
        urwid.Text(kept),
    ]


def _spoken_rows(state: ViewState) -> Rows:
    if state.account is None:
        return []
    words = spoken(state.account)
    return [urwid.Text(_("Say it: {words}").format(words=words))]
