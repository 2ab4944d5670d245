"""One session in a process of its own, which is told by lines what to do.

Run as a program: `python one_session.py SETTINGS`, a JSON object with `port` (of a
server on 127.0.0.1), `vault` (a path), `offset_s` (how wrong its clocks are) and
`host` (what it takes the machine's name for). It reads `create`, `unlock`, `open
ADDRESS`, `say ADDRESS TEXT` and `quit`, and writes what comes of it.
"""

import asyncio
import json
import os
import platform
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from coykiosk.contract import (
    AccountOnline,
    ChatChanged,
    Closed,
    Command,
    CreateAccount,
    Event,
    Failed,
    Jid,
    MessageReceived,
    OpenChat,
    Quit,
    Secret,
    SendMessage,
    UnlockVault,
)
from tests.support.headless import (
    ONION,
    WORDS,
    LeapingLoop,
    LoopbackTor,
    Person,
    headless,
    leap,
    make_server,
    quick_vault,
)


def main() -> None:
    settings = json.loads(sys.argv[1])
    pretend(settings["host"], settings["offset_s"])
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(sit(settings))


def pretend(host: str, offset_s: float) -> None:
    """Let Python take the machine for another, with a clock that is wrong."""
    name = os.uname()
    real_time = time.time
    socket.gethostname = lambda: host
    platform.node = lambda: host
    os.uname = lambda: os.uname_result((name[0], host, *name[2:]))
    time.time = lambda: real_time() + offset_s


async def sit(settings: dict[str, Any]) -> None:
    leap(abs(settings["offset_s"]))
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    offset = timedelta(seconds=settings["offset_s"])
    async with headless(
        [make_server()],
        LoopbackTor({ONION: settings["port"]}),
        vault=quick_vault(Path(settings["vault"])),
        wall_clock=lambda: datetime.now(UTC) + offset,
    ) as person:
        telling = loop.create_task(tell(person.events, person.came))
        while line := (await reader.readline()).decode().rstrip("\n"):
            person.submit(command(line, person))
            if line == "quit":
                break
        await person.ended()
        telling.cancel()
        await asyncio.wait([telling])
        transport.close()


async def tell(events: list[Event], came: asyncio.Event) -> None:
    """Write each event that the test may wait for, as it comes."""
    n_told = 0
    while True:
        for event in events[n_told:]:
            n_told += 1
            match event:
                case AccountOnline(account=account):
                    write(f"online {account}")
                case ChatChanged(phase=phase):
                    write(f"phase {phase.name}")
                case MessageReceived(text=text):
                    write(f"received {text}")
                case Failed(error=error):
                    write(f"failed {error.code.name}")
                case Closed():
                    return
                case _:
                    pass
        came.clear()
        await came.wait()


def command(line: str, person: Person) -> Command:
    match line.split(" ", 2):
        case ["create"]:
            return CreateAccount(Secret(WORDS))
        case ["unlock"]:
            return UnlockVault(Secret(WORDS))
        case ["open", address]:
            return OpenChat(person.me, Jid.parse(address))
        case ["say", address, text]:
            return SendMessage(person.me, Jid.parse(address), text)
        case ["quit"]:
            return Quit()
        case _:
            raise ValueError(line)


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
