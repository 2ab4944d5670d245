import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.contract import Jid, Secret
from coykiosk.session.failure import NegotiationError, OpeningReason, StartOverError
from coykiosk.session.negotiate import Negotiation
from coykiosk.session.plan import (
    Ask,
    Derive,
    Done,
    Output,
    Plan,
    Purpose,
    Registered,
    Send,
    SignedIn,
)
from coykiosk.session.scram import ChannelBinding
from coykiosk.session.starttls import StartTls
from tests.session.conftest import DOMAIN
from tests.session.pure_server import (
    PureServer,
    form_reply,
    stanza_error,
    stream_error,
)
from tests.session.puzzling import (
    ANSWER,
    PICTURE,
    PuzzleMaster,
    bob,
    captcha_form,
    ocr,
)
from tests.support.chance import seeded

EXPORTER = ChannelBinding("tls-exporter", b"E" * 32)
PLUS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
LOGGED_IN = {"someone"}
ODD = "<&'\">"
ANOTHER = "another"


def make_plan(
    purpose: Purpose = Purpose.REGISTER,
    *,
    is_open: bool = True,
    scram: tuple[str, ...] = ("SCRAM-SHA-1",),
    password: str = "pencil",  # noqa: S107 - of RFC 5802
    avoid_plus: bool = False,
    token: str = "",
) -> Plan:
    return Plan(
        purpose=purpose,
        domain=DOMAIN,
        localpart="someone",
        password=Secret(password),
        is_open=is_open,
        scram=scram,
        binding=EXPORTER,
        avoid_plus=avoid_plus,
        token=token,
    )


@dataclass
class Talk:
    """What came of a conversation between a negotiation and a server."""

    flights: list[bytes] = field(default_factory=list)
    submits: list[bool] = field(default_factory=list)
    reached: list[Registered | SignedIn] = field(default_factory=list)
    done: Done | None = None
    error: NegotiationError | None = None
    negotiation: Negotiation | None = None
    asked: list[Ask] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    """What the person will say; None for another challenge."""

    @property
    def text(self) -> str:
        return b"".join(self.flights).decode()


def converse(
    plan: Plan,
    server: PureServer,
    *,
    cuts: tuple[int, ...] | None = None,
    answers: Sequence[str | None] = (),
    seed: int = 1,
) -> Talk:
    """Let both talk until one is done; `cuts` are where answers are cut."""
    negotiation = Negotiation(plan, seeded(seed))
    talk = Talk(negotiation=negotiation, answers=list(answers))
    try:
        to_send = _perform(negotiation, negotiation.start(), talk)
        for _ in range(20):
            if not to_send:
                break
            talk.flights.append(to_send)
            answer = server.receive(to_send)
            edges = sorted(
                {0, len(answer), *(c % (len(answer) + 1) for c in cuts or ())}
            )
            to_send = b""
            for start, end in pairwise(edges):
                outputs = negotiation.receive(answer[start:end])
                to_send += _perform(negotiation, outputs, talk)
    except NegotiationError as error:
        talk.error = error
    return talk


def _perform(negotiation: Negotiation, outputs: list[Output], talk: Talk) -> bytes:
    to_send = b""
    queue = list(outputs)
    while queue:
        match queue.pop(0):
            case Send(data=data, submits=submits):
                to_send += data
                talk.submits.append(submits)
            case Derive(derivation=derivation):
                queue += negotiation.derived(derivation.run())
            case Ask() as ask:
                talk.asked.append(ask)
                answer = talk.answers.pop(0)
                queue += (
                    negotiation.another()
                    if answer is None
                    else negotiation.solve(answer)
                )
            case Done() as done:
                talk.done = done
            case Registered() | SignedIn() as reached:
                talk.reached.append(reached)
    return to_send


# --- the fast path -------------------------------------------------------------------


