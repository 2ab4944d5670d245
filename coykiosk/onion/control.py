"""tor's control port: stem on its two threads, awaitable and bounded on ours.

Rule: the only module that imports stem, and only once it is needed (0.13 s).
Nothing of stem's crosses the border: texts go to `status`, faults come out as
`ControlError`. Every call has a deadline, and closing frees a call that hangs.
"""

import asyncio
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Final, Protocol, TypeVar, assert_never

from coykiosk.onion.addresses import (
    Address,
    TcpAddress,
    UnixAddress,
    parse_listener,
)
from coykiosk.onion.environment import Credentials
from coykiosk.onion.hello import ControlError, NotTorError, ask_version
from coykiosk.onion.status import Bootstrap, parse_bootstrap
from coykiosk.onion.worker import Worker

__all__ = ["ControlError", "ControlPort", "ControlRefusedError", "NotTorError"]

T = TypeVar("T")

_CALL_LIMIT_S: Final = 10.0
_QUOTED: Final = re.compile(r'"([^"]*)"')


class ControlRefusedError(ControlError):
    """It is tor's control port, but not open to us."""


class _Message(Protocol):
    """One reply or event of tor's, as stem parsed it."""

    def raw_content(self) -> str: ...

    def is_ok(self) -> bool: ...


class _Controller(Protocol):
    """The parts of `stem.control.BaseController` that are used here."""

    connect: Callable[[], None]
    _handle_event: Callable[[_Message], None]

    def msg(self, message: str) -> _Message: ...

    def add_status_listener(
        self, callback: Callable[[object, str, float], None]
    ) -> None: ...

    def is_alive(self) -> bool: ...

    def close(self) -> None: ...


