"""How this room says that it cannot start: one translation for all of it.

Rule: every fault of a program we run becomes one of two user errors here.
"""

from typing import Final

from coykiosk.errors import ErrorCode, UserError

__all__ = ["failed", "missing", "refused_by_system"]

_PACKAGES: Final = {"tor-gencert": "tor", "setpriv": "util-linux"}
"""Debian packages whose name is not the program's."""
_MAX_REASON_CHARS: Final = 120


def missing(error: FileNotFoundError) -> UserError:
    """Return what to say when a program is not on this machine.

    Args:
        error: As `Scratch.spawn` raises it: its argument is the program's name.
    """
    program = str(error)
    package = _PACKAGES.get(program, program)
    return UserError(ErrorCode.PRACTICE_MISSING, program=program, package=package)


def refused_by_system(error: OSError | ValueError) -> UserError:
    """Return what to say when a file or a process cannot be made."""
    return failed(f"{type(error).__name__}: {error}")


def failed(reason: str) -> UserError:
    """Return what to say when the network does not come up, or breaks.

    Args:
        reason: Lower case, no full stop; cut to a line's length.
    """
    one_line = " ".join(reason.split())[:_MAX_REASON_CHARS].rstrip(" .")
    return UserError(ErrorCode.PRACTICE_FAILED, reason=one_line)
