"""What we ask our server, who may answer, and how long we wait."""

import asyncio
import re
from collections.abc import Awaitable
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session import requests, stanzas
from coykiosk.session.questions import MAX_OPEN
from coykiosk.session.requests import Request, RequestRefusedError
from tests.session.test_stream import END, STANZAS, Bench, run_jumping
from tests.support.running import run_clean

ME = Jid("me", "a.example")
EVE = Jid("eve", "e.example", "phone")


def written(request: Request) -> str:
    iq = stanzas.iq_request(request, message_id="1")
    return stanzas.tostring(iq.xml, xmlns="jabber:client", top_level=True)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        pytest.param(
            requests.remove_account(),
            '<iq type="set" id="1"><query xmlns="jabber:iq:register"><remove />'
            "</query></iq>",
            id="remove",
        ),
        pytest.param(
            requests.change_password(ME, "a<b"),
            '<iq type="set" id="1" to="a.example"><query xmlns="jabber:iq:register">'
            "<username>me</username><password>a&lt;b</password></query></iq>",
            id="password",
        ),
        pytest.param(
            requests.block([EVE, ME]),
            '<iq type="set" id="1"><block xmlns="urn:xmpp:blocking">'
            '<item jid="eve@e.example" /><item jid="me@a.example" /></block></iq>',
            id="block",
        ),
        pytest.param(
            requests.unblock([EVE]),
            '<iq type="set" id="1"><unblock xmlns="urn:xmpp:blocking">'
            '<item jid="eve@e.example" /></unblock></iq>',
            id="unblock",
        ),
    ],
)
def test_request_says_what_it_must_and_nothing_more(
    request_: Request, text: str
) -> None:
    assert written(request_) == text


def test_nobody_can_be_let_in_by_letting_in_everybody() -> None:
    """XEP-0191, section 3.5: an empty list would unblock all contacts."""
    with pytest.raises(AssertionError):
        requests.unblock([])


@pytest.mark.parametrize("available", [True, False])
def test_directed_presence_is_bare(*, available: bool) -> None:
    presence = stanzas.directed_presence(EVE, available=available)

    text = stanzas.tostring(presence.xml, xmlns="jabber:client", top_level=True)

    kind = "" if available else ' type="unavailable"'
    assert text == f'<presence to="eve@e.example/phone"{kind} />'


# --- asking over a stream -----------------------------------------------------------------


class Asker(Bench):
    """A stream under test, and a question on it."""

    def ask(self, *, limit_s: float = 5.0) -> Awaitable[ET.Element]:
        return self.stream.ask(requests.remove_account(), limit_s=limit_s)

    async def asked(self) -> str:
        """Return the id of the question that went out."""
        found = re.search(r'id="([0-9a-f]{32})"', await self.wire.next_written())
        assert found is not None
        return found[1]


def answered_by(answer: str) -> ET.Element:
    """Ask, and let the server write `answer`, in which ID stands for the id."""

    async def main() -> ET.Element:
        bench = Asker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            asking = group.create_task(_as_coroutine(bench.ask()))
            bench.wire.say(answer.replace("ID", await bench.asked()).encode())
            try:
                return await asking
            finally:
                running.cancel()

    result: ET.Element = run_jumping(main())
    return result


async def _as_coroutine(waiting: Awaitable[ET.Element]) -> ET.Element:
    return await waiting


@pytest.mark.parametrize(
    "sender",
    ["", "from='me@a.example'", "from='me@a.example/here'", "from='a.example'"],
)
def test_ask_returns_what_our_own_server_answers(sender: str) -> None:
    answer = answered_by(f"<iq type='result' id='ID' {sender}><x xmlns='y'/></iq>")

    assert answer.find("{y}x") is not None


@pytest.mark.parametrize(
    "sender",
    ["eve@e.example", "e.example", "you@a.example", "me@b.example", "a.example/x", "@"],
)
def test_ask_does_not_listen_to_anybody_else(sender: str) -> None:
    answer = answered_by(
        f"<iq type='result' id='ID' from='{sender}'/>"
        f"<iq type='error' id='ID' from='{sender}'/>"
        "<iq type='result' id='another'/>"
        "<iq type='result' id='ID'><x xmlns='y'/></iq>"
    )

    assert answer.find("{y}x") is not None


def test_ask_takes_the_first_answer_and_no_other() -> None:
    answer = answered_by(
        "<iq type='result' id='ID'><x xmlns='y'/></iq><iq type='error' id='ID'/>"
    )

    assert answer.find("{y}x") is not None


