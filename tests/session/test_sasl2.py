"""SASL2 and Bind 2, with a server that can be told how to misbehave."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.contract import Jid
from coykiosk.session.binding import Bound
from coykiosk.session.failure import OpeningReason, StartOverError
from coykiosk.session.plan import Plan, Purpose, Registered, SignedIn
from coykiosk.session.resumption import Resumption
from coykiosk.session.saslwords import remembering
from coykiosk.session.wire import ACKS
from tests.session.conftest import DOMAIN, make_route
from tests.session.pure_server import (
    PureServer,
    form_reply,
    stanza_error,
    stream_error,
)
from tests.session.sasl2_server import (
    BIND,
    BIND2,
    ENABLED,
    FAILED,
    FEATURE,
    RESUME,
    SASL2,
    Sasl2Server,
    bound,
    failure2,
    identifier,
    resumed,
)
from tests.session.saying import normalised
from tests.session.test_negotiate import (
    FORM_TYPE,
    PLAIN_FIELDS,
    Talk,
    converse,
    form,
    make_plan,
)
from tests.session.test_resumption import lose_session

PLUS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
US = Jid("someone", DOMAIN, "from-server")
WRONG = "another"


def log_in(server: PureServer, plan: Plan | None = None) -> Talk:
    server.accounts.add("someone")
    return converse(plan or make_plan(Purpose.LOG_IN, scram=()), server)


def session_of(talk: Talk) -> Bound:
    assert talk.error is None
    assert talk.done is not None
    return talk.done.bound


def lost() -> Resumption:
    """Return a session that these messages were sent in, and none was taken."""
    ours = lose_session("1", "2")
    return Resumption(US, "roster-1", ours.acks, lost_at=1000.0)


def log_in_again(server: Sasl2Server, resumption: Resumption) -> Talk:
    plan = make_plan(Purpose.LOG_IN, scram=())
    return log_in(server, replace(plan, resumption=resumption))


# --- as it should be ------------------------------------------------------------------


def test_login_brings_the_session_along_and_saves_a_flight() -> None:
    server, old = Sasl2Server(), PureServer()

    talk, old_talk = log_in(server), log_in(old)

    assert (len(talk.flights), len(old_talk.flights)) == (3, 4)
    assert session_of(talk).jid == US
    assert talk.reached == [SignedIn(channel_bound=False)]
    assert (server.n_heads, old.n_heads) == (1, 2)


def test_registration_and_login_take_three_flights() -> None:
    server = Sasl2Server()

    talk = converse(make_plan(scram=()), server)

    assert len(talk.flights) == 3
    assert session_of(talk).jid == US
    assert talk.reached == [Registered(), SignedIn(channel_bound=False)]
    assert talk.submits == [True, False, False]


def test_login_asks_for_a_session_and_acknowledgements_and_for_nothing_else() -> None:
    server = Sasl2Server()

    talk = log_in(server)

    enable = f"<enable xmlns='{ACKS}' resume='true'/>"
    assert server.asked == f"<bind xmlns='{BIND2}'>{enable}</bind>"
    for word in ("user-agent", "tag", "software", "device", "carbons", "csi", "coy"):
        assert word not in talk.text


def test_two_people_say_the_same_to_sign_in() -> None:
    """No server of Debian 12 hears these words; they are kept here for a reader."""
    said = []
    for name, seed in (("anna", 1), ("joao", 2)):
        server = Sasl2Server(
            localpart=name, accounts={name}, bound_jid=f"{name}@{DOMAIN}/x{seed}"
        )
        plan = replace(make_plan(Purpose.LOG_IN, scram=()), localpart=name)
        talk = converse(plan, server, seed=seed)
        assert session_of(talk).jid.localpart == name
        said.append(normalised(talk.text, {name: "{user}"}))

    assert said[0] == said[1]
    assert said[0].splitlines() == [
        "<?xml version='1.0'?>",
        (
            "<stream:stream xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'"
            f" from='{{user}}@{DOMAIN}' to='{DOMAIN}' version='1.0' xml:lang='en'>"
        ),
        (
            f"<authenticate xmlns='{SASL2}' mechanism='SCRAM-SHA-1'>"
            "<initial-response>y,,n={user},r={nonce}</initial-response>"
            f"<bind xmlns='{BIND2}'>"
        ),
        f"<enable xmlns='{ACKS}' resume='true'/></bind></authenticate>",
        f"<response xmlns='{SASL2}'>c=eSws,r={{nonce}},p={{proof}}</response>",
        "<iq type='get' id='{id}'><query xmlns='jabber:iq:roster'/></iq>",
        "<presence/>",
    ]


def test_roster_and_presence_go_out_with_the_last_word_of_the_login() -> None:
    talk = log_in(Sasl2Server())

    sent = re.fullmatch(
        rf"<response xmlns='{SASL2}'>[^<]+</response>"
        "<iq type='get' id='([0-9a-f]{32})'><query xmlns='jabber:iq:roster'/></iq>"
        "<presence/>",
        talk.flights[2].decode(),
    )
    assert sent is not None
    assert session_of(talk).roster_id == sent.group(1)


def test_roster_is_read_from_where_the_session_begins() -> None:
    talk = log_in(Sasl2Server())

    assert talk.done is not None
    reader = talk.done.reader
    features, roster = reader.next_stanza(), reader.next_stanza()
    assert features is not None
    assert features.tag.endswith("}features")
    assert roster is not None
    assert roster.get("id") == session_of(talk).roster_id


def test_what_was_sent_ahead_is_counted_by_both_ends() -> None:
    server = Sasl2Server()

    talk = log_in(server)

    acks = session_of(talk).acks
    assert acks is not None
    assert acks.is_resumable
    assert server.n_handled == 2
    assert acks.learn(str(server.n_handled)) == ()
    assert acks.again() == []


@pytest.mark.parametrize("answer", [FAILED, ""], ids=["refused", "not mentioned"])
def test_session_does_without_acknowledgements_where_they_are_refused(
    answer: str,
) -> None:
    def success(signature: str, _session: str) -> str:
        return said(signature, str(US), bound(answer))

    talk = log_in(Sasl2Server(success=success))

    session = session_of(talk)
    assert not session.offers_acks
    assert session.acks is not None
    assert not session.acks.are_expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_login_gives_the_same_however_answers_are_cut(cuts: list[int]) -> None:
    def both() -> tuple[Plan, Sasl2Server]:
        return make_plan(scram=()), Sasl2Server(accounts={"someone"})

    whole, talk = converse(*both()), converse(*both(), cuts=tuple(cuts))

    assert talk.flights == whole.flights
    assert session_of(talk).jid == session_of(whole).jid


def test_login_binds_the_channel() -> None:
    server = Sasl2Server(
        mechanisms=PLUS, sasl2=PLUS, announced=("tls-exporter",), binding=b"E" * 32
    )

    talk = log_in(server)

    assert talk.done is not None
    assert talk.done.channel_bound
    assert len(talk.flights) == 3


def test_stanza_of_a_signed_in_stream_may_be_larger_than_before() -> None:
    long = f"<message><body>{'x' * 200_000}</body></message>"

    talk = log_in(Sasl2Server(after_bound=long))

    assert talk.done is not None
    talk.done.reader.next_stanza()
    message = talk.done.reader.next_stanza()
    assert message is not None
    assert message.tag.endswith("}message")


# --- where it is not offered as we want it ---------------------------------------------


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Sasl2Server(inline=""), id="nothing inline"),
        pytest.param(Sasl2Server(inline=RESUME), id="no session inline"),
        pytest.param(
            Sasl2Server(inline=f"<bind xmlns='{BIND2}'/>"), id="no acknowledgements"
        ),
        pytest.param(
            Sasl2Server(inline=f"<bind xmlns='{BIND2}'>{FEATURE}</bind>"),
            id="acknowledgements, but not inline",
        ),
        pytest.param(Sasl2Server(sasl2=("PLAIN", "X-OAUTH2")), id="nothing of ours"),
        pytest.param(Sasl2Server(sasl2=()), id="no mechanism"),
        pytest.param(
            Sasl2Server(mechanisms=("SCRAM-SHA-512", "SCRAM-SHA-1")),
            id="better ones in the old way",
        ),
        pytest.param(
            Sasl2Server(
                mechanisms=PLUS, announced=("tls-exporter",), binding=b"E" * 32
            ),
            id="binding in the old way alone",
        ),
    ],
)
def test_login_goes_the_old_way_where_the_new_one_is_not_all_we_want(
    server: Sasl2Server,
) -> None:
    server.accounts.clear()
    server.seen.clear()

    talk = log_in(server)

    assert talk.done is not None
    assert "<auth " in talk.text
    assert SASL2 not in talk.text
    assert len(talk.flights) == 4


def test_login_goes_the_old_way_when_told_to_avoid_the_new_one() -> None:
    plan = replace(make_plan(Purpose.LOG_IN, scram=()), avoid_sasl2=True)

    talk = log_in(Sasl2Server(), plan)

    assert talk.done is not None
    assert SASL2 not in talk.text


def test_login_goes_the_old_way_on_a_stream_on_which_that_was_begun() -> None:
    """ejabberd 24.12 takes SASL2 no more after one exchange in the old way."""
    server = Sasl2Server(mechanisms=("SCRAM-SHA-1",))
    plan = make_plan(Purpose.LOG_IN, scram=("SCRAM-SHA-512",))

    talk = log_in(server, plan)

    assert talk.done is not None
    assert SASL2 not in talk.text


def test_login_never_sends_the_password_when_only_plain_is_offered() -> None:
    server = Sasl2Server(mechanisms=("PLAIN",), sasl2=("PLAIN",))

    talk = log_in(server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert "auth" not in talk.text


def test_login_is_not_begun_in_the_new_way_before_it_is_offered_or_known() -> None:
    talk = log_in(Sasl2Server(), make_plan(Purpose.LOG_IN))

    assert SASL2 not in talk.flights[0].decode()


def test_login_waits_for_the_answer_when_the_kind_of_binding_is_not_announced() -> None:
    """One that is refused may be tried once more without, on the same stream."""
    server = Sasl2Server(mechanisms=PLUS, sasl2=PLUS, binding=b"of another kind")

    talk = log_in(server)

    assert talk.done is not None
    assert not talk.done.channel_bound
    responses = [f.decode() for f in talk.flights if f.startswith(b"<response")]
    assert ["roster" in each for each in responses] == [False, True]
    assert len(talk.flights) == 5


def test_login_never_goes_on_unbound_when_an_announced_binding_is_refused() -> None:
    server = Sasl2Server(
        mechanisms=PLUS,
        sasl2=PLUS,
        announced=("tls-exporter",),
        binding=b"of somebody in between",
    )

    talk = log_in(server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert "mechanism='SCRAM-SHA-1'" not in talk.text


def test_no_proof_goes_out_for_an_account_that_is_somebody_elses() -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        return None if "type='get'" in text else stanza_error(stanza_id, "conflict")

    server = Sasl2Server(on_register=on_register, accounts={"someone"})

    talk = converse(make_plan(is_open=False, scram=()), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.REFUSED
    assert "<authenticate " in talk.text  # sent along with the registration
    assert "<response" not in talk.text


# --- going on with a session ------------------------------------------------------------


def test_session_goes_on_with_the_login() -> None:
    resumption = lost()
    server = Sasl2Server(session="prev", n_kept=1)

    talk = log_in_again(server, resumption)

    assert session_of(talk).resumed is resumption
    assert session_of(talk).jid == US
    assert session_of(talk).roster_id == "roster-1"
    assert resumption.collect() == ("1",)
    assert len(talk.flights) == 3
    assert "roster" not in talk.text
    assert "presence" not in talk.text


def test_session_is_named_beside_the_one_that_would_do() -> None:
    server = Sasl2Server(session="prev")

    log_in_again(server, lost())

    assert server.asked == (
        f"<resume xmlns='{ACKS}' h='0' previd='prev'/>"
        f"<bind xmlns='{BIND2}'><enable xmlns='{ACKS}' resume='true'/></bind>"
    )


def test_new_session_stands_where_the_last_one_is_no_more() -> None:
    resumption = lost()
    server = Sasl2Server(session="another")

    talk = log_in_again(server, resumption)

    session = session_of(talk)
    assert resumption.is_over
    assert session.resumed is None
    assert session.jid == US
    assert session.acks is not None
    assert session.acks.is_resumable
    assert b"roster" not in talk.flights[2]
    assert talk.flights[3].count(b"<presence/>") == 1
    assert session.acks.learn(str(server.n_handled)) == ()


def test_old_way_is_gone_where_the_session_cannot_go_on_with_the_login() -> None:
    resumption = lost()

    talk = log_in_again(Sasl2Server(inline=BIND), resumption)

    assert talk.done is not None
    assert SASL2 not in talk.text
    assert talk.text.count("<resume ") == 1


def test_identifier_of_a_session_that_goes_on_may_be_bare() -> None:
    def success(signature: str, session: str) -> str:
        return said(signature, f"someone@{DOMAIN}", session)

    talk = log_in_again(Sasl2Server(session="prev", success=success), lost())

    assert session_of(talk).jid == US


def test_last_session_may_still_be_had_when_the_login_is_refused() -> None:
    resumption = lost()

    talk = log_in_again(Sasl2Server(password=WRONG), resumption)

    assert talk.error is not None
    assert not resumption.is_over


# --- where it is known to be offered ------------------------------------------------------


def known(
    purpose: Purpose = Purpose.LOG_IN,
    scram: tuple[str, ...] = ("SCRAM-SHA-1",),
    *,
    is_open: bool = True,
) -> Plan:
    return replace(make_plan(purpose, scram=scram, is_open=is_open), knows_sasl2=True)


@pytest.mark.parametrize("purpose", Purpose)
def test_login_takes_two_flights_where_sasl2_is_known_to_be_offered(
    purpose: Purpose,
) -> None:
    server = Sasl2Server(accounts={"someone"})

    talk = converse(known(purpose), server)

    assert len(talk.flights) == 2  # and one for TLS before them
    assert session_of(talk).jid == US
    assert talk.flights[0].startswith(b"<?xml")
    assert b"<authenticate " in talk.flights[0]
    assert b"<presence/>" in talk.flights[1]
    assert "<auth " not in talk.text


def test_session_goes_on_in_two_flights_where_sasl2_is_known_to_be_offered() -> None:
    resumption = lost()
    server = Sasl2Server(session="prev", accounts={"someone"})

    talk = converse(replace(known(), resumption=resumption), server)

    assert session_of(talk).resumed is resumption
    assert len(talk.flights) == 2


def test_channel_is_bound_in_two_flights_where_that_is_known_to_be_offered() -> None:
    server = Sasl2Server(
        mechanisms=PLUS, sasl2=PLUS, announced=("tls-exporter",), binding=b"E" * 32
    )

    talk = log_in(server, known(scram=PLUS))

    assert talk.done is not None
    assert talk.done.channel_bound
    assert len(talk.flights) == 2


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Sasl2Server(inline=""), id="no more with a session"),
        pytest.param(
            Sasl2Server(sasl2=(), on_authenticate=lambda _: " "),
            id="no more, and it says nothing",
        ),
        pytest.param(
            Sasl2Server(
                sasl2=(),
                on_authenticate=lambda _: stream_error("unsupported-stanza-type"),
            ),
            id="no more, and it cuts",
        ),
    ],
)
def test_login_starts_over_where_what_was_known_does_not_hold(
    purpose: Purpose, server: Sasl2Server
) -> None:
    fresh = replace(server, accounts={"someone"}, seen=[])

    with pytest.raises(StartOverError) as caught:
        converse(known(purpose), fresh)

    assert not caught.value.sasl2
    assert caught.value.offered == ("SCRAM-SHA-1",)
    assert not any(text.startswith("<response") for text in fresh.seen)


@pytest.mark.parametrize("way", ["new", "old"])
def test_no_proof_goes_out_before_the_server_has_said_what_it_offers(way: str) -> None:
    """One that keeps its offer to itself may be hiding the better part of it."""

    @dataclass
    class Silent(Sasl2Server):
        def _features(self) -> str:
            return ""

    plan = replace(known(), knows_sasl2=way == "new")

    talk = log_in(Silent(), plan)

    assert talk.error is not None
    assert talk.error.condition == "no-features"
    assert len(talk.flights) == 1


def test_login_starts_over_where_a_form_is_wanted_and_the_stream_is_cut() -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return None
        return stanza_error(stanza_id, "not-acceptable")

    server = Sasl2Server(
        sasl2=(),
        on_register=on_register,
        on_authenticate=lambda _: stream_error("unsupported-stanza-type"),
    )

    with pytest.raises(StartOverError):
        converse(known(Purpose.REGISTER), server)

    assert server.accounts == set()


def test_login_keeps_a_refused_registration_apart_from_what_was_known() -> None:
    server = Sasl2Server(
        sasl2=(),
        on_register=lambda stanza_id, _: stanza_error(stanza_id, "conflict"),
        on_authenticate=lambda _: stream_error("unsupported-stanza-type"),
    )

    talk = converse(known(Purpose.REGISTER), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.REFUSED
    assert talk.error.condition == "conflict"


def test_login_starts_over_when_binding_is_offered_and_was_not_known() -> None:
    server = Sasl2Server(mechanisms=PLUS, sasl2=PLUS, announced=("tls-exporter",))

    with pytest.raises(StartOverError) as caught:
        log_in(server, known())

    assert caught.value.sasl2
    assert set(caught.value.offered) == set(PLUS)
    assert not any(text.startswith("<response") for text in server.seen)


def test_login_waits_for_the_answer_when_its_flag_may_be_wrong() -> None:
    """It is refused for saying that no binding is offered, and tried once more."""
    both = PLUS
    server = Sasl2Server(
        mechanisms=both,
        sasl2=both,
        announced=("tls-server-end-point",),
    )

    talk = log_in(server, known())

    assert talk.done is not None
    assert b"<presence/>" not in talk.flights[1]


def test_login_is_aborted_when_the_server_wants_a_form_first() -> None:
    """Some servers answer an unknown name with a challenge like any other."""

    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return form_reply(stanza_id, form(FORM_TYPE, PLAIN_FIELDS))
        if "jabber:x:data" in text:
            return None
        return stanza_error(stanza_id, "not-acceptable")

    server = Sasl2Server(on_register=on_register, accounts={"someone"})

    talk = converse(known(Purpose.REGISTER), server)

    assert session_of(talk).jid == US
    kinds = [text[1:].partition(" ")[0] for text in server.seen]
    assert kinds.index("abort") < kinds.index("response")
    assert kinds.count("authenticate") == 2


def test_another_mechanism_is_tried_where_the_known_one_is_offered_no_more() -> None:
    talk = log_in(Sasl2Server(), known(scram=("SCRAM-SHA-512",)))

    assert session_of(talk).jid == US
    assert talk.text.count("<authenticate ") == 2


ROUTE = make_route()


def test_what_a_server_offered_is_remembered() -> None:
    talk = log_in(Sasl2Server(sasl2=("SCRAM-SHA-1", "PLAIN")))

    assert talk.done is not None
    assert remembering(make_route(scram=()), talk.done.offer) == replace(
        ROUTE, scram=("PLAIN", "SCRAM-SHA-1"), sasl2=True
    )


@pytest.mark.parametrize("server", [PureServer(), Sasl2Server(inline="")])
def test_what_a_server_offers_no_more_is_forgotten(server: PureServer) -> None:
    talk = log_in(server)

    assert talk.done is not None
    assert remembering(replace(ROUTE, sasl2=True), talk.done.offer) == ROUTE


# --- a server that does not keep to it ---------------------------------------------------


def said(signature: str, jid: str, session: str) -> str:
    data = f"<additional-data>{signature}</additional-data>"
    return data + identifier(jid) + session


def saying(jid: str = str(US), session: str | None = None) -> Callable[[str, str], str]:
    """Say another address, or another session, than there is."""
    return lambda signature, there: said(signature, jid, session or there)


HOSTILE = [
    pytest.param(Sasl2Server(signature="v=AAAA"), "bad-scram", id="wrong signature"),
    pytest.param(Sasl2Server(signature="e=other-error"), "bad-scram", id="an error"),
    pytest.param(
        Sasl2Server(success=lambda _, session: identifier(str(US)) + session),
        "bad-scram",
        id="no signature",
    ),
    pytest.param(
        Sasl2Server(
            success=lambda signature, session: said(
                f"{signature}</additional-data><additional-data>{signature}",
                str(US),
                session,
            )
        ),
        "bad-scram",
        id="two signatures",
    ),
    pytest.param(
        Sasl2Server(success=lambda *_: "<additional-data>!</additional-data>"),
        "bad-scram",
        id="no base64",
    ),
    pytest.param(
        Sasl2Server(
            on_authenticate=lambda _: (
                f"<success xmlns='{SASL2}'>{identifier(str(US))}{bound()}</success>"
            )
        ),
        "unexpected-sasl",
        id="success without a proof",
    ),
    pytest.param(
        Sasl2Server(
            on_proof=lambda signature: (
                f"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{signature}"
                "</success>"
            )
        ),
        "unexpected-sasl",
        id="success of the other way",
    ),
    pytest.param(
        Sasl2Server(
            on_authenticate=lambda _: (
                "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
            )
        ),
        "unexpected-sasl",
        id="challenge of the other way",
    ),
    pytest.param(Sasl2Server(iterations=100), "bad-scram", id="few iterations"),
    pytest.param(Sasl2Server(iterations=10**8), "bad-scram", id="many iterations"),
    pytest.param(
        Sasl2Server(on_authenticate=lambda _: f"<wobble xmlns='{SASL2}'/>"),
        "unexpected-sasl",
        id="no SASL",
    ),
    pytest.param(
        Sasl2Server(success=saying(f"else@{DOMAIN}/x")), "bad-jid", id="another name"
    ),
    pytest.param(
        Sasl2Server(success=saying("someone@e.example/x")), "bad-jid", id="elsewhere"
    ),
    pytest.param(
        Sasl2Server(success=saying(f"someone@{DOMAIN}")), "bad-jid", id="no resource"
    ),
    pytest.param(
        Sasl2Server(success=saying(f"someone@{DOMAIN}/{'x' * 1024}")),
        "bad-jid",
        id="endless resource",
    ),
    pytest.param(Sasl2Server(success=saying("")), "bad-jid", id="nobody"),
    pytest.param(
        Sasl2Server(success=saying(f"{US}</authorization-identifier>{identifier('')}")),
        "not-well-formed",
        id="not XML",
    ),
    pytest.param(
        Sasl2Server(
            success=lambda signature, session: (
                said(signature, str(US), session) + identifier(f"eve@{DOMAIN}/x")
            )
        ),
        "success-twice",
        id="two names",
    ),
    pytest.param(
        Sasl2Server(success=saying(session=bound() + bound())),
        "success-twice",
        id="two sessions",
    ),
    pytest.param(
        Sasl2Server(success=saying(session=resumed())),
        "unexpected-session",
        id="gone on with what nobody asked for",
    ),
    pytest.param(
        Sasl2Server(success=saying(session=resumed() + bound())),
        "unexpected-session",
        id="gone on and new",
    ),
]


@pytest.mark.parametrize(("server", "condition"), HOSTILE)
def test_login_is_over_when_the_server_breaks_the_protocol(
    server: Sasl2Server, condition: str
) -> None:
    fresh = replace(server, accounts={"someone"}, seen=[])

    talk = log_in(fresh)

    assert talk.done is None
    assert talk.error is not None
    assert talk.error.reason is OpeningReason.CONFUSED
    assert talk.error.condition == condition


@pytest.mark.parametrize(
    "server",
    [each.values[0] for each in HOSTILE],
    ids=[str(each.id) for each in HOSTILE],
)
def test_nobody_is_signed_in_by_a_server_that_did_not_prove_itself(
    server: Sasl2Server,
) -> None:
    fresh = replace(server, accounts={"someone"}, seen=[])

    talk = log_in(fresh)

    has_lied = talk.error is not None and talk.error.condition == "bad-scram"
    assert not (has_lied and talk.reached)
    assert talk.negotiation is not None
    assert not talk.negotiation.may_fail_over_binding


@pytest.mark.parametrize(
    ("session", "condition"),
    [
        (resumed(9), "acknowledgements"),
        (f"<resumed xmlns='{ACKS}' previd='prev'/>", "acknowledgements"),
        (f"<failed xmlns='{ACKS}' h='9'/>{bound()}", "acknowledgements"),
        (resumed() + bound(), "unexpected-session"),
        (resumed() + resumed(), "success-twice"),
    ],
)
def test_session_does_not_go_on_when_the_server_is_confused(
    session: str, condition: str
) -> None:
    server = Sasl2Server(session="prev", success=saying(session=session))

    talk = log_in_again(server, lost())

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.CONFUSED
    assert talk.error.condition == condition


@pytest.mark.parametrize("jid", [f"{US.bare}/another", f"else@{DOMAIN}/from-server"])
def test_session_does_not_go_on_under_another_address(jid: str) -> None:
    server = Sasl2Server(session="prev", success=saying(jid))

    talk = log_in_again(server, lost())

    assert talk.error is not None
    assert talk.error.condition == "bad-jid"


def test_login_without_a_session_is_refused() -> None:
    def success(signature: str, _session: str) -> str:
        return said(signature, f"someone@{DOMAIN}", "")

    talk = log_in(Sasl2Server(success=success))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert talk.error.condition == "no-session"


def test_last_session_is_not_over_when_the_server_says_nothing_of_it() -> None:
    resumption = lost()

    def success(signature: str, _session: str) -> str:
        return said(signature, f"someone@{DOMAIN}", "")

    log_in_again(Sasl2Server(session="prev", success=success), resumption)

    assert not resumption.is_over


def test_second_factor_is_refused_for_we_have_none() -> None:
    def on_proof(signature: str) -> str:
        return (
            f"<continue xmlns='{SASL2}'><additional-data>{signature}</additional-data>"
            "<tasks><task>TOTP-EXAMPLE</task></tasks></continue>"
        )

    talk = log_in(Sasl2Server(on_proof=on_proof))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert talk.error.condition == "second-factor"


def test_wrong_password_is_told_with_the_servers_words() -> None:
    talk = log_in(Sasl2Server(password=WRONG))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert talk.error.condition == "not-authorized"
    assert talk.error.text == "so there"


def test_refusal_of_what_was_sent_ahead_is_the_end_of_the_matter() -> None:
    """Another mechanism would meet a stream on which too much was said."""
    server = Sasl2Server(
        mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-1"),
        sasl2=("SCRAM-SHA-256", "SCRAM-SHA-1"),
        on_proof=lambda _: failure2("malformed-request"),
    )

    talk = log_in(server)

    assert talk.error is not None
    assert talk.error.condition == "malformed-request"
    assert talk.text.count("<authenticate ") == 1


def test_words_of_a_failure_are_cut() -> None:
    server = Sasl2Server(on_proof=lambda _: failure2("not-authorized", "x" * 10_000))

    talk = log_in(server)

    assert talk.error is not None
    assert len(talk.error.text) == 500


def test_another_mechanism_is_tried_when_the_first_is_refused_at_once() -> None:
    both = ("SCRAM-SHA-256", "SCRAM-SHA-1")

    def on_authenticate(text: str) -> str | None:
        return failure2("invalid-mechanism") if "SHA-256" in text else None

    server = Sasl2Server(mechanisms=both, sasl2=both, on_authenticate=on_authenticate)

    talk = log_in(server)

    assert talk.done is not None
    assert talk.text.count("<authenticate ") == 2


def test_what_is_said_of_the_login_after_it_is_for_nobody() -> None:
    twice = (
        f"<success xmlns='{SASL2}'>{identifier(str(US))}{bound(ENABLED)}</success>"
        f"<challenge xmlns='{SASL2}'>AAAA</challenge>"
    )

    talk = log_in(Sasl2Server(after_bound=twice))

    assert session_of(talk).jid == US
    assert talk.reached == [SignedIn(channel_bound=False)]
    assert len(talk.flights) == 3


# --- a server that is strict about who may speak -----------------------------------------


def test_cut_behind_what_was_sent_ahead_calls_for_the_old_way() -> None:
    talk = log_in(Sasl2Server(is_strict=True))

    assert talk.error is not None
    assert talk.negotiation is not None
    assert talk.negotiation.may_fail_over_haste


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Sasl2Server(signature="v=AAAA"), id="wrong signature"),
        pytest.param(Sasl2Server(success=saying("eve@e/x")), id="another name"),
        pytest.param(
            Sasl2Server(on_authenticate=lambda _: "</stream:stream>"), id="cut before"
        ),
        pytest.param(PureServer(on_response=lambda *_: "</stream:stream>"), id="SASL"),
    ],
)
def test_other_ends_do_not_call_for_the_old_way(server: PureServer) -> None:
    talk = log_in(replace(server, accounts=set(), seen=[]))

    assert talk.error is not None
    assert talk.negotiation is not None
    assert not talk.negotiation.may_fail_over_haste
