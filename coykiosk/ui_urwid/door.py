"""The screen on which a person names a server, or hands in an invitation.

Rule: one line, judged when Enter is pressed, with one sentence on what is wrong.
"""

from typing import Final

import urwid

from coykiosk.contract import Door
from coykiosk.register.door import DoorFault, DoorRefusedError, read_door
from coykiosk.text import _
from coykiosk.ui_urwid.dialogs import gap
from coykiosk.ui_urwid.editing import line_edit
from coykiosk.ui_urwid.sheet import Sheet
from coykiosk.ui_urwid.untrusted import clean_typed
from coykiosk.ui_urwid.view import ViewState

__all__ = ["DoorPage"]

MAX_CHARS: Final = 2000
_ROOMY_ROWS: Final = 14
_FAULTS: Final = {
    DoorFault.NOTHING: _("Nothing is typed yet."),
    DoorFault.NO_SERVER: _(
        "This is no server and no invitation. A server looks like example.org."
    ),
    DoorFault.ONION_MISCOPIED: _(
        "This onion address was not copied right; copy it once more, whole."
    ),
    DoorFault.WEB_PAGE: _(
        "This is a web page, and none is opened here. Ask for the invitation itself; "
        "it begins with xmpp:"
    ),
    DoorFault.NO_TOKEN: _(
        "This link is no invitation to make an account. Ask for one that is."
    ),
}


class DoorPage:
    """A line for a server or an invitation."""

    def __init__(self) -> None:
        self._edit = line_edit("> ", max_chars=MAX_CHARS, wrap="any")
        self._sheet = Sheet()
        self._fault: DoorFault | None = None

    @property
    def is_empty(self) -> bool:
        """True while nothing is typed."""
        return not self._edit.edit_text

    def keypress(self, key: str) -> None:
        """Edit the line."""
        self._fault = None
        self._edit.keypress((MAX_CHARS,), key)
        self._sheet.follow_cursor()

    def paste(self, text: str) -> None:
        """Put a pasted text where the cursor is, as one line."""
        self._fault = None
        self._edit.insert_text(" ".join(clean_typed(text).split())[:MAX_CHARS])

    def take(self) -> Door | None:
        """Return what was typed; None when it is nothing, and the screen says why."""
        try:
            door = read_door(self._edit.edit_text)
        except DoorRefusedError as exc:
            self._fault = exc.fault
            return None
        self.clear()
        return door

    def clear(self) -> None:
        """Forget what was typed; an invitation is worth an account."""
        self._edit.set_edit_text("")
        self._fault = None

    def scroll(self, pages: int) -> None:
        """Show what lies below or above."""
        self._sheet.scroll(pages)

    def draw(self, _state: ViewState, cols: int, rows: int) -> urwid.CompositeCanvas:
        """Draw the screen."""
        is_compact = rows < _ROOMY_ROWS
        heading = _("An invitation, or a server of your own choice")
        body: list[urwid.Widget] = [] if is_compact else [gap()]
        body.append(urwid.Text(("strong", heading)))
        if not is_compact:
            words = _(
                "Paste the invitation you were given; it begins with xmpp:. Or type a "
                "server, like example.org, and behind it its onion, if you know it."
            )
            body += [gap(), urwid.Text(words), gap()]
        focus = len(body)
        body += [self._edit, urwid.Text(self._judgement())]
        if not is_compact:
            words = _(
                "Whoever gave you the invitation, and the server, can tell who was "
                "invited. Without an onion, a Tor exit sees which server you use."
            )
            body += [gap(), urwid.Text(words)]
        self._sheet.show(body, focus)
        return self._sheet.draw(cols, rows)

    def _judgement(self) -> str | tuple[str, str]:
        if self._fault is None:
            return _("Enter takes it; the account is made in the next step.")
        return "caution", f"[--] {_FAULTS[self._fault]}"
