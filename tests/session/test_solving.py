"""A server's puzzle before a person: answered, exchanged, left out, or lost."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from coykiosk.contract import (
    AccountOnline,
    AnswerPuzzle,
    AskAnotherPuzzle,
    CancelCreation,
    Command,
    CreateAccount,
    EnrolmentCancelled,
    Failed,
    PuzzleAsked,
    ServerTried,
    SkipServer,
)
from coykiosk.errors import ErrorCode
from coykiosk.register.servers import Registration
from tests.picture.making_png import png
from tests.session.conftest import Identity as Certificate
from tests.session.conftest import make_identity
from tests.session.hostile import played_by, silent, stage
from tests.session.pure_server import PureServer
from tests.session.puzzling import (
    ANSWER,
    PuzzleMaster,
    bob,
    captcha_form,
    ocr,
)
from tests.support.headless import (
    DOMAIN,
    ONION,
    LoopbackTor,
    Person,
    eventually,
    headless,
    leap,
    make_server,
    run_leaping,
)
from tests.support.listener import Part

RECORD = make_server(register=Registration.CAPTCHA)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_identity(tmp_path_factory.mktemp("puzzling"), (DOMAIN,))


class FreshlyMade(PureServer):
    """Takes the name and the password that were registered for its one account's."""

    def _register(self, stanza_id: str, text: str) -> str:
        values = dict(re.findall("var='([^']*)'><value>([^<]*)", text))
        self.localpart, self.password = values["username"], values["password"]
        self.bound_jid = f"{self.localpart}@{DOMAIN}/from-server"
        return super()._register(stanza_id, text)


def visit(
    part: Part, certificate: Certificate, script: Callable[[Person], Awaitable[None]]
) -> Person:
    """Let a person go through the making of an account at one server."""

    async def main() -> Person:
        async with (
            stage(part, identity=certificate) as port,
            headless([RECORD], LoopbackTor({ONION: port})) as person,
        ):
            person.submit(CreateAccount(None))
            await script(person)
        return person

    person: Person = run_leaping(main)
    return person


def puzzled(master: PuzzleMaster) -> Part:
    return played_by(lambda: PureServer(on_register=master.take))


def test_person_is_shown_the_puzzle_of_a_server(certificate: Certificate) -> None:
    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        person.submit(CancelCreation())
        await person.until(EnrolmentCancelled)

    person = visit(puzzled(PuzzleMaster()), certificate, script)

    [asked] = person.of(PuzzleAsked)
    picture = asked.puzzle.picture
    assert picture is not None
    assert (picture.width, picture.height) == (6, 2)
    assert picture.greys == b"\0\xff\0\xff\0\xff\xff\0\xff\0\xff\0"
    assert asked.puzzle.server == DOMAIN
    assert asked.puzzle.question == "Enter the text you see"


def test_answer_reaches_the_server_and_a_wrong_one_leads_to_another_puzzle(
    certificate: Certificate,
) -> None:
    master = PuzzleMaster()

    async def script(person: Person) -> None:
        for answer in ("wrong", "also wrong", "wrong again"):
            await person.until(PuzzleAsked)
            person.submit(AnswerPuzzle(answer))
        await person.until(Failed)

    person = visit(puzzled(master), certificate, script)

    assert master.tried == ["wrong", "also wrong", "wrong again"]
    assert [asked.puzzle.n_wrong for asked in person.of(PuzzleAsked)] == [0, 1, 2]
    [tried] = person.of(ServerTried)
    assert tried.error.code is ErrorCode.SERVER_WANTS_MORE
    assert tried.error.facts["what"] == "wrong-answers"


def test_person_gets_another_puzzle_for_the_asking(certificate: Certificate) -> None:
    master = PuzzleMaster()

    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        person.submit(AskAnotherPuzzle())
        await person.until(PuzzleAsked)
        person.submit(SkipServer())
        await person.until(Failed)

    visit(puzzled(master), certificate, script)

    assert master.n_shown == 2
    assert not master.tried


