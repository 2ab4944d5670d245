"""Our own tor: a child in a private directory that is gone when we are.

Rule: it writes nowhere but into that directory, and nothing of its output is
kept but its last complaint while it starts.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import UnixAddress
from coykiosk.onion.bridges import Bridge
from coykiosk.onion.control import ControlError, ControlPort
from coykiosk.onion.scratch import Scratch, ask_to_end, search_path
from coykiosk.onion.torrc import Layout, complaint, guard_lines, make_torrc
from coykiosk.onion.transports import bridge_torrc

__all__ = ["OwnTor"]

_START_LIMIT_S: Final = 30.0
_POLL_S: Final = 0.05
_LAST_WORDS_S: Final = 1.0
_END_LIMIT_S: Final = 5.0
_CHUNK_BYTES: Final = 4096
_MAX_STATE_BYTES: Final = 256 * 1024


class OwnTor:
    """A tor that belongs to us; make it with `launch`."""

    def __init__(
        self, scratch: Scratch, layout: Layout, process: asyncio.subprocess.Process
    ) -> None:
        self._scratch = scratch
        self._layout = layout
        self._process = process
        self._complaint = ""
        self._unfinished = b""

    @classmethod
    async def launch(
        cls,
        environ: Mapping[str, str],
        *,
        extra_torrc: Sequence[str],
        guard_state: str,
        bridges: Sequence[Bridge] = (),
    ) -> tuple["OwnTor", ControlPort]:
        """Start tor and connect to its control port.

        Args:
            environ: Where PATH and the place for the directory are read.
            extra_torrc: Further configuration lines.
            guard_state: Guard lines of an earlier session, or "".
            bridges: The only ways into the network that it may take, if any.

        Raises:
            UserError: TOR_MISSING, TOR_START_FAILED, BRIDGE_PROGRAM_MISSING.
        """
        if shutil.which("tor", path=search_path(environ)) is None:
            raise UserError(ErrorCode.TOR_MISSING)
        ways = bridge_torrc(bridges, environ)
        try:
            scratch = await Scratch.create(environ=environ)
        except OSError as exc:
            raise _failed(exc.strerror or str(exc)) from exc
        try:
            layout = Layout(scratch.path)
            torrc = make_torrc(
                layout, owner_pid=os.getpid(), bridges=ways, extra=extra_torrc
            )
            _lay_out(layout, torrc, guard_state)
            process = await scratch.spawn(
                "tor",
                "-f",
                str(layout.torrc),
                "--defaults-torrc",
                str(layout.defaults),
                keep_output=True,
            )
            own = cls(scratch, layout, process)
            return own, await own._reach_control()
        except (OSError, ValueError) as exc:
            await scratch.close()
            raise _failed(str(exc)) from exc
        except BaseException:
            await scratch.close()
            raise

    @property
    def socks(self) -> UnixAddress:
        """Where it takes SOCKS."""
        return UnixAddress(self._layout.socks)

    def guards(self) -> str:
        """Return its guard lines as they are on file now, "" when there are none.

        tor writes them some 30 s after they changed, and when it ends.
        """
        try:
            with self._layout.state.open(encoding="utf-8") as file:
                return guard_lines(file.read(_MAX_STATE_BYTES))
        except (OSError, UnicodeDecodeError):
            return ""

    async def wait_end(self) -> None:
        """Wait until the process has ended, reading and forgetting its output."""
        await self._listen()
        await self._process.wait()

    async def end(self) -> str:
        """End it in good order and return its last guard lines; see `close`."""
        ask_to_end(self._process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_LIMIT_S):
                await self._process.wait()
        return self.guards()

    async def close(self) -> None:
        """End it whatever it takes and remove its directory."""
        await self._scratch.close()

    async def _reach_control(self) -> ControlPort:
        """Connect to the control port as soon as it is there."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            try:
                async with asyncio.timeout(_START_LIMIT_S):
                    control = await self._poll_control()
            except TimeoutError:
                control = None
            if control is None and self._process.returncode is not None:
                await asyncio.wait([listening], timeout=_LAST_WORDS_S)
            listening.cancel()
        if control is None:
            raise _failed(self._complaint or "no answer")
        await control.take_ownership()
        return control

    async def _poll_control(self) -> ControlPort | None:
        """Return the control port, or None when tor ended instead."""
        while self._process.returncode is None:
            if self._layout.control.exists():
                try:
                    return await ControlPort.connect(UnixAddress(self._layout.control))
                except (OSError, ControlError) as exc:
                    # Between bind and listen, or on its way out.
                    self._complaint = self._complaint or str(exc)
            await asyncio.sleep(_POLL_S)
        return None

    async def _listen(self) -> None:
        """Read tor's output to its end and keep its last complaint."""
        stdout = self._process.stdout
        while stdout is not None and (chunk := await stdout.read(_CHUNK_BYTES)):
            *lines, rest = (self._unfinished + chunk).split(b"\n")
            self._unfinished = rest[:_CHUNK_BYTES]
            for line in lines:
                text = line.decode("utf-8", "replace")
                self._complaint = complaint(text, self._complaint)


def _lay_out(layout: Layout, torrc: str, guard_state: str) -> None:
    """Write the files tor starts from; the directory is ours alone (0700)."""
    layout.data.mkdir(mode=0o700)
    guards = guard_lines(guard_state)
    if guards:
        layout.state.write_text(guards, encoding="ascii")
    layout.defaults.write_text("", encoding="ascii")
    layout.torrc.write_text(torrc, encoding="utf-8")


def _failed(reason: str) -> UserError:
    return UserError(ErrorCode.TOR_START_FAILED, reason=reason)
