"""Names and passwords: one shape, fair, and never a reserved word."""

import math
import random
import re
from collections import Counter

import pytest

from coykiosk.register import identity
from coykiosk.register.identity import Identity, draw_identity, is_reserved

SHAPE = re.compile(r"([bdfghjklmnprstvz][aeiou]){5}")


def draws(count: int, seed: int = 1) -> list[Identity]:
    source = random.Random(seed)  # noqa: S311 - the same draws in every run
    return [draw_identity(source.randbytes) for _ in range(count)]


def spelling(word: str) -> bytes:
    """Return the bytes that make the draw spell this name, by hand-made tables."""
    consonants, vowels = "bdfghjklmnprstvz", "aeiou"
    return bytes(
        (consonants if place % 2 == 0 else vowels).index(letter)
        for place, letter in enumerate(word)
    )


def feeding(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def test_localpart_has_ten_letters_in_pairs_always() -> None:
    localparts = [one.localpart for one in draws(500)]

    assert all(SHAPE.fullmatch(localpart) for localpart in localparts)


def test_localparts_differ_when_drawn_many_times() -> None:
    localparts = {one.localpart for one in draws(500)}

    assert len(localparts) == 500


def test_localpart_is_drawn_again_when_it_holds_a_reserved_word() -> None:
    answers = iter(feeding(spelling("sudobababa") + spelling("lomiduvako") + bytes(99)))

    drawn = draw_identity(lambda _size: next(answers))

    assert drawn.localpart == "lomiduvako"


@pytest.mark.parametrize(
    "name", ["superuseru", "moderatoru", "badabusebe", "lurobotola", "naziminolu"]
)
def test_name_is_reserved_when_a_word_stands_anywhere_in_it(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("word", ["admin", "root", "support", "postmaster", "security"])
def test_word_is_reserved_whatever_the_shape_of_names(word: str) -> None:
    assert is_reserved(f"x{word}x")


def test_no_reserved_word_comes_up_in_many_names() -> None:
    names = [one.localpart for one in draws(5000, seed=7)]

    assert not [name for name in names if is_reserved(name)]


def test_password_has_24_characters_of_its_alphabet() -> None:
    passwords = [one.password for one in draws(200)]

    assert all(re.fullmatch(r"[a-z2-9]{24}", password) for password in passwords)


def test_password_characters_are_equally_likely() -> None:
    """Chi-square with 33 degrees of freedom: 63 is passed once in 700 draws."""
    counts = Counter("".join(one.password for one in draws(1500)))

    expected = 1500 * 24 / 34
    chi_square = sum((n - expected) ** 2 / expected for n in counts.values())
    assert len(counts) == 34
    assert chi_square < 63


def test_letters_at_each_place_of_a_name_are_equally_likely() -> None:
    """Chi-square, 15 and 4 degrees of freedom: limits passed once in 1000."""
    names = [one.localpart for one in draws(4000)]

    columns = [Counter(name[place] for name in names) for place in range(10)]
    chi_squares = [
        sum((n - 4000 / k) ** 2 / (4000 / k) for n in column.values())
        for column, k in zip(columns, [16, 5] * 5, strict=True)
    ]
    assert [len(column) for column in columns] == [16, 5] * 5
    assert max(chi_squares[0::2]) < 50
    assert max(chi_squares[1::2]) < 25


def test_localpart_bits_are_no_more_than_the_shape_gives() -> None:
    """Every forbidden word at every place it fits, counted as if none overlapped."""
    pairs = 16 * 5
    lost = 0.0
    for word in identity.RESERVED:
        for place in range(10 - len(word) + 1):
            fits = [
                letter in (identity.CONSONANTS if (place + i) % 2 == 0 else "aeiou")
                for i, letter in enumerate(word)
            ]
            if all(fits):
                lost += math.prod(
                    1 / (16 if (place + i) % 2 == 0 else 5) for i in range(len(word))
                )

    bits = math.log2(pairs**5 * (1 - lost))
    assert 0 <= bits - identity.LOCALPART_BITS < 0.12


def test_password_bits_are_no_more_than_the_alphabet_gives() -> None:
    bits = 24 * math.log2(26 + 8)

    assert 0 <= bits - identity.PASSWORD_BITS < 0.2


def test_alphabets_are_what_the_shape_says() -> None:
    assert len(set(identity.CONSONANTS)) == len(identity.CONSONANTS) == 16
    assert len(set(identity.VOWELS)) == len(identity.VOWELS) == 5
    assert len(set(identity.PASSWORD_LETTERS)) == len(identity.PASSWORD_LETTERS) == 34


def test_password_passes_the_strength_formula_of_ejabberd() -> None:
    """ejabberd, mod_register password_strength: length * log2(size of classes)."""
    password = draws(1)[0].password

    assert len(password) * math.log2(26 + 9) > 120


def test_identity_shows_neither_name_nor_password_in_its_repr() -> None:
    secretive = Identity("lomiduvako", "abcdefghijklmnopqrstuvwx")

    text = repr(secretive)

    assert "lomiduvako" not in text
    assert "abcdef" not in text


def test_draw_refuses_when_the_source_always_spells_a_reserved_word() -> None:
    spelled = feeding(spelling("sudobababa"))
    state = iter(range(10**9))

    with pytest.raises(RuntimeError, match="stuck"):
        draw_identity(lambda _size: spelled[next(state) % 10])
