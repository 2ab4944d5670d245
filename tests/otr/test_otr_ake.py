"""The key exchange: the state table, crossing starts, clocks."""

from collections.abc import Callable

import pytest

from coykiosk.otr import (
    Agreeing,
    Inject,
    MessageState,
    RemoteError,
    Secured,
)
from coykiosk.otr.ake import AKE_EXPIRE_S, AKE_TIMEOUT_S, Ake, Step
from coykiosk.otr.ake_states import (
    AwaitingDhKey,
    AwaitingRevealSig,
    AwaitingSig,
    Idle,
    PendingCommit,
    draw_commit,
)
from coykiosk.otr.messages import (
    AkeMessage,
    DhCommit,
    DhKey,
    RevealSig,
    Signature,
)
from tests.otr.wiring import (
    TAGS,
    Pair,
    engine_of,
    injected,
    message_of,
    recorded_key,
    redrawable,
    seed_of_commit,
    told,
)

LOW, HIGH = seed_of_commit(b"\x00"), seed_of_commit(b"\xff")


def make_ake(name: str, seed: object = 0) -> Ake:
    other = "bob" if name == "alice" else "alice"
    source = redrawable(f"{name}/{seed}")
    return Ake(recorded_key(name), TAGS[name], TAGS[other], source)


class Exchange:
    """One finished exchange, its messages kept to be played again."""

    def __init__(self) -> None:
        pair = Pair(alice_seed="exchange a", bob_seed="exchange b")
        texts = pair.handshake()
        self.messages = {name: message_of(text) for name, text in texts.items()}

    def __getitem__(self, name: str) -> AkeMessage:
        message = self.messages[name]
        assert isinstance(message, DhCommit | DhKey | RevealSig | Signature)
        return message


STRANGE = Exchange()


def in_state(state: str) -> Ake:
    """Alice's key exchange, brought to this state."""
    alice, bob = make_ake("alice"), make_ake("bob")
    if state in {"dhkey", "sig"}:
        alice.adopt(draw_commit(redrawable("commit")), 0)
    if state == "revealsig":
        alice.receive(STRANGE["commit"], 0)
    if state == "sig":
        commit = draw_commit(redrawable("commit")).message(TAGS["alice"], 0)
        key = bob.receive(commit, 0).reply
        assert key is not None
        alice.receive(key, 0)
    return alice


STATES = {
    "idle": Idle,
    "dhkey": AwaitingDhKey,
    "revealsig": AwaitingRevealSig,
    "sig": AwaitingSig,
}


@pytest.mark.parametrize("state", STATES)
def test_ake_reaches_each_state(state: str) -> None:
    assert isinstance(in_state(state).state, STATES[state])


@pytest.mark.hostile("G13")
@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("idle", "key"),
        ("idle", "reveal_sig"),
        ("idle", "sig"),
        ("dhkey", "reveal_sig"),
        ("dhkey", "sig"),
        ("revealsig", "key"),
        ("revealsig", "sig"),
        ("sig", "key"),
        ("sig", "reveal_sig"),
    ],
)
def test_ake_ignores_a_message_it_does_not_wait_for(state: str, message: str) -> None:
    ake = in_state(state)
    before = ake.state

    step = ake.receive(STRANGE[message], 1)

    assert step == Step()
    assert ake.state is before


@pytest.mark.parametrize("state", ["idle", "dhkey"])
def test_our_commit_replaces_one_that_nobody_has_answered(state: str) -> None:
    ake = in_state(state)
    commit = draw_commit(redrawable("new"))

    ake.adopt(commit, 1)

    assert isinstance(ake.state, AwaitingDhKey)
    assert ake.state.commit.hashed_gx == commit.hashed_gx


@pytest.mark.parametrize("state", ["revealsig", "sig"])
def test_our_commit_leaves_an_exchange_alone_that_has_gone_further(state: str) -> None:
    ake = in_state(state)
    before = ake.state

    ake.adopt(draw_commit(redrawable("new")), 1)

    assert ake.state is before
    assert ake.awaits_answer


def holding_a_commit(state: str) -> tuple[Ake, PendingCommit]:
    ake = in_state(state)
    commit = draw_commit(redrawable("new"))
    ake.adopt(commit, 1)
    return ake, commit


