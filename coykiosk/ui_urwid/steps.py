"""What the person's own steps change in the state.

Rule: pure, no urwid; each step is one function from a state to the next.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from coykiosk.contract import Door, EnrolmentStep, Jid
from coykiosk.errors import UserError
from coykiosk.ui_urwid.account_state import chat_in, with_chat
from coykiosk.ui_urwid.view import AccountView, Page, ViewState

__all__ = [
    "account_in_front",
    "address_is_being_typed",
    "at_the_door",
    "bridges_answered",
    "bridges_asked_for",
    "bridges_closed",
    "bridges_opened",
    "burning_failed",
    "cancelling",
    "chat_asked_for",
    "chat_refused",
    "chat_shown",
    "closing",
    "creation_advanced",
    "creation_ended",
    "creation_started",
    "door_chosen",
    "door_shown",
    "leaving_started",
    "news_read",
    "next_account",
    "problem_read",
    "puzzle_left",
    "request_answered",
    "unlocking_started",
    "unread_shown",
    "who_shown",
]


_MAKING: Final = frozenset({Page.PROGRESS, Page.PUZZLE})
_BUSY: Final = frozenset(
    {
        *(Page.WHO, Page.CHAT, Page.DOOR),
        *(Page.LEAVING, Page.CLOSING, Page.CLOSED),
    }
)


def account_in_front(state: ViewState, account: Jid) -> ViewState:
    """From now on the person is this account."""
    if state.account == account:
        return state
    page = Page.WHO if state.page is Page.CHAT else state.page
    return replace(
        state, page=page, account=account, typing_address=False, address_problem=None
    )


def next_account(state: ViewState) -> ViewState:
    """The person wants to be the next of their accounts."""
    names = list(state.accounts)
    if state.account not in names:
        return state
    at = (names.index(state.account) + 1) % len(names)
    return account_in_front(state, names[at])


def _with_front(state: ViewState, view: AccountView) -> ViewState:
    if state.account is None:
        return state
    accounts = MappingProxyType({**state.accounts, state.account: view})
    return replace(state, accounts=accounts)


def creation_ended(state: ViewState) -> ViewState:
    """No account is being made any more; who looks at its progress goes back."""
    if state.page in _MAKING:
        return at_the_door(state)
    return replace(state, step=None, step_server="", puzzle=None, cancelling=False)


def at_the_door(state: ViewState) -> ViewState:
    """Return to the screen that the program began with."""
    if state.accounts:
        page = Page.WHO  # it was a further one
    elif state.vault_open:
        page = Page.SIGNING_IN
    else:
        page = Page.UNLOCK if state.vault_exists else Page.START
    return replace(
        state,
        page=page,
        step=None,
        step_server="",
        puzzle=None,
        cancelling=False,
        unlocking=False,
    )


def creation_started(state: ViewState, *, keep: bool) -> ViewState:
    """The person asked for a new account."""
    return replace(
        state,
        page=Page.PROGRESS,
        keep=keep,
        step=EnrolmentStep.WAITING_FOR_TOR,
        step_server="",
        cancelling=False,
        tried=(),
    )


def creation_advanced(state: ViewState, page: Page) -> ViewState:
    """An account is being made: show it to who waits for it, and to nobody else."""
    return state if state.page in _BUSY else replace(state, page=page)


def cancelling(state: ViewState) -> ViewState:
    """The person pressed Esc while the account was being made."""
    return replace(state, cancelling=True)


def door_shown(state: ViewState) -> ViewState:
    """The person wants to say where the account is made."""
    return replace(state, page=Page.DOOR)


def door_chosen(state: ViewState, door: Door | None) -> ViewState:
    """The person said where, or that the choice is ours; back to where they were."""
    return replace(at_the_door(state), door=door)


def puzzle_left(state: ViewState) -> ViewState:
    """The puzzle was answered, or is of no use any more."""
    page = Page.PROGRESS if state.page is Page.PUZZLE else state.page
    return replace(state, page=page, puzzle=None)


def unlocking_started(state: ViewState) -> ViewState:
    """The person typed a passphrase and pressed Enter."""
    return replace(state, unlocking=True, unlock_problem=None)


def chat_asked_for(state: ViewState, contact: Jid) -> ViewState:
    """The person wants to talk with this contact."""
    bare = contact.bare
    state = replace(state, address_problem=None, typing_address=False)
    if bare in state.front.chats:
        return chat_shown(state, bare)
    return _with_front(state, replace(state.front, wanted=bare))


def chat_refused(state: ViewState, problem: UserError) -> ViewState:
    """There will be no chat with whom the person asked for."""
    state = _with_front(state, replace(state.front, wanted=None))
    return replace(state, address_problem=problem)


def chat_shown(state: ViewState, contact: Jid) -> ViewState:
    """This chat is on the screen now, and read."""
    chat = replace(chat_in(state.front, contact), n_unread=0)
    view = replace(with_chat(state.front, chat), current=chat.contact, wanted=None)
    return replace(_with_front(state, view), page=Page.CHAT)


def unread_shown(state: ViewState) -> ViewState:
    """The person wants to read what is new, first what is new for who they are."""
    ordered = [*filter(None, [state.account]), *state.others]
    for account in ordered:
        for contact, chat in state.accounts[account].chats.items():
            if chat.n_unread:
                return chat_shown(account_in_front(state, account), contact)
    return state


def who_shown(state: ViewState) -> ViewState:
    """The person looks at their address and their people."""
    return replace(state, page=Page.WHO)


def address_is_being_typed(state: ViewState, *, typing: bool) -> ViewState:
    """There is, or is no longer, something in the address line."""
    return replace(state, typing_address=typing, address_problem=None)


def request_answered(state: ViewState, contact: Jid, *, accepted: bool) -> ViewState:
    """A stranger's request is off the list."""
    requests = tuple(jid for jid in state.front.requests if jid != contact.bare)
    state = _with_front(state, replace(state.front, requests=requests))
    return chat_asked_for(state, contact) if accepted else state


def problem_read(state: ViewState) -> ViewState:
    """The oldest error dialog was closed."""
    return replace(state, problems=state.problems[1:])


def bridges_opened(state: ViewState) -> ViewState:
    """The person opened the field for bridges."""
    return replace(state, editing_bridges=True, bridges_problem=None)


def bridges_closed(state: ViewState) -> ViewState:
    """The person left the field for bridges."""
    return replace(state, editing_bridges=False, bridges_problem=None)


def bridges_asked_for(state: ViewState) -> ViewState:
    """The person wants other bridges, or none."""
    return replace(state, bridges_sent=True, bridges_problem=None)


def bridges_answered(state: ViewState, problem: UserError | None) -> ViewState:
    """The session took what the person wanted, or says why it did not."""
    return replace(state, bridges_sent=False, bridges_problem=problem)


def news_read(state: ViewState) -> ViewState:
    """What was done has been read."""
    return replace(state, news=state.news[1:])


def leaving_started(state: ViewState, *, is_burning: bool) -> ViewState:
    """The person wants their account forgotten, or burnt."""
    return replace(state, page=Page.LEAVING, is_burning=is_burning)


def burning_failed(state: ViewState) -> ViewState:
    """The account goes on as it was: it is being signed in again now."""
    state = _with_front(state, replace(state.front, online=None))
    return replace(state, page=Page.WHO, is_burning=False)


def closing(state: ViewState) -> ViewState:
    """The person asked to quit."""
    return replace(state, page=Page.CLOSING)
