"""Suggested, judged and normalised passphrases."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.vault import passphrase
from coykiosk.vault.passphrase import judge, normalise, suggest

EFF_LIST_SHA256 = "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e"


def drawing(*numbers: int) -> "Draws":
    return Draws(numbers)


class Draws:
    """Random bytes that spell the given 16-bit numbers."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = iter(numbers)

    def __call__(self, n: int) -> bytes:
        return next(self._numbers).to_bytes(n)


def test_word_list_is_the_published_one() -> None:
    content = passphrase._LIST.read_bytes()

    assert hashlib.sha256(content).hexdigest() == EFF_LIST_SHA256
    assert len(set(passphrase._words())) == 7776


def test_word_list_names_its_licence() -> None:
    notice = passphrase._LIST.with_suffix(".LICENSE").read_text()

    assert "Creative Commons Attribution 3.0 United States" in notice
    assert EFF_LIST_SHA256 in notice


def test_suggest_spells_the_drawn_words() -> None:
    assert (
        suggest(drawing(0, 1, 7775, 7776 + 2, 3, 62207 - 7775 + 4))
        == "abacus abdomen zoom abdominal abide abiding"
    )


def test_suggest_throws_draws_away_that_would_favour_the_first_words() -> None:
    suggestion = suggest(drawing(62208, 65535, 0, 1, 64000, 2, 3, 4, 5))

    assert suggestion == "abacus abdomen abdominal abide abiding ability"


def test_suggest_draws_again_when_a_word_comes_twice() -> None:
    suggestion = suggest(drawing(0, 0, 7776, 1, 2, 1, 3, 4, 5))

    assert suggestion == "abacus abdomen abdominal abide abiding ability"


def test_suggest_reaches_the_whole_list_evenly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = passphrase._words()
    monkeypatch.setattr(passphrase, "_words", lambda: words)  # read once, not 10,000 x
    every_draw = iter(range(65536))

    def in_turn(n: int) -> bytes:
        return next(every_draw).to_bytes(n)

    counted = Counter(" ".join(suggest(in_turn) for _ in range(10_368)).split())

    assert len(counted) == 7776
    assert set(counted.values()) == {8}  # 62,208 draws are kept, 8 for each word


def test_suggestions_are_always_enough() -> None:
    judged = [judge(suggest(os.urandom)) for _ in range(300)]

    assert {(verdict.score, verdict.is_enough) for verdict in judged} == {(4, True)}
    assert min(verdict.entropy_bits for verdict in judged) > 77


def test_longest_suggestion_is_enough_though_zxcvbn_would_refuse_its_length() -> None:
    longest = sorted(set(passphrase._words()), key=len)[-9:]

    verdict = judge(" ".join(longest))

    assert len(" ".join(longest)) > 72
    assert verdict.is_enough


@pytest.mark.parametrize(
    "weak",
    [
        "",
        " ",
        "\t \u3000\n",
        "a",
        "password1234",
        "Tr0ub4dor&3",
        "zoom zoom zoom zoom zoom zoom",
        "zoom zoom zoom zoom zoom abacus",
        "qwertyuiop",
        "a" * 72,
        "a" * 73,
        "a" * 5000,
        "1234567890" * 20,
        "\ud800",
    ],
    ids=lambda weak: ascii(weak)[:30],
)
def test_judge_finds_weak_passphrases_wanting(weak: str) -> None:
    assert not judge(weak).is_enough


@pytest.mark.parametrize(
    "strong",
    [
        "kX9#mQ2$vL7!pW4z",
        "correct donkey pylon staple",
        "zmEv 8Kq1 wXfP 90sd Lrt2 " * 4,
        "  BADNESS impish   glorify dish bobble patronize ",
    ],
)
def test_judge_accepts_strong_passphrases_of_ones_own(strong: str) -> None:
    assert judge(strong).is_enough


def test_judge_does_not_credit_six_words_with_capitals_as_drawn() -> None:
    verdict = judge("Badness impish glorify dish bobble patronize")

    assert (
        verdict.entropy_bits
        != judge("badness impish glorify dish bobble patronize").entropy_bits
    )


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_judge_has_an_answer_for_every_text(text: str) -> None:
    verdict = judge(text)

    assert 0 <= verdict.score <= 4
    assert verdict.entropy_bits >= 0
    assert verdict.is_enough == (verdict.entropy_bits >= 50)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("  six   words\there ", "six words here"),
        ("six\u00a0words\u3000here", "six words here"),
        ("six words here\n", "six words here"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\uff53\uff49\uff58", "six"),
        ("\ufb01sh", "fish"),
        ("", ""),
        (" ", ""),
    ],
    ids=ascii,
)
def test_normalise_gives_one_spelling_for_what_looks_the_same(
    typed: str, same: str
) -> None:
    assert normalise(typed) == same


def test_normalise_keeps_case() -> None:
    assert normalise("Six Words") == "Six Words"


@given(st.text(max_size=60))
def test_normalise_changes_nothing_the_second_time(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


def test_first_paint_needs_nothing_heavy() -> None:
    script = (
        "import os, sys\n"
        "from coykiosk.vault.passphrase import suggest\n"
        "suggest(os.urandom)\n"
        "heavy = {'argon2', 'cryptography', 'zxcvbn', 'slixmpp', 'stem', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "[]\n"
