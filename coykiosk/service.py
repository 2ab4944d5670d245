"""What serves the screen: tor, vault and session, built and run.

Rule: composes, like `app`, and is all that takes long to import: `app` asks for
it once something is on the screen.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coykiosk.contract import Command, Event, TorStopped
from coykiosk.errors import UserError
from coykiosk.onion.daemon import TorDaemon
from coykiosk.register.servers import Server
from coykiosk.session.kiosk import Kiosk
from coykiosk.session.world import RunBlocking, World
from coykiosk.vault.store import VaultStore

__all__ = ["Service"]


@dataclass(frozen=True, slots=True)
class Service:
    """Sessions for one screen."""

    publish: Callable[[Event], None]
    commands: asyncio.Queue[Command]
    run_blocking: RunBlocking

    def make_world(
        self, environ: Mapping[str, str], *, extra_torrc: Sequence[str]
    ) -> World:
        """Build a session's surroundings, with a tor that is not started yet.

        Args:
            environ: Where a running tor is named, and programs are found.
            extra_torrc: Lines for a tor of our own.
        """
        return World(
            tor=TorDaemon(self.publish, environ, extra_torrc=extra_torrc),
            random_bytes=secrets.token_bytes,
            now=time.monotonic,
            wall_clock=lambda: datetime.now(UTC),
            run_blocking=self.run_blocking,
            publish=self.publish,
        )

    async def serve(
        self,
        world: World,
        servers: Sequence[Server],
        vault_path: Path | None,
        *,
        start_tor: bool,
    ) -> None:
        """Run a session until the person quits.

        Args:
            world: Its surroundings.
            servers: The records to choose from.
            vault_path: Where the vault is or will be; None where there is no place.
            start_tor: Whether tor may go ahead, before the person has chosen. A
                vault knows the guard to go back to: then tor waits until it is open.
        """
        vault = None
        if vault_path is not None:
            vault = VaultStore(vault_path, random_bytes=secrets.token_bytes)
        kiosk = Kiosk(servers=servers, vault=vault, world=world, commands=self.commands)
        try:
            if start_tor:
                await _start_early(world)
            await kiosk.run()
        finally:
            await world.tor.stop()


async def _start_early(world: World) -> None:
    """Have tor on its way into the network while the person reads."""
    try:
        await world.tor.start(guard_state="")
    except UserError as error:
        world.publish(TorStopped(error))
