"""A node's control port, as lines over a Unix socket: one question at a time.

Rule: it asks and listens, and decides nothing. A line that answers questions and
a line that carries events are two connections, so that they never interleave.
Nodes are ours and on this machine; `onion.control` is for the tor we go out by.

Source: Tor's control-spec, "Message format".
"""

import asyncio
from pathlib import Path
from typing import Final, Self

__all__ = ["ControlFault", "ControlLine", "ControlRefused"]

_MAX_LINE_BYTES: Final = 256 * 1024
_MAX_REPLY_LINES: Final = 50_000
_STATUS_CHARS: Final = 3  # the digits in front of every line of a reply
_OK: Final = "250"


class ControlFault(Exception):  # noqa: N818 - reads as what it is
    """The node closed the line or sent what is no reply; the text says which."""


class ControlRefused(ControlFault):
    """The node answered, and the answer is no; the line can still be used."""


class ControlLine:
    """One connection; make it with `connect`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Connect and authenticate; the socket's directory is what guards it.

        Raises:
            OSError: nobody listens there (yet).
            ControlFault: the node does not let us in.
        """
        reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE_BYTES)
        line = cls(reader, writer)
        try:
            await line.ask("AUTHENTICATE")
        except BaseException:
            line.close()
            raise
        return line

    async def ask(self, command: str) -> list[str]:
        """Send one command and return the lines of its answer.

        Of a line `250-key=value` the part behind `250-` is returned; lines of a
        data block are returned as they are, behind the line that announced it.

        Raises:
            ControlRefused: the node says no; with its words.
            ControlFault: the node closed, or sent what is no reply.
        """
        self._writer.write(f"{command}\r\n".encode())
        status, lines = await self._read_reply()
        if status != _OK:
            raise ControlRefused(lines[-1])
        return lines

    async def next_event(self) -> list[str]:
        """Wait for an event that `SETEVENTS` asked for; its lines as in `ask`.

        Raises:
            ControlFault: the node closed, or sent what is no reply.
        """
        _, lines = await self._read_reply()
        return lines

    def close(self) -> None:
        """Hang up; idempotent."""
        self._writer.close()

    async def _read_reply(self) -> tuple[str, list[str]]:
        lines: list[str] = []
        while len(lines) < _MAX_REPLY_LINES:
            line = await self._read_line()
            status, kind = line[:_STATUS_CHARS], line[_STATUS_CHARS : _STATUS_CHARS + 1]
            if not status.isdigit() or kind not in {" ", "-", "+"}:
                msg = f"expected a reply line, got {len(line)} characters"
                raise ControlFault(msg)
            lines.append(line[_STATUS_CHARS + 1 :])
            if kind == " ":
                return status, lines
            if kind == "+":
                await self._read_data(lines)
        msg = f"reply longer than {_MAX_REPLY_LINES} lines"
        raise ControlFault(msg)

    async def _read_data(self, lines: list[str]) -> None:
        """Read the lines of a data block up to its lone dot."""
        while len(lines) < _MAX_REPLY_LINES:
            line = await self._read_line()
            if line == ".":
                return
            lines.append(line.removeprefix("."))

    async def _read_line(self) -> str:
        try:
            raw = await self._reader.readuntil(b"\n")
        except (OSError, asyncio.IncompleteReadError) as exc:
            msg = "closed"
            raise ControlFault(msg) from exc
        except asyncio.LimitOverrunError as exc:
            msg = f"line longer than {_MAX_LINE_BYTES} bytes"
            raise ControlFault(msg) from exc
        return raw.decode("utf-8", "replace").rstrip("\r\n")
