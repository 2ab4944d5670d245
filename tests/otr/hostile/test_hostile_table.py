"""The table of hostile groups and the marks on the tests say the same."""

import ast
import functools
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
TABLE = TESTS / "otr" / "HOSTILE.md"
GROUPS = [f"G{n}" for n in range(1, 42)]
ROW = re.compile(r"^\| (G\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def rows() -> dict[str, set[str]]:
    """The files of each group, as the table has them."""
    found = ROW.findall(TABLE.read_text())
    assert len(found) == len({group for group, *_ in found}), "a group has two rows"
    return {group: set(re.findall(r"`([^`]+)`", files)) for group, _, _, files in found}


def marks_in(source: str) -> set[str]:
    """The groups that the tests of a file belong to.

    Read and not imported: a mark counts on a function that pytest collects.
    """
    groups: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if (
                    isinstance(mark, ast.Call)
                    and ast.unparse(mark.func) == "pytest.mark.hostile"
                ):
                    groups |= {ast.literal_eval(argument) for argument in mark.args}
    return groups


@functools.cache
def marks() -> dict[str, set[str]]:
    """The files of each group, as the marks on the tests have them."""
    files: defaultdict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for group in marks_in(path.read_text()):
            files[group].add(path.relative_to(TESTS).as_posix())
    return files


def test_table_has_every_group() -> None:
    assert list(rows()) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_group_has_tests_in_the_files_its_row_names(group: str) -> None:
    named = rows()[group]

    assert named
    assert named == marks()[group]


def test_marks_name_groups_of_the_table_only() -> None:
    assert set(marks()) <= set(rows())


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        ("@pytest.mark.hostile('G1', 'G2')\ndef test_x(): ...", {"G1", "G2"}),
        ("@pytest.mark.hostile('G1')\n@other\ndef test_x(): ...", {"G1"}),
        ("@pytest.mark.hostile('G1')\ndef helper(): ...", set()),
        ("def test_x(): ...", set()),
        ("# @pytest.mark.hostile('G1')\ndef test_x(): ...", set()),
    ],
    ids=["two", "below another", "no test", "no mark", "comment"],
)
def test_reader_of_marks_sees_marks_on_tests(source: str, groups: set[str]) -> None:
    assert marks_in(source) == groups
