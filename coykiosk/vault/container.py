"""The sealed side of the vault file: keys to slots, slots to regions, and back.

Rule: pure, bytes in and bytes out. Random bytes and the key that Argon2id made
of the passphrase are arguments; nothing here knows files, clocks or Argon2.
Where the bytes lie: `layout`.

**Cipher.** ChaCha20-Poly1305 (RFC 8439) seals slots and regions: it runs in
constant time on processors without AES instructions, old laptops among them.
Every sealing draws a fresh 96-bit random nonce. A region key is drawn once and
used twice a save; the chance of a repeated nonce stays below 2^-32 up to 2^31
saves, one a second for 68 years. The header is associated data throughout, so
weaker Argon2 parameters cannot be slipped under an existing key; each sealing
also names its place (slot 0, head 1, body 0, ...), so that none fits another.

**Two profiles.** One Argon2id run gives a key that is tried on both slots,
always both. Which slot and which region the first profile gets is drawn, so
position tells nothing. Saving one profile copies the other's slot and region as
they are.

**Growth.** Both regions have the same size; they grow together and never
shrink. The true length of a payload stands sealed at the head of its own
region, so a region that we cannot read is made longer by random bytes behind
it, without touching or understanding a byte of it. Nothing that is associated
data depends on the size. The filler is not authenticated and never read.

**An attacker who recomputes the checksums** makes a changed slot look like a
wrong passphrase, and a changed region is found damaged by its tag. No change
yields a payload that was never saved; an older file put back does open.
"""

import struct
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from coykiosk.ports import RandomBytes
from coykiosk.vault.layout import (
    KEY_BYTES,
    LANES,
    MAX_FILE_BYTES,
    MAX_MEMORY_KIB,
    MIN_MEMORY_KIB,
    NONCE_BYTES,
    PASSES,
    REGION_SIZES,
    SALT_BYTES,
    SEAL_BYTES,
    SLOT_BYTES,
    Container,
    Damaged,
    Header,
    TooNew,
    parse,
)

__all__ = [
    "KEY_BYTES",
    "LANES",
    "MAX_FILE_BYTES",
    "MAX_MEMORY_KIB",
    "MAX_PAYLOAD_BYTES",
    "MIN_MEMORY_KIB",
    "PASSES",
    "SALT_BYTES",
    "Container",
    "Damaged",
    "Header",
    "OpenSlot",
    "PayloadTooLarge",
    "TooNew",
    "WrongPassphrase",
    "add_profile",
    "create",
    "find_slot",
    "parse",
    "read_payload",
    "write_payload",
]

_NUMBER_BYTES: Final = 4
_LENGTH_BYTES: Final = 4
_HEAD_BYTES: Final = SEAL_BYTES + _LENGTH_BYTES
_PLACE: Final = struct.Struct(">4sI")
MAX_PAYLOAD_BYTES: Final = REGION_SIZES[-1] - _HEAD_BYTES - SEAL_BYTES


class WrongPassphrase(Exception):  # noqa: N818 - named for what the person is told
    """The file is whole, and the key opens neither slot."""


class PayloadTooLarge(Exception):  # noqa: N818 - a sibling of the three above
    """The payload does not fit into the largest region."""


@final
class OpenSlot:
    """What a passphrase gave: the key of one region; wipe it when done."""

    __slots__ = ("key", "region", "slot")

    def __init__(self, slot: int, region: int, key: bytearray) -> None:
        self.slot = slot
        self.region = region
        self.key = key

    def wipe(self) -> None:
        """Overwrite the region key with zeros; idempotent."""
        self.key[:] = bytes(len(self.key))

    def __repr__(self) -> str:
        return "OpenSlot(…)"


def create(
    header: Header, key: bytes, payload: bytes, random_bytes: RandomBytes
) -> tuple[Container, OpenSlot]:
    """Make a vault with one profile and a second place full of random bytes.

    Args:
        header: Argon2id parameters, with a salt never used before.
        key: 32 bytes, what Argon2id made of the passphrase under this header.
        payload: What to keep.
        random_bytes: Source of nonces, keys, filler and places.

    Raises:
        PayloadTooLarge: see MAX_PAYLOAD_BYTES.
    """
    size = REGION_SIZES[0]
    empty = Container(
        header,
        (random_bytes(SLOT_BYTES), random_bytes(SLOT_BYTES)),
        (random_bytes(size), random_bytes(size)),
    )
    places = random_bytes(1)[0]
    region_key = bytearray(random_bytes(KEY_BYTES))
    opened = OpenSlot(places & 1, places >> 1 & 1, region_key)
    return _place(empty, opened, key, payload, random_bytes), opened


