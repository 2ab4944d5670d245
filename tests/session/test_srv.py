"""SRV questions and answers as bytes: what is asked, and what is believed."""

from itertools import pairwise

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.records import TlsMode
from coykiosk.session.srv import (
    MAX_ALIASES,
    MAX_ANSWER_BYTES,
    MAX_RECORDS,
    Inquiry,
    Question,
    SrvRefusedError,
    read_answer,
)
from coykiosk.session.targets import Answer, Target
from tests.support.chance import seeded
from tests.support.dns_server import LIES, framed, srv

DOMAIN = "chat.example"
ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"
QUESTION = Question.about(DOMAIN, TlsMode.STARTTLS, 0x1234)
NAME = dns.name.from_text("_xmpp-client._tcp.chat.example.")
OTHER = dns.name.from_text("xmpp.hoster.example.")
NOTHING = Answer((), not_offered=False)


def response(*records: str) -> dns.message.Message:
    """An honest answer to QUESTION."""
    message = dns.message.make_response(
        dns.message.make_query(NAME, "SRV", id=0x1234), recursion_available=True
    )
    if records:
        message.answer.append(srv(NAME, *records))
    return message


def read(message: dns.message.Message) -> Answer | None:
    return read_answer(message.to_wire(max_size=65535), QUESTION)


def target(host: str, port: int = 5222, priority: int = 0, weight: int = 0) -> Target:
    return Target(host, port, TlsMode.STARTTLS, priority, weight)


# --- questions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tls", "name"),
    [
        (TlsMode.DIRECT, "_xmpps-client._tcp.chat.example."),
        (TlsMode.STARTTLS, "_xmpp-client._tcp.chat.example."),
    ],
)
def test_question_asks_for_the_srv_record_of_a_service(tls: TlsMode, name: str) -> None:
    wire = Question.about(DOMAIN, tls, 0xBEEF).to_wire(padded=False)

    message = dns.message.from_wire(wire[2:])
    [asked] = message.question
    assert len(wire) == 2 + int.from_bytes(wire[:2], "big")
    assert message.id == 0xBEEF
    assert message.flags == dns.flags.RD
    assert asked.name.to_text() == name
    assert asked.rdtype == dns.rdatatype.SRV
    assert asked.rdclass == dns.rdataclass.IN


def test_question_in_clear_is_the_shortest_there_is() -> None:
    wire = QUESTION.to_wire(padded=False)

    assert wire == (
        b"\x00\x30"
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
        b"\x0c_xmpp-client\x04_tcp\x04chat\x07example\x00\x00\x21\x00\x01"
    )


@pytest.mark.parametrize("domain", ["a.example", "a-much-longer-name.of.some.example"])
def test_question_inside_tls_does_not_tell_how_long_the_name_is(domain: str) -> None:
    """RFC 8467, section 4.1."""
    wire = Question.about(domain, TlsMode.DIRECT, 1).to_wire(padded=True)

    assert len(wire) == 2 + 128
    message = dns.message.from_wire(wire[2:])
    assert [option.otype for option in message.options] == [dns.edns.OptionType.PADDING]


@pytest.mark.parametrize(
    "domain",
    ["a..example", "x" * 64 + ".example", ".".join(["label"] * 50), "\ud800.example"],
    ids=["empty label", "long label", "long name", "half a character"],
)
def test_question_about_no_name_of_the_dns_is_refused(domain: str) -> None:
    with pytest.raises(SrvRefusedError):
        Question.about(domain, TlsMode.DIRECT, 1)


# --- answers ----------------------------------------------------------------------------


def test_answer_gives_every_record() -> None:
    answer = read(response("10 60 5222 One.Example.", f"20 0 5269 {ONION}."))

    assert answer is not None
    assert not answer.not_offered
    assert set(answer.targets) == {
        target("one.example", 5222, 10, 60),
        target(ONION, 5269, 20, 0),
    }


def test_answer_as_bytes_written_by_hand() -> None:
    wire = (
        b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        b"\x0c_xmpp-client\x04_tcp\x04chat\x07example\x00\x00\x21\x00\x01"
        b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x01\x2c\x00\x0b"
        b"\x00\x05\x00\x07\x14\x66\x02im\xc0\x1e"
    )

    answer = read_answer(wire, QUESTION)

    assert answer == Answer((target("im.chat.example", 5222, 5, 7),), not_offered=False)


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_answer_without_records_says_that_there_are_none(
    rcode: dns.rcode.Rcode,
) -> None:
    message = response()
    message.set_rcode(rcode)

    assert read(message) == NOTHING


