"""Bridge lines: taken as people paste them, and nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coykiosk.onion.bridges import (
    MAX_BRIDGES,
    BridgeError,
    BridgeKind,
    parse_bridges,
)

PRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
CERT = "A" * 35 + "b+/9" + "C" * 31
OBFS4 = f"obfs4 192.0.2.7:9443 {PRINT} cert={CERT} iat-mode=0"
SNOWFLAKE = (
    f"snowflake 192.0.2.3:80 {PRINT} fingerprint={PRINT} "
    "url=https://broker.example/ fronts=www.one.example,www.two.example "
    "ice=stun:stun.one.example:3478,stun:stun.two.example:3478 "
    "utls-imitate=hellorandomizedalpn"
)
MEEK = f"meek_lite 192.0.2.18:80 {PRINT} url=https://meek.example/ front=a.example"


def reason_of(text: str) -> tuple[int, str, str]:
    with pytest.raises(BridgeError) as caught:
        parse_bridges(text)
    return caught.value.number, caught.value.reason, caught.value.kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (OBFS4, BridgeKind.OBFS4),
        (SNOWFLAKE, BridgeKind.SNOWFLAKE),
        (MEEK, BridgeKind.MEEK),
        (f"192.0.2.9:443 {PRINT}", BridgeKind.PLAIN),
        (f"[2001:db8::7]:443 {PRINT}", BridgeKind.PLAIN),
    ],
    ids=["obfs4", "snowflake", "meek", "plain", "ipv6"],
)
def test_bridge_comes_out_as_it_went_in(text: str, kind: BridgeKind) -> None:
    (bridge,) = parse_bridges(text)

    assert (bridge.kind, bridge.line) == (kind, text)


@pytest.mark.parametrize(
    "text",
    [
        f"Bridge {OBFS4}",
        f"  bridge:\t{OBFS4}  ",
        f"BRIDGE   {OBFS4}",
        f"\n\r\n{OBFS4}\n\n",
        OBFS4.replace(" ", "   "),
        OBFS4.replace(" ", "\t"),
        OBFS4.replace(PRINT, PRINT.lower()),
        OBFS4.replace(CERT, CERT + "=="),
        f"{OBFS4}\r\nBridge {OBFS4}",
    ],
)
def test_bridge_is_the_same_however_it_was_pasted(text: str) -> None:
    bridges = parse_bridges(text)

    assert [bridge.line for bridge in bridges] == [OBFS4]


def test_bridges_of_several_kinds_are_read_at_once() -> None:
    bridges = parse_bridges(f"\nBridge {OBFS4}\n\n{SNOWFLAKE}\n192.0.2.9:443 {PRINT}\n")

    kinds = [bridge.kind for bridge in bridges]
    assert kinds == [BridgeKind.OBFS4, BridgeKind.SNOWFLAKE, BridgeKind.PLAIN]


@pytest.mark.parametrize("text", ["", "\n", "  \n\t\n"])
def test_nothing_is_no_bridge_and_no_fault(text: str) -> None:
    assert parse_bridges(text) == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "bridge-kind"),
        ("obfs4", "bridge-address"),
        ("Hello World", "bridge-address"),
        (f"bridge.example:443 {PRINT}", "bridge-address"),
        (f"obfs4 bridge.example:443 {PRINT}", "bridge-address"),
        (f"192.0.2.9 {PRINT}", "bridge-address"),
        (f"192.0.2.9:0 {PRINT}", "bridge-address"),
        (f"192.0.2.9:65536 {PRINT}", "bridge-address"),
        (f"192.0.2.256:443 {PRINT}", "bridge-address"),
        (f"192.0.02.9:443 {PRINT}", "bridge-address"),
        (f"0.0.0.0:443 {PRINT}", "bridge-address"),
        (f"224.0.0.1:443 {PRINT}", "bridge-address"),
        (f"2001:db8::7:443 {PRINT}", "bridge-address"),
        (f"[2001:db8::7] {PRINT}", "bridge-address"),
        (f"[fe80::1%eth0]:443 {PRINT}", "bridge-address"),
        (f"[192.0.2.1]:443 {PRINT}", "bridge-address"),
        ("192.0.2.9:443", "bridge-fingerprint"),
        (f"192.0.2.9:443 {PRINT[1:]}", "bridge-fingerprint"),
        (f"192.0.2.9:443 ${PRINT[1:]}", "bridge-letters"),
        (f"obfs4 192.0.2.9:443 cert={CERT} iat-mode=0", "bridge-fingerprint"),
        (f"192.0.2.9:443 {PRINT} cert={CERT}", "bridge-argument"),
        (OBFS4 + " iat-mode=0", "bridge-argument"),
        (OBFS4 + " more=1", "bridge-argument"),
        (OBFS4.replace("iat-mode=0", "iat-mode=3"), "bridge-value"),
        (OBFS4.replace("iat-mode=0", "iat-mode="), "bridge-value"),
        (OBFS4.replace(CERT, CERT[:-1]), "bridge-value"),
        (OBFS4.replace(" iat-mode=0", ""), "bridge-short"),
        (f"obfs4 192.0.2.9:443 {PRINT}", "bridge-short"),
        (f"snowflake 192.0.2.3:80 {PRINT}", "bridge-short"),
        (
            f"snowflake 192.0.2.3:80 {PRINT} url=https://broker.example/",
            "bridge-short",
        ),
        (SNOWFLAKE.replace("https:", "http:"), "bridge-value"),
        (SNOWFLAKE.replace("stun:", "file:"), "bridge-value"),
        (SNOWFLAKE + f" ampcache=https://{'a' * 250} front={'b' * 60}", "bridge-long"),
        ("x" * 1001, "bridge-long"),
        (OBFS4 + "\u00a0", "bridge-letters"),
        (OBFS4 + "\x0b", "bridge-letters"),
        (OBFS4 + "\x00", "bridge-letters"),
        (OBFS4 + "\u2028ExitRelay 1", "bridge-letters"),
        (OBFS4 + " # note", "bridge-letters"),
        (OBFS4 + ' "', "bridge-letters"),
        (OBFS4 + " \\", "bridge-letters"),
        ("ClientTransportPlugin obfs4 exec /bin/sh", "bridge-address"),
    ],
    ids=lambda value: value[-30:].encode("unicode_escape").decode(),
)
def test_line_is_refused_with_its_number_and_why(line: str, reason: str) -> None:
    number, why, _kind = reason_of(f"{OBFS4}\n\n{line}\n{OBFS4}")

    assert (number, why) == (3, reason)


@pytest.mark.parametrize("kind", ["webtunnel", "meek", "obfs3", "scramblesuit"])
def test_kind_that_no_program_carries_is_named(kind: str) -> None:
    told = reason_of(f"{kind} [2001:db8::1]:443 {PRINT} url=https://a.example/x")

    assert told == (1, "bridge-kind", kind)


def test_bridges_are_bounded_in_number_and_length() -> None:
    many = "\n".join(f"192.0.2.9:{port} {PRINT}" for port in range(1, MAX_BRIDGES + 2))

    assert reason_of(many)[:2] == (MAX_BRIDGES + 1, "bridge-many")
    assert reason_of("\n" * 20_001)[:2] == (0, "bridge-many")


@pytest.mark.parametrize(
    ("line", "is_here"),
    [
        (f"127.0.0.1:443 {PRINT}", True),
        (f"[::1]:443 {PRINT}", True),
        (OBFS4.replace("192.0.2.7", "127.0.0.1"), True),
        (OBFS4, False),
        (SNOWFLAKE.replace("192.0.2.3", "127.0.0.1"), False),
    ],
)
def test_bridge_knows_whether_it_leads_off_this_machine(
    line: str, is_here: bool
) -> None:
    (bridge,) = parse_bridges(line)

    assert bridge.is_on_this_machine is is_here


def test_bridge_shows_nothing_of_itself_in_a_trace() -> None:
    assert repr(parse_bridges(OBFS4)) == "(Bridge(OBFS4),)"


LIKELY = st.lists(
    st.sampled_from(
        [*OBFS4.split(), *SNOWFLAKE.split(), "Bridge", "[::1]:1", "\n", "\r", "\x0b"]
    )
    | st.text(max_size=12),
    max_size=12,
).map(" ".join)


@given(st.text() | LIKELY)
@example(OBFS4 + "\nExitRelay 1")
@example(OBFS4 + "\rExitRelay 1")
def test_nothing_of_a_text_can_become_another_line(text: str) -> None:
    try:
        bridges = parse_bridges(text)
    except BridgeError:
        return

    for bridge in bridges:
        assert bridge.line.isascii()
        assert bridge.line.isprintable()
        assert not set(bridge.line) & set("\"'#\\;$`")
        assert bridge.line.split(" ")[: 1 + bool(bridge.kind.value)][-1].count(":")
        assert parse_bridges(bridge.line) == (bridge,)
