"""The five binary messages of OTR version 3 as values, both ways.

Rule: `decode` takes a message whole or raises `RemoteError`: every fixed length is
checked, no byte may be left over. Whether a well-formed message is welcome is for
`ake` and `ratchet` to say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coykiosk.otr.events import RemoteError
from coykiosk.otr.primitives import (
    AES_KEY_BYTES,
    COUNTER_BYTES,
    MAC_BYTES,
    MAX_MPI_BYTES,
)
from coykiosk.otr.wire import (
    Reader,
    encode_data,
    encode_int,
    encode_mpi,
    encode_short,
)

VERSION: Final = 3
TYPE_DH_COMMIT: Final = 0x02
TYPE_DATA: Final = 0x03
TYPE_DH_KEY: Final = 0x0A
TYPE_REVEAL_SIG: Final = 0x11
TYPE_SIGNATURE: Final = 0x12

FLAG_IGNORE_UNREADABLE: Final = 0x01
"""Set on messages without text: nobody is told when one cannot be read."""

HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Header:
    """The first 11 bytes: version, type, and whose message it is."""

    type: int
    sender_tag: int
    receiver_tag: int
    """0 while the sender does not know our tag; allowed in a D-H Commit only."""


@dataclass(frozen=True, slots=True)
class DhCommit:
    """Bob's first word: g^x, hidden and promised."""

    sender_tag: int
    receiver_tag: int
    encrypted_gx: bytes
    """AES-CTR under r of MPI g^x; at most 196 bytes."""
    hashed_gx: bytes
    """SHA-256 of MPI g^x, 32 bytes."""

    def encode(self) -> bytes:
        """Return the binary message."""
        return (
            _head(TYPE_DH_COMMIT, self.sender_tag, self.receiver_tag)
            + encode_data(self.encrypted_gx)
            + encode_data(self.hashed_gx)
        )


@dataclass(frozen=True, slots=True)
class DhKey:
    """Alice's answer: g^y."""

    sender_tag: int
    receiver_tag: int
    gy: int

    def encode(self) -> bytes:
        """Return the binary message."""
        head = _head(TYPE_DH_KEY, self.sender_tag, self.receiver_tag)
        return head + encode_mpi(self.gy)


