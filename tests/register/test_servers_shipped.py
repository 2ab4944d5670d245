"""The servers.toml that is shipped: valid, dated, chosen with care, and packed."""

import re
import shutil
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest

from coykiosk.register import Registration, Server, load_servers, order_servers

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "servers.toml"
LISTED = date(2026, 11, 30)
"""No claim may be younger: change it together with the file, never to the day the
tests run on, or a wrong clock would break them."""


@pytest.fixture(scope="module")
def shipped() -> tuple[Server, ...]:
    return load_servers(FILE.read_bytes(), name=FILE.name, today=LISTED)


def test_shipped_file_has_a_server_that_needs_nobody_to_help(
    shipped: tuple[Server, ...],
) -> None:
    best = [one for one in shipped if one.register is Registration.OPEN and one.onion]

    assert best


def test_shipped_claims_are_of_the_years_of_version_3_onions(
    shipped: tuple[Server, ...],
) -> None:
    dates = {one.register_checked for one in shipped}
    dates |= {one.onion_checked for one in shipped if one.onion}

    assert all(day is not None and day >= date(2024, 1, 1) for day in dates)


def test_shipped_records_name_the_list_and_the_newest_date_they_rest_on(
    shipped: tuple[Server, ...],
) -> None:
    wrong = [
        one.domain
        for one in shipped
        for day in (one.register_checked, one.onion_checked)
        if day is not None and day.isoformat() not in one.source
    ]

    assert not wrong


def test_shipped_records_of_one_onion_have_one_operator(
    shipped: tuple[Server, ...],
) -> None:
    operators: dict[str, set[str]] = {}
    for one in shipped:
        if one.onion:
            operators.setdefault(one.onion, set()).add(one.operator)

    assert all(len(names) == 1 for names in operators.values())


def test_shipped_operators_are_single_plain_words(
    shipped: tuple[Server, ...],
) -> None:
    """Two spellings of one hoster would give it two shares of our users."""
    words = {one.operator for one in shipped}

    assert all(re.fullmatch(r"[a-z0-9.-]+", word) for word in words)
    assert len({word.lower().replace("-", "") for word in words}) == len(words)


def test_shipped_servers_with_an_onion_are_tried_before_any_exit(
    shipped: tuple[Server, ...],
) -> None:
    ordered = order_servers(shipped, lambda size: bytes(size))  # noqa: PLW0108 - a RandomBytes

    by_onion = [one.onion is not None for one in ordered]

    assert by_onion == sorted(by_onion, reverse=True)
    assert sum(by_onion) >= 4


def test_shipped_servers_that_hold_tor_users_back_are_not_listed(
    shipped: tuple[Server, ...],
) -> None:
    """yax.im: accounts made through Tor exits may not write (yaxim.org, 2020)."""
    domains = {one.domain for one in shipped}

    assert "yax.im" not in domains


def test_shipped_file_says_that_nobody_was_contacted() -> None:
    header = FILE.read_text(encoding="utf-8").split("[[server]]", maxsplit=1)[0]

    assert "Nobody has\n# contacted a server" in header


def test_link_in_the_package_leads_to_the_file_at_the_top() -> None:
    link = ROOT / "coykiosk" / "servers.toml"

    assert link.is_symlink()
    assert link.readlink() == Path("../servers.toml")
    assert link.resolve() == FILE


def test_wheel_carries_the_file_itself(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "servers.toml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tree)
    (tree / "README.md").touch()
    shutil.copytree(
        ROOT / "coykiosk",
        tree / "coykiosk",
        symlinks=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )

    subprocess.run(  # noqa: S603 - fixed words and our own paths
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=60,
    )

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert packed.read("coykiosk/servers.toml") == FILE.read_bytes()
        assert "coykiosk/register/servers.py" in packed.namelist()