@pytest.mark.parametrize("port", [0, 5222])
def test_answer_of_the_root_says_that_the_service_is_not_offered(port: int) -> None:
    assert read(response(f"0 0 {port} .")) == Answer((), not_offered=True)


def test_answer_of_the_root_beside_a_target_counts_for_nothing() -> None:
    answer = read(response("0 0 0 .", "0 0 5222 one.example."))

    assert answer == Answer((target("one.example"),), not_offered=False)


@pytest.mark.parametrize(
    "rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR]
)
def test_answer_of_a_resolver_that_could_not_find_out_is_none(
    rcode: dns.rcode.Rcode,
) -> None:
    message = response()
    message.set_rcode(rcode)

    assert read(message) is None


def test_answer_follows_an_alias() -> None:
    message = response()
    message.answer.append(alias(NAME, "xmpp.hoster.example."))
    message.answer.append(srv(OTHER, "0 0 5222 one.hoster.example."))

    assert read(message) == Answer((target("one.hoster.example"),), not_offered=False)


def test_answer_may_put_the_alias_last_and_a_dname_between() -> None:
    message = response()
    message.answer.append(srv(OTHER, "0 0 5222 one.hoster.example."))
    message.answer.append(
        dns.rrset.from_text("chat.example.", 300, "IN", "DNAME", "hoster.example.")
    )
    message.answer.append(alias(NAME, "xmpp.hoster.example."))

    assert read(message) == Answer((target("one.hoster.example"),), not_offered=False)


def alias(name: dns.name.Name, to: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 300, "IN", "CNAME", to)


def chain(n_aliases: int) -> dns.message.Message:
    message = response()
    names = [NAME, *(dns.name.from_text(f"n{n}.example.") for n in range(n_aliases))]
    for name, to in pairwise(names):
        message.answer.append(alias(name, to.to_text()))
    message.answer.append(srv(names[-1], "0 0 5222 one.example."))
    return message


def test_answer_follows_aliases_up_to_a_limit() -> None:
    assert read(chain(MAX_ALIASES)) == Answer(
        (target("one.example"),), not_offered=False
    )
    with pytest.raises(SrvRefusedError, match="another name"):
        read(chain(MAX_ALIASES + 1))


@pytest.mark.parametrize(
    "ring",
    [
        pytest.param([(NAME, NAME)], id="one"),
        pytest.param([(NAME, OTHER), (OTHER, NAME)], id="two"),
        pytest.param([(OTHER, OTHER)], id="beside the way"),
    ],
)
def test_answer_with_a_ring_of_aliases_is_refused(
    ring: list[tuple[dns.name.Name, dns.name.Name]],
) -> None:
    message = response("0 0 5222 one.example.")
    message.answer += [alias(name, to.to_text()) for name, to in ring]

    with pytest.raises(SrvRefusedError, match="another name"):
        read(message)


def test_answer_with_two_aliases_of_a_name_is_refused() -> None:
    message = response()
    message.answer += [alias(NAME, "a.example."), alias(NAME, "b.example.")]

    with pytest.raises(SrvRefusedError, match="two aliases"):
        read(message)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("0 0 0 one.example.", id="port 0"),
        pytest.param("0 0 5222 127.0.0.1.", id="an address"),
        pytest.param("0 0 5222 localhost.", id="one label"),
        pytest.param("0 0 5222 under_score.example.", id="no host name"),
        pytest.param("0 0 5222 a\\032b.example.", id="a blank"),
        pytest.param("0 0 5222 a\\.b.example.", id="a dot in a label"),
        pytest.param("0 0 5222 \\195\\188.example.", id="UTF-8"),
        pytest.param(f"0 0 5222 a{ONION[1:]}.", id="an onion's checksum"),
        pytest.param("0 0 5222 abcdefghij234567.onion.", id="an old onion"),
    ],
)
def test_answer_with_a_target_that_is_none_goes_without_it(record: str) -> None:
    """And alone, it is not taken for a domain that has no record."""
    assert read(response(record, "0 0 5222 one.example.")) == Answer(
        (target("one.example"),), not_offered=False
    )
    with pytest.raises(SrvRefusedError, match="usable"):
        read(response(record))


