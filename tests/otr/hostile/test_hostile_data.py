"""A peer who has the keys and abuses them; and somebody on the way who has not."""

import dataclasses
from collections.abc import Callable

import pytest

from coykiosk.otr import (
    EndedByPeer,
    ExtraKey,
    Inject,
    Instances,
    LocalError,
    MessageState,
    Output,
    PlainReceived,
    PrivateKey,
    Received,
    SmpEnded,
    SmpOutcome,
)
from coykiosk.otr.framing import WHITESPACE_TAG
from coykiosk.otr.messages import DataHead, DataMessage
from coykiosk.otr.pool import MAX_SESSIONS
from coykiosk.otr.primitives import DhKeyPair, P, aes_ctr, hmac_sha1
from coykiosk.otr.ratchet import PairKeys, Ratchet, derive_pair
from coykiosk.otr.wire import Tlv, encode_int
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.forging_smp import ABORT, EXTRA_KEY, Mallory, agreed, record
from tests.otr.hostile.watching import REFUSED, is_effect, standing
from tests.otr.wiring import (
    TAGS,
    Pair,
    injected,
    message_of,
    ratchet_of,
    recorded_key,
    redrawable,
    text_of,
    told,
)

BOB_FP = recorded_key("bob").fingerprint


def head_of(text: str) -> DataHead:
    message = message_of(text)
    assert isinstance(message, DataMessage)
    return message.head


def keys_of(mallory: Mallory) -> PairKeys:
    ratchet = mallory.ratchet
    return ratchet._pair(ratchet._our_keyid - 1, ratchet._their_keyid)


def signed(mallory: Mallory, head: DataHead) -> str:
    """This head with a MAC that is right for the keys now in use."""
    raw = head.encode()
    mac = hmac_sha1(keys_of(mallory).send_mac, raw)
    return text_of(DataMessage(head, raw, mac, b""))


def exchange_texts(pair: Pair, n_rounds: int) -> None:
    for _ in range(n_rounds):
        pair.carry(pair.alice, pair.alice.send("x", pair.now))
        pair.carry(pair.bob, pair.bob.send("y", pair.now))


# --- replay and counters ------------------------------------------------------------


@pytest.mark.hostile("G19")
@pytest.mark.parametrize("n_rounds", [0, 1, 2, 5])
def test_no_message_of_a_whole_session_is_ever_read_again(n_rounds: int) -> None:
    pair = Pair()
    pair.agree()
    recorded: list[str] = []
    for _ in range(n_rounds + 1):
        for end in (pair.alice, pair.bob):
            (text,) = injected(end.send("once", 0))
            recorded.append(text)
            pair.other(end).receive(text, 0)
    sessions = standing(pair.alice), standing(pair.bob)

    outputs = [
        output
        for text in (*recorded, *reversed(recorded))
        for end in (pair.alice, pair.bob)
        for output in end.receive(text, 0)
    ]

    assert not any(map(is_effect, outputs))
    assert (standing(pair.alice), standing(pair.bob)) == sessions


@pytest.mark.hostile("G19")
@pytest.mark.parametrize("counter", [0, 1, 4, 5], ids=["0", "first", "lower", "equal"])
def test_counter_that_does_not_grow_moves_nothing(counter: int) -> None:
    mallory = agreed()
    for _ in range(4):
        mallory.say(text=b"x")
    last = mallory.sealed(text=b"x")
    mallory.alice.receive(last, 0)
    session = standing(mallory.alice)
    head = dataclasses.replace(head_of(last), counter=counter, encrypted=b"another")

    outputs = mallory.alice.receive(signed(mallory, head), 0)

    assert outputs == REFUSED
    assert standing(mallory.alice) == session


@pytest.mark.hostile("G19")
def test_counter_at_its_end_closes_the_pair_and_not_the_session() -> None:
    mallory = agreed()
    last = dataclasses.replace(head_of(mallory.sealed(text=b"x")), counter=2**64 - 1)
    assert any(map(is_effect, mallory.alice.receive(signed(mallory, last), 0)))
    refused = mallory.say(text=b"under the same pair")
    mallory.hear(mallory.alice.send("an answer, and new keys", 0))

    taken = mallory.say(text=b"under the next")

    assert refused == REFUSED
    assert [type(output) for output in taken] == [Received]


