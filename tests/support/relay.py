"""A listener on loopback that joins each client to a server, for proxies to build on.

`Relay` makes the connections and ends them; what becomes of the bytes in between is the
business of the proxy that inherits from it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any, Final

from tests.support.listener import Listener

CHUNK_BYTES: Final = 65536
"""A pump reads no more at a time."""


class Side(Enum):
    """Who speaks."""

    CLIENT = auto()
    SERVER = auto()


Pump = Callable[
    [Side, asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]
]
"""Carries what one side says to the other one, until either has gone."""


class Relay(Listener, ABC):
    """Forwards a port of its own to another.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(self._relay)
        self.target = port

    @abstractmethod
    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        """Return what carries the bytes of a new connection, in either direction.

        A pump that returns leaves the other direction as it is, and tells the
        listening end by closing its writer. The connection ends when both have
        returned, or as soon as one raises ConnectionError.
        """

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # A server that is not there shows as the end of the client's connection.
        above_reader, above = await asyncio.open_connection("127.0.0.1", self.target)
        pump = self._join(writer, above)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(Side.CLIENT, reader, above))
                group.create_task(pump(Side.SERVER, above_reader, writer))
        except* ConnectionError:
            pass  # whoever is at its ends will notice
        finally:
            above.transport.abort()
