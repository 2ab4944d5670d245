"""Words that were heard: read when they are right, named when they are not."""

from collections.abc import Iterator
from itertools import combinations, product

import pytest

from coykiosk.otr.spoken.codes import Code, Heard, Misheard, Reason
from coykiosk.otr.spoken.input import MAX_CHARS
from coykiosk.otr.spoken.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES
from coykiosk.otr.spoken.words import choices, parse_word_line, parse_words, words_of
from tests.support.chance import seeded

SAMPLE = bytes.fromhex("E58294F2 E9A22748 6E8B061B 31CC528F D7FA3F19")
LINES = tuple(list(line) for line in words_of(SAMPLE))
# topmost Istanbul Pluto vagabond tissue / treadmill Pacific brackish dictator mural /
# goldfish Medusa afflict bravado surmount / ...
EACH_LINE = [(Code.FINGERPRINT, line) for line in range(1, 6)] + [
    (Code.SSID_FIRST_HALF, 1),
    (Code.SSID_SECOND_HALF, 1),
]
EACH_LINE_IDS = [f"{code.name} {line}" for code, line in EACH_LINE]


def spelled(part: bytes, code: Code, line: int) -> list[str]:
    """The words of 4 bytes in a line of a code."""
    value = bytes(4 * (line - 1)) + part + bytes(code.n_bytes - 4 * line)
    return list(words_of(value, code)[line - 1])


def in_rows(lines: list[list[str]]) -> str:
    return "\n".join(" ".join(line) for line in lines)


def in_one_row(lines: list[list[str]]) -> str:
    return " ".join(word for line in lines for word in line)


def fingerprints(count: int, *, seed: int) -> Iterator[list[list[str]]]:
    """Lines of fingerprints that are drawn anew in the same way each time."""
    draw = seeded(seed)
    for _ in range(count):
        yield [list(line) for line in words_of(draw(20))]


def swapped(items: list[str], first: int, second: int) -> list[str]:
    items = list(items)
    items[first], items[second] = items[second], items[first]
    return items


def test_choices_are_the_whole_list_of_each_place() -> None:
    offered = [choices(place) for place in range(1, 6)]

    two, three = TWO_SYLLABLES, THREE_SYLLABLES
    assert offered == [two, three, two, three, two]


@pytest.mark.parametrize(
    "text",
    [
        in_one_row(list(LINES)),
        in_rows(list(LINES)),
        in_rows(list(LINES)).upper(),
        in_rows(list(LINES)).lower().replace("\n", "\r\n\r\n"),
        "  " + in_one_row(list(LINES)).replace(" ", " \t\N{NO-BREAK SPACE}") + "\n",
        in_one_row(list(LINES)).ljust(MAX_CHARS),
        in_one_row(list(LINES)).replace(" ", "-"),
        in_one_row(list(LINES)).replace(" ", ", "),
        in_one_row(list(LINES)).replace(" ", "\n"),
        in_one_row(list(LINES)).replace(" ", "\n", 4),
        in_one_row(list(LINES)).replace(
            "Istanbul", "\N{ZERO WIDTH JOINER}istan\u00adbul"
        ),
        in_one_row(list(LINES)).replace(
            "tissue",
            "\N{FULLWIDTH LATIN SMALL LETTER T}issue",
        ),
    ],
    ids=[
        "one row",
        "rows",
        "upper case",
        "empty rows",
        "blanks",
        "as long as may be",
        "hyphens",
        "commas",
        "a row for each word",
        "five rows that are not the lines",
        "unseen marks",
        "full width",
    ],
)
def test_parse_words_forgives_what_cannot_matter(text: str) -> None:
    heard = parse_words(text)

    assert heard == Heard(SAMPLE)


