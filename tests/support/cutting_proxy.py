"""A proxy on loopback that cuts a connection at any byte, in any direction.

The bytes of a side are counted from when it is armed, over however many connections;
the connection that carries the last of them is cut right there. The client always
notices. The server need not: then its connection lingers, as over a network on which
the news of the cut is lost, and what it has to say is said to nobody.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.support.relay import CHUNK_BYTES, Pump, Relay, Side


@dataclass
class Cut:
    """Where the next connection ends."""

    side: Side
    n_bytes: int
    """So many more of this side pass."""
    lingers: bool = False
    """Whether the server hears nothing of it."""


class CuttingProxy(Relay):
    """Forwards one port to another, and cuts where it is told to.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.next_cut: Cut | None = None
        self.n_cuts = 0

    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        return _Connection(self, client=client, server=server).pump

    def is_cut_by(self, side: Side, data: bytes) -> Cut | None:
        """Count bytes; tell if a connection ends with them, and before how many."""
        cut = self.next_cut
        if cut is None or cut.side is not side:
            return None
        if len(data) <= cut.n_bytes:
            cut.n_bytes -= len(data)
            return None
        self.next_cut = None
        self.n_cuts += 1
        return cut


class _Connection:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: CuttingProxy,
        *,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._above = server
        self._is_cut = False
        self._lingers = False

    async def pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                if self._is_cut:
                    continue  # said to nobody
                cut = self._proxy.is_cut_by(side, data)
                if cut is not None:
                    self._end(cut, writer, data[: cut.n_bytes])
                else:
                    writer.write(data)
                    await writer.drain()
        if not self._lingers:
            writer.close()

    def _end(self, cut: Cut, writer: asyncio.StreamWriter, last: bytes) -> None:
        self._is_cut, self._lingers = True, cut.lingers
        writer.write(last)
        self._client.close()
        if not cut.lingers:
            self._above.close()
