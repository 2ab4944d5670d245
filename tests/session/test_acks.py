"""Counting what has arrived: the counts of XEP-0198, both ways."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.session.acks import MAX_UNTAKEN, Acks, AcksBrokenError
from coykiosk.session.wire import ACKS

ASK = f"<r xmlns='{ACKS}'/>"


def element(name: str, **attributes: str) -> ET.Element:
    return ET.Element("{" + ACKS + "}" + name, attributes)


def ack(count: object) -> ET.Element:
    return element("a", h=str(count))


def counting() -> Acks:
    acks = Acks()
    acks.enable()
    acks.take(element("enabled"))
    return acks


def test_nothing_is_counted_before_it_is_asked_for() -> None:
    acks = Acks()

    assert acks.sent("1") == ""
    assert not acks.are_expected
    assert acks.take(element("r")) == ("", ())
    assert acks.take(ack(1)) == ("", ())
    assert acks.count() == ""


def test_messages_are_counted_with_everything_else_and_asked_about() -> None:
    acks = counting()

    questions = [acks.sent(each) for each in (None, "1", None, "2")]
    answers = [acks.take(ack(count)) for count in (1, 3, 4)]

    assert questions == ["", ASK, "", ASK]
    assert answers == [("", ()), ("", ("1",)), ("", ("2",))]


def test_what_is_sent_before_the_server_agrees_is_counted_too() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1")
    acks.take(element("enabled"))

    assert acks.take(ack(1)) == ("", ("1",))


def test_all_counts_as_sent_when_the_server_cannot_count() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1")

    assert acks.take(element("failed")) == ("", ("1",))
    assert not acks.are_expected
    assert acks.sent("2") == ""


def test_stanzas_of_the_server_are_counted_from_its_agreement_on() -> None:
    acks = Acks()
    stanzas = [ET.Element("{jabber:client}" + name) for name in ("message", "iq")]
    other = ET.Element("{http://etherx.jabber.org/streams}features")
    acks.enable()
    for each in stanzas:
        acks.received(each)
    acks.take(element("enabled"))
    for each in (*stanzas, other):
        acks.received(each)

    assert acks.take(element("r")) == (f"<a xmlns='{ACKS}' h='2'/>", ())


@pytest.mark.parametrize(
    "count",
    ["2", "4294967295", "4294967296", "-1", "", "x", "1.0", "+1", "٣", "9" * 5000],
)
def test_count_that_cannot_be_is_refused(count: str) -> None:
    acks = counting()
    acks.sent("1")

    with pytest.raises(AcksBrokenError):
        acks.take(ack(count))


def test_count_that_goes_back_is_refused() -> None:
    acks = counting()
    for each in ("1", "2"):
        acks.sent(each)
    acks.take(ack(2))

    with pytest.raises(AcksBrokenError):
        acks.take(ack(1))


def test_counts_wrap_around() -> None:
    acks = counting()
    acks._n_taken = acks._n_received = (1 << 32) - 1
    acks.sent("1")
    acks.sent("2")
    acks.received(ET.Element("{jabber:client}message"))

    assert acks.take(ack(1)) == ("", ("1", "2"))
    assert acks.count() == f"<a xmlns='{ACKS}' h='0'/>"


def test_server_that_never_counts_is_noticed() -> None:
    acks = counting()
    for _ in range(MAX_UNTAKEN):
        acks.sent(None)

    with pytest.raises(AcksBrokenError):
        acks.sent(None)


def test_other_elements_are_nothing_to_the_counts() -> None:
    acks = counting()

    assert acks.is_ours(element("anything"))
    assert not acks.is_ours(ET.Element("{jabber:client}message"))
    assert acks.take(element("enabled")) == ("", ())
    assert acks.take(element("anything")) == ("", ())


@given(st.lists(st.one_of(st.booleans(), st.integers(0, 3)), max_size=60))
def test_every_message_is_taken_once_and_in_order(steps: list[bool | int]) -> None:
    """True sends a message, False another stanza; a number lets so many be taken."""
    acks = counting()
    sent: list[str] = []
    taken: list[str] = []
    n_sent = n_taken = 0
    for step in steps:
        if isinstance(step, bool):
            n_sent += 1
            if step:
                sent.append(str(n_sent))
            acks.sent(str(n_sent) if step else None)
        else:
            n_taken = min(n_sent, n_taken + step)
            taken += acks.take(ack(n_taken))[1]

    taken += acks.take(ack(n_sent))[1]

    assert taken == sent
