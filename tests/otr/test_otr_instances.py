"""Several devices of one contact: whose message, which answer, how many."""

import pytest

from coykiosk.otr import (
    Agreeing,
    EndedByPeer,
    Instances,
    LocalError,
    MessageState,
    PlainReceived,
    PrivateKey,
    Received,
    Secured,
    Unreadable,
    draw_instance_tag,
)
from coykiosk.otr.ake import AKE_EXPIRE_S
from coykiosk.otr.allowance import Allowance
from coykiosk.otr.framing import armour, split
from coykiosk.otr.messages import (
    DataMessage,
    DhCommit,
    DhKey,
    RevealSig,
    Signature,
)
from coykiosk.otr.pool import MAX_SESSIONS, MAX_STRANGERS
from tests.otr.wiring import (
    TAGS,
    Pair,
    injected,
    message_of,
    recorded_key,
    redrawable,
    text_of,
    told,
)

BOB_FP = recorded_key("bob").fingerprint


class Devices:
    """Alice, and as many devices of Bob as a test wants; everybody hears all."""

    def __init__(self, n_devices: int, *, keys: list[PrivateKey] | None = None) -> None:
        self.now = 0.0
        self.alice = Instances(
            recorded_key("alice"), TAGS["alice"], redrawable("alice")
        )
        self.bobs = [
            Instances(
                keys[n] if keys else recorded_key("bob"),
                0x1000 + n,
                redrawable(f"bob {n}"),
            )
            for n in range(n_devices)
        ]

    def broadcast(self, texts: list[str]) -> None:
        """Carry Alice's texts to every device, and the answers back, to rest."""
        while texts:
            answers = [
                answer
                for text in texts
                for bob in self.bobs
                for answer in injected(bob.receive(text, self.now))
            ]
            texts = [
                text
                for answer in answers
                for text in injected(self.alice.receive(answer, self.now))
            ]

    def agree(self, n: int) -> None:
        """An exchange with device `n` alone."""
        texts = injected(self.bobs[n].receive("?OTRv3?", self.now))
        while texts:
            back = [t for x in texts for t in injected(self.alice.receive(x, self.now))]
            texts = [
                t for x in back for t in injected(self.bobs[n].receive(x, self.now))
            ]


# --- tags -------------------------------------------------------------------------


def test_drawn_tag_lies_within_the_bounds_of_all_clients() -> None:
    draws = iter(
        [
            b"\0\0\0\0",
            b"\0\0\0\xff",
            b"\x1f\xff\xff\xff",
            b"\x11\x11\x11\x12",
            b"\xf1\x11\x11\x11",
        ]
    )

    tag = draw_instance_tag(lambda n_bytes: next(draws)[:n_bytes])

    assert tag == 0x11111111


@pytest.mark.parametrize("drawn", [0x100, 0x11111111])
def test_drawn_tag_may_be_either_bound(drawn: int) -> None:
    assert draw_instance_tag(lambda n: drawn.to_bytes(n, "big")) == drawn


@pytest.mark.parametrize("tag", [-1, 0, 0xFF, 2**32])
def test_tag_of_ours_is_refused_when_no_peer_would_take_it(tag: int) -> None:
    with pytest.raises(LocalError):
        Instances(recorded_key("alice"), tag, redrawable(0))


@pytest.mark.hostile("G12", "G31")
@pytest.mark.parametrize(
    ("sender", "receiver", "is_heard"),
    [
        (TAGS["bob"], 0, True),
        (TAGS["bob"], TAGS["alice"], True),
        (0x100, 0, True),
        (0xFFFFFFFF, 0, True),
        (TAGS["bob"], 0x5000, False),
        (TAGS["bob"], 0xFF, False),
        (TAGS["alice"], 0, False),
        (TAGS["alice"], TAGS["alice"], False),
    ],
)
def test_commit_is_heard_when_it_is_for_us(
    sender: int, receiver: int, is_heard: bool
) -> None:
    commit = DhCommit(sender, receiver, bytes(196), bytes(32))

    outputs = Pair().alice.receive(text_of(commit), 0)

    assert bool(outputs) is is_heard


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("sender", [0, 1, 0xFF])
def test_message_of_an_impossible_sender_is_malformed(sender: int) -> None:
    commit = DhCommit(sender, 0, bytes(196), bytes(32))

    assert Pair().alice.receive(text_of(commit), 0) == [Unreadable()]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize("kind", ["key", "reveal_sig", "sig"])
