"""The key exchange under attack: nothing forged is taken, and nothing breaks it."""

import dataclasses

import pytest

from coykiosk.otr import (
    Agreeing,
    Inject,
    MessageState,
    OfferTooOld,
    PrivateKey,
    Secured,
    Unreadable,
)
from coykiosk.otr.ake_states import AwaitingRevealSig, AwaitingSig
from coykiosk.otr.framing import armour
from coykiosk.otr.messages import DhCommit, DhKey, RevealSig
from coykiosk.otr.primitives import P, aes_ctr, sha256
from coykiosk.otr.wire import encode_data, encode_int, encode_mpi, encode_short
from tests.otr.hostile.forging import HER_TAGS, ForgedAlice, ForgedBob
from tests.otr.wiring import (
    TAGS,
    Pair,
    engine_of,
    injected,
    message_of,
    raw_of,
    recorded_key,
    redrawable,
    text_of,
    told,
)

BAD_VALUES = [0, 1, P - 1, P, P + 1]
BAD_IDS = ["0", "1", "p-1", "p", "p+1"]


def state_of_alice(pair: Pair) -> object:
    return engine_of(pair.alice, TAGS["bob"])._ake.state


# --- the tools of this file work ---------------------------------------------------


def test_hand_made_exchange_is_taken_when_nothing_is_wrong() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()

    outputs = pair.alice.receive(text_of(mallory.reveal_sig()), 0)

    assert isinstance(told(outputs)[0], Secured)


def test_hand_made_answer_is_taken_when_nothing_is_wrong() -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()

    outputs = pair.alice.receive(text_of(mallory.signature()), 0)

    assert isinstance(told(outputs)[0], Secured)


# --- group elements ----------------------------------------------------------------


@pytest.mark.hostile("G9")
@pytest.mark.parametrize("gy", BAD_VALUES, ids=BAD_IDS)
def test_key_is_refused_when_out_of_the_group(gy: int) -> None:
    pair = Pair()
    pair.alice.receive("?OTRv3?", 0)

    outputs = pair.alice.receive(text_of(DhKey(*HER_TAGS, gy)), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G9")
@pytest.mark.parametrize("gx", BAD_VALUES, ids=BAD_IDS)
def test_reveal_sig_is_refused_when_g_x_is_out_of_the_group(gx: int) -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    r = bytes(16)
    gx_mpi = encode_mpi(gx)
    commit = DhCommit(*HER_TAGS, aes_ctr(r, gx_mpi), sha256(gx_mpi))
    mallory.send_commit(commit)

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(r=r)), 0)

    assert outputs == [Unreadable()]
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G2", "G5")
@pytest.mark.parametrize(
    "gx_mpi",
    [
        encode_data(b"\0" + bytes([5]) * 191),
        encode_mpi(5) + b"\0",
        encode_mpi(5)[:-1],
        b"",
        encode_int(0xFFFFFFFF) + b"\5",
    ],
    ids=["leading zero", "longer", "cut", "empty", "4 GB"],
)
def test_reveal_sig_is_refused_when_g_x_is_malformed(gx_mpi: bytes) -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    r = bytes(16)
    mallory.send_commit(DhCommit(*HER_TAGS, aes_ctr(r, gx_mpi), sha256(gx_mpi)))

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(r=r)), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G5")
def test_commit_is_refused_when_g_x_is_longer_than_the_group() -> None:
    pair = Pair()
    commit = DhCommit(*HER_TAGS, bytes(197), bytes(32))

    outputs = pair.alice.receive(text_of(commit), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G12")
def test_key_is_refused_when_it_is_our_own_sent_back() -> None:
    pair = Pair()
    pair.alice.receive("?OTRv3?", 0)
    assert pair.alice._engines._commit is not None
    own = pair.alice._engines._commit.key.public

    outputs = pair.alice.receive(text_of(DhKey(*HER_TAGS, own)), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G12")
def test_reveal_sig_is_refused_when_g_x_is_our_own_g_y() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    assert mallory.key is not None
    r = bytes(16)
    gx_mpi = encode_mpi(mallory.key.gy)
    mallory.send_commit(DhCommit(*HER_TAGS, aes_ctr(r, gx_mpi), sha256(gx_mpi)))

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(r=r)), 0)

    assert outputs == [Unreadable()]


