"""profanity, a foreign client with libotr, in a pseudo-terminal of its own.

profanity keeps its libotr from version 3 of OTR (up to 0.13 at least: its policy is
"version 1 or 2", and it knows no instances). `build_otr3` makes a library that lifts
this and nothing else; without it profanity ignores an offer of version 3.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.foreign import ForeignClient
from tests.support.terminal import Terminal

_PREFERENCES: Final = """\
[ui]
splash=false
roster=false
tips=false
[logging]
chlog=false
[otr]
log=off
policy=manual
[notifications]
message=off
room=off
invite=off
sub=off
typing=off
[connection]
reconnect=0
autoping=0
"""


_SOURCE: Final = Path(__file__).parents[1] / "peers" / "profanity_otr3.c"


def build_otr3(folder: Path) -> Path:
    """Compile what makes profanity speak version 3; return the library."""
    compiler = shutil.which("gcc")
    assert compiler, "gcc is missing: apt install gcc libotr5-dev"
    library = folder / "profanity_otr3.so"
    subprocess.run(  # noqa: S603 - fixed words
        [
            *(compiler, "-shared", "-fPIC", "-std=gnu11", "-O1"),
            *("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"),
            *("-o", str(library), str(_SOURCE), "-ldl"),
        ],
        check=True,
    )
    return library


class Profanity(ForeignClient):
    """One profanity, without Tor.

    Args:
        home: A directory of its own; need not exist.
        otr3: What `build_otr3` made, for a profanity with version 3 of OTR.
        options: More words for its command line.
        preferences: Its settings, as its file `profrc` spells them.
    """

    def __init__(
        self,
        home: Path,
        *,
        otr3: Path | None = None,
        options: Sequence[str] = (),
        preferences: str = _PREFERENCES,
    ) -> None:
        config = home / "config" / "profanity"
        config.mkdir(parents=True, exist_ok=True)
        (config / "profrc").write_text(preferences)
        self.log_file: Final = home / "profanity.log"
        """What it says of itself, with `-l DEBUG` all it sends and receives."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            # The terminal that our emulator emulates.
            "TERM": "linux",
            "LC_ALL": "C.UTF-8",
        }
        if otr3 is not None:
            env["LD_PRELOAD"] = str(otr3)
        terminal = Terminal(
            ["profanity", "-f", str(self.log_file), *options],
            env=env,
            columns=140,
            rows=50,
        )
        super().__init__(terminal)
        self.terminal.wait_for("Type '/help' to show")

    # --- signing in -----------------------------------------------------------------

    def register(
        self, localpart: str, domain: str, password: str, *, port: int
    ) -> None:
        """Make an account; afterwards it has to be started again.

        Signed in to from the same run, it would talk without TLS (0.13.1).

        Args:
            localpart: The account's name.
            domain: Also the host that it connects to, so a name for 127.0.0.1.
            password: The account's password.
            port: Where the server offers STARTTLS.
        """
        self.command(f"/register {localpart} {domain} port {port} tls trust")
        for prompt in ("Enter password", "Confirm password"):
            self.terminal.wait_for(prompt)
            self.command(password)
        self.terminal.wait_for("Registration successful", within_s=60)

    def sign_in(self, jid: str, password: str, *, port: int) -> None:
        """Sign in to a server on 127.0.0.1 whose certificate nobody vouches for.

        Args:
            jid: A bare JID.
            password: Its password.
            port: Where the server offers STARTTLS.
        """
        self.command(f"/connect {jid} server 127.0.0.1 port {port} tls trust")
        self.terminal.wait_for("Enter password")
        self.command(password)
        self.terminal.wait_for(
            re.escape(jid) + r"/\S+ logged in successfully", within_s=60
        )

    def make_otr_key(self) -> None:
        """Make the OTR key of the account that is signed in."""
        self.command("/otr gen")
        self.terminal.wait_for("Private key generation complete", within_s=60)

    # --- chats ----------------------------------------------------------------------

    def chat_with(self, jid: str) -> None:
        """Open a chat, or go to the one there is; it is what one sees then."""
        self.command(f"/msg {jid}")
        self.terminal.wait_for(rf"^\s*{re.escape(jid)}")

    def start_otr(self, *, within_s: float = 60.0) -> None:
        """Ask for OTR version 3 in the chat that one sees, and wait until it is up.

        Its own `/otr start` sends a query for version 2, whatever libotr could do;
        so the query is typed, which is all that a query is.
        """
        self.say("?OTRv3?")
        self.wait_otr(within_s=within_s)

    def wait_otr(self, *, within_s: float = 60.0) -> None:
        """Wait until OTR is up in the chat that one sees, whoever asked for it."""
        self.terminal.wait_for(r"OTR session started|\[OTR\]", within_s=within_s)

    def end_otr(self) -> None:
        """End OTR in the chat that one sees."""
        self.command("/otr end")
        self.terminal.wait_for("OTR session ended")

    def set_otr_policy(self, policy: str) -> None:
        """Say when OTR is started: "manual", "opportunistic" or "always"."""
        self.command(f"/otr policy {policy}")
