"""Whatever bytes come: refused at the first wrong one, and nothing has moved."""

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from coykiosk.otr import (
    ErrorLine,
    MessageState,
    OfferTooOld,
    PlainReceived,
    PrivateKey,
    Received,
    Unreadable,
)
from coykiosk.otr.framing import armour
from coykiosk.otr.wire import encode_data, encode_int, encode_mpi
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.forging_smp import agreed
from tests.otr.hostile.watching import (
    ERROR_LINE,
    KINDS,
    Moment,
    before,
    is_effect,
    standing,
    unlimited,
)
from tests.otr.wiring import (
    TAGS,
    Pair,
    injected,
    recorded_key,
    told,
)

ALL_KINDS = [*KINDS, "data"]
TYPES = {"commit": 2, "key": 10, "reveal_sig": 17, "sig": 18, "data": 3}
STATES = ["plaintext", "encrypted", "finished"]
ALICE_FP = recorded_key("alice").fingerprint


def in_state(state: str) -> Pair:
    pair = Pair()
    if state != "plaintext":
        pair.agree()
    if state == "finished":
        pair.carry(pair.bob, pair.bob.end(0))
    assert pair.alice.message_state.value == state
    return pair


def head(kind: str) -> bytes:
    """The first 11 bytes of such a message from Bob to Alice."""
    tags = encode_int(TAGS["bob"]) + encode_int(TAGS["alice"])
    return bytes([0, 3, TYPES[kind]]) + tags


# --- armour -------------------------------------------------------------------------


@pytest.mark.hostile("G1", "G6")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "text",
    [
        "?OTR:===.",
        "?OTR:====.",
        "?OTR:.",
        "?OTR:",
        "?OTR:=",
        "?OTR:==.",
        "?OTR:A.",
        "?OTR:AA.",
        "?OTR:AAM.",
        "?OTR:AAMD",
        "?OTR:AA MD.",
        "?OTR:AA\tMD.",
        "?OTR:AA\x00MD.",
        "?OTR:AAMD\n.",
        "?OTR:AA_-.",
        "?OTR:AAMD..",
        "?OTR:AAMD.?OTR:AAMD.",
        "?OTR:AAMD. trailing words",
        "?OTR:" + "=" * 100_000 + ".",
        "?OTR:" + "A" * 100_001 + ".",
        "?OTR:AAM\u200bD.",
        "?OTR:\uff21\uff21\uff2d\uff24.",
        "?OTR:\udcff.",
    ],
    ids=lambda text: ascii(text)[:24] if isinstance(text, str) else None,
)
def test_armour_that_is_none_is_refused_in_every_state(text: str, state: str) -> None:
    pair = in_state(state)
    session = standing(pair.alice)

    outputs = pair.alice.receive(text, 0)

    assert told(outputs) == [Unreadable()]
    assert [ERROR_LINE] * (state == "encrypted") == outputs[1:]
    assert standing(pair.alice) == session
    assert pair.alice.message_state.value == state


@pytest.mark.hostile("G6")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("look: ?OTR:AAMD.", "look: ?OTR:AAMD."),
        ("a ?OTR|1|2,1,1,x,", "a ?OTR|1|2,1,1,x,"),
        ("quote: ?OTR Error: no", "quote: ?OTR Error: no"),
        ("?otr:AAMD.", "?otr:AAMD."),
        ("\u200b?OTR:AAMD.", "\u200b?OTR:AAMD."),
    ],
    ids=["text before", "before a fragment", "before an error", "case", "invisible"],
)
def test_protocol_inside_a_text_is_text(text: str, shown: str) -> None:
    pair = in_state("encrypted")

    assert pair.alice.receive(text, 0) == [PlainReceived(shown)]


# --- lengths ------------------------------------------------------------------------


def length_fields(kind: str, raw: bytes) -> Iterator[int]:
    """Where the length fields of such a message stand."""
    # The steps between: what has a fixed length, and "x" for a length and its value.
    steps = {
        "commit": [11, "x", "x"],
        "key": [11, "x"],
        "reveal_sig": [11, "x", "x", 20],
        "sig": [11, "x", 20],
        "data": [11 + 1 + 4 + 4, "x", 8, "x", 20, "x"],
    }[kind]
    position = 0
    for step in steps:
        if isinstance(step, int):
            position += step
        else:
            yield position
            position += 4 + int.from_bytes(raw[position : position + 4], "big")
    assert position == len(raw)


