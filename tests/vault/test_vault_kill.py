"""SIGKILL at any moment: the vault opens as it was before or after, never between."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("kill_driver.py")
ROUNDS = 60


@pytest.mark.parametrize("work", ["create", "save"])
def test_vault_opens_before_or_after_when_its_process_is_killed(
    vault_path: Path, work: str
) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, str(DRIVER), str(vault_path), str(ROUNDS), "seed 1", work],
        cwd=DRIVER.parents[2],
        env={"PYTHONPATH": str(DRIVER.parents[2])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["before"] + seen["after"] == ROUNDS
    assert (seen["other"], seen["left"]) == (0, 0)
    # The kills did hit work that was not finished; else this test shows nothing.
    assert seen["stale"] > 0
    assert [entry.name for entry in vault_path.parent.iterdir()] == ["vault"]
