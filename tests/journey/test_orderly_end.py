"""Every end but kill -9: nothing runs on, and a shell finds its terminal as it was.

And the end of tor, which is not the program's.
"""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.launching import Launch
from tests.support.permitted import check_contacts, directories_made, relay_ports
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.processes import descendants, kill, program_of, scratch_directories
from tests.support.scene import (
    ALTERNATE_SCREEN,
    PRACTICE,
    Deed,
    Scene,
    check_given_back,
    check_gone,
    localparts_kept,
    see_relays,
    see_step,
)
from tests.support.sights import make_account, quit_program, words_shown
from tests.support.terminal import Terminal
from tests.support.tracing import Trace

pytestmark = pytest.mark.journey


def press_ctrl_c(scene: Scene) -> None:
    """Press it; and once more, where the program asks whether that is meant."""
    terminal = scene.terminal
    terminal.press("ctrl c")
    scene.until(lambda: is_asked(terminal) or is_over(terminal), "an answer")
    if not is_over(terminal):
        terminal.press("ctrl c")


def is_asked(terminal: Terminal) -> bool:
    return "Quit?" in terminal.flat()


def is_over(terminal: Terminal) -> bool:
    return ALTERNATE_SCREEN[1] in terminal.output


def terminate(scene: Scene) -> None:
    scene.terminal.signal(signal.SIGTERM)


TIMES: dict[str, Deed] = {
    "first paint": Scene.paint,
    "making the account": see_step(4),
    "in a chat": Scene.chat,
}


@pytest.mark.parametrize("go_there", TIMES.values(), ids=TIMES.keys())
@pytest.mark.parametrize("end", [press_ctrl_c, terminate], ids=["Ctrl-C", "SIGTERM"])
def test_end_gives_the_terminal_back_and_leaves_nothing_running(
    set_out: Callable[[], Scene], go_there: Deed, end: Deed
) -> None:
    scene = set_out()
    go_there(scene)
    children = descendants(scene.terminal.pid)
    scratch = scratch_directories(children)

    end(scene)
    exit_code = scene.terminal.wait_end(within_s=30)

    check_gone(children, scratch)
    localparts_kept(scene)
    assert exit_code == 0
    check_given_back(scene.terminal)
    assert list(scene.run.home.iterdir()) == []


@pytest.mark.parametrize("go_there", TIMES.values(), ids=TIMES.keys())
def test_closed_window_ends_the_program_and_leaves_nothing_running(
    set_out: Callable[[], Scene], go_there: Deed
) -> None:
    scene = set_out()
    go_there(scene)
    children = descendants(scene.terminal.pid)
    scratch = scratch_directories(children)

    scene.terminal.close()
    exit_code = scene.terminal.wait_end(within_s=30)

    check_gone(children, scratch)
    localparts_kept(scene)
    assert exit_code == 0


def test_second_signal_ends_the_program_without_further_ado(launch: Launch) -> None:
    terminal = launch(app=PRACTICE).terminal
    see_relays(terminal)
    children = descendants(terminal.pid)
    scratch = scratch_directories(children)

    # Two numbers: the kernel would make one of two signals with the same.
    terminal.signal(signal.SIGTERM)
    terminal.signal(signal.SIGHUP)
    exit_code = terminal.wait_end(within_s=30)

    check_gone(children, scratch)
    assert exit_code == 130
    check_given_back(terminal)


def test_end_of_practice_takes_its_network_along(launch: Launch) -> None:
    terminal = launch(app=PRACTICE).terminal
    see_relays(terminal)
    children = descendants(terminal.pid)
    scratch = scratch_directories(children)

    terminal.signal(signal.SIGTERM)
    exit_code = terminal.wait_end(within_s=30)

    check_gone(children, scratch)
    assert exit_code == 0
    check_given_back(terminal)


# --- the end of tor -----------------------------------------------------------------


def test_end_of_tor_ends_the_connection_until_a_key_brings_both_back(
    launch: Launch, vault_path: Path, practice_network: SharedPracticeNetwork
) -> None:
    run = launch(vault=vault_path, is_traced=True)
    terminal = run.terminal
    words_shown(terminal)
    make_account(terminal)

    (tor,) = (p for p in descendants(terminal.pid) if program_of(p) == "tor")
    kill(tor)
    terminal.wait_for("Tor has stopped, and every connection with it")
    terminal.wait_for(r"Tor: STOPPED \| .*OFFLINE")
    terminal.press("f5")
    terminal.wait_for(r"Tor: connected \| .*online, onion", within_s=60)
    quit_program(terminal)

    assert run.traces is not None
    trace = Trace(run.traces)
    check_contacts(trace, relay_ports(practice_network.path))
    scratch = directories_made(trace)
    assert [path.exists() for path in scratch] == [False, False]
