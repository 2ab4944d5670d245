"""How a chat stands: how far it is encrypted, who could read it, and what is shown.

Rule: pure; decides nothing but the words for what is. Protection is decided by the
worst fact.
"""

from typing import Final, assert_never

from coykiosk import otr
from coykiosk.contract import ChatChanged, ChatPhase, Jid, Protection
from coykiosk.session.asking import Asking
from coykiosk.session.contact_keys import ContactKeys

__all__ = ["ChatStanding"]


class ChatStanding:
    """How one chat stands.

    Args:
        contact: Bare address.
        account: Our own, bare.
        instances: The OTR engines for the contact's devices.
        keys: What we hold of the contact's keys.
        asking: The times of our questions.
    """

    def __init__(
        self,
        contact: Jid,
        account: Jid,
        *,
        instances: otr.Instances,
        keys: ContactKeys,
        asking: Asking,
    ) -> None:
        self._contact = contact
        self._account = account
        self._instances = instances
        self._keys = keys
        self._asking = asking
        self._last_shown: ChatChanged | None = None
        self.is_online = False
        """Whether our account is connected."""
        self.plain_text_came = False
        """Whether a text in clear came into the encrypted chat."""

    @property
    def phase(self) -> ChatPhase:
        """How far the chat is on its way to being encrypted."""
        if not self.is_online:
            return ChatPhase.OFFLINE
        state = self._instances.message_state
        if self._instances.is_agreeing and state is not otr.MessageState.ENCRYPTED:
            return ChatPhase.AGREEING
        if self._asking.is_away and state is otr.MessageState.PLAINTEXT:
            return ChatPhase.AWAY
        return _PHASES[state]

    @property
    def protection(self) -> Protection:
        """Who could read what is typed now; decided by the worst fact."""
        match self._instances.message_state:
            case otr.MessageState.ENCRYPTED:
                alarmed = self.plain_text_came or self._keys.is_in_doubt
                return Protection.STOP if alarmed else Protection.PRIVATE
            case otr.MessageState.FINISHED:
                return Protection.STOP
            case otr.MessageState.PLAINTEXT:
                return Protection.OPEN
            case _ as unreachable:
                assert_never(unreachable)

    def show(self, *, again: bool = False) -> list[ChatChanged]:
        """Say how the chat stands, if that changed."""
        self._keys.was_shown()
        shown = ChatChanged(
            account=self._account,
            chat=self._contact,
            phase=self.phase,
            protection=self.protection,
            their_fingerprint=self._keys.shown,
            key_is_new=self._keys.is_in_doubt,
        )
        if shown == self._last_shown and not again:
            return []
        self._last_shown = shown
        return [shown]


_PHASES: Final = {
    otr.MessageState.ENCRYPTED: ChatPhase.ENCRYPTED,
    otr.MessageState.FINISHED: ChatPhase.ENDED_BY_CONTACT,
    otr.MessageState.PLAINTEXT: ChatPhase.ASKING,
}
