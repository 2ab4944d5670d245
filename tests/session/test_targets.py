"""Which target of a domain is tried first, and what is tried without any."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.records import Registration, Route, TlsMode
from coykiosk.session.targets import (
    MAX_TARGETS,
    Answer,
    Target,
    in_order,
    routes_from,
)
from tests.support.chance import seeded

DOMAIN = "chat.example"
ONION = "a" * 56 + ".onion"
DIRECT, STARTTLS = TlsMode.DIRECT, TlsMode.STARTTLS
NO_RECORD = Answer((), not_offered=False)
NOT_OFFERED = Answer((), not_offered=True)
ROUTE = Route(
    domain=DOMAIN,
    host=DOMAIN,
    port=5222,
    tls=STARTTLS,
    spki=("pin",),
    scram=("SCRAM-SHA-1",),
    registration=Registration.OPEN,
)


def target(
    host: str,
    tls: TlsMode = STARTTLS,
    *,
    port: int = 5222,
    priority: int = 0,
    weight: int = 0,
) -> Target:
    return Target(host, port, tls, priority, weight)


def found(*targets: Target) -> Answer:
    return Answer(targets, not_offered=False)


def hosts(targets: list[Target], seed: int = 1) -> list[str]:
    return [one.host for one in in_order(targets, seeded(seed))]


# --- the order ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_lower_priority_comes_first_over_both_services(seed: int) -> None:
    """XEP-0368, section 3: as if they were one."""
    targets = [
        target("d", DIRECT, priority=30),
        target("a", STARTTLS, priority=5),
        target("c", STARTTLS, priority=20, weight=65535),
        target("b", DIRECT, priority=10),
    ]

    assert hosts(targets, seed) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("seed", range(10))
def test_direct_tls_comes_first_among_equals_whatever_the_weight(seed: int) -> None:
    targets = [target("b", STARTTLS, weight=65535), target("a", DIRECT, weight=0)]

    assert hosts(targets, seed) == ["a", "b"]


def test_onion_comes_first_whatever_its_priority() -> None:
    targets = [
        target("a.example", DIRECT, priority=0),
        target(ONION, STARTTLS, priority=65535),
    ]

    assert hosts(targets) == [ONION, "a.example"]


def test_onions_are_in_order_among_themselves() -> None:
    other = "b" * 56 + ".onion"
    targets = [
        target(ONION, priority=2),
        target("a.example"),
        target(other, priority=1),
    ]

    assert hosts(targets) == [other, ONION, "a.example"]


def test_weight_is_the_chance_to_come_first() -> None:
    """RFC 2782: 1, 3 and 6 of ten, but for the one that the zero takes."""
    targets = [target("a", weight=10), target("b", weight=30), target("c", weight=60)]
    source = seeded(2782)

    firsts = Counter(in_order(targets, source)[0].host for _ in range(5000))

    assert firsts["a"] == pytest.approx(500, abs=80)
    assert firsts["b"] == pytest.approx(1500, abs=120)
    assert firsts["c"] == pytest.approx(3000, abs=120)


def test_weight_is_the_chance_to_come_next_too() -> None:
    targets = [target("a", weight=10), target("b", weight=30), target("c", weight=60)]
    source = seeded(2782)

    orders = [[one.host for one in in_order(targets, source)] for _ in range(5000)]

    seconds = Counter(second for first, second, _ in orders if first == "c")
    assert seconds["b"] / seconds["a"] == pytest.approx(3, abs=0.4)


def test_no_weight_beside_some_is_a_very_small_chance_and_no_more() -> None:
    targets = [target("none", weight=0), target("some", weight=99)]
    source = seeded(1)

    firsts = Counter(in_order(targets, source)[0].host for _ in range(5000))

    assert 20 <= firsts["none"] <= 90  # one of a hundred: 50


def test_no_weight_anywhere_is_the_same_chance_for_all() -> None:
    targets = [target(name) for name in "abcd"]
    source = seeded(1)

    firsts = Counter(in_order(targets, source)[0].host for _ in range(4000))

    assert all(firsts[name] == pytest.approx(1000, abs=120) for name in "abcd")


def test_target_that_is_there_twice_is_tried_once() -> None:
    targets = [
        target("a", priority=1),
        target("a", priority=0),
        target("a", DIRECT, priority=0),
        target("a", port=5269),
    ]

    ordered = in_order(targets, seeded(1))

    assert [(t.host, t.tls) for t in ordered[:1]] == [("a", DIRECT)]
    assert {(t.port, t.tls) for t in ordered} == {
        (5222, DIRECT),
        (5222, STARTTLS),
        (5269, STARTTLS),
    }
    assert len(ordered) == 3


TARGETS = st.lists(
    st.builds(
        Target,
        host=st.sampled_from(["a.example", "b.example", ONION]),
        port=st.integers(5222, 5225),
        tls=st.sampled_from(TlsMode),
        priority=st.integers(0, 3),
        weight=st.sampled_from([0, 1, 10, 65535]),
    ),
    max_size=12,
)


@given(TARGETS, st.integers(0, 1000))
def test_order_loses_no_place_and_invents_none(
    targets: list[Target], seed: int
) -> None:
    ordered = in_order(targets, seeded(seed))

    places = [(one.host, one.port, one.tls) for one in ordered]
    assert sorted(places, key=str) == sorted(
        {(one.host, one.port, one.tls) for one in targets}, key=str
    )
    assert [one.is_onion for one in ordered] == sorted(
        (one.is_onion for one in ordered), reverse=True
    )


# --- what is tried ------------------------------------------------------------------


def test_routes_have_what_the_certificate_and_login_are_checked_by() -> None:
    answers = {DIRECT: found(target("one.hoster.example", DIRECT, port=443))}

    [route] = routes_from(ROUTE, answers, seeded(1))

    assert (route.host, route.port, route.tls) == ("one.hoster.example", 443, DIRECT)
    assert route.domain == DOMAIN
    assert (route.scram, route.registration) == (ROUTE.scram, ROUTE.registration)
    assert route.by_srv
    assert not route.needs_srv


def test_routes_are_no_more_than_a_few() -> None:
    many = [target(f"n{n}.example", priority=n) for n in range(20)]

    routes = routes_from(ROUTE, {STARTTLS: found(*many)}, seeded(1))

    assert [route.host for route in routes] == [
        f"n{n}.example" for n in range(MAX_TARGETS)
    ]


SOME = found(target("one.example"))
SOME_DIRECT = found(target("one.example", DIRECT))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({}, [DOMAIN], id="nobody answered"),
        pytest.param({DIRECT: NO_RECORD}, [DOMAIN], id="half an answer"),
        pytest.param(
            {DIRECT: NO_RECORD, STARTTLS: NO_RECORD}, [DOMAIN], id="no record"
        ),
        pytest.param(
            {DIRECT: NOT_OFFERED, STARTTLS: NO_RECORD}, [DOMAIN], id="no direct TLS"
        ),
        pytest.param({DIRECT: NO_RECORD, STARTTLS: NOT_OFFERED}, [], id="no service"),
        pytest.param({STARTTLS: NOT_OFFERED}, [], id="no service, as far as known"),
        pytest.param({DIRECT: NOT_OFFERED, STARTTLS: NOT_OFFERED}, [], id="neither"),
        pytest.param(
            {DIRECT: NOT_OFFERED, STARTTLS: SOME}, ["one.example"], id="STARTTLS only"
        ),
        pytest.param(
            {DIRECT: SOME_DIRECT, STARTTLS: NOT_OFFERED},
            ["one.example"],
            id="direct TLS only",
        ),
        pytest.param(
            {DIRECT: SOME_DIRECT, STARTTLS: NO_RECORD},
            ["one.example"],
            id="direct TLS has a record only",
        ),
    ],
)
def test_domain_itself_is_tried_when_it_has_no_record_and_does_not_decline(
    answers: dict[TlsMode, Answer], expected: list[str]
) -> None:
    routes = routes_from(ROUTE, answers, seeded(1))

    assert [route.host for route in routes] == expected
    if expected == [DOMAIN]:
        assert routes == (ROUTE,)


def test_record_of_the_domain_itself_is_a_way_that_was_looked_up() -> None:
    """Or it would be looked up again, for ever."""
    [route] = routes_from(ROUTE, {STARTTLS: found(target(DOMAIN))}, seeded(1))

    assert (route.host, route.port) == (DOMAIN, 5222)
    assert not route.needs_srv


def test_onion_of_the_dns_does_not_vouch_for_anybody() -> None:
    [route] = routes_from(ROUTE, {STARTTLS: found(target(ONION))}, seeded(1))

    assert route.is_onion
    assert not route.onion_vouches
