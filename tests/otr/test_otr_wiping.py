"""Secrets that have done their work: overwritten, and only then forgotten."""

from collections.abc import Callable

import pytest

from coykiosk.otr.ake import AKE_EXPIRE_S, Ake, Step
from coykiosk.otr.ake_states import (
    Agreement,
    AwaitingDhKey,
    AwaitingRevealSig,
    AwaitingSig,
    Idle,
    draw_commit,
)
from coykiosk.otr.messages import DhCommit, DhKey
from coykiosk.otr.primitives import DhKeyPair, P
from coykiosk.otr.ratchet import PairKeys, Ratchet
from tests.otr.wiring import TAGS, recorded_key, redrawable, seed_of_commit

LOW, HIGH = seed_of_commit(b"\x00"), seed_of_commit(b"\xff")
STATES = ["dhkey", "revealsig", "sig"]


def make_ake(name: str) -> Ake:
    other = "bob" if name == "alice" else "alice"
    source = redrawable(f"{name}, wiping")
    return Ake(recorded_key(name), TAGS[name], TAGS[other], source)


def bobs_commit() -> DhCommit:
    """Its hash is higher than that of Alice's."""
    return draw_commit(redrawable(HIGH)).message(TAGS["bob"], TAGS["alice"])


def in_state(state: str) -> Ake:
    """Alice's key exchange, brought to this state."""
    alice = make_ake("alice")
    if state == "revealsig":
        alice.receive(bobs_commit(), 0)
        return alice
    commit = draw_commit(redrawable(LOW))
    alice.adopt(commit, 0)
    if state == "sig":
        reply = make_ake("bob").receive(commit.message(TAGS["alice"], 0), 0).reply
        assert reply is not None
        alice.receive(reply, 0)
    return alice


def key_in(ake: Ake) -> DhKeyPair:
    match ake.state:
        case AwaitingDhKey(commit) | AwaitingSig(commit):
            return commit.key
        case AwaitingRevealSig(key):
            return key
        case Idle():
            raise AssertionError


def is_wiped(key: DhKeyPair) -> bool:
    return not any(key._private._bytes)


# --- the key exchange -----------------------------------------------------------------

