"""Parts that the vault's tests share: a quick stand-in for Argon2, a profile, a no."""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import UserError
from coykiosk.vault.layout import Header
from coykiosk.vault.profile import Account, Profile
from coykiosk.vault.store import VaultStore

MakeStore = Callable[..., VaultStore]
MakeProfile = Callable[..., Profile]
WORDS: Final = "badness impish glorify dish bobble patronize"


def refusal(act: Callable[[], object]) -> UserError:
    """Do what is refused, and return how that is told."""
    with pytest.raises(UserError) as caught:
        act()
    return caught.value


def names(directory: Path) -> list[str]:
    """Return the names of all that lies in a folder."""
    return sorted(entry.name for entry in directory.iterdir())


def quick_derive(passphrase: bytes, header: Header) -> bytes:
    """As Argon2id: a key that hangs on passphrase and header; no work at all."""
    return hashlib.sha256(passphrase + b"|" + header.encode()).digest()


@pytest.fixture
def make_account() -> Callable[..., Account]:
    def make(localpart: str = "quiet.otter.51", **changes: object) -> Account:
        values: dict[str, object] = {
            "localpart": localpart,
            "domain": "example.org",
            "password": Secret("pa55-of-the-account"),
            "pending": True,
            "host": "abcdefghijklmnopqrstuvwxyz234567.onion",
            "port": 5223,
            "tls": "direct",
            "spki": ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",),
            "otr_key": Secret(b"otr-private-key-bytes" * 20),
            "instance_tag": 0x1234ABCD,
            "known": {"sam@example.net": (bytes(range(20)), b"\xff" * 20)},
            "created": datetime(2024, 5, 17, 8, 30, 15, tzinfo=UTC),
        }
        return Account(**(values | changes))  # type: ignore[arg-type]  # a test's mix

    return make


@pytest.fixture
def make_profile(make_account: Callable[..., Account]) -> Callable[..., Profile]:
    def make(n_accounts: int = 1, guard_state: str = "Guard in=default") -> Profile:
        accounts = [make_account(f"quiet.otter.{n}") for n in range(n_accounts)]
        return Profile(accounts, guard_state)

    return make


@pytest.fixture
def vault_path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "coykiosk" / "vault"


@pytest.fixture
def make_store(vault_path: Path) -> Callable[..., VaultStore]:
    """Stores on one path, with the quick stand-in for Argon2."""

    def make(path: Path | None = None) -> VaultStore:
        return VaultStore(
            path or vault_path,
            random_bytes=os.urandom,
            derive=quick_derive,
            free_kib=lambda: 0,
        )

    return make


@pytest.fixture
def kept(
    make_store: Callable[..., VaultStore],
    make_profile: Callable[..., Profile],
    vault_path: Path,
) -> Path:
    """A closed vault with one account under WORDS."""
    store = make_store()
    store.create(Secret(WORDS), make_profile())
    store.close()
    return vault_path
