"""How each event of the session changes what is shown.

Rule: pure, no urwid. `reduce` is the only way an event reaches the screen; the
person's own steps are in `steps`. Replaying both gives the same `ViewState`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from coykiosk.contract import (
    AccountConnecting,
    AccountForgotten,
    AccountOffline,
    AccountOnline,
    BlockedChanged,
    BridgesSet,
    BurnAccount,
    ChatChanged,
    CircuitKnown,
    Closed,
    Command,
    ContactAsked,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    OpenChat,
    PasswordChanged,
    PracticeAdvanced,
    PracticeReady,
    Protection,
    PuzzleAsked,
    ServerTried,
    Started,
    TorProgress,
    TorReady,
    TorStopped,
    UnlockVault,
    UseBridges,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.leaving import after_upkeep, without
from coykiosk.ui_urwid.steps import at_the_door, chat_of, chat_shown, with_chat
from coykiosk.ui_urwid.view import ChatView, Line, Page, TorPhase, TorView, ViewState

__all__ = ["reduce"]

MAX_MESSAGES: Final = 5_000  # in one chat
MAX_ROWS: Final = 20_000  # lines in one chat, as the senders broke them
_CHARS_IN_ROW: Final = 100  # of a longer text each hundred count as a line
MAX_REQUESTS: Final = 50  # strangers who want to talk; more are not shown
TOR_TROUBLES: Final = frozenset(
    {ErrorCode.TOR_NO_NETWORK, ErrorCode.TOR_BLOCKED, ErrorCode.BRIDGES_SILENT}
)
"""What tor goes on trying against by itself."""
MAX_PROBLEMS: Final = 20  # unread error dialogs; older ones give way


def reduce(  # noqa: PLR0911 - one return for each kind of event
    state: ViewState, event: Event
) -> ViewState:
    """Return the state after an event."""
    match event:
        case TorProgress() | TorReady() | TorStopped() | BridgesSet():
            return _after_tor_event(state, event)
        case (
            Started()
            | VaultUnlocked()
            | EnrolmentAdvanced()
            | PuzzleAsked()
            | ServerTried()
            | EnrolmentCancelled()
            | AccountOnline()
            | AccountOffline()
        ):
            return _after_account_event(state, event)
        case AccountConnecting() | PasswordChanged() | AccountForgotten():
            return after_upkeep(state, event)
        case (
            ContactAsked()
            | BlockedChanged()
            | ChatChanged()
            | MessageAccepted()
            | MessageStateChanged()
            | MessageReceived()
        ):
            return _after_chat_event(state, event)
        case CircuitKnown():
            return replace(state, circuit=event)
        case PracticeAdvanced(step):
            return replace(state, practice_step=step)
        case PracticeReady(partner):
            return replace(state, partner=partner.bare, practice_step=None)
        case Failed(error, during):
            return _failed(state, error, during)
        case Closed():
            return replace(state, page=Page.CLOSED)
        case _:
            assert_never(event)


def _after_tor_event(
    state: ViewState, event: TorProgress | TorReady | TorStopped | BridgesSet
) -> ViewState:
    if isinstance(event, BridgesSet):
        tor = replace(state.tor, trouble=None)
        state = steps.bridges_answered(state, None)
        state = replace(state, bridges=event.lines)
    else:
        tor = _tor_after(state.tor, event)
    if tor.trouble is None:
        # What is over need not be read any more.
        unread = tuple(p for p in state.problems if p.code not in TOR_TROUBLES)
        state = replace(state, problems=unread)
    return replace(state, tor=tor)


def _tor_after(tor: TorView, event: TorProgress | TorReady | TorStopped) -> TorView:
    match event:
        case TorProgress(percent, tag):
            bounded = max(0, min(100, percent))
            now = TorView(percent=bounded, tag=tag, own=tor.own)
            if tor.phase is TorPhase.CONNECTING and bounded <= tor.stuck_at:
                now = replace(now, trouble=tor.trouble, stuck_at=tor.stuck_at)
            return now
        case TorReady(own):
            return TorView(phase=TorPhase.READY, percent=100, own=own)
        case TorStopped(error):
            return replace(tor, phase=TorPhase.STOPPED, error=error, trouble=None)
        case _:
            assert_never(event)


def _after_account_event(  # noqa: PLR0911 - one return for each event
    state: ViewState,
    event: Started
    | VaultUnlocked
    | EnrolmentAdvanced
    | PuzzleAsked
    | ServerTried
    | EnrolmentCancelled
    | AccountOnline
    | AccountOffline,
) -> ViewState:
    match event:
        case Started(vault_exists, practice):
            return replace(
                state,
                page=Page.UNLOCK if vault_exists else Page.START,
                tor=TorView(phase=TorPhase.WAITING) if vault_exists else state.tor,
                vault_exists=vault_exists,
                practice=practice,
            )
        case VaultUnlocked(accounts):
            account = accounts[0] if accounts else None
            return replace(
                state,
                page=Page.SIGNING_IN,
                unlocking=False,
                unlock_problem=None,
                vault_open=True,
                keep=True,
                account=account,
            )
        case EnrolmentAdvanced(step, server):
            return replace(
                state, page=Page.PROGRESS, step=step, step_server=server, puzzle=None
            )
        case PuzzleAsked(puzzle):
            return replace(state, page=Page.PUZZLE, puzzle=puzzle)
        case ServerTried():
            state = steps.puzzle_left(state)
            return replace(state, tried=(*state.tried, event))
        case EnrolmentCancelled():
            return at_the_door(state)
        case AccountOnline():
            return _online(state, event)
        case AccountOffline():
            return _offline(state, event)
        case _:
            assert_never(event)


def _online(state: ViewState, event: AccountOnline) -> ViewState:
    page = state.page
    if page not in {Page.CHAT, Page.LEAVING, Page.CLOSING, Page.CLOSED}:
        page = Page.WHO
    return replace(
        state,
        page=page,
        account=event.account.bare,
        online=event,
        offline=None,
        keep=event.kept,
        step=None,
        step_server="",
        unlocking=False,
    )


def _offline(state: ViewState, event: AccountOffline) -> ViewState:
    state = steps.puzzle_left(state)
    page = Page.SIGNING_IN if state.page is Page.PROGRESS else state.page
    account = event.account.bare
    return replace(state, page=page, account=account, offline=event, circuit=None)


def _failed(
    state: ViewState, error: UserError, during: type[Command] | None
) -> ViewState:
    """Show what went wrong where the person looks, or in a dialog."""
    if during is UnlockVault and state.page is Page.UNLOCK:
        return replace(state, unlocking=False, unlock_problem=error)
    if during is OpenChat and state.page is Page.WHO:
        return replace(state, wanted=None, address_problem=error)
    if during is UseBridges and state.editing_bridges:
        return steps.bridges_answered(state, error)
    if error.code in TOR_TROUBLES:
        tor = replace(state.tor, trouble=error, stuck_at=state.tor.percent)
        state = replace(state, tor=tor)
    if during is CreateAccount and state.page in {Page.PROGRESS, Page.PUZZLE}:
        state = at_the_door(state)
    if during is BurnAccount and state.page is Page.LEAVING:
        # It goes on as it was: it is being signed in again now.
        state = replace(state, page=Page.WHO, is_burning=False, online=None)
    problems = (*state.problems, error)[-MAX_PROBLEMS:]
    return replace(state, problems=problems)


def _after_chat_event(
    state: ViewState,
    event: ContactAsked
    | BlockedChanged
    | ChatChanged
    | MessageAccepted
    | MessageStateChanged
    | MessageReceived,
) -> ViewState:
    match event:
        case ContactAsked(contact):
            bare = contact.bare
            known = bare in state.requests or len(state.requests) >= MAX_REQUESTS
            requests = state.requests if known else (*state.requests, bare)
            return replace(state, requests=requests)
        case BlockedChanged(contacts=contacts):
            return without(state, contacts)
        case ChatChanged():
            return _chat_changed(state, event)
        case MessageAccepted(chat, message_id, text, at, delivery, protection):
            line = _Draft(None, text, at, protection, message_id, delivery)
            return with_chat(state, _written(chat_of(state, chat), line))
        case MessageStateChanged():
            return with_chat(state, _delivered(chat_of(state, event.chat), event))
        case MessageReceived(chat, author, text, at, protection):
            view = _written(chat_of(state, chat), _Draft(author, text, at, protection))
            if state.page is not Page.CHAT or state.current != view.contact:
                view = replace(view, n_unread=view.n_unread + 1)
            return with_chat(state, view)
        case _:
            assert_never(event)


def _chat_changed(state: ViewState, event: ChatChanged) -> ViewState:
    is_first = not state.chats
    view = replace(
        chat_of(state, event.chat),
        phase=event.phase,
        protection=event.protection,
        their_fingerprint=event.their_fingerprint,
        key_is_new=event.key_is_new,
    )
    state = with_chat(state, view)
    requests = tuple(jid for jid in state.requests if jid != view.contact)
    state = replace(state, requests=requests)
    # Order matters: whoever is typing an address must not find their next keys,
    # and an Enter, in a chat that somebody else began.
    opens = view.contact == state.wanted or (is_first and not state.typing_address)
    return chat_shown(state, view.contact) if opens and _may_leave(state) else state


def _may_leave(state: ViewState) -> bool:
    return state.page in {Page.WHO, Page.SIGNING_IN}


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
