"""The second stream, up to a bound session (RFC 6120, section 7).

Rule: pure. Binding, roster and presence go out in one flight. No resource is asked
for, because one that we made up would tell something about us; the presence is
bare, and without it the server would hold messages back.

Where a session has lost its stream, its resumption goes out in their place, and they
follow only if the server will not have it (XEP-0198, section 5).
"""

from dataclasses import dataclass
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.ports import RandomBytes
from coykiosk.session.acks import Acks, AcksBrokenError
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.resumption import Resumption
from coykiosk.session.wire import (
    ACKS,
    BIND,
    CLIENT,
    ROSTER,
    SESSION,
    STANZA_ERRORS,
    STREAM,
    read_error,
    token,
)

__all__ = ["BindingTalk", "Bound", "first_stanzas"]

_ACKS: Final = "{" + ACKS + "}sm"
_FEATURES: Final = "{" + STREAM + "}features"
_IQ: Final = "{" + CLIENT + "}iq"
_ERROR: Final = "{" + CLIENT + "}error"
_SESSION: Final = "{" + SESSION + "}session"
_OPTIONAL: Final = "{" + SESSION + "}optional"
_JID: Final = "{" + BIND + "}bind/{" + BIND + "}jid"
_MAX_EARLY: Final = 100


@dataclass(frozen=True, slots=True)
class Bound:
    """What the session's next owner has to know beside the reader."""

    jid: Jid
    """Full JID."""
    early: tuple[ET.Element, ...]
    """Stanzas that came before the answer to the binding."""
    roster_id: str
    """The id of our open roster request."""
    offers_acks: bool = False
    """Whether the server can tell what it has taken (XEP-0198)."""
    resumed: Resumption | None = None
    """The session that goes on, if it is none of its own."""
    acks: Acks | None = None
    """The counts of a new session, where they began with it (`bind2`)."""


def first_stanzas(roster_id: str) -> tuple[str, str]:
    """Return the first things said in a session: the roster, please; and a presence.

    Args:
        roster_id: The id of the request.
    """
    query = f"<query xmlns='{ROSTER}'/>"
    return f"<iq type='get' id='{roster_id}'>{query}</iq>", "<presence/>"


@final
class BindingTalk:
    """The binding of one session.

    Args:
        account: Our bare JID.
        random_bytes: For stanza ids.
        resumption: A session of the account that may go on.
    """

    def __init__(
        self,
        account: Jid,
        random_bytes: RandomBytes,
        resumption: Resumption | None = None,
    ) -> None:
        assert resumption is None or resumption.jid.bare == account
        self._account = account
        self._random_bytes = random_bytes
        self._resumption = resumption
        self._bind_id = token(random_bytes)
        self._session_id = ""
        self._roster_id = ""
        self._wants_old_session = False
        self._offers_acks = False
        self._early: list[ET.Element] = []
        self._jid: Jid | None = None
        self.bound: Bound | None = None
        """The session, once it is up."""

    def begin(self) -> str:
        """Return what to send after the stream header."""
        if self._resumption is not None:
            return self._resumption.begin()
        return self._bind()

    def _bind(self) -> str:
        bind = f"<iq type='set' id='{self._bind_id}'><bind xmlns='{BIND}'/></iq>"
        return bind + self._roster_and_presence()

    def take(self, stanza: ET.Element) -> str:
        """Take a stanza; return what to send now, if anything.

        Raises:
            NegotiationError: LOGIN_REFUSED: no session; CONFUSED.
        """
        if stanza.tag == _FEATURES:
            return self._take_features(stanza)
        if self._resumption is not None:
            return self._take_resumption(self._resumption, stanza)
        if stanza.tag == _IQ and stanza.get("type") in ("result", "error"):
            if stanza.get("id") == self._bind_id and self._jid is None:
                return self._take_bind(stanza)
            if stanza.get("id") == self._session_id != "":
                return self._take_old_session(stanza)
        if len(self._early) >= _MAX_EARLY:
            raise NegotiationError(OpeningReason.CONFUSED, "unexpected-stanzas")
        self._early.append(stanza)
        return ""

    def _take_features(self, features: ET.Element) -> str:
        self._offers_acks = features.find(_ACKS) is not None
        session = features.find(_SESSION)
        if session is not None and session.find(_OPTIONAL) is None:
            self._wants_old_session = True
        if self._resumption is None or self._offers_acks:
            return ""
        # Who knows of no such thing may leave the request unanswered for ever.
        self._resumption.end()
        return self._begin_anew()

    def _take_resumption(self, resumption: Resumption, answer: ET.Element) -> str:
        try:
            resumption.take(answer)
        except AcksBrokenError as exc:
            raise NegotiationError(OpeningReason.CONFUSED, "acknowledgements") from exc
        if resumption.is_resumed:
            self.bound = Bound(
                resumption.jid,
                early=(),
                roster_id=resumption.roster_id,
                offers_acks=self._offers_acks,
                resumed=resumption,
            )
            return ""
        if resumption.is_over:
            return self._begin_anew()
        # Without a session there is nothing else that a server could send us.
        raise NegotiationError(OpeningReason.CONFUSED, "unexpected-stanzas")

    def _begin_anew(self) -> str:
        self._resumption = None
        return self._bind()

    def _roster_and_presence(self) -> str:
        self._roster_id = token(self._random_bytes)
        return "".join(first_stanzas(self._roster_id))

    def _take_bind(self, answer: ET.Element) -> str:
        _refuse_error(answer)
        try:
            jid = Jid.parse(answer.findtext(_JID, ""))
        except ValueError as exc:
            raise NegotiationError(OpeningReason.CONFUSED, "bad-jid") from exc
        if jid.bare != self._account or not jid.resource:
            raise NegotiationError(OpeningReason.CONFUSED, "bad-jid")
        self._jid = jid
        if not self._wants_old_session:
            self._finish(jid)
            return ""
        self._session_id = token(self._random_bytes)
        request = f"<session xmlns='{SESSION}'/>"
        return f"<iq type='set' id='{self._session_id}'>{request}</iq>"

    def _take_old_session(self, answer: ET.Element) -> str:
        """Take the answer to the session request that RFC 3921 had."""
        _refuse_error(answer)
        assert self._jid is not None
        # Such a server had no session yet when the first two came: once more.
        again = self._roster_and_presence()
        self._finish(self._jid)
        return again

    def _finish(self, jid: Jid) -> None:
        self.bound = Bound(jid, tuple(self._early), self._roster_id, self._offers_acks)


def _refuse_error(answer: ET.Element) -> None:
    if answer.get("type") == "error":
        error = read_error(answer.find(_ERROR), STANZA_ERRORS)
        raise NegotiationError(
            OpeningReason.LOGIN_REFUSED,
            error.condition,
            error_type=error.error_type,
            text=error.text,
        )