@pytest.mark.hostile("G19", "G20")
def test_reordered_messages_are_read_in_order_or_not_at_all() -> None:
    pair = Pair()
    pair.agree()
    texts = [injected(pair.alice.send(f"{n}", 0))[0] for n in range(6)]

    outputs = [
        output
        for n in (1, 0, 3, 2, 5, 4)
        for output in told(pair.bob.receive(texts[n], 0))
    ]

    read = [output.text for output in outputs if isinstance(output, Received)]
    assert read == ["1", "3", "5"]


# --- keyids -------------------------------------------------------------------------


@pytest.mark.hostile("G20")
@pytest.mark.parametrize("n_rounds", [0, 1, 3])
@pytest.mark.parametrize("sender", [-2, -1, 0, 1, 2, "zero", "top"])
@pytest.mark.parametrize("recipient", [-2, -1, 0, 1, 2, "zero", "top"])
def test_only_pairs_that_are_held_open_anything(
    sender: int | str, recipient: int | str, n_rounds: int
) -> None:
    """Counted from the newest keys that Alice knows of; the MAC is of the right pair."""
    mallory = agreed()
    exchange_texts(mallory.pair, n_rounds)
    alices = ratchet_of(mallory.alice, TAGS["bob"])
    named = {"zero": 0, "top": 2**32 - 1}
    skid = named[sender] if isinstance(sender, str) else alices._their_keyid + sender
    rkid = (
        named[recipient]
        if isinstance(recipient, str)
        else alices._our_keyid + recipient
    )
    session = standing(mallory.alice)
    head = dataclasses.replace(
        head_of(mallory.sealed(text=b"x")),
        sender_keyid=max(skid, 0),
        recipient_keyid=max(rkid, 0),
        counter=10**6,
    )

    bobs = mallory.ratchet
    is_right_pair = (skid, rkid) == (bobs._our_keyid - 1, bobs._their_keyid)

    outputs = mallory.alice.receive(signed(mallory, head), 0)

    assert any(map(is_effect, outputs)) is is_right_pair
    assert (standing(mallory.alice) == session) is not is_right_pair


@pytest.mark.hostile("G20")
def test_pair_with_a_previous_key_that_never_was_is_refused() -> None:
    mallory = agreed()
    head = dataclasses.replace(head_of(mallory.sealed(text=b"x")), sender_keyid=0)

    assert mallory.alice.receive(signed(mallory, head), 0) == REFUSED


# --- forgery ------------------------------------------------------------------------


@pytest.mark.hostile("G21")
@pytest.mark.parametrize("bit", range(160))
def test_message_is_refused_when_any_bit_of_its_mac_is_wrong(bit: int) -> None:
    mallory = agreed()
    message = message_of(mallory.sealed(text=b"x"))
    assert isinstance(message, DataMessage)
    mac = (int.from_bytes(message.mac, "big") ^ 1 << bit).to_bytes(20, "big")
    session = standing(mallory.alice)

    outputs = mallory.alice.receive(text_of(dataclasses.replace(message, mac=mac)), 0)

    assert outputs == REFUSED
    assert standing(mallory.alice) == session


@pytest.mark.hostile("G22")
def test_nothing_published_ever_opens_a_door() -> None:
    """Every published MAC key is tried on every message that was ever seen."""
    pair = Pair()
    pair.agree()
    published: set[bytes] = set()
    heads: list[DataHead] = []
    for n in range(6):
        if n == 4:
            pair.agree()  # what the first session leaves is published in the second
        for end in (pair.alice, pair.bob):
            (text,) = injected(end.send("x", 0))
            message = message_of(text)
            assert isinstance(message, DataMessage)
            old = message.old_mac_keys
            published |= {old[at : at + 20] for at in range(0, len(old), 20)}
            heads.append(message.head)
            pair.other(end).receive(text, 0)
    sessions = standing(pair.alice), standing(pair.bob)

    effects = []
    for head in heads:
        for key in published:
            raw = dataclasses.replace(head, counter=10**6).encode()
            forged = text_of(
                DataMessage(
                    dataclasses.replace(head, counter=10**6),
                    raw,
                    hmac_sha1(key, raw),
                    b"",
                )
            )
            for end in (pair.alice, pair.bob):
                effects += [each for each in end.receive(forged, 0) if is_effect(each)]

    assert len(published) >= 8
    assert effects == []
    assert (standing(pair.alice), standing(pair.bob)) == sessions


