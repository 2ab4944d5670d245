"""Two ends at any point of an exchange, and all of a session that must not move."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType

from coykiosk.otr import Inject, Instances, Output, Received, Secured, Unreadable
from coykiosk.otr.framing import armour
from coykiosk.otr.primitives import DhKeyPair
from coykiosk.otr.ratchet import PairKeys
from tests.otr.wiring import Pair, injected, raw_of

KINDS = ("commit", "key", "reveal_sig", "sig")
"""The messages of an exchange that Bob begins, in order."""
ERROR_LINE = Inject("?OTR Error: a message of yours could not be read")
REFUSED: list[Output] = [Unreadable(), ERROR_LINE]
"""What comes of a data message that fails a check."""
PLAIN_TYPES = (int, float, str, bytes, bool, type(None), Enum)
FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, type)


@dataclass
class Moment:
    """Just before `text` reaches `end`."""

    pair: Pair
    end: Instances
    text: str

    @property
    def raw(self) -> bytes:
        return raw_of(self.text)

    def receive(self, raw: bytes) -> list[object]:
        """Give `end` these bytes; the flood limits are another test's matter."""
        unlimited(self.end)
        return list(self.end.receive(armour(raw), self.pair.now))


def before(kind: str, *, encrypted: bool = False) -> Moment:
    """The moment before this message of an exchange, or a data message, arrives.

    Encrypted: the exchange is a second one, and a session is up meanwhile.
    """
    pair = Pair()
    if encrypted or kind == "data":
        pair.agree()
        pair.now = 30.0
    if kind == "data":
        return Moment(pair, pair.bob, injected(pair.alice.send("hello", pair.now))[0])
    texts = injected(pair.bob.receive("?OTRv3?", pair.now))
    end = pair.alice
    for _ in range(KINDS.index(kind)):
        texts = injected(end.receive(texts[0], pair.now))
        end = pair.other(end)
    return Moment(pair, end, texts[0])


def unlimited(end: Instances) -> None:
    end._reception._starts._left = 32.0
    end._reception._steps._left = 96.0
    end._reception._errors._left = 4.0


def is_effect(output: object) -> bool:
    """Whether a person would take this for the other end's doing."""
    return isinstance(output, Received | Secured)


def standing(end: Instances) -> dict[int, object]:
    """Every session of this end, to the last key and counter."""
    return {
        engine.their_tag: frozen(engine._session)
        for engine in end._engines
        if engine._session is not None
    }


def frozen(thing: object) -> object:
    """A value that is equal later if nothing inside has changed."""
    if isinstance(thing, PLAIN_TYPES + FUNCTIONS):
        return thing
    if isinstance(thing, bytearray):
        return bytes(thing)
    if isinstance(thing, Mapping):
        # Keys of a pair are derived when a message first names it, even a forged
        # one; until they are used they are no state.
        return {
            key: frozen(value) for key, value in thing.items() if not is_unused(value)
        }
    if isinstance(thing, list | tuple | deque | set | frozenset):
        return [frozen(each) for each in thing]
    if isinstance(thing, DhKeyPair):
        # Its public half is worked out when first asked for, even by a forged
        # message; it follows from the private one and is no state.
        return type(thing).__name__, thing.public, frozen(thing._private)
    return type(thing).__name__, {
        name: frozen(value) for name, value in attributes_of(thing)
    }


def is_unused(thing: object) -> bool:
    return (
        isinstance(thing, PairKeys)
        and not thing.has_received
        and thing.send_counter == 0
    )


def attributes_of(thing: object) -> Iterator[tuple[str, object]]:
    """What an object holds, in slots or in its dictionary."""
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield name, getattr(thing, name)
