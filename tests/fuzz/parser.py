"""The parser target: the first byte chooses a reader, which is given the rest.

Rule: a reader raises `RemoteError` of what came from the other end, `LocalError` of
what came from a file, and nothing else; what it takes, it gives back the same when it
is written and read again.
"""

from collections.abc import Callable
from typing import Final

from coykiosk.otr import LocalError, PrivateKey, RemoteError
from coykiosk.otr.dsa import PublicKey
from coykiosk.otr.framing import (
    FRAGMENT_EXPIRE_S,
    MAX_JOINED_CHARS,
    Assembler,
    Binary,
    Fragment,
    Plain,
    armour,
    read,
    split,
)
from coykiosk.otr.keyfile.files import (
    read_fingerprints,
    read_instance_tags,
    read_private_keys,
    write_fingerprints,
    write_instance_tags,
    write_private_keys,
)
from coykiosk.otr.messages import decode
from coykiosk.otr.primitives import aes_ctr, hmac_sha256
from coykiosk.otr.proof import check_proof, derive_secrets
from coykiosk.otr.smp_messages import decode_smp
from coykiosk.otr.spoken.codes import Code, Heard
from coykiosk.otr.spoken.digits import digits_of, parse_digits
from coykiosk.otr.spoken.hex import hex_of, parse_hex
from coykiosk.otr.spoken.words import parse_words, words_of
from coykiosk.otr.wire import Reader, Tlv, encode_data, encode_mpi, read_tlvs
from tests.fuzz.checks import require
from tests.fuzz.inside import is_empty

_SECRETS: Final = derive_secrets(2**1024 + 643)
_TAGS: Final = (0x100, 0xFFFFFFFF)


def read_anything(data: bytes) -> None:
    """Give an input to the reader that it names.

    Raises:
        Broken: what was taken is not given back.
    """
    choice, rest = data[:1].ljust(1, b"\0")[0], data[1:]
    READERS[choice % len(READERS)](rest)


def _read_text(text: str) -> None:
    try:
        inbound = read(text)
        if isinstance(inbound, Binary):
            require(read(armour(inbound.raw)) == inbound, "armour is not given back")
            _decode(inbound.raw)
    except RemoteError:
        return
    if isinstance(inbound, Plain):
        require(len(inbound.text) <= len(text), "a text that grows")


def _decode(raw: bytes) -> None:
    message = decode(raw)
    require(message.encode() == raw, "a message is not given back")
    require(decode(message.encode()) == message, "a message is read otherwise")


def _read_message(data: bytes) -> None:
    try:
        _decode(data)
    except RemoteError:
        return


def _read_pieces(data: bytes) -> None:
    """Lines are messages; a line that begins with a bell comes a minute later."""
    assembler = Assembler()
    now = 0.0
    for line in data.decode("utf-8", "replace").split("\n"):
        now += 60.0 if line.startswith("\a") else 0.0
        try:
            inbound = read(line.removeprefix("\a"))
        except RemoteError:
            continue
        if isinstance(inbound, Fragment):
            joined = assembler.add(inbound, now)
            if joined is not None:
                require(len(joined) <= MAX_JOINED_CHARS, "joined beyond the bound")
                require(joined.endswith(inbound.piece), "joined to something else")
                _read_text(joined)
    assembler.expire(now + FRAGMENT_EXPIRE_S)
    require(is_empty(assembler), "a piece is kept for ever")