@pytest.mark.parametrize("lie", [name for name in LIES if name != "endless"])
def test_lie_is_refused(lie: str) -> None:
    query = dns.message.make_query(NAME, "SRV", id=0x1234)
    [said] = LIES[lie](query)

    with pytest.raises(SrvRefusedError):
        read_answer(said[2:], QUESTION)


def test_records_of_a_name_that_does_not_exist_are_refused() -> None:
    message = response("0 0 5222 one.example.")
    message.set_rcode(dns.rcode.NXDOMAIN)

    with pytest.raises(SrvRefusedError, match="does not exist"):
        read(message)


def test_answer_of_another_kind_than_a_query_is_refused() -> None:
    message = response()
    message.set_opcode(dns.opcode.NOTIFY)

    with pytest.raises(SrvRefusedError, match="query"):
        read(message)


def test_answer_to_the_other_service_is_refused() -> None:
    other = Question.about(DOMAIN, TlsMode.DIRECT, 0x1234)

    with pytest.raises(SrvRefusedError, match="another question"):
        read_answer(response().to_wire(), other)


def test_answer_has_up_to_a_limit_of_records() -> None:
    records = [f"{n} 0 5222 a.example." for n in range(MAX_RECORDS + 1)]

    answer = read(response(*records[:-1]))

    assert answer is not None
    assert len(answer.targets) == MAX_RECORDS
    with pytest.raises(SrvRefusedError, match="33 and 0 records"):
        read(response(*records))


def test_answer_has_up_to_a_limit_of_records_beside_it() -> None:
    message = response("0 0 5222 one.example.")
    addresses = [f"192.0.2.{n}" for n in range(MAX_RECORDS + 1)]
    of = "one.example."
    message.additional.append(dns.rrset.from_text(of, 300, "IN", "A", *addresses[1:]))

    answer = read(message)

    assert answer == Answer((target("one.example"),), not_offered=False)
    message.authority.append(dns.rrset.from_text(of, 300, "IN", "A", addresses[0]))
    with pytest.raises(SrvRefusedError, match="33 records"):
        read(message)


@pytest.mark.parametrize("n_bytes", [1, 5, 20, 40])
def test_answer_that_ends_too_early_is_refused(n_bytes: int) -> None:
    wire = response("0 0 5222 one.example.").to_wire()

    with pytest.raises(SrvRefusedError, match="damaged"):
        read_answer(wire[:-n_bytes], QUESTION)


def test_answer_that_does_not_end_is_refused() -> None:
    wire = response("0 0 5222 one.example.").to_wire()

    with pytest.raises(SrvRefusedError, match="more than"):
        read_answer(wire + b"\0", QUESTION)


def test_answer_from_another_class_than_the_internet_counts_for_nothing() -> None:
    message = response()
    message.answer.append(
        dns.rrset.from_text(NAME, 300, "CH", "TYPE33", "\\# 4 0000 0000")
    )

    assert read(message) == NOTHING


def test_refusal_repeats_nothing_that_was_said() -> None:
    message = response()
    message.answer.append(srv(dns.name.from_text("a.secret.example."), "0 0 1 b.c."))

    with pytest.raises(SrvRefusedError) as caught:
        read(message)

    assert "secret" not in str(caught.value)


@given(st.binary(max_size=600))
def test_reader_refuses_any_bytes_and_nothing_else_happens(wire: bytes) -> None:
    with pytest.raises(SrvRefusedError):
        read_answer(wire, QUESTION)


HEADER = response().to_wire()


@given(st.binary(max_size=300), st.integers(0, 40))
def test_reader_takes_any_records_or_refuses_them(rest: bytes, n_records: int) -> None:
    wire = HEADER[:6] + n_records.to_bytes(2, "big") + HEADER[8:] + rest

    try:
        answer = read_answer(wire, QUESTION)
    except SrvRefusedError:
        return

    assert answer is not None
    assert len(answer.targets) <= n_records


