"""mcabber, a foreign client with libotr, in a pseudo-terminal of its own.

mcabber speaks version 3 of OTR as it comes, and is left as it is. What one should
know of it:

- It answers a question for OTR only from someone on its list of contacts: `add`.
- With libotr, it tells that it ended OTR only to someone it sees online.
- Its line for typing takes a thousand bytes: `say_from_file` for more.
"""

import os
import re
from pathlib import Path
from typing import Final

from tests.support.foreign import ForeignClient
from tests.support.terminal import Terminal

_SETTINGS: Final = """\
set jid = {jid}
set password = {password}
set server = 127.0.0.1
set port = {port}
set tls = 1
set ssl_ignore_checks = 1
set logging = 0
set load_logs = 0
set disable_chatstates = 1
set roster_width = 20
set log_win_height = 10
set otr = 1
set otr_dir = {otr}
otrpolicy default manual
"""

_LOG_TIME: Final = r"\[\d\d:\d\d:\d\d\] "
_FINGERPRINT: Final = r"[0-9A-F]{8}(?: [0-9A-F]{8}){4}"


class Mcabber(ForeignClient):
    """One mcabber, signed in, without Tor.

    Args:
        home: A directory of its own; need not exist.
        jid: A bare JID.
        password: Its password.
        port: Where a server on 127.0.0.1 offers STARTTLS; nobody need vouch for
            its certificate.
    """

    def __init__(self, home: Path, jid: str, password: str, *, port: int) -> None:
        otr = home / "otr"
        otr.mkdir(mode=0o700, parents=True)
        settings = home / "mcabberrc"
        settings.touch(mode=0o600)
        settings.write_text(
            _SETTINGS.format(jid=jid, password=password, port=port, otr=otr)
        )
        self._home = home
        self._jid = jid
        terminal = Terminal(
            ["mcabber", "-f", str(settings)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                # The terminal that our emulator emulates.
                "TERM": "linux",
                "LC_ALL": "C.UTF-8",
            },
            columns=160,
            rows=60,
        )
        super().__init__(terminal)
        self.terminal.wait_for("Your status has been set", within_s=60)

    # --- contacts -------------------------------------------------------------------

    def add(self, jid: str) -> None:
        """Put someone on the list of contacts; it asks them to be seen online."""
        self.command(f"/add {jid}")
        self.terminal.wait_for(
            rf"Sent presence notification request to <{re.escape(jid)}>"
        )

    def wait_sees(self, jid: str) -> None:
        """Wait until a contact is shown as online."""
        name = re.escape(jid.partition("@")[0])
        self.terminal.wait_for(rf"\{{o\}} {name}")

    # --- chats ----------------------------------------------------------------------

    def chat_with(self, jid: str) -> None:
        """Open the chat with a contact; it is what one sees then."""
        self.command(f"/roster search {jid}")
        self.terminal.press("enter")
        self.terminal.wait_for(rf"Buddy: {re.escape(jid)}")

    def say_to(self, jid: str, text: str) -> None:
        """Send a message to anybody, and go to the chat with them."""
        self.command(f"/say_to {jid} {text}")

    def say_from_file(self, jid: str, text: str) -> None:
        """Send a message that is too long to be typed."""
        file = self._home / "message"
        file.write_text(text)
        self.command(f"/say_to -f {file} {jid}")

    # --- OTR ------------------------------------------------------------------------

    def start_otr(self) -> None:
        """Ask for OTR in the chat that one sees."""
        self.command("/otr start .")

    def end_otr(self) -> None:
        """End OTR in the chat that one sees."""
        self.command("/otr stop .")
        self.terminal.wait_for("OTR: channel closed(?!.*OTR: channel established)")

    def wait_otr(self, *, within_s: float = 60.0) -> None:
        """Wait until OTR is up in the chat that one sees, and is still."""
        self.terminal.wait_for(
            "OTR: channel (re)?established(?!.*OTR: channel closed)",
            within_s=within_s,
        )

    def own_fingerprint(self) -> bytes:
        """Read the 20 bytes by which others know its OTR key."""
        self.command("/otr key")
        shown = rf"{_LOG_TIME}{re.escape(self._jid)}: ({_FINGERPRINT})"
        return bytes.fromhex(self.terminal.wait_for(shown)[1])

    def their_fingerprint(self, jid: str) -> bytes:
        """Read the 20 bytes by which it knows a contact whom OTR is up with."""
        self.command(f"/otr fingerprint {jid}")
        shown = rf"{_LOG_TIME}{re.escape(jid)} \[({_FINGERPRINT})\]"
        return bytes.fromhex(self.terminal.wait_for(shown)[1])
