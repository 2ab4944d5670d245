"""The SOCKS5 byte machine: RFC 1928, RFC 1929 and Tor's extensions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.onion.socks5 import (
    Command,
    Handshake,
    SocksProtocolError,
    SocksRefusedError,
)
from coykiosk.ports import IsolationKey

KEY = IsolationKey("a" * 32, "b" * 32)
GRANTED_IPV4 = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def make(
    host: str = "x.onion", port: int = 5222, first_bytes: bytes = b""
) -> Handshake:
    return Handshake(
        Command.CONNECT, host, port, isolation_key=KEY, first_bytes=first_bytes
    )


def requested(first_bytes: bytes = b"") -> Handshake:
    handshake = make(first_bytes=first_bytes)
    handshake.start()
    handshake.receive(b"\x05\x02")
    handshake.receive(b"\x01\x00")
    return handshake


def test_handshake_offers_only_user_and_password() -> None:
    greeting = make().start()

    assert greeting == b"\x05\x01\x02"


def test_handshake_sends_the_isolation_key_when_the_method_is_chosen() -> None:
    handshake = make()
    handshake.start()

    sent = handshake.receive(b"\x05\x02")

    assert sent == b"\x01\x20" + b"a" * 32 + b"\x20" + b"b" * 32


def test_handshake_sends_name_and_first_bytes_together_when_authenticated() -> None:
    handshake = make("x.onion", 5222, b"hello")
    handshake.start()
    handshake.receive(b"\x05\x02")

    sent = handshake.receive(b"\x01\x00")

    assert sent == b"\x05\x01\x00\x03\x07x.onion\x14\x66hello"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "192.0.2.7"], ids=["v4", "v6", "v4-documentation"]
)
def test_handshake_sends_an_address_as_a_name_too(host: str) -> None:
    handshake = make(host)
    handshake.start()
    handshake.receive(b"\x05\x02")

    sent = handshake.receive(b"\x01\x00")

    assert sent[3:5] == bytes([3, len(host)])


@pytest.mark.parametrize(
    ("reply", "bound"),
    [
        (b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x7f\x00\x00\x01"),
        (b"\x05\x00\x00\x04" + bytes(16) + b"\x00\x50", bytes(16)),
        (b"\x05\x00\x00\x03\x02ab\x00\x50", b"ab"),
        (b"\x05\x00\x00\x03\x00\x00\x50", b""),
    ],
    ids=["ipv4", "ipv6", "name", "empty-name"],
)
def test_handshake_is_done_when_the_reply_grants(reply: bytes, bound: bytes) -> None:
    handshake = requested()

    handshake.receive(reply + b"data")

    assert (handshake.is_done, handshake.bound, handshake.leftover) == (
        True,
        bound,
        b"data",
    )


@given(st.binary(max_size=64), st.data())
def test_handshake_reads_the_same_however_the_bytes_are_cut(
    tail: bytes, data: st.DataObject
) -> None:
    replies = [b"\x05\x02", b"\x01\x00", GRANTED_IPV4 + tail]
    handshake = make()
    handshake.start()
    after = b""

    for reply in replies:
        rest = reply
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            piece, rest = rest[:size], rest[size:]
            if handshake.is_done:
                after += piece
            else:
                handshake.receive(piece)

    assert handshake.is_done
    assert handshake.leftover + after == tail


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6))
def test_handshake_ends_in_a_known_way_on_any_bytes(pieces: list[bytes]) -> None:
    handshake = make()
    handshake.start()

    try:
        for piece in pieces:
            if handshake.is_done:
                break
            handshake.receive(piece)
    except (SocksProtocolError, SocksRefusedError):
        pass

    assert not handshake.is_done or handshake.leftover is not None
    assert len(handshake._buffer) <= 2 + 2 + 6 * 300


@pytest.mark.parametrize("code", [0x01, 0x05, 0x08, 0xF0, 0xF4, 0xF7, 0xFF])
def test_handshake_says_why_when_the_reply_refuses(code: int) -> None:
    handshake = requested()

    with pytest.raises(SocksRefusedError) as caught:
        handshake.receive(bytes([5, code]))

    assert caught.value.code == code


@pytest.mark.parametrize(
    "answer",
    [b"\x05\xff", b"\x05\x00", b"\x04\x02", b"HTTP/1.0", b"\x05\x02\x01\x00"],
    ids=["none-acceptable", "no-auth", "socks4", "http", "ahead-of-us"],
)
def test_handshake_refuses_when_the_greeting_is_answered_wrongly(
    answer: bytes,
) -> None:
    handshake = make()
    handshake.start()

    with pytest.raises(SocksProtocolError):
        handshake.receive(answer)


@pytest.mark.parametrize(
    "answer",
    [b"\x01\x01", b"\x05\x00", b"\x01\x00\x05"],
    ids=["refused", "version", "ahead-of-us"],
)
def test_handshake_refuses_when_the_password_is_answered_wrongly(
    answer: bytes,
) -> None:
    handshake = make()
    handshake.start()
    handshake.receive(b"\x05\x02")

    with pytest.raises(SocksProtocolError):
        handshake.receive(answer)


@pytest.mark.parametrize(
    "answer",
    [b"\x04\x00\x00\x01\x00", b"\x05\x00\x00\x02\x00", b"S"],
    ids=["version", "address-type", "text"],
)
def test_handshake_refuses_when_the_reply_is_malformed(answer: bytes) -> None:
    handshake = requested()

    with pytest.raises(SocksProtocolError):
        handshake.receive(answer)


def test_handshake_waits_when_the_reply_is_not_complete() -> None:
    handshake = requested()

    handshake.receive(GRANTED_IPV4[:-1])

    assert not handshake.is_done


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("", 1),
        ("a" * 256, 1),
        ("bücher.example", 1),
        ("a b", 1),
        ("a\x00b", 1),
        ("a\n", 1),
        ("ok", 0),
        ("ok", 65536),
        ("ok", -1),
    ],
)
def test_handshake_refuses_hosts_and_ports_it_cannot_say(host: str, port: int) -> None:
    with pytest.raises(ValueError, match="socks"):
        make(host, port)


def test_handshake_tells_its_secrets_to_nobody() -> None:
    handshake = make()

    assert KEY.password not in repr(handshake)
