"""The SOCKS5 client handshake as bytes in, bytes out; it touches no socket.

Rule: pure. Names go to tor as text, whatever they look like, so nothing here or
above ever looks one up. Every reply is checked to the bit and none is waited
for beyond its fixed length.

    GREETING --method--> AUTHENTICATING --ok--> REQUESTED --reply--> DONE

Each step waits for the one before: tor answers only the last of the messages
that arrive in one piece, and between two processes of one machine a round trip
costs nothing. Application data does travel with the request (tor's "optimistic
data"), because beyond tor a round trip costs a second.

Source: RFC 1928, RFC 1929, Tor's socks-extensions.
"""

from enum import Enum, auto
from typing import Final, assert_never

from coykiosk.ports import IsolationKey

__all__ = [
    "GREETING",
    "Command",
    "Handshake",
    "SocksProtocolError",
    "SocksRefusedError",
]

_VERSION: Final = 0x05  # RFC 1928, section 3
_USERNAME_PASSWORD: Final = 0x02  # RFC 1928, section 3
_AUTH_VERSION: Final = 0x01  # RFC 1929, section 2
_SUCCEEDED: Final = 0x00
GREETING: Final = bytes([_VERSION, 1, _USERNAME_PASSWORD])
"""One method offered: user and password."""
_IPV4: Final = 0x01  # RFC 1928, section 5
_DOMAIN: Final = 0x03
_IPV6: Final = 0x04
_ADDRESS_BYTES: Final = {_IPV4: 4, _IPV6: 16}
_PAIR_BYTES: Final = 2  # the two short replies, and a port
_HEAD_BYTES: Final = 5  # version, reply, reserved, type, first byte of the address
_MAX_FIELD_BYTES: Final = 255  # one length byte
_MAX_PORT: Final = 65535

_REFUSALS: Final = {
    0x01: "general failure",
    0x02: "not allowed by ruleset",
    0x03: "network unreachable",
    0x04: "host unreachable",
    0x05: "connection refused",
    0x06: "ttl expired",
    0x07: "command not supported",
    0x08: "address type not supported",
    # Tor's socks-extensions, ExtendedErrors.
    0xF0: "onion service descriptor not found",
    0xF1: "onion service descriptor invalid",
    0xF2: "onion service introduction failed",
    0xF3: "onion service rendezvous failed",
    0xF4: "onion service wants client authorization",
    0xF5: "onion service refused client authorization",
    0xF6: "onion service address invalid",
    0xF7: "onion service introduction timed out",
}


class Command(Enum):
    """What the proxy is asked to do."""

    CONNECT = 0x01  # RFC 1928, section 4
    RESOLVE = 0xF0  # Tor's socks-extensions; only tor knows it


class SocksProtocolError(Exception):
    """The other end does not speak SOCKS5 as tor does."""


class SocksRefusedError(Exception):
    """The proxy understood the request and says no.

    Args:
        code: The reply field, RFC 1928 section 6 or Tor's ExtendedErrors.
    """

    def __init__(self, code: int) -> None:
        super().__init__(_REFUSALS.get(code, f"reply {code:#04x}"))
        self.code = code


class _State(Enum):
    GREETING = auto()
    AUTHENTICATING = auto()
    REQUESTED = auto()
    DONE = auto()


