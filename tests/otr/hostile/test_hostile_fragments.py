"""Fragments and instance tags, which nobody has proved: bounded, and no way in."""

import dataclasses
import tracemalloc

import pytest

from coykiosk.otr import (
    Output,
    PrivateKey,
    Received,
    Secured,
)
from coykiosk.otr.framing import armour
from coykiosk.otr.wire import encode_int
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.forging_smp import agreed
from tests.otr.hostile.watching import REFUSED, is_effect, standing, unlimited
from tests.otr.wiring import (
    TAGS,
    Pair,
    message_of,
    recorded_key,
    text_of,
)

BOB_FP = recorded_key("bob").fingerprint


# --- fragments ----------------------------------------------------------------------


def fragment(
    k: object,
    n: object,
    piece: str,
    *,
    sender: object = f"{TAGS['bob']:08x}",
    receiver: object = f"{TAGS['alice']:08x}",
) -> str:
    return f"?OTR|{sender}|{receiver},{k},{n},{piece},"


def cut(text: str, n_pieces: int, **tags: object) -> list[str]:
    size = -(-len(text) // n_pieces)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        fragment(k, len(pieces), piece, **tags) for k, piece in enumerate(pieces, 1)
    ]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("n_pieces", [1, 2, 3, 10, 100, 800])
def test_data_message_in_any_number_of_pieces_is_read(n_pieces: int) -> None:
    mallory = agreed()
    pieces = cut(mallory.sealed(text=b"whole"), n_pieces)

    outputs = [o for piece in pieces for o in mallory.alice.receive(piece, 0)]

    assert outputs == [Received("whole", BOB_FP)]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    ("k", "n"),
    [
        ("0", "0"),
        ("0", "2"),
        ("1", "0"),
        ("3", "2"),
        ("00065537", "00065537"),
        ("65536", "65536"),
        ("99999", "99999"),
        ("-1", "2"),
        ("1", "-2"),
        ("+1", "2"),
        ("1.0", "2"),
        ("1e0", "2"),
        ("0x1", "2"),
        (" 1", "2"),
        ("", "2"),
        ("1", ""),
        ("\u0661", "\u0662"),
        ("1_0", "10"),
    ],
)
def test_fragment_with_numbers_that_are_none_disturbs_no_session(
    k: str, n: str
) -> None:
    mallory = agreed()
    whole = mallory.sealed(text=b"whole")
    session = standing(mallory.alice)

    outputs = mallory.alice.receive(fragment(k, n, whole), 0)
    moved = standing(mallory.alice) != session
    taken = mallory.alice.receive(whole, 0)

    assert not any(map(is_effect, outputs))
    assert not moved
    assert taken == [Received("whole", BOB_FP)]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    ("sender", "receiver", "is_read"),
    [
        ("5a73a599", "27e31597", True),
        ("5A73A599", "27E31597", True),
        ("5a73a599", "0", True),
        ("5a73a599", "00000000", True),
        ("5a73a599", "00005000", False),
        ("5a73a599", "000000ff", False),
        ("000000ff", "27e31597", False),
        ("0", "27e31597", False),
        ("27e31597", "27e31597", False),
        ("05a73a599", "27e31597", False),
        ("5a73a599", "027e31597", False),
        ("15a73a599", "27e31597", False),
        ("-5a73a59", "27e31597", False),
        ("0x5a73a5", "27e31597", False),
        ("", "27e31597", False),
        ("5a73a599", "", False),
        ("\uff15a73a599", "27e31597", False),
    ],
)
def test_fragments_are_joined_for_right_tags_only(
    sender: str, receiver: str, is_read: bool
) -> None:
    mallory = agreed()
    pieces = cut(mallory.sealed(text=b"whole"), 3, sender=sender, receiver=receiver)

    outputs = [o for piece in pieces for o in mallory.alice.receive(piece, 0)]

    assert any(map(is_effect, outputs)) is is_read


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    "order",
    [
        [0, 1, 1, 2],
        [1, 0, 2],
        [0, 2, 1],
        [2, 1, 0],
        [1, 2],
        [0, 2],
        [0, 0, 2, 1],
        [0, 1, 0, 2],
    ],
    ids=str,
)
def test_fragments_out_of_order_make_no_message(order: list[int]) -> None:
    mallory = agreed()
    pieces = cut(mallory.sealed(text=b"whole"), 3)
    session = standing(mallory.alice)

    outputs = [o for n in order for o in mallory.alice.receive(pieces[n], 0)]

    assert outputs == []
    assert standing(mallory.alice) == session


