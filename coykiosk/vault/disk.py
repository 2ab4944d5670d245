"""One file in one directory: locked, read, and replaced whole or not at all.

Rule: nothing here knows what the bytes mean. Everything is done relative to an
open directory, so a directory that is renamed or swapped meanwhile changes
nothing, and no symbolic link in the file's own place is ever followed: such a
link is refused for reading and would be replaced, not written through.

A replacement: new file beside the old one (O_EXCL, 0600), written, synced,
renamed over the old one, directory synced. A process killed on the way leaves
the old file or the new one, and perhaps the unfinished new one beside it; the
next one to take the lock removes that.
"""

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, final

from coykiosk.ports import RandomBytes

__all__ = [
    "ForeignDirectory",
    "InUse",
    "LockedFile",
    "NotAFile",
    "is_present",
    "make_directory",
    "remove_directories",
]

_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_TAG_BYTES: Final = 8  # in the name of an unfinished file
_NOT_A_FILE: Final = "it is no regular file"
_FOREIGN: Final = "others may write to its folder"
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class InUse(Exception):  # noqa: N818 - a state, not a fault
    """Another process, or another object of ours, holds the lock."""


class NotAFile(Exception):  # noqa: N818 - a state, not a fault
    """A link, a folder, a device lies in the file's place."""


class ForeignDirectory(Exception):  # noqa: N818 - a state, not a fault
    """Others may put files into the directory, and so in the place of ours."""


def is_present(path: Path) -> bool:
    """Tell whether anything at all lies at a path, be it a dangling link.

    Raises:
        OSError: it cannot be told.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@final
class LockedFile:
    """A file that nobody else may touch until `release`."""

    __slots__ = ("_directory", "_lock", "_name", "_random_bytes")

    def __init__(
        self, directory: int, lock: int, name: str, random_bytes: RandomBytes
    ) -> None:
        self._directory = directory
        self._lock = lock
        self._name = name
        self._random_bytes = random_bytes

    @classmethod
    def acquire(cls, path: Path, random_bytes: RandomBytes) -> Self:
        """Take the lock and clear away what a killed process left.

        Args:
            path: The file; it need not exist, its directory must.
            random_bytes: For the names of unfinished files.

        Raises:
            InUse: somebody has the lock.
            ForeignDirectory: others may write to the directory.
            OSError: anything else that is in the way.
        """
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _check_directory(directory)
            lock = _take_lock(directory, _lock_name(path.name))
        except BaseException:
            os.close(directory)
            raise
        held = cls(directory, lock, path.name, random_bytes)
        try:
            held._tidy()
        except BaseException:
            held.release()
            raise
        return held

    def is_present(self) -> bool:
        """Tell whether anything at all lies in the file's place."""
        try:
            os.lstat(self._name, dir_fd=self._directory)
        except FileNotFoundError:
            return False
        return True

    def read(self, most_bytes: int) -> bytes:
        """Return the file's content, at most one byte more than asked for.

        Raises:
            NotAFile: a directory, a symbolic link, a device, ...
            OSError: anything else.
        """
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | _SAFE
        if not stat.S_ISREG(os.lstat(self._name, dir_fd=self._directory).st_mode):
            raise NotAFile(_NOT_A_FILE)
        descriptor = os.open(self._name, flags, dir_fd=self._directory)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise NotAFile(_NOT_A_FILE)
            if about.st_mode & _OTHERS and about.st_uid == os.geteuid():
                os.fchmod(descriptor, _FILE_MODE)
            return file.read(most_bytes + 1)

    def replace(self, content: bytes) -> None:
        """Put new content in the file's place, whole or not at all.

        Raises:
            OSError: the old content still lies there, or (only when the last
                step, syncing the directory, went wrong) the new.
        """
        tag = self._random_bytes(_TAG_BYTES).hex()
        unfinished = f".{self._name}.{tag}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
        descriptor = os.open(unfinished, flags, _FILE_MODE, dir_fd=self._directory)
        try:
            try:
                os.fchmod(descriptor, _FILE_MODE)  # whatever the umask was
                _write_all(descriptor, content)
                # Order matters: content on the disk before the name points at it.
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(
                unfinished,
                self._name,
                src_dir_fd=self._directory,
                dst_dir_fd=self._directory,
            )
        except BaseException:
            # If even this fails, the next `acquire` removes it.
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=self._directory)
            raise
        os.fsync(self._directory)

    def remove(self) -> None:
        """Remove the file; nothing lies in its place afterwards.

        Raises:
            OSError: it is still there.
        """
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        os.fsync(self._directory)

    def release(self) -> None:
        """Give the lock back and remove its file; call once."""
        # Order matters: unlinked while still locked, so that whoever opened it
        # meanwhile sees in `_take_lock` that it is not the one with the name.
        with suppress(OSError):
            os.unlink(_lock_name(self._name), dir_fd=self._directory)
        os.close(self._lock)
        os.close(self._directory)

    def _tidy(self) -> None:
        unfinished = re.compile(
            rf"\.{re.escape(self._name)}\.[0-9a-f]{{{2 * _TAG_BYTES}}}\.tmp"
        )
        ours = {self._name, _lock_name(self._name)}
        with os.scandir(self._directory) as found:
            entries = [entry.name for entry in found]
        for entry in entries:
            if unfinished.fullmatch(entry):
                os.unlink(entry, dir_fd=self._directory)
                ours.add(entry)
        if ours.issuperset(entries) and os.fstat(self._directory).st_mode & _OTHERS:
            # A directory that holds nothing but our files is ours to close.
            os.fchmod(self._directory, _DIRECTORY_MODE)


def make_directory(path: Path) -> list[Path]:
    """Make a directory and its missing parents, for their owner alone.

    Returns:
        Those that were missing, the outermost first.

    Raises:
        OSError: it cannot be made.
    """
    made: list[Path] = []
    try:
        for directory in (*reversed(path.parents), path):
            if directory.is_dir():
                continue
            with suppress(FileExistsError):
                # One by one: Path.mkdir gives its mode to the last only.
                directory.mkdir(mode=_DIRECTORY_MODE)
                made.append(directory)
                _sync_directory(directory.parent)
    except BaseException:
        remove_directories(made)
        raise
    return made


def remove_directories(made: list[Path]) -> None:
    """Remove directories that `make_directory` made and nobody has used since."""
    with suppress(OSError):
        for directory in reversed(made):
            directory.rmdir()


def _sync_directory(path: Path) -> None:
    """Make new names in a directory last, as far as we may open it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_directory(directory: int) -> None:
    about = os.fstat(directory)
    if about.st_uid not in {os.geteuid(), 0}:
        raise ForeignDirectory(_FOREIGN)
    # In a sticky directory (/tmp) others can add files but not move ours.
    if about.st_mode & _OTHERS_WRITE and not about.st_mode & stat.S_ISVTX:
        raise ForeignDirectory(_FOREIGN)


def _lock_name(name: str) -> str:
    return f"{name}.lock"


def _take_lock(directory: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | _SAFE
    while True:
        lock = os.open(name, flags, _FILE_MODE, dir_fd=directory)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, directory, name):
                return lock
        except BlockingIOError as exc:
            os.close(lock)
            raise InUse from exc
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _is_still(lock: int, directory: int, name: str) -> bool:
    try:
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(lock))


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