class Handshake:
    """One connection's way from the first byte to the open stream.

    Args:
        command: CONNECT, or RESOLVE to find out whether this is tor.
        host: Sent as a domain name (type 3) without a look at what it is.
        port: 1 to 65535; 0 only with RESOLVE.
        isolation_key: Sent as user and password (RFC 1929).
        first_bytes: Application data that goes out together with the request.

    Raises:
        ValueError: a field does not fit into its length byte, or the host is no
            printable ASCII text.
    """

    def __init__(
        self,
        command: Command,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> None:
        if not 0 <= port <= _MAX_PORT or (port == 0 and command is Command.CONNECT):
            msg = "socks: port out of range"
            raise ValueError(msg)
        if not host.isascii() or not host.isprintable() or " " in host:
            msg = f"socks: host of {len(host)} characters is no ASCII name"
            raise ValueError(msg)
        request = bytes([_VERSION, command.value, 0, _DOMAIN])
        self._request = (
            request + _field(host) + port.to_bytes(2, "big") + bytes(first_bytes)
        )
        self._credentials = (
            bytes([_AUTH_VERSION])
            + _field(isolation_key.user)
            + _field(isolation_key.password)
        )
        self._state = _State.GREETING
        self._buffer = bytearray()
        self._bound = b""
        self._leftover = b""

    @property
    def is_done(self) -> bool:
        """True once the proxy granted the request."""
        return self._state is _State.DONE

    @property
    def bound(self) -> bytes:
        """The address in the reply: 4 or 16 bytes, or a name; what RESOLVE asks for."""
        return self._bound

    @property
    def leftover(self) -> bytes:
        """Application data that arrived behind the reply."""
        return self._leftover

    def start(self) -> bytes:
        """Return the greeting."""
        return GREETING

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the proxy and return what to send next, often nothing.

        Raises:
            SocksRefusedError: the proxy refused the request.
            SocksProtocolError: the answer breaks the protocol.
        """
        self._buffer += data
        match self._state:
            case _State.GREETING:
                return self._advance(
                    bytes([_VERSION, _USERNAME_PASSWORD]),
                    _State.AUTHENTICATING,
                    self._credentials,
                )
            case _State.AUTHENTICATING:
                return self._advance(
                    bytes([_AUTH_VERSION, _SUCCEEDED]), _State.REQUESTED, self._request
                )
            case _State.REQUESTED:
                self._read_reply()
                return b""
            case _State.DONE:
                msg = "socks: bytes after the handshake are application data"
                raise RuntimeError(msg)
            case _ as never:
                assert_never(never)

    def _advance(self, expected: bytes, following: _State, answer: bytes) -> bytes:
        """Match a two-byte reply exactly; nothing may follow it yet."""
        if not expected.startswith(self._buffer[:_PAIR_BYTES]):
            msg = f"socks: unexpected answer while {self._state.name.lower()}"
            raise SocksProtocolError(msg)
        if len(self._buffer) < _PAIR_BYTES:
            return b""
        if len(self._buffer) > _PAIR_BYTES:
            msg = (
                f"socks: answer ahead of the question while {self._state.name.lower()}"
            )
            raise SocksProtocolError(msg)
        self._buffer.clear()
        self._state = following
        return answer

    def _read_reply(self) -> None:
        """Read version, reply, reserved, type, address, port (RFC 1928, section 6)."""
        buffer = self._buffer
        if buffer and buffer[0] != _VERSION:
            msg = "socks: reply of another version"
            raise SocksProtocolError(msg)
        if len(buffer) >= 2 and buffer[1] != _SUCCEEDED:  # noqa: PLR2004  # the reply field
            raise SocksRefusedError(buffer[1])
        if len(buffer) < _HEAD_BYTES:
            return
        kind = buffer[3]
        if kind == _DOMAIN:
            start, length = _HEAD_BYTES, buffer[4]
        elif kind in _ADDRESS_BYTES:
            start, length = _HEAD_BYTES - 1, _ADDRESS_BYTES[kind]
        else:
            msg = "socks: reply with an unknown address type"
            raise SocksProtocolError(msg)
        end = start + length + _PAIR_BYTES
        if len(buffer) < end:
            return
        self._bound = bytes(buffer[start : start + length])
        self._leftover = bytes(buffer[end:])
        self._state = _State.DONE


def _field(text: str) -> bytes:
    """Return a length byte and the text."""
    raw = text.encode("ascii")
    if not 1 <= len(raw) <= _MAX_FIELD_BYTES:
        msg = f"socks: expected 1 to 255 bytes, got {len(raw)}"
        raise ValueError(msg)
    return bytes([len(raw)]) + raw
