"""A client that says to its server whatever a test wants said, as XML text."""

import os
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid, Secret
from coykiosk.ports import IsolationKey
from coykiosk.register.identity import draw_identity
from coykiosk.session.opening import Opened, Purpose, open_session
from tests.session.conftest import make_route
from tests.support.loopback import LoopbackDialer

CLIENT: Final = "{jabber:client}"


@dataclass
class RawClient:
    """A signed-in account that answers nothing by itself."""

    opened: Opened
    seen: list[ET.Element] = field(default_factory=list)
    """What came and was not waited for."""

    @property
    def jid(self) -> Jid:
        return self.opened.jid

    def say(self, xml: str) -> None:
        self.opened.stream.write(xml.encode())

    async def next(self) -> ET.Element:
        reader = self.opened.reader
        while (stanza := reader.next_stanza()) is None:
            data = await self.opened.stream.read()
            assert data, "the server has closed the stream"
            reader.feed(data)
        return stanza

    async def answer(self, stanza_id: str) -> ET.Element:
        """Wait for the answer to a request."""
        while True:
            stanza = await self.next()
            is_answer = stanza.get("type") in ("result", "error")
            is_ours = is_answer and stanza.get("id") == stanza_id
            if stanza.tag == CLIENT + "iq" and is_ours:
                return stanza
            self.seen.append(stanza)

    async def body(self) -> tuple[Jid, str]:
        """Wait for a message with a text; return whose, and the text."""
        while True:
            stanza = await self.next()
            text = stanza.findtext(CLIENT + "body")
            if stanza.tag == CLIENT + "message" and text is not None:
                return Jid.parse(stanza.get("from", "")), text
            self.seen.append(stanza)

    async def close(self) -> None:
        await self.opened.stream.close()


async def raw_client(port: int) -> RawClient:
    """Make an account on a server on this machine, and sign in to it."""
    identity = draw_identity(os.urandom)
    opened = await open_session(
        LoopbackDialer(port),
        make_route(),
        localpart=identity.localpart,
        password=Secret(identity.password),
        purpose=Purpose.REGISTER,
        isolation_key=IsolationKey.fresh(os.urandom),
        random_bytes=os.urandom,
        on_step=lambda _: None,
    )
    return RawClient(opened)