def test_parse_word_line_reads_each_line_alone() -> None:
    heard = [
        parse_word_line(" ".join(words), line)
        for line, words in enumerate(LINES, start=1)
    ]

    assert heard == [Heard(SAMPLE[at : at + 4]) for at in range(0, 20, 4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Misheard(1, Reason.TOO_FEW)),
        ("topmost", Misheard(1, Reason.TOO_FEW)),
        ("topmost Istanbul Pluto vagabond", Misheard(1, Reason.TOO_FEW)),
        ("topmost Istanbul Pluto vagabond tissue tissue", Misheard(1, Reason.TOO_MANY)),
        ("topmost Istanbul Pluto vagabond tissue x", Misheard(1, Reason.TOO_MANY)),
        ("topmost Istanbul Plato vagabond tissue", Misheard(1, Reason.UNKNOWN, 3)),
        ("1 topmost Istanbul Pluto vagabond", Misheard(1, Reason.UNKNOWN, 1)),
        ("topmost Istan Pluto vagabond tissue", Misheard(1, Reason.UNKNOWN, 2)),
        ("top most Istanbul Pluto vagabond", Misheard(1, Reason.UNKNOWN, 1)),
        ("topmost Pluto vagabond tissue", Misheard(1, Reason.OTHER_LIST, 2)),
        ("Istanbul Pluto vagabond tissue", Misheard(1, Reason.OTHER_LIST, 1)),
        ("topmost topmost Istanbul Pluto", Misheard(1, Reason.OTHER_LIST, 2)),
        ("topmost Istanbul Pluto vagabond mural", Misheard(1, Reason.CHECK)),
        ("topmost Istanbul Pluto Virginia tissue", Misheard(1, Reason.CHECK)),
        ("x" * MAX_CHARS + "x", Misheard(1, Reason.UNKNOWN, 1)),
        (
            "topmost Istanbul Pluto vagabond tissue".ljust(MAX_CHARS + 1),
            Misheard(1, Reason.TOO_MANY),
        ),
    ],
    ids=[
        "nothing",
        "one word",
        "check word missing",
        "check word twice",
        "a word of none after it",
        "unknown word",
        "number of the line",
        "beginning of a word",
        "word in two",
        "second word left out",
        "first word left out",
        "first word twice",
        "wrong check word",
        "wrong word",
        "one endless word",
        "endless blanks",
    ],
)
def test_parse_word_line_says_what_is_wrong(text: str, expected: Misheard) -> None:
    heard = parse_word_line(text, 1)

    assert heard == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (in_rows(list(LINES[:4])), Misheard(5, Reason.TOO_FEW)),
        (in_one_row(list(LINES)) + " tissue", Misheard(5, Reason.TOO_MANY)),
        (in_one_row(list(LINES)) + "\n7", Misheard(5, Reason.TOO_MANY)),
        (in_rows([*LINES[:2], LINES[2][:4], *LINES[3:]]), Misheard(3, Reason.TOO_FEW)),
        (in_rows([LINES[0] * 2, *LINES[1:]]), Misheard(1, Reason.TOO_MANY)),
        (in_one_row([*LINES[:2], LINES[2][:4], *LINES[3:]]), Misheard(3, Reason.CHECK)),
        (in_rows([LINES[1], LINES[0], *LINES[2:]]), Misheard(1, Reason.CHECK)),
        (
            in_rows(list(LINES)).replace("Dupont", "du pont"),
            Misheard(4, Reason.UNKNOWN, 3),
        ),
        (
            in_rows(list(LINES)).replace("Medusa", "brackish"),
            Misheard(3, Reason.OTHER_LIST, 2),
        ),
    ],
    ids=[
        "last line missing",
        "one word more",
        "one number more",
        "check word missing in its row",
        "line twice in its row",
        "check word missing, no rows",
        "lines swapped",
        "word in two",
        "word of the other list",
    ],
)
def test_parse_words_names_the_first_line_that_is_wrong(
    text: str, expected: Misheard
) -> None:
    heard = parse_words(text)

    assert heard == expected


@pytest.mark.parametrize(("code", "line"), EACH_LINE, ids=EACH_LINE_IDS)
def test_each_wrong_word_is_noticed(code: Code, line: int) -> None:
    words = spelled(b"\xe5\x82\x94\xf2", code, line)
    wrong = [
        [*words[:at], word, *words[at + 1 :]]
        for at in range(5)
        for word in TWO_SYLLABLES + THREE_SYLLABLES
        if word != words[at]
    ]

    missed = [
        each
        for each in wrong
        if isinstance(parse_word_line(" ".join(each), line, code), Heard)
    ]

    assert len(wrong) == 5 * 511
    assert missed == []


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize(("code", "line"), EACH_LINE, ids=EACH_LINE_IDS)
def test_neighbours_that_were_swapped_are_noticed_where_they_stand(
    code: Code, line: int, at: int
) -> None:
    words = swapped(spelled(b"\xe5\x82\x94\xf2", code, line), at, at + 1)

    heard = parse_word_line(" ".join(words), line, code)

    assert heard == Misheard(line, Reason.OTHER_LIST, at + 1)


