"""The key exchange against a peer, and a man in the middle, who know the protocol."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa

from coykiosk.otr import (
    Inject,
    LocalError,
    MessageState,
    OfferTooOld,
    Output,
    PrivateKey,
    Secured,
    Unreadable,
)
from coykiosk.otr.ake import AKE_TIMEOUT_S
from coykiosk.otr.ake_states import draw_commit
from coykiosk.otr.framing import WHITESPACE_TAG, armour
from coykiosk.otr.messages import (
    DhCommit,
    DhKey,
    Message,
    RevealSig,
    Signature,
    decode,
)
from coykiosk.otr.primitives import DhKeyPair, P, aes_ctr, hmac_sha256, sha256
from coykiosk.otr.proof import AkeSecrets, derive_secrets
from coykiosk.otr.wire import encode_data, encode_int, encode_mpi
from tests.otr.hostile.forging import HER_TAGS, ForgedAlice, ForgedBob, forge_proof
from tests.otr.hostile.watching import KINDS, before, is_effect, standing, unlimited
from tests.otr.wiring import (
    TAGS,
    Pair,
    injected,
    message_of,
    raw_of,
    recorded_key,
    redrawable,
    seed_of_commit,
    text_of,
    told,
)

BOB = recorded_key("bob")
OUTSIDE = {
    "0": 0,
    "1": 1,
    "p-1": P - 1,
    "p": P,
    "p+1": P + 1,
    "2p": 2 * P,
    "2^1536": 2**1536,
}


def encrypted_pair() -> Pair:
    pair = Pair()
    pair.agree()
    pair.now = 30.0
    return pair


# --- group elements -----------------------------------------------------------------


@pytest.mark.hostile("G9")
@pytest.mark.parametrize("name", OUTSIDE)
def test_key_out_of_the_group_disturbs_no_session(name: str) -> None:
    moment = before("key", encrypted=True)
    session = standing(moment.end)
    tags = (TAGS["alice"], TAGS["bob"])

    outputs = moment.receive(DhKey(*tags, OUTSIDE[name]).encode())

    assert told_only(outputs) == [Unreadable()]
    assert standing(moment.end) == session


@pytest.mark.hostile("G9")
@pytest.mark.parametrize("name", ["0", "1", "p-1", "p", "p+1"])
def test_commit_to_a_value_out_of_the_group_disturbs_no_session(name: str) -> None:
    """The promise is kept to the letter; only what was promised is no key."""
    pair = encrypted_pair()
    session = standing(pair.alice)
    r, gx_mpi = bytes(16), encode_mpi(OUTSIDE[name])
    mallory = ForgedBob(pair.alice)
    encrypted_gx = aes_ctr(r, gx_mpi)
    mallory.send_commit(DhCommit(*HER_TAGS, encrypted_gx, sha256(gx_mpi)))

    outputs = pair.alice.receive(text_of(mallory.reveal_sig(r=r)), pair.now)

    assert told(outputs) == [Unreadable()]
    assert standing(pair.alice) == session


def told_only(outputs: list[object]) -> list[object]:
    return [output for output in outputs if not isinstance(output, Inject)]


# --- keys under which anybody can sign ----------------------------------------------


@dataclasses.dataclass(frozen=True)
class WeakKey:
    """A public key, and a signature under it that needs no private key."""

    p: int
    q: int
    g: int
    y: int
    sign: Callable[[int], tuple[int, int]]

    @property
    def encoded(self) -> bytes:
        return b"\0\0" + b"".join(map(encode_mpi, (self.p, self.q, self.g, self.y)))

    def signature(self, digest: bytes) -> bytes:
        z = int.from_bytes(digest, "big") % self.q
        r, s = self.sign(z)
        assert self.is_valid(z, r, s), "FIPS 186-4, 4.7 would take it"
        return r.to_bytes(20, "big") + s.to_bytes(20, "big")

    def is_valid(self, z: int, r: int, s: int) -> bool:
        w = pow(s, -1, self.q)
        v = pow(self.g, z * w % self.q, self.p) * pow(self.y, r * w % self.q, self.p)
        return v % self.p % self.q == r


def weak_keys() -> dict[str, WeakKey]:
    parameters = BOB.public.numbers.parameter_numbers
    p, q, g = parameters.p, parameters.q, parameters.g

    def with_y_1(z: int) -> tuple[int, int]:
        r = pow(g, 12345, p) % q
        return r, pow(12345, -1, q) * z % q

    def with_y_minus_1(z: int) -> tuple[int, int]:
        """Right when r/s is even, so draw until it is."""
        for k in itertools.count(2):
            r = pow(g, k, p) % q
            s = pow(k, -1, q) * z % q
            if r * pow(s, -1, q) % q % 2 == 0:
                return r, s
        raise AssertionError

    # A right key, but of 512 bits: its logarithms were found in 1999.
    small_p = int(
        "94149d9b65bd5d8730fb91008989c6f9c55aabe18670ec145fec54d1755741a6"
        "f8bb9dfe99d82a3e2917b28db2c1607c9a8dd0602dd475424d03b99024b1c41b",
        16,
    )
    small_q = 0x993421A01CAE7F16D501AEDE1BA98AE3A8D2F0CB
    small_g = pow(2, (small_p - 1) // small_q, small_p)

    def with_512_bits(z: int) -> tuple[int, int]:
        r = pow(small_g, 777, small_p) % small_q
        return r, pow(777, -1, small_q) * (z + 4242 * r) % small_q

    small_y = pow(small_g, 4242, small_p)
    return {
        "y=1": WeakKey(p, q, g, 1, with_y_1),
        "y=p-1": WeakKey(p, q, g, p - 1, with_y_minus_1),
        "g=1, y=1": WeakKey(p, q, 1, 1, lambda z: (1, 1)),
        "512 bits": WeakKey(small_p, small_q, small_g, small_y, with_512_bits),
    }


WEAK_KEYS = weak_keys()


@pytest.mark.hostile("G11")
@pytest.mark.parametrize("name", WEAK_KEYS)
def test_signature_under_a_weak_key_is_refused_in_reveal_sig(name: str) -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    assert mallory.key is not None
    weak = WEAK_KEYS[name]
    secrets = derive_secrets(mallory.secret.key.shared_secret(mallory.key.gy))
    values = mallory.secret.key.public_mpi + encode_mpi(mallory.key.gy)
    digest = hmac_sha256(secrets.bob_m1, values + weak.encoded + encode_int(1))

    forged = mallory.reveal_sig(public=weak.encoded, signature=weak.signature(digest))

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


@pytest.mark.hostile("G11")
@pytest.mark.parametrize("name", WEAK_KEYS)
def test_signature_under_a_weak_key_is_refused_in_signature(name: str) -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    weak = WEAK_KEYS[name]
    secrets = secrets_of(mallory)
    values = mallory.dh.public_mpi + mallory.gx_mpi
    digest = hmac_sha256(secrets.alice_m1, values + weak.encoded + encode_int(1))

    forged = signature(mallory, public=weak.encoded, proof=weak.signature(digest))

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


def secrets_of(mallory: ForgedAlice) -> AkeSecrets:
    gx = int.from_bytes(mallory.gx_mpi[4:], "big")
    return derive_secrets(mallory.dh.shared_secret(gx))


def signature(
    mallory: ForgedAlice,
    *,
    values: bytes | None = None,
    public: bytes | None = None,
    proof: bytes | None = None,
    keyid: int = 1,
    tail: bytes = b"",
) -> Signature:
    """A Signature message, wrong only where the test says so."""
    secrets = secrets_of(mallory)
    right = mallory.dh.public_mpi + mallory.gx_mpi
    encrypted, mac = forge_proof(
        ours_then_theirs=right if values is None else values,
        aes_key=secrets.alice_aes,
        m1=secrets.alice_m1,
        m2=secrets.alice_m2,
        public=public,
        keyid=keyid,
        signature=proof,
        tail=tail,
    )
    return Signature(*HER_TAGS, encrypted, mac)


BOBS = BOB.public.numbers
FORGED_SIGNATURES: dict[str, dict[str, object]] = {
    "r=0 s=0": {"proof": bytes(40)},
    "r=0": {"proof": bytes(20) + b"\1" * 20},
    "s=0": {"proof": b"\1" * 20 + bytes(20)},
    "r=q": {"proof": BOBS.parameter_numbers.q.to_bytes(20, "big") + b"\1" * 20},
    "s=q": {"proof": b"\1" * 20 + BOBS.parameter_numbers.q.to_bytes(20, "big")},
    "r and s at the top": {"proof": b"\xff" * 40},
    "0 bytes": {"proof": b""},
    "39 bytes": {"proof": b"\1" * 39},
    "41 bytes": {"tail": b"\0"},
    "keyid 0": {"keyid": 0},
    "key type 1": {"public": b"\0\1" + BOB.public.encoded[2:]},
    "key type ffff": {"public": b"\xff\xff" + BOB.public.encoded[2:]},
    "no key": {"public": b""},
    "key of another": {"public": recorded_key("alice").public.encoded},
    "half a key": {"public": BOB.public.encoded[:100]},
}


@pytest.mark.hostile("G11", "G13")
@pytest.mark.parametrize("name", FORGED_SIGNATURES)
def test_forged_signature_is_refused_and_a_good_one_still_counts(name: str) -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    forged = signature(mallory, **FORGED_SIGNATURES[name])  # type: ignore[arg-type] # the table mixes types

    refused = pair.alice.receive(text_of(forged), 0)
    taken = pair.alice.receive(text_of(signature(mallory)), 0)

    assert refused == [Unreadable()]
    assert any(isinstance(output, Secured) for output in taken)


@pytest.mark.hostile("G11")
@pytest.mark.parametrize("position", range(20))
def test_signature_is_refused_when_any_byte_of_its_mac_is_wrong(position: int) -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    good = signature(mallory)
    mac = bytearray(good.mac)
    mac[position] ^= 1

    forged = dataclasses.replace(good, mac=bytes(mac))

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


# --- what a proof is about ----------------------------------------------------------


@pytest.mark.hostile("G16")
@pytest.mark.parametrize(
    "misbound",
    ["swapped", "theirs twice", "ours twice", "theirs only", "another g^y", "nothing"],
)
def test_proof_over_other_public_values_is_no_proof(misbound: str) -> None:
    """Identity misbinding: who signs does not choose what is signed."""
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    mine, theirs = mallory.dh.public_mpi, mallory.gx_mpi
    values = {
        "swapped": theirs + mine,
        "theirs twice": theirs + theirs,
        "ours twice": mine + mine,
        "theirs only": theirs,
        "another g^y": encode_mpi(4) + theirs,
        "nothing": b"",
    }[misbound]

    forged = signature(mallory, values=values)

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


@pytest.mark.hostile("G16")
def test_man_in_the_middle_cannot_pass_bobs_proof_on_as_his_own() -> None:
    """Bob's proof holds for Bob's exchange with Mallory, not for Mallory's with Alice.

    With his own key exchanges on both sides, Mallory can read what Bob proves; under
    the first version of the protocol, Bob could be made to talk to a wrong name.
    """
    pair = Pair()
    with_bob = ForgedAlice(pair.bob)  # Mallory answers Bob's commit as "Alice"
    dh = with_bob.dh
    tags = (TAGS["alice"], TAGS["bob"])
    (answer,) = injected(pair.bob.receive(text_of(DhKey(*tags, dh.public)), 0))
    bobs_reveal = message_of(answer)
    assert isinstance(bobs_reveal, RevealSig)
    gx = int.from_bytes(aes_ctr(bobs_reveal.r, with_bob.commit.encrypted_gx)[4:], "big")
    bobs_secrets = derive_secrets(dh.shared_secret(gx))
    bobs_proof = aes_ctr(bobs_secrets.bob_aes, bobs_reveal.encrypted_signature)
    public, signed = bobs_proof[:-44], bobs_proof[-40:]
    assert public == BOB.public.encoded
    with_alice = ForgedBob(pair.alice)
    with_alice.send_commit()

    forged = with_alice.reveal_sig(public=public, signature=signed)

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G16")
@pytest.mark.parametrize("keyid", [2, 255, 2**32 - 1])
def test_keyid_of_a_signature_cannot_be_changed(keyid: int) -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()
    secrets = secrets_of(mallory)
    values = mallory.dh.public_mpi + mallory.gx_mpi
    signed = values + BOB.public.encoded + encode_int(1)
    over_keyid_1 = BOB.sign(hmac_sha256(secrets.alice_m1, signed))

    forged = signature(mallory, keyid=keyid, proof=over_keyid_1)

    assert pair.alice.receive(text_of(forged), 0) == [Unreadable()]


# --- reflection and replay ----------------------------------------------------------


def swapped(text: str) -> str:
    """The same message with sender and receiver exchanged."""
    raw = raw_of(text)
    return armour(raw[:3] + raw[7:11] + raw[3:7] + raw[11:])


@pytest.mark.hostile("G12")
@pytest.mark.parametrize("edit", [str, swapped], ids=["as sent", "tags swapped"])
@pytest.mark.parametrize("encrypted", [False, True], ids=["first", "re-key"])
@pytest.mark.parametrize("n_steps", range(5))
def test_messages_of_ours_sent_back_prove_nothing(
    n_steps: int, encrypted: bool, edit: Callable[[str], str]
) -> None:
    """Whatever Alice and Bob have said so far, each hears all of its own again."""
    pair = encrypted_pair() if encrypted else Pair()
    said: list[tuple[object, str]] = []
    end, texts = pair.bob, injected(pair.bob.receive("?OTRv3?", pair.now))
    for _ in range(n_steps):
        said += [(end, text) for text in texts]
        if not texts:
            break
        end = pair.other(end)
        texts = injected(end.receive(texts[0], pair.now))
    sessions = {name: standing(getattr(pair, name)) for name in ("alice", "bob")}

    outputs: list[Output] = []
    for speaker, text in said:
        for name in ("alice", "bob"):
            if getattr(pair, name) is speaker:
                outputs += getattr(pair, name).receive(edit(text), pair.now)

    assert not any(map(is_effect, outputs))
    assert {name: standing(getattr(pair, name)) for name in sessions} == sessions


@pytest.mark.hostile("G12")
@pytest.mark.parametrize("edit", [str, swapped], ids=["as sent", "tags swapped"])
def test_data_messages_of_ours_sent_back_are_refused(
    edit: Callable[[str], str],
) -> None:
    pair = encrypted_pair()
    (text,) = injected(pair.alice.send("hello", pair.now))
    session = standing(pair.alice)

    outputs = pair.alice.receive(edit(text), pair.now)

    assert not any(map(is_effect, outputs))
    assert standing(pair.alice) == session


@pytest.mark.hostile("G12")
def test_nobody_makes_us_agree_on_keys_with_ourselves() -> None:
    """Somebody with two tags and no key passes our own words from one to the other.

    Neither engine sees its own commit or key: each sees those of the other.
    """
    pair = Pair()
    ours, first, second = TAGS["alice"], 0x1001, 0x1002

    def say(message: Message) -> Message:
        (answer,) = injected(pair.alice.receive(text_of(message), 0))
        return message_of(answer)

    (text,) = injected(pair.alice.receive("?OTRv3?", 0))
    commit = message_of(text)
    assert isinstance(commit, DhCommit)
    drawn = (draw_commit(redrawable(seed)) for seed in itertools.count())
    higher = next(each for each in drawn if each.hashed_gx > commit.hashed_gx)
    say(higher.message(second, ours))

    def passed_on(message: Message, tag: int) -> Message:
        raw = message.encode()
        return decode(raw[:3] + encode_int(tag) + encode_int(ours) + raw[11:])

    key = say(passed_on(commit, second))
    reveal = say(passed_on(key, first))
    proof = passed_on(reveal, second)

    assert isinstance(reveal, RevealSig)
    assert pair.alice.receive(text_of(proof), 0) == [Unreadable()]
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G12")
def test_signature_by_our_own_key_is_refused() -> None:
    forged = ForgedAlice(Pair().alice)
    forged.send_key()
    ours = forged.signature(key=recorded_key("alice"))

    outputs = forged.victim.receive(text_of(ours), 0)

    assert outputs == [Unreadable()]
    assert forged.victim.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G12")
def test_peer_that_is_given_our_own_query_back_makes_no_session_with_us() -> None:
    """A mirror: every word of Alice's comes back to her."""
    pair = Pair()
    queue = injected(pair.alice.ask(0))
    outputs: list[Output] = []

    for _ in range(50):
        if not queue:
            break
        answers = pair.alice.receive(queue.pop(0), 0)
        outputs += answers
        queue += injected(answers)

    assert queue == []
    assert not any(map(is_effect, outputs))
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G13")
@pytest.mark.parametrize("order", list(itertools.permutations(KINDS)), ids="-".join)
def test_old_exchange_played_in_any_order_makes_no_session(
    order: tuple[str, ...],
) -> None:
    old = Pair(alice_seed="old a", bob_seed="old b").handshake()
    pair = encrypted_pair()
    sessions = standing(pair.alice), standing(pair.bob)

    outputs = [
        output
        for kind in order
        for end in (pair.alice, pair.bob)
        for output in end.receive(old[kind], pair.now)
    ]

    assert not any(map(is_effect, outputs))
    assert (standing(pair.alice), standing(pair.bob)) == sessions


