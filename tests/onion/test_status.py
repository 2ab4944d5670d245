"""tor's status lines, as tor 0.4.9 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.onion.status import Bootstrap, find_circuit, parse_bootstrap
from coykiosk.ports import Hop, IsolationKey

KEY = IsolationKey("a" * 32, "b" * 32)
G, M, E = "1" * 40, "2" * 40, "A" * 40
ISOLATED = f'SOCKS_USERNAME="{KEY.user}" SOCKS_PASSWORD="{KEY.password}"'


def line(
    number: int, purpose: str, *, state: str = "BUILT", pairs: str = ISOLATED
) -> str:
    return (
        f"{number} {state} ${G}~guard,${M}~middle,${E} BUILD_FLAGS=NEED_CAPACITY "
        f"PURPOSE={purpose} TIME_CREATED=2026-11-23T05:00:00.000000 {pairs}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=14 TAG=handshake SUMMARY="Ha"',
            Bootstrap(14, "handshake", is_severe=False),
        ),
        (
            'NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"',
            Bootstrap(100, "done", is_severe=False),
        ),
        (
            (
                'WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY="C" WARNING="No route" '
                'REASON=NOROUTE COUNT=10 RECOMMENDATION=warn HOSTID="A" HOSTADDR="b"'
            ),
            Bootstrap(5, "conn", is_severe=True, reason="NOROUTE"),
        ),
        (
            'WARN BOOTSTRAP PROGRESS=5 TAG=conn WARNING="x" RECOMMENDATION=ignore',
            Bootstrap(5, "conn", is_severe=False),
        ),
        ("NOTICE BOOTSTRAP PROGRESS=999 TAG=x", Bootstrap(100, "x", is_severe=False)),
        ("NOTICE CIRCUIT_ESTABLISHED", None),
        ("NOTICE BOOTSTRAP PROGRESS=x TAG=y", None),
        ("", None),
    ],
    ids=["event", "done", "severe", "ignore", "capped", "other", "garbled", "empty"],
)
def test_bootstrap_is_read(text: str, expected: Bootstrap | None) -> None:
    assert parse_bootstrap(text) == expected


@given(st.text(max_size=300))
def test_bootstrap_takes_any_text(text: str) -> None:
    found = parse_bootstrap(text)

    assert found is None or 0 <= found.percent <= 100


def test_circuit_is_the_one_of_the_key_when_several_are_built() -> None:
    other = IsolationKey("c" * 32, "d" * 32)
    status = "\n".join(
        [
            line(3, "HS_CLIENT_REND", pairs=f'SOCKS_USERNAME="{other.user}"'),
            line(5, "HS_CLIENT_REND"),
            line(7, "GENERAL", pairs=""),
        ]
    )

    circuit = find_circuit(status, KEY)

    assert circuit is not None
    assert circuit.to_onion
    assert circuit.hops == (Hop(G, "guard"), Hop(M, "middle"), Hop(E, ""))
    assert find_circuit(status, other) is None


def test_circuit_is_the_newest_when_the_key_has_two() -> None:
    status = line(9, "GENERAL") + "\n" + line(12, "HS_CLIENT_REND")

    circuit = find_circuit(status, KEY)

    assert circuit is not None
    assert circuit.to_onion


@pytest.mark.parametrize(
    "status",
    [
        "",
        line(4, "HS_CLIENT_INTRO"),
        line(4, "MEASURE_TIMEOUT"),
        line(4, "GENERAL", state="EXTENDED"),
        line(4, "GENERAL", state="CLOSED"),
        line(4, "GENERAL").replace(f"${M}~middle", "$zz"),
        line(4, "GENERAL", pairs=f'SOCKS_USERNAME="{KEY.user}"'),
        "4 BUILT",
    ],
    ids=[
        "none",
        "intro",
        "measure",
        "extended",
        "closed",
        "bad-hop",
        "half-key",
        "short",
    ],
)
def test_circuit_is_none_when_nothing_carries_the_key(status: str) -> None:
    assert find_circuit(status, KEY) is None


@given(st.text(max_size=500))
def test_circuit_takes_any_text(status: str) -> None:
    assert find_circuit(status, KEY) is None


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("", ""),
        (' WARNING="x" REASON=TIMEOUT COUNT=3 RECOMMENDATION=warn', "TIMEOUT"),
        (' WARNING="a REASON=LIE b" REASON=NOROUTE COUNT=1', "NOROUTE"),
        (' WARNING="a \\" REASON=LIE b" COUNT=1', ""),
    ],
)
def test_bootstrap_tells_why_the_last_try_failed(rest: str, reason: str) -> None:
    text = f'650 STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY="c"{rest}'

    found = parse_bootstrap(text)

    assert found is not None
    assert found.reason == reason


@pytest.mark.parametrize(
    ("bootstrap", "is_blocked"),
    [
        (Bootstrap(5, "conn", is_severe=False), True),
        (Bootstrap(5, "conn_dir", is_severe=True, reason="TIMEOUT"), True),
        (Bootstrap(14, "handshake", is_severe=True, reason="IOERROR"), True),
        (Bootstrap(1, "conn_pt", is_severe=False), True),
        (Bootstrap(5, "conn", is_severe=True, reason="NOROUTE"), False),
        (Bootstrap(0, "starting", is_severe=False), False),
        (Bootstrap(45, "loading_status", is_severe=False), False),
    ],
    ids=lambda value: getattr(value, "tag", ""),
)
def test_network_may_block_when_the_first_steps_fail_and_there_is_a_network(
    bootstrap: Bootstrap, *, is_blocked: bool
) -> None:
    assert bootstrap.may_be_blocked is is_blocked
