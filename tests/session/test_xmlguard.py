from collections.abc import Iterable
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.session.xmlguard import (
    POST_AUTH_LIMITS,
    PRE_AUTH_LIMITS,
    Limits,
    XmlRefusedError,
)
from coykiosk.session.xmlreader import XmlReader

HEAD = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' from='a.example'>"
)
SMALL = Limits(stanza_bytes=200, depth=6, attributes=4, elements=8)


def read_all(
    chunks: Iterable[bytes], limits: Limits = SMALL
) -> tuple[list[str], str, bool]:
    """Return the stanzas as text, the refusal if any, and whether it ended."""
    reader = XmlReader(limits)
    stanzas = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (stanza := reader.next_stanza()) is not None:
                stanzas.append(ET.tostring(stanza, encoding="unicode"))
    except XmlRefusedError as error:
        return stanzas, str(error), reader.is_ended
    return stanzas, "", reader.is_ended


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", "document type", id="DOCTYPE"),
        pytest.param(b"<m><!ENTITY b 'c'></m>", "document type", id="ENTITY inside"),
        pytest.param(b"<m><!-- x --></m>", "document type", id="comment"),
        pytest.param(b"<!-- x -->", "document type", id="comment between"),
        pytest.param(b"<![CDATA[x]]>", "document type", id="CDATA between stanzas"),
        pytest.param(b"<?php x ?>", "processing", id="PI between"),
        pytest.param(b"<m><?php x ?></m>", "processing", id="PI inside"),
        pytest.param(b"<?xml version='1.0'?>", "processing", id="second declaration"),
        pytest.param(b"<m>&b;</m>", "well-formed", id="unknown entity"),
        pytest.param(b"text", "text between", id="text between stanzas"),
        pytest.param(b"\xef\xbb\xbf<m/>", "text between", id="BOM between stanzas"),
        pytest.param(b"<m>\xff</m>", "UTF-8", id="invalid UTF-8"),
        pytest.param(b"<m>\xc0\xbc</m>", "UTF-8", id="overlong UTF-8"),
        pytest.param(b"<m>\xed\xa0\x80</m>", "UTF-8", id="surrogate"),
        pytest.param(b"<m a='\xc3'/>", "UTF-8", id="cut character in attribute"),
        pytest.param(b"<m>\x00</m>", "control", id="NUL"),
        pytest.param(b"<m>\x0b</m>", "control", id="vertical tab"),
        pytest.param(b"<m>&#0;</m>", "well-formed", id="NUL by reference"),
        pytest.param(b"<m>" + b"x" * 194 + b"</m>", "too large", id="one byte more"),
        pytest.param(b"<m a='" + b"x" * 300, "too large", id="endless attribute"),
        pytest.param(b"<" + b"m" * 300, "too large", id="endless name"),
        pytest.param(b"<m><![CDATA[" + b"x" * 300, "too large", id="endless CDATA"),
        pytest.param(b"<a><b><c><d><e><f>", "too deep", id="too deep"),
        pytest.param(
            b"<m a='' b='' c='' d='' e=''/>", "too many attr", id="attributes"
        ),
        pytest.param(b"<m>" + b"<a/>" * 9 + b"</m>", "too many el", id="elements"),
        pytest.param(b"<m></n>", "well-formed", id="wrong end tag"),
        pytest.param(b"<m a='<'/>", "well-formed", id="less-than in attribute"),
        pytest.param(b"<m <n/>", "well-formed", id="less-than in tag"),
        pytest.param(b"<m a=1/>", "well-formed", id="unquoted"),
        pytest.param(b"< m/>", "well-formed", id="blank before name"),
        pytest.param(b"<x:m/>", "well-formed", id="unbound prefix"),
    ],
)
def test_reader_refuses_what_is_hostile_and_keeps_what_came_before(
    body: bytes, reason: str
) -> None:
    data = HEAD + b"<ok/>" + body

    stanzas, refusal, _ = read_all([data])

    assert len(stanzas) == 1
    assert reason in refusal
    assert read_all(bytewise(data)) == read_all([data])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<?xml version='1.1'?>" + HEAD[21:], id="version 1.1"),
        pytest.param(
            b"<?xml version='1.0' encoding='ISO-8859-1'?>" + HEAD[21:], id="Latin 1"
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='UTF-16'?>" + HEAD[21:], id="UTF-16"
        ),
        pytest.param(b"<?xml " + b" " * 300, id="endless declaration"),
        pytest.param(HEAD[:21] + b"<html>", id="not a stream"),
        pytest.param(HEAD[:-1] + b"/>", id="empty stream"),
        pytest.param(b"</stream:stream>", id="ends before it begins"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", id="a TLS alert"),
        pytest.param(HEAD.decode().encode("utf-16"), id="in UTF-16"),
    ],
)
def test_reader_refuses_what_is_no_stream(data: bytes) -> None:
    stanzas, refusal, _ = read_all([data])

    assert stanzas == []
    assert refusal
    assert read_all(bytewise(data)) == ([], refusal, False)


