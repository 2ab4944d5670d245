"""What the chats are told between two streams of one session."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.absence import Absence
from coykiosk.session.acks import MAX_KEPT_CHARS
from coykiosk.session.binding import Bound
from coykiosk.session.chats import Chats
from coykiosk.session.devices import SendOtr
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.inbound import Inbound, MessagesTaken
from coykiosk.session.opening import Opened, OpeningError, Trust
from coykiosk.session.resumption import Resumption
from coykiosk.session.stream import XmppStream
from coykiosk.session.wire import ACKS
from coykiosk.session.xmlguard import POST_AUTH_LIMITS
from coykiosk.session.xmlreader import XmlReader
from tests.session.test_stream import BOB, US, QueueStream
from tests.support.chance import seeded
from tests.support.headless import leap, run_leaping

LOST = UserError(ErrorCode.CONNECTION_LOST, server="a.example")
CONFUSED = UserError(ErrorCode.SERVER_CONFUSED, server="a.example", reason="x")


class Told(Chats):
    """Chats that only write down what they are told."""

    def __init__(self) -> None:
        self.log: list[str | Inbound] = []

    def went_online(
        self, send: Callable[[SendOtr], None], *, ask_not_before: float
    ) -> None:
        self.log.append("online")

    def went_offline(self) -> None:
        self.log.append("offline")

    def suspended(self) -> None:
        self.log.append("suspended")

    def resumed(self, send: Callable[[SendOtr], None]) -> None:
        self.log.append("resumed")

    def receive(self, value: Inbound) -> None:
        self.log.append(value)


def opened(resumed: Resumption | None = None) -> Opened:
    return Opened(
        stream=QueueStream(),
        bound=Bound(US, (), "roster-1", offers_acks=True, resumed=resumed),
        reader=XmlReader(POST_AUTH_LIMITS),
        channel_bound=False,
        pin="",
        trust=Trust.CHAIN,
        via_onion=True,
    )


def element(name: str, **attributes: str) -> ET.Element:
    return ET.Element("{" + ACKS + "}" + name, attributes)


class Scene:
    """An account whose stream is about to end; it has sent two messages."""

    def __init__(self, *, resume: str = "true", longest: str = "300") -> None:
        self.chats = Told()
        self.absence = Absence(self.chats, asyncio.get_running_loop().time)
        self.stream = XmppStream(
            opened(), on_inbound=self.chats.receive, random_bytes=seeded(1)
        )
        self.stream.start()
        answer = element("enabled", resume=resume, id="prev", max=longest)
        self.stream._take_element(answer)
        for message_id in ("1", "2"):
            self.stream.send_message(BOB, "?OTRv3?", message_id=message_id)

    @property
    def log(self) -> list[str | Inbound]:
        return self.chats.log

    def lose(self, error: UserError | None = LOST) -> Resumption:
        self.absence.begin(self.stream, error)
        resumption = self.absence.resumption
        assert resumption is not None
        return resumption

    def come_back(self, resumed: Resumption | None) -> None:
        self.absence.opened(opened(resumed), lambda _: None, ask_not_before=0.0)


@asynccontextmanager
async def watched(scene: Scene) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(scene.absence.watch())
        await asyncio.sleep(0)
        yield
        watching.cancel()


async def let_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def failure(reason: OpeningReason) -> OpeningError:
    return OpeningError(NegotiationError(reason), submitted=False)


def play(main: Callable[[], None]) -> None:
    """Run where there is a loop, as streams want."""

    async def body() -> None:
        main()

    run_leaping(body)


@pytest.mark.parametrize("code", [ErrorCode.CONNECTION_LOST, ErrorCode.TOR_STOPPED])
def test_session_that_was_cut_goes_on(code: ErrorCode) -> None:
    def main() -> None:
        scene = Scene()
        resumption = scene.lose(UserError(code))
        resumption.begin()
        resumption.take(element("resumed", h="1"))
        scene.absence.settle(None)
        scene.come_back(resumption)

        assert scene.log == ["suspended", MessagesTaken(("1",)), "resumed"]
        assert scene.absence.resumption is None

    play(main)


@pytest.mark.parametrize("error", [CONFUSED, None], ids=["confused", "closed by us"])
def test_session_that_was_not_cut_does_not_go_on(error: UserError | None) -> None:
    def main() -> None:
        scene = Scene()
        scene.absence.begin(scene.stream, error)

        assert scene.absence.resumption is None
        assert scene.log == ["offline"]

    play(main)


def test_session_does_not_go_on_when_the_server_does_not_let_it() -> None:
    def main() -> None:
        scene = Scene(resume="false")
        scene.absence.begin(scene.stream, LOST)

        assert scene.absence.resumption is None
        assert scene.log == ["offline"]

    play(main)


def test_new_session_begins_when_the_old_one_is_no_more() -> None:
    def main() -> None:
        scene = Scene()
        resumption = scene.lose()
        resumption.begin()
        resumption.take(element("failed", h="1"))
        scene.absence.settle(None)
        scene.come_back(None)

        taken = MessagesTaken(("1",))
        assert scene.log == ["suspended", taken, "offline", "online"]

    play(main)


@pytest.mark.parametrize(
    ("reason", "is_asked", "is_kept"),
    [
        (OpeningReason.BROKEN, True, True),
        (OpeningReason.UNREACHABLE, False, True),
        (OpeningReason.CONFUSED, False, True),
        (OpeningReason.CONFUSED, True, False),
    ],
)
def test_try_that_failed_leaves_the_session_unless_the_server_stumbles_over_it(
    reason: OpeningReason, *, is_asked: bool, is_kept: bool
) -> None:
    def main() -> None:
        scene = Scene()
        resumption = scene.lose()
        if is_asked:
            resumption.begin()
        scene.absence.settle(failure(reason))

        assert (scene.absence.resumption is resumption) == is_kept
        assert scene.log == ["suspended", *([] if is_kept else ["offline"])]

    play(main)


def test_session_is_kept_when_a_later_try_is_confused_before_it_asks() -> None:
    """TLS was garbled, say; the server still keeps what it would go on with."""

    def main() -> None:
        scene = Scene()
        resumption = scene.lose()
        resumption.begin()
        scene.absence.settle(failure(OpeningReason.BROKEN))
        scene.absence.settle(failure(OpeningReason.CONFUSED))

        assert scene.absence.resumption is resumption
        assert scene.log == ["suspended"]

    play(main)


def test_messages_are_given_up_when_the_patience_ends() -> None:
    async def main() -> None:
        scene = Scene()
        async with watched(scene):
            scene.lose()
            leap(299)
            await let_run()
            before = list(scene.log)
            leap(2)
            await let_run()
            leap(10_000)
            await let_run()

        assert before == ["suspended"]
        assert scene.log == ["suspended", "offline"]

    run_leaping(main)


def test_session_that_was_waited_for_too_long_goes_on_without_its_messages() -> None:
    """What the server keeps for us is welcome; the chats begin as in a new session."""

    async def main() -> None:
        scene = Scene()
        async with watched(scene):
            resumption = scene.lose()
            leap(301)
            await let_run()
            resumption.begin()
            resumption.take(element("resumed", h="1"))
            scene.absence.settle(None)
            scene.come_back(resumption)

        assert scene.log == ["suspended", "offline", "online"]
        assert resumption.acks.again() == []

    run_leaping(main)


def test_session_that_was_waited_for_too_long_is_asked_for_once() -> None:
    """A server that hangs up on it each time must not keep us out for ever."""

    async def main() -> None:
        scene = Scene()
        async with watched(scene):
            resumption = scene.lose()
            resumption.begin()
            leap(301)
            await let_run()
            scene.absence.settle(failure(OpeningReason.BROKEN))
            first = scene.absence.resumption
            resumption.begin()
            scene.absence.settle(failure(OpeningReason.BROKEN))

        assert first is resumption
        assert scene.absence.resumption is None

    run_leaping(main)


def test_patience_is_for_this_absence_and_not_for_the_next() -> None:
    async def main() -> None:
        scene = Scene()
        async with watched(scene):
            first = scene.lose()
            leap(200)
            await let_run()
            first.take(element("resumed", h="0"))
            scene.come_back(first)
            leap(50)
            await let_run()
            second = scene.lose()
            leap(200)
            await let_run()
            second.take(element("resumed", h="0"))
            scene.come_back(second)
            leap(10_000)
            await let_run()

        assert scene.log == ["suspended", "resumed"] * 2

    run_leaping(main)


def test_messages_of_which_not_all_are_kept_are_given_up_at_once() -> None:
    def main() -> None:
        scene = Scene()
        big = "?OTR:" + "A" * MAX_KEPT_CHARS
        scene.stream.send_message(BOB, big, message_id="3")
        scene.lose()

        assert scene.log == ["suspended", "offline"]

    play(main)


def test_nothing_is_settled_while_nothing_is_lost() -> None:
    def main() -> None:
        scene = Scene()
        scene.absence.settle(failure(OpeningReason.CONFUSED))

        assert scene.log == []

    play(main)
