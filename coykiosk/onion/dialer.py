"""THE network door: every byte that leaves the program goes through here.

Rule: the only sockets opened are to tor's SOCKS listener, whose address is an IP
address or a path; the host that is wanted goes to tor as text. While there is no
tor, every call is refused.
"""

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import Address
from coykiosk.onion.socks5 import (
    GREETING,
    Command,
    Handshake,
    SocksProtocolError,
    SocksRefusedError,
)
from coykiosk.onion.wire import Wire, connect_local
from coykiosk.ports import IsolationKey

__all__ = ["SocksDialer", "SocksStream", "is_tor_socks"]

_ANSWER_LIMIT_S: Final = 5.0
"""For a greeting, which tor answers by itself."""
_OPEN_LIMIT_S: Final = 125.0
"""tor itself gives a request up after 120 s (SocksTimeout)."""
_CLOSE_LIMIT_S: Final = 1.0
_PROBE_IPV4: Final = "192.0.2.1"  # RFC 5737: belongs to nobody


async def _shake_hands(wire: Wire, handshake: Handshake) -> None:
    """Run the handshake to its end; what follows the reply stays unread.

    Raises:
        ConnectionError: the connection ended first.
        SocksRefusedError, SocksProtocolError: as `Handshake.receive`.
    """
    wire.send(handshake.start())
    while not handshake.is_done:
        data = await wire.receive()
        if not data:
            msg = "socks: connection ended before the reply"
            raise ConnectionError(msg)
        wire.send(handshake.receive(data))
    # Order matters: what came behind the reply precedes what has come since.
    wire.unread[:0] = handshake.leftover


class SocksStream:
    """A connected stream; `ports.Stream` over one SOCKS connection."""

    def __init__(self, wire: Wire, host: str, dialer: "SocksDialer") -> None:
        self._wire = wire
        self._host = host
        self._dialer = dialer
        self._stopped: UserError | None = None

    async def read(self) -> bytes:
        """Return the next bytes, at least one; b"" once the other end closed.

        Raises:
            UserError: CONNECTION_LOST or TOR_STOPPED.
        """
        data = await self._wire.receive()
        if data:
            return data
        # A dying tor ends its connections as politely as a server does, and some
        # of them before it stops listening; but it no longer answers.
        if self._stopped is None and not await self._dialer.is_alive():
            self._stopped = UserError(ErrorCode.TOR_STOPPED)
        if self._stopped is not None:
            raise self._stopped
        if self._wire.failure is not None:
            raise UserError(
                ErrorCode.CONNECTION_LOST, server=self._host
            ) from self._wire.failure
        return b""

    def write(self, data: bytes) -> None:
        """Queue bytes for sending; silently dropped after `close`."""
        self._wire.send(data)

    async def drain(self) -> None:
        """Wait until the send queue is short again, or the connection is gone."""
        await self._wire.writable.wait()

    async def close(self) -> None:
        """Close both directions; what is queued has one second to leave."""
        self._dialer.forget(self)
        wire = self._wire
        if wire.transport is not None and not wire.gone.is_set():
            wire.transport.close()
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSE_LIMIT_S):
                        await wire.gone.wait()
            finally:
                wire.abort()

    def cut(self, error: UserError) -> None:
        """End the stream at once; reads raise this error."""
        self._stopped = self._stopped or error
        self._wire.abort()

    def lose(self) -> None:
        """End the stream at once; reads say that the connection is lost."""
        self.cut(UserError(ErrorCode.CONNECTION_LOST, server=self._host))


