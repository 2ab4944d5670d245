"""slixmpp as it comes: registration and login on one stream, by its own plugins.

Only what cannot be left to its defaults is set: where the server is, whom to trust,
and not to try TLS at once on a port that is for STARTTLS, which an SRV record would
have told it.
"""

import asyncio
from pathlib import Path
from typing import final

import slixmpp
from slixmpp.stanza import Iq

_LIMIT_S = 60.0


@final
class SlixmppClient(slixmpp.ClientXMPP):
    """One sign-in of one account.

    Args:
        jid: Bare JID of the account.
        password: Its password.
        authority: The certificate to trust, PEM.
        is_direct: Whether TLS begins the connection.
        registers: Whether the account is made first.
    """

    def __init__(
        self,
        jid: str,
        password: str,
        *,
        authority: Path,
        is_direct: bool,
        registers: bool,
    ) -> None:
        super().__init__(jid, password)
        self.ca_certs = authority
        self.enable_direct_tls = is_direct
        self.enable_starttls = not is_direct
        self.has_roster = asyncio.Event()
        self.add_event_handler("session_start", self._start)
        if registers:
            for name in ("xep_0004", "xep_0030", "xep_0066", "xep_0077"):
                self.register_plugin(name)
            self.add_event_handler("register", self._register)

    async def sign_in(self, port: int) -> None:
        """Connect, and return when the roster has come."""
        self.connect("127.0.0.1", port)
        async with asyncio.timeout(_LIMIT_S):
            await self.has_roster.wait()

    async def leave(self) -> None:
        """Close the connection."""
        self.abort()
        await self.disconnected
        # Nothing of slixmpp ends this one, which asyncio would complain about.
        sending = self._run_out_filters
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])

    async def _start(self, _event: object) -> None:
        self.send_presence()
        await self.get_roster()
        self.has_roster.set()

    async def _register(self, _form: Iq) -> None:
        answer = self.Iq()
        answer["type"] = "set"
        answer["register"]["username"] = self.boundjid.user
        answer["register"]["password"] = self.password
        await answer.send()  # type: ignore[no-untyped-call]  # slixmpp left it so
