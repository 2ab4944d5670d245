"""Bridges in a session: used at once, kept in the vault, and never forgotten there."""

import asyncio
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    BridgesSet,
    CancelCreation,
    CreateAccount,
    EnrolmentCancelled,
    Failed,
    Secret,
    UnlockVault,
    UseBridges,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode
from coykiosk.vault.profile import Profile
from tests.session.conftest import Prosody
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    headless,
    make_server,
    quick_vault,
    run_leaping,
)

SERVERS = [make_server()]
LINE, OTHER = "192.0.2.7:443 " + "A" * 40, "192.0.2.8:443 " + "B" * 40


def sealed(path: Path, *bridges: str) -> None:
    """Make a vault without an account, which holds these bridges."""
    vault = quick_vault(path)
    vault.create(Secret(WORDS), Profile([], "", bridges))
    vault.close()


def bridges_in(path: Path) -> tuple[str, ...]:
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    vault.close()
    return profile.bridges


def test_bridges_are_handed_to_tor_and_kept_nowhere_without_a_vault(path: Path) -> None:
    tor = LoopbackTor({})

    async def main() -> BridgesSet:
        async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
            person.submit(UseBridges(LINE))
            return await person.until(BridgesSet)

    told = run_leaping(main)

    assert told == BridgesSet((LINE,))
    assert tor.bridges == [(LINE,)]
    assert not path.parent.exists()


def test_bad_lines_change_nothing() -> None:
    tor = LoopbackTor({})

    async def main() -> Failed:
        async with headless(SERVERS, tor) as person:
            person.submit(UseBridges("bad"))
            return await person.until(Failed)

    failed = run_leaping(main)

    assert (failed.error.code, failed.during) == (
        ErrorCode.BRIDGE_LINE_BAD,
        UseBridges,
    )
    assert tor.bridges == []


def test_bridges_of_the_vault_are_used_before_tor_starts(path: Path) -> None:
    sealed(path, LINE)
    tor = LoopbackTor({})
    tor.is_slow = True

    async def main() -> list[tuple[str, ...]]:
        async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(BridgesSet)
            await person.until(VaultUnlocked)
            before_start = list(tor.bridges) if not tor.started_with else []
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)
            return before_start

    assert run_leaping(main) == [(LINE,)]
    assert bridges_in(path) == (LINE,)


@pytest.mark.parametrize(
    ("text", "kept"), [(OTHER, (OTHER,)), ("", ())], ids=["others", "none"]
)
def test_bridges_of_this_session_count_before_those_of_the_vault(
    path: Path, text: str, kept: tuple[str, ...]
) -> None:
    sealed(path, LINE)
    tor = LoopbackTor({})
    tor.is_slow = True

    async def main() -> None:
        async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
            person.submit(UseBridges(text))
            await person.until(BridgesSet)
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(VaultUnlocked)
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)

    run_leaping(main)

    assert tor.bridges[-1] == kept
    assert bridges_in(path) == kept


def test_bridges_stay_when_making_the_account_is_stopped(path: Path) -> None:
    tor = LoopbackTor({})
    tor.is_slow = True

    async def main() -> None:
        async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
            person.submit(UseBridges(LINE))
            await person.until(BridgesSet)
            person.submit(CreateAccount(Secret(WORDS)))
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)
            person.submit(CreateAccount(Secret(WORDS)))
            while not path.exists():  # noqa: ASYNC110,ASYNC240  # another thread makes it
                await asyncio.sleep(0.01)
            assert tor.bridges == [(LINE,)]
            person.submit(CancelCreation())
            await person.until(EnrolmentCancelled)

    run_leaping(main)

    assert not path.exists()


@pytest.mark.network
def test_account_follows_tor_through_new_bridges_and_the_vault_keeps_them(
    path: Path, prosody: Prosody
) -> None:
    tor = LoopbackTor({ONION: prosody.direct_port})

    async def main() -> tuple[AccountOffline, AccountOnline]:
        async with headless(SERVERS, tor, vault=quick_vault(path)) as person:
            person.submit(CreateAccount(Secret(WORDS)))
            await person.until(AccountOnline)
            person.submit(UseBridges(LINE))
            await person.until(BridgesSet)
            offline = await person.until(AccountOffline)
            return offline, await person.until(AccountOnline)

    offline, online = run_leaping(main)

    assert offline.account == online.account
    assert online.account.domainpart == DOMAIN
    assert bridges_in(path) == (LINE,)