def test_receiver_0_is_allowed_in_a_commit_only(kind: str) -> None:
    pair = Pair()
    texts = injected(pair.bob.receive("?OTRv3?", 0))
    end = pair.alice
    for _ in range(["commit", "key", "reveal_sig", "sig"].index(kind)):
        texts = injected(end.receive(texts[0], 0))
        end = pair.other(end)
    raw = bytearray(message_of(texts[0]).encode())
    raw[7:11] = bytes(4)

    outputs = end.receive(armour(bytes(raw)), 0)

    assert outputs == []
    assert end.message_state is MessageState.PLAINTEXT


# --- several devices --------------------------------------------------------------


def test_one_commit_is_answered_by_every_device() -> None:
    devices = Devices(3)

    devices.broadcast(injected(devices.alice.receive("?OTRv23?", 0)))

    ssids = {bob.ssid for bob in devices.bobs}
    assert len(ssids) == 3
    assert None not in ssids
    assert devices.alice.ssid in ssids


def test_every_device_is_agreed_with_when_we_ask() -> None:
    devices = Devices(3)

    devices.broadcast(injected(devices.alice.ask(0)))

    assert all(bob.message_state is MessageState.ENCRYPTED for bob in devices.bobs)


def test_device_that_answers_late_is_still_taken() -> None:
    devices = Devices(2)
    (commit,) = injected(devices.alice.receive("?OTRv3?", 0))
    devices.bobs[1].receive(commit, 0)
    late = injected(devices.bobs[0].receive(commit, 0))

    devices.now = AKE_EXPIRE_S - 1
    reveal = injected(devices.alice.receive(late[0], devices.now))

    assert isinstance(message_of(reveal[0]), RevealSig)


def test_text_is_read_by_the_device_it_is_for_and_ignored_by_the_others() -> None:
    devices = Devices(2)
    devices.agree(0)
    devices.now = 1.0
    devices.agree(1)
    (text,) = injected(devices.alice.send("hello", 2))

    outputs = [bob.receive(text, 2) for bob in devices.bobs]

    assert outputs == [[], [Received("hello", recorded_key("alice").fingerprint)]]


def test_best_device_is_the_one_heard_last() -> None:
    devices = Devices(2)
    devices.agree(0)
    devices.now = 1.0
    devices.agree(1)
    (text,) = injected(devices.bobs[0].send("I am at my desk again", 2))
    devices.alice.receive(text, 2)

    assert devices.alice.ssid == devices.bobs[0].ssid
    assert devices.alice.their_instance_tag == 0x1000


def test_best_device_is_none_before_anybody_was_met() -> None:
    alice = Pair().alice

    assert alice.message_state is MessageState.PLAINTEXT
    assert alice.their_instance_tag is None


def test_best_device_is_a_trusted_one_whoever_was_heard_last() -> None:
    stranger = PrivateKey.generate()
    devices = Devices(2, keys=[recorded_key("bob"), stranger])
    devices.alice.trust([BOB_FP])
    devices.agree(0)
    devices.now = 1.0

    devices.agree(1)

    assert devices.alice.their_fingerprint == BOB_FP
    (text,) = injected(devices.alice.send("for Bob alone", 2))
    assert devices.bobs[1].receive(text, 2) == []


@pytest.mark.hostile("G15")
def test_stranger_with_another_key_is_reported() -> None:
    stranger = PrivateKey.generate()
    devices = Devices(2, keys=[recorded_key("bob"), stranger])
    devices.agree(0)
    (commit,) = injected(devices.bobs[1].receive("?OTRv3?", 1))
    (key,) = injected(devices.alice.receive(commit, 1))
    (reveal,) = injected(devices.bobs[1].receive(key, 1))

    outputs = devices.alice.receive(reveal, 1)

    (secured,) = told(outputs)
    assert isinstance(secured, Secured)
    assert secured.fingerprint == stranger.fingerprint
    assert not secured.refreshed
    assert devices.alice.their_fingerprint == stranger.fingerprint


