"""What went wrong, in words that fit the screen on which they are read.

Rule: pure, no urwid. Facts may be words of a server, so all of them are cleaned; the
key that a sentence names is the one that works where the person then is.
"""

from coykiosk.errors import ErrorCode, UserError
from coykiosk.text import Sentences, _, describe
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import Page, ViewState

__all__ = ["told"]


def told(error: UserError, state: ViewState) -> Sentences:
    """Return what happened and what to do, as things stand."""
    if error.code is ErrorCode.NO_SERVER_LEFT:
        error = UserError(error.code, **{**error.facts, "again": _again(state)})
    return describe(error, lambda fact: clean(fact, Kind.SERVER_TEXT))


def _again(state: ViewState) -> str:
    """Return the keys that make an account, on the screen below."""
    match state.page:
        case Page.START:
            return _("Enter") if state.keep else "F4"
        case Page.UNLOCK:
            return "F4"
        case Page.SIGNING_IN if state.account is None:
            return "F5"
        case _:
            return _("F4 and then A")