def test_negotiate_registers_and_signs_in_with_three_flights() -> None:
    server = PureServer()

    talk = converse(make_plan(), server)

    assert len(talk.flights) == 3  # and one for TLS before them
    assert talk.done is not None
    assert talk.done.bound.jid == Jid("someone", DOMAIN, "from-server")
    assert talk.reached == [Registered(), SignedIn(channel_bound=False)]
    assert talk.submits == [True, False, False]
    assert server.accounts == {"someone"}


def test_negotiate_logs_in_with_three_flights() -> None:
    server = PureServer(accounts=LOGGED_IN)

    talk = converse(make_plan(Purpose.LOG_IN), server)

    assert len(talk.flights) == 3
    assert talk.done is not None
    assert talk.submits == [False] * 3
    assert "jabber:iq:register" not in talk.text


def test_negotiate_sends_nothing_that_names_anybody_or_any_program() -> None:
    talk = converse(make_plan(), PureServer())

    for word in (
        "resource",
        "coy",
        "kiosk",
        "<priority",
        "<show",
        "<c ",
        "ver=",
    ):
        assert word not in talk.text.lower()
    assert set(re.findall(r"xml:lang='([^']*)'", talk.text)) == {"en"}
    assert set(re.findall(r"from='([^']*)'", talk.text)) == {f"someone@{DOMAIN}"}
    assert talk.text.count("<presence/>") == 1
    ids = re.findall(r" id='([^']*)'", talk.text)
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_negotiate_sends_the_second_header_only_after_success() -> None:
    """Pipelined behind the response it is "not well-formed" to real servers."""
    talk = converse(make_plan(), PureServer())

    assert b"<stream:stream" not in talk.flights[1]
    assert talk.flights[2].startswith(b"<?xml version='1.0'?><stream:stream")


def test_negotiate_escapes_what_it_puts_into_xml() -> None:
    server = PureServer(password=ODD)
    plan = make_plan(password=ODD)

    talk = converse(plan, server)

    assert talk.done is not None
    assert "<password>&lt;&amp;&apos;&quot;&gt;</password>" in talk.text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_negotiate_gives_the_same_however_answers_are_cut(cuts: list[int]) -> None:
    whole = converse(make_plan(), PureServer())

    talk = converse(make_plan(), PureServer(), cuts=tuple(cuts))

    assert talk.flights == whole.flights
    assert talk.reached == whole.reached


# --- registration ---------------------------------------------------------------------


def test_negotiate_asks_first_when_the_record_does_not_say_open() -> None:
    server = PureServer()

    talk = converse(make_plan(is_open=False), server)

    assert talk.done is not None
    assert "iq type='get'" in server.seen[0]
    assert talk.submits == [False, False, True, False, False]


def test_negotiate_waits_for_the_features_when_no_mechanism_is_known() -> None:
    server = PureServer()

    talk = converse(make_plan(scram=()), server)

    assert talk.done is not None
    assert b"<auth" not in talk.flights[0]
    assert len(talk.flights) == 4


FORM_TYPE = (
    "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
)
PLAIN_FIELDS = (
    "<field var='username' type='text-single' label='Benutzer'><required/></field>"
    "<field var='password' type='text-private' label='Kennwort'><required/></field>"
)


def form(*fields: str) -> str:
    return f"<x xmlns='jabber:x:data' type='form'>{''.join(fields)}</x>"


def test_negotiate_fills_a_plain_form_by_var_and_returns_hidden_fields() -> None:
    hidden = "<field var='sid' type='hidden'><value>a&amp;b</value></field>"
    optional = "<field var='nick' type='text-single'/>"

    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            inside = form(FORM_TYPE, PLAIN_FIELDS, hidden, optional)
            return form_reply(stanza_id, inside)
        return None

    server = PureServer(on_register=on_register)

    talk = converse(make_plan(is_open=False), server)

    assert talk.done is not None
    sent = server.seen[1]
    assert "<field var='username'><value>someone</value>" in sent
    assert "<field var='password'><value>pencil</value>" in sent
    assert "<field var='sid'><value>a&amp;b</value>" in sent
    assert "nick" not in sent