# --- commitment and proofs ---------------------------------------------------------


def x_of(key: PrivateKey, **numbers: int) -> bytes:
    """A PUBKEY with some numbers changed."""
    parameters = key.public.numbers.parameter_numbers
    right = {
        "p": parameters.p,
        "q": parameters.q,
        "g": parameters.g,
        "y": key.public.numbers.y,
    }
    return encode_short(0) + b"".join(map(encode_mpi, (right | numbers).values()))


BOB = recorded_key("bob")
BOB_P = BOB.public.numbers.parameter_numbers.p
FORGERIES: dict[str, dict[str, object]] = {
    "other r": {"r": bytes(16)},
    "mac all zero": {"mac": bytes(20)},
    "signature r=0 s=0": {"signature": bytes(40)},
    "signature all ones": {"signature": b"\xff" * 40},
    "signature of 39 bytes": {"signature": b"\x01" * 39},
    "signature of 41 bytes": {"tail": b"\0"},
    "keyid 0": {"keyid": 0},
    "key type 1": {"public": b"\0\1" + BOB.public.encoded[2:]},
    "no key": {"public": b""},
    "y=0": {"public": x_of(BOB, y=0)},
    "y=1": {"public": x_of(BOB, y=1)},
    "y=p-1": {"public": x_of(BOB, y=BOB_P - 1)},
    "g=1": {"public": x_of(BOB, g=1)},
    "p of 512 bits": {"public": x_of(BOB, p=2**511 + 1)},
    "p of 8 Mbit": {"public": x_of(BOB, p=2**8_000_000 + 1)},
    "leading zero in p": {
        "public": b"\0\0"
        + encode_data(b"\0" + BOB_P.to_bytes(128, "big"))
        + BOB.public.encoded[2 + 4 + 128 :]
    },
    "key of another": {"public": recorded_key("alice").public.encoded},
}


@pytest.mark.hostile("G5", "G10", "G11", "G13")
@pytest.mark.parametrize("name", FORGERIES)
def test_reveal_sig_is_refused_when_forged_and_a_good_one_still_counts(
    name: str,
) -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    forged = mallory.reveal_sig(**FORGERIES[name])  # type: ignore[arg-type] # the table mixes types

    refused = pair.alice.receive(text_of(forged), 0)
    taken = pair.alice.receive(text_of(mallory.reveal_sig()), 0)

    assert refused == [Unreadable()]
    assert any(isinstance(output, Secured) for output in taken)


@pytest.mark.hostile("G10")
def test_reveal_sig_is_refused_when_it_opens_another_promise() -> None:
    """All is right but the hash: who could choose g^x late could choose s."""
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit(dataclasses.replace(mallory.commit, hashed_gx=b"\x42" * 32))

    outputs = pair.alice.receive(text_of(mallory.reveal_sig()), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G10")
@pytest.mark.parametrize("length", [0, 15, 17])
def test_reveal_sig_is_refused_when_r_has_another_length(length: int) -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(r=bytes(length))), 0)

    assert outputs == [Unreadable()]
    assert isinstance(state_of_alice(pair), AwaitingRevealSig)


@pytest.mark.hostile("G11", "G13")
@pytest.mark.parametrize(
    "name", ["mac all zero", "signature r=0 s=0", "signature of 39 bytes", "keyid 0"]
)
def test_signature_is_refused_when_forged_and_a_good_one_still_counts(
    name: str,
) -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    forged = mallory.signature(**FORGERIES[name])  # type: ignore[arg-type] # the table mixes types

    refused = pair.alice.receive(text_of(forged), 0)
    state = state_of_alice(pair)
    taken = pair.alice.receive(text_of(mallory.signature()), 0)

    assert refused == [Unreadable()]
    assert isinstance(state, AwaitingSig)
    assert any(isinstance(output, Secured) for output in taken)


