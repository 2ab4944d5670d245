"""What the elements of XMPP are called, and how ours are written.

Rule: pure; whatever of ours is put into XML text goes through `quoted`.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.ports import RandomBytes

__all__ = [
    "ACKS",
    "BIND",
    "BIND2",
    "CLIENT",
    "DATA_FORM",
    "MAX_WORDS_CHARS",
    "OOB",
    "PREAUTH",
    "REGISTER",
    "REGISTER_FEATURE",
    "ROSTER",
    "SASL",
    "SASL2",
    "SASL_CB",
    "SESSION",
    "STANZA_ERRORS",
    "STREAM",
    "STREAM_ERRORS",
    "TLS",
    "ErrorParts",
    "child_names",
    "from_base64",
    "is_of_others",
    "quoted",
    "read_error",
    "stream_header",
    "to_base64",
    "token",
    "without_illegal_characters",
]

ACKS: Final = "urn:xmpp:sm:3"  # XEP-0198
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"  # RFC 6120, section 7
BIND2: Final = "urn:xmpp:bind:0"  # XEP-0386
CLIENT: Final = "jabber:client"
DATA_FORM: Final = "jabber:x:data"  # XEP-0004
OOB: Final = "jabber:x:oob"  # XEP-0066
PREAUTH: Final = "urn:xmpp:pars:0"  # XEP-0379, XEP-0445
REGISTER: Final = "jabber:iq:register"  # XEP-0077
REGISTER_FEATURE: Final = "http://jabber.org/features/iq-register"  # XEP-0077, 9
ROSTER: Final = "jabber:iq:roster"  # RFC 6121, section 2
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"  # RFC 6120, section 6
SASL2: Final = "urn:xmpp:sasl:2"  # XEP-0388
SASL_CB: Final = "urn:xmpp:sasl-cb:0"  # XEP-0440
SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"  # RFC 3921, section 3
STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAM: Final = "http://etherx.jabber.org/streams"
STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"

MAX_WORDS_CHARS: Final = 500
"""What we keep of a server's own words."""
_ID_BYTES: Final = 16
_CONDITION: Final = re.compile(r"[a-z-]{1,60}")
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class ErrorParts:
    """An error element of any kind, taken apart."""

    condition: str
    """The defined condition, or `undefined-condition`."""
    error_type: str
    """Of stanza errors: `auth`, `cancel`, `continue`, `modify`, `wait`; else ""."""
    text: str
    """The server's words, cut to `MAX_WORDS_CHARS`."""


def quoted(text: str) -> str:
    """Write text so that it stands for itself, in content and in attributes."""
    text = without_illegal_characters(text)
    for char, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("'", "&apos;"),
    ):
        text = text.replace(char, entity)
    return text


def without_illegal_characters(text: str) -> str:
    """Leave out what XML 1.0, section 2.2, has no place for."""
    return _ILLEGAL.sub("", text)


def token(random_bytes: RandomBytes) -> str:
    """Draw a stanza id: 128 bits that count nothing and tell no time."""
    return random_bytes(_ID_BYTES).hex()


def stream_header(domain: str, *, localpart: str = "") -> str:
    """Open a stream (RFC 6120, section 4.7).

    In a fixed language, so that nothing names the person's.

    Args:
        domain: The server's.
        localpart: The account's, inside TLS only: nothing in clear names it. Some
            offer more to whom they know (XEP-0388, "Discovering Support").
    """
    account = f" from='{quoted(localpart)}@{quoted(domain)}'" if localpart else ""
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}'{account}"
        f" to='{quoted(domain)}' version='1.0' xml:lang='en'>"
    )


def to_base64(data: bytes) -> str:
    """Write the content of a SASL element."""
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Read the content of a SASL element; `=` is nothing (RFC 6120, 6.4.2).

    Raises:
        ValueError: it is not base64.
    """
    return b"" if text == "=" else base64.b64decode(text, validate=True)


def read_error(error: ET.Element | None, namespace: str) -> ErrorParts:
    """Take an error element apart; what is missing or odd becomes undefined.

    Args:
        error: A stanza's `<error/>`, a SASL `<failure/>` or a `<stream:error/>`.
        namespace: That of the conditions inside.
    """
    condition, text, error_type = "undefined-condition", "", ""
    for child in () if error is None else error:
        space, _, name = child.tag.rpartition("}")
        if space != "{" + namespace:
            continue
        if name == "text":
            text = (child.text or "")[:MAX_WORDS_CHARS]
        elif _CONDITION.fullmatch(name):
            condition = name
    if error is not None and _CONDITION.fullmatch(error.get("type", "")):
        error_type = error.get("type", "")
    return ErrorParts(condition, error_type, text)


def child_names(element: ET.Element, namespace: str) -> set[str]:
    """Return the local names of the children in a namespace."""
    prefix = "{" + namespace + "}"
    return {
        child.tag.removeprefix(prefix)
        for child in element
        if child.tag.startswith(prefix)
    }


def is_of_others(stanza: ET.Element, localpart: str, domain: str) -> bool:
    """Whether it answers a request, and is neither our server's nor our account's.

    To believe it, ids that nobody can guess would have to be trusted alone (RFC 6120,
    section 8.2.3: who answers is who was asked).
    """
    sender = stanza.get("from")
    is_iq = stanza.tag == "{" + CLIENT + "}iq"
    if sender is None or not is_iq or stanza.get("type") not in ("result", "error"):
        return False
    bare = sender.lower().partition("/")[0]
    return bare not in (domain.lower(), f"{localpart}@{domain}".lower())
