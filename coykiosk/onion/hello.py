"""Ask a control port who it is, before it is told anything.

Rule: one question that tor answers to everybody (PROTOCOLINFO), on a connection
of its own, bounded in time and size.

Source: Tor's control-spec, PROTOCOLINFO.
"""

import asyncio
import re
from typing import Final

from coykiosk.onion.addresses import Address
from coykiosk.onion.wire import Wire, connect_local

__all__ = ["ControlError", "NotTorError", "ask_version"]

_HELLO_LIMIT_S: Final = 5.0
_MAX_HELLO_BYTES: Final = 4096
_VERSION: Final = re.compile(rb'^250-VERSION Tor="([^"\r\n]{1,64})"', re.MULTILINE)


class ControlError(Exception):
    """The control port did not do what was asked; the text says what."""


class NotTorError(ControlError):
    """Something listens there, and it is no tor."""


async def ask_version(address: Address) -> str:
    """Return tor's version.

    Raises:
        OSError: nothing listens there, or we may not connect.
        NotTorError: the answer is not tor's.
    """
    wire = Wire()
    answer = b""
    await connect_local(address, lambda: wire)
    try:
        wire.send(b"PROTOCOLINFO 1\r\n")
        async with asyncio.timeout(_HELLO_LIMIT_S):
            while b"250 OK\r\n" not in answer and len(answer) <= _MAX_HELLO_BYTES:
                data = await wire.receive()
                if not data:
                    break
                answer += data
    except TimeoutError as exc:
        msg = "control: silent"
        raise NotTorError(msg) from exc
    finally:
        wire.abort()
    match = _VERSION.search(answer)
    if match is None or not answer.startswith(b"250-PROTOCOLINFO 1\r\n"):
        msg = "control: no answer of tor's"
        raise NotTorError(msg)
    return match[1].decode("ascii", "replace")
