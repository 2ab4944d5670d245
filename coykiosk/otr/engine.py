"""One OTR conversation with one instance of the other end.

Rule: text leaves here encrypted or not at all. The running session stays as it is
until a new key exchange has been verified; ending it wipes its keys. What fails a
check raises `RemoteError` and has changed nothing.

    PLAINTEXT --exchange verified--> ENCRYPTED --they end it--> FINISHED
        ^                              |    ^--exchange verified--+  |
        +------------- we end it ------+-----------------------------+

Source: OTRv3, "The protocol state machine", "Message state"; "TLV record types".
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from coykiosk.otr.ake import Ake
from coykiosk.otr.ake_states import Agreement, AwaitingSig, Idle, PendingCommit
from coykiosk.otr.allowance import Allowance
from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.events import (
    EndedByPeer,
    ExtraKey,
    Inject,
    LocalError,
    MessageState,
    Output,
    Received,
    RemoteError,
    Secured,
)
from coykiosk.otr.framing import wrap
from coykiosk.otr.messages import (
    FLAG_IGNORE_UNREADABLE,
    AkeMessage,
    DataMessage,
    Message,
)
from coykiosk.otr.payload import (
    TLV_DISCONNECTED,
    extra_key_record,
    pack,
    read_extra_key_record,
    unpack,
)
from coykiosk.otr.primitives import RandomBytes
from coykiosk.otr.ratchet import Ratchet
from coykiosk.otr.smp import Smp, SmpSession, SmpStep
from coykiosk.otr.smp_messages import SMP_TLVS
from coykiosk.otr.wire import Tlv

HEARTBEAT_AFTER_S: Final = 60.0
"""Silence of ours after which a received text is answered by an empty message.