FIELDS = [
    (kind, n)
    for kind, n_fields in zip(ALL_KINDS, (2, 1, 2, 1, 3), strict=True)
    for n in range(n_fields)
]
WRONG_LENGTHS: dict[str, Callable[[int], int]] = {
    "4 GB": lambda length: 0xFFFFFFFF,
    "2 GB": lambda length: 0x80000000,
    "2 GB - 1": lambda length: 0x7FFFFFFF,
    "one more": lambda length: length + 1,
    "one less": lambda length: length - 1 if length else 0xFFFF,
}


def with_length(moment: Moment, kind: str, n: int, wrong: str) -> bytes:
    raw = bytearray(moment.raw)
    field = list(length_fields(kind, moment.raw))[n]
    length = int.from_bytes(raw[field : field + 4], "big")
    raw[field : field + 4] = WRONG_LENGTHS[wrong](length).to_bytes(4, "big")
    return bytes(raw)


@pytest.mark.hostile("G2")
@pytest.mark.parametrize("wrong", WRONG_LENGTHS)
@pytest.mark.parametrize(("kind", "n"), FIELDS)
def test_message_is_refused_when_a_length_is_wrong(
    kind: str, n: int, wrong: str
) -> None:
    moment = before(kind, encrypted=True)
    session = standing(moment.end)

    outputs = moment.receive(with_length(moment, kind, n, wrong))
    moved = standing(moment.end) != session
    good = moment.receive(moment.raw)

    assert outputs == [Unreadable(), ERROR_LINE]
    assert not moved
    assert good
    assert Unreadable() not in good


@pytest.mark.hostile("G2")
@pytest.mark.parametrize(("kind", "n"), FIELDS)
def test_declared_length_is_never_allocated(kind: str, n: int) -> None:
    moment = before(kind)
    forged = armour(with_length(moment, kind, n, "4 GB"))

    tracemalloc.start()
    try:
        moment.end.receive(forged, 0)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 64 * 1024


def public_key(**raw_mpis: bytes) -> bytes:
    """Bob's PUBKEY with some of its MPIs given as they are on the wire."""
    numbers = recorded_key("bob").public.numbers
    parameters = numbers.parameter_numbers
    right = {
        "p": encode_mpi(parameters.p),
        "q": encode_mpi(parameters.q),
        "g": encode_mpi(parameters.g),
        "y": encode_mpi(numbers.y),
    }
    return b"\0\0" + b"".join((right | raw_mpis).values())


MEGABYTE = 1 << 20
BAD_MPIS = {
    "4 GB declared": encode_int(0xFFFFFFFF) + b"\5",
    "2 GB declared": encode_int(0x80000000) + b"\5",
    "zero": encode_mpi(0),
    "zero as a byte": encode_data(b"\0"),
    "leading zero": encode_data(b"\0\5"),
    "1537 bits": encode_mpi(2**1536),
    "1 MB": encode_mpi(2 ** (8 * MEGABYTE - 1)),
}


@pytest.mark.hostile("G2", "G5", "G11")
@pytest.mark.parametrize("number", ["p", "q", "g", "y"])
@pytest.mark.parametrize("bad", BAD_MPIS)
def test_long_term_key_is_refused_when_a_number_of_it_is_malformed(
    bad: str, number: str
) -> None:
    """All around it is right, MAC and signature too."""
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    forged = mallory.reveal_sig(public=public_key(**{number: BAD_MPIS[bad]}))

    outputs = pair.alice.receive(armour(forged.encode()), 0)

    assert outputs == [Unreadable()]
    assert pair.alice.message_state is MessageState.PLAINTEXT


@pytest.mark.hostile("G5", "G9")
@pytest.mark.parametrize("bad", BAD_MPIS)
def test_key_message_is_refused_when_its_number_is_malformed(bad: str) -> None:
    pair = Pair()
    pair.alice.receive("?OTRv3?", 0)

    outputs = pair.alice.receive(armour(head("key") + BAD_MPIS[bad]), 0)

    assert outputs == [Unreadable()]


