"""Where in a TOML text something stands, which tomllib does not tell.

Rule: nothing is guessed from how a line looks. TOML is cut into its statements by
asking tomllib itself where each one ends, so multi-line arrays and strings,
comments, quoted keys and equal keys in several tables cannot mislead it.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Places", "find_places", "line_of_syntax_error"]

_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)\Z")

_MAX_STATEMENT_LINES: Final = 200
"""Finding where a statement of n lines ends takes n readings of it: a limit keeps
a hostile file from turning an error message into an hour's work."""


@dataclass(slots=True)
class Places:
    """The line numbers of one text, counted from 1."""

    top: dict[str, int] = field(default_factory=dict)
    """Keys and tables outside of any record."""
    records: list[int] = field(default_factory=list)
    """The header of each record."""
    keys: list[dict[str, int]] = field(default_factory=list)
    """The keys of each record."""
    searched_to: int = 1
    """The last statement looked at; what was not found stands no earlier."""

    def line(self, record: str, index: int, key: str | None) -> int:
        """Return the line of a record's key, or the best there is to point at.

        Args:
            record: Name of the array of tables the records stand in.
            index: Which record, from 0.
            key: The key in question; None for the record as a whole.
        """
        if index >= len(self.records):  # written as one inline array
            return self.top.get(record, self.searched_to)
        if key is None:
            return self.records[index]
        return self.keys[index].get(key, self.records[index])


def find_places(text: str, *, record: str) -> Places:
    """Find the lines of all records and keys of a text that tomllib accepts.

    Args:
        text: A valid TOML document.
        record: Name of the array of tables whose records are wanted.
    """
    places = Places()
    table = places.top
    for line, source, parsed in _statements(text):
        places.searched_to = line
        name = next(iter(parsed), None)
        if name is None:
            continue
        if not source.lstrip().startswith("["):
            table.setdefault(name, line)
            continue
        value = parsed[name]
        if name == record and isinstance(value, list):
            places.records.append(line)
            places.keys.append({})
            table = places.keys[-1]
        elif name == record and isinstance(value, dict) and places.keys:
            places.keys[-1].setdefault(next(iter(value), name), line)
            table = {}
        else:
            places.top.setdefault(name, line)
            table = {}
    return places


def line_of_syntax_error(text: str, error: ValueError | RecursionError) -> int:
    """Return the line that keeps a text from being TOML.

    Args:
        text: What tomllib refused.
        error: How tomllib refused it. A number of thousands of digits and
            brackets nested without end are refused by Python below it, and say
            nothing of the place.
    """
    if isinstance(error, tomllib.TOMLDecodeError):
        found = _AT_LINE.search(str(error))
        return int(found[1]) if found else len(_lines(text))
    last = 1
    try:
        for line, source, _ in _statements(text):
            last = line + source.count("\n") + 1
    except (ValueError, RecursionError):
        return min(last, len(_lines(text)))
    return last


def _lines(text: str) -> list[str]:
    # TOML knows two line ends; str.splitlines would also cut at U+2028 and others.
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each statement's first line, its source and what it says by itself.

    A line ends a statement unless it is inside of brackets or of a multi-line
    string, and just then the lines so far are no TOML document of their own.
    """
    first = 1
    pending: list[str] = []
    for number, line in enumerate(_lines(text), start=1):
        if not pending:
            first = number
        pending.append(line)
        source = "\n".join(pending)
        try:
            parsed = tomllib.loads(source)
        except tomllib.TOMLDecodeError:
            if len(pending) == _MAX_STATEMENT_LINES:
                return
            continue
        yield first, source, parsed
        pending.clear()
