"""What the harness reads of the engines' inside: sessions, keys, sizes.

Rule: all that the harness knows of private names of `coykiosk.otr` is in this file, but
for the private key that `arithmetic` makes repeatable.
"""

import functools
import io
import pickle  # copies of our own objects, which never leave the process
import sys
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from types import (
    BuiltinFunctionType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any, Final, cast

from coykiosk.otr import Instances, MessageState, PrivateKey
from coykiosk.otr.engine import Engine
from coykiosk.otr.framing import Assembler
from coykiosk.otr.messages import DataMessage
from coykiosk.otr.pool import EnginePool
from coykiosk.otr.primitives import COUNTER_BYTES, aes_ctr
from coykiosk.otr.ratchet import PairKeys, Ratchet
from tests.fuzz.arithmetic import Draws

Frozen = object
"""Something that two equal states have alike, and that does not change with them."""

_VALUES: Final = frozenset({int, float, str, bytes, bool, frozenset, type(None)})
_OPAQUE: Final = (
    *(PrivateKey, Enum, type, ModuleType),
    *(FunctionType, BuiltinFunctionType, MethodType),
)
# The exchange's own state may move with any message of an exchange. How many
# comparisons may fail is counted for all sessions of a contact together. A public
# value is worked out from the private one when it is first asked for.
_NOT_OF_SESSION: Final = frozenset({"_ake", "_guesses", "_random_bytes", "_public"})
_ONE_SOURCE: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType(
    {Draws: lambda _source: (Draws, ("",))}
)


def engine_of(end: Instances, tag: int) -> Engine | None:
    """Return an end's engine for the instance with this tag."""
    return end._engines.get(tag)


def fingerprint_of(end: Instances, tag: int) -> bytes | None:
    """Return the key of its session with this instance, if there is one."""
    engine = engine_of(end, tag)
    return None if engine is None else engine.fingerprint


def ratchet_of(end: Instances, tag: int) -> Ratchet | None:
    """Return the keys of its session with this instance, if there is one."""
    engine = engine_of(end, tag)
    if engine is None or engine._session is None:
        return None
    return engine._session.ratchet


def fragments_of(end: Instances) -> Assembler:
    """Return where an end keeps the pieces of what has not come whole."""
    return end._reception._gate._fragments


def is_empty(assembler: Assembler) -> bool:
    """Tell whether no piece is kept."""
    return not assembler._buffers


def engines_of(end: Instances) -> EnginePool:
    """Return where an end keeps all else that comes from its contact."""
    return end._engines


def session_count(end: Instances) -> int:
    """Count the encrypted instances."""
    states = [engine.message_state for engine in end._engines]
    return states.count(MessageState.ENCRYPTED)


def another_device(end: Instances, tag: int) -> Instances:
    """Return the same person on another device, who has not said anything yet."""
    return Instances(
        end._our_key,
        tag,
        end._random_bytes,
        max_message_chars=end._max_message_chars,
    )


def pair_in_use(ratchet: Ratchet) -> PairKeys:
    """Return the keys that the next message is sent under."""
    return ratchet._pair(ratchet._our_keyid - 1, ratchet._their_keyid)


def keyids_in_use(ratchet: Ratchet) -> tuple[int, int]:
    """Return the sender's and the recipient's keyid of the next message."""
    return ratchet._our_keyid - 1, ratchet._their_keyid


def public_values(ratchet: Ratchet) -> list[int]:
    """Return ours, newest first, then theirs."""
    theirs = (ratchet._their_current, ratchet._their_previous)
    return [
        ratchet._our_current.public,
        ratchet._our_previous.public,
        *(value for value in theirs if value is not None),
    ]


def plaintext_of(author: Instances, message: DataMessage) -> bytes | None:
    """Decrypt with the author's own keys; None when they are gone."""
    head = message.head
    ratchet = ratchet_of(author, head.receiver_tag)
    pairs = {} if ratchet is None else ratchet._pairs
    pair = pairs.get((head.sender_keyid, head.recipient_keyid))
    if pair is None:
        return None
    top_half = head.counter.to_bytes(COUNTER_BYTES, "big")
    return aes_ctr(pair.send_aes, head.encrypted, top_half=top_half)


def sessions_of(end: Instances) -> dict[int, bytes]:
    """Everything of each session, by the tag of the instance it is with.

    Equal bytes are equal sessions; of others, `differing` tells. An instance that is
    PLAINTEXT has no session and is left out: strangers come and go.
    """
    return {
        engine.their_tag: _pickled(
            [
                (name, value)
                for name, value in vars(engine).items()
                if name not in _NOT_OF_SESSION
            ]
        )
        for engine in end._engines
        if engine.message_state is not MessageState.PLAINTEXT
    }


def _pickled(session: object) -> bytes:
    file = io.BytesIO()
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    # A source of random bytes is not a session's own, wherever it stands by now.
    pickler.dispatch_table = _ONE_SOURCE
    pickler.dump(session)
    return file.getvalue()


def differing(before: Mapping[int, bytes], after: Mapping[int, bytes]) -> set[int]:
    """Tell with which instances the sessions differ."""
    return {
        tag
        for tag in before.keys() | after.keys()
        if before.get(tag) != after.get(tag)
        and _thawed(before.get(tag)) != _thawed(after.get(tag))
    }


def _thawed(session: bytes | None) -> Frozen:
    return session and freeze(pickle.loads(session))  # noqa: S301 # our own copy


def freeze(value: object) -> Frozen:
    """Return something that is equal as long as the state is the same."""
    kind = type(value)
    if kind in _VALUES:
        return value
    if kind is bytearray:
        return bytes(cast("bytearray", value))
    if isinstance(value, dict):
        return [
            (key, freeze(each)) for key, each in value.items() if not _is_unused(each)
        ]
    if isinstance(value, list | tuple | deque):
        return [freeze(each) for each in value]
    if isinstance(value, _OPAQUE):
        return None if not isinstance(value, Enum) else value
    return [
        freeze(getattr(value, name, None))
        for name in _attributes(value)
        if name not in _NOT_OF_SESSION
    ]


def size_of(*roots: object) -> int:
    """Add up the bytes of all that can be reached, each object once.

    Long-term keys and functions are everybody's and not counted.
    """
    seen: set[int] = set()
    waiting: list[object] = list(roots)
    n_bytes = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, _OPAQUE):
            continue
        seen.add(id(value))
        n_bytes += sys.getsizeof(value)
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | deque | frozenset):
            waiting += value
        elif type(value) not in _VALUES and not isinstance(value, bytearray):
            waiting += [getattr(value, name, None) for name in _attributes(value)]
            n_bytes += sys.getsizeof(getattr(value, "__dict__", None) or 0)
    return n_bytes


def _is_unused(value: object) -> bool:
    """Keys of a pair are derived when a message first names it, forged or not."""
    return (
        isinstance(value, PairKeys)
        and not value.has_received
        and (value.send_counter, value.receive_counter) == (0, 0)
    )


def _attributes(value: object) -> tuple[str, ...]:
    instance = getattr(value, "__dict__", None)
    return (*_slots(cast("Hashable", type(value))), *(instance or ()))


@functools.cache
def _slots(kind: Hashable) -> tuple[str, ...]:
    assert isinstance(kind, type)
    names: list[str] = []
    for each in kind.__mro__:
        slots = each.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    return tuple(name for name in names if not name.startswith("__"))
