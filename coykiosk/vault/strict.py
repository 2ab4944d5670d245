"""Strict reading of a JSON tree: every field taken once, checked, none left over.

Rule: pure. What is refused is named by its field and its type or length; a value
never enters a message, nor an exception that a message could be made from.
"""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import NoReturn

__all__ = [
    "Fields",
    "ProfileError",
    "armour",
    "load",
    "name",
    "refusal",
    "text_of",
    "unarmour",
]


class ProfileError(Exception):
    """These bytes, or these values, are no profile; the message holds no value."""


def load(encoded: bytes | bytearray) -> object:
    """Read JSON (RFC 8259) in UTF-8, refusing names given twice and NaN.

    Raises:
        ProfileError: it is no JSON.
    """
    try:
        return json.loads(
            encoded.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as exc:
        kind = type(exc).__name__
    # Order matters: raised outside the block above, so that the first error is not
    # its context. A JSON or Unicode error carries the whole text it was reading.
    msg = f"profile: no JSON ({kind})"
    raise ProfileError(msg)


class Fields:
    """An object's fields, each taken once and checked; nothing may be left.

    Every method raises ProfileError.

    Args:
        tree: What JSON made of it; not an object: refused.
        of: What the object is, for messages.
    """

    def __init__(self, tree: object, of: str) -> None:
        if not isinstance(tree, dict):
            raise refusal(of, tree)
        self._left: dict[str, object] = dict(tree)
        self._of = of

    def __contains__(self, key: str) -> bool:
        """Tell whether a field is there that need not be."""
        return key in self._left

    def take(self, key: str) -> object:
        """Return a field as it is."""
        if key not in self._left:
            msg = f"{self._of}: {key} is missing"
            raise ProfileError(msg)
        return self._left.pop(key)

    def take_int(self, key: str, low: int, high: int) -> int:
        """Return an integer within limits, both included."""
        value = self.take(key)
        # A bool is an int to isinstance, and no number to us.
        if type(value) is not int or not low <= value <= high:
            raise refusal(key, value)
        return value

    def take_bool(self, key: str) -> bool:
        """Return true or false, not 1 or 0."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise refusal(key, value)
        return value

    def take_list(self, key: str, most: int) -> list[object]:
        """Return a list of at most so many items."""
        value = self.take(key)
        if not isinstance(value, list) or len(value) > most:
            raise refusal(key, value)
        return value

    def take_str(self, key: str, most: int, *, empty: bool) -> str:
        """Return a string of at most so many bytes of UTF-8."""
        value = text_of(self.take(key), key, most)
        if not value and not empty:
            raise refusal(key, value)
        return value

    def take_name(self, key: str, most: int) -> str:
        """Return a printable string without blanks, not empty."""
        return name(self.take(key), key, most)

    def take_choice(self, key: str, choices: frozenset[str]) -> str:
        """Return one of the strings that are allowed."""
        value = self.take_str(key, 64, empty=False)
        if value not in choices:
            raise refusal(key, value)
        return value

    def take_bytes(self, key: str, least: int, most: int) -> bytes:
        """Return what base64 carries, its length within limits."""
        return unarmour(self.take(key), key, least, most)

    def take_time(self, key: str) -> datetime:
        """Return an ISO 8601 time that says it is in UTC."""
        text = self.take_str(key, 40, empty=False)
        try:
            stamp = datetime.fromisoformat(text)
        except ValueError:
            stamp = None
        if stamp is None or stamp.utcoffset() != timedelta(0):
            raise refusal(key, text)
        return stamp.replace(tzinfo=UTC)

    def finish(self) -> None:
        """Check that no field is left that we do not know."""
        if self._left:
            msg = f"{self._of}: {len(self._left)} unknown fields"
            raise ProfileError(msg)


def text_of(value: object, key: str, most: int) -> str:
    """Return a string of at most so many bytes of UTF-8, or raise."""
    if not isinstance(value, str) or len(value) > most:
        raise refusal(key, value)
    try:
        fits = len(value.encode()) <= most
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        fits = False
    if not fits:
        raise refusal(key, value)
    return value


def name(value: object, key: str, most: int) -> str:
    """Return a string that could be a name: not empty, printable, no blanks."""
    text = text_of(value, key, most)
    if not text or " " in text or not text.isprintable():
        raise refusal(key, value)
    return text


def armour(value: bytes) -> str:
    """Return bytes as base64 (RFC 4648, section 4)."""
    return b64encode(value).decode("ascii")


def unarmour(value: object, key: str, least: int, most: int) -> bytes:
    """Return the bytes of canonical base64 within limits of length, or raise."""
    # Four characters carry three bytes: no need to decode what is too long.
    text = text_of(value, key, 4 * (most // 3 + 1))
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        decoded = None
    if decoded is None or not least <= len(decoded) <= most:
        raise refusal(key, value)
    if armour(decoded) != text:
        raise refusal(key, value)
    return decoded


def refusal(key: str, value: object) -> ProfileError:
    """Return the refusal of a value, naming its type and never the value."""
    return ProfileError(f"{key}: a {type(value).__name__} out of bounds")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        msg = "a name twice in one object"
        raise ValueError(msg)
    return tree


def _refuse_constant(_: str) -> NoReturn:
    msg = "no number"
    raise ValueError(msg)
