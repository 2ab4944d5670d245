"""The translation between slixmpp's stanzas and our values; the door to slixmpp.

Rule: slixmpp is imported here, made silent and blind first, and `stream` gets it
from here. What comes in is measured and becomes a value of `inbound`, or nothing;
what goes out carries what it must and nothing that tells who wrote the program.
"""

import logging
import sys
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    PresenceIn,
    RosterItem,
    RosterReceived,
    SubscriptionAsked,
)
from coykiosk.session.requests import Request
from coykiosk.session.wire import (
    CLIENT,
    ROSTER,
    STANZA_ERRORS,
    read_error,
    without_illegal_characters,
)

# Order matters: slixmpp would load a resolver of its own, and its loggers would
# write on the terminal at import, and received bytes at every parse error later.
sys.modules["aiodns"] = None  # type: ignore[assignment]  # None is how a module is barred
logging.getLogger("slixmpp").setLevel(logging.CRITICAL + 1)

from slixmpp import JID, InvalidJID  # noqa: E402  # after the two lines above
from slixmpp.basexmpp import BaseXMPP  # noqa: E402  # after the two lines above
from slixmpp.stanza import Iq, Message, Presence  # noqa: E402  # after the two lines above
from slixmpp.xmlstream.stanzabase import (  # noqa: E402  # after the two lines above
    StanzaBase,
)
from slixmpp.xmlstream.tostring import tostring  # noqa: E402  # after the two above

__all__ = [
    "BaseXMPP",
    "Iq",
    "Message",
    "StanzaBase",
    "archive_nothing",
    "chat_message",
    "directed_presence",
    "iq_error",
    "iq_request",
    "iq_result",
    "is_ping",
    "is_roster_push",
    "ping",
    "read_jid",
    "read_message",
    "read_presence",
    "read_roster",
    "tostring",
]

MAX_BODY_CHARS: Final = 128 * 1024
MAX_ID_CHARS: Final = 256
MAX_NAME_CHARS: Final = 200
MAX_ROSTER_ITEMS: Final = 5_000

_OTR_MARK: Final = "?OTR"
_OTR_NAMESPACE: Final = "urn:xmpp:otr:0"  # XEP-0364
_EME: Final = "{urn:xmpp:eme:0}encryption"  # XEP-0380
_NO_STORE: Final = "{urn:xmpp:hints}no-store"  # XEP-0334
_NO_COPY: Final = "{urn:xmpp:hints}no-copy"
_PRIVATE: Final = "{urn:xmpp:carbons:2}private"  # XEP-0280, section 8
_ARCHIVE: Final = "urn:xmpp:mam:2"  # XEP-0313
_PREFERENCES: Final = "{" + _ARCHIVE + "}prefs"
_PING: Final = "{urn:xmpp:ping}ping"  # XEP-0199
_BODY: Final = "{" + CLIENT + "}body"
_ERROR: Final = "{" + CLIENT + "}error"
_QUERY: Final = "{" + ROSTER + "}query"
_ITEM: Final = "{" + ROSTER + "}item"
_DELAYS: Final = ("{urn:xmpp:delay}delay", "{jabber:x:delay}x")  # XEP-0203, 0091
_SUBSCRIPTIONS: Final = frozenset({"both", "from", "none", "remove", "to"})
_FORWARDED: Final = "{urn:xmpp:forward:0}forwarded"  # XEP-0297
_COPY_PREFIXES: Final = ("{urn:xmpp:carbons:", "{urn:xmpp:mam:")
_COPY_NAMES: Final = ("}sent", "}received", "}result")


# --- coming in ------------------------------------------------------------------


def read_jid(text: str | None, *, otherwise: Jid) -> Jid | None:
    """Read and normalise an address attribute (RFC 7622).

    Args:
        text: The attribute; None when there is none.
        otherwise: Who is meant then (RFC 6120, section 8.1.2.1).

    Returns:
        The address, or None when it is none.
    """
    if text is None:
        return otherwise
    try:
        jid = JID(text)
    except InvalidJID:
        return None
    return Jid(jid.user, jid.domain, jid.resource) if jid.domain else None


def read_message(stanza: StanzaBase, account: Jid) -> Inbound | None:
    """Read a message of one person to another; None when it is nothing to us.

    Groupchat, headlines, and messages without text (typing notices, receipts) are
    nothing to us, and so is a body that no OTR message needs.
    """
    xml = stanza.xml
    sender = read_jid(xml.get("from"), otherwise=account)
    kind = xml.get("type", "normal")
    if sender is None or kind not in ("chat", "error", "normal"):
        return None
    message_id = xml.get("id", "")
    message_id = message_id if len(message_id) <= MAX_ID_CHARS else ""
    if kind == "error":
        error = read_error(xml.find(_ERROR), STANZA_ERRORS)
        return MessageError(sender, message_id, error.condition, error.text)
    is_copy = any(_is_copy(child.tag) for child in xml)
    body = "" if is_copy else xml.findtext(_BODY, "")
    if len(body) > MAX_BODY_CHARS or not (body or is_copy):
        return None
    return MessageIn(
        sender=sender,
        body=body,
        message_id=message_id,
        delayed=any(xml.find(delay) is not None for delay in _DELAYS),
        is_copy=is_copy,
    )


def _is_copy(tag: str) -> bool:
    is_wrapper = tag.startswith(_COPY_PREFIXES) and tag.endswith(_COPY_NAMES)
    return is_wrapper or tag == _FORWARDED


