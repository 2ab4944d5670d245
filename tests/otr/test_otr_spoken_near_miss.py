"""Keys made to look like the right one: read aloud faultlessly, and never accepted.

An attacker who can try many keys gets one whose fingerprint agrees with the right
one in 64 to 80 bits of his choice. Its code is whole, so a listener hears it without
a slip; the comparison must tell it apart, whatever the part that agrees.
"""

from collections.abc import Callable, Iterator

import pytest

from coykiosk.otr.spoken.codes import Heard, Misheard, compare
from coykiosk.otr.spoken.digits import digits_of, parse_digits
from coykiosk.otr.spoken.hex import hex_of, nato_of, parse_hex
from coykiosk.otr.spoken.words import parse_words, words_of
from tests.support.chance import seeded

N_KEYS = 5100
"""For each kind and spelling, so 20 x 255 changed bytes all come; 107,100 in all."""

Draw = Callable[[int], bytes]
Listener = Callable[[bytes], Heard | Misheard]


def one_byte_changed(right: bytes, at: int, draw: Draw) -> bytes:
    """Byte `at % 20` by each other value in turn."""
    del draw
    changed = bytearray(right)
    changed[at % 20] ^= 1 + at // 20 % 255
    return bytes(changed)


def one_bit_changed(right: bytes, at: int, draw: Draw) -> bytes:
    del draw
    flipped = int.from_bytes(right, "big") ^ 1 << at % 160
    return flipped.to_bytes(20, "big")


def ends_alike(right: bytes, at: int, draw: Draw) -> bytes:
    """The first and the last eight hex digits agree."""
    del at
    return right[:4] + draw(12) + right[16:]


def all_but_one_line_alike(right: bytes, at: int, draw: Draw) -> bytes:
    start = 4 * (at % 5)
    return right[:start] + draw(4) + right[start + 4 :]


def all_but_one_group_alike(right: bytes, at: int, draw: Draw) -> bytes:
    start = 2 * (at % 10)
    return right[:start] + draw(2) + right[start + 2 :]


def lines_swapped(right: bytes, at: int, draw: Draw) -> bytes:
    del draw
    lines = [right[start : start + 4] for start in range(0, 20, 4)]
    first, second = at % 5, (at % 5 + 1 + at // 5 % 4) % 5
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def halves_of_bytes_swapped(right: bytes, at: int, draw: Draw) -> bytes:
    """Each byte of one line with its hex digits the other way round."""
    del draw
    start = 4 * (at % 5)
    turned = bytes(each >> 4 | (each & 15) << 4 for each in right[start : start + 4])
    return right[:start] + turned + right[start + 4 :]


def by_words(fingerprint: bytes) -> Heard | Misheard:
    return parse_words("\n".join(" ".join(line) for line in words_of(fingerprint)))


def by_digits(fingerprint: bytes) -> Heard | Misheard:
    return parse_digits(" ".join(digits_of(fingerprint)))


def by_hex(fingerprint: bytes) -> Heard | Misheard:
    return parse_hex(" ".join(hex_of(fingerprint)))


def by_nato(fingerprint: bytes) -> Heard | Misheard:
    return parse_hex("\n".join(" ".join(group) for group in nato_of(fingerprint)))


def near_misses(
    kind: Callable[[bytes, int, Draw], bytes], count: int
) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of a right fingerprint and another that is close to it."""
    draw = seeded(count)
    for at in range(count):
        right = draw(20)
        near = kind(right, at, draw)
        if near != right:
            yield right, near


@pytest.mark.parametrize("listener", [by_words, by_digits, by_hex])
@pytest.mark.parametrize(
    "kind",
    [
        one_byte_changed,
        one_bit_changed,
        ends_alike,
        all_but_one_line_alike,
        all_but_one_group_alike,
        lines_swapped,
        halves_of_bytes_swapped,
    ],
)
def test_near_miss_is_heard_as_it_is_and_never_accepted(
    kind: Callable[[bytes, int, Draw], bytes], listener: Listener
) -> None:
    pairs = list(near_misses(kind, N_KEYS))

    heard = [(right, near, listener(near)) for right, near in pairs]

    slips = [near for _, near, each in heard if each != Heard(near)]
    accepted = [
        near
        for right, near, each in heard
        if isinstance(each, Heard) and compare(each.value, right)
    ]
    assert len(pairs) > 0.99 * N_KEYS
    assert slips == []
    assert accepted == []


@pytest.mark.parametrize("listener", [by_words, by_digits, by_hex, by_nato])
def test_right_key_is_accepted(listener: Listener) -> None:
    draw = seeded(1)
    rights = [draw(20) for _ in range(200)]

    heard = [listener(right) for right in rights]

    assert [
        isinstance(each, Heard) and compare(each.value, right)
        for each, right in zip(heard, rights, strict=True)
    ] == [True] * 200
