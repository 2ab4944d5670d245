"""Whatever a listener types."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coykiosk.otr.spoken.codes import Code, Heard, Misheard, Reason
from coykiosk.otr.spoken.digits import digits_of, parse_digit_group, parse_digits
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex, parse_hex_group
from coykiosk.otr.spoken.input import MAX_CHARS
from coykiosk.otr.spoken.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES
from coykiosk.otr.spoken.words import parse_word_line, parse_words, words_of

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PARSERS: list[tuple[Callable[[str], Heard | Misheard], int, int]] = [
    (parse_words, 20, 5),
    (lambda text: parse_words(text, Code.SSID_FIRST_HALF), 4, 1),
    (lambda text: parse_word_line(text, 3), 4, 3),
    (parse_digits, 20, 10),
    (lambda text: parse_digits(text, Code.SSID_SECOND_HALF), 4, 2),
    (lambda text: parse_digit_group(text, 7), 2, 7),
    (parse_hex, 20, 5),
    (lambda text: parse_hex_group(text, 2), 4, 2),
]
PARSER_IDS = [
    "words",
    "words of a half",
    "word line",
    "digits",
    "digits of a half",
    "digit group",
    "hex",
    "hex group",
]
TOKENS = st.sampled_from(
    [
        *TWO_SYLLABLES[:4],
        *THREE_SYLLABLES[:4],
        *nato_of(bytes.fromhex("0123456789ABCDEF") + bytes(12))[0],
        *digits_of(bytes(4), Code.SSID_FIRST_HALF),
        "٣",
        "a",
        "F",
        "x",
        "\0",
        "\N{COMBINING ACUTE ACCENT}",
    ]
)
NOISE = st.text(" \t\r\n-.,:\N{NO-BREAK SPACE}\N{EM DASH}", min_size=1, max_size=4)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(TOKENS, NOISE), max_size=80).map("".join),
    st.lists(TOKENS, max_size=70).map(" ".join),
)


def with_noise(parts: Sequence[str], noise: Sequence[str], caps: Sequence[bool]) -> str:
    """The parts in any case, with any blanks before each of them."""
    return "".join(
        blank + (part.upper() if cap else part.lower())
        for part, blank, cap in zip(parts, noise, caps, strict=True)
    )


def noisy(
    parts: Sequence[str], data: st.DataObject, blanks: st.SearchStrategy[str]
) -> str:
    n_parts = len(parts)
    noise = data.draw(st.lists(blanks, min_size=n_parts, max_size=n_parts))
    caps = data.draw(st.lists(st.booleans(), min_size=n_parts, max_size=n_parts))
    return with_noise(parts, noise, caps)


@pytest.mark.parametrize(("parse", "n_bytes", "last_line"), PARSERS, ids=PARSER_IDS)
@UNHURRIED
@given(text=TEXTS)
@example(text="\ud800")
@example(text="\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * MAX_CHARS)
@example(text="a" + "\N{COMBINING ACUTE ACCENT}\N{COMBINING GRAVE ACCENT BELOW}" * 9999)
def test_parser_answers_whatever_is_typed(
    parse: Callable[[str], Heard | Misheard], n_bytes: int, last_line: int, text: str
) -> None:
    heard = parse(text)

    match heard:
        case Heard(value):
            assert len(value) == n_bytes
        case Misheard(line, reason, place):
            assert 1 <= line <= last_line
            assert (place is not None) == (
                reason in {Reason.UNKNOWN, Reason.OTHER_LIST}
            )


@UNHURRIED
@given(st.binary(min_size=20, max_size=20), st.data())
def test_words_are_read_back_in_any_case_and_with_any_blanks(
    fingerprint: bytes, data: st.DataObject
) -> None:
    words = [word for line in words_of(fingerprint) for word in line]

    heard = parse_words(noisy(words, data, NOISE))

    assert heard == Heard(fingerprint)


@pytest.mark.parametrize("code", [Code.SSID_FIRST_HALF, Code.SSID_SECOND_HALF])
@UNHURRIED
@given(half=st.binary(min_size=4, max_size=4), data=st.data())
def test_words_and_digits_of_a_half_are_read_back(
    code: Code, half: bytes, data: st.DataObject
) -> None:
    words, digits = words_of(half, code)[0], "".join(digits_of(half, code))

    heard = parse_words(noisy(words, data, NOISE), code)

    assert heard == Heard(half)
    assert parse_digits(noisy(digits, data, NOISE | st.just("")), code) == heard


@UNHURRIED
@given(st.binary(min_size=20, max_size=20), st.data())
def test_digits_are_read_back_with_any_blanks(
    fingerprint: bytes, data: st.DataObject
) -> None:
    digits = "".join(digits_of(fingerprint))

    heard = parse_digits(noisy(digits, data, NOISE | st.just("")))

    assert heard == Heard(fingerprint)


@UNHURRIED
@given(st.binary(min_size=20, max_size=20), st.data())
def test_hex_is_read_back_in_letters_and_names_with_any_blanks(
    fingerprint: bytes, data: st.DataObject
) -> None:
    letters = "".join(hex_of(fingerprint))
    names = [name for group in nato_of(fingerprint) for name in group]
    mixed = [
        data.draw(st.sampled_from(pair)) for pair in zip(letters, names, strict=True)
    ]

    heard = parse_hex(noisy(mixed, data, NOISE | st.just("")))

    assert heard == Heard(fingerprint)