class SocksDialer:
    """`ports.Dialer` over tor's SOCKS listener.

    Args:
        address: tor's SOCKS listener, or None while there is none.
        on_gone: Called when a connection finds out that tor is gone; `cut` is
            expected in return.
    """

    def __init__(
        self,
        address: Address | None = None,
        *,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = address
        self._on_gone = on_gone
        self._streams: set[SocksStream] = set()
        self._attempts: set[Wire] = set()
        self._n_cuts = 0

    def use(self, address: Address) -> None:
        """Dial through this listener from now on."""
        self._address = address

    def cut(self, error: UserError) -> None:
        """There is no tor any more: end every stream now and refuse new ones."""
        self._address = None
        self._n_cuts += 1
        for stream in tuple(self._streams):
            stream.cut(error)
        for wire in tuple(self._attempts):
            wire.abort()
        self._streams.clear()

    def change(self) -> None:
        """Tor gives way to another one: every stream is lost, as with a server."""
        for stream in tuple(self._streams):
            stream.lose()
        self.cut(UserError(ErrorCode.TOR_STOPPED))

    def forget(self, stream: SocksStream) -> None:
        """Drop a stream that its owner has closed."""
        self._streams.discard(stream)

    async def is_alive(self) -> bool:
        """Tell whether tor still answers a greeting; if not, say that it is gone.

        One that is only slow to answer is alive.
        """
        address = self._address
        if address is None:
            return False
        wire = Wire()
        try:
            await connect_local(address, lambda: wire)
            wire.send(GREETING)
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                is_alive = bool(await wire.receive())
        except (BlockingIOError, TimeoutError):  # a full queue is kept by somebody
            is_alive = True
        except OSError:
            is_alive = False
        finally:
            wire.abort()
        if not is_alive and self._address == address:
            self._on_gone()
        return is_alive

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> SocksStream:
        """Connect to a host through Tor; see `ports.Dialer.open`.

        Raises:
            UserError: SERVER_UNREACHABLE, TOR_STOPPED, or TOR_IMPOSTOR when
                what listens there does not answer as tor does.
        """
        if self._address is None:
            raise UserError(ErrorCode.TOR_STOPPED)
        address, n_cuts = self._address, self._n_cuts
        try:
            handshake = Handshake(
                Command.CONNECT,
                host,
                port,
                isolation_key=isolation_key,
                first_bytes=first_bytes,
            )
        except ValueError as exc:
            raise UserError(ErrorCode.SERVER_UNREACHABLE, server=host) from exc
        wire = Wire()
        self._attempts.add(wire)
        try:
            await self._establish(wire, address, handshake, host)
        except BaseException:
            wire.abort()
            raise
        finally:
            self._attempts.discard(wire)
        if self._n_cuts != n_cuts:  # while the reply was on its way
            wire.abort()
            raise UserError(ErrorCode.TOR_STOPPED)
        stream = SocksStream(wire, host, self)
        self._streams.add(stream)
        return stream

    async def _establish(
        self, wire: Wire, address: Address, handshake: Handshake, host: str
    ) -> None:
        """Connect and shake hands, with every fault as a `UserError`."""
        try:
            await connect_local(address, lambda: wire)
            async with asyncio.timeout(_OPEN_LIMIT_S):
                await _shake_hands(wire, handshake)
        except (SocksRefusedError, TimeoutError) as exc:
            raise UserError(ErrorCode.SERVER_UNREACHABLE, server=host) from exc
        except SocksProtocolError as exc:
            raise UserError(ErrorCode.TOR_IMPOSTOR, address=str(address)) from exc
        except OSError as exc:
            if await self.is_alive():
                raise UserError(ErrorCode.SERVER_UNREACHABLE, server=host) from exc
            raise UserError(ErrorCode.TOR_STOPPED) from exc


async def is_tor_socks(address: Address) -> bool:
    """Tell whether tor answers there, by a request that only tor understands.

    RESOLVE of an address that is none to resolve: tor answers it at once by
    itself and sends nothing out, whether it is connected or not.

    Raises:
        OSError: nothing listens there.
    """
    key = IsolationKey.fresh(secrets.token_bytes)
    handshake = Handshake(Command.RESOLVE, _PROBE_IPV4, 0, isolation_key=key)
    wire = Wire()
    await connect_local(address, lambda: wire)
    try:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            await _shake_hands(wire, handshake)
    except (ConnectionError, TimeoutError, SocksRefusedError, SocksProtocolError):
        return False
    finally:
        wire.abort()
    return handshake.bound == ipaddress.ip_address(_PROBE_IPV4).packed
