"""The field for a passphrase: what it takes, shows, gives and forgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.ui_urwid.passphrase import PassphraseField, normalised


def typed(*keys: str, is_shown: bool = False) -> PassphraseField:
    field = PassphraseField(is_shown=is_shown)
    for key in keys:
        field.keypress(key)
    return field


def test_field_gives_what_was_typed_and_forgets_it() -> None:
    field = typed(*"six words")

    secret = field.take()

    assert secret.reveal() == b"six words"
    assert field.is_empty
    assert bytes(field._buffer) == bytes(1024)


def test_field_shows_one_star_for_each_letter() -> None:
    assert typed(*"aé你").widget().text == "> ***"


def test_field_shows_the_letters_when_asked() -> None:
    assert typed(*"aé你", is_shown=True).widget().text == "> aé你"


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ([*"ab", "backspace"], "a"),
        ([*"aé你", "backspace"], "aé"),
        (["backspace"], ""),
        ([*"one two", "ctrl w"], "one"),
        ([*"one", "ctrl w"], ""),
        ([*"one two", "ctrl u"], ""),
        ([" ", *"a"], "a"),
        ([*"a", "\x1b", "\u202e", "\x9b", *"b"], "ab"),
    ],
)
def test_field_edits(keys: list[str], left: str) -> None:
    assert typed(*keys).text() == left


def test_field_leaves_other_keys_to_others() -> None:
    assert not PassphraseField(is_shown=False).keypress("f1")


def test_field_takes_no_more_than_its_room() -> None:
    field = typed("x" * 1)

    field.insert("y" * 2000)

    assert field.text() == "x"


def test_field_has_a_representation_without_its_content() -> None:
    assert "secret" not in repr(typed(*"secret"))


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("  a   b ", "a b"),
        ("a\u00a0b", "a b"),
        ("e\u0301", "é"),
        ("a\nb", "a b"),
    ],
)
def test_normalised_makes_equal_what_looks_equal(text: str, used: str) -> None:
    assert normalised(text) == used


@given(st.text())
def test_normalised_is_stable(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
