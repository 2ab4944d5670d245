"""The one key table: dispatch, the help screen and the hint line all come from it.

Rule: asked through `keymap` only. A key that is not in `BINDINGS` does nothing but edit text; a key that is in
it is explained in the help. Every action has a key that works on the Linux
console, inside tmux, and without Alt. Pure; no urwid.
"""

from typing import Final

from coykiosk.text import _
from coykiosk.ui_urwid.actions import Action, Binding, Where

__all__ = ["BINDINGS"]


_START: Final = frozenset({Where.START_WORDS, Where.START_OWN})
_WHO: Final = frozenset(
    {Where.WHO_ENTRY, Where.WHO_REQUEST, Where.WHO_CHAT, Where.WHO_BLOCKED}
)
_TALKING: Final = _WHO | {Where.CHAT}
_OVERLAYS: Final = frozenset(
    {
        *(Where.ACCOUNT, Where.SHEET, Where.TOR, Where.BRIDGES),
        *(Where.CONFIRM, Where.CONFIRM_QUIT, Where.CLOSING),
    }
)
_PAGES: Final = frozenset(Where) - _OVERLAYS
_EVERYWHERE: Final = frozenset(Where)
_READING: Final = frozenset(Where) - {Where.CHAT}


def _here(*places: Where) -> frozenset[Where]:
    return frozenset(places)


