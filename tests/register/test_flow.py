"""Every row of the enrolment table, and that the machine always ends."""

import random
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register import (
    Attempt,
    AttemptKind,
    Broken,
    CertificateBad,
    Confused,
    Effect,
    Enrolled,
    Enrolment,
    FlowError,
    GiveUp,
    Identity,
    InvitationRefused,
    LoginRefused,
    NeedsCaptcha,
    NeedsForm,
    Outcome,
    PuzzleLost,
    Refused,
    Registration,
    RegistrationClosed,
    Server,
    Silent,
    Skipped,
    Succeeded,
    TlsMode,
    Unreachable,
    WebOnly,
)
from coykiosk.register.flow import MAX_ATTEMPTS_PER_VISIT
from tests.support.chance import repeatable

ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"

CONFLICT = Refused("conflict", "cancel", "That name is taken")
THROTTLED = Refused("policy-violation", "wait", "Too many registrations")
BLOCKED = Refused("forbidden", "auth", "Your IP address is blocklisted")
BUSY = Refused("resource-constraint", "wait", "Not so quickly")

PLAIN_REFUSALS: list[Outcome] = [
    BUSY,
    Refused("not-allowed", "cancel", ""),
    Refused("not-acceptable", "modify", ""),
    Refused("bad-request", "modify", ""),
    Refused("jid-malformed", "modify", ""),
    Refused("policy-violation", "modify", "no such name"),
    Refused("internal-server-error", "wait", ""),
    Refused("", "", ""),
    RegistrationClosed(),
    NeedsForm(),
    NeedsForm("email"),
    NeedsCaptcha(),
    NeedsCaptcha("wrong-answers"),
    WebOnly("https://sign.up/"),
    Silent(submitted=False),
    Broken(submitted=False),
    Skipped(submitted=False),
    InvitationRefused("used"),
]


def server(
    domain: str,
    *,
    onion: bool = True,
    clearnet: bool = False,
    register: Registration = Registration.OPEN,
) -> Server:
    return Server(
        domain=domain,
        onion=ONION if onion else None,
        port=5222,
        tls=TlsMode.STARTTLS,
        clearnet=clearnet or not onion,
        register=register,
        register_checked=date(2026, 1, 1),
        onion_checked=date(2026, 1, 1) if onion else None,
        operator=domain,
        spki=(),
        scram=(),
        source="a list",
    )


ONE = server("one.example")
TWO = server("two.example")


def enrolment(*servers: Server, seed: int = 1) -> Enrolment:
    source = repeatable(seed)
    return Enrolment(servers or (ONE, TWO), source.randbytes)


def attempt(effect: Effect) -> Attempt:
    assert isinstance(effect, Attempt)
    return effect


# --- the first attempt ----------------------------------------------------


def test_start_registers_at_the_first_server_over_its_onion() -> None:
    first = attempt(enrolment(ONE, TWO).start())

    assert first.server is ONE
    assert first.route.host == ONION
    assert first.kind is AttemptKind.REGISTER
    assert first.fresh_circuit


@pytest.mark.parametrize(
    ("onion", "limit_s"), [(True, 60.0), (False, 30.0)], ids=["onion", "exit"]
)
def test_attempt_may_take_longer_when_it_goes_to_an_onion(
    onion: bool, limit_s: float
) -> None:
    first = attempt(enrolment(server("a.example", onion=onion)).start())

    assert first.limit_s == limit_s


def test_start_gives_up_when_there_is_no_server() -> None:
    machine = Enrolment((), random.randbytes)

    effect = machine.start()

    assert effect == GiveUp(())


def test_start_passes_over_a_server_that_no_way_leads_to() -> None:
    lost = replace(ONE, onion=None, clearnet=False)

    first = attempt(enrolment(lost, TWO).start())

    assert first.server is TWO


# --- success --------------------------------------------------------------


def test_success_enrols_with_the_identity_of_the_attempt() -> None:
    machine = enrolment()
    first = attempt(machine.start())

    effect = machine.feed(Succeeded())

    assert effect == Enrolled(ONE, first.route, first.identity)
    assert machine.tried == ()
    assert machine.unresolved == ()


