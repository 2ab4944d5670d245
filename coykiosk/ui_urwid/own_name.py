"""Who one is, in few cells: a name that no other account of one's own has.

Rule: pure, no urwid; two accounts are never shown by the same words.
"""

from typing import Final

from coykiosk.contract import Protection
from coykiosk.text import _
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.untrusted import clip, width
from coykiosk.ui_urwid.view import ChatView, ViewState

__all__ = ["headline_as", "own_name", "own_short_name"]

_MIN_NAME_CELLS: Final = 6
_MARK_AND_STOP_CELLS: Final = 14  # "[!!] STOP, as "


def own_name(state: ViewState, cells: int) -> str:
    """Return the account in front: its address, or what fits and tells it apart."""
    if state.account is None:
        return ""
    address = wording.address(state.account)
    return address if width(address) <= cells else own_short_name(state, cells)


def own_short_name(state: ViewState, cells: int) -> str:
    """Return the account in front by its first part, if that tells it apart."""
    if state.account is None:
        return ""
    names = [wording.nick(account) for account in state.accounts]
    address = wording.address(state.account)
    own = wording.nick(state.account)
    if names.count(own) == 1 and width(own) <= cells:
        return own
    if names.count(own) > 1 and width(address) <= cells:
        return address
    if [clip(name, cells) for name in names].count(clip(own, cells)) == 1:
        return clip(own, cells)
    # A number tells them apart, whatever they are called and wherever it is cut.
    place = list(state.accounts).index(state.account) + 1
    return clip(f"{place}: {address}", cells)


def headline_as(state: ViewState, chat: ChatView, cols: int) -> str:
    """Return who can read a chat, and as whom one writes in it, in one row."""
    headline = wording.chat_headline(chat)
    if not state.others:
        return headline
    name = own_short_name(state, max(_MIN_NAME_CELLS, cols - _MARK_AND_STOP_CELLS))
    whole = _("{headline} As {name}.").format(headline=headline, name=name)
    if width(whole) <= cols:
        return whole
    mark = wording.MARKS[chat.protection]
    if chat.protection is Protection.STOP:
        return _("{mark} STOP, as {name}").format(mark=mark, name=name)
    words = headline.removeprefix(mark).strip()
    return _("{mark} as {name}: {words}").format(mark=mark, name=name, words=words)
