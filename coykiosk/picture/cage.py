"""The parent's side of the cage: give a child the bytes, believe only a small grid.

Rule: whatever the child does, it is over within seconds and has told us no more than
a width, a height and so many greys.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final, final

from coykiosk.picture import png
from coykiosk.values import Picture

__all__ = ["PictureRefusedError", "read_picture"]

_PROGRAM: Final = Path(png.__file__)
_LIMIT_S: Final = 10.0
"""The child itself has two seconds of CPU time; a busy machine may need longer."""
_HEAD_BYTES: Final = 16
_MAX_ANSWER: Final = _HEAD_BYTES + png.MAX_WIDTH * png.MAX_HEIGHT


class PictureRefusedError(Exception):
    """These bytes are no picture that we show."""


async def read_picture(data: bytes, *, program: Path = _PROGRAM) -> Picture:
    """Read a PNG (at most 64 KiB, 600 x 300 pixels) without trusting it.

    Args:
        data: As it came.
        program: What runs in the child.

    Raises:
        PictureRefusedError: it is no such picture, or the child did not end well.
        OSError: no child can be started.
    """
    if len(data) > png.MAX_BYTES:
        msg = "longer than a picture may be"
        raise PictureRefusedError(msg)
    transport, child = await asyncio.get_running_loop().subprocess_exec(
        _Child,
        *(sys.executable, "-I", "-S", "-B", str(program)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        child.hand_over(data)
        async with asyncio.timeout(_LIMIT_S):
            await child.gone.wait()
    except TimeoutError as exc:
        msg = "the child does not end"
        raise PictureRefusedError(msg) from exc
    finally:
        transport.close()  # kills it, if it is still there
        # Shielded: a child that nobody waits for stays as a zombie.
        await asyncio.shield(child.gone.wait())
    if transport.get_returncode() != 0:
        msg = "no such picture"
        raise PictureRefusedError(msg)
    return _measured(bytes(child.answer))


@final
class _Child(asyncio.SubprocessProtocol):
    """What the child says, as far as it is listened to, and when it is gone."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self.gone = asyncio.Event()
        """Set when it has ended and its pipes are closed."""
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the child; it has begun."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def hand_over(self, data: bytes) -> None:
        """Give it the picture, and nothing more."""
        assert self._transport is not None
        pipe = self._transport.get_pipe_transport(0)
        assert isinstance(pipe, asyncio.WriteTransport)
        pipe.write(data)
        pipe.write_eof()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Listen; a child that says more than a picture has is not heard out."""
        assert fd == 1, "it has no other pipe to speak through"
        self.answer += data
        if len(self.answer) > _MAX_ANSWER and self._transport is not None:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note that it is gone."""
        self.gone.set()


def _measured(answer: bytes) -> Picture:
    head, end, greys = answer.partition(b"\n")
    width, _, height = head.partition(b" ")
    if not (end and width.isdigit() and height.isdigit()):
        msg = "the child does not say how large"
        raise PictureRefusedError(msg)
    picture = Picture(int(width), int(height), greys)
    is_small = picture.width <= png.MAX_WIDTH and picture.height <= png.MAX_HEIGHT
    if not is_small or len(greys) != picture.width * picture.height or not greys:
        msg = "the child says another size than it gives"
        raise PictureRefusedError(msg)
    return picture
