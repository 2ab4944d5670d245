"""Argon2id (RFC 9106): from a passphrase to the key that opens a slot.

Rule: the only importer of argon2. Blocking, half a second and 64 to 256 MiB:
run it in an executor thread, one at a time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from coykiosk.vault.layout import (
    KEY_BYTES,
    LANES,
    MAX_MEMORY_KIB,
    MIN_MEMORY_KIB,
    PASSES,
    SALT_BYTES,
    Header,
)

__all__ = [
    "Clock",
    "Derive",
    "NoResources",
    "argon2id",
    "available_kib",
    "calibrate",
]

Derive = Callable[[bytes, Header], bytes]
"""A prepared passphrase and a header to the 32-byte key."""

Clock = Callable[[], float]
"""Seconds from any start, never going back."""

_TARGET_S: Final = 0.5
_STEP_KIB: Final = 16 * 1024
_SHARE: Final = 4  # of the free memory, take at most one part in so many
_MEMINFO: Final = Path("/proc/meminfo")  # proc(5)


class NoResources(Exception):  # noqa: N818 - a state of the machine, not a fault
    """The memory or the threads for a derivation cannot be had."""


def argon2id(passphrase: bytes, header: Header) -> bytes:
    """Derive the key for both slots of a vault.

    Args:
        passphrase: Already normalised, not empty.
        header: Limits were checked when it was parsed.

    Raises:
        NoResources: memory or threads cannot be had.

    Source: RFC 9106, version 0x13, type id.
    """
    try:
        return hash_secret_raw(
            secret=passphrase,
            salt=header.salt,
            time_cost=PASSES,
            memory_cost=header.memory_kib,
            parallelism=LANES,
            hash_len=KEY_BYTES,
            type=Type.ID,
        )
    except HashingError as exc:
        raise NoResources(str(exc)) from exc


def calibrate(derive: Derive, clock: Clock, free_kib: int) -> int:
    """Choose the Argon2id memory for a new vault: about half a second here.

    One run at the floor is timed; time grows in proportion to memory.

    Args:
        derive: Timed once, with 64 MiB.
        clock: What to time it with.
        free_kib: Memory that may be used without swapping; when that is little,
            the floor is taken whatever the time.

    Returns:
        A multiple of 16 MiB from 64 to 256 MiB, in KiB.
    """
    started = clock()
    derive(b"calibration", Header(MIN_MEMORY_KIB, bytes(SALT_BYTES)))
    elapsed_s = clock() - started
    if elapsed_s <= 0:  # a clock too coarse to tell: claim nothing
        return MIN_MEMORY_KIB
    wanted = int(MIN_MEMORY_KIB * _TARGET_S / elapsed_s)
    affordable = min(wanted, free_kib // _SHARE, MAX_MEMORY_KIB)
    return max(MIN_MEMORY_KIB, affordable // _STEP_KIB * _STEP_KIB)


def available_kib() -> int:
    """Return the memory that can be had without swapping, 0 when not known."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    for line in lines:
        name, _, rest = line.partition(":")
        amount = rest.removesuffix("kB").strip()
        if name == "MemAvailable" and amount.isdecimal():
            return int(amount)
    return 0
