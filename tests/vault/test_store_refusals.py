"""What a vault says no to, each with its own code, and nothing secret in it."""

import os
import traceback
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode
from coykiosk.vault import container, profile
from coykiosk.vault.layout import Header, parse
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore
from tests.vault.conftest import WORDS, MakeProfile, MakeStore, names, refusal


@pytest.mark.parametrize(
    "typed", ["", " ", "x", WORDS.upper(), WORDS[:-1], WORDS + " zoom"]
)
def test_unlock_says_wrong_passphrase(
    kept: Path, make_store: MakeStore, typed: str
) -> None:
    error = refusal(lambda: make_store().unlock(Secret(typed)))

    assert error.code is ErrorCode.VAULT_WRONG_PASSPHRASE


def test_unlock_may_be_tried_again_after_a_wrong_passphrase(
    kept: Path, make_store: MakeStore
) -> None:
    store = make_store()
    refusal(lambda: store.unlock(Secret("wrong")))

    content = store.unlock(Secret(WORDS))

    store.close()
    assert len(content.accounts) == 1


@pytest.mark.parametrize("offset", [0, 15, 25, 50, 70, 140, 200, 300, 70_000, -1])
@pytest.mark.parametrize("typed", [WORDS, "wrong"], ids=["right", "wrong"])
def test_unlock_says_damaged_when_one_byte_flips_whatever_is_typed(
    kept: Path, make_store: MakeStore, offset: int, typed: str
) -> None:
    data = bytearray(kept.read_bytes())
    data[offset] ^= 1
    kept.write_bytes(data)

    error = refusal(lambda: make_store().unlock(Secret(typed)))

    assert error.code is ErrorCode.VAULT_DAMAGED


@pytest.mark.parametrize("length", [0, 1, 9, 100, 228, 65_796, 131_363])
def test_unlock_says_damaged_when_the_file_is_cut_short(
    kept: Path, make_store: MakeStore, length: int
) -> None:
    os.truncate(kept, length)

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_DAMAGED


def test_unlock_says_damaged_without_reading_a_huge_file(
    kept: Path, make_store: MakeStore
) -> None:
    os.truncate(kept, 1 << 40)  # sparse: a terabyte that takes no room

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_DAMAGED


def test_unlock_derives_nothing_when_the_file_is_damaged(kept: Path) -> None:
    data = bytearray(kept.read_bytes())
    data[12:16] = b"\xff\xff\xff\xff"  # four terabytes of memory, please
    kept.write_bytes(data)
    runs: list[Header] = []

    def counting(_: bytes, header: Header) -> bytes:
        runs.append(header)
        return bytes(32)

    store = VaultStore(kept, random_bytes=os.urandom, derive=counting)
    error = refusal(lambda: store.unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_DAMAGED
    assert runs == []


def test_unlock_says_too_new_with_the_version(
    kept: Path, make_store: MakeStore
) -> None:
    data = bytearray(kept.read_bytes())
    data[8:10] = b"\0\2"
    kept.write_bytes(data)

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert (error.code, error.facts) == (ErrorCode.VAULT_TOO_NEW, {"version": "2"})


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"profile":3,"unknown":[]}', ErrorCode.VAULT_TOO_NEW),
        (b'{"profile":1}', ErrorCode.VAULT_DAMAGED),
        (b"", ErrorCode.VAULT_DAMAGED),
    ],
)
def test_unlock_tells_newer_profiles_from_broken_ones(
    kept: Path,
    make_store: MakeStore,
    payload: bytes,
    code: ErrorCode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store()
    content = store.unlock(Secret(WORDS))
    with monkeypatch.context() as patched:
        patched.setattr(profile, "encode", lambda _: payload)
        store.save(content)
    store.close()

    error = refusal(lambda: store.unlock(Secret(WORDS)))

    assert error.code is code


def test_forged_slots_look_like_a_wrong_passphrase(
    kept: Path, make_store: MakeStore
) -> None:
    whole = parse(kept.read_bytes())
    slots = (whole.slots[0][::-1], whole.slots[1][::-1])
    forged = container.Container(whole.header, slots, whole.regions)
    kept.write_bytes(forged.to_bytes())

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_WRONG_PASSPHRASE


def test_create_says_exists_and_leaves_the_vault_alone(
    kept: Path, make_store: MakeStore
) -> None:
    before = kept.read_bytes()

    error = refusal(lambda: make_store().create(Secret("other"), Profile()))

    assert error.code is ErrorCode.VAULT_EXISTS
    assert kept.read_bytes() == before


def test_create_says_exists_when_a_dangling_link_lies_there(
    make_store: MakeStore, vault_path: Path, tmp_path: Path
) -> None:
    vault_path.parent.mkdir(parents=True, mode=0o700)
    vault_path.symlink_to(tmp_path / "planted")

    error = refusal(lambda: make_store().create(Secret(WORDS), Profile()))

    assert error.code is ErrorCode.VAULT_EXISTS
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("typed", ["", "  ", "\u3000"], ids=ascii)
def test_create_refuses_an_empty_passphrase_before_touching_the_disk(
    make_store: MakeStore, tmp_path: Path, typed: str
) -> None:
    error = refusal(lambda: make_store().create(Secret(typed), Profile()))

    assert error.code is ErrorCode.PASSPHRASE_WEAK
    assert names(tmp_path) == []


def test_unlock_says_unreadable_when_there_is_no_vault(
    make_store: MakeStore, tmp_path: Path
) -> None:
    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_UNREADABLE
    assert error.facts == {"reason": "there is no such file"}
    assert names(tmp_path) == []


def test_unlock_refuses_a_symbolic_link(
    kept: Path, make_store: MakeStore, tmp_path: Path
) -> None:
    kept.rename(tmp_path / "moved")
    kept.symlink_to(tmp_path / "moved")

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_UNREADABLE
    assert error.facts == {"reason": "it is no regular file"}


def test_unlock_wipes_the_key_when_the_region_is_damaged(
    kept: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = parse(kept.read_bytes())
    regions = (whole.regions[0][::-1], whole.regions[1][::-1])
    forged = container.Container(whole.header, whole.slots, regions)
    kept.write_bytes(forged.to_bytes())
    find_slot = container.find_slot
    found: list[container.OpenSlot] = []

    def noting(opened: container.Container, key: bytes) -> container.OpenSlot:
        found.append(find_slot(opened, key))
        return found[0]

    monkeypatch.setattr(container, "find_slot", noting)
    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_DAMAGED
    assert found[0].key == bytearray(32)


@pytest.mark.hostile("G40")
@pytest.mark.parametrize("n", [20, 50, 100, 300, 70_000])
def test_errors_and_reprs_show_no_secret(
    kept: Path, make_store: MakeStore, make_profile: MakeProfile, n: int
) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))
    shown = [repr(store), repr(store._container), repr(store._slot)]
    store.close()
    data = bytearray(kept.read_bytes())
    data[n] ^= 1
    kept.write_bytes(data)

    errors = [
        refusal(lambda: make_store().unlock(Secret(WORDS))),
        refusal(lambda: make_store().create(Secret(WORDS), make_profile())),
    ]
    shown += ["".join(traceback.format_exception(error)) for error in errors]

    everything = "".join(shown)
    secrets = [*WORDS.split(), "pa55-of", "otr-private", "quiet.otter"]
    assert [secret for secret in secrets if secret in everything] == []