def test_time_of_the_attempt_stands_still_while_the_person_thinks(
    certificate: Certificate,
) -> None:
    master = PuzzleMaster()

    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        leap(3600)
        person.submit(AnswerPuzzle("late"))
        await person.until(PuzzleAsked)  # not silent, not given up
        person.submit(SkipServer())
        await person.until(Failed)

    visit(puzzled(master), certificate, script)

    assert master.tried == ["late"]


def test_person_leaves_a_server_out_whose_puzzle_they_do_not_want(
    certificate: Certificate,
) -> None:
    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        person.submit(SkipServer())
        await person.until(Failed)

    person = visit(puzzled(PuzzleMaster()), certificate, script)

    [tried] = person.of(ServerTried)
    assert tried.error.code is ErrorCode.SERVER_SKIPPED
    [failed] = person.of(Failed)
    assert failed.error.code is ErrorCode.NO_SERVER_LEFT


def test_person_leaves_a_server_out_that_says_nothing(certificate: Certificate) -> None:
    async def main() -> Person:
        async with stage(silent, identity=certificate) as port:
            tor = LoopbackTor({ONION: port})
            async with headless([RECORD], tor) as person:
                person.submit(CreateAccount(None))
                await eventually(lambda: tor.ways.asked)
                person.submit(SkipServer())
                await person.until(Failed)
        return person

    person: Person = run_leaping(main)

    [tried] = person.of(ServerTried)
    assert tried.error.code is ErrorCode.SERVER_SKIPPED


def test_puzzle_whose_stream_ends_is_shown_anew_once(certificate: Certificate) -> None:
    """The server waits less long than the person: that is nobody's fault."""
    wait_no_longer = [asyncio.Event(), asyncio.Event()]
    n_visits = 0

    async def part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_visits
        master = PuzzleMaster()
        server = PureServer(on_register=master.take)
        n_visits += 1
        while not master.n_shown:
            writer.write(server.receive(await reader.read(65536)))
            await writer.drain()
        await wait_no_longer[n_visits - 1].wait()

    async def script(person: Person) -> None:
        for event in wait_no_longer:
            await person.until(PuzzleAsked)
            event.set()
        await person.until(Failed)

    person = visit(part, certificate, script)

    assert n_visits == 2
    [tried] = person.of(ServerTried)
    assert tried.error.code is ErrorCode.CONNECTION_LOST


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(b"GIF89a", id="no png"),
        pytest.param(png(601, [bytes(601)]), id="too wide"),
        pytest.param(png(3, [b"123"])[:-8], id="cut"),
    ],
)
def test_picture_that_is_none_is_shown_to_nobody(
    certificate: Certificate, image: bytes
) -> None:
    master = PuzzleMaster(form=captcha_form(ocr(image)) + bob(image))

    async def script(person: Person) -> None:
        await person.until(Failed)

    person = visit(puzzled(master), certificate, script)

    assert not person.of(PuzzleAsked)
    [tried] = person.of(ServerTried)
    assert tried.error.facts["what"] == "no-picture"


def test_words_that_nobody_waits_for_are_nothing(certificate: Certificate) -> None:
    commands: list[Command] = [AnswerPuzzle("x"), AskAnotherPuzzle(), SkipServer()]

    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        person.submit(CancelCreation())
        await person.until(EnrolmentCancelled)
        person.submit(*commands)

    person = visit(puzzled(PuzzleMaster()), certificate, script)

    assert not person.of(Failed)


def test_account_is_made_with_the_right_answer(certificate: Certificate) -> None:
    master = PuzzleMaster()

    def server() -> PureServer:
        return FreshlyMade(on_register=master.take)

    async def script(person: Person) -> None:
        await person.until(PuzzleAsked)
        person.submit(AnswerPuzzle(ANSWER))
        await person.until(AccountOnline)

    person = visit(played_by(server), certificate, script)

    [online] = person.of(AccountOnline)
    assert online.account.domainpart == DOMAIN