@pytest.mark.parametrize("line", range(4))
def test_neighbours_that_were_swapped_across_lines_are_noticed(line: int) -> None:
    swaps = []
    for lines in fingerprints(100, seed=line):
        if lines[line][4] != lines[line + 1][0]:
            words = [word for each in lines for word in each]
            swaps.append(swapped(words, 5 * line + 4, 5 * line + 5))

    heard = [parse_words(" ".join(words)) for words in swaps]

    assert heard == [Misheard(line + 1, Reason.CHECK)] * len(swaps)


@pytest.mark.parametrize(
    ("at", "fixed", "varied"),
    [(0, 2, 0), (1, 3, 1), (2, 2, 3)],
    ids=["1 and 3", "2 and 4", "3 and the check word"],
)
def test_all_but_one_in_255_swaps_of_words_two_apart_are_noticed(
    at: int, fixed: int, varied: int
) -> None:
    # While one of the two words stays, the other takes each of its 256 values: by
    # its own byte, or, where it is the check word, by the byte before it.
    swaps = []
    for stays, varies in product(range(0, 256, 16), range(256)):
        part = bytearray(b"\x28\x71\x9a\xc3")
        part[fixed], part[varied] = stays, varies
        words = spelled(bytes(part), Code.SSID_FIRST_HALF, 1)
        if words[at] != words[at + 2]:
            swaps.append(swapped(words, at, at + 2))

    missed = [
        each
        for each in swaps
        if isinstance(parse_words(" ".join(each), Code.SSID_FIRST_HALF), Heard)
    ]

    assert len(swaps) == 16 * 255
    assert len(missed) == 16


@pytest.mark.parametrize(("first", "second"), list(combinations(range(5), 2)))
def test_lines_that_were_swapped_are_noticed(first: int, second: int) -> None:
    swaps = []
    for lines in fingerprints(50, seed=10 * first + second):
        lines[first], lines[second] = lines[second], lines[first]
        swaps.append(lines)

    heard = [parse_words(in_one_row(lines)) for lines in swaps]

    assert heard == [Misheard(first + 1, Reason.CHECK)] * 50


@pytest.mark.parametrize("line", range(1, 6))
def test_line_said_in_place_of_another_is_noticed_even_if_its_bytes_are_the_same(
    line: int,
) -> None:
    words = " ".join(words_of(bytes(20))[line - 1])

    heard = [
        parse_word_line(words, other) for other in range(1, 6) if other != line
    ] + [
        parse_word_line(words, 1, Code.SSID_FIRST_HALF),
        parse_word_line(words, 1, Code.SSID_SECOND_HALF),
    ]

    assert {type(each) for each in heard} == {Misheard}
    assert {each.reason for each in heard if isinstance(each, Misheard)} == {
        Reason.CHECK
    }


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
    words = " ".join(words_of(b"\1\2\3\4", said)[0])

    heard = parse_words(words, listened_for)

    assert heard == Misheard(1, Reason.CHECK)


@pytest.mark.parametrize("at", range(25))
def test_word_left_out_is_noticed_in_its_line_when_lines_are_rows(at: int) -> None:
    texts = []
    for lines in fingerprints(20, seed=at):
        del lines[at // 5][at % 5]
        texts.append(in_rows(lines))

    heard = [parse_words(text) for text in texts]

    assert {each.line for each in heard if isinstance(each, Misheard)} == {at // 5 + 1}
    assert {type(each) for each in heard} == {Misheard}


@pytest.mark.parametrize("at", range(25))
def test_word_said_twice_is_noticed_in_its_line_when_lines_are_rows(at: int) -> None:
    texts = []
    for lines in fingerprints(20, seed=at):
        lines[at // 5].insert(at % 5, lines[at // 5][at % 5])
        texts.append(in_rows(lines))

    heard = [parse_words(text) for text in texts]

    assert {each.line for each in heard if isinstance(each, Misheard)} == {at // 5 + 1}
    assert {type(each) for each in heard} == {Misheard}


@pytest.mark.parametrize("at", range(25))
def test_word_left_out_or_said_twice_is_noticed_without_rows(at: int) -> None:
    texts = []
    for lines in fingerprints(20, seed=at):
        words = [word for line in lines for word in line]
        texts.append(" ".join(words[:at] + words[at + 1 :]))
        texts.append(" ".join(words[: at + 1] + words[at:]))

    heard = [parse_words(text) for text in texts]

    assert {type(each) for each in heard} == {Misheard}
