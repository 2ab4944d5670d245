"""A private directory and the children that live in it; neither outlives us.

Rule: whatever ends this process, a normal end, an exception, Ctrl-C or SIGKILL,
ends the children and removes the directory. Three things see to that: the
kernel kills a child when we die (parent-death signal), a small shell that only
waits for the end of a pipe removes the directory, and `close` does both in
good order.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["ChildError", "Scratch", "ask_to_end", "search_path"]

_MIN_FREE_BYTES: Final = 40 * 1024 * 1024
"""tor's cached consensus and descriptors take about half of it."""
_MAX_PATH_BYTES: Final = 64
"""A Unix socket's whole path has 107 bytes (unix(7)); leave room for its name."""
_TERM_GRACE_S: Final = 5.0
_KILL_GRACE_S: Final = 5.0
_CHILD_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The read ends when the last copy of the pipe's other end is gone: ours. A dying
# child may still be writing, so one `rm` need not be enough.
_REAPER: Final = """
trap '' HUP INT QUIT TERM
while read -r _; do :; done
n=0
while :; do
    rm -rf -- "$1"
    [ -e "$1" ] || exit 0
    n=$((n + 1))
    [ "$n" -lt 100 ] || exit 1
    sleep 0.05
done
"""

# Order matters: setpriv asks for the parent-death signal first; if we died before
# that, the parent is somebody else by now and the command must not start.
_START_IF_PARENT_LIVES: Final = '[ "$PPID" = "$0" ] || exit 125; exec "$@"'


class ChildError(Exception):
    """A one-shot command did not end well; the text is its last line of output."""


