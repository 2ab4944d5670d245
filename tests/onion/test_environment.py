"""TOR_* variables, as Tor Browser, Tails and Whonix set and read them."""

from pathlib import Path

import pytest

from coykiosk.onion.addresses import (
    TcpAddress,
    UnixAddress,
    parse_host,
    parse_listener,
)
from coykiosk.onion.environment import BadEnvironmentError, read_wishes

WHONIX = {
    "TOR_SKIP_LAUNCH": "1",
    "TOR_SOCKS_IPC_PATH": "/run/anon-ws-disable-stacked-tor/127.0.0.1_9150.sock",
    "TOR_CONTROL_IPC_PATH": "/run/anon-ws-disable-stacked-tor/127.0.0.1_9151.sock",
    "TOR_SKIP_CONTROLPORTTEST": "1",
}


def test_wishes_are_debians_tor_when_nothing_is_said() -> None:
    wishes = read_wishes({})

    (candidate,) = wishes.candidates
    assert candidate.socks == TcpAddress("127.0.0.1", 9050)
    assert candidate.controls[:3] == (
        UnixAddress(Path("/run/tor/control")),
        TcpAddress("127.0.0.1", 9051),
        TcpAddress("127.0.0.1", 951),
    )
    assert not candidate.is_configured
    assert wishes.may_launch


def test_wishes_follow_whonix() -> None:
    wishes = read_wishes(WHONIX)

    (candidate,) = wishes.candidates
    assert candidate.socks == UnixAddress(Path(WHONIX["TOR_SOCKS_IPC_PATH"]))
    assert candidate.controls == (UnixAddress(Path(WHONIX["TOR_CONTROL_IPC_PATH"])),)
    assert candidate.is_configured
    assert not wishes.may_launch
    assert not wishes.must_match


def test_wishes_take_a_socket_before_host_and_port() -> None:
    wishes = read_wishes({"TOR_SOCKS_IPC_PATH": "/run/s", "TOR_SOCKS_PORT": "9050"})

    assert wishes.candidates[0].socks == UnixAddress(Path("/run/s"))


@pytest.mark.parametrize(
    ("environ", "socks"),
    [
        ({"TOR_SOCKS_PORT": "9250"}, "127.0.0.1:9250"),
        ({"TOR_SOCKS_HOST": "10.152.152.10"}, "10.152.152.10:9150"),
        ({"TOR_SOCKS_HOST": "localhost", "TOR_SOCKS_PORT": "1"}, "127.0.0.1:1"),
        ({"TOR_SOCKS_HOST": "::1", "TOR_SOCKS_PORT": "9050"}, "[::1]:9050"),
        ({"TOR_CONTROL_PORT": "9151"}, "127.0.0.1:9150"),
        ({"TOR_CONTROL_PORT": "951"}, "127.0.0.1:9050"),
        ({"TOR_CONTROL_IPC_PATH": "/run/tor/control"}, "127.0.0.1:9050"),
    ],
    ids=["port", "host", "localhost", "ipv6", "browser", "tails", "debian"],
)
def test_wishes_complete_what_is_half_said(environ: dict[str, str], socks: str) -> None:
    wishes = read_wishes(environ)

    assert [str(c.socks) for c in wishes.candidates] == [socks]
    assert wishes.candidates[0].is_configured


def test_wishes_never_launch_beside_a_gateway() -> None:
    wishes = read_wishes({"TOR_SOCKS_HOST": "10.152.152.10"})

    assert not wishes.may_launch


@pytest.mark.parametrize(("value", "may_launch"), [("1", False), ("0", True)])
def test_wishes_launch_unless_told_to_skip(value: str, may_launch: bool) -> None:
    assert read_wishes({"TOR_SKIP_LAUNCH": value}).may_launch is may_launch


def test_wishes_include_a_running_tor_browser_when_launching_is_off() -> None:
    wishes = read_wishes({"TOR_SKIP_LAUNCH": "1"})

    assert [str(c.socks) for c in wishes.candidates] == [
        "127.0.0.1:9050",
        "127.0.0.1:9150",
    ]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TOR_SOCKS_HOST": "tor.example"}, "TOR_SOCKS_HOST"),
        ({"TOR_SOCKS_HOST": "8.8.8.8"}, "TOR_SOCKS_HOST"),
        ({"TOR_SOCKS_PORT": "0"}, "TOR_SOCKS_PORT"),
        ({"TOR_SOCKS_PORT": "65536"}, "TOR_SOCKS_PORT"),
        ({"TOR_CONTROL_PORT": "abc"}, "TOR_CONTROL_PORT"),
        ({"TOR_CONTROL_IPC_PATH": "control"}, "TOR_CONTROL_IPC_PATH"),
        ({"TOR_CONTROL_PASSWD": '""'}, "TOR_CONTROL_PASSWD"),
        ({"TOR_CONTROL_PASSWD": "a\r\nSIGNAL HALT"}, "TOR_CONTROL_PASSWD"),
        ({"TOR_CONTROL_PASSWD": "ff"}, "TOR_CONTROL_PASSWD"),
    ],
    ids=lambda v: v if isinstance(v, str) else next(iter(v.values())),
)
def test_wishes_refuse_what_cannot_be_followed(
    environ: dict[str, str], named: str
) -> None:
    with pytest.raises(BadEnvironmentError, match=named):
        read_wishes(environ)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ('"password"', "password"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("6869", "hi"),
        ("not hex", "not hex"),
        ("abc", "abc"),
    ],
    ids=["quoted", "escaped", "hex", "plain", "odd-hex"],
)
def test_password_is_read_as_tor_browser_reads_it(text: str, password: str) -> None:
    wishes = read_wishes({"TOR_CONTROL_PASSWD": text})

    assert wishes.credentials.password == password
    assert password not in repr(wishes)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9050", TcpAddress("127.0.0.1", 9050)),
        ("[::1]:9050", TcpAddress("::1", 9050)),
        ("unix:/run/tor/socks", UnixAddress(Path("/run/tor/socks"))),
        ("0.0.0.0:1", TcpAddress("0.0.0.0", 1)),  # noqa: S104  # read, not bound
        ("host:1", None),
        ("127.0.0.1:", None),
        ("127.0.0.1:99999", None),
        ("", None),
        ("unix:relative", None),
    ],
)
def test_listener_is_read_as_tor_prints_it(
    text: str, address: TcpAddress | UnixAddress | None
) -> None:
    assert parse_listener(text) == address


@pytest.mark.parametrize("text", ["localhost.", "tor", "1.1.1.1", "256.0.0.1", ""])
def test_host_is_refused_when_it_is_a_name_or_out_in_the_world(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_host(text)
