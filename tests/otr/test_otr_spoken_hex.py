"""Fingerprints as other clients show them, and as they are said."""

import pytest

from coykiosk.otr.spoken.codes import Heard, Misheard, Reason
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex, parse_hex_group
from coykiosk.otr.spoken.input import MAX_CHARS

SAMPLE = bytes.fromhex("E58294F2 E9A22748 6E8B061B 31CC528F D7FA3F19")
GROUPS = ("E58294F2", "E9A22748", "6E8B061B", "31CC528F", "D7FA3F19")
SPELLED = " ".join(GROUPS)


def test_hex_of_is_what_other_clients_show() -> None:
    groups = hex_of(SAMPLE)

    assert groups == GROUPS


def test_nato_of_names_each_digit() -> None:
    groups = nato_of(bytes.fromhex("01234567 89ABCDEF 00000000 00000000 00000000"))

    assert [" ".join(group) for group in groups[:2]] == [
        "zero one two three four five six seven",
        "eight niner Alpha Bravo Charlie Delta Echo Foxtrot",
    ]


@pytest.mark.parametrize(
    "text",
    [
        SPELLED,
        SPELLED.lower(),
        SPELLED.replace(" ", ""),
        SAMPLE.hex(":").upper(),
        SAMPLE.hex("-", 2),
        " ".join(SPELLED.replace(" ", "")),
        SPELLED.replace(" ", "\r\n\t"),
        SPELLED.replace("E", "echo ").replace("F", " FOXTROT "),
        SPELLED.replace("E", "echo").replace("A", "alfa").replace("9", "nine"),
        SPELLED.replace("E9", "echoniner").replace("94", "ninefour"),
        SPELLED.replace("A", "alpha").replace("9", "niner").replace("8", "eight"),
        SPELLED.replace(" ", " \N{RIGHT-TO-LEFT MARK}").replace(
            "9", "\N{ARABIC-INDIC DIGIT NINE}"
        ),
        SPELLED.replace("E", "\N{FULLWIDTH LATIN CAPITAL LETTER E}"),
        "E5 8294F2E9A2 2748 6E8B06 1B31CC528FD7FA3F19",
    ],
    ids=[
        "groups",
        "lower case",
        "one piece",
        "colons",
        "hyphens",
        "digit by digit",
        "rows",
        "NATO letters",
        "NATO letters in one",
        "nine and niner in one",
        "NATO digits in one",
        "digits of another script",
        "full width",
        "five pieces that are not the groups",
    ],
)
def test_parse_hex_forgives_what_cannot_matter(text: str) -> None:
    heard = parse_hex(text)

    assert heard == Heard(SAMPLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Misheard(1, Reason.TOO_FEW)),
        (SPELLED[:-1], Misheard(5, Reason.TOO_FEW)),
        (" ".join(GROUPS[:4]), Misheard(5, Reason.TOO_FEW)),
        (SPELLED.replace("6E8B061B", "6E8B06B"), Misheard(3, Reason.TOO_FEW)),
        (SPELLED.replace("6E8B061B", "6E8B0611B"), Misheard(3, Reason.TOO_MANY)),
        (SPELLED.replace("6E8B061B", "6E8BO61B"), Misheard(3, Reason.UNKNOWN, 5)),
        (SPELLED.replace("A", " golf "), Misheard(2, Reason.UNKNOWN, 3)),
        (SPELLED + "0", Misheard(5, Reason.TOO_MANY)),
        (SPELLED + " 0", Misheard(5, Reason.TOO_MANY)),
        ("0x" + SPELLED, Misheard(1, Reason.UNKNOWN, 2)),
        (SPELLED.ljust(MAX_CHARS + 1), Misheard(5, Reason.TOO_MANY)),
    ],
    ids=[
        "nothing",
        "one digit short",
        "last group missing",
        "digit left out",
        "digit twice",
        "letter O",
        "no such NATO letter",
        "one more",
        "one more, apart",
        "prefix",
        "endless blanks",
    ],
)
def test_parse_hex_names_the_first_group_that_is_wrong(
    text: str, expected: Misheard
) -> None:
    heard = parse_hex(text)

    assert heard == expected


@pytest.mark.parametrize("group", range(1, 6))
def test_parse_hex_group_reads_each_group_alone(group: int) -> None:
    heard = parse_hex_group(" ".join(nato_of(SAMPLE)[group - 1]), group)

    assert heard == Heard(SAMPLE[4 * group - 4 : 4 * group])


def test_parse_hex_group_says_what_is_wrong() -> None:
    heard = parse_hex_group("31CC 528", 4)

    assert heard == Misheard(4, Reason.TOO_FEW)
