"""A proxy on loopback that counts round trips, by who spoke when.

A round trip is one flight of the client and the server's flight that answers it:
however many packets a side sends before the other one speaks, they are one flight.
What the server says before the client has spoken counts for nothing.
"""

import asyncio
from contextlib import suppress

from tests.support.relay import CHUNK_BYTES, Pump, Relay, Side


class CountingProxy(Relay):
    """Forwards one port to another and counts, from the first client byte.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._client_spoke_last = False
        self.round_trips = 0

    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        return self._pump

    async def _pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                if self._client_spoke_last and side is Side.SERVER:
                    self.round_trips += 1
                self._client_spoke_last = side is Side.CLIENT
                writer.write(data)
                await writer.drain()
        writer.close()