@pytest.mark.hostile("G23")
@pytest.mark.parametrize("state", ["plaintext", "encrypted", "finished"])
@pytest.mark.parametrize("flags", [0x01, 0x03, 0xFF])
def test_flag_that_asks_for_silence_gets_silence_and_nothing_more(
    flags: int, state: str
) -> None:
    mallory = agreed()
    head = dataclasses.replace(head_of(mallory.sealed(text=b"x")), flags=flags)
    if state == "finished":
        mallory.say(Tlv(1, b""))
    if state == "plaintext":
        mallory.alice.end(0)
    session = standing(mallory.alice)

    outputs = mallory.alice.receive(
        text_of(DataMessage(head, head.encode(), bytes(20), b"")), 0
    )

    assert outputs == []
    assert standing(mallory.alice) == session
    assert mallory.alice.message_state.value == state


@pytest.mark.hostile("G23")
def test_flag_on_a_genuine_text_hides_nothing() -> None:
    mallory = agreed()

    outputs = mallory.alice.receive(mallory.sealed(text=b"seen", flags=1), 0)

    assert outputs == [Received("seen", BOB_FP)]


# --- next keys ----------------------------------------------------------------------


@pytest.mark.hostile("G24")
@pytest.mark.parametrize(
    "next_y", [0, 1, P - 1, P, P + 1, 2 * P, 2**2048], ids=lambda y: f"{y:x}"[:6]
)
def test_next_key_out_of_the_group_moves_nothing_and_the_session_goes_on(
    next_y: int,
) -> None:
    mallory = agreed()
    head = dataclasses.replace(head_of(mallory.sealed(text=b"x")), next_y=next_y)
    session = standing(mallory.alice)

    refused = mallory.alice.receive(signed(mallory, head), 0)
    moved = standing(mallory.alice) != session
    taken = mallory.say(text=b"good")

    assert refused == REFUSED
    assert not moved
    assert taken == [Received("good", BOB_FP)]


@pytest.mark.hostile("G24")
@pytest.mark.parametrize("n_rounds", [0, 3])
def test_next_key_that_is_ours_is_refused_when_it_would_be_used(n_rounds: int) -> None:
    mallory = agreed()
    exchange_texts(mallory.pair, n_rounds)
    mallory.hear(mallory.alice.send("an answer, so that keys rotate", 0))
    alices = ratchet_of(mallory.alice, TAGS["bob"])
    head = head_of(mallory.sealed(text=b"x"))

    outputs = [
        mallory.alice.receive(
            signed(mallory, dataclasses.replace(head, next_y=key.public)), 0
        )
        for key in (alices._our_current, alices._our_previous)
    ]

    assert outputs == [REFUSED, REFUSED]


# --- clear text ---------------------------------------------------------------------


@pytest.mark.hostile("G25")
@pytest.mark.parametrize("state", ["encrypted", "finished"])
@pytest.mark.parametrize(
    "text",
    [
        "hello",
        f"hello{WHITESPACE_TAG}  \t\t  \t\t",
        "?OTR",
        "Received('x')",
        "?OTRv and words",
    ],
    ids=["plain", "tagged", "mark", "look-alike", "half a query"],
)
def test_clear_text_is_never_of_the_kind_that_encrypted_text_is(
    text: str, state: str
) -> None:
    mallory = agreed()
    if state == "finished":
        mallory.say(Tlv(1, b""))

    outputs = mallory.alice.receive(text, 0)

    assert not any(isinstance(output, Received) for output in outputs)
    assert len([each for each in outputs if isinstance(each, PlainReceived)]) == 1


