"""One thread for the blocking calls of a library, awaitable and bounded.

Rule: the thread is a daemon. Whatever the library does, waiting for it ends at
the limit, and it never keeps the program from ending; the threads of
`concurrent.futures` are joined at exit, these are not.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Worker"]

T = TypeVar("T")


class Worker:
    """Runs one call after the other."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, work: Callable[[], T], *, limit_s: float) -> T:
        """Run `work` in the thread and return its result.

        Raises:
            TimeoutError: it takes too long, or hangs; the thread stays with it.
            Exception: whatever `work` raises.
        """
        future: Future[T] = Future()
        self._jobs.put(lambda: _settle(future, work))
        async with asyncio.timeout(limit_s):
            return await asyncio.wrap_future(future)

    def end(self) -> None:
        """Let the thread end after what it is doing; idempotent."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _settle(future: "Future[Any]", work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as exc:  # noqa: BLE001  # handed over whole, to be raised there
        future.set_exception(exc)
    else:
        future.set_result(result)
