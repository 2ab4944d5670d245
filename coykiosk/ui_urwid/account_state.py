"""How each event of one account changes what is shown of it.

Rule: pure, no urwid; knows one account and nothing of the page. Which account is in
front, and what page comes of an event, is decided in `state`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, assert_never

from coykiosk.contract import (
    AccountConnecting,
    AccountOffline,
    AccountOnline,
    BlockedChanged,
    ChatChanged,
    ChatClosed,
    CircuitKnown,
    ContactAsked,
    ContactsChanged,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    Protection,
)
from coykiosk.ui_urwid.view import AccountView, ChatView, Line

__all__ = ["AccountEvent", "after_account_event", "chat_in", "with_chat"]

MAX_MESSAGES: Final = 5_000  # in one chat
MAX_ROWS: Final = 20_000  # lines in one chat, as the senders broke them
_CHARS_IN_ROW: Final = 100  # of a longer text each hundred count as a line
MAX_REQUESTS: Final = 50  # strangers who want to talk; more are not shown

AccountEvent = (
    AccountOnline
    | AccountOffline
    | AccountConnecting
    | CircuitKnown
    | ContactAsked
    | ContactsChanged
    | BlockedChanged
    | ChatChanged
    | ChatClosed
    | MessageAccepted
    | MessageStateChanged
    | MessageReceived
)


def after_account_event(
    view: AccountView, event: AccountEvent, *, on_screen: Jid | None
) -> AccountView:
    """Return the account after an event of its.

    Args:
        view: The account as it was.
        event: What happened to it.
        on_screen: The contact whose chat with this account the person looks at.
    """
    match event:
        case AccountOnline() | AccountOffline() | AccountConnecting():
            return _connected(view, event)
        case CircuitKnown():
            return replace(view, circuit=event)
        case ContactAsked() | ContactsChanged() | BlockedChanged() | ChatClosed():
            return _after_people_event(view, event)
        case _:
            return _after_chat_event(view, event, on_screen)


def _connected(
    view: AccountView, event: AccountOnline | AccountOffline | AccountConnecting
) -> AccountView:
    match event:
        case AccountOnline():
            return replace(view, online=event, offline=None)
        case AccountOffline():
            return replace(view, offline=event, circuit=None)
        case AccountConnecting():
            return replace(view, online=None, offline=None, circuit=None)
        case _:
            assert_never(event)


def _after_people_event(
    view: AccountView,
    event: ContactAsked | ContactsChanged | BlockedChanged | ChatClosed,
) -> AccountView:
    match event:
        case ContactAsked(contact=contact):
            return _asked(view, contact.bare)
        case ContactsChanged(known=known, listed=listed):
            return replace(view, known=known, listed=listed)
        case BlockedChanged(contacts=contacts):
            return replace(_without(view, contacts), blocked=contacts)
        case ChatClosed(chat=chat):
            return _without(view, (chat.bare,))
        case _:
            assert_never(event)


def _after_chat_event(
    view: AccountView,
    event: ChatChanged | MessageAccepted | MessageStateChanged | MessageReceived,
    on_screen: Jid | None,
) -> AccountView:
    before = chat_in(view, event.chat)
    match event:
        case ChatChanged():
            requests = tuple(jid for jid in view.requests if jid != before.contact)
            return with_chat(replace(view, requests=requests), _stands(before, event))
        case MessageAccepted(
            message_id=message_id, text=text, at=at, state=state, protection=protection
        ):
            draft = _Draft(None, text, at, protection, message_id, state)
            return with_chat(view, _written(before, draft))
        case MessageStateChanged():
            return with_chat(view, _delivered(before, event))
        case MessageReceived(author=author, text=text, at=at, protection=protection):
            chat = _written(before, _Draft(author, text, at, protection))
            if chat.contact != on_screen:
                chat = replace(chat, n_unread=chat.n_unread + 1)
            return with_chat(view, chat)
        case _:
            assert_never(event)


def chat_in(view: AccountView, contact: Jid) -> ChatView:
    """Return a chat as it stands, or as it begins."""
    return view.chats.get(contact.bare) or ChatView(contact.bare)


def with_chat(view: AccountView, chat: ChatView) -> AccountView:
    """Put a chat into an account."""
    return replace(view, chats=MappingProxyType({**view.chats, chat.contact: chat}))


def _asked(view: AccountView, contact: Jid) -> AccountView:
    if contact in view.requests or len(view.requests) >= MAX_REQUESTS:
        return view
    return replace(view, requests=(*view.requests, contact))


def _without(view: AccountView, gone: tuple[Jid, ...]) -> AccountView:
    """Show nothing of these contacts."""
    chats = {jid: chat for jid, chat in view.chats.items() if jid not in gone}
    return replace(
        view,
        chats=MappingProxyType(chats),
        requests=tuple(jid for jid in view.requests if jid not in gone),
        current=None if view.current in gone else view.current,
        wanted=None if view.wanted in gone else view.wanted,
    )


def _stands(chat: ChatView, event: ChatChanged) -> ChatView:
    return replace(
        chat,
        phase=event.phase,
        protection=event.protection,
        their_fingerprint=event.their_fingerprint,
        key_is_new=event.key_is_new,
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A line that has no number yet."""

    author: Jid | None
    text: str
    at: datetime
    mark: Protection
    message_id: str = ""
    state: MessageState | None = None


def _written(view: ChatView, draft: _Draft) -> ChatView:
    line = Line(
        view.n_written,
        draft.author,
        draft.text,
        draft.at,
        draft.mark,
        draft.message_id,
        draft.state,
    )
    view = replace(
        view,
        lines=(*view.lines, line),
        n_rows=view.n_rows + _rows(line),
        n_written=view.n_written + 1,
    )
    return _bounded(view)


def _rows(line: Line) -> int:
    # Long lines count for what they take, or one sender could fill the memory.
    return max(line.text.count("\n") + 1, len(line.text) // _CHARS_IN_ROW)


def _bounded(view: ChatView) -> ChatView:
    """Drop the oldest messages until the scrollback is within its limits."""
    first, n_rows = 0, view.n_rows
    n_lines = len(view.lines)
    while n_lines - first > MAX_MESSAGES or (n_rows > MAX_ROWS and n_lines - first > 1):
        n_rows -= _rows(view.lines[first])
        first += 1
    return replace(view, lines=view.lines[first:], n_rows=n_rows) if first else view


def _delivered(view: ChatView, event: MessageStateChanged) -> ChatView:
    """Freeze the mark of the moment in which a waiting text went out."""
    lines = tuple(
        replace(line, state=event.state, mark=event.protection)
        if line.author is None and line.message_id == event.message_id
        else line
        for line in view.lines
    )
    return replace(view, lines=lines)
