"""What our own operators change, and what they leave to mutmut."""

import ast

import libcst as cst
import pytest

from tests.mutation.operators import OPERATORS


def changed(line: str, *, inside: str = "{}") -> list[str]:
    """The line after each of our operators, on any node of it, in order."""
    module = cst.parse_module(inside.format(line) + "\n")
    found = []
    for kind, operator in OPERATORS:
        for node in nodes_of(module):
            if isinstance(node, kind):
                for other in operator(node):
                    mutant = module.deep_replace(node, other)
                    assert isinstance(mutant, cst.Module)
                    compile(mutant.code, "mutant", "exec")
                    found.append(mutant.code.strip())
    return found


def nodes_of(node: cst.CSTNode) -> list[cst.CSTNode]:
    return [node, *(below for child in node.children for below in nodes_of(child))]


@pytest.mark.parametrize(
    ("line", "mutants"),
    [
        ("check(a)", ["pass"]),
        ("raise Error", ["pass"]),
        ("n += m", ["pass"]),
        ("a.b = c", ["pass"]),
        ("a[b] = c", ["pass"]),
        ("a = b", []),
        ('"""Say it."""', []),
        ("n = 3", ["n = 2"]),
        ("n = 0", []),
        ("a = f(LIMIT)", ["a = f((LIMIT + 1))"]),
        ("a = f(limit, *MANY)", []),
        ("a = LIMIT - b", ["a = (LIMIT + 1) - b"]),
        ("a = b < LIMIT", ["a = b < (LIMIT + 1)"]),
        ("a = b[:_LIMIT]", ["a = b[:(_LIMIT + 1)]"]),
        ("a = Kind.LIMIT", []),
        ("a = b and c", ["a = (b)", "a = (c)"]),
        ("a = [b for b in c if b.d]", ["a = [b for b in c if not (b.d)]"]),
    ],
)
def test_line_is_changed_in_every_way_and_in_no_other(
    line: str, mutants: list[str]
) -> None:
    assert changed(line) == mutants


@pytest.mark.parametrize(
    ("condition", "turned"),
    [
        ("a", ["not (a)"]),
        ("a < b", ["not (a < b)"]),
        ("not a", []),
        ("a == b", []),
        ("a is b", []),
        ("a in b", []),
    ],
)
def test_condition_is_turned_round_where_mutmut_does_not(
    condition: str, turned: list[str]
) -> None:
    source = "if {}: pass"

    assert changed(condition, inside=source) == [source.format(each) for each in turned]


@pytest.mark.parametrize(
    ("pattern", "guards"),
    [("B()", ["", " if not (d)"]), ("b", [" if not (d)"]), ("_", [" if not (d)"])],
    ids=["of a kind", "of any value", "of all that is left"],
)
def test_guard_is_turned_round_and_taken_away_where_python_allows_it(
    pattern: str, guards: list[str]
) -> None:
    source = f"match a:\n    case {pattern}{{}}: pass\n    case c: pass"

    mutants = changed(" if d", inside=source)

    # libcst leaves a blank where the guard was.
    expected = [source.format(guard) for guard in guards]
    assert [ast.unparse(ast.parse(each)) for each in mutants] == [
        ast.unparse(ast.parse(each)) for each in expected
    ]
