"""Two people who talk through a proxy, and what they were told of their texts.

The rule of what may come after what is here once, for every test that ends, loses
or resumes sessions.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic, TypeVar

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    Connect,
    Event,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    SendMessage,
)
from coykiosk.session.pulse import PING_EVERY_S
from tests.support.headless import LoopbackTor, Person, eventually, leap
from tests.support.relay import Relay

P = TypeVar("P", bound=Relay)
Turns = frozenset[tuple[MessageState, MessageState]]

TURNS: Final[Turns] = frozenset(
    {
        (MessageState.WAITING, MessageState.SENDING),
        (MessageState.WAITING, MessageState.FAILED),
        (MessageState.SENDING, MessageState.SENT),
        (MessageState.SENDING, MessageState.UNCERTAIN),
        (MessageState.SENDING, MessageState.FAILED),
        (MessageState.SENT, MessageState.UNCERTAIN),
        (MessageState.SENT, MessageState.FAILED),
        (MessageState.UNCERTAIN, MessageState.FAILED),
    }
)
"""What a person may be told of a text, one after the other."""
UNSETTLED: Final = {MessageState.WAITING, MessageState.SENDING}
MAY_BE_LOST: Final = {MessageState.UNCERTAIN, MessageState.FAILED}
MAX_LAST_WORDS: Final = 4
STUCK_S: Final = 5.0
"""After so many real seconds in which not all has come, time is let pass."""
MAX_PULSES: Final = 4
"""So often time is let pass: for a question, and for its silence, twice."""


def fates_in(events: Iterable[Event], turns: Turns = TURNS) -> list[MessageState]:
    """Tell how each text stands, in the order in which they were said."""
    fates: dict[object, MessageState] = {}
    for event in events:
        match event:
            case MessageAccepted():
                fates[event.message_id] = event.state
            case MessageStateChanged():
                turn = (fates[event.message_id], event.state)
                assert turn in turns, turn
                fates[event.message_id] = event.state
            case _:
                pass
    return list(fates.values())


def texts_in(events: Iterable[Event]) -> list[str]:
    """Return what was heard, in order."""
    return [event.text for event in events if isinstance(event, MessageReceived)]


def ends_online(events: Iterable[Event]) -> bool:
    """Tell whether the last news of an account is that it is online."""
    is_online = False
    for event in events:
        if isinstance(event, AccountOnline | AccountOffline):
            is_online = isinstance(event, AccountOnline)
    return is_online


def is_in_order(part: list[str], whole: list[str]) -> bool:
    """Tell whether texts came in the order in which they were said."""
    rest = iter(whole)
    return all(each in rest for each in part)


def assert_nothing_comes_twice(heard: list[str], said: list[str]) -> None:
    assert len(set(heard)) == len(heard), "a text came twice"
    assert is_in_order(heard, said), "texts came in another order"


@dataclass
class Talker(Generic[P]):
    """One of the two, and the network between them and the server."""

    person: Person
    tor: LoopbackTor
    proxy: P
    jid: Jid
    contact: Jid = field(init=False)
    said: list[str] = field(default_factory=list, init=False)

    turns: ClassVar[Turns] = TURNS

    def say(self, text: str) -> None:
        self.said.append(text)
        self.person.submit(SendMessage(self.jid, self.contact, text))

    @property
    def heard(self) -> list[str]:
        return texts_in(self.person.events)

    @property
    def fates(self) -> list[MessageState]:
        """How each text stands, in the order in which they were said."""
        return fates_in(self.person.events, self.turns)

    @property
    def is_online(self) -> bool:
        return ends_online(self.person.events)

    @property
    def is_settled(self) -> bool:
        fates = self.fates
        is_all_taken = len(fates) == len(self.said)
        return self.is_online and is_all_taken and not UNSETTLED & set(fates)

    async def come_back(self) -> None:
        """Want to be online, whenever it turns out that one is not."""
        n_seen = 0
        while True:
            n_offline = len(self.person.of(AccountOffline))
            if n_offline > n_seen:
                n_seen = n_offline
                self.person.submit(Connect())
            await asyncio.sleep(0.002)


async def settle(*people: Talker[P]) -> None:
    """Wait until nothing is under way; what does not come by itself comes with time.

    COMPAT(prosody 13): it may go on with a session whose connection was just cut, and
    then take nothing on it. Only the pulse shows that, after minutes.
    """

    def are_settled() -> bool:
        return all(each.is_settled for each in people)

    for _ in range(MAX_PULSES):
        with suppress(TimeoutError):
            async with asyncio.timeout(STUCK_S):
                await eventually(are_settled)
                return
        leap(PING_EVERY_S[1] + 1.0)
    await eventually(are_settled)


async def have_last_words(*people: Talker[P], about: str = "") -> None:
    """Talk until both have read what the other one has said last.

    Keys that do not fit any more may cost the first words, and show by that.
    """
    await settle(*people)
    for n in range(MAX_LAST_WORDS):
        words = f"last words {n} {about}"
        for each in people:
            each.say(words)
        await settle(*people)
        for _ in range(100):
            if all(each.heard[-1:] == [words] for each in people):
                return
            await asyncio.sleep(0.01)
        leap(30.0)  # an exchange of keys that was cut is begun anew
    raise AssertionError([(each.fates, each.heard[-1:]) for each in people])


def untold(one: Talker[P], other: Talker[P]) -> list[tuple[str, MessageState]]:
    """Return the texts that did not come, and stand as if they had."""
    return [
        (text, fate)
        for speaker, listener in ((one, other), (other, one))
        for text, fate in zip(speaker.said, speaker.fates, strict=True)
        if text not in listener.heard and fate not in MAY_BE_LOST
    ]


def assert_nothing_is_lost_without_a_word(one: Talker[P], other: Talker[P]) -> None:
    for speaker, listener in ((one, other), (other, one)):
        assert_nothing_comes_twice(listener.heard, speaker.said)
    assert not untold(one, other)
