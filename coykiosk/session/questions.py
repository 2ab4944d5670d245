"""The questions of one stream that wait for their answer.

Rule: bounded, and none waits longer than its stream lives; who may answer is the
stream's to judge before it gives an answer in here.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.errors import ErrorCode, UserError

__all__ = ["MAX_OPEN", "Questions"]

MAX_OPEN: Final = 16
"""A server that leaves so many unanswered is not asked more."""


@final
class Questions:
    """What was asked on one stream.

    Args:
        server: The domain, for what a person is told.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._open: dict[str, asyncio.Future[ET.Element]] = {}
        self._end: UserError | None = None

    async def ask(
        self, request_id: str, send: Callable[[], None], *, limit_s: float
    ) -> ET.Element:
        """Send a request and wait for its answer, an error perhaps.

        Args:
            request_id: Under which the answer will come.
            send: Puts the request on the stream, at once.
            limit_s: The longest wait.

        Raises:
            UserError: SERVER_SILENT, also when too much is open already; or why the
                stream has ended.
        """
        silent = UserError(ErrorCode.SERVER_SILENT, server=self._server)
        if self._end is not None:
            raise self._end
        if len(self._open) >= MAX_OPEN:
            raise silent
        future: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        self._open[request_id] = future
        try:
            async with asyncio.timeout(limit_s):
                send()
                return await future
        except TimeoutError as exc:
            raise silent from exc
        finally:
            del self._open[request_id]

    def answer(self, iq: ET.Element) -> bool:
        """Take an answer of our server's; whether anybody waits for it."""
        future = self._open.get(iq.get("id", ""))
        if future is None or future.done():
            return False
        future.set_result(iq)
        return True

    def end(self, error: UserError) -> None:
        """The stream has ended, so no answer will come; the first reason counts."""
        if self._end is None:
            self._end = error
        for future in self._open.values():
            if not future.done():
                future.set_exception(self._end)
