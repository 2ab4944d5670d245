"""How each event of the session changes what is shown.

Rule: pure, no urwid. `reduce` is the only way an event reaches the screen; the
person's own steps are in `steps`. Replaying both gives the same `ViewState`.
"""

from dataclasses import replace
from types import MappingProxyType
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
    ChatClosed,
    CircuitKnown,
    Closed,
    Command,
    ContactAsked,
    ContactsChanged,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageStateChanged,
    OpenChat,
    PasswordChanged,
    PracticeAdvanced,
    PracticeReady,
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
from coykiosk.ui_urwid.account_state import AccountEvent, after_account_event
from coykiosk.ui_urwid.leaving import after_leaving
from coykiosk.ui_urwid.steps import account_in_front, chat_shown
from coykiosk.ui_urwid.view import AccountView, Page, TorPhase, TorView, ViewState

__all__ = ["reduce"]

TOR_TROUBLES: Final = frozenset(
    {ErrorCode.TOR_NO_NETWORK, ErrorCode.TOR_BLOCKED, ErrorCode.BRIDGES_SILENT}
)
"""What tor goes on trying against by itself."""
MAX_PROBLEMS: Final = 20  # unread error dialogs; older ones give way
_STAYS: Final = frozenset({Page.CHAT, Page.LEAVING, Page.CLOSING, Page.CLOSED})


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
        ):
            return _after_start_event(state, event)
        case PasswordChanged() | AccountForgotten():
            return after_leaving(state, event)
        case (
            AccountOnline()
            | AccountOffline()
            | AccountConnecting()
            | CircuitKnown()
            | ContactAsked()
            | ContactsChanged()
            | BlockedChanged()
            | ChatChanged()
            | ChatClosed()
            | MessageAccepted()
            | MessageStateChanged()
            | MessageReceived()
        ):
            return _after_account_event(state, event)
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


def _after_start_event(
    state: ViewState,
    event: Started
    | VaultUnlocked
    | EnrolmentAdvanced
    | PuzzleAsked
    | ServerTried
    | EnrolmentCancelled,
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
            own = {account.bare: AccountView() for account in accounts}
            return replace(
                state,
                page=Page.SIGNING_IN,
                unlocking=False,
                unlock_problem=None,
                vault_open=True,
                keep=True,
                account=next(iter(own), None),
                accounts=MappingProxyType(own),
            )
        case EnrolmentAdvanced(step, server):
            state = steps.creation_advanced(state, Page.PROGRESS)
            return replace(state, step=step, step_server=server, puzzle=None)
        case PuzzleAsked(puzzle):
            state = steps.creation_advanced(state, Page.PUZZLE)
            return replace(state, puzzle=puzzle)
        case ServerTried():
            state = steps.puzzle_left(state)
            return replace(state, tried=(*state.tried, event))
        case EnrolmentCancelled():
            return steps.creation_ended(state)
        case _:
            assert_never(event)


def _failed(
    state: ViewState, error: UserError, during: type[Command] | None
) -> ViewState:
    """Show what went wrong where the person looks, or in a dialog."""
    if during is UnlockVault and state.page is Page.UNLOCK:
        return replace(state, unlocking=False, unlock_problem=error)
    if during is OpenChat and state.page is Page.WHO:
        return steps.chat_refused(state, error)
    if during is UseBridges and state.editing_bridges:
        return steps.bridges_answered(state, error)
    if error.code in TOR_TROUBLES:
        tor = replace(state.tor, trouble=error, stuck_at=state.tor.percent)
        state = replace(state, tor=tor)
    if during is CreateAccount:
        state = steps.creation_ended(state)
    if during is BurnAccount and state.page is Page.LEAVING:
        state = steps.burning_failed(state)
    problems = (*state.problems, error)[-MAX_PROBLEMS:]
    return replace(state, problems=problems)


def _after_account_event(state: ViewState, event: AccountEvent) -> ViewState:
    """Take an event of one account, and go where the person should be then."""
    account = event.account.bare
    is_making = state.page in {Page.PROGRESS, Page.PUZZLE}
    is_new = account not in state.accounts
    is_made = is_making and is_new and isinstance(event, AccountOnline | AccountOffline)
    is_first = not state.accounts and not state.has_forgotten
    if is_new and not (is_made or is_first):
        return state  # it is gone, and what comes late of it brings nothing back
    before = state.accounts.get(account, AccountView())
    if state.account is None:
        state = replace(state, account=account)
    is_front = account == state.account
    on_screen = before.current if is_front and state.page is Page.CHAT else None
    view = after_account_event(before, event, on_screen=on_screen)
    accounts = MappingProxyType({**state.accounts, account: view})
    partner = None if state.partner in view.chats else state.partner
    state = replace(state, accounts=accounts, partner=partner)
    match event:
        case AccountOnline():
            return _online(state, event, is_made=is_made)
        case AccountOffline() if is_made:
            return _made_and_lost(state, account)
        case ChatChanged() if is_front:
            return _chat_changed(state, event.chat.bare, is_first=not before.chats)
        case BlockedChanged() | ChatClosed() if is_front and state.page is Page.CHAT:
            # The chat that was on the screen may be gone.
            return state if view.current else replace(state, page=Page.WHO)
        case _:
            return state


def _online(state: ViewState, event: AccountOnline, *, is_made: bool) -> ViewState:
    """Let the person talk, if it is this account that they wait for."""
    account = event.account.bare
    state = replace(state, keep=event.kept)
    if is_made or (state.page is Page.SIGNING_IN and state.front.online is None):
        state = account_in_front(state, account)
    is_making = state.page in {Page.DOOR, Page.PROGRESS, Page.PUZZLE} and not is_made
    if account != state.account or is_making or state.page in _STAYS:
        return state
    return replace(
        state,
        page=Page.WHO,
        step=None,
        step_server="",
        puzzle=None,
        unlocking=False,
        door=None if is_made else state.door,
    )


def _made_and_lost(state: ViewState, account: Jid) -> ViewState:
    """The account that was made is there, but its connection is gone already."""
    state = account_in_front(steps.puzzle_left(state), account)
    state = replace(state, step=None, step_server="", door=None)
    if state.page is not Page.PROGRESS:
        return state
    return replace(state, page=Page.WHO if state.others else Page.SIGNING_IN)


def _chat_changed(state: ViewState, contact: Jid, *, is_first: bool) -> ViewState:
    # Order matters: whoever is typing an address must not find their next keys,
    # and an Enter, in a chat that somebody else began.
    opens = contact == state.front.wanted or (is_first and not state.typing_address)
    may_leave = state.page in {Page.WHO, Page.SIGNING_IN}
    return chat_shown(state, contact) if opens and may_leave else state