@pytest.mark.parametrize("condition", ["not-acceptable", "not-allowed", "bad-request"])
def test_negotiate_asks_and_fills_the_form_when_the_blind_request_is_refused(
    condition: str,
) -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return form_reply(stanza_id, form(FORM_TYPE, PLAIN_FIELDS))
        return None if "jabber:x:data" in text else stanza_error(stanza_id, condition)

    server = PureServer(on_register=on_register)

    talk = converse(make_plan(), server)

    assert talk.error is None
    assert talk.done is not None
    assert talk.submits.count(True) == 2


def test_negotiate_aborts_the_early_login_when_the_server_wants_to_be_asked() -> None:
    """Some servers answer an unknown name with a challenge like any other."""

    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return form_reply(stanza_id, form(FORM_TYPE, PLAIN_FIELDS))
        if "jabber:x:data" in text:
            return None
        return stanza_error(stanza_id, "not-acceptable")

    server = PureServer(on_register=on_register, accounts=LOGGED_IN)

    talk = converse(make_plan(), server)

    assert talk.done is not None
    kinds = [re.match(r"<(\w+)", one)[1] for one in server.seen]  # type: ignore[index]  # they all match
    assert kinds.index("abort") < kinds.index("response")
    assert kinds.count("auth") == 2


MEDIA = "<field var='x'><media xmlns='urn:xmpp:media-element'/></field>"
OCR = "<field var='ocr'><required/></field>"
CAPTCHA_TYPE = (
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:captcha</value></field>"
)
OOB = "<x xmlns='jabber:x:oob'><url>https://sign.up/</url></x>"


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        pytest.param(
            form(FORM_TYPE, PLAIN_FIELDS, OCR),
            OpeningReason.NEEDS_CAPTCHA,
            id="ocr field",
        ),
        pytest.param(
            form(CAPTCHA_TYPE, PLAIN_FIELDS),
            OpeningReason.NEEDS_CAPTCHA,
            id="captcha form",
        ),
        pytest.param(
            form(FORM_TYPE, PLAIN_FIELDS, MEDIA),
            OpeningReason.NEEDS_CAPTCHA,
            id="picture",
        ),
        pytest.param(
            form(PLAIN_FIELDS, "<field var='email'><required/></field>"),
            OpeningReason.NEEDS_FORM,
            id="e-mail required",
        ),
        pytest.param(
            form("<field var='password'/>"), OpeningReason.NEEDS_FORM, id="no name"
        ),
        pytest.param(
            "<username/><password/><email/>",
            OpeningReason.NEEDS_FORM,
            id="old field e-mail",
        ),
        pytest.param(OOB, OpeningReason.WEB_ONLY, id="a web page"),
        pytest.param("<instructions/>" + OOB, OpeningReason.WEB_ONLY, id="web, words"),
        pytest.param("", OpeningReason.NEEDS_FORM, id="nothing"),
    ],
)
def test_negotiate_tells_what_a_registration_wants_beside_name_and_password(
    inside: str, reason: OpeningReason
) -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        return form_reply(stanza_id, inside) if "type='get'" in text else None

    server = PureServer(on_register=on_register)

    talk = converse(make_plan(is_open=False), server)

    assert talk.error is not None
    assert talk.error.reason is reason
    assert server.accounts == set()
    assert "pencil" not in talk.text


def test_negotiate_finds_the_captcha_when_a_blind_request_was_not_allowed() -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return form_reply(stanza_id, form(CAPTCHA_TYPE, PLAIN_FIELDS, OCR))
        return stanza_error(stanza_id, "not-allowed")

    talk = converse(make_plan(), PureServer(on_register=on_register))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.NEEDS_CAPTCHA
    assert talk.negotiation is not None
    assert not talk.negotiation.may_exist


# --- a server that wants a person -----------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False], ids=["thought open", "not known"])
def test_negotiate_makes_the_account_with_a_persons_answer(*, is_open: bool) -> None:
    master = PuzzleMaster()
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=is_open), server, answers=[ANSWER])

    assert talk.done is not None
    [ask] = talk.asked
    assert ask.challenge.image == PICTURE
    assert ask.n_wrong == 0
    assert master.tried == [ANSWER]
    assert server.accounts == {"someone"}


