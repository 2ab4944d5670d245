"""The practice run on a network of the test's own: no tor, but a real server."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coykiosk import rehearsal
from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    Closed,
    Command,
    Connect,
    CreateAccount,
    Event,
    Failed,
    Jid,
    MessageReceived,
    OpenChat,
    PracticeAdvanced,
    PracticeReady,
    PracticeStep,
    Protection,
    Quit,
    SendMessage,
    TorReady,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.practice.prosody_config import ServerRecord
from coykiosk.register.servers import Server
from coykiosk.rehearsal import Desk, rehearse
from coykiosk.session.kiosk import Kiosk
from coykiosk.session.world import World
from tests.session.own_server import own_server
from tests.support.headless import (
    DOMAIN,
    LoopbackTor,
    eventually,
    leap,
    run_leaping,
)


def online_as(localpart: str) -> AccountOnline:
    return AccountOnline(
        Jid(localpart, DOMAIN), via_onion=True, channel_bound=False, kept=True
    )


def make_onion() -> str:
    """Make a v3 onion name that nobody listens to (rend-spec-v3, section 6)."""
    key, version = bytes(32), b"\x03"
    checksum = hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]
    return base64.b32encode(key + checksum + version).decode().lower() + ".onion"


ONION = make_onion()


class Network:
    """Stands in for the practice network: it says it is up, and a server is."""

    failure: ClassVar[UserError | None] = None
    is_stuck: ClassVar[bool] = False
    made: ClassVar[list["Network"]] = []
    path: ClassVar[Path]
    spki: ClassVar[str] = "A" * 43 + "="

    client_torrc = ("TestingTorNetwork 1",)

    def __init__(self) -> None:
        self.n_stops = 0
        self.broken = asyncio.Event()
        self.made.append(self)

    @property
    def servers_toml(self) -> str:
        return ServerRecord(
            domain=DOMAIN,
            onion=ONION,
            port=5223,
            checked=date(2026, 1, 2),
            spki=self.spki,
            scram=("SCRAM-SHA-1",),
        ).to_toml()

    async def start(self, on_step: Callable[[PracticeStep], None]) -> None:
        on_step(PracticeStep.STARTING_RELAYS)
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure

    async def stop(self) -> None:
        self.n_stops += 1

    async def wait_broken(self) -> UserError:
        await self.broken.wait()
        return UserError(ErrorCode.PRACTICE_FAILED, reason="prosody has ended")


@dataclass
class Side:
    """The person's side: what the screen would show, and what it would ask for."""

    tor: LoopbackTor
    events: list[Event] = field(default_factory=list)
    commands: asyncio.Queue[Command] = field(default_factory=asyncio.Queue)
    torrcs: list[tuple[str, ...]] = field(default_factory=list)
    quitting: asyncio.Event = field(default_factory=asyncio.Event)

    def submit(self, command: Command) -> None:
        if isinstance(command, Quit):
            self.quitting.set()
        self.commands.put_nowait(command)

    def desk(self) -> Desk:
        return Desk(
            publish=self.events.append,
            submit=self.submit,
            quitting=self.quitting,
            make_world=self.make_world,
        )

    def make_world(self, torrc: Sequence[str]) -> World:
        self.torrcs.append(tuple(torrc))
        loop = asyncio.get_running_loop()
        return World(
            tor=self.tor,
            random_bytes=os.urandom,
            now=loop.time,
            wall_clock=lambda: datetime.now(UTC),
            run_blocking=asyncio.to_thread,
            publish=self.events.append,
        )

    async def serve(
        self, world: World, servers: Sequence[Server], vault_path: Path
    ) -> None:
        assert vault_path.name == "vault"
        await world.tor.start(guard_state="")
        kiosk = Kiosk(servers=servers, vault=None, world=world, commands=self.commands)
        await kiosk.run()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Network]:
    class Fresh(Network):
        made: ClassVar[list[Network]] = []
        path = tmp_path

    monkeypatch.setattr(rehearsal, "PracticeNetwork", Fresh)
    return Fresh


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(rehearsing: asyncio.Task[None], is_so: Callable[[], object]) -> None:
    """As `eventually`, unless the rehearsal has ended: then raise what it raised."""
    await eventually(lambda: rehearsing.done() or is_so())
    if rehearsing.done():
        rehearsing.result()
        pytest.fail("the rehearsal has ended")


