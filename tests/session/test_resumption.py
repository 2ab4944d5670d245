"""A session over several streams: every message once, or known to be uncertain."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.contract import Jid
from coykiosk.session.acks import Acks, AcksBrokenError
from coykiosk.session.binding import BindingTalk
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.plan import Purpose
from coykiosk.session.resumption import PATIENCE_S, Resumption
from coykiosk.session.wire import ACKS, CLIENT, STREAM, stream_header
from coykiosk.session.xmlguard import POST_AUTH_LIMITS
from coykiosk.session.xmlreader import XmlReader
from tests.session.conftest import DOMAIN
from tests.session.counting_server import Connection, CountingServer
from tests.session.pure_server import PureServer, stream_error
from tests.session.talking import is_in_order
from tests.session.test_negotiate import Talk, converse, make_plan
from tests.support.chance import seeded

US = Jid("me", "a.example", "r")
FEATURES = ET.fromstring(  # noqa: S314 - our own words
    f"<features xmlns='{STREAM}'><sm xmlns='{ACKS}'/></features>"
)
POOR_FEATURES = ET.fromstring(  # noqa: S314 - our own words
    f"<features xmlns='{STREAM}'><sm xmlns='urn:xmpp:sm:2'/></features>"
)


def element(name: str, **attributes: str) -> ET.Element:
    return ET.Element("{" + ACKS + "}" + name, attributes)


def lose_session(*sent: str, longest: str = "600") -> Resumption:
    """Lose a session in which these messages were sent and none was taken."""
    acks = Acks()
    acks.enable()
    acks.take(element("enabled", resume="true", id="prev", max=longest))
    for message_id in sent:
        acks.sent(message_id, f"<message id='{message_id}'/>")
    return Resumption(US, "roster-1", acks, lost_at=1000.0)


# --- what the server says ------------------------------------------------------------


def test_messages_that_the_server_has_are_told_of_once_and_the_others_go_out() -> None:
    resumption = lose_session("1", "2", "3")

    request = resumption.begin()
    resumption.take(element("resumed", h="2", previd="prev"))

    assert request == f"<resume xmlns='{ACKS}' h='0' previd='prev'/>"
    assert resumption.is_resumed
    assert [resumption.collect(), resumption.collect()] == [("1", "2"), ()]
    assert resumption.acks.again() == [f"<message id='3'/><r xmlns='{ACKS}'/>"]


@pytest.mark.parametrize(
    ("attributes", "taken"), [({}, ()), ({"h": "0"}, ()), ({"h": "2"}, ("1", "2"))]
)
def test_session_that_is_no_more_tells_what_it_had_and_sends_nothing(
    attributes: dict[str, str], taken: tuple[str, ...]
) -> None:
    resumption = lose_session("1", "2", "3")

    resumption.begin()
    resumption.take(element("failed", **attributes))

    assert resumption.is_over
    assert not resumption.is_resumed
    assert resumption.collect() == taken
    assert resumption.acks.again() == []


@pytest.mark.parametrize("name", ["resumed", "failed"])
@pytest.mark.parametrize("count", ["2", "-1", "", "x", "9" * 5000])
def test_count_that_cannot_be_ends_the_session(name: str, count: str) -> None:
    resumption = lose_session("1")
    resumption.begin()

    with pytest.raises(AcksBrokenError):
        resumption.take(element(name, h=count))

    assert resumption.is_over
    assert resumption.collect() == ()


def test_resumed_without_a_count_ends_the_session() -> None:
    resumption = lose_session("1")

    with pytest.raises(AcksBrokenError):
        resumption.take(element("resumed", previd="prev"))

    assert resumption.is_over


def test_session_can_be_asked_for_again_when_the_answer_was_cut() -> None:
    resumption = lose_session("1", "2")
    first = resumption.begin()

    again = resumption.begin()
    resumption.take(element("resumed", h="1"))

    assert first == again
    assert resumption.collect() == ("1",)


def test_nothing_is_forgotten_that_two_answers_told() -> None:
    resumption = lose_session("1", "2", "3")
    for count in ("1", "2"):
        resumption.begin()
        resumption.take(element("resumed", h=count))

    assert resumption.collect() == ("1", "2")


def test_other_words_change_nothing() -> None:
    resumption = lose_session("1")
    resumption.begin()

    for name in ("enabled", "r", "a", "anything"):
        resumption.take(element(name, h="1"))

    assert resumption.is_asked
    assert resumption.collect() == ()


@pytest.mark.parametrize(
    ("longest", "until"),
    [("600", 1600.0), ("0", 1000.0), ("", 1000.0 + PATIENCE_S), ("99999999", 4600.0)],
)
def test_patience_ends_with_the_servers_and_with_ours(
    longest: str, until: float
) -> None:
    assert lose_session(longest=longest).patience_until == until


def test_forsaken_session_can_go_on_without_what_was_under_way() -> None:
    resumption = lose_session("1", "2")

    resumption.forsake()
    resumption.begin()
    resumption.take(element("resumed", h="1"))

    assert resumption.is_resumed
    assert resumption.collect() == ()
    assert resumption.acks.again() == []


# --- in place of a binding ------------------------------------------------------------


def resume(
    resumption: Resumption, *answers: ET.Element
) -> tuple[BindingTalk, list[str]]:
    talk = BindingTalk(US.bare, seeded(1), resumption)
    return talk, [talk.begin(), *(talk.take(answer) for answer in answers)]


def test_resumption_goes_out_alone_and_nothing_follows_when_it_succeeds() -> None:
    resumption = lose_session("1")

    talk, said = resume(resumption, FEATURES, element("resumed", h="0"))

    assert said == [resumption.acks.resume(), "", ""]
    assert talk.bound is not None
    assert talk.bound.resumed is resumption
    assert (talk.bound.jid, talk.bound.roster_id) == (US, "roster-1")
    assert talk.bound.early == ()


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((FEATURES, element("failed")), id="refused"),
        pytest.param((POOR_FEATURES,), id="not offered any more"),
    ],
)
def test_new_session_follows_on_the_same_stream_when_the_old_one_is_no_more(
    answers: tuple[ET.Element, ...],
) -> None:
    resumption = lose_session("1")

    talk, said = resume(resumption, *answers)
    before = talk.bound
    bind_id = said[-1].split("id='")[1].split("'")[0]
    talk.take(bound(bind_id))

    for part in ("xmpp-bind", "jabber:iq:roster", "<presence/>"):
        assert part in said[-1]
    assert resumption.is_over
    assert before is None
    assert talk.bound is not None
    assert talk.bound.resumed is None
    assert talk.bound.jid.resource == "new"


def bound(bind_id: str) -> ET.Element:
    return ET.fromstring(  # noqa: S314 - our own words
        f"<iq xmlns='{CLIENT}' type='result' id='{bind_id}'>"
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        "<jid>me@a.example/new</jid></bind></iq>"
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(element("resumed", h="2"), id="took what was never sent"),
        pytest.param(element("failed", h="2"), id="had what was never sent"),
        pytest.param(element("r"), id="asks before there is a session"),
        pytest.param(ET.Element("{jabber:client}message"), id="message before"),
        pytest.param(bound("1"), id="binding that nobody asked for"),
    ],
)
def test_server_that_answers_with_something_else_is_confused(
    answer: ET.Element,
) -> None:
    talk = BindingTalk(US.bare, seeded(1), lose_session("1"))
    talk.begin()
    talk.take(FEATURES)

    with pytest.raises(NegotiationError) as caught:
        talk.take(answer)

    assert caught.value.reason is OpeningReason.CONFUSED


# --- in the negotiation ---------------------------------------------------------------

OURS = Jid("someone", DOMAIN, "from-server")
OFFER = f"<sm xmlns='{ACKS}'/>"


def lose_ours(*sent: str) -> Resumption:
    lost = lose_session(*sent)
    return Resumption(OURS, "roster-1", lost.acks, lost_at=0.0)


def talk_of(resumption: Resumption, server: PureServer, *cuts: int) -> Talk:
    plan = replace(make_plan(Purpose.LOG_IN), resumption=resumption)
    return converse(plan, server, cuts=cuts)


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_negotiation_goes_on_with_a_session_in_three_flights(cuts: list[int]) -> None:
    resumed = f"<resumed xmlns='{ACKS}' h='1' previd='prev'/><message id='first'/>"
    server = PureServer(
        accounts={"someone"},
        second_features=OFFER,
        on_resume=lambda _id, _text: resumed,
    )
    resumption = lose_ours("1", "2")

    talk = talk_of(resumption, server, *cuts)

    assert len(talk.flights) == 3
    assert talk.flights[2].decode().endswith(resumption.acks.resume())
    assert talk.done is not None
    assert talk.done.bound.resumed is resumption
    assert resumption.collect() == ("1",)
    first = talk.done.reader.next_stanza()
    assert first is not None
    assert first.get("id") == "first"  # what the server kept for us is not lost


def test_negotiation_binds_anew_with_one_flight_more_when_the_session_is_gone() -> None:
    server = PureServer(accounts={"someone"}, second_features=OFFER)
    resumption = lose_ours("1")

    talk = talk_of(resumption, server)

    assert len(talk.flights) == 4
    assert talk.done is not None
    assert talk.done.bound.resumed is None
    assert resumption.is_over


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            f"<resumed xmlns='{ACKS}' h='9'/>", "acknowledgements", id="lying count"
        ),
        pytest.param(
            stream_error("unsupported-stanza-type"),
            "unsupported-stanza-type",
            id="stream error",
        ),
        pytest.param("<a></b>", "not-well-formed", id="not XML"),
    ],
)
def test_negotiation_is_confused_when_the_resumption_is_answered_badly(
    answer: str, reason: str
) -> None:
    server = PureServer(
        accounts={"someone"},
        second_features=OFFER,
        on_resume=lambda _id, _text: answer,
    )
    resumption = lose_ours("1")

    talk = talk_of(resumption, server)

    assert talk.done is None
    assert talk.error is not None
    assert (talk.error.reason, talk.error.condition) == (OpeningReason.CONFUSED, reason)
    assert resumption.is_asked or resumption.is_over  # then it is not asked for again


# --- two ends, and a wire that is cut anywhere -----------------------------------------


@dataclass
class Wire:
    """A connection with the bytes that are under way on it."""

    far: Connection
    up: bytes = b""

    def carry_up(self, n_bytes: int) -> None:
        data, self.up = self.up[:n_bytes], self.up[n_bytes:]
        if data:
            self.far.receive(data)

    def carry_down(self, n_bytes: int) -> bytes:
        data = bytes(self.far.out[:n_bytes])
        del self.far.out[:n_bytes]
        return data


class Client:
    """What the program does with its streams, without the program."""

    def __init__(self, server: CountingServer) -> None:
        self._server = server
        self._draw = seeded(1)
        self._resumption: Resumption | None = None
        self._acks = Acks()
        self._talk: BindingTalk | None = None
        self._reader = XmlReader(POST_AUTH_LIMITS)
        self._waiting: list[str] = []
        self._under_way: list[str] = []
        self.wire: Wire | None = None
        self.old_wire: Wire | None = None
        """Given up by us; the server may not have noticed."""
        self.is_online = False
        self.sent: list[str] = []
        self.uncertain: list[str] = []
        self.heard: list[str] = []

    def connect(self) -> None:
        if self.wire is not None:
            return
        self._talk = BindingTalk(US.bare, self._draw, self._resumption)
        self._reader = XmlReader(POST_AUTH_LIMITS)
        first = stream_header("a.example") + self._talk.begin()
        self.wire = Wire(Connection(self._server), first.encode())

    def say(self, message_id: str) -> None:
        if not self.is_online:
            self._waiting.append(message_id)
            return
        assert self.wire is not None
        text = f"<message id='{message_id}'><body>?OTR:{message_id}</body></message>"
        question = self._acks.sent(message_id, text)
        self._under_way.append(message_id)
        self.wire.up += (text + question).encode()

    def receive(self, data: bytes) -> None:
        self._reader.feed(data)
        for stanza in iter(self._reader.next_stanza, None):
            if self.is_online:
                self._take(stanza)
            else:
                self._take_in_opening(stanza)

    def cut(self) -> None:
        """Take the connection for dead, with all that is under way on it."""
        if self.wire is None:
            return
        self.old_wire, self.wire = self.wire, None
        if self.is_online:
            self.is_online = False
            if self._acks.is_resumable:
                self._resumption = Resumption(US, "", self._acks, lost_at=0.0)
            else:
                self._give_up()

    def _take_in_opening(self, stanza: ET.Element) -> None:
        assert self._talk is not None
        assert self.wire is not None
        self.wire.up += self._talk.take(stanza).encode()
        if self._resumption is not None:
            self._settle(self._resumption)
        if self._talk.bound is None:
            return
        self.is_online = True
        if self._talk.bound.resumed is None:
            self._acks = Acks()
            self.wire.up += self._acks.enable().encode()
        else:
            self.wire.up += "".join(self._acks.again()).encode()
        waiting, self._waiting = self._waiting, []
        for message_id in waiting:
            self.say(message_id)

    def _settle(self, resumption: Resumption) -> None:
        self._have(resumption.collect())
        if resumption.is_over:
            self._give_up()
        if resumption.is_over or resumption.is_resumed:
            self._resumption = None

    def _have(self, message_ids: tuple[str, ...]) -> None:
        for message_id in message_ids:
            self._under_way.remove(message_id)
            self.sent.append(message_id)

    def _give_up(self) -> None:
        self.uncertain += self._under_way
        self._under_way.clear()

    def _take(self, stanza: ET.Element) -> None:
        assert self.wire is not None
        if self._acks.is_ours(stanza):
            answer, message_ids = self._acks.take(stanza)
            self.wire.up += answer.encode()
            self._have(message_ids)
            return
        self._acks.received(stanza)
        if stanza.tag == "{" + CLIENT + "}message":
            self.heard.append(stanza.get("id", ""))


class Do(Enum):
    """What may happen next."""

    SAY = auto()
    TELL = auto()
    UP = auto()
    DOWN = auto()
    CUT = auto()
    CONNECT = auto()
    LATE = auto()
    """Bytes of a connection that we have given up arrive."""
    NOTICE = auto()
    """The server, too, takes that connection for dead."""
    ASK = auto()
    FORGET = auto()


STEP = st.tuples(
    st.sampled_from([*(each for each in Do if each is not Do.FORGET), Do.UP, Do.DOWN]),
    st.integers(0, 400),
)
FORGETFUL_STEP = STEP | st.tuples(st.just(Do.FORGET), st.just(0))


class World:
    """A client, a server, and what each was given to say."""

    def __init__(self, *, tells_count: bool = False) -> None:
        self.server = CountingServer(tells_count=tells_count)
        self.client = Client(self.server)
        self.said: list[str] = []
        self.told: list[str] = []
        self._names = (str(n) for n in range(10_000))

    def settle(self) -> None:
        """Let the network be well until nothing is under way."""
        self.client.connect()
        for _ in range(50):
            assert self.client.wire is not None
            self.client.wire.carry_up(1 << 20)
            self.client.receive(self.client.wire.carry_down(1 << 20))

    def do(self, steps: list[tuple[Do, int]]) -> None:
        for what, size in steps:
            self._do(what, size)

    def _do(self, what: Do, size: int) -> None:
        match what:
            case Do.SAY:
                self.said.append(next(self._names))
                self.client.say(self.said[-1])
            case Do.TELL:
                name = "t" + next(self._names)
                if self.server.tell(f"<message id='{name}'/>"):
                    self.told.append(name)
            case Do.UP | Do.DOWN:
                self._carry(what, size)
            case Do.CUT:
                self.client.cut()
            case Do.CONNECT:
                self.client.connect()
            case Do.LATE | Do.NOTICE:
                self._go_on_with_the_old_wire(what, size)
            case Do.ASK:
                self.server.ask()
            case Do.FORGET:
                self.server.forget()

    def _carry(self, what: Do, size: int) -> None:
        wire = self.client.wire
        if wire is not None and what is Do.UP:
            wire.carry_up(size)
        elif wire is not None:
            self.client.receive(wire.carry_down(size))

    def _go_on_with_the_old_wire(self, what: Do, size: int) -> None:
        old = self.client.old_wire
        if old is not None and what is Do.LATE:
            old.carry_up(size)
        elif old is not None:
            old.far.lose()


@given(st.lists(STEP, max_size=80))
def test_every_message_arrives_once_and_in_order_however_often_the_wire_is_cut(
    steps: list[tuple[Do, int]],
) -> None:
    world = World()
    world.settle()  # the session is there, and can be resumed
    world.do(steps)
    world.settle()

    client, server = world.client, world.server
    assert server.n_bound == 1
    assert server.handled == world.said == client.sent
    assert client.heard == world.told
    assert client.uncertain == []


@given(st.lists(FORGETFUL_STEP, max_size=80), st.booleans())
def test_every_message_arrives_once_or_is_uncertain_when_sessions_end(
    steps: list[tuple[Do, int]],
    tells_count: bool,
) -> None:
    world = World(tells_count=tells_count)
    world.do(steps)
    world.settle()

    client, server = world.client, world.server
    assert len(set(server.handled)) == len(server.handled)
    assert is_in_order(server.handled, world.said)
    assert set(client.sent) <= set(server.handled)
    assert sorted(client.sent + client.uncertain) == sorted(world.said)
    assert set(world.said) - set(server.handled) <= set(client.uncertain)
    assert len(set(client.heard)) == len(client.heard)
    assert is_in_order(client.heard, world.told)
