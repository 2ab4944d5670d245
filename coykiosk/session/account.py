"""The life of one account: connecting, online, away, and trying again.

Rule: the only writer of the account's connection; what is said over it is `chats`'.
A task runs it from sign-in to quit:

    connecting --opened--> online --lost--> waiting (backoff, or a key)
        ^                    |                  |
        +---- a new path ----+------------------+

Each connection has a circuit of its own. The session that ran over the last one goes
on over the next, if the server lets it (`absence`); nobody but the server notices.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.contract import (
    AccountConnecting,
    AccountOffline,
    AccountOnline,
    CircuitKnown,
    Jid,
)
from coykiosk.errors import ErrorCode, UserError, only_user_error
from coykiosk.register.servers import Route
from coykiosk.session.absence import Absence
from coykiosk.session.backoff import pause_after
from coykiosk.session.chats import Chats
from coykiosk.session.delivery import Delivery
from coykiosk.session.enrol import NewAccount
from coykiosk.session.inbound import Inbound
from coykiosk.session.opening import Opened, OpeningError
from coykiosk.session.outcomes import to_user_error
from coykiosk.session.requests import Request
from coykiosk.session.sending import put, say_goodbye
from coykiosk.session.signing_in import SignIn
from coykiosk.session.stream import XmppStream
from coykiosk.session.upkeep import Upkeep
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["AccountSession"]

FIRST_CONTACT_DELAY_S: Final = (2.0, 8.0)
"""A new account is still for this long: made and talking within one second
would be a robot's pattern."""