# --- the name is taken ----------------------------------------------------


def test_conflict_draws_a_new_name_for_the_same_server_and_circuit() -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(CONFLICT))

    assert second.server is ONE
    assert second.identity.localpart != first.identity.localpart
    assert second.identity.password != first.identity.password
    assert not second.fresh_circuit


def test_conflict_leads_to_the_next_server_when_three_names_are_taken() -> None:
    machine = enrolment()
    machine.start()

    hosts = [attempt(machine.feed(CONFLICT)).server.domain for _ in range(3)]

    assert hosts == ["one.example", "one.example", "two.example"]


def test_next_server_may_refuse_names_as_often_as_the_first() -> None:
    machine = enrolment()
    machine.start()

    effects = [machine.feed(CONFLICT) for _ in range(6)]

    assert isinstance(effects[-1], GiveUp)
    assert not any(isinstance(effect, GiveUp) for effect in effects[:-1])


# --- the circuit is not welcome -------------------------------------------


@pytest.mark.parametrize("refusal", [THROTTLED, BLOCKED], ids=["throttled", "blocked"])
def test_refusal_of_the_circuit_gets_one_new_circuit(refusal: Refused) -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(refusal))

    assert second.server is ONE
    assert second.fresh_circuit
    assert second.identity != first.identity


@pytest.mark.parametrize("second", [THROTTLED, BLOCKED], ids=["throttled", "blocked"])
@pytest.mark.parametrize("first", [THROTTLED, BLOCKED], ids=["throttled", "blocked"])
def test_refusal_of_the_circuit_leads_on_when_it_comes_again(
    first: Refused, second: Refused
) -> None:
    machine = enrolment()
    machine.start()
    machine.feed(first)

    third = attempt(machine.feed(second))

    assert third.server is TWO


def test_conflict_after_a_new_circuit_still_draws_a_new_name() -> None:
    machine = enrolment()
    machine.start()
    machine.feed(THROTTLED)

    third = attempt(machine.feed(CONFLICT))

    assert third.server is ONE


# --- anything that leads to the next server -------------------------------


@pytest.mark.parametrize("outcome", PLAIN_REFUSALS, ids=repr)
def test_refusal_leads_to_the_next_server_with_a_new_identity(
    outcome: Outcome,
) -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(outcome))

    assert second.server is TWO
    assert second.kind is AttemptKind.REGISTER
    assert second.fresh_circuit
    assert second.identity.localpart != first.identity.localpart
    assert second.identity.password != first.identity.password
    assert machine.unresolved == ()


@pytest.mark.parametrize("outcome", PLAIN_REFUSALS, ids=repr)
def test_refusal_is_told_when_it_was_the_last_server(outcome: Outcome) -> None:
    machine = enrolment(ONE)
    first = attempt(machine.start())

    effect = machine.feed(outcome)

    assert isinstance(effect, GiveUp)
    assert effect.tried == machine.tried
    assert [(t.domain, t.outcome, t.route) for t in effect.tried] == [
        ("one.example", outcome, first.route)
    ]


@pytest.mark.parametrize(
    "outcome",
    [LoginRefused("not-authorized"), Confused("two features")],
    ids=["login-refused", "confused"],
)
def test_account_stays_unresolved_when_it_may_exist_but_is_no_use(
    outcome: Outcome,
) -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(outcome))

    assert second.server is TWO
    assert [one.identity for one in machine.unresolved] == [first.identity]
    assert [one.route for one in machine.unresolved] == [first.route]


# --- the onion cannot be used ---------------------------------------------

NO_WAY = pytest.mark.parametrize(
    "outcome",
    [Unreachable(), CertificateBad("not for this domain")],
    ids=["unreachable", "certificate"],
)


@NO_WAY
def test_exit_is_tried_when_the_onion_fails_and_the_record_allows_it(
    outcome: Outcome,
) -> None:
    machine = enrolment(server("a.example", clearnet=True))
    first = attempt(machine.start())

    second = attempt(machine.feed(outcome))

    assert (second.server, second.route.host) == (first.server, "a.example")
    assert second.limit_s == 30.0
    assert second.fresh_circuit
    assert second.identity != first.identity


