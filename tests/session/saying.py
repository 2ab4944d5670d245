"""What a client said, made readable and free of names and chance.

Only what is a name or was drawn is replaced, and each thing by a word that tells what
was there. Everything else stays as it was, to the byte, in the order in which it was
said; line breaks are put between what stands on its own.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coykiosk.otr import messages

_SASL: Final = re.compile(r"(<(auth|response|initial-response)[^>]*>)([^<]+)(</\2>)")
_PASSWORD: Final = re.compile(r"<password>[a-z2-9]{24}</password>")
_ID: Final = re.compile(r"(?<= id=['\"])[0-9a-f]{32}(?=['\"])")
_OTR: Final = re.compile(r"\?OTR:([A-Za-z0-9+/=]+)\.")
_COUNT: Final = re.compile(r"<a xmlns='urn:xmpp:sm:3' h='[0-9]{1,4}'/>")
"""Said whenever the server asks, which it does as it likes."""
_NONCE: Final = re.compile(r"(?<=,)r=[^,<]+")
_PROOF: Final = re.compile(r"(?<=,)p=[A-Za-z0-9+/=]{28,88}(?=<)")
_BINDING: Final = re.compile(r"(?<=>c=)[A-Za-z0-9+/=]{9,}")
"""Longer than "biws" and "eSws": with a binding in it (RFC 5802, section 5.1)."""
_TOP: Final = re.compile(
    r"(?<!^)(?=<(?:\?xml|stream:stream|/stream:stream|iq|message|presence|auth|"
    r"authenticate|response|enable|r) ?[^<]*?>)"
)


def said_by(localpart: str, data: Path) -> list[str]:
    """Return what an account has said, one text for each connection, in order.

    Args:
        localpart: Of the account.
        data: Where a Prosody with the module `said` keeps its data.
    """
    texts = [path.read_text("utf-8") for path in sorted(data.glob("said-*"))]
    return [text for text in texts if f"n={localpart},r=" in _open_sasl(text)]


def normalised(text: str, names: Mapping[str, str]) -> str:
    """Replace names and random values.

    Args:
        text: What was said on one connection.
        names: What each name is to be called; longer ones come first.
    """
    text = _open_sasl(_COUNT.sub("", text))
    text = _PROOF.sub("p={proof}", _NONCE.sub("r={nonce}", text))
    text = _BINDING.sub("{binding}", text)
    text = _PASSWORD.sub("<password>{password}</password>", text)
    text = _ID.sub("{id}", text)
    text = _OTR.sub(_describe_otr, text)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return _TOP.sub("\n", text) + "\n"


def _open_sasl(text: str) -> str:
    def opened(match: re.Match[str]) -> str:
        try:
            inside = base64.b64decode(match[3], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            inside = match[3]
        return match[1] + inside + match[4]

    return _SASL.sub(opened, text)


def _describe_otr(match: re.Match[str]) -> str:
    message = messages.decode(base64.b64decode(match[1], validate=True))
    name = re.sub("(?<!^)(?=[A-Z])", " ", type(message).__name__)
    if not isinstance(message, messages.DataMessage):
        return f"?OTR:{{{name}}}."
    head = message.head
    return f"?OTR:{{{name}, {len(head.encrypted)} bytes, flags {head.flags}}}."