@pytest.mark.hostile("G5", "G24")
@pytest.mark.parametrize("bad", BAD_MPIS)
def test_data_message_is_refused_when_its_next_key_is_malformed(bad: str) -> None:
    moment = before("data")
    session = standing(moment.end)
    raw = moment.raw
    forged = raw[:20] + BAD_MPIS[bad] + raw[20 + 4 + 192 :]

    outputs = moment.receive(forged)

    assert outputs == [Unreadable(), ERROR_LINE]
    assert standing(moment.end) == session


# --- every byte ---------------------------------------------------------------------


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("encrypted", [False, True], ids=["first", "re-key"])
@pytest.mark.parametrize("kind", KINDS)
def test_message_cut_at_any_byte_is_refused(kind: str, encrypted: bool) -> None:
    moment = before(kind, encrypted=encrypted)
    session = standing(moment.end)
    refused = [Unreadable(), ERROR_LINE] if encrypted else [Unreadable()]

    wrong = [
        n
        for n in range(len(moment.raw))
        if moment.receive(moment.raw[:n]) not in (refused, [OfferTooOld()])
    ]
    moved = standing(moment.end) != session
    good = moment.receive(moment.raw)

    assert wrong == []
    assert not moved
    assert Unreadable() not in good
    assert good


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\0", b"\0\0\0\1x", b"x" * 65536])
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_message_with_more_behind_it_is_refused(kind: str, tail: bytes) -> None:
    moment = before(kind, encrypted=True)
    session = standing(moment.end)

    outputs = moment.receive(moment.raw + tail)

    assert outputs == [Unreadable(), ERROR_LINE]
    assert standing(moment.end) == session


@pytest.mark.hostile("G3", "G13")
@pytest.mark.parametrize("mask", [0x01, 0x80], ids=["lowest bit", "highest bit"])
@pytest.mark.parametrize("kind", KINDS)
def test_flipped_byte_of_an_exchange_moves_no_session(kind: str, mask: int) -> None:
    """A D-H Commit or Key proves nothing: damaged, it is another one.

    It may cost the exchange, but never the session that is up, and never makes one.
    """
    moment = before(kind, encrypted=True)
    session = standing(moment.end)
    effects: list[object] = []
    moved = []

    for position in range(len(moment.raw)):
        damaged = bytearray(moment.raw)
        damaged[position] ^= mask
        outputs = moment.receive(bytes(damaged))
        effects += filter(is_effect, outputs)
        if standing(moment.end) != session:
            moved.append(position)

    assert effects == []
    assert moved == []


@pytest.mark.hostile("G3")
@pytest.mark.parametrize("kind", KINDS)
def test_fresh_start_works_after_every_byte_was_flipped(kind: str) -> None:
    moment = before(kind)
    pair = moment.pair
    for position in range(0, len(moment.raw), 5):
        damaged = bytearray(moment.raw)
        damaged[position] ^= 0x40
        moment.receive(bytes(damaged))
    for end in (pair.alice, pair.bob):
        unlimited(end)

    pair.carry(pair.alice, pair.alice.ask(1))

    assert pair.alice.ssid == pair.bob.ssid is not None


@pytest.mark.hostile("G3", "G21")
@pytest.mark.parametrize("mask", [0x01, 0x80], ids=["lowest bit", "highest bit"])
def test_flipped_byte_of_a_data_message_moves_nothing(mask: int) -> None:
    moment = before("data")
    session = standing(moment.end)
    n_unauthenticated = 4  # the empty list of published MAC keys
    effects: list[object] = []

    for position in range(len(moment.raw) - n_unauthenticated):
        damaged = bytearray(moment.raw)
        damaged[position] ^= mask
        effects += filter(is_effect, moment.receive(bytes(damaged)))

    assert effects == []
    assert standing(moment.end) == session
    assert moment.receive(moment.raw) == [Received("hello", ALICE_FP)]


# --- versions and types -------------------------------------------------------------