Only an answer lets the keys rotate, and with them the past become unreadable.
"""
KEY_CHANGE_S: Final = 30.0
"""How long a Signature may be on its way; a few round trips over a slow circuit."""
_MAX_TAKEN: Final = 64


@dataclass(slots=True, repr=False)
class _Session:
    """An encrypted session: its keys, and with whom."""

    ratchet: Ratchet
    smp: Smp
    fingerprint: bytes
    ssid: bytes
    last_sent: float


class Engine:
    """The state of one conversation: at most a session and a key exchange."""

    def __init__(
        self,
        our_key: PrivateKey,
        random_bytes: RandomBytes,
        *,
        our_tag: int,
        their_tag: int,
        max_message_chars: int | None,
        guesses: Allowance,
    ) -> None:
        self._our_fingerprint = our_key.fingerprint
        self._random_bytes = random_bytes
        self._guesses = guesses
        self._our_tag = our_tag
        self.their_tag = their_tag
        self._max_message_chars = max_message_chars
        self._ake = Ake(our_key, our_tag, their_tag, random_bytes)
        self._session: _Session | None = None
        self._taken: deque[bytes] = deque(maxlen=_MAX_TAKEN)
        """The MACs of the newest data messages that were opened."""
        self._ended_by_peer = False
        self.last_received = float("-inf")
        """When this instance last proved to be there; monotonic seconds."""

    @property
    def message_state(self) -> MessageState:
        """Whether text can be sent to this instance."""
        if self._session is not None:
            return MessageState.ENCRYPTED
        if self._ended_by_peer:
            return MessageState.FINISHED
        return MessageState.PLAINTEXT

    @property
    def fingerprint(self) -> bytes | None:
        """The key of the session, 20 bytes; None without a session."""
        return self._session.fingerprint if self._session else None

    @property
    def ssid(self) -> bytes | None:
        """The session's id, 8 bytes; None without a session."""
        return self._session.ssid if self._session else None

    @property
    def is_agreeing(self) -> bool:
        """Whether a key exchange is under way."""
        return not isinstance(self._ake.state, Idle)

    @property
    def awaits_answer(self) -> bool:
        """Whether our commit is out and nothing has come of it yet."""
        return self._ake.awaits_answer

    @property
    def changes_keys_until(self) -> float | None:
        """Until when the other end may hold keys that we do not have yet.

        It takes them into use as it sends its Signature; what we send before that
        comes, it cannot read. None when that is not so; monotonic seconds.
        """
        state = self._ake.state
        if self._session is None or not isinstance(state, AwaitingSig):
            return None
        return state.revealed_at + KEY_CHANGE_S

    def adopt(self, commit: PendingCommit, now: float) -> None:
        """Wait for the answer to a commit that went to every instance."""
        self._ake.adopt(commit, now)

    def receive(self, message: Message, now: float) -> list[Output]:
        """Take one message of this instance, addressed to us.

        Raises:
            RemoteError: it is forged, replayed, malformed or not for our keys.
        """
        if isinstance(message, DataMessage):
            return self._on_data(message, now)
        return self._on_ake(message, now)

    def send(self, text: str, now: float) -> list[Output]:
        """Encrypt a text; see `Instances.send`."""
        # A NUL would end the text at the other end and begin records (TLVs) that
        # the person never meant. It prints as nothing, so nothing is lost.
        cleaned = text.replace("\0", "").encode("utf-8", "replace")
        if not cleaned:
            return []
        return self._seal(pack(cleaned), now, flags=0)

    def smp_start(self, secret: str, question: str | None, now: float) -> list[Output]:
        """Begin to compare secrets; see `Instances.smp_start`."""
        return self._on_smp(self._need_session().smp.start(secret, question, now), now)

    def smp_answer(self, secret: str, now: float) -> list[Output]:
        """Answer the other end; see `Instances.smp_answer`."""
        return self._on_smp(self._need_session().smp.answer(secret, now), now)

    def smp_abort(self, now: float) -> list[Output]:
        """Leave a comparison; see `Instances.smp_abort`."""
        if self._session is None:
            return []
        return self._on_smp(self._session.smp.abort(now), now)

    def use_extra_key(
        self, use: int, data: bytes, now: float
    ) -> tuple[bytes, list[Output]]:
        """Announce a use of the extra key; see `Instances.use_extra_key`."""
        session = self._need_session()
        record = extra_key_record(use, data)
        key = session.ratchet.extra_key
        return key, self._seal_record(record, now)

    def end(self, now: float) -> list[Output]:
        """Tell the other end that we leave, and wipe; PLAINTEXT afterwards."""
        outputs: list[Output] = []
        if self._session is not None:
            outputs += self._seal_record(Tlv(TLV_DISCONNECTED, b""), now)
            outputs += self._session.smp.close(now)
        self._ake.abandon()
        self._close_session()
        self._ended_by_peer = False
        return outputs

    def abandon_exchange(self) -> None:
        """Forget the key exchange under way; a session goes on."""
        self._ake.abandon()

    def deadline(self) -> float | None:
        """When `tick` is due."""
        return self._ake.deadline()

    def tick(self, now: float) -> list[Output]:
        """Do what is due."""
        commit = self._ake.tick(now)
        return [] if commit is None else self._inject(commit)

    def _on_ake(self, message: AkeMessage, now: float) -> list[Output]:
        step = self._ake.receive(message, now)
        outputs = [] if step.reply is None else self._inject(step.reply)
        if step.agreement is not None:
            outputs += self._secure(step.agreement, now)
        return outputs

    def _secure(self, agreement: Agreement, now: float) -> list[Output]:
        before = self.fingerprint
        refreshed = before == agreement.fingerprint
        ratchet = Ratchet(agreement, self._random_bytes)
        left = [] if self._session is None else self._session.smp.close(now)
        ratchet.inherit(self._close_session())
        self._session = _Session(
            ratchet,
            self._make_smp(agreement),
            agreement.fingerprint,
            agreement.ssid,
            last_sent=now,
        )
        self._ended_by_peer = False
        self.last_received = now
        secured = Secured(
            agreement.fingerprint,
            agreement.ssid,
            our_half_first=agreement.our_half_first,
            refreshed=refreshed,
            ssid_is_fair=agreement.is_fair,
            instance_tag=self.their_tag,
            replaced=None if refreshed else before,
        )
        return [*left, secured]

    def _make_smp(self, agreement: Agreement) -> Smp:
        session = SmpSession(
            self._our_fingerprint,
            agreement.fingerprint,
            agreement.ssid,
            self.their_tag,
        )
        return Smp(session, self._random_bytes, self._guesses)

    def _on_data(self, message: DataMessage, now: float) -> list[Output]:
        if message.mac in self._taken:
            return []  # delivered again, by a server perhaps: nothing was lost
        session = self._session
        if session is None:
            msg = "data message without a session"
            raise RemoteError(msg)
        opened = session.ratchet.open(message)
        self._taken.append(message.mac)
        payload = unpack(opened.plaintext)
        self.last_received = now
        outputs: list[Output] = []
        if payload.text:
            shown = payload.text.decode("utf-8", "replace")
            outputs.append(Received(shown, session.fingerprint, self.their_tag))
        for record in payload.records:
            if record.type == TLV_DISCONNECTED:
                return [*outputs, *self._finish(now)]
            outputs += self._on_record(record, session, opened.extra_key, now)
        if payload.text and now - session.last_sent >= HEARTBEAT_AFTER_S:
            outputs += self._seal(pack(b""), now, flags=FLAG_IGNORE_UNREADABLE)
        return outputs

    def _on_record(
        self, record: Tlv, session: _Session, extra_key: bytes, now: float
    ) -> list[Output]:
        """Take one record; padding and unknown ones are nothing to us.

        A new type begins here: a value in `events`, its name in `__init__`, and what
        session makes of it. Only the first of each type in a message comes here.
        """
        if record.type in SMP_TLVS:
            return self._on_smp(session.smp.receive(record, now), now)
        announced = read_extra_key_record(record)
        if announced is None:
            return []
        who = session.fingerprint, self.their_tag
        return [ExtraKey(extra_key, *announced, *who)]

    def _on_smp(self, step: SmpStep, now: float) -> list[Output]:
        outputs: list[Output] = []
        for reply in step.replies:
            outputs += self._seal_record(reply, now)
        return [*outputs, *step.reports]

    def _finish(self, now: float) -> list[Output]:
        session = self._need_session()
        left = session.smp.close(now)
        self._close_session()
        self._ended_by_peer = True
        return [*left, EndedByPeer(session.fingerprint)]

    def _need_session(self) -> _Session:
        if self._session is None:
            msg = f"send: the session is {self.message_state.value}"
            raise LocalError(msg)
        return self._session

    def _close_session(self) -> list[bytes]:
        """Wipe the session's keys; returns the MAC keys free to be published.

        Only a new exchange publishes them. After an end there is no message to carry
        them, which costs deniability and nothing else.
        """
        if self._session is None:
            return []
        mac_keys = self._session.ratchet.retire()
        self._session = None
        return mac_keys

    def _seal_record(self, record: Tlv, now: float) -> list[Output]:
        """Send a record alone; nobody is told when it cannot be read."""
        return self._seal(pack(b"", record), now, flags=FLAG_IGNORE_UNREADABLE)

    def _seal(self, plaintext: bytes, now: float, *, flags: int) -> list[Output]:
        session = self._need_session()
        session.last_sent = now
        return self._inject(
            session.ratchet.seal(
                plaintext,
                flags=flags,
                sender_tag=self._our_tag,
                receiver_tag=self.their_tag,
            )
        )

    def _inject(self, message: Message) -> list[Output]:
        pieces = wrap(
            message.encode(),
            sender_tag=self._our_tag,
            receiver_tag=self.their_tag,
            max_chars=self._max_message_chars,
        )
        return [Inject(piece, self.their_tag) for piece in pieces]
