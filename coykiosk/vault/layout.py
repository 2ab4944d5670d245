"""The vault file, version 1, as bytes: where everything lies, and its checksums.

Rule: pure, and no key comes near it. What can be told without the passphrase is
told here: damaged, made by a newer version, or worth an attempt.

Layout (integers big-endian; R is the region size, a power of two from 64 KiB
to 4 MiB, known from the length of the file alone):

    offset     bytes  content
    0              8  magic "coyvault"
    8              2  format version, 1
    10             2  Argon2id lanes, 4
    12             4  Argon2id memory in KiB, 65,536 to 262,144
    16             4  Argon2id passes, 3
    20            16  Argon2id salt
    36            32  SHA-256 of bytes 0 to 35, "the header"
    68            64  key slot 0
    132           64  key slot 1
    196           32  SHA-256 of both slots
    228            R  payload region 0
    228+R         32  SHA-256 of region 0
    260+R          R  payload region 1
    260+2R        32  SHA-256 of region 1

    key slot:  nonce (12) | sealed: region number (4), region key (32) | tag (16)
    region:    nonce (12) | sealed: length n of the payload (4) | tag (16)
               nonce (12) | sealed: payload (n)                 | tag (16)
               random filler up to R

Slots and regions are always filled; an unused one is random bytes. How they are
sealed, and why they can grow unread: `container`.

The checksums have no key and stand against accidents only: a mismatch is damage,
whatever the passphrase. The version is read before anything else, so a later
format is free to change all the rest.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final

__all__ = [
    "KEY_BYTES",
    "LANES",
    "MAX_FILE_BYTES",
    "MAX_MEMORY_KIB",
    "MIN_MEMORY_KIB",
    "NONCE_BYTES",
    "PASSES",
    "REGION_SIZES",
    "SALT_BYTES",
    "SEAL_BYTES",
    "SLOT_BYTES",
    "Container",
    "Damaged",
    "Header",
    "TooNew",
    "parse",
]

VERSION: Final = 1
KEY_BYTES: Final = 32  # RFC 8439, section 2.8
NONCE_BYTES: Final = 12  # RFC 8439, section 2.8
SALT_BYTES: Final = 16  # RFC 9106, section 4: 128 bits
PASSES: Final = 3  # RFC 9106, section 4, second recommended option
LANES: Final = 4  # RFC 9106, section 4
MIN_MEMORY_KIB: Final = 64 * 1024  # RFC 9106, section 4, second option
MAX_MEMORY_KIB: Final = 256 * 1024  # a vault must open on a 1 GiB machine
SEAL_BYTES: Final = NONCE_BYTES + 16  # what sealing adds: nonce and tag
SLOT_BYTES: Final = SEAL_BYTES + 4 + KEY_BYTES
REGION_SIZES: Final = tuple(1 << n for n in range(16, 23))  # 64 KiB to 4 MiB

_MAGIC: Final = b"coyvault"
_VERSION_FIELD: Final = struct.Struct(">8sH")
_HEADER: Final = struct.Struct(f">8sHHII{SALT_BYTES}s")
_SUM_BYTES: Final = hashlib.sha256().digest_size
_SLOTS_AT: Final = _HEADER.size + _SUM_BYTES
_REGIONS_AT: Final = _SLOTS_AT + 2 * SLOT_BYTES + _SUM_BYTES
MAX_FILE_BYTES: Final = _REGIONS_AT + 2 * (REGION_SIZES[-1] + _SUM_BYTES)


class Damaged(Exception):  # noqa: N818 - named for what the person is told
    """The file is not what was written; the message says where, never what."""


class TooNew(Exception):  # noqa: N818 - named for what the person is told
    """A later format than ours.

    Args:
        version: The format version the file states.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"format version {version}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Header:
    """The part that never changes in the life of a vault; associated data."""

    memory_kib: int
    """Argon2id memory, 65,536 to 262,144 KiB; passes and lanes are fixed."""
    salt: bytes
    """16 random bytes."""

    def encode(self) -> bytes:
        """Return the 36 bytes that open the file.

        Raises:
            ValueError: out of the limits that `parse` would accept.
        """
        in_limits = MIN_MEMORY_KIB <= self.memory_kib <= MAX_MEMORY_KIB
        if not in_limits or len(self.salt) != SALT_BYTES:
            msg = "header: parameters out of limits"
            raise ValueError(msg)
        return _HEADER.pack(_MAGIC, VERSION, LANES, self.memory_kib, PASSES, self.salt)


@dataclass(frozen=True, slots=True, repr=False)
class Container:
    """A vault file taken apart; still sealed."""

    header: Header
    slots: tuple[bytes, bytes]
    regions: tuple[bytes, bytes]
    """Two of one size, that size a power of two."""

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        head = self.header.encode()
        slots = b"".join(self.slots)
        parts = [head, _checksum(head), slots, _checksum(slots)]
        for region in self.regions:
            parts += [region, _checksum(region)]
        return b"".join(parts)

    def __repr__(self) -> str:
        return f"Container(2 x {len(self.regions[0])} bytes)"


def parse(data: bytes) -> Container:
    """Take a file apart and check everything that needs no key.

    Parameters out of limits are refused here, before anyone derives a key with
    them: clamping them would change the key and look like a wrong passphrase.

    Raises:
        TooNew: our magic with a higher format version.
        Damaged: anything else that `Container.to_bytes` would not have written.
    """
    header = _parse_header(data)
    region_bytes, odd = divmod(len(data) - _REGIONS_AT - 2 * _SUM_BYTES, 2)
    if odd or region_bytes not in REGION_SIZES:
        msg = f"length: no vault is {len(data)} bytes long"
        raise Damaged(msg)
    slots_end = _SLOTS_AT + 2 * SLOT_BYTES
    slots = _checked(data, _SLOTS_AT, slots_end, "slots")
    first_end = _REGIONS_AT + region_bytes
    second_at = first_end + _SUM_BYTES
    return Container(
        header,
        (slots[:SLOT_BYTES], slots[SLOT_BYTES:]),
        (
            _checked(data, _REGIONS_AT, first_end, "region 0"),
            _checked(data, second_at, second_at + region_bytes, "region 1"),
        ),
    )


def _parse_header(data: bytes) -> Header:
    if len(data) < _VERSION_FIELD.size or not data.startswith(_MAGIC):
        msg = "header: no vault begins like this"
        raise Damaged(msg)
    _, version = _VERSION_FIELD.unpack_from(data)
    if version > VERSION:
        raise TooNew(version)
    raw = _checked(data, 0, _HEADER.size, "header")
    _, version, lanes, memory_kib, passes, salt = _HEADER.unpack(raw)
    in_limits = MIN_MEMORY_KIB <= memory_kib <= MAX_MEMORY_KIB
    if (version, lanes, passes) != (VERSION, LANES, PASSES) or not in_limits:
        msg = "header: parameters out of limits"
        raise Damaged(msg)
    return Header(memory_kib, salt)


def _checked(data: bytes, start: int, end: int, name: str) -> bytes:
    part = data[start:end]
    if not hmac.compare_digest(_checksum(part), data[end : end + _SUM_BYTES]):
        msg = f"{name}: checksum does not match"
        raise Damaged(msg)
    return part


def _checksum(part: bytes) -> bytes:
    return hashlib.sha256(part).digest()
