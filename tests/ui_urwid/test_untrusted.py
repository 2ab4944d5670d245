"""Remote text at the only door to the screen: every hostile string, and any other."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urwid.str_util import calc_width

from coykiosk.ui_urwid.untrusted import Kind, clean, clean_typed, clip, width
from tests.ui_urwid.scripted_session import BUILT

VECTORS = Path(__file__).parents[1] / "vectors" / "hostile_strings.json"
CASES = json.loads(VECTORS.read_text())["cases"]
ONE_LINE = [Kind.NICK, Kind.JID, Kind.SERVER_TEXT]
INVISIBLE = "\u00ad\u034f\u115f\u1160\u180e\u2800\u3164\uffa0\u17b4\u17b5\ufeff"
ZWNJ = "\u200c"

every_kind = pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
# All of Unicode, lone surrogates too, and the corners of it more often.
anything = st.text(
    st.one_of(
        st.characters(),
        st.characters(
            categories=["Cc", "Cf", "Cs", "Cn", "Co", "Mn", "Me", "Mc", "Zs"]
        ),
        st.sampled_from("\x1b[]\n\r\t\u202e\u2067\u200b\u200c\u200dم\u0301🇯👨\ufe0f"),
    ),
    max_size=200,
)


def is_harmless(shown: str) -> bool:
    """No control, format, surrogate, private or unassigned character, nothing blank."""
    return not any(
        (unicodedata.category(char)[0] == "C" and char != ZWNJ)
        or unicodedata.category(char) in {"Zl", "Zp"}
        or char in INVISIBLE
        for char in shown
    )


@pytest.mark.hostile("G7", "G37")
@every_kind
@every_case
def test_clean_lets_nothing_hostile_through(case: dict[str, str], kind: Kind) -> None:
    text = BUILT.get(case["s"], case["s"])

    shown = clean(text, kind)

    assert shown.strip()
    assert all(is_harmless(line) for line in shown.split("\n"))
    assert all(
        width(line) == calc_width(line, 0, len(line)) for line in shown.split("\n")
    )


@pytest.mark.hostile("G7")
@given(anything, st.sampled_from(Kind))
def test_clean_lets_nothing_harmful_through_of_any_text(text: str, kind: Kind) -> None:
    shown = clean(text, kind)

    assert shown.strip()
    assert all(is_harmless(line) for line in shown.split("\n"))


@given(anything, st.sampled_from(Kind))
def test_clean_agrees_with_urwid_on_the_width_of_any_text(
    text: str, kind: Kind
) -> None:
    lines = clean(text, kind).split("\n")

    assert [width(line) for line in lines] == [
        calc_width(line, 0, len(line)) for line in lines
    ]


@given(st.text(max_size=3000), st.sampled_from(ONE_LINE))
def test_clean_keeps_names_to_one_short_line(text: str, kind: Kind) -> None:
    shown = clean(text, kind)

    assert "\n" not in shown
    assert width(shown) <= 160 + 60


@given(anything)
def test_clean_keeps_no_more_than_four_marks_on_a_base(text: str) -> None:
    run = longest = 0
    for char in clean(text, Kind.BODY):
        run = run + 1 if unicodedata.category(char)[0] == "M" else 0
        longest = max(longest, run)

    assert longest <= 4


@pytest.mark.hostile("G37")
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_clean_leaves_plain_text_as_it_is(text: str) -> None:
    shown = clean(text, Kind.BODY)

    assert shown == (text.rstrip() or "<nothing to see>")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see \u202egnp.exe", "see <U+202E>gnp.exe"),
        ("\u2069" * 50, "<U+2069 x50>"),
        ("\x1b[31;1mred", "<U+001B>[31;1mred"),
        ("\x9b31mred", "<U+009B>31mred"),
        ("ret\rOVERWRITE", "ret<U+000D>OVERWRITE"),
        ("one\r\ntwo", "one\ntwo"),
        ("a\u202812:01 alice> x", "a\n12:01 alice> x"),
        ("a\u200bb", "ab"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("a\u200cb", "ab"),
        ("x" + "\u0301" * 300, "x" + "\u0301" * 4),
        ("\u0301\u0301lead", "lead"),
        ("😀", ":grinning face:"),
        ("🇯🇵", ":J::P:"),
        ("\u3164", "<U+3164>"),
        ("\ud800", "<U+D800>"),
        ("你好", "你好"),
        ("hi \t \t", "hi"),
        ("\u200b\u200b", "<nothing to see>"),
        ("{0.__class__} %s", "{0.__class__} %s"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_clean_shows_a_message(text: str, shown: str) -> None:
    assert clean(text, Kind.BODY) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sam", "sam"),
        ("", "<no visible name>"),
        ("\u200e", "(!) <no visible name> <U+200E>"),
        ("two\nlines", "two lines"),
        ("мария", "мария"),
        ("al\u1d2cice", "(!) al\u1d2cice <U+1D2C>"),
        ("p\u0430ypal", "(!) p\u0430ypal <U+0430>"),
        ("a\u200bb", "a<U+200B>b"),
        ("dkg ✅", "dkg :white heavy check.."),
        ("x" * 40, "x" * 22 + ".."),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_clean_shows_a_name(text: str, shown: str) -> None:
    assert clean(text, Kind.NICK) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sam@example.org", "sam@example.org"),
        ("\uff41lice@example.org", "(!) \uff41lice@example.org <U+FF41>"),
        ("b\u00fccher@x.org", "(!) b\u00fccher@x.org <U+00FC>"),
        ("\u202ecilA@x.org", "(!) cilA@x.org <U+202E>"),
        ("абвгдежз@x", "(!) абвгдежз@x <U+0430 U+0431 U+0432 U+0433 U+0434 U+0435 ..>"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_clean_points_at_what_is_not_ascii_in_an_address(text: str, shown: str) -> None:
    assert clean(text, Kind.JID) == shown


def test_clean_folds_a_message_of_many_lines_with_a_count() -> None:
    shown = clean("x\n" * 5000, Kind.BODY).split("\n")

    assert len(shown) == 301
    assert shown[-1] == "[4700 more lines not shown]"


def test_clean_folds_a_long_message_with_a_count() -> None:
    shown = clean("x" * 25_000, Kind.BODY).split("\n")

    assert shown[-1] == "[5000 more characters not shown]"


def test_clean_bounds_what_spelled_out_code_points_take() -> None:
    shown = clean("\u202e\u202d" * 10_000, Kind.BODY)

    assert len(shown) < 41_000
    assert shown.endswith("[the rest is not shown]")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x1b[31mb\x07", "a[31mb"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\tb", "a    b"),
        ("a\u202eb\u200bc", "abc"),
        ("\u0645\u200c", "\u0645\u200c"),
        ("a\u200c", "a"),
        ("a\u00a0b", "a b"),
        ("😀", "😀"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_clean_typed_keeps_what_may_be_sent(text: str, kept: str) -> None:
    assert clean_typed(text) == kept


@given(anything)
def test_clean_typed_keeps_nothing_illegal_in_xml(text: str) -> None:
    kept = clean_typed(text)

    assert not any(
        unicodedata.category(char)[0] == "C" and char not in {"\n", ZWNJ}
        for char in kept
    )


@given(st.text("ab你", max_size=30), st.integers(0, 20))
def test_clip_never_passes_its_width(text: str, cells: int) -> None:
    assert width(clip(text, cells)) <= cells
