"""PNGs made by hand, so that every field of one can be wrong."""

import struct
import zlib
from collections.abc import Sequence

GREY, PALETTE = 0, 3
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk with its length and its check sum."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def ihdr(
    width: int, height: int = 1, *, depth: int = 8, kind: int = GREY, interlace: int = 0
) -> bytes:
    """The header chunk."""
    fields = (width, height, depth, kind, 0, 0, interlace)
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def png(
    width: int,
    rows: Sequence[bytes] = (b"",),
    *,
    height: int | None = None,
    kind: int = GREY,
    depth: int = 8,
    interlace: int = 0,
    way: int = 0,
    extra: bytes = b"",
    data: bytes | None = None,
) -> bytes:
    """A whole picture; its rows are filtered already, in the way that is named."""
    height = len(rows) if height is None else height
    if data is None:
        raw = b"".join(bytes([way]) + row for row in rows)
        data = chunk(b"IDAT", zlib.compress(raw))
    head = ihdr(width, height, depth=depth, kind=kind, interlace=interlace)
    return SIGNATURE + head + extra + data + chunk(b"IEND", b"")