@pytest.mark.hostile("G4", "G17")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "kind", [2, 3, 10, 17, 18], ids=["commit", "data", "key", "reveal_sig", "sig"]
)
@pytest.mark.parametrize("version", [1, 2])
def test_message_of_an_old_version_is_told_and_not_answered(
    version: int, kind: int, state: str
) -> None:
    pair = in_state(state)
    session = standing(pair.alice)

    outputs = pair.alice.receive(armour(bytes([0, version, kind]) + bytes(300)), 0)

    assert outputs == [OfferTooOld()]
    assert standing(pair.alice) == session


@pytest.mark.hostile("G4")
@pytest.mark.parametrize("version", [0, 4, 0x0300, 0xFFFF])
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_message_of_an_unknown_version_is_refused(kind: str, version: int) -> None:
    moment = before(kind, encrypted=True)
    session = standing(moment.end)

    outputs = moment.receive(version.to_bytes(2, "big") + moment.raw[2:])

    assert outputs == [Unreadable(), ERROR_LINE]
    assert standing(moment.end) == session


@pytest.mark.hostile("G4")
@pytest.mark.parametrize("kind", [n for n in range(256) if n not in {2, 3, 10, 17, 18}])
def test_message_of_an_unknown_type_is_refused(kind: int) -> None:
    pair = Pair()
    raw = bytes([0, 3, kind]) + head("key")[3:] + encode_mpi(5)

    assert pair.alice.receive(armour(raw), 0) == [Unreadable()]


# --- text that people read ----------------------------------------------------------

NASTY = {
    "format": "%s%n%x%p {0} {0.__class__} ${HOME}",
    "bidi": "\u202egnp.exe\u2066\u2069",
    "escape": "\x1b]0;title\x07\x1b[2J\x9b31m",
    "control": "\x01\x02\x08\r\x7f",
    "html": "<script>alert(1)</script><img src=x onerror=y>&lt;",
    "long line": "x" * 20_000,
    "marks": "Z" + "\u0301" * 500,
}


@pytest.mark.hostile("G7", "G37")
@pytest.mark.parametrize("name", NASTY)
def test_nasty_text_comes_out_whole_and_marked_for_what_it_is(name: str) -> None:
    """The engine neither formats nor cleans: that is the one door to the screen."""
    nasty = NASTY[name]
    mallory = agreed()
    encrypted = mallory.say(text=nasty.encode())
    plain = mallory.alice.receive("x" + nasty, 0)
    error = mallory.alice.receive("?OTR Error:x" + nasty, 0)

    assert [type(output) for output in encrypted + plain] == [Received, PlainReceived]
    assert [output.text for output in encrypted if isinstance(output, Received)] == [
        nasty
    ]
    assert plain == [PlainReceived("x" + nasty)]
    assert error == [ErrorLine(("x" + nasty).strip())]


@pytest.mark.hostile("G7")
@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\xff\xfe\xfd", "\ufffd\ufffd\ufffd"),
        (b"a\xc3", "a\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
        (b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),
        (b"\xef\xbb\xbfhi", "\ufeffhi"),
    ],
    ids=["no UTF-8", "cut", "surrogate", "overlong", "beyond Unicode", "BOM"],
)
def test_text_that_is_no_utf_8_is_shown_with_replacements(
    raw: bytes, shown: str
) -> None:
    mallory = agreed()

    outputs = mallory.say(text=raw)

    assert [output.text for output in outputs if isinstance(output, Received)] == [
        shown
    ]


@pytest.mark.hostile("G7", "G37")
@pytest.mark.parametrize(
    "name", ["%s%n", "<img src=x>", "\u202eeve", "a?OTR:AAMD.", "x\0y"]
)
def test_account_name_in_a_query_is_read_past_and_never_handed_out(name: str) -> None:
    """libotr's query carries it, unescaped, in HTML."""
    query = f"?OTRv23?\n<b>{name}</b> has requested an Off-the-Record conversation."
    pair = Pair()

    outputs = pair.alice.receive(query, 0)

    assert name not in repr(outputs)
    assert [type(output).__name__ for output in outputs] == ["Agreeing", "Inject"]


# --- messages that crashed another engine -------------------------------------------


