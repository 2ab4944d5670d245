"""From a secured connection to a signed-in session, in as few flights as it takes.

Rule: sans-IO. Bytes received go in, `Output`s come out: what to send, what to
compute, what has been reached. A round trip through Tor costs about a second,
so what needs no answer first is sent together:

    we send                                              the server answers
    ---------------------------------------------------  ------------------------
    header + registration + auth (client-first)          features, result, challenge
    response (client-final)                              success
    header + bind + roster + presence, or + resumption   features, jid, roster

Where a server offers SASL2 with Bind 2 (XEP-0388, XEP-0386), the session is asked for
in the login, and the last flight is saved:

    header (+ registration)                              features (, result)
    authenticate (client-first, bind or resumption)      challenge
    response + roster + presence                         success with the jid, roster

The first two are one where it is known that it offers them; the third waits for the
features in any case, and so no proof goes out before they are read.

The second header is *not* sent with the response: servers reset their parser at
success and call what came early not well-formed. The first flight can be sent
blind only when the server's record says that a name and a password are enough,
and which SCRAM it offers; else it stops where an answer is needed, and the rest
follows on the same stream (`registration`, `login`, `binding`).
"""

from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.ports import RandomBytes
from coykiosk.session.bind2 import InlineTalk
from coykiosk.session.binding import BindingTalk, Bound
from coykiosk.session.challenge import Challenge
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.login import LoginTalk
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
from coykiosk.session.registration import RegistrationTalk
from coykiosk.session.saslwords import Way
from coykiosk.session.scram import Derivation
from coykiosk.session.wire import (
    REGISTER_FEATURE,
    STREAM,
    STREAM_ERRORS,
    is_of_others,
    read_error,
    stream_header,
)
from coykiosk.session.xmlguard import (
    POST_AUTH_LIMITS,
    PRE_AUTH_LIMITS,
    XmlRefusedError,
)
from coykiosk.session.xmlreader import XmlReader

__all__ = ["Negotiation"]


_FEATURES: Final = "{" + STREAM + "}features"
_STREAM_ERROR: Final = "{" + STREAM + "}error"
_REGISTER_FEATURE: Final = "{" + REGISTER_FEATURE + "}register"
# XEP-0445, section 3, and what it was called before.
_INVITE_FEATURES: Final[tuple[str, ...]] = tuple(
    "{" + namespace + "}register"
    for namespace in ("urn:xmpp:ibr-token:0", "urn:xmpp:invite")
)
_MAX_HELD: Final = 10


