"""The parent's side of the cage: give a child the bytes, believe only a small grid.

Rule: whatever the child does, it is over within seconds and has told us no more than
a width, a height and so many greys.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

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
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", "-B", str(program)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
        limit=_MAX_ANSWER + 1,
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            answer = await _converse(child, data)
            status = await child.wait()
    except TimeoutError as exc:
        msg = "the child does not end"
        raise PictureRefusedError(msg) from exc
    finally:
        await _end(child)
    if status != 0:
        msg = "no such picture"
        raise PictureRefusedError(msg)
    return _measured(answer)


async def _converse(child: asyncio.subprocess.Process, data: bytes) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(data)
    child.stdin.write_eof()
    answer = b""
    while more := await child.stdout.read(_MAX_ANSWER + 1 - len(answer)):
        answer += more
        if len(answer) > _MAX_ANSWER:
            msg = "the child says more than a picture has"
            raise PictureRefusedError(msg)
    return answer


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
    # Shielded: a child that nobody waits for stays as a zombie.
    await asyncio.shield(child.wait())
    # `wait` may return before the pipes are closed; only this closes them for sure.
    transport = child._transport  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio offers no other way
    transport.close()


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
