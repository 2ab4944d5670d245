"""Two real accounts in one chat, through bad weather, on a clock that jumps.

One run is a value of its seed alone. What must be true at its end is said in
`Run.check`; who calls it says for which seeds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from OpenSSL import SSL

from coykiosk.contract import (
    AccountOffline,
    ChatChanged,
    ChatPhase,
    Event,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    Protection,
)
from coykiosk.session.account import AccountSession
from coykiosk.session.world import World
from coykiosk.vault.profile import Account
from tests.otr.wiring import recorded_key
from tests.session.conftest import DOMAIN
from tests.session.idle import make_record
from tests.session.keeping_server import Connection, KeepingServer
from tests.session.talking import (
    MAX_LAST_WORDS,
    MAY_BE_LOST,
    UNSETTLED,
    assert_nothing_comes_twice,
    ends_online,
    fates_in,
    texts_in,
)
from tests.session.test_stream import JumpingLoop
from tests.support.chance import repeatable, seeded
from tests.support.headless import make_server
from tests.support.weather import (
    FAIR,
    Weather,
    WeatheredStream,
    WeatheredWays,
    draw_weather,
)

T = TypeVar("T")

NAMES: Final = ("alice", "bob")
TAGS: Final = {"alice": 0x101, "bob": 0x102}
NOON: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CALM_LIMIT_S: Final = 4 * 3600.0
"""Of simulated time: when the weather is fair, everything is settled by then."""
LAST_WORDS_TAKE_S: Final = 60.0


class Somebody:
    """One of the two, and the weather between them and the server."""

    def __init__(self, name: str, peer: str, seed: int, run: "Run") -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.jid: Final = Jid(name, DOMAIN)
        self.contact: Final = Jid(peer, DOMAIN)
        self.events: list[tuple[float, Event]] = []
        self.said: list[str] = []
        self.ways = WeatheredWays(run.connect, run.forecast)
        self.world = World(
            tor=self.ways,
            random_bytes=seeded(seed),
            now=loop.time,
            wall_clock=lambda: NOON,
            run_blocking=at_once,
            publish=lambda event: self.events.append(
                (loop.time(), without_frames(event))
            ),
        )
        [route] = make_server().routes()
        self.account = AccountSession(
            self._record(peer),
            route=route,
            world=self.world,
            kept=False,
            save=lambda: None,
        )

    def _record(self, peer: str) -> Account:
        return make_record(
            self.name,
            password=b"of " + self.name.encode(),
            otr_key=recorded_key(self.name).to_bytes(),
            instance_tag=TAGS[self.name],
            known={str(self.contact): (recorded_key(peer).public.fingerprint,)},
        )

    def say(self, text: str) -> None:
        self.said.append(text)
        self.account.chats.say(self.contact, text)

    def of(self, kind: type[T]) -> list[T]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def heard(self) -> list[str]:
        return texts_in(event for _, event in self.events)

    @property
    def fates(self) -> list[MessageState]:
        """How each text stands, in the order in which they were said."""
        return fates_in(event for _, event in self.events)

    def lost_by(self, server: KeepingServer) -> set[str]:
        """Return the texts of which a stanza was lost after the server took it.

        What it cannot deliver it gives back; if the session that the word of that is
        for ends as well, there is nobody left who would know.
        """
        outbox = self.account.chats._conversations[self.contact]._outbox
        texts = {event.message_id: event.text for event in self.of(MessageAccepted)}
        return {
            texts[message_id]
            for stanza_id, message_id in outbox._by_stanza.items()
            if stanza_id in server.lost
        }

    @property
    def is_online(self) -> bool:
        return ends_online(event for _, event in self.events)

    @property
    def phase(self) -> ChatPhase | None:
        changes = self.of(ChatChanged)
        return changes[-1].phase if changes else None

    @property
    def is_settled(self) -> bool:
        return self.is_online and not UNSETTLED & set(self.fates)


def without_frames(event: Event) -> Event:
    """Let go of what an error holds on to; it would look like a leak of the program."""
    if isinstance(event, AccountOffline):
        event.error.__cause__ = event.error.__context__ = None
        event.error.__traceback__ = None
    return event


async def at_once(function: Callable[[], T], /) -> T:
    return function()


@dataclass
class Run:
    """One run; `forecast` is bad until `calm`."""

    seed: int
    context: SSL.Context
    keeps_s: int | None = None
    """For how long sessions are kept; drawn when there is none."""
    is_calm: bool = False
    people: tuple[Somebody, ...] = field(default=(), init=False)
    n_lost: int = field(default=0, init=False)
    """Texts that a server took, and of whose loss it could tell nobody."""

    def __post_init__(self) -> None:
        self.chance = repeatable(self.seed)
        drawn = self.chance.choice([10, 300, 600, 7200])
        self.server = KeepingServer(
            self.context,
            {name: "of " + name for name in NAMES},
            keeps_s=self.keeps_s or drawn,
            chance=self.chance,
        )
        if self.chance.random() < 0.3:
            self.server.doubles = 0.5

    def forecast(self) -> Weather:
        return FAIR if self.is_calm else draw_weather(self.chance)

    def connect(self, stream: WeatheredStream) -> Connection:
        return Connection(self.server, stream.server_writes, stream.server_closes)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Somebody, Somebody]]:
        """Have both go online and want to talk; at the end both quit."""
        alice, bob = (
            Somebody(name, peer, self.seed * 2 + n, self)
            for n, (name, peer) in enumerate([NAMES, NAMES[::-1]])
        )
        self.people = alice, bob
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.account.run(None)) for each in self.people]
            for each in self.people:
                each.account.chats.open(each.contact)
            yield alice, bob
            for each in self.people:
                await each.account.close()
            for task in tasks:
                task.cancel()
        for each in self.people:
            each.ways.vanish()
        self.server.close()

    async def live(self) -> None:
        """Talk, while all kinds of things happen."""
        n_before = sum(len(each.said) for each in self.people)
        for n in range(n_before, n_before + self.chance.randrange(4, 14)):
            who = self.chance.choice(self.people)
            match self.chance.randrange(8):
                case 0:
                    who.ways.cut()
                case 1:
                    who.account.connect()
                case 2:
                    who.ways.is_down = self.chance.random() < 0.5
                case _:
                    for m in range(self.chance.randrange(1, 4)):
                        who.say(f"{who.name} {n}.{m} " + "x" * self._size())
            await asyncio.sleep(
                self.chance.choice([0.0, 0.1, 3.0, self.chance.uniform(0, 200)])
            )

    def _size(self) -> int:
        return self.chance.choices([0, 80, 3000, 9900], [20, 20, 2, 1])[0]

    async def settle(self) -> None:
        """Have fair weather until nothing is under way, then have a last word."""
        self.is_calm = True
        for each in self.people:
            each.ways.is_down = False
        # Whoever is in bad weather still stays there: it passes only with a new try.
        await self.until(self._is_settled)
        for n in range(MAX_LAST_WORDS):
            words = f"last words {n}"
            for each in self.people:
                each.say(words)
            await asyncio.sleep(LAST_WORDS_TAKE_S)
            await self.until(self._is_settled)
            is_heard = all(each.heard[-1:] == [words] for each in self.people)
            # What went to a session that nobody goes on with comes back in time.
            await asyncio.sleep(self.server.keeps_s + 1000.0)
            await self.until(self._is_settled)
            if is_heard:
                return
        raise AssertionError(self._standing())

    def _is_settled(self) -> bool:
        return all(each.is_settled for each in self.people)

    def _standing(self) -> object:
        return [(each.is_online, each.phase, each.fates) for each in self.people]

    async def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(int(CALM_LIMIT_S / 5)):
            if is_so():
                return
            await asyncio.sleep(5.0)
        raise AssertionError(self._standing())

    def check(self) -> None:
        """Nothing is lost without a word, and nothing comes twice."""
        alice, bob = self.people
        for speaker, listener in ((alice, bob), (bob, alice)):
            heard = listener.heard
            assert_nothing_comes_twice(heard, speaker.said)
            fates = speaker.fates
            assert len(fates) == len(speaker.said)
            assert not UNSETTLED & set(fates)
            lost = speaker.lost_by(self.server)
            for text, fate in zip(speaker.said, fates, strict=True):
                is_told = fate in MAY_BE_LOST or text in lost
                assert text in heard or is_told, (text, fate)
            self.n_lost += sum(
                text not in heard and fate is MessageState.SENT
                for text, fate in zip(speaker.said, fates, strict=True)
            )
            private = {event.protection for event in listener.of(MessageReceived)}
            assert private == {Protection.PRIVATE}
            assert len(set(speaker.ways.keys)) == len(speaker.ways.keys)


async def whole_run(run: Run) -> None:
    """Do one run, and check what is left of it."""
    async with run.running():
        await run.live()
        await run.settle()
        run.check()
    for _ in range(3):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left


def do_run(seed: int, context: SSL.Context) -> Run:
    """Do a run of this seed; it says so if it fails."""
    return run_seed(Run, seed, context)


def run_seed(kind: type[Run], seed: int, context: SSL.Context) -> Run:
    """Do a run of some kind."""

    async def main() -> Run:
        run = kind(seed, context)
        await whole_run(run)
        return run

    try:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(main())
    except BaseException as error:
        error.add_note(f"This was seed {seed}.")
        raise
