"""What the chats want sent, put on a stream; and a stream's polite end.

Rule: decides nothing; what goes out is OTR, or a bare presence for one address.
"""

import asyncio
from typing import Final, assert_never

from coykiosk.errors import UserError
from coykiosk.session import stanzas
from coykiosk.session.devices import SendOtr
from coykiosk.session.seen import TellPresence
from coykiosk.session.stream import XmppStream

__all__ = ["GOODBYE_LIMIT_S", "put", "say_goodbye"]

GOODBYE_LIMIT_S: Final = 3.0


def put(stream: XmppStream, sent: SendOtr | TellPresence) -> None:
    """Send what a chat wants sent, at once; dropped when the stream is gone."""
    match sent:
        case SendOtr(to=to, body=body, stanza_id=stanza_id):
            stream.send_message(to, body, message_id=stanza_id)
        case TellPresence(to=to, available=available):
            stream.send(stanzas.directed_presence(to, available=available))
        case _ as unreachable:
            assert_never(unreachable)


async def say_goodbye(stream: XmppStream) -> None:
    """Close a stream politely, but not for long."""
    try:
        async with asyncio.timeout(GOODBYE_LIMIT_S):
            await stream.close()
    except (TimeoutError, UserError):
        stream.abort()
