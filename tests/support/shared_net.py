"""A private Tor network that many tests share, and one event loop for all of it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

from coykiosk.onion.scratch import Scratch
from coykiosk.practice.tornet import PrivateTorNetwork

T = TypeVar("T")

_BOOT_LIMIT_S: Final = 150.0


@asynccontextmanager
async def tor_network(
    ports: Mapping[int, int],
) -> AsyncIterator[tuple[PrivateTorNetwork, Scratch]]:
    """Run a network; its onion may still have to be published.

    Args:
        ports: From the onion's ports to those of this machine.
    """
    scratch = await Scratch.create()
    try:
        tornet = PrivateTorNetwork(
            {port: f"127.0.0.1:{here}" for port, here in ports.items()}
        )
        try:
            await tornet.start(scratch, lambda _: None)
            yield tornet, scratch
        finally:
            await tornet.stop()
    finally:
        await scratch.close()


class SharedNet(ABC):
    """What a module's tests stand on: started once, and closed at their end.

    Args:
        loop_factory: What makes the loop; None for the usual one.
        limit_s: So long a test may take, unless it says otherwise.
    """

    def __init__(
        self,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        *,
        limit_s: float = 60.0,
    ) -> None:
        self._limit_s = limit_s
        self._stack = AsyncExitStack()
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        try:
            self.run(self._start(), _BOOT_LIMIT_S)
        except BaseException:
            self.close()
            raise

    def run(self, work: Coroutine[Any, Any, T], limit_s: float | None = None) -> T:
        """Run a coroutine to its end, bounded in time."""

        async def bounded() -> T:
            async with asyncio.timeout(self._limit_s if limit_s is None else limit_s):
                return await work

        return self._runner.run(bounded())

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    @abstractmethod
    async def _start(self) -> None:
        """Start everything, and put its end on the stack."""
