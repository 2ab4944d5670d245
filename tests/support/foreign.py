"""What clients that are not ours have in common: a terminal, and a line to type in."""

import re
from types import TracebackType
from typing import Final, Self

from tests.support.terminal import Terminal


class ForeignClient:
    """A program in a terminal; it ends with the block.

    Args:
        terminal: Where it runs.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.terminal: Final = terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminal.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Send a message in the chat that one sees."""
        self.command(text)

    def wait_for(self, pattern: str, *, within_s: float = 20.0) -> re.Match[str]:
        """Wait until something is on its screen."""
        return self.terminal.wait_for(pattern, within_s=within_s)

    def command(self, line: str) -> None:
        """Type a line and Enter."""
        self.terminal.type(line)
        self.terminal.press("enter")
