"""The chats of one account: who is talked with, and who asks to be.

Rule: the only one who carries out what conversations want, in order; it is given
a way to send while there is a connection, and has none otherwise.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Final, assert_never

from coykiosk import otr
from coykiosk.contract import ChatClosed, ContactAsked, Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.conversation import Conversation, Effect, KeyMet
from coykiosk.session.devices import SendOtr
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    MessagesTaken,
    PresenceIn,
    RosterReceived,
    SubscriptionAsked,
)
from coykiosk.session.people import People
from coykiosk.session.seen import Seen, TellPresence
from coykiosk.session.stanzas import check_address
from coykiosk.session.strangers import Strangers
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["Chats"]


class Chats:
    """All conversations of an account while the program runs.

    Args:
        record: The profile's entry; keys that are met are noted there.
        account: The account's bare address.
        world: The doors, the clocks and chance.
        save: Called when the record changed and should be saved soon.
    """

    def __init__(
        self, record: Account, *, account: Jid, world: World, save: Callable[[], None]
    ) -> None:
        self._record = record
        self._account = account
        self._world = world
        self._our_key = otr.PrivateKey.from_bytes(record.otr_key.reveal())
        self._conversations: dict[Jid, Conversation] = {}
        self._due: dict[Conversation, float] = {}
        """When each wants its tick, monotonic seconds; most want none."""
        self._strangers = Strangers()
        self._seen = Seen()
        self.people: Final = People(record, account, publish=world.publish, save=save)
        self._send: Callable[[SendOtr | TellPresence], None] | None = None
        self._owed: list[SendOtr | TellPresence] = []
        """The goodbyes of chats that were closed while there was no connection."""
        self._ask_not_before = 0.0
        self._changed = asyncio.Event()

    # --- the connection ---------------------------------------------------------

    def went_online(
        self,
        send: Callable[[SendOtr | TellPresence], None],
        *,
        ask_not_before: float,
    ) -> None:
        """There is a connection: go on where the chats stood.

        Args:
            send: Puts it on the stream; a `MessagesTaken` follows an OTR message.
            ask_not_before: When the first question may go out, monotonic seconds.
        """
        self._send = send
        owed, self._owed = self._owed, []
        self._say(each for each in owed if isinstance(each, SendOtr))
        self._ask_not_before = ask_not_before
        for contact, conversation in self._conversations.items():
            self._perform(
                conversation,
                conversation.went_online(self._world.now(), ask_at=ask_not_before),
            )
            self._be_seen(contact)

    def went_offline(self) -> None:
        """The connection is gone: what is typed from now on waits."""
        self._send = None
        self._seen.forget()
        for conversation in self._conversations.values():
            self._perform(conversation, conversation.went_offline())

    def suspended(self) -> None:
        """The connection is gone, and may go on: what is under way stays so."""
        self._send = None
        for conversation in self._conversations.values():
            self._perform(conversation, conversation.suspended())

    def resumed(self, send: Callable[[SendOtr | TellPresence], None]) -> None:
        """The connection goes on: nothing was lost on it, either way.

        Args:
            send: As `went_online`.
        """
        self._send = send
        owed, self._owed = self._owed, []
        self._say(owed)
        for contact, conversation in self._conversations.items():
            self._perform(conversation, conversation.resumed(self._world.now()))
            self._be_seen(contact)  # the server has kept who saw us

    def _say(self, goodbyes: Iterable[SendOtr | TellPresence]) -> None:
        assert self._send is not None
        for each in goodbyes:
            self._send(each)

    def end(self) -> None:
        """End OTR in every chat, and tell the other ends."""
        for contact, conversation in self._conversations.items():
            self._perform(conversation, conversation.end(self._world.now()))
            self._be_seen(contact)

    # --- what the person wants ----------------------------------------------------

    def open(self, contact: Jid) -> None:
        """Start to talk with a contact, or show the chat that there is.

        Raises:
            UserError: ADDRESS_BAD, CONTACT_BLOCKED.
        """
        check_address(contact)
        contact = contact.bare
        if self.people.is_blocked(contact):
            raise UserError(ErrorCode.CONTACT_BLOCKED, contact=str(contact))
        self._strangers.accept(contact)
        now = self._world.now()
        conversation = self._conversations.get(contact)
        if conversation is None:
            conversation = self._make(contact)
            if self._send is not None:
                self._perform(
                    conversation,
                    conversation.went_online(now, ask_at=self._ask_not_before),
                )
        self._perform(conversation, conversation.open(now, ask_at=self._ask_not_before))

    def refuse(self, contact: Jid) -> None:
        """Hear nothing more of a stranger in this session."""
        self._strangers.refuse(contact.bare)

    def block(self, contact: Jid) -> None:
        """End the chat with them, and take nothing of theirs from now on.

        Raises:
            UserError: ADDRESS_BAD.
        """
        check_address(contact)
        contact = contact.bare
        self._close(contact)
        self.people.block(contact)

    def forget(self, contact: Jid) -> None:
        """End the chat with them, and keep neither key nor name of theirs.

        Raises:
            UserError: ADDRESS_BAD.
        """
        check_address(contact)
        contact = contact.bare
        self._close(contact)
        self._world.publish(ChatClosed(self._account, contact))
        self.people.forget(contact)

    def _close(self, contact: Jid) -> None:
        self._strangers.accept(contact)
        conversation = self._conversations.pop(contact, None)
        if conversation is None:
            return
        goodbyes: list[SendOtr | TellPresence] = [
            *(e for e in conversation.end(self._world.now()) if isinstance(e, SendOtr)),
            *self._seen.show_to(contact, frozenset()),
        ]
        self._due.pop(conversation, None)
        if self._send is None:
            self._owed += goodbyes  # the person was told that it is said
        else:
            self._say(goodbyes)

    def say(self, chat: Jid, text: str) -> None:
        """Take a text for a chat; it waits until the chat is encrypted."""
        at = self._world.wall_clock()
        conversation = self._conversation(chat)
        self._perform(conversation, conversation.send(text, self._world.now(), at))

    def restart_encryption(self, chat: Jid) -> None:
        """Ask the contact for OTR again."""
        conversation = self._conversation(chat)
        self._perform(conversation, conversation.restart(self._world.now()))

    def accept_new_key(self, chat: Jid, fingerprint: bytes) -> None:
        """Take the contact's new key for theirs, if it is still this one."""
        conversation = self._conversation(chat)
        self._perform(
            conversation, conversation.accept_new_key(fingerprint, self._world.now())
        )
        self._be_seen(chat.bare)

    def _conversation(self, chat: Jid) -> Conversation:
        try:
            return self._conversations[chat.bare]
        except KeyError as exc:
            raise UserError(ErrorCode.ADDRESS_BAD) from exc

    def _make(self, contact: Jid) -> Conversation:
        conversation = Conversation(
            contact,
            account=self._account,
            instances=otr.Instances(
                self._our_key, self._record.instance_tag, self._world.random_bytes
            ),
            known_keys=self.people.keys_of(contact),
            random_bytes=self._world.random_bytes,
        )
        self._conversations[contact] = conversation
        return conversation

    def _be_seen(self, contact: Jid) -> None:
        """Let those devices see us with which OTR is up, and no others."""
        if self._send is not None:
            devices = self._conversations[contact].devices
            for telling in self._seen.show_to(contact, devices):
                self._send(telling)

    def _perform(self, conversation: Conversation, effects: Iterable[Effect]) -> None:
        """Carry out what a conversation wants, in order, and note its next tick."""
        for effect in effects:
            match effect:
                case SendOtr():
                    if self._send is not None:
                        self._send(effect)
                case KeyMet(contact=contact, fingerprint=fingerprint):
                    self.people.meet(contact, fingerprint)
                case _:
                    self._world.publish(effect)
        due = conversation.deadline()
        if due == self._due.get(conversation):
            return
        if due is None:
            del self._due[conversation]
        else:
            self._due[conversation] = due
        self._changed.set()

    async def keep_time(self) -> None:
        """Give each conversation its tick when it is due."""
        while True:
            self._changed.clear()
            due = min(self._due.values(), default=None)
            delay = None if due is None else max(0.0, due - self._world.now())
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                now = self._world.now()
                late = [each for each, at in self._due.items() if at <= now]
                for conversation in late:
                    self._perform(conversation, conversation.tick(now))

    # --- what comes in ------------------------------------------------------------

    def receive(self, value: Inbound) -> None:
        """Take what came in over the stream; of who is blocked, nothing."""
        if self._is_blocked(value):
            return
        match value:
            case MessageIn():
                self._on_message(value)
            case MessageError(sender=sender, message_id=stanza_id, condition=condition):
                conversation = self._conversations.get(sender.bare)
                now = self._world.now()
                if conversation is not None:
                    self._perform(
                        conversation, conversation.bounced(stanza_id, condition, now)
                    )
            case MessagesTaken(message_ids=stanza_ids):
                self._on_taken(stanza_ids)
            case SubscriptionAsked(sender=sender):
                contact = sender.bare
                is_met = contact in self._conversations or self.people.is_known(contact)
                if not is_met:
                    self._on_stranger(contact)
            case RosterReceived():
                self.people.take_list(value)
            case PresenceIn():
                pass  # Who is there is found out by asking for encryption.
            case _ as unreachable:
                assert_never(unreachable)

    def _is_blocked(self, value: Inbound) -> bool:
        match value:
            case (
                MessageIn(sender=sender)
                | MessageError(sender=sender)
                | PresenceIn(sender=sender)
                | SubscriptionAsked(sender=sender)
            ):
                return self.people.is_blocked(sender)
            case _:
                return False

    def _on_taken(self, stanza_ids: tuple[str, ...]) -> None:
        for conversation in self._conversations.values():
            if effects := conversation.taken(stanza_ids):
                self._perform(conversation, effects)

    def _on_message(self, message: MessageIn) -> None:
        contact = message.sender.bare
        if message.is_copy or contact == self._account:
            return
        conversation = self._conversations.get(contact)
        if conversation is None and self.people.is_known(contact):
            self.open(contact)
            conversation = self._conversations[contact]
        if conversation is None:
            self._on_stranger(contact)
            return
        now = self._world.now()
        at = self._world.wall_clock().astimezone(UTC)
        self._perform(
            conversation, conversation.receive(message.sender, message.body, now, at)
        )
        self._be_seen(contact)

    def _on_stranger(self, contact: Jid) -> None:
        """Tell, once and without a word of theirs, that someone asks."""
        is_person = contact.localpart and contact != self._account
        if is_person and self._strangers.add(contact):
            self._world.publish(ContactAsked(self._account, contact))
