"""The whole practice network as one thing: scratch, private Tor network, server.

Rule: composes and translates nothing. What is started here is ended here, and by
the scratch directory's own means when we cannot.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from coykiosk.contract import PracticeStep
from coykiosk.errors import UserError, first_user_error
from coykiosk.onion.scratch import Scratch
from coykiosk.ports import WallClock
from coykiosk.practice.faults import refused_by_system
from coykiosk.practice.tornet import OnStep, PrivateTorNetwork
from coykiosk.practice.xmpp_server import PracticeServer

__all__ = ["DIRECT_TLS_PORT", "STARTTLS_PORT", "PracticeNetwork"]

STARTTLS_PORT: Final = 5222
"""The onion's port where TLS begins inside the stream (RFC 6120, 14.7)."""
DIRECT_TLS_PORT: Final = 5223
"""The onion's port where TLS comes first (XEP-0368 leaves the number open)."""


class PracticeNetwork:
    """A private Tor network with an XMPP server behind an onion, on loopback.

    Args:
        environ: Where XDG_RUNTIME_DIR, PATH and TMPDIR are read; None means the
            environment of this process.
        wall_clock: Dates what is made, and decides when the relays vote.
        plugins: Where else Prosody looks for modules; for tests.
        extra_modules: Modules it loads beside its own; for tests.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        wall_clock: WallClock = lambda: datetime.now(UTC),
        plugins: Path | None = None,
        extra_modules: Sequence[str] = (),
    ) -> None:
        self._environ = environ
        self._wall_clock = wall_clock
        self._plugins = plugins
        self._extra_modules = tuple(extra_modules)
        self._scratch: Scratch | None = None
        self._server: PracticeServer | None = None
        self._tor: PrivateTorNetwork | None = None

    @property
    def path(self) -> Path:
        """A private directory that is gone after `stop`; after `start`."""
        assert self._scratch is not None, "not started"
        return self._scratch.path

    @property
    def client_torrc(self) -> tuple[str, ...]:
        """The lines that make a tor a client of this network; after `start`."""
        assert self._tor is not None, "not started"
        return self._tor.client_torrc

    @property
    def onion_host(self) -> str:
        """The server's onion, with `.onion`; after `start`."""
        assert self._tor is not None, "not started"
        return self._tor.onion_host

    @property
    def server(self) -> PracticeServer:
        """The XMPP server; after `start`."""
        assert self._server is not None, "not started"
        return self._server

    @property
    def servers_toml(self) -> str:
        """The servers file of this network; after `start`."""
        return self.server.servers_toml(onion=self.onion_host, port=DIRECT_TLS_PORT)

    async def start(self, on_step: OnStep) -> None:
        """Bring everything up; the server can be reached through Tor then.

        When it fails, or is cancelled, nothing is left running.

        Raises:
            UserError: PRACTICE_MISSING, PRACTICE_FAILED, NO_FREE_PORT.
        """
        try:
            await self._start(on_step)
        except BaseException:
            await self.stop()
            raise

    async def wait_broken(self) -> UserError:
        """Wait until a part of the network ends by itself, and return which."""
        assert self._tor is not None, "not started"
        loop = asyncio.get_running_loop()
        ends = [
            loop.create_task(self._tor.wait_broken()),
            loop.create_task(self.server.wait_broken()),
        ]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for end in ends:
                end.cancel()

    async def stop(self) -> None:
        """End all processes and remove the directory; idempotent."""
        try:
            if self._tor is not None:
                await self._tor.stop()
            if self._server is not None:
                await self._server.stop()
        finally:
            if self._scratch is not None:
                await self._scratch.close()

    async def _start(self, on_step: OnStep) -> None:
        try:
            self._scratch = await Scratch.create(environ=self._environ)
        except OSError as exc:
            raise refused_by_system(exc) from exc
        self._server = PracticeServer(
            wall_clock=self._wall_clock,
            plugins=self._plugins,
            extra_modules=self._extra_modules,
        )
        self._tor = PrivateTorNetwork(
            {
                STARTTLS_PORT: f"127.0.0.1:{self._server.starttls_port}",
                DIRECT_TLS_PORT: f"127.0.0.1:{self._server.direct_tls_port}",
            },
            wall_clock=self._wall_clock,
        )
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._server.start(self._scratch))
                await self._tor.start(self._scratch, on_step)
                on_step(PracticeStep.STARTING_SERVER)
                await serving
                on_step(PracticeStep.PUBLISHING_ONION)
                await self._tor.wait_onion_published()
        # COMPAT(Python 3.11.2): what `except*` raises comes out wrapped in a group.
        except BaseExceptionGroup as group_error:
            errors, others = group_error.split(UserError)
            if errors is None or others is not None:
                raise
            raise first_user_error(errors) from group_error
