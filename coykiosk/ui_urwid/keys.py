"""The one key table: dispatch, the help screen and the hint line all come from it.

Rule: asked through `keymap` only. A key that is not in `BINDINGS` does nothing but
edit text; a key that is in it is explained in the help. Every action has a key that
works on the Linux console, inside tmux, and without Alt. Pure; no urwid.
"""

from typing import Final

from coykiosk.text import _
from coykiosk.ui_urwid.actions import (
    START,
    TALKING,
    WHO_PLACES,
    Action,
    Binding,
    Where,
    here,
)
from coykiosk.ui_urwid.keys_sheets import SHEET_BINDINGS
from coykiosk.ui_urwid.keys_welcome import WELCOME_BINDINGS

__all__ = ["BINDINGS"]


_OVERLAYS: Final = frozenset(
    {
        *(Where.ACCOUNT, Where.SHEET, Where.TOR, Where.BRIDGES),
        *(Where.HELD_BACK, Where.FURTHER),
        *(Where.CONFIRM, Where.CONFIRM_QUIT, Where.CLOSING),
    }
)
_PAGES: Final = frozenset(Where) - _OVERLAYS
_EVERYWHERE: Final = frozenset(Where)
_READING: Final = frozenset(Where) - {Where.CHAT}

# The order is the order of importance: hint lines show the first that fit.
BINDINGS: Final[tuple[Binding, ...]] = (
    *WELCOME_BINDINGS,
    *SHEET_BINDINGS,
    Binding(
        Action.OPEN,
        ("enter",),
        here(Where.WHO_ENTRY, Where.WHO_CHAT, Where.WHO_CONTACT),
        _("talk"),
        _("Talk with the address you typed, or with whom you chose."),
    ),
    Binding(
        Action.ACCEPT,
        ("enter",),
        here(Where.WHO_REQUEST),
        _("accept"),
        _("Accept a person who wants to talk, and open the chat."),
    ),
    Binding(
        Action.REFUSE,
        ("delete",),
        here(Where.WHO_REQUEST),
        _("ignore"),
        _("Ignore a person who wants to talk; they are not told."),
    ),
    Binding(
        Action.FORGET_CONTACT,
        ("delete",),
        here(Where.WHO_CHAT, Where.WHO_CONTACT),
        _("forget"),
        _("Forget a person: the chat ends, and nothing tells any more that you met."),
    ),
    Binding(
        Action.UNBLOCK,
        ("enter",),
        here(Where.WHO_BLOCKED),
        _("unblock"),
        _("Let a person whom you have blocked write to you again."),
    ),
    Binding(
        Action.SWITCH,
        ("enter",),
        here(Where.WHO_ACCOUNT),
        _("be this account"),
        _("Go over to another account of yours, and be it from now on."),
    ),
    Binding(
        Action.CHOOSE_NEXT,
        ("tab", "down"),
        WHO_PLACES,
        _("choose"),
        _("Go down to who wants to talk, to your chats, and to your accounts."),
    ),
    Binding(
        Action.CHOOSE_PREVIOUS,
        ("shift tab", "up"),
        WHO_PLACES,
        "",
        _("Go up again."),
    ),
    Binding(
        Action.SEND,
        ("enter",),
        here(Where.CHAT),
        _("send"),
        _("Send what you typed; it waits until the chat is encrypted."),
    ),
    Binding(
        Action.WHO,
        ("f2",),
        TALKING,
        _("people"),
        _("Your address, your chats, and who else to talk to; again: back."),
        slash="who",
    ),
    Binding(
        Action.BLOCK,
        ("f8",),
        here(Where.WHO_REQUEST, Where.WHO_CHAT, Where.WHO_CONTACT),
        _("block"),
        _("Block a person: the chat ends, and nothing of theirs is shown any more."),
    ),
    Binding(
        Action.ENCRYPT,
        ("f9",),
        here(Where.CHAT),
        _("encrypt again"),
        _("Ask the other end for encryption again."),
        slash="encrypt",
    ),
    Binding(
        Action.NEW_KEY,
        ("f8",),
        here(Where.CHAT),
        _("take new key"),
        _("Take the new key of a contact for theirs, once you are sure of it."),
    ),
    Binding(
        Action.ACCOUNT,
        ("f4",),
        TALKING | {Where.SIGNING_IN, Where.SHEET},
        _("account"),
        _("Your account: new path, new password, forget, burn; another one beside it."),
        slash="account",
    ),
    Binding(
        Action.NEXT_ACCOUNT,
        ("ctrl o",),
        TALKING,
        "",
        _("Go over to the next of your accounts, if you have several."),
    ),
    Binding(
        Action.RETRY,
        ("f5",),
        TALKING | START | {Where.SIGNING_IN, Where.UNLOCK, Where.SHEET, Where.TOR},
        _("try again"),
        _("Try at once to connect again after the connection, or Tor, was lost."),
        slash="retry",
    ),
    Binding(
        Action.OLDER,
        ("page up",),
        here(Where.CHAT),
        _("older"),
        _("Show older messages."),
    ),
    Binding(
        Action.NEWER,
        ("page down",),
        here(Where.CHAT),
        "",
        _("Show newer messages."),
    ),
    Binding(
        Action.NEWEST,
        ("ctrl end", "end"),
        here(Where.CHAT),
        "",
        _("Go to the newest message (End: when nothing is typed)."),
        only_when_empty=("end",),
    ),
    Binding(
        Action.RECALL_OLDER,
        ("up",),
        here(Where.CHAT),
        "",
        _("Take back an earlier line of yours; kept in memory only."),
    ),
    Binding(
        Action.RECALL_NEWER,
        ("down",),
        here(Where.CHAT),
        "",
        _("Take a later line of yours."),
    ),
    Binding(
        Action.NEXT_CHAT,
        ("ctrl n",),
        TALKING,
        "",
        _("Go to the next chat."),
    ),
    Binding(
        Action.PREVIOUS_CHAT,
        ("ctrl p",),
        TALKING,
        "",
        _("Go to the chat before."),
    ),
    Binding(
        Action.UNREAD_CHAT,
        ("f7", "meta a"),
        TALKING,
        "",
        _("Go to the next chat with something unread, whichever account it is of."),
    ),
    Binding(
        Action.TRIED,
        ("f7",),
        START
        | {Where.PROGRESS, Where.PUZZLE, Where.UNLOCK, Where.SIGNING_IN}
        | {Where.SHEET, Where.TOR},
        _("servers tried"),
        _("Which servers did not take you so far, and why."),
    ),
    Binding(
        Action.TOR,
        ("f3",),
        _PAGES | {Where.SHEET},
        _("Tor"),
        _("How far Tor is, the path your connection takes, and bridges (F4)."),
        slash="tor",
    ),
    Binding(
        Action.WORDS,
        ("f6",),
        TALKING,
        "",
        _("Show the words that open your vault again."),
        slash="words",
    ),
    Binding(
        Action.SCROLL_DOWN,
        ("page down",),
        _READING,
        "",
        _("Show what lies below, where a screen does not fit."),
    ),
    Binding(
        Action.SCROLL_UP,
        ("page up",),
        _READING,
        "",
        _("Show what lies above."),
    ),
    Binding(
        Action.REDRAW,
        ("ctrl l",),
        _EVERYWHERE,
        "",
        _("Draw the screen anew."),
    ),
    Binding(
        Action.HELP,
        ("f1", "?"),
        _PAGES,
        _("help"),
        _("This help (?: when nothing is typed)."),
        slash="help",
        only_when_empty=("?",),
    ),
    Binding(
        Action.QUIT,
        ("ctrl q", "ctrl c"),
        _PAGES | _OVERLAYS - {Where.CONFIRM_QUIT, Where.CLOSING},
        _("quit"),
        _("Quit: end the chats, sign out, wipe the memory."),
        slash="quit",
    ),
)
