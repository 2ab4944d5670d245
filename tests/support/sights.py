"""What a person reads off the screen, for tests that go on with it."""

import re

from tests.support.terminal import Terminal

ONLINE = r"You are (\w+)@([\w.]+)"
ENCRYPTED = "PRIVATE, NOT CHECKED"
START = "Write these words down"
WHO = "Who do you want to talk to"


def words_shown(terminal: Terminal) -> str:
    """The six words of the start screen, as a person writes them down."""
    terminal.wait_for(START)
    framed = re.findall(r"│(.*?)│", terminal.text())
    words = " ".join(framed).split()
    assert len(words) == 6, words
    return " ".join(words)


def make_account(terminal: Terminal, key: str = "enter") -> str:
    """Press the one key and wait; return the address that was made."""
    terminal.press(key)
    found = terminal.wait_for(ONLINE, within_s=90)
    return f"{found[1]}@{found[2]}"


def open_chat(terminal: Terminal, address: str) -> None:
    """Type whom to talk to."""
    terminal.wait_for(WHO)
    terminal.type(address)
    terminal.press("enter")


def quit_program(terminal: Terminal) -> int:
    """Quit as a person does, and return the exit code."""
    terminal.press("ctrl q")
    terminal.wait_for("Quit")
    terminal.press("enter")
    return terminal.wait_end(within_s=30)