HONEST = response("10 60 5222 one.example.", "20 0 5269 two.example.").to_wire()


@given(st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.integers(0, 255))))
def test_reader_takes_a_spoilt_answer_or_refuses_it(
    changes: list[tuple[int, int]],
) -> None:
    wire = bytearray(HONEST)
    for place, value in changes:
        wire[place] = value

    try:
        answer = read_answer(bytes(wire), QUESTION)
    except SrvRefusedError:
        return

    assert answer is None or all(1 <= t.port <= 65535 for t in answer.targets)


# --- both on one connection -----------------------------------------------------------


def start(*, padded: bool = False) -> tuple[Inquiry, list[dns.message.Message]]:
    """A running inquiry, and its questions as a server reads them."""
    inquiry = Inquiry(DOMAIN, list(TlsMode), seeded(7), padded=padded)
    queries, rest = [], inquiry.start()
    while rest:
        end = 2 + int.from_bytes(rest[:2], "big")
        queries.append(dns.message.from_wire(rest[2:end]))
        rest = rest[end:]
    return inquiry, queries


def said(query: dns.message.Message, *records: str) -> bytes:
    message = dns.message.make_response(query)
    message.answer.append(srv(query.question[0].name, *records))
    return framed(message.to_wire())


def test_inquiry_asks_both_questions_at_once_with_ids_of_their_own() -> None:
    _, queries = start()

    names = [query.question[0].name.to_text() for query in queries]
    assert names == [
        "_xmpps-client._tcp.chat.example.",
        "_xmpp-client._tcp.chat.example.",
    ]
    assert queries[0].id != queries[1].id


def test_inquiry_draws_another_id_when_both_are_the_same() -> None:
    inquiry = Inquiry(DOMAIN, list(TlsMode), lambda n: b"\xff" * n, padded=False)

    wire = inquiry.start()

    assert wire[2:4] == b"\xff\xff"
    assert wire[2 + int.from_bytes(wire[:2], "big") :][2:4] == b"\x00\x00"


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("n_bytes", [1, 7, 10_000])
def test_inquiry_takes_answers_in_any_order_and_any_pieces(
    n_bytes: int, *, is_reversed: bool
) -> None:
    inquiry, (direct, starttls) = start()
    answers = [
        said(direct, "0 0 5223 a.example."),
        said(starttls, "1 0 5222 b.example."),
    ]
    stream = b"".join(reversed(answers) if is_reversed else answers)

    done = [
        inquiry.receive(stream[at : at + n_bytes])
        for at in range(0, len(stream), n_bytes)
    ]

    assert done == [False] * (len(done) - 1) + [True]
    assert inquiry.answers == {
        TlsMode.DIRECT: Answer(
            (Target("a.example", 5223, TlsMode.DIRECT, 0, 0),), not_offered=False
        ),
        TlsMode.STARTTLS: Answer((target("b.example", 5222, 1),), not_offered=False),
    }


def test_inquiry_has_what_was_found_out_when_the_rest_was_not() -> None:
    inquiry, (direct, starttls) = start()
    failed = dns.message.make_response(direct)
    failed.set_rcode(dns.rcode.SERVFAIL)

    inquiry.receive(framed(failed.to_wire()))
    is_done = inquiry.receive(said(starttls, "0 0 5222 b.example."))

    assert is_done
    assert set(inquiry.answers) == {TlsMode.STARTTLS}


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda first: first, id="answered twice"),
        pytest.param(lambda _: b"\x00\x00", id="empty message"),
        pytest.param(
            lambda _: (MAX_ANSWER_BYTES + 1).to_bytes(2, "big"), id="long message"
        ),
    ],
)
def test_inquiry_forgets_what_a_liar_said_before(lie: object) -> None:
    assert callable(lie)
    inquiry, (direct, _) = start()
    first = said(direct, "0 0 5223 a.example.")
    inquiry.receive(first)

    with pytest.raises(SrvRefusedError):
        inquiry.receive(lie(first))

    assert inquiry.answers == {}


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_inquiry_refuses_any_stream_or_waits_for_more(chunks: list[bytes]) -> None:
    inquiry, _ = start()

    try:
        done = [inquiry.receive(chunk) for chunk in chunks]
    except SrvRefusedError:
        return

    assert not any(done)
