"""The field for bridge lines, and what stands around it.

Rule: it keeps what is typed until the session has taken it; whether a line is a
bridge is not decided here.
"""

from typing import Final

import urwid

from coykiosk.text import _, describe
from coykiosk.ui_urwid.dialogs import Rows, gap
from coykiosk.ui_urwid.editing import line_edit
from coykiosk.ui_urwid.untrusted import Kind, clean, clean_typed
from coykiosk.ui_urwid.view import ViewState

__all__ = ["BridgesField", "bridge_name", "bridges_kept"]

MAX_CHARS: Final = 20_000


class BridgesField:
    """Bridge lines as they are pasted or typed."""

    def __init__(self) -> None:
        self._edit = line_edit("> ", max_chars=MAX_CHARS, wrap="any")

    @property
    def text(self) -> str:
        """What stands in it, without the blanks around it."""
        text: str = self._edit.edit_text
        return text.strip()

    def keypress(self, key: str) -> None:
        """Edit the lines."""
        self._edit.keypress((MAX_CHARS,), key)

    def paste(self, text: str) -> None:
        """Put a pasted text where the cursor is, as far as there is room."""
        self._insert(clean_typed(text).strip("\n"))

    def next_line(self) -> None:
        """Begin another line."""
        self._insert("\n")

    def _insert(self, text: str) -> None:
        room = max(0, MAX_CHARS - len(self._edit.edit_text))
        self._edit.insert_text(text[:room])

    def clear(self) -> None:
        """Forget what stands in it."""
        self._edit.set_edit_text("")

    def rows(self, state: ViewState) -> tuple[Rows, int]:
        """Return what is to be shown, and where in it the field is."""
        before: list[urwid.Widget] = [
            urwid.Text(_("Paste bridge lines here; Tab begins another line.")),
            urwid.Text(
                _(
                    "Bridges are hidden ways into the Tor network, for where it is "
                    "blocked, or where nobody may see that you use it. You get them "
                    "at bridges.torproject.org, or from people you trust."
                )
            ),
            gap(),
        ]
        after: list[urwid.Widget] = [*_answer(state), gap()]
        after.append(
            urwid.Text(_("Enter: Tor goes through these, at once, and no other way."))
        )
        if state.bridges:
            words = _("F8: no bridges; then this network can see that you use Tor.")
            after.append(urwid.Text(words))
        after.append(urwid.Text(bridges_kept(state)))
        return [*before, self._edit, *after], len(before)


def _answer(state: ViewState) -> Rows:
    if state.bridges_sent:
        return [urwid.Text(_("Looking at them ..."))]
    if state.bridges_problem is None:
        return []
    told = describe(state.bridges_problem, lambda fact: clean(fact, Kind.SERVER_TEXT))
    return [urwid.Text(("caution", told.happened)), urwid.Text(told.to_do)]


def bridge_name(line: str) -> str:
    """Return what tells a bridge from others: how it hides, and where it is."""
    words = line.split()
    n_shown = 1 if ":" in words[0] else 2
    return clean(" ".join(words[:n_shown]), Kind.SERVER_TEXT)


def bridges_kept(state: ViewState) -> str:
    """Return where bridges are kept."""
    if state.vault_open or (state.front.online is not None and state.keep):
        return _("They are kept in your vault, and nowhere else.")
    if state.front.online is not None:
        return _("They are kept in memory only, until you quit.")
    return _("They are kept in your vault once it is open; without one, in memory.")