@NO_WAY
def test_exit_is_never_tried_when_the_record_forbids_it(outcome: Outcome) -> None:
    machine = enrolment(server("a.example", clearnet=False))
    machine.start()

    effect = machine.feed(outcome)

    assert isinstance(effect, GiveUp)


@NO_WAY
def test_exit_waits_until_the_other_onions_have_been_tried(outcome: Outcome) -> None:
    machine = enrolment(
        server("a.example", clearnet=True),
        server("b.example", register=Registration.UNKNOWN),
        server("c.example", onion=False),
    )
    machine.start()

    hosts = [attempt(machine.feed(outcome)).route.host for _ in range(3)]

    assert hosts == [ONION, "a.example", "c.example"]


def test_exit_of_a_doubtful_server_waits_for_open_exits() -> None:
    machine = enrolment(
        server("a.example", clearnet=True, register=Registration.UNKNOWN),
        server("b.example", onion=False),
    )
    machine.start()

    hosts = [attempt(machine.feed(Unreachable())).route.host for _ in range(2)]

    assert hosts == ["b.example", "a.example"]


@NO_WAY
def test_server_is_left_when_its_exit_fails_too(outcome: Outcome) -> None:
    machine = enrolment(server("a.example", clearnet=True))
    machine.start()
    machine.feed(outcome)

    effect = machine.feed(outcome)

    assert isinstance(effect, GiveUp)
    assert [t.route.host for t in effect.tried] == [ONION, "a.example"]


def test_exit_gets_new_names_and_a_new_circuit_of_its_own() -> None:
    machine = enrolment(server("a.example", clearnet=True))
    machine.start()
    for outcome in (CONFLICT, CONFLICT, BLOCKED, Unreachable()):
        machine.feed(outcome)

    effects = [machine.feed(outcome) for outcome in (CONFLICT, CONFLICT, BLOCKED)]

    assert [attempt(effect).route.host for effect in effects] == ["a.example"] * 3


@pytest.mark.parametrize(
    "outcome",
    [*PLAIN_REFUSALS, Silent(submitted=False), Confused("x")],
    ids=repr,
)
def test_exit_is_not_tried_when_the_onion_answered(outcome: Outcome) -> None:
    """Who was refused at the front door does not try the side door."""
    machine = enrolment(server("a.example", clearnet=True))
    machine.start()

    effect = machine.feed(outcome)

    assert isinstance(effect, GiveUp)


# --- the answer is lost ---------------------------------------------------

LOST = pytest.mark.parametrize(
    "lost", [Silent(submitted=True), Broken(submitted=True)], ids=["silent", "broken"]
)


@LOST
def test_lost_answer_leads_to_one_login_with_the_same_identity(lost: Outcome) -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(lost))

    assert second == replace(first, kind=AttemptKind.LOG_IN, fresh_circuit=True)


@LOST
def test_login_after_a_conflict_uses_the_name_that_was_sent_last(
    lost: Outcome,
) -> None:
    machine = enrolment()
    machine.start()
    second = attempt(machine.feed(CONFLICT))

    third = attempt(machine.feed(lost))

    assert third.identity == second.identity
    assert third.fresh_circuit


@LOST
def test_lost_answer_ends_well_when_the_login_succeeds(lost: Outcome) -> None:
    machine = enrolment()
    first = attempt(machine.start())
    machine.feed(lost)

    effect = machine.feed(Succeeded())

    assert effect == Enrolled(ONE, first.route, first.identity)


@LOST
def test_account_is_forgotten_when_the_login_shows_that_there_is_none(
    lost: Outcome,
) -> None:
    machine = enrolment()
    first = attempt(machine.start())
    machine.feed(lost)

    third = attempt(machine.feed(LoginRefused("not-authorized")))

    assert third.server is TWO
    assert third.kind is AttemptKind.REGISTER
    assert third.identity.localpart != first.identity.localpart
    assert third.identity.password != first.identity.password
    assert machine.unresolved == ()