@pytest.mark.hostile("G12")
def test_signature_of_bobs_kind_is_refused_in_alices_place() -> None:
    """The two proofs use different keys, so neither can be sent back."""
    pair = Pair()
    texts = pair.handshake()
    reveal = message_of(texts["reveal_sig"])
    assert isinstance(reveal, RevealSig)
    again = Pair()
    (commit,) = injected(again.bob.receive("?OTRv3?", 0))
    (key,) = injected(again.alice.receive(commit, 0))
    again.bob.receive(key, 0)

    body = encode_data(reveal.encrypted_signature) + reveal.mac
    head = b"\0\3\x12" + encode_int(TAGS["alice"]) + encode_int(TAGS["bob"])
    outputs = again.bob.receive(armour(head + body), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G16")
def test_signature_over_other_public_values_is_refused() -> None:
    """Identity misbinding: a proof of one exchange is no proof of another."""
    pair = Pair()
    one = ForgedBob(pair.alice, seed="one")
    one.send_commit()
    two = ForgedBob(pair.alice, seed="two")
    two.send_commit()
    reveal = one.reveal_sig()

    outputs = pair.alice.receive(
        text_of(dataclasses.replace(reveal, r=two.secret.r)), 0
    )

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G16")
def test_keyid_is_covered_by_the_signature() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    signed = mallory.proven(keyid=1)

    forged = mallory.reveal_sig(keyid=7, signature=signed)

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


def test_any_keyid_but_0_is_taken_from_the_other_end() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(keyid=0xFFFFFFFF)), 0)

    assert any(isinstance(output, Secured) for output in outputs)


# --- replay, order, stray messages ---------------------------------------------------


@pytest.mark.hostile("G13")
def test_old_exchange_played_again_ends_nowhere() -> None:
    pair = Pair()
    texts = pair.handshake()
    session = pair.alice.ssid
    pair.now = 300.0

    outputs = [
        output
        for name in ("commit", "reveal_sig")
        for output in pair.alice.receive(texts[name], pair.now)
    ]

    assert not any(isinstance(output, Secured) for output in outputs)
    assert pair.alice.ssid == session


@pytest.mark.hostile("G13")
def test_old_exchange_played_to_a_new_start_ends_nowhere() -> None:
    texts = Pair().handshake()
    pair = Pair(alice_seed="another")

    outputs = [
        output
        for name in ("commit", "reveal_sig")
        for output in pair.alice.receive(texts[name], 0)
    ]

    assert told(outputs) == [Agreeing(), Unreadable()]
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G13")
@pytest.mark.parametrize("stray", ["reveal_sig", "sig"])
@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_stray_message_does_not_spoil_an_exchange(stray: str, position: int) -> None:
    strange = Pair(alice_seed="strange a", bob_seed="strange b").handshake()[stray]
    pair = Pair()
    texts = injected(pair.bob.receive("?OTRv3?", 0))
    end = pair.alice

    for n in range(4):
        if n == position:
            pair.alice.receive(strange, 0)
            pair.bob.receive(strange, 0)
        texts = injected(end.receive(texts[0], 0))
        end = pair.other(end)

    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G13")
def test_stray_key_costs_one_exchange_and_no_more() -> None:
    """A key carries no proof: whoever is first with one is waited for."""
    strange = Pair(alice_seed="strange a", bob_seed="strange b").handshake()["key"]
    pair = Pair()
    pair.bob.receive("?OTRv3?", 0)
    pair.bob.receive(strange, 0)

    pair.carry(pair.alice, pair.alice.ask(1))

    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G14")
