"""A proxy on loopback that counts round trips, by who spoke when.

A round trip is one flight of the client and the server's flight that answers it:
however many packets a side sends before the other one speaks, they are one flight.
What the server says before the client has spoken counts for nothing.
"""

import asyncio
from types import TracebackType
from typing import Self


class CountingProxy:
    """Forwards one port to another and counts, from the first client byte.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._client_spoke_last = False
        self.round_trips = 0

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        above_reader, above_writer = await asyncio.open_connection(
            "127.0.0.1", self._target
        )
        self._writers |= {writer, above_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, above_writer, is_client=True))
                group.create_task(self._pump(above_reader, writer, is_client=False))
        finally:
            for one in (writer, above_writer):
                one.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_client: bool,
    ) -> None:
        try:
            while data := await reader.read(65536):
                if self._client_spoke_last and not is_client:
                    self.round_trips += 1
                self._client_spoke_last = is_client
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
