"""A PNG into greys: every kind of pixel and filter, and whatever is no PNG."""

import struct
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.picture.png import MAX_BYTES, PngRefusedError, decode
from tests.picture.making_png import GREY, PALETTE, chunk, ihdr, png

COLOUR, GREY_ALPHA, COLOUR_ALPHA = 2, 4, 6


def greys(data: bytes) -> list[int]:
    width, height, found = decode(data)
    assert len(found) == width * height
    return list(found)


@pytest.mark.parametrize(
    ("kind", "depth", "row", "expected"),
    [
        pytest.param(GREY, 8, b"\0\x7f\xff", [0, 127, 255], id="grey"),
        pytest.param(GREY, 16, b"\0\0\x7f\0\xff\xff", [0, 127, 255], id="grey, deep"),
        pytest.param(GREY, 1, b"\xa0", [255, 0, 255], id="1 bit"),
        pytest.param(GREY, 2, b"\x1b", [0, 85, 170], id="2 bits"),
        pytest.param(GREY, 4, b"\x0f\x70", [0, 255, 119], id="4 bits"),
        pytest.param(
            COLOUR, 8, b"\xff\0\0\0\xff\0\0\0\xff", [76, 149, 29], id="colour"
        ),
        pytest.param(
            COLOUR, 16, b"\xff\xff\0\0\0\0" * 3, [76, 76, 76], id="colour, deep"
        ),
        pytest.param(GREY_ALPHA, 8, b"\0\xff\0\0\0\x80", [0, 255, 127], id="alpha"),
        pytest.param(
            COLOUR_ALPHA,
            8,
            b"\0\0\0\xff\0\0\0\0\xff\xff\xff\xff",
            [0, 255, 255],
            id="colour with alpha",
        ),
    ],
)
def test_png_of_each_kind_becomes_greys_on_white(
    kind: int, depth: int, row: bytes, expected: list[int]
) -> None:
    assert greys(png(3, [row], kind=kind, depth=depth)) == expected


def test_png_with_a_palette_becomes_greys_on_white() -> None:
    palette = chunk(b"PLTE", b"\0\0\0\xff\xff\xff\xff\0\0")
    clear = chunk(b"tRNS", b"\xff\xff\0")

    data = png(4, [b"\x1b"], kind=PALETTE, depth=2, extra=palette + clear)
    short = png(3, [b"\x18"], kind=PALETTE, depth=2, extra=palette + clear)

    with pytest.raises(PngRefusedError):  # the fourth colour is in no palette
        decode(data)
    assert greys(short) == [0, 255, 255]


def test_png_shows_its_clear_colour_as_white() -> None:
    data = png(3, [b"\0\x10\x20"], extra=chunk(b"tRNS", b"\0\x10"))

    assert greys(data) == [0, 255, 32]


def filtered(rows: Iterable[bytes], way: int, step: int = 1) -> list[bytes]:
    """Apply a filter as an encoder does (section 9.2), one formula for each."""
    done, above = [], bytes(len(next(iter(rows))))
    for row in rows:
        line = bytearray()
        for at, value in enumerate(row):
            a = row[at - step] if at >= step else 0
            b = above[at]
            c = above[at - step] if at >= step else 0
            nearest = min((a, b, c), key=lambda each: abs(a + b - c - each))
            guess = (0, a, b, (a + b) // 2, nearest)[way]
            line.append((value - guess) % 256)
        done.append(bytes(line))
        above = row
    return done


@pytest.mark.parametrize("way", range(5))
@given(data=st.data())
def test_png_is_the_same_whatever_filter_it_went_through(
    way: int, data: st.DataObject
) -> None:
    width, height = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 5))
    row = st.binary(min_size=width, max_size=width)
    rows = data.draw(st.lists(row, min_size=height, max_size=height))

    found = greys(png(width, filtered(rows, way), way=way))

    assert found == list(b"".join(rows))


def test_png_is_joined_from_several_pieces_of_data() -> None:
    packed = zlib.compress(b"\0\x01\x02\x03")
    pieces = [chunk(b"IDAT", packed[at : at + 3]) for at in range(0, len(packed), 3)]

    assert greys(png(3, data=b"".join(pieces))) == [1, 2, 3]


WHOLE = png(3, [b"\x01\x02\x03"])
BOMB = chunk(b"IDAT", zlib.compress(bytes(10_000_000)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a" + WHOLE[6:], id="another format"),
        pytest.param(WHOLE[:-5], id="cut at the end"),
        pytest.param(WHOLE[:20], id="cut in the header"),
        pytest.param(WHOLE.replace(b"IHDR", b"IHDX"), id="header of another name"),
        pytest.param(WHOLE[:-20] + b"x" + WHOLE[-19:], id="flipped byte"),
        pytest.param(png(0, [b""]), id="no width"),
        pytest.param(png(3, [], data=chunk(b"IDAT", b"")), id="no data"),
        pytest.param(png(3, [b"123"], height=0), id="no height"),
        pytest.param(png(601, [bytes(601)]), id="too wide"),
        pytest.param(png(1, [b"x"] * 301), id="too high"),
        pytest.param(png(2**31, [b"x"]), id="absurdly wide"),
        pytest.param(png(3, [b"123"], interlace=1), id="interlaced"),
        pytest.param(png(3, [b"123"], depth=3), id="depth there is none of"),
        pytest.param(png(3, [b"123"], kind=5), id="kind there is none of"),
        pytest.param(png(3, [b"123"], kind=PALETTE), id="palette missing"),
        pytest.param(png(3, [b"12"]), id="row too short"),
        pytest.param(png(3, [b"123"], way=5), id="filter there is none of"),
        pytest.param(png(3, data=chunk(b"IDAT", b"no zlib")), id="data that is none"),
        pytest.param(png(3, [b"123"], extra=chunk(b"ABCD", b"")), id="unknown need"),
        pytest.param(WHOLE + bytes(MAX_BYTES), id="too long"),
        pytest.param(WHOLE[:8] + BOMB, id="data before the header"),
    ],
)
def test_png_is_refused_when_it_is_none_that_a_puzzle_needs(data: bytes) -> None:
    with pytest.raises(PngRefusedError):
        decode(data)


def test_png_that_would_unpack_to_more_than_its_size_is_read_to_its_size() -> None:
    found = greys(png(3, data=BOMB))

    assert found == [0, 0, 0]


def test_png_with_a_chunk_that_is_only_nice_to_have_is_read() -> None:
    assert greys(png(3, [b"\1\2\3"], extra=chunk(b"tEXt", b"x"))) == [1, 2, 3]


@given(data=st.binary(max_size=200))
def test_png_reader_ends_with_greys_or_a_refusal_whatever_it_gets(data: bytes) -> None:
    header = b"\x89PNG\r\n\x1a\n" + ihdr(3)
    for candidate in (data, header + data, header + chunk(b"IDAT", data)):
        with pytest.raises(PngRefusedError):
            decode(candidate)


def test_making_png_agrees_with_the_format() -> None:
    """The header of a picture made by hand, byte by byte (section 11.2.2)."""
    assert ihdr(3)[:8] == struct.pack(">I", 13) + b"IHDR"
