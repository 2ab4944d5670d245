"""What is changed beyond mutmut's own list: what matters in code that checks others.

mutmut 3 leaves whole statements in place, never turns a condition round and takes no
part of one away. In a room whose work is to refuse and to wipe, a check or a wipe
that could be deleted unnoticed is the mutant that matters most.

Rule: an operator yields code that Python accepts. Whether it makes sense is for the
tests to say.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import libcst as cst

Operator = Callable[[Any], Iterable[cst.CSTNode]]

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
# mutmut turns these round by itself.
_TURNED = cst.Equal | cst.NotEqual | cst.Is | cst.IsNot | cst.In | cst.NotIn


def bytes_only(operator: Operator) -> Operator:
    """Keep an operator on strings away from text."""

    def changed(node: cst.SimpleString) -> Iterable[cst.CSTNode]:
        return operator(node) if "b" in node.prefix.lower() else ()

    return changed


def delete_statement(node: cst.SimpleStatementLine) -> Iterable[cst.CSTNode]:
    """Put `pass` in the place of a call, a raise, a return, or a change of state."""
    (statement, *others) = node.body
    if not others and _does_something(statement):
        yield node.with_changes(body=[cst.Pass()])


def negate_condition(node: cst.If | cst.While | cst.CompIf) -> Iterable[cst.CSTNode]:
    """Turn a condition round, where no other operator does."""
    if not _is_turned_elsewhere(node.test):
        yield node.with_changes(test=_negated(node.test))


def negate_guard(node: cst.MatchCase) -> Iterable[cst.CSTNode]:
    """Turn the guard of a case round, or take it away."""
    if node.guard is None:
        return
    # Only the last case may take everything.
    takes_all = isinstance(node.pattern, cst.MatchAs) and node.pattern.pattern is None
    if not takes_all:
        yield node.with_changes(guard=None)
    if not _is_turned_elsewhere(node.guard):
        yield node.with_changes(guard=_negated(node.guard))


def drop_operand(node: cst.BooleanOperation) -> Iterable[cst.CSTNode]:
    """Let one side of `and` or `or` decide alone."""
    for side in (node.left, node.right):
        yield _in_parentheses(side)


def lower_number(node: cst.Integer) -> Iterable[cst.CSTNode]:
    """Make a number smaller by one; mutmut makes it greater by one."""
    if node.evaluated_value > 0:
        yield cst.Integer(str(node.evaluated_value - 1))


def change_constant_argument(node: cst.Arg) -> Iterable[cst.CSTNode]:
    """Hand over a named constant plus one."""
    if not node.star and _is_constant(node.value):
        yield node.with_changes(value=_plus_one(node.value))


def change_constant_operand(node: cst.BinaryOperation) -> Iterable[cst.CSTNode]:
    """Calculate with a named constant plus one."""
    for side in ("left", "right"):
        operand = getattr(node, side)
        if _is_constant(operand):
            yield node.with_changes(**{side: _plus_one(operand)})


def change_constant_bound(
    node: cst.ComparisonTarget | cst.Slice,
) -> Iterable[cst.CSTNode]:
    """Compare with, or cut at, a named constant plus one."""
    names = (
        ("comparator",)
        if isinstance(node, cst.ComparisonTarget)
        else ("lower", "upper")
    )
    for name in names:
        bound = getattr(node, name)
        if bound is not None and _is_constant(bound):
            yield node.with_changes(**{name: _plus_one(bound)})


OPERATORS: Final[Sequence[tuple[type, Operator]]] = (
    (cst.SimpleStatementLine, delete_statement),
    (cst.If, negate_condition),
    (cst.While, negate_condition),
    (cst.CompIf, negate_condition),
    (cst.MatchCase, negate_guard),
    (cst.BooleanOperation, drop_operand),
    (cst.Integer, lower_number),
    (cst.Arg, change_constant_argument),
    (cst.BinaryOperation, change_constant_operand),
    (cst.ComparisonTarget, change_constant_bound),
    (cst.Slice, change_constant_bound),
)


def _does_something(statement: cst.BaseSmallStatement) -> bool:
    match statement:
        case cst.Expr(value=cst.Call()) | cst.Raise() | cst.Return() | cst.AugAssign():
            return True
        case cst.Assign(targets=targets):
            return any(
                isinstance(each.target, cst.Attribute | cst.Subscript)
                for each in targets
            )
        case _:
            return False


def _is_turned_elsewhere(test: cst.BaseExpression) -> bool:
    match test:
        case cst.UnaryOperation(operator=cst.Not()):
            return True
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=operator)]):
            return isinstance(operator, _TURNED)
        case _:
            return False


def _is_constant(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and _CONSTANT.fullmatch(node.value) is not None


def _negated(test: cst.BaseExpression) -> cst.UnaryOperation:
    return cst.UnaryOperation(cst.Not(), _in_parentheses(test))


def _plus_one(node: cst.BaseExpression) -> cst.BinaryOperation:
    return cst.BinaryOperation(
        node,
        cst.Add(),
        cst.Integer("1"),
        lpar=[cst.LeftParen()],
        rpar=[cst.RightParen()],
    )


def _in_parentheses(node: cst.BaseExpression) -> cst.BaseExpression:
    changed: cst.BaseExpression = node.with_changes(
        lpar=[cst.LeftParen()], rpar=[cst.RightParen()]
    )
    return changed