# --- what a person types ------------------------------------------------------------


@pytest.mark.hostile("G26", "G7")
@pytest.mark.parametrize(
    "records",
    [
        Tlv(1, b""),
        Tlv(ABORT, b""),
        Tlv(EXTRA_KEY, b"\0\0\0\1"),
        record(1, [2, 3, 4, 5, 6, 7]),
        record(1, [2, 3, 4, 5, 6, 7], question=b"who?"),
    ],
    ids=["farewell", "abort", "extra key", "SMP", "question"],
)
def test_typed_nul_injects_no_record(records: Tlv) -> None:
    pair = Pair()
    pair.agree()
    typed = "hi\0" + records.encode().decode("latin-1")

    pair.carry(pair.alice, pair.alice.send(typed, 0))

    assert pair.told[pair.bob] == [
        Received(typed.replace("\0", ""), recorded_key("alice").fingerprint)
    ]
    assert pair.bob.message_state is MessageState.ENCRYPTED


@pytest.mark.hostile("G26")
@pytest.mark.parametrize(
    "text",
    [
        "?OTRv3?",
        "?OTR?",
        "?OTRv2?",
        "?OTR:AAMDAAAA.",
        "?OTR|00000100|00000200,00001,00001,x,",
        "?OTR,1,1,x,",
        "?OTR Error: x",
        f"x{WHITESPACE_TAG}  \t\t  \t\t",
        f"{WHITESPACE_TAG} \t \t  \t ",
    ],
    ids=ascii,
)
def test_protocol_words_go_out_and_come_in_as_text(text: str) -> None:
    """libotr turns a typed query into a query, even within a session."""
    pair = Pair()
    pair.agree()

    sent = pair.alice.send(text, 0)
    outputs = pair.bob.receive(injected(sent)[0], 0)

    assert all(carried.startswith("?OTR:AAMD") for carried in injected(sent))
    assert [each.text for each in outputs if isinstance(each, Received)] == [text]
    assert injected(outputs) == []


# --- the end ------------------------------------------------------------------------


@pytest.mark.hostile("G27")
@pytest.mark.parametrize("text", ["secret", "", "?OTRv3?", "\0", "?OTR Error: x"])
@pytest.mark.parametrize("end_by", ["peer", "us", "lost peer"])
def test_nothing_can_be_sent_after_the_end(text: str, end_by: str) -> None:
    pair = Pair()
    pair.agree()
    if end_by == "peer":
        pair.carry(pair.bob, pair.bob.end(0))
    if end_by == "us":
        pair.alice.end(0)
    if end_by == "lost peer":
        pair.alice = Instances(recorded_key("alice"), TAGS["alice"], redrawable("new"))

    with pytest.raises(LocalError):
        pair.alice.send(text, 0)


OPERATIONS: dict[str, Callable[[Instances], object]] = {
    "smp": lambda end: end.smp_start("secret", 0),
    "answer": lambda end: end.smp_answer("secret", 0),
    "extra key": lambda end: end.use_extra_key(1, 0),
    "to key": lambda end: end.send("secret", 0, fingerprint=BOB_FP),
}


@pytest.mark.hostile("G27", "G41")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_other_operation_leaks_out_of_a_finished_session(operation: str) -> None:
    mallory = agreed()
    mallory.say(Tlv(1, b""))
    alice = mallory.alice

    with pytest.raises(LocalError):
        OPERATIONS[operation](alice)

    assert alice.message_state is MessageState.FINISHED


@pytest.mark.hostile("G27")
def test_timers_of_a_finished_session_send_nothing() -> None:
    mallory = agreed()
    mallory.say(Tlv(1, b""))

    outputs = [
        output
        for at in (1, 59, 61, 121, 10_000)
        for output in mallory.alice.tick(float(at))
    ]

    assert outputs == []


# --- to whom ------------------------------------------------------------------------


