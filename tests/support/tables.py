"""Tables in Markdown that say which test shows what: every name has to be there."""

import re
from pathlib import Path

_TESTS = Path(__file__).parents[1]


def named_in_rows(table: Path) -> list[set[str]]:
    """Return the tests that each row names, below the head of the table."""
    rows = re.findall(r"^\|.*\|$", table.read_text(), re.MULTILINE)[2:]
    return [set(re.findall(r"`(test_\w+)`", row)) for row in rows]


def names_of_tests() -> set[str]:
    """Return the names of all tests of the project."""
    return {
        name
        for path in _TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
