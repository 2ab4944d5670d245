"""A server that a person names, and invitations of every kind they may be given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.door import DoorFault, DoorRefusedError, read_door, server_behind
from coykiosk.register.records import Registration, TlsMode
from coykiosk.values import Door

ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"
TOKEN = "TJwtVb0lZ-6_A1.x"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("text", "door"),
    [
        pytest.param("example.org", Door("example.org", None, ""), id="server"),
        pytest.param("  Example.ORG.\n", Door("example.org", None, ""), id="untidy"),
        pytest.param(
            "bücher.example", Door("xn--bcher-kva.example", None, ""), id="letters"
        ),
        pytest.param(
            f"example.org {ONION}", Door("example.org", ONION, ""), id="with its onion"
        ),
        pytest.param(
            f"{ONION.upper()}\nexample.org",
            Door("example.org", ONION, ""),
            id="the other way round",
        ),
        pytest.param(ONION, Door(ONION, None, ""), id="onion alone"),
        pytest.param(
            f"xmpp:example.org?register;preauth={TOKEN}",
            Door("example.org", None, TOKEN),
            id="invitation",
        ),
        pytest.param(
            f"XMPP:anna@example.org?register;preauth={TOKEN};name=Anna%20B",
            Door("example.org", None, TOKEN),
            id="invitation that suggests a name",
        ),
        pytest.param(
            f"xmpp:bob@example.org?roster;preauth={TOKEN};ibr=y",
            Door("example.org", None, TOKEN),
            id="invitation of a contact",
        ),
        pytest.param(
            "xmpp:b%C3%BCcher.example?register;preauth=a%2Bb%3D%3D#top",
            Door("xn--bcher-kva.example", None, "a+b=="),
            id="percent signs",
        ),
        pytest.param(
            f"xmpp:{ONION}?register;preauth={TOKEN}",
            Door(ONION, None, TOKEN),
            id="invitation to an onion",
        ),
    ],
)
def test_door_is_read_from_what_people_type_and_paste(text: str, door: Door) -> None:
    assert read_door(text) == door


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", DoorFault.NOTHING, id="nothing"),
        pytest.param(" \n", DoorFault.NOTHING, id="blanks"),
        pytest.param("x" * 2001, DoorFault.NOTHING, id="far too much"),
        pytest.param("example", DoorFault.NO_SERVER, id="no dot"),
        pytest.param("anna@example.org", DoorFault.NO_SERVER, id="an address"),
        pytest.param("127.0.0.1", DoorFault.NO_SERVER, id="a number"),
        pytest.param("exa mple.org", DoorFault.NO_SERVER, id="two words"),
        pytest.param("a.example b.example c", DoorFault.NO_SERVER, id="three words"),
        pytest.param("a.example:5222", DoorFault.NO_SERVER, id="with a port"),
        pytest.param("-a.example", DoorFault.NO_SERVER, id="no name"),
        pytest.param(f"x{ONION[1:]}", DoorFault.ONION_MISCOPIED, id="onion miscopied"),
        pytest.param(
            f"example.org x{ONION[1:]}", DoorFault.ONION_MISCOPIED, id="its onion too"
        ),
        pytest.param("abc.onion", DoorFault.ONION_MISCOPIED, id="old onion"),
        pytest.param(
            f"https://example.org/invite#{TOKEN}", DoorFault.WEB_PAGE, id="web page"
        ),
        pytest.param("xmpp:bob@example.org", DoorFault.NO_TOKEN, id="an address"),
        pytest.param("xmpp:example.org?register", DoorFault.NO_TOKEN, id="no token"),
        pytest.param(
            f"xmpp:bob@example.org?roster;preauth={TOKEN}",
            DoorFault.NO_TOKEN,
            id="for those who have an account",
        ),
        pytest.param(
            f"xmpp:room@example.org?join;preauth={TOKEN}",
            DoorFault.NO_TOKEN,
            id="to a room",
        ),
        pytest.param(
            "xmpp:example.org?register;preauth=a'b", DoorFault.NO_TOKEN, id="odd token"
        ),
        pytest.param(
            f"xmpp:?register;preauth={TOKEN}", DoorFault.NO_SERVER, id="to nowhere"
        ),
    ],
)
def test_door_is_refused_with_what_is_wrong(text: str, fault: DoorFault) -> None:
    with pytest.raises(DoorRefusedError) as caught:
        read_door(text)

    assert caught.value.fault is fault


@given(st.text() | st.from_regex(r"xmpp:[\w@%.]*\?(register|roster)(;\w+=[\w%]*)*"))
def test_door_is_read_or_refused_whatever_is_typed(text: str) -> None:
    try:
        door = read_door(text)
    except DoorRefusedError:
        return
    assert door.domain == door.domain.lower()
    assert " " not in door.domain
    assert door.token.isascii()


def test_door_does_not_show_the_invitation() -> None:
    assert "secret" not in repr(Door("example.org", None, "secret"))
    assert "secret" not in repr(server_behind(Door("example.org", None, "secret")))


def test_server_whose_onion_is_known_is_never_reached_by_an_exit() -> None:
    server = server_behind(Door("example.org", ONION, ""))

    [route] = server.routes()

    assert (route.host, route.domain, route.is_onion) == (ONION, "example.org", True)
    assert route.registration is Registration.UNKNOWN


def test_server_without_an_onion_is_reached_by_its_name_with_the_invitation() -> None:
    [route] = server_behind(Door("example.org", None, "t")).routes()

    assert (route.host, route.port, route.tls) == (
        "example.org",
        5222,
        TlsMode.STARTTLS,
    )
    assert route.token == "t"  # noqa: S105 - nobody's


def test_server_that_is_an_onion_is_reached_there() -> None:
    [route] = server_behind(Door(ONION, None, "")).routes()

    assert route.is_onion
    assert route.domain == ONION
