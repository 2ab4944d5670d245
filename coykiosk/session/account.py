"""The life of one account: connecting, online, away, and trying again.

Rule: the only writer of the account's connection and the only one who carries
out what its conversations want. A task runs it from sign-in to quit:

    connecting --opened--> online --lost--> waiting (backoff, or a key)
        ^                                       |
        +---------------------------------------+
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC
from typing import Final, assert_never

from coykiosk import otr
from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    CircuitKnown,
    ContactAsked,
    Jid,
)
from coykiosk.errors import ErrorCode, UserError, only_user_error
from coykiosk.ports import IsolationKey
from coykiosk.register.servers import Route
from coykiosk.session.conversation import Conversation, Effect, KeyMet, SendOtr
from coykiosk.session.enrol import NewAccount
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    PresenceIn,
    RosterReceived,
    SubscriptionAsked,
)
from coykiosk.session.opening import Opened, OpeningError, Purpose, open_session
from coykiosk.session.outcomes import to_user_error
from coykiosk.session.stanzas import check_address
from coykiosk.session.strangers import Strangers
from coykiosk.session.stream import XmppStream
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["AccountSession"]

OPENING_LIMIT_S: Final = 90.0
"""A sign-in over Tor that takes longer than this is given up."""
BACKOFF_CAP_S: Final = 300.0
BACKOFF_FIRST_S: Final = 4.0
RECONNECT_DELAY_S: Final = 8.0
"""Uniform delay before a reconnect, so that accounts are not linked by time."""
FIRST_CONTACT_DELAY_S: Final = (2.0, 8.0)
"""A new account is still for this long: made and talking within one second
would be a robot's pattern."""
GOODBYE_LIMIT_S: Final = 3.0


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
        self._route = route
        self._world = world
        self._kept = kept
        self._save = save
        self._our_key = otr.PrivateKey.from_bytes(record.otr_key.reveal())
        self._stream: XmppStream | None = None
        self._isolation_key: IsolationKey | None = None
        self._conversations: dict[Jid, Conversation] = {}
        self._strangers = Strangers()
        self._changed = asyncio.Event()
        self._wanted_now = asyncio.Event()
        self._ask_not_before = 0.0

    # --- the connection ---------------------------------------------------------

    async def run(self, new: NewAccount | None) -> None:
        """Be online as much as possible, until cancelled.

        Args:
            new: The stream that enrolment has just signed in on, if any.
        """
        n_failures = 0
        opened = None
        if new is not None:
            opened, self._isolation_key = new.opened, new.isolation_key
            self._ask_not_before = self._world.now() + self._world.uniform(
                *FIRST_CONTACT_DELAY_S
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
                await self._wait_after(error, n_failures)
                opened = None
            else:
                return  # it was we who closed

    async def _open(self) -> Opened:
        await self._world.tor.wait_ready()
        self._isolation_key = IsolationKey.fresh(self._world.random_bytes)
        try:
            async with asyncio.timeout(OPENING_LIMIT_S):
                return await open_session(
                    self._world.tor.dialer,
                    self._route,
                    localpart=self._record.localpart,
                    password=self._record.password,
                    purpose=Purpose.LOG_IN,
                    isolation_key=self._isolation_key,
                    random_bytes=self._world.random_bytes,
                    on_step=lambda _: None,
                )
        except TimeoutError as exc:
            server = self._record.domain
            raise UserError(ErrorCode.SERVER_SILENT, server=server) from exc
        except OpeningError as exc:
            raise to_user_error(exc, server=self._record.domain) from exc

    async def _stay_online(self, opened: Opened) -> None:
        self._remember_pin(opened)
        stream = XmppStream(
            opened,
            on_inbound=self._on_inbound,
            random_bytes=self._world.random_bytes,
        )
        self._stream = stream
        self._world.publish(
            AccountOnline(
                account=self.jid,
                via_onion=self._route.is_onion,
                channel_bound=opened.channel_bound,
                kept=self._kept,
            )
        )
        try:
            async with asyncio.TaskGroup() as group:
                keeping_time = group.create_task(self._keep_time())
                for conversation in self._conversations.values():
                    self._perform(
                        conversation.went_online(
                            self._world.now(), ask_at=self._ask_not_before
                        )
                    )
                await stream.run()
                keeping_time.cancel()
        except BaseExceptionGroup as errors:
            error = only_user_error(errors)
            if error is None:
                raise
            raise error from errors
        finally:
            self._stream = None
            for conversation in self._conversations.values():
                self._perform(conversation.went_offline())
            await stream.close()

    def _remember_pin(self, opened: Opened) -> None:
        """Pin the certificate that an onion showed; another one is an alarm."""
        if self._route.is_onion and opened.pin and not self._record.spki:
            self._record.spki = (opened.pin,)
            self._route = replace(self._route, spki=self._record.spki)
            self._save()

    async def _wait_after(self, error: UserError, n_failures: int) -> None:
        """Wait until the next try: by itself, or at once when the person asks."""
        delay: float | None = None
        if error.code not in _WANTS_A_PERSON:
            ceiling = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2 ** min(n_failures, 10))
            delay = self._world.uniform(0, RECONNECT_DELAY_S) + self._world.uniform(
                0, ceiling
            )
        self._wanted_now.clear()
        self._world.publish(AccountOffline(self.jid, error, delay))
        try:
            async with asyncio.timeout(delay):
                await self._wanted_now.wait()
        except TimeoutError:
            return

    def connect(self) -> None:
        """Try again at once."""
        self._wanted_now.set()

    async def close(self) -> None:
        """End every OTR chat and the stream, politely but not for long."""
        stream = self._stream
        for conversation in self._conversations.values():
            self._perform(conversation.end(self._world.now()))
        if stream is not None:
            try:
                async with asyncio.timeout(GOODBYE_LIMIT_S):
                    await stream.close()
            except (TimeoutError, UserError):
                stream.abort()

    async def tell_circuit(self) -> None:
        """Publish the path that the connection runs through."""
        circuit = None
        if self._stream is not None and self._isolation_key is not None:
            circuit = await self._world.tor.circuit(self._isolation_key)
        self._world.publish(CircuitKnown(circuit, self._record.domain))

    # --- conversations ------------------------------------------------------------

    def open_chat(self, contact: Jid) -> None:
        """Start to talk with a contact, or show the chat that there is.

        Raises:
            UserError: ADDRESS_BAD.
        """
        check_address(contact)
        contact = contact.bare
        self._strangers.accept(contact)
        now = self._world.now()
        conversation = self._conversations.get(contact)
        if conversation is None:
            conversation = self._make(contact)
            if self._stream is not None:
                self._perform(
                    conversation.went_online(now, ask_at=self._ask_not_before)
                )
        self._perform(conversation.open(now, ask_at=self._ask_not_before))

    def refuse(self, contact: Jid) -> None:
        """Hear nothing more of a stranger in this session."""
        self._strangers.refuse(contact.bare)

    def send(self, chat: Jid, text: str) -> None:
        """Take a text for a chat; it waits until the chat is encrypted."""
        at = self._world.wall_clock()
        self._perform(self._conversation(chat).send(text, self._world.now(), at))

    def restart_encryption(self, chat: Jid) -> None:
        """Ask the contact for OTR again."""
        self._perform(self._conversation(chat).restart(self._world.now()))

    def accept_new_key(self, chat: Jid, fingerprint: bytes) -> None:
        """Take the contact's new key for theirs, if it is still this one."""
        conversation = self._conversation(chat)
        self._perform(conversation.accept_new_key(fingerprint, self._world.now()))

    def has_chat(self, contact: Jid) -> bool:
        """Whether there is a chat with this contact."""
        return contact.bare in self._conversations

    def _conversation(self, chat: Jid) -> Conversation:
        try:
            return self._conversations[chat.bare]
        except KeyError as exc:
            raise UserError(ErrorCode.ADDRESS_BAD) from exc

    def _make(self, contact: Jid) -> Conversation:
        conversation = Conversation(
            contact,
            instances=otr.Instances(
                self._our_key, self._record.instance_tag, self._world.random_bytes
            ),
            known_keys=self._record.known.get(str(contact), ()),
            random_bytes=self._world.random_bytes,
        )
        self._conversations[contact] = conversation
        return conversation

    def _perform(self, effects: Iterable[Effect]) -> None:
        """Carry out what a conversation wants, in order."""
        for effect in effects:
            match effect:
                case SendOtr(to=to, body=body, stanza_id=stanza_id):
                    if self._stream is not None:
                        self._stream.send_message(to, body, message_id=stanza_id)
                case KeyMet(contact=contact, fingerprint=fingerprint):
                    known = self._record.known.get(str(contact), ())
                    self._record.known[str(contact)] = (*known, fingerprint)
                    self._save()
                case _:
                    self._world.publish(effect)
        self._changed.set()

    async def _keep_time(self) -> None:
        """Give each conversation its tick when it is due."""
        while True:
            self._changed.clear()
            deadlines = (chat.deadline() for chat in self._conversations.values())
            due = min((at for at in deadlines if at is not None), default=None)
            delay = None if due is None else max(0.0, due - self._world.now())
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                for conversation in tuple(self._conversations.values()):
                    self._perform(conversation.tick(self._world.now()))

    # --- what comes in ------------------------------------------------------------

    def _on_inbound(self, value: Inbound) -> None:
        match value:
            case MessageIn():
                self._on_message(value)
            case MessageError(sender=sender, message_id=stanza_id, condition=condition):
                conversation = self._conversations.get(sender.bare)
                now = self._world.now()
                if conversation is not None:
                    self._perform(conversation.bounced(stanza_id, condition, now))
            case SubscriptionAsked(sender=sender):
                if not self.has_chat(sender):
                    self._on_stranger(sender.bare)
            case PresenceIn() | RosterReceived():
                pass  # There is no contact list yet that these could change.
            case _ as unreachable:
                assert_never(unreachable)

    def _on_message(self, message: MessageIn) -> None:
        contact = message.sender.bare
        if message.is_copy or contact == self.jid:
            return
        conversation = self._conversations.get(contact)
        if conversation is None and str(contact) in self._record.known:
            self.open_chat(contact)
            conversation = self._conversations[contact]
        if conversation is None:
            self._on_stranger(contact)
            return
        now = self._world.now()
        at = self._world.wall_clock().astimezone(UTC)
        self._perform(conversation.receive(message.sender, message.body, now, at))

    def _on_stranger(self, contact: Jid) -> None:
        """Tell, once and without a word of theirs, that someone asks."""
        is_person = contact.localpart and contact != self.jid
        if is_person and self._strangers.add(contact):
            self._world.publish(ContactAsked(contact))


def _is_cancelled() -> bool:
    """Whether the session wants this task to end.

    A TaskGroup that is cancelled while one of its tasks fails raises the failure
    alone; Python 3.13 is the first to remember the cancellation.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_WANTS_A_PERSON: Final = frozenset(
    {
        ErrorCode.CERTIFICATE_BAD,
        ErrorCode.LOGIN_REFUSED,
        ErrorCode.TOR_CONTROL_REFUSED,
        ErrorCode.TOR_IMPOSTOR,
        ErrorCode.TOR_MISSING,
        ErrorCode.TOR_START_FAILED,
        ErrorCode.TOR_STOPPED,
    }
)
"""What does not mend itself: trying again by ourselves would only annoy."""
