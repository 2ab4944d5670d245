"""Disk, memory and other processes in the way: the old vault stands."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode
from coykiosk.vault.derive import NoResources
from coykiosk.vault.layout import Header
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore
from tests.vault.conftest import WORDS, MakeProfile, MakeStore, names, refusal

ROOT = Path(__file__).parents[2]


def test_second_store_is_refused_while_the_first_is_open(
    kept: Path, make_store: MakeStore
) -> None:
    first = make_store()
    first.unlock(Secret(WORDS))

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    first.close()
    assert error.code is ErrorCode.VAULT_IN_USE


HOLDER = """
import os, sys
from pathlib import Path
from coykiosk.contract import Secret
from coykiosk.vault.store import VaultStore
store = VaultStore(Path(sys.argv[1]), random_bytes=os.urandom)
store.unlock(Secret(sys.argv[2]))
print("open", flush=True)
sys.stdin.read()
"""


def test_second_process_is_refused_until_the_first_is_gone(
    vault_path: Path, make_profile: MakeProfile
) -> None:
    """Real Argon2, two real processes; the first one is killed, not closed."""
    ours = VaultStore(vault_path, random_bytes=os.urandom, free_kib=lambda: 0)
    ours.create(Secret(WORDS), make_profile())
    ours.close()
    with subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", HOLDER, str(vault_path), WORDS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"

        error = refusal(lambda: ours.unlock(Secret(WORDS)))
        other.send_signal(signal.SIGKILL)

    content = ours.unlock(Secret(WORDS))
    ours.close()
    assert error.code is ErrorCode.VAULT_IN_USE
    assert content.accounts[0].localpart == "quiet.otter.0"


REASONS = [
    (errno.ENOSPC, "the disk is full"),
    (errno.EACCES, "permission denied"),
    (errno.EROFS, "the file system is read-only"),
    (errno.EDQUOT, "the disk quota is used up"),
    (errno.EBADMSG, "bad message"),  # one without words of ours
]


FAULTS = [
    (call, number, reason)
    for call in ("open", "write", "fsync", "replace")
    for number, reason in REASONS
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_save_says_unwritable_and_the_old_vault_stands(
    kept: Path,
    make_store: MakeStore,
    make_profile: MakeProfile,
    fault: tuple[str, int, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call, number, reason = fault
    store = make_store()
    store.unlock(Secret(WORDS))
    before = kept.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "planted")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        error = refusal(lambda: store.save(make_profile(3)))

    after = kept.read_bytes()
    store.save(make_profile(4))  # and the store still works
    store.close()
    assert (error.code, error.facts) == (ErrorCode.VAULT_UNWRITABLE, {"reason": reason})
    assert after == before
    assert names(kept.parent) == ["vault"]
    assert len(make_store().unlock(Secret(WORDS)).accounts) == 4


@pytest.mark.parametrize("call", ["mkdir", "open", "write", "fsync", "replace"])
def test_create_leaves_nothing_when_it_cannot_write(
    make_store: MakeStore, tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "planted")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        error = refusal(lambda: make_store().create(Secret(WORDS), Profile()))

    assert error.code is ErrorCode.VAULT_UNWRITABLE
    assert error.facts == {"reason": "the disk is full"}
    assert names(tmp_path) == []


LIMITED = """
import os, resource, sys
from pathlib import Path
from coykiosk.contract import Secret
from coykiosk.errors import UserError
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore
store = VaultStore(Path(sys.argv[1]), random_bytes=os.urandom, free_kib=lambda: 0)
store.create(Secret(sys.argv[2]), Profile(guard_state="before"))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.save(Profile(guard_state="after"))
except UserError as error:
    print(error.code.name, error.facts["reason"])
store.close()
print(store.unlock(Secret(sys.argv[2])).guard_state)
"""


def test_old_vault_stands_when_the_system_stops_a_write_half_way(
    vault_path: Path,
) -> None:
    """A real limit, met after 100,000 of 131,364 bytes."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", LIMITED, str(vault_path), WORDS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "VAULT_UNWRITABLE the disk takes no file of this size",
        "before",
    ]
    assert ".tmp" not in "".join(names(vault_path.parent))


def test_path_below_a_file_is_told_apart(tmp_path: Path, make_store: MakeStore) -> None:
    (tmp_path / "data").write_bytes(b"a file where a folder should be")

    error = refusal(lambda: make_store().create(Secret(WORDS), Profile()))

    assert error.code is ErrorCode.VAULT_UNWRITABLE


def test_directory_that_others_may_write_to_is_refused(
    kept: Path, make_store: MakeStore
) -> None:
    kept.parent.chmod(0o777)

    error = refusal(lambda: make_store().unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_UNWRITABLE
    assert error.facts == {"reason": "others may write to its folder"}


@pytest.mark.parametrize(
    "fault", [NoResources("Memory allocation error"), MemoryError()]
)
def test_unlock_says_so_when_memory_is_short(kept: Path, fault: Exception) -> None:
    def refuse(_: bytes, __: Header) -> bytes:
        raise fault

    store = VaultStore(kept, random_bytes=os.urandom, derive=refuse)
    error = refusal(lambda: store.unlock(Secret(WORDS)))

    assert error.code is ErrorCode.VAULT_UNREADABLE
    assert error.facts == {"reason": "not enough memory"}
    assert names(kept.parent) == ["vault"]


def test_save_says_so_when_the_profile_is_too_large(
    kept: Path, make_store: MakeStore, make_profile: MakeProfile
) -> None:
    store = make_store()
    content = store.unlock(Secret(WORDS))
    content.accounts[0].known.update(
        {f"{n}@example.net": (bytes(20),) * 100 for n in range(2000)}
    )

    error = refusal(lambda: store.save(content))

    store.close()
    assert error.code is ErrorCode.VAULT_UNWRITABLE
    assert error.facts == {"reason": "it would grow too large"}


def test_discard_that_cannot_remove_closes_all_the_same(
    kept: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    store.unlock(Secret(WORDS))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "planted")

    monkeypatch.setattr(os, "unlink", refuse)
    error = refusal(store.discard)

    assert error.code is ErrorCode.VAULT_UNWRITABLE
    assert repr(store) == "VaultStore(closed)"
