"""What the person's own steps change in the state.

Rule: pure, no urwid; each step is one function from a state to the next.
"""

from dataclasses import replace
from types import MappingProxyType

from coykiosk.contract import Door, EnrolmentStep, Jid
from coykiosk.errors import UserError
from coykiosk.ui_urwid.view import ChatView, Page, ViewState

__all__ = [
    "address_is_being_typed",
    "at_the_door",
    "bridges_answered",
    "bridges_asked_for",
    "bridges_closed",
    "bridges_opened",
    "cancelling",
    "chat_asked_for",
    "chat_of",
    "chat_shown",
    "closing",
    "creation_started",
    "door_chosen",
    "door_shown",
    "leaving_started",
    "news_read",
    "problem_read",
    "puzzle_left",
    "request_answered",
    "unlocking_started",
    "who_shown",
    "with_chat",
]


def chat_of(state: ViewState, contact: Jid) -> ChatView:
    """Return a chat as it stands, or as it begins."""
    return state.chats.get(contact.bare) or ChatView(contact.bare)


def with_chat(state: ViewState, view: ChatView) -> ViewState:
    """Put a chat into the state."""
    chats = MappingProxyType({**state.chats, view.contact: view})
    return replace(state, chats=chats)


def at_the_door(state: ViewState) -> ViewState:
    """Return to the screen that the program began with."""
    if state.vault_open:
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


def cancelling(state: ViewState) -> ViewState:
    """The person pressed Esc while the account was being made."""
    return replace(state, cancelling=True)


def door_shown(state: ViewState) -> ViewState:
    """The person wants to say where the account is made."""
    return replace(state, page=Page.DOOR)


def door_chosen(state: ViewState, door: Door | None) -> ViewState:
    """The person said where, or that the choice is ours; back to where they were."""
    page = Page.UNLOCK if state.vault_exists else Page.START
    return replace(state, page=page, door=door)


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
    if bare in state.chats:
        return chat_shown(state, bare)
    return replace(state, wanted=bare)


def chat_shown(state: ViewState, contact: Jid) -> ViewState:
    """This chat is on the screen now, and read."""
    state = with_chat(state, replace(chat_of(state, contact), n_unread=0))
    return replace(state, page=Page.CHAT, current=contact.bare, wanted=None)


def who_shown(state: ViewState) -> ViewState:
    """The person looks at their address and their people."""
    return replace(state, page=Page.WHO)


def address_is_being_typed(state: ViewState, *, typing: bool) -> ViewState:
    """There is, or is no longer, something in the address line."""
    return replace(state, typing_address=typing, address_problem=None)


def request_answered(state: ViewState, contact: Jid, *, accepted: bool) -> ViewState:
    """A stranger's request is off the list."""
    requests = tuple(jid for jid in state.requests if jid != contact.bare)
    state = replace(state, requests=requests)
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


def closing(state: ViewState) -> ViewState:
    """The person asked to quit."""
    return replace(state, page=Page.CLOSING)