@pytest.mark.parametrize("state", ["revealsig", "sig"])
def test_held_commit_goes_on_when_it_is_answered(state: str) -> None:
    """The other end was restarted in the middle, and has asked anew."""
    ake, commit = holding_a_commit(state)

    step = ake.receive(STRANGE["key"], 2)

    assert isinstance(step.reply, RevealSig)
    assert step.reply.r == commit.r
    assert isinstance(ake.state, AwaitingSig)
    assert not ake.awaits_answer
    assert ake.deadline() == 2 + AKE_EXPIRE_S


@pytest.mark.parametrize("state", ["revealsig", "sig"])
def test_bad_answer_to_a_held_commit_changes_nothing(state: str) -> None:
    ake, _ = holding_a_commit(state)
    before = ake.state

    with pytest.raises(RemoteError):
        ake.receive(DhKey(TAGS["bob"], TAGS["alice"], 1), 2)

    assert ake.state is before
    assert ake.awaits_answer


@pytest.mark.parametrize("state", ["revealsig", "sig"])
def test_held_commit_that_was_shown_elsewhere_is_made_anew(state: str) -> None:
    ake, commit = holding_a_commit(state)
    commit.promise.is_kept = True

    step = ake.receive(STRANGE["key"], 2)

    assert isinstance(step.reply, DhCommit)
    assert step.reply.hashed_gx != commit.hashed_gx
    assert isinstance(ake.state, AwaitingDhKey)
    ake.abandon()
    assert not ake.awaits_answer


def test_repeated_key_is_for_the_commit_that_is_held() -> None:
    """Our Reveal Signature was lost; the other end has the new commit instead."""
    alice, bob = make_ake("alice"), make_ake("bob")
    commit, new = (draw_commit(redrawable(seed)) for seed in ("commit", "new"))
    alice.adopt(commit, 0)
    key = bob.receive(commit.message(TAGS["alice"], 0), 0).reply
    assert key is not None
    alice.receive(key, 0)
    alice.adopt(new, 1)

    again = bob.receive(new.message(TAGS["alice"], 0), 2).reply
    assert again == key
    reveal_sig = alice.receive(again, 2).reply

    assert reveal_sig is not None
    assert bob.receive(reveal_sig, 2).agreement is not None


def test_commit_that_wins_against_a_held_one_is_not_waited_for_too_long() -> None:
    """COMPAT(otr3): it stalls when it wins, so we begin again."""
    ake = in_state("revealsig")
    ake.adopt(draw_commit(redrawable("new")), 1)

    ake.receive(STRANGE["commit"], 2)

    assert ake.deadline() == 2 + AKE_TIMEOUT_S
    assert isinstance(ake.tick(2 + AKE_TIMEOUT_S), DhCommit)
    ake.abandon()
    assert not ake.awaits_answer


@pytest.mark.parametrize("we_commit", [True, False], ids=["bob", "alice"])
def test_held_commit_is_taken_up_when_the_exchange_is_over(*, we_commit: bool) -> None:
    ours, theirs = make_ake("alice"), make_ake("bob")
    committing, answering = (ours, theirs) if we_commit else (theirs, ours)
    tags = (TAGS["alice"], TAGS["bob"]) if we_commit else (TAGS["bob"], TAGS["alice"])
    commit = draw_commit(redrawable("commit"))
    committing.adopt(commit, 0)
    key = answering.receive(commit.message(*tags), 0).reply
    assert key is not None
    reveal_sig = committing.receive(key, 0).reply
    assert reveal_sig is not None
    new = draw_commit(redrawable("new"))
    ours.adopt(new, 1)

    sig = answering.receive(reveal_sig, 5)
    assert sig.reply is not None
    last = committing.receive(sig.reply, 5)

    assert sig.agreement is not None
    assert last.agreement is not None
    assert isinstance(ours.state, AwaitingDhKey)
    assert ours.state.commit.hashed_gx == new.hashed_gx
    assert ours.deadline() == 1 + AKE_EXPIRE_S
    assert isinstance(theirs.state, Idle)


def test_held_commit_is_taken_up_when_the_exchange_is_given_up() -> None:
    ake = in_state("sig")
    ake.adopt(draw_commit(redrawable("new")), 1)

    ake.tick(AKE_EXPIRE_S)

    assert isinstance(ake.state, AwaitingDhKey)
    assert ake.deadline() == 1 + AKE_EXPIRE_S


def test_held_commit_that_is_too_old_is_dropped_with_the_exchange() -> None:
    ake = in_state("sig")
    ake.adopt(draw_commit(redrawable("new")), 0)

    ake.tick(AKE_EXPIRE_S)

    assert isinstance(ake.state, Idle)
    assert not ake.awaits_answer


