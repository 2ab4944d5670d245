"""The codes are what their definitions say, so that others can write them too."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.otr.spoken import pgp_words
from coykiosk.otr.spoken.codes import Code, Heard
from coykiosk.otr.spoken.digits import digits_of, parse_digits
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex
from coykiosk.otr.spoken.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES
from coykiosk.otr.spoken.words import parse_words, words_of

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "spoken.json").read_text()
)
WORD_LIST_SHA256 = "e9b7b0052233a74aa56724ed3f79c272036aed68d8f4c0856e833c8043b9ac62"
HALVES = {"first": Code.SSID_FIRST_HALF, "second": Code.SSID_SECOND_HALF}
CODES = [
    (Code.FINGERPRINT, each["hex"], each["words"], each["digits"])
    for each in VECTORS["fingerprints"]
] + [
    (HALVES[each["half"]], each["hex"], each["words"], each["digits"])
    for each in VECTORS["halves"]
]
NAMES = [f"{code.name}-{spelled[:8]}" for code, spelled, _, _ in CODES]
INITIAL_VALUES = {1: 0x11, 2: 0x22, 3: 0x33, 4: 0x44, 5: 0x55, 6: 0x66, 7: 0x77}
_DAMM_ROWS = """
0 3 1 7 5 9 8 6 4 2
7 0 9 2 1 5 4 8 6 3
4 2 0 6 8 7 1 3 5 9
1 7 5 0 9 8 3 4 2 6
6 1 2 3 0 4 5 9 7 8
3 6 7 4 2 0 9 5 8 1
5 8 6 9 7 2 0 1 3 4
8 9 4 5 3 6 2 0 1 7
9 4 3 8 6 1 7 2 0 5
2 5 8 1 4 3 6 7 9 0
"""
DAMM = _DAMM_ROWS.split()


def check_byte_by_division(part: bytes, number: int) -> int:
    """CRC-8 as what is left of a division of polynomials over GF(2)."""
    message = int.from_bytes(part, "big") ^ (INITIAL_VALUES[number] << 24)
    rest = message << 8
    for degree in range(39, 7, -1):
        if rest & 1 << degree:
            rest ^= 0b1_0000_0111 << (degree - 8)
    return rest


def check_digit_by_table(digits: str, number: int) -> str:
    interim = number
    for digit in digits:
        interim = int(DAMM[10 * interim + int(digit)])
    return str(interim)


def test_word_list_is_the_published_one() -> None:
    content = "\n".join([*TWO_SYLLABLES, *THREE_SYLLABLES]).encode()

    assert hashlib.sha256(content).hexdigest() == WORD_LIST_SHA256
    assert (len(TWO_SYLLABLES), len(THREE_SYLLABLES)) == (256, 256)
    assert len({word.casefold() for word in TWO_SYLLABLES + THREE_SYLLABLES}) == 512


def test_word_list_names_its_licence() -> None:
    notice = Path(pgp_words.__file__).with_suffix(".LICENSE").read_text()

    assert "The MIT License (MIT)" in notice
    assert "Patrick Juola and Philip Zimmermann" in notice
    assert WORD_LIST_SHA256 in notice


def test_words_of_gives_the_words_of_the_published_sample() -> None:
    fingerprint = bytes.fromhex("E58294F2 E9A22748 6E8B061B 31CC528F D7FA3F19")

    lines = words_of(fingerprint)

    assert " ".join(word for line in lines for word in line[:4]) == (
        "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator "
        "goldfish Medusa afflict bravado chatter revolver Dupont midsummer "
        "stopwatch whimsical cowbell bottomless"
    )


def test_digits_of_gives_the_check_digit_of_the_published_sample() -> None:
    # 572 has the check digit 4 in Damm's own example, which starts from 0.
    groups = digits_of(bytes.fromhex("023C 023C"), Code.SSID_FIRST_HALF)

    assert groups == ("005724", "005723")


@pytest.mark.parametrize(("code", "spelled", "words", "digits"), CODES, ids=NAMES)
def test_words_of_spells_the_vector(
    code: Code, spelled: str, words: list[str], digits: list[str]
) -> None:
    del digits

    lines = words_of(bytes.fromhex(spelled), code)

    assert [" ".join(line) for line in lines] == words


@pytest.mark.parametrize(("code", "spelled", "words", "digits"), CODES, ids=NAMES)
def test_parse_words_reads_the_vector(
    code: Code, spelled: str, words: list[str], digits: list[str]
) -> None:
    del digits

    heard = parse_words("\n".join(words), code)

    assert heard == Heard(bytes.fromhex(spelled))


@pytest.mark.parametrize(("code", "spelled", "words", "digits"), CODES, ids=NAMES)
def test_digits_of_spells_the_vector(
    code: Code, spelled: str, words: list[str], digits: list[str]
) -> None:
    del words

    groups = digits_of(bytes.fromhex(spelled), code)

    assert list(groups) == digits


@pytest.mark.parametrize(("code", "spelled", "words", "digits"), CODES, ids=NAMES)
def test_parse_digits_reads_the_vector(
    code: Code, spelled: str, words: list[str], digits: list[str]
) -> None:
    del words

    heard = parse_digits(" ".join(digits), code)

    assert heard == Heard(bytes.fromhex(spelled))


@pytest.mark.parametrize(
    "vector", VECTORS["fingerprints"], ids=lambda vector: vector["hex"][:8]
)
def test_hex_is_spelled_and_read_as_in_the_vector(vector: dict[str, Any]) -> None:
    fingerprint = bytes.fromhex(vector["hex"])

    spelled = (hex_of(fingerprint), [" ".join(each) for each in nato_of(fingerprint)])

    assert spelled == (tuple(vector["hex"].split()), vector["nato"])
    assert parse_hex(vector["hex"]) == Heard(fingerprint)
    assert parse_hex(" ".join(vector["nato"])) == Heard(fingerprint)


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_words_of_agrees_with_the_division_of_polynomials(fingerprint: bytes) -> None:
    parts = [fingerprint[at : at + 4] for at in range(0, 20, 4)]

    lines = words_of(fingerprint)

    assert [line[4] for line in lines] == [
        TWO_SYLLABLES[check_byte_by_division(part, number)]
        for number, part in enumerate(parts, start=1)
    ]


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_digits_of_agrees_with_the_table(fingerprint: bytes) -> None:
    numbers = [
        f"{256 * fingerprint[at] + fingerprint[at + 1]:05}" for at in range(0, 20, 2)
    ]

    groups = digits_of(fingerprint)

    assert list(groups) == [
        number + check_digit_by_table(number, at) for at, number in enumerate(numbers)
    ]