def test_negotiate_puts_the_answer_into_its_own_field_and_returns_the_hidden_ones() -> (
    None
):
    master = PuzzleMaster()

    converse(
        make_plan(is_open=False),
        PureServer(on_register=master.take),
        answers=[ANSWER],
    )

    [filled] = master.filled
    found = dict(re.findall("<field var='([^']*)'><value>([^<]*)</value>", filled))
    assert found == {
        "FORM_TYPE": "urn:xmpp:captcha",
        "username": "someone",
        "password": "pencil",
        "captcha-fallback-url": "https://practice.example/captcha/1",
        "from": "practice.example",
        "challenge": "0815",
        "sid": "",
        "ocr": ANSWER,
    }


@pytest.mark.parametrize("refusal", ["not-allowed", "not-acceptable"])
def test_negotiate_shows_another_challenge_after_a_wrong_answer(refusal: str) -> None:
    master = PuzzleMaster(refusal=refusal)
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=["wrong", ANSWER])

    assert talk.done is not None
    assert [ask.n_wrong for ask in talk.asked] == [0, 1]
    assert master.n_shown == 2


def test_negotiate_gives_up_after_three_wrong_answers() -> None:
    master = PuzzleMaster()
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=["a", "b", "c"])

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.NEEDS_CAPTCHA
    assert talk.error.condition == "wrong-answers"
    assert talk.negotiation is not None
    assert not talk.negotiation.may_exist


def test_negotiate_shows_another_challenge_when_the_person_wants_one() -> None:
    master = PuzzleMaster()
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=[None, None, ANSWER])

    assert talk.done is not None
    assert [ask.n_wrong for ask in talk.asked] == [0, 0, 0]
    assert master.tried == [ANSWER]


def test_negotiate_quotes_what_the_person_typed() -> None:
    master = PuzzleMaster(answer=ODD.replace("<&'\">", "&lt;&amp;&apos;&quot;&gt;"))
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=[ODD])

    assert talk.done is not None


def test_negotiate_bothers_nobody_when_an_answer_would_not_be_enough() -> None:
    more = captcha_form(ocr() + "<field var='email'><required/></field>")
    master = PuzzleMaster(form=more + bob(PICTURE))
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=[ANSWER])

    assert not talk.asked
    assert talk.error is not None
    assert (talk.error.reason, talk.error.condition) == (
        OpeningReason.NEEDS_FORM,
        "email",
    )


def test_negotiate_answers_a_question_in_words() -> None:
    question = "<field var='qa' label='Which planet is red?'><required/></field>"
    master = PuzzleMaster(answer="Mars", form=captcha_form(question))
    server = PureServer(on_register=master.take)

    talk = converse(make_plan(is_open=False), server, answers=["Mars"])

    assert talk.done is not None
    assert talk.asked[0].challenge.question == "Which planet is red?"


# --- an invitation ----------------------------------------------------------------------

PARS = "urn:xmpp:pars:0"
VALID, OLD = "a&b", "old"


@dataclass
class Host(PureServer):
    """Takes nobody who has not shown the invitation first."""

    invitation: str = "a&amp;b"
    was_shown: bool = False

    def _iq(self, stanza_id: str, text: str) -> str:
        if PARS in text:
            self.was_shown = f"token='{self.invitation}'" in text
            if not self.was_shown:
                return stanza_error(stanza_id, "forbidden")
        elif "jabber:iq:register" in text:
            self.offers_registration = self.was_shown
        return super()._iq(stanza_id, text)


def test_negotiate_shows_the_invitation_and_asks_in_one_flight() -> None:
    server = Host()

    talk = converse(make_plan(is_open=False, token=VALID), server)

    assert talk.done is not None
    assert server.accounts == {"someone"}
    flight = talk.flights[1].decode()
    assert flight.index(PARS) < flight.index("type='get'")


