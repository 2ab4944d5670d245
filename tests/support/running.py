"""Run a test's coroutine, and look whether it has left anything."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def run_clean(
    main: Callable[[], Awaitable[T]],
    *,
    limit_s: float | None = 60.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run a coroutine function; afterwards no task and no transport may be left.

    Args:
        main: The function.
        limit_s: So long it may take by the loop's clock; None for any time.
        loop_factory: What makes the loop; None for the usual one.
    """

    async def body() -> T:
        async with asyncio.timeout(limit_s):
            result = await main()
        for _ in range(10):  # the last callbacks of closed transports
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        result = runner.run(body())
    gc.collect()  # an unclosed socket is a ResourceWarning, and that an error
    return result
