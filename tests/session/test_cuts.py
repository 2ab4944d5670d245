"""The network is cut, or falls silent, at each step of the one action.

Whatever happens: every account that the server has made has its password in a vault
that opens, the person is told, and the next try leads to an account.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    Connect,
    CreateAccount,
    Failed,
    Jid,
    Secret,
    ServerTried,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode
from coykiosk.register.flow import ONION_LIMIT_S
from coykiosk.register.servers import TlsMode
from tests.session.conftest import Prosody
from tests.session.own_server import OTHER_DOMAIN, accounts_in, own_server
from tests.support.fault_proxy import FaultProxy, Hold
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    eventually,
    headless,
    leap,
    make_server,
    quick_vault,
    run_leaping,
)
from tests.support.relay import Side

pytestmark = pytest.mark.network


@dataclass(frozen=True)
class Point:
    """Where on the way the connection stops."""

    tls: TlsMode
    hold: Hold
    is_submitted: bool
    """The registration has gone out."""
    is_answered: bool
    """The server has got it, and makes the account."""


_STEPS = (
    ("hello", Side.CLIENT, 1, False, False),
    ("handshake", Side.SERVER, 1, False, False),
    ("registration", Side.CLIENT, 2, True, False),
    ("its-answer", Side.SERVER, 2, True, True),
    ("sasl-response", Side.CLIENT, 3, True, True),
    ("sasl-success", Side.SERVER, 3, True, True),
    ("bind", Side.CLIENT, 4, True, True),
    ("bound", Side.SERVER, 4, True, True),
)
"""What does not pass any more; over STARTTLS each comes one flight later."""


def _points() -> list[pytest.param]:  # type: ignore[valid-type]  # pytest has no name for it
    points = []
    for tls in TlsMode:
        later = 0 if tls is TlsMode.DIRECT else 1
        steps = [(*step[:2], step[2] + later, *step[3:]) for step in _STEPS]
        if later:
            steps += [
                ("starttls", Side.CLIENT, 1, False, False),
                ("proceed", Side.SERVER, 1, False, False),
            ]
        for name, side, flight, is_submitted, is_answered in steps:
            point = Point(tls, Hold(side, flight), is_submitted, is_answered)
            points.append(pytest.param(point, id=f"{tls.value}-{name}"))
    return points


at_each_step = pytest.mark.parametrize("point", _points())


class Scene:
    """One server behind a proxy, one vault, and who sits in front of it."""

    def __init__(
        self, prosody: Prosody, proxy: FaultProxy, vault_path: Path, tls: TlsMode
    ) -> None:
        self._prosody = prosody
        self._before = accounts_in(prosody.directory)
        self.proxy = proxy
        self.vault_path = vault_path
        self.tor = LoopbackTor({ONION: proxy.port})
        self.servers = [make_server(tls=tls)]

    @property
    def made(self) -> set[str]:
        """The accounts that the server has made in this scene."""
        return accounts_in(self._prosody.directory) - self._before

    @property
    def in_vault(self) -> dict[str, bool]:
        """Localpart of each account in the vault, and whether it is pending."""
        vault = quick_vault(self.vault_path)
        profile = vault.unlock(Secret(WORDS))
        vault.close()
        return {record.localpart: record.pending for record in profile.accounts}

    @asynccontextmanager
    async def person(self) -> AsyncIterator[Person]:
        vault = quick_vault(self.vault_path)
        async with headless(self.servers, self.tor, vault=vault) as person:
            yield person

    async def create_until(self, point: Point, person: Person) -> None:
        """Start the one action, and wait until it stops at a point."""
        self.proxy.hold = point.hold
        person.submit(CreateAccount(Secret(WORDS)))
        await self.proxy.reached.wait()
        if point.is_answered:
            await eventually(lambda: self.made)

    def lose_network(self) -> None:
        """Cut it, and let it stay away."""
        self.tor.ways.is_down = True
        self.proxy.cut()

    async def try_on(self, point: Point, person: Person) -> AccountOnline:
        """Wait for the end of the try; where that is no account, try once more."""
        end = await end_of_try(person)
        if point.is_answered:
            assert isinstance(end, AccountOnline)
            return end
        assert is_no_server_left(end)
        # Nobody asks a server twice that has just broken off, or been silent.
        assert [e.server for e in person.of(ServerTried)] == [DOMAIN]
        assert not self.made
        assert not self.vault_path.exists()
        person.submit(CreateAccount(Secret(WORDS)))
        return await person.until(AccountOnline)

    async def unlock(self) -> Jid:
        """Open the vault in a new session; return who comes online."""
        async with self.person() as person:
            person.submit(UnlockVault(Secret(WORDS)))
            await person.until(VaultUnlocked)
            return (await person.until(AccountOnline)).account


@asynccontextmanager
async def scene(prosody: Prosody, tmp_path: Path, tls: TlsMode) -> AsyncIterator[Scene]:
    async with FaultProxy(prosody.port(tls)) as proxy:
        yield Scene(prosody, proxy, tmp_path / "vault", tls)


async def end_of_try(person: Person) -> AccountOnline | Failed:
    event = await person.until(object, lambda e: isinstance(e, AccountOnline | Failed))
    assert isinstance(event, AccountOnline | Failed)
    return event


def is_no_server_left(event: object) -> bool:
    return (
        isinstance(event, Failed)
        and event.during is CreateAccount
        and event.error.code is ErrorCode.NO_SERVER_LEFT
    )


@at_each_step
def test_cut_ends_online_or_with_a_next_step_when_the_network_is_back_at_once(
    prosody: Prosody, tmp_path: Path, point: Point
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, point.tls) as here:
            async with here.person() as person:
                await here.create_until(point, person)
                here.proxy.cut()
                end = await here.try_on(point, person)
            assert here.made == {end.account.localpart}
            assert here.in_vault == {end.account.localpart: False}
            assert await here.unlock() == end.account

    run_leaping(main)


@at_each_step
def test_cut_keeps_a_password_that_may_be_needed_when_the_network_stays_away(
    prosody: Prosody, tmp_path: Path, point: Point
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, point.tls) as here:
            async with here.person() as person:
                await here.create_until(point, person)
                here.lose_network()
                assert is_no_server_left(await end_of_try(person))
            made = here.made
            assert bool(made) == point.is_answered
            assert here.vault_path.exists() == point.is_submitted
            if not point.is_submitted:
                return
            assert made <= here.in_vault.keys()
            here.tor.ways.is_down = False
            found = await here.unlock()
            assert here.made == {found.localpart}
            assert here.in_vault == {found.localpart: False}

    run_leaping(main)


@at_each_step
def test_second_try_of_the_same_session_succeeds_when_the_network_is_back(
    prosody: Prosody, tmp_path: Path, point: Point
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, point.tls) as here:
            async with here.person() as person:
                await here.create_until(point, person)
                here.lose_network()
                assert is_no_server_left(await end_of_try(person))
                made = here.made
                here.tor.ways.is_down = False
                # A vault that was of use is still open: then no words are asked for.
                is_open = VaultUnlocked(()) in person.events
                words = None if is_open else Secret(WORDS)
                person.submit(CreateAccount(words))
                online = await person.until(AccountOnline)
            assert online.kept
            assert is_open or not made
            # An account that was there before is found again, not joined by another.
            assert here.made == {online.account.localpart}
            assert made <= here.made
            assert await here.unlock() == online.account

    run_leaping(main)


@at_each_step
def test_vault_as_it_is_at_each_step_leads_to_an_account_in_a_new_session(
    prosody: Prosody, tmp_path: Path, point: Point
) -> None:
    """What a power cut would leave: the file as it lies there at this moment."""

    async def main() -> None:
        async with scene(prosody, tmp_path, point.tls) as here:
            async with here.person() as person:
                await here.create_until(point, person)
                made = here.made
                left = tmp_path / "left"
                shutil.copyfile(here.vault_path, left)
                here.lose_network()
                await end_of_try(person)
            here.tor.ways.is_down = False
            here.vault_path = left
            assert made <= here.in_vault.keys()
            found = await here.unlock()
            assert here.made == {found.localpart}

    run_leaping(main)


@at_each_step
def test_silence_ends_online_or_with_a_next_step_when_the_limit_is_over(
    prosody: Prosody, tmp_path: Path, point: Point
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, point.tls) as here:
            async with here.person() as person:
                await here.create_until(point, person)
                leap(ONION_LIMIT_S + 1)
                end = await here.try_on(point, person)
                if not point.is_submitted:
                    [tried] = person.of(ServerTried)
                    assert tried.error.code is ErrorCode.SERVER_SILENT
            assert here.made == {end.account.localpart}
            assert await here.unlock() == end.account

    run_leaping(main)


@pytest.mark.parametrize("tls", TlsMode)
def test_cut_after_the_last_step_is_mended_by_a_key(
    prosody: Prosody, tmp_path: Path, tls: TlsMode
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, tls) as here:
            async with here.person() as person:
                person.submit(CreateAccount(Secret(WORDS)))
                online = await person.until(AccountOnline)
                here.proxy.cut()
                offline = await person.until(AccountOffline)
                person.submit(Connect())
                again = await person.until(AccountOnline)
            assert offline.error.code is ErrorCode.CONNECTION_LOST
            assert offline.retry_in_s is not None
            assert again.account == online.account
            assert here.in_vault == {online.account.localpart: False}

    run_leaping(main)


def answered_point() -> Point:
    return Point(TlsMode.DIRECT, Hold(Side.SERVER, 2), True, True)


def test_tor_that_dies_after_the_registration_leaves_its_password_in_the_vault(
    prosody: Prosody, tmp_path: Path
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, TlsMode.DIRECT) as here:
            async with here.person() as person:
                await here.create_until(answered_point(), person)
                here.tor.die()
                end = await end_of_try(person)
                assert isinstance(end, Failed)
                assert end.error.code is ErrorCode.TOR_STOPPED
            made = here.made
            assert made
            assert here.in_vault == dict.fromkeys(made, True)
            assert {(await here.unlock()).localpart} == made == here.made

    run_leaping(main)


def test_tor_that_dies_before_the_registration_leaves_no_vault(
    prosody: Prosody, tmp_path: Path
) -> None:
    async def main() -> None:
        async with scene(prosody, tmp_path, TlsMode.DIRECT) as here:
            point = Point(TlsMode.DIRECT, Hold(Side.SERVER, 1), False, False)
            async with here.person() as person:
                await here.create_until(point, person)
                here.tor.die()
                end = await end_of_try(person)
                assert isinstance(end, Failed)
                assert end.error.code is ErrorCode.TOR_STOPPED
            assert not here.made
            assert not here.vault_path.exists()

    run_leaping(main)


def test_account_that_may_exist_keeps_its_password_when_another_server_takes_us(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        other_onion = "b" * 56 + ".onion"
        async with own_server(tmp_path) as server, FaultProxy(server.port) as proxy:
            tor = LoopbackTor({ONION: proxy.port, other_onion: server.port})
            first = make_server()
            second = make_server(domain=OTHER_DOMAIN, onion=other_onion)
            path = tmp_path / "vault"
            proxy.hold = Hold(Side.SERVER, 2)
            # Both are tried first alike, so the first one is alone at first.
            async with headless([first], tor, vault=quick_vault(path)) as person:
                person.submit(CreateAccount(Secret(WORDS)))
                await proxy.reached.wait()
                await eventually(server.accounts)
                del tor.ways.ports[ONION]
                proxy.cut()
                await person.until(Failed)
            async with headless([second], tor, vault=quick_vault(path)) as person:
                person.submit(UnlockVault(Secret(WORDS)))
                online = await person.until(AccountOnline)
            vault = quick_vault(path)
            profile = vault.unlock(Secret(WORDS))
            vault.close()
            kept = {(each.localpart, each.domain) for each in profile.accounts}
            [lost] = server.accounts()
            assert online.account.domainpart == OTHER_DOMAIN
            assert kept == {
                (lost, DOMAIN),
                (online.account.localpart, OTHER_DOMAIN),
            }

    run_leaping(main)
