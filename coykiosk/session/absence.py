"""Between two streams of one session: what is under way stays so while it may.

Rule: the only one who decides whether the chats wait for their session to go on, or
begin a new one; it tells them what came of it, and each message of it once.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

from coykiosk.errors import UserError
from coykiosk.session.chats import Chats
from coykiosk.session.devices import SendOtr
from coykiosk.session.failure import OpeningReason
from coykiosk.session.inbound import MessagesTaken
from coykiosk.session.opening import Opened, OpeningError
from coykiosk.session.parting import may_be_resumed
from coykiosk.session.resumption import Resumption
from coykiosk.session.seen import TellPresence
from coykiosk.session.stream import XmppStream

__all__ = ["Absence"]


class Absence:
    """What the account's last stream has left behind.

    Args:
        chats: Whose messages are under way.
        now: Monotonic seconds.
    """

    def __init__(self, chats: Chats, now: Callable[[], float]) -> None:
        self._chats = chats
        self._now = now
        self._resumption: Resumption | None = None
        self._changed = asyncio.Event()

    @property
    def resumption(self) -> Resumption | None:
        """The session that the next stream may go on with."""
        return self._resumption

    def begin(self, stream: XmppStream, error: UserError | None) -> None:
        """The stream has ended.

        Args:
            stream: It takes and sends nothing any more.
            error: Why it ended; None when it was we who wanted it to.
        """
        is_lost = error is not None and may_be_resumed(error)
        self._resumption = stream.suspend(self._now()) if is_lost else None
        if self._resumption is None:
            self._chats.went_offline()
            return
        self._chats.suspended()
        if not self._resumption.acks.is_whole:
            self._forsake(self._resumption)
        self._changed.set()

    def opened(
        self,
        opened: Opened,
        send: Callable[[SendOtr | TellPresence], None],
        *,
        ask_not_before: float,
    ) -> None:
        """There is a stream again, and the chats may send.

        Args:
            opened: Whether it goes on with the session is said there.
            send: As `Chats.went_online`.
            ask_not_before: As `Chats.went_online`.
        """
        resumed, self._resumption = opened.bound.resumed, None
        if resumed is None or resumed.is_forsaken:
            self._chats.went_online(send, ask_not_before=ask_not_before)
        else:
            self._chats.resumed(send)

    def settle(self, error: OpeningError | None) -> None:
        """A try to open a stream has ended: tell what it showed of the last session.

        Args:
            error: Why there is none; None when there is one, or for another reason.
        """
        resumption = self._resumption
        if resumption is None:
            return
        taken = resumption.collect()
        if taken:
            self._chats.receive(MessagesTaken(taken))
        if resumption.is_asked:
            # Who stumbles over it would do so each time, and for ever.
            is_confused = error is not None and error.reason is OpeningReason.CONFUSED
            if is_confused or resumption.is_forsaken:
                resumption.end()
            # The next try may be confused by something else, before it asks.
            resumption.set_aside()
        if resumption.is_over:
            self._resumption = None
            self._chats.went_offline()

    async def watch(self) -> NoReturn:
        """Give up the messages under way when they have been so for too long."""
        while True:
            self._changed.clear()
            resumption, delay = self._resumption, None
            if resumption is not None and not resumption.is_forsaken:
                delay = max(0.0, resumption.patience_until - self._now())
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                if resumption is not None and resumption is self._resumption:
                    self._forsake(resumption)

    def _forsake(self, resumption: Resumption) -> None:
        resumption.forsake()
        self._chats.went_offline()