class Scratch:
    """A directory of our own, in memory where possible, and its child processes.

    Make it with `create`. Every child is spawned from the thread of the event
    loop: the parent-death signal watches that thread.
    """

    def __init__(
        self,
        path: Path,
        reaper: "subprocess.Popen[bytes]",
        pipe_fd: int,
        environ: Mapping[str, str],
    ) -> None:
        self.path: Final = path
        """Mode 0700, owned by us; gone after `close`."""
        self._reaper = reaper
        self._pipe_fd: int | None = pipe_fd
        self._environ = environ
        self._children: list[asyncio.subprocess.Process] = []

    @classmethod
    async def create(cls, *, environ: Mapping[str, str] | None = None) -> "Scratch":
        """Make the directory and start its reaper.

        Args:
            environ: Where XDG_RUNTIME_DIR, PATH and TMPDIR are read; None means
                the environment of this process.

        Raises:
            OSError: no place can be written to.
        """
        environ = os.environ if environ is None else environ
        path = _choose_parent(environ) / f"coykiosk-{secrets.token_hex(8)}"
        reaper, write_fd = _start_reaper(path)
        # The reaper first: between the two steps there is nothing to leave behind.
        try:
            path.mkdir(mode=0o700)
        except BaseException:
            os.close(write_fd)
            reaper.wait()
            raise
        return cls(path, reaper, write_fd, environ)

    async def spawn(
        self,
        *argv: str,
        input: bytes | None = None,  # noqa: A002  # the word subprocess uses
        env: Mapping[str, str] | None = None,
        keep_output: bool = False,
    ) -> asyncio.subprocess.Process:
        """Start a child that dies with us and knows nothing of our environment.

        It runs in this directory, in a session of its own (a terminal's Ctrl-C
        does not reach it), with PATH, LANG=C and HOME inside this directory.

        Args:
            *argv: The command; its program is looked up in our PATH and in the
                usual system directories.
            input: Written to its standard input, which is then closed.
            env: Variables added to the minimal environment.
            keep_output: True gives `stdout` as a pipe that also carries standard
                error, which the caller must read; False discards both.

        Raises:
            FileNotFoundError: there is no such program.
            OSError: it cannot be started, or this scratch is closed.
        """
        if self._pipe_fd is None:
            msg = "scratch is closed"
            raise OSError(msg)
        child_env = self._child_environ(env)
        program = _find_program(argv[0], child_env["PATH"])
        process = await asyncio.create_subprocess_exec(
            _find_program("setpriv", child_env["PATH"]),
            "--pdeathsig",
            "KILL",
            "--",
            "/bin/sh",
            "-c",
            _START_IF_PARENT_LIVES,
            str(os.getpid()),
            program,
            *argv[1:],
            stdin=asyncio.subprocess.DEVNULL
            if input is None
            else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE
            if keep_output
            else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT
            if keep_output
            else asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd=self.path,
            env=child_env,
        )
        self._children = [c for c in self._children if c.returncode is None]
        self._children.append(process)
        if input is not None and process.stdin is not None:
            process.stdin.write(input)
            process.stdin.close()
        return process

    async def run(
        self,
        *argv: str,
        input: bytes | None = None,  # noqa: A002  # the word subprocess uses
        env: Mapping[str, str] | None = None,
        limit_s: float = 30.0,
    ) -> bytes:
        """Run a one-shot command to its end and return its output, errors included.

        Raises:
            ChildError: it ended with another status than 0, or took too long.
            OSError: it cannot be started.
        """
        process = await self.spawn(*argv, input=input, env=env, keep_output=True)
        try:
            async with asyncio.timeout(limit_s):
                output, _ = await process.communicate()
        except TimeoutError as exc:
            msg = "took too long"
            raise ChildError(msg) from exc
        finally:
            if process.returncode is None:
                _signal(process, kill=True)
                await process.wait()
        if process.returncode != 0:
            lines = output.decode("utf-8", "replace").strip().splitlines()
            raise ChildError(lines[-1] if lines else f"status {process.returncode}")
        return output

    async def close(self) -> None:
        """End the children, remove the directory, end the reaper; idempotent."""
        pipe_fd, self._pipe_fd = self._pipe_fd, None
        if pipe_fd is not None:
            try:
                await self._end_children()
            finally:
                # Also when we are cancelled here: the reaper finishes the work.
                os.close(pipe_fd)
        await asyncio.to_thread(self._reaper.wait)

    async def _end_children(self) -> None:
        """Ask every child to end, wait a bounded time, then insist."""
        try:
            for kill, grace_s in ((False, _TERM_GRACE_S), (True, _KILL_GRACE_S)):
                running = [c for c in self._children if c.returncode is None]
                for child in running:
                    _signal(child, kill=kill)
                if not running:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace_s):
                        for child in running:
                            await child.wait()
        finally:
            for child in self._children:
                if child.returncode is None:
                    _signal(child, kill=True)

    def _child_environ(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        path = search_path(self._environ)
        minimal = {"PATH": path, "LANG": "C", "HOME": str(self.path)}
        return minimal | dict(extra or {})


def _start_reaper(path: Path) -> "tuple[subprocess.Popen[bytes], int]":
    """Return the process that removes `path`, and our end of its pipe.

    Not asyncio's: it kills its processes when the loop goes, at an exception for
    example, and that is when this one has to work.
    """
    read_fd, write_fd = os.pipe()  # both close on exec
    try:
        reaper = subprocess.Popen(  # noqa: S603  # our own text
            ["/bin/sh", "-c", _REAPER, "coykiosk-reaper", str(path)],
            stdin=read_fd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": _CHILD_PATH, "LANG": "C"},
        )
    except BaseException:
        os.close(write_fd)
        raise
    finally:
        os.close(read_fd)
    return reaper, write_fd


def search_path(environ: Mapping[str, str]) -> str:
    """Return where programs are looked for: PATH, then the system directories."""
    ours = environ.get("PATH", "")
    return f"{ours}:{_CHILD_PATH}" if ours else _CHILD_PATH


def ask_to_end(process: asyncio.subprocess.Process) -> None:
    """Send TERM to a child of ours; one that has ended needs none.

    Not `process.terminate`: it polls, and so takes the exit status away from the
    thread in which asyncio waits for it (Python 3.11).
    """
    _signal(process, kill=False)


def _signal(process: asyncio.subprocess.Process, *, kill: bool) -> None:
    """Send TERM to the child, or KILL to it and what it started itself."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        if kill:
            os.killpg(process.pid, signal.SIGKILL)  # leader of its own session
        else:
            os.kill(process.pid, signal.SIGTERM)


def _find_program(name: str, path: str) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _choose_parent(environ: Mapping[str, str]) -> Path:
    """Return where the directory goes: memory first, the disk last."""
    candidates = [Path("/dev/shm")] if _is_tmpfs("/dev/shm") else []  # noqa: S108  # the name inside is random and made by mkdir
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        candidates.append(Path(runtime))
    # Not tempfile.gettempdir(): that writes a file to try a directory out.
    chosen = environ.get("TMPDIR", "")
    if chosen.startswith("/"):
        candidates.append(Path(chosen))
    candidates.append(Path("/tmp"))  # noqa: S108  # as above
    for candidate in candidates:
        if _is_usable(candidate):
            return candidate
    msg = "no temporary directory with enough room"
    raise OSError(msg)


def _is_usable(directory: Path) -> bool:
    try:
        space = os.statvfs(directory)
    except OSError:
        return False
    return (
        os.access(directory, os.W_OK | os.X_OK)
        and space.f_bavail * space.f_frsize >= _MIN_FREE_BYTES
        and len(os.fsencode(directory)) <= _MAX_PATH_BYTES
    )


def _is_tmpfs(mount_point: str) -> bool:
    """Tell whether this very path is a mounted tmpfs (proc(5), mounts)."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    rows = (line.split(" ") for line in mounts.splitlines())
    kinds = [row[2] for row in rows if len(row) > 2 and row[1] == mount_point]  # noqa: PLR2004  # the third column
    return bool(kinds) and kinds[-1] == "tmpfs"
