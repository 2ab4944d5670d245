"""The rows at the lower edge: what is wrong, how Tor and the account are, keys.

Rule: the same place on every screen, and in this order; what does not fit is left
out from the right, but never help and quit.
"""

from typing import Final

import urwid

from coykiosk.contract import ChatPhase, EnrolmentStep, Protection
from coykiosk.text import _, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.keymap import hints_for
from coykiosk.ui_urwid.own_name import own_name
from coykiosk.ui_urwid.roster import who_places
from coykiosk.ui_urwid.sheet import Part, clipped
from coykiosk.ui_urwid.telling import told
from coykiosk.ui_urwid.untrusted import clip, width
from coykiosk.ui_urwid.view import ChatView, Page, TorPhase, ViewState

__all__ = ["footer_parts"]

_ROOMY_ROWS: Final = 10
_ROOMY_COLS: Final = 60
_MAX_BANNER_ROWS: Final = 3
_MAX_NARROW_BANNER_ROWS: Final = 4
_LAST: Final = (Action.HELP, Action.QUIT)
_MAX_HINTS: Final = 5
_MIN_NAME_CELLS: Final = 8


def footer_parts(desk: Desk, cols: int, rows: int) -> list[Part]:
    """Draw the footer for a terminal of this size."""
    is_roomy = rows >= _ROOMY_ROWS
    parts = _banners(desk, cols, is_roomy=is_roomy)
    if is_roomy:
        parts.append((_row("status", f" {_status(desk.state, cols - 2)}", cols), False))
    parts.append((_hints(desk, cols), False))
    return parts


def _row(attribute: str, words: str, cols: int) -> urwid.Canvas:
    filled = words + " " * max(0, cols - width(words))
    return urwid.Text((attribute, clip(filled, cols)), wrap="clip").render((cols,))


def _banners(desk: Desk, cols: int, *, is_roomy: bool) -> list[Part]:
    """Draw what must not be overlooked, worst first."""
    state = desk.state
    banners: list[tuple[str, str]] = []
    talking = state.page in {Page.WHO, Page.CHAT}
    if state.tor.phase is TorPhase.STOPPED and state.tor.error is not None:
        why = told(state.tor.error, state)
        stop = _("[!!] STOP. {happened} {to_do}")
        banners.append(("stop", stop.format(happened=why.happened, to_do=why.to_do)))
    elif state.front.offline is not None and talking:
        offline = wording.offline_words(state.front.offline)
        banners.append(("caution", _("[--] OFFLINE. {why}").format(why=offline)))
    trouble = state.tor.trouble
    is_told = desk.where in {Where.TOR, Where.BRIDGES} or trouble in state.problems
    if trouble is not None and not is_told:
        why = told(trouble, state)
        banners.append(("caution", f"[--] {why.happened} {why.to_do}"))
    if state.problems and not desk.is_empty:
        words = told(state.problems[0], state)
        banners.append(("caution", f"{words.happened} {words.to_do}"))
    if state.news and not desk.is_empty:
        name = wording.address(state.news[0].account)
        banners.append(("ok", f"{name}: {wording.news_words(state.news[0])}"))
    asking = _asking(state) if state.page is Page.CHAT else []
    banners += [("caution", words) for words in asking[: 2 if is_roomy else 1]]
    most = _MAX_BANNER_ROWS if cols >= _ROOMY_COLS else _MAX_NARROW_BANNER_ROWS
    limit = most if is_roomy else 1
    drawn = [urwid.Text(banner).render((cols,)) for banner in banners]
    return [(clipped(one, 0, min(one.rows(), limit)), False) for one in drawn]


def _asking(state: ViewState) -> list[str]:
    """Say how many strangers ask, each account's where one finds them."""
    n = len(state.front.requests)
    n_elsewhere = sum(len(state.accounts[each].requests) for each in state.others)
    here = ngettext(
        "{n} person wants to talk with you: F2",
        "{n} people want to talk with you: F2",
        n,
    )
    elsewhere = ngettext(
        "{n} person wants to talk with another account of yours: Ctrl+O",
        "{n} people want to talk with another account of yours: Ctrl+O",
        n_elsewhere,
    )
    counted = [(here, n), (elsewhere, n_elsewhere)]
    return [words.format(n=number) for words, number in counted if number]


def _status(state: ViewState, cells: int) -> str:
    """Return Tor and account in the room there is."""
    words = [wording.tor_words(state.tor)]
    account = wording.account_words(state)
    if account and state.account is not None:
        words.append(f"{wording.address(state.account)} {account}")
    shown = " | ".join(filter(None, words))
    if width(shown) > cells and state.others:
        # Who one is must not be left out where one could be somebody else.
        room = max(_MIN_NAME_CELLS, cells - width(account) - 1)
        shown = f"{own_name(state, room)} {account}"
    elif width(shown) > cells and account:
        shown = " | ".join(filter(None, [*words[:-1], account]))
    return clip(shown, cells)


def _hints(desk: Desk, cols: int) -> urwid.Canvas:
    """Draw the keys that are of use now, as many as fit."""
    hints = [
        (action, key, label)
        for action, key, label in hints_for(desk.where)
        if _is_of_use(action, desk)
    ]
    last = [hint for hint in hints if hint[0] in _LAST]
    first = [hint for hint in hints if hint[0] not in _LAST]
    chosen = first[: _MAX_HINTS - len(last)] + last
    # One blank less between the keys before one is left out; help and quit go last.
    gaps = [2, 1]
    while _hints_cells(chosen, gaps[0]) > cols and (len(gaps) > 1 or len(chosen) > 1):
        if len(gaps) > 1:
            gaps.pop(0)
        else:
            optional = [hint for hint in chosen if hint[0] not in _LAST]
            chosen.remove(optional[-1] if len(optional) > 1 else chosen[-2])
    markup: list[str | tuple[str, str]] = [" "]
    for _action, key, label in chosen:
        markup += [("key", key), f" {label}{' ' * gaps[0]}"]
    return urwid.Text(markup, wrap="clip").render((cols,))


def _hints_cells(hints: list[tuple[Action, str, str]], gap: int) -> int:
    return sum(width(key) + width(label) + 1 + gap for _action, key, label in hints)


def _needs_encryption(chat: ChatView) -> bool:
    """Tell whether asking for encryption again is a next step."""
    return chat.protection in {Protection.STOP, Protection.OPEN} and (
        chat.phase is not ChatPhase.OFFLINE
    )


def _is_of_use(action: Action, desk: Desk) -> bool:
    """Tell whether a key would do something now."""
    state = desk.state
    is_lost = state.front.offline is not None or state.tor.phase is TorPhase.STOPPED
    is_bare = state.page is Page.SIGNING_IN and state.account is None
    conditions = {
        Action.RETRY: is_lost or is_bare,
        Action.TRIED: bool(state.tried),
        Action.DOOR: state.page is not Page.SIGNING_IN or is_bare,
        Action.SKIP_SERVER: state.step is not EnrolmentStep.WAITING_FOR_TOR,
        Action.NEW_KEY: state.chat is not None and state.chat.key_is_new,
        Action.CHOOSE_NEXT: bool(who_places(state)),
        Action.ACCOUNT: desk.has_account_here,
        Action.UNLOCK: not state.unlocking,
        Action.NO_BRIDGES: bool(state.bridges),
        Action.WHO: state.page is Page.CHAT or state.front.current is not None,
        Action.ENCRYPT: state.chat is not None and _needs_encryption(state.chat),
    }
    return conditions.get(action, True)
