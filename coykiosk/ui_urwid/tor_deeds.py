"""What the keys do on the Tor sheet and in the field for bridges.

Rule: as `deeds`, whose table has these too.
"""

from collections.abc import Callable

from coykiosk.contract import AskCircuit, UseBridges
from coykiosk.text import _
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.dialogs import Dialog

__all__ = ["TorDeeds"]


class TorDeeds:
    """Carries out actions on a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def table(self) -> dict[Action, Callable[[], None]]:
        """Return what each action does."""
        return {
            Action.TOR: self.show,
            Action.BRIDGES: self._open_field,
            Action.TAKE_BRIDGES: self._take,
            Action.NEXT_LINE: self._desk.bridges.next_line,
            Action.NO_BRIDGES: self._use_none,
        }

    def show(self) -> None:
        """Lay the Tor sheet over the screen."""
        title = _("Tor, and the path of your connection")
        self._desk.open(Dialog(Where.TOR, title, Action.TOR))
        account = self._desk.state.account
        if account is not None:
            self._desk.submit(AskCircuit(account))

    def taken(self) -> None:
        """The session uses what was in the field: show the Tor sheet again."""
        self._desk.bridges.clear()
        self.leave_field()

    def leave_field(self) -> None:
        """Go back to the Tor sheet."""
        self._desk.state = steps.bridges_closed(self._desk.state)
        self.show()

    def _open_field(self) -> None:
        self._desk.state = steps.bridges_opened(self._desk.state)
        self._desk.open(Dialog(Where.BRIDGES, _("Bridges for Tor"), Action.BRIDGES))

    def _take(self) -> None:
        text = self._desk.bridges.text
        if text:
            # Nothing typed is no wish to go without: that has a key of its own.
            self._ask_for(text)

    def _use_none(self) -> None:
        if self._desk.state.bridges:
            self._ask_for("")

    def _ask_for(self, text: str) -> None:
        if not self._desk.state.bridges_sent:
            self._desk.state = steps.bridges_asked_for(self._desk.state)
            self._desk.submit(UseBridges(text))
