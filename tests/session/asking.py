"""Everything that one XMPP program may ask another, or tell it unasked.

Names of rows say what is asked; each is XML with `{to}` and `{id}` left open.
"""

from typing import Final

_SURE: Final = {
    "version": "<query xmlns='jabber:iq:version'/>",  # XEP-0092
    "time": "<time xmlns='urn:xmpp:time'/>",  # XEP-0202
    "old time": "<query xmlns='jabber:iq:time'/>",  # XEP-0090
    "last activity": "<query xmlns='jabber:iq:last'/>",  # XEP-0012
    "disco info": "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "disco items": "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "caps node": (  # XEP-0115
        "<query xmlns='http://jabber.org/protocol/disco#info'"
        " node='http://slixmpp.com/ver/1.17.0#abc='/>"
    ),
    "vcard": "<vCard xmlns='vcard-temp'/>",  # XEP-0054
    "vcard 4": "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>",  # XEP-0292
    "avatar": (  # XEP-0084
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        "<items node='urn:xmpp:avatar:metadata'/></pubsub>"
    ),
    "old avatar": "<query xmlns='jabber:iq:avatar'/>",  # XEP-0008
    "ping": "<ping xmlns='urn:xmpp:ping'/>",  # XEP-0199
    "private storage": "<query xmlns='jabber:iq:private'><x xmlns='x'/></query>",
    "roster": "<query xmlns='jabber:iq:roster'/>",
    "privacy lists": "<query xmlns='jabber:iq:privacy'/>",  # XEP-0016
    "block list": "<blocklist xmlns='urn:xmpp:blocking'/>",  # XEP-0191
    "registration": "<query xmlns='jabber:iq:register'/>",  # XEP-0077
    "search": "<query xmlns='jabber:iq:search'/>",  # XEP-0055
    "archive": "<query xmlns='urn:xmpp:mam:2'/>",  # XEP-0313
    "sensors": "<query xmlns='urn:xmpp:sensors'/>",
    "end-to-end key": "<key xmlns='urn:xmpp:openpgp:0'/>",
    "command list": (  # XEP-0050
        "<query xmlns='http://jabber.org/protocol/disco#items'"
        " node='http://jabber.org/protocol/commands'/>"
    ),
    "bits of binary": "<data xmlns='urn:xmpp:bob' cid='sha1+0@bob.xmpp.org'/>",
    "features of a stream": "<feature xmlns='http://jabber.org/protocol/feature-neg'/>",
    "made up": "<anything xmlns='urn:example:nobody-has-this'/>",
}

_SID: Final = "a0"
_ORDERS: Final = {
    "command": (
        "<command xmlns='http://jabber.org/protocol/commands' action='execute'"
        " node='http://jabber.org/protocol/rc#set-status'/>"  # XEP-0050, XEP-0146
    ),
    "rpc": (
        "<query xmlns='jabber:iq:rpc'><methodCall><methodName>system.version"
        "</methodName></methodCall></query>"
    ),
    "file offer by SI": (  # XEP-0095, XEP-0096
        f"<si xmlns='http://jabber.org/protocol/si' id='{_SID}'"
        " profile='http://jabber.org/protocol/si/profile/file-transfer'>"
        "<file xmlns='http://jabber.org/protocol/si/profile/file-transfer'"
        " name='plan.pdf' size='1000'/></si>"
    ),
    "file offer by jingle": (  # XEP-0166, XEP-0234
        f"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{_SID}'>"
        "<content creator='initiator' name='c'>"
        "<description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>"
        "<transport xmlns='urn:xmpp:jingle:transports:ibb:1' block-size='4096'"
        f" sid='{_SID}'/></content></jingle>"
    ),
    "call": (  # XEP-0167
        f"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{_SID}'>"
        "<content creator='initiator' name='voice'>"
        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
        "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/></content></jingle>"
    ),
    "in-band bytes": (  # XEP-0047
        "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096'"
        f" sid='{_SID}' stanza='iq'/>"
    ),
    "bytestream": (  # XEP-0065
        f"<query xmlns='http://jabber.org/protocol/bytestreams' sid='{_SID}'>"
        "<streamhost host='192.0.2.1' jid='proxy.example' port='7777'/></query>"
    ),
    "file by web": (  # XEP-0066
        "<query xmlns='jabber:iq:oob'><url>http://192.0.2.1/x</url></query>"
    ),
    "login to a page": (  # XEP-0070
        "<confirm xmlns='http://jabber.org/protocol/http-auth' id='1' method='GET'"
        " url='https://192.0.2.1/'/>"
    ),
    "roster change": (
        "<query xmlns='jabber:iq:roster'><item jid='eve@e.example'"
        " subscription='both'/></query>"
    ),
    "roster item exchange": (  # XEP-0144
        "<x xmlns='http://jabber.org/protocol/rosterx'><item action='add'"
        " jid='eve@e.example'/></x>"
    ),
}

