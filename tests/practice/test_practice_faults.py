"""What can go wrong with the practice network, with real programs."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion import scratch as scratch_module
from coykiosk.onion.scratch import Scratch
from coykiosk.practice import tornet
from coykiosk.practice.network import PracticeNetwork
from coykiosk.practice.tornet import PrivateTorNetwork
from coykiosk.practice.xmpp_server import PracticeServer

pytestmark = pytest.mark.network

T = TypeVar("T")

_DRIVER = Path(__file__).parent / "network_driver.py"
_ROOT = Path(__file__).parents[2]


def _processes_of(scratch: str, program: str = "") -> list[int]:
    """Ids of the processes that name this directory on their command lines.

    Args:
        scratch: The directory, or a file in it.
        program: What else must stand there.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            if scratch.encode() in words and program.encode() in words:
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _programs_without(missing: str, place: Path) -> Path:
    """Make a directory with every program of this machine but one."""
    for directory in scratch_module._CHILD_PATH.split(":"):
        for program in Path(directory).iterdir() if Path(directory).is_dir() else ():
            link = place / program.name
            if program.name != missing and not link.is_symlink():
                link.symlink_to(program)
    return place


def _start_fails(network: PracticeNetwork) -> UserError:
    with pytest.raises(UserError) as caught:
        asyncio.run(network.start(lambda _: None))
    return caught.value


# --- nothing outlives its owner ---------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("STARTING_RELAYS", signal.SIGKILL),
        ("AGREEING_CONSENSUS", signal.SIGKILL),
        ("UP", signal.SIGKILL),
        ("AGREEING_CONSENSUS", signal.SIGINT),
    ],
    ids=["killed-at-first", "killed-while-voting", "killed-when-up", "ctrl-c"],
)
def test_network_leaves_no_process_and_no_directory_when_its_owner_ends(
    step: str, number: signal.Signals
) -> None:
    owner = subprocess.Popen(  # noqa: S603 - our own driver
        [sys.executable, str(_DRIVER), step],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        scratch = owner.stdout.readline().strip()
        assert scratch
        assert Path(scratch).is_dir()

        owner.send_signal(number)
        owner.wait(30)

    _wait_until(lambda: not _processes_of(scratch), "a process is left")
    _wait_until(lambda: not Path(scratch).exists(), "the directory is left")


# --- missing programs -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "package"),
    [("tor", "tor"), ("tor-gencert", "tor"), ("prosody", "prosody")],
    ids=["tor", "tor-gencert", "prosody"],
)
def test_start_names_the_package_when_a_program_is_missing(
    program: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = _programs_without(program, tmp_path)
    monkeypatch.setattr(scratch_module, "_CHILD_PATH", str(programs))
    network = PracticeNetwork(environ={})

    error = _start_fails(network)

    assert error.code is ErrorCode.PRACTICE_MISSING
    assert error.facts == {"program": program, "package": package}
    assert not network.path.exists()


# --- programs that end --------------------------------------------------------------------


def _impostor(place: Path, program: str, script: str) -> dict[str, str]:
    """Return an environment in which a program is this script."""
    path = place / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": str(place)}


def test_start_says_which_relay_ended_and_why(tmp_path: Path) -> None:
    environ = _impostor(
        tmp_path,
        "tor",
        'case "$*" in */tor/2/*) echo "Jan 01 00:00:00 [warn] Could not bind to '
        '127.0.0.1:1: Address already in use. Is Tor already running?"; exit 1;; esac\n'
        'PATH=/usr/local/bin:/usr/bin:/usr/sbin exec tor "$@"',
    )
    network = PracticeNetwork(environ=environ)

    error = _start_fails(network)

    assert error.code is ErrorCode.PRACTICE_FAILED
    assert error.facts["reason"].startswith("PracticeTwo: Could not bind to 127.0.0.1")
    assert not network.path.exists()


def test_start_says_why_when_no_keys_can_be_made(tmp_path: Path) -> None:
    environ = _impostor(tmp_path, "tor-gencert", "echo no entropy today; exit 1")

    error = _start_fails(PracticeNetwork(environ=environ))

    assert error.code is ErrorCode.PRACTICE_FAILED
    assert error.facts["reason"] == "keys: no entropy today"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "the XMPP server: it ended with status 3"),
        ("echo 'startup error: no such thing'; exit 1", "no such thing"),
    ],
    ids=["silent", "with-words"],
)
def test_start_says_why_when_the_server_ends(
    script: str, reason: str, tmp_path: Path
) -> None:
    environ = _impostor(tmp_path, "prosody", script)

    error = _start_fails(PracticeNetwork(environ=environ))

    assert error.code is ErrorCode.PRACTICE_FAILED
    assert reason in error.facts["reason"]


def test_start_leaves_nothing_when_it_is_cancelled() -> None:
    async def run() -> PracticeNetwork:
        network = PracticeNetwork()
        voting = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(network.start(lambda _: voting.set()))
            await voting.wait()
            await asyncio.sleep(0)
            starting.cancel()
        return network

    network = asyncio.run(run())

    assert not network.path.exists()
    assert _processes_of(str(network.path)) == []


# --- after the start ------------------------------------------------------------------------


def _with_scratch(work: Callable[[Scratch], Awaitable[T]]) -> T:
    async def run() -> T:
        scratch = await Scratch.create()
        try:
            async with asyncio.timeout(100):
                return await work(scratch)
        finally:
            await scratch.close()

    return asyncio.run(run())


def test_wait_broken_tells_when_the_server_is_killed() -> None:
    async def work(scratch: Scratch) -> UserError:
        server = PracticeServer()
        try:
            await server.start(scratch)
            (pid,) = _processes_of(str(scratch.path), "prosody")
            os.kill(pid, signal.SIGKILL)
            return await server.wait_broken()
        finally:
            await server.stop()

    error = _with_scratch(work)

    assert error.code is ErrorCode.PRACTICE_FAILED
    assert error.facts["reason"] == "the XMPP server: it ended with status -9"


def test_wait_broken_tells_when_a_relay_is_killed() -> None:
    async def work(scratch: Scratch) -> UserError:
        network = PrivateTorNetwork({5222: "127.0.0.1:9"})
        try:
            await network.start(scratch, lambda _: None)
            (pid,) = _processes_of(f"{scratch.path}/tor/3/torrc")
            os.kill(pid, signal.SIGKILL)
            return await network.wait_broken()
        finally:
            await network.stop()

    error = _with_scratch(work)

    assert error.code is ErrorCode.PRACTICE_FAILED
    assert error.facts["reason"] == "PracticeThree: it ended with status -9"


def test_network_comes_up_when_a_busy_machine_missed_the_first_vote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A lead of nought is over before the authority hears of it.
    monkeypatch.setattr(tornet, "_VOTE_LEADS_S", (0, 3))

    async def work(scratch: Scratch) -> str:
        network = PrivateTorNetwork({5222: "127.0.0.1:9"})
        try:
            await network.start(scratch, lambda _: None)
            return network.onion_host
        finally:
            await network.stop()

    assert _with_scratch(work).endswith(".onion")


def test_start_gives_up_when_no_vote_ever_comes_to_a_consensus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tornet, "_VOTE_LEADS_S", (0,))
    network = PracticeNetwork()

    error = _start_fails(network)

    assert error.facts == {"reason": "the relays do not agree on a consensus"}
    assert not network.path.exists()