@pytest.mark.hostile("G28", "G15")
def test_text_for_one_key_is_not_sent_to_another() -> None:
    """The key changes between the decision to send and the sending."""
    pair = Pair()
    pair.agree()
    stranger = PrivateKey.generate()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    pair.alice.receive(text_of(mallory.reveal_sig(key=stranger)), 0)

    with pytest.raises(LocalError):
        pair.alice.send("for Bob only", 0, fingerprint=BOB_FP)

    assert pair.alice.their_fingerprint == stranger.fingerprint


@pytest.mark.hostile("G28", "G38")
@pytest.mark.parametrize(
    "fingerprint",
    [
        b"",
        BOB_FP[:4],
        BOB_FP[:19],
        BOB_FP + b"\0",
        BOB_FP[:19] + bytes([BOB_FP[19] ^ 1]),
        bytes([BOB_FP[0] ^ 1]) + BOB_FP[1:],
        BOB_FP[::-1],
        BOB_FP.hex().encode(),
        bytes(20),
    ],
    ids=["none", "4", "19", "21", "last", "first", "reversed", "hex", "zeros"],
)
def test_fingerprint_is_compared_whole(fingerprint: bytes) -> None:
    pair = Pair()
    pair.agree()

    with pytest.raises(LocalError):
        pair.alice.send("for one key only", 0, fingerprint=fingerprint)


@pytest.mark.hostile("G28")
@pytest.mark.parametrize("event", ["error", "re-key", "new key", "restart"])
def test_engine_keeps_no_text_to_send_again(event: str) -> None:
    """Who answers a forged error with a new exchange must not hand out old texts."""
    pair = Pair()
    pair.agree()
    lost = pair.alice.send("once and never again", 0)
    outputs: list[Output] = list(pair.alice.receive("?OTR Error: resend", 0))
    if event == "re-key":
        pair.carry(pair.bob, pair.bob.ask(1))
    if event == "new key":
        stranger = ForgedBob(pair.alice)
        stranger.send_commit()
        proof = stranger.reveal_sig(key=PrivateKey.generate())
        outputs += pair.alice.receive(text_of(proof), 1)
    if event == "restart":
        pair.bob = Instances(recorded_key("bob"), TAGS["bob"], redrawable("again"))
        pair.told[pair.bob] = []
        pair.carry(pair.bob, pair.bob.ask(1))

    outputs += pair.alice.tick(1000)

    assert len(injected(lost)) == 1
    assert [text for text in injected(outputs) if text.startswith("?OTR:AAMD")] == []
    assert not any(isinstance(each, Received) for each in pair.told[pair.bob])


@pytest.mark.hostile("G29")
@pytest.mark.parametrize("state", ["plaintext", "encrypted", "finished"])
@pytest.mark.parametrize(
    "line",
    [
        "?OTR Error:",
        "?OTR Error: type ?OTRv3? to continue",
        "?OTR Error:?OTR:AAMD.",
        "?OTR Error: %s%n<b>x</b>\u202e",
        "?OTR Error: " + "x" * 100_000,
        "  ?OTR Error: blanks before",
    ],
    ids=["empty", "query inside", "message inside", "nasty", "long", "blanks"],
)
def test_error_line_moves_nothing_and_draws_no_answer(line: str, state: str) -> None:
    mallory = agreed()
    if state == "finished":
        mallory.say(Tlv(1, b""))
    if state == "plaintext":
        mallory.alice.end(0)
    session = standing(mallory.alice)

    outputs = mallory.alice.receive(line, 0)

    assert [type(output).__name__ for output in outputs] == ["ErrorLine"]
    assert standing(mallory.alice) == session


@pytest.mark.hostile("G29")
def test_two_ends_that_read_each_other_wrong_come_to_rest() -> None:
    pair = Pair()
    pair.agree()
    garbage = "?OTR:AAMDgarbage."

    pair.carry(pair.bob, [Inject(garbage)] * 30)
    pair.carry(pair.alice, [Inject(garbage)] * 30)

    assert pair.alice.message_state is pair.bob.message_state is MessageState.ENCRYPTED


# --- records ------------------------------------------------------------------------


