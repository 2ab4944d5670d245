"""What is left behind is the question: so real processes and a real SIGKILL."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coykiosk.onion.scratch import ChildError, Scratch

DEADLINE_S = 20.0

_HOLDER = """
import asyncio, sys
from coykiosk.onion.scratch import Scratch

async def main():
    scratch = await Scratch.create()
    child = await scratch.spawn("sleep", "600")
    (scratch.path / "secret").write_text("x")
    print(scratch.path, child.pid, scratch._reaper.pid, flush=True)
    exec(sys.argv[1])
    await asyncio.sleep(600)

asyncio.run(main())
"""


def _wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Holder:
    """Another process that holds a scratch with one child and one file."""

    def __init__(self, last_act: str = "") -> None:
        self.process = subprocess.Popen(  # noqa: S603  # our own text
            [sys.executable, "-c", _HOLDER, last_act],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        path, child, reaper = self.process.stdout.readline().split()
        self.path = Path(path)
        self.child = int(child)
        self.reaper = int(reaper)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
def test_scratch_leaves_neither_child_nor_directory_when_we_are_killed(
    number: signal.Signals,
) -> None:
    holder = Holder()
    before = (holder.path.is_dir(), _is_alive(holder.child))

    os.kill(holder.process.pid, number)

    assert before == (True, True)
    assert _wait_until(lambda: not holder.path.exists())
    assert _wait_until(lambda: not _is_alive(holder.child))
    assert _wait_until(lambda: not _is_alive(holder.reaper))
    holder.close()


@pytest.mark.parametrize(
    "last_act",
    ["raise RuntimeError", "sys.exit(3)", "asyncio.get_running_loop().stop()"],
    ids=["exception", "exit", "loop-stopped"],
)
def test_scratch_leaves_neither_child_nor_directory_when_nobody_closes_it(
    last_act: str,
) -> None:
    """asyncio kills what it started when the loop goes: not the reaper."""
    holder = Holder(last_act)

    holder.process.wait(DEADLINE_S)

    assert _wait_until(lambda: not holder.path.exists())
    assert _wait_until(lambda: not _is_alive(holder.child))
    assert _wait_until(lambda: not _is_alive(holder.reaper))
    holder.close()


def test_scratch_child_and_reaper_ignore_signals_of_the_terminals_group() -> None:
    """Ctrl-C goes to the foreground process group; ours decides, not they."""
    holder = Holder()

    groups = {os.getpgid(pid) for pid in (holder.child, holder.reaper)}

    assert os.getpgid(holder.process.pid) not in groups
    assert os.getsid(holder.process.pid) != os.getsid(holder.child)
    holder.close()
    assert _wait_until(lambda: not holder.path.exists())


def test_scratch_reaper_survives_hangup_and_interrupt() -> None:
    holder = Holder()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        os.kill(holder.reaper, number)

    holder.process.kill()

    assert _wait_until(lambda: not holder.path.exists())
    holder.close()


def test_scratch_close_ends_a_child_that_ignores_sigterm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coykiosk.onion.scratch._TERM_GRACE_S", 0.2)

    async def main() -> tuple[int | None, bool]:
        scratch = await Scratch.create()
        child = await scratch.spawn(
            "sh", "-c", "trap '' TERM; echo ready; exec sleep 600", keep_output=True
        )
        assert child.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            await child.stdout.readline()
            await scratch.close()
        return child.returncode, scratch.path.exists()

    outcome = asyncio.run(main())

    assert outcome == (-signal.SIGKILL, False)


def test_scratch_close_may_be_called_twice_and_at_once() -> None:
    async def main() -> bool:
        scratch = await Scratch.create()
        await scratch.spawn("sleep", "600")
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            group.create_task(scratch.close())
            group.create_task(scratch.close())
        await scratch.close()
        return scratch.path.exists()

    assert asyncio.run(main()) is False


def test_scratch_directory_goes_when_close_is_cancelled() -> None:
    async def main() -> Path:
        scratch = await Scratch.create()
        child = await scratch.spawn("sh", "-c", "trap '' TERM; sleep 600")
        closing = asyncio.get_running_loop().create_task(scratch.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        async with asyncio.timeout(DEADLINE_S):
            await child.wait()
        scratch._reaper.wait(DEADLINE_S)
        return scratch.path

    path = asyncio.run(main())

    assert _wait_until(lambda: not path.exists())


def test_scratch_directory_is_private_and_in_memory_where_there_is_a_tmpfs() -> None:
    async def main() -> tuple[int, Path]:
        scratch = await Scratch.create()
        mode = stat.S_IMODE(scratch.path.stat().st_mode)
        await scratch.close()
        return mode, scratch.path.parent

    mode, parent = asyncio.run(main())

    assert mode == 0o700
    if any(
        line.split()[1:3] == ["/dev/shm", "tmpfs"]  # noqa: S108  # read, not used
        for line in Path("/proc/self/mounts").read_text().splitlines()
    ):
        assert parent == Path("/dev/shm")  # noqa: S108  # compared, not used


def test_scratch_child_sees_only_a_minimal_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COYKIOSK_PLANTED", "leak")

    async def main() -> tuple[bytes, Path]:
        scratch = await Scratch.create()
        output = await scratch.run("env", env={"EXTRA": "1"})
        await scratch.close()
        return output, scratch.path

    output, path = asyncio.run(main())

    rows = dict(line.split("=", 1) for line in output.decode().splitlines())
    assert set(rows) <= {"PATH", "LANG", "HOME", "EXTRA", "PWD", "OLDPWD", "SHLVL", "_"}
    assert rows["HOME"] == str(path)
    assert rows["LANG"] == "C"


def test_scratch_run_hands_input_over_and_returns_output() -> None:
    async def main() -> bytes:
        scratch = await Scratch.create()
        output = await scratch.run("cat", input=b"through")
        await scratch.close()
        return output

    assert asyncio.run(main()) == b"through"


def test_scratch_run_reports_the_last_line_when_the_command_fails() -> None:
    async def main() -> None:
        scratch = await Scratch.create()
        try:
            await scratch.run("sh", "-c", "echo first; echo last >&2; exit 3")
        finally:
            await scratch.close()

    with pytest.raises(ChildError, match=r"^last$"):
        asyncio.run(main())


def test_scratch_run_gives_up_when_the_command_takes_too_long() -> None:
    async def main() -> None:
        scratch = await Scratch.create()
        try:
            await scratch.run("sleep", "600", limit_s=0.05)
        finally:
            await scratch.close()

    with pytest.raises(ChildError, match="too long"):
        asyncio.run(main())


def test_scratch_spawn_says_so_when_there_is_no_such_program() -> None:
    async def main() -> None:
        scratch = await Scratch.create()
        try:
            await scratch.spawn("no-such-program-at-all")
        finally:
            await scratch.close()

    with pytest.raises(FileNotFoundError, match="no-such-program-at-all"):
        asyncio.run(main())


def test_scratch_spawn_refuses_when_closed() -> None:
    async def main() -> None:
        scratch = await Scratch.create()
        await scratch.close()
        await scratch.spawn("true")

    with pytest.raises(OSError, match="closed"):
        asyncio.run(main())


def test_scratch_goes_to_the_runtime_directory_when_there_is_no_memory_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("coykiosk.onion.scratch._is_tmpfs", lambda _: False)
    monkeypatch.setattr("coykiosk.onion.scratch._MAX_PATH_BYTES", 4096)

    async def main() -> Path:
        scratch = await Scratch.create(environ={"XDG_RUNTIME_DIR": str(tmp_path)})
        await scratch.close()
        return scratch.path

    assert asyncio.run(main()).parent == tmp_path


@pytest.mark.parametrize("runtime", ["", "relative", "/nowhere/at/all"])
def test_scratch_falls_back_when_the_runtime_directory_is_no_use(
    monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setattr("coykiosk.onion.scratch._is_tmpfs", lambda _: False)

    async def main() -> Path:
        scratch = await Scratch.create(environ={"XDG_RUNTIME_DIR": runtime})
        await scratch.close()
        return scratch.path

    assert asyncio.run(main()).parent.is_absolute()
