"""Two engines talking: texts, padding, heartbeats, the end, clear text."""

import doctest
import inspect

import pytest

import coykiosk.otr
from coykiosk.otr import (
    Agreeing,
    EndedByPeer,
    ErrorLine,
    Inject,
    Instances,
    LocalError,
    MessageState,
    OfferTooOld,
    Output,
    PlainReceived,
    Received,
    Secured,
    Unreadable,
)
from coykiosk.otr.engine import HEARTBEAT_AFTER_S, KEY_CHANGE_S
from coykiosk.otr.framing import WHITESPACE_TAG
from coykiosk.otr.messages import DataMessage
from coykiosk.otr.payload import PAD_TO_BYTES
from coykiosk.otr.wire import Tlv
from tests.otr.wiring import (
    TAGS,
    Pair,
    engine_of,
    injected,
    message_of,
    ratchet_of,
    recorded_key,
    redrawable,
    text_of,
    told,
)

ALICE_FP, BOB_FP = (recorded_key(name).fingerprint for name in ("alice", "bob"))
TAG_V2, TAG_V3 = "  \t\t  \t ", "  \t\t  \t\t"


def data_of(text: str) -> DataMessage:
    message = message_of(text)
    assert isinstance(message, DataMessage)
    return message


def sealed_by_alice(pair: Pair, plaintext: bytes, *, flags: int = 0) -> str:
    """A data message with exactly this plaintext, as another client might pad it."""
    return text_of(
        ratchet_of(pair.alice, TAGS["bob"]).seal(
            plaintext, flags=flags, sender_tag=TAGS["alice"], receiver_tag=TAGS["bob"]
        )
    )


def test_example_of_the_folder_runs_as_it_stands() -> None:
    failed, tried = doctest.testmod(coykiosk.otr)

    assert tried > 0
    assert failed == 0


# --- texts ------------------------------------------------------------------------


@pytest.mark.parametrize("max_message_chars", [None, 140, 400])
def test_texts_arrive_in_order_both_ways(max_message_chars: int | None) -> None:
    pair = Pair(max_message_chars=max_message_chars)
    pair.agree()
    texts = [f"{n} grüße ☃ {'x' * n * 37}" for n in range(20)]

    for text in texts:
        pair.carry(pair.alice, pair.alice.send(text, 0))
        pair.carry(pair.bob, pair.bob.send(text, 0))

    assert pair.told[pair.bob] == [Received(text, ALICE_FP) for text in texts]
    assert pair.told[pair.alice] == [Received(text, BOB_FP) for text in texts]


def test_messages_of_ours_stay_within_the_limit_when_one_is_set() -> None:
    pair = Pair(max_message_chars=140)

    texts = injected(pair.bob.receive("?OTRv3?", 0))
    for text in texts:
        assert len(text) <= 140
    pair.carry(pair.bob, [Inject(text) for text in texts])

    sent = [text for output in pair.bob.send("hi", 0) for text in injected([output])]
    assert len(sent) > 1
    assert max(map(len, sent)) <= 140


@pytest.mark.hostile("G7", "G26")
@pytest.mark.parametrize(
    "text",
    [
        "?OTR?",
        "?OTRv23?",
        "?OTR:AAMD.",
        "?OTR|1|2,1,1,x,",
        "?OTR Error: x",
        f"hi{WHITESPACE_TAG}{TAG_V3}",
        "%s%n%x",
        "<b>&amp;</b>",
        "\u202egnp.exe",
        " ",
    ],
)
def test_text_that_looks_like_protocol_arrives_as_text(text: str) -> None:
    pair = Pair()
    pair.agree()

    pair.carry(pair.alice, pair.alice.send(text, 0))

    assert pair.told[pair.bob] == [Received(text, ALICE_FP)]
    assert pair.told[pair.alice] == []


