"""Many chats of one account: what happens in one is no work for all the others."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from coykiosk import otr
from coykiosk.contract import ChatChanged, ChatPhase, Event, Jid
from coykiosk.session.asking import AWAY_FIRST_S
from coykiosk.session.chats import Chats
from coykiosk.session.conversation import Conversation, SendOtr
from coykiosk.session.inbound import MessageError, MessageIn, MessagesTaken
from tests.session.idle import idle_world, make_record
from tests.session.test_account import let_run
from tests.support.headless import DOMAIN, leap, run_leaping

N_CHATS = 300
KEY = otr.PrivateKey.generate()
US = Jid("someone", DOMAIN)
ASK_NOT_BEFORE_S = 50.0


def contact(number: int) -> Jid:
    return Jid(f"c{number}", "crowd.example")


class Desk:
    """The chats of an account that is online, and what came of them."""

    def __init__(self, n_chats: int) -> None:
        self.events: list[Event] = []
        self.sent: list[object] = []
        self.now = asyncio.get_running_loop().time
        record = make_record(otr_key=KEY.to_bytes(), instance_tag=0x101)
        world = idle_world(now=self.now, publish=self.events.append)
        self.chats = Chats(record, account=US, world=world, save=lambda: None)
        for number in range(n_chats):
            self.chats.open(contact(number))
        self.chats.went_online(
            self.sent.append, ask_not_before=self.now() + ASK_NOT_BEFORE_S
        )

    @property
    def questions(self) -> list[SendOtr]:
        sent = [each for each in self.sent if isinstance(each, SendOtr)]
        return [each for each in sent if each.body == "?OTRv3?"]

    def asked(self) -> list[Jid]:
        """Who was asked for OTR, in order."""
        return [each.to.bare for each in self.questions]

    def hear(self, number: int) -> None:
        """Have a contact say something."""
        sender = Jid("c" + str(number), "crowd.example", "r")
        self.chats.receive(
            MessageIn(sender, "hello", "id", delayed=False, is_copy=False)
        )


def count(monkeypatch: pytest.MonkeyPatch, name: str) -> Counter[str]:
    """Count the calls of a conversation's method."""
    calls: Counter[str] = Counter()
    real: Callable[..., object] = getattr(Conversation, name)

    def counted(self: Conversation, *args: object, **kwargs: object) -> object:
        calls[name] += 1
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Conversation, name, counted)
    return calls


async def pass_time(seconds: float) -> None:
    """Let time pass in steps, so that what is due late is due late."""
    for _ in range(int(seconds)):
        leap(1.0)
        await let_run()


def with_desk(
    n_chats: int, act: Callable[[Desk], None], *, until_s: float = 0.0
) -> Desk:
    """Run a desk's clock, do something, and let some time pass."""

    async def main() -> Desk:
        desk = Desk(n_chats)
        keeping = asyncio.get_running_loop().create_task(desk.chats.keep_time())
        await let_run()
        act(desk)
        await let_run()
        await pass_time(until_s)
        keeping.cancel()
        await asyncio.wait([keeping])
        return desk

    return run_leaping(main)


def test_message_in_one_of_many_chats_is_no_work_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Counter[str]] = []

    def act(desk: Desk) -> None:
        calls.append(count(monkeypatch, "deadline"))
        desk.hear(7)

    with_desk(N_CHATS, act)

    assert 1 <= calls[0]["deadline"] <= 3


def test_word_that_a_message_is_taken_is_no_work_for_other_chats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Counter[str]] = []

    def act(desk: Desk) -> None:
        calls.append(count(monkeypatch, "deadline"))
        desk.chats.receive(MessagesTaken(("nobody's",)))

    with_desk(N_CHATS, act)

    assert calls[0]["deadline"] == 0


def test_only_chats_that_are_due_get_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All were asked; one question came back, and is repeated after a while."""
    calls: list[Counter[str]] = []

    async def main() -> Desk:
        desk = Desk(N_CHATS)
        keeping = asyncio.get_running_loop().create_task(desk.chats.keep_time())
        leap(ASK_NOT_BEFORE_S)
        await let_run()
        calls.append(count(monkeypatch, "tick"))
        question = next(each for each in desk.questions if each.to.bare == contact(3))
        desk.chats.receive(
            MessageError(contact(3), question.stanza_id, "service-unavailable", "")
        )
        await pass_time(1.5 * AWAY_FIRST_S + 1)
        keeping.cancel()
        await asyncio.wait([keeping])
        return desk

    desk = run_leaping(main)

    assert desk.asked().count(contact(3)) == 2
    assert len(desk.asked()) == N_CHATS + 1
    assert calls[0]["tick"] == 1


def test_chat_that_is_opened_while_another_is_waited_for_has_its_own_time() -> None:
    """What is due earlier wakes the clock that was set for later."""

    def act(desk: Desk) -> None:
        desk.chats._ask_not_before = desk.now() + 5.0
        desk.chats.open(contact(99))

    desk = with_desk(2, act, until_s=10.0)

    assert desk.asked() == [contact(99)]


def test_every_chat_is_asked_when_its_time_has_come() -> None:
    desk = with_desk(5, lambda _: None, until_s=ASK_NOT_BEFORE_S + 2)

    assert sorted(map(str, desk.asked())) == [str(contact(n)) for n in range(5)]
    assert {e.phase for e in desk.events if isinstance(e, ChatChanged)} == {
        ChatPhase.OFFLINE,
        ChatPhase.ASKING,
    }


def test_chat_of_a_contact_who_is_blocked_gets_no_tick_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Counter[str]] = []

    def act(desk: Desk) -> None:
        desk.chats.block(contact(0))
        calls.append(count(monkeypatch, "tick"))

    desk = with_desk(2, act, until_s=ASK_NOT_BEFORE_S + 2)

    assert desk.asked() == [contact(1)]
    assert calls[0]["tick"] == 1
