"""What terminals answer is not input; what keyboards send is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.ui_urwid.replies import ReplyFilter

ANSWERS = [
    b"\x1b[24;80R",
    b"\x1b[1;1R",
    b"\x1b[?1;2c",
    b"\x1b[>0;276;0c",
    b"\x1b[0n",
    b"\x1b[8;24;80t",
    b"\x1b[?2026;2$y",
    b"\x1b[?1u",
    b"\x1b[>4;2m",
    b"\x1b[<0;5;5M",
    b"\x1b[<0;5;5m",
    b"\x1b[M !!",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b]10;rgb:0000/0000/0000\x07",
    b"\x1b]l/quit\x1b\\",
    b"\x1bP>|xterm(370)\x1b\\",
    b"\x1b_Gi=1;OK\x1b\\",
    b"\x1b^pm\x1b\\",
    b"\x1bXsos\x1b\\",
]
KEYS = [
    b"a",
    b"\r",
    b"\x1b",
    b"\x03",
    b"\x1bOP",
    b"\x1bOR",
    b"\x1b[[C",
    b"\x1b[13~",
    b"\x1b[A",
    b"\x1b[1;5F",
    b"\x1b[3~",
    b"\x1b[Z",
    b"\x1ba",
    b"\x1b[200~",
    b"\x1b[201~",
    b"\xc3\xa9",
]


def fed(*reads: bytes, gap_s: float = 0.01) -> bytes:
    replies = ReplyFilter()
    passed: list[int] = []
    for number, read in enumerate(reads):
        passed += replies.feed(read, number * gap_s)
    return bytes(passed)


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_filter_drops_an_answer_between_typed_letters(answer: bytes) -> None:
    assert fed(b"a" + answer + b"b") == b"ab"


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_filter_drops_an_answer_that_comes_in_pieces(answer: bytes) -> None:
    pieces = [answer[:2], *(answer[at : at + 1] for at in range(2, len(answer)))]

    assert fed(b"a", *pieces, b"b") == b"ab"


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_filter_lets_at_most_esc_through_when_split_behind_it(answer: bytes) -> None:
    assert fed(answer[:1], answer[1:]) == b"\x1b"


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_filter_passes_a_key(key: bytes) -> None:
    assert fed(b"x" + key + b"y") == b"x" + key + b"y"


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_filter_passes_a_key_that_comes_in_pieces(key: bytes) -> None:
    assert fed(*(bytes([byte]) for byte in key)) == key


def test_filter_ends_an_open_string_when_nothing_follows_for_a_while() -> None:
    assert fed(b"\x1b]", b"typed", gap_s=1.0) == b"typed"


def test_filter_ends_an_open_string_at_a_control_key() -> None:
    assert fed(b"\x1b]52;c;\x03a") == b"\x03a"


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_filter_only_drops_and_never_adds(reads: list[bytes]) -> None:
    rest = iter(b"".join(reads))

    assert all(byte in rest for byte in fed(*reads))


@given(st.lists(st.sampled_from(ANSWERS), max_size=6), st.text("abc", max_size=5))
def test_filter_drops_any_row_of_answers(answers: list[bytes], typed: str) -> None:
    assert fed(b"".join(answers) + typed.encode()) == typed.encode()
