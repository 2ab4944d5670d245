"""From a route to a signed-in stream: dial, secure, register, sign in.

Rule: a shell that decides nothing; what is said is `negotiate`'s, to whom it is said
is settled by `securing`. No time limit in here: the caller has one, and may cancel at any
await; then every connection is closed and the copies of the password are wiped. So
that a cancelled caller knows whether an account may exist, `on_step(SUBMITTING)` is
called *before* the bytes that ask for it go out.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto, unique
from typing import Final, assert_never

from coykiosk.contract import Jid, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Dialer, IsolationKey, RandomBytes, Stream
from coykiosk.register.servers import Registration, Route
from coykiosk.session.binding import Bound
from coykiosk.session.certificates import Authorities, Trust, system_authorities
from coykiosk.session.failure import (
    NegotiationError,
    OpeningReason,
    StartOverError,
    is_cut,
)
from coykiosk.session.negotiate import Negotiation
from coykiosk.session.plan import (
    Ask,
    Derive,
    Done,
    Output,
    Plan,
    Purpose,
    Registered,
    Send,
    SignedIn,
)
from coykiosk.session.resumption import Resumption
from coykiosk.session.saslwords import Offer
from coykiosk.session.scram import Derivation
from coykiosk.session.securing import Secured, read_some, secure
from coykiosk.session.solving import Solve, answer, ask_nobody
from coykiosk.session.tls import TlsStream
from coykiosk.session.xmlreader import XmlReader

__all__ = [
    "Opened",
    "OpeningError",
    "OpeningReason",
    "OpeningStep",
    "Purpose",
    "Trust",
    "open_session",
]

INLINE_ITERATIONS: Final = 50_000
"""PBKDF2 up to here takes less than 50 ms; more goes to a thread, so that a server
with a huge count cannot freeze the screen."""

MAX_CONNECTIONS: Final = 3
"""One, one more should channel binding turn out to be offered, and one more should
it then turn out not to work."""


@unique
class OpeningStep(Enum):
    """How far the opening is, in order."""

    CONNECTING = auto()
    SECURED = auto()
    """TLS is up, and the certificate is good."""
    SUBMITTING = auto()
    """The request for the account goes out next: from now on it may exist."""
    REGISTERED = auto()
    """The server says that the account exists."""
    SIGNED_IN = auto()


class OpeningError(Exception):
    """There is no session.

    Args:
        error: Why.
        submitted: The account was asked for, and may exist.
    """

    def __init__(self, error: NegotiationError, *, submitted: bool) -> None:
        super().__init__(str(error))
        self.reason: Final = error.reason
        self.condition: Final = error.condition
        self.error_type: Final = error.error_type
        self.text: Final = error.text
        self.submitted: Final = submitted


@dataclass(frozen=True, slots=True)
class Opened:
    """A signed-in stream; whoever has it closes it."""

    stream: Stream
    """Inside TLS."""
    bound: Bound
    reader: XmlReader
    """With all that was received and not used yet."""
    channel_bound: bool
    """The login proved that nobody sits between us and the server."""
    pin: str
    """SHA-256 of the server's key, base64, as seen now."""
    trust: Trust
    """What the certificate was taken by."""
    via_onion: bool
    """The way there ended at an onion service, not at an exit."""
    offer: Offer | None = None
    """How the server lets one log in."""

    @property
    def jid(self) -> Jid:
        """Our full JID."""
        return self.bound.jid