@pytest.mark.hostile("G30")
@pytest.mark.parametrize(
    ("records", "kinds"),
    [
        (Tlv(0, bytes(65535)).encode(), []),
        (Tlv(0x4242, bytes(65535)).encode(), []),
        (Tlv(0, b"").encode() * 10_000, []),
        (b"".join(Tlv(n, b"").encode() for n in range(9, 2000)), []),
        (b"\0\1", []),
        (b"\0\1\0", []),
        (b"\0\1\0\5abcd", []),
        (b"\0\1\xff\xff", []),
        (b"\0\2\xff\xff" + bytes(100), []),
        (Tlv(1, bytes(65535)).encode(), [EndedByPeer]),
        (Tlv(1, b"").encode() * 100, [EndedByPeer]),
        (Tlv(1, b"").encode() + Tlv(ABORT, b"").encode(), [EndedByPeer]),
        (Tlv(0xFFFF, b"x").encode() + Tlv(1, b"").encode(), [EndedByPeer]),
        (Tlv(EXTRA_KEY, b"").encode(), []),
        (Tlv(EXTRA_KEY, b"\0\0\0").encode(), []),
    ],
    ids=[
        "padding of 64 kB",
        "unknown of 64 kB",
        "10000 paddings",
        "every unknown type",
        "type only",
        "half a length",
        "one byte short",
        "64 kB declared",
        "SMP of 64 kB declared",
        "farewell of 64 kB",
        "100 farewells",
        "farewell and abort",
        "unknown and farewell",
        "extra key of nothing",
        "extra key of 3 bytes",
    ],
)
def test_records_of_any_shape_are_read_or_left(
    records: bytes, kinds: list[type[Output]]
) -> None:
    mallory = agreed()
    text = text_of(
        mallory.ratchet.seal(
            b"\0" + records,
            flags=1,
            sender_tag=TAGS["bob"],
            receiver_tag=TAGS["alice"],
        )
    )

    outputs = mallory.alice.receive(text, 0)

    assert [type(output) for output in outputs] == kinds


@pytest.mark.hostile("G30", "G40")
def test_nothing_behind_a_farewell_is_looked_at() -> None:
    mallory = agreed()
    first = mallory.message_1()

    outputs = mallory.say(
        Tlv(1, b""), record(1, first), Tlv(EXTRA_KEY, b"\0\0\0\1key"), text=b"bye"
    )

    assert outputs == [Received("bye", BOB_FP), EndedByPeer()]
    assert mallory.alice.message_state is MessageState.FINISHED


@pytest.mark.hostile("G30")
def test_records_before_a_farewell_count_and_leave_nothing_open() -> None:
    mallory = agreed()

    outputs = mallory.say(record(1, mallory.message_1()), Tlv(1, b""))

    names = [type(output).__name__ for output in outputs]
    assert names == ["SmpAsked", "SmpEnded", "EndedByPeer"]
    with pytest.raises(LocalError):
        mallory.alice.smp_answer("secret", 0)


@pytest.mark.hostile("G30")
def test_first_extra_key_of_a_message_counts_and_no_other() -> None:
    mallory = agreed()
    expected = mallory.ratchet.extra_key

    outputs = mallory.say(*(Tlv(EXTRA_KEY, encode_int(n) + b"x") for n in range(8000)))

    assert outputs == [ExtraKey(expected, 0, b"x", BOB_FP)]


@pytest.mark.hostile("G30", "G33")
@pytest.mark.parametrize("kind", [2, 3, 4, 5, 7])
def test_message_with_many_records_draws_one_answer(kind: int) -> None:
    mallory = agreed()

    outputs = mallory.say(*[Tlv(kind, b"")] * 10_000)

    assert len(injected(outputs)) == 1


@pytest.mark.hostile("G20")
def test_next_key_of_three_turns_ago_is_refused() -> None:
    """It would bring back a pair whose MAC keys are public, with counters from 1."""
    mallory = agreed()
    three = [DhKeyPair.draw(redrawable(n)) for n in range(3)]

    texts = [say_under_next_key(mallory, n, three[n % 3].copy()) for n in range(4)]

    assert texts == ["0", "1", "2", None]


