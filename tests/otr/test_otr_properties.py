"""Whatever the network does, and whatever it says."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coykiosk.otr import (
    Inject,
    Instances,
    LocalError,
    MessageState,
    OtrError,
    Output,
    PlainReceived,
    Received,
)
from coykiosk.otr.ake import AKE_TIMEOUT_S
from coykiosk.otr.dsa import PublicKey
from coykiosk.otr.framing import armour
from coykiosk.otr.messages import decode
from coykiosk.otr.wire import Reader, encode_int
from tests.otr.wiring import TAGS, Pair, recorded_key

QUIET_S = 60.0
"""Enough for a flood limit to have filled up again."""
MAX_TIME_OUTS = 2

ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.booleans(), st.just(0)),
    st.tuples(st.just("send"), st.booleans(), st.just(0)),
    st.tuples(st.just("deliver"), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("deliver"), st.booleans(), st.just(0)),
    st.tuples(st.just("deliver all"), st.booleans(), st.just(0)),
    st.tuples(st.just("duplicate"), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.booleans(), st.sampled_from([1, 21, 61, 130])),
    st.tuples(st.just("end"), st.booleans(), st.just(0)),
)


@dataclass
class Network:
    """A wire that loses, doubles and reorders, and keeps count of the texts."""

    pair: Pair
    flying: dict[Instances, list[str]] = field(default_factory=dict)
    """What is on its way to this end."""
    sent: dict[Instances, list[str]] = field(default_factory=dict)
    read: dict[Instances, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for end in (self.pair.alice, self.pair.bob):
            self.flying[end] = []
            self.sent[end] = []
            self.read[end] = []

    def take(self, end: Instances, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Inject):
                self.flying[self.pair.other(end)].append(output.text)
            if isinstance(output, Received):
                self.read[end].append(output.text)
            assert not isinstance(output, PlainReceived)

    def act(self, action: str, end: Instances, number: int) -> None:
        queue = self.flying[end]
        now = self.pair.now
        if action == "ask":
            self.take(end, end.ask(now))
        elif action == "send":
            self.send(end)
        elif action == "end":
            self.take(end, end.end(now))
        elif action == "wait":
            self.pair.now += number
            self.take(end, end.tick(self.pair.now))
        elif action == "deliver all":
            for text in list(queue):
                queue.remove(text)
                self.take(end, end.receive(text, now))
        elif number < len(queue):
            text = queue[number]
            if action != "duplicate":
                del queue[number]
            if action != "lose":
                self.take(end, end.receive(text, now))

    def send(self, end: Instances) -> None:
        text = f"{len(self.sent[end])} from {'A' if end is self.pair.alice else 'B'}"
        try:
            outputs = end.send(text, self.pair.now)
        except LocalError:
            assert end.message_state is not MessageState.ENCRYPTED
            return
        self.sent[end].append(text)
        self.take(end, outputs)

    def settle(self) -> None:
        """Deliver everything in order until nothing flies."""
        for _ in range(100):
            if not any(self.flying.values()):
                return
            for end, queue in self.flying.items():
                while queue:
                    self.take(end, end.receive(queue.pop(0), self.pair.now))
        raise AssertionError("the two ends never come to rest")  # noqa: EM101 # a test's own words

    def pass_time_out(self) -> None:
        """Let what is stalled start again."""
        self.pair.now += AKE_TIMEOUT_S
        for end in self.flying:
            self.take(end, end.tick(self.pair.now))
        self.settle()

    def check(self) -> None:
        for end, texts in self.read.items():
            assert len(texts) == len(set(texts)), "a text was delivered twice"
            assert set(texts) <= set(self.sent[self.pair.other(end)])


def play(actions: list[tuple[str, bool, int]], *, begin_encrypted: bool) -> Network:
    network = Network(Pair())
    if begin_encrypted:
        network.pair.agree()
    for action, is_alice, number in actions:
        end = network.pair.alice if is_alice else network.pair.bob
        network.act(action, end, number)
        network.check()
    return network


RELAXED = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)


@RELAXED
@given(
    st.lists(ACTIONS, max_size=40),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, QUIET_S]),
)
def test_fresh_start_works_at_once_after_anything(
    actions: list[tuple[str, bool, int]],
    begin_encrypted: bool,
    alice_asks: bool,
    wait_s: float,
) -> None:
    network = play(actions, begin_encrypted=begin_encrypted)
    pair = network.pair
    for end, queue in network.flying.items():
        queue.clear()
        end._starts._left = 32.0  # the flood limit is another test's matter
        end._steps._left = 96.0
    pair.now += wait_s

    end = pair.alice if alice_asks else pair.bob
    network.take(end, end.ask(pair.now))
    network.settle()
    for either in (pair.alice, pair.bob):
        network.send(either)
    network.settle()

    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid == pair.bob.ssid is not None
    for either in (pair.alice, pair.bob):
        assert network.read[pair.other(either)][-1] == network.sent[either][-1]
    network.check()


@RELAXED
@given(st.lists(ACTIONS, max_size=40), st.booleans())
def test_fresh_start_works_with_old_messages_still_under_way(
    actions: list[tuple[str, bool, int]], begin_encrypted: bool
) -> None:
    network = play(actions, begin_encrypted=begin_encrypted)
    network.pair.now += QUIET_S
    network.settle()
    network.pair.now += QUIET_S

    network.take(network.pair.alice, network.pair.alice.ask(network.pair.now))
    network.settle()
    for _ in range(MAX_TIME_OUTS):
        network.pass_time_out()

    assert network.pair.alice.ssid == network.pair.bob.ssid is not None
    network.check()


@RELAXED
@given(st.lists(st.sampled_from(["ask a", "ask b", "carry a", "carry b"]), max_size=30))
def test_crossing_queries_come_to_one_session_by_themselves(asks: list[str]) -> None:
    """Whoever asks whenever: nobody has to ask once more."""
    network = Network(Pair())
    pair = network.pair

    for word in ["ask a", "ask b", *asks]:
        end = pair.alice if word.endswith("a") else pair.bob
        network.act("ask" if word.startswith("ask") else "deliver", end, 0)
    network.settle()
    for _ in range(MAX_TIME_OUTS):
        network.pass_time_out()

    assert pair.alice.ssid == pair.bob.ssid is not None


@RELAXED
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_every_text_arrives_once_and_in_order_when_nothing_is_lost(
    turns: list[tuple[bool, int]],
) -> None:
    network = Network(Pair())
    network.pair.agree()

    for is_alice, n_delivered in turns:
        end = network.pair.alice if is_alice else network.pair.bob
        network.send(end)
        for _ in range(n_delivered):
            network.act("deliver", end, 0)
    network.settle()

    for end, texts in network.read.items():
        assert texts == network.sent[network.pair.other(end)]


# --- parsers ----------------------------------------------------------------------


@RELAXED
@given(st.binary(max_size=300))
def test_decoder_raises_nothing_but_its_own_error(raw: bytes) -> None:
    for head in (b"", b"\0\3", *(bytes([0, 3, kind]) for kind in (2, 3, 10, 17, 18))):
        try:
            message = decode(head + raw)
        except OtrError:
            continue
        assert message.encode() == head + raw


@RELAXED
@given(st.binary(max_size=300))
def test_public_key_reader_raises_nothing_but_its_own_error(raw: bytes) -> None:
    for head in (b"", b"\0\0", recorded_key("alice").public.encoded[:150]):
        try:
            PublicKey.read(Reader(head + raw))
        except OtrError:
            continue


def hostile_texts() -> Iterator[st.SearchStrategy[str]]:
    tags = encode_int(TAGS["bob"]) + encode_int(TAGS["alice"])
    yield st.text(max_size=100)
    yield st.text(max_size=60).map(lambda text: "?OTR" + text)
    yield st.binary(max_size=300).map(armour)
    yield st.tuples(st.sampled_from([2, 3, 10, 17, 18]), st.binary(max_size=400)).map(
        lambda parts: armour(bytes([0, 3, parts[0]]) + tags + parts[1])
    )
    yield st.tuples(st.integers(0, 4), st.integers(0, 4), st.text(max_size=30)).map(
        lambda parts: f"?OTR|{TAGS['bob']:x}|0,{parts[0]},{parts[1]},{parts[2]},"
    )


@RELAXED
@given(st.lists(st.one_of(*hostile_texts()), max_size=20), st.booleans())
def test_nothing_that_comes_in_raises_or_harms_a_session(
    texts: list[str], begin_encrypted: bool
) -> None:
    pair = Pair()
    if begin_encrypted:
        pair.agree()
    state, ssid = pair.alice.message_state, pair.alice.ssid

    outputs = [output for text in texts for output in pair.alice.receive(text, 0)]

    assert not any(isinstance(output, Received) for output in outputs)
    assert (pair.alice.message_state, pair.alice.ssid) == (state, ssid)
    if begin_encrypted:
        pair.carry(pair.bob, pair.bob.send("unharmed", 0))
        assert len(pair.told[pair.alice]) == 1