def read_presence(stanza: StanzaBase, account: Jid) -> Inbound | None:
    """Read a presence; None when it is nothing to us."""
    sender = read_jid(stanza.xml.get("from"), otherwise=account)
    if sender is None:
        return None
    match stanza.xml.get("type"):
        case None:
            return PresenceIn(sender, available=True)
        case "unavailable":
            return PresenceIn(sender, available=False)
        case "subscribe":
            return SubscriptionAsked(sender)
        case _:
            return None


def is_roster_push(stanza: StanzaBase, account: Jid) -> bool:
    """Whether our own server says that the roster changed.

    Anybody can send something of that shape; RFC 6121, section 2.1.6, has us look
    at who did.
    """
    sender = read_jid(stanza.xml.get("from"), otherwise=account.bare)
    is_ours = sender == account.bare
    is_set = stanza.xml.get("type") == "set"
    return is_ours and is_set and stanza.xml.find(_QUERY) is not None


def read_roster(stanza: StanzaBase, account: Jid, *, is_push: bool) -> RosterReceived:
    """Read a roster, or the one item of a push."""
    items = []
    for item in stanza.xml.findall(f"{_QUERY}/{_ITEM}")[:MAX_ROSTER_ITEMS]:
        jid = read_jid(item.get("jid", ""), otherwise=account)
        subscription = item.get("subscription", "none")
        if jid is not None and subscription in _SUBSCRIPTIONS:
            name = item.get("name", "")[:MAX_NAME_CHARS]
            items.append(RosterItem(jid.bare, name, subscription))
    return RosterReceived(tuple(items), is_push=is_push)


# --- going out ------------------------------------------------------------------


def check_address(address: Jid) -> JID:
    """Prepare an address as RFC 7622 has it (PRECIS), which `Jid` does not.

    Raises:
        UserError: ADDRESS_BAD.
    """
    try:
        return JID(str(address))
    except InvalidJID as exc:
        raise UserError(ErrorCode.ADDRESS_BAD) from exc


def chat_message(to: Jid, body: str, *, message_id: str) -> Message:
    """Make a message that carries OTR, with the hints that keep it unstored.

    Nothing but OTR leaves by this door: there is no way to make a message whose
    body is in clear.

    Raises:
        UserError: ADDRESS_BAD.
    """
    if not body.startswith(_OTR_MARK):
        msg = "only OTR goes out"
        raise AssertionError(msg)  # not `assert`: -O must not open this door
    address = check_address(to)
    message = Message(  # type: ignore[no-untyped-call]  # slixmpp left it so
        stype="chat", sto=address, sid=message_id
    )
    ET.SubElement(message.xml, _BODY).text = without_illegal_characters(body)
    eme = ET.SubElement(message.xml, _EME)
    eme.set("namespace", _OTR_NAMESPACE)
    eme.set("name", "OTR")
    for hint in (_NO_STORE, _NO_COPY, _PRIVATE):
        ET.SubElement(message.xml, hint)
    return message


def ping(domain: str, *, message_id: str) -> Iq:
    """Make the question whether our server is still there (XEP-0199, 4.2)."""
    iq = _iq("get", message_id)
    iq.xml.set("to", domain)
    ET.SubElement(iq.xml, _PING)
    return iq


def archive_nothing(*, message_id: str) -> Iq:
    """Make the request that our server keep no message (XEP-0313, section 7).

    The hints on each message say so too, but not every server heeds them, and who
    writes to us may send none. A server without an archive says that it has none.
    """
    iq = _iq("set", message_id)
    preferences = ET.SubElement(iq.xml, _PREFERENCES, {"default": "never"})
    for exceptions in ("always", "never"):
        ET.SubElement(preferences, "{" + _ARCHIVE + "}" + exceptions)
    return iq


def directed_presence(to: Jid, *, available: bool) -> Presence:
    """Make a presence for one address alone (RFC 6121, section 4.6); it is bare.

    Raises:
        UserError: ADDRESS_BAD.
    """
    presence = Presence()
    presence.xml.set("to", str(check_address(to)))
    if not available:
        presence.xml.set("type", "unavailable")
    return presence


def iq_request(request: Request, *, message_id: str) -> Iq:
    """Make the stanza of a request to our own server."""
    iq = _iq("set", message_id)
    if request.to is not None:
        iq.xml.set("to", request.to.domainpart)
    iq.xml.append(request.payload)
    return iq


def is_ping(stanza: StanzaBase) -> bool:
    """Whether a request is a ping (XEP-0199)."""
    return stanza.xml.get("type") == "get" and stanza.xml.find(_PING) is not None


def iq_result(request: StanzaBase) -> Iq:
    """Make the empty answer that a request wants."""
    return _answer(request, "result")


def iq_error(request: StanzaBase) -> Iq:
    """Make the answer that everything unknown gets: `service-unavailable`.

    It is what a server says for someone who is not there, so it tells a stranger
    neither a program nor a version, nor what we can do.
    """
    answer = _answer(request, "error")
    error = ET.SubElement(answer.xml, _ERROR, {"type": "cancel"})
    ET.SubElement(error, "{" + STANZA_ERRORS + "}service-unavailable")
    return answer


def _answer(request: StanzaBase, kind: str) -> Iq:
    stanza_id = request.xml.get("id")
    answer = _iq(kind, stanza_id or "")
    # Where there is none slixmpp puts one of its own, by which it would be known.
    if stanza_id is None:
        del answer.xml.attrib["id"]
    else:
        answer.xml.set("id", stanza_id)
    sender = request.xml.get("from")
    if sender is not None:
        answer.xml.set("to", sender)
    return answer


def _iq(kind: str, stanza_id: str) -> Iq:
    return Iq(stype=kind, sid=stanza_id)  # type: ignore[no-untyped-call]  # slixmpp left it so
