"""One 1:1 chat: OTR with a contact's devices, and the texts that wait for it.

Rule: pure; nothing leaves here but OTR messages. A text the person types is
handed to OTR when the chat is encrypted with a key they may mean, and waits
until then, in order. There is no path on which it could go out in clear.

    OFFLINE <-> ASKING <-> AWAY            asked; asked, and not there
                  |
               AGREEING -> ENCRYPTED -> ENDED_BY_CONTACT
                  ^____________ restart _______|
"""

from dataclasses import dataclass
from datetime import datetime

from coykiosk import otr
from coykiosk.contract import (
    ChatPhase,
    Event,
    Failed,
    Jid,
    MessageReceived,
    Protection,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import RandomBytes
from coykiosk.session.asking import Asking
from coykiosk.session.contact_keys import ContactKeys
from coykiosk.session.declining import decline
from coykiosk.session.devices import Devices, SendOtr
from coykiosk.session.outbox import Outbox, Typed
from coykiosk.session.standing import ChatStanding

__all__ = ["Conversation", "Effect", "KeyMet", "SendOtr"]


@dataclass(frozen=True, slots=True)
class KeyMet:
    """The contact's key is one to remember: first met, or accepted."""

    contact: Jid
    fingerprint: bytes
    """20 bytes."""


Effect = SendOtr | KeyMet | Event


class Conversation:
    """A chat with one contact (a bare address), whatever devices they use.

    Args:
        contact: Bare address.
        account: Our own, bare.
        instances: The OTR engines for the contact's devices.
        known_keys: Fingerprints met before, 20 bytes each.
        random_bytes: Source of message ids.
    """

    def __init__(
        self,
        contact: Jid,
        *,
        account: Jid,
        instances: otr.Instances,
        known_keys: tuple[bytes, ...],
        random_bytes: RandomBytes,
    ) -> None:
        self._contact = contact.bare
        self._account = account
        self._instances = instances
        self._keys = ContactKeys(instances, known_keys)
        self._random_bytes = random_bytes
        self._was_agreeing = False
        self._told_too_old = False
        self._devices = Devices(self._contact, random_bytes)
        self._asking = Asking(random_bytes)
        self._outbox = Outbox(self._contact, account, random_bytes)
        self._standing = ChatStanding(
            self._contact,
            account,
            instances=instances,
            keys=self._keys,
            asking=self._asking,
        )

    # --- how the chat stands ------------------------------------------------

    @property
    def phase(self) -> ChatPhase:
        """How far the chat is on its way to being encrypted."""
        return self._standing.phase

    @property
    def protection(self) -> Protection:
        """Who could read what is typed now."""
        return self._standing.protection

    @property
    def devices(self) -> frozenset[Jid]:
        """Where OTR is up, with a key that is not in doubt: full addresses."""
        is_up = self.phase is ChatPhase.ENCRYPTED and not self._keys.is_in_doubt
        return self._devices.places if is_up else frozenset()

    def deadline(self) -> float | None:
        """When `tick` is due next, in monotonic seconds."""
        due = [self._instances.deadline(), self._asking.deadline()]
        if self._outbox.has_waiting:
            due.append(self._instances.changes_keys_until)
        return min((at for at in due if at is not None), default=None)

    # --- what happens to it -------------------------------------------------

    def open(self, now: float, *, ask_at: float) -> list[Effect]:
        """Show the chat and ask for OTR, not before `ask_at`."""
        is_plain = self._instances.message_state is otr.MessageState.PLAINTEXT
        if is_plain and not self._asking.has_just_asked(now):
            self._asking.plan(ask_at)
        return [*self.tick(now), *self._standing.show(again=True)]

    def went_online(self, now: float, *, ask_at: float) -> list[Effect]:
        """The account is connected: go on where the chat stood."""
        self._standing.is_online = True
        effects: list[Effect] = []
        if self._instances.message_state is otr.MessageState.PLAINTEXT:
            self._asking.plan(ask_at)
        else:
            effects += self._send_waiting(now)
        return [*effects, *self.tick(now), *self._standing.show()]

    def went_offline(self) -> list[Effect]:
        """The connection is gone; what is typed from now on waits."""
        self._standing.is_online = False
        self._asking.forget()
        return [*self._outbox.cut_off(), *self._standing.show()]

    def suspended(self) -> list[Effect]:
        """The connection is gone, and may go on; what is typed from now on waits."""
        self._standing.is_online = False
        return [*self._standing.show()]

    def resumed(self, now: float) -> list[Effect]:
        """The connection goes on: nothing was lost on it, and nothing is asked."""
        self._standing.is_online = True
        return self.tick(now)

    def restart(self, now: float) -> list[Effect]:
        """Ask for OTR again, because the person wants it."""
        self._asking.forget()
        self._told_too_old = False
        if not self._standing.is_online:
            self._asking.plan(now)
            return []
        return [*self._ask(now), *self._standing.show()]

    def accept_new_key(self, fingerprint: bytes, now: float) -> list[Effect]:
        """The person takes the contact's new key for theirs: send what waits.

        Args:
            fingerprint: The key they were shown; if it is another by now, nothing
                is accepted.
            now: Monotonic seconds.
        """
        if fingerprint != self._keys.shown:
            return [*self._standing.show(again=True)]
        if not self._keys.is_in_doubt:
            return []
        self._keys.accept(fingerprint)
        self._outbox.readdress(fingerprint)
        met = KeyMet(self._contact, fingerprint)
        return [met, *self._send_waiting(now), *self._standing.show()]

    def send(self, text: str, now: float, at: datetime) -> list[Effect]:
        """Take a text the person typed; it goes out when OTR is up.

        Raises:
            UserError: MESSAGE_TOO_LONG, TOO_MANY_WAITING; nothing was taken.
        """
        accepted = self._outbox.accept(
            text, meant_for=self._keys.meant, at=at, protection=self.protection
        )
        effects: list[Effect] = [accepted, *self._send_waiting(now)]
        if self.phase is ChatPhase.ASKING:
            effects += self._ask_if_stale(now)
        return effects

    def receive(self, sender: Jid, body: str, now: float, at: datetime) -> list[Effect]:
        """Take a message stanza's body from one of the contact's devices."""
        # What is due anyway is not for the sender of this.
        effects: list[Effect] = [*self._inject(self._instances.tick(now))]
        outputs = self._instances.receive(body, now)
        for output in outputs:
            effects += self._on_output(output, sender, now, at)
        self._notice_stall(now)
        return [*effects, *self._standing.show()]

    def taken(self, stanza_ids: tuple[str, ...]) -> list[Effect]:
        """The server has these stanzas, if they are of this chat."""
        return [*self._outbox.taken(stanza_ids)]

    def bounced(self, stanza_id: str, condition: str, now: float) -> list[Effect]:
        """The server gave a stanza of ours back."""
        told = self._outbox.bounced(stanza_id, condition, self.protection)
        if told:
            return [*told]
        self._on_away(now)
        return [*self._standing.show()]

    def tick(self, now: float) -> list[Effect]:
        """Do what time asks for."""
        effects: list[Effect] = []
        if self._asking.is_due(now) and self._standing.is_online:
            effects += self._ask(now)
        effects += self._inject(self._instances.tick(now))
        self._notice_stall(now)
        return [*effects, *self._send_waiting(now), *self._standing.show()]

    def end(self, now: float) -> list[Effect]:
        """Wipe the keys of OTR, and tell the contact, now or once one can again."""
        self._outbox.clear()
        return [*self._devices.address(self._instances.end(now))]

    # --- inside ---------------------------------------------------------------

    def _ask(self, now: float) -> list[Effect]:
        self._asking.asked(now)
        return [*self._inject(self._instances.ask(now))]

    def _on_away(self, now: float) -> None:
        """A question of ours came back: the contact is not there now."""
        if self._instances.message_state is otr.MessageState.PLAINTEXT:
            self._asking.came_back(now)

    def _notice_stall(self, now: float) -> None:
        """An exchange that came to nothing is begun again by us."""
        is_agreeing = self._instances.is_agreeing
        is_plain = self._instances.message_state is otr.MessageState.PLAINTEXT
        if self._was_agreeing and not is_agreeing and is_plain:
            self._asking.plan(now)
        self._was_agreeing = is_agreeing

    def _ask_if_stale(self, now: float) -> list[Effect]:
        """Repeat an unanswered question; the contact may have come meanwhile."""
        may_ask = self.phase in {ChatPhase.ASKING, ChatPhase.ENCRYPTED}
        if may_ask and self._asking.is_stale(now):
            return self._ask(now)
        return []

    def _inject(self, outputs: list[otr.Output]) -> list[SendOtr]:
        return self._devices.address(outputs) if self._standing.is_online else []

    def _send_waiting(self, now: float) -> list[Effect]:
        """Hand to OTR what waits, if OTR is up with a key the person may mean."""
        effects: list[Effect] = []
        while (
            self._outbox.has_waiting
            and self.phase is ChatPhase.ENCRYPTED
            and not self._keys.is_in_doubt
            and not self._is_changing_keys(now)
        ):
            effects += self._hand_over(self._outbox.take(), now)
        return effects

    def _is_changing_keys(self, now: float) -> bool:
        """Whether the contact could perhaps not read what goes out now."""
        until = self._instances.changes_keys_until
        return until is not None and now < until

    def _hand_over(self, typed: Typed, now: float) -> list[Effect]:
        """Send one text, if the session is with the key it was typed to."""
        key = self._keys.shown
        assert key is not None, "there is a session"
        if not typed.may_go_to(key):
            return [self._outbox.not_sent(typed, self.protection)]
        outputs = self._instances.send(typed.text, now, fingerprint=key)
        stanzas = self._inject(outputs)
        ids = [each.stanza_id for each in stanzas]
        # Order matters: a stream may say at once that a stanza is taken.
        return [self._outbox.gone(typed, ids, self.protection, key), *stanzas]

    def _on_output(
        self, output: otr.Output, sender: Jid, now: float, at: datetime
    ) -> list[Effect]:
        effects: list[Effect] = []
        match output:
            case otr.Inject():
                if self._standing.is_online:
                    effects = [self._devices.answer(output, sender)]
            case otr.Received():
                effects = self._on_text(output, sender, at)
            case otr.PlainReceived(text=text):
                effects = self._on_plain_text(sender, text, at)
            case otr.Agreeing():
                self._asking.was_answered()
            case otr.Secured(instance_tag=tag):
                self._devices.place(tag, sender)
                effects = self._on_secured(output, now)
            case otr.EndedByPeer(fingerprint):
                # `show` tells what is left: another instance, or none.
                self._outbox.heard(fingerprint)
            case otr.OfferTooOld():
                effects = self._on_old_offer()
            case otr.Unreadable() | otr.ErrorLine():
                # One of us has lost the keys, by a restart for example: offer new
                # ones; a session that is up goes on meanwhile. An error line is
                # made by anyone on the way: never shown, and worth one question.
                effects = self._ask_if_stale(now)
            case _:
                effects += self._inject(decline(output, self._instances, now))
        return effects

    def _on_text(self, output: otr.Received, sender: Jid, at: datetime) -> list[Effect]:
        self._devices.place(output.instance_tag, sender)
        self._outbox.heard(output.fingerprint)
        is_alarming = self._keys.alarms(output.fingerprint)
        protection = Protection.STOP if is_alarming else Protection.PRIVATE
        return [self._received(sender, output.text, at, protection)]

    def _on_secured(self, secured: otr.Secured, now: float) -> list[Effect]:
        self._asking.was_answered()
        key = secured.fingerprint
        effects: list[Effect] = []
        if self._keys.saw(secured):
            effects.append(KeyMet(self._contact, key))
        if not self._keys.alarms(key):
            self._standing.plain_text_came = False
        effects += self._outbox.renewed(key, self.protection)
        return [*effects, *self._standing.show(), *self._send_waiting(now)]

    def _on_old_offer(self) -> list[Effect]:
        """Tell once; the contact's program may repeat it with every message."""
        if self._told_too_old:
            return []
        self._told_too_old = True
        error = UserError(ErrorCode.OTR_TOO_OLD, contact=str(self._contact))
        return [Failed(error, None)]

    def _on_plain_text(self, sender: Jid, text: str, at: datetime) -> list[Effect]:
        if self._instances.message_state is otr.MessageState.PLAINTEXT:
            return [self._received(sender, text, at, Protection.OPEN)]
        self._standing.plain_text_came = True
        return [self._received(sender, text, at, Protection.STOP)]

    def _received(
        self, sender: Jid, text: str, at: datetime, protection: Protection
    ) -> MessageReceived:
        return MessageReceived(
            self._account, self._contact, sender, text, at, protection
        )
