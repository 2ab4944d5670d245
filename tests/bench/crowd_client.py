"""One client of the crowd's, in a process of its own, to be weighed from outside.

    python -m tests.bench.crowd_client ours|slixmpp PORT LOCALPART CERTIFICATE PIN

Signs in to an account on 127.0.0.1 and says its full address when all is ready: the
roster there, and with ours an OTR session with each contact who has it. Then it
receives; each twentieth text from a contact with OTR it answers. For every line on its
input it collects garbage and says so; it ends with its input.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from coykiosk.contract import (
    ChatChanged,
    ChatPhase,
    Event,
    Jid,
    MessageReceived,
    Secret,
)
from coykiosk.otr import PrivateKey, draw_instance_tag
from coykiosk.register.servers import TlsMode
from coykiosk.session.account import AccountSession
from coykiosk.session.world import World
from coykiosk.vault.profile import Account
from tests.bench.crowd import N_ENCRYPTED, contact
from tests.bench.slixmpp_client import SlixmppClient
from tests.support.accounts import loopback_route
from tests.support.headless import DOMAIN, LoopbackTor

STAPLE: Final = "correct horse battery staple"
ANSWER_EVERY: Final = 20
_LIMIT_S: Final = 60.0


async def _ours(port: int, localpart: str, pin: str) -> None:
    route = loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin=pin)
    encrypted: set[Jid] = set()
    n_received = 0
    is_ready = asyncio.Event()

    def publish(event: Event) -> None:
        nonlocal n_received
        match event:
            case ChatChanged(chat=jid, phase=ChatPhase.ENCRYPTED):
                encrypted.add(jid)
                if len(encrypted) == N_ENCRYPTED:
                    is_ready.set()
            case MessageReceived(chat=chat):
                n_received += 1
                if n_received % ANSWER_EVERY == 0:
                    session.chats.say(chat, "so it is")
            case _:
                pass  # the screen's business

    async def run_blocking(function: Callable[[], Any], /) -> Any:
        return await asyncio.to_thread(function)

    tor = LoopbackTor({route.host: port})
    await tor.start(guard_state="")
    world = World(
        tor=tor,
        random_bytes=os.urandom,
        now=asyncio.get_running_loop().time,
        wall_clock=lambda: datetime.now(UTC),
        run_blocking=run_blocking,
        publish=publish,
    )
    record = Account(
        localpart=localpart,
        domain=DOMAIN,
        password=Secret(STAPLE),
        pending=False,
        host=route.host,
        port=route.port,
        tls="direct",
        spki=(pin,),
        otr_key=Secret(PrivateKey.generate().to_bytes()),
        instance_tag=draw_instance_tag(os.urandom),
        known={},
        created=datetime.now(UTC),
    )
    session = AccountSession(
        record, route=route, world=world, kept=False, save=lambda: None
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run(None))
        for number in range(N_ENCRYPTED):
            session.chats.open(Jid.parse(contact(number)))
        async with asyncio.timeout(_LIMIT_S):
            await is_ready.wait()
        assert session._stream is not None
        await _serve(str(session._stream.account))
        await session.close()
        running.cancel()


async def _slixmpp(port: int, localpart: str, certificate: Path) -> None:
    client = SlixmppClient(
        f"{localpart}@{DOMAIN}",
        STAPLE,
        authority=certificate,
        is_direct=True,
        registers=False,
    )
    with_otr = {contact(number) for number in range(N_ENCRYPTED)}
    n_received = 0

    def answer(message: Any) -> None:
        nonlocal n_received
        if message["from"].bare in with_otr:
            n_received += 1
            if n_received % ANSWER_EVERY == 0:
                message.reply("so it is").send()

    client.add_event_handler("message", answer)
    await client.sign_in(port)
    await _serve(client.boundjid.full)
    await client.leave()


async def _serve(jid: str) -> None:
    """Say who we are, and obey."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    _say(jid)
    while await reader.readline():
        gc.collect()
        _say("collected")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _who, _port, _localpart, _certificate, _pin = sys.argv[1:]
    asyncio.run(
        _ours(int(_port), _localpart, _pin)
        if _who == "ours"
        else _slixmpp(int(_port), _localpart, Path(_certificate))
    )
