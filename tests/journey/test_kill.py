"""kill -9 at any moment of the one action: nothing runs on, no account is lost."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.chance import seeded
from tests.support.launching import Launch
from tests.support.processes import (
    descendants,
    freeze,
    program_of,
    scratch_directories,
)
from tests.support.scene import (
    PRACTICE,
    Deed,
    Scene,
    check_gone,
    localparts_kept,
    see_relays,
    see_step,
)
from tests.support.sights import ONLINE
from tests.support.terminal import Terminal

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def kept_so_far() -> set[str]:
    """The localparts in all vaults of this module's runs.

    What a killed run has sent may reach the server during the next one.
    """
    return set()


# --- the moments --------------------------------------------------------------------


def press_enter(scene: Scene) -> None:
    scene.begin()


def see_lock(scene: Scene) -> None:
    scene.begin()
    scene.until(scene.vault.with_name("vault.lock").exists, "the vault's lock")


def see_vault_growing(scene: Scene) -> None:
    scene.begin()
    folder = scene.vault.parent
    scene.until(lambda: any(folder.glob("*.tmp")) or scene.vault.exists(), "a vault")


def see_account_on_server(scene: Scene) -> None:
    scene.begin()
    scene.until(lambda: bool(scene.new_accounts()), "an account on the server")


def begin_to_quit(scene: Scene) -> None:
    scene.chat()
    scene.terminal.press("ctrl q")
    scene.terminal.wait_for(r"Quit\?")
    scene.terminal.press("enter")
    program = scene.terminal.pid
    scene.until(lambda: "tor" not in map(program_of, descendants(program)), "no tor")


def wait_by_chance(seed: int) -> Deed:
    """A moment of the three seconds that follow the key."""

    def deed(scene: Scene) -> None:
        delay_s = 3 * int.from_bytes(seeded(seed)(2), "big") / 0xFFFF
        scene.begin()
        end = time.monotonic() + delay_s
        scene.until(lambda: time.monotonic() > end, f"{delay_s} s")

    return deed


MOMENTS: dict[str, Deed] = {
    "first paint": Scene.paint,
    "start screen": Scene.read_words,
    "key pressed": press_enter,
    "vault locked": see_lock,
    "vault written": see_vault_growing,
    "reaching": see_step(3),
    "making the account": see_step(4),
    "account on the server": see_account_on_server,
    "signing in": see_step(5),
    "online": Scene.go_online,
    "in a chat": Scene.chat,
    "quitting": begin_to_quit,
    **{f"chance {n}": wait_by_chance(n) for n in range(4)},
}


# --- what is left -------------------------------------------------------------------


@pytest.mark.parametrize("go_there", MOMENTS.values(), ids=MOMENTS.keys())
def test_kill_leaves_no_child_and_loses_no_account(
    set_out: Callable[[], Scene], kept_so_far: set[str], go_there: Deed
) -> None:
    scene = set_out()

    go_there(scene)
    kill_and_check_children(scene.terminal)

    kept = localparts_kept(scene)
    kept_so_far |= kept
    assert scene.new_accounts() <= kept_so_far
    assert scene.online_as <= kept
    assert all(map(scene.network.account_exists, scene.online_as))
    assert list(scene.run.home.iterdir()) == []


def test_account_that_a_killed_run_made_is_signed_in_to_by_the_next(
    set_out: Callable[[], Scene], kept_so_far: set[str]
) -> None:
    killed = set_out()
    see_account_on_server(killed)
    kill_and_check_children(killed.terminal)
    kept = localparts_kept(killed)
    kept_so_far |= kept

    terminal = set_out().terminal
    terminal.wait_for("Type the words that open it")
    terminal.type(killed.words)
    terminal.press("enter")
    online_as = terminal.wait_for(ONLINE, within_s=90)[1]

    assert {online_as} == kept
    assert killed.new_accounts() <= kept_so_far


def test_kill_takes_the_practice_network_along(launch: Launch) -> None:
    terminal = launch(app=PRACTICE).terminal

    see_relays(terminal)

    kill_and_check_children(terminal)


def kill_and_check_children(terminal: Terminal) -> None:
    """Kill the program in the moment it is in; see its children and files go."""
    # Stopped first: so nothing is started after we have looked for children.
    freeze(terminal.pid)
    children = descendants(terminal.pid)
    scratch = scratch_directories(children)
    terminal.signal(signal.SIGKILL)
    terminal.wait_end()
    check_gone(children, scratch)
