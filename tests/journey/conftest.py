"""What every journey uses: the program to start, and a place for its vault."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.launching import Launch, Run
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.scene import Scene, accounts_on

__all__ = ["Launch", "Run"]


@pytest.fixture
def vault_path(tmp_path: Path) -> Path:
    """Where a vault may be made; its folder is not there yet."""
    return tmp_path / "kept" / "vault"


@pytest.fixture
def launch(tmp_path: Path, practice_network: SharedPracticeNetwork) -> Iterator[Launch]:
    """Start the program; what still runs at the end of the test is ended."""
    with Launch(tmp_path, practice_network) as start:
        yield start


@pytest.fixture
def set_out(
    launch: Launch, vault_path: Path, practice_network: SharedPracticeNetwork
) -> Callable[[], Scene]:
    """Start the program on its way through the one action; the vault is the same."""

    def start() -> Scene:
        before = accounts_on(practice_network)
        return Scene(launch(vault=vault_path), practice_network, before)

    return start