def test_negotiate_says_that_the_invitation_is_not_taken() -> None:
    talk = converse(make_plan(is_open=False, token=OLD), Host())

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.INVITATION_REFUSED
    assert talk.error.text == "so there"
    assert talk.negotiation is not None
    assert not talk.negotiation.may_exist


@pytest.mark.parametrize("name", ["urn:xmpp:ibr-token:0", "urn:xmpp:invite"])
def test_negotiate_takes_a_server_that_opens_to_invitations_alone(name: str) -> None:
    def server() -> Host:
        feature = f"<register xmlns='{name}'/>"
        return Host(offers_registration=False, first_features=feature)

    invited = converse(make_plan(is_open=False, token=VALID), server())
    stranger = converse(make_plan(is_open=False), server())

    assert invited.done is not None
    assert stranger.error is not None
    assert stranger.error.reason is OpeningReason.REGISTRATION_CLOSED


# --- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("conflict", "cancel"),
        ("policy-violation", "wait"),
        ("resource-constraint", "wait"),
        ("forbidden", "auth"),
        ("not-acceptable", "modify"),
    ],
)
def test_negotiate_tells_a_refusal_with_its_condition_and_type(
    condition: str, kind: str
) -> None:
    def on_register(stanza_id: str, text: str) -> str | None:
        if "type='get'" in text:
            return None
        return stanza_error(stanza_id, condition, kind)

    talk = converse(make_plan(), PureServer(on_register=on_register))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.REFUSED
    assert (talk.error.condition, talk.error.error_type) == (condition, kind)
    assert talk.error.text == "so there"


def test_negotiate_sends_no_proof_when_the_name_is_somebody_elses() -> None:
    def on_register(stanza_id: str, _text: str) -> str:
        return stanza_error(stanza_id, "conflict")

    server = PureServer(on_register=on_register, accounts=LOGGED_IN)

    talk = converse(make_plan(), server)

    assert talk.error is not None
    assert len(talk.flights) == 1


@pytest.mark.parametrize("is_open", [True, False])
def test_negotiate_says_closed_when_there_is_no_registration(is_open: bool) -> None:
    server = PureServer(offers_registration=False)

    talk = converse(make_plan(is_open=is_open), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.REGISTRATION_CLOSED
    assert talk.submits == [is_open]


# --- login ------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize(
    ("known", "server", "n_flights", "is_bound"),
    [
        pytest.param(
            PLUS,
            PureServer(mechanisms=PLUS, announced=("tls-exporter",), binding=b"E" * 32),
            3,
            True,
            id="PLUS known and offered",
        ),
        pytest.param(
            PLUS,
            PureServer(mechanisms=PLUS, binding=b"E" * 32),
            3,
            True,
            id="PLUS known, offered, kind not announced",
        ),
        pytest.param(PLUS, PureServer(), 4, False, id="PLUS known, no longer offered"),
        pytest.param(
            ("SCRAM-SHA-1",),
            PureServer(mechanisms=PLUS, announced=("tls-server-end-point",)),
            4,
            False,
            id="PLUS of no kind of ours",
        ),
        pytest.param(
            PLUS,
            PureServer(mechanisms=PLUS, binding=b"of another kind"),
            5,
            False,
            id="PLUS offered, our binding refused",
        ),
        pytest.param(
            (),
            PureServer(
                mechanisms=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1")
            ),
            4,
            False,
            id="nothing known, best hash",
        ),
        pytest.param(
            ("SCRAM-SHA-256",), PureServer(), 4, False, id="the record is wrong"
        ),
    ],
)
def test_negotiate_binds_the_channel_as_well_as_the_server_can(
    purpose: Purpose,
    known: tuple[str, ...],
    server: PureServer,
    n_flights: int,
    is_bound: bool,
) -> None:
    server = PureServer(
        mechanisms=server.mechanisms,
        announced=server.announced,
        binding=server.binding,
        accounts=set(LOGGED_IN),
    )

    talk = converse(make_plan(purpose, scram=known), server)

    assert talk.error is None
    assert talk.done is not None
    assert talk.done.channel_bound is is_bound
    assert len(talk.flights) == n_flights


