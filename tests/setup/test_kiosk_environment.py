"""The virtual environment of ./kiosk: it is complete, or it is built anew."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.setup.conftest import Machine

STARTS = "python -I -B -m coykiosk"


def _interrupt(checkout: Path) -> None:
    (checkout / ".venv" / "run" / "stamp").unlink()


def _change_lock(checkout: Path) -> None:
    with (checkout / "requirements" / "run.txt").open("a") as lock:
        lock.write("# changed\n")


def _change_python(checkout: Path) -> None:
    python = checkout / ".venv" / "run" / "bin" / "python"
    python.write_text(python.read_text().replace("3.11.2", "3.11.9"))


def _lose_python(checkout: Path) -> None:
    (checkout / ".venv" / "run" / "bin" / "python").unlink()


@pytest.mark.parametrize(
    "damage", [_interrupt, _change_lock, _change_python, _lose_python]
)
def test_kiosk_builds_the_environment_anew_when_it_is_not_the_one_it_stamped(
    machine: "Machine", damage: Callable[[Path], None]
) -> None:
    left_over = machine.checkout / ".venv" / "run" / "left-over"
    left_over.touch()
    damage(machine.checkout)

    done = machine.run("kiosk")

    assert done.returncode == 0, done.stderr
    assert "-m venv" in machine.calls()[0]
    assert machine.calls()[-1] == STARTS
    assert not left_over.exists()


def test_kiosk_builds_the_environment_anew_when_the_checkout_has_moved(
    machine: "Machine",
) -> None:
    machine.checkout = machine.checkout.rename(machine.checkout.with_name("new place"))

    machine.run("kiosk")

    assert "-m venv" in machine.calls()[0]


@pytest.mark.parametrize(
    ("pip_says", "told"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "not the one this version"),
        ("NewConnectionError: Name or service", "index cannot be reached"),
        ("No matching distribution found for x", "not for this kind of machine"),
        ("something new", "the reason is above"),
    ],
    ids=["disk", "hash", "network", "no wheel", "other"],
)
def test_kiosk_says_what_happened_when_pip_fails_and_leaves_no_stamp(
    bare_machine: "Machine", pip_says: str, told: str
) -> None:
    bare_machine.write("pip-says", pip_says)

    done = bare_machine.run("kiosk")

    assert done.returncode == 1
    assert pip_says in done.stderr
    assert told in done.stderr
    assert not (bare_machine.checkout / ".venv" / "run" / "stamp").exists()
    assert not (bare_machine.checkout / ".venv" / "tmp").exists()


def test_kiosk_recovers_when_pip_worked_again(bare_machine: "Machine") -> None:
    bare_machine.write("pip-says", "timed out")
    bare_machine.run("kiosk")
    (bare_machine.state / "pip-says").unlink()

    done = bare_machine.run("kiosk")

    assert done.returncode == 0, done.stderr
    assert bare_machine.calls()[-1] == STARTS


def test_kiosk_compiles_only_what_is_newer(machine: "Machine") -> None:
    compiled = machine.checkout / ".venv" / "run" / "compiled"
    source = machine.checkout / "coykiosk" / "__init__.py"
    long_ago = compiled.stat().st_mtime - 100

    machine.run("kiosk", "--setup-only")
    unchanged = machine.calls()
    os.utime(compiled, (long_ago, long_ago))
    os.utime(source, (long_ago + 50, long_ago + 50))
    machine.run("kiosk", "--setup-only")

    assert unchanged == []
    assert machine.calls() == [
        f"python -I -m compileall -q {machine.checkout}/coykiosk"
    ]
