"""The vault as others see it: create, unlock, save, close.

Rule: the shell of this folder. Every method blocks and may take a second: call
them from an executor thread, one at a time. What a person can mend leaves as
UserError, translated in one place; anything else is a bug and passes through.

What wiping can and cannot do: the region key and opened payloads live in
bytearrays that are overwritten. Copies that Python strings, JSON, Argon2 and
the cipher library make on the way are freed at once but not overwritten.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import RandomBytes
from coykiosk.vault import container, disk, profile
from coykiosk.vault.container import (
    MAX_FILE_BYTES,
    SALT_BYTES,
    Container,
    Damaged,
    Header,
    OpenSlot,
    PayloadTooLarge,
    TooNew,
    WrongPassphrase,
)
from coykiosk.vault.derive import (
    Clock,
    Derive,
    NoResources,
    argon2id,
    available_kib,
    calibrate,
)
from coykiosk.vault.disk import LockedFile
from coykiosk.vault.passphrase import normalise
from coykiosk.vault.profile import (
    Profile,
    ProfileError,
    ProfileTooLargeError,
    ProfileTooNewError,
)

__all__ = ["VaultStore"]

_REASONS: Final[Mapping[int, str]] = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the disk takes no file of this size",
    errno.EIO: "the disk reports a fault",
    errno.ELOOP: "a symbolic link lies in its place",
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "its folder is no folder",
    errno.EISDIR: "a folder lies in its place",
    errno.ENOMEM: "not enough memory",
}


@final
class VaultStore:
    """One vault file, closed or open; open means locked for everyone else.

    Args:
        path: The vault file. Missing directories are made, for the owner alone.
        random_bytes: Source of salts, keys, nonces and filler.
        derive: Passphrase to key; Argon2id unless a test counts its runs.
        clock: Times one derivation when a vault is created.
        free_kib: Tells the memory a new vault's derivation may count on.
    """

    def __init__(
        self,
        path: Path,
        *,
        random_bytes: RandomBytes,
        derive: Derive = argon2id,
        clock: Clock = time.perf_counter,
        free_kib: Callable[[], int] = available_kib,
    ) -> None:
        self._path = path
        self._random_bytes = random_bytes
        self._derive = derive
        self._clock = clock
        self._free_kib = free_kib
        self._file: LockedFile | None = None
        self._container: Container | None = None
        self._slot: OpenSlot | None = None
        self._made: list[Path] = []
        """Directories that `create` had to make."""

    def exists(self) -> bool:
        """Tell whether anything lies at the vault's path.

        Raises:
            UserError: VAULT_UNREADABLE, it cannot be told.
        """
        with _translated(ErrorCode.VAULT_UNREADABLE):
            return disk.is_present(self._path)

    def create(self, passphrase: Secret, content: Profile) -> None:
        """Make a new vault, open and locked afterwards.

        The passphrase stays the caller's to wipe; so it does in `unlock`.

        Raises:
            UserError: VAULT_EXISTS, VAULT_IN_USE, VAULT_UNWRITABLE; PASSPHRASE_WEAK
                when nothing but blanks was typed (more is the screen's to judge).
        """
        self._check_closed()
        prepared = _prepared(passphrase)
        if not prepared:
            raise UserError(ErrorCode.PASSPHRASE_WEAK)
        with _translated(ErrorCode.VAULT_UNWRITABLE):
            self._made = disk.make_directory(self._path.parent)
            try:
                self._file = self._create(prepared, content)
            except BaseException:
                disk.remove_directories(self._made)
                raise

    def unlock(self, passphrase: Secret) -> Profile:
        """Open the vault and hold its lock until `close`.

        Raises:
            UserError: VAULT_WRONG_PASSPHRASE, VAULT_DAMAGED, VAULT_TOO_NEW,
                VAULT_IN_USE, VAULT_UNREADABLE, or VAULT_UNWRITABLE when the lock
                cannot be made. Another attempt may follow.
        """
        self._check_closed()
        if not self.exists():
            reason = _REASONS[errno.ENOENT]
            raise UserError(ErrorCode.VAULT_UNREADABLE, reason=reason)
        with _translated(ErrorCode.VAULT_UNWRITABLE):
            file = LockedFile.acquire(self._path, self._random_bytes)
        with _released_on_failure(file), _translated(ErrorCode.VAULT_UNREADABLE):
            content = self._open(file, _prepared(passphrase))
        self._file = file
        return content

    def save(self, content: Profile) -> None:
        """Replace what the vault holds; after any fault the old content stands.

        Raises:
            UserError: VAULT_UNWRITABLE.
            ProfileError: a value that could not be read back (a bug of ours).
        """
        if self._file is None or self._container is None or self._slot is None:
            msg = "vault: save while closed"
            raise RuntimeError(msg)
        with _translated(ErrorCode.VAULT_UNWRITABLE):
            payload = profile.encode(content)
            changed = container.write_payload(
                self._container, self._slot, payload, self._random_bytes
            )
            self._file.replace(changed.to_bytes())
        self._container = changed

    def close(self) -> None:
        """Wipe the key and give the lock back; idempotent."""
        if self._slot is not None:
            self._slot.wipe()
        if self._file is not None:
            self._file.release()
        self._file = self._container = self._slot = None

    def discard(self) -> None:
        """Remove the open vault and everything `create` made for it, and close.

        A closed vault stays as it is. Copies that a file system or a flash disk
        keeps of removed files are out of reach.

        Raises:
            UserError: VAULT_UNWRITABLE; the vault is closed all the same.
        """
        if self._file is None:
            return
        try:
            with _translated(ErrorCode.VAULT_UNWRITABLE):
                self._file.remove()
        finally:
            self.close()
        disk.remove_directories(self._made)

    def __repr__(self) -> str:
        return f"VaultStore({'closed' if self._file is None else 'open'})"

    def _check_closed(self) -> None:
        if self._file is not None:
            msg = "vault: open already"
            raise RuntimeError(msg)

    def _create(self, prepared: bytes, content: Profile) -> LockedFile:
        file = LockedFile.acquire(self._path, self._random_bytes)
        with _released_on_failure(file):
            if file.is_present():
                raise UserError(ErrorCode.VAULT_EXISTS)
            payload = profile.encode(content)
            memory_kib = calibrate(self._derive, self._clock, self._free_kib())
            header = Header(memory_kib, self._random_bytes(SALT_BYTES))
            key = self._derive(prepared, header)
            made, slot = container.create(header, key, payload, self._random_bytes)
            with _wiped_on_failure(slot):
                file.replace(made.to_bytes())
        self._container, self._slot = made, slot
        return file

    def _open(self, file: LockedFile, prepared: bytes) -> Profile:
        # Order matters: all that needs no key is checked before a derivation.
        opened = container.parse(file.read(MAX_FILE_BYTES))
        if not prepared:
            msg = "nothing typed"
            raise WrongPassphrase(msg)
        slot = container.find_slot(opened, self._derive(prepared, opened.header))
        with _wiped_on_failure(slot):
            content = _decoded(container.read_payload(opened, slot))
        self._container, self._slot = opened, slot
        return content


def _decoded(payload: bytearray) -> Profile:
    try:
        return profile.decode(payload)
    except ProfileTooNewError:
        raise
    except ProfileError as exc:
        msg = "payload: no profile"
        raise Damaged(msg) from exc
    finally:
        payload[:] = bytes(len(payload))


def _prepared(passphrase: Secret) -> bytes:
    """Return what is derived from: the normalised spelling; b"" for nothing."""
    if not passphrase:
        return b""
    # Bytes that are no UTF-8 stay as they are: a decoding error would carry them.
    text = passphrase.reveal().decode(errors="surrogateescape")
    return normalise(text).encode(errors="surrogateescape")


@contextmanager
def _released_on_failure(file: LockedFile) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.release()
        raise


@contextmanager
def _wiped_on_failure(slot: OpenSlot) -> Iterator[None]:
    try:
        yield
    except BaseException:
        slot.wipe()
        raise


@contextmanager
def _translated(fault: ErrorCode) -> Iterator[None]:
    """Turn what can go wrong with a vault into the error a person reads.

    Args:
        fault: The code for faults of disk and memory; it has a `reason`.
    """
    try:
        yield
    except WrongPassphrase as exc:
        raise UserError(ErrorCode.VAULT_WRONG_PASSPHRASE) from exc
    except (TooNew, ProfileTooNewError) as exc:
        raise UserError(ErrorCode.VAULT_TOO_NEW, version=str(exc.version)) from exc
    except Damaged as exc:
        raise UserError(ErrorCode.VAULT_DAMAGED) from exc
    except disk.InUse as exc:
        raise UserError(ErrorCode.VAULT_IN_USE) from exc
    except (disk.NotAFile, disk.ForeignDirectory) as exc:
        raise UserError(fault, reason=str(exc)) from exc
    except (ProfileTooLargeError, PayloadTooLarge) as exc:
        raise UserError(fault, reason="it would grow too large") from exc
    except (NoResources, MemoryError) as exc:
        raise UserError(fault, reason=_REASONS[errno.ENOMEM]) from exc
    except OSError as exc:
        number = exc.errno or errno.EIO
        reason = _REASONS.get(number, os.strerror(number).lower())
        raise UserError(fault, reason=reason) from exc
