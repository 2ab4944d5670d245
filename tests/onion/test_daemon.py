"""Our own tor from start to end: real processes, no network."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from coykiosk.contract import Event, Failed, TorProgress, TorReady, TorStopped
from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.daemon import TorDaemon
from coykiosk.ports import IsolationKey

pytestmark = pytest.mark.network

Run = Callable[[Any], Any]

KEY = IsolationKey("a" * 32, "b" * 32)
GUARD = (
    "Guard in=default rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 "
    "nickname=relay1 sampled_on=2026-11-14T10:00:00 sampled_idx=0 listed=1 "
    "confirmed_on=2026-11-15T10:00:00 confirmed_idx=0\n"
)


class Setting:
    """A daemon under test and what it published."""

    def __init__(
        self,
        extra_torrc: tuple[str, ...],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.news = asyncio.Event()
        self.daemon = TorDaemon(
            self.publish,
            os.environ if environ is None else environ,
            extra_torrc=extra_torrc,
        )

    def publish(self, event: Event) -> None:
        self.events.append(event)
        self.news.set()

    async def until(self, kind: type[Any]) -> Any:
        """Wait for an event of this kind; the caller bounds the time."""
        while not any(isinstance(event, kind) for event in self.events):
            self.news.clear()
            await self.news.wait()
        return next(event for event in self.events if isinstance(event, kind))

    @property
    def own(self) -> Any:
        assert self.daemon._tor is not None
        return self.daemon._tor.own

    @property
    def directory(self) -> Path:
        path: Path = self.own._scratch.path
        return path

    @property
    def pid(self) -> int:
        pid: int = self.own._process.pid
        return pid


async def code_of(work: Any) -> ErrorCode:
    try:
        await work
    except UserError as error:
        return error.code
    pytest.fail("no error")


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_tor_starts_in_a_private_directory_and_leaves_nothing(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> tuple[Any, ...]:
        setting = Setting(dead_network)
        await setting.daemon.start(guard_state="")
        directory, pid = setting.directory, setting.pid
        modes = [
            stat.S_IMODE((directory / name).lstat().st_mode) for name in ("", "data")
        ]
        await setting.until(TorProgress)
        await setting.daemon.stop()
        await setting.daemon.stop()
        return modes, directory, pid, setting.events

    modes, directory, pid, events = run(main())

    assert modes == [0o700, 0o700]
    assert not directory.exists()
    assert not is_running(pid)
    assert events[0] == TorProgress(0, "starting")
    assert not any(isinstance(event, TorReady | TorStopped) for event in events)


def test_tor_is_started_once_when_asked_twice_at_once(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> bool:
        setting = Setting(dead_network)
        async with asyncio.TaskGroup() as group:
            group.create_task(setting.daemon.start(guard_state=""))
            group.create_task(setting.daemon.start(guard_state=""))
        pid = setting.pid
        await setting.daemon.start(guard_state="")
        same = setting.pid == pid
        await setting.daemon.stop()
        return same

    assert run(main())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_tor_that_dies_cuts_what_is_open_before_it_is_told(
    run: Run, dead_network: tuple[str, ...], number: signal.Signals
) -> None:
    async def main() -> tuple[Any, ...]:
        setting = Setting(dead_network)
        daemon = setting.daemon
        await daemon.start(guard_state=GUARD)
        directory = setting.directory
        loop = asyncio.get_running_loop()
        opening = loop.create_task(
            code_of(daemon.dialer.open("a.example", 5222, isolation_key=KEY))
        )
        waiting = loop.create_task(code_of(daemon.wait_ready()))
        await setting.until(TorProgress)
        os.kill(setting.pid, number)
        stopped = await setting.until(TorStopped)
        codes = [await opening, await waiting]
        codes.append(await code_of(daemon.wait_ready()))
        codes.append(
            await code_of(daemon.dialer.open("b.example", 1, isolation_key=KEY))
        )
        circuit = await daemon.circuit(KEY)
        guards = daemon.guard_state()
        await daemon.stop()
        return stopped.error.code, codes, circuit, guards, directory.exists()

    told, codes, circuit, guards, left_over = run(main())

    assert told is ErrorCode.TOR_STOPPED
    assert codes == [ErrorCode.TOR_STOPPED] * 4
    assert circuit is None
    assert guards.startswith("Guard in=default rsa_id=0123456789ABCDEF")
    assert not left_over


def test_tor_starts_anew_after_its_death(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> tuple[Any, ...]:
        setting = Setting(dead_network)
        await setting.daemon.start(guard_state=GUARD)
        first, directory = setting.pid, setting.directory
        os.kill(first, signal.SIGKILL)
        await setting.until(TorStopped)
        await setting.daemon.start(guard_state="")
        second = setting.pid
        alive = await setting.daemon.dialer.is_alive()
        guards = setting.daemon.guard_state()
        await setting.daemon.stop()
        return first != second, alive, directory.exists(), guards

    is_new, alive, left_over, guards = run(main())

    assert (is_new, alive, left_over) == (True, True, False)
    assert guards.startswith("Guard in=default rsa_id=0123456789ABCDEF")


def test_guard_state_survives_the_stop(run: Run, dead_network: tuple[str, ...]) -> None:
    async def main() -> list[str]:
        setting = Setting(dead_network)
        seen = [setting.daemon.guard_state()]
        await setting.daemon.start(guard_state=GUARD + "ExitRelay 1\n")
        seen.append(setting.daemon.guard_state())
        await setting.daemon.stop()
        seen.append(setting.daemon.guard_state())
        return seen

    before, during, after = run(main())

    assert before == ""
    for guards in (during, after):
        assert guards.startswith("Guard in=default rsa_id=0123456789ABCDEF")
        assert "nickname=relay1" in guards
        assert guards.count("\n") == 1


def test_start_says_why_when_the_configuration_is_refused(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> tuple[UserError, ErrorCode]:
        setting = Setting((*dead_network, "NoSuchOption 1"))
        with pytest.raises(UserError) as caught:
            await setting.daemon.start(guard_state="")
        later = await code_of(setting.daemon.wait_ready())
        await setting.daemon.stop()
        return caught.value, later

    error, later = run(main())

    assert error.code is ErrorCode.TOR_START_FAILED
    assert "NoSuchOption" in error.facts["reason"]
    assert later is ErrorCode.TOR_START_FAILED


def test_start_says_missing_when_there_is_no_tor(
    run: Run, dead_network: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.scratch._CHILD_PATH", "/nowhere")
    setting = Setting(dead_network, {"PATH": "/nowhere"})

    code = run(code_of(setting.daemon.start(guard_state="")))

    assert code is ErrorCode.TOR_MISSING


@pytest.mark.parametrize(
    "script",
    [
        "exit 1  # no answer",
        "echo 'Jan 01 00:00:00.000 [err] out of luck'; exit 1  # out of luck",
        "exec sleep 600  # no answer",
    ],
    ids=["silent", "with-a-word", "hangs"],
)
def test_start_gives_up_and_cleans_up_when_tor_does_not_come_up(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr("coykiosk.onion.child._START_LIMIT_S", 0.5)
    fake = tmp_path / "tor"
    fake.write_text(f"#!/bin/sh\npwd > {tmp_path}/place\n{script}\n")
    fake.chmod(0o700)

    async def main() -> UserError:
        setting = Setting(("ClientOnly 1",), {"PATH": str(tmp_path)})
        with pytest.raises(UserError) as caught:
            await setting.daemon.start(guard_state="")
        return caught.value

    error = run(main())

    assert error.code is ErrorCode.TOR_START_FAILED
    assert error.facts["reason"] == script.partition("  # ")[2]
    assert not Path((tmp_path / "place").read_text().strip()).exists()


def test_start_leaves_nothing_when_it_is_cancelled(
    run: Run, dead_network: tuple[str, ...], tmp_path: Path
) -> None:
    fake = tmp_path / "tor"
    fake.write_text(
        f"#!/bin/sh\npwd > {tmp_path}/w\nmv {tmp_path}/w {tmp_path}/p\nexec sleep 600\n"
    )
    fake.chmod(0o700)
    place = tmp_path / "p"

    async def main() -> Path:
        setting = Setting(dead_network, {"PATH": str(tmp_path)})
        starting = asyncio.get_running_loop().create_task(
            setting.daemon.start(guard_state="")
        )
        while not place.exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.02)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await setting.daemon.stop()
        return Path(place.read_text().strip())

    assert not run(main()).exists()


def test_person_is_told_once_when_the_network_stands_still(
    run: Run, dead_network: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.daemon._STALL_S", 0.1)

    async def main() -> tuple[Failed, int]:
        setting = Setting(dead_network)
        await setting.daemon.start(guard_state="")
        failed = await setting.until(Failed)
        await asyncio.sleep(0.4)
        await setting.daemon.stop()
        return failed, sum(isinstance(e, Failed) for e in setting.events)

    failed, n_failed = run(main())

    assert failed.error.code is ErrorCode.TOR_NO_NETWORK
    assert failed.error.facts == {"tag": "starting"}
    assert failed.during is None
    assert n_failed == 1


def test_dialer_refuses_before_the_start_and_after_the_stop(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> list[ErrorCode]:
        setting = Setting(dead_network)
        dialer = setting.daemon.dialer
        codes = [await code_of(dialer.open("a.example", 1, isolation_key=KEY))]
        await setting.daemon.start(guard_state="")
        await setting.daemon.stop()
        codes.append(await code_of(dialer.open("a.example", 1, isolation_key=KEY)))
        codes.append(await code_of(setting.daemon.wait_ready()))
        return codes

    assert run(main()) == [ErrorCode.TOR_STOPPED] * 3


def test_found_tor_is_used_not_ended_and_its_death_is_noticed(
    run: Run, real_tor: Any
) -> None:
    async def main() -> tuple[Any, ...]:
        async with real_tor() as tor:
            environ = {
                "TOR_SOCKS_PORT": str(tor.socks.port),
                "TOR_CONTROL_PORT": str(tor.control.port),
                "TOR_SKIP_LAUNCH": "1",
            }
            setting = Setting((), environ)
            await setting.daemon.start(guard_state=GUARD)
            address = setting.daemon.dialer._address
            await setting.until(TorProgress)
            guards = setting.daemon.guard_state()
            await setting.daemon.stop()
            survived = tor.process.returncode is None
            await setting.daemon.start(guard_state="")
            tor.process.kill()
            stopped = await setting.until(TorStopped)
            await setting.daemon.stop()
            return address == tor.socks, guards, survived, stopped.error.code

    used, guards, survived, told = run(main())

    assert (used, guards, survived) == (True, "", True)
    assert told is ErrorCode.TOR_STOPPED


_HOLDER = """
import asyncio, os, sys
from coykiosk.onion.daemon import TorDaemon

