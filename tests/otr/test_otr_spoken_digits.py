"""Digits that were heard: read when they are right, named when they are not."""

from collections.abc import Iterator
from itertools import combinations, product

import pytest

from coykiosk.otr.spoken import digits as spoken_digits
from coykiosk.otr.spoken.codes import Code, Heard, Misheard, Reason
from coykiosk.otr.spoken.digits import digits_of, parse_digit_group, parse_digits
from coykiosk.otr.spoken.input import MAX_CHARS
from tests.support.chance import seeded

SAMPLE = bytes.fromhex("E58294F2 E9A22748 6E8B061B 31CC528F D7FA3F19")
GROUPS = digits_of(SAMPLE)
# 587547 381302 598100 100563 282997 015637 127484 211356 552908 161537
SPELLED = " ".join(GROUPS)
TABLE = [[int(digit) for digit in row] for row in spoken_digits._TABLE]
EACH_GROUP = [(Code.FINGERPRINT, group) for group in range(1, 11)] + [
    (code, group)
    for code in (Code.SSID_FIRST_HALF, Code.SSID_SECOND_HALF)
    for group in (1, 2)
]
EACH_GROUP_IDS = [f"{code.name} {group}" for code, group in EACH_GROUP]


def spelled(number: int, code: Code, group: int) -> str:
    """The digits of a number in a group of a code."""
    value = bytearray(code.n_bytes)
    value[2 * group - 2 : 2 * group] = number.to_bytes(2, "big")
    return digits_of(bytes(value), code)[group - 1]


def written_with(zero: str) -> str:
    """The sample in the digits of another script, by its zero."""
    return "".join(
        chr(ord(zero) + int(char)) if char.isdigit() else char for char in SPELLED
    )


def fingerprints(count: int, *, seed: int) -> Iterator[list[str]]:
    """Groups of fingerprints that are drawn anew in the same way each time."""
    draw = seeded(seed)
    for _ in range(count):
        yield list(digits_of(draw(20)))


def swapped(text: str, first: int, second: int) -> str:
    chars = list(text)
    chars[first], chars[second] = chars[second], chars[first]
    return "".join(chars)


@pytest.mark.parametrize(
    "text",
    [
        SPELLED,
        SPELLED.replace(" ", ""),
        " ".join(SPELLED.replace(" ", "")),
        SPELLED.replace(" ", "-"),
        SPELLED.replace(" ", "\r\n"),
        SPELLED.replace(" ", ", "),
        SPELLED.replace(" ", " \N{EN DASH} \N{IDEOGRAPHIC SPACE}"),
        " \n" + SPELLED + ".\n",
        SPELLED.replace("587547", "5-87 547"),
        "5 8 7 5 4 7 3 8 1 302598100100563282997015637127484211356552908161537",
    ],
    ids=[
        "groups",
        "no blanks",
        "digit by digit",
        "hyphens",
        "rows",
        "commas",
        "dashes and wide blanks",
        "blanks around",
        "a group in pieces",
        "ten pieces that are not the groups",
    ],
)
def test_parse_digits_forgives_what_cannot_matter(text: str) -> None:
    heard = parse_digits(text)

    assert heard == Heard(SAMPLE)


@pytest.mark.parametrize(
    "zero",
    [
        "\N{ARABIC-INDIC DIGIT ZERO}",
        "\N{EXTENDED ARABIC-INDIC DIGIT ZERO}",
        "\N{DEVANAGARI DIGIT ZERO}",
        "\N{BENGALI DIGIT ZERO}",
        "\N{FULLWIDTH DIGIT ZERO}",
    ],
    ids=["Arabic", "Persian", "Devanagari", "Bengali", "full width"],
)
def test_parse_digits_reads_the_digits_of_other_scripts(zero: str) -> None:
    heard = parse_digits(written_with(zero))

    assert heard == Heard(SAMPLE)


@pytest.mark.parametrize(
    "mark",
    ["\N{RIGHT-TO-LEFT MARK}", "\N{ARABIC LETTER MARK}", "\N{ZERO WIDTH NON-JOINER}"],
    ids=["RLM", "ALM", "ZWNJ"],
)
def test_parse_digits_overlooks_marks_that_nobody_sees(mark: str) -> None:
    heard = parse_digits(mark.join(written_with("\N{ARABIC-INDIC DIGIT ZERO}")))

    assert heard == Heard(SAMPLE)


def test_digits_of_writes_ascii() -> None:
    groups = digits_of(SAMPLE)

    assert all(group.isascii() and len(group) == 6 for group in groups)


