"""A run on its way through the one action, and what must be true after its end.

Deeds bring a scene to a moment; checks look at what is left of it.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from coykiosk.contract import Secret
from coykiosk.vault.store import VaultStore
from tests.support.launching import ROOT, Run
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.processes import descendants, is_running, program_of, wait_until
from tests.support.sights import ONLINE, make_account, open_chat, words_shown
from tests.support.terminal import Terminal

PRACTICE = ROOT / "tests" / "support" / "run_practice.py"
MIN_RELAYS = 3
CHILDREN_END_WITHIN_S = 10.0
ALTERNATE_SCREEN = (b"\x1b[?1049h", b"\x1b[?1049l")
CURSOR_HIDDEN = (b"\x1b[?25l", b"\x1b[?25h")
BRACKETED_PASTE = (b"\x1b[?2004h", b"\x1b[?2004l")
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|[\x0e\x0f]")


@dataclass(slots=True)
class Scene:
    """A run on its way through the one action, and what it may not lose."""

    run: Run
    network: SharedPracticeNetwork
    accounts_before: set[str]
    words: str = ""
    """What opens the vault; "" as long as they were not shown."""
    online_as: set[str] = field(default_factory=set)
    """The localpart, once the screen has told it."""

    @property
    def terminal(self) -> Terminal:
        return self.run.terminal

    @property
    def vault(self) -> Path:
        assert self.run.vault is not None
        return self.run.vault

    def paint(self) -> None:
        self.terminal.wait_for("coykiosk")

    def read_words(self) -> None:
        self.words = words_shown(self.terminal)

    def begin(self) -> None:
        self.read_words()
        self.terminal.press("enter")

    def go_online(self) -> None:
        self.read_words()
        self.online_as = {make_account(self.terminal).partition("@")[0]}

    def chat(self) -> None:
        self.go_online()
        open_chat(self.terminal, f"nobody@{self.network.domain}")
        self.terminal.wait_for("NOT ENCRYPTED YET")

    def until(self, is_true: Callable[[], bool], what: str) -> None:
        self.terminal.wait_until(is_true, what=what, within_s=90)

    def until_step(self, number: int) -> None:
        """Wait until the screen is at a step of five, or past it."""
        steps = "".join(str(n) for n in range(number, 6))
        self.terminal.wait_for(rf"\[\.\.\] [{steps}] of 5|{ONLINE}", within_s=90)

    def new_accounts(self) -> set[str]:
        return accounts_on(self.network) - self.accounts_before


Deed = Callable[[Scene], None]


def see_step(number: int) -> Deed:
    def deed(scene: Scene) -> None:
        scene.begin()
        scene.until_step(number)

    return deed


def see_relays(terminal: Terminal) -> None:
    """Wait until a practice network is coming up."""

    def relays_run() -> bool:
        names = [program_of(pid) for pid in descendants(terminal.pid)]
        return names.count("tor") >= MIN_RELAYS

    terminal.wait_until(relays_run, what="running relays", within_s=60)


def accounts_on(network: SharedPracticeNetwork) -> set[str]:
    """The localparts of all accounts, from the server's own storage."""
    found = network.path.glob("xmpp/data/*/accounts/*.dat")
    return {path.stem for path in found}


def check_gone(children: list[int], scratch: set[Path]) -> None:
    def is_gone() -> bool:
        running = any(map(is_running, children))
        return not running and not any(path.exists() for path in scratch)

    if not wait_until(is_gone, within_s=CHILDREN_END_WITHIN_S):
        running = [program_of(pid) for pid in children if is_running(pid)]
        left = [str(path) for path in scratch if path.exists()]
        message = f"still running: {running}, still there: {left}"
        raise AssertionError(message)


def localparts_kept(scene: Scene) -> set[str]:
    """Open the vault with the words that were shown, if there is one."""
    if not scene.vault.exists():
        return set()
    store = VaultStore(scene.vault, random_bytes=os.urandom)
    try:
        profile = store.unlock(Secret(scene.words))
        return {account.localpart for account in profile.accounts}
    finally:
        store.close()
        # What was unfinished went when the lock was taken.
        assert list(scene.vault.parent.iterdir()) == [scene.vault]


def check_given_back(terminal: Terminal) -> None:
    """Check that a shell finds its terminal as it was: settings, modes, no remains."""
    output = bytes(terminal.output)
    assert terminal.is_cooked
    for on, off in (CURSOR_HIDDEN, BRACKETED_PASTE, ALTERNATE_SCREEN):
        assert output.rfind(off) > output.rfind(on), on
    _, _, after = output.rpartition(ALTERNATE_SCREEN[1])
    assert ESCAPE_SEQUENCE.sub(b"", after).strip() == b"", after