@pytest.mark.parametrize("state", ["idle", "sig"])
def test_commit_is_answered_with_a_fresh_key(state: str) -> None:
    ake = in_state(state)

    step = ake.receive(STRANGE["commit"], 1)

    assert isinstance(step.reply, DhKey)
    assert isinstance(ake.state, AwaitingRevealSig)
    assert ake.state.commit == STRANGE["commit"]


@pytest.mark.hostile("G14")
def test_second_commit_is_kept_and_answered_with_the_same_key() -> None:
    ake = make_ake("alice")
    first = ake.receive(STRANGE["commit"], 0).reply
    new = draw_commit(redrawable("second")).message(TAGS["bob"], TAGS["alice"])

    step = ake.receive(new, 1)

    assert step.reply == first
    assert isinstance(ake.state, AwaitingRevealSig)
    assert ake.state.commit == new


@pytest.mark.hostile("G14")
def test_repeated_key_is_answered_with_the_same_reveal_sig() -> None:
    ake, bob = make_ake("alice"), make_ake("bob")
    commit = draw_commit(redrawable("commit"))
    ake.adopt(commit, 0)
    key = bob.receive(commit.message(TAGS["alice"], 0), 0).reply
    assert key is not None
    first = ake.receive(key, 0)

    second = ake.receive(key, 1)

    assert isinstance(first.reply, RevealSig)
    assert second == first


@pytest.mark.hostile("G40")
def test_wiped_exponents_stay_out_of_the_next_state() -> None:
    ake = in_state("revealsig")
    assert isinstance(ake.state, AwaitingRevealSig)
    old_key = ake.state.key

    ake.abandon()

    assert set(old_key._private._bytes) == {0}


# --- both commit at once --------------------------------------------------------


def cross(pair: Pair) -> tuple[list[str], list[str]]:
    """Both ends get a query at the same moment; returns what each sent."""
    return (
        injected(pair.alice.receive("?OTRv3?", 0)),
        injected(pair.bob.receive("?OTRv3?", 0)),
    )


@pytest.mark.hostile("G14")
@pytest.mark.parametrize(
    ("alice_seed", "bob_seed"),
    [(LOW, HIGH), (HIGH, LOW)],
    ids=["bob wins", "alice wins"],
)
@pytest.mark.parametrize("alice_first", [True, False])
def test_crossing_start_comes_to_one_session(
    alice_seed: int, bob_seed: int, alice_first: bool
) -> None:
    pair = Pair(alice_seed=alice_seed, bob_seed=bob_seed)
    from_alice, from_bob = cross(pair)
    both = [
        (pair.alice, [Inject(text) for text in from_alice]),
        (pair.bob, [Inject(text) for text in from_bob]),
    ]

    answers = [
        (pair.other(end), pair.other(end).receive(output.text, 0))
        for end, outputs in (both if alice_first else both[::-1])
        for output in outputs
    ]
    for end, outputs in answers:
        pair.carry(end, outputs)

    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G14")
@pytest.mark.parametrize("seed", range(40))
def test_crossing_start_succeeds_from_any_seed(seed: int) -> None:
    pair = Pair(alice_seed=("a", seed), bob_seed=("b", seed))
    from_alice, from_bob = cross(pair)

    to_alice = pair.alice.receive(from_bob[0], 0)
    pair.carry(pair.bob, pair.bob.receive(from_alice[0], 0))
    pair.carry(pair.alice, to_alice)

    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G14")
def test_winner_of_a_tie_sends_the_same_commit_again() -> None:
    pair = Pair(alice_seed=HIGH, bob_seed=LOW)
    from_alice, from_bob = cross(pair)

    (again,) = injected(pair.alice.receive(from_bob[0], 0))

    first, second = message_of(from_alice[0]), message_of(again)
    assert isinstance(first, DhCommit)
    assert isinstance(second, DhCommit)
    assert second.hashed_gx == first.hashed_gx
    assert second.encrypted_gx == first.encrypted_gx
    assert (first.receiver_tag, second.receiver_tag) == (0, TAGS["bob"])


@pytest.mark.hostile("G14")
def test_loser_of_a_tie_answers_with_a_key() -> None:
    pair = Pair(alice_seed=LOW, bob_seed=HIGH)
    _, from_bob = cross(pair)

    (answer,) = injected(pair.alice.receive(from_bob[0], 0))

    assert isinstance(message_of(answer), DhKey)


