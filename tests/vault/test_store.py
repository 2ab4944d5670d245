"""The vault as the session uses it: made, opened, saved, closed, nothing left."""

import os
import stat
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.vault import container, profile
from coykiosk.vault.layout import parse
from coykiosk.vault.place import default_path
from coykiosk.vault.profile import Profile, ProfileError
from coykiosk.vault.store import VaultStore
from tests.vault.conftest import WORDS, MakeProfile, MakeStore, names


def test_vault_opens_again_in_another_store(
    make_store: MakeStore, make_profile: MakeProfile
) -> None:
    first, second = make_store(), make_store()
    first.create(Secret(WORDS), make_profile(2))
    first.close()

    content = second.unlock(Secret(WORDS))

    second.close()
    assert [a.localpart for a in content.accounts] == ["quiet.otter.0", "quiet.otter.1"]
    assert content.accounts[1].password.reveal() == b"pa55-of-the-account"


@pytest.mark.parametrize(
    "typed",
    [
        f"  {WORDS}\n",
        WORDS.replace(" ", "  "),
        WORDS.replace(" ", "\u00a0"),
        WORDS.replace("fy", "\uff46\uff59"),
    ],
    ids=ascii,
)
def test_unlock_takes_any_spelling_of_the_same_words(
    kept: Path, make_store: MakeStore, typed: str
) -> None:
    store = make_store()

    content = store.unlock(Secret(typed))

    store.close()
    assert len(content.accounts) == 1


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe raw \x80", "gru\u0308n \U0001f98a".encode()]
)
def test_passphrase_may_be_any_bytes(
    make_store: MakeStore, make_profile: MakeProfile, raw: bytes
) -> None:
    store = make_store()
    store.create(Secret(raw), make_profile())
    store.close()

    content = store.unlock(Secret(raw))

    store.close()
    assert len(content.accounts) == 1


def test_save_is_what_unlock_finds(kept: Path, make_store: MakeStore) -> None:
    store = make_store()
    content = store.unlock(Secret(WORDS))
    content.accounts[0].pending = False
    content.guard_state = "Guard in=default rsa_id=AA"

    store.save(content)

    store.close()
    again = store.unlock(Secret(WORDS))
    store.close()
    assert again.accounts[0].pending is False
    assert again.guard_state == "Guard in=default rsa_id=AA"


def test_second_profile_survives_saves_and_growth_of_the_first(
    kept: Path, make_store: MakeStore, make_profile: MakeProfile
) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))
    assert store._container is not None
    assert store._slot is not None
    key = store._derive(b"other words", store._container.header)
    both, _ = container.add_profile(
        store._container,
        store._slot,
        key,
        profile.encode(Profile(guard_state="decoy")),
        os.urandom,
    )
    store.close()
    kept.write_bytes(both.to_bytes())

    store.unlock(Secret(WORDS))
    store.save(make_profile(200))
    store.close()
    decoy = store.unlock(Secret("other words"))
    store.save(Profile(guard_state="decoy, saved again"))
    store.close()
    ours = store.unlock(Secret(WORDS))
    store.close()

    assert decoy.guard_state == "decoy"
    assert len(ours.accounts) == 200
    assert kept.stat().st_size == 228 + 2 * (262_144 + 32)


def test_file_does_not_shrink_again_in_the_same_session(
    kept: Path, make_store: MakeStore, make_profile: MakeProfile
) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))
    store.save(make_profile(200))

    store.save(make_profile(1))

    store.close()
    assert kept.stat().st_size == 228 + 2 * (262_144 + 32)


@pytest.mark.parametrize("n_accounts", [0, 1, 20])
def test_size_does_not_tell_how_many_accounts_there_are(
    make_store: MakeStore,
    make_profile: MakeProfile,
    vault_path: Path,
    n_accounts: int,
) -> None:
    store = make_store()

    store.create(Secret(WORDS), make_profile(n_accounts))

    store.close()
    assert vault_path.stat().st_size == 131_364


@pytest.mark.hostile("G40")
def test_nothing_that_was_kept_can_be_read_in_the_file(kept: Path) -> None:
    data = kept.read_bytes()
    kept_words = [*WORDS.split(), "quiet.otter", "example.org", "pa55", "Guard in"]

    assert [word for word in kept_words if word.encode() in data] == []
    assert b"accounts" not in data
    assert b"otr-private" not in data


