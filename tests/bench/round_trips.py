"""How often each client waits for the server until it has its roster, and how long.

All talk to one Prosody on this machine, over a line that takes a time there and back
that is chosen: as long as a near onion service takes, and as long as a far one does.
Counted from the first byte that a client sends to the result of its roster request;
that TCP or Tor has to connect first is not counted, for anybody.
"""

import asyncio
import os
import re
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from coykiosk.practice.xmpp_server import PracticeServer
from coykiosk.register.servers import TlsMode
from coykiosk.session.opening import Opened, Purpose
from tests.bench.link import LongLine, Trip
from tests.bench.network import DOMAIN, bench_server
from tests.bench.slixmpp_client import SlixmppClient
from tests.bench.table import Report, Row
from tests.support.accounts import loopback_route, open_account
from tests.support.profanity import Profanity

ROUND_TRIPS_S: Final = (0.3, 0.8)
_N_RUNS: Final = 3
_POLL_S: Final = 0.005
_PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of throw-away accounts
_LIMIT_S: Final = 60.0
# From what profanity tells its log at level DEBUG.
_ROSTER_CAME: Final = b'RECV: <iq id="roster"'
_RESULT: Final = re.compile(rb'RECV: <iq [^>]*type="result"')
_NEW, _OLD = "register and sign in", "sign in"


_Client = Callable[[PracticeServer, str, bool, float], Awaitable[Trip]]
_Found = dict[str, list[Trip]]


def measure() -> Report:
    """Count and time all clients."""
    reports = [asyncio.run(_measure(seconds)) for seconds in ROUND_TRIPS_S]
    return Report(
        tuple(row for report in reports for row in report.rows),
        tuple(line for report in reports for line in report.remarks),
    )


async def _measure(round_trip_s: float) -> Report:
    clients: dict[str, _Client] = {
        "ours, direct TLS": _ours(TlsMode.DIRECT),
        "ours, STARTTLS": _ours(TlsMode.STARTTLS),
        "slixmpp, direct TLS": _slixmpp(TlsMode.DIRECT),
        "slixmpp, STARTTLS": _slixmpp(TlsMode.STARTTLS),
        "profanity, STARTTLS": _profanity,
    }
    async with bench_server() as server:
        found = {
            name: await _both(server, client, round_trip_s)
            for name, client in clients.items()
        }
    return Report(
        tuple(_rows(found, round_trip_s)), tuple(_remarks(found, round_trip_s))
    )


_PAIRS: Final = (
    ("ours, direct TLS", "slixmpp, direct TLS", "<= 0.45 x"),
    ("ours, STARTTLS", "slixmpp, STARTTLS", "<= 0.45 x"),
    ("ours, direct TLS", "profanity, STARTTLS", "<= 0.3 x"),
    ("ours, STARTTLS", "profanity, STARTTLS", "<= 0.3 x"),
)
"""Who is set beside whom, and what is asked for where an account is made. profanity
has STARTTLS unless it is told otherwise; we have what the server's record says."""


def _rows(found: dict[str, _Found], round_trip_s: float) -> Iterator[Row]:
    for what in (_NEW, _OLD):
        for ours, other, asked in _PAIRS:
            mine, theirs = _middle(found[ours][what]), _middle(found[other][what])
            name = ours.removeprefix("ours, ")
            limit = asked if what == _NEW else ""
            if round_trip_s == ROUND_TRIPS_S[0]:
                yield Row(
                    f"{what}, {name}: round trips",
                    mine.round_trips,
                    theirs.round_trips,
                    other,
                    "",
                    limit,
                )
            yield Row(
                f"{what}, {name}: time at {round_trip_s} s a round trip",
                mine.seconds,
                theirs.seconds,
                other,
                "s",
                limit,
            )


def _remarks(everything: dict[str, _Found], round_trip_s: float) -> list[str]:
    return [
        f"{client}, {what}, {round_trip_s} s: "
        f"round trips {[trip.round_trips for trip in trips]}"
        for client, found in everything.items()
        for what, trips in found.items()
    ]


