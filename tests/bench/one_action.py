"""From the key press to an account that is online, on the practice network.

Ours is a new program each time, with a tor of its own and a vault to be made. What
profanity does for the same end is `/register`, and after a new start `/connect`; the
new start is not counted. It keeps nothing sealed, so it is compared with our keeping
nothing, too.
"""

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.network import DOMAIN, BenchNetwork, bench_network, tor_relay
from tests.bench.table import Report, Row, spread
from tests.support.profanity import Profanity
from tests.support.sights import ONLINE, START
from tests.support.terminal import Terminal

_N_RUNS: Final = 5
_PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of throw-away accounts
_READY: Final = "Tor: connected"
_LIMIT_S: Final = 90.0


def measure() -> Report:
    """Compare."""
    return asyncio.run(_measure())


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of each run."""

    ready: list[float] = field(default_factory=list)
    unkept: list[float] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    other_early: list[float] = field(default_factory=list)
    other_without_tor: list[float] = field(default_factory=list)


async def _measure() -> Report:
    times = _Times()
    with tempfile.TemporaryDirectory() as place:
        async with bench_network() as network:
            for number in range(_N_RUNS):
                await _run_all(times, network, f"{place}/{number}")
    return _report(times)


async def _run_all(times: _Times, network: BenchNetwork, place: str) -> None:
    """Run each once, in homes whose names begin so."""
    for name, found, sight, key in (
        ("ready", times.ready, _READY, "enter"),
        ("unkept", times.unkept, _READY, "f4"),
        ("early", times.early, START, "enter"),
    ):
        home = Path(f"{place}-{name}")
        found.append(await asyncio.to_thread(_ours, network, home, sight, key))
    before_tor = time.monotonic()
    async with tor_relay(network) as port:
        bootstrap = time.monotonic() - before_tor
        seconds = await asyncio.to_thread(_profanity, Path(f"{place}-with-tor"), port)
    times.other.append(seconds)
    times.other_early.append(bootstrap + seconds)
    port = network.server.starttls_port
    seconds = await asyncio.to_thread(_profanity, Path(f"{place}-without-tor"), port)
    times.other_without_tor.append(seconds)


def _report(times: _Times) -> Report:
    ready = "key press to online, Tor ready"
    early = "key press to online, Tor just started"
    unkept = "key press to online, Tor ready, nothing kept"
    other, without = "profanity, same Tor network", "profanity without Tor (!)"
    rows = (
        (ready, times.ready, times.other, other),
        (unkept, times.unkept, times.other, other),
        (early, times.early, times.other_early, other),
        (ready, times.ready, times.other_without_tor, without),
    )
    middle = statistics.median
    return Report(
        rows=tuple(
            Row(what, middle(ours), middle(theirs), whose, "s")
            for what, ours, theirs, whose in rows
        ),
        remarks=(
            *(spread(what, ours, "s") for what, ours, _, _ in rows[:3]),
            spread(other, times.other, "s"),
            spread(f"{other}, its tor just started", times.other_early, "s"),
            spread(without, times.other_without_tor, "s"),
        ),
    )


def _ours(network: BenchNetwork, place: Path, sight: str, key: str) -> float:
    """Start the program, press a key when something is seen; return the wait."""
    with network.start_program(place) as terminal:
        terminal.wait_for(START)
        terminal.wait_for(sight, within_s=_LIMIT_S)
        began = time.monotonic()
        terminal.press(key)
        terminal.wait_for(ONLINE, within_s=_LIMIT_S)
        seconds = time.monotonic() - began
        quit_at_once(terminal)
    return seconds


def quit_at_once(terminal: Terminal) -> None:
    """Quit, so that its tor and its directory go, too."""
    terminal.press("ctrl q")
    terminal.wait_for("Quit")
    terminal.press("enter")
    terminal.wait_end(within_s=30)


def _profanity(home: Path, port: int) -> float:
    name = "b" + os.urandom(6).hex()
    with Profanity(home) as client:
        began = time.monotonic()
        client.register(name, DOMAIN, _PASSWORD, port=port)
        registering = time.monotonic() - began
    with Profanity(home) as client:
        began = time.monotonic()
        client.sign_in(f"{name}@{DOMAIN}", _PASSWORD, port=port)
        return registering + time.monotonic() - began
