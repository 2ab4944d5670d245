"""One table: dispatch, help and hints cannot disagree."""

from collections import Counter

import pytest

from coykiosk.ui_urwid.actions import Action, Binding, Where, key_name
from coykiosk.ui_urwid.deeds import Deeds
from coykiosk.ui_urwid.desk import Desk
from coykiosk.ui_urwid.keymap import (
    action_for,
    action_for_slash,
    help_for,
    hints_for,
)
from coykiosk.ui_urwid.keys import BINDINGS
from coykiosk.ui_urwid.puzzle import PuzzlePage
from coykiosk.ui_urwid.welcome import WelcomePage

every_place = pytest.mark.parametrize("where", Where, ids=lambda where: where.name)


@every_place
def test_table_gives_each_key_one_meaning_in_one_place(where: Where) -> None:
    counted = Counter(
        key for binding in BINDINGS if where in binding.where for key in binding.keys
    )

    assert [key for key, n in counted.items() if n > 1] == []


@every_place
def test_help_explains_every_key_that_dispatch_knows(where: Where) -> None:
    explained = {name for names, _ in help_for(where) for name in names.split(", ")}

    dispatched = {
        key_name(key)
        for binding in BINDINGS
        for key in binding.keys
        if action_for(where, key, empty=True) is binding.action
    }

    assert dispatched <= explained


@every_place
def test_hint_line_names_only_keys_that_dispatch_knows(where: Where) -> None:
    keys = {key_name(key): key for binding in BINDINGS for key in binding.keys}

    for action, name, _label in hints_for(where):
        assert action_for(where, keys[name], empty=True) is action


@every_place
def test_every_place_but_the_last_can_be_left(where: Where) -> None:
    leaving = {Action.QUIT, Action.YES}

    found = {action_for(where, "ctrl q", empty=False)}

    assert found & leaving or where is Where.CLOSING


def test_every_action_has_a_key_and_a_deed() -> None:
    welcome, puzzle = WelcomePage(lambda: "a b c"), PuzzlePage(lambda: 0.0)
    desk = Desk(welcome, lambda _: None, lambda _t, _g: None, puzzle)

    done = set(Deeds(desk)._table)

    assert {binding.action for binding in BINDINGS} == set(Action) == done


def test_every_action_has_a_key_that_needs_no_alt() -> None:
    needs_alt = [
        binding.action
        for binding in BINDINGS
        if all(key.startswith("meta ") for key in binding.keys)
    ]

    assert needs_alt == []


def test_question_mark_is_text_once_something_is_typed() -> None:
    assert action_for(Where.CHAT, "?", empty=True) is Action.HELP
    assert action_for(Where.CHAT, "?", empty=False) is None


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda b: b.action.name)
def test_slash_word_does_what_its_key_does(binding: Binding) -> None:
    found = action_for_slash(binding.slash)

    assert found is (binding.action if binding.slash else None)


@pytest.mark.parametrize("word", ["", "exec", "quit now", "QUIT"])
def test_slash_word_is_known_only_by_its_exact_letters(word: str) -> None:
    assert action_for_slash(word) is (Action.QUIT if word == "QUIT" else None)


@pytest.mark.parametrize(
    ("key", "name"),
    [("ctrl q", "Ctrl+Q"), ("f1", "F1"), ("meta a", "Alt+A"), ("page up", "PgUp")],
)
def test_key_name_is_as_people_write_it(key: str, name: str) -> None:
    assert key_name(key) == name