async def _both(server: PracticeServer, client: _Client, round_trip_s: float) -> _Found:
    """Register some accounts, and sign in to each of them again."""
    names = ["b" + os.urandom(6).hex() for _ in range(_N_RUNS)]
    return {
        _NEW: [await client(server, name, True, round_trip_s) for name in names],
        _OLD: [await client(server, name, False, round_trip_s) for name in names],
    }


def _middle(trips: list[Trip]) -> Trip:
    return Trip(
        int(statistics.median(trip.round_trips for trip in trips)),
        statistics.median(trip.seconds for trip in trips),
    )


def _port(server: PracticeServer, tls: TlsMode) -> int:
    return server.direct_tls_port if tls is TlsMode.DIRECT else server.starttls_port


# --- the clients --------------------------------------------------------------------


def _ours(tls: TlsMode) -> _Client:
    async def run(
        server: PracticeServer, name: str, registers: bool, round_trip_s: float
    ) -> Trip:
        route = loopback_route(DOMAIN, tls=tls, pin=server.spki, scram=server.scram)
        async with LongLine(_port(server, tls), round_trip_s) as line:
            opened = await open_account(
                route,
                port=line.port,
                localpart=name,
                password=_PASSWORD,
                purpose=Purpose.REGISTER if registers else Purpose.LOG_IN,
            )
            await _read_roster(opened)
            trip = line.trip
            await opened.stream.close()
        return trip

    return run


async def _read_roster(opened: Opened) -> None:
    while True:
        stanza = opened.reader.next_stanza()
        if stanza is None:
            opened.reader.feed(await opened.stream.read())
        elif stanza.get("id") == opened.bound.roster_id:
            return


def _slixmpp(tls: TlsMode) -> _Client:
    async def run(
        server: PracticeServer, name: str, registers: bool, round_trip_s: float
    ) -> Trip:
        async with LongLine(_port(server, tls), round_trip_s) as line:
            client = SlixmppClient(
                f"{name}@{DOMAIN}",
                _PASSWORD,
                authority=server.certificate_file,
                is_direct=tls is TlsMode.DIRECT,
                registers=registers,
            )
            await client.sign_in(line.port)
            trip = line.trip
            await client.leave()
        return trip

    return run


async def _profanity(
    server: PracticeServer, name: str, registers: bool, round_trip_s: float
) -> Trip:
    """Run it as its manual says; that it has to be started again costs it nothing."""
    trip = Trip(0, 0.0)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        if registers:
            trip = await _profanity_once(
                server, home, name, round_trip_s, registers=True
            )
        return trip + await _profanity_once(
            server, home, name, round_trip_s, registers=False
        )


async def _profanity_once(
    server: PracticeServer,
    home: Path,
    name: str,
    round_trip_s: float,
    *,
    registers: bool,
) -> Trip:
    """Register, or sign in, over a line of its own."""
    log = home / "profanity.log"
    log.unlink(missing_ok=True)
    async with LongLine(server.starttls_port, round_trip_s) as line:
        with Profanity(home, options=("-l", "DEBUG")) as client:

            def act() -> None:
                if registers:
                    client.register(name, DOMAIN, _PASSWORD, port=line.port)
                else:
                    client.sign_in(f"{name}@{DOMAIN}", _PASSWORD, port=line.port)

            is_there = _is_registered if registers else _has_roster
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(log, line, is_there))
                await asyncio.to_thread(act)
    return watching.result()


async def _watch(log: Path, line: LongLine, is_there: Callable[[bytes], bool]) -> Trip:
    """Return how far the line has got as soon as a thing stands in the log."""
    async with asyncio.timeout(_LIMIT_S):
        while not is_there(await asyncio.to_thread(log.read_bytes)):  # noqa: ASYNC110 - a foreign process sets no event of ours
            await asyncio.sleep(_POLL_S)
    return line.trip


def _is_registered(log: bytes) -> bool:
    """Tell whether both answers have come: the form, and the account."""
    return len(_RESULT.findall(log)) >= 2


def _has_roster(log: bytes) -> bool:
    return _ROSTER_CAME in log