@pytest.mark.hostile("G31")
def test_fragments_of_others_do_not_come_between() -> None:
    mallory = agreed()
    pieces = cut(mallory.sealed(text=b"whole"), 5)
    outputs: list[Output] = []

    for n, piece in enumerate(pieces):
        outputs += mallory.alice.receive(piece, 0)
        strange = fragment(1, 9, "x" * 100, sender=f"{0x1000 + n:x}")
        outputs += mallory.alice.receive(strange, 0)

    assert outputs == [Received("whole", BOB_FP)]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("position", [1, 2, 3])
def test_empty_piece_within_a_message_is_refused_and_at_its_end_is_not(
    position: int,
) -> None:
    """One client ends so when the length is a multiple of the piece size."""
    mallory = agreed()
    whole = mallory.sealed(text=b"whole")
    texts = [whole[:100], whole[100:]]
    texts.insert(position - 1, "")
    pieces = [fragment(k, 3, piece) for k, piece in enumerate(texts, 1)]

    outputs = [o for piece in pieces for o in mallory.alice.receive(piece, 0)]

    assert any(map(is_effect, outputs)) is (position == 3)


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("depth", [1, 2, 50])
def test_fragment_inside_a_fragment_is_refused_at_any_depth(depth: int) -> None:
    mallory = agreed()
    text = mallory.sealed(text=b"whole")
    for _ in range(depth + 1):
        text = fragment(1, 1, text)

    assert mallory.alice.receive(text, 0) == REFUSED


@pytest.mark.hostile("G31", "G32")
@pytest.mark.parametrize("n_senders", [1, 1000])
@pytest.mark.parametrize("n_chars", [0, 1, 64 * 1024])
def test_pieces_without_end_take_a_bounded_memory(n_chars: int, n_senders: int) -> None:
    mallory = agreed()
    piece = "x" * n_chars
    n_pieces = 3000 if n_chars < 1000 else 300

    tracemalloc.start()
    try:
        for n in range(n_pieces):
            sender = f"{0x1000 + n % n_senders:x}"
            text = fragment(n // n_senders + 1, 65535, piece, sender=sender)
            mallory.alice.receive(text, 0)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 2 * 1024 * 1024


@pytest.mark.hostile("G31")
def test_most_pieces_that_the_counters_allow_are_joined_in_time() -> None:
    mallory = agreed()
    whole = mallory.sealed(text=b"a" * 30_000)
    n_pieces = len(whole)

    outputs = [
        output
        for k, char in enumerate(whole, 1)
        for output in mallory.alice.receive(fragment(k, n_pieces, char), 0)
    ]

    assert 40_000 < n_pieces <= 65_535
    assert [type(output) for output in outputs] == [Received]


# --- instances ----------------------------------------------------------------------


@pytest.mark.hostile("G32")
@pytest.mark.parametrize("kind", ["commit", "key", "reveal_sig", "sig", "data"])
def test_new_tag_for_each_message_keeps_the_session_and_a_bounded_memory(
    kind: str,
) -> None:
    mallory = agreed()
    alice = mallory.alice
    texts = Pair(alice_seed="o", bob_seed="p").handshake()
    texts |= {"data": mallory.sealed(text=b"x")}
    # A commit and a signature are Bob's to begin with; the rest is made his.
    raw = bytearray(message_of(texts[kind]).encode())
    raw[7:11] = encode_int(TAGS["alice"])
    if kind == "key":
        alice.receive("?OTRv3?", 0)
    session = standing(alice)

    for n in range(2000):
        raw[3:7] = encode_int(0x1000 + n)
        unlimited(alice)
        alice.receive(armour(bytes(raw)), 0)

    assert standing(alice) == session
    assert len(list(alice._engines)) <= 9
    assert alice.their_instance_tag == TAGS["bob"]


@pytest.mark.hostile("G32", "G15")
def test_sessions_of_a_stranger_never_push_out_a_trusted_one() -> None:
    """Mallory agrees keys of his own under one tag after the other."""
    pair = Pair()
    pair.agree()
    pair.alice.trust([BOB_FP])
    stranger = PrivateKey.generate()
    for n in range(20):
        tag = 0x1000 + n
        unlimited(pair.alice)
        mallory = ForgedBob(pair.alice, seed=n)
        commit = dataclasses.replace(mallory.commit, sender_tag=tag)
        mallory.send_commit(commit)
        proof = mallory.reveal_sig(key=stranger)
        proof = dataclasses.replace(proof, sender_tag=tag)
        outputs = pair.alice.receive(text_of(proof), 10.0 + n)
        assert any(isinstance(output, Secured) for output in outputs)

    pair.carry(pair.alice, pair.alice.send("still to Bob", 100))

    assert pair.alice.their_fingerprint == BOB_FP
    assert len(pair.told[pair.bob]) == 1
    assert len(list(pair.alice._engines)) <= 16
