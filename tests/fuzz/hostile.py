"""Messages made by hand: without keys, and by an end that has them and means harm.

Rule: what is made with keys is entered into the ledger, for its author has said it;
what is made without is not, and so must not do anything.
"""

import dataclasses
from typing import Any, Final, TypeVar

from coykiosk.otr.framing import armour
from coykiosk.otr.messages import (
    AkeMessage,
    DataHead,
    DataMessage,
    DhCommit,
    DhKey,
    Message,
    RevealSig,
    Signature,
)
from coykiosk.otr.primitives import P, aes_ctr, hmac_sha1
from coykiosk.otr.wire import Tlv, encode_int, encode_mpi
from tests.fuzz.inside import (
    keyids_in_use,
    pair_in_use,
    public_values,
    ratchet_of,
)
from tests.fuzz.program import Step
from tests.fuzz.scene import Scene

_Fields = TypeVar("_Fields", bound=DataHead | AkeMessage)
RECEIVER: Final = {"alice": "bob", "bob": "alice", "mallory": "alice"}
"""To whom what each sends is usually carried."""
TAGS_TO_TRY: Final = (0, 1, 0xFF, 0x100, 0xFFFFFFFF)
_NUMBERS: Final = (0, 1, 2, 3, P - 2, P - 1, P, P + 1, 2**1536, 2**4096 - 1, 4, 2**255)
_KEYIDS: Final = (0, 1, 2, 0xFFFFFFFF)
_MAX_INT: Final = 0xFFFFFFFF
_COUNTERS: Final = (0, 1, 2**64 - 1)
_MAX_REPEAT: Final = 64


def number(choice: int, scene: Scene) -> int:
    """A number that somebody might forget to refuse."""
    if choice < len(_NUMBERS):
        return _NUMBERS[choice]
    values = [
        value
        for name, other in (("alice", "bob"), ("bob", "alice"))
        if (ratchet := ratchet_of(scene.ends[name], scene.tags[other])) is not None
        for value in public_values(ratchet)
    ]
    return values[choice % len(values)] if values else choice**100


def any_tag(choice: int, scene: Scene) -> int:
    """Somebody's tag, or one that nobody has."""
    tags = (*scene.tags.values(), *TAGS_TO_TRY)
    return tags[choice] if choice < len(tags) else 0x1000 + choice


def forge_exchange(scene: Scene, step: Step) -> Message:
    """A message of a key exchange, from somebody without a key."""
    tags = (any_tag(step.b, scene), any_tag(step.a >> 2, scene))
    value = number(step.d, scene)
    mpi = encode_mpi(value)
    match step.c % 4:
        case 0:
            return DhCommit(*tags, (step.blob or mpi)[:196], mpi[:32].ljust(32, b"h"))
        case 1:
            return DhKey(*tags, value)
        case 2:
            return RevealSig(*tags, bytes(16), step.blob, bytes(20))
        case _:
            return Signature(*tags, step.blob, bytes(20))


def commit_of_nobody(tag: int, to: int, number: int) -> DhCommit:
    """How an instance introduces itself that nobody has met."""
    return DhCommit(tag, to, bytes(196), number.to_bytes(32, "big"))


def edited(message: Message, step: Step, scene: Scene) -> Message:
    """The message with one field changed, and its MAC as it was."""
    if not isinstance(message, DataMessage):
        return _with_field(message, step, scene)
    fields = len(dataclasses.fields(DataHead))
    if step.d % (fields + 2) >= fields:
        value = step.blob[:255]
        if step.d % 2:
            return dataclasses.replace(message, mac=value[:20].ljust(20, b"m"))
        return dataclasses.replace(message, old_mac_keys=value)
    head = _with_field(message.head, step, scene)
    return dataclasses.replace(message, head=head, authenticated=head.encode())


def _with_field(message: _Fields, step: Step, scene: Scene) -> _Fields:
    fields = dataclasses.fields(message)
    name = fields[step.d % len(fields)].name
    old = getattr(message, name)
    if isinstance(old, bytes):
        new: Any = bytes(step.blob).ljust(len(old), b"\0")[: len(old)]
    elif name.endswith("_tag"):
        new = any_tag(step.c, scene)
    elif name in {"next_y", "gy"}:
        new = number(step.c, scene)
    elif name == "flags":
        new = step.c
    elif name == "counter":
        new = (old + step.c) % 2**64
    else:
        new = (old + step.c - 128) % 2**32
    return dataclasses.replace(message, **{name: new})


def words_of(scene: Scene, step: Step) -> bytes:
    """What a hostile end says: a plaintext with any records."""
    match step.b % 4:
        case 0:
            return step.blob
        case 1:
            return b"\0" + step.blob
        case 2:
            numbers = [number(choice, scene) for choice in step.blob]
            count = len(numbers) if step.b < 128 else step.c << 24
            value = encode_int(count) + b"".join(map(encode_mpi, numbers))
            return b"\0" + Tlv(step.c % 10, value[:0xFFFF]).encode()
        case _:
            record = Tlv(step.c % 10, step.blob).encode()
            return b"text\0" + record * (1 + (step.b >> 2) % _MAX_REPEAT)


def seal_as(scene: Scene, name: str, plaintext: bytes, bits: int) -> str | None:
    """Encrypt with an end's own keys, under fields of our choice.

    `bits`: 0 for a message as the end itself would make it. Returns None when it
    has no session.
    """
    other = scene.tags[RECEIVER[name]]
    ratchet = ratchet_of(scene.ends[name], other)
    if ratchet is None:
        return None
    keys = pair_in_use(ratchet)
    if bits & 3 == 0:
        keys.send_counter += 1
    counter = (keys.send_counter, *_COUNTERS)[bits & 3]
    sender_keyid, recipient_keyid = keyids_in_use(ratchet)
    next_y = public_values(ratchet)[0]
    match bits >> 2 & 3:
        case 1:
            next_y = number(bits >> 4, scene)
        case 2:
            sender_keyid = (sender_keyid + _KEYIDS[bits >> 4 & 3]) & _MAX_INT
        case 3:
            recipient_keyid = (recipient_keyid + _KEYIDS[bits >> 4 & 3]) & _MAX_INT
        case _:
            pass
    head = DataHead(
        sender_tag=scene.tags[name],
        receiver_tag=other,
        flags=bits >> 7,
        sender_keyid=sender_keyid,
        recipient_keyid=recipient_keyid,
        next_y=next_y,
        counter=counter,
        encrypted=aes_ctr(
            keys.send_aes, plaintext, top_half=counter.to_bytes(8, "big")
        ),
    )
    authenticated = head.encode()
    mac = hmac_sha1(keys.send_mac, authenticated)
    message = DataMessage(head, authenticated, mac, b"")
    text = plaintext.partition(b"\0")[0].decode("utf-8", "replace")
    scene.write(name, message, plaintext=plaintext, text=text)
    text = armour(message.encode())
    scene.air[name].append(text)
    return text
