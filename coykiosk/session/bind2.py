"""The session that comes with the login (XEP-0386, asked for in XEP-0388's words).

Rule: pure; nothing of a success is believed before the server has proved itself. No
tag is sent, so the resource is all the server's, and nothing is switched on but the
acknowledgements (XEP-0198): no carbons, no client state.

    begin    inside <authenticate/>: the last session, if there is one, and a new one
    follow   behind our last word of the login: roster and presence. Only for a new
             session, and only where a refusal would end the matter: on a server that
             takes them they save a round trip, and one that is strict about who may
             speak now cuts the stream (XEP-0388, "During Authentication")
    take     the success: one of the two sessions, never both, never neither
"""

from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.ports import RandomBytes
from coykiosk.session.acks import Acks, AcksBrokenError
from coykiosk.session.binding import Bound, first_stanzas
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.resumption import Resumption
from coykiosk.session.wire import ACKS, BIND2, SASL2, token

__all__ = ["InlineTalk"]

_IDENTIFIER: Final = "{" + SASL2 + "}authorization-identifier"
_BOUND: Final = "{" + BIND2 + "}bound"
_RESUMED: Final = "{" + ACKS + "}resumed"
_FAILED: Final = "{" + ACKS + "}failed"
_ENABLED: Final = "{" + ACKS + "}enabled"


@final
class InlineTalk:
    """The session of one login.

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
        self._acks = Acks()
        self._roster_id = ""

    @property
    def resumes(self) -> bool:
        """Whether there is a session to go on with."""
        return self._resumption is not None

    def begin(self) -> str:
        """Return what to ask for in a login; a refused one has left nothing behind."""
        self._acks, self._roster_id = Acks(), ""
        bind = f"<bind xmlns='{BIND2}'>{self._acks.enable()}</bind>"
        return bind if self._resumption is None else self._resumption.begin() + bind

    def follow(self) -> str:
        """Return what may go out before the answer; "" where that depends on it."""
        return "" if self._resumption is not None else self._roster_and_presence()

    def take(self, success: ET.Element) -> tuple[Bound, str]:
        """Take the answer of a server that has proved itself.

        Returns:
            The session, and what to send now, if anything.

        Raises:
            NegotiationError: LOGIN_REFUSED: no session; CONFUSED.
        """
        names = [child.tag for child in success]
        if any(names.count(name) > 1 for name in _ONCE):
            raise NegotiationError(OpeningReason.CONFUSED, "success-twice")
        jid = _read_jid(success)
        bound, resumed = success.find(_BOUND), success.find(_RESUMED)
        if resumed is not None and (bound is not None or self._resumption is None):
            raise NegotiationError(OpeningReason.CONFUSED, "unexpected-session")
        if resumed is not None:
            assert self._resumption is not None
            return self._go_on(self._resumption, jid, resumed), ""
        failed = success.find(_FAILED)
        if bound is not None or failed is not None:
            self._give_up_the_last(failed)
        if bound is None:
            raise NegotiationError(OpeningReason.LOGIN_REFUSED, "no-session")
        if jid.bare != self._account or not jid.resource:
            raise NegotiationError(OpeningReason.CONFUSED, "bad-jid")
        return self._begin_new(jid, bound)

    def _go_on(self, resumption: Resumption, jid: Jid, resumed: ET.Element) -> Bound:
        if jid not in (self._account, resumption.jid):
            raise NegotiationError(OpeningReason.CONFUSED, "bad-jid")
        _tell(resumption, resumed)
        return Bound(
            resumption.jid,
            early=(),
            roster_id=resumption.roster_id,
            offers_acks=True,
            resumed=resumption,
        )

    def _give_up_the_last(self, failed: ET.Element | None) -> None:
        if self._resumption is None:
            return
        if failed is None:
            self._resumption.end()
        else:
            _tell(self._resumption, failed)

    def _begin_new(self, jid: Jid, bound: ET.Element) -> tuple[Bound, str]:
        text = "" if self._roster_id else self._roster_and_presence()
        enabled = bound.find(_ENABLED)
        # It has to say one of two things; one that says neither counts nothing.
        self._acks.take(ET.Element(_FAILED) if enabled is None else enabled)
        session = Bound(
            jid,
            early=(),
            roster_id=self._roster_id,
            offers_acks=self._acks.are_expected,
            acks=self._acks,
        )
        return session, text

    def _roster_and_presence(self) -> str:
        self._roster_id = token(self._random_bytes)
        stanzas = first_stanzas(self._roster_id)
        for stanza in stanzas:
            self._acks.sent(None, stanza)  # asked for before: they count
        return "".join(stanzas)


_ONCE: Final = (_IDENTIFIER, _BOUND, _RESUMED, _FAILED)


def _read_jid(success: ET.Element) -> Jid:
    try:
        return Jid.parse(success.findtext(_IDENTIFIER, "").strip())
    except ValueError as exc:
        raise NegotiationError(OpeningReason.CONFUSED, "bad-jid") from exc


def _tell(resumption: Resumption, answer: ET.Element) -> None:
    try:
        resumption.take(answer)
    except AcksBrokenError as exc:
        raise NegotiationError(OpeningReason.CONFUSED, "acknowledgements") from exc