@pytest.mark.hostile("G12")
def test_own_commit_sent_back_is_ignored() -> None:
    ake = in_state("dhkey")
    assert isinstance(ake.state, AwaitingDhKey)
    reflected = ake.state.commit.message(TAGS["bob"], TAGS["alice"])

    step = ake.receive(reflected, 0)

    assert step == Step()
    assert isinstance(ake.state, AwaitingDhKey)


@pytest.mark.hostile("G14")
def test_loser_starts_again_once_when_the_winner_stalls() -> None:
    """otr3 forgets after a tie that it waits for our key."""
    pair = Pair(alice_seed=LOW, bob_seed=HIGH)
    _, from_bob = cross(pair)
    pair.alice.receive(from_bob[0], 0)
    assert pair.alice.deadline() == AKE_TIMEOUT_S

    early = pair.alice.tick(AKE_TIMEOUT_S - 0.1)
    (again,) = pair.alice.tick(AKE_TIMEOUT_S)
    later = [pair.alice.tick(AKE_TIMEOUT_S + n * 30) for n in range(1, 20)]

    assert early == []
    assert isinstance(again, Inject)
    assert isinstance(message_of(again.text), DhCommit)
    assert later == [[]] * 19
    assert pair.alice.deadline() is None


def test_loser_does_not_start_again_when_it_lost_a_second_tie() -> None:
    ake = make_ake("alice")
    ake.adopt(draw_commit(redrawable(LOW)), 0)
    high = draw_commit(redrawable(HIGH)).message(TAGS["bob"], TAGS["alice"])
    ake.receive(high, 0)
    again = ake.tick(AKE_TIMEOUT_S)
    assert again is not None
    highest = DhCommit(TAGS["bob"], TAGS["alice"], b"x" * 196, b"\xff" * 32)

    ake.receive(highest, 21)

    assert ake.deadline() == 21 + AKE_EXPIRE_S
    assert ake.tick(21 + AKE_EXPIRE_S) is None
    assert isinstance(ake.state, Idle)


def test_exchange_succeeds_after_the_loser_started_again() -> None:
    pair = Pair(alice_seed=LOW, bob_seed=HIGH)
    _, from_bob = cross(pair)
    pair.alice.receive(from_bob[0], 0)  # her key is lost on the way
    pair.now = AKE_TIMEOUT_S

    pair.carry(pair.alice, pair.alice.tick(pair.now))

    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid == pair.bob.ssid is not None


def test_tie_time_out_counts_from_a_second_commit_of_the_winner() -> None:
    pair = Pair(alice_seed=LOW, bob_seed=HIGH)
    _, from_bob = cross(pair)
    pair.alice.receive(from_bob[0], 0)

    pair.alice.receive(from_bob[0], 5)

    assert engine_of(pair.alice, TAGS["bob"]).deadline() == 5 + AKE_TIMEOUT_S


# --- clocks ---------------------------------------------------------------------


@pytest.mark.hostile("G18")
@pytest.mark.parametrize("state", ["dhkey", "revealsig", "sig"])
def test_exchange_is_forgotten_when_no_answer_comes(state: str) -> None:
    ake = in_state(state)

    due = ake.deadline()
    ake.tick(AKE_EXPIRE_S - 1)
    before = ake.state
    ake.tick(AKE_EXPIRE_S)

    assert due == AKE_EXPIRE_S
    assert isinstance(before, STATES[state])
    assert isinstance(ake.state, Idle)
    assert ake.deadline() is None


@pytest.mark.hostile("G18")
def test_commit_to_everybody_is_forgotten_when_nobody_answers() -> None:
    pair = Pair()
    (commit,) = injected(pair.bob.receive("?OTRv3?", 0))
    (key,) = injected(pair.alice.receive(commit, 0))
    assert pair.bob.deadline() == AKE_EXPIRE_S

    pair.bob.tick(AKE_EXPIRE_S)
    outputs = pair.bob.receive(key, AKE_EXPIRE_S)

    assert outputs == []
    assert pair.bob.deadline() is None


def test_exchange_goes_on_when_the_answer_is_slow() -> None:
    pair = Pair()
    now = 0.0
    texts = injected(pair.bob.receive("?OTRv3?", now))
    end = pair.alice

    for _ in range(4):
        now += AKE_EXPIRE_S / 2 - 1
        texts = injected(end.receive(texts[0], now))
        end = pair.other(end)

    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.bob.message_state is MessageState.ENCRYPTED


# --- queries again ----------------------------------------------------------------


