"""The data types of the OTR wire format, with every length checked first.

Rule: a declared length is compared with what is left before anything is copied;
what does not fit raises `RemoteError`. Integers are big-endian.
"""

from dataclasses import dataclass, field
from typing import Final

from coykiosk.otr.events import RemoteError

INT_BYTES: Final = 4  # OTRv3, "Data types": INT, and the length of DATA and MPI
SHORT_BYTES: Final = 2
TLV_HEAD_BYTES: Final = 4  # SHORT type, SHORT length


class Reader:
    """Takes values off the front of a received byte string."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def position(self) -> int:
        """How many bytes have been taken."""
        return self._at

    def take(self, n_bytes: int) -> bytes:
        """Take exactly `n_bytes`.

        Raises:
            RemoteError: fewer are left.
        """
        end = self._at + n_bytes
        if end > len(self._data):
            msg = f"wire: {n_bytes} bytes declared, {len(self._data) - self._at} left"
            raise RemoteError(msg)
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def byte(self) -> int:
        """Take a BYTE."""
        return self.take(1)[0]

    def short(self) -> int:
        """Take a SHORT, 2 bytes."""
        return int.from_bytes(self.take(SHORT_BYTES), "big")

    def integer(self) -> int:
        """Take an INT, 4 bytes."""
        return int.from_bytes(self.take(INT_BYTES), "big")

    def data(self) -> bytes:
        """Take a DATA: an INT length and as many bytes."""
        return self.take(self.integer())

    def mpi(self) -> int:
        """Take an MPI: a DATA that holds an unsigned number without leading zeros.

        Raises:
            RemoteError: cut short, or not in the one minimal form. libotr takes
                longer forms; but then one key would have many fingerprints.
        """
        value = self.data()
        if value[:1] == b"\0":
            msg = "wire: mpi with leading zeros"
            raise RemoteError(msg)
        return int.from_bytes(value, "big")

    def finish(self) -> None:
        """Make sure that nothing is left.

        Raises:
            RemoteError: bytes follow the last value.
        """
        if self._at != len(self._data):
            msg = f"wire: {len(self._data) - self._at} bytes too many"
            raise RemoteError(msg)


def encode_short(value: int) -> bytes:
    """Return a SHORT, 2 bytes."""
    return value.to_bytes(SHORT_BYTES, "big")


def encode_int(value: int) -> bytes:
    """Return an INT, 4 bytes."""
    return value.to_bytes(INT_BYTES, "big")


def encode_data(value: bytes) -> bytes:
    """Return a DATA: the length as INT, then the bytes."""
    return encode_int(len(value)) + value


def encode_mpi(value: int) -> bytes:
    """Return an MPI in its minimal form; zero has length 0."""
    return encode_data(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True, slots=True)
class Tlv:
    """A record that travels behind the text of a data message."""

    type: int
    value: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return SHORT type, SHORT length, value."""
        return encode_short(self.type) + encode_short(len(self.value)) + self.value


def read_tlvs(data: bytes) -> list[Tlv]:
    """Split what follows the NUL of a decrypted text into records.

    A record cut short at the end is dropped without a word, as libotr does: the
    bytes are authenticated, so it is a clumsy peer and no attack.
    """
    tlvs = []
    at = 0
    while at + TLV_HEAD_BYTES <= len(data):
        kind = int.from_bytes(data[at : at + SHORT_BYTES], "big")
        length = int.from_bytes(data[at + SHORT_BYTES : at + TLV_HEAD_BYTES], "big")
        at += TLV_HEAD_BYTES
        if at + length > len(data):
            break
        tlvs.append(Tlv(kind, data[at : at + length]))
        at += length
    return tlvs