# The order is the order of importance: hint lines show the first that fit.
BINDINGS: Final[tuple[Binding, ...]] = (
    Binding(
        Action.TAKE_WORDS,
        ("enter",),
        _here(Where.START_WORDS),
        _("new account"),
        _("Make a new anonymous account, kept in a vault that these words open."),
    ),
    Binding(
        Action.TAKE_OWN,
        ("enter",),
        _here(Where.START_OWN),
        _("new account"),
        _("Make a new anonymous account, kept in a vault that your words open."),
    ),
    Binding(
        Action.BACK_TO_WORDS,
        ("esc",),
        _here(Where.START_OWN),
        _("made words"),
        _("Forget what you typed and go back to the words made for you."),
    ),
    Binding(
        Action.UNLOCK,
        ("enter",),
        _here(Where.UNLOCK),
        _("open"),
        _("Open the vault and sign its account in."),
    ),
    Binding(
        Action.KEEP_NOTHING,
        ("f4",),
        _START | {Where.UNLOCK},
        _("keep nothing"),
        _("Make a new anonymous account and keep nothing: when you quit, it is gone."),
    ),
    Binding(
        Action.NEW_WORDS,
        ("f6",),
        _here(Where.START_WORDS),
        _("other words"),
        _("Make six other words."),
    ),
    Binding(
        Action.DOOR,
        ("f9",),
        _START | {Where.UNLOCK},
        _("invitation"),
        _("Hand in an invitation, or name a server of your own choice."),
    ),
    Binding(
        Action.TAKE_DOOR,
        ("enter",),
        _here(Where.DOOR),
        _("take it"),
        _("Take the invitation or the server for the account that is made next."),
    ),
    Binding(
        Action.LEAVE_DOOR,
        ("esc",),
        _here(Where.DOOR),
        _("go back"),
        _("Go back, and leave the choice of a server to the program."),
    ),
    Binding(
        Action.SHOW_HIDE,
        ("f8",),
        _here(Where.UNLOCK, Where.START_OWN),
        _("show/hide"),
        _("Show what you type, or hide it."),
    ),
    Binding(
        Action.ANSWER,
        ("enter",),
        _here(Where.PUZZLE),
        _("answer"),
        _("Send what you typed to the server."),
    ),
    Binding(
        Action.OTHER_PUZZLE,
        ("f6",),
        _here(Where.PUZZLE),
        _("another"),
        _("Have the server show another puzzle."),
    ),
    Binding(
        Action.ENLARGE,
        ("f8",),
        _here(Where.PUZZLE),
        _("larger"),
        _("Show the picture larger, or all of it; PgDn and PgUp move along it."),
    ),
    Binding(
        Action.SKIP_SERVER,
        ("f4",),
        _here(Where.PUZZLE, Where.PROGRESS),
        _("next server"),
        _("Leave this server out and try the next one."),
    ),
    Binding(
        Action.CANCEL,
        ("esc",),
        _here(Where.PROGRESS, Where.PUZZLE),
        _("cancel"),
        _("Stop making the account; what was begun is undone."),
    ),
    Binding(
        Action.YES,
        ("enter",),
        _here(Where.CONFIRM),
        _("yes"),
        _("Do it."),
    ),
    Binding(
        Action.YES,
        ("enter", "ctrl q", "ctrl c"),
        _here(Where.CONFIRM_QUIT),
        _("quit"),
        _("Quit."),
    ),
    Binding(
        Action.NO,
        ("esc",),
        _here(Where.CONFIRM, Where.CONFIRM_QUIT),
        _("no, go back"),
        _("Do not do it."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc", "enter"),
        _here(Where.SHEET, Where.TOR),
        _("go back"),
        _("Close what lies over the screen."),
    ),
    Binding(
        Action.BRIDGES,
        ("f4",),
        _here(Where.TOR),
        _("bridges"),
        _("Give Tor bridges: hidden ways in, for a network that blocks or watches it."),
    ),
    Binding(
        Action.TAKE_BRIDGES,
        ("enter",),
        _here(Where.BRIDGES),
        _("use these"),
        _("Have Tor go through the bridges in the field, and through nothing else."),
    ),
    Binding(
        Action.NEXT_LINE,
        ("tab",),
        _here(Where.BRIDGES),
        _("next line"),
        _("Begin another line."),
    ),
    Binding(
        Action.NO_BRIDGES,
        ("f8",),
        _here(Where.BRIDGES),
        _("use none"),
        _("Have Tor go openly again, without bridges."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc",),
        _here(Where.BRIDGES),
        _("go back"),
        _("Go back to the Tor screen; nothing changes."),
    ),
    Binding(
        Action.CLOSE_SHEET,
        ("esc", "f4"),
        _here(Where.ACCOUNT),
        _("go back"),
        _("Close what lies over the screen."),
    ),
    Binding(
        Action.OPEN,
        ("enter",),
        _here(Where.WHO_ENTRY, Where.WHO_CHAT),
        _("talk"),
        _("Talk with the address you typed, or open the chat you chose."),
    ),
    Binding(
        Action.ACCEPT,
        ("enter",),
        _here(Where.WHO_REQUEST),
        _("accept"),
        _("Accept a person who wants to talk, and open the chat."),
    ),
    Binding(
        Action.REFUSE,
        ("delete",),
        _here(Where.WHO_REQUEST),
        _("ignore"),
        _("Ignore a person who wants to talk; they are not told."),
    ),
    Binding(
        Action.UNBLOCK,
        ("enter",),
        _here(Where.WHO_BLOCKED),
        _("unblock"),
        _("Let a person whom you have blocked write to you again."),
    ),
    Binding(
        Action.CHOOSE_NEXT,
        ("tab", "down"),
        _WHO,
        _("choose"),
        _("Go down to the people who want to talk, and to your chats."),
    ),
    Binding(
        Action.CHOOSE_PREVIOUS,
        ("shift tab", "up"),
        _WHO,
        "",
        _("Go up again."),
    ),
    Binding(
        Action.SEND,
        ("enter",),
        _here(Where.CHAT),
        _("send"),
        _("Send what you typed; it waits until the chat is encrypted."),
    ),
    Binding(
        Action.WHO,
        ("f2",),
        _TALKING,
        _("people"),
        _("Your address, your chats, and who else to talk to; again: back."),
        slash="who",
    ),
    Binding(
        Action.BLOCK,
        ("f8",),
        _here(Where.WHO_REQUEST, Where.WHO_CHAT),
        _("block"),
        _("Block a person: the chat ends, and nothing of theirs is shown any more."),
    ),
    Binding(
        Action.NEW_PATH,
        ("n",),
        _here(Where.ACCOUNT),
        _("new path"),
        _("Connect again at once, over a new path through Tor; the chats go on."),
    ),
    Binding(
        Action.NEW_PASSWORD,
        ("p",),
        _here(Where.ACCOUNT),
        _("new password"),
        _("Have a new password made, at the server and here; you need not know it."),
    ),
    Binding(
        Action.FORGET,
        ("f",),
        _here(Where.ACCOUNT),
        _("forget"),
        _("Forget the account: nothing of it is left here; at the server it stays."),
    ),
    Binding(
        Action.BURN,
        ("b",),
        _here(Where.ACCOUNT),
        _("burn"),
        _("Burn the account: the server deletes it, and nothing of it is left here."),
    ),
    Binding(
        Action.ENCRYPT,
        ("f9",),
        _here(Where.CHAT),
        _("encrypt again"),
        _("Ask the other end for encryption again."),
        slash="encrypt",
    ),
    Binding(
        Action.NEW_KEY,
        ("f8",),
        _here(Where.CHAT),
        _("take new key"),
        _("Take the new key of a contact for theirs, once you are sure of it."),
    ),
    Binding(
        Action.ACCOUNT,
        ("f4",),
        _TALKING | {Where.SIGNING_IN},
        _("account"),
        _("Your account: a new path, a new password; forget it, or burn it."),
        slash="account",
    ),
    Binding(
        Action.RETRY,
        ("f5",),
        _TALKING | _START | {Where.SIGNING_IN, Where.UNLOCK},
        _("try again"),
        _("Try at once to connect again after the connection, or Tor, was lost."),
        slash="retry",
    ),
    Binding(
        Action.OLDER,
        ("page up",),
        _here(Where.CHAT),
        _("older"),
        _("Show older messages."),
    ),
    Binding(
        Action.NEWER,
        ("page down",),
        _here(Where.CHAT),
        "",
        _("Show newer messages."),
    ),
    Binding(
        Action.NEWEST,
        ("ctrl end", "end"),
        _here(Where.CHAT),
        "",
        _("Go to the newest message (End: when nothing is typed)."),
        only_when_empty=("end",),
    ),
    Binding(
        Action.RECALL_OLDER,
        ("up",),
        _here(Where.CHAT),
        "",
        _("Take back an earlier line of yours; kept in memory only."),
    ),
    Binding(
        Action.RECALL_NEWER,
        ("down",),
        _here(Where.CHAT),
        "",
        _("Take a later line of yours."),
    ),
    Binding(
        Action.NEXT_CHAT,
        ("ctrl n",),
        _TALKING,
        "",
        _("Go to the next chat."),
    ),
    Binding(
        Action.PREVIOUS_CHAT,
        ("ctrl p",),
        _TALKING,
        "",
        _("Go to the chat before."),
    ),
    Binding(
        Action.UNREAD_CHAT,
        ("f7", "meta a"),
        _TALKING,
        "",
        _("Go to the next chat with something unread."),
    ),
    Binding(
        Action.TRIED,
        ("f7",),
        _START
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
        _TALKING,
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
        _PAGES | {Where.ACCOUNT, Where.SHEET, Where.TOR, Where.BRIDGES, Where.CONFIRM},
        _("quit"),
        _("Quit: end the chats, sign out, wipe the memory."),
        slash="quit",
    ),
)
