"""The ways to a server, the age of a record, and whom to try first."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.records import Registration, Server, Tier, TlsMode
from coykiosk.register.servers import order_servers, tier_of
from tests.support.chance import repeatable, seeded

ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"
ALL = list(Registration)
NEVER = [Registration.WEB, Registration.INVITE, Registration.NO]
MAYBE = [Registration.FORM, Registration.CAPTCHA, Registration.UNKNOWN]


def server(
    domain: str = "one.example",
    *,
    onion: str | None = ONION,
    clearnet: bool = True,
    register: Registration = Registration.OPEN,
    operator: str = "one",
    register_checked: date | None = date(2026, 1, 1),
    onion_checked: date | None = date(2026, 1, 1),
) -> Server:
    return Server(
        domain=domain,
        onion=onion,
        port=5223,
        tls=TlsMode.DIRECT,
        clearnet=clearnet,
        register=register,
        register_checked=register_checked,
        onion_checked=onion_checked if onion else None,
        operator=operator,
        spki=("pin",),
        scram=("SCRAM-SHA-1",),
        sasl2=True,
        source="a list",
    )


# --- routes ---------------------------------------------------------------


def test_routes_begin_with_the_onion_when_there_are_two() -> None:
    onion, name = server().routes()

    assert (onion.host, onion.port, onion.tls) == (ONION, 5223, TlsMode.DIRECT)
    assert (name.host, name.port, name.tls) == ("one.example", 5222, TlsMode.STARTTLS)
    assert (onion.is_onion, name.is_onion) == (True, False)


def test_routes_have_no_exit_when_the_record_forbids_it() -> None:
    routes = server(clearnet=False).routes()

    assert [route.host for route in routes] == [ONION]


def test_route_to_a_name_has_the_records_port_when_there_is_no_onion() -> None:
    (route,) = server(onion=None).routes()

    assert (route.host, route.port, route.tls) == ("one.example", 5223, TlsMode.DIRECT)


def test_routes_carry_what_the_certificate_and_login_are_checked_by() -> None:
    onion, name = server().routes()

    assert onion.domain == name.domain == "one.example"
    assert onion.spki == name.spki == ("pin",)
    assert onion.scram == name.scram == ("SCRAM-SHA-1",)
    assert onion.sasl2
    assert name.sasl2
    assert onion.registration is name.registration is Registration.OPEN


@pytest.mark.parametrize(
    ("host", "port", "tls", "by_srv", "expected"),
    [
        pytest.param("one.example", 5222, TlsMode.STARTTLS, False, True, id="name"),
        pytest.param("one.example", 5222, TlsMode.STARTTLS, True, False, id="found"),
        pytest.param("one.example", 5223, TlsMode.STARTTLS, False, False, id="port"),
        pytest.param("one.example", 5222, TlsMode.DIRECT, False, False, id="direct"),
        pytest.param("im.one.example", 5222, TlsMode.STARTTLS, False, False, id="host"),
        pytest.param(ONION, 5222, TlsMode.STARTTLS, False, False, id="onion"),
    ],
)
def test_route_needs_srv_when_the_domain_is_all_that_is_known(
    host: str, port: int, tls: TlsMode, by_srv: bool, expected: bool
) -> None:
    route = replace(server().routes()[1], host=host, port=port, tls=tls, by_srv=by_srv)

    assert route.needs_srv is expected


def test_route_to_a_domain_that_is_an_onion_needs_no_srv() -> None:
    """Nobody can say more about it than itself."""
    (route,) = server(ONION, onion=None, clearnet=False).routes()
    route = replace(route, port=5222, tls=TlsMode.STARTTLS)

    assert not route.needs_srv


def test_onion_vouches_when_a_record_names_it_and_not_when_the_dns_does() -> None:
    onion, name = server().routes()

    assert onion.onion_vouches
    assert not replace(onion, by_srv=True).onion_vouches
    assert not name.onion_vouches


# --- age ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("register_checked", "onion_checked", "today", "is_old"),
    [
        (date(2025, 6, 1), date(2025, 6, 1), date(2026, 6, 1), False),
        (date(2025, 6, 1), date(2025, 6, 1), date(2026, 6, 2), True),
        (date(2025, 5, 31), date(2026, 5, 1), date(2026, 6, 1), True),
        (date(2026, 5, 1), date(2025, 5, 31), date(2026, 6, 1), True),
        (None, date(2026, 5, 1), date(2026, 6, 1), False),
        (date(2023, 2, 28), date(2024, 1, 1), date(2024, 2, 29), False),
        (date(2023, 2, 27), date(2024, 1, 1), date(2024, 2, 29), True),
        (date(2027, 1, 1), date(2027, 1, 1), date(2026, 6, 1), False),
    ],
    ids=[
        "a-year",
        "a-year-and-a-day",
        "old-registration",
        "old-onion",
        "no-claim",
        "leap-day",
        "leap-day-older",
        "clock-behind",
    ],
)
def test_record_is_old_when_a_claim_is_older_than_twelve_months(
    register_checked: date | None, onion_checked: date, today: date, is_old: bool
) -> None:
    record = server(register_checked=register_checked, onion_checked=onion_checked)

    assert record.is_old(today) is is_old


def test_record_is_old_when_it_has_no_date() -> None:
    record = server(onion=None, register_checked=None)

    assert record.is_old(date(2026, 1, 1))


# --- tiers ----------------------------------------------------------------


def tier_by_onion(registration: Registration) -> Tier:
    return tier_of(server(register=registration).routes()[0])


def tier_by_exit(registration: Registration) -> Tier:
    return tier_of(server(register=registration).routes()[1])


def test_tier_is_first_when_an_onion_is_open() -> None:
    assert tier_by_onion(Registration.OPEN) is Tier.OPEN_ONION


def test_tier_is_third_when_an_exit_leads_to_an_open_server() -> None:
    assert tier_by_exit(Registration.OPEN) is Tier.OPEN_EXIT


@pytest.mark.parametrize("registration", MAYBE)
def test_tier_is_second_or_fourth_when_registration_may_want_a_person(
    registration: Registration,
) -> None:
    tiers = (tier_by_onion(registration), tier_by_exit(registration))

    assert tiers == (Tier.ONION, Tier.EXIT)


@pytest.mark.parametrize("registration", NEVER)
def test_tier_is_never_when_strangers_cannot_register(
    registration: Registration,
) -> None:
    tiers = {tier_by_onion(registration), tier_by_exit(registration)}

    assert tiers == {Tier.NEVER}


# --- order ----------------------------------------------------------------


def ordered(servers: list[Server], seed: int = 0) -> list[str]:
    source = repeatable(seed)
    return [one.domain for one in order_servers(servers, source.randbytes)]


def test_order_goes_tier_by_tier() -> None:
    servers = [
        server("exit.example", onion=None, register=Registration.FORM),
        server("open-exit.example", onion=None),
        server("onion.example", register=Registration.UNKNOWN),
        server("open.example"),
    ]

    assert ordered(servers) == [
        "open.example",
        "onion.example",
        "open-exit.example",
        "exit.example",
    ]


@pytest.mark.parametrize("registration", NEVER)
def test_order_leaves_out_who_takes_no_strangers(registration: Registration) -> None:
    assert ordered([server(register=registration)]) == []


def test_order_leaves_out_a_server_without_any_way() -> None:
    assert ordered([server(onion=None, clearnet=False)]) == []


def test_order_does_not_put_an_open_exit_before_an_onion() -> None:
    servers = [server("a.example", onion=None), server("b.example")]

    assert [ordered(servers, seed)[0] for seed in range(20)] == ["b.example"] * 20


def test_order_gives_every_operator_the_same_chance_whatever_its_domains() -> None:
    """Chi-square, 2 degrees of freedom: 13.8 is passed once in 1000 runs."""
    servers = [server(f"d{n}.example", operator="eleven") for n in range(11)]
    servers += [server("two.example", operator="two")]
    servers += [server("three.example", operator="three")]
    operator_of = {one.domain: one.operator for one in servers}

    firsts = Counter(operator_of[ordered(servers, seed)[0]] for seed in range(3000))

    chi_square = sum((n - 1000) ** 2 / 1000 for n in firsts.values())
    assert set(firsts) == {"eleven", "two", "three"}
    assert chi_square < 13.8


def test_order_gives_every_domain_of_an_operator_the_same_chance() -> None:
    """Chi-square, 4 degrees of freedom: 18.5 is passed once in 1000 runs."""
    servers = [server(f"d{n}.example") for n in range(5)]

    firsts = Counter(ordered(servers, seed)[0] for seed in range(2000))

    chi_square = sum((n - 400) ** 2 / 400 for n in firsts.values())
    assert len(firsts) == 5
    assert chi_square < 18.5


def test_order_is_as_fair_in_second_place() -> None:
    """Chi-square, 2 degrees of freedom: 13.8 is passed once in 1000 runs."""
    servers = [server(f"{n}.example", operator=n) for n in ("a", "b", "c")]

    seconds = Counter(ordered(servers, seed)[1] for seed in range(3000))

    assert sum((n - 1000) ** 2 / 1000 for n in seconds.values()) < 13.8


records = st.builds(
    server,
    st.sampled_from([f"d{n}.example" for n in range(12)]),
    onion=st.sampled_from([ONION, None]),
    clearnet=st.booleans(),
    register=st.sampled_from(ALL),
    operator=st.sampled_from(["a", "b", "c"]),
)


@given(st.lists(records, unique_by=lambda one: one.domain), st.integers(0, 2**32))
def test_order_has_each_server_once_and_tiers_in_sequence(
    servers: list[Server], seed: int
) -> None:
    source = repeatable(seed)

    result = order_servers(servers, source.randbytes)

    tiers = [tier_of(one.routes()[0]) for one in result]
    assert tiers == sorted(tiers)
    assert {one.domain for one in result} == {
        one.domain
        for one in servers
        if one.register not in NEVER and (one.onion or one.clearnet)
    }
    assert len(result) == len({one.domain for one in result})


def test_operators_who_see_the_person_already_come_last() -> None:
    seen = server("a.example", operator="a")
    sister = server("a2.example", operator="a")
    worse = server("b.example", operator="b", onion=None)

    order = order_servers([seen, sister, worse], seeded(1), in_use={"a.example"})

    assert order[0] == worse
    assert {one.domain for one in order[1:]} == {"a.example", "a2.example"}


def test_only_server_there_is_takes_a_second_account_too() -> None:
    one = server("a.example")

    assert order_servers([one], seeded(1), in_use={"a.example"}) == [one]
