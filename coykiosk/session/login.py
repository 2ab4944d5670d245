"""Logging in by SASL (RFC 6120, section 6; XEP-0388) with the SCRAM of `scram`.

Rule: pure; one exchange is open at a time; which one comes next, if any, `choosing`
says.

A blind exchange is begun before the stream features are known, with what the
server's record says. Nothing is lost when the record is wrong:

    the record says       the server then          what happens
    --------------------  -----------------------  ---------------------------------
    PLUS                  offers no PLUS           it refuses; once more, with `y`
    no PLUS, so `y`       offers no PLUS           fine, and nobody removed an offer
    no PLUS, so `y`       offers a PLUS we can do  it must refuse, and whether it
                                                   does or not, no proof goes out;
                                                   a new connection, with PLUS
    no PLUS, so `y`       offers PLUS of no kind   it refuses; once more, with `n`
                          that we can do
    PLUS                  offers it, announces no  it refuses the binding; once more
                          kind (XEP-0440)          with `n`, and the channel counts
                                                   as not bound
    SASL2                 does not offer it        it says nothing (ejabberd 23.01) or
                          as we want it            cuts (Prosody); a new connection

Once more is on the same stream and costs one round trip. A mechanism is chosen from
all that are offered, in whatever way (`saslwords`), and SASL2 wherever it is offered
there; but not on a stream that has heard of the other way:

COMPAT(ejabberd 24.12): after one exchange of SASL, it refuses SASL2.

Only PLUS is begun on a fresh stream or not at all:

COMPAT(Prosody 0.12.3): after one refused or aborted exchange it has forgotten the
TLS connection, and never answers the proof of a PLUS exchange on that stream.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Secret
from coykiosk.ports import RandomBytes
from coykiosk.session.bind2 import InlineTalk
from coykiosk.session.choosing import Choosing
from coykiosk.session.failure import (
    NegotiationError,
    OpeningReason,
    StartOverError,
)
from coykiosk.session.saslprep import SaslprepError
from coykiosk.session.saslwords import Offer, Way
from coykiosk.session.scram import (
    ChannelBinding,
    Choice,
    Derivation,
    Flag,
    ScramClient,
    ScramError,
)
from coykiosk.session.wire import to_base64

__all__ = ["LoginTalk"]

_NONCE_BYTES: Final = 24


class _State(Enum):
    IDLE = auto()
    FIRST_SENT = auto()
    DERIVING = auto()
    FINAL_SENT = auto()
    ABORTING = auto()
    DONE = auto()


@final
class LoginTalk:
    """The login of one account on one stream.

    Args:
        localpart: The name.
        password: Not wiped here; copies are.
        binding: What names our TLS connection.
        avoid_plus: The last connection ended over channel binding.
        random_bytes: For nonces.
        inline: The session to ask for by SASL2; None: not by SASL2.
    """

    def __init__(
        self,
        localpart: str,
        password: Secret,
        *,
        binding: ChannelBinding,
        avoid_plus: bool,
        random_bytes: RandomBytes,
        inline: InlineTalk | None,
    ) -> None:
        self._localpart = localpart
        self._password = password
        self._binding = binding
        self._choosing = Choosing(binding, avoid_plus=avoid_plus)
        self._random_bytes = random_bytes
        self._state = _State.IDLE
        self._is_wanted = True
        self._inline = inline
        self._way = Way.SASL
        self._is_ahead = False
        self.success: ET.Element | None = None
        """The success, where it brings a session along."""
        self._choice: Choice | None = None
        self._scram: ScramClient | None = None

    @property
    def is_done(self) -> bool:
        """Whether the server knows us, and we it."""
        return self._state is _State.DONE

    @property
    def is_fresh(self) -> bool:
        """Whether no exchange has been begun on this stream."""
        return self._choice is None

    @property
    def is_channel_bound(self) -> bool:
        """Whether the login proved that both ends see the same TLS connection."""
        is_bound = self._choice is not None and self._choice.flag is Flag.BOUND
        return self.is_done and is_bound

    @property
    def may_fail_over_binding(self) -> bool:
        """Whether a cut right now may be the answer to a binding.

        Some servers offer PLUS on TLS 1.3, say no kind, and break off when they
        are given one. One that announced our kind has no such excuse.
        """
        is_bound = self._choice is not None and self._choice.flag is Flag.BOUND
        return (
            self._state in (_State.FIRST_SENT, _State.DERIVING, _State.FINAL_SENT)
            and is_bound
            and self._choosing.announced is None
        )

    @property
    def may_fail_over_haste(self) -> bool:
        """Whether a cut right now may be the answer to what we sent ahead."""
        return self._is_ahead and self._state is _State.FINAL_SENT

    def begin_blind(self, known: Sequence[str], *, sasl2: bool = False) -> str:
        """Begin with what the record says; "" when it does not say enough."""
        choice = self._choosing.among(known)
        if sasl2 and self._inline is not None:
            self._way = Way.SASL2
        return "" if choice is None else self._begin(choice)

    def on_features(self, features: ET.Element) -> None:
        """Learn what the server offers."""
        self._choosing.learn(
            features,
            may_sasl2=self._inline is not None,
            resumes=self._inline is not None and self._inline.resumes,
        )

    @property
    def is_spoilt(self) -> bool:
        """Whether SASL2 was begun blind on a server that does not offer it."""
        is_asked = self._way is Way.SASL2 and not self.is_fresh
        return is_asked and self.offer is not None and not self.offer.sasl2

    def start_over(self) -> StartOverError:
        """Return what is to be raised when another stream would do."""
        return self._choosing.start_over()

    def pause(self) -> None:
        """Let the open exchange end without us: there is no account yet."""
        self._is_wanted = False

    def resume(self) -> str:
        """Want to log in, now or as soon as the features say how.

        Returns:
            What to send now, if anything.

        Raises:
            NegotiationError: LOGIN_REFUSED: the server offers nothing we speak.
            StartOverError: it offers what this stream is spoilt for.
        """
        self._is_wanted = True
        if self.is_spoilt:
            raise self.start_over()
        can_begin = self._state is _State.IDLE and self.offer is not None
        return self._begin_offered() if can_begin else ""

    def take(self, stanza: ET.Element) -> str | Derivation:
        """Take a SASL element; return what to send, or what to derive first.

        Raises:
            NegotiationError: LOGIN_REFUSED or CONFUSED.
            StartOverError: a new connection is needed to bind the channel.
        """
        if not self._way.says(stanza):
            raise NegotiationError(OpeningReason.CONFUSED, "unexpected-sasl")
        name = stanza.tag.rpartition("}")[2]
        if name == "failure":
            return self._take_failure(stanza)
        try:
            content = self._way.content(stanza)
            if name == "challenge" and self._state is _State.FIRST_SENT:
                return self._take_first(content)
            if name == "challenge" and self._state is _State.FINAL_SENT:
                return self._take_late_signature(content)
            if name == "challenge" and self._state is _State.ABORTING:
                return ""
            if name == "success" and self._state is _State.FINAL_SENT:
                return self._take_success(stanza, content)
            if name == "continue" and self._state is _State.FINAL_SENT:
                raise NegotiationError(OpeningReason.LOGIN_REFUSED, "second-factor")
        except (ScramError, ValueError) as exc:
            self._state = _State.IDLE  # no fault of the channel binding
            raise NegotiationError(OpeningReason.CONFUSED, "bad-scram") from exc
        raise NegotiationError(OpeningReason.CONFUSED, "unexpected-sasl")

    def derived(self, salted: bytes) -> str:
        """Go on with the result of a `Derivation`."""
        assert self._scram is not None
        assert self._state is _State.DERIVING
        self._state = _State.FINAL_SENT
        return self._way.respond(self._scram.final(salted)) + self._go_ahead()

    def _go_ahead(self) -> str:
        """Return what goes out before the answer, where a refusal ends the matter."""
        assert self._choice is not None
        if self._session is None or self._choosing.is_in_doubt(self._choice):
            return ""  # it may be tried once more on this stream
        text = self._session.follow()
        self._is_ahead = bool(text)
        return text

    def wipe(self) -> None:
        """Forget the copies of the password."""
        if self._scram is not None:
            self._scram.wipe()

    @property
    def _session(self) -> InlineTalk | None:
        """What the exchange brings along."""
        return self._inline if self._way is Way.SASL2 else None

    @property
    def offer(self) -> Offer | None:
        """What the server offers; None as long as it has not said."""
        return self._choosing.offer

    def _begin_offered(self) -> str:
        choice = self._choosing.best()
        if choice is None:
            raise NegotiationError(OpeningReason.LOGIN_REFUSED, "invalid-mechanism")
        return self._begin(choice)

    def _begin(self, choice: Choice) -> str:
        if choice.flag is Flag.BOUND and not self.is_fresh:
            raise self.start_over()
        self.wipe()
        if self.offer is not None and (self.is_fresh or self._way is Way.SASL2):
            self._way = self.offer.way(choice.mechanism)
        self._choice = choice
        try:
            self._scram = ScramClient(
                choice,
                username=self._localpart,
                password=self._password,
                nonce=to_base64(self._random_bytes(_NONCE_BYTES)),
                binding=self._binding if choice.flag is Flag.BOUND else None,
            )
        except SaslprepError as exc:
            raise NegotiationError(OpeningReason.LOGIN_REFUSED, "bad-name") from exc
        self._state = _State.FIRST_SENT
        session = "" if self._session is None else self._session.begin()
        return self._way.begin(choice.mechanism, self._scram.first(), inline=session)

    def _take_first(self, content: bytes) -> str | Derivation:
        assert self._scram is not None
        assert self._choice is not None
        if not self._is_wanted:
            self._state = _State.ABORTING
            return self._way.abort()
        if self.offer is None:
            # Order matters: no proof goes out before we know what is offered.
            raise NegotiationError(OpeningReason.CONFUSED, "no-features")
        assert not self.is_spoilt, "features start over before a challenge is taken"
        if self._choosing.is_downgrade(self._choice):
            raise self.start_over()
        self._state = _State.DERIVING
        return self._scram.to_derivation(content)

    def _take_late_signature(self, content: bytes) -> str:
        """Take the signature of a server that puts it into a challenge of its own."""
        assert self._scram is not None
        self._scram.verify(content)
        return self._way.respond(b"")

    def _take_success(self, stanza: ET.Element, content: bytes) -> str:
        assert self._scram is not None
        if not self._scram.is_verified:
            self._scram.verify(content)
        if self._way is Way.SASL2:
            self.success = stanza
        self._state = _State.DONE
        self.wipe()
        return ""

    def _take_failure(self, stanza: ET.Element) -> str:
        if self._choice is None or self._state in (_State.IDLE, _State.DONE):
            raise NegotiationError(OpeningReason.CONFUSED, "unexpected-sasl")
        error = self._way.error(stanza)
        was_aborting = self._state is _State.ABORTING
        self._state = _State.IDLE
        if was_aborting or not self._is_wanted:
            # It says nothing about our password, or about an account to come.
            return self.resume() if self._is_wanted else ""
        self._choosing.refuse(self._choice)
        choice = self._choosing.best()
        is_verdict = self._choosing.is_verdict(self._choice, error.condition)
        if choice is None or is_verdict or self._is_ahead:
            raise NegotiationError(
                OpeningReason.LOGIN_REFUSED, error.condition, text=error.text
            )
        return self._begin(choice)