def test_end_of_one_device_leaves_the_other() -> None:
    devices = Devices(2)
    devices.agree(0)
    devices.agree(1)
    (farewell,) = injected(devices.bobs[1].end(1))

    outputs = devices.alice.receive(farewell, 1)

    assert outputs == [EndedByPeer()]
    assert devices.alice.message_state is MessageState.ENCRYPTED
    assert devices.alice.ssid == devices.bobs[0].ssid


def test_end_says_good_bye_to_every_device() -> None:
    devices = Devices(3)
    for n in range(3):
        devices.agree(n)

    farewells = injected(devices.alice.end(1))

    heard = [bob.receive(text, 1) for bob in devices.bobs for text in farewells]
    assert len(farewells) == 3
    assert sum(outputs == [EndedByPeer()] for outputs in heard) == 3


def test_finished_is_shown_before_plaintext() -> None:
    devices = Devices(2)
    devices.agree(0)
    devices.alice.receive(injected(devices.bobs[0].end(1))[0], 1)

    devices.alice.receive(injected(devices.bobs[1].receive("?OTRv3?", 2))[0], 2)

    assert devices.alice.message_state is MessageState.FINISHED


# --- strangers --------------------------------------------------------------------


@pytest.mark.hostile("G13", "G32")
@pytest.mark.parametrize(
    "message",
    [
        DhKey(0x4242, TAGS["alice"], 5),
        RevealSig(0x4242, TAGS["alice"], bytes(16), b"x", bytes(20)),
        Signature(0x4242, TAGS["alice"], b"x", bytes(20)),
    ],
    ids=["key", "reveal_sig", "sig"],
)
def test_unknown_instance_is_not_met_through_a_message_nobody_asked_for(
    message: DhKey | RevealSig | Signature,
) -> None:
    alice = Pair().alice

    outputs = alice.receive(text_of(message), 0)

    assert outputs == []
    assert list(alice._engines) == []


@pytest.mark.hostile("G32")
def test_data_of_an_unknown_instance_makes_no_engine() -> None:
    pair = Pair()
    pair.agree()
    (text,) = injected(pair.bob.send("x", 0))
    assert isinstance(message_of(text), DataMessage)
    stranger = Instances(recorded_key("alice"), TAGS["alice"], redrawable(9))

    outputs = stranger.receive(text, 0)

    assert outputs == [Unreadable()]
    assert list(stranger._engines) == []


@pytest.mark.hostile("G32")
def test_strangers_push_out_the_oldest_stranger() -> None:
    alice = Pair().alice

    for n in range(MAX_STRANGERS + 3):
        alice.receive(text_of(DhCommit(0x1000 + n, 0, bytes(196), bytes(32))), n)

    assert len(list(alice._engines)) == MAX_STRANGERS
    assert alice._engines.get(0x1002) is None
    assert alice._engines.get(0x1003) is not None


@pytest.mark.hostile("G32")
def test_finished_session_outlives_strangers() -> None:
    pair = Pair()
    pair.agree()
    pair.carry(pair.bob, pair.bob.end(0))

    for n in range(MAX_STRANGERS * 2):
        commit = DhCommit(0x1000 + n, 0, bytes(196), bytes(32))
        pair.alice.receive(text_of(commit), 10.0 * n)

    assert pair.alice.message_state is MessageState.FINISHED


@pytest.mark.hostile("G32")
def test_one_session_too_many_replaces_the_quietest() -> None:
    devices = Devices(MAX_SESSIONS + 1)
    for n in range(MAX_SESSIONS + 1):
        devices.now = n * 60.0
        devices.agree(n)

    texts = [injected(bob.send("x", devices.now))[0] for bob in devices.bobs]
    outputs = [devices.alice.receive(text, devices.now) for text in texts]

    assert told(outputs[0]) == [Unreadable()]
    assert all(isinstance(output[0], Received) for output in outputs[1:])


