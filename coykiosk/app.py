"""The composition root: builds the parts, joins the two queues, runs them.

Rule: knows everybody and is known by nobody but `__main__`. The first screen is
painted before `service` and `rehearsal` are imported, which is why that one import
is inside a function.

    Screen --commands--> queue --> Service: Kiosk, TorDaemon     (one event loop,
       ^---------------- events ------+                           one TaskGroup)
"""

import asyncio
import importlib
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from coykiosk.contract import Command, Quit, Started
from coykiosk.errors import ErrorCode, UserError, only_user_error
from coykiosk.register.servers import Server, ServersFileError, load_servers
from coykiosk.ui_urwid.loop import Screen
from coykiosk.vault import passphrase
from coykiosk.vault.place import default_path

__all__ = ["HEAVY", "Settings", "run", "servers_in", "start"]

HEAVY: Final = ("coykiosk.service", "coykiosk.rehearsal")
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


def start(*, practice: bool, vault: Path | None) -> None:
    """Run the program as it was shipped.

    Args:
        practice: On the practice network, with a vault of its own.
        vault: Where the vault is; None for the usual place.

    Raises:
        UserError, KeyboardInterrupt, Exception: as `run`.
    """
    if vault is None and not practice:
        vault = default_path(os.environ)
    run(Settings(servers=_shipped_servers(), vault_path=vault, practice=practice))


def run(settings: Settings) -> None:
    """Run the program until the person quits.

    Raises:
        UserError: the program cannot run here.
        KeyboardInterrupt: a second signal came, and we did not wait any more.
        Exception: a defect; the terminal has been restored.
    """
    # Order matters: the OpenSSL that TLS runs on is imported later, and reads this
    # once. Settings of one machine would make our first words unlike all others'.
    os.environ.pop("OPENSSL_CONF", None)
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
        for name in HEAVY:
            await self._run_blocking(partial(importlib.import_module, name))
        # Imported already, by the lines above, without holding up the screen.
        from coykiosk import rehearsal, service  # noqa: PLC0415 - after the paint

        serving = service.Service(
            self._screen.publish, self._commands, self._run_blocking
        )
        if self._settings.practice:
            desk = rehearsal.Desk(
                publish=self._screen.publish,
                submit=self._submit,
                quitting=self._quitting,
                # Whatever tor this machine runs is not the practice network's.
                make_world=lambda torrc: serving.make_world(
                    {"PATH": os.defpath}, extra_torrc=torrc
                ),
            )
            await rehearsal.rehearse(desk, partial(serving.serve, start_tor=True))
        else:
            await serving.serve(
                serving.make_world(os.environ, extra_torrc=self._settings.extra_torrc),
                self._settings.servers,
                self._settings.vault_path,
                start_tor=start_tor,
            )


def _shipped_servers() -> tuple[Server, ...]:
    """Read the servers that came with the program.

    Raises:
        UserError: SERVERS_FILE_BAD.
    """
    return servers_in(Path(__file__).with_name("servers.toml"))


def servers_in(path: Path) -> tuple[Server, ...]:
    """Read a servers file, whole or not at all.

    Raises:
        UserError: SERVERS_FILE_BAD, with the line and the reason.
    """
    try:
        return load_servers(path.read_bytes(), name=path.name)
    except ServersFileError as exc:
        raise UserError(
            ErrorCode.SERVERS_FILE_BAD,
            file=str(path),
            line=str(exc.line),
            reason=exc.reason,
        ) from exc