@pytest.mark.hostile("G7", "G26")
@pytest.mark.parametrize(
    ("typed", "arrives"),
    [
        ("a\0b", "ab"),
        ("hi\0\0\1\0\0", "hi\x01"),
        ("half \ud83d pair", "half ? pair"),
    ],
    ids=["NUL", "NUL and a TLV", "half a surrogate pair"],
)
def test_text_is_cleaned_of_what_cannot_be_sent(typed: str, arrives: str) -> None:
    pair = Pair()
    pair.agree()

    pair.carry(pair.alice, pair.alice.send(typed, 0))

    assert pair.told[pair.bob] == [Received(arrives, ALICE_FP)]
    assert pair.bob.message_state is MessageState.ENCRYPTED


@pytest.mark.parametrize("text", ["", "\0", "\0\0"])
def test_empty_text_sends_nothing(text: str) -> None:
    pair = Pair()
    pair.agree()

    assert pair.alice.send(text, 0) == []


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 253, 507, 508, 5000])
def test_plaintext_is_padded_to_a_multiple_of_256_bytes(length: int) -> None:
    pair = Pair()
    pair.agree()

    (text,) = injected(pair.alice.send("x" * (length + 1), 0))

    assert len(data_of(text).head.encrypted) % PAD_TO_BYTES == 0


def test_short_texts_heartbeats_and_farewells_have_one_length() -> None:
    pair = Pair()
    pair.agree()
    sent = [*pair.alice.send("y", 0), *pair.alice.send("yes, " * 40, 0)]
    pair.now = 100.0
    sent += pair.alice.receive(injected(pair.bob.send("?", 100))[0], 100)
    sent += pair.alice.end(100)

    lengths = {len(data_of(text).head.encrypted) for text in injected(sent)}

    assert lengths == {PAD_TO_BYTES}


@pytest.mark.hostile("G7", "G30")
@pytest.mark.parametrize(
    ("plaintext", "outputs"),
    [
        (b"no NUL at all", [Received("no NUL at all", ALICE_FP)]),
        (b"text\0", [Received("text", ALICE_FP)]),
        (b"\xff\xfe\0", [Received("\ufffd\ufffd", ALICE_FP)]),
        (b"", []),
        (b"\0", []),
        (b"x\0" + Tlv(0, b"pad").encode(), [Received("x", ALICE_FP)]),
        (b"x\0\0\1", [Received("x", ALICE_FP)]),
        (b"x\0" + Tlv(0xABCD, b"?").encode(), [Received("x", ALICE_FP)]),
        (b"\0" + b"".join(Tlv(n, b"z").encode() for n in (6, 8, 9)), []),
        (b"\0" + Tlv(0x7777, b"").encode() * 10_000, []),
        (b"bye\0" + Tlv(1, b"").encode(), [Received("bye", ALICE_FP), EndedByPeer()]),
        (b"\0" + Tlv(1, b"why").encode() * 2, [EndedByPeer()]),
        (b"\0" + Tlv(1, b"").encode() + Tlv(2, b"").encode(), [EndedByPeer()]),
    ],
    ids=[
        "no NUL",
        "NUL at the end",
        "no UTF-8",
        "empty",
        "heartbeat",
        "padding",
        "record cut short",
        "unknown record",
        "records that mean nothing here",
        "10000 records",
        "text and farewell",
        "two farewells",
        "SMP after the farewell",
    ],
)
def test_plaintexts_of_other_clients_are_read(
    plaintext: bytes, outputs: list[Output]
) -> None:
    pair = Pair()
    pair.agree()

    assert pair.bob.receive(sealed_by_alice(pair, plaintext), 0) == outputs


@pytest.mark.hostile("G26")
def test_decrypted_text_is_never_read_as_protocol() -> None:
    pair = Pair()
    pair.agree()

    outputs = pair.bob.receive(sealed_by_alice(pair, b"?OTRv3?"), 0)

    assert outputs == [Received("?OTRv3?", ALICE_FP)]


