"""What each request gets for an answer, and who may tell us what.

Rule: every request is answered (RFC 6120, section 8.2.3), and all but our own server
alike: an answer tells nobody what program this is, or that anybody is there.
"""

from coykiosk.contract import Jid
from coykiosk.session import stanzas
from coykiosk.session.inbound import Inbound
from coykiosk.session.stanzas import StanzaBase

__all__ = ["answer", "is_from_server"]


def answer(request: StanzaBase, account: Jid) -> tuple[StanzaBase, Inbound | None]:
    """Answer an `iq` of type get or set.

    Args:
        request: As it came in.
        account: Our full address.

    Returns:
        The answer, and what the request tells us, if it is for us at all.
    """
    if stanzas.is_roster_push(request, account):
        roster = stanzas.read_roster(request, account, is_push=True)
        return stanzas.iq_result(request), roster
    if stanzas.is_ping(request) and is_from_server(request, account):
        # Only to our own server, which knows that we are here. A stranger
        # would learn it, and how far away, from how fast we answer.
        return stanzas.iq_result(request), None
    return stanzas.iq_error(request), None


def is_from_server(iq: StanzaBase, account: Jid) -> bool:
    """Whether our own server sent it, or our account there."""
    sender = stanzas.read_jid(iq.xml.get("from"), otherwise=account.bare)
    return sender in (account.bare, account, Jid("", account.domainpart))
