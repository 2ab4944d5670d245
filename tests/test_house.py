"""The house itself: what its papers say of it is true."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "coykiosk").rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_architecture_names_each_module(module: str) -> None:
    plan = (ROOT / "ARCHITECTURE.md").read_text()

    folder, _, name = module.rpartition("/")
    section = plan.split(f"### {folder}/", 1)[1].split("\n### ", 1)[0]

    assert re.search(rf"^\| `{re.escape(name)}` \|", section, re.MULTILINE)


def test_architecture_names_no_module_that_is_not_there() -> None:
    plan = (ROOT / "ARCHITECTURE.md").read_text()

    named = []
    for section in plan.split("\n### ")[1:]:
        folder = section.split("/\n", 1)[0].strip()
        if folder.startswith("coykiosk"):
            rows = re.findall(r"^\| `(\w+\.py)` \|", section, re.MULTILINE)
            named += [f"{folder}/{name}" for name in rows]

    assert sorted(set(named)) == MODULES


def test_readme_gives_a_reason_for_each_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text()
    table = readme.split("## Dependencies", 1)[1].split("\n## ", 1)[0]

    names = [re.split(r"[=<>]", each)[0] for each in project["dependencies"]]

    assert [name for name in names if name not in table] == []


@pytest.mark.parametrize("lock", ["build", "run", "check"])
def test_lock_file_pins_every_package_with_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=[^\s#])", text.strip())

    unpinned = [
        entry.splitlines()[0]
        for entry in entries
        if not entry.startswith("#")
        and not ("==" in entry and "--hash=sha256:" in entry)
    ]

    assert unpinned == []


def test_no_resolver_is_locked() -> None:
    lock = (ROOT / "requirements" / "run.txt").read_text()

    assert "aiodns" not in lock
    assert "pycares" not in lock