# --- heartbeats -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silence_s", "n_answers"), [(HEARTBEAT_AFTER_S - 1, 0), (HEARTBEAT_AFTER_S, 1)]
)
def test_text_is_answered_by_a_heartbeat_after_a_minute_of_silence(
    silence_s: float, n_answers: int
) -> None:
    pair = Pair()
    pair.agree()
    (text,) = injected(pair.alice.send("hello?", silence_s))

    answers = injected(pair.bob.receive(text, silence_s))

    assert len(answers) == n_answers
    for answer in answers:
        assert data_of(answer).head.flags == 1
        assert pair.alice.receive(answer, silence_s) == []


def test_heartbeat_is_not_answered_by_a_heartbeat() -> None:
    pair = Pair()
    pair.agree()
    (text,) = injected(pair.alice.send("hello?", 100))
    (heartbeat,) = injected(pair.bob.receive(text, 100))

    outputs = pair.alice.receive(heartbeat, 1000)

    assert outputs == []


def test_heartbeat_lets_the_keys_of_a_monologue_rotate() -> None:
    pair = Pair()
    pair.agree()

    keyids = []
    for minute in range(1, 6):
        pair.now = minute * 61.0
        outputs = pair.alice.send("and another thing", pair.now)
        keyids.append(data_of(injected(outputs)[0]).head.sender_keyid)
        pair.carry(pair.alice, outputs)

    assert keyids == [1, 2, 3, 4, 5]


# --- the end ----------------------------------------------------------------------


@pytest.mark.hostile("G27")
def test_end_is_heard_and_nothing_can_be_sent_any_more() -> None:
    pair = Pair()
    pair.agree()

    pair.carry(pair.alice, pair.alice.end(0))

    assert pair.told[pair.bob] == [EndedByPeer()]
    assert pair.alice.message_state is MessageState.PLAINTEXT
    assert pair.bob.message_state is MessageState.FINISHED
    for end in (pair.alice, pair.bob):
        assert end.their_fingerprint is None
        assert end.ssid is None
        for text in ("in clear?", ""):
            with pytest.raises(LocalError):
                end.send(text, 0)


@pytest.mark.hostile("G40")
def test_end_wipes_the_keys() -> None:
    pair = Pair()
    pair.agree()
    pair.carry(pair.alice, pair.alice.send("x", 0))
    ratchets = [
        ratchet_of(pair.alice, TAGS["bob"]),
        ratchet_of(pair.bob, TAGS["alice"]),
    ]
    keys = [
        key
        for ratchet in ratchets
        for pair_keys in ratchet._pairs.values()
        for key in (pair_keys.send_aes, pair_keys.receive_aes, pair_keys.send_mac)
    ]
    keys += [
        dh._private._bytes
        for ratchet in ratchets
        for dh in (ratchet._our_current, ratchet._our_previous)
    ]
    assert all(any(key) for key in keys)

    pair.carry(pair.alice, pair.alice.end(0))

    assert not any(any(key) for key in keys)


@pytest.mark.hostile("G40")
def test_end_during_an_exchange_wipes_its_exponent() -> None:
    pair = Pair()
    pair.alice.receive("?OTRv3?", 0)
    assert pair.alice._engines._commit is not None
    private = pair.alice._engines._commit.key._private._bytes

    outputs = pair.alice.end(1)

    assert outputs == []
    assert not any(private)
    assert pair.alice.deadline() is None


def test_finished_session_is_left_by_ending_it() -> None:
    pair = Pair()
    pair.agree()
    pair.carry(pair.alice, pair.alice.end(0))

    outputs = pair.bob.end(1)

    assert outputs == []
    assert pair.bob.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G27")