def test_newest_session_is_kept_even_when_it_is_the_least() -> None:
    stranger = PrivateKey.generate()
    keys = [recorded_key("bob")] * MAX_SESSIONS + [stranger]
    devices = Devices(MAX_SESSIONS + 1, keys=keys)
    devices.alice.trust([BOB_FP])
    for n in range(MAX_SESSIONS + 1):
        devices.now = n * 60.0
        devices.agree(n)

    (text,) = injected(devices.bobs[-1].send("x", devices.now))

    assert devices.alice.receive(text, devices.now) == [
        Received("x", stranger.fingerprint)
    ]


# --- fragments --------------------------------------------------------------------


def fragments_of_commit(
    sender: int, receiver: int, *, max_chars: int = 140
) -> list[str]:
    text = text_of(DhCommit(sender, 0, bytes(196), bytes(32)))
    return split(text, sender_tag=sender, receiver_tag=receiver, max_chars=max_chars)


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    ("sender", "receiver", "is_heard"),
    [
        (0x1000, TAGS["alice"], True),
        (0x1000, 0, True),
        (0x1000, 0x5000, False),
        (0x1000, 0xFF, False),
        (TAGS["alice"], TAGS["alice"], False),
    ],
)
def test_fragments_are_joined_when_they_are_for_us(
    sender: int, receiver: int, is_heard: bool
) -> None:
    alice = Pair().alice

    outputs = [
        alice.receive(piece, 0) for piece in fragments_of_commit(sender, receiver)
    ]

    assert bool(outputs[-1]) is is_heard
    assert not any(outputs[:-1])


@pytest.mark.hostile("G31")
def test_fragments_of_an_impossible_sender_are_malformed() -> None:
    alice = Pair().alice

    outputs = alice.receive(fragments_of_commit(0xFF, 0)[0], 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G31", "G32")
def test_fragments_make_no_engine_before_they_are_whole() -> None:
    alice = Pair().alice

    for n in range(1000):
        alice.receive(fragments_of_commit(0x1000 + n, 0)[0], 0)

    assert list(alice._engines) == []
    assert len(alice._reception._gate._fragments._buffers) == 16


@pytest.mark.hostile("G31")
def test_fragment_inside_a_fragment_is_refused() -> None:
    alice = Pair().alice
    inner = fragments_of_commit(0x1000, 0)[0]

    outputs = alice.receive(f"?OTR|00001000|00000000,00001,00001,{inner},", 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    ("between", "is_joined"),
    [
        ("hello", False),
        ("?OTRv2?", False),
        ("?OTR Error: x", False),
        (text_of(DhCommit(0x1000, 0, bytes(196), bytes(32))), False),
        (text_of(DhCommit(0x2000, 0, bytes(196), bytes(32))), True),
        ("?OTR|1000|0,0,0,x,", True),
    ],
    ids=["text", "query", "error", "same sender", "other sender", "bad fragment"],
)
def test_fragments_are_forgotten_when_something_whole_comes_between(
    between: str, is_joined: bool
) -> None:
    alice = Pair().alice
    pieces = fragments_of_commit(0x1000, 0)
    for piece in pieces[:-1]:
        alice.receive(piece, 0)

    alice.receive(between, 0)

    assert bool(alice.receive(pieces[-1], 0)) is is_joined


def test_query_in_fragments_of_version_2_is_read() -> None:
    """libotr cuts its queries so while no version is agreed."""
    alice = Pair().alice
    alice.receive("?OTR,00001,00002,?OTRv23?\n<b>bob</b> has, well, asked ,", 0)

    outputs = alice.receive("?OTR,00002,00002,for a private conversation,", 0)

    assert told(outputs) == [Agreeing()]


def test_clear_text_in_fragments_of_version_2_is_handed_out() -> None:
    alice = Pair().alice
    alice.receive("?OTR,1,2,hello, ,", 0)

    assert alice.receive("?OTR,2,2,you,", 0) == [PlainReceived("hello, you")]


# --- allowance --------------------------------------------------------------------


def test_allowance_is_used_up_and_comes_back() -> None:
    allowance = Allowance(2, 0.5)

    taken = [allowance.take(now) for now in (0, 0, 0, 1, 2, 3, 4, 1000, 1000, 1000)]

    assert taken == [True, True, False, False, True, False, True, True, True, False]
