"""The process that fuzzes: atheris around one target, within bounds on memory.

Rule: it is started by `__main__`, and is the only file that knows atheris. It ends as
libFuzzer ends it: 0 when the time is up, and anything else is a finding.
"""

import importlib
import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

_MEGABYTE = 1 << 20


class _Atheris(Protocol):
    """The part of atheris that is used; it comes without types."""

    def instrument_imports(self, include: list[str]) -> AbstractContextManager[None]:
        """Count the branches of what is imported meanwhile."""

    def Setup(  # noqa: N802 # its own name
        self,
        args: list[str],
        test_one_input: Callable[[bytes], None],
        **options: object,
    ) -> list[str]:
        """Take libFuzzer's arguments, and what to run."""

    def Fuzz(self) -> None:  # noqa: N802 # its own name
        """Run until the time is up or something is found; ends the process."""

    def Mutate(self, data: bytes, max_size: int) -> bytes:  # noqa: N802 # its own name
        """Change some bytes, as libFuzzer does by itself."""


def main(arguments: list[str]) -> None:
    """Fuzz: the target's name, megabytes, then libFuzzer's own options."""
    name, megabytes, *options = arguments
    atheris = cast("_Atheris", importlib.import_module("atheris"))
    with atheris.instrument_imports(include=["coykiosk"]):
        target = importlib.import_module("tests.fuzz.targets").make_target(name)
    own: dict[str, object] = {
        "custom_mutator": lambda data, max_size, seed: target.mutate(
            data, max_size, seed, atheris.Mutate
        )
    }
    if target.cross is not None:
        own["custom_crossover"] = target.cross
    atheris.Setup([sys.argv[0], *options], target.run, **own)
    # What a length field declares must not be allocated: with so little room beyond
    # what we have now, that is a MemoryError, and found.
    limit = _address_space_bytes() + int(megabytes) * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    atheris.Fuzz()


def _address_space_bytes() -> int:
    n_pages = int(Path("/proc/self/statm").read_text().split()[0])
    return n_pages * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1:])
