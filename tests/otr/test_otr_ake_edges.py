"""The key exchange by itself: its clocks, who was first, and a promise with a tail."""

import pytest

from coykiosk.otr import RemoteError
from coykiosk.otr.ake import AKE_EXPIRE_S, AKE_TIMEOUT_S, Ake
from coykiosk.otr.ake_states import Agreement, AwaitingDhKey, PendingCommit, draw_commit
from coykiosk.otr.messages import DhCommit, DhKey, RevealSig
from coykiosk.otr.primitives import DhKeyPair, aes_ctr, sha256
from coykiosk.otr.proof import derive_secrets, prove
from coykiosk.otr.wire import encode_mpi
from tests.otr.wiring import TAGS, recorded_key, redrawable, seed_of_commit

LOW, HIGH = seed_of_commit(b"\x00"), seed_of_commit(b"\xff")
BOBS_TAGS = (TAGS["bob"], TAGS["alice"])


def make_ake(name: str) -> Ake:
    other = "bob" if name == "alice" else "alice"
    source = redrawable(f"{name}, edges")
    return Ake(recorded_key(name), TAGS[name], TAGS[other], source)


def bobs_commit(seed: object) -> DhCommit:
    return draw_commit(redrawable(seed)).message(*BOBS_TAGS)


# --- clocks ---------------------------------------------------------------------------


def test_exchange_lasts_from_the_last_commit_that_we_answered_by_our_own() -> None:
    ake = make_ake("alice")
    ake.adopt(draw_commit(redrawable(HIGH)), 0)

    ake.receive(bobs_commit(LOW), 5)

    assert isinstance(ake.state, AwaitingDhKey)
    assert ake.deadline() == 5 + AKE_EXPIRE_S


def test_exchange_lasts_from_the_last_key_that_we_answered_again() -> None:
    ake = make_ake("alice")
    commit = draw_commit(redrawable(LOW))
    ake.adopt(commit, 0)
    key = make_ake("bob").receive(commit.message(TAGS["alice"], 0), 0).reply
    assert key is not None
    ake.receive(key, 1)

    ake.receive(key, 5)

    assert ake.deadline() == 5 + AKE_EXPIRE_S


def test_second_start_of_ours_may_again_be_started_again() -> None:
    """Only who has not been asked anew must stop after one more attempt."""
    ake = make_ake("alice")
    ake.adopt(draw_commit(redrawable(LOW)), 0)
    ake.receive(bobs_commit(HIGH), 0)
    assert ake.tick(AKE_TIMEOUT_S) is not None

    ake.adopt(draw_commit(redrawable(LOW)), 30)
    ake.receive(bobs_commit(HIGH), 30)

    assert ake.deadline() == 30 + AKE_TIMEOUT_S


# --- who was first --------------------------------------------------------------------


def agree(alice: Ake, opened: PendingCommit) -> Agreement:
    """Bob goes on with this commit, which Alice has answered last."""
    bob = make_ake("bob")
    bob.adopt(opened, 0)
    answer = alice.receive(opened.message(*BOBS_TAGS), 0).reply
    assert isinstance(answer, DhKey)
    reveal_sig = bob.receive(answer, 0).reply
    assert isinstance(reveal_sig, RevealSig)
    agreement = alice.receive(reveal_sig, 0).agreement
    assert agreement is not None
    return agreement


@pytest.mark.parametrize(
    ("before", "is_fair"),
    [([], True), (["b"], True), (["a"], False), (["a", "b"], False)],
    ids=[
        "at once",
        "the same commit",
        "another commit",
        "another, then twice the same",
    ],
)
def test_exchange_is_fair_only_when_no_other_commit_was_answered(
    before: list[str], is_fair: bool
) -> None:
    alice = make_ake("alice")
    for seed in before:
        alice.receive(bobs_commit(seed), 0)

    agreement = agree(alice, draw_commit(redrawable("b")))

    assert agreement.is_fair is is_fair


# --- a promise with a tail ------------------------------------------------------------


def test_reveal_sig_is_refused_when_bytes_follow_g_x_even_if_all_is_signed() -> None:
    alice = make_ake("alice")
    his, r = DhKeyPair.draw(redrawable("bob")), bytes(16)
    with_tail = his.public_mpi + b"\0"
    commit = DhCommit(*BOBS_TAGS, aes_ctr(r, with_tail), sha256(with_tail))
    answer = alice.receive(commit, 0).reply
    assert isinstance(answer, DhKey)
    secrets = derive_secrets(his.shared_secret(answer.gy))
    encrypted, mac = prove(
        recorded_key("bob"),
        ours_then_theirs=with_tail + encode_mpi(answer.gy),
        aes_key=secrets.bob_aes,
        m1=secrets.bob_m1,
        m2=secrets.bob_m2,
    )

    with pytest.raises(RemoteError):
        alice.receive(RevealSig(*BOBS_TAGS, r, encrypted, mac), 0)


def test_reveal_sig_is_refused_for_its_hash() -> None:
    alice = make_ake("alice")
    alice.receive(bobs_commit(LOW), 0)

    with pytest.raises(RemoteError, match=r"hash of g\^x does not match"):
        alice.receive(RevealSig(*BOBS_TAGS, bytes(16), b"", bytes(20)), 0)