def test_ask_tells_why_the_server_refuses() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        answered_by(
            "<iq type='error' id='ID'><error type='cancel'>"
            f"<not-allowed xmlns='{STANZAS}'/></error></iq>"
        )

    [error] = caught.value.exceptions
    assert isinstance(error, RequestRefusedError)
    assert (error.condition, error.error_type) == ("not-allowed", "cancel")


def test_ask_waits_no_longer_than_the_caller_wants() -> None:
    async def main() -> tuple[ErrorCode, float]:
        bench = Asker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            begin = asyncio.get_running_loop().time()
            with pytest.raises(UserError) as caught:
                await bench.ask(limit_s=7.0)
            waited = asyncio.get_running_loop().time() - begin
            running.cancel()
        return caught.value.code, waited

    code, waited = run_jumping(main())

    assert code is ErrorCode.SERVER_SILENT
    assert 7.0 <= waited < 7.1


def test_late_answer_is_nothing_to_anybody() -> None:
    async def main() -> list[object]:
        came: list[object] = []
        has_come = asyncio.Event()

        def on_value(value: object) -> None:
            came.append(value)
            has_come.set()

        bench = Asker(on_value=on_value)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            with pytest.raises(UserError):
                await bench.ask(limit_s=0.1)
            late = f"<iq type='result' id='{await bench.asked()}'/>"
            bench.wire.say(late.encode(), b"<presence from='bob@b.example'/>")
            await has_come.wait()
            running.cancel()
        return came

    assert len(run_jumping(main())) == 1


@pytest.mark.parametrize(
    ("chunk", "code"),
    [
        pytest.param(END, ErrorCode.CONNECTION_LOST, id="closed"),
        pytest.param(b"", ErrorCode.CONNECTION_LOST, id="cut"),
        pytest.param(
            b"<stream:error><not-authorized "
            b"xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ErrorCode.SERVER_CONFUSED,
            id="stream error",
        ),
    ],
)
def test_end_of_the_stream_is_the_answer_to_every_question(
    chunk: bytes, code: ErrorCode
) -> None:
    async def main() -> list[ErrorCode]:
        bench = Asker()
        codes = []

        async def ask() -> None:
            with pytest.raises(UserError) as caught:
                await bench.ask()
            codes.append(caught.value.code)

        async def run() -> None:
            with pytest.raises(UserError):
                await bench.stream.run()

        async with asyncio.TaskGroup() as group:
            group.create_task(run())
            asking = [group.create_task(ask()) for _ in range(3)]
            await bench.asked()
            bench.wire.say(chunk)
            await asyncio.wait(asking)
            await ask()  # nor is any other asked later
        return codes

    assert run_clean(main) == [code] * 4


def test_answer_that_came_before_the_stream_error_counts() -> None:
    """Prosody answers the removal and ends the stream with not-authorized."""

    async def main() -> ET.Element:
        bench = Asker()

        async def run() -> None:
            with pytest.raises(UserError):
                await bench.stream.run()

        async with asyncio.TaskGroup() as group:
            group.create_task(run())
            asking = group.create_task(_as_coroutine(bench.ask()))
            answer = f"<iq type='result' id='{await bench.asked()}'/>"
            error = (
                "<stream:error><not-authorized "
                "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
            )
            bench.wire.say(answer.encode() + error.encode() + END)
        return asking.result()

    assert run_clean(main).get("type") == "result"


def test_cancelled_question_leaves_nothing_behind() -> None:
    async def main() -> int:
        bench = Asker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.stream.run())
            asking = group.create_task(_as_coroutine(bench.ask()))
            await bench.asked()
            asking.cancel()
            await asyncio.wait([asking])
            running.cancel()
        return len(bench.stream._questions._open)

    assert run_clean(main) == 0


def test_server_that_answers_nothing_is_asked_only_so_much() -> None:
    async def main() -> tuple[int, ErrorCode]:
        bench = Asker()
        async with asyncio.TaskGroup() as group:
            asking = [
                group.create_task(_as_coroutine(bench.ask())) for _ in range(MAX_OPEN)
            ]
            await asyncio.sleep(0)
            with pytest.raises(UserError) as caught:
                await bench.ask()
            for each in asking:
                each.cancel()
        return len(bench.wire.written), caught.value.code

    assert run_jumping(main()) == (MAX_OPEN, ErrorCode.SERVER_SILENT)