def test_negotiate_takes_the_best_hash_of_an_offer() -> None:
    server = PureServer(mechanisms=("SCRAM-SHA-1", "SCRAM-SHA-512", "SCRAM-SHA-256"))

    talk = converse(make_plan(scram=()), server)

    assert talk.done is not None
    assert "mechanism='SCRAM-SHA-512'" in talk.text


def test_negotiate_never_goes_on_unbound_when_an_announced_binding_is_refused() -> None:
    """A server that says it takes our kind, and then does not, is not alone."""
    server = PureServer(
        mechanisms=PLUS,
        announced=("tls-exporter",),
        binding=b"of somebody in between",
        accounts=LOGGED_IN,
    )

    talk = converse(make_plan(Purpose.LOG_IN, scram=PLUS), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert "mechanism='SCRAM-SHA-1'" not in talk.text


@pytest.mark.parametrize("checks_y", [True, False], ids=["honest", "lets y pass"])
@pytest.mark.parametrize("purpose", Purpose)
def test_negotiate_sends_no_proof_without_binding_when_binding_is_offered(
    purpose: Purpose, checks_y: bool
) -> None:
    """A new connection is asked for: real servers fail PLUS on a used stream."""
    server = PureServer(mechanisms=PLUS, checks_y=checks_y, binding=b"E" * 32)
    server.accounts = set(LOGGED_IN)

    with pytest.raises(StartOverError) as caught:
        converse(make_plan(purpose), server)

    assert set(caught.value.offered) == set(PLUS)
    assert not any(one.startswith("<response") for one in server.seen)


@pytest.mark.parametrize("scram", [(), ("SCRAM-SHA-1",), PLUS])
def test_negotiate_gives_up_when_the_password_is_wrong(scram: tuple[str, ...]) -> None:
    server = PureServer(accounts=LOGGED_IN, password=ANOTHER)

    talk = converse(make_plan(Purpose.LOG_IN, scram=scram), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert talk.error.condition == "not-authorized"


def test_negotiate_says_not_authorized_when_there_is_no_such_account() -> None:
    talk = converse(make_plan(Purpose.LOG_IN), PureServer())

    assert talk.error is not None
    assert talk.error.condition == "not-authorized"


def test_negotiate_never_sends_the_password_when_only_plain_is_offered() -> None:
    server = PureServer(mechanisms=("PLAIN",), accounts=LOGGED_IN)

    talk = converse(make_plan(Purpose.LOG_IN, scram=()), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert "auth" not in talk.text


def test_negotiate_takes_a_signature_that_comes_in_a_challenge() -> None:
    talk = converse(make_plan(), PureServer(signature_in_challenge=True))

    assert talk.done is not None


def without_signature(_stanza_id: str, _text: str) -> str:
    return "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"


SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(PureServer(signature="v=AAAA"), id="wrong signature"),
        pytest.param(PureServer(signature="e=other-error"), id="error as success"),
        pytest.param(PureServer(on_response=without_signature), id="no signature"),
        pytest.param(
            PureServer(on_auth=without_signature), id="success without a proof"
        ),
        pytest.param(PureServer(iterations=100), id="few iterations"),
        pytest.param(PureServer(iterations=10**8), id="many iterations"),
        pytest.param(
            PureServer(on_auth=lambda *_: f"<challenge xmlns='{SASL}'>!</challenge>"),
            id="no base64",
        ),
        pytest.param(
            PureServer(on_auth=lambda *_: f"<wobble xmlns='{SASL}'/>"), id="no SASL"
        ),
        pytest.param(PureServer(head_from="other.example"), id="another domain"),
        pytest.param(PureServer(head_version="0.9"), id="another version"),
        pytest.param(PureServer(first_extra="<stream:features/>"), id="features twice"),
        pytest.param(
            PureServer(first_extra="<!DOCTYPE x [<!ENTITY a 'b'>]>"), id="DTD"
        ),
        pytest.param(
            PureServer(first_extra=f"<iq>{'x' * 140_000}</iq>"), id="huge stanza"
        ),
        pytest.param(PureServer(first_extra="<a></b>"), id="not well-formed"),
        pytest.param(
            PureServer(after_success="<message/>"), id="stanza behind success"
        ),
        pytest.param(
            PureServer(after_success="<stream:str"), id="half a stanza behind success"
        ),
        pytest.param(
            PureServer(bound_jid=f"else@{DOMAIN}/x"), id="bound to another name"
        ),
        pytest.param(PureServer(bound_jid="someone@x/y"), id="bound elsewhere"),
        pytest.param(PureServer(bound_jid=f"someone@{DOMAIN}"), id="no resource"),
        pytest.param(PureServer(bound_jid="&lt;"), id="bound to nothing"),
        pytest.param(
            PureServer(on_response=lambda *_: stream_error("policy-violation")),
            id="stream error instead of success",
        ),
        pytest.param(
            PureServer(on_bind=lambda *_: "<message/>" * 101), id="flood before bound"
        ),
    ],
)
def test_negotiate_is_confused_when_the_server_breaks_the_protocol(
    server: PureServer,
) -> None:
    server.accounts.add("someone")
    server.seen.clear()

    talk = converse(make_plan(Purpose.LOG_IN), server)

    assert talk.done is None
    assert talk.error is not None
    assert talk.error.reason is OpeningReason.CONFUSED
    assert re.fullmatch("[a-z0-9-]+", talk.error.condition)


# --- cuts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending", ["</stream:stream>", stream_error("system-shutdown")]
)
def test_negotiate_says_the_account_may_exist_when_the_answer_never_comes(
    ending: str,
) -> None:
    server = PureServer(on_register=lambda *_: ending)

    talk = converse(make_plan(), server)

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.BROKEN
    assert talk.negotiation is not None
    assert talk.negotiation.may_exist


