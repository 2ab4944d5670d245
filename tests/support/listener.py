"""A listener on loopback that plays a part for each client, and is gone in the end."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

Part = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_GONE: Final = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)
"""What a part meets when its client has left."""


class Listener:
    """Listens on a free port of 127.0.0.1; use it as a context manager.

    On leaving, parts that still play are cancelled and waited for.

    Args:
        part: What is played for each connection; when it ends, so does that.
        context: For TLS from the first byte.
    """

    def __init__(self, part: Part, context: ssl.SSLContext | None = None) -> None:
        self._part = part
        self._context = context
        self._server: asyncio.Server | None = None
        self._playing: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    def cut(self) -> None:
        """End every connection, as a cable does that is pulled."""
        for task in self._playing:
            task.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._play, "127.0.0.1", 0, ssl=self._context
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._playing)
        await self._server.wait_closed()

    async def _play(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert self._server is not None
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        try:
            if self._server.is_serving():  # else the client came as it all ended
                with contextlib.suppress(*_GONE):
                    await self._part(reader, writer)
        except asyncio.CancelledError:
            pass  # cut, or the end of the play
        finally:
            writer.transport.abort()
            self._playing.discard(task)