@pytest.mark.hostile("G40")
def test_create_makes_private_directories_and_a_private_file(
    make_store: MakeStore, vault_path: Path
) -> None:
    before = os.umask(0)
    try:
        store = make_store()
        store.create(Secret(WORDS), Profile())
    finally:
        os.umask(before)

    modes = [stat.S_IMODE(p.stat().st_mode) for p in (vault_path, *vault_path.parents)]
    store.close()
    assert modes[:3] == [0o600, 0o700, 0o700]


def test_close_leaves_the_vault_and_nothing_else(kept: Path) -> None:
    assert names(kept.parent) == ["vault"]


def test_exists_touches_nothing(make_store: MakeStore, tmp_path: Path) -> None:
    assert not make_store().exists()
    assert names(tmp_path) == []


def test_exists_sees_a_vault(kept: Path, make_store: MakeStore) -> None:
    assert make_store().exists()


def test_save_refuses_a_wiped_profile_as_a_bug(
    kept: Path, make_store: MakeStore
) -> None:
    store = make_store()
    content = store.unlock(Secret(WORDS))
    content.accounts[0].wipe()

    with pytest.raises(ProfileError):
        store.save(content)

    store.close()
    assert len(make_store().unlock(Secret(WORDS)).accounts) == 1


@pytest.mark.hostile("G40")
def test_close_wipes_the_key_and_may_be_called_twice(
    kept: Path, make_store: MakeStore
) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))
    assert store._slot is not None
    key = store._slot.key

    store.close()
    store.close()

    assert key == bytearray(32)
    assert repr(store) == "VaultStore(closed)"


def test_save_after_close_is_a_bug(kept: Path, make_store: MakeStore) -> None:
    store = make_store()

    with pytest.raises(RuntimeError, match="closed"):
        store.save(Profile())


def test_unlock_of_an_open_vault_is_a_bug(kept: Path, make_store: MakeStore) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))

    with pytest.raises(RuntimeError, match="open already"):
        store.unlock(Secret(WORDS))

    store.close()


def test_discard_removes_the_vault_and_the_directories_made_for_it(
    make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store()
    store.create(Secret(WORDS), Profile())
    assert store._slot is not None
    key = store._slot.key

    store.discard()

    assert names(tmp_path) == []
    assert key == bytearray(32)


def test_discard_leaves_directories_that_were_there_before(
    make_store: MakeStore, vault_path: Path
) -> None:
    vault_path.parent.mkdir(parents=True, mode=0o700)
    store = make_store()
    store.create(Secret(WORDS), Profile())

    store.discard()

    assert names(vault_path.parent) == []


def test_discard_of_a_closed_vault_removes_nothing(
    kept: Path, make_store: MakeStore
) -> None:
    make_store().discard()

    assert kept.exists()


def test_create_may_follow_a_discard(
    make_store: MakeStore, make_profile: MakeProfile
) -> None:
    store = make_store()
    store.create(Secret("first words"), Profile())
    store.discard()

    store.create(Secret(WORDS), make_profile())

    store.close()
    assert len(store.unlock(Secret(WORDS)).accounts) == 1
    store.close()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/sam"}, "/home/sam/.local/share/coykiosk/vault"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/data/coykiosk/vault"),
        ({"HOME": "/h", "XDG_DATA_HOME": ""}, "/h/.local/share/coykiosk/vault"),
        ({"HOME": "/h", "XDG_DATA_HOME": "rel"}, "/h/.local/share/coykiosk/vault"),
        ({}, f"{Path.home()}/.local/share/coykiosk/vault"),
    ],
    ids=str,
)
def test_default_path_follows_the_xdg_rules(
    environ: dict[str, str], expected: str
) -> None:
    assert default_path(environ) == Path(expected)


def test_create_calibrates_once_and_writes_the_choice_down(vault_path: Path) -> None:
    """Real clock, real Argon2, the real memory of this machine."""
    store = VaultStore(vault_path, random_bytes=os.urandom)

    store.create(Secret(WORDS), Profile())

    store.close()
    memory_kib = parse(vault_path.read_bytes()).header.memory_kib
    assert 65536 <= memory_kib <= 262_144
    assert memory_kib % 16384 == 0