async def main():
    daemon = TorDaemon(lambda event: None, os.environ, extra_torrc=sys.argv[1:])
    await daemon.start(guard_state="")
    own = daemon._tor.own
    print(own._process.pid, own._scratch.path, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
def test_neither_tor_nor_directory_is_left_when_we_are_killed(
    dead_network: tuple[str, ...], number: signal.Signals
) -> None:
    with subprocess.Popen(  # noqa: S603  # our own text
        [sys.executable, "-c", _HOLDER, *dead_network],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as holder:
        assert holder.stdout is not None
        pid, directory = holder.stdout.readline().split()
        before = (is_running(int(pid)), Path(directory).is_dir())

        holder.send_signal(number)

    deadline = time.monotonic() + 20
    while is_running(int(pid)) or Path(directory).exists():
        assert time.monotonic() < deadline, "something is left"
        time.sleep(0.02)
    assert before == (True, True)


def test_start_never_launches_when_told_to_skip_it(run: Run, tmp_path: Path) -> None:
    fake = tmp_path / "tor"
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/launched\n")
    fake.chmod(0o700)
    environ = {
        "PATH": str(tmp_path),
        "TOR_SKIP_LAUNCH": "1",
        "TOR_SOCKS_IPC_PATH": str(tmp_path / "nobody"),
    }

    code = run(code_of(Setting((), environ).daemon.start(guard_state="")))

    assert code is ErrorCode.TOR_START_FAILED
    assert not (tmp_path / "launched").exists()


def test_start_says_which_variable_cannot_be_followed(run: Run) -> None:
    async def main() -> UserError:
        setting = Setting((), {"TOR_SOCKS_HOST": "tor.example"})
        with pytest.raises(UserError) as caught:
            await setting.daemon.start(guard_state="")
        return caught.value

    error = run(main())

    assert error.code is ErrorCode.TOR_START_FAILED
    assert "TOR_SOCKS_HOST" in error.facts["reason"]


# --- bridges --------------------------------------------------------------------------

BRIDGE = "127.0.0.1:9 " + "A" * 40
DEAD_OBFS4 = f"obfs4 {BRIDGE} cert={'A' * 70} iat-mode=0"


def test_bridges_are_remembered_and_start_nothing_before_tor_is_wanted(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> tuple[bool, list[Event]]:
        setting = Setting(dead_network)
        await setting.daemon.use_bridges((BRIDGE,))
        is_idle = setting.daemon._tor is None
        await setting.daemon.stop()
        await setting.daemon.use_bridges(())
        return is_idle and setting.daemon._tor is None, setting.events

    assert run(main()) == (True, [])


def test_who_waits_for_tor_goes_on_waiting_when_bridges_are_given(
    run: Run, dead_network: tuple[str, ...]
) -> None:
    async def main() -> tuple[Any, ...]:
        setting = Setting(dead_network)
        daemon = setting.daemon
        await daemon.start(guard_state=GUARD)
        first, directory = setting.pid, setting.directory
        waiting = asyncio.get_running_loop().create_task(code_of(daemon.wait_ready()))
        await asyncio.sleep(0)
        await daemon.use_bridges((BRIDGE,))
        second, torrc = setting.pid, (setting.directory / "torrc").read_text()
        still_waits = not waiting.done()
        guards = daemon.guard_state()
        await daemon.use_bridges((BRIDGE,))
        third = setting.pid
        await daemon.stop()
        pids = (first, second, third)
        left = directory.exists() or any(is_running(pid) for pid in pids)
        return pids, torrc, still_waits, guards, await waiting, left, setting.events

    pids, torrc, still_waits, guards, code, left, events = run(main())

    assert pids[0] != pids[1] == pids[2]
    assert f"UseBridges 1\nBridge {BRIDGE}\n" in torrc
    assert still_waits
    assert guards.startswith("Guard in=default")
    assert code is ErrorCode.TOR_STOPPED
    assert not left
    assert TorProgress(0, "starting") in events
    assert not any(isinstance(event, TorStopped) for event in events)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("nonsense",), ErrorCode.BRIDGE_KIND_UNKNOWN),
        ((" ",), ErrorCode.BRIDGE_LINE_BAD),
        ((BRIDGE + "\nExitRelay 1",), ErrorCode.BRIDGE_LINE_BAD),
        ((BRIDGE.replace("127.0.0.1", "192.0.2.1"),), ErrorCode.BRIDGES_LEAD_OUT),
    ],
    ids=["no bridge", "blank", "two lines", "leads out"],
)
def test_tor_never_goes_openly_when_its_bridges_cannot_be_used(
    run: Run, dead_network: tuple[str, ...], lines: tuple[str, ...], code: ErrorCode
) -> None:
    async def main() -> tuple[Any, ...]:
        setting = Setting(dead_network)
        await setting.daemon.start(guard_state="")
        pid = setting.pid
        await setting.daemon.use_bridges(lines)
        stopped = await setting.until(TorStopped)
        later = await code_of(setting.daemon.start(guard_state=""))
        waited = await code_of(setting.daemon.wait_ready())
        is_gone = setting.daemon._tor is None and not is_running(pid)
        await setting.daemon.stop()
        return stopped.error.code, later, waited, is_gone

    assert run(main()) == (code, code, code, True)