LEAVING: dict[str, Callable[[Ake], object]] = {
    "given up": lambda ake: ake.abandon(),
    "no answer": lambda ake: ake.tick(AKE_EXPIRE_S),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_exponent_is_wiped_when_an_exchange_is_left(
    state: str, leave: Callable[[Ake], object]
) -> None:
    ake = in_state(state)
    key = key_in(ake)
    assert not is_wiped(key)

    leave(ake)

    assert is_wiped(key)


def test_exponents_stay_while_our_new_commit_is_held() -> None:
    ake = in_state("revealsig")
    key = key_in(ake)
    first, second = (draw_commit(redrawable(seed)) for seed in ("first", "second"))

    ake.adopt(first, 1)
    assert ake._held is not None
    held = ake._held.commit.key
    ake.adopt(second, 2)

    assert not is_wiped(key)
    assert is_wiped(held)
    assert not is_wiped(first.key)


@pytest.mark.parametrize("state", ["revealsig", "sig"])
@pytest.mark.parametrize("is_late", [False, True], ids=["given up", "too old"])
def test_exponent_of_a_held_commit_is_wiped(state: str, *, is_late: bool) -> None:
    ake = in_state(state)
    ake.adopt(draw_commit(redrawable("held")), 1)
    assert ake._held is not None
    held = ake._held.commit.key

    if is_late:
        ake.tick(1 + AKE_EXPIRE_S)
    else:
        ake.abandon()

    assert is_wiped(held)
    assert isinstance(ake.state, Idle)


@pytest.mark.parametrize("state", ["revealsig", "sig"])
def test_exponent_is_wiped_when_a_held_commit_is_answered(state: str) -> None:
    ake = in_state(state)
    key = key_in(ake)
    ake.adopt(draw_commit(redrawable("held")), 1)
    assert ake._held is not None
    held = ake._held.commit.key

    ake.receive(DhKey(TAGS["bob"], TAGS["alice"], pow(2, 77, P)), 2)

    assert is_wiped(key)
    assert key_in(ake) is held
    assert not is_wiped(held)


def test_exponent_of_a_held_commit_is_wiped_when_it_is_made_anew() -> None:
    ake = in_state("sig")
    commit = draw_commit(redrawable("held"))
    ake.adopt(commit, 1)
    commit.promise.is_kept = True
    assert ake._held is not None
    held = ake._held.commit.key

    ake.receive(DhKey(TAGS["bob"], TAGS["alice"], pow(2, 77, P)), 2)

    assert is_wiped(held)
    assert not is_wiped(key_in(ake))


def test_exponent_is_wiped_when_our_new_commit_takes_its_place() -> None:
    ake = in_state("dhkey")
    key = key_in(ake)

    ake.adopt(draw_commit(redrawable("new")), 1)

    assert is_wiped(key)


@pytest.mark.parametrize("state", ["dhkey", "sig"])
def test_exponent_is_wiped_when_we_give_way_to_a_commit(state: str) -> None:
    ake = in_state(state)
    key = key_in(ake)

    ake.receive(bobs_commit(), 1)

    assert is_wiped(key)
    assert not is_wiped(key_in(ake))


def test_exponent_stays_when_a_second_commit_is_answered_with_the_same_key() -> None:
    ake = in_state("revealsig")
    key = key_in(ake)

    ake.receive(bobs_commit(), 1)

    assert key_in(ake) is key
    assert not is_wiped(key)


def test_exponent_stays_when_the_exchange_goes_on() -> None:
    ake = make_ake("alice")
    commit = draw_commit(redrawable(LOW))
    ake.adopt(commit, 0)
    key = key_in(ake)
    reply = make_ake("bob").receive(commit.message(TAGS["alice"], 0), 0).reply
    assert reply is not None

    ake.receive(reply, 1)

    assert key_in(ake) is key
    assert not is_wiped(key)


def test_commit_to_everybody_stays_when_one_exchange_is_left() -> None:
    commit = draw_commit(redrawable(LOW))
    ake = make_ake("alice")
    ake.adopt(commit, 0)

    ake.abandon()

    assert not is_wiped(commit.key)


class Finished:
    """A whole exchange, Alice committing, with the keys that it used."""

    def __init__(self) -> None:
        alice, bob = make_ake("alice"), make_ake("bob")
        commit = draw_commit(redrawable(LOW))
        alice.adopt(commit, 0)
        key = bob.receive(commit.message(TAGS["alice"], 0), 0).reply
        assert key is not None
        reveal_sig = alice.receive(key, 0).reply
        assert reveal_sig is not None
        self.keys = {"alice": key_in(alice), "bob": key_in(bob)}
        last = bob.receive(reveal_sig, 0)
        assert last.reply is not None
        steps: dict[str, Step] = {"bob": last, "alice": alice.receive(last.reply, 0)}
        self.agreements: dict[str, Agreement] = {
            name: step.agreement for name, step in steps.items() if step.agreement
        }


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_exponent_is_wiped_when_the_exchange_is_done_but_for_the_sessions_own(
    name: str,
) -> None:
    finished = Finished()

    agreement = finished.agreements[name]

    assert is_wiped(finished.keys[name])
    assert not is_wiped(agreement.our_key)
    assert agreement.our_key.public == finished.keys[name].public


# --- the session ----------------------------------------------------------------------


class Talk:
    """Two ends that take turns, and every key they ever had."""

    def __init__(self) -> None:
        agreements = Finished().agreements
        self.ends = {
            name: Ratchet(agreement, redrawable(f"{name}, turns"))
            for name, agreement in agreements.items()
        }
        self.seen: dict[str, dict[tuple[int, int], PairKeys]] = {
            name: {} for name in self.ends
        }
        self.exponents: dict[str, list[DhKeyPair]] = {name: [] for name in self.ends}

    def say(self, sender: str) -> None:
        receiver = "bob" if sender == "alice" else "alice"
        message = self.ends[sender].seal(b"hi", flags=0, sender_tag=1, receiver_tag=2)
        self._note()
        self.ends[receiver].open(message)
        self._note()

    def _note(self) -> None:
        for name, end in self.ends.items():
            self.seen[name] |= end._pairs
            for key in (end._our_current, end._our_previous):
                if all(key is not each for each in self.exponents[name]):
                    self.exponents[name].append(key)


def secrets_of(pair: PairKeys) -> list[bytearray]:
    return [
        pair.send_aes,
        pair.send_mac,
        pair.receive_aes,
        pair.receive_mac,
        pair.extra,
    ]


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_keys_are_wiped_when_turns_have_rotated_them_away(name: str) -> None:
    talk = Talk()
    for sender in ("alice", "bob") * 4:
        talk.say(sender)
    end = talk.ends[name]

    gone = [keys for pair, keys in talk.seen[name].items() if pair not in end._pairs]
    kept = list(end._pairs.values())

    assert len(gone) > 4
    assert not any(any(secret) for keys in gone for secret in secrets_of(keys))
    assert all(any(secret) for keys in kept for secret in secrets_of(keys))


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_pairs_are_kept_of_no_key_but_the_two_newest_of_each_end(name: str) -> None:
    talk = Talk()

    for sender in ("alice", "bob") * 4:
        talk.say(sender)

    end = talk.ends[name]
    ours = {end._our_keyid, end._our_keyid - 1}
    theirs = {end._their_keyid, end._their_keyid - 1}
    assert end._our_keyid > 4
    assert {pair[0] for pair in end._pairs} <= ours
    assert {pair[1] for pair in end._pairs} <= theirs


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_exponents_are_wiped_when_turns_have_rotated_them_away(name: str) -> None:
    talk = Talk()

    for sender in ("alice", "bob") * 4:
        talk.say(sender)

    end = talk.ends[name]
    held = (end._our_current, end._our_previous)
    gone = [key for key in talk.exponents[name] if key not in held]
    assert len(gone) > 2
    assert all(map(is_wiped, gone))
    assert not any(map(is_wiped, held))


def test_every_key_is_wiped_when_the_session_is_retired() -> None:
    talk = Talk()
    for sender in ("alice", "bob", "alice"):
        talk.say(sender)
    end = talk.ends["alice"]
    held = (end._our_current, end._our_previous)

    end.retire()

    seen = talk.seen["alice"].values()
    assert not any(any(secret) for keys in seen for secret in secrets_of(keys))
    assert all(map(is_wiped, held))
    assert end._pairs == {}