async def open_session(
    dialer: Dialer,
    route: Route,
    *,
    localpart: str,
    password: Secret,
    purpose: Purpose,
    isolation_key: IsolationKey,
    random_bytes: RandomBytes,
    on_step: Callable[[OpeningStep], None],
    solve: Solve = ask_nobody,
    authorities: Authorities | None = None,
    resumption: Resumption | None = None,
) -> Opened:
    """Open one session to one server, by one way.

    Args:
        dialer: The way out of the machine.
        route: Which server, and how.
        localpart: The account's name.
        password: Not wiped here; copies are.
        purpose: Make the account first, or not.
        isolation_key: Whose circuit it may use.
        random_bytes: For ids and nonces.
        on_step: Called with each step as it is reached; must not raise.
        solve: Whom to ask when the server wants a person.
        authorities: Who may vouch for the server; the system's by default.
        resumption: A session to go on with; if the server will not, it is over then,
            and a new one is opened.

    Raises:
        OpeningError: the server's side failed, with the reason.
        UserError: ours did: TOR_STOPPED and its like, as the dialer says.
    """
    opening = _Opening(
        dialer,
        route,
        isolation_key=isolation_key,
        random_bytes=random_bytes,
        on_step=on_step,
        solve=solve,
        authorities=authorities or system_authorities(),
        resumption=resumption,
    )
    on_step(OpeningStep.CONNECTING)
    attempt = _Attempt(localpart, password, purpose, route.scram, route.sasl2)
    for _ in range(MAX_CONNECTIONS - 1):
        try:
            return await opening.run(attempt)
        except StartOverError as exc:
            attempt = replace(attempt, known=exc.offered, knows_sasl2=exc.sasl2)
        except _GuessFailedError as exc:
            attempt = exc.instead
        if opening.may_exist:
            attempt = replace(attempt, purpose=Purpose.LOG_IN)
    try:
        return await opening.run(attempt)
    except (StartOverError, _GuessFailedError) as exc:
        error = NegotiationError(OpeningReason.LOGIN_REFUSED, "binding-failed")
        raise OpeningError(error, submitted=opening.may_exist) from exc


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one connection is to reach."""

    localpart: str
    password: Secret
    purpose: Purpose
    known: tuple[str, ...]
    """SCRAM mechanisms that the server is known to offer."""
    knows_sasl2: bool
    avoid_plus: bool = False
    avoid_sasl2: bool = False


class _GuessFailedError(Exception):
    """The connection ended where a guess of ours was due to be judged."""

    def __init__(self, instead: _Attempt) -> None:
        super().__init__()
        self.instead: Final = instead


class _Opening:
    """What stays the same when a connection has to be tried once more."""

    def __init__(
        self,
        dialer: Dialer,
        route: Route,
        *,
        isolation_key: IsolationKey,
        random_bytes: RandomBytes,
        on_step: Callable[[OpeningStep], None],
        solve: Solve,
        authorities: Authorities,
        resumption: Resumption | None,
    ) -> None:
        self._dialer = dialer
        self._route = route
        self._isolation_key = isolation_key
        self._random_bytes = random_bytes
        self._on_step = on_step
        self._solve = solve
        self._authorities = authorities
        self._resumption = resumption
        self.may_exist = False

    async def run(self, attempt: _Attempt) -> Opened:
        """Make one connection.

        Raises:
            OpeningError: as `open_session`.
            UserError: as `open_session`.
            StartOverError: another connection, with what is known now, would do.
            _GuessFailedError: another one, without PLUS or SASL2, might do.
        """
        try:
            secured = await secure(
                self._dialer,
                self._route,
                isolation_key=self._isolation_key,
                authorities=self._authorities,
            )
            return await self._sign_in(attempt, secured)
        except NegotiationError as exc:
            raise OpeningError(exc, submitted=self.may_exist) from exc
        except UserError as exc:
            reason = _THEIR_FAULTS.get(exc.code)
            if reason is None:
                raise
            error = NegotiationError(reason)
            raise OpeningError(error, submitted=self.may_exist) from exc

    async def _sign_in(self, attempt: _Attempt, secured: Secured) -> Opened:
        try:
            self._on_step(OpeningStep.SECURED)
            done = await self._negotiate(attempt, secured)
        except BaseException:
            await secured.stream.close()
            raise
        return Opened(
            stream=secured.stream,
            bound=done.bound,
            reader=done.reader,
            channel_bound=done.channel_bound,
            pin=secured.verdict.pin,
            trust=secured.verdict.trust,
            via_onion=self._route.is_onion,
            offer=done.offer,
        )

    async def _negotiate(self, attempt: _Attempt, secured: Secured) -> Done:
        plan = Plan(
            purpose=attempt.purpose,
            domain=self._route.domain,
            localpart=attempt.localpart,
            password=attempt.password,
            is_open=self._route.registration is Registration.OPEN,
            scram=attempt.known,
            token=self._route.token,
            binding=secured.binding,
            avoid_plus=attempt.avoid_plus,
            knows_sasl2=attempt.knows_sasl2,
            avoid_sasl2=attempt.avoid_sasl2,
            resumption=self._resumption,
        )
        negotiation = Negotiation(plan, self._random_bytes)
        try:
            outputs = negotiation.start()
            while True:
                done = await self._perform(negotiation, secured.stream, outputs)
                if done is not None:
                    return done
                outputs = negotiation.receive(await read_some(secured.stream))
        except (NegotiationError, UserError) as exc:
            is_suspect = negotiation.may_fail_over_binding and not plan.avoid_plus
            if is_suspect and is_cut(exc):
                raise _GuessFailedError(replace(attempt, avoid_plus=True)) from exc
            if negotiation.may_fail_over_haste and is_cut(exc):
                raise _GuessFailedError(replace(attempt, avoid_sasl2=True)) from exc
            raise
        finally:
            self.may_exist = self.may_exist or negotiation.may_exist
            negotiation.wipe()

    async def _perform(
        self, negotiation: Negotiation, tls: TlsStream, outputs: list[Output]
    ) -> Done | None:
        """Carry out outputs in order; return the session if it is up."""
        done = None
        queue = list(outputs)
        while queue:
            output = queue.pop(0)
            match output:
                case Send(data=data, submits=submits):
                    if submits:
                        # Order matters: said before it is done, never after.
                        self._on_step(OpeningStep.SUBMITTING)
                    tls.write(data)
                    await tls.drain()
                case Derive(derivation=derivation):
                    queue += negotiation.derived(await _derive(derivation))
                case Ask():
                    queue += await answer(output, self._solve, negotiation, tls)
                case Registered():
                    self._on_step(OpeningStep.REGISTERED)
                case SignedIn():
                    self._on_step(OpeningStep.SIGNED_IN)
                case Done():
                    done = output
                case _ as unreachable:
                    assert_never(unreachable)
        return done


_THEIR_FAULTS: Final = {
    ErrorCode.SERVER_UNREACHABLE: OpeningReason.UNREACHABLE,
    ErrorCode.CONNECTION_LOST: OpeningReason.BROKEN,
}


async def _derive(derivation: Derivation) -> bytes:
    if derivation.iterations <= INLINE_ITERATIONS:
        return derivation.run()
    return await asyncio.to_thread(derivation.run)
