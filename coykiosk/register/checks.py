"""What each value of a servers file must be, one small check for each kind.

Rule: a check returns the value it was given, typed, or says why not. It never
mends: a value that was nearly right was not copied with care.
"""

import base64
import hashlib
import re
from datetime import date, datetime, time
from enum import Enum
from typing import Final, NoReturn, TypeVar

__all__ = [
    "ValueRefused",
    "a_date",
    "a_domain",
    "a_port",
    "a_truth",
    "a_word",
    "an_onion",
    "onion_fault",
    "pins",
    "scram_mechanisms",
    "some_text",
]

MAX_TEXT_CHARS: Final = 200
MAX_LIST_ITEMS: Final = 16
EARLIEST: Final = date(1999, 1, 4)  # the day Jabber was announced
SCRAM_MECHANISMS: Final = (  # RFC 5802, section 4; RFC 7677; the IANA registry
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
)

_SPKI_CHARS: Final = 44  # SHA-256 in base64, padding included
_ONION_CHARS: Final = 56  # rend-spec-v3, "Encoding onion addresses"
_ONION_V2_CHARS: Final = 16
_ONION_VERSION: Final = 3
_BASE32: Final = re.compile(r"[a-z2-7]+")  # RFC 4648, section 6, in lower case
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, 2.1
_MAX_DOMAIN_CHARS: Final = 253
_MAX_PORT: Final = 65535
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (datetime, "a date with a time"),
    (date, "a date"),
    (time, "a time"),
    (list, "a list"),
    (dict, "a table"),
)

E = TypeVar("E", bound=Enum)


class ValueRefused(Exception):  # noqa: N818 - reads as what it says: raise ValueRefused
    """A value is not what it must be.

    Args:
        reason: Lower case, no full stop, fit to be shown; never the value.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def some_text(value: object) -> str:
    """Check a line of text for people."""
    text = _text(value)
    if len(text) > MAX_TEXT_CHARS:
        _refuse(f"longer than {MAX_TEXT_CHARS} characters")
    return text


def a_domain(value: object) -> str:
    """Check a server's name: lower case, A-labels, two labels at least.

    Source: RFC 1123, section 2.1; RFC 7622, section 3.2.
    """
    domain = _text(value)
    if domain.endswith(".onion"):
        return an_onion(domain)
    labels = domain.split(".")
    if not domain.isascii():
        _refuse("must be written with xn-- (A-labels)")
    if domain != domain.lower():
        _refuse("must be in lower case")
    if len(domain) > _MAX_DOMAIN_CHARS or len(labels) == 1 or labels[-1].isdigit():
        _refuse("is not a domain name")
    if not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("is not a domain name")
    return domain


def an_onion(value: object) -> str:
    """Check a version 3 onion address, its checksum included."""
    onion = _text(value)
    fault = onion_fault(onion)
    if fault is not None:
        _refuse(fault)
    return onion


def onion_fault(address: str) -> str | None:
    """Say what is wrong with a version 3 onion address; None when nothing is.

    Source: rend-spec-v3, "Encoding onion addresses" [ONIONADDRESS].
    """
    name = address.removesuffix(".onion")
    if name == address:
        return "does not end in .onion"
    if len(name) == _ONION_V2_CHARS:
        return "is a version 2 address, which Tor no longer carries"
    if len(name) != _ONION_CHARS:
        return f"has {len(name)} characters before .onion, not {_ONION_CHARS}"
    if not _BASE32.fullmatch(name):
        return "has a character that is none of a-z and 2-7"
    return _onion_body_fault(base64.b32decode(name.upper()))


def _onion_body_fault(raw: bytes) -> str | None:
    key, checksum, version = raw[:32], raw[32:34], raw[34:]
    if version[0] != _ONION_VERSION:
        return f"says it is of version {version[0]}, not {_ONION_VERSION}"
    if checksum != hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]:
        return "has a bad checksum: it was not copied right"
    return None


def a_port(value: object) -> int:
    """Check a TCP port."""
    # bool is an int for Python, but not for TOML.
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(f"must be a whole number, not {_kind(value)}")
    if not 1 <= value <= _MAX_PORT:
        _refuse(f"must be from 1 to {_MAX_PORT}")
    return value


def a_truth(value: object) -> bool:
    """Check a yes or no."""
    if not isinstance(value, bool):
        _refuse(f"must be true or false, not {_kind(value)}")
    return value


def a_date(value: object) -> date:
    """Check a day without a time of day."""
    if not isinstance(value, date) or isinstance(value, datetime):
        _refuse(f"must be a date such as 2026-01-31, not {_kind(value)}")
    if value < EARLIEST:
        _refuse(f"must not be before {EARLIEST.isoformat()}")
    return value


def a_word(value: object, words: type[E]) -> E:
    """Check one of the words an enumeration knows."""
    text = _text(value)
    known = {str(word.value): word for word in words}
    if text not in known:
        _refuse("must be one of " + ", ".join(known))
    return known[text]


def pins(value: object) -> tuple[str, ...]:
    """Check a list of public key hashes: SHA-256, base64.

    Source: RFC 7469, section 2.4; RFC 4648, section 4.
    """
    items = _texts(value)
    for number, item in enumerate(items, start=1):
        if len(item) != _SPKI_CHARS:
            _refuse(f"item {number} has {len(item)} characters, not {_SPKI_CHARS}")
        if not _is_plain_base64(item):
            _refuse(f"item {number} is not base64")
    return items


def scram_mechanisms(value: object) -> tuple[str, ...]:
    """Check a list of SCRAM mechanisms, by their registered names."""
    items = _texts(value)
    for number, item in enumerate(items, start=1):
        if item not in SCRAM_MECHANISMS:
            _refuse(f"item {number} is not a SCRAM mechanism")
    return items


def _is_plain_base64(text: str) -> bool:
    """Tell whether text is the one and only base64 form of some bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    # Left-over bits that are not zero would give one key hash several spellings.
    return base64.b64encode(raw).decode() == text


def _text(value: object) -> str:
    if not isinstance(value, str):
        _refuse(f"must be text, not {_kind(value)}")
    if not value:
        _refuse("must not be empty")
    if value != value.strip():
        _refuse("has stray white space at an end")
    if not value.isprintable():
        _refuse("has a character that cannot be seen")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        _refuse(f"must be a list, not {_kind(value)}")
    if not 1 <= len(value) <= MAX_LIST_ITEMS:
        _refuse(f"must have 1 to {MAX_LIST_ITEMS} items, not {len(value)}")
    items: list[str] = []
    for number, item in enumerate(value, start=1):
        try:
            items.append(_text(item))
        except ValueRefused as refused:
            _refuse(f"item {number} {refused.reason}")
        if items.count(items[-1]) > 1:
            _refuse(f"item {number} is there twice")
    return tuple(items)


def _kind(value: object) -> str:
    return next((word for kind, word in _KINDS if isinstance(value, kind)), "that")


def _refuse(reason: str) -> NoReturn:
    raise ValueRefused(reason)
