"""A person at the real screen, in front of a real session; no terminal between.

Rule: such a person knows nothing of the program. They press a key only while the
screen, 80 columns wide and 24 rows high, names it.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from coykiosk.contract import Event, Started, TorReady, TorStopped
from coykiosk.errors import ErrorCode, UserError
from coykiosk.register.servers import Server
from coykiosk.ui_urwid.actions import Where, key_name
from coykiosk.ui_urwid.shell import Shell
from coykiosk.ui_urwid.view import Page
from coykiosk.vault.store import VaultStore
from tests.support.headless import (
    DOMAIN,
    LIMIT_S,
    WORDS,
    LoopbackTor,
    Person,
    headless,
    quick_vault,
)

SIZE: Final = (80, 24)
_POLL_S: Final = 0.005
TOLD: Final = "No server has made an account for you"
_KEYS: Final = re.compile(r"F\d\d?|Enter|Esc")


class Newcomer:
    """Somebody who has never seen the program, and reads what it says."""

    def __init__(self, session: Person, tor: LoopbackTor) -> None:
        self.session = session
        self.tor = tor
        self._n_applied = 0
        self.shell = Shell(
            submit=session.submit,
            suggest_passphrase=lambda: WORDS,
            ask_judge=lambda _text, number: self._judge(number),
            now=asyncio.get_running_loop().time,
        )
        self._happens(Started(vault_exists=False, practice=False), TorReady(own=True))

    # --- seeing ---------------------------------------------------------------------

    def sees(self) -> str:
        """Return the screen as it is now, as running text."""
        self._catch_up()
        canvas = self.shell.draw(*SIZE)
        return " ".join(" ".join(row.decode() for row in canvas.text).split())

    async def until(self, *words: str) -> str:
        """Wait until the screen says all of this; return all it says."""
        deadline = time.monotonic() + LIMIT_S
        while any(each not in self.sees() for each in words):
            self._check(deadline, words)
            await asyncio.sleep(_POLL_S)
        return self.sees()

    async def until_at(self, *pages: Page) -> str:
        """Wait until one of these screens is there, with nothing over it."""
        deadline = time.monotonic() + LIMIT_S
        while self.sees() and (
            self.shell.state.page not in pages or self._is_covered()
        ):
            self._check(deadline, pages)
            await asyncio.sleep(_POLL_S)
        return self.sees()

    async def is_online(self) -> None:
        """Wait for an account at the good server, and for nothing to be wrong."""
        seen = await self.until_at(Page.WHO, Page.CHAT)
        assert f"@{DOMAIN}" in seen
        assert not self.is_told()

    def is_told(self) -> bool:
        """Whether a sheet says that something went wrong."""
        self._catch_up()
        return bool(self.shell.state.problems)

    async def until_doing(self, words: str) -> None:
        """Wait until this is the step of making an account that is under way."""
        await self.until_it_reads(rf"\[\.\.\] \d of \d: {words}")

    async def until_it_reads(self, pattern: str) -> None:
        """Wait until the screen says something of this kind."""
        deadline = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.sees()):
            self._check(deadline, [pattern])
            await asyncio.sleep(_POLL_S)

    def _is_covered(self) -> bool:
        return self.shell.where in {Where.SHEET, Where.HELD_BACK}

    def _check(self, deadline: float, wanted: Sequence[object]) -> None:
        if self.session.running.done():
            self.session.running.result()
        assert time.monotonic() < deadline, (wanted, self.sees())

    # --- doing ----------------------------------------------------------------------

    def presses(self, key: str) -> None:
        """Press a key that the screen names."""
        name, seen = key_name(key), self.sees()
        assert re.search(rf"(?<![\w+]){re.escape(name)}(?!\w)", seen), (name, seen)
        self.shell.press_all([key])

    def types(self, text: str) -> None:
        self.shell.press_all(list(text))

    def reads_key(self, words: str) -> str:
        """Return the key that the screen names first behind these words."""
        _before, found, after = self.sees().partition(words)
        assert found, (words, self.sees())
        match = _KEYS.search(after)
        assert match, after
        return match.group().lower()

    def presses_what_makes_an_account(self) -> None:
        """On the screen that one comes back to."""
        match = re.search(r"(Enter) new anonymous account|(F\d) makes one", self.sees())
        assert match, self.sees()
        self.presses((match.group(1) or match.group(2)).lower())

    def tor_is_there(self) -> None:
        """Tor is connected again, and the screen is told so."""
        self._happens(TorReady(own=True))

    def loses_tor(self) -> None:
        """Tor ends, as its process does that is killed."""
        self._happens(TorStopped(UserError(ErrorCode.TOR_STOPPED)))
        self.tor.die()

    # --- what is behind the screen --------------------------------------------------

    def _judge(self, number: int) -> None:
        self.shell.judged(number, is_enough=True)

    def _happens(self, *events: Event) -> None:
        for event in events:
            self.shell.apply(event)

    def _catch_up(self) -> None:
        new = self.session.events[self._n_applied :]
        self._n_applied += len(new)
        self._happens(*new)


@asynccontextmanager
async def newcomer(
    servers: Sequence[Server],
    tor: LoopbackTor,
    path: Path | None,
    *,
    vault: VaultStore | None = None,
) -> AsyncIterator[Newcomer]:
    """Seat somebody before the start screen."""
    if vault is None and path is not None:
        vault = quick_vault(path)
    async with headless(servers, tor, vault=vault) as session:
        someone = Newcomer(session, tor)
        await someone.until_at(Page.START)
        yield someone
        someone.sees()