def test_tor_that_runs_already_is_left_alone_when_there_are_bridges(
    run: Run, real_tor: Any
) -> None:
    async def main() -> tuple[bool, bool]:
        async with real_tor() as tor:
            environ = {
                "TOR_SOCKS_PORT": str(tor.socks.port),
                "TOR_CONTROL_PORT": str(tor.control.port),
            }
            setting = Setting((), environ)
            await setting.daemon.start(guard_state="")
            found = setting.daemon._tor
            assert found is not None
            # To nobody: what it would reach must not depend on the network here.
            await setting.daemon.use_bridges((BRIDGE,))
            own = setting.own is not None
            await setting.daemon.stop()
            return found.own is None, own

    assert run(main()) == (True, True)


@pytest.mark.parametrize(
    "environ",
    [{"TOR_SKIP_LAUNCH": "1"}, {"TOR_SOCKS_HOST": "10.152.152.10"}],
    ids=["skip launch", "gateway"],
)
def test_bridges_are_refused_where_tor_is_not_ours_to_start(
    environ: dict[str, str],
) -> None:
    setting = Setting((), environ)

    with pytest.raises(UserError) as caught:
        setting.daemon.check_bridges(BRIDGE)

    assert caught.value.code is ErrorCode.BRIDGES_NOT_OURS
    assert setting.daemon.check_bridges("") == ()


def test_bridges_that_lead_out_are_refused_on_another_network(
    dead_network: tuple[str, ...],
) -> None:
    daemon = Setting(dead_network).daemon

    with pytest.raises(UserError) as caught:
        daemon.check_bridges(DEAD_OBFS4.replace("127.0.0.1", "192.0.2.1"))

    assert caught.value.code is ErrorCode.BRIDGES_LEAD_OUT
    assert daemon.check_bridges(f"Bridge  {DEAD_OBFS4}") == (DEAD_OBFS4,)


def test_bridges_whose_program_is_missing_are_refused(
    dead_network: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.scratch._CHILD_PATH", "/nowhere")
    daemon = Setting(dead_network, {"PATH": "/nowhere"}).daemon

    with pytest.raises(UserError) as caught:
        daemon.check_bridges(DEAD_OBFS4)

    assert caught.value.code is ErrorCode.BRIDGE_PROGRAM_MISSING
