"""What the keys do that concern one's account, or keep somebody out.

Rule: as in `deeds`; what cannot be undone is asked about first.
"""

from collections.abc import Callable
from typing import Final

from coykiosk.contract import (
    BlockContact,
    BurnAccount,
    ChangePassword,
    CreateAccount,
    ForgetAccount,
    ForgetContact,
    Jid,
    NewCircuit,
    UnblockContact,
)
from coykiosk.text import _
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.actions import Action, Where
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.dialogs import Dialog
from coykiosk.ui_urwid.view import ViewState

__all__ = ["AccountDeeds"]

_QUESTIONS: Final = {
    Action.FORGET: _("Forget this account?"),
    Action.BURN: _("Burn this account?"),
    Action.BLOCK: _("Block this person?"),
    Action.FORGET_CONTACT: _("Forget this person?"),
}


class AccountDeeds:
    """Carries out these actions on a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def table(self) -> dict[Action, Callable[[], None]]:
        """Return what each of the actions does."""
        return {
            Action.ACCOUNT: self._account,
            Action.NEW_PATH: self._new_path,
            Action.NEW_PASSWORD: self._new_password,
            Action.FORGET: lambda: self._ask(Action.FORGET, self._desk.state.account),
            Action.BURN: lambda: self._ask(Action.BURN, self._desk.state.account),
            Action.BLOCK: lambda: self._ask(Action.BLOCK, self._desk.who.chosen),
            Action.FORGET_CONTACT: self._ask_to_forget,
            Action.UNBLOCK: self._unblock,
            Action.SWITCH: self._switch,
            Action.NEXT_ACCOUNT: self._next_account,
            Action.FURTHER: self.ask_further,
        }

    def confirmed(self, dialog: Dialog) -> bool:
        """Do what was asked about; whether it was one of these questions."""
        desk, subject = self._desk, dialog.subject
        if dialog.kind is Action.FURTHER:
            self._make_further()
            return True
        if subject is None:
            return False
        match dialog.kind:
            case Action.FORGET:
                desk.state = steps.leaving_started(desk.state, is_burning=False)
                desk.submit(ForgetAccount(subject))
            case Action.BURN:
                desk.state = steps.leaving_started(desk.state, is_burning=True)
                desk.submit(BurnAccount(subject))
            case Action.BLOCK if desk.state.account is not None:
                desk.who.unchoose()
                desk.submit(BlockContact(desk.state.account, subject))
            case Action.FORGET_CONTACT if desk.state.account is not None:
                desk.who.unchoose()
                desk.submit(ForgetContact(desk.state.account, subject))
            case _:
                return False
        return True

    def _make_further(self) -> None:
        desk = self._desk
        if desk.has_account_here and desk.state.step is None:
            desk.state = steps.creation_started(desk.state, keep=desk.state.keep)
            desk.submit(CreateAccount(None, desk.state.door, is_further=True))

    def _account(self) -> None:
        if self._desk.has_account_here:
            self._desk.read_problem()
            title = _("Your account")
            self._desk.open(Dialog(Where.ACCOUNT, title, Action.ACCOUNT))

    def _ask(self, kind: Action, subject: Jid | None) -> None:
        if subject is not None:
            title = _QUESTIONS[kind]
            self._desk.open(Dialog(Where.CONFIRM, title, kind, subject=subject))

    def _ask_to_forget(self) -> None:
        self._ask(Action.FORGET_CONTACT, self._desk.who.chosen)

    def _new_path(self) -> None:
        self._desk.dialog = None
        if self._desk.state.account is not None:
            self._desk.submit(NewCircuit(self._desk.state.account))

    def _new_password(self) -> None:
        self._desk.dialog = None
        if self._desk.state.account is not None:
            self._desk.submit(ChangePassword(self._desk.state.account))

    def _unblock(self) -> None:
        desk = self._desk
        if desk.who.chosen is not None and desk.state.account is not None:
            desk.submit(UnblockContact(desk.state.account, desk.who.chosen))

    # --- several accounts ---------------------------------------------------------

    def _switch(self) -> None:
        if self._desk.who.chosen is not None:
            self._be(steps.account_in_front(self._desk.state, self._desk.who.chosen))

    def _next_account(self) -> None:
        self._be(steps.next_account(self._desk.state))

    def _be(self, state: ViewState) -> None:
        if state.account != self._desk.state.account:
            # What was typed was typed as somebody else.
            self._desk.who.clear()
        self._desk.state = state

    def ask_further(self) -> None:
        """Ask whether to make another account, beside one that there is."""
        if self._desk.state.account is None:
            return
        title = _("Another account?")
        self._desk.open(Dialog(Where.FURTHER, title, Action.FURTHER))
