"""Whatever the network does, and whatever it says.

The sentence that is hunted for a counter-example: any interleaving, loss, duplication,
reordering, misrouting and damage of messages, whole or in fragments, between ends that
ask, talk, compare secrets, use extra keys, end, restart and wait, never delivers a text
twice, altered, or under a key that is not its writer's, never succeeds a comparison of
different secrets, and always allows a fresh start. `Bus` is that sentence as a machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coykiosk.otr import (
    ExtraKey,
    Inject,
    Instances,
    LocalError,
    MessageState,
    OtrError,
    Output,
    PlainReceived,
    PrivateKey,
    Received,
    Secured,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
)
from coykiosk.otr import ratchet as ratchet_module
from coykiosk.otr import smp as smp_module
from coykiosk.otr.ake import AKE_TIMEOUT_S
from coykiosk.otr.dsa import PublicKey
from coykiosk.otr.framing import armour
from coykiosk.otr.messages import decode
from coykiosk.otr.wire import Reader, encode_int, encode_mpi
from tests.otr.wiring import (
    TAGS,
    VECTORS,
    Pair,
    forget_what_was_taken,
    recorded_key,
    redrawable,
)

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


# The same examples in every run: what fails here fails for everybody.
RELAXED = settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
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
        end._reception._starts._left = 32.0  # the flood limit is another test's matter
        end._reception._steps._left = 96.0
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


# --- the whole sentence ------------------------------------------------------------

NAMES = ("alice", "bob", "mallory")
SAME_SECRET = "both know this"  # noqa: S105 # a test's own words
THIRD_X = 0x5A17_C0DE_2026
"""Mallory's private key: another x under Bob's parameters is another key."""


def mallorys_key() -> PrivateKey:
    numbers = {part: int(VECTORS["keys"]["bob"][part], 16) for part in "pqg"}
    y = pow(numbers["g"], THIRD_X, numbers["p"])
    mpis = (*(numbers[part] for part in "pqg"), y, THIRD_X)
    return PrivateKey.from_bytes(b"\0\0" + b"".join(map(encode_mpi, mpis)))


KEYS = {name: recorded_key(name) for name in ("alice", "bob")} | {
    "mallory": mallorys_key()
}
FINGERPRINTS = {key.fingerprint: name for name, key in KEYS.items()}


@dataclass
class Party:
    """One end on the bus, and what it did and was told."""

    name: str
    otr: Instances
    read: list[str] = field(default_factory=list)
    secrets: dict[int | None, str] = field(default_factory=dict)
    """What was typed last for the comparison with this instance."""
    typed: set[str] = field(default_factory=set)
    """Every secret this end has ever compared."""
    asked_by: list[int] = field(default_factory=list)
    extra_keys: list[tuple[bytes, int, bytes]] = field(default_factory=list)
    """Announced by this end."""
    extra_keys_told: list[tuple[bytes, int, bytes]] = field(default_factory=list)


class Bus(RuleBasedStateMachine):
    """Three ends on a wire that anybody can rearrange; Mallory may wear Bob's tag."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.flying: list[tuple[str, str]] = []
        """Who said it, and what."""
        self.history: list[str] = []
        self.sent: dict[str, tuple[str, str | None]] = {}
        """Text -> who wrote it, and the only one it was for."""
        self.parties: dict[str, Party] = {}
        self.tags: dict[str, int] = {}
        self.max_chars: dict[str, int | None] = {}
        self.n_drawn = 0

    def number(self) -> int:
        self.n_drawn += 1
        return self.n_drawn

    def make(self, name: str) -> Instances:
        return Instances(
            KEYS[name],
            self.tags[name],
            redrawable((name, self.number())),
            max_message_chars=self.max_chars[name],
        )

    # --- what is watched ----------------------------------------------------------

    def take(self, name: str, outputs: list[Output]) -> None:
        party = self.parties[name]
        for output in outputs:
            match output:
                case Inject(text):
                    assert text.startswith("?OTR")
                    self.flying.append((name, text))
                    self.history.append(text)
                case Received(text, fingerprint):
                    self.check_read(party, text, FINGERPRINTS[fingerprint])
                case PlainReceived(text):
                    assert text not in self.sent, "a text went out in clear"
                case Secured(fingerprint):
                    assert FINGERPRINTS[fingerprint] != name
                case ExtraKey(key, use, data, fingerprint):
                    told = (key, use, data)
                    assert told in self.parties[FINGERPRINTS[fingerprint]].extra_keys
                    assert told not in party.extra_keys_told, "a key was told twice"
                    party.extra_keys_told.append(told)
                case SmpAsked(instance_tag=tag):
                    party.asked_by.append(tag)
                case SmpEnded():
                    self.check_comparison(party, output)
                case _:
                    pass

    def check_read(self, party: Party, text: str, claimed: str) -> None:
        assert text in self.sent, "a text was altered or made up"
        writer, only_for = self.sent[text]
        assert claimed == writer, "a text came under the wrong key"
        assert only_for in {None, party.name}, "a text came to the wrong key"
        for each in self.parties.values():
            assert text not in each.read, "a text was delivered twice"
        party.read.append(text)

    def check_comparison(self, party: Party, ended: SmpEnded) -> None:
        other = self.parties[FINGERPRINTS[ended.fingerprint]]
        if ended.outcome is SmpOutcome.SUCCEEDED:
            assert party.secrets[ended.instance_tag] == SAME_SECRET
            # The other end may have begun another run by now, with another secret.
            assert SAME_SECRET in other.typed

    @invariant()
    def fragments_and_instances_stay_bounded(self) -> None:
        for party in self.parties.values():
            assert len(list(party.otr._engines)) <= 16
            assert len(party.otr._reception._gate._fragments._buffers) <= 16

    # --- what the ends do ---------------------------------------------------------

    @initialize(
        max_chars=st.lists(
            st.sampled_from([None, None, 140, 700]), min_size=3, max_size=3
        ),
        wears_bobs_tag=st.booleans(),
        encrypted=st.sampled_from([True, True, False]),
    )
    def begin(
        self, max_chars: list[int | None], wears_bobs_tag: bool, encrypted: bool
    ) -> None:
        self.tags = {**TAGS, "mallory": TAGS["bob"] if wears_bobs_tag else 0x4242}
        self.max_chars = dict(zip(NAMES, max_chars, strict=True))
        self.parties = {name: Party(name, self.make(name)) for name in NAMES}
        if encrypted:
            self.start_afresh()

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name: str) -> None:
        self.take(name, self.parties[name].otr.ask(self.now))

    @rule(
        name=st.sampled_from(NAMES),
        only_for=st.sampled_from([None, None, *NAMES]),
        length=st.sampled_from([1, 30, 30, 300]),
    )
    def say(self, name: str, only_for: str | None, length: int) -> None:
        party = self.parties[name]
        text = f"{self.number()} by {name} " + "ä☃?OTRv3?"[: length % 9] * length
        fingerprint = KEYS[only_for].fingerprint if only_for else None
        try:
            outputs = party.otr.send(text, self.now, fingerprint=fingerprint)
        except LocalError:
            is_encrypted = party.otr.message_state is MessageState.ENCRYPTED
            assert only_for is not None or not is_encrypted
            return
        self.sent[text] = (name, only_for)
        self.take(name, outputs)

    @rule(
        name=st.sampled_from(NAMES),
        is_same=st.booleans(),
        question=st.sampled_from([None, "who?"]),
    )
    def compare(self, name: str, is_same: bool, question: str | None) -> None:
        party = self.parties[name]
        secret = SAME_SECRET if is_same else f"only {name} {self.number()}"
        tag = party.otr.their_instance_tag
        try:
            outputs = party.otr.smp_start(secret, self.now, question=question)
        except LocalError:
            return
        # What ended before the new run began is told with it, under the old secret.
        for output in outputs:
            assert not (
                isinstance(output, SmpEnded) and output.outcome is SmpOutcome.SUCCEEDED
            )
        party.secrets[tag] = secret
        party.typed.add(secret)
        self.take(name, outputs)

    @precondition(lambda self: any(each.asked_by for each in self.parties.values()))
    @rule(is_same=st.booleans(), first=st.sampled_from(NAMES))
    def answer(self, is_same: bool, first: str) -> None:
        asked = [name for name in (first, *NAMES) if self.parties[name].asked_by]
        party = self.parties[asked[0]]
        secret = SAME_SECRET if is_same else f"only {party.name} {self.number()}"
        tag = party.asked_by.pop()
        try:
            outputs = party.otr.smp_answer(secret, self.now, instance_tag=tag)
        except LocalError:
            return
        party.secrets[tag] = secret
        party.typed.add(secret)
        self.take(party.name, outputs)

    @rule(name=st.sampled_from(NAMES))
    def abort(self, name: str) -> None:
        try:
            outputs = self.parties[name].otr.smp_abort(self.now)
        except LocalError:
            return
        self.take(name, outputs)

    @rule(name=st.sampled_from(NAMES))
    def use_extra_key(self, name: str) -> None:
        party = self.parties[name]
        use = self.number()
        try:
            key, outputs = party.otr.use_extra_key(use, self.now, data=b"for a file")
        except LocalError:
            return
        party.extra_keys.append((key, use, b"for a file"))
        self.take(name, outputs)

    @rule(name=st.sampled_from(NAMES))
    def end(self, name: str) -> None:
        self.take(name, self.parties[name].otr.end(self.now))

    @rule(name=st.sampled_from(NAMES))
    def restart(self, name: str) -> None:
        """The program was killed: keys and sessions are gone without a word."""
        self.parties[name].otr = self.make(name)

    @rule(seconds=st.sampled_from([1.0, 21.0, 61.0, 121.0, 1e6]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=st.sampled_from(NAMES))
    def tick(self, name: str) -> None:
        self.take(name, self.parties[name].otr.tick(self.now))

    # --- what the wire does -------------------------------------------------------

    def give(self, name: str, text: str) -> None:
        self.take(name, self.parties[name].otr.receive(text, self.now))

    @precondition(lambda self: self.flying)
    @rule(at=st.integers(0, 5), name=st.sampled_from(NAMES))
    def deliver(self, at: int, name: str) -> None:
        """One message, sooner or later than it should, and to anybody."""
        self.give(name, self.flying.pop(at % len(self.flying))[1])

    @precondition(lambda self: self.flying)
    @rule(names=st.permutations(NAMES), n_rounds=st.integers(1, 6))
    def deliver_all(self, names: list[str], n_rounds: int) -> None:
        """All that flies, in order, to everybody, its writer too; and the answers."""
        for _ in range(n_rounds):
            texts, self.flying = self.flying[:200], self.flying[200:]
            for _, text in texts:
                for name in names:
                    self.give(name, text)

    @precondition(lambda self: self.flying)
    @rule(n=st.sampled_from([1, 2, 5, 40, 200]))
    def carry(self, n: int) -> None:
        """As an honest network does: in order, once, to everybody else."""
        for _ in range(n):
            if self.flying:
                writer, text = self.flying.pop(0)
                for name in NAMES:
                    if name != writer:
                        self.give(name, text)

    @rule(
        names=st.permutations(NAMES),
        words=st.tuples(st.booleans(), st.booleans()),
        question=st.sampled_from([None, "who?"]),
        stops=st.lists(
            st.sampled_from([0, 1, 30, 200, 200, 200]), min_size=3, max_size=3
        ),
    )
    def run_comparison(
        self,
        names: list[str],
        words: tuple[bool, bool],
        question: str | None,
        stops: list[int],
    ) -> None:
        """A whole one, if it is not left half-way."""
        self.compare(names[0], words[0], question)
        self.carry(stops[0])
        if any(party.asked_by for party in self.parties.values()):
            self.answer(words[1], names[1])
        self.carry(stops[1])
        self.carry(stops[2])

    @precondition(lambda self: self.flying)
    @rule(at=st.integers(0, 5))
    def lose(self, at: int) -> None:
        del self.flying[at % len(self.flying)]

    @precondition(lambda self: self.history)
    @rule(back=st.integers(0, 200), n=st.integers(1, 8), name=st.sampled_from(NAMES))
    def replay(self, back: int, n: int, name: str) -> None:
        """Messages of long ago, again; to who wrote them, too."""
        start = max(len(self.history) - 1 - back, 0)
        for text in self.history[start : start + n]:
            self.give(name, text)

    @precondition(lambda self: self.flying)
    @rule(
        back=st.integers(0, 5),
        where=st.floats(0, 1, exclude_max=True),
        char=st.sampled_from("AAAz9.,|?: \0"),
    )
    def damage(self, back: int, where: float, char: str) -> None:
        """One of the newest messages is not what it was when it arrives."""
        at = max(len(self.flying) - 1 - back, 0)
        writer, text = self.flying[at]
        position = int(where * len(text))
        damaged = text[:position] + char + text[position + 1 :]
        self.flying[at] = (writer, damaged)
        self.history.append(damaged)

    @rule(
        name=st.sampled_from(NAMES),
        where=st.floats(0, 1, exclude_max=True),
        char=st.sampled_from("Az9"),
    )
    def say_under_attack(self, name: str, where: float, char: str) -> None:
        self.say(name, None, 30)
        if self.flying:
            self.damage(0, where, char)
            self.carry(200)

    # --- what must always be possible ---------------------------------------------

    @rule()
    def start_afresh(self) -> None:
        """After a quiet minute, Alice asks, Bob hears it, and both can talk."""
        self.flying.clear()
        self.now += QUIET_S
        self.take("alice", self.parties["alice"].otr.ask(self.now))
        self.carry_between_alice_and_bob()
        for name, other in (("alice", "bob"), ("bob", "alice")):
            self.say(name, other, 1)
            self.carry_between_alice_and_bob()
            text, (writer, only_for) = next(reversed(self.sent.items()))
            assert (writer, only_for) == (name, other)
            assert self.parties[other].read[-1:] == [text]

    def carry_between_alice_and_bob(self) -> None:
        for _ in range(1000):
            if not self.flying:
                return
            writer, text = self.flying.pop(0)
            self.give("bob" if writer == "alice" else "alice", text)
        raise AssertionError("the two ends never come to rest")  # noqa: EM101 # a test's own words

    def teardown(self) -> None:
        if self.parties:
            self.start_afresh()


def test_any_traffic_keeps_texts_whole_single_and_under_their_keys() -> None:
    run_state_machine_as_test(
        Bus, settings=settings(RELAXED, max_examples=40, stateful_step_count=40)
    )


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_any_long_traffic_keeps_texts_whole_single_and_under_their_keys() -> None:
    """Other examples in every run: a hunt."""
    run_state_machine_as_test(
        Bus,
        settings=settings(
            RELAXED, derandomize=False, max_examples=2000, stateful_step_count=100
        ),
    )


def test_machine_notices_a_text_that_comes_twice() -> None:
    """Else the test above could not fail."""
    bus = Bus()
    bus.begin([None, None, None], wears_bobs_tag=False, encrypted=True)
    text, (writer, _) = next(reversed(bus.sent.items()))

    with pytest.raises(AssertionError, match="twice"):
        bus.take("alice", [Received(text, KEYS[writer].fingerprint)])
    with pytest.raises(AssertionError, match="made up"):
        bus.take("alice", [Received(text + "!", KEYS[writer].fingerprint)])
    with pytest.raises(AssertionError, match="wrong key"):
        bus.take("mallory", [Received(text, KEYS["mallory"].fingerprint)])


def no_mac(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ratchet_module, "check_equal", lambda *_: None)


def any_key(patch: pytest.MonkeyPatch) -> None:
    real = Instances.send
    patch.setattr(
        Instances, "send", lambda end, text, now, fingerprint: real(end, text, now)
    )


def any_secret(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(smp_module, "_compare", lambda *_: SmpOutcome.SUCCEEDED)


@pytest.mark.deep
@pytest.mark.parametrize("fault", [forget_what_was_taken, no_mac, any_key, any_secret])
def test_machine_finds_a_fault_that_is_put_in(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    fault(monkeypatch)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Bus,
            settings=settings(RELAXED, max_examples=200, phases=[Phase.generate]),
        )


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
