import logging
import re
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import Jid
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session import stanzas
from coykiosk.session.inbound import (
    Inbound,
    MessageError,
    MessageIn,
    PresenceIn,
    RosterItem,
    RosterReceived,
    SubscriptionAsked,
)
from coykiosk.session.stanzas import Iq, StanzaBase, tostring

US = Jid("me", "a.example", "here")
BOB = Jid("bob", "b.example", "phone")


def stanza(text: str) -> StanzaBase:
    xml = ET.fromstring(text.replace(" ", " xmlns='jabber:client' ", 1))  # noqa: S314 - our own words
    return StanzaBase(xml=xml)


def message(text: str) -> Inbound | None:
    return stanzas.read_message(stanza(text), US.bare)


# --- importing slixmpp --------------------------------------------------------------------


def test_importing_slixmpp_prints_nothing_and_loads_no_resolver() -> None:
    script = (
        "import coykiosk.session.stream, sys;"
        "print([m for m in ('aiodns', 'pycares', 'dns') if sys.modules.get(m)])"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert done.stdout == "[]\n"
    assert done.stderr == ""


@pytest.mark.hostile("G40")
def test_slixmpp_logs_nothing_whatever_happens(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logging.getLogger("slixmpp.xmlstream.xmlstream").critical("secret words")

    assert capfd.readouterr() == ("", "")


# --- messages in ----------------------------------------------------------------------------


def test_read_message_gives_what_a_person_wrote() -> None:
    value = message(
        "<message type='chat' from='Bob@B.example/phone' id='7'>"
        "<body>?OTR:AAMD</body></message>"
    )

    assert value == MessageIn(BOB, "?OTR:AAMD", "7", delayed=False, is_copy=False)


@pytest.mark.parametrize(
    "delay",
    [
        "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>",
        "<x xmlns='jabber:x:delay' stamp='20200101T00:00:00'/>",
    ],
)
def test_read_message_tells_that_it_was_stored_on_the_way(delay: str) -> None:
    value = message(f"<message from='bob@b.example'><body>x</body>{delay}</message>")

    assert isinstance(value, MessageIn)
    assert value.delayed


INNER = (
    "<forwarded xmlns='urn:xmpp:forward:0'>"
    "<message xmlns='jabber:client' from='eve@e.example'><body>forged</body></message>"
    "</forwarded>"
)


@pytest.mark.hostile("G39")
@pytest.mark.parametrize(
    "wrapper",
    [
        f"<received xmlns='urn:xmpp:carbons:2'>{INNER}</received>",
        f"<sent xmlns='urn:xmpp:carbons:2'>{INNER}</sent>",
        f"<result xmlns='urn:xmpp:mam:2' id='1'>{INNER}</result>",
        INNER,
    ],
)
def test_read_message_shows_nothing_of_a_copy_whoever_sends_it(wrapper: str) -> None:
    """Copies were forged by strangers before (CVE-2017-5589)."""
    value = message(
        f"<message from='bob@b.example'><body>outer</body>{wrapper}</message>"
    )

    assert isinstance(value, MessageIn)
    assert value.is_copy
    assert value.body == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "<message type='groupchat' from='r@c.example/n'><body>x</body></message>",
            id="groupchat",
        ),
        pytest.param(
            "<message type='headline' from='b.example'><body>x</body></message>",
            id="headline",
        ),
        pytest.param(
            "<message type='made-up' from='b.example'><body>x</body></message>",
            id="unknown type",
        ),
        pytest.param(
            "<message from='bob@b.example'>"
            "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            id="no text",
        ),
        pytest.param("<message from='bob@b.example'><body/></message>", id="empty"),
        pytest.param("<message from='@'><body>x</body></message>", id="no address"),
        pytest.param("<message from=''><body>x</body></message>", id="empty address"),
        pytest.param(
            "<message from='bob@b.example'><body>"
            + "x" * 131_073
            + "</body></message>",
            id="endless",
        ),
    ],
)
def test_read_message_gives_nothing(text: str) -> None:
    assert message(text) is None


def test_read_message_drops_an_endless_id() -> None:
    value = message(
        f"<message from='bob@b.example' id='{'i' * 300}'><body>x</body></message>"
    )

    assert isinstance(value, MessageIn)
    assert value.message_id == ""


def test_read_message_takes_one_without_sender_for_our_own_accounts() -> None:
    """RFC 6120, section 8.1.2.1."""
    value = message("<message type='chat'><body>x</body></message>")

    assert isinstance(value, MessageIn)
    assert value.sender == US.bare


def test_read_message_tells_that_one_of_ours_came_back() -> None:
    ns = "urn:ietf:params:xml:ns:xmpp-stanzas"
    value = message(
        "<message type='error' from='bob@b.example' id='9'><body>?OTR:</body>"
        f"<error type='cancel'><service-unavailable xmlns='{ns}'/>"
        f"<text xmlns='{ns}'>{'t' * 900}</text></error></message>"
    )

    assert isinstance(value, MessageError)
    assert (value.sender, value.message_id) == (BOB.bare, "9")
    assert value.condition == "service-unavailable"
    assert value.text == "t" * 500


@pytest.mark.hostile("G40")
def test_message_in_shows_no_body_in_its_repr() -> None:
    value = message("<message from='bob@b.example'><body>private</body></message>")

    assert "private" not in repr(value)


