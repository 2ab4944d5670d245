"""One tor of the private network: its process, its place and its control port.

Rule: knows no other node. When it ends, why it ended comes from its own log.
"""

import contextlib
import os
import re
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from coykiosk.errors import UserError
from coykiosk.onion.scratch import Scratch
from coykiosk.onion.torrc import complaint
from coykiosk.practice.control_line import ControlFault, ControlLine
from coykiosk.practice.faults import failed
from coykiosk.practice.tor_config import Place, make_torrc

__all__ = ["Node", "prepare_place"]

_PROGRESS: Final = re.compile(r"\bPROGRESS=(\d{1,3})\b")
# Before it has read its configuration, tor complains on its standard output only.
_INTO_LOG: Final = 'log=$1; shift; exec "$@" >"$log" 2>&1'
# One malloc arena instead of one for each thread: half the memory [measured].
_ENV: Final = {"MALLOC_ARENA_MAX": "1"}
_MAX_LOG_CHARS: Final = 64 * 1024


class Node:
    """A running node; make it with `start`."""

    def __init__(self, name: str, place: Place, process: Process) -> None:
        self.name: Final = name
        self.place: Final = place
        self._process = process
        self._line: ControlLine | None = None

    @classmethod
    async def start(
        cls, scratch: Scratch, name: str, place: Place, lines: Sequence[str]
    ) -> Self:
        """Write the configuration and start tor on it.

        Args:
            scratch: Owns the process; its directory holds the place.
            name: What people call it when it breaks.
            place: A directory that `prepare_place` has made.
            lines: What it is, from `tor_config`.

        Raises:
            FileNotFoundError: there is no tor.
            OSError: the place cannot be written, or tor cannot be started.
        """
        torrc = make_torrc(place, lines, owner_pid=os.getpid())
        place.torrc.write_text(torrc, encoding="utf-8")
        argv = tor_command(place)
        process = await scratch.spawn(
            "/bin/sh", "-c", _INTO_LOG, "sh", str(place.log), *argv, env=_ENV
        )
        return cls(name, place, process)

    async def ask(self, command: str) -> list[str]:
        """Put a question to its control port, connecting at the first one.

        Raises:
            ControlRefused: it says no.
            ControlFault: nobody answers (yet, or any more).
        """
        if self._line is None:
            self._line = await self.open_line()
        return await self._line.ask(command)

    async def open_line(self) -> ControlLine:
        """Open a control connection of its own, for events.

        Raises:
            ControlFault: nobody answers (yet, or any more).
        """
        try:
            return await ControlLine.connect(self.place.control)
        except OSError as exc:
            msg = "not there"
            raise ControlFault(msg) from exc

    async def bootstrap_percent(self) -> int:
        """Ask how far it is; raises as `ask` does."""
        match = _PROGRESS.search((await self.ask("GETINFO status/bootstrap-phase"))[0])
        return int(match[1]) if match else 0

    def check_alive(self) -> None:
        """Notice that it has ended.

        Raises:
            UserError: PRACTICE_FAILED, with the last thing it complained about.
        """
        if self._process.returncode is not None:
            raise self._obituary()

    async def wait_end(self) -> UserError:
        """Wait until it ends, and return why."""
        await self._process.wait()
        return self._obituary()

    async def kill(self) -> None:
        """End it at once: it has nothing to put in order; idempotent."""
        if self._line is not None:
            self._line.close()
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            self._process.kill()
        await self._process.wait()

    def _obituary(self) -> UserError:
        status = self._process.returncode
        # Who was killed had no complaint; who ended by itself said why.
        reason = self._last_complaint() if status is not None and status > 0 else ""
        return failed(f"{self.name}: {reason or f'it ended with status {status}'}")

    def _last_complaint(self) -> str:
        reason = ""
        with contextlib.suppress(OSError):  # it wrote nothing
            log = self.place.log.read_text(encoding="utf-8", errors="replace")
            for line in log[-_MAX_LOG_CHARS:].splitlines():
                reason = complaint(line, reason)
        return reason


def tor_command(place: Place) -> tuple[str, ...]:
    """Return how tor is called on a place: by its own configuration alone."""
    # The machine's defaults file must not get a word in; an empty one does that.
    empty = place.path / "empty"
    return ("tor", "-f", str(place.torrc), "--defaults-torrc", str(empty))


def prepare_place(parent: Path, name: str) -> Place:
    """Make a node's directories.

    Raises:
        OSError: they cannot be made.
    """
    place = Place(parent / name)
    for directory in (place.path, place.data, place.data / "keys"):
        directory.mkdir(mode=0o700)
    (place.path / "empty").touch(mode=0o600)
    return place
