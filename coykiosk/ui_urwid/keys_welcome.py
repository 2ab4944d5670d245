"""The keys of the screens before there is an account.

Rule: as `keys`, whose table has these too.
"""

from typing import Final

from coykiosk.text import _
from coykiosk.ui_urwid.actions import START, Action, Binding, Where, here

__all__ = ["WELCOME_BINDINGS"]

# The order is the order of importance: hint lines show the first that fit.
WELCOME_BINDINGS: Final[tuple[Binding, ...]] = (
    Binding(
        Action.TAKE_WORDS,
        ("enter",),
        here(Where.START_WORDS),
        _("new account"),
        _("Make a new anonymous account, kept in a vault that these words open."),
    ),
    Binding(
        Action.TAKE_OWN,
        ("enter",),
        here(Where.START_OWN),
        _("new account"),
        _("Make a new anonymous account, kept in a vault that your words open."),
    ),
    Binding(
        Action.BACK_TO_WORDS,
        ("esc",),
        here(Where.START_OWN),
        _("made words"),
        _("Forget what you typed and go back to the words made for you."),
    ),
    Binding(
        Action.UNLOCK,
        ("enter",),
        here(Where.UNLOCK),
        _("open"),
        _("Open the vault and sign its account in."),
    ),
    Binding(
        Action.KEEP_NOTHING,
        ("f4",),
        START | {Where.UNLOCK},
        _("keep nothing"),
        _("Make a new anonymous account and keep nothing: when you quit, it is gone."),
    ),
    Binding(
        Action.NEW_WORDS,
        ("f6",),
        here(Where.START_WORDS),
        _("other words"),
        _("Make six other words."),
    ),
    Binding(
        Action.DOOR,
        ("f9",),
        START | {Where.UNLOCK, Where.FURTHER, Where.SIGNING_IN},
        _("invitation"),
        _("Hand in an invitation, or name a server of your own choice."),
    ),
    Binding(
        Action.TAKE_DOOR,
        ("enter",),
        here(Where.DOOR),
        _("take it"),
        _("Take the invitation or the server for the account that is made next."),
    ),
    Binding(
        Action.LEAVE_DOOR,
        ("esc",),
        here(Where.DOOR),
        _("go back"),
        _("Go back, and leave the choice of a server to the program."),
    ),
    Binding(
        Action.SHOW_HIDE,
        ("f8",),
        here(Where.UNLOCK, Where.START_OWN),
        _("show/hide"),
        _("Show what you type, or hide it."),
    ),
    Binding(
        Action.ANSWER,
        ("enter",),
        here(Where.PUZZLE),
        _("answer"),
        _("Send what you typed to the server."),
    ),
    Binding(
        Action.OTHER_PUZZLE,
        ("f6",),
        here(Where.PUZZLE),
        _("another"),
        _("Have the server show another puzzle."),
    ),
    Binding(
        Action.ENLARGE,
        ("f8",),
        here(Where.PUZZLE),
        _("larger"),
        _("Show the picture larger, or all of it; PgDn and PgUp move along it."),
    ),
    Binding(
        Action.SKIP_SERVER,
        ("f4",),
        here(Where.PUZZLE, Where.PROGRESS),
        _("next server"),
        _("Leave this server out and try the next one."),
    ),
    Binding(
        Action.CANCEL,
        ("esc",),
        here(Where.PROGRESS, Where.PUZZLE),
        _("cancel"),
        _("Stop making the account; what was begun is undone."),
    ),
)