REQUESTS: Final[dict[str, str]] = {
    name: f"<iq type='{kind}' to='{{to}}' id='{{id}}'>{payload}</iq>"
    for kind, payloads in (("get", _SURE), ("set", _ORDERS))
    for name, payload in payloads.items()
}
"""What has to be answered (RFC 6120, section 8.2.3)."""


def _message(inside: str, kind: str = "chat") -> str:
    return f"<message type='{kind}' to='{{to}}' id='{{id}}'>{inside}</message>"


def _presence(inside: str, attributes: str = "") -> str:
    return f"<presence to='{{to}}' id='{{id}}'{attributes}>{inside}</presence>"


_STATES: Final = "http://jabber.org/protocol/chatstates"
_USER: Final = "http://jabber.org/protocol/muc#user"

WORDS: Final[dict[str, str]] = {
    "receipt": _message("<body>a</body><request xmlns='urn:xmpp:receipts'/>"),
    "marker": _message("<body>b</body><markable xmlns='urn:xmpp:chat-markers:0'/>"),
    "chat state": _message(f"<body>c</body><active xmlns='{_STATES}'/>"),
    "typing": _message(f"<composing xmlns='{_STATES}'/>"),
    "old events": _message("<body>d</body><x xmlns='jabber:x:event'><displayed/></x>"),
    "attention": _message("<attention xmlns='urn:xmpp:attention:0'/>"),
    "correction": _message(
        "<body>e</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>"
    ),
    "html": _message(
        "<body>f</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body"
        " xmlns='http://www.w3.org/1999/xhtml'><img src='http://192.0.2.1/x'/></body>"
        "</html>"
    ),
    "link with a picture": _message(
        "<body>http://192.0.2.1/x.png</body>"
        "<x xmlns='jabber:x:oob'><url>http://192.0.2.1/x.png</url></x>"
    ),
    "form": _message(
        "<x xmlns='jabber:x:data' type='form'><field var='os' type='text-single'/></x>"
    ),
    "captcha": _message(
        "<captcha xmlns='urn:xmpp:captcha'><x xmlns='jabber:x:data' type='form'/>"
        "</captcha>",
        "normal",
    ),
    "avatar event": _message(
        "<event xmlns='http://jabber.org/protocol/pubsub#event'>"
        "<items node='urn:xmpp:avatar:metadata'><item id='0'/></items></event>",
        "headline",
    ),
    "call proposed": _message(
        f"<propose xmlns='urn:xmpp:jingle-message:0' id='{_SID}'/>"  # XEP-0353
    ),
    "version by message": _message("<query xmlns='jabber:iq:version'/>", "normal"),
    "room invitation": _message(
        f"<x xmlns='{_USER}'><invite from='eve@e.example'/></x>", "normal"
    ),
    "direct invitation": _message(
        "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>", "normal"
    ),
    "room talk": _message("<body>g</body>", "groupchat"),
    "room subject": _message("<subject>h</subject>", "groupchat"),
    "room occupant": _presence(f"<x xmlns='{_USER}'><item role='participant'/></x>"),
    "presence": _presence(""),
    "capabilities": _presence(
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1'"
        " node='http://client.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>"
    ),
    "avatar hash": _presence("<x xmlns='vcard-temp:x:update'><photo>00</photo></x>"),
    "idle": _presence("<idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>"),
    "gone": _presence("", " type='unavailable'"),
    "presence error": _presence("", " type='error'"),
    "message error": _message("", "error"),
}
"""What may be left unanswered, and is."""

OFFERS: Final[dict[str, str]] = {
    "query": _message("<body>?OTRv3?</body>"),
    "query of all versions": _message("<body>?OTR?v23?</body>"),
    "white space": _message("<body>hi \t  \t\t\t\t \t \t \t    \t\t  \t\t</body>"),
    "error line": _message("<body>?OTR Error: lost</body>"),
    "commit": _message(
        "<body>?OTR:AAMCAAABAQAAAAAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAA=.</body>"
    ),
    "piece": _message("<body>?OTR|00000101|00000000,00001,00002,?OTR:AAMC,</body>"),
}
"""OTR of a stranger, who gets none before the person has said so."""