def test_second_query_is_answered_by_the_same_commit() -> None:
    """Two hashes under way at once, and both ends may give way to the other's."""
    alice = Pair().alice

    answers = [injected(alice.receive("?OTRv3?", now)) for now in (0, 1)]

    assert answers[0] == answers[1]


@pytest.mark.parametrize("progress", ["late", "answered", "agreed"])
def test_second_query_is_answered_by_a_fresh_commit_once_the_first_is_used(
    progress: str,
) -> None:
    pair = Pair()
    (first,) = injected(pair.bob.receive("?OTRv3?", 0))
    if progress == "answered":
        pair.bob.receive(injected(pair.alice.receive(first, 0))[0], 0)
    if progress == "agreed":
        pair.carry(pair.bob, [Inject(first)])

    (second,) = injected(
        pair.bob.receive("?OTRv3?", AKE_TIMEOUT_S if progress == "late" else 1)
    )

    assert second != first
    assert isinstance(message_of(second), DhCommit)


def test_asking_drops_an_exchange_under_way_but_not_the_session() -> None:
    pair = Pair()
    pair.agree()
    ssid = pair.alice.ssid
    (commit,) = injected(pair.bob.receive("?OTRv3?", 0))
    pair.alice.receive(commit, 0)
    pair.alice.receive("?OTRv3?", 0)

    outputs = pair.alice.ask(1)

    assert outputs == [Inject("?OTRv3?")]
    assert pair.alice.deadline() is None
    assert pair.alice.ssid == ssid


# --- what is reported -----------------------------------------------------------


def test_exchange_reports_agreeing_once_and_secured() -> None:
    pair = Pair()

    pair.carry(pair.alice, pair.alice.ask(0))

    alice_told, bob_told = pair.told[pair.alice], pair.told[pair.bob]
    assert pair.alice.ssid is not None
    assert alice_told == [
        Agreeing(),
        Secured(
            recorded_key("bob").fingerprint,
            pair.alice.ssid,
            our_half_first=False,
            refreshed=False,
        ),
    ]
    assert bob_told == [
        Agreeing(),
        Secured(
            recorded_key("alice").fingerprint,
            pair.alice.ssid,
            our_half_first=True,
            refreshed=False,
        ),
    ]


@pytest.mark.parametrize(
    "disturb",
    [
        lambda pair: pair.alice.tick(AKE_EXPIRE_S),
        lambda pair: pair.alice.end(1),
    ],
    ids=["expired", "ended"],
)
def test_agreeing_is_reported_again_after_an_exchange_came_to_nothing(
    disturb: Callable[[Pair], object],
) -> None:
    pair = Pair()
    first = pair.alice.receive("?OTRv3?", 0)
    disturb(pair)

    second = pair.alice.receive("?OTRv3?", AKE_EXPIRE_S + 1)

    assert told(first) == told(second) == [Agreeing()]


def test_agreeing_is_not_repeated_for_a_second_query() -> None:
    pair = Pair()
    pair.alice.receive("?OTRv3?", 0)

    outputs = pair.alice.receive("?OTRv3?", 1)

    assert told(outputs) == []
    assert len(injected(outputs)) == 1


@pytest.mark.hostile("G15")
def test_new_exchange_keeps_the_old_session_until_it_is_verified() -> None:
    pair = Pair()
    pair.agree()
    old_ssid = pair.alice.ssid
    (commit,) = injected(pair.bob.receive("?OTRv3?", 0))
    (key,) = injected(pair.alice.receive(commit, 0))
    (reveal_sig,) = injected(pair.bob.receive(key, 0))

    between = (pair.alice.ssid, pair.bob.ssid)
    pair.carry(pair.alice, pair.alice.send("still the old keys", 0))
    received = list(pair.told[pair.bob])
    outputs = pair.alice.receive(reveal_sig, 0)
    pair.carry(pair.alice, outputs)

    assert between == (old_ssid, old_ssid)
    assert len(received) == 1
    (secured,) = [output for output in outputs if isinstance(output, Secured)]
    assert secured.refreshed
    assert secured.ssid != old_ssid
    assert pair.alice.ssid == pair.bob.ssid == secured.ssid


def test_exchanges_of_ours_never_repeat_a_key() -> None:
    pair = Pair()
    ssids = set()

    for n in range(5):
        pair.now = n * 60.0
        pair.agree(pair.alice if n % 2 else pair.bob)
        ssids.add(pair.alice.ssid)

    assert len(ssids) == 5
