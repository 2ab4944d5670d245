"""Whether a new account's server delivers: told when it does not, silent when it does."""

import asyncio
import os
from collections.abc import Callable

import pytest

from coykiosk.contract import Event, Failed, Jid
from coykiosk.errors import ErrorCode
from coykiosk.session.delivery import Delivery
from coykiosk.session.devices import SendOtr
from coykiosk.session.inbound import Inbound, MessageError, MessageIn
from coykiosk.session.sending import put
from coykiosk.session.stream import XmppStream
from coykiosk.session.world import World
from tests.session.conftest import Prosody
from tests.session.idle import idle_world
from tests.session.test_stream import sign_in
from tests.support.headless import eventually, leap, run_leaping
from tests.support.running import run_clean

ME = Jid("lufimo", "practice.example", "desk")


def make_world(events: list[Event]) -> World:
    loop = asyncio.get_running_loop()
    return idle_world(now=loop.time, publish=events.append)


def find_out(answer: Callable[[SendOtr], Inbound | None]) -> tuple[list[Event], float]:
    """Let a server make of the message what it will; returns what is told, and when
    the message went out."""
    events: list[Event] = []

    async def main() -> float:
        began = asyncio.get_running_loop().time()
        sent_at = -1.0
        delivery = Delivery(ME.bare, make_world(events), not_before=began + 5)

        def send(message: SendOtr) -> None:
            nonlocal sent_at
            sent_at = asyncio.get_running_loop().time() - began
            value = answer(message)
            if value is not None:
                delivery.receive(value)

        async with asyncio.TaskGroup() as group:
            group.create_task(delivery.find_out(send))
            await asyncio.sleep(0)
            leap(5.0)
            await eventually(lambda: sent_at >= 0)
            await asyncio.sleep(0)
            leap(61.0)
        return sent_at

    return events, run_leaping(main)


def test_delivered_message_is_no_news() -> None:
    def answer(sent: SendOtr) -> Inbound:
        return MessageIn(ME, sent.body, sent.stanza_id, delayed=False, is_copy=False)

    events, sent_at = find_out(answer)

    assert events == []
    assert sent_at >= 5


def test_refused_message_is_told_with_its_condition() -> None:
    def answer(sent: SendOtr) -> Inbound:
        return MessageError(ME.bare, sent.stanza_id, "policy-violation", "wait for it")

    [event], _ = find_out(answer)

    assert isinstance(event, Failed)
    assert event.error.code is ErrorCode.ACCOUNT_HELD_BACK
    assert event.error.facts == {
        "server": "practice.example",
        "condition": "policy-violation",
    }


def test_message_that_is_swallowed_is_told_after_a_while() -> None:
    [event], _ = find_out(lambda _: None)

    assert isinstance(event, Failed)
    assert event.error.facts["condition"] == "no-answer"


@pytest.mark.network
def test_prosody_delivers_and_nothing_is_told(prosody: Prosody) -> None:
    events: list[Event] = []

    async def main() -> None:
        world = make_world(events)
        opened = await sign_in(prosody)
        delivery = Delivery(opened.jid.bare, world, not_before=world.now())
        stream = XmppStream(
            opened, on_inbound=delivery.receive, random_bytes=os.urandom
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.run())
            await delivery.find_out(lambda sent: put(stream, sent))
            await stream.close()

    run_clean(main)

    assert events == []
