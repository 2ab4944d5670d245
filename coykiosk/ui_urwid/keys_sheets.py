"""The keys of what lies over a screen: questions, sheets, bridges, the account.

Rule: as `keys`, whose table has these too.
"""

from typing import Final

from coykiosk.text import _
from coykiosk.ui_urwid.actions import Action, Binding, Where, here

__all__ = ["SHEET_BINDINGS"]

# The order is the order of importance: hint lines show the first that fit.
SHEET_BINDINGS: Final[tuple[Binding, ...]] = (
    Binding(
        Action.YES,
        ("enter",),
        here(Where.CONFIRM, Where.FURTHER),
        _("yes"),
        _("Do it."),
    ),
    Binding(
        Action.YES,
        ("enter", "ctrl q", "ctrl c"),
        here(Where.CONFIRM_QUIT),
        _("quit"),
        _("Quit."),
    ),
    Binding(
        Action.NO,
        ("esc",),
        here(Where.CONFIRM, Where.FURTHER, Where.CONFIRM_QUIT),
        _("no, go back"),
        _("Do not do it."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc", "enter"),
        here(Where.SHEET, Where.TOR, Where.HELD_BACK),
        _("go back"),
        _("Close what lies over the screen."),
    ),
    Binding(
        Action.ACCOUNT,
        ("f4",),
        here(Where.HELD_BACK),
        _("another account"),
        _("Close this, and see what can be done with your account; A: another one."),
    ),
    Binding(
        Action.BRIDGES,
        ("f4",),
        here(Where.TOR),
        _("bridges"),
        _("Give Tor bridges: hidden ways in, for a network that blocks or watches it."),
    ),
    Binding(
        Action.TAKE_BRIDGES,
        ("enter",),
        here(Where.BRIDGES),
        _("use these"),
        _("Have Tor go through the bridges in the field, and through nothing else."),
    ),
    Binding(
        Action.NEXT_LINE,
        ("tab",),
        here(Where.BRIDGES),
        _("next line"),
        _("Begin another line."),
    ),
    Binding(
        Action.NO_BRIDGES,
        ("f8",),
        here(Where.BRIDGES),
        _("use none"),
        _("Have Tor go openly again, without bridges."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc",),
        here(Where.BRIDGES),
        _("go back"),
        _("Go back to the Tor screen; nothing changes."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc", "f4"),
        here(Where.ACCOUNT),
        _("go back"),
        _("Close what lies over the screen."),
    ),
    Binding(
        Action.NEW_PATH,
        ("n",),
        here(Where.ACCOUNT),
        _("new path"),
        _("Connect again at once, over a new path through Tor; the chats go on."),
    ),
    Binding(
        Action.NEW_PASSWORD,
        ("p",),
        here(Where.ACCOUNT),
        _("new password"),
        _("Have a new password made, at the server and here; you need not know it."),
    ),
    Binding(
        Action.FURTHER,
        ("a",),
        here(Where.ACCOUNT),
        _("another account"),
        _("Another account beside this one, which nobody can tell to be yours too."),
    ),
    Binding(
        Action.FORGET,
        ("f",),
        here(Where.ACCOUNT),
        _("forget"),
        _("Forget the account: nothing of it is left here; at the server it stays."),
    ),
    Binding(
        Action.BURN,
        ("b",),
        here(Where.ACCOUNT),
        _("burn"),
        _("Burn the account: the server deletes it, and nothing of it is left here."),
    ),
)
