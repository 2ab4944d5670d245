"""Finding out, once, whether a new account's server delivers what it writes.

Rule: one message to ourselves, after the new account has been still for a while; what
becomes of it is told only when it is bad news.
"""

import asyncio
from collections.abc import Callable
from typing import final

from coykiosk.contract import Failed, Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.devices import SendOtr
from coykiosk.session.inbound import Inbound
from coykiosk.session.selftest import SELF_TEST_LIMIT_S, SelfTest, Verdict
from coykiosk.session.world import World

__all__ = ["Delivery"]


@final
class Delivery:
    """The one try of one account.

    Args:
        account: Our bare address.
        world: The clocks, chance, and whom to tell.
        not_before: When the account may write for the first time, monotonic seconds.
    """

    def __init__(self, account: Jid, world: World, *, not_before: float) -> None:
        self._server = account.domainpart
        self._world = world
        self._not_before = not_before
        self._test = SelfTest(account, world.random_bytes)
        self._verdict: Verdict | None = None
        self._has_verdict = asyncio.Event()

    def receive(self, value: Inbound) -> None:
        """Look at what came in over the stream."""
        verdict = self._test.receive(value)
        if verdict is not None and self._verdict is None:
            self._verdict = verdict
            self._has_verdict.set()

    async def find_out(self, send: Callable[[SendOtr], None]) -> None:
        """Try, and tell if the account is of no use; ends with the stream at the latest.

        Args:
            send: Puts an OTR message on the stream.
        """
        await asyncio.sleep(max(0.0, self._not_before - self._world.now()))
        send(self._test.message())
        try:
            async with asyncio.timeout(SELF_TEST_LIMIT_S):
                await self._has_verdict.wait()
        except TimeoutError:
            self._tell("no-answer")
            return
        if self._verdict is Verdict.REFUSED:
            self._tell(self._test.condition)

    def _tell(self, condition: str) -> None:
        error = UserError(
            ErrorCode.ACCOUNT_HELD_BACK, server=self._server, condition=condition
        )
        self._world.publish(Failed(error, None))