def find_slot(container: Container, key: bytes) -> OpenSlot:
    """Try a key on both slots and return what the one it fits holds.

    Raises:
        WrongPassphrase: it fits neither.
        Damaged: it fits, and the slot holds what we never write.
    """
    header = container.header.encode()
    found: list[tuple[int, bytearray]] = []
    # Both are always tried, so that time does not tell which one it was.
    for number, slot in enumerate(container.slots):
        try:
            plain = _unseal(key, slot, _place_data(header, b"slot", number))
        except InvalidTag:
            continue
        found.append((number, plain))
    if not found:
        msg = "no slot opens"
        raise WrongPassphrase(msg)
    number, plain = found[0]
    region = int.from_bytes(plain[:-KEY_BYTES])
    region_key = plain[-KEY_BYTES:]
    plain[:] = bytes(len(plain))
    if region not in (0, 1):
        msg = f"slot: region number {region}"
        raise Damaged(msg)
    return OpenSlot(number, region, region_key)


def read_payload(container: Container, slot: OpenSlot) -> bytearray:
    """Open the region of a slot; the caller wipes what it gets.

    Raises:
        Damaged: the region is not what was sealed with this slot's key.
    """
    header = container.header.encode()
    region = container.regions[slot.region]
    head = region[:_HEAD_BYTES]
    rest = region[_HEAD_BYTES:]
    try:
        place = _place_data(header, b"head", slot.region)
        sealed_bytes = SEAL_BYTES + int.from_bytes(_unseal(slot.key, head, place))
        place = _place_data(header, b"body", slot.region) + head
        return _unseal(slot.key, rest[:sealed_bytes], place)
    except InvalidTag as exc:
        msg = "region: does not open with the key of its slot"
        raise Damaged(msg) from exc


def write_payload(
    container: Container, slot: OpenSlot, payload: bytes, random_bytes: RandomBytes
) -> Container:
    """Return the container with one region written anew, the other untouched.

    When the payload needs a larger size class both regions grow, the other by
    random bytes behind what it holds.

    Raises:
        PayloadTooLarge: see MAX_PAYLOAD_BYTES.
    """
    other = container.regions[1 - slot.region]
    size = max(len(other), _region_size(len(payload)))
    ours = _seal_region(container.header, slot, payload, random_bytes)
    ours += random_bytes(size - len(ours))
    other += random_bytes(size - len(other))
    regions = (ours, other) if slot.region == 0 else (other, ours)
    return Container(container.header, container.slots, regions)


def add_profile(
    container: Container,
    ours: OpenSlot,
    key: bytes,
    payload: bytes,
    random_bytes: RandomBytes,
) -> tuple[Container, OpenSlot]:
    """Put a second profile, under a second key, beside the one that is open.

    Whether the other place holds a profile cannot be seen: if it does, that
    profile is lost. That is the price of a file that does not show it.

    Raises:
        ValueError: the key opens this vault already.
        PayloadTooLarge: see MAX_PAYLOAD_BYTES.
    """
    try:
        find_slot(container, key).wipe()
    except WrongPassphrase:
        region_key = bytearray(random_bytes(KEY_BYTES))
        opened = OpenSlot(1 - ours.slot, 1 - ours.region, region_key)
        return _place(container, opened, key, payload, random_bytes), opened
    msg = "second profile: its key opens the vault already"
    raise ValueError(msg)


def _place(
    container: Container,
    opened: OpenSlot,
    key: bytes,
    payload: bytes,
    random_bytes: RandomBytes,
) -> Container:
    plain = bytearray(opened.region.to_bytes(_NUMBER_BYTES)) + opened.key
    place = _place_data(container.header.encode(), b"slot", opened.slot)
    sealed = _seal(key, plain, place, random_bytes)
    plain[:] = bytes(len(plain))
    kept = container.slots[1 - opened.slot]
    slots = (sealed, kept) if opened.slot == 0 else (kept, sealed)
    with_slot = Container(container.header, slots, container.regions)
    return write_payload(with_slot, opened, payload, random_bytes)


def _seal_region(
    header: Header, slot: OpenSlot, payload: bytes, random_bytes: RandomBytes
) -> bytes:
    encoded = header.encode()
    head = _seal(
        slot.key,
        len(payload).to_bytes(_LENGTH_BYTES),
        _place_data(encoded, b"head", slot.region),
        random_bytes,
    )
    # The head is part of what the body's tag covers: heads and bodies of two
    # different saves do not mix.
    place = _place_data(encoded, b"body", slot.region) + head
    return head + _seal(slot.key, payload, place, random_bytes)


def _region_size(payload_bytes: int) -> int:
    for size in REGION_SIZES:
        if payload_bytes <= size - _HEAD_BYTES - SEAL_BYTES:
            return size
    msg = f"payload: {payload_bytes} bytes"
    raise PayloadTooLarge(msg)


def _seal(
    key: bytes | bytearray,
    plain: bytes | bytearray,
    place: bytes,
    random_bytes: RandomBytes,
) -> bytes:
    nonce = random_bytes(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, place)


def _unseal(key: bytes | bytearray, sealed: bytes, place: bytes) -> bytearray:
    plain = bytearray(len(sealed) - SEAL_BYTES)
    cipher = ChaCha20Poly1305(key)
    cipher.decrypt_into(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place, plain)
    return plain


def _place_data(header: bytes, kind: bytes, number: int) -> bytes:
    return header + _PLACE.pack(kind, number)
