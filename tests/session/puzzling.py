"""A server that makes accounts for people only: XEP-0158 as ejabberd does it."""

import base64
import hashlib
import re
from dataclasses import dataclass, field

from tests.picture.making_png import png
from tests.session.pure_server import form_reply, stanza_error

PICTURE = png(6, [b"\0\xff\0\xff\0\xff", b"\xff\0\xff\0\xff\0"])
ANSWER = "87654"


def bob(image: bytes, *, kind: str = "image/png", digest: str | None = None) -> str:
    """The data of a picture (XEP-0231)."""
    content = base64.b64encode(image).decode()
    cid = digest or content_id(image)
    return f"<data xmlns='urn:xmpp:bob' cid='{cid}' type='{kind}'>{content}</data>"


def content_id(image: bytes) -> str:
    digest = hashlib.sha1(image, usedforsecurity=False).hexdigest()
    return f"sha1+{digest}@bob.xmpp.org"


def media(uri: str, kind: str = "image/png") -> str:
    space = "urn:xmpp:media-element"
    return f"<media xmlns='{space}'><uri type='{kind}'>{uri}</uri></media>"


def captcha_form(inside: str) -> str:
    """The form of ejabberd 23.01, with these fields for the challenge."""
    return (
        "<x xmlns='jabber:x:data' type='form'>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:captcha</value></field>"
        "<field var='username' type='text-single' label='User'><required/></field>"
        "<field var='password' type='text-private' label='Password'><required/></field>"
        "<field var='captcha-fallback-text' type='fixed'><value>see</value></field>"
        "<field var='captcha-fallback-url' type='hidden'>"
        "<value>https://practice.example/captcha/1</value></field>"
        "<field var='from' type='hidden'><value>practice.example</value></field>"
        "<field var='challenge' type='hidden'><value>0815</value></field>"
        "<field var='sid' type='hidden'><value></value></field>"
        f"{inside}</x>"
    )


def ocr(image: bytes = PICTURE) -> str:
    """The field of a challenge by picture."""
    shown = media(f"cid:{content_id(image)}")
    label = "Enter the text you see"
    return f"<field var='ocr' label='{label}'>{shown}<required/></field>"


@dataclass
class PuzzleMaster:
    """Give `take` to a `PureServer` as its `on_register`."""

    answer: str = ANSWER
    refusal: str = "not-allowed"
    form: str = captcha_form(ocr()) + bob(PICTURE)
    n_shown: int = 0
    tried: list[str] = field(default_factory=list)
    """The answers that came."""
    filled: list[str] = field(default_factory=list)
    """Every request for an account, whole."""

    def take(self, stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            self.n_shown += 1
            return form_reply(stanza_id, self.form)
        self.filled.append(text)
        found = re.search("<field var='(?:ocr|qa)'><value>([^<]*)", text)
        if found is None:
            return stanza_error(stanza_id, self.refusal)
        self.tried.append(found.group(1))
        right = found.group(1) == self.answer
        return None if right else stanza_error(stanza_id, self.refusal)
