"""What the keys do before there is an account.

Rule: as `deeds`, whose table has these too.
"""

from collections.abc import Callable
from typing import assert_never

from coykiosk.contract import (
    AnswerPuzzle,
    AskAnotherPuzzle,
    CancelCreation,
    Connect,
    CreateAccount,
    Door,
    Secret,
    SkipServer,
    UnlockVault,
)
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.actions import Action
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.view import Page, TorPhase
from coykiosk.ui_urwid.welcome import Judgement

__all__ = ["WelcomeDeeds"]


class WelcomeDeeds:
    """Carries out actions on a desk.

    Args:
        desk: What they change.
        ask_further: Asks whether to make an account beside those there are.
    """

    def __init__(self, desk: Desk, ask_further: Callable[[], None]) -> None:
        self._desk = desk
        self._ask_further = ask_further
        self._generation = 0
        self._enter_waits = False

    def table(self) -> dict[Action, Callable[[], None]]:
        """Return what each action does."""
        return {
            Action.TAKE_WORDS: self._take_words,
            Action.TAKE_OWN: self._take_own,
            Action.BACK_TO_WORDS: self._back_to_words,
            Action.NEW_WORDS: self._desk.welcome.new_words,
            Action.KEEP_NOTHING: self._keep_nothing,
            Action.UNLOCK: self._unlock,
            Action.SHOW_HIDE: self._show_hide,
            Action.DOOR: self._door,
            Action.TAKE_DOOR: self._take_door,
            Action.LEAVE_DOOR: self._leave_door,
            Action.CANCEL: self._cancel,
            Action.SKIP_SERVER: self._skip_server,
            Action.ANSWER: self._answer_puzzle,
            Action.OTHER_PUZZLE: self._other_puzzle,
            Action.ENLARGE: self._desk.puzzle.enlarge,
            Action.RETRY: self._retry,
        }

    def passphrase_edited(self) -> None:
        """The person's own words changed: judge them anew."""
        self._generation += 1
        self._enter_waits = False
        self._desk.welcome.edited()
        if self._desk.state.page is Page.START and not self._desk.welcome.own.is_empty:
            self._desk.ask_judge(self._desk.welcome.own.text(), self._generation)

    def judged(self, generation: int, *, is_enough: bool) -> None:
        """The strength of the words as they were at that generation is known."""
        welcome = self._desk.welcome
        if generation != self._generation or welcome.own.is_empty:
            return
        welcome.judgement = Judgement.ENOUGH if is_enough else Judgement.WEAK
        if self._enter_waits:
            self._take_own()

    def _take_words(self) -> None:
        words = self._desk.welcome.words
        if words:
            self._desk.welcome.had_own = False
            self._create(words.copy())

    def _take_own(self) -> None:
        welcome = self._desk.welcome
        match welcome.judgement:
            case Judgement.UNKNOWN:
                self._enter_waits = True
                welcome.judgement = Judgement.CHECKING
            case Judgement.CHECKING:
                self._enter_waits = True
            case Judgement.WEAK:
                self._enter_waits = False
                welcome.was_refused = True
            case Judgement.ENOUGH:
                self._enter_waits = False
                welcome.forget_words()
                welcome.had_own = True
                self._create(welcome.own.take())
            case _:
                assert_never(welcome.judgement)

    def _back_to_words(self) -> None:
        self._desk.welcome.own.clear()
        self.passphrase_edited()

    def _keep_nothing(self) -> None:
        if self._desk.state.unlocking:
            return  # the vault is being opened; wait for what comes of it
        self._desk.welcome.own.clear()
        self._desk.welcome.unlock.clear()
        self._desk.welcome.forget_words()
        self._create(None)

    def _create(self, passphrase: Secret | None) -> None:
        keep = passphrase is not None
        self._desk.state = steps.creation_started(self._desk.state, keep=keep)
        self._desk.submit(CreateAccount(passphrase, self._desk.state.door))

    def _unlock(self) -> None:
        field = self._desk.welcome.field(self._desk.state)
        if field is None or field.is_empty:
            return
        self._desk.state = steps.unlocking_started(self._desk.state)
        self._desk.submit(UnlockVault(field.take(), self._desk.state.door))

    def _show_hide(self) -> None:
        field = self._desk.welcome.field(self._desk.state)
        if field is not None:
            field.is_shown = not field.is_shown

    def _cancel(self) -> None:
        self._desk.state = steps.cancelling(steps.puzzle_left(self._desk.state))
        self._desk.submit(CancelCreation())

    def _door(self) -> None:
        view = self._desk.state
        signs_in = view.page is Page.SIGNING_IN and view.account is not None
        if not view.unlocking and not signs_in:
            self._desk.dialog = None
            self._desk.state = steps.door_shown(self._desk.state)

    def _take_door(self) -> None:
        door = self._desk.door.take()
        if door is not None:
            self._choose_door(door)

    def _leave_door(self) -> None:
        self._desk.door.clear()
        self._choose_door(None)

    def _choose_door(self, door: Door | None) -> None:
        self._desk.state = steps.door_chosen(self._desk.state, door)
        if self._desk.state.accounts:
            self._ask_further()

    def _skip_server(self) -> None:
        self._desk.state = steps.puzzle_left(self._desk.state)
        self._desk.submit(SkipServer())

    def _answer_puzzle(self) -> None:
        answer = self._desk.puzzle.take_answer()
        if answer:
            self._desk.state = steps.puzzle_left(self._desk.state)
            self._desk.submit(AnswerPuzzle(answer))

    def _other_puzzle(self) -> None:
        self._desk.state = steps.puzzle_left(self._desk.state)
        self._desk.submit(AskAnotherPuzzle())

    def _retry(self) -> None:
        view = self._desk.state
        if view.page is Page.SIGNING_IN and view.account is None:
            self._desk.read_problem()
            self._desk.state = steps.creation_started(self._desk.state, keep=True)
            self._desk.submit(CreateAccount(None, view.door))
        elif view.front.offline is not None or view.tor.phase is TorPhase.STOPPED:
            self._desk.read_problem()
            self._desk.submit(Connect())