def test_reader_takes_everything_that_is_allowed() -> None:
    body = (
        b" \n<a/> <b c='>' d=\"'\">&lt;&#228;\xc3\xa4</b>"
        b"<m><![CDATA[<x>]]]]></m>\n</stream:stream>"
    )

    stanzas, refusal, is_ended = read_all([HEAD + body])

    assert [text.rpartition("</")[0].rpartition(">")[2] for text in stanzas] == [
        "",
        "&lt;ää",
        "&lt;x&gt;]]",
    ]
    assert refusal == ""
    assert is_ended


def test_reader_takes_a_stanza_of_exactly_the_limit() -> None:
    stanza = b"<m>" + b"x" * 193 + b"</m>"

    stanzas, refusal, _ = read_all([HEAD + stanza * 3])

    assert (len(stanza), len(stanzas), refusal) == (200, 3, "")


def test_reader_takes_any_amount_of_keepalive() -> None:
    stanzas, refusal, _ = read_all([HEAD + b" " * 100_000 + b"<a/>"])

    assert (len(stanzas), refusal) == (1, "")


def test_reader_forgets_the_stanzas_it_has_given() -> None:
    reader = XmlReader(SMALL)
    reader.feed(HEAD + b"<a/>" * 1000)

    while reader.next_stanza() is not None:
        pass

    assert reader.head is not None
    assert len(reader.head) == 0
    assert reader.head.get("from") == "a.example"
    assert reader.is_empty


def test_limits_are_tighter_before_the_login() -> None:
    assert PRE_AUTH_LIMITS.stanza_bytes == 128 * 1024
    assert POST_AUTH_LIMITS.stanza_bytes == 256 * 1024


_FRAGMENTS = st.sampled_from(
    [
        b"<m>",
        b"</m>",
        b"<a b='c'/>",
        b'<m c="\'">',
        b"<![CDATA[",
        b"]]>",
        b"<!",
        b"<?",
        b"-->",
        b"'",
        b"/",
        b">",
        b" ",
        b"x" * 50,
        b"\xc3\xa4",
        b"\xc3",
        b"\x00",
        b"&amp;",
        b"&x;",
        b"</stream:stream>",
    ]
)


@settings(max_examples=400, deadline=None)  # the machine may be busy
@given(st.lists(_FRAGMENTS, max_size=14), st.data())
def test_reader_gives_the_same_however_the_bytes_are_cut(
    fragments: list[bytes], data: st.DataObject
) -> None:
    stream = HEAD + b"".join(fragments)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10).map(sorted))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]

    whole = read_all([stream])

    assert read_all(chunks) == whole
    assert read_all(bytewise(stream)) == whole


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_reader_never_fails_in_another_way_than_by_refusing(noise: bytes) -> None:
    read_all([HEAD, noise])
    read_all([noise])


@pytest.mark.parametrize(
    ("limits", "is_taken"), [(POST_AUTH_LIMITS, True), (SMALL, False)]
)
def test_reader_weighs_what_was_not_taken_by_the_limits_that_hold_then(
    limits: Limits, *, is_taken: bool
) -> None:
    reader = XmlReader(PRE_AUTH_LIMITS if limits is SMALL else SMALL)
    reader.feed(HEAD + b"<m/>")
    reader.next_stanza()
    reader.feed(b"<m>" + b"x" * 300 + b"</m>")

    reader.set_limits(limits)

    if is_taken:
        stanza = reader.next_stanza()
        assert stanza is not None
        assert stanza.text == "x" * 300
    else:
        with pytest.raises(XmlRefusedError, match="too large"):
            reader.next_stanza()