def test_negotiate_says_the_account_cannot_exist_when_nothing_was_submitted() -> None:
    talk = converse(
        make_plan(is_open=False), PureServer(first_extra="</stream:stream>")
    )

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.BROKEN
    assert talk.negotiation is not None
    assert not talk.negotiation.may_exist


@pytest.mark.parametrize(
    ("announced", "is_suspect"), [(None, True), (("tls-exporter",), False)]
)
def test_negotiate_suspects_the_binding_when_the_cut_follows_it(
    announced: tuple[str, ...] | None, is_suspect: bool
) -> None:
    server = PureServer(
        mechanisms=PLUS,
        announced=announced,
        accounts=LOGGED_IN,
        on_response=lambda *_: "</stream:stream>",
    )

    talk = converse(make_plan(Purpose.LOG_IN, scram=PLUS), server)

    assert talk.negotiation is not None
    assert talk.negotiation.may_fail_over_binding is is_suspect


def test_negotiate_does_not_suspect_the_binding_when_the_signature_is_wrong() -> None:
    server = PureServer(
        mechanisms=PLUS, binding=b"E" * 32, accounts=LOGGED_IN, signature="v=AAAA"
    )

    talk = converse(make_plan(Purpose.LOG_IN, scram=PLUS), server)

    assert talk.error is not None
    assert talk.negotiation is not None
    assert not talk.negotiation.may_fail_over_binding


def test_negotiate_uses_no_binding_when_told_to_avoid_it() -> None:
    server = PureServer(mechanisms=PLUS, accounts=LOGGED_IN)

    talk = converse(make_plan(Purpose.LOG_IN, scram=PLUS, avoid_plus=True), server)

    assert talk.done is not None
    assert len(talk.flights) == 3
    assert "PLUS" not in talk.text


# --- binding a session ---------------------------------------------------------------------


def test_negotiate_makes_an_old_session_only_when_it_is_required() -> None:
    session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"

    talk = converse(make_plan(), PureServer(second_features=session))

    assert talk.done is not None
    assert talk.text.count(session) == 1
    assert talk.text.count("jabber:iq:roster") == 2


def test_negotiate_makes_no_old_session_when_it_is_optional() -> None:
    session = (
        "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
    )

    talk = converse(make_plan(), PureServer(second_features=session))

    assert talk.done is not None
    assert "xmpp-session" not in talk.text


