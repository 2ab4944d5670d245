"""slixmpp without what it would do by itself.

Rule: the one slixmpp subclass but for the stream itself. It never connects, never
resolves a name, approves nobody, and sends no beacon.
"""

import asyncio
import ssl
from typing import NoReturn

from coykiosk.contract import Jid
from coykiosk.session.stanzas import BaseXMPP
from coykiosk.session.wire import CLIENT

__all__ = ["TamedXmpp"]


class TamedXmpp(BaseXMPP):
    """A base for a stream that is opened by somebody else.

    Args:
        jid: Our full address.
    """

    def __init__(self, jid: Jid) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # slixmpp left it so
            str(jid),
            CLIENT,
            # Never used; the default would read all authorities from disk.
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            loop=asyncio.get_running_loop(),
        )
        self.auto_authorize = None
        self.auto_subscribe = False

    def connect(self, host: str | None = None, port: int | None = None) -> NoReturn:
        """Refuse: connections are `opening`'s, through Tor."""
        msg = "slixmpp must not connect"
        raise AssertionError(msg)

    async def get_dns_records(self, domain: str, port: int | None = None) -> NoReturn:
        """Refuse: names are resolved by Tor alone."""
        msg = "slixmpp must not resolve"
        raise AssertionError(msg)

    async def _attempt_connection(self, *_args: object) -> NoReturn:
        msg = "slixmpp must not connect"
        raise AssertionError(msg)

    def _start_keepalive(self, event: object) -> None:
        """Do nothing: slixmpp's beacon of blanks every 300 s names the program."""
