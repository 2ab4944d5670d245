"""What stays on the screen when something was done with an account.

Rule: pure, no urwid; what was of an account that goes is out of the state at once.
"""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from coykiosk.contract import AccountForgotten, Jid, PasswordChanged
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid.steps import at_the_door
from coykiosk.ui_urwid.view import AccountView, Page, ViewState

__all__ = ["after_leaving"]

_OF_AN_ACCOUNT: Final = frozenset(
    {
        *(ErrorCode.ACCOUNT_HELD_BACK, ErrorCode.STILL_LISTED),
        *(ErrorCode.PASSWORD_REFUSED, ErrorCode.PASSWORD_UNSURE),
    }
)
"""They say what to do with an account, which they know by its server."""
_STAYS: Final = frozenset(
    {
        *(Page.DOOR, Page.PROGRESS, Page.PUZZLE),  # another one is being made
        *(Page.CLOSING, Page.CLOSED),
    }
)


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
    is_making = state.page in {Page.PROGRESS, Page.PUZZLE}
    state = replace(
        state,
        account=next(iter(left), None) if was_front else state.account,
        accounts=MappingProxyType(left),
        is_burning=False,
        typing_address=False,
        address_problem=None,
        tried=state.tried if is_making else (),
        door=state.door if is_making else None,
        keep=state.keep if left or is_making else True,
        problems=_without_problems_of(event.account, left, state.problems),
        has_forgotten=True,
        vault_exists=event.vault_exists,
        vault_open=event.vault_open,
    )
    if state.page in _STAYS:
        return state
    return at_the_door(state)


def _without_problems_of(
    gone: Jid, left: Iterable[Jid], problems: tuple[UserError, ...]
) -> tuple[UserError, ...]:
    """Tell nothing more of an account that is gone, unless it may be of another."""
    if any(each.domainpart == gone.domainpart for each in left):
        return problems
    return tuple(
        problem
        for problem in problems
        if problem.code not in _OF_AN_ACCOUNT
        or problem.facts.get("server") != gone.domainpart
    )