def test_negotiate_says_login_refused_when_the_session_is_refused() -> None:
    def on_bind(stanza_id: str, _text: str) -> str:
        return stanza_error(stanza_id, "resource-constraint", "wait")

    talk = converse(make_plan(), PureServer(on_bind=on_bind))

    assert talk.error is not None
    assert talk.error.reason is OpeningReason.LOGIN_REFUSED
    assert talk.error.condition == "resource-constraint"


def test_negotiate_hands_over_every_byte_that_came_after_the_binding() -> None:
    talk = converse(make_plan(), PureServer())

    assert talk.done is not None
    roster = talk.done.reader.next_stanza()
    assert roster is not None
    assert roster.get("id") == talk.done.bound.roster_id
    assert talk.done.reader.next_stanza() is None


# --- STARTTLS ----------------------------------------------------------------------------------


def test_starttls_asks_in_the_same_flight_as_the_header() -> None:
    start_tls = StartTls(DOMAIN)
    server = PureServer()

    first = start_tls.start()

    assert start_tls.receive(server.receive(first))
    assert b"from=" not in first
    assert server.n_heads == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            OpeningReason.CONFUSED,
            id="refused",
        ),
        pytest.param(
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message/>",
            OpeningReason.CONFUSED,
            id="a stanza smuggled behind proceed",
        ),
        pytest.param(
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\x16\x03\x03",
            OpeningReason.CONFUSED,
            id="bytes smuggled behind proceed",
        ),
        pytest.param("</stream:stream>", OpeningReason.BROKEN, id="the end"),
        pytest.param(
            stream_error("host-unknown"), OpeningReason.CONFUSED, id="stream error"
        ),
        pytest.param("<!DOCTYPE x>", OpeningReason.CONFUSED, id="DTD"),
    ],
)
def test_starttls_ends_without_tls_when_the_server_does_anything_but_proceed(
    answer: str, reason: OpeningReason
) -> None:
    start_tls = StartTls(DOMAIN)
    server = PureServer(on_starttls=lambda *_: answer)

    with pytest.raises(NegotiationError) as caught:
        start_tls.receive(server.receive(start_tls.start()))

    assert caught.value.reason is reason


# --- answers of others -----------------------------------------------------------------


def from_another(sender: str) -> Callable[[str, str], str]:
    bind = "urn:ietf:params:xml:ns:xmpp-bind"
    jid = f"<bind xmlns='{bind}'><jid>someone@{DOMAIN}/x</jid></bind>"

    def answer(stanza_id: str, _text: str) -> str:
        return f"<iq type='result' id='{stanza_id}' from='{sender}'>{jid}</iq>"

    return answer


STRANGERS = ["eve@e.example/x", f"eve@{DOMAIN}", "e.example", "", "@", "someone@e"]


@pytest.mark.parametrize("sender", STRANGERS)
def test_negotiate_takes_no_answer_of_others_about_the_account(sender: str) -> None:
    server = PureServer(accounts=LOGGED_IN, on_register=from_another(sender))

    talk = converse(make_plan(), server)

    assert talk.reached == []
    assert len(talk.flights) == 1  # no proof goes out


@pytest.mark.parametrize("sender", STRANGERS)
def test_negotiate_takes_no_session_from_others(sender: str) -> None:
    server = PureServer(accounts=LOGGED_IN, on_bind=from_another(sender))

    talk = converse(make_plan(Purpose.LOG_IN), server)

    assert talk.done is None
    assert talk.error is None


@pytest.mark.parametrize(
    "sender", [DOMAIN, DOMAIN.upper(), f"Someone@{DOMAIN}", f"someone@{DOMAIN}/x"]
)
def test_negotiate_takes_the_answers_of_its_server_and_its_account(sender: str) -> None:
    server = PureServer(accounts=LOGGED_IN, on_bind=from_another(sender))

    talk = converse(make_plan(Purpose.LOG_IN), server)

    assert talk.done is not None
