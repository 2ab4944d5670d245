"""The keys that a sentence names are those that work where it is read."""

import pytest

from coykiosk.contract import (
    AccountOffline,
    Connect,
    CreateAccount,
    Door,
    Event,
    Failed,
    TorReady,
    TorStopped,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid.actions import Where
from tests.ui_urwid.test_pages import LOST, ME, NO_VAULT, ONLINE, VAULT, Person

NONE_LEFT = Failed(UserError(ErrorCode.NO_SERVER_LEFT, count="2"), CreateAccount)
STOPPED = UserError(ErrorCode.TOR_STOPPED)


@pytest.mark.parametrize(
    ("before", "keys", "after", "named"),
    [
        pytest.param([NO_VAULT], ["enter"], [], "Enter", id="start"),
        pytest.param([NO_VAULT], ["f4"], [], "F4", id="start, nothing kept"),
        pytest.param([VAULT], ["f4"], [], "F4", id="unlock, nothing kept"),
        pytest.param(
            [NO_VAULT], ["enter"], [VaultUnlocked(())], "F5", id="vault stays"
        ),
        pytest.param(
            [NO_VAULT, ONLINE], ["f4", "a", "enter"], [], "F4 and then A", id="further"
        ),
    ],
)
def test_no_server_left_names_the_key_that_tries_again_there(
    before: list[Event], keys: list[str], after: list[Event], named: str
) -> None:
    person = Person(*before)
    person.presses(*keys)

    person.happens(NONE_LEFT, *after)

    assert f"Esc goes back, and there {named} tries all of them again" in person.sees()
    n_before = len(person.commands)
    again = {"Enter": ["enter"], "F4 and then A": ["f4", "a", "enter"]}
    person.presses("esc", *again.get(named, [named.lower()]))
    [command] = person.commands[n_before:]
    assert isinstance(command, CreateAccount)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([NO_VAULT, TorStopped(STOPPED)], id="start"),
        pytest.param(
            [VAULT, VaultUnlocked((ME,)), TorStopped(STOPPED)], id="signing in"
        ),
        pytest.param(
            [NO_VAULT, ONLINE, AccountOffline(ME, LOST, None)], id="with people"
        ),
    ],
)
def test_f5_works_over_the_sheet_that_names_it(events: list[Event]) -> None:
    person = Person(*events, Failed(STOPPED, None))
    assert "Press F5" in person.sees()

    person.presses("f5")

    assert person.commands == [Connect()]
    assert person.shell.where is not Where.SHEET


def test_f5_works_over_the_sheet_where_it_makes_the_account() -> None:
    person = Person(VAULT, VaultUnlocked(()), Failed(STOPPED, UnlockVault))

    person.presses("f5")

    assert person.commands == [CreateAccount(None)]
    assert person.shell.where is Where.PROGRESS


def test_vault_without_an_account_gets_one_where_the_person_says() -> None:
    door = Door("example.net", None, "")
    person = Person(VAULT, VaultUnlocked(()))
    assert "F9" in person.sees()

    person.presses("f9", *"example.net", "enter")
    seen = person.sees()
    person.presses("f5")

    assert "The account will be made at example.net" in seen
    assert person.commands == [CreateAccount(None, door)]


def test_door_that_was_chosen_goes_with_the_words_that_open_the_vault() -> None:
    """The account may not be in it yet; then it is made, and not just anywhere."""
    person = Person(VAULT)
    person.presses("f9", *"example.net", "enter")

    person.presses(*"words", "enter")

    [command] = person.commands
    assert isinstance(command, UnlockVault)
    assert command.door == Door("example.net", None, "")


def test_start_screen_says_that_its_words_are_not_those_that_were_typed() -> None:
    """Or the next Enter seals a vault with words that nobody wrote down."""
    person = Person(NO_VAULT)
    person.types("my own words")
    person.presses("enter")
    person.shell.judged(person.asked[-1][1], is_enough=True)

    person.happens(NONE_LEFT)
    person.presses("esc")

    assert "Your own words are not kept: type them again" in person.sees()
    person.presses("enter")
    person.happens(NONE_LEFT)
    person.presses("esc")
    assert "Write these words down" in person.sees()


def test_invitation_is_not_asked_for_while_an_account_signs_in() -> None:
    person = Person(VAULT, VaultUnlocked((ME,)))

    person.presses("f9")

    assert person.shell.where is Where.SIGNING_IN
    assert "F9" not in person.sees()


def test_next_server_is_not_offered_while_tor_is_waited_for() -> None:
    person = Person(NO_VAULT)

    person.presses("enter")

    assert "F4" not in person.sees()
    assert "Esc" in person.sees()


def test_f5_works_on_the_tor_sheet_that_names_it() -> None:
    person = Person(NO_VAULT, TorReady(own=True), TorStopped(STOPPED))
    person.presses("f3")
    assert "F5" in person.sees()

    person.presses("f5")

    assert person.commands == [Connect()]
    assert person.shell.where is Where.TOR


@pytest.mark.parametrize(
    "code", [ErrorCode.BURN_UNSURE, ErrorCode.PASSWORD_REFUSED], ids=lambda c: c.name
)
def test_account_is_opened_over_the_sheet_that_names_its_key(code: ErrorCode) -> None:
    person = Person(NO_VAULT, ONLINE, Failed(UserError(code, server="x.org"), None))
    assert "F4" in person.sees()

    person.presses("f4")

    assert person.shell.where is Where.ACCOUNT
    person.presses("esc")
    assert not person.shell.state.problems


def test_f4_pressed_once_too_often_for_the_next_server_keeps_the_sheet() -> None:
    """Whoever leaves servers out with F4 must not begin again with the last one."""
    person = Person(NO_VAULT)
    person.presses("enter")
    person.happens(NONE_LEFT)
    n_before = len(person.commands)

    person.presses("f4", "f4")

    assert person.shell.where is Where.SHEET
    assert len(person.commands) == n_before


def test_other_sheets_are_not_left_for_the_account() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.presses("f1")

    person.presses("f4")

    assert person.shell.where is Where.SHEET
