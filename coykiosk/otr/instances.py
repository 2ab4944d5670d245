"""All instances of one contact: whose message it is, whom we answer, how many.

Rule: this is the door of the package; whatever text comes in, only outputs come
out. A contact's devices are told apart by instance tags, which nobody has proved
until a key exchange has: so what a stranger can fill is bounded, and a stranger
never pushes out a session.
"""

from collections.abc import Collection
from typing import Final

from coykiosk.otr.allowance import Allowance
from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.engine import Engine
from coykiosk.otr.events import (
    Agreeing,
    ErrorLine,
    Inject,
    LocalError,
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
    OLD_VERSIONS,
    OUR_VERSION,
    QUERY,
    Assembler,
    Binary,
    ErrorText,
    Fragment,
    Inbound,
    Offer,
    Plain,
    armour,
    read,
    split,
)
from coykiosk.otr.messages import (
    FLAG_IGNORE_UNREADABLE,
    TYPE_DH_COMMIT,
    AkeMessage,
    DataMessage,
    DhCommit,
    DhKey,
    Header,
    decode,
    read_header,
    read_version,
)
from coykiosk.otr.pool import EnginePool
from coykiosk.otr.primitives import RandomBytes
from coykiosk.otr.tags import check_our_tag, is_for_us

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


class Instances:
    """OTR with one contact, whatever number of devices it speaks from.

    Args:
        our_key: Our long-term key.
        our_instance_tag: The tag of this account on this device.
        random_bytes: Where exponents come from.
        max_message_chars: The longest text the network carries; longer messages
            go out in fragments. None for no limit.

    `now` is always monotonic seconds. Every method returns what is to be done and
    told, in this order.
    """

    def __init__(
        self,
        our_key: PrivateKey,
        our_instance_tag: int,
        random_bytes: RandomBytes,
        *,
        max_message_chars: int | None = None,
    ) -> None:
        check_our_tag(our_instance_tag)
        self._our_key = our_key
        self._our_tag = our_instance_tag
        self._random_bytes = random_bytes
        self._max_message_chars = max_message_chars
        self._engines = EnginePool(self._make_engine, random_bytes)
        self._agreeing = False
        self._fragments = Assembler()
        self._starts = Allowance(_STARTS_BURST, _STARTS_PER_S)
        self._steps = Allowance(_STEPS_BURST, _STEPS_PER_S)
        self._errors = Allowance(_ERROR_BURST, _ERROR_PER_S)

    @property
    def message_state(self) -> MessageState:
        """How the best instance stands: the one that `send` would speak to."""
        best = self._engines.best()
        return MessageState.PLAINTEXT if best is None else best.message_state

    @property
    def their_fingerprint(self) -> bytes | None:
        """The key of the best instance's session, 20 bytes."""
        best = self._engines.best()
        return None if best is None else best.fingerprint

    @property
    def ssid(self) -> bytes | None:
        """The id of the best instance's session, 8 bytes."""
        best = self._engines.best()
        return None if best is None else best.ssid

    @property
    def their_instance_tag(self) -> int | None:
        """Which instance is the best one: the only one that reads what we send."""
        best = self._engines.best()
        return None if best is None else best.their_tag

    @property
    def is_agreeing(self) -> bool:
        """Whether keys are being agreed and no session is up meanwhile."""
        return self._agreeing

    def trust(self, fingerprints: Collection[bytes]) -> None:
        """Prefer instances with these keys to all others that are encrypted.

        Without it, the instance that was heard last is the best one.
        """
        self._engines.trust(fingerprints)

    def ask(self, now: float) -> list[Output]:
        """Ask the contact for OTR; a session that is up goes on meanwhile.

        Exchanges under way are dropped: an answer to this one is then never taken
        for an answer to those, and starting afresh always works.
        """
        self._engines.drop_commit()
        for engine in self._engines:
            engine.abandon_exchange()
        return [*self.tick(now), Inject(QUERY)]

    def send(self, text: str, now: float) -> list[Output]:
        """Encrypt a text for the best instance.

        Anything may be in it, marks of OTR too: it arrives as text. NUL characters
        are taken out; a text that is empty then sends nothing.

        Raises:
            LocalError: the best instance is not ENCRYPTED. There is no way to
                send in clear.
        """
        best = self._engines.best()
        if best is None or best.message_state is not MessageState.ENCRYPTED:
            msg = f"send: the session is {self.message_state.value}"
            raise LocalError(msg)
        return best.send(text, now)

    def end(self, now: float) -> list[Output]:
        """Say good-bye to every encrypted instance and wipe all keys."""
        outputs: list[Output] = []
        for engine in self._engines:
            outputs += engine.end(now)
        self._engines.clear()
        self._fragments.forget_all()
        self._agreeing = False
        return outputs

    def deadline(self) -> float | None:
        """When `tick` is due next; None while nothing waits."""
        return self._engines.deadline()

    def tick(self, now: float) -> list[Output]:
        """Do what is due: start a stalled exchange again, forget stale ones."""
        self._engines.expire(now)
        self._fragments.expire(now)
        outputs: list[Output] = []
        for engine in self._engines:
            outputs += engine.tick(now)
        if not self._engines.is_agreeing:
            self._agreeing = False
        return outputs

    def receive(self, text: str, now: float) -> list[Output]:
        """Take a message from the contact, whatever it may be.

        Nothing the other end sends makes this raise.
        """
        outputs = self.tick(now)
        try:
            inbound: Inbound | None = read(text)
            if isinstance(inbound, Fragment):
                inbound = self._join(inbound, now)
            if inbound is not None:
                outputs += self._dispatch(inbound, now)
        except RemoteError:
            outputs += self._unreadable(now)
        return outputs

    def _dispatch(self, inbound: Inbound, now: float) -> list[Output]:
        if isinstance(inbound, Binary):
            return self._on_binary(inbound.raw, now)
        self._fragments.forget_all()
        match inbound:
            case Offer(versions):
                return self._on_offer(versions, now)
            case ErrorText(text):
                return [ErrorLine(text)]
            case Plain(text, versions):
                return self._on_plain(text, versions, now)
            case Fragment():
                msg = "a fragment inside a fragment"
                raise RemoteError(msg)

    def _join(self, fragment: Fragment, now: float) -> Inbound | None:
        sender = fragment.sender_tag  # None in version 2, which had no tags
        if sender is not None and not is_for_us(
            sender, fragment.receiver_tag, our_tag=self._our_tag, may_be_open=True
        ):
            return None
        joined = self._fragments.add(fragment, now)
        return None if joined is None else read(joined)

    def _on_plain(
        self, text: str, versions: frozenset[str], now: float
    ) -> list[Output]:
        outputs: list[Output] = [PlainReceived(text)] if text else []
        # The tag only says that OTR would be possible; a session needs no second.
        if versions and self.message_state is not MessageState.ENCRYPTED:
            outputs += self._on_offer(versions, now)
        return outputs

    def _on_offer(self, versions: frozenset[str], now: float) -> list[Output]:
        if OUR_VERSION not in versions:
            return [OfferTooOld()]
        if not self._starts.take(now):
            return []
        commit = self._engines.commit(now).message(self._our_tag, 0)
        pieces = split(
            armour(commit.encode()),
            sender_tag=self._our_tag,
            receiver_tag=0,
            max_chars=self._max_message_chars,
        )
        return [*self._announce(), *(Inject(piece) for piece in pieces)]

    def _on_binary(self, raw: bytes, now: float) -> list[Output]:
        version = read_version(raw)
        if str(version) in OLD_VERSIONS:
            return [OfferTooOld()]
        header = read_header(raw)
        if not is_for_us(
            header.sender_tag,
            header.receiver_tag,
            our_tag=self._our_tag,
            may_be_open=header.type == TYPE_DH_COMMIT,
        ):
            return []
        self._fragments.forget(header.sender_tag)
        message = decode(raw)
        if isinstance(message, DataMessage):
            return self._on_data(message, header, now)
        allowance = self._starts if isinstance(message, DhCommit) else self._steps
        if not allowance.take(now):
            return []
        return self._on_ake(message, header, now)

    def _on_data(
        self, message: DataMessage, header: Header, now: float
    ) -> list[Output]:
        try:
            return self._known(header.sender_tag).receive(message, now)
        except RemoteError:
            if message.head.flags & FLAG_IGNORE_UNREADABLE:
                return []
            raise

    def _on_ake(self, message: AkeMessage, header: Header, now: float) -> list[Output]:
        engine = self._engines.get(header.sender_tag)
        if engine is None:
            engine = self._meet(message, header.sender_tag)
        if engine is None:
            return []
        outputs = engine.receive(message, now)
        if any(isinstance(output, Secured) for output in outputs):
            self._agreeing = False
            self._engines.limit_sessions(engine)
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

    def _make_engine(self, tag: int) -> Engine:
        return Engine(
            self._our_key,
            self._random_bytes,
            our_tag=self._our_tag,
            their_tag=tag,
            max_message_chars=self._max_message_chars,
        )

    def _announce(self) -> list[Output]:
        """Report once that keys are being agreed, unless a session is up."""
        if self._agreeing or self.message_state is MessageState.ENCRYPTED:
            return []
        self._agreeing = True
        return [Agreeing()]

    def _unreadable(self, now: float) -> list[Output]:
        """Report it; within a session tell the sender, who thinks it was read.

        Without a session nothing is answered: an error line would tell any
        stranger that we are here.
        """
        outputs: list[Output] = [Unreadable()]
        is_encrypted = self.message_state is MessageState.ENCRYPTED
        if is_encrypted and self._errors.take(now):
            outputs.append(Inject(ERROR_PREFIX + _ERROR_TEXT))
        return outputs