@pytest.mark.parametrize("doubled", ["commit", "key", "reveal_sig", "sig"])
def test_exchange_succeeds_when_a_message_comes_twice(doubled: str) -> None:
    pair = Pair()
    (commit,) = injected(pair.bob.receive("?OTRv3?", 0))
    queue = [(pair.alice, commit)]
    kinds = ["commit", "key", "reveal_sig", "sig"]

    for kind in kinds:
        end, text = queue.pop(0)
        answers = injected(end.receive(text, 0))
        if kind == doubled:
            answers += injected(end.receive(text, 0))
        queue += [(pair.other(end), answer) for answer in answers]

    while queue:
        end, text = queue.pop(0)
        answers = injected(end.receive(text, 0))
        queue += [(pair.other(end), answer) for answer in answers]
    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G14")
@pytest.mark.parametrize("lost", ["commit", "key", "reveal_sig", "sig"])
def test_fresh_start_succeeds_after_any_message_was_lost(lost: str) -> None:
    pair, _text = before_message(lost)

    pair.carry(pair.alice, pair.alice.ask(1))

    assert pair.alice.ssid == pair.bob.ssid is not None


# --- damage ---------------------------------------------------------------------------


KINDS = ("commit", "key", "reveal_sig", "sig")


def before_message(kind: str) -> tuple[Pair, str]:
    """A pair just before this message arrives, and the message."""
    pair = Pair()
    texts = injected(pair.bob.receive("?OTRv3?", 0))
    end = pair.alice
    for _ in range(KINDS.index(kind)):
        texts = injected(end.receive(texts[0], 0))
        end = pair.other(end)
    return pair, texts[0]


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("kind", KINDS)
def test_message_cut_anywhere_changes_nothing(kind: str) -> None:
    pair, text = before_message(kind)
    raw = raw_of(text)
    end = pair.alice if KINDS.index(kind) % 2 == 0 else pair.bob

    answers = [
        injected(end.receive(armour(raw[:length]), n * 10.0))
        for n, length in enumerate(range(0, len(raw), 7))
        if n < 10
    ]
    outputs = end.receive(text, 100.0)

    assert answers == [[]] * len(answers)
    assert outputs


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\0", b"x" * 1000])
def test_message_with_bytes_after_it_changes_nothing(kind: str, tail: bytes) -> None:
    pair, text = before_message(kind)
    end = pair.alice if KINDS.index(kind) % 2 == 0 else pair.bob

    answer = end.receive(armour(raw_of(text) + tail), 0)

    assert injected(answer) == []
    assert end.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("kind", ["reveal_sig", "sig"])
def test_message_with_one_flipped_byte_never_secures(kind: str) -> None:
    pair, text = before_message(kind)
    raw = raw_of(text)
    end = pair.alice if kind == "reveal_sig" else pair.bob
    outputs = []

    for position in range(len(raw)):
        damaged = bytearray(raw)
        damaged[position] ^= 0x40
        outputs += end.receive(armour(bytes(damaged)), 0)
        # The flood limit is another test's matter.
        end._reception._steps._left = 96.0

    assert not any(isinstance(output, Secured) for output in outputs)
    assert any(isinstance(output, Secured) for output in end.receive(text, 1))


@pytest.mark.hostile("G4", "G17")
@pytest.mark.parametrize(
    ("head", "output"),
    [
        (b"\0\1\x02", OfferTooOld()),
        (b"\0\2\x02", OfferTooOld()),
        (b"\0\2\x03", OfferTooOld()),
        (b"\0\4\x02", Unreadable()),
        (b"\0\3\x04", Unreadable()),
        (b"\0\3\xff", Unreadable()),
        (b"\0", Unreadable()),
        (b"", Unreadable()),
        (b"\0\3", Unreadable()),
    ],
    ids=[
        "v1",
        "v2",
        "v2 data",
        "v4",
        "type 4",
        "type ff",
        "1 byte",
        "empty",
        "no type",
    ],
)
def test_message_of_another_version_or_type_is_not_answered(
    head: bytes, output: object
) -> None:
    pair = Pair()
    tags = encode_int(TAGS["bob"]) + encode_int(TAGS["alice"])
    raw = head + (tags + bytes(400) if len(head) == 3 else b"")

    assert pair.alice.receive(armour(raw), 0) == [output]


