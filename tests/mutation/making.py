"""The mutants of one module: made by mutmut, put into the module's file together.

mutmut keeps each function once as it is and once for every change, and a trampoline
picks the one to run; so one import serves all mutants of a module.

Rule: a mutant is known by what it changes and where, never by a number.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import libcst as cst
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import (
    Mutation,
    combine_mutations_to_source,
    create_mutations,
    deep_replace,
    group_by_top_level_node,
)
from mutmut.mutation.trampoline_templates import mangle_function_name
from mutmut.utils.format_utils import get_mutant_name

from tests.mutation.operators import OPERATORS, Operator, bytes_only

_MARK: Final = "__mutmut_"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change to one function."""

    file: str
    function: str
    """With its class before it, if it has one."""
    diff: str
    """The lines taken away and put in, without their indentation."""
    key: str
    """mutmut's own name for it."""

    @property
    def function_key(self) -> str:
        """mutmut's own name for the function."""
        return self.key.rpartition(_MARK)[0]


def add_operators() -> None:
    """Teach mutmut our operators; once in a process."""
    # It is a list, and typed as less.
    known = cast("list[tuple[type, Operator]]", mutators.mutation_operators)
    # Every str in the modules is the name of an encoding or a developer's word.
    place = [operator for _, operator in known].index(mutators.operator_string)
    known[place] = (cst.SimpleString, bytes_only(mutators.operator_string))
    known += OPERATORS


def mutate(file: Path) -> list[Mutant]:
    """Put all mutants into a file of the copy; it does what it did until one is on."""
    module, mutations, *ignored = create_mutations(str(file), file.read_text())
    combined = combine_mutations_to_source(module, mutations, *ignored)
    mutants = list(_mutants(file, module, group_by_top_level_node(mutations)))
    made = {get_mutant_name(file, name) for name in combined.mutant_names}
    assert made == {mutant.key for mutant in mutants}, "mutmut counts in another way"
    file.write_text(combined.code)
    return mutants


def _mutants(
    file: Path, module: cst.Module, groups: Mapping[cst.CSTNode, Sequence[Mutation]]
) -> Iterator[Mutant]:
    for function, class_name in _functions(module.body):
        name = function.name.value
        mangled = mangle_function_name(name=name, class_name=class_name)
        for number, mutation in enumerate(groups.get(function, ()), 1):
            yield Mutant(
                str(file),
                f"{class_name}.{name}" if class_name else name,
                _diff(function, mutation),
                get_mutant_name(file, f"{mangled}{_MARK}{number}"),
            )


def _functions(
    body: Sequence[cst.CSTNode], class_name: str | None = None
) -> Iterator[tuple[cst.FunctionDef, str | None]]:
    for node in body:
        if isinstance(node, cst.FunctionDef):
            yield node, class_name
        elif isinstance(node, cst.ClassDef) and class_name is None:
            yield from _functions(node.body.body, node.name.value)


def _diff(function: cst.FunctionDef, mutation: Mutation) -> str:
    changed = deep_replace(function, mutation.original_node, mutation.mutated_node)
    assert isinstance(changed, cst.FunctionDef)
    before, after = (_lines(each) for each in (function, changed))
    return "\n".join(
        re.sub(r"^([-+])\s+", r"\1 ", line)
        for line in difflib.ndiff(before, after)
        if line[0] in "-+"
    )


def _lines(function: cst.FunctionDef) -> list[str]:
    return cst.Module([function]).code.splitlines()
