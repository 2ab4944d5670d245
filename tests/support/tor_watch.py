"""What tor itself says of its circuits and streams, on its control port.

A connection of the tests' own, in the protocol's own lines: nothing of the program's
control adapter is in between. Source: Tor's control-spec, CIRC and STREAM events.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

_EVENT = re.compile(
    r"650 (?P<kind>CIRC|CIRC_MINOR|STREAM) (?P<id>\d+) (?P<status>\w+) (?P<rest>.*)"
)
_PAIR = re.compile(r'\b(?P<key>[A-Z_]+)=(?:"(?P<quoted>[^"]*)"|(?P<bare>\S*))')
_PATH = re.compile(r"(?:\$[0-9A-F]{40}(?:[~=]\w+)?,?)+")
_RELAY = re.compile(r"\$([0-9A-F]{40})")
_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class TorEvent:
    """One CIRC, CIRC_MINOR or STREAM event."""

    kind: str
    number: str
    """Of the circuit, or of the stream."""
    status: str
    circuit: str
    """Of a stream: the circuit that it is attached to; "0" for none."""
    target: str
    """Of a stream: host and port."""
    path: tuple[str, ...]
    """Of a circuit: fingerprints, guard first."""
    pairs: dict[str, str] = field(hash=False)

    @property
    def user(self) -> str:
        """The isolation key's user; "" for what is nobody's."""
        return self.pairs.get("SOCKS_USERNAME", "")

    @classmethod
    def read(cls, line: str) -> "TorEvent | None":
        match = _EVENT.fullmatch(line)
        if match is None:
            return None
        rest = match["rest"]
        pairs = {
            m["key"]: m["bare"] if m["quoted"] is None else m["quoted"]
            for m in _PAIR.finditer(rest)
        }
        circuit = target = ""
        path: tuple[str, ...] = ()
        if match["kind"] == "STREAM":
            circuit, target = rest.split(" ")[:2]
        elif found := _PATH.match(rest):
            path = tuple(_RELAY.findall(found[0]))
        return cls(
            match["kind"], match["id"], match["status"], circuit, target, path, pairs
        )


class TorWatch:
    """Everything that tor has told of circuits and streams since the beginning."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.events: list[TorEvent] = []
        self._reader = reader
        self._writer = writer
        self._answers: asyncio.Queue[str] = asyncio.Queue()

    # --- what tor was seen to do ------------------------------------------------

    @property
    def user_streams(self) -> list[TorEvent]:
        """STREAM events of connections that came in by SOCKS, not of tor's own.

        tor tells the purpose when a stream begins, and not again.
        """
        streams = [event for event in self.events if event.kind == "STREAM"]
        of_users = {
            event.number for event in streams if event.pairs.get("PURPOSE") == "USER"
        }
        return [event for event in streams if event.number in of_users]

    def circuits_of(self, user: str) -> set[str]:
        """The circuits that carried streams with this user."""
        return {
            event.circuit
            for event in self.user_streams
            if event.user == user and event.circuit != "0"
        }

    def carried_by(self, user: str) -> str:
        """The circuit that the last of this user's streams succeeded on."""
        return [
            event.circuit
            for event in self.user_streams
            if event.user == user and event.status == "SUCCEEDED"
        ][-1]

    def users_by_circuit(self) -> dict[str, set[str]]:
        """Whose each circuit ever was, as CIRC and STREAM events name them."""
        users: dict[str, set[str]] = {}
        for event in self.events:
            circuit = event.circuit if event.kind == "STREAM" else event.number
            if event.user and circuit != "0":
                users.setdefault(circuit, set()).add(event.user)
        return users

    def path_of(self, circuit: str) -> tuple[str, ...]:
        """The circuit's relays, as the last event told them."""
        return [
            event.path
            for event in self.events
            if event.kind != "STREAM" and event.number == circuit and event.path
        ][-1]

    # --- what tor is told ---------------------------------------------------------

    async def close_circuit(self, circuit: str) -> None:
        """Have a circuit torn down, with the streams on it."""
        await self.command(f"CLOSECIRCUIT {circuit}")

    async def settle(self) -> None:
        """Return once every event of what has happened until now has come."""
        await self.command("GETINFO version")

    async def command(self, line: str) -> None:
        """Have tor do something."""
        self._writer.write(f"{line}\r\n".encode())
        async with asyncio.timeout(_LIMIT_S):
            answer = await self._answers.get()
        assert answer.startswith("250"), answer

    async def listen(self) -> None:
        """Read until the end."""
        while data := await self._reader.readline():
            line = data.decode("ascii", "replace").rstrip("\r\n")
            event = TorEvent.read(line)
            if event is not None:
                self.events.append(event)
            elif line[3:4] == " ":  # the last line of an answer
                self._answers.put_nowait(line)


@asynccontextmanager
async def watching(control: Path, cookie: Path) -> AsyncIterator[TorWatch]:
    """Watch a tor, by its control socket and the cookie that opens it."""
    secret = await asyncio.to_thread(cookie.read_bytes)
    reader, writer = await asyncio.open_unix_connection(str(control))
    watch = TorWatch(reader, writer)
    listening = asyncio.get_running_loop().create_task(watch.listen())
    try:
        await watch.command(f"AUTHENTICATE {secret.hex()}")
        await watch.command("SETEVENTS CIRC CIRC_MINOR STREAM")
        yield watch
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        writer.close()
