"""What stays in memory with an account online and an encrypted chat open.

Our program and profanity are each other's contact, so both are in the same state.
RSS counts what is shared with other programs in full, PSS by its share.

Source: proc(5), smaps_rollup.
"""

import asyncio
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.network import DOMAIN, BenchNetwork, bench_network
from tests.bench.one_action import quit_at_once
from tests.bench.table import Report, Row
from tests.support.processes import children, program_of
from tests.support.profanity import Profanity, build_otr3
from tests.support.sights import ENCRYPTED, ONLINE, START, open_chat

_PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of throw-away accounts
_NAME: Final = "other"
_LINE: Final = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)
_LIMIT_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Resident:
    """In MiB."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int) -> "Resident":
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = {name: int(kib) / 1024 for name, kib in _LINE.findall(text)}
        return cls(found["Rss"], found["Pss"])


def measure() -> Report:
    """Compare."""
    return asyncio.run(_measure())


async def _measure() -> Report:
    with tempfile.TemporaryDirectory() as place:
        async with bench_network() as network:
            ours, other, tor = await asyncio.to_thread(_talk, network, Path(place))
    what = "memory, online, one chat"
    of_tor = f"RSS {tor.rss:.1f} MiB, PSS {tor.pss:.1f} MiB"
    return Report(
        rows=(
            Row(f"{what}: RSS", ours.rss, other.rss, "profanity", "MiB"),
            Row(f"{what}: PSS", ours.pss, other.pss, "profanity", "MiB"),
        ),
        remarks=(f"our child tor, which profanity would need as well: {of_tor}",),
    )


def _talk(network: BenchNetwork, place: Path) -> tuple[Resident, Resident, Resident]:
    """Have both talk to each other, and weigh them: ours, profanity, our tor."""
    port = network.server.starttls_port
    home = place / "profanity"
    with Profanity(home) as client:
        client.register(_NAME, DOMAIN, _PASSWORD, port=port)
    with (
        Profanity(home, otr3=build_otr3(place)) as other,
        network.start_program(place / "ours") as ours,
    ):
        other.sign_in(f"{_NAME}@{DOMAIN}", _PASSWORD, port=port)
        other.make_otr_key()
        ours.wait_for(START)
        ours.press("enter")
        address = ours.wait_for(ONLINE, within_s=_LIMIT_S)
        open_chat(ours, f"{_NAME}@{DOMAIN}")
        ours.wait_for(ENCRYPTED, within_s=_LIMIT_S)
        other.chat_with(f"{address[1]}@{address[2]}")
        other.wait_otr()
        for speaker, listener, text in (
            (ours, other.terminal, "from ours"),
            (other.terminal, ours, "from profanity"),
        ):
            speaker.type(text)
            speaker.press("enter")
            listener.wait_for(text)
        [tor] = (pid for pid in children(ours.pid) if program_of(pid) == "tor")
        pids = (ours.pid, other.terminal.pid, tor)
        ours_is, other_is, tor_is = (Resident.of(pid) for pid in pids)
        quit_at_once(ours)
    return ours_is, other_is, tor_is