@asynccontextmanager
async def rehearsal_at(
    tmp_path: Path, network: type[Network], *, is_up: bool = True
) -> AsyncIterator[tuple[Side, asyncio.Task[None], int]]:
    """Rehearse with a real server; yields its port too, for when it is not up."""
    async with own_server(tmp_path) as server:
        network.spki = server.pin
        side = Side(LoopbackTor({ONION: server.port} if is_up else {}))
        async with running(rehearse(side.desk(), side.serve)) as rehearsing:
            yield side, rehearsing, server.port


@pytest.mark.network
def test_rehearsal_leads_to_a_chat_with_the_partner_on_one_key(
    tmp_path: Path, network: type[Network]
) -> None:
    async def main() -> Side:
        async with rehearsal_at(tmp_path, network) as (side, rehearsing, _):
            side.submit(CreateAccount(None))
            await until(rehearsing, lambda: side.of(PracticeReady))
            await until(rehearsing, lambda: side.of(AccountOnline))
            leap(10)
            await until(rehearsing, lambda: side.of(MessageReceived))
            [ready] = side.of(PracticeReady)
            me = side.of(AccountOnline)[-1].account
            side.submit(SendMessage(me, ready.partner, "next"))
            n_heard = len(side.of(MessageReceived))
            await until(rehearsing, lambda: len(side.of(MessageReceived)) > n_heard)
            side.submit(Quit())
            await rehearsing
        return side

    side = run_leaping(main)

    heard = side.of(MessageReceived)
    assert {event.protection for event in heard} == {Protection.PRIVATE}
    assert {event.chat for event in heard} == {side.of(PracticeReady)[0].partner}
    assert side.torrcs == [Network.client_torrc]
    assert side.events[-1] == Closed()
    # One account of the person's, one of the partner's, and no circuit in common.
    assert len(side.of(AccountOnline)) == 1
    assert len(set(side.tor.ways.keys)) == len(side.tor.ways.keys) == 2
    assert [made.n_stops for made in network.made] == [1]


@pytest.mark.network
def test_partner_leaves_the_tor_of_the_person_alone(
    tmp_path: Path, network: type[Network]
) -> None:
    async def main() -> Side:
        async with rehearsal_at(tmp_path, network) as (side, rehearsing, _):
            await until(rehearsing, lambda: side.of(PracticeReady))
            side.submit(Quit())
            await rehearsing
        return side

    side = run_leaping(main)

    assert side.tor.started_with == [""]
    assert not side.of(TorReady)


@pytest.mark.network
def test_partner_that_could_not_come_is_called_again_once_the_person_is_there(
    tmp_path: Path, network: type[Network]
) -> None:
    """What keeps the partner away is not the person's concern, who has done nothing."""

    async def main() -> Side:
        async with rehearsal_at(tmp_path, network, is_up=False) as (
            side,
            rehearsing,
            port,
        ):
            await until(rehearsing, lambda: side.tor.ways.asked)
            side.submit(CreateAccount(None))
            await until(rehearsing, lambda: side.of(Failed))
            side.tor.ways.ports[ONION] = port
            side.submit(CreateAccount(None))
            await until(rehearsing, lambda: side.of(PracticeReady))
            side.submit(Quit())
            await rehearsing
        return side

    side = run_leaping(main)

    [failed] = side.of(Failed)
    assert failed.during is CreateAccount


@pytest.mark.network
def test_partner_comes_back_with_the_person_when_tor_has_ended(
    tmp_path: Path, network: type[Network]
) -> None:
    async def main() -> None:
        async with rehearsal_at(tmp_path, network) as (side, rehearsing, _):
            side.submit(CreateAccount(None))
            await until(rehearsing, lambda: side.of(PracticeReady))
            await until(rehearsing, lambda: side.of(AccountOnline))
            side.tor.die()
            await until(rehearsing, lambda: side.of(AccountOffline))
            side.submit(Connect())
            await until(rehearsing, lambda: len(side.tor.ways.asked) == 4)
            side.submit(Quit())
            await rehearsing

    run_leaping(main)