def test_finished_session_sends_nothing_whatever_comes_in() -> None:
    pair = Pair()
    pair.agree()
    (late,) = injected(pair.alice.send("late", 0))
    pair.carry(pair.alice, pair.alice.end(0))

    outputs = [
        output
        for text in (late, "hello", "?OTR Error: what?", "?OTR:AAMD.", "?OTRv2?")
        for output in pair.bob.receive(text, 100)
    ]
    outputs += pair.bob.tick(1000)

    assert injected(outputs) == []
    assert pair.bob.message_state is MessageState.FINISHED


@pytest.mark.parametrize("asker", ["alice", "bob"])
def test_session_can_be_renewed_after_the_end(asker: str) -> None:
    pair = Pair()
    pair.agree()
    pair.carry(pair.alice, pair.alice.end(0))
    end = pair.alice if asker == "alice" else pair.bob
    pair.forget_told()

    pair.carry(end, end.ask(1))

    assert pair.alice.ssid == pair.bob.ssid is not None
    for outputs in pair.told.values():
        agreeing, secured = outputs
        assert agreeing == Agreeing()
        assert isinstance(secured, Secured)
        assert not secured.refreshed


@pytest.mark.hostile("G27", "G28")
@pytest.mark.parametrize("disturb", ["never asked", "asked", "offered"])
def test_text_is_refused_before_the_session_is_up(disturb: str) -> None:
    pair = Pair()
    if disturb == "asked":
        pair.alice.ask(0)
    if disturb == "offered":
        pair.alice.receive("?OTRv3?", 0)

    with pytest.raises(LocalError, match="plaintext"):
        pair.alice.send("secret", 0)


def test_end_without_a_session_says_nothing() -> None:
    assert Pair().alice.end(0) == []


# --- clear text and offers --------------------------------------------------------


@pytest.mark.hostile("G37")
def test_query_of_ours_is_bare() -> None:
    """libotr's own carries the account's name in HTML."""
    assert Pair().alice.ask(0) == [Inject("?OTRv3?")]


@pytest.mark.hostile("G7", "G25")
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize(
    "text", ["hello", "?OTRv4?", "he said ?OTR Error: x", "%s%n", "\u202e<b>"]
)
def test_clear_text_is_handed_out_as_such(text: str, encrypted: bool) -> None:
    pair = Pair()
    if encrypted:
        pair.agree()

    assert pair.alice.receive(text, 0) == [PlainReceived(text)]