@pytest.mark.hostile("G13")
@pytest.mark.parametrize("state", KINDS)
@pytest.mark.parametrize("stray", ["reveal_sig", "sig"])
def test_stray_proof_at_any_moment_leaves_the_good_message_to_count(
    stray: str, state: str
) -> None:
    """libotr copies r out of a Reveal Signature before it looks at its state."""
    strange = Pair(alice_seed="strange a", bob_seed="strange b").handshake()[stray]
    moment = before(state)
    state_before = frozen_exchange(moment.end)

    moment.end.receive(strange, 0)
    moment.end.receive(swapped(strange), 0)

    assert frozen_exchange(moment.end) == state_before
    assert Unreadable() not in moment.end.receive(moment.text, 0)


def frozen_exchange(end: object) -> list[str]:
    """Which states the exchanges are in, by identity."""
    return [
        f"{engine.their_tag} {id(engine._ake.state)}"
        for engine in end._engines  # type: ignore[attr-defined] # an Instances
    ]


# --- both at once -------------------------------------------------------------------

LOW, HIGH = seed_of_commit(b"\0"), seed_of_commit(b"\xff")


@pytest.mark.hostile("G14")
@pytest.mark.parametrize("doubled", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("take", [0, -1], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("first", ["alice", "bob"])
@pytest.mark.parametrize(
    "seeds", [(LOW, HIGH), (HIGH, LOW)], ids=["bob wins", "alice wins"]
)
def test_crossing_start_comes_to_one_session_however_it_is_delivered(
    seeds: tuple[int, int], first: str, take: int, doubled: bool
) -> None:
    pair = Pair(alice_seed=seeds[0], bob_seed=seeds[1])
    copies = 2 if doubled else 1
    queues = {
        end: injected(pair.other(end).receive("?OTRv3?", 0)) * copies
        for end in (pair.alice, pair.bob)
    }
    order = [pair.alice, pair.bob] if first == "alice" else [pair.bob, pair.alice]

    for _ in range(3):
        for _ in range(60):
            for end in order:
                if queues[end]:
                    text = queues[end].pop(take)
                    answers = injected(end.receive(text, pair.now))
                    queues[pair.other(end)] += answers * copies
        pair.now += AKE_TIMEOUT_S
        for end in order:
            queues[pair.other(end)] += injected(end.tick(pair.now))

    assert not any(queues.values())
    assert pair.alice.ssid == pair.bob.ssid is not None


# --- who it is ----------------------------------------------------------------------


@pytest.mark.hostile("G15")
@pytest.mark.parametrize("role", ["begins", "answers"])
def test_other_key_in_a_running_session_is_never_called_a_refresh(role: str) -> None:
    pair = encrypted_pair()
    old_ssid = pair.alice.ssid
    stranger = PrivateKey.generate()
    if role == "begins":
        bob = ForgedBob(pair.alice)
        bob.send_commit()
        text = text_of(bob.reveal_sig(key=stranger))
    else:
        alice = ForgedAlice(pair.alice)
        alice.send_key()
        text = text_of(alice.signature(key=stranger))

    outputs = pair.alice.receive(text, 0)

    (secured,) = told(outputs)
    assert isinstance(secured, Secured)
    assert (secured.fingerprint, secured.refreshed) == (stranger.fingerprint, False)
    assert pair.alice.ssid != old_ssid
    assert pair.alice.their_fingerprint == stranger.fingerprint


@pytest.mark.hostile("G15")
def test_return_of_the_first_key_is_no_refresh_either() -> None:
    pair = encrypted_pair()
    stranger = ForgedBob(pair.alice, seed="one")
    stranger.send_commit()
    pair.alice.receive(text_of(stranger.reveal_sig(key=PrivateKey.generate())), 0)
    again = ForgedBob(pair.alice, seed="two")
    again.send_commit()

    outputs = pair.alice.receive(text_of(again.reveal_sig()), 0)

    (secured,) = told(outputs)
    assert isinstance(secured, Secured)
    assert secured.fingerprint == BOB.fingerprint
    assert not secured.refreshed


@pytest.mark.hostile("G36")
def test_session_ids_differ_when_somebody_sits_between() -> None:
    """Mallory agrees with each of them under his own key exchange."""
    pair = Pair()
    to_alice, to_bob = (
        ForgedBob(pair.alice, seed="m1"),
        ForgedAlice(pair.bob, seed="m2"),
    )
    to_alice.send_commit()
    pair.alice.receive(text_of(to_alice.reveal_sig()), 0)
    tags = (TAGS["alice"], TAGS["bob"])
    (answer,) = injected(pair.bob.receive(text_of(DhKey(*tags, to_bob.dh.public)), 0))
    reveal = message_of(answer)
    assert isinstance(reveal, RevealSig)
    to_bob.gx_mpi = aes_ctr(reveal.r, to_bob.commit.encrypted_gx)
    pair.bob.receive(text_of(signature_from_alice(to_bob)), 0)

    assert pair.alice.message_state is pair.bob.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid != pair.bob.ssid


def signature_from_alice(mallory: ForgedAlice) -> Signature:
    """What Mallory, who stole Alice's key, proves to Bob."""
    alice = recorded_key("alice")
    secrets = secrets_of(mallory)
    encrypted, mac = forge_proof(
        ours_then_theirs=mallory.dh.public_mpi + mallory.gx_mpi,
        aes_key=secrets.alice_aes,
        m1=secrets.alice_m1,
        m2=secrets.alice_m2,
        key=alice,
    )
    return Signature(TAGS["alice"], TAGS["bob"], encrypted, mac)


# --- versions -----------------------------------------------------------------------


@pytest.mark.hostile("G17")
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize(
    "offer",
    [
        "?OTRv2?",
        "?OTRv12?",
        "?OTR?",
        "?OTR?v2?",
        "?OTR?v?",
        "?OTRv2?v3?",
        "?OTRv2? ?OTRv3?",
        f"hi{WHITESPACE_TAG}  \t\t  \t ",
        f"hi{WHITESPACE_TAG} \t \t  \t   \t\t  \t ",
    ],
    ids=ascii,
)
def test_rolled_back_offer_never_begins_an_exchange(
    offer: str, encrypted: bool
) -> None:
    """Of an offer of 2 and 3, somebody on the way has left the 2."""
    pair = encrypted_pair() if encrypted else Pair()
    session = standing(pair.alice)

    outputs = pair.alice.receive(offer, pair.now)

    assert injected(outputs) == []
    assert standing(pair.alice) == session
    assert not pair.alice.is_agreeing


@pytest.mark.hostile("G17")
@pytest.mark.parametrize("kind", KINDS)
def test_exchange_rolled_back_to_version_2_midway_comes_to_nothing(kind: str) -> None:
    moment = before(kind)
    raw = moment.raw

    outputs = moment.receive(b"\0\2" + raw[2:3] + raw[11:])

    assert outputs == [OfferTooOld()]
    assert moment.end.message_state is MessageState.PLAINTEXT


# --- floods -------------------------------------------------------------------------


@pytest.fixture
def keys_made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each Diffie-Hellman key that is made."""
    made: list[int] = []
    real = DhKeyPair.__init__

    def count(key: DhKeyPair, private: bytes | bytearray) -> None:
        made.append(len(private))
        real(key, private)

    monkeypatch.setattr(DhKeyPair, "__init__", count)
    return made


@pytest.mark.hostile("G18", "G32")
@pytest.mark.parametrize("n_senders", [1, 8, 1000])
@pytest.mark.parametrize("encrypted", [False, True])
def test_flood_of_starts_makes_few_keys(
    keys_made: list[int], encrypted: bool, n_senders: int
) -> None:
    pair = encrypted_pair() if encrypted else Pair()
    unlimited(pair.alice)
    keys_made.clear()

    for n in range(1000):
        gx = hashlib.sha256(str(n).encode()).digest()
        commit = DhCommit(0x1000 + n % n_senders, 0, bytes(196), gx)
        pair.alice.receive(text_of(commit), pair.now + n / 1000)
        pair.alice.receive("?OTRv3?", pair.now + n / 1000)

    assert len(keys_made) <= 33
    assert len(list(pair.alice._engines)) <= 9


@pytest.mark.hostile("G18")
def test_flood_keeps_one_exchange_for_each_peer() -> None:
    pair = Pair()

    for n in range(32):
        commit = DhCommit(TAGS["bob"], 0, bytes(196), bytes([n]) * 32)
        pair.alice.receive(text_of(commit), 0)

    assert len(list(pair.alice._engines)) == 1


@pytest.mark.hostile("G18")
def test_clock_that_jumps_back_gives_no_flood_more_room() -> None:
    """`now` is monotonic; but were it not, nobody should gain by it."""
    pair = Pair()
    for n in range(40):
        pair.alice.receive("?OTRv3?", 1000.0 - n)

    answers = [injected(pair.alice.receive("?OTRv3?", 0.0)) for _ in range(10)]

    assert sum(map(len, answers)) == 0


def test_forged_signature_of_this_file_is_taken_when_nothing_is_wrong() -> None:
    pair = Pair()
    mallory = ForgedAlice(pair.alice)
    mallory.send_key()

    outputs = pair.alice.receive(text_of(signature(mallory)), 0)

    assert any(isinstance(output, Secured) for output in outputs)


def test_weak_keys_of_this_file_are_weak() -> None:
    """Each signature verifies by the standard's arithmetic, whatever is signed."""
    parameters = dsa.DSAParameterNumbers(
        WEAK_KEYS["y=1"].p, WEAK_KEYS["y=1"].q, WEAK_KEYS["y=1"].g
    )
    public = dsa.DSAPublicNumbers(1, parameters).public_key()

    signed = [weak.signature(sha256(b"anything")) for weak in WEAK_KEYS.values()]

    assert public.key_size == 1024
    assert [len(each) for each in signed] == [40] * 4
    assert encode_data(b"") == bytes(4)


# --- a session id that somebody would like to choose --------------------------------


@pytest.mark.hostile("G16", "G32")
def test_g_x_that_was_revealed_is_promised_to_nobody_else() -> None:
    alice = Pair().alice
    (text,) = injected(alice.receive("?OTRv3?", 0))
    nobody = DhKeyPair.draw(redrawable("nobody"))
    (answer,) = injected(
        alice.receive(text_of(DhKey(0x1000, TAGS["alice"], nobody.public)), 0)
    )
    first = message_of(answer)
    assert isinstance(first, RevealSig)

    late = DhKeyPair.draw(redrawable("chosen after g^x was known"))
    answers = injected(
        alice.receive(text_of(DhKey(0x2000, TAGS["alice"], late.public)), 60)
    )

    (second,) = map(message_of, answers)
    assert isinstance(second, DhCommit)
    assert (second.sender_tag, second.receiver_tag) == (TAGS["alice"], 0x2000)
    opened = message_of(text)
    assert isinstance(opened, DhCommit)
    assert second.hashed_gx != opened.hashed_gx


@pytest.mark.hostile("G16")
@pytest.mark.parametrize(
    ("second_at", "is_fair"),
    [(0, True), (AKE_TIMEOUT_S, False)],
    ids=["the same commit again", "another commit"],
)
def test_session_id_is_not_fair_when_the_commit_came_after_our_key(
    second_at: float, is_fair: bool
) -> None:
    """Who commits to another g^x after g^y came can have tried many of them."""
    pair = Pair()
    (first,) = injected(pair.bob.receive("?OTRv3?", 0))
    (second,) = injected(pair.bob.receive("?OTRv3?", second_at))
    pair.alice.receive(first, 0)
    (key,) = injected(pair.alice.receive(second, second_at))
    (reveal_sig,) = injected(pair.bob.receive(key, second_at))

    outputs = pair.alice.receive(reveal_sig, second_at)
    (sig,) = injected(outputs)
    bobs = pair.bob.receive(sig, second_at)

    fair = [
        output.ssid_is_fair
        for output in [*outputs, *bobs]
        if isinstance(output, Secured)
    ]
    assert fair == [is_fair, True]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("limit", [0, 1, 37])
def test_limit_without_room_is_refused_when_the_end_is_made(limit: int) -> None:
    """Or a query, which anybody can send, would find out."""
    with pytest.raises(LocalError, match="no room"):
        Pair(max_message_chars=limit)
