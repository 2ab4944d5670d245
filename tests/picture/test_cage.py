"""The cage: a child that reads one picture, and can do nothing else."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coykiosk.picture import PictureRefusedError, png, read_picture
from coykiosk.values import Picture
from tests.picture.making_png import png as make_png

PICTURE = make_png(4, [b"\0\x40\x80\xff", b"\xff\x80\x40\0"])


def read(data: bytes, program: Path | None = None) -> Picture:
    async def main() -> Picture:
        if program is None:
            return await read_picture(data)
        return await read_picture(data, program=program)

    return asyncio.run(main())


def test_cage_gives_the_greys_of_a_picture() -> None:
    picture = read(PICTURE)

    assert (picture.width, picture.height) == (4, 2)
    assert picture.greys == b"\0\x40\x80\xff\xff\x80\x40\0"


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", PICTURE[:-6], PICTURE + bytes(64 * 1024)]
)
def test_cage_refuses_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(PictureRefusedError):
        read(data)


# --- what the child could do if it were taken over -------------------------------------


def confined(tmp_path: Path, attack: str) -> subprocess.CompletedProcess[str]:
    """Run a child that gives up its rights as the real one does, then attacks."""
    folder = Path(png.__file__).parent
    program = (
        f"import os, socket, subprocess, sys\nsys.path.insert(0, {str(folder)!r})\n"
        f"import png\nresult = 'nothing'\nplace = {str(tmp_path / 'left')!r}\n"
        f"png.confine()\ntry:\n    {attack}\nexcept (OSError, MemoryError) as exc:\n"
        "    print(type(exc).__name__, getattr(exc, 'errno', ''))\nelse:\n"
        "    print('did it')\n"
    )
    return subprocess.run(  # noqa: S603 # this Python, and the words above
        [sys.executable, "-I", "-S", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param("socket.socket()", id="a socket"),
        pytest.param("socket.socketpair()", id="two sockets"),
        pytest.param("open('/etc/hostname')", id="a file to read"),
        pytest.param("open(place, 'w')", id="a file to write"),
        pytest.param("os.memfd_create('x')", id="a file in memory"),
        pytest.param("os.pipe()", id="a pipe"),
        pytest.param("subprocess.Popen(['true'])", id="a program"),
        pytest.param("bytearray(200_000_000)", id="memory"),
        pytest.param("os.dup(0)", id="a second name for what it has"),
    ],
)
def test_child_can_do_nothing_but_read_its_picture(tmp_path: Path, attack: str) -> None:
    ended = confined(tmp_path, attack)

    assert ended.stdout != "did it\n"
    assert "Error" in ended.stdout, ended.stderr
    assert not list(tmp_path.iterdir())


def test_child_cannot_divide(tmp_path: Path) -> None:
    ended = confined(tmp_path, "os.fork()")

    assert "BlockingIOError" in ended.stdout


def test_child_that_spins_is_ended_by_the_kernel(tmp_path: Path) -> None:
    ended = confined(tmp_path, "sum(1 for _ in iter(int, 1))")

    assert ended.returncode < 0
    assert ended.stdout == ""


# --- what a child that was taken over could say -------------------------------------------


def child(tmp_path: Path, program: str) -> Path:
    path = tmp_path / "child.py"
    path.write_text(f"import sys, os\nwrite = sys.stdout.buffer.write\n{program}\n")
    return path


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("", id="nothing"),
        pytest.param("write(b'2 2\\n123')", id="too few greys"),
        pytest.param("write(b'2 2\\n12345')", id="too many greys"),
        pytest.param("write(b'0 0\\n')", id="no size"),
        pytest.param("write(b'-1 -1\\n1')", id="a size below nothing"),
        pytest.param("write(b'1e0 1\\n1')", id="a size that is no number"),
        pytest.param("write(b'601 1\\n' + bytes(601))", id="too wide"),
        pytest.param("write(b'2 2 1234')", id="no end of line"),
        pytest.param("write(bytes(10_000_000))", id="far too much"),
        pytest.param("write(b'1 1\\n1'); sys.exit(1)", id="a bad end"),
        pytest.param("write(b'1 1\\n1'); sys.stdout.flush(); os.abort()", id="a crash"),
        pytest.param("\nwhile True: write(bytes(1000))", id="without end"),
    ],
)
def test_cage_believes_nothing_but_a_picture(tmp_path: Path, program: str) -> None:
    with pytest.raises(PictureRefusedError):
        read(PICTURE, child(tmp_path, program))


def test_cage_ends_a_child_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.picture.cage._LIMIT_S", 0.2)
    silent = child(
        tmp_path,
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nsys.stdin.read()\nimport signal\nsignal.pause()",
    )

    with pytest.raises(PictureRefusedError):
        read(PICTURE, silent)

    pid_file = tmp_path / "pid"
    if pid_file.exists():  # it had time to begin
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)


def test_cage_takes_its_child_along_when_it_is_cancelled(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    waiting = child(
        tmp_path,
        f"open({str(marker)!r}, 'w').write(str(os.getpid()))\n"
        "import signal\nsignal.pause()",
    )

    async def main() -> None:
        task = asyncio.create_task(read_picture(PICTURE, program=waiting))
        async with asyncio.timeout(30):
            while not (  # noqa: ASYNC110  # another process writes it
                marker.exists() and marker.read_text()
            ):
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
