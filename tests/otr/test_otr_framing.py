"""What a chat message is taken for, and how fragments are cut and joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.otr import LocalError, OtrError, RemoteError
from coykiosk.otr.framing import (
    FRAGMENT_EXPIRE_S,
    MAX_BUFFERS,
    MAX_JOINED_CHARS,
    WHITESPACE_TAG,
    Assembler,
    Binary,
    ErrorText,
    Fragment,
    Offer,
    Plain,
    armour,
    read,
    split,
)
from tests.otr.wiring import VECTORS

STRINGS = VECTORS["strings"]
TAG_V1, TAG_V2, TAG_V3 = (
    bytes.fromhex(STRINGS[f"whitespace_v{n}"]).decode() for n in (1, 2, 3)
)
NOTHING: frozenset[str] = frozenset()


def piece(
    index: int, count: int, text: str = "x", *, sender: int | None = 0x1000
) -> Fragment:
    return Fragment(sender, 0x2000, index, count, text)


# --- what is it? -------------------------------------------------------------


def test_whitespace_tag_is_the_specified_one() -> None:
    assert bytes.fromhex(STRINGS["whitespace_base"]).decode() == WHITESPACE_TAG


@pytest.mark.hostile("G17")
@pytest.mark.parametrize(
    ("query", "versions"),
    list(STRINGS["queries"].items()),
    ids=list(STRINGS["queries"]),
)
def test_query_offers_the_specified_versions(
    query: str, versions: list[int | str]
) -> None:
    known = {str(version) for version in versions}

    inbound = read(query)

    if known:
        assert isinstance(inbound, Offer)
        assert known <= inbound.versions
    else:
        assert inbound == Plain(query, NOTHING)


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("?OTRv23?\n<b>bob</b> has requested an OTR conversation, ...", {"2", "3"}),
        ("  ?OTRv3? and more?", {"3"}),
        ("?OTR? is cool", {"1"}),
    ],
    ids=["libotr", "blanks before", "version 1"],
)
def test_query_is_found_when_words_follow(text: str, versions: set[str]) -> None:
    assert read(text) == Offer(frozenset(versions))


@pytest.mark.hostile("G6")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "?OTR",
        "?OTRv and 3 apples, or not?",
        "?OTRv\u0663?",
        "?OTRv4?",
        "?otrv3?",
        "type ?OTRv3? to begin",
        "he wrote ?OTR:AAMD. and left",
        "she got ?OTR Error: nothing",
        "?OTR, what is that?",
        "?OTR,1,2",
        " \t  \t\t\t\t \t \t \t",
    ],
)
def test_text_that_is_no_protocol_stays_text(text: str) -> None:
    assert read(text) == Plain(text, NOTHING)


@pytest.mark.parametrize(
    ("groups", "versions"),
    [
        ("", set()),
        (TAG_V3, {"3"}),
        (TAG_V1 + TAG_V2, {"1", "2"}),
        (TAG_V2 + " \t\t\t\t\t\t " + TAG_V3, {"2", "3"}),
        (TAG_V3 + " \t ", {"3"}),
    ],
    ids=["none", "3", "1 and 2", "unknown group between", "blanks after"],
)
@pytest.mark.parametrize("place", ["end", "start", "middle"])
def test_whitespace_tag_is_taken_out_wherever_it_is(
    groups: str, versions: set[str], place: str
) -> None:
    before, after = {"end": ("hi", ""), "start": ("", "hi"), "middle": ("h", "i")}[
        place
    ]
    left_over = groups[len(groups) // 8 * 8 :]

    inbound = read(before + WHITESPACE_TAG + groups + after)

    assert inbound == Plain(before + left_over + after, frozenset(versions))


@pytest.mark.hostile("G7", "G29")
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("?OTR Error: no key", "no key"),
        ("?OTR Error:type ?OTR? now", "type ?OTR? now"),
        ("?OTR Error:", ""),
        (" ?OTR Error: %s%n<b>", "%s%n<b>"),
    ],
)
def test_error_line_gives_its_text(line: str, text: str) -> None:
    assert read(line) == ErrorText(text)


def test_armour_survives_both_ways() -> None:
    assert armour(b"\0\x03\x02") == "?OTR:AAMC."
    assert read("?OTR:AAMC.") == Binary(b"\0\x03\x02")
    assert read("\n ?OTR:AAMC.\n") == Binary(b"\0\x03\x02")


@pytest.mark.hostile("G1", "G6", "G31")
@pytest.mark.parametrize(
    "text",
    [
        "?OTR:===.",
        "?OTR:=.",
        "?OTR:",
        "?OTR:AAMC",
        "?OTR:AAM.",
        "?OTR:AA MC.",
        "?OTR:AA\nMC.",
        "?OTR:AAMC. and then",
        "?OTR:AAMC.AAMC.",
        "?OTR:A*MC.",
        "?OTR:ÄAMC.",
        "?OTR:\ud800AMC.",
        "?OTR|",
        "?OTR|1000|2000,1,2,x",
        "?OTR|1000|2000,1,x,",
        "?OTR|1000|2000,-1,2,x,",
        "?OTR|1000|2000,1.0,2,x,",
        "?OTR|1000|2000,00065537,00065537,x,",
        "?OTR|123456789|2000,1,2,x,",
        "?OTR|1000|123456789,1,2,x,",
        "?OTR|0x1000|2000,1,2,x,",
        "?OTR|-1|2000,1,2,x,",
        "?OTR|1000|2000,\u0661,\u0662,x,",
        "?OTR|,1,2,x,",
    ],
)
def test_malformed_protocol_text_is_refused(text: str) -> None:
    with pytest.raises(RemoteError):
        read(text)


@pytest.mark.hostile("G6")
@given(st.text())
def test_reader_of_messages_raises_nothing_but_its_own_error(text: str) -> None:
    for marker in ("", "?OTR", "?OTR:", "?OTR|", "?OTR,", "?OTRv", WHITESPACE_TAG):
        try:
            read(marker + text)
        except OtrError:
            continue


# --- cutting -----------------------------------------------------------------


@pytest.mark.parametrize("max_chars", [None, 100])
def test_split_leaves_a_short_message_whole(max_chars: int | None) -> None:
    text = "?OTR:" + "A" * 94 + "."

    pieces = split(text, sender_tag=0x1000, receiver_tag=0, max_chars=max_chars)

    assert pieces == [text]


def test_split_leaves_queries_and_errors_alone_when_there_is_no_limit() -> None:
    assert split("x", sender_tag=1, receiver_tag=2, max_chars=None) == ["x"]


@pytest.mark.parametrize("max_chars", [37, 20, 0])
def test_split_refuses_a_limit_that_leaves_no_room(max_chars: int) -> None:
    with pytest.raises(LocalError, match="no room"):
        split("x" * 100, sender_tag=0x1000, receiver_tag=0, max_chars=max_chars)


def test_split_refuses_too_many_pieces() -> None:
    with pytest.raises(LocalError, match="65536 pieces"):
        split("x" * 65536, sender_tag=0x1000, receiver_tag=0, max_chars=38)


# --- joining -----------------------------------------------------------------


@given(st.integers(min_value=38, max_value=200), st.text("AB+/=", max_size=800))
def test_fragments_join_to_what_was_cut(max_chars: int, payload: str) -> None:
    text = f"?OTR:{payload}."
    assembler = Assembler()

    joined = None
    for cut in split(text, sender_tag=0x1000, receiver_tag=0x2000, max_chars=max_chars):
        assert len(cut) <= max_chars
        inbound = read(cut) if cut.startswith("?OTR|") else None
        if isinstance(inbound, Fragment):
            joined = assembler.add(inbound, 0)

    assert joined == (text if len(text) > max_chars else None)


def test_fragment_has_the_fields_of_its_header() -> None:
    assert read("?OTR|5a73a599|27e31597,00001,00003,?OTR:AAMD,") == Fragment(
        0x5A73A599, 0x27E31597, 1, 3, "?OTR:AAMD"
    )


def test_fragment_without_leading_zeros_is_read() -> None:
    assert read("?OTR|1000|0,2,3,abc,") == Fragment(0x1000, 0, 2, 3, "abc")


def test_fragment_of_version_2_has_no_tags_and_may_hold_commas() -> None:
    assert read("?OTR,00001,00002,hello, you,") == Fragment(None, 0, 1, 2, "hello, you")


@pytest.mark.hostile("G31")
def test_fragments_join_when_the_last_piece_is_empty() -> None:
    """otr3 sends one when the length is a multiple of the piece size."""
    assembler = Assembler()
    assembler.add(piece(1, 2, "whole"), 0)

    assert assembler.add(piece(2, 2, ""), 0) == "whole"


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, 0), piece(1, 1, "")],
        [piece(1, 2), piece(0, 2), piece(2, 3)],
        [piece(2, 1)],
        [piece(3, 2)],
        [piece(2, 2)],
        [piece(1, 3), piece(3, 3)],
        [piece(1, 3), piece(1, 3), piece(3, 3)],
        [piece(1, 2), piece(2, 3), piece(3, 3)],
        [piece(1, 3), piece(2, 3), piece(2, 3), piece(3, 3)],
        [piece(1, 2), piece(2, 2, sender=0x3000)],
        [piece(1, 2), piece(2, 2, sender=None)],
    ],
    ids=[
        "k=0 n=0",
        "k=0 between",
        "k>n",
        "k>n further",
        "no start",
        "gap",
        "restart and gap",
        "n changed",
        "k repeated",
        "other sender",
        "sender without tag",
    ],
)
def test_fragments_join_to_nothing_when_out_of_order(pieces: list[Fragment]) -> None:
    assembler = Assembler()

    joined = [assembler.add(fragment, 0) for fragment in pieces]

    assert {text for text in joined if text} == set()


@pytest.mark.hostile("G31")
def test_fragment_with_impossible_numbers_does_not_disturb_the_others() -> None:
    assembler = Assembler()
    assembler.add(piece(1, 2, "a"), 0)

    assembler.add(piece(5, 3), 0)

    assert assembler.add(piece(2, 2, "b"), 0) == "ab"


@pytest.mark.hostile("G31")
def test_first_fragment_starts_anew_when_it_comes_again() -> None:
    assembler = Assembler()
    assembler.add(piece(1, 2, "old"), 0)
    assembler.add(piece(1, 2, "new"), 0)

    assert assembler.add(piece(2, 2, "!"), 0) == "new!"


@pytest.mark.hostile("G31")
def test_fragments_of_interleaved_senders_are_kept_apart() -> None:
    assembler = Assembler()
    assembler.add(piece(1, 2, "a", sender=0x1000), 0)
    assembler.add(piece(1, 2, "b", sender=0x1001), 0)

    joined = [
        assembler.add(piece(2, 2, "A", sender=0x1000), 0),
        assembler.add(piece(2, 2, "B", sender=0x1001), 0),
    ]

    assert joined == ["aA", "bB"]


@pytest.mark.hostile("G31")
def test_fragments_are_forgotten_when_they_grow_too_long() -> None:
    assembler = Assembler()
    assembler.add(piece(1, 3, "x" * MAX_JOINED_CHARS), 0)
    assembler.add(piece(2, 3, "x"), 0)

    assert assembler.add(piece(3, 3, "x"), 0) is None
    assert not assembler._buffers


@pytest.mark.hostile("G31")
def test_fragments_of_64_kb_are_never_hoarded() -> None:
    """65535 pieces of 64 kB would be 4 GB."""
    assembler = Assembler()
    big = "x" * 65536

    for index in range(1, 200):
        assembler.add(piece(index, 65535, big), 0)

    assert not assembler._buffers


@pytest.mark.hostile("G31", "G32")
def test_fragments_of_the_oldest_sender_are_forgotten_when_too_many_send() -> None:
    assembler = Assembler()
    for sender in range(MAX_BUFFERS + 1):
        assembler.add(piece(1, 2, f"{sender}-", sender=0x1000 + sender), 0)

    joined = [
        assembler.add(piece(2, 2, "end", sender=0x1000 + sender), 0)
        for sender in range(MAX_BUFFERS + 1)
    ]

    assert joined == [None, *(f"{n}-end" for n in range(1, MAX_BUFFERS + 1))]


@pytest.mark.hostile("G31")
@pytest.mark.parametrize(
    ("wait_s", "joined"),
    [(FRAGMENT_EXPIRE_S - 1, "ab"), (FRAGMENT_EXPIRE_S, None)],
    ids=["in time", "too late"],
)
def test_fragments_are_forgotten_when_the_next_is_late(
    wait_s: float, joined: str | None
) -> None:
    assembler = Assembler()
    assembler.add(piece(1, 2, "a"), 10)

    assert assembler.add(piece(2, 2, "b"), 10 + wait_s) == joined


def test_fragments_are_forgotten_when_told_so() -> None:
    assembler = Assembler()
    for sender in (0x1000, 0x1001, 0x1002):
        assembler.add(piece(1, 2, sender=sender), 0)

    assembler.forget(0x1000)
    remaining = list(assembler._buffers)
    assembler.forget_all()

    assert remaining == [0x1001, 0x1002]
    assert not assembler._buffers
