"""All instances of one contact: whose message it is, whom we answer, how many.

Rule: this is the door of the package; whatever text comes in, only outputs come
out. A contact's devices are told apart by instance tags, which nobody has proved
until a key exchange has: so what a stranger can fill is bounded, and a stranger
never pushes out a session.

What bounds it: 8 sessions and 8 strangers (`pool`); 16 buffers of 256 Ki characters
for 120 s (`framing`); 196 bytes of g^x in a commit (`messages`); a question of 4096
bytes (`smp_messages`); 512 MAC keys, 8 old public keys and 4 pairs (`ratchet`); so many
starts, steps and error lines a second (`reception`), questions and rebuffs (`smp`) and
failed comparisons (here). The length of one whole message is the caller's to bound.

Source: OTRv3, "The protocol state machine", "State transitions", its parts that begin
with "User"; "Instance Tags".
"""

from collections.abc import Collection
from typing import Final

from coykiosk.otr.allowance import Allowance
from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.engine import Engine
from coykiosk.otr.events import (
    Inject,
    LocalError,
    MessageState,
    Output,
)
from coykiosk.otr.framing import (
    QUERY,
    check_limit,
)
from coykiosk.otr.pool import EnginePool
from coykiosk.otr.primitives import RandomBytes
from coykiosk.otr.reception import Reception
from coykiosk.otr.tags import check_our_tag

# Comparisons that fail may be guesses of somebody in between, and what two people
# take as a secret is short. Counted over all instances and sessions.
_GUESSES_BURST: Final = 5
_GUESSES_PER_S: Final = 1 / 600


class Instances:
    """OTR with one contact, whatever number of devices it speaks from.

    Args:
        our_key: Our long-term key.
        our_instance_tag: The tag of this account on this device.
        random_bytes: An unpredictable source such as os.urandom, for exponents.
        max_message_chars: The longest text the network carries; longer messages
            go out in fragments. None for no limit, else 38 at least.

    `now` is always monotonic seconds. Every method returns what is to be done and
    told, to be carried out in the order of the list.
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
        check_limit(max_message_chars)
        self._our_key = our_key
        self._our_tag = our_instance_tag
        self._random_bytes = random_bytes
        self._max_message_chars = max_message_chars
        self._engines = EnginePool(self._make_engine, random_bytes)
        self._reception = Reception(self._engines, our_instance_tag, max_message_chars)
        self._guesses = Allowance(_GUESSES_BURST, _GUESSES_PER_S)

    @property
    def message_state(self) -> MessageState:
        """How the best instance stands: the one that `send` would speak to."""
        return self._engines.message_state

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
        return self._reception.is_agreeing

    @property
    def changes_keys_until(self) -> float | None:
        """Until when it is better to send nothing to the best instance.

        Its program may have changed to new keys already, and its last word about
        them be on its way: it could not read what is sent meanwhile, and nobody would
        be told. Monotonic seconds; None when that is not so.
        """
        best = self._engines.best()
        return None if best is None else best.changes_keys_until

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

    def send(
        self, text: str, now: float, *, fingerprint: bytes | None = None
    ) -> list[Output]:
        """Encrypt a text for the best instance.

        Anything may be in it, marks of OTR too: it arrives as text. NUL characters
        are taken out; a text that is empty then sends nothing.

        Args:
            text: What the person typed.
            now: Monotonic seconds.
            fingerprint: The only key it may be sent to, 20 bytes; None for that of
                the best instance, whichever it is.

        Raises:
            LocalError: the best instance is not ENCRYPTED, or no encrypted one has
                that key. There is no way to send in clear.
        """
        engine = self._engines.best(fingerprint)
        if engine is None or engine.message_state is not MessageState.ENCRYPTED:
            msg = f"send: the session is {self.message_state.value}, or of another key"
            raise LocalError(msg)
        return engine.send(text, now)

    def smp_start(
        self,
        secret: str,
        now: float,
        *,
        question: str | None = None,
        instance_tag: int | None = None,
    ) -> list[Output]:
        """Find out whether the person at the other end knows a secret.

        Neither end learns more than whether both typed the same, and nor does
        anybody in between, who would be noticed. `SmpEnded` tells the result.
        A comparison under way is aborted first.

        Args:
            secret: What both are to know; compared as UTF-8, letter by letter.
            now: Monotonic seconds.
            question: Shown to the other end; at most 4096 bytes in UTF-8.
            instance_tag: With which instance; None for the best one.

        Raises:
            LocalError: not ENCRYPTED, empty secret, or a question that is too long.
            TooManyGuessesError: see there.
        """
        engine = self._engine_of(instance_tag)
        return engine.smp_start(secret, question, now)

    def smp_answer(
        self, secret: str, now: float, *, instance_tag: int | None = None
    ) -> list[Output]:
        """Answer `SmpAsked`, whose `instance_tag` tells whom.

        Raises:
            LocalError: not ENCRYPTED any more, nobody asks, or an empty secret.
            TooManyGuessesError: see there.
        """
        return self._engine_of(instance_tag).smp_answer(secret, now)

    def smp_abort(self, now: float, *, instance_tag: int | None = None) -> list[Output]:
        """Leave a comparison, asked or running; nothing happens without one."""
        engine = self._find(instance_tag)
        return [] if engine is None else engine.smp_abort(now)

    def use_extra_key(
        self,
        use: int,
        now: float,
        *,
        data: bytes = b"",
        instance_tag: int | None = None,
    ) -> tuple[bytes, list[Output]]:
        """Agree on a further key, for uses beside messages; both ends derive it.

        Args:
            use: What for, 4 bytes that both programs understand.
            now: Monotonic seconds.
            data: What goes with it, at most 65,531 bytes.
            instance_tag: With which instance; None for the best one.

        Returns:
            The key, 32 bytes, and what is to be sent.

        Raises:
            LocalError: not ENCRYPTED, or `use` or `data` do not fit.

        Source: OTRv3, "Extra symmetric key".
        """
        return self._engine_of(instance_tag).use_extra_key(use, data, now)

    def end(self, now: float) -> list[Output]:
        """Say good-bye to every encrypted instance and wipe all keys."""
        outputs: list[Output] = []
        for engine in self._engines:
            outputs += engine.end(now)
        self._engines.clear()
        self._reception.forget()
        return outputs

    def deadline(self) -> float | None:
        """When `tick` is due next; None while nothing waits."""
        return self._engines.deadline()

    def tick(self, now: float) -> list[Output]:
        """Do what is due: start a stalled exchange again, forget stale ones."""
        self._engines.expire(now)
        outputs: list[Output] = []
        for engine in self._engines:
            outputs += engine.tick(now)
        self._reception.expire(now)
        return outputs

    def receive(self, text: str, now: float) -> list[Output]:
        """Take a message from the contact, whatever it may be.

        Nothing the other end sends makes this raise.
        """
        return [*self.tick(now), *self._reception.receive(text, now)]

    def _engine_of(self, instance_tag: int | None) -> Engine:
        engine = self._find(instance_tag)
        if engine is None:
            msg = "no such instance"
            raise LocalError(msg)
        return engine

    def _find(self, instance_tag: int | None) -> Engine | None:
        if instance_tag is None:
            return self._engines.best()
        return self._engines.get(instance_tag)

    def _make_engine(self, tag: int) -> Engine:
        return Engine(
            self._our_key,
            self._random_bytes,
            our_tag=self._our_tag,
            their_tag=tag,
            max_message_chars=self._max_message_chars,
            guesses=self._guesses,
        )
