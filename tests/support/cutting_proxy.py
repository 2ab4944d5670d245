"""A proxy on loopback that cuts a connection at any byte, in any direction.

The bytes of a side are counted from when it is armed, over however many connections;
the connection that carries the last of them is cut right there. The client always
notices. The server need not: then its connection lingers, as over a network on which
the news of the cut is lost, and what it has to say is said to nobody.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.fault_proxy import Side


@dataclass
class Cut:
    """Where the next connection ends."""

    side: Side
    n_bytes: int
    """So many more of this side pass."""
    lingers: bool = False
    """Whether the server hears nothing of it."""


class CuttingProxy:
    """Forwards one port to another, and cuts where it is told to.

    Args:
        port: Where the real server listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut: Cut | None = None
        self.n_cuts = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

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
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            above_reader, above = await asyncio.open_connection(
                "127.0.0.1", self.target
            )
            self._writers |= {writer, above}
            joined = _Connection(self, client=writer, server=above)
            async with asyncio.TaskGroup() as group:
                group.create_task(joined.pump(Side.CLIENT, reader, above))
                group.create_task(joined.pump(Side.SERVER, above_reader, writer))
            above.transport.abort()
            self._writers -= {writer, above}
        except ConnectionError:
            pass  # the server is not there, which the client will notice
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    def is_cut_by(self, side: Side, data: bytes) -> Cut | None:
        """Count bytes; tell if a connection ends with them, and before how many."""
        cut = self.cut
        if cut is None or cut.side is not side:
            return None
        if len(data) <= cut.n_bytes:
            cut.n_bytes -= len(data)
            return None
        self.cut = None
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
        try:
            while data := await reader.read(65536):
                if self._is_cut:
                    continue  # said to nobody
                cut = self._proxy.is_cut_by(side, data)
                if cut is not None:
                    self._end(cut, writer, data[: cut.n_bytes])
                else:
                    writer.write(data)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            if not self._lingers:
                writer.close()

    def _end(self, cut: Cut, writer: asyncio.StreamWriter, last: bytes) -> None:
        self._is_cut, self._lingers = True, cut.lingers
        writer.write(last)
        self._client.close()
        if not cut.lingers:
            self._above.close()
