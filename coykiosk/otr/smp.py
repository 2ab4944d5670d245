"""Comparing secrets without showing them: the socialist millionaires' protocol.

Rule: nothing about a secret leaves here but whether both are the same, and each
run tells that once. A message is verified whole before the state changes; one that
is wrong, forged or out of turn ends the run, and the other end is told (an abort).
An abort itself is never answered.

    initiator                               responder
    IDLE --start--> 1 ------------------->  IDLE -> ASKED     the person is asked
    AWAITING_2  <---------------------- 2 <--answer-- ASKED
        3 ------------------------------->  AWAITING_3        knows the result
    AWAITING_4  <---------------------- 4 -> IDLE
    knows the result -> IDLE

The specification's EXPECT1 is IDLE and ASKED here. Source: OTRv3, "Socialist
Millionaires' Protocol (SMP)", "Overview" and "The SMP state machine".
"""

from dataclasses import dataclass
from typing import Final

from coykiosk.otr.allowance import Allowance
from coykiosk.otr.events import (
    LocalError,
    RemoteError,
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    TooManyGuessesError,
)
from coykiosk.otr.primitives import (
    Exponent,
    G,
    P,
    RandomBytes,
    inverse,
    is_equal,
    sha256,
)
from coykiosk.otr.smp_messages import (
    FIRST_TLVS,
    MAX_QUESTION_BYTES,
    Smp1,
    Smp2,
    Smp3,
    Smp4,
    SmpAbort,
    SmpMessage,
    decode_smp,
)
from coykiosk.otr.smp_proofs import (
    Bases,
    Coordinates,
    check_coordinates,
    check_equal_logs,
    check_log,
    hide,
    prove_coordinates,
    prove_equal_logs,
    prove_log,
)
from coykiosk.otr.smp_states import (
    Asked,
    Awaiting2,
    Awaiting3,
    Awaiting4,
    Idle,
    SmpState,
    exponents_of,
)
from coykiosk.otr.wire import Tlv

EXPONENT_BYTES: Final = 192  # OTRv3: SMP exponents have 1536 random bits
_SECRET_VERSION: Final = b"\x01"  # OTRv3, "SMP": the version of the hashed secret
# Checking a first message costs four powers, and what is out of turn is answered by an
# abort: an end that sends them without end is left without either.
_ASKS_BURST: Final = 16
_ASKS_PER_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class SmpStep:
    """What a received message, or the person, led to."""

    replies: tuple[Tlv, ...] = ()
    """To be sent in this order, each in a message of its own."""
    reports: tuple[SmpAsked | SmpAnswered | SmpEnded, ...] = ()


_ABORT: Final = SmpAbort().encode()


@dataclass(frozen=True, slots=True)
class SmpSession:
    """What ties a comparison to one session: nobody can carry it into another."""

    our_fingerprint: bytes
    their_fingerprint: bytes
    ssid: bytes
    instance_tag: int


