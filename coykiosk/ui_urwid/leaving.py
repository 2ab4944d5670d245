"""What stays on the screen when an account goes, or a contact is blocked.

Rule: pure, no urwid; what was of them is out of the state at once.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from coykiosk.contract import (
    AccountConnecting,
    AccountForgotten,
    Jid,
    PasswordChanged,
)
from coykiosk.ui_urwid.steps import at_the_door
from coykiosk.ui_urwid.view import Page, ViewState

__all__ = ["after_upkeep", "without"]


def after_upkeep(
    state: ViewState, event: AccountConnecting | PasswordChanged | AccountForgotten
) -> ViewState:
    """Return the state after something was done with the account."""
    match event:
        case AccountConnecting():
            return replace(state, online=None, offline=None, circuit=None)
        case PasswordChanged():
            return replace(state, news=(*state.news, event))
        case AccountForgotten():
            return _forgotten(state, event)
        case _:
            assert_never(event)


def _forgotten(state: ViewState, event: AccountForgotten) -> ViewState:
    """Keep nothing that was of the account, and go on with what there is."""
    state = replace(
        state,
        account=event.others[0] if event.others else None,
        online=None,
        offline=None,
        is_burning=False,
        circuit=None,
        requests=(),
        chats=MappingProxyType({}),
        blocked=(),
        current=None,
        wanted=None,
        typing_address=False,
        address_problem=None,
        tried=(),
        door=None,
        keep=True,
        vault_exists=event.vault_exists,
        vault_open=event.vault_open,
        news=(*state.news, event),
    )
    if state.page in {Page.CLOSING, Page.CLOSED}:
        return state
    return replace(state, page=Page.WHO) if event.others else at_the_door(state)


def without(state: ViewState, blocked: tuple[Jid, ...]) -> ViewState:
    """Show nothing of those who are blocked."""
    chats = {jid: chat for jid, chat in state.chats.items() if jid not in blocked}
    is_current = state.current in blocked
    leaves = is_current and state.page is Page.CHAT
    return replace(
        state,
        page=Page.WHO if leaves else state.page,
        blocked=blocked,
        chats=MappingProxyType(chats),
        requests=tuple(jid for jid in state.requests if jid not in blocked),
        current=None if is_current else state.current,
        wanted=None if state.wanted in blocked else state.wanted,
    )