def empty_bodies() -> Iterator[tuple[str, bytes]]:
    """Messages of which every part is as short as its length field allows."""
    nothing = encode_data(b"")
    yield "commit of nothing", head("commit") + nothing * 2
    yield "commit, hash only", head("commit") + nothing + encode_data(bytes(32))
    yield "commit of one byte", head("commit") + encode_data(b"x") * 2
    yield "key of nothing", head("key") + nothing
    yield "key without a number", head("key")
    yield "reveal_sig of nothing", head("reveal_sig") + nothing * 2 + bytes(20)
    yield (
        "reveal_sig with r only",
        head("reveal_sig") + encode_data(bytes(16)) + nothing + bytes(20),
    )
    yield "reveal_sig without a mac", head("reveal_sig") + nothing * 2
    yield "sig of nothing", head("sig") + nothing + bytes(20)
    yield "sig without a mac", head("sig") + nothing
    yield (
        "data of nothing",
        head("data") + bytes(9) + nothing + bytes(8) + nothing + bytes(20) + nothing,
    )
    yield "data, head only", head("data")
    yield "data, no mac", head("data") + bytes(9) + nothing + bytes(8) + nothing
    yield "header cut", head("data")[:7]
    yield "version only", b"\0\3"


CRAFTED = dict(empty_bodies())


@pytest.mark.hostile("G8", "G3")
@pytest.mark.parametrize("state", [*STATES, *KINDS])
@pytest.mark.parametrize("name", CRAFTED)
def test_message_with_empty_parts_is_refused_at_every_moment(
    name: str, state: str
) -> None:
    end = before(state).end if state in KINDS else in_state(state).alice
    raw = CRAFTED[name]
    if end._our_tag != TAGS["alice"]:
        raw = raw[:3] + raw[7:11] + raw[3:7] + raw[11:]  # from Alice to Bob
    session = standing(end)

    outputs = end.receive(armour(raw), 0)

    assert [type(output).__name__ for output in told(outputs)] in (
        [["Unreadable"], [], ["Agreeing"]]
    )
    assert standing(end) == session


@pytest.mark.hostile("G8")
def test_engine_still_works_after_every_crafted_message() -> None:
    pair = Pair()
    for raw in CRAFTED.values():
        pair.alice.receive(armour(raw), 0)

    pair.carry(pair.alice, pair.alice.ask(1))
    for raw in CRAFTED.values():
        pair.alice.receive(armour(raw), 1)
    pair.carry(pair.alice, pair.alice.send("still here", 2))

    assert Received("still here", ALICE_FP) in pair.told[pair.bob]


@pytest.mark.hostile("G2", "G18")
@pytest.mark.parametrize(
    "text",
    [
        "?OTR:" + "A" * (8 * MEGABYTE) + ".",
        "x" * (8 * MEGABYTE),
        "?OTRv" + "3" * (8 * MEGABYTE) + "?",
        "?OTR|" + "1" * (8 * MEGABYTE),
        "?OTR Error:" + " " * (8 * MEGABYTE),
        " \t" * (4 * MEGABYTE),
        " \t  \t\t\t\t \t \t \t  " * (MEGABYTE // 4),
    ],
    ids=["armour", "text", "query", "fragment", "error", "blanks", "tags"],
)
def test_huge_message_is_read_in_time_linear_in_its_size(text: str) -> None:
    """The time limit of the test is the assertion: a quadratic reader takes hours."""
    alice = Pair().alice

    outputs = alice.receive(text, 0)

    assert not any(map(is_effect, outputs))


@pytest.mark.hostile("G3")
def test_random_bytes_behind_each_header_are_refused() -> None:
    key = PrivateKey.generate()
    pair = in_state("encrypted")
    session = standing(pair.alice)

    for kind in ALL_KINDS:
        for n_bytes in (0, 1, 20, 200, 500):
            raw = head(kind) + key.to_bytes()[:n_bytes]
            pair.alice.receive(armour(raw), 0)

    assert standing(pair.alice) == session


def test_helpers_of_this_file_see_a_message_that_is_taken() -> None:
    """Else the tests above could not fail."""
    moment = before("data")
    session = standing(moment.end)

    outputs = moment.receive(moment.raw)

    assert any(map(is_effect, outputs))
    assert standing(moment.end) != session
    assert injected(before("reveal_sig").end.receive(before("reveal_sig").text, 0))