# --- who it is ------------------------------------------------------------------------


@pytest.mark.hostile("G15")
def test_other_key_in_an_encrypted_chat_is_reported_as_new() -> None:
    pair = Pair()
    pair.agree()
    stranger = PrivateKey.generate()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(key=stranger)), 0)

    (secured,) = told(outputs)
    assert isinstance(secured, Secured)
    assert secured.fingerprint == stranger.fingerprint
    assert not secured.refreshed
    assert pair.alice.their_fingerprint == stranger.fingerprint


@pytest.mark.hostile("G36")
def test_two_victims_of_a_man_in_the_middle_see_different_session_ids() -> None:
    pair = Pair()
    to_alice = ForgedBob(pair.alice)
    to_alice.send_commit()
    pair.alice.receive(text_of(to_alice.reveal_sig()), 0)
    other = Pair(bob_seed="b2", alice_seed="a2")
    other.agree()

    assert pair.alice.ssid != other.bob.ssid


# --- floods ---------------------------------------------------------------------------


@pytest.mark.hostile("G18")
@pytest.mark.parametrize("text", ["?OTRv3?", "?OTRv23?\n<b>x</b>"])
def test_flood_of_queries_is_answered_a_bounded_number_of_times(text: str) -> None:
    pair = Pair()

    answers = [injected(pair.alice.receive(text, n / 1000)) for n in range(1000)]

    assert sum(map(len, answers)) == 32
    assert injected(pair.alice.receive(text, 10))


@pytest.mark.hostile("G18", "G32")
def test_flood_of_commits_is_answered_a_bounded_number_of_times() -> None:
    pair = Pair()
    commit = message_of(Pair().handshake()["commit"])
    assert isinstance(commit, DhCommit)

    answers = [
        pair.alice.receive(
            text_of(dataclasses.replace(commit, sender_tag=0x100 + n)), 0
        )
        for n in range(1000)
    ]

    assert sum(len(injected(answer)) for answer in answers) == 32
    assert len(list(pair.alice._engines)) == 8


@pytest.mark.hostile("G18")
def test_flood_of_forged_proofs_is_checked_a_bounded_number_of_times() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    forged = text_of(mallory.reveal_sig(signature=b"\x11" * 40))

    outputs = [pair.alice.receive(forged, n / 1000) for n in range(500)]

    assert sum(output == [Unreadable()] for output in outputs) == 96


@pytest.mark.hostile("G18", "G28")
def test_pile_of_old_queries_does_not_starve_its_own_exchange() -> None:
    """A client that must encrypt sends a query for each text it holds back."""
    pair = Pair()

    pair.carry(pair.bob, [Inject("?OTRv23?")] * 50)

    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G32")
def test_flood_of_new_instances_does_not_push_out_a_session() -> None:
    pair = Pair()
    pair.agree()
    commit = message_of(Pair().handshake()["commit"])
    assert isinstance(commit, DhCommit)

    for n in range(500):
        forged = dataclasses.replace(commit, sender_tag=0x100 + n)
        pair.alice.receive(text_of(forged), float(n))
    pair.now = 600.0
    pair.carry(pair.alice, pair.alice.send("still here", pair.now))

    assert len(pair.told[pair.bob]) == 1


@pytest.mark.hostile("G18")
def test_random_source_is_not_asked_for_messages_that_are_ignored() -> None:
    asked = []
    source = redrawable("counted")

    def counting(n_bytes: int) -> bytes:
        asked.append(n_bytes)
        return source(n_bytes)

    pair = Pair()
    pair.alice._random_bytes = counting
    texts = Pair(alice_seed="x", bob_seed="y").handshake()

    for name in ("key", "reveal_sig", "sig"):
        pair.alice.receive(texts[name], 0)

    assert asked == []
