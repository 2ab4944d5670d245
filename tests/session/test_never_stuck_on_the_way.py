"""Stopped, cut off or given up at any moment, a person has a key that goes on."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    Connect,
    Door,
    Secret,
    ServerTried,
    UnlockVault,
)
from coykiosk.ui_urwid.view import Page
from coykiosk.vault.container import Header
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore
from tests.session.at_the_screen import TOLD, Newcomer, newcomer
from tests.session.conftest import Identity as Certificate
from tests.session.conftest import Prosody, make_identity
from tests.session.hostile import played_by, silent
from tests.session.pure_server import PureServer
from tests.session.puzzling import PuzzleMaster
from tests.session.refusing import (
    BAD,
    BAD_ONION,
    GOOD,
    SILENT_AT_LOGIN,
    SILENT_AT_REGISTRATION,
    WAYS,
    before,
)
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    eventually,
    headless,
    leap,
    quick_vault,
    run_leaping,
)
from tests.support.listener import Part
from tests.vault.conftest import quick_derive

pytestmark = pytest.mark.network

PUZZLE = "Type what the picture shows"


def puzzling() -> Part:
    return played_by(lambda: PureServer(head_from=BAD, on_register=PuzzleMaster().take))


STEP = r"\[\.\.\] \d of 5: "
WAITS = {
    "reaching": (silent, f"{STEP}reaching bad"),
    "greeting": (silent, f"{STEP}making"),
    "making": (SILENT_AT_REGISTRATION, f"{STEP}making"),
    "signing in": (SILENT_AT_LOGIN, f"{STEP}signing"),
    "puzzle": (puzzling(), PUZZLE),
}
in_each_wait = pytest.mark.parametrize("name", WAITS)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_identity(tmp_path_factory.mktemp("bad"), (BAD,))


def let_the_good_one_in(someone: Newcomer, prosody: Prosody) -> None:
    """From now on the good server is there, and the bad one is not."""
    someone.tor.ways.ports.clear()
    someone.tor.ways.ports[ONION] = prosody.direct_port


@asynccontextmanager
async def waiting(name: str, bad: Certificate, path: Path) -> AsyncIterator[Newcomer]:
    """Seat somebody who has pressed Enter, and waits."""
    part, words = WAITS[name]
    identity = None if name == "reaching" else bad  # without one there is no TLS
    async with before(part, identity, path) as someone:
        someone.presses("enter")
        await someone.until_it_reads(words)
        yield someone


# --- stopped by the person --------------------------------------------------------------


@in_each_wait
def test_esc_leads_back_from_every_wait(
    name: str, bad: Certificate, prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with waiting(name, bad, path) as someone:
            someone.presses("esc")
            seen = await someone.until_at(Page.START)
            assert all(word in seen for word in WORDS.split())
            let_the_good_one_in(someone, prosody)
            someone.presses_what_makes_an_account()
            await someone.is_online()

    run_leaping(main)


def test_esc_leads_back_while_tor_is_not_there(prosody: Prosody, path: Path) -> None:
    tor = LoopbackTor({ONION: prosody.direct_port})
    tor.is_slow = True

    async def main() -> None:
        async with newcomer([GOOD], tor, path) as someone:
            someone.presses("enter")
            await someone.until_doing("waiting until Tor")
            someone.presses("esc")
            await someone.until_at(Page.START)
            someone.presses_what_makes_an_account()
            tor.arrive()
            await someone.is_online()

    run_leaping(main)


def test_esc_leads_back_while_the_vault_is_sealed(prosody: Prosody, path: Path) -> None:
    may_end = threading.Event()

    def slow_derive(passphrase: bytes, header: Header) -> bytes:
        may_end.wait(20)
        return quick_derive(passphrase, header)

    async def main() -> None:
        tor = LoopbackTor({ONION: prosody.direct_port})
        vault = VaultStore(
            path, random_bytes=os.urandom, derive=slow_derive, free_kib=lambda: 0
        )
        async with newcomer([GOOD], tor, path, vault=vault) as someone:
            someone.presses("enter")
            await someone.until_doing("sealing the vault")
            someone.presses("esc")
            await someone.until("Stopping")
            may_end.set()
            await someone.until_at(Page.START)
            assert not someone.session.of(ServerTried)
            someone.presses_what_makes_an_account()
            await someone.is_online()

    run_leaping(main)


# --- tor ends --------------------------------------------------------------------------


@in_each_wait
def test_tor_that_ends_in_the_middle_is_started_again_by_the_key_that_is_named(
    name: str, bad: Certificate, prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with waiting(name, bad, path) as someone:
            someone.loses_tor()
            await someone.until("Tor has stopped", "needs your attention")
            let_the_good_one_in(someone, prosody)
            someone.presses(someone.reads_key("nothing goes another way."))
            await eventually(lambda: len(someone.tor.started_with) == 2)
            someone.tor_is_there()
            await someone.until_at(Page.START, Page.WHO, Page.CHAT)
            if someone.shell.state.page is Page.START:
                someone.presses_what_makes_an_account()
            await someone.is_online()

    run_leaping(main)


def test_tor_that_ends_after_a_needless_try_leaves_a_screen_that_answers(
    prosody: Prosody, path: Path
) -> None:
    """One of several accounts may be online when the person has all of them try."""

    async def main() -> int:
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with newcomer([GOOD], tor, path) as someone:
            someone.presses("enter")
            await someone.is_online()
            someone.session.submit(Connect())
            await let_run()
            someone.loses_tor()
            await someone.until("Tor has stopped")
            await let_run()
            n_told = len(someone.session.of(AccountOffline))
            someone.presses(someone.reads_key("nothing goes another way."))
            someone.tor_is_there()
            await someone.until("online, onion")
        return n_told

    assert run_leaping(main) <= 2


async def let_run() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


# --- a puzzle ---------------------------------------------------------------------------


def test_puzzle_whose_time_is_over_names_the_keys_that_go_on(
    bad: Certificate, prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with before(puzzling(), bad, path) as someone:
            someone.presses("enter")
            await someone.until(PUZZLE)
            leap(600)
            await someone.until("Its time is over")
            someone.presses(someone.reads_key("Its time is over."))
            await someone.until(PUZZLE, "more seconds")
            let_the_good_one_in(someone, prosody)
            someone.presses("f4")
            await someone.is_online()

    run_leaping(main)


def test_puzzle_that_nobody_can_read_is_left_after_three_answers(
    bad: Certificate, prosody: Prosody, path: Path
) -> None:
    async def main() -> list[ServerTried]:
        async with before(puzzling(), bad, path) as someone:
            someone.presses("enter")
            for n_wrong in range(3):
                await someone.until(*(["That was not it"] if n_wrong else [PUZZLE]))
                someone.types("wrong")
                someone.presses("enter")
            await someone.until(TOLD)
            someone.presses("f7")
            await someone.until("no answer was right")
            someone.presses("esc")
            someone.presses("esc")
            let_the_good_one_in(someone, prosody)
            someone.presses_what_makes_an_account()
            await someone.is_online()
        return someone.session.of(ServerTried)

    assert [each.server for each in run_leaping(main)][:1] == [BAD]


def test_answer_half_typed_does_not_hide_that_no_server_is_left(
    bad: Certificate, prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        async with before(puzzling(), bad, path) as someone:
            someone.presses("enter")
            await someone.until(PUZZLE)
            someone.types("half")
            someone.presses("f4")
            await someone.until(TOLD)
            someone.presses("esc")
            let_the_good_one_in(someone, prosody)
            someone.presses_what_makes_an_account()
            await someone.is_online()

    run_leaping(main)


# --- the vault --------------------------------------------------------------------------


def test_place_that_cannot_be_written_leaves_a_session_that_keeps_nothing(
    prosody: Prosody, tmp_path: Path
) -> None:
    (tmp_path / "folder").write_text("in the way")

    async def main() -> None:
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with newcomer([GOOD], tor, tmp_path / "folder" / "vault") as someone:
            someone.presses("enter")
            seen = await someone.until("The vault cannot be", "F4")
            assert "On the start screen, F4" in seen or "F4 for a session" in seen
            someone.presses("esc")
            await someone.until_at(Page.START)
            someone.presses("f4")
            await someone.is_online()

    run_leaping(main)


# --- a further account --------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, way in WAYS.items() if not way.hangs_at])
def test_further_account_that_is_refused_leaves_the_first_one_as_it_was(
    name: str, bad: Certificate, prosody: Prosody, path: Path
) -> None:
    way = WAYS[name]

    async def main() -> int:
        async with before(way.part, bad, path, spki=way.spki) as someone:
            bad_port = someone.tor.ways.ports[BAD_ONION]
            let_the_good_one_in(someone, prosody)
            someone.presses("enter")
            await someone.is_online()
            first = someone.session.me
            someone.tor.ways.ports = {BAD_ONION: bad_port}
            makes_another(someone)
            seen = await someone.until(TOLD)
            assert "F4 and then A tries" in seen
            someone.presses("esc")
            seen = await someone.until_at(Page.WHO)
            assert f"{first} online" in seen
            someone.tor.ways.ports[ONION] = prosody.direct_port
            makes_another(someone)
            await eventually(lambda: someone.sees() and is_another(someone))
        return len(someone.shell.state.accounts)

    def is_another(someone: Newcomer) -> bool:
        state = someone.shell.state
        return len(state.accounts) == 2 and state.page is Page.WHO

    assert run_leaping(main) == 2


def makes_another(someone: Newcomer) -> None:
    for key in ("f4", "a", "enter"):
        someone.presses(key)


def test_vault_without_an_account_gets_one_at_the_server_that_was_named(
    prosody: Prosody, path: Path
) -> None:
    path.parent.mkdir(mode=0o700)
    vault = quick_vault(path)
    vault.create(Secret(WORDS), Profile(accounts=[], guard_state=""))
    vault.close()

    async def main() -> AccountOnline:
        tor = LoopbackTor({ONION: prosody.starttls_port})
        async with headless([], tor, vault=quick_vault(path)) as person:
            person.submit(UnlockVault(Secret(WORDS), Door(DOMAIN, ONION, "")))
            return await person.until(AccountOnline)

    assert run_leaping(main).kept