def test_parse_digit_group_reads_each_group_alone() -> None:
    heard = [
        parse_digit_group(digits, group) for group, digits in enumerate(GROUPS, start=1)
    ]

    assert heard == [Heard(SAMPLE[at : at + 2]) for at in range(0, 20, 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Misheard(1, Reason.TOO_FEW)),
        ("00572", Misheard(1, Reason.TOO_FEW)),
        ("0057244", Misheard(1, Reason.TOO_MANY)),
        ("005724x", Misheard(1, Reason.TOO_MANY)),
        ("0O5724", Misheard(1, Reason.UNKNOWN, 2)),
        ("00\N{SUPERSCRIPT FIVE}724", Heard(b"\x02\x3c")),
        ("00\N{ROMAN NUMERAL FIVE}724", Misheard(1, Reason.UNKNOWN, 3)),
        ("00\N{HANGZHOU NUMERAL FIVE}724", Misheard(1, Reason.UNKNOWN, 3)),
        ("00\N{CJK UNIFIED IDEOGRAPH-4E94}724", Misheard(1, Reason.UNKNOWN, 3)),
        ("00572\ud835", Misheard(1, Reason.UNKNOWN, 6)),
        ("005-724", Heard(b"\x02\x3c")),
        ("005723", Misheard(1, Reason.CHECK)),
        ("005274", Misheard(1, Reason.CHECK)),
        ("655355", Misheard(1, Reason.CHECK)),
        ("655354", Heard(b"\xff\xff")),
        ("655365", Misheard(1, Reason.TOO_LARGE)),
        ("999999", Misheard(1, Reason.TOO_LARGE)),
        ("005724".ljust(MAX_CHARS + 1), Misheard(1, Reason.TOO_MANY)),
    ],
    ids=[
        "nothing",
        "one too few",
        "one too many",
        "one too many that is none",
        "letter O",
        "superscript",
        "roman",
        "Hangzhou",
        "Chinese",
        "surrogate",
        "hyphen",
        "wrong check digit",
        "swapped",
        "wrong check digit of the last number",
        "last number",
        "number after the last",
        "largest number",
        "endless blanks",
    ],
)
def test_parse_digit_group_says_what_is_wrong(
    text: str, expected: Heard | Misheard
) -> None:
    heard = parse_digit_group(text, 1)

    assert heard == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Misheard(1, Reason.TOO_FEW)),
        (" ".join(GROUPS[:9]), Misheard(10, Reason.TOO_FEW)),
        (SPELLED + "0", Misheard(10, Reason.TOO_MANY)),
        (SPELLED + " 0", Misheard(10, Reason.TOO_MANY)),
        (SPELLED.replace("100563", "10563"), Misheard(4, Reason.TOO_FEW)),
        (SPELLED.replace("100563", "1000563"), Misheard(4, Reason.TOO_MANY)),
        (SPELLED.replace("100563", "10056?"), Misheard(4, Reason.TOO_FEW)),
        (SPELLED.replace("100563", "1O0563"), Misheard(4, Reason.UNKNOWN, 2)),
        (SPELLED.replace("100563", "100653"), Misheard(4, Reason.CHECK)),
        (" ".join([*GROUPS[1::-1], *GROUPS[2:]]), Misheard(1, Reason.CHECK)),
    ],
    ids=[
        "nothing",
        "last group missing",
        "one digit more",
        "one digit more, apart",
        "digit left out",
        "digit twice",
        "digit not understood",
        "letter O",
        "digits swapped",
        "groups swapped",
    ],
)
def test_parse_digits_names_the_first_group_that_is_wrong(
    text: str, expected: Misheard
) -> None:
    heard = parse_digits(text)

    assert heard == expected


def test_table_notices_each_wrong_digit() -> None:
    # From two interim digits no digit leads to the same one, nor do two digits lead
    # to the same one from one: so a difference, once there, stays to the end.
    columns = [list(column) for column in zip(*TABLE, strict=True)]

    assert [sorted(line) for line in TABLE + columns] == [list(range(10))] * 20


def test_table_notices_each_swap_of_neighbours() -> None:
    missed = [
        (interim, one, other)
        for interim, one, other in product(range(10), repeat=3)
        if one != other
        and TABLE[TABLE[interim][one]][other] == TABLE[TABLE[interim][other]][one]
    ]

    # With zeros on the diagonal the check digit is a digit like the others.
    assert [TABLE[digit][digit] for digit in range(10)] == [0] * 10
    assert missed == []