class Smp:
    """Comparisons of secrets within one encrypted session, one at a time.

    Args:
        session: Whose session it is.
        random_bytes: Where exponents come from.
        guesses: How many comparisons may still fail. One for all sessions with a
            contact, or somebody in between could renew the session and guess on.
    """

    def __init__(
        self, session: SmpSession, random_bytes: RandomBytes, guesses: Allowance
    ) -> None:
        self._session = session
        self._random_bytes = random_bytes
        self._guesses = guesses
        self._asks = Allowance(_ASKS_BURST, _ASKS_PER_S)
        self._rebuffs = Allowance(_ASKS_BURST, _ASKS_PER_S)
        self._state: SmpState = Idle()

    def start(self, secret: str, question: str | None, now: float) -> SmpStep:
        """Begin a comparison; one under way is aborted first.

        Raises:
            LocalError: empty secret, or a question that is too long.
            TooManyGuessesError: see there.
        """
        asked = _clean(question)
        self._check_secret(secret, now)
        left = self.abort(now)
        mine, theirs = self._session.our_fingerprint, self._session.their_fingerprint
        a2, a3, r2, r3 = (self._draw() for _ in range(4))
        first = Smp1(
            a2.raised_from(G),
            prove_log(1, a2, r2),
            a3.raised_from(G),
            prove_log(2, a3, r3),
            asked,
        )
        hidden = self._hashed(mine + theirs, secret)
        self._become(Awaiting2(a2, a3, hidden, had_question=asked is not None))
        return SmpStep((*left.replies, first.encode()), left.reports)

    def answer(self, secret: str, now: float) -> SmpStep:
        """Answer the other end with our secret.

        Raises:
            LocalError: nobody asks, or an empty secret.
            TooManyGuessesError: see there.
        """
        if not isinstance(self._state, Asked):
            msg = "smp: nobody asks"
            raise LocalError(msg)
        self._check_secret(secret, now)
        first = self._state.first
        mine, theirs = self._session.our_fingerprint, self._session.their_fingerprint
        hashed = self._hashed(theirs + mine, secret)
        b2, b3, r2, r3, r4, r5, r6 = (self._draw() for _ in range(7))
        bases = Bases(b2.raised_from(first.g2a), b3.raised_from(first.g3a))
        ours = hide(bases, hashed, r4)
        second = Smp2(
            b2.raised_from(G),
            prove_log(3, b2, r2),
            b3.raised_from(G),
            prove_log(4, b3, r3),
            ours,
            prove_coordinates(5, bases, hashed, r4, (r5, r6)),
        )
        had_question = first.question is not None
        self._become(Awaiting3(b3, bases, first.g3a, ours, had_question))
        return SmpStep((second.encode(),))

    def abort(self, now: float) -> SmpStep:
        """Leave a comparison, if there is one, and tell the other end."""
        if isinstance(self._state, Idle):
            return SmpStep()
        return SmpStep((_ABORT,), self._end(SmpOutcome.ABORTED, now))

    def close(self, now: float) -> tuple[SmpEnded, ...]:
        """The session is over: wipe; reports a comparison that was under way."""
        return self._end(SmpOutcome.ABORTED, now)

    def receive(self, tlv: Tlv, now: float) -> SmpStep:
        """Take one SMP record of the other end."""
        if tlv.type in FIRST_TLVS and not self._asks.take(now):
            return self._turn_away(SmpOutcome.ABORTED, now)
        try:
            return self._on_message(decode_smp(tlv), now)
        except RemoteError:
            return self._turn_away(SmpOutcome.CHEATED, now)

    def _on_message(self, message: SmpMessage, now: float) -> SmpStep:
        match message, self._state:
            case Smp1(), Idle() | Asked():
                step = self._on_1(message)
            case Smp2(), Awaiting2() as state:
                step = self._on_2(message, state)
            case Smp3(), Awaiting3() as state:
                step = self._on_3(message, state, now)
            case Smp4(), Awaiting4() as state:
                step = self._on_4(message, state, now)
            case SmpAbort(), Awaiting4():
                # COMPAT(otr3): a responder whose secret differs aborts here, in
                # place of message 4. No person is asked at this point.
                step = SmpStep(reports=self._end(SmpOutcome.FAILED, now))
            case SmpAbort(), _:
                step = SmpStep(reports=self._end(SmpOutcome.ABORTED, now))
            case _:
                step = self._turn_away(SmpOutcome.ABORTED, now)
        return step

    def _on_1(self, message: Smp1) -> SmpStep:
        check_log(1, message.g2a, message.g2a_proof)
        check_log(2, message.g3a, message.g3a_proof)
        self._become(Asked(message))
        session = self._session
        asked = SmpAsked(
            message.question, session.their_fingerprint, session.instance_tag
        )
        return SmpStep(reports=(asked,))

    def _on_2(self, message: Smp2, state: Awaiting2) -> SmpStep:
        check_log(3, message.g2b, message.g2b_proof)
        check_log(4, message.g3b, message.g3b_proof)
        bases = Bases(
            state.a2.raised_from(message.g2b), state.a3.raised_from(message.g3b)
        )
        check_coordinates(5, bases, message.hidden, message.hidden_proof)
        r4, r5, r6, r7 = (self._draw() for _ in range(4))
        ours = hide(bases, state.secret, r4)
        ratio = _ratio(ours, message.hidden)
        third = Smp3(
            ours,
            prove_coordinates(6, bases, state.secret, r4, (r5, r6)),
            state.a3.raised_from(ratio.q),
            prove_equal_logs(7, state.a3, ratio.q, r7),
        )
        self._become(Awaiting4(state.a3, message.g3b, ratio, state.had_question))
        session = self._session
        answered = SmpAnswered(session.their_fingerprint, session.instance_tag)
        return SmpStep((third.encode(),), (answered,))

    def _on_3(self, message: Smp3, state: Awaiting3, now: float) -> SmpStep:
        check_coordinates(6, state.bases, message.hidden, message.hidden_proof)
        ratio = _ratio(message.hidden, state.ours)
        check_equal_logs(7, state.g3a, ratio.q, message.r, message.r_proof)
        fourth = Smp4(
            state.b3.raised_from(ratio.q),
            prove_equal_logs(8, state.b3, ratio.q, self._draw()),
        )
        outcome = _compare(state.b3, message.r, ratio)
        return SmpStep((fourth.encode(),), self._end(outcome, now))

    def _on_4(self, message: Smp4, state: Awaiting4, now: float) -> SmpStep:
        check_equal_logs(8, state.g3b, state.ratio.q, message.r, message.r_proof)
        outcome = _compare(state.a3, message.r, state.ratio)
        return SmpStep(reports=self._end(outcome, now))

    def _turn_away(self, outcome: SmpOutcome, now: float) -> SmpStep:
        """End the run, if there is one, and tell the other end, within reason."""
        reports = self._end(outcome, now)
        is_told = bool(reports) or self._rebuffs.take(now)
        return SmpStep((_ABORT,) if is_told else (), reports)

    def _check_secret(self, secret: str, now: float) -> None:
        if not secret:
            msg = "smp: an empty secret"
            raise LocalError(msg)
        if not self._guesses.has_left(now):
            msg = "smp: too many comparisons failed"
            raise TooManyGuessesError(msg)

    def _hashed(self, fingerprints: bytes, secret: str) -> Exponent:
        """Bind the secret to both keys, the initiator's first, and to the session."""
        typed = secret.encode("utf-8", "replace")
        return Exponent(
            sha256(_SECRET_VERSION + fingerprints + self._session.ssid + typed)
        )

    def _draw(self) -> Exponent:
        return Exponent.draw(self._random_bytes, EXPONENT_BYTES)

    def _become(self, state: SmpState) -> None:
        kept = exponents_of(state)
        for exponent in exponents_of(self._state):
            if not any(exponent is each for each in kept):
                exponent.wipe()
        self._state = state

    def _end(self, outcome: SmpOutcome, now: float) -> tuple[SmpEnded, ...]:
        """Become IDLE; reports how a run ended, if there was one."""
        state = self._state
        if isinstance(state, Idle):
            return ()
        # Who has our message 3 can work out whether a guess was right, and then
        # leave in any way they like.
        may_be_guess = outcome is SmpOutcome.FAILED or isinstance(state, Awaiting4)
        if may_be_guess and outcome is not SmpOutcome.SUCCEEDED:
            self._guesses.take(now)
        self._become(Idle())
        return (
            SmpEnded(
                outcome,
                we_asked=isinstance(state, Awaiting2 | Awaiting4),
                had_question=state.had_question,
                fingerprint=self._session.their_fingerprint,
                instance_tag=self._session.instance_tag,
            ),
        )


def _clean(question: str | None) -> str | None:
    """Return what of a question can be sent; None when nothing is left of it."""
    # A NUL would end it at the other end.
    data = (question or "").replace("\0", "").encode("utf-8", "replace")
    if len(data) > MAX_QUESTION_BYTES:
        msg = f"smp: a question of {len(data)} bytes"
        raise LocalError(msg)
    return data.decode() or None


def _ratio(initiators: Coordinates, responders: Coordinates) -> Coordinates:
    """Return Pa/Pb and Qa/Qb.

    Raises:
        RemoteError: one pair is equal, so that the result would not depend on
            the secrets.
    """
    if initiators.p == responders.p or initiators.q == responders.q:
        msg = "smp: hidden secrets that are equal"
        raise RemoteError(msg)
    return Coordinates(
        initiators.p * inverse(responders.p) % P,
        initiators.q * inverse(responders.q) % P,
    )


def _compare(exponent: Exponent, r: int, ratio: Coordinates) -> SmpOutcome:
    is_same = is_equal(exponent.raised_from(r), ratio.p)
    return SmpOutcome.SUCCEEDED if is_same else SmpOutcome.FAILED