class ControlPort:
    """An authenticated connection to one tor; make it with `connect`."""

    def __init__(self, controller: _Controller, worker: Worker, version: str) -> None:
        self._controller = controller
        self._worker = worker
        self.version: Final = version
        """For example `0.4.9.11`."""
        self._is_closed = False

    @classmethod
    async def connect(
        cls, address: Address, credentials: Credentials | None = None
    ) -> "ControlPort":
        """Find out that tor is there, connect and authenticate.

        Raises:
            OSError: nothing listens there, or we may not connect.
            NotTorError: what listens there is not tor.
            ControlRefusedError: it wants a secret that we do not have.
            ControlError: it is gone again, or hangs.
        """
        version = await ask_version(address)
        worker = Worker("tor-control")
        try:
            controller = await _bounded(worker, lambda: _open(address))
        except BaseException:
            worker.end()
            raise
        control = cls(controller, worker, version)
        try:
            await control._call(
                lambda: _authenticate(controller, credentials or Credentials())
            )
        except BaseException:
            await control.close()
            raise
        return control

    async def watch(
        self,
        *,
        on_bootstrap: Callable[[Bootstrap], None],
        on_closed: Callable[[], None],
    ) -> bool:
        """Have both called on our loop from now on.

        Returns:
            False when tor's bootstrap events are withheld (a control port
            filter); `on_closed` is called in any case.
        """
        loop = asyncio.get_running_loop()

        def tell(callback: Callable[[], None]) -> None:
            # Our loop may be closed by the time stem's threads notice the end.
            if not loop.is_closed():
                loop.call_soon_threadsafe(callback)

        def heard(event: _Message) -> None:
            bootstrap = parse_bootstrap(event.raw_content())
            if bootstrap is not None:
                tell(lambda: on_bootstrap(bootstrap))

        def changed(_controller: object, state: str, _at: float) -> None:
            if state == "Closed":  # stem.control.State.CLOSED
                tell(on_closed)

        # stem's hook for subclasses. Its own `Controller` deadlocks for good when
        # the connection ends while a listener is being added: a lock is held
        # through the request, and the closing thread waits for one that wants it.
        self._controller._handle_event = heard  # noqa: SLF001  # see above
        self._controller.add_status_listener(changed)
        if not self._controller.is_alive():
            tell(on_closed)
        return await self._command("SETEVENTS STATUS_CLIENT")

    async def take_ownership(self) -> None:
        """Have tor end when this connection does.

        Source: Tor's control-spec, TAKEOWNERSHIP.
        """
        await self._command("TAKEOWNERSHIP")

    async def bootstrap(self) -> Bootstrap | None:
        """Return how far tor is, or None when the answer is withheld."""
        text = await self._info("status/bootstrap-phase")
        if text is not None:
            return parse_bootstrap(text)
        established = await self._info("status/circuit-established")
        if established is None:
            return None
        return Bootstrap(100 if established.strip() == "1" else 0, "conn", False)  # noqa: FBT003  # is_severe, the only bool

    async def socks_listeners(self) -> tuple[Address, ...] | None:
        """Return where tor says it takes SOCKS, or None when that is withheld."""
        text = await self._info("net/listeners/socks")
        if text is None:
            return None
        found = [parse_listener(item) for item in _QUOTED.findall(text)]
        return tuple(address for address in found if address is not None)

    async def circuit_status(self) -> str:
        """Return every circuit, one a line; "" when that is withheld."""
        return await self._info("circuit-status") or ""

    async def close(self) -> None:
        """End the connection and its threads; idempotent, never raises."""
        if self._is_closed:
            return
        self._is_closed = True
        # Not through the worker, which may hang in a call that this ends.
        closer = Worker("tor-control-close")
        try:
            await _bounded(closer, self._controller.close)
        except ControlError:
            return
        finally:
            closer.end()
            self._worker.end()

    async def _command(self, command: str) -> bool:
        """Send a command; tell whether tor did it."""
        try:
            reply = await self._call(lambda: self._controller.msg(command))
        except ControlError:
            return False
        return reply.is_ok()

    async def _info(self, key: str) -> str | None:
        try:
            return await self._call(lambda: _get_info(self._controller, key))
        except ControlError:
            return None

    async def _call(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            msg = "control: closed"
            raise ControlError(msg)
        return await _bounded(self._worker, work)


async def _bounded(worker: Worker, work: Callable[[], T]) -> T:
    """Run blocking work of stem's, with its faults as ours.

    Raises:
        ControlError: it failed, or took too long.
    """
    try:
        return await worker.call(lambda: _translated(work), limit_s=_CALL_LIMIT_S)
    except TimeoutError as exc:
        msg = "control: no answer in time"
        raise ControlError(msg) from exc


def _translated(work: Callable[[], T]) -> T:
    stem = _stem()
    try:
        return work()
    except (stem.ControllerError, OSError, ValueError) as exc:
        msg = f"control: {type(exc).__name__}"
        raise ControlError(msg) from exc


def _stem() -> SimpleNamespace:
    """Import stem; slow, so only once a control port is really there."""
    from stem import (  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no py.typed; slow
        ControllerError,
        SocketClosed,
        connection,
        control,
        response,
        socket,
    )

    return SimpleNamespace(
        ControllerError=ControllerError,
        SocketClosed=SocketClosed,
        connection=connection,
        control=control,
        response=response,
        socket=socket,
    )


def _open(address: Address) -> _Controller:
    """Connect stem; blocking, but somebody listens: we have just talked."""
    stem = _stem()
    make = stem.control.BaseController
    controller: _Controller
    match address:
        case UnixAddress(path):
            controller = make(stem.socket.ControlSocketFile(str(path)))
            return controller
        case TcpAddress(host, port):
            controller = make(stem.socket.ControlPort(host, port))
            return controller
        case _ as never:
            assert_never(never)


def _get_info(controller: _Controller, key: str) -> str:
    """Return the answer to GETINFO with one key; blocking."""
    stem = _stem()
    reply = controller.msg(f"GETINFO {key}")
    stem.response.convert("GETINFO", reply)
    value: bytes = reply.entries.get(key, b"")  # type: ignore[attr-defined]  # convert added it
    return value.decode("utf-8", "replace")


def _authenticate(controller: _Controller, credentials: Credentials) -> None:
    """Authenticate; blocking.

    The cookie itself is sent only where a person named its file. Otherwise only
    its proof is (SAFECOOKIE): whoever listens could name any file of ours.
    """
    stem = _stem()

    def refuse() -> None:
        raise stem.SocketClosed

    # stem dials again by itself after a refusal, and after our own close.
    controller.connect = refuse
    info = stem.connection.get_protocolinfo(controller)
    methods = list(info.auth_methods)
    if credentials.cookie_path is not None:
        info.cookie_path = str(credentials.cookie_path)
    elif stem.connection.AuthMethod.COOKIE in methods:
        methods.remove(stem.connection.AuthMethod.COOKIE)
    if not methods:
        msg = "control: no way to authenticate"
        raise ControlRefusedError(msg)
    info.auth_methods = tuple(methods)
    password = credentials.password
    if password is not None:
        password = password.replace("\\", "\\\\")  # stem escapes quotes only
    try:
        stem.connection.authenticate(
            controller, password=password, protocolinfo_response=info
        )
    except stem.connection.AuthenticationFailure as exc:
        msg = "control: not open to us"
        raise ControlRefusedError(msg) from exc
