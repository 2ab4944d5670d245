"""The real program in a terminal of its own, on the practice network.

What surrounds a run is made for it: its HOME is new and empty, its environment
holds nothing but what is given here, and it is started as ./kiosk starts it.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.practice_network import SharedPracticeNetwork
from tests.support.processes import children, kill
from tests.support.terminal import Terminal
from tests.support.tracing import strace

ROOT = Path(__file__).parents[2]
RUN_APP = ROOT / "tests" / "support" / "run_app.py"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program."""

    terminal: Terminal
    home: Path
    """Its HOME; empty when it starts."""
    vault: Path | None
    """Where it may keep a vault; its folder does not exist before the first run."""
    traces: Path | None
    """What strace writes; complete once the terminal's `wait_end` has returned."""


class Launch:
    """Starts the program; what still runs at the end of the block is ended.

    Args:
        place: A directory for what the runs need.
        network: Where they make their accounts.
    """

    def __init__(self, place: Path, network: SharedPracticeNetwork) -> None:
        self._place = place
        self._network = network
        self._ends = ExitStack()
        self._n_runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()

    def __call__(
        self,
        *,
        vault: Path | None = None,
        is_traced: bool = False,
        app: Path = RUN_APP,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        torrc: Sequence[str] | None = None,
        columns: int = 80,
        rows: int = 24,
    ) -> Run:
        """Start it.

        Args:
            vault: Where the vault is or may be made; None where there is no place.
            is_traced: Run it under strace, with all that it starts.
            app: What to start; it gets the path of the settings and `arguments`.
            arguments: Further arguments.
            environ: Variables added to the minimal environment.
            torrc: Lines for its tor; None means those of the network.
            columns: Of the terminal.
            rows: Of the terminal.
        """
        self._n_runs += 1
        place = self._place / f"run{self._n_runs}"
        home = place / "home"
        home.mkdir(parents=True)
        settings = place / "settings.json"
        settings.write_text(self._settings(place, vault, torrc))
        argv = [sys.executable, "-B", str(app), str(settings), *arguments]
        traces = place / "traces" if is_traced else None
        terminal = Terminal(
            argv if traces is None else strace(argv, to=traces),
            env=_environ(home) | dict(environ or {}),
            columns=columns,
            rows=rows,
        )
        self._ends.enter_context(terminal)
        if is_traced:
            # strace does not take the program with it when it is killed itself.
            self._ends.callback(_kill_children, terminal.pid)
        return Run(terminal, home, vault, traces)

    def _settings(
        self, place: Path, vault: Path | None, torrc: Sequence[str] | None
    ) -> str:
        servers = place / "servers.toml"
        servers.write_text(self._network.servers_toml)
        return json.dumps(
            {
                "servers": str(servers),
                "torrc": list(torrc or self._network.client_torrc),
                "vault": None if vault is None else str(vault),
            }
        )


def _kill_children(pid: int) -> None:
    for child in children(pid):
        kill(child)


def _environ(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
