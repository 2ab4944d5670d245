"""What a data message carries under its encryption: a text, then records, then padding.

Rule: what leaves is padded, so that its length tells little.

Source: OTRv3, "Data Message", the plaintext; "TLV record types".
"""

from dataclasses import dataclass
from typing import Final

from coykiosk.otr.events import LocalError
from coykiosk.otr.wire import INT_BYTES, TLV_HEAD_BYTES, Tlv, encode_int, read_tlvs

PAD_TO_BYTES: Final = 256
"""Every plaintext of ours is a multiple of this."""
TLV_DISCONNECTED: Final = 1
"""The sender leaves. Types 2 to 7 are in `smp_messages`."""
MAX_EXTRA_DATA_BYTES: Final = 0xFFFF - INT_BYTES  # a record holds 65,535 bytes

_TLV_PADDING: Final = 0
_TLV_EXTRA_KEY: Final = 8
_MAX_USE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """The opened inside of a data message."""

    text: bytes
    """UTF-8, unless the peer is clumsy; b"" when it carries records alone."""
    records: list[Tlv]
    """At most one of each type."""


def pack(text: bytes, *records: Tlv) -> bytes:
    """Put together what is to be encrypted, a multiple of PAD_TO_BYTES long.

    Args:
        text: UTF-8 without NUL.
        records: No padding among them.
    """
    packed = text + b"\0" + b"".join(record.encode() for record in records)
    return packed + _padding_for(len(packed))


def unpack(plaintext: bytes) -> Payload:
    """Take apart what was decrypted; any bytes are something."""
    text, _, records = plaintext.partition(b"\0")
    return Payload(text, _first_of_each_type(read_tlvs(records)))


def extra_key_record(use: int, data: bytes) -> Tlv:
    """Announce that the extra symmetric key is used.

    Args:
        use: What for; 32 bits.
        data: What the use needs, at most MAX_EXTRA_DATA_BYTES.

    Raises:
        LocalError: one of them does not fit.
    """
    if not 0 <= use <= _MAX_USE or len(data) > MAX_EXTRA_DATA_BYTES:
        msg = f"extra key: use {use:#x} with {len(data)} bytes"
        raise LocalError(msg)
    return Tlv(_TLV_EXTRA_KEY, encode_int(use) + data)


def read_extra_key_record(record: Tlv) -> tuple[int, bytes] | None:
    """Return the use and its data; None for a record that is none, or too short."""
    if record.type != _TLV_EXTRA_KEY or len(record.value) < INT_BYTES:
        return None
    use, data = record.value[:INT_BYTES], record.value[INT_BYTES:]
    return int.from_bytes(use, "big"), data


def _first_of_each_type(records: list[Tlv]) -> list[Tlv]:
    """Leave out repeated records, as libotr does: each could draw an answer."""
    first: dict[int, Tlv] = {}
    for record in records:
        first.setdefault(record.type, record)
    return list(first.values())


def _padding_for(n_bytes: int) -> bytes:
    """Return the record that brings a plaintext to a multiple of PAD_TO_BYTES."""
    n_padding = -(n_bytes + TLV_HEAD_BYTES) % PAD_TO_BYTES
    return Tlv(_TLV_PADDING, bytes(n_padding)).encode()
