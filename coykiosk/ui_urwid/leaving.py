"""What stays on the screen when something was done with an account.

Rule: pure, no urwid; what was of an account that goes is out of the state at once.
"""

from dataclasses import replace
from types import MappingProxyType

from coykiosk.contract import AccountForgotten, PasswordChanged
from coykiosk.ui_urwid.steps import at_the_door
from coykiosk.ui_urwid.view import AccountView, Page, ViewState

__all__ = ["after_leaving"]


def after_leaving(
    state: ViewState, event: PasswordChanged | AccountForgotten
) -> ViewState:
    """Return the state after something was done with the account."""
    state = replace(state, news=(*state.news, event))
    return _forgotten(state, event) if isinstance(event, AccountForgotten) else state


def _forgotten(state: ViewState, event: AccountForgotten) -> ViewState:
    """Keep nothing that was of the account, and go on with what there is."""
    left = {jid: state.accounts.get(jid, AccountView()) for jid in event.others}
    was_front = state.account not in left
    state = replace(
        state,
        account=next(iter(left), None) if was_front else state.account,
        accounts=MappingProxyType(left),
        is_burning=False,
        typing_address=False,
        address_problem=None,
        tried=(),
        door=None,
        keep=state.keep if left else True,
        vault_exists=event.vault_exists,
        vault_open=event.vault_open,
    )
    if state.page in {Page.CLOSING, Page.CLOSED}:
        return state
    return at_the_door(state)
