"""What is said about one's account: what can be done, what that means, what was done.

Rule: each question says plainly what happens, here and at the server, and whether it
can be undone; each builder returns the rows of a sheet, as in `dialogs`.
"""

from typing import Final

import urwid

from coykiosk.contract import AccountForgotten, Jid, PasswordChanged
from coykiosk.text import _
from coykiosk.ui_urwid import keymap, wording
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.dialogs import Rows, gap
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import ViewState

__all__ = [
    "account_rows",
    "further_rows",
    "leaving_rows",
    "news_rows",
    "question_rows",
]

_CHOICES: Final = frozenset(
    {
        *(Action.NEW_PATH, Action.NEW_PASSWORD, Action.FURTHER),
        *(Action.FORGET, Action.BURN),
    }
)
_KEY_COLS: Final = 3


def account_rows(state: ViewState, *, is_compact: bool) -> Rows:
    """Offer what can be done with the account."""
    if state.account is None:
        return []
    rows: list[urwid.Widget] = [
        urwid.Text(("strong", wording.address(state.account))),
    ]
    for key, sentence in keymap.help_of(Where.ACCOUNT, _CHOICES):
        shown = urwid.Text(("key", key))
        choice = urwid.Columns([(_KEY_COLS, shown), urwid.Text(sentence)], 1)
        rows += [choice] if is_compact else [gap(), choice]
    return rows


def further_rows(state: ViewState) -> Rows:
    """Ask before another account is made beside those there are."""
    sentences = [
        _(
            "Another account is made beside yours: with a server that has none of "
            "yours yet, if one takes you, on a path and with keys of its own."
        ),
        _(
            "Nobody can see that both are yours, unless you say so. But both come and "
            "go when you do: whoever watches both for long may guess it."
        ),
        _("It is kept in your vault, like the others.")
        if state.keep and state.accounts
        else _("Nothing is kept of it: when you quit, it is gone like the others."),
    ]
    if state.door is not None:
        server = clean(state.door.domain, Kind.JID)
        sentences[0] = _(
            "Another account is made beside yours, at {server} as you said, on a path "
            "and with keys of its own."
        ).format(server=server)
    keys = _(
        "Enter makes it. F9: with an invitation, or a server you name. Esc goes back."
    )
    rows: list[urwid.Widget] = []
    for sentence in [*sentences, keys]:
        rows += [urwid.Text(sentence), gap()]
    return rows


def question_rows(kind: Action, subject: Jid, *, keep: bool) -> Rows:
    """Ask before something is done to the account, or to a contact.

    Args:
        kind: FORGET, BURN, BLOCK or FORGET_CONTACT.
        subject: One's own account, or the contact.
        keep: Whether the account is in a vault.
    """
    name = urwid.Text(("strong", wording.address(subject)))
    match kind:
        case Action.FORGET:
            sentences = _forget(subject, keep=keep)
        case Action.BURN:
            sentences = _burn(subject, keep=keep)
        case Action.FORGET_CONTACT:
            sentences = _forget_contact(keep=keep)
        case _:
            sentences = _block(keep=keep)
    rows: list[urwid.Widget] = [name]
    for sentence in sentences:
        rows += [gap(), urwid.Text(sentence)]
    return rows


def _forget(account: Jid, *, keep: bool) -> list[str]:
    server = clean(account.domainpart, Kind.JID)
    return [
        _("Your chats end, and the other ends are told."),
        _here(keep=keep),
        _(
            "At {server} the account stays, without anybody who could use it. "
            "To have it deleted there too, go back with Esc and burn it."
        ).format(server=server),
        _("This cannot be undone. Enter forgets it. Esc goes back."),
    ]


def _burn(account: Jid, *, keep: bool) -> list[str]:
    server = clean(account.domainpart, Kind.JID)
    return [
        _("Your chats end, and the other ends are told."),
        _(
            "{server} is asked to delete the account. Later somebody else may take "
            "the name; your contacts then see that it has another key."
        ).format(server=server),
        _here(keep=keep),
        _("This cannot be undone. Enter burns it. Esc goes back."),
    ]


def _here(*, keep: bool) -> str:
    if not keep:
        return _("Here, its password, its keys and whom it knew are wiped.")
    return _(
        "Here, its password, its keys and whom it knew leave the vault; a vault "
        "with nothing else in it is removed, and its words open nothing any more."
    )


def _block(*, keep: bool) -> list[str]:
    lasts = (
        _("That stays so, also next time.") if keep else _("That stays until you quit.")
    )
    return [
        _(
            "The chat with them ends, and they are told so once, as when you quit. "
            "What was said in it leaves the screen."
        ),
        _("Nothing of theirs is shown any more; they are not told why."),
        lasts,
        _("Enter blocks them. Esc goes back. Below your chats you can unblock them."),
    ]


def _forget_contact(*, keep: bool) -> list[str]:
    return [
        _(
            "The chat with them ends, and they are told so once, as when you quit. "
            "What was said in it leaves the screen."
        ),
        _("Their key, and that you knew them, leaves your vault.")
        if keep
        else _("Their key, and that you knew them, is forgotten."),
        _(
            "Should you meet again, their key is taken for a first one: nothing warns "
            "you then if it is another."
        ),
        _("Enter forgets them. Esc goes back."),
    ]


def leaving_rows(state: ViewState) -> Rows:
    """Say what is being done while the account goes."""
    if state.account is None:
        return []
    name = urwid.Text(("strong", f"  {wording.address(state.account)}"))
    if not state.is_burning:
        return [gap(), urwid.Text(_("Forgetting")), name]
    server = clean(state.account.domainpart, Kind.JID)
    words = _(
        "The chats end, then {server} is asked to delete the account. Through Tor, "
        "this takes some seconds; if no answer comes, up to some minutes."
    )
    return [
        gap(),
        urwid.Text(_("Burning")),
        name,
        gap(),
        urwid.Text(words.format(server=server)),
    ]


def news_rows(news: AccountForgotten | PasswordChanged) -> Rows:
    """Say what was done."""
    return [
        urwid.Text(("strong", wording.address(news.account))),
        gap(),
        urwid.Text(wording.news_words(news)),
        gap(),
        urwid.Text(_("Enter goes on.")),
    ]
