"""Which challenge of a form a person can answer, and which nobody should see."""

from xml.etree import ElementTree as ET

import pytest

from coykiosk.session.challenge import MAX_IMAGE_BYTES, Challenge, find_challenge
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.forms import read_form
from tests.session.puzzling import (
    PICTURE,
    bob,
    captcha_form,
    content_id,
    media,
    ocr,
)

QA = "<field var='qa' label='7 + 8?'><required/></field>"


def find(inside: str) -> Challenge | None:
    text = f"<query xmlns='jabber:iq:register'>{inside}</query>"
    query = ET.fromstring(text)  # noqa: S314 - our own words
    form = query.find("{jabber:x:data}x")
    assert form is not None
    return find_challenge(read_form(form), query)


def test_challenge_by_picture_is_found_with_its_picture() -> None:
    challenge = find(captcha_form(ocr()) + bob(PICTURE))

    assert challenge == Challenge("ocr", "Enter the text you see", PICTURE)
    assert "PNG" not in repr(challenge)


@pytest.mark.parametrize("var", ["ocr", "picture_q", "picture_recog"])
def test_challenge_of_each_kind_that_is_seen_is_found(var: str) -> None:
    field = ocr().replace("'ocr'", f"'{var}'")

    challenge = find(captcha_form(field) + bob(PICTURE))

    assert challenge is not None
    assert challenge.var == var


def test_challenge_by_question_is_found() -> None:
    assert find(captcha_form(QA)) == Challenge("qa", "7 + 8?", None)


def test_picture_comes_before_the_question() -> None:
    challenge = find(captcha_form(QA + ocr()) + bob(PICTURE))

    assert challenge is not None
    assert challenge.var == "ocr"


def test_question_is_taken_when_the_picture_cannot_be_shown() -> None:
    challenge = find(captcha_form(ocr() + QA))

    assert challenge is not None
    assert challenge.var == "qa"


def test_form_without_a_challenge_has_none() -> None:
    inside = "<x xmlns='jabber:x:data'><field var='username'/></x>"

    assert find(inside) is None


def field_with(uri: str, kind: str = "image/png") -> str:
    return f"<field var='ocr'>{media(uri, kind)}</field>"


CID = f"cid:{content_id(PICTURE)}"
LARGE = PICTURE + bytes(MAX_IMAGE_BYTES)
OTHER = content_id(b"another picture")


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(captcha_form(""), id="no challenge that is one"),
        pytest.param(captcha_form("<field var='ocr'/>"), id="no picture"),
        pytest.param(captcha_form(ocr()), id="picture not sent along"),
        pytest.param(
            captcha_form(field_with("https://practice.example/1.png")) + bob(PICTURE),
            id="picture by the web",
        ),
        pytest.param(
            captcha_form(field_with(CID, "image/gif")) + bob(PICTURE), id="other kind"
        ),
        pytest.param(
            captcha_form(field_with(f"cid:{OTHER}")) + bob(PICTURE, digest=OTHER),
            id="picture that is not what its name says",
        ),
        pytest.param(
            captcha_form(field_with("cid:md5+0@bob.xmpp.org"))
            + bob(PICTURE, digest="md5+0@bob.xmpp.org"),
            id="hash that proves nothing",
        ),
        pytest.param(
            captcha_form(field_with(f"cid:{content_id(LARGE)}")) + bob(LARGE),
            id="picture too large",
        ),
        pytest.param(
            captcha_form(field_with(f"cid:{content_id(b'')}")) + bob(b""),
            id="empty picture",
        ),
        pytest.param(
            captcha_form(ocr()) + bob(PICTURE).replace(">iVBO", ">!!!!"),
            id="no base64",
        ),
        pytest.param(captcha_form("<field var='qa'/>"), id="question without words"),
        pytest.param(captcha_form("<field var='audio_recog'/>"), id="sound"),
        pytest.param(captcha_form("<field var='SHA-256'/>"), id="work for a machine"),
    ],
)
def test_challenge_that_cannot_be_shown_is_told_as_such(inside: str) -> None:
    with pytest.raises(NegotiationError) as caught:
        find(inside)

    assert caught.value.reason is OpeningReason.NEEDS_CAPTCHA
    assert caught.value.condition == "no-picture"