@pytest.mark.parametrize(("code", "group"), EACH_GROUP, ids=EACH_GROUP_IDS)
def test_each_wrong_digit_is_noticed(code: Code, group: int) -> None:
    wrong = [
        right[:at] + digit + right[at + 1 :]
        for right in (spelled(number, code, group) for number in range(0, 65536, 1021))
        for at in range(6)
        for digit in "0123456789"
        if digit != right[at]
    ]

    missed = [
        each
        for each in wrong
        if isinstance(parse_digit_group(each, group, code), Heard)
    ]

    assert len(wrong) == 65 * 6 * 9
    assert missed == []


@pytest.mark.parametrize(("code", "group"), EACH_GROUP, ids=EACH_GROUP_IDS)
def test_each_swap_of_neighbours_is_noticed(code: Code, group: int) -> None:
    swaps = [
        swapped(right, at, at + 1)
        for right in (spelled(number, code, group) for number in range(0, 65536, 257))
        for at in range(5)
        if right[at] != right[at + 1]
    ]

    missed = [
        each
        for each in swaps
        if isinstance(parse_digit_group(each, group, code), Heard)
    ]

    assert len(swaps) > 1000
    assert missed == []


@pytest.mark.parametrize("border", range(6, 60, 6))
def test_swap_of_neighbours_across_groups_is_noticed(border: int) -> None:
    rights = ["".join(groups) for groups in fingerprints(50, seed=border)]
    swaps = [
        swapped(right, border - 1, border)
        for right in rights
        if right[border - 1] != right[border]
    ]

    heard = [parse_digits(each) for each in swaps]

    assert heard == [Misheard(border // 6, Reason.CHECK)] * len(swaps)


def test_93_in_100_swaps_of_digits_two_apart_are_noticed() -> None:
    # 91 in 100 of those within a group, and all that reach into the next.
    swaps = [
        swapped(right, at, at + 2)
        for right in ("".join(groups) for groups in fingerprints(200, seed=2))
        for at in range(58)
        if right[at] != right[at + 2]
    ]

    missed = [each for each in swaps if isinstance(parse_digits(each), Heard)]

    assert len(swaps) > 10_000
    assert 0.05 < len(missed) / len(swaps) < 0.07


@pytest.mark.parametrize("at", range(60))
def test_digit_left_out_or_said_twice_is_noticed(at: int) -> None:
    texts = []
    for groups in fingerprints(20, seed=at):
        right = "".join(groups)
        texts.append(right[:at] + right[at + 1 :])
        texts.append(right[: at + 1] + right[at:])

    heard = [parse_digits(text) for text in texts]

    assert {type(each) for each in heard} == {Misheard}


@pytest.mark.parametrize("at", range(60))
def test_digit_left_out_or_said_twice_is_named_when_groups_are_set_apart(
    at: int,
) -> None:
    group, place = divmod(at, 6)
    texts = []
    for groups in fingerprints(10, seed=at):
        before, right, after = groups[:group], groups[group], groups[group + 1 :]
        left_out = right[:place] + right[place + 1 :]
        texts.append(" ".join([*before, left_out, *after]))
        texts.append(
            " ".join([*before, right[:place] + right[place] + right[place:], *after])
        )

    heard = [parse_digits(text) for text in texts]

    few, many = Reason.TOO_FEW, Reason.TOO_MANY
    assert heard == [Misheard(group + 1, few), Misheard(group + 1, many)] * 10


@pytest.mark.parametrize(("first", "second"), list(combinations(range(10), 2)))
def test_groups_that_were_swapped_are_noticed(first: int, second: int) -> None:
    swaps = []
    for groups in fingerprints(20, seed=10 * first + second):
        groups[first], groups[second] = groups[second], groups[first]
        swaps.append(groups)

    heard = [parse_digits(" ".join(groups)) for groups in swaps]

    assert heard == [Misheard(first + 1, Reason.CHECK)] * 20


@pytest.mark.parametrize(
    ("said", "listened_for"),
    [
        (Code.SSID_FIRST_HALF, Code.SSID_SECOND_HALF),
        (Code.SSID_SECOND_HALF, Code.SSID_FIRST_HALF),
    ],
    ids=["first", "second"],
)
def test_half_that_was_read_by_the_wrong_end_is_noticed(
    said: Code, listened_for: Code
) -> None:
    digits = " ".join(digits_of(b"\1\2\3\4", said))

    heard = parse_digits(digits, listened_for)

    assert heard == Misheard(1, Reason.CHECK)
