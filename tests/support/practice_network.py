"""One practice network for many tests: in a thread of its own, with its own loop."""

import asyncio
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coykiosk.practice.network import DIRECT_TLS_PORT, STARTTLS_PORT, PracticeNetwork

if TYPE_CHECKING:
    from coykiosk.contract import PracticeStep

_MODULES = Path(__file__).parent / "prosody_modules"
_START_LIMIT_S = 110.0
_STOP_LIMIT_S = 30.0


class SharedPracticeNetwork:
    """A running practice network; the values do not change while it runs.

    Use it as a context manager. Everything here may be used from any thread, and
    from tests that run event loops of their own.
    """

    def __init__(self) -> None:
        self.steps: list[PracticeStep] = []
        """What it was busy with, in order."""
        self._network = PracticeNetwork(plugins=_MODULES, extra_modules=["tap", "said"])
        self._thread = threading.Thread(target=self._run, name="practice network")
        self._is_settled = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_settled.wait(_START_LIMIT_S):
            msg = f"the practice network is at {self.steps[-1:]} only"
            raise TimeoutError(msg)
        if self._error is not None:
            self._thread.join(_STOP_LIMIT_S)
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_STOP_LIMIT_S)
        assert not self._thread.is_alive(), "the practice network does not end"

    # --- the network ------------------------------------------------------------

    @property
    def client_torrc(self) -> tuple[str, ...]:
        """For a TorDaemon's `extra_torrc`."""
        return self._network.client_torrc

    @property
    def path(self) -> Path:
        """The network's private directory."""
        return self._network.path

    @property
    def onion_host(self) -> str:
        """The server's onion."""
        return self._network.onion_host

    @property
    def onion_starttls_port(self) -> int:
        """The onion's port where TLS begins inside the stream."""
        return STARTTLS_PORT

    @property
    def onion_direct_tls_port(self) -> int:
        """The onion's port where TLS comes first."""
        return DIRECT_TLS_PORT

    # --- the server -------------------------------------------------------------

    @property
    def servers_toml(self) -> str:
        """The servers file with this server alone, by its onion, direct TLS."""
        return self._network.servers_toml

    @property
    def domain(self) -> str:
        """What the server's addresses end in."""
        return self._network.server.domain

    @property
    def starttls_port(self) -> int:
        """The server's own port on 127.0.0.1, beside Tor."""
        return self._network.server.starttls_port

    @property
    def direct_tls_port(self) -> int:
        """The server's own port on 127.0.0.1, beside Tor."""
        return self._network.server.direct_tls_port

    @property
    def spki(self) -> str:
        """The certificate's pin."""
        return self._network.server.spki

    @property
    def scram(self) -> tuple[str, ...]:
        """What the server offers."""
        return self._network.server.scram

    @property
    def certificate_file(self) -> Path:
        """The server's certificate, PEM."""
        return self._network.server.certificate_file

    def account_exists(self, localpart: str) -> bool:
        """Look into the server's storage."""
        return self._network.server.account_exists(localpart)

    def tap(self) -> bytes:
        """Every byte of all clients' streams so far, as the server saw it."""
        return (self.path / "xmpp" / "data" / "tap").read_bytes()

    # --- the thread -------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            self._error = error
        finally:
            self._is_settled.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        try:
            await self._network.start(self.steps.append)
            self._is_settled.set()
            await self._end.wait()
        finally:
            await self._network.stop()
