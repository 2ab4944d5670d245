"""What is read aloud, and whether what was heard is the right one."""

from collections.abc import Callable

import pytest

from coykiosk.otr import LocalError
from coykiosk.otr.spoken.codes import Code, Half, compare, halves
from coykiosk.otr.spoken.digits import digits_of, parse_digit_group
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex_group
from coykiosk.otr.spoken.words import choices, parse_word_line, words_of

FINGERPRINT = bytes(range(1, 21))
SSID = bytes.fromhex("0123456789ABCDEF")


@pytest.mark.parametrize("value", [FINGERPRINT, SSID[:4]], ids=["20", "4"])
def test_compare_accepts_the_same_bytes(value: bytes) -> None:
    assert compare(bytes(value), value)


@pytest.mark.parametrize("place", range(20))
def test_compare_refuses_when_any_one_byte_differs(place: int) -> None:
    heard = bytearray(FINGERPRINT)
    heard[place] ^= 1

    is_same = compare(bytes(heard), FINGERPRINT)

    assert not is_same


@pytest.mark.parametrize(
    "heard",
    [b"", FINGERPRINT[:4], FINGERPRINT[:19], FINGERPRINT + b"\0", FINGERPRINT * 2],
    ids=["nothing", "first line", "one short", "one more", "twice"],
)
def test_compare_refuses_anything_but_the_whole(heard: bytes) -> None:
    is_same = compare(heard, FINGERPRINT)

    assert not is_same


@pytest.mark.parametrize("n_bytes", [0, 1, 3, 5, 8, 19, 21])
def test_compare_takes_no_expectation_that_is_cut_short(n_bytes: int) -> None:
    expected = bytes(n_bytes)

    with pytest.raises(LocalError, match=f"expected 20 or 4 bytes, got {n_bytes}$"):
        compare(expected, expected)


def test_halves_gives_us_the_first_and_them_the_second_when_ours_is_first() -> None:
    ours, theirs = halves(SSID, our_half_first=True)

    assert ours == Half(Code.SSID_FIRST_HALF, b"\x01\x23\x45\x67")
    assert theirs == Half(Code.SSID_SECOND_HALF, b"\x89\xab\xcd\xef")


def test_halves_are_listened_for_as_the_other_end_reads_them() -> None:
    ours, theirs = halves(SSID, our_half_first=True)

    assert halves(SSID, our_half_first=False) == (theirs, ours)


@pytest.mark.parametrize("n_bytes", [0, 4, 7, 9, 20])
def test_halves_refuses_what_is_no_ssid(n_bytes: int) -> None:
    with pytest.raises(LocalError, match=f"expected 8 bytes, got {n_bytes}$"):
        halves(bytes(n_bytes), our_half_first=True)


@pytest.mark.parametrize("n_bytes", [0, 4, 19, 21])
@pytest.mark.parametrize("spell", [words_of, digits_of, hex_of, nato_of])
def test_fingerprint_of_another_length_is_not_spelled(
    spell: Callable[[bytes], object], n_bytes: int
) -> None:
    with pytest.raises(LocalError, match=f"expected 20 bytes, got {n_bytes}$"):
        spell(bytes(n_bytes))


@pytest.mark.parametrize("n_bytes", [0, 3, 5, 20])
@pytest.mark.parametrize("code", [Code.SSID_FIRST_HALF, Code.SSID_SECOND_HALF])
@pytest.mark.parametrize("spell", [words_of, digits_of])
def test_half_of_another_length_is_not_spelled(
    spell: Callable[[bytes, Code], object], code: Code, n_bytes: int
) -> None:
    with pytest.raises(LocalError, match=f"expected 4 bytes, got {n_bytes}$"):
        spell(bytes(n_bytes), code)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: choices(0),
        lambda: choices(6),
        lambda: parse_word_line("", 0),
        lambda: parse_word_line("", 6),
        lambda: parse_word_line("", 2, Code.SSID_FIRST_HALF),
        lambda: parse_digit_group("", 0),
        lambda: parse_digit_group("", 11),
        lambda: parse_digit_group("", 3, Code.SSID_SECOND_HALF),
        lambda: parse_hex_group("", 0),
        lambda: parse_hex_group("", 6),
    ],
    ids=[
        "place 0",
        "place 6",
        "line 0",
        "line 6",
        "line 2 of a half",
        "digit group 0",
        "digit group 11",
        "digit group 3 of a half",
        "hex group 0",
        "hex group 6",
    ],
)
def test_lines_and_places_that_no_code_has_are_refused(
    ask: Callable[[], object],
) -> None:
    with pytest.raises(LocalError):
        ask()
