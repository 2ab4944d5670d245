"""Draws must be fair to the last bit, and must not hang on a broken source."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.draw import below, pick


def counting_bytes() -> Callable[[int], bytes]:
    """Give every single byte value in turn, for ever."""
    state: Iterator[int] = iter(range(10**9))
    return lambda size: bytes(next(state) % 256 for _ in range(size))


@pytest.mark.parametrize("limit", [1, 2, 5, 16, 34, 80, 255, 256])
def test_below_gives_each_number_equally_often_when_all_bytes_come_up(
    limit: int,
) -> None:
    source = counting_bytes()
    fitting = 256 // (1 << (limit - 1).bit_length()) * limit if limit > 1 else 10

    counts = Counter(below(limit, source) for _ in range(fitting))

    assert len(counts) == limit
    assert len(set(counts.values())) == 1


def test_below_throws_away_what_does_not_fit_when_remainder_would_be_unfair() -> None:
    answers = iter([b"\x07", b"\x05", b"\x04"])

    number = below(5, lambda _size: next(answers))

    assert number == 4


def test_below_asks_for_two_bytes_when_one_cannot_hold_the_limit() -> None:
    sizes: list[int] = []

    def source(size: int) -> bytes:
        sizes.append(size)
        return b"\x01\x00"

    number = below(257, source)

    assert (number, sizes) == (256, [2])


def test_below_refuses_when_the_source_is_stuck() -> None:
    with pytest.raises(RuntimeError, match="stuck"):
        below(34, lambda size: b"\xff" * size)


@pytest.mark.parametrize("limit", [0, -1])
def test_below_refuses_when_there_is_nothing_to_draw_from(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        below(limit, bytes)


def test_pick_refuses_when_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        pick((), bytes)


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_below_stays_in_range_whatever_the_bytes(limit: int, random: object) -> None:
    draw = random.randbytes  # type: ignore[attr-defined]  # Hypothesis hides the type

    number = below(limit, draw)

    assert 0 <= number < limit
