"""The composition root: builds the parts, joins the two queues, runs them.

Rule: knows everybody and is known by nobody but `__main__`. The first screen is
painted before the heavy parts are imported, which is why they are imported
inside functions here and nowhere else.

    Screen --commands--> queue --> Kiosk          (one event loop, one TaskGroup)
       ^---------------- events ----+--- TorDaemon
"""

import asyncio
import importlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from coykiosk.contract import Command, Quit, Started, TorStopped
from coykiosk.errors import UserError, only_user_error
from coykiosk.register.servers import Server
from coykiosk.ui_urwid.loop import Screen
from coykiosk.vault import passphrase

if TYPE_CHECKING:
    from coykiosk.session.world import World

__all__ = ["Settings", "run"]

_HEAVY: Final = (
    "coykiosk.onion.daemon",
    "coykiosk.session.kiosk",
    "coykiosk.vault.store",
)
"""What takes a third of a second to import, done while the person reads."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run is made of."""

    servers: Sequence[Server]
    """The records to choose from; the practice network brings its own."""
    vault_path: Path | None
    """Where the vault is or will be; None where nothing can be kept."""
    extra_torrc: tuple[str, ...] = ()
    """Lines for a tor of our own: the directory authorities of another network."""
    practice: bool = False


def run(settings: Settings) -> None:
    """Run the program until the person quits.

    Raises:
        UserError: the program cannot run here.
        KeyboardInterrupt: a second signal came, and we did not wait any more.
        Exception: a defect; the terminal has been restored.
    """
    path = settings.vault_path
    vault_exists = path is not None and os.path.lexists(path)
    try:
        asyncio.run(_App(settings).run(vault_exists=vault_exists))
    except asyncio.CancelledError as exc:
        raise KeyboardInterrupt from exc
    except BaseExceptionGroup as errors:
        error = only_user_error(errors)
        if error is None:
            raise
        raise error from errors


class _App:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._commands: asyncio.Queue[Command] = asyncio.Queue()
        self._quitting = asyncio.Event()
        self._defect: Exception | None = None
        """What went wrong where nobody could catch it: in a callback of the loop."""
        self._screen = Screen(
            submit=self._submit,
            suggest_passphrase=lambda: passphrase.suggest(secrets.token_bytes),
            judge_passphrase=lambda text: passphrase.judge(text).is_enough,
        )
        # One thread: work on the vault is done in the order in which it is asked.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vault")

    async def run(self, *, vault_exists: bool) -> None:
        self._screen.publish(
            Started(vault_exists=vault_exists, practice=self._settings.practice)
        )
        main = asyncio.current_task()
        assert main is not None
        self._quit_on_signals(main)
        self._end_at_defects(main)
        try:
            async with asyncio.TaskGroup() as group:
                showing = group.create_task(self._screen.run())
                await self._screen.painted()
                serving = group.create_task(self._serve(start_tor=not vault_exists))
                await asyncio.wait(
                    [showing, serving], return_when=asyncio.FIRST_COMPLETED
                )
                # A terminal that closed ends the screen first.
                self._submit(Quit())
        except asyncio.CancelledError:
            if self._defect is None:
                raise
            raise self._defect from None
        finally:
            self._screen.abort()
            self._worker.shutdown(wait=False)

    def _submit(self, command: Command) -> None:
        if isinstance(command, Quit):
            self._quitting.set()
        self._commands.put_nowait(command)

    def _end_at_defects(self, main: asyncio.Task[object]) -> None:
        """Let a defect in a callback end the program.

        The loop's own way is to print it, with values, into the screen.
        """

        def on_defect(_: object, context: dict[str, Any]) -> None:
            error = context.get("exception")
            is_ordinary = isinstance(error, OSError | UserError)
            if isinstance(error, Exception) and not is_ordinary:
                self._defect = self._defect or error
                main.cancel()

        asyncio.get_running_loop().set_exception_handler(on_defect)

    def _quit_on_signals(self, main: asyncio.Task[object]) -> None:
        """Quit in order at the first signal, at once at the second."""
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if self._quitting.is_set():
                main.cancel()
            self._submit(Quit())

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)

    async def _run_blocking(self, function: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function)

    async def _serve(self, *, start_tor: bool) -> None:
        """Run the session behind the screen, on the network that was chosen."""
        for name in _HEAVY:
            await self._run_blocking(partial(importlib.import_module, name))
        if self._settings.practice:
            from coykiosk.rehearsal import Desk, rehearse  # noqa: PLC0415 - heavy

            desk = Desk(
                publish=self._screen.publish,
                submit=self._submit,
                quitting=self._quitting,
                # Whatever tor this machine runs is not the practice network's.
                make_world=lambda torrc: self._world(torrc, {"PATH": os.defpath}),
            )
            await rehearse(desk, self._serve_practice)
        else:
            world = self._world(self._settings.extra_torrc, os.environ)
            # A vault knows the guard to go back to: then tor waits until it is open.
            await self._serve_on(
                world,
                self._settings.servers,
                vault_path=self._settings.vault_path,
                start_tor=start_tor,
            )

    async def _serve_practice(
        self, world: "World", servers: Sequence[Server], vault_path: Path
    ) -> None:
        await self._serve_on(world, servers, vault_path=vault_path, start_tor=True)

    def _world(self, extra_torrc: Sequence[str], environ: Mapping[str, str]) -> "World":
        from coykiosk.onion.daemon import TorDaemon  # noqa: PLC0415 - heavy
        from coykiosk.session.world import World  # noqa: PLC0415 - heavy

        return World(
            tor=TorDaemon(self._screen.publish, environ, extra_torrc=extra_torrc),
            random_bytes=secrets.token_bytes,
            now=time.monotonic,
            wall_clock=lambda: datetime.now(UTC),
            run_blocking=self._run_blocking,
            publish=self._screen.publish,
        )

    async def _serve_on(
        self,
        world: "World",
        servers: Sequence[Server],
        *,
        vault_path: Path | None,
        start_tor: bool,
    ) -> None:
        from coykiosk.session.kiosk import Kiosk  # noqa: PLC0415 - heavy
        from coykiosk.vault.store import VaultStore  # noqa: PLC0415 - heavy

        vault = (
            VaultStore(vault_path, random_bytes=secrets.token_bytes)
            if vault_path
            else None
        )
        kiosk = Kiosk(
            servers=servers,
            vault=vault,
            world=world,
            commands=self._commands,
        )
        try:
            if start_tor:
                await _start_early(world)
            await kiosk.run()
        finally:
            await world.tor.stop()


async def _start_early(world: "World") -> None:
    """Have tor on its way into the network while the person reads."""
    try:
        await world.tor.start(guard_state="")
    except UserError as error:
        world.publish(TorStopped(error))