@LOST
def test_cut_is_why_there_is_none_when_the_login_shows_that_there_is_none(
    lost: Outcome,
) -> None:
    """Nobody was asked for a name: that it is not known is no reason to them."""
    machine = enrolment()
    machine.start()
    machine.feed(lost)

    machine.feed(LoginRefused("not-authorized"))

    [tried] = machine.tried
    assert tried.outcome == lost


@pytest.mark.parametrize(
    "outcome",
    [
        Silent(submitted=True),
        Silent(submitted=False),
        Broken(submitted=True),
        Broken(submitted=False),
        Unreachable(),
        CertificateBad("changed"),
        Confused("x"),
        LoginRefused("temporary-auth-failure"),
        LoginRefused("account-disabled"),
        BUSY,
        CONFLICT,
        NeedsCaptcha(),
        Skipped(submitted=True),
        Skipped(submitted=False),
    ],
    ids=repr,
)
def test_account_stays_unresolved_when_the_login_proves_nothing(
    outcome: Outcome,
) -> None:
    machine = enrolment()
    first = attempt(machine.start())
    machine.feed(Silent(submitted=True))

    third = attempt(machine.feed(outcome))

    assert third.server is TWO
    assert third.kind is AttemptKind.REGISTER
    assert [one.identity for one in machine.unresolved] == [first.identity]
    assert [t.outcome for t in machine.tried] == [outcome]


def test_exit_is_not_registered_at_when_the_onion_may_have_made_an_account() -> None:
    machine = enrolment(server("a.example", clearnet=True))
    machine.start()
    machine.feed(Broken(submitted=True))

    effect = machine.feed(Unreachable())

    assert isinstance(effect, GiveUp)


# --- misuse ---------------------------------------------------------------


def test_feed_is_refused_before_the_start() -> None:
    with pytest.raises(FlowError, match="not started"):
        enrolment().feed(Succeeded())


def test_start_is_refused_when_it_comes_twice() -> None:
    machine = enrolment()
    machine.start()

    with pytest.raises(FlowError, match="started already"):
        machine.start()


@pytest.mark.parametrize("last", [Succeeded(), BUSY], ids=["enrolled", "given-up"])
def test_feed_is_refused_after_the_end(last: Outcome) -> None:
    machine = enrolment(ONE)
    machine.start()
    machine.feed(last)

    with pytest.raises(FlowError, match="ended already"):
        machine.feed(Succeeded())


def test_feed_is_refused_when_there_was_nobody_to_try() -> None:
    machine = Enrolment((), random.randbytes)
    machine.start()

    with pytest.raises(FlowError, match="ended already"):
        machine.feed(Succeeded())


def test_same_domain_twice_is_refused() -> None:
    with pytest.raises(FlowError, match="twice"):
        enrolment(ONE, server("one.example", onion=False))


def test_stuck_random_source_is_refused_instead_of_a_name_used_twice() -> None:
    machine = Enrolment((ONE, TWO), bytes)
    machine.start()

    with pytest.raises(RuntimeError, match="stuck"):
        machine.feed(BUSY)


def test_effects_show_no_name_and_no_password_in_their_repr() -> None:
    machine = enrolment()
    first = attempt(machine.start())

    shown = repr(first) + repr(machine.feed(Succeeded()))

    assert first.identity.localpart not in shown
    assert first.identity.password not in shown


# --- a person at a puzzle -------------------------------------------------


def test_puzzle_that_was_lost_is_asked_for_once_more_on_another_circuit() -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(PuzzleLost()))
    third = attempt(machine.feed(PuzzleLost()))

    assert second.route == first.route
    assert second.fresh_circuit
    assert second.identity.localpart != first.identity.localpart
    assert third.server is TWO
    assert [tried.outcome for tried in machine.tried] == [PuzzleLost()]


def test_every_server_may_lose_a_puzzle_once() -> None:
    machine = enrolment()
    machine.start()
    machine.feed(PuzzleLost())
    machine.feed(BUSY)

    again = attempt(machine.feed(PuzzleLost()))

    assert again.server is TWO


def test_account_may_exist_when_the_person_went_on_after_it_was_asked_for() -> None:
    machine = enrolment()
    first = attempt(machine.start())

    second = attempt(machine.feed(Skipped(submitted=True)))

    assert second.server is TWO
    assert [each.identity for each in machine.unresolved] == [first.identity]


