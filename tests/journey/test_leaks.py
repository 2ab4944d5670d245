"""Whom each process addresses and what it writes, as the kernel saw the one action.

What is permitted, and why, is told in `tests.support.permitted`. Each check is
also shown to find a leak that was planted.
"""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.launching import ROOT, Launch, Run
from tests.support.permitted import (
    PROGRAMS,
    PYTHON,
    check_contacts,
    check_written,
    directories_made,
    relay_ports,
)
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.processes import is_running
from tests.support.sights import START, make_account, open_chat, quit_program
from tests.support.tracing import Contact, Trace

pytestmark = pytest.mark.journey

LEAKY_APP = ROOT / "tests" / "support" / "leaky_app.py"


@dataclass(frozen=True, slots=True)
class Seen:
    """The one action as it was done once, and what was seen of it."""

    run: Run
    exit_code: int
    trace: Trace
    vault: Path | None
    """The vault that was wanted; None when nothing was to be kept."""
    source: Path
    """The program it ran from, which came without compiled files."""


@pytest.fixture(scope="module", params=["a vault is kept", "nothing is kept"])
def seen(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    practice_network: SharedPracticeNetwork,
) -> Iterator[Seen]:
    """Enter or F4, an account, a chat, the path through Tor, and the end."""
    place = tmp_path_factory.mktemp("seen")
    source = copy_of_program(place)
    vault = place / "kept" / "vault"
    is_kept = request.param == "a vault is kept"
    with Launch(place, practice_network) as launch:
        run = launch(
            vault=vault,
            is_traced=True,
            app=source / "tests" / "support" / "run_app.py",
            environ={"PYTHONPATH": str(source)},
        )
        run.terminal.wait_for(START)
        make_account(run.terminal, "enter" if is_kept else "f4")
        open_chat(run.terminal, f"nobody@{practice_network.domain}")
        run.terminal.wait_for("NOT ENCRYPTED YET")
        run.terminal.press("f3")
        run.terminal.wait_for("meeting point")
        run.terminal.press("esc")
        run.terminal.wait_gone("meeting point")
        exit_code = quit_program(run.terminal)
        assert run.traces is not None
        trace = Trace(run.traces)
        yield Seen(run, exit_code, trace, vault if is_kept else None, source)


def copy_of_program(place: Path) -> Path:
    """A fresh checkout, as far as it is needed: nothing was ever run in it."""
    without = shutil.ignore_patterns("__pycache__")
    source = place / "source"
    for part in ("coykiosk", "tests/support"):
        shutil.copytree(ROOT / part, source / part, ignore=without)
    return source


# --- whom it addresses --------------------------------------------------------------


def test_each_process_addresses_only_what_it_may(
    seen: Seen, practice_network: SharedPracticeNetwork
) -> None:
    check_contacts(seen.trace, relay_ports(practice_network.path))


def test_trace_shows_the_ways_that_were_taken(
    seen: Seen, practice_network: SharedPracticeNetwork
) -> None:
    """Without these a trace would show nothing forbidden because it is blind."""
    (scratch,) = directories_made(seen.trace)
    contacts = seen.trace.contacts()
    relays = {
        Contact("tor", f"127.0.0.1:{port}")
        for port in relay_ports(practice_network.path)
    }

    assert seen.exit_code == 0
    assert Contact(PYTHON, f"{scratch}/socks") in contacts
    assert Contact(PYTHON, f"{scratch}/control") in contacts
    assert contacts & relays


@pytest.mark.parametrize(
    ("leak", "found"),
    [
        ("lookup", "SOCK_DGRAM"),
        ("connect", "Contact.*127.0.0.1:{port}"),
        ("send", "Contact.*127.0.0.1:{port}"),
    ],
)
def test_check_of_contacts_finds_a_planted(
    launch: Launch, practice_network: SharedPracticeNetwork, leak: str, found: str
) -> None:
    relays = relay_ports(practice_network.path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        where = "example.org" if leak == "lookup" else port
        clean = trace_of_leak(launch, "nothing", "")
        leaky = trace_of_leak(launch, leak, where)

    check_contacts(clean, relays)
    with pytest.raises(AssertionError, match=found.format(port=port)):
        check_contacts(leaky, relays)


# --- what it writes -----------------------------------------------------------------


def test_nothing_is_written_but_the_vault_and_the_private_directory(
    seen: Seen,
) -> None:
    check_written(seen.trace, seen.vault)


def test_nothing_is_left_but_the_vault(seen: Seen) -> None:
    kept = seen.run.vault
    assert kept is not None
    left = sorted(kept.parent.iterdir()) if kept.parent.exists() else []

    assert left == ([] if seen.vault is None else [kept])
    assert list(seen.run.home.iterdir()) == []
    assert list(seen.source.rglob("__pycache__")) == []
    assert [path for path in directories_made(seen.trace) if path.exists()] == []


def test_only_known_programs_run_and_none_is_left(seen: Seen) -> None:
    assert {PYTHON, "tor", "sh"} <= seen.trace.programs <= PROGRAMS
    assert [pid for pid in seen.trace.pids if is_running(pid)] == []


def test_check_of_files_finds_a_planted_one(launch: Launch, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    clean = trace_of_leak(launch, "nothing", "")
    leaky = trace_of_leak(launch, "write", str(planted))

    check_written(clean, None)
    with pytest.raises(AssertionError, match=str(planted)):
        check_written(leaky, None)


def trace_of_leak(launch: Launch, leak: str, where: str) -> Trace:
    """Start the program with a leak in it, wait for its screen, and quit."""
    run = launch(
        is_traced=True,
        app=LEAKY_APP,
        arguments=[leak, where],
        # Nobody waits for an answer of a name server.
        environ={"RES_OPTIONS": "timeout:1 attempts:1"},
    )
    run.terminal.wait_for(START)
    run.terminal.press("ctrl q")
    assert run.terminal.wait_end(within_s=30) == 0
    assert run.traces is not None
    return Trace(run.traces)