@pytest.mark.hostile("G20")
def test_peer_who_never_uses_our_new_key_gets_three_turns() -> None:
    mallory = agreed()

    texts = [
        say_under_next_key(mallory, n, DhKeyPair.draw(redrawable(n))) for n in range(5)
    ]

    assert texts == ["0", "1", "2", None, None]


def say_under_next_key(mallory: Mallory, n: int, key: DhKeyPair) -> str | None:
    """Send a text that announces `key`; returns what Alice read."""
    ratchet = mallory.ratchet
    if n:
        ratchet._our_previous = ratchet._our_current
    ratchet._our_current = key
    ratchet._our_keyid = n + 2
    ratchet._pairs = {ids: keys for ids, keys in ratchet._pairs.items() if not n}
    outputs = mallory.say(text=str(n).encode())
    texts = [output.text for output in outputs if isinstance(output, Received)]
    return texts[0] if texts else None


# --- wiping -------------------------------------------------------------------------


@pytest.mark.hostile("G40")
@pytest.mark.parametrize("how", ["we end", "they end", "new keys", "pushed out"])
def test_keys_of_a_session_are_overwritten_when_it_is_over(how: str) -> None:
    mallory = agreed()
    exchange_texts(mallory.pair, 2)
    alice = mallory.alice
    ratchet = ratchet_of(alice, TAGS["bob"])
    keys = secret_buffers(ratchet)
    assert all(any(key) for key in keys)

    if how == "we end":
        alice.end(0)
    if how == "they end":
        mallory.say(Tlv(1, b""))
    if how == "new keys":
        mallory.pair.agree()
    if how == "pushed out":
        push_out_by_others(alice)

    assert not any(any(key) for key in keys)


@pytest.mark.hostile("G32", "G41")
def test_session_that_is_pushed_out_is_told_and_its_comparison_ended() -> None:
    mallory = agreed()
    alice = mallory.alice
    mallory.pair.carry(alice, alice.smp_start("secret", 0))

    outputs = push_out_by_others(alice)

    ended = [output for output in outputs if isinstance(output, SmpEnded)]
    assert [each.outcome for each in ended] == [SmpOutcome.ABORTED]
    told = [each for each in outputs if isinstance(each, Inject)]
    (farewell,) = [each for each in told if each.instance_tag == TAGS["bob"]]
    mallory.pair.bob.receive(farewell.text, 0)
    assert mallory.pair.bob.message_state is MessageState.FINISHED


def push_out_by_others(alice: Instances) -> list[Output]:
    """Let as many other devices agree with Alice as she keeps; returns her outputs."""
    outputs: list[Output] = []
    for n in range(MAX_SESSIONS):
        device = Instances(recorded_key("bob"), 0x2000 + n, redrawable(n))
        to_alice = injected(device.ask(1))
        while to_alice:
            answers = alice.receive(to_alice.pop(0), 1 + n)
            outputs += answers
            for text in injected(answers):
                to_alice += injected(device.receive(text, 1 + n))
    return outputs


def secret_buffers(ratchet: Ratchet) -> list[bytearray]:
    keys = [
        key
        for pair_keys in ratchet._pairs.values()
        for key in (
            pair_keys.send_aes,
            pair_keys.send_mac,
            pair_keys.receive_aes,
            pair_keys.receive_mac,
            pair_keys.extra,
        )
    ]
    both = (ratchet._our_current, ratchet._our_previous)
    return keys + [dh._private._bytes for dh in both]


def test_helper_of_this_file_makes_messages_that_are_taken() -> None:
    mallory = agreed()
    head = head_of(mallory.sealed(text=b"x"))

    outputs = mallory.alice.receive(signed(mallory, head), 0)

    assert [type(output) for output in outputs] == [Received]
    derived = derive_pair(4, we_are_high=True)
    assert aes_ctr(derived.send_aes, b"x") != b"x"
    assert DhKeyPair.draw(redrawable(1)).public > 1