@pytest.mark.parametrize("is_person_there", [False, True])
def test_partner_that_cannot_come_is_told_to_a_person_who_is_there(
    *, is_person_there: bool
) -> None:
    async def main() -> list[ErrorCode]:
        side = Side(LoopbackTor({}))
        introduction = rehearsal._Introduction(side.desk())
        if is_person_there:
            introduction.on_event_of_person(online_as("person"))
        introduction.partner_failed()
        return [each.error.code for each in side.of(Failed)]

    told = run_leaping(main)

    assert told == ([ErrorCode.PRACTICE_ALONE] if is_person_there else [])


def test_network_that_does_not_start_is_told_and_the_person_may_read_it(
    network: type[Network],
) -> None:
    network.failure = UserError(
        ErrorCode.PRACTICE_MISSING, program="prosody", package="prosody"
    )

    async def main() -> Side:
        side = Side(LoopbackTor({}))
        async with running(rehearse(side.desk(), side.serve)) as rehearsing:
            await until(rehearsing, lambda: side.of(Failed))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not rehearsing.done()
            side.submit(Quit())
            await rehearsing
        return side

    side = run_leaping(main)

    step, failed, closed = side.events
    assert step == PracticeAdvanced(PracticeStep.STARTING_RELAYS)
    assert isinstance(failed, Failed)
    assert failed.error.code is ErrorCode.PRACTICE_MISSING
    assert closed == Closed()
    assert network.made[0].n_stops


def test_quit_while_the_network_starts_takes_it_down(network: type[Network]) -> None:
    network.is_stuck = True

    async def main() -> Side:
        side = Side(LoopbackTor({}))
        async with running(rehearse(side.desk(), side.serve)) as rehearsing:
            await until(rehearsing, lambda: side.events)
            side.submit(Quit())
            await rehearsing
        return side

    side = run_leaping(main)

    assert side.events[-1] == Closed()
    assert not side.torrcs
    assert network.made[0].n_stops


def test_network_that_breaks_is_told(network: type[Network]) -> None:
    async def main() -> Side:
        side = Side(LoopbackTor({}))
        async with running(rehearse(side.desk(), side.serve)) as rehearsing:
            await until(rehearsing, lambda: network.made and side.torrcs)
            network.made[0].broken.set()
            broken = ErrorCode.PRACTICE_FAILED
            await until(
                rehearsing,
                lambda: [e for e in side.of(Failed) if e.error.code is broken],
            )
            side.submit(Quit())
            await rehearsing
        return side

    assert run_leaping(main).events[-1] == Closed()


def test_defect_of_the_session_takes_the_network_down(network: type[Network]) -> None:
    async def break_down(
        world: World, servers: Sequence[Server], vault_path: Path
    ) -> None:
        raise ZeroDivisionError(world, servers, vault_path)

    async def main() -> None:
        side = Side(LoopbackTor({}))
        with pytest.raises(ExceptionGroup) as caught:
            await rehearse(side.desk(), break_down)
        assert caught.value.subgroup(ZeroDivisionError) is not None

    run_leaping(main)

    assert network.made[0].n_stops


@pytest.mark.parametrize("partner_first", [False, True])
def test_introduction_opens_the_chat_once_when_both_are_there(
    *, partner_first: bool
) -> None:
    async def main() -> list[Command]:
        side = Side(LoopbackTor({}))
        introduction = rehearsal._Introduction(side.desk())
        partner = Jid("partner", DOMAIN)
        arrivals: list[Callable[[], None]] = [
            lambda: introduction.on_event_of_person(online_as("person")),
            lambda: introduction.partner_is_online(partner),
        ]
        if partner_first:
            arrivals.reverse()
        for arrive in arrivals * 2:  # each loses its connection and comes back
            arrive()
        return [side.commands.get_nowait() for _ in range(side.commands.qsize())]

    opened = OpenChat(Jid("person", DOMAIN), Jid("partner", DOMAIN))
    assert run_leaping(main) == [opened]