@final
class Negotiation:
    """One negotiation on one secured connection; use once.

        start -> Send ... receive -> Send | Derive | Registered | SignedIn | Done

    Args:
        plan: What to reach, and what is known.
        random_bytes: For ids and nonces.
    """

    def __init__(self, plan: Plan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._random_bytes = random_bytes
        self._reader = XmlReader(PRE_AUTH_LIMITS)
        self._registration: RegistrationTalk | None = None
        if plan.purpose is Purpose.REGISTER:
            self._registration = RegistrationTalk(
                plan.localpart, plan.password, random_bytes, token=plan.token
            )
        account = Jid(plan.localpart.lower(), plan.domain.lower())
        self._account = account
        self._inline = InlineTalk(account, random_bytes, plan.resumption)
        self._login = LoginTalk(
            plan.localpart,
            plan.password,
            binding=plan.binding,
            avoid_plus=plan.avoid_plus,
            random_bytes=random_bytes,
            inline=None if plan.avoid_sasl2 else self._inline,
        )
        self._binding: BindingTalk | None = None
        self._has_features = False
        self._is_deriving = False
        self._is_done = False
        self._held: list[ET.Element] = []  # SASL answers that must wait

    @property
    def may_exist(self) -> bool:
        """Whether the account may have been made by this negotiation."""
        talk = self._registration
        return talk is not None and (talk.is_done or talk.is_submitted)

    @property
    def may_fail_over_binding(self) -> bool:
        """Whether a cut right now calls for one more try without PLUS."""
        return self._login.may_fail_over_binding

    @property
    def may_fail_over_haste(self) -> bool:
        """Whether a cut right now calls for one more try without SASL2."""
        return self._login.may_fail_over_haste

    def start(self) -> list[Output]:
        """Return the first flight."""
        plan, registration = self._plan, self._registration
        text = self._header()
        if registration is None:
            return [Send((text + self._begin_blind()).encode())]
        if not plan.is_open:
            return [Send(text.encode())]
        text += registration.set_blind() + self._begin_blind()
        return [Send(text.encode(), submits=True)]

    def _begin_blind(self) -> str:
        plan = self._plan
        return self._login.begin_blind(plan.scram, sasl2=plan.knows_sasl2)

    def _header(self) -> str:
        return stream_header(self._plan.domain, localpart=self._plan.localpart)

    def receive(self, data: bytes) -> list[Output]:
        """Take received bytes, cut anywhere.

        Raises:
            NegotiationError: there will be no session, and why.
            StartOverError: there would be one on a new connection.
        """
        self._reader.feed(data)
        return self._go_on()

    def derived(self, salted: bytes) -> list[Output]:
        """Take the result of a `Derive`.

        Raises:
            NegotiationError: as `receive`.
        """
        self._is_deriving = False
        return [Send(self._login.derived(salted).encode()), *self._go_on()]

    def solve(self, answer: str) -> list[Output]:
        """Take a person's answer to an `Ask`."""
        assert self._registration is not None
        # Alone: an answer is often wrong, and a login that was sent along would
        # spoil this stream for channel binding.
        return _send(self._registration.solve(answer), submits=True)

    def another(self) -> list[Output]:
        """Ask the server for another challenge."""
        assert self._registration is not None
        return _send(self._registration.get())

    def wipe(self) -> None:
        """Forget the copies of the password."""
        self._login.wipe()

    def _go_on(self) -> list[Output]:
        """Take stanzas as long as there are any and nothing has to come first."""
        outputs: list[Output] = []
        try:
            while not self._is_deriving and not self._is_done:
                stanza = self._reader.next_stanza()
                if stanza is None:
                    break
                self._check_head()
                outputs += self._take(stanza)
        except XmlRefusedError as exc:
            raise NegotiationError(OpeningReason.CONFUSED, exc.condition) from exc
        if self._reader.is_ended and not self._is_done:
            raise NegotiationError(OpeningReason.BROKEN, "stream-ended")
        return outputs

    def _check_head(self) -> None:
        head = self._reader.head
        assert head is not None
        if head.get("from", self._plan.domain).lower() != self._plan.domain.lower():
            raise NegotiationError(OpeningReason.CONFUSED, "wrong-domain")
        if head.get("version") != "1.0":
            raise NegotiationError(OpeningReason.CONFUSED, "unsupported-version")

    def _take(self, stanza: ET.Element) -> list[Output]:
        if stanza.tag == _STREAM_ERROR:
            raise self._stream_error(stanza)
        if is_of_others(stanza, self._plan.localpart, self._plan.domain):
            return []
        if self._binding is None:
            return self._take_in_first_stream(stanza)
        return self._take_in_second_stream(self._binding, stanza)

    def _stream_error(self, stanza: ET.Element) -> NegotiationError:
        error = read_error(stanza, STREAM_ERRORS)
        registration = self._registration
        if registration is None or not registration.is_submitted:
            if self._login.is_spoilt:
                # COMPAT(Prosody): it cuts whoever says what it does not know.
                raise self._login.start_over()
            reason = OpeningReason.CONFUSED
        elif registration.is_offered is False and error.condition == "not-authorized":
            # COMPAT(ejabberd 23.01): so it answers any request before a login when
            # nobody is there to take registrations.
            registration.deny()
            reason = OpeningReason.REGISTRATION_CLOSED
        else:
            reason = OpeningReason.BROKEN  # it may have been carried out all the same
        return NegotiationError(reason, error.condition, text=error.text)

    # --- the first stream: registration and login -----------------------------------

    def _take_in_first_stream(self, stanza: ET.Element) -> list[Output]:
        registration = self._registration
        if stanza.tag == _FEATURES:
            return self._take_first_features(stanza)
        if registration is not None and registration.is_answer(stanza):
            return self._take_registration(registration, stanza)
        if not any(way.says(stanza) for way in Way):
            return []  # Nothing else concerns us before we are signed in.
        if registration is not None and registration.is_submitted:
            # Order matters: no proof goes out for an account that is not there.
            self._hold(stanza)
            return []
        return self._take_sasl(stanza)

    def _take_first_features(self, features: ET.Element) -> list[Output]:
        if self._has_features:
            raise NegotiationError(OpeningReason.CONFUSED, "features-twice")
        self._has_features = True
        self._login.on_features(features)
        if self._registration is None:
            return _send(self._login.resume())
        doors: tuple[str, ...] = (_REGISTER_FEATURE,)
        if self._plan.token:
            doors += _INVITE_FEATURES
        is_offered = any(features.find(door) is not None for door in doors)
        self._registration.is_offered = is_offered
        if self._plan.is_open:
            return _send(self._login.resume() if self._registration.is_done else "")
        if not is_offered:
            raise NegotiationError(OpeningReason.REGISTRATION_CLOSED)
        return _send(self._registration.get())

    def _take_registration(
        self, registration: RegistrationTalk, answer: ET.Element
    ) -> list[Output]:
        text = registration.take(answer)
        if isinstance(text, Challenge):
            self._login.pause()
            return [Ask(text, registration.n_wrong), *self._release()]
        if registration.is_done:
            return [Registered(), *_send(self._login.resume()), *self._release()]
        if registration.is_submitted:
            if self._login.is_fresh:
                text += self._login.resume()
            return _send(text, submits=True)
        # The server wants to be asked first: what the login that was sent along
        # comes to is about an account that does not exist.
        self._login.pause()
        return [*_send(text), *self._release()]

    def _hold(self, stanza: ET.Element) -> None:
        if len(self._held) >= _MAX_HELD:
            raise NegotiationError(OpeningReason.CONFUSED, "unexpected-sasl")
        self._held.append(stanza)

    def _release(self) -> list[Output]:
        outputs: list[Output] = []
        held, self._held = self._held, []
        for stanza in held:
            outputs += self._take_sasl(stanza)
        return outputs

    def _take_sasl(self, stanza: ET.Element) -> list[Output]:
        answer = self._login.take(stanza)
        if isinstance(answer, Derivation):
            self._is_deriving = True
            return [Derive(answer)]
        if not self._login.is_done:
            return _send(answer)
        signed_in = SignedIn(channel_bound=self._login.is_channel_bound)
        if self._login.success is not None:
            return [signed_in, *self._take_session(self._login.success)]
        if self._reader.next_stanza() is not None or not self._reader.is_empty:
            raise NegotiationError(OpeningReason.CONFUSED, "data-after-success")
        return [signed_in, self._open_second_stream()]

    def _take_session(self, success: ET.Element) -> list[Output]:
        """Take the session that came with the login; the stream goes on as it is."""
        bound, text = self._inline.take(success)
        self._reader.set_limits(POST_AUTH_LIMITS)
        self._is_done = True
        return [*_send(text), self._done(bound)]

    def _done(self, bound: Bound) -> Done:
        login = self._login
        return Done(bound, self._reader, login.is_channel_bound, login.offer)

    # --- the second stream ------------------------------------------------------------

    def _open_second_stream(self) -> Send:
        plan = self._plan
        self._binding = BindingTalk(self._account, self._random_bytes, plan.resumption)
        self._reader = XmlReader(POST_AUTH_LIMITS)
        return Send((self._header() + self._binding.begin()).encode())

    def _take_in_second_stream(
        self, binding: BindingTalk, stanza: ET.Element
    ) -> list[Output]:
        outputs = _send(binding.take(stanza))
        if binding.bound is None:
            return outputs
        self._is_done = True
        return [*outputs, self._done(binding.bound)]


def _send(text: str, *, submits: bool = False) -> list[Output]:
    return [Send(text.encode(), submits=submits)] if text else []