@dataclass(frozen=True, slots=True)
class RevealSig:
    """Bob opens his promise and proves who he is."""

    sender_tag: int
    receiver_tag: int
    r: bytes
    """The key that opens the D-H Commit, 16 bytes."""
    encrypted_signature: bytes
    mac: bytes
    """20 bytes over `encrypted_signature` and its length."""

    def encode(self) -> bytes:
        """Return the binary message."""
        return (
            _head(TYPE_REVEAL_SIG, self.sender_tag, self.receiver_tag)
            + encode_data(self.r)
            + encode_data(self.encrypted_signature)
            + self.mac
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """Alice proves who she is."""

    sender_tag: int
    receiver_tag: int
    encrypted_signature: bytes
    mac: bytes
    """20 bytes over `encrypted_signature` and its length."""

    def encode(self) -> bytes:
        """Return the binary message."""
        return (
            _head(TYPE_SIGNATURE, self.sender_tag, self.receiver_tag)
            + encode_data(self.encrypted_signature)
            + self.mac
        )


@dataclass(frozen=True, slots=True)
class DataHead:
    """The part of a data message that its MAC covers."""

    sender_tag: int
    receiver_tag: int
    flags: int
    sender_keyid: int
    recipient_keyid: int
    next_y: int
    """The sender's public key number sender_keyid + 1."""
    counter: int
    """The top half of the AES counter block, 8 bytes on the wire."""
    encrypted: bytes

    def encode(self) -> bytes:
        """Return everything from the version up to the encrypted text."""
        return b"".join(
            (
                _head(TYPE_DATA, self.sender_tag, self.receiver_tag),
                self.flags.to_bytes(1, "big"),
                encode_int(self.sender_keyid),
                encode_int(self.recipient_keyid),
                encode_mpi(self.next_y),
                self.counter.to_bytes(COUNTER_BYTES, "big"),
                encode_data(self.encrypted),
            )
        )


@dataclass(frozen=True, slots=True)
class DataMessage:
    """An encrypted text or record."""

    head: DataHead
    authenticated: bytes
    """`head` as it was, or will be, on the wire."""
    mac: bytes
    """HMAC-SHA1 over `authenticated`, 20 bytes."""
    old_mac_keys: bytes
    """Receiving MAC keys that are of no more use, 20 bytes each."""

    def encode(self) -> bytes:
        """Return the binary message."""
        return self.authenticated + self.mac + encode_data(self.old_mac_keys)


AkeMessage = DhCommit | DhKey | RevealSig | Signature
Message = AkeMessage | DataMessage


def read_version(raw: bytes) -> int:
    """Return the protocol version a binary message claims."""
    return Reader(raw).short()


def read_header(raw: bytes) -> Header:
    """Return the first fields, so that a message for others can be left alone.

    Raises:
        RemoteError: too short, or not version 3.
    """
    return _read_header(Reader(raw))


def decode(raw: bytes) -> Message:
    """Read one binary message.

    Raises:
        RemoteError: unknown version or type, a wrong length anywhere, or bytes
            left over.

    Source: OTRv3, "Authenticated Key Exchange messages" and "Data Message".
    """
    reader = Reader(raw)
    header = _read_header(reader)
    read_body = _BODIES.get(header.type)
    if read_body is None:
        msg = f"message type {header.type:#x}"
        raise RemoteError(msg)
    message = read_body(header, reader, raw)
    reader.finish()
    return message


def _head(kind: int, sender_tag: int, receiver_tag: int) -> bytes:
    return (
        encode_short(VERSION)
        + kind.to_bytes(1, "big")
        + encode_int(sender_tag)
        + encode_int(receiver_tag)
    )


def _read_header(reader: Reader) -> Header:
    version = reader.short()
    if version != VERSION:
        msg = f"protocol version {version}"
        raise RemoteError(msg)
    return Header(reader.byte(), reader.integer(), reader.integer())


def _read_dh_commit(header: Header, reader: Reader, _raw: bytes) -> DhCommit:
    encrypted_gx = reader.data()
    # It is kept until the Reveal Signature comes, so a stranger fills our memory.
    if len(encrypted_gx) > MAX_MPI_BYTES:
        msg = f"dh_commit: {len(encrypted_gx)} bytes of encrypted g^x"
        raise RemoteError(msg)
    hashed_gx = _sized(reader.data(), HASH_BYTES, "dh_commit: hash")
    return DhCommit(header.sender_tag, header.receiver_tag, encrypted_gx, hashed_gx)


def _read_dh_key(header: Header, reader: Reader, _raw: bytes) -> DhKey:
    return DhKey(header.sender_tag, header.receiver_tag, reader.mpi())


def _read_reveal_sig(header: Header, reader: Reader, _raw: bytes) -> RevealSig:
    return RevealSig(
        header.sender_tag,
        header.receiver_tag,
        _sized(reader.data(), AES_KEY_BYTES, "reveal_sig: r"),
        reader.data(),
        reader.take(MAC_BYTES),
    )


def _read_signature(header: Header, reader: Reader, _raw: bytes) -> Signature:
    return Signature(
        header.sender_tag,
        header.receiver_tag,
        reader.data(),
        reader.take(MAC_BYTES),
    )


def _read_data(header: Header, reader: Reader, raw: bytes) -> DataMessage:
    head = DataHead(
        sender_tag=header.sender_tag,
        receiver_tag=header.receiver_tag,
        flags=reader.byte(),
        sender_keyid=reader.integer(),
        recipient_keyid=reader.integer(),
        next_y=reader.mpi(),
        counter=int.from_bytes(reader.take(COUNTER_BYTES), "big"),
        encrypted=reader.data(),
    )
    authenticated = raw[: reader.position]
    return DataMessage(head, authenticated, reader.take(MAC_BYTES), reader.data())


def _sized(value: bytes, n_bytes: int, what: str) -> bytes:
    if len(value) != n_bytes:
        msg = f"{what}: expected {n_bytes} bytes, got {len(value)}"
        raise RemoteError(msg)
    return value


_BODIES: Final[dict[int, Callable[[Header, Reader, bytes], Message]]] = {
    TYPE_DH_COMMIT: _read_dh_commit,
    TYPE_DH_KEY: _read_dh_key,
    TYPE_REVEAL_SIG: _read_reveal_sig,
    TYPE_SIGNATURE: _read_signature,
    TYPE_DATA: _read_data,
}