# --- properties -----------------------------------------------------------

outcomes = st.one_of(
    st.builds(
        Refused,
        st.sampled_from(["conflict", "policy-violation", "forbidden", "bad-request"]),
        st.sampled_from(["wait", "auth", "cancel"]),
        st.just(""),
    ),
    st.sampled_from([RegistrationClosed(), NeedsForm(), NeedsCaptcha(), WebOnly()]),
    st.just(PuzzleLost()),
    st.builds(Skipped, st.booleans()),
    st.just(Unreachable()),
    st.builds(Silent, st.booleans()),
    st.builds(Broken, st.booleans()),
    st.just(CertificateBad("x")),
    st.builds(LoginRefused, st.sampled_from(["not-authorized", "aborted"])),
    st.just(Confused("x")),
)
servers = st.lists(
    st.builds(
        server,
        st.sampled_from([f"s{n}.example" for n in range(5)]),
        onion=st.booleans(),
        clearnet=st.booleans(),
        register=st.sampled_from(list(Registration)),
    ),
    unique_by=lambda one: one.domain,
    max_size=5,
)


def run(
    machine: Enrolment, data: st.DataObject, limit: int
) -> tuple[list[Attempt], Effect]:
    """Feed drawn outcomes until the machine ends, or one attempt too many."""
    attempts: list[Attempt] = []
    effect = machine.start()
    while isinstance(effect, Attempt) and len(attempts) <= limit:
        attempts.append(effect)
        effect = machine.feed(data.draw(outcomes))
    return attempts, effect


@given(servers, st.data(), st.integers(0, 1000))
def test_machine_ends_and_links_nothing_whatever_servers_answer(
    known: list[Server], data: st.DataObject, seed: int
) -> None:
    machine = enrolment(*known, seed=seed) if known else Enrolment((), random.randbytes)
    limit = MAX_ATTEMPTS_PER_VISIT * sum(len(one.routes()) for one in known)

    attempts, effect = run(machine, data, limit)

    registered = [a for a in attempts if a.kind is AttemptKind.REGISTER]
    asked = [a for a in attempts if a.kind is AttemptKind.LOG_IN]
    assert isinstance(effect, GiveUp)
    assert len({a.identity.localpart for a in registered}) == len(registered)
    assert len({a.identity.password for a in registered}) == len(registered)
    assert all(
        any(r.identity == a.identity and r.route == a.route for r in registered)
        for a in asked
    )
    assert len({a.identity.localpart for a in asked}) == len(asked)


@given(servers, st.data())
def test_machine_visits_each_way_once_and_exits_only_where_allowed(
    known: list[Server], data: st.DataObject
) -> None:
    machine = enrolment(*known) if known else Enrolment((), random.randbytes)
    limit = MAX_ATTEMPTS_PER_VISIT * 10

    attempts, _ = run(machine, data, limit)

    visits = [
        a.route
        for previous, a in zip([None, *attempts], attempts, strict=False)
        if previous is None or previous.route != a.route
    ]
    assert len(visits) == len(set(visits)) == len(machine.tried)
    assert {one.domain for one in known} == {t.domain for t in machine.tried}
    assert all(a.route.is_onion or a.server.clearnet for a in attempts)


@given(servers, st.data())
def test_identity_is_kept_when_and_only_when_nobody_denied_the_account(
    known: list[Server], data: st.DataObject
) -> None:
    machine = enrolment(*known) if known else Enrolment((), random.randbytes)
    doubtful: list[Identity] = []
    effect = machine.start()

    while isinstance(effect, Attempt):
        outcome = data.draw(outcomes)
        is_denial = outcome == LoginRefused("not-authorized")
        is_unclear = isinstance(outcome, LoginRefused | Confused) or (
            outcome == Skipped(submitted=True)
        )
        if effect.kind is AttemptKind.LOG_IN and not is_denial:
            doubtful.append(effect.identity)
        if effect.kind is AttemptKind.REGISTER and is_unclear:
            doubtful.append(effect.identity)
        effect = machine.feed(outcome)

    assert [one.identity for one in machine.unresolved] == doubtful