@pytest.mark.hostile("G4", "G17")
@pytest.mark.parametrize("text", ["?OTR?", "?OTRv2?", "?OTR?v2?", "?OTRv12?"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_offer_of_old_versions_is_reported_and_not_answered(
    text: str, encrypted: bool
) -> None:
    pair = Pair()
    if encrypted:
        pair.agree()

    assert pair.alice.receive(text, 0) == [OfferTooOld()]


@pytest.mark.hostile("G17")
@pytest.mark.parametrize(
    ("groups", "outputs"),
    [
        (TAG_V2, [PlainReceived("hi"), OfferTooOld()]),
        ("", [PlainReceived("hi")]),
    ],
    ids=["version 2", "no version"],
)
def test_tag_without_version_3_is_not_answered(
    groups: str, outputs: list[Output]
) -> None:
    assert Pair().alice.receive(f"hi{WHITESPACE_TAG}{groups}", 0) == outputs


@pytest.mark.parametrize("finished", [False, True])
def test_tag_with_version_3_begins_an_exchange(finished: bool) -> None:
    pair = Pair()
    if finished:
        pair.agree()
        pair.carry(pair.bob, pair.bob.end(0))
    pair.forget_told()

    outputs = pair.alice.receive(f"hi{WHITESPACE_TAG}{TAG_V2}{TAG_V3}", 0)
    pair.carry(pair.alice, outputs)

    assert told(outputs) == [PlainReceived("hi"), Agreeing()]
    assert pair.alice.message_state is MessageState.ENCRYPTED


def test_tag_is_only_taken_out_while_encrypted() -> None:
    pair = Pair()
    pair.agree()

    outputs = pair.alice.receive(f"hi{WHITESPACE_TAG}{TAG_V3}", 0)

    assert outputs == [PlainReceived("hi")]


def test_tag_alone_is_no_text() -> None:
    outputs = Pair().alice.receive(WHITESPACE_TAG + TAG_V3, 0)

    assert told(outputs) == [Agreeing()]


@pytest.mark.hostile("G29")
@pytest.mark.parametrize("encrypted", [False, True])
def test_error_line_is_handed_out_and_not_answered(encrypted: bool) -> None:
    """Two clients that answer each other's errors never stop."""
    pair = Pair()
    if encrypted:
        pair.agree()

    outputs = pair.alice.receive("?OTR Error: type ?OTR? now", 0)

    assert outputs == [ErrorLine("type ?OTR? now")]


@pytest.mark.hostile("G23", "G29")
def test_data_without_a_session_is_reported_and_not_answered() -> None:
    pair = Pair()
    pair.agree()
    (text,) = injected(pair.alice.send("do you hear me", 0))
    pair.bob = restarted_bob()

    assert pair.bob.receive(text, 0) == [Unreadable()]


@pytest.mark.hostile("G23")
def test_flagged_data_without_a_session_is_silent() -> None:
    pair = Pair()
    pair.agree()
    (farewell,) = injected(pair.alice.end(0))

    assert restarted_bob().receive(farewell, 0) == []


def restarted_bob() -> Instances:
    return Instances(recorded_key("bob"), TAGS["bob"], redrawable("after a restart"))


def test_session_is_renewed_when_one_end_has_restarted() -> None:
    pair = Pair()
    pair.agree()
    pair.bob = restarted_bob()
    pair.told[pair.bob] = []

    pair.carry(pair.bob, pair.bob.ask(1))

    (secured,) = pair.told[pair.alice]
    assert isinstance(secured, Secured)
    assert secured.refreshed
    pair.carry(pair.alice, pair.alice.send("there you are", 1))
    assert pair.told[pair.bob][-1] == Received("there you are", ALICE_FP)


# --- what the package shows -------------------------------------------------------


def test_reprs_show_neither_text_nor_key() -> None:
    pair = Pair()
    pair.agree()
    ratchet = ratchet_of(pair.alice, TAGS["bob"])
    things: list[object] = [
        Received("a secret text", ALICE_FP),
        PlainReceived("a secret text"),
        ratchet._our_current,
        ratchet._pair(1, 1),
        engine_of(pair.alice, TAGS["bob"])._session,
    ]

    shown = " ".join(map(repr, things))

    assert "secret text" not in shown
    assert "bytearray" not in shown
    assert ratchet._our_current._private._bytes.hex() not in shown


def test_everything_exported_is_there() -> None:
    for name in coykiosk.otr.__all__:
        assert inspect.getdoc(getattr(coykiosk.otr, name))


# --- while keys are renewed ---------------------------------------------------------


def reveal(pair: Pair) -> None:
    """Let Alice commit and reveal, and stop before Bob's Signature."""
    (commit,) = injected(pair.alice.receive("?OTRv3?", 10))
    (key,) = injected(pair.bob.receive(commit, 10))
    pair.alice.receive(key, 12)


def test_other_end_may_have_changed_keys_once_we_have_revealed() -> None:
    pair = Pair()
    pair.agree()
    before = pair.alice.changes_keys_until

    reveal(pair)

    assert before is None
    assert pair.alice.changes_keys_until == 12 + KEY_CHANGE_S


def test_other_end_changes_no_keys_before_there_is_a_session() -> None:
    pair = Pair()
    nobody = pair.alice.changes_keys_until

    reveal(pair)

    assert nobody is None
    assert pair.alice.changes_keys_until is None


def test_other_end_has_changed_keys_when_the_exchange_is_over() -> None:
    pair = Pair()
    pair.agree()

    pair.agree(pair.bob)

    assert pair.alice.changes_keys_until is None
