"""A person and their account: another path, another password, and its end."""

import secrets
from pathlib import Path

import pytest

from tests.journey.conftest import Launch
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.sights import (
    ENCRYPTED,
    ONLINE,
    WHO,
    make_account,
    open_chat,
    quit_program,
    words_shown,
)
from tests.support.terminal import Terminal

pytestmark = pytest.mark.journey


def say(sender: Terminal, receiver: Terminal) -> None:
    text = f"it is {secrets.token_hex(8)}"
    sender.type(text)
    sender.press("enter")
    receiver.wait_for(text, within_s=60)


def test_account_is_renewed_and_then_burnt(
    launch: Launch, vault_path: Path, practice_network: SharedPracticeNetwork
) -> None:
    friend = launch().terminal
    friend.wait_for("F4")
    there = make_account(friend, "f4")
    first = launch(vault=vault_path).terminal
    words = words_shown(first)
    localpart = make_account(first).partition("@")[0]
    open_chat(first, there)
    friend.wait_for("wants to talk", within_s=60)
    friend.press("tab", "enter")
    friend.wait_for(ENCRYPTED, within_s=60)
    first.wait_for(ENCRYPTED, within_s=60)

    first.press("f4")
    first.wait_for("Your account")
    first.type("n")
    first.wait_for("signing in", within_s=30)
    first.wait_for("online, onion", within_s=60)
    say(first, friend)
    say(friend, first)
    first.press("f4")
    first.type("p")
    first.wait_for("It has a new password", within_s=60)
    first.press("enter")
    assert quit_program(first) == 0
    friend.wait_for("ended the encryption", within_s=60)

    again = launch(vault=vault_path).terminal
    again.wait_for("Type the words that open it")
    again.type(words)
    again.press("enter")
    assert again.wait_for(ONLINE, within_s=90)[1] == localpart
    friend.press("f9")
    again.wait_for(ENCRYPTED, within_s=60)
    again.press("f4")
    again.type("b")
    again.wait_for("cannot be undone")
    again.press("enter")
    again.wait_for("It is burnt: .* has deleted it", within_s=120)
    again.press("enter")
    other_words = words_shown(again)
    friend.wait_for("ended the encryption", within_s=60)

    assert not practice_network.account_exists(localpart)
    assert not vault_path.exists()
    assert other_words != words
    assert make_account(again) != f"{localpart}@{practice_network.domain}"


def test_account_that_is_forgotten_stays_at_its_server(
    launch: Launch, vault_path: Path, practice_network: SharedPracticeNetwork
) -> None:
    terminal = launch(vault=vault_path).terminal
    words_shown(terminal)
    localpart = make_account(terminal).partition("@")[0]
    terminal.wait_for(WHO)

    terminal.press("f4")
    terminal.type("f")
    terminal.wait_for("cannot be undone")
    terminal.press("enter")
    terminal.wait_for("It is forgotten", within_s=60)
    terminal.press("enter")
    words_shown(terminal)
    terminal.press("ctrl q")

    assert terminal.wait_end(within_s=30) == 0
    assert practice_network.account_exists(localpart)
    assert not vault_path.parent.exists()
