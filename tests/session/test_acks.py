"""Counting what has arrived: the counts of XEP-0198, both ways."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.session.acks import (
    MAX_ID_BYTES,
    MAX_UNTAKEN,
    Acks,
    AcksBrokenError,
)
from coykiosk.session.wire import ACKS

ASK = f"<r xmlns='{ACKS}'/>"
TEXT = "<iq/>"


def element(name: str, **attributes: str) -> ET.Element:
    return ET.Element("{" + ACKS + "}" + name, attributes)


def ack(count: object) -> ET.Element:
    return element("a", h=str(count))


def counting() -> Acks:
    acks = Acks()
    acks.enable()
    acks.take(element("enabled"))
    return acks


def resumable(**attributes: str) -> Acks:
    acks = Acks()
    acks.enable()
    acks.take(element("enabled", **{"resume": "true", "id": "prev", **attributes}))
    return acks


def test_nothing_is_counted_before_it_is_asked_for() -> None:
    acks = Acks()

    assert acks.sent("1", TEXT) == ""
    assert not acks.are_expected
    assert acks.take(element("r")) == ("", ())
    assert acks.take(ack(1)) == ("", ())
    assert acks.count() == ""


def test_messages_are_counted_with_everything_else_and_asked_about() -> None:
    acks = counting()

    questions = [acks.sent(each, TEXT) for each in (None, "1", None, "2")]
    answers = [acks.take(ack(count)) for count in (1, 3, 4)]

    assert questions == ["", ASK, "", ASK]
    assert answers == [("", ()), ("", ("1",)), ("", ("2",))]


def test_what_is_sent_before_the_server_agrees_is_counted_too() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1", TEXT)
    acks.take(element("enabled"))

    assert acks.take(ack(1)) == ("", ("1",))


def test_all_counts_as_sent_when_the_server_cannot_count() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1", TEXT)

    assert acks.take(element("failed")) == ("", ("1",))
    assert not acks.are_expected
    assert acks.sent("2", TEXT) == ""


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
    acks.sent("1", TEXT)

    with pytest.raises(AcksBrokenError):
        acks.take(ack(count))


def test_count_that_goes_back_is_refused() -> None:
    acks = counting()
    for each in ("1", "2"):
        acks.sent(each, TEXT)
    acks.take(ack(2))

    with pytest.raises(AcksBrokenError):
        acks.take(ack(1))


def test_counts_wrap_around() -> None:
    acks = counting()
    acks._n_taken = acks._n_received = (1 << 32) - 1
    acks.sent("1", TEXT)
    acks.sent("2", TEXT)
    acks.received(ET.Element("{jabber:client}message"))

    assert acks.take(ack(1)) == ("", ("1", "2"))
    assert acks.count() == f"<a xmlns='{ACKS}' h='0'/>"


def test_server_that_never_counts_is_noticed() -> None:
    acks = counting()
    for _ in range(MAX_UNTAKEN):
        acks.sent(None, TEXT)

    with pytest.raises(AcksBrokenError):
        acks.sent(None, TEXT)


def test_other_elements_are_nothing_to_the_counts() -> None:
    acks = counting()

    assert acks.is_ours(element("anything"))
    assert not acks.is_ours(ET.Element("{jabber:client}message"))
    assert acks.take(element("enabled")) == ("", ())
    assert acks.take(element("anything")) == ("", ())


# --- from one stream to the next ------------------------------------------------------


def test_counting_is_asked_for_together_with_resumption() -> None:
    assert Acks().enable() == f"<enable xmlns='{ACKS}' resume='true'/>"


def test_session_can_be_resumed_with_what_the_server_has_told() -> None:
    acks = resumable(id="a<'&\" b", max="300", location="evil.example:5222")
    acks.received(ET.Element("{jabber:client}message"))

    assert acks.is_resumable
    assert acks.max_s == 300
    request = ET.fromstring(acks.resume())  # noqa: S314 - our own words
    assert request.tag == "{" + ACKS + "}resume"
    assert request.attrib == {"previd": "a<'&\" b", "h": "1"}


@pytest.mark.parametrize("longest", ["", "-1", "x", "9" * 30, "1.5"])
def test_session_can_be_resumed_when_its_end_is_not_told(longest: str) -> None:
    acks = resumable(max=longest)

    assert acks.is_resumable
    assert acks.max_s is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"resume": "false"},
        {"resume": ""},
        {"id": ""},
        {"id": "x" * (MAX_ID_BYTES + 1)},
        {"id": "\N{EURO SIGN}" * 1334},
        {"id": "a\nb"},
        {"id": "a\tb"},
    ],
    ids=["no", "empty", "no id", "long id", "long in bytes", "line break", "tab"],
)
def test_session_cannot_be_resumed(attributes: dict[str, str]) -> None:
    acks = resumable(**attributes)
    acks.sent("1", TEXT)

    assert not acks.is_resumable
    assert not acks.is_whole
    assert acks.take(ack(1)) == ("", ("1",))


def test_session_cannot_be_resumed_before_the_server_agrees() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1", TEXT)

    assert not acks.is_resumable


def test_what_is_not_taken_goes_out_again_in_order_and_once_each_time() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1", "<a/>")
    acks.take(element("enabled", resume="1", id="prev"))
    for message_id, text in ((None, "<b/>"), ("2", "<c/>"), ("3", "<d/>")):
        acks.sent(message_id, text)

    first = acks.again()
    taken = acks.learn("1")
    second = acks.again()
    more = acks.learn("3")

    assert first == ["<a/>", "<b/>", "<c/>", f"<d/>{ASK}"]
    assert (taken, second) == (("1",), ["<b/>", "<c/>", f"<d/>{ASK}"])
    assert (more, acks.again()) == (("2",), [f"<d/>{ASK}"])


def test_nothing_goes_out_again_when_all_is_taken() -> None:
    acks = resumable()
    acks.sent("1", TEXT)
    acks.learn("1")

    assert acks.again() == []


def test_what_was_sent_again_is_counted_on() -> None:
    acks = resumable()
    for each in ("1", "2", "3"):
        acks.sent(each, TEXT)
    acks.learn("1")
    acks.again()
    acks.sent("4", TEXT)

    assert acks.take(ack(4)) == ("", ("2", "3", "4"))


def test_server_owes_an_answer_until_it_has_what_it_was_asked_about() -> None:
    acks = resumable()
    owed = [acks.owes_answer]
    for message_id in ("1", None, "2", None):
        acks.sent(message_id, TEXT)
    for count in ("1", "2", "3"):
        owed.append(acks.owes_answer)
        acks.learn(count)

    assert owed == [False, True, True, True]
    assert not acks.owes_answer


def test_forsaken_is_neither_sent_nor_told_of_and_the_count_goes_on() -> None:
    acks = resumable()
    for each in ("1", "2"):
        acks.sent(each, TEXT)
    acks.forsake()

    assert not acks.is_whole
    assert acks.learn("1") == ()
    assert acks.again() == []
    acks.sent("3", TEXT)
    assert acks.take(ack(2)) == ("", ("3",))


def test_no_more_is_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coykiosk.session.acks.MAX_KEPT_CHARS", 10)
    acks = resumable()
    acks.sent("1", "x" * 10)
    was_whole = acks.is_whole
    acks.sent("2", "y")
    is_whole = acks.is_whole
    taken = acks.learn("2")
    acks.sent("3", "z" * 10)
    has_room_again = acks.is_whole
    acks.forsake()
    acks.again()
    acks.sent("4", "z" * 10)

    assert (was_whole, is_whole) == (True, False)
    assert taken == ("1", "2")
    assert has_room_again
    assert acks.is_whole


def test_nothing_is_kept_when_the_server_does_not_resume() -> None:
    acks = Acks()
    acks.enable()
    acks.sent("1", TEXT)
    acks.take(element("enabled"))
    acks.sent("2", TEXT)

    assert [each.text for each in acks._untaken] == ["", ""]


def test_what_is_kept_is_shown_nowhere() -> None:
    acks = resumable()
    acks.sent("1", "?OTR:secret")

    assert "secret" not in repr(acks._untaken)


# --- in the long run ------------------------------------------------------------------


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
            acks.sent(str(n_sent) if step else None, TEXT)
        else:
            n_taken = min(n_sent, n_taken + step)
            taken += acks.take(ack(n_taken))[1]

    taken += acks.take(ack(n_sent))[1]

    assert taken == sent
