"""The file in its directory: whole or not at all, private, alone."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from coykiosk.vault.disk import (
    ForeignDirectory,
    InUse,
    LockedFile,
    NotAFile,
    is_present,
    make_directory,
)
from tests.vault.conftest import names

OLD = b"old content"
NEW = b"new content, longer than the old"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    directory = tmp_path / "private"
    directory.mkdir(mode=0o700)
    return directory


def held(directory: Path) -> LockedFile:
    return LockedFile.acquire(directory / "vault", os.urandom)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.hostile("G40")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_replace_writes_a_private_file_whatever_the_umask(
    private: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        file = held(private)
        file.replace(NEW)
        file.release()
    finally:
        os.umask(before)

    assert (private / "vault").read_bytes() == NEW
    assert mode(private / "vault") == 0o600
    assert names(private) == ["vault"]


@pytest.mark.parametrize("call", ["open", "fchmod", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EIO], ids=errno.errorcode.get
)
def test_replace_leaves_the_old_content_when_a_step_goes_wrong(
    private: Path, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = held(private)
    file.replace(OLD)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "planted")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        with pytest.raises(OSError, match="planted"):
            file.replace(NEW)

    assert (private / "vault").read_bytes() == OLD
    assert names(private) == ["vault", "vault.lock"]
    file.release()


def test_replace_writes_everything_when_the_system_takes_little_at_a_time(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = held(private)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))

    file.replace(NEW)

    file.release()
    assert (private / "vault").read_bytes() == NEW


def test_replace_syncs_the_content_before_the_name_and_then_the_directory(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = held(private)
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("fsync directory" if is_directory else "fsync file")
        fsync(descriptor)

    def noting_replace(old: str, new: str, **directories: int) -> None:
        steps.append("rename")
        replace(old, new, **directories)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    file.replace(NEW)

    file.release()
    assert steps == ["fsync file", "rename", "fsync directory"]


def test_replace_does_not_write_through_a_symbolic_link(
    private: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    (private / "vault").symlink_to(elsewhere)
    file = held(private)

    file.replace(NEW)

    file.release()
    assert elsewhere.read_bytes() == OLD
    assert not (private / "vault").is_symlink()


def test_replace_does_not_use_a_name_that_is_taken(
    private: Path, tmp_path: Path
) -> None:
    """A link planted under the unfinished file's name is no way out."""
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    file = LockedFile.acquire(private / "vault", lambda n: b"\xaa" * n)
    (private / f".vault.{'aa' * 8}.tmp").symlink_to(victim)

    with pytest.raises(FileExistsError):
        file.replace(NEW)

    file.release()
    assert victim.read_bytes() == OLD


def test_acquire_removes_what_a_killed_process_left(private: Path) -> None:
    (private / "vault").write_bytes(OLD)
    (private / ".vault.0123456789abcdef.tmp").write_bytes(b"half")
    (private / "vault.lock").touch()
    (private / ".vault.tmp").write_bytes(b"not ours")
    (private / "notes.0123456789abcdef.tmp").write_bytes(b"not ours")

    held(private).release()

    assert names(private) == [
        ".vault.tmp",
        "notes.0123456789abcdef.tmp",
        "vault",
    ]


def test_acquire_says_in_use_while_somebody_holds_the_lock(private: Path) -> None:
    first = held(private)

    with pytest.raises(InUse):
        held(private)

    first.release()
    held(private).release()


def test_acquire_removes_no_unfinished_file_of_the_one_who_holds_the_lock(
    private: Path,
) -> None:
    first = held(private)
    unfinished = private / ".vault.0123456789abcdef.tmp"
    unfinished.touch()

    with pytest.raises(InUse):
        held(private)

    assert unfinished.exists()
    first.release()


def test_acquire_takes_another_lock_when_its_own_was_removed_meanwhile(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder may remove the lock file between our open and our flock."""
    flock = fcntl.flock
    locked: list[int] = []

    def after_a_removal(descriptor: int, how: int) -> None:
        if not locked:
            (private / "vault.lock").unlink()
        locked.append(descriptor)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", after_a_removal)
    file = held(private)

    assert len(locked) == 2
    assert (private / "vault.lock").exists()
    file.release()


def test_acquire_leaves_no_descriptor_open_when_refused(private: Path) -> None:
    first = held(private)
    before = len(names(Path("/proc/self/fd")))

    with pytest.raises(InUse):
        held(private)

    assert len(names(Path("/proc/self/fd"))) == before
    first.release()


def test_descriptors_are_not_inherited_by_children(private: Path) -> None:
    file = held(private)

    inherited = [os.get_inheritable(fd) for fd in (file._lock, file._directory)]

    file.release()
    assert inherited == [False, False]


@pytest.mark.parametrize(
    "plant",
    [
        lambda path: path.symlink_to("/etc/hostname"),
        lambda path: path.symlink_to("/nowhere/at/all"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["link", "dangling link", "directory", "pipe"],
)
def test_read_refuses_what_is_no_regular_file(
    private: Path, plant: Callable[[Path], object]
) -> None:
    plant(private / "vault")
    file = held(private)

    with pytest.raises(NotAFile):
        file.read(100)

    file.release()


def test_acquire_refuses_a_link_in_place_of_the_lock(
    private: Path, tmp_path: Path
) -> None:
    (private / "vault.lock").symlink_to(tmp_path / "planted")

    with pytest.raises(OSError, match=r"vault\.lock"):
        held(private)

    assert not (tmp_path / "planted").exists()


def test_read_closes_a_file_that_was_open_to_others(private: Path) -> None:
    (private / "vault").write_bytes(OLD)
    (private / "vault").chmod(0o644)
    file = held(private)

    content = file.read(100)

    file.release()
    assert content == OLD
    assert mode(private / "vault") == 0o600


def test_read_stops_one_byte_after_the_limit(private: Path) -> None:
    (private / "vault").write_bytes(bytes(1000))
    file = held(private)

    content = file.read(10)

    file.release()
    assert len(content) == 11


@pytest.mark.parametrize("open_mode", [0o770, 0o707, 0o777], ids=oct)
def test_acquire_refuses_a_directory_where_others_may_write(
    private: Path, open_mode: int
) -> None:
    private.chmod(open_mode)

    with pytest.raises(ForeignDirectory):
        held(private)

    assert names(private) == []


def test_acquire_closes_a_directory_that_holds_our_files_only(private: Path) -> None:
    (private / "vault").touch()
    private.chmod(0o755)

    held(private).release()

    assert mode(private) == 0o700


@pytest.mark.parametrize("open_mode", [0o755, 0o1777], ids=oct)
def test_acquire_leaves_a_shared_directory_as_it_is(
    private: Path, open_mode: int
) -> None:
    (private / "letter.txt").touch()
    private.chmod(open_mode)

    held(private).release()

    assert mode(private) == open_mode


def test_make_directory_makes_every_missing_one_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = make_directory(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)

    assert made == [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert [mode(directory) for directory in made] == [0o700] * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nothing", False), ("file", True), ("dangling", True), ("file/below", False)],
)
def test_is_present_sees_anything_that_lies_there(
    tmp_path: Path, name: str, *, expected: bool
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("/nowhere/at/all")

    assert is_present(tmp_path / name) is expected
