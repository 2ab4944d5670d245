"""The list of survivors against what survived."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.__main__ import LISTED, Known, judge, read_list
from tests.mutation.judging import Verdict
from tests.mutation.plan import MODULES

ONE = Known("a.py", "f", "- a\n+ b")
OTHER = Known("a.py", "f", "- a\n+ c")


def verdict(mutant: Known, kind: Verdict) -> dict[str, str]:
    return {
        "file": mutant.file,
        "function": mutant.function,
        "diff": mutant.diff,
        "verdict": kind.value,
    }


@pytest.mark.parametrize(
    ("listed", "survives", "status"),
    [
        ([], [], 0),
        ([ONE], [ONE], 0),
        ([], [ONE], 1),
        ([ONE], [], 1),
        ([ONE], [OTHER], 1),
        ([ONE], [ONE, ONE], 1),
        ([ONE, ONE], [ONE, ONE], 0),
    ],
    ids=["none", "explained", "new", "gone", "changed", "one more", "two alike"],
)
def test_judge_is_content_only_with_exactly_what_is_listed(
    listed: list[Known],
    survives: list[Known],
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = [verdict(each, Verdict.SURVIVES) for each in survives]

    found = judge([*verdicts, verdict(OTHER, Verdict.KILLED)], Counter(listed))

    assert found == status
    assert ("[[mutant]]" in capsys.readouterr().out) is bool(status)


@pytest.mark.parametrize("kind", Verdict)
def test_judge_takes_nothing_for_noticed_but_a_failure_and_a_hang(
    kind: Verdict,
) -> None:
    found = judge([verdict(ONE, kind)], Counter())

    assert found == (kind not in {Verdict.KILLED, Verdict.HANGS})


ENTRY = """
[[mutant]]
file = "f"
function = "g"
diff = "-"
"""


@pytest.mark.parametrize(
    "text",
    [f"{ENTRY}why = ' '", f"{ENTRY}why = 'x'\n{ENTRY}why = 'y'"],
    ids=["no reason", "twice"],
)
def test_list_is_refused_when_an_entry_is_wrong(tmp_path: Path, text: str) -> None:
    file = tmp_path / "explained.toml"
    file.write_text(text)

    with pytest.raises(ValueError, match="no reason, or twice"):
        read_list(file)


def test_list_names_only_modules_that_are_mutated() -> None:
    assert {known.file for known in read_list(LISTED)} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_module_that_is_mutated_is_there(module: str) -> None:
    assert (LISTED.parents[2] / module).is_file()
