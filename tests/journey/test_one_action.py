"""The one action, as a person does it: real terminal, real tor, real Prosody."""

import os
import secrets
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.vault.store import VaultStore
from tests.journey.conftest import Launch
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.sights import (
    ENCRYPTED,
    ONLINE,
    make_account,
    open_chat,
    quit_program,
    words_shown,
)
from tests.support.terminal import Terminal

pytestmark = pytest.mark.journey


def test_account_is_made_with_one_key_and_opens_again_with_the_shown_words(
    launch: Launch, vault_path: Path, practice_network: SharedPracticeNetwork
) -> None:
    """A whole life: made, left, wrong words, right words, the same guard."""
    first = launch(vault=vault_path).terminal
    words = words_shown(first)
    address = make_account(first)
    guard = guard_shown(first)
    first_exit = quit_program(first)
    held = accounts_in(vault_path, words)

    second = launch(vault=vault_path).terminal
    second.wait_for("Type the words that open it")
    second.type("some other words that are wrong")
    second.press("enter")
    second.wait_for("do not open the vault", within_s=30)
    second.type(words)
    second.press("enter")
    again = second.wait_for(ONLINE, within_s=90)
    guard_again = guard_shown(second)
    second_exit = quit_program(second)

    localpart, domain = address.split("@")
    assert (first_exit, second_exit) == (0, 0)
    assert domain == practice_network.domain
    assert practice_network.account_exists(localpart)
    assert held == [(address, "made")]
    assert again[1] == localpart
    assert guard_again == guard


def accounts_in(vault_path: Path, words: str) -> list[tuple[str, str]]:
    store = VaultStore(vault_path, random_bytes=os.urandom)
    profile = store.unlock(Secret(words))
    store.close()
    return [
        (f"{each.localpart}@{each.domain}", "pending" if each.pending else "made")
        for each in profile.accounts
    ]


def guard_shown(terminal: Terminal) -> str:
    terminal.press("f3")
    guard = terminal.wait_for(r"guard: (\w+ \(\w+\))")[1]
    terminal.press("esc")
    terminal.wait_gone("guard:")
    return guard


def test_keeping_nothing_leaves_nothing(launch: Launch, vault_path: Path) -> None:
    run = launch(vault=vault_path)
    run.terminal.wait_for("F4")
    make_account(run.terminal, "f4")
    quit_program(run.terminal)

    assert not vault_path.parent.exists()
    assert list(run.home.iterdir()) == []


def test_escape_while_making_the_account_undoes_it(
    launch: Launch, vault_path: Path
) -> None:
    terminal = launch(vault=vault_path).terminal
    words = words_shown(terminal)
    terminal.press("enter")
    terminal.wait_for("of 5")
    terminal.press("esc")
    shown_again = words_shown(terminal)
    address = make_account(terminal)

    assert shown_again == words
    assert address
    assert vault_path.exists()


def test_practice_leads_to_the_partner_with_one_enter(launch: Launch) -> None:
    practice = Path(__file__).parents[1] / "support" / "run_practice.py"
    terminal = launch(app=practice).terminal
    terminal.wait_for("Write these words", within_s=30)
    terminal.press("enter")
    terminal.wait_for(ENCRYPTED, within_s=110)
    terminal.wait_for("practice partner", within_s=30)
    terminal.type("next")
    terminal.press("enter")

    terminal.wait_for("you +next .* the line to watch", within_s=30)
    assert quit_program(terminal) == 0


def test_two_people_talk(
    launch: Launch, practice_network: SharedPracticeNetwork
) -> None:
    first, second = launch().terminal, launch().terminal
    first.wait_for("F4")
    here = make_account(first, "f4")
    second.wait_for("F4")
    there = make_account(second, "f4")

    open_chat(first, there)
    second.wait_for("wants to talk", within_s=60)
    second.press("tab", "enter")
    second.wait_for(ENCRYPTED, within_s=60)
    first.wait_for(ENCRYPTED, within_s=60)
    text = f"it is {secrets.token_hex(8)}"
    first.type(text)
    first.press("enter")
    second.wait_for(text)

    assert here.split("@")[1] == practice_network.domain
    assert text.encode() not in practice_network.tap()
