"""The child that reads one PNG: a file on standard input, greys on standard output.

Rule: run as a program of its own, by `cage`; imports nothing of ours. It gives up
what it could do harm with before it reads the first byte: more memory, more time,
files, sockets, children. Strict: what no picture puzzle needs is refused.

Output: one line "WIDTH HEIGHT", then a byte for each pixel, row by row, 0 for black.
Ends with 0, or with 1 and nothing written.

Source: Portable Network Graphics (W3C, second edition), sections 5 to 11.
"""

import os
import resource
import struct
import sys
import zlib
from collections.abc import Iterator

MAX_BYTES = 64 * 1024
MAX_WIDTH = 600
MAX_HEIGHT = 300
CPU_LIMIT_S = 2
MEMORY_LIMIT_BYTES = 128 * 1024 * 1024

_NOBODY = 65534
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _COLOUR: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _COLOUR_ALPHA: (8, 16),
}
_IHDR_BYTES = 13
_CHUNK_HEAD_BYTES = 8  # a length and a name
_BYTE_BITS = 8
_WHITE = 255
_MAX_COLOURS = 256
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)


class PngRefusedError(Exception):
    """It is no PNG, or none that a puzzle needs."""


class Header:
    """What IHDR says (section 11.2.2)."""

    def __init__(self, data: bytes) -> None:
        if len(data) != _IHDR_BYTES:
            raise PngRefusedError
        self.width, self.height, self.depth, self.kind, *ways = struct.unpack(
            ">IIBBBBB", data
        )
        if not (1 <= self.width <= MAX_WIDTH and 1 <= self.height <= MAX_HEIGHT):
            raise PngRefusedError
        if self.depth not in _DEPTHS.get(self.kind, ()) or any(ways):
            raise PngRefusedError  # or interlaced
        n_bits = self.width * _SAMPLES[self.kind] * self.depth
        self.row_bytes = (n_bits + _BYTE_BITS - 1) // _BYTE_BITS
        self.pixel_bytes = max(1, _SAMPLES[self.kind] * self.depth // _BYTE_BITS)


def confine() -> None:
    """Give up whatever reading a picture does not need.

    Without a free file descriptor there is no file to open and no socket to make;
    the three that there are lead to `cage` and to nowhere. Root is above the limit on
    children, so it is given up as well.
    """
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_LIMIT_S),
        (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(limit, (most, most))


def decode(data: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the greys of a PNG.

    Raises:
        PngRefusedError: it is none, or one that we do not take.
    """
    if len(data) > MAX_BYTES:
        raise PngRefusedError
    header, palette, opaque, packed = _parts(data)
    rows = _rows(header, _inflate(packed, header))
    levels = Levels(header, palette, opaque)
    greys = b"".join(levels.of(row) for row in rows)
    return header.width, header.height, greys


def _parts(data: bytes) -> tuple[Header, bytes, bytes, bytes]:
    header, palette, opaque, packed = None, b"", b"", b""
    for kind, content in _chunks(data):
        if header is None:
            if kind != b"IHDR":
                raise PngRefusedError
            header = Header(content)
        elif kind == b"PLTE":
            palette = content
        elif kind == b"tRNS":
            opaque = content
        elif kind == b"IDAT":
            packed += content
        elif kind[0] & 0x20 == 0:  # a critical chunk that we do not know
            raise PngRefusedError
    if header is None or not packed:
        raise PngRefusedError
    return header, palette, opaque, packed


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks up to IEND (section 5.3); each is whole, or refused."""
    if not data.startswith(_SIGNATURE):
        raise PngRefusedError
    at = len(_SIGNATURE)
    while True:
        head = data[at : at + _CHUNK_HEAD_BYTES]
        if len(head) < _CHUNK_HEAD_BYTES:
            raise PngRefusedError
        (length,), kind = struct.unpack(">I", head[:4]), head[4:]
        end = at + _CHUNK_HEAD_BYTES + length
        content, check = data[at + _CHUNK_HEAD_BYTES : end], data[end : end + 4]
        if check != struct.pack(">I", zlib.crc32(kind + content)):
            raise PngRefusedError
        if kind == b"IEND":
            return
        yield kind, content
        at = end + 4


def _inflate(packed: bytes, header: Header) -> bytes:
    n_bytes = header.height * (1 + header.row_bytes)
    try:
        data = zlib.decompressobj().decompress(packed, n_bytes)
    except zlib.error as exc:
        raise PngRefusedError from exc
    if len(data) != n_bytes:
        raise PngRefusedError
    return data


def _rows(header: Header, data: bytes) -> Iterator[bytes]:
    """Undo the filters (section 9)."""
    above = bytes(header.row_bytes)
    for number in range(header.height):
        start = number * (1 + header.row_bytes)
        row = bytearray(data[start + 1 : start + 1 + header.row_bytes])
        _unfilter(data[start], row, above, header.pixel_bytes)
        above = bytes(row)
        yield above


def _unfilter(way: int, row: bytearray, above: bytes, step: int) -> None:
    if way not in (_NONE, _SUB, _UP, _AVERAGE, _PAETH):
        raise PngRefusedError
    for at in range(len(row) if way != _NONE else 0):
        left = row[at - step] if at >= step else 0
        up = above[at]
        corner = above[at - step] if at >= step else 0
        guess = {
            _SUB: left,
            _UP: up,
            _AVERAGE: (left + up) // 2,
        }.get(way)
        if guess is None:
            guess = _paeth(left, up, corner)
        row[at] = (row[at] + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    by_left, by_up = abs(estimate - left), abs(estimate - up)
    by_corner = abs(estimate - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


def _samples(row: bytes, depth: int, count: int) -> list[int]:
    """Return the first samples of a row, as they are stored; of 16 bits the upper 8."""
    if depth == _BYTE_BITS:
        return list(row[:count])
    if depth > _BYTE_BITS:
        return list(row[: 2 * count : 2])
    mask = (1 << depth) - 1
    return [
        row[at * depth // _BYTE_BITS] >> (_BYTE_BITS - depth - at * depth % _BYTE_BITS)
        & mask
        for at in range(count)
    ]


class Levels:
    """Turns the rows of one picture into greys, on white paper."""

    def __init__(self, header: Header, palette: bytes, opaque: bytes) -> None:
        self._header = header
        self._n_samples = _SAMPLES[header.kind]
        self._most = (1 << min(header.depth, _BYTE_BITS)) - 1
        self._palette: list[int] = []
        self._clear: tuple[int, ...] | None = None
        """The one colour that stands for nothing there (tRNS), as it is stored."""
        if header.kind == _PALETTE:
            self._palette = _palette_greys(palette, opaque)
        elif opaque and header.depth <= _BYTE_BITS:
            self._clear = tuple(opaque[1::2])

    def of(self, row: bytes) -> bytes:
        """Return a grey for each pixel."""
        n, step = self._header.width, self._n_samples
        samples = _samples(row, self._header.depth, n * step)
        pixels = zip(*(samples[at::step] for at in range(step)), strict=True)
        return bytes(self._grey(pixel) for pixel in pixels)

    def _grey(self, pixel: tuple[int, ...]) -> int:
        if pixel == self._clear:
            return _WHITE
        kind = self._header.kind
        if kind == _PALETTE:
            if pixel[0] >= len(self._palette):
                raise PngRefusedError
            return self._palette[pixel[0]]
        level = pixel[0] * _WHITE // self._most
        if kind in (_COLOUR, _COLOUR_ALPHA):
            level = _luma(*pixel[:3])
        return _on_paper(level, pixel[-1]) if kind in _WITH_ALPHA else level


_WITH_ALPHA = (_GREY_ALPHA, _COLOUR_ALPHA)


def _palette_greys(palette: bytes, opaque: bytes) -> list[int]:
    if not palette or len(palette) % 3 or len(palette) > 3 * _MAX_COLOURS:
        raise PngRefusedError
    n_colours = len(palette) // 3
    alphas = opaque[:n_colours].ljust(n_colours, b"\xff")
    colours = zip(palette[::3], palette[1::3], palette[2::3], strict=True)
    return [
        _on_paper(_luma(*colour), alpha)
        for colour, alpha in zip(colours, alphas, strict=True)
    ]


def _luma(red: int, green: int, blue: int) -> int:
    return (299 * red + 587 * green + 114 * blue) // 1000  # ITU-R BT.601


def _on_paper(level: int, alpha: int) -> int:
    return (level * alpha + _WHITE * (_WHITE - alpha)) // _WHITE


def main() -> int:
    """Read, decode and write; returns the exit status."""
    confine()
    try:
        width, height, greys = decode(sys.stdin.buffer.read(MAX_BYTES + 1))
    except PngRefusedError:
        return 1
    sys.stdout.buffer.write(b"%d %d\n" % (width, height) + greys)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
