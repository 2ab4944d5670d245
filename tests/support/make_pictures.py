"""Make the README's pictures from the running program, on the practice network.

Run it from the checkout after `./check --setup-only`:
`.venv/check/bin/python -m tests.support.make_pictures`
"""

import os
import sys
from pathlib import Path

from tests.support.picture import svg
from tests.support.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent


def main() -> None:
    """Walk through the one action, and keep what the screen shows."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }
    argv = [sys.executable, "-B", "-m", "coykiosk", "--practice"]
    with Terminal(argv, env=env) as terminal:
        terminal.wait_for("Write these words")
        terminal.wait_for("Tor: connected", within_s=120)
        _keep(terminal, "start")
        terminal.press("enter")
        terminal.wait_for("PRIVATE, NOT CHECKED", within_s=120)
        terminal.wait_for("partner", within_s=60)
        terminal.type("Who can read this?")
        terminal.press("enter")
        terminal.wait_for(r"you +Who can read this\?")
        shown = len(terminal.output)
        terminal.wait_until(
            lambda: len(terminal.output) > shown + 400,
            what="the partner's answer",
            within_s=30,
        )
        _keep(terminal, "chat")
        terminal.press("f3")
        terminal.wait_for("guard:")
        _keep(terminal, "tor")


def _keep(terminal: Terminal, name: str) -> None:
    (ROOT / "docs" / f"{name}.svg").write_text(svg(terminal.screen), encoding="utf-8")


if __name__ == "__main__":
    main()