def _read_values(data: bytes) -> None:
    """The first half says which values are taken from the second."""
    order, values = data[: len(data) // 2], data[len(data) // 2 :]
    reader = Reader(values)
    try:
        for choice in order:
            before = reader.position
            match choice % 5:
                case 0:
                    reader.byte()
                case 1:
                    reader.short()
                case 2:
                    reader.integer()
                case 3:
                    taken = encode_data(reader.data())
                    require(values[before : reader.position] == taken, "another DATA")
                case _:
                    taken = encode_mpi(reader.mpi())
                    require(values[before : reader.position] == taken, "another MPI")
            require(before < reader.position <= len(values), "a reader that stands")
        reader.finish()
    except RemoteError:
        return


def _read_records(data: bytes) -> None:
    tlvs = read_tlvs(data)
    require(data.startswith(b"".join(tlv.encode() for tlv in tlvs)), "other records")


def _read_public_key(data: bytes) -> None:
    reader = Reader(data)
    try:
        key = PublicKey.read(reader)
    except RemoteError:
        return
    require(key.encoded == data[: reader.position], "a key of another fingerprint")


def _read_proof(data: bytes) -> None:
    """What is encrypted in a Reveal Signature, its MAC being right."""
    encrypted = aes_ctr(_SECRETS.bob_aes, data)
    mac = hmac_sha256(_SECRETS.bob_m2, encode_data(encrypted))[:20]
    try:
        check_proof(
            encrypted,
            mac,
            our_fingerprint=bytes(20),
            theirs_then_ours=b"",
            aes_key=_SECRETS.bob_aes,
            m1=_SECRETS.bob_m1,
            m2=_SECRETS.bob_m2,
        )
    except RemoteError:
        return


def _read_smp(data: bytes) -> None:
    kind, value = data[:1].ljust(1, b"\0")[0] % 10, data[1:]
    try:
        message = decode_smp(Tlv(kind, value))
    except RemoteError:
        return
    require(decode_smp(message.encode()) == message, "an SMP message is read otherwise")


def _cut_and_join(data: bytes) -> None:
    max_chars = int.from_bytes(data[:2], "big")
    text = armour(data[2:])
    try:
        pieces = split(
            text, sender_tag=_TAGS[0], receiver_tag=_TAGS[1], max_chars=max_chars
        )
    except LocalError:
        return
    require(all(len(piece) <= max_chars for piece in pieces), "a piece is too long")
    assembler = Assembler()
    joined: str | None = None
    for piece in pieces:
        require(joined is None, "joined before the last piece")
        inbound = read(piece)
        joined = assembler.add(inbound, 0) if isinstance(inbound, Fragment) else piece
    require(joined == text, "pieces do not give the message back")


def _read_private_keys(data: bytes) -> None:
    try:
        entries = read_private_keys(data).entries
    except LocalError:
        return
    again = read_private_keys(write_private_keys(entries)).entries if entries else ()
    require(
        [(each.name, each.protocol, each.key.to_bytes()) for each in entries]
        == [(each.name, each.protocol, each.key.to_bytes()) for each in again],
        "private keys are not given back",
    )


def _read_fingerprints(data: bytes) -> None:
    try:
        entries = read_fingerprints(data).entries
    except LocalError:
        return
    again = read_fingerprints(write_fingerprints(entries)).entries
    require(entries == again, "fingerprints are not given back")


def _read_instance_tags(data: bytes) -> None:
    try:
        entries = read_instance_tags(data).entries
    except LocalError:
        return
    again = read_instance_tags(write_instance_tags(entries)).entries
    require(entries == again, "instance tags are not given back")


def _read_spoken(data: bytes) -> None:
    choice, text = data[:1].ljust(1, b"\0")[0], data[1:].decode("utf-8", "replace")
    code = list(Code)[choice // 3 % len(Code)]
    match choice % 3:
        case 0:
            heard = parse_words(text, code)
            if isinstance(heard, Heard):
                lines = (" ".join(line) for line in words_of(heard.value, code))
                again = parse_words("\n".join(lines), code)
                require(again == heard, "words are not given back")
        case 1:
            heard = parse_digits(text, code)
            if isinstance(heard, Heard):
                again = parse_digits(" ".join(digits_of(heard.value, code)), code)
                require(again == heard, "digits are not given back")
        case _:
            heard = parse_hex(text)
            if isinstance(heard, Heard):
                again = parse_hex(" ".join(hex_of(heard.value)))
                require(again == heard, "hex digits are not given back")


def _read_stored_key(data: bytes) -> None:
    try:
        key = PrivateKey.from_bytes(data)
    except LocalError:
        return
    require(key.to_bytes() == data, "a stored key is not given back")


READERS: Final[tuple[Callable[[bytes], None], ...]] = (
    lambda data: _read_text(data.decode("latin-1")),
    lambda data: _read_text(data.decode("utf-8", "surrogateescape")),
    lambda data: _read_text(data.decode("utf-16-le", "replace")),
    _read_pieces,
    _read_message,
    _read_values,
    _read_records,
    _read_public_key,
    _read_proof,
    _read_smp,
    _cut_and_join,
    _read_private_keys,
    _read_fingerprints,
    _read_instance_tags,
    _read_spoken,
    _read_stored_key,
)
