"""A person whose network blocks Tor, with a bridge: real terminal, tor, obfs4."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from coykiosk.onion.scratch import Scratch
from tests.journey.conftest import Launch
from tests.support.obfs4_bridge import Obfs4Bridge, blocked, start_bridge
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.sights import ONLINE, quit_program, words_shown

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

PASTE = "\x1b[200~{}\x1b[201~"


@pytest.fixture
def bridge(practice_network: SharedPracticeNetwork) -> Iterator[Obfs4Bridge]:
    with asyncio.Runner() as runner:
        scratch = runner.run(Scratch.create())
        torrc = practice_network.client_torrc
        try:
            made = runner.run(start_bridge(scratch, torrc, scratch.path))
            yield made
            runner.run(made.stop())
        finally:
            runner.run(scratch.close())


@pytest.fixture
def censor() -> Iterator[socket.socket]:
    """Who takes every connection to the public network, and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        listener.setblocking(False)
        yield listener


def n_caught(censor: socket.socket) -> int:
    """How many connections came since the last time this was asked."""
    caught = 0
    while True:
        try:
            censor.accept()[0].close()
        except BlockingIOError:
            return caught
        caught += 1


def test_bridge_pasted_on_the_first_screen_leads_around_the_block_and_is_kept(
    launch: Launch,
    vault_path: Path,
    practice_network: SharedPracticeNetwork,
    bridge: Obfs4Bridge,
    censor: socket.socket,
) -> None:
    torrc = blocked(practice_network.client_torrc, censor.getsockname()[1])
    first = launch(vault=vault_path, torrc=torrc).terminal
    words = words_shown(first)
    first.press("enter")
    first.wait_for("waiting until Tor is connected")
    first.press("f3")
    first.wait_for("No bridges")
    first.wait_for("(reached|greeting) a first relay")
    first.press("f4")
    first.type(PASTE.format(f"Bridge {bridge.line}\r\r"))
    first.wait_for("> Bridge obfs4")
    first.press("enter")
    first.wait_for("your bridge, and no other way")
    seen_openly = n_caught(censor)
    first.press("esc")
    address = first.wait_for(ONLINE, within_s=90)[0]
    first.press("f3")
    hop = first.wait_for(r"your bridge: (\w+)")[1]
    first.press("esc")
    first.wait_gone("your bridge:")
    first_exit = quit_program(first)
    n_caught(censor)

    second = launch(vault=vault_path, torrc=torrc).terminal
    second.wait_for("Type the words that open it")
    second.type(words)
    second.press("enter")
    again = second.wait_for(ONLINE, within_s=90)[0]
    second_exit = quit_program(second)

    assert seen_openly  # or there was no block to lead around
    assert hop == "PracticeBridge"
    assert again == address
    assert n_caught(censor) == 0
    assert (first_exit, second_exit) == (0, 0)
