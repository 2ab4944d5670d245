"""The vocabulary of the keyboard: what has the keys, and what a key can do there.

Rule: pure names; `keys` says which key does what where, `shell` does it.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from coykiosk.text import _

__all__ = [
    "START",
    "TALKING",
    "WHO_PLACES",
    "Action",
    "Binding",
    "Where",
    "here",
    "key_name",
]


class Where(Enum):
    """What has the keys; decides which bindings apply."""

    STARTING = auto()
    """Nothing is known yet; only help and quit."""
    START_WORDS = auto()
    """The start screen, showing the words made for the person."""
    START_OWN = auto()
    """The start screen, while the person types words of their own."""
    UNLOCK = auto()
    DOOR = auto()
    """The line for an invitation or a server of one's own choice."""
    PROGRESS = auto()
    PUZZLE = auto()
    """A server's puzzle; the cursor is in the answer."""
    SIGNING_IN = auto()
    WHO_ENTRY = auto()
    """The screen that asks whom to talk to; the cursor is in the address."""
    WHO_REQUEST = auto()
    """The same screen; a stranger's request is chosen."""
    WHO_CHAT = auto()
    """The same screen; a chat is chosen."""
    WHO_CONTACT = auto()
    """The same screen; a contact without a chat is chosen."""
    WHO_BLOCKED = auto()
    """The same screen; somebody who is blocked is chosen."""
    WHO_ACCOUNT = auto()
    """The same screen; another account of one's own is chosen."""
    CHAT = auto()
    LEAVING = auto()
    """An account is being burnt or forgotten."""
    ACCOUNT = auto()
    """What one can do with one's account lies over the screen."""
    SHEET = auto()
    """Something to read lies over the screen: help, words, Tor, reasons, an error."""
    TOR = auto()
    """The Tor sheet lies over the screen."""
    BRIDGES = auto()
    """The field for bridge lines lies over the screen."""
    HELD_BACK = auto()
    """What lies over the screen tells that the new account is of no use yet."""
    FURTHER = auto()
    """The question whether to make another account lies over the screen."""
    CONFIRM = auto()
    """A question lies over the screen."""
    CONFIRM_QUIT = auto()
    CLOSING = auto()


START: Final = frozenset({Where.START_WORDS, Where.START_OWN})
WHO_PLACES: Final = frozenset(
    {
        *(Where.WHO_ENTRY, Where.WHO_REQUEST, Where.WHO_CHAT),
        *(Where.WHO_CONTACT, Where.WHO_BLOCKED, Where.WHO_ACCOUNT),
    }
)
TALKING: Final = WHO_PLACES | {Where.CHAT}


def here(*places: Where) -> frozenset[Where]:
    """Return some places, by name."""
    return frozenset(places)


class Action(Enum):
    """What a key does."""

    HELP = auto()
    TAKE_WORDS = auto()
    TAKE_OWN = auto()
    BACK_TO_WORDS = auto()
    NEW_WORDS = auto()
    KEEP_NOTHING = auto()
    UNLOCK = auto()
    SHOW_HIDE = auto()
    DOOR = auto()
    TAKE_DOOR = auto()
    LEAVE_DOOR = auto()
    CANCEL = auto()
    SKIP_SERVER = auto()
    ANSWER = auto()
    OTHER_PUZZLE = auto()
    ENLARGE = auto()
    OPEN = auto()
    ACCEPT = auto()
    REFUSE = auto()
    FORGET_CONTACT = auto()
    BLOCK = auto()
    UNBLOCK = auto()
    CHOOSE_NEXT = auto()
    CHOOSE_PREVIOUS = auto()
    SEND = auto()
    OLDER = auto()
    NEWER = auto()
    NEWEST = auto()
    RECALL_OLDER = auto()
    RECALL_NEWER = auto()
    WHO = auto()
    ACCOUNT = auto()
    SWITCH = auto()
    NEXT_ACCOUNT = auto()
    FURTHER = auto()
    NEW_PATH = auto()
    NEW_PASSWORD = auto()
    FORGET = auto()
    BURN = auto()
    TOR = auto()
    BRIDGES = auto()
    TAKE_BRIDGES = auto()
    NEXT_LINE = auto()
    NO_BRIDGES = auto()
    RETRY = auto()
    WORDS = auto()
    TRIED = auto()
    ENCRYPT = auto()
    NEW_KEY = auto()
    NEXT_CHAT = auto()
    PREVIOUS_CHAT = auto()
    UNREAD_CHAT = auto()
    CLOSE_SHEET = auto()
    SCROLL_DOWN = auto()
    SCROLL_UP = auto()
    REDRAW = auto()
    YES = auto()
    NO = auto()
    QUIT = auto()


@dataclass(frozen=True, slots=True)
class Binding:
    """One row of the table."""

    action: Action
    keys: tuple[str, ...]
    """urwid's names, the one we advertise first."""
    where: frozenset[Where]
    label: str
    """One to three words for the hint line; "" keeps it out of there."""
    help: str
    """One sentence for the help screen."""
    slash: str = ""
    """The word that does the same when typed behind a slash in a chat."""
    only_when_empty: tuple[str, ...] = ()
    """Those of `keys` that are text once something has been typed."""


_KEY_NAMES: Final = {
    "enter": _("Enter"),
    "esc": _("Esc"),
    "delete": _("Delete"),
    "tab": _("Tab"),
    "shift tab": _("Shift+Tab"),
    "up": _("Up"),
    "down": _("Down"),
    "page up": _("PgUp"),
    "page down": _("PgDn"),
    "end": _("End"),
}


def key_name(key: str) -> str:
    """Return urwid's name of a key as people write it: `ctrl q` is Ctrl+Q."""
    if key in _KEY_NAMES:
        return _KEY_NAMES[key]
    *modifiers, last = key.split(" ")
    names = {"ctrl": "Ctrl", "meta": "Alt", "shift": "Shift"}
    shown = last.upper() if len(last) == 1 or last[0] == "f" else last.title()
    return "+".join([*(names[modifier] for modifier in modifiers), shown])
