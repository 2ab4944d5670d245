"""A long day's session: 1,000 contacts and 10,000 messages received.

Ours is the session without its screen, slixmpp its default client. Both are given the
same stanzas by the same crowd through one real Prosody, over TLS on loopback, each in
a process of its own, three times in turn. CPU is what the kernel counted for that
process; memory is taken after a garbage collection. Source: proc(5), stat and
smaps_rollup.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coykiosk.register.servers import TlsMode
from coykiosk.session.opening import Purpose
from tests.bench.crowd import (
    CROWD_DOMAIN,
    N_CONTACTS,
    N_ENCRYPTED,
    SHARED_WORD,
    Crowd,
    contact,
    crowd,
)
from tests.bench.crowd_client import ANSWER_EVERY, STAPLE
from tests.bench.memory import Resident
from tests.bench.table import Report, Row, spread
from tests.session.conftest import DOMAIN, Prosody, free_port, start_prosody
from tests.support.accounts import loopback_route, open_account

_N_MESSAGES: Final = 10_000
_N_DAYS: Final = 3
_LIMIT_S: Final = 120.0
_ROOT: Final = Path(__file__).parents[2]
_OPTIONS: Final = """\
component_ports = {{ {port} }}
component_interfaces = {{ "127.0.0.1" }}
default_archive_policy = false
Component "{domain}"
component_secret = "{secret}"
"""


@dataclass(frozen=True, slots=True)
class _Wave:
    """What one wave of messages took."""

    cpu_s: float
    after: Resident


@dataclass(frozen=True, slots=True)
class _Day:
    """One client's whole session."""

    before: Resident
    """Signed in, all contacts online, and nothing said yet."""
    signing_in_s: float
    """CPU until then, with the start of Python and, for ours, the key exchanges."""
    waves: tuple[_Wave, ...]

    def growth(self, number: int) -> float:
        """What RSS grew by in a wave, in MiB.

        PSS would depend on who else runs, and maps the same files, just then.
        """
        before = self.waves[number - 1].after if number else self.before
        return round(self.waves[number].after.rss - before.rss, 1)


def measure() -> Report:
    """Compare."""
    return asyncio.run(_measure())


async def _measure() -> Report:
    ours: list[_Day] = []
    other: list[_Day] = []
    with tempfile.TemporaryDirectory() as place, _server(Path(place)) as (server, port):
        async with crowd(port) as people:
            for _ in range(_N_DAYS):
                ours.append(await _day(server, people, "ours", (True, True, False)))
                other.append(await _day(server, people, "slixmpp", (False,) * 3))
    return _report(ours, other)


def _report(ours: list[_Day], other: list[_Day]) -> Report:
    what = f"{N_CONTACTS} contacts"
    some = f"{_N_MESSAGES} messages"
    half = f"{some}, half of them OTR in {N_ENCRYPTED} chats"
    figures: list[tuple[str, Callable[[_Day], float], str]] = [
        (f"{what}, online: RSS", lambda day: day.before.rss, "MiB"),
        (f"{what}, online: PSS", lambda day: day.before.pss, "MiB"),
        (f"{half}: CPU", lambda day: day.waves[0].cpu_s, "s"),
        (f"{half}: RSS grown by", lambda day: day.growth(0), "MiB"),
        (f"{half}, again: CPU", lambda day: day.waves[1].cpu_s, "s"),
        (f"{half}, again: RSS grown by", lambda day: day.growth(1), "MiB"),
        (f"{some}, no OTR: CPU", lambda day: day.waves[2].cpu_s, "s"),
        (f"{some}, no OTR: RSS grown by", lambda day: day.growth(2), "MiB"),
    ]
    rows = [
        Row(name, _middle(ours, figure), _middle(other, figure), "slixmpp", unit)
        for name, figure, unit in figures
    ]
    return Report(tuple(rows), (_remark("ours", ours), _remark("slixmpp", other)))


def _middle(days: list[_Day], figure: Callable[[_Day], float]) -> float:
    return statistics.median(figure(day) for day in days)


def _remark(name: str, days: list[_Day]) -> str:
    return spread(
        f"{name}, CPU until all was there", [day.signing_in_s for day in days], "s"
    )


# --- the server ----------------------------------------------------------------------


@contextmanager
def _server(place: Path) -> Iterator[tuple[Prosody, int]]:
    """Run a Prosody that the crowd may join; with the port for that."""
    port = free_port()
    options = _OPTIONS.format(port=port, domain=CROWD_DOMAIN, secret=SHARED_WORD)
    with contextmanager(start_prosody)(place, options=options) as server:
        yield server, port


async def _make_account(server: Prosody, localpart: str) -> None:
    """Make an account whose contacts are the crowd."""
    pin = server.identity.pin
    opened = await open_account(
        loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin=pin),
        port=server.direct_port,
        localpart=localpart,
        password=STAPLE,
        purpose=Purpose.REGISTER,
    )
    await opened.stream.close()
    items = "".join(
        f'["{contact(number)}"] = {{ subscription = "both", groups = {{}} }};\n'
        for number in range(N_CONTACTS)
    )
    folder = server.directory / "data" / DOMAIN.replace(".", "%2e") / "roster"
    folder.mkdir(exist_ok=True)
    text = f"return {{\n{items}[false] = {{ version = 1 }};\n}};\n"
    (folder / f"{localpart}.dat").write_text(text)


# --- the clients -----------------------------------------------------------------------


async def _day(
    server: Prosody, people: Crowd, who: str, waves: tuple[bool, ...]
) -> _Day:
    """Have a client sign in and receive waves of messages, with OTR or without."""
    localpart = "b" + os.urandom(6).hex()
    await _make_account(server, localpart)
    people.renew()
    async with _client(server, who, localpart) as client:
        await people.wait_taken(client.jid)
        assert people.n_encrypted == (N_ENCRYPTED if who == "ours" else 0)
        before, signing_in_s = await client.weigh(), client.cpu_s()
        found = []
        for with_otr in waves:
            began = client.cpu_s()
            await people.speak(client.jid, _N_MESSAGES, with_otr=with_otr)
            cpu_s = client.cpu_s() - began
            found.append(_Wave(cpu_s, await client.weigh()))
    assert people.n_heard == len(waves) * _N_MESSAGES // 2 // ANSWER_EVERY
    return _Day(before, signing_in_s, tuple(found))


@dataclass(frozen=True, slots=True)
class _Client:
    process: asyncio.subprocess.Process
    jid: str

    def cpu_s(self) -> float:
        """What it has used since its start."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    async def weigh(self) -> Resident:
        """Have it collect its garbage, and weigh it."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await _line(self.process)
        return Resident.of(self.process.pid)


@asynccontextmanager
async def _client(server: Prosody, who: str, localpart: str) -> AsyncIterator[_Client]:
    """Start a client; it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.crowd_client", who),
        *(str(server.direct_port), localpart),
        *(str(server.identity.certificate_file), server.identity.pin),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    assert process.stdin is not None
    try:
        yield _Client(process, await _line(process))
        process.stdin.close()
        async with asyncio.timeout(_LIMIT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(_LIMIT_S):
        line = await process.stdout.readline()
    assert line, "the client has ended"
    return line.decode().strip()
