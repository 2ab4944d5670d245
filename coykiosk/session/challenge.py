"""What a server wants a person to answer before it makes an account (XEP-0158).

Rule: pure. A picture counts only if it came along in the same stanza (XEP-0231) and
is what its name says; nothing is ever fetched from an address that a server gives.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.forms import Field, Form

__all__ = ["Challenge", "find_challenge"]

MAX_IMAGE_BYTES: Final = 64 * 1024
CHALLENGE_LIFE_S: Final = 120.0
"""How long ejabberd waits for an answer (CAPTCHA_LIFETIME); others say nothing."""

_CAPTCHA_TYPE: Final = "urn:xmpp:captcha"
_DATA: Final = "{urn:xmpp:bob}data"  # XEP-0231
_CID_SCHEME: Final = "cid:"
_CID_HOST: Final = "bob.xmpp.org"
_HASHES: Final = {"sha1": "sha1", "sha-1": "sha1", "sha-256": "sha256"}
_PNG: Final = "image/png"

# XEP-0158, section 8.2: the fields of a challenge. In these a person types what a
# picture shows, or the answer to a question; the others are for sounds, films and
# machines.
_BY_EYE: Final = ("ocr", "picture_q", "picture_recog")
_BY_MIND: Final = ("qa",)
_OTHERS: Final = frozenset(
    {
        *("SHA-256", "audio_recog", "speech_q", "speech_recog"),
        *("video_q", "video_recog"),
    }
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge that a person can answer."""

    var: str
    """The field that the answer goes into; never the name's or the password's."""
    question: str
    """The server's words."""
    image: bytes | None = field(repr=False)
    """A PNG, as it came: not to be trusted."""


def find_challenge(form: Form, query: ET.Element) -> Challenge | None:
    """Return what a person must answer in this form; None when there is nothing.

    Args:
        form: The form inside `query`.
        query: What may carry the picture.

    Raises:
        NegotiationError: NEEDS_CAPTCHA: there is only what we cannot show.
    """
    fields = form.fields
    for var in _BY_EYE:
        if var in fields:
            image = _image_of(fields[var], query)
            if image is not None:
                return Challenge(var, _question(fields[var]), image)
    for var in _BY_MIND:
        if var in fields and fields[var].label.strip():
            return Challenge(var, _question(fields[var]), None)
    known = {*_BY_EYE, *_BY_MIND, *_OTHERS} & fields.keys()
    if known or form.value("FORM_TYPE") == _CAPTCHA_TYPE or _has_media(form):
        raise NegotiationError(OpeningReason.NEEDS_CAPTCHA, "no-picture")
    return None


def _question(asked: Field) -> str:
    return asked.label.strip()


def _has_media(form: Form) -> bool:
    return any(each.media for each in form.fields.values())


def _image_of(asked: Field, query: ET.Element) -> bytes | None:
    for kind, uri in asked.media:
        if kind == _PNG and uri.startswith(_CID_SCHEME):
            cid = uri.removeprefix(_CID_SCHEME)
            for data in query.iter(_DATA):
                if data.get("cid") == cid:
                    return _checked(cid, data.text or "")
    return None


def _checked(cid: str, text: str) -> bytes | None:
    """Return the bytes that a content id names; None when these are others."""
    name, _, host = cid.partition("@")
    method, _, digest = name.partition("+")
    if host != _CID_HOST or method not in _HASHES:
        return None
    try:
        image = base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return None
    found = hashlib.new(_HASHES[method], image, usedforsecurity=False).hexdigest()
    is_it = found == digest.lower() and 0 < len(image) <= MAX_IMAGE_BYTES
    return image if is_it else None