# --- presence and roster in -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<presence from='bob@b.example/phone'/>", PresenceIn(BOB, available=True)),
        (
            "<presence from='bob@b.example/phone' type='unavailable'/>",
            PresenceIn(BOB, available=False),
        ),
        (
            "<presence from='bob@b.example' type='subscribe'><status>x</status></presence>",
            SubscriptionAsked(BOB.bare),
        ),
        ("<presence from='bob@b.example' type='subscribed'/>", None),
        ("<presence from='bob@b.example' type='probe'/>", None),
        ("<presence from='bob@b.example' type='error'/>", None),
        ("<presence from='b@@b'/>", None),
    ],
)
def test_read_presence(text: str, expected: Inbound | None) -> None:
    assert stanzas.read_presence(stanza(text), US.bare) == expected


ROSTER = (
    "<query xmlns='jabber:iq:roster'>"
    "<item jid='Bob@b.example/x' name='B' subscription='both'/>"
    "<item jid='no@@jid'/><item jid='c@c.example' subscription='made-up'/>"
    "<item jid='d@d.example'/></query>"
)


def test_read_roster_keeps_what_is_well_formed() -> None:
    value = stanzas.read_roster(
        stanza(f"<iq type='result'>{ROSTER}</iq>"), US, is_push=False
    )

    assert value == RosterReceived(
        (
            RosterItem(BOB.bare, "B", "both"),
            RosterItem(Jid("d", "d.example"), "", "none"),
        ),
        is_push=False,
    )


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param("type='set'", True, id="no sender"),
        pytest.param("type='set' from='me@a.example'", True, id="our account"),
        pytest.param("type='set' from='eve@e.example/x'", False, id="stranger"),
        pytest.param("type='set' from='a.example'", False, id="the domain"),
        pytest.param("type='set' from='me@a.example/x'", False, id="own resource"),
        pytest.param("type='get'", False, id="a question"),
    ],
)
def test_roster_push_is_believed_from_our_account_only(
    attributes: str, expected: bool
) -> None:
    """RFC 6121, section 2.1.6."""
    push = stanza(f"<iq {attributes} id='1'>{ROSTER}</iq>")

    assert stanzas.is_roster_push(push, US) is expected


# --- going out --------------------------------------------------------------------------------------


def serialised(item: StanzaBase) -> str:
    text = tostring(item.xml, xmlns="jabber:client", top_level=True)
    assert isinstance(text, str)
    return text


@pytest.mark.hostile("G37", "G39")
def test_chat_message_carries_the_hints_and_nothing_else() -> None:
    item = stanzas.chat_message(BOB, "?OTR:AAMD", message_id="7")

    xml = ET.fromstring(serialised(item))  # noqa: S314 - our own words
    assert xml.attrib == {"type": "chat", "to": "bob@b.example/phone", "id": "7"}
    assert [child.tag for child in xml] == [
        "body",
        "{urn:xmpp:eme:0}encryption",
        "{urn:xmpp:hints}no-store",
        "{urn:xmpp:hints}no-copy",
        "{urn:xmpp:carbons:2}private",
    ]
    assert xml[1].get("namespace") == "urn:xmpp:otr:0"
    assert xml[0].text == "?OTR:AAMD"


@pytest.mark.hostile("G27")
@pytest.mark.parametrize("body", ["hello", "", " ?OTR:", "?otr:"])
def test_chat_message_cannot_be_made_in_clear(body: str) -> None:
    with pytest.raises(AssertionError):
        stanzas.chat_message(BOB, body, message_id="7")


def test_chat_message_leaves_out_what_xml_cannot_carry() -> None:
    item = stanzas.chat_message(BOB, "?OTR:\x00\x1b\ufffe<&\ud800", message_id="7")

    body = re.search("<body[^>]*>(.*)</body>", serialised(item))
    assert body is not None
    assert body.group(1) == "?OTR:&lt;&amp;"


def test_chat_message_refuses_what_is_no_address() -> None:
    with pytest.raises(UserError) as caught:
        stanzas.chat_message(Jid("a b", "c..d"), "?OTR:", message_id="7")

    assert caught.value.code is ErrorCode.ADDRESS_BAD


def test_iq_error_tells_no_more_than_a_server_says_of_someone_who_is_away() -> None:
    request = stanza(
        "<iq type='get' id='q' from='eve@e.example/x'>"
        "<query xmlns='jabber:iq:version'/></iq>"
    )

    text = serialised(stanzas.iq_error(request))

    xml = ET.fromstring(text)  # noqa: S314 - our own words
    assert xml.attrib == {"type": "error", "id": "q", "to": "eve@e.example/x"}
    assert [child.tag for child in xml.iter()] == [
        "iq",
        "error",
        "{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable",
    ]


@pytest.mark.parametrize("make", [stanzas.iq_error, stanzas.iq_result])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("", None, id="none"),
        pytest.param("id=''", "", id="empty"),
        pytest.param("id='0'", "0", id="zero"),
        pytest.param("id='&lt;&#228;&apos;'", "<ä'", id="odd"),
    ],
)
def test_answer_has_the_id_of_its_request_and_none_of_its_own(
    make: Callable[[StanzaBase], Iq], given: str, expected: str | None
) -> None:
    """slixmpp would put "0" where there is none, and so tell that it is slixmpp."""
    request = stanza(f"<iq type='get' {given} from='eve@e.example/x'/>")

    text = serialised(make(request))

    assert ET.fromstring(text).get("id") == expected  # noqa: S314 - our own words