class AccountSession:
    """One account of the profile while the program runs.

    Args:
        record: The profile's entry; its known keys and pins are updated here.
        route: How its server is reached.
        world: The doors, the clocks and chance.
        kept: Whether the record is in a vault.
        save: Called when the record changed and should be saved soon.
    """

    def __init__(
        self,
        record: Account,
        *,
        route: Route,
        world: World,
        kept: bool,
        save: Callable[[], None],
    ) -> None:
        self.jid: Final = Jid(record.localpart, record.domain)
        self._record = record
        self._world = world
        self._kept = kept
        self._save = save
        self.chats: Final = Chats(record, account=self.jid, world=world, save=save)
        self.upkeep: Final = Upkeep(self, record, world=world, save=save)
        self._sign_in = SignIn(record, route=route, world=world, save=save)
        self._absence = Absence(self.chats, world.now)
        self._stream: XmppStream | None = None
        self._wanted_now = asyncio.Event()
        self._told: AccountOnline | AccountOffline | None = None
        self._wants_new_path = False
        self._ask_not_before = 0.0
        self._pause_s = 0.0
        self._delivery: Delivery | None = None

    # --- the connection ---------------------------------------------------------

    async def run(self, new: NewAccount | None, *, pause_s: float = 0.0) -> None:
        """Be online as much as possible, until cancelled.

        Args:
            new: The stream that enrolment has just signed in on, if any.
            pause_s: Seconds to wait before the first sign-in, once tor is ready.
        """
        self._pause_s = pause_s
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._absence.watch())
            await self._come_and_go(new)
            watching.cancel()

    async def _come_and_go(self, new: NewAccount | None) -> None:
        n_failures = 0
        opened = None
        self.chats.people.tell()
        if new is not None:
            opened = self._sign_in.take(new)
            now = self._world.now()
            still_s = self._world.uniform(*FIRST_CONTACT_DELAY_S)
            self._ask_not_before = now + still_s
            # Before anybody is written to, always: what is said first is one order.
            self._delivery = Delivery(
                self.jid, self._world, not_before=now + still_s / 2
            )
        while True:
            try:
                if opened is None:
                    opened = await self._open()
                n_failures = 0
                await self._stay_online(opened)
            except UserError as error:
                if _is_cancelled():
                    raise asyncio.CancelledError from error
                n_failures += 1
                if not self._wants_new_path:
                    await self._wait_after(error, n_failures)
            else:
                if not self._wants_new_path:
                    return  # it was we who closed
            opened = None
            self._wants_new_path = False

    async def _open(self) -> Opened:
        error: OpeningError | None = None
        try:
            await self._world.tor.wait_ready()
            await self._pause()
            self._wanted_now.clear()  # this is the try that was asked for
            return await self._sign_in.open(self._absence.resumption)
        except OpeningError as exc:
            error = exc
            raise to_user_error(exc, server=self._record.domain) from exc
        finally:
            self._absence.settle(error)

    async def _pause(self) -> None:
        """Wait as long as was drawn; who asks again has another draw."""
        while self._pause_s:
            pause_s, self._pause_s = self._pause_s, 0.0
            self._wanted_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wanted_now.wait()

    async def open_apart(self) -> Opened:
        """Open a session of its own while `run` does not; who asked for it closes it.

        Raises:
            OpeningError: the server's side failed.
            UserError: SERVER_SILENT, or our side failed.
        """
        await self._world.tor.wait_ready()
        return await self._sign_in.open(None)

    async def _stay_online(self, opened: Opened) -> None:
        self._sign_in.remember(opened)
        stream = XmppStream(
            opened,
            on_inbound=self._receive,
            random_bytes=self._world.random_bytes,
        )
        stream.start()
        if opened.bound.resumed is None:
            stream.forbid_archive()
        self._stream = stream
        self._wanted_now.clear()
        self._tell(
            AccountOnline(
                account=self.jid,
                via_onion=opened.via_onion,
                channel_bound=opened.channel_bound,
                kept=self._kept,
            )
        )
        error: UserError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                keeping_time = group.create_task(self.chats.keep_time())
                group.create_task(self.upkeep.went_online(self._sign_in.accepted))
                keeping_list = group.create_task(self.upkeep.keep_list())
                self._absence.opened(
                    opened,
                    lambda sent: put(stream, sent),
                    ask_not_before=self._ask_not_before,
                )
                trying = group.create_task(self._try_delivery(stream))
                await stream.run()
                keeping_time.cancel()
                keeping_list.cancel()
                trying.cancel()
        except BaseExceptionGroup as errors:
            error = only_user_error(errors)
            if error is None:
                raise
            raise error from errors
        finally:
            self._stream = None
            self._absence.begin(stream, error)
            await stream.close()

    def _receive(self, value: Inbound) -> None:
        if self._delivery is not None:
            self._delivery.receive(value)
        self.chats.receive(value)

    async def _try_delivery(self, stream: XmppStream) -> None:
        if self._delivery is not None:
            await self._delivery.find_out(lambda sent: put(stream, sent))
            self._delivery = None

    async def _wait_after(self, error: UserError, n_failures: int) -> None:
        """Wait until the next try: by itself, or at once when the person asks."""
        delay = pause_after(error, n_failures, self._world.uniform)
        self._tell(AccountOffline(self.jid, error, delay))
        try:
            async with asyncio.timeout(delay):
                await self._wanted_now.wait()
        except TimeoutError:
            return
        # A wish is good for one try: where tor has ended, each one fails at once.
        self._wanted_now.clear()

    def _tell(self, event: AccountOnline | AccountOffline) -> None:
        self._told = event
        self._world.publish(event)

    def tell_again(self) -> None:
        """Publish once more how the account stands, because it is looked at now."""
        if self._told is not None:
            self._world.publish(self._told)

    def connect(self, *, pause_s: float = 0.0) -> None:
        """Try again; also when the connection is just about to be lost.

        Args:
            pause_s: Seconds to wait first, so that time links it to no other.
        """
        self._pause_s = pause_s
        self._wanted_now.set()

    async def take_new_path(self) -> None:
        """Connect again at once, over another circuit; the chats go on.

        Every connection has a circuit of its own, so it is enough to make another. It
        goes on with the session of this one, if the server can do that: then this one
        just ends, without the goodbye that would end the session.
        """
        stream = self._stream
        if stream is None:
            self.connect()
            return
        self._wants_new_path = True
        self._world.publish(AccountConnecting(self.jid))
        if stream.suspend(self._world.now()) is None:
            await say_goodbye(stream)
        else:
            lost = UserError(ErrorCode.CONNECTION_LOST, server=self._record.domain)
            stream.exception(lost)

    async def close(self) -> None:
        """End every OTR chat and the stream, politely but not for long."""
        stream = self._stream
        self._wants_new_path = False
        self.chats.end()
        if stream is not None:
            await say_goodbye(stream)

    @property
    def record(self) -> Account:
        """The profile's entry."""
        return self._record

    @property
    def is_online(self) -> bool:
        """Whether there is a connection."""
        return self._stream is not None

    async def ask(self, request: Request, *, limit_s: float) -> ET.Element:
        """Ask the account's server, if there is a connection; see `requests.Ask`."""
        stream = self._stream
        if stream is None:
            raise UserError(ErrorCode.CONNECTION_LOST, server=self._record.domain)
        return await stream.ask(request, limit_s=limit_s)

    async def tell_circuit(self) -> None:
        """Publish the path that the connection runs through, if it is still that."""
        stream = self._stream
        circuit = None if stream is None else await self._sign_in.circuit()
        if self._stream is stream:
            self._world.publish(CircuitKnown(self.jid, circuit))
        elif self._stream is not None:
            await self.tell_circuit()


def _is_cancelled() -> bool:
    """Whether the session wants this task to end.

    A TaskGroup that is cancelled while one of its tasks fails raises the failure
    alone; Python 3.13 is the first to remember the cancellation.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
