"""The composition root, as far as it needs no terminal."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coykiosk import __main__ as entry
from coykiosk import app
from coykiosk.contract import (
    Closed,
    Command,
    CreateAccount,
    Event,
    Failed,
    Quit,
    Secret,
    TorStopped,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.service import Service
from coykiosk.text import describe
from tests.support.headless import LoopbackTor

HEAVY = ("slixmpp", "stem", "argon2", "OpenSSL", "cryptography", "zxcvbn", "gmpy2")


def test_first_screen_is_painted_before_what_is_heavy_is_imported() -> None:
    probe = (
        "import sys, coykiosk.__main__, coykiosk.app; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_what_is_imported_while_the_person_reads_is_what_the_action_needs() -> None:
    needed = ("slixmpp", "argon2", "OpenSSL", "cryptography")
    probe = (
        f"import importlib, sys; [importlib.import_module(n) for n in {app.HEAVY!r}]; "
        f"print([name for name in {needed!r} if name not in sys.modules])"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
    assert done.stderr == ""


def composed(
    *commands: Command, tor: LoopbackTor, vault_path: Path | None, start_tor: bool
) -> list[Event]:
    """Serve one session as the program does, with another tor and no screen."""
    events: list[Event] = []

    async def main() -> None:
        queue: asyncio.Queue[Command] = asyncio.Queue()
        serving = Service(events.append, queue, asyncio.to_thread)
        world = replace(serving.make_world({}, extra_torrc=()), tor=tor)
        for command in (*commands, Quit()):
            queue.put_nowait(command)
        await serving.serve(world, (), vault_path, start_tor=start_tor)

    asyncio.run(main())
    return events


@pytest.mark.parametrize(
    ("start_tor", "started"),
    [
        pytest.param(True, [""], id="no vault, so no guard to wait for"),
        pytest.param(False, [], id="a vault, which knows the guard"),
    ],
)
def test_tor_starts_early_only_when_no_vault_knows_its_guard(
    *, start_tor: bool, started: list[str]
) -> None:
    tor = LoopbackTor({})

    events = composed(tor=tor, vault_path=None, start_tor=start_tor)

    assert tor.started_with == started
    assert tor.n_stops
    assert events == [Closed()]


def test_tor_that_cannot_be_started_early_is_told_and_the_session_serves() -> None:
    tor = LoopbackTor({})
    tor.start_failure = ErrorCode.TOR_MISSING

    events = composed(tor=tor, vault_path=None, start_tor=True)

    stopped, closed = events
    assert isinstance(stopped, TorStopped)
    assert stopped.error.code is ErrorCode.TOR_MISSING
    assert isinstance(closed, Closed)


def test_session_without_a_place_for_a_vault_says_so() -> None:
    asked = CreateAccount(Secret("badness impish glorify dish"))

    events = composed(asked, tor=LoopbackTor({}), vault_path=None, start_tor=True)

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert failed.error.code is ErrorCode.VAULT_UNWRITABLE
    assert isinstance(events[-1], Closed)


def test_vault_that_appeared_meanwhile_is_found(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"somebody else's")

    asked = CreateAccount(Secret("badness impish glorify dish"))

    events = composed(asked, tor=LoopbackTor({}), vault_path=path, start_tor=True)

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert failed.error.code is ErrorCode.VAULT_EXISTS
    assert path.read_bytes() == b"somebody else's"


def test_blocking_work_is_done_in_order_in_one_thread() -> None:
    done: list[tuple[int, int]] = []

    async def main() -> None:
        program = app._App(app.Settings(servers=(), vault_path=None))
        async with asyncio.TaskGroup() as group:
            for n in range(20):
                work = _noting(done, n)
                group.create_task(program._run_blocking(work))
        program._worker.shutdown()

    asyncio.run(main())

    assert [n for n, _ in done] == list(range(20))
    [thread] = {ident for _, ident in done}
    assert thread != threading.get_ident()


def _noting(done: list[tuple[int, int]], n: int) -> Callable[[], None]:
    return lambda: done.append((n, threading.get_ident()))


def test_world_has_a_clock_in_utc_and_chance_of_the_system() -> None:
    serving = Service(lambda _: None, asyncio.Queue(), asyncio.to_thread)

    world = serving.make_world({}, extra_torrc=())

    assert world.wall_clock().tzinfo is UTC
    assert abs((world.wall_clock() - datetime.now(UTC)).total_seconds()) < 5
    assert len({world.random_bytes(16) for _ in range(100)}) == 100
    assert 2.0 <= world.uniform(2.0, 8.0) <= 8.0


def test_second_signal_is_an_interruption_and_no_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def cancelled(_self: object, *, vault_exists: bool) -> None:
        raise asyncio.CancelledError(vault_exists)

    monkeypatch.setattr(app._App, "run", cancelled)

    with pytest.raises(KeyboardInterrupt):
        app.run(app.Settings(servers=(), vault_path=None))


def test_bad_servers_file_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    shipped = Path(app.__file__).with_name("servers.toml").read_text()
    path = tmp_path / "servers.toml"
    path.write_text(shipped.replace("clearnet = true", "clearnet = 1", 1))

    with pytest.raises(UserError) as caught:
        app.servers_in(path)

    told = describe(caught.value)
    line = shipped[: shipped.index("clearnet = true")].count("\n") + 1
    assert caught.value.code is ErrorCode.SERVERS_FILE_BAD
    assert f"{path}, line {line}: " in told.happened


def test_defect_is_told_by_its_kind_and_path_without_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(words: str) -> None:
        raise ValueError(words)

    try:
        fail("somebody's words")
    except ValueError as error:
        entry._say_defect(ExceptionGroup("group", [error]))

    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "test_app.py" in said
    assert "somebody" not in said
