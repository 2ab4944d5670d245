"""What a received text leads to: whose turn it is, and what is left unanswered.

Rule: whatever comes in, outputs come out. Strangers can make us do so much and no
more: what draws an answer, or costs a power, is counted.

Source: OTRv3, "The protocol state machine", "State transitions", its parts from
"Receiving plaintext without the whitespace tag" to "Receiving an error message".
"""

from typing import Final, assert_never

from coykiosk.otr.allowance import Allowance
from coykiosk.otr.engine import Engine
from coykiosk.otr.events import (
    Agreeing,
    ErrorLine,
    Inject,
    MessageState,
    OfferTooOld,
    Output,
    PlainReceived,
    RemoteError,
    Secured,
    Unreadable,
)
from coykiosk.otr.framing import (
    ERROR_PREFIX,
    OUR_VERSION,
    ErrorText,
    Offer,
    Plain,
    wrap,
)
from coykiosk.otr.gate import Addressed, Arrival, Gate, TooOld
from coykiosk.otr.messages import (
    FLAG_IGNORE_UNREADABLE,
    AkeMessage,
    DataMessage,
    DhCommit,
    DhKey,
    Message,
)
from coykiosk.otr.pool import EnginePool

# What begins an exchange (queries, commits) and what goes on with one are counted
# apart: each of the first draws at most two of the second from an honest peer, so
# that a pile of old queries, delivered at once, does not starve its own exchange.
_STARTS_BURST: Final = 32
_STARTS_PER_S: Final = 1.0
_STEPS_BURST: Final = 96
_STEPS_PER_S: Final = 2.0
_ERROR_BURST: Final = 4
_ERROR_PER_S: Final = 0.1
_ERROR_TEXT: Final = "a message of yours could not be read"


class Reception:
    """Where the texts of one contact come in."""

    def __init__(
        self, engines: EnginePool, our_tag: int, max_message_chars: int | None
    ) -> None:
        self._engines = engines
        self._our_tag = our_tag
        self._max_message_chars = max_message_chars
        self._gate = Gate(our_tag)
        self._agreeing = False
        self._starts = Allowance(_STARTS_BURST, _STARTS_PER_S)
        self._steps = Allowance(_STEPS_BURST, _STEPS_PER_S)
        self._errors = Allowance(_ERROR_BURST, _ERROR_PER_S)

    @property
    def is_agreeing(self) -> bool:
        """Whether keys are being agreed and no session is up meanwhile."""
        return self._agreeing

    def expire(self, now: float) -> None:
        """Forget late pieces, and that keys were being agreed when they are not."""
        self._gate.expire(now)
        if not self._engines.is_agreeing:
            self._agreeing = False

    def forget(self) -> None:
        """Forget all that is half here: the contact was taken leave of."""
        self._gate.forget_all()
        self._agreeing = False

    def receive(self, text: str, now: float) -> list[Output]:
        """Take a text; see `Instances.receive`."""
        try:
            arrival = self._gate.take(text, now)
            return [] if arrival is None else self._on_arrival(arrival, now)
        except RemoteError:
            return self._unreadable(now)

    def _on_arrival(self, arrival: Arrival, now: float) -> list[Output]:
        match arrival:
            case Addressed(message, sender_tag):
                return self._on_message(message, sender_tag, now)
            case TooOld():
                return [OfferTooOld()]
            case Offer(versions):
                return self._on_offer(versions, now)
            case ErrorText(text):
                return [ErrorLine(text)]
            case Plain(text, versions):
                return self._on_plain(text, versions, now)
            case _:
                assert_never(arrival)

    def _on_plain(
        self, text: str, versions: frozenset[str], now: float
    ) -> list[Output]:
        outputs: list[Output] = [PlainReceived(text)] if text else []
        # The tag only says that OTR would be possible; a session needs no second.
        if versions and self._engines.message_state is not MessageState.ENCRYPTED:
            outputs += self._on_offer(versions, now)
        return outputs

    def _on_offer(self, versions: frozenset[str], now: float) -> list[Output]:
        if OUR_VERSION not in versions:
            return [OfferTooOld()]
        if not self._starts.take(now):
            return []
        commit = self._engines.commit(now).message(self._our_tag, 0)
        pieces = wrap(
            commit.encode(),
            sender_tag=self._our_tag,
            receiver_tag=0,
            max_chars=self._max_message_chars,
        )
        return [*self._announce(), *(Inject(piece) for piece in pieces)]

    def _on_message(
        self, message: Message, sender_tag: int, now: float
    ) -> list[Output]:
        if isinstance(message, DataMessage):
            return self._on_data(message, sender_tag, now)
        allowance = self._starts if isinstance(message, DhCommit) else self._steps
        if not allowance.take(now):
            return []
        return self._on_ake(message, sender_tag, now)

    def _on_data(
        self, message: DataMessage, sender_tag: int, now: float
    ) -> list[Output]:
        try:
            return self._known(sender_tag).receive(message, now)
        except RemoteError:
            if message.head.flags & FLAG_IGNORE_UNREADABLE:
                return []
            raise

    def _on_ake(self, message: AkeMessage, sender_tag: int, now: float) -> list[Output]:
        engine = self._engines.get(sender_tag) or self._meet(message, sender_tag)
        if engine is None:
            return []
        outputs = engine.receive(message, now)
        if any(isinstance(output, Secured) for output in outputs):
            self._agreeing = False
            outputs += self._engines.limit_sessions(engine, now)
        elif outputs:
            outputs = [*self._announce(), *outputs]
        return outputs

    def _known(self, tag: int) -> Engine:
        engine = self._engines.get(tag)
        if engine is None:
            msg = "data message of an unknown instance"
            raise RemoteError(msg)
        return engine

    def _meet(self, message: AkeMessage, tag: int) -> Engine | None:
        """Make room for a new instance, if this is how one introduces itself."""
        answers_us = isinstance(message, DhKey) and self._engines.is_committed
        if not (answers_us or isinstance(message, DhCommit)):
            return None
        return self._engines.add(tag)

    def _announce(self) -> list[Output]:
        """Report once that keys are being agreed, unless a session is up."""
        if self._agreeing or self._engines.message_state is MessageState.ENCRYPTED:
            return []
        self._agreeing = True
        return [Agreeing()]

    def _unreadable(self, now: float) -> list[Output]:
        """Report it; within a session tell the sender, who thinks it was read.

        Without a session nothing is answered: an error line would tell any
        stranger that we are here.
        """
        outputs: list[Output] = [Unreadable()]
        is_encrypted = self._engines.message_state is MessageState.ENCRYPTED
        if is_encrypted and self._errors.take(now):
            outputs.append(Inject(ERROR_PREFIX + _ERROR_TEXT))
        return outputs
