"""What lies over a screen: something to read, or one question.

Rule: one thing at a time, in at most a few sentences; every one of them is left
with Esc. Each builder returns the rows of a sheet; the shell shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import urwid

from coykiosk.contract import Jid, Secret
from coykiosk.errors import UserError
from coykiosk.text import _, ngettext
from coykiosk.ui_urwid import keymap, wording
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.telling import told
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import ViewState

__all__ = [
    "Dialog",
    "Rows",
    "gap",
    "help_rows",
    "new_key_rows",
    "paste_rows",
    "problem_rows",
    "quit_rows",
    "tried_rows",
    "words_box",
    "words_rows",
]

Rows = Sequence[urwid.Widget]
_KEYS_COLS: Final = 16
_NARROW_WORD: Final = 11  # cells for a word of up to nine letters
_ROOMY_WORD: Final = 16


@dataclass(frozen=True, slots=True)
class Dialog:
    """What lies over the screen."""

    where: Where
    """`SHEET`, `TOR`, `BRIDGES`, `ACCOUNT`, `FURTHER`, `CONFIRM` or `CONFIRM_QUIT`."""
    title: str
    kind: Action
    """What opened it, so that the same key does not open it twice."""
    text: str = ""
    """What waits for the answer: the text to paste."""
    key: bytes | None = None
    """What is asked about: a contact's new key, 20 bytes."""
    subject: Jid | None = None
    """Who is asked about: one's own account, or who may be blocked."""
    about: Where = Where.STARTING
    """Where the person was: what the help explains."""


def gap() -> urwid.Widget:
    """Return an empty row."""
    return urwid.Divider()


def help_rows(where: Where) -> Rows:
    """Explain every key that works where the person is."""
    rows = [_explained(names, sentence) for names, sentence in keymap.help_for(where)]
    return [*rows, gap(), *_marks_rows()] if where is Where.CHAT else rows


def _explained(name: str, sentence: str) -> urwid.Widget:
    key = urwid.Text(("key", name))
    return urwid.Columns([(_KEYS_COLS, key), urwid.Text(sentence)], dividechars=1)


def _marks_rows() -> Rows:
    """Explain the marks that stand before each row of a message."""
    heading = urwid.Text(_("The mark before a message says who could read it then:"))
    return [
        heading,
        *(_explained(mark, words) for mark, words in wording.gutter_legend()),
    ]


def problem_rows(error: UserError, state: ViewState) -> Rows:
    """Say what happened and what to do."""
    words = told(error, state)
    return [urwid.Text(("strong", words.happened)), gap(), urwid.Text(words.to_do)]


def tried_rows(state: ViewState) -> Rows:
    """List the servers that did not take the person, each with its reason."""
    if not state.tried:
        return [urwid.Text(_("No server has said no so far."))]
    heading = ngettext(
        "{n} server did not make an account, for this reason:",
        "{n} servers did not make an account, for these reasons:",
        len(state.tried),
    )
    rows: list[urwid.Widget] = [urwid.Text(heading.format(n=len(state.tried)))]
    for tried in state.tried:
        happened = told(tried.error, state).happened
        name = clean(tried.server, Kind.JID)
        rows += [gap(), urwid.Text(("strong", name)), urwid.Text(happened)]
        if tried.words:
            rows.append(urwid.Text(wording.server_says(tried.words)))
    return rows


def words_box(words: str, *, is_compact: bool = False) -> urwid.Widget:
    """Draw the words of a passphrase to be copied onto paper, three to a row."""
    each = words.split()
    lines = [each[at : at + 3] for at in range(0, len(each), 3)]
    between, cells = ("\n", _NARROW_WORD) if is_compact else ("\n\n", _ROOMY_WORD)
    shown = between.join(
        "".join(word.ljust(cells) for word in line).rstrip() for line in lines
    )
    left = 0 if is_compact else 4
    padded = urwid.Padding(urwid.Text(("strong", shown)), left=left)
    room = [] if is_compact else [gap()]
    return urwid.LineBox(urwid.Pile([*room, padded, *room]))


def words_rows(
    state: ViewState, words: Secret | None, *, is_compact: bool = False
) -> Rows:
    """Show the words that open the vault once more."""
    if not state.keep:
        text = _(
            "Nothing of this session is kept, so there are no words to write down."
        )
        return [urwid.Text(text)]
    if not words:
        text = _("You typed the words yourself; they are not kept here to be shown.")
        return [urwid.Text(text)]
    advice = _("Write them down on paper, in this order. They open your vault.")
    warning = _("Nobody can reset them. They are not shown after you quit.")
    return [
        urwid.Text(advice),
        gap(),
        words_box(words.reveal().decode(), is_compact=is_compact),
        gap(),
        urwid.Text(warning),
    ]


def paste_rows(text: str) -> Rows:
    """Ask before several lines, or a long text, go into the compose line."""
    n_lines = text.count("\n") + 1
    size = ngettext("{n} line", "{n} lines", n_lines).format(n=n_lines)
    first = clean(text.split("\n", 1)[0][:60], Kind.SERVER_TEXT)
    return [
        urwid.Text(
            _("You are pasting {size}, {n} characters.").format(size=size, n=len(text))
        ),
        gap(),
        urwid.Text(_("It begins: {first}").format(first=first)),
        gap(),
        urwid.Text(
            _("Enter puts it into your line; it is not sent yet. Esc drops it.")
        ),
    ]


def new_key_rows(name: str, contact: str, key: bytes) -> Rows:
    """Ask whether a contact's new key is theirs, and show which it is."""
    digits = key.hex().upper()
    groups = [digits[at : at + 8] for at in range(0, len(digits), 8)]
    return [
        urwid.Text(("strong", contact)),
        urwid.Text(_("The new key: {key}").format(key=" ".join(groups))),
        gap(),
        urwid.Text(
            _(
                "{name} has another key than before. That is so with a new device or "
                "program - and also when someone has put themselves between you."
            ).format(name=name)
        ),
        gap(),
        urwid.Text(
            _(
                "Enter only if they told you by another way, by voice or face to face, "
                "that they changed something. What waits is then sent. Esc leaves it."
            )
        ),
    ]


def quit_rows(state: ViewState) -> Rows:
    """Ask before quitting, and say what that ends."""
    n = len(state.accounts)
    kept = (
        ngettext(
            "Your account stays in the vault; your words open it next time.",
            "Your accounts stay in the vault; your words open it next time.",
            n,
        )
        if state.keep
        else ngettext(
            "Nothing is kept: this account and its chats are gone for good.",
            "Nothing is kept: these accounts and their chats are gone for good.",
            n,
        )
    )
    rows = [urwid.Text(_("Your chats end, and the other ends are told.")), gap()]
    if state.accounts:
        names = ", ".join(wording.address(account) for account in state.accounts)
        rows += [urwid.Text(f"{names}: {kept}"), gap()]
    return [*rows, urwid.Text(_("Enter or Ctrl+Q quits. Esc goes back."))]
