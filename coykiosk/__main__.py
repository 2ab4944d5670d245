"""The command line: what to run, and the last words if that goes wrong.

Rule: the only module that writes to the terminal beside the screen. A defect is told by its kind and the
places it went through, never by values: they could be somebody's words.
"""

import argparse
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Final

from coykiosk import text
from coykiosk.errors import ErrorCode, UserError

__all__ = ["main"]

EXIT_USAGE: Final = 2
EXIT_DEFECT: Final = 70  # sysexits.h, EX_SOFTWARE


def main() -> int:
    """Run coykiosk.

    Returns:
        The exit code: 0, 2 when it cannot run here, 70 after a defect.
    """
    # The checkout and the place we were installed to are not ours to write to.
    sys.dont_write_bytecode = True
    os.umask(0o077)
    # slixmpp, stem and asyncio log what they handle; nobody is to read that.
    logging.disable(logging.CRITICAL)
    arguments = _parser().parse_args()
    try:
        _run(practice=arguments.practice, vault=arguments.vault)
    except UserError as error:
        _say_user_error(error)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        _say_defect(error)
        return EXIT_DEFECT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coykiosk",
        description="From nothing to an anonymous, encrypted chat over Tor: "
        "start it and press Enter.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--practice",
        action="store_true",
        help="try everything on a network that is all on this machine",
    )
    which.add_argument(
        "--vault",
        type=Path,
        metavar="FILE",
        help="where the vault is kept, for example on a stick",
    )
    return parser


def _run(*, practice: bool, vault: Path | None) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(ErrorCode.NOT_A_TERMINAL)
    # Only now: before `dont_write_bytecode` an import would write beside the code.
    from coykiosk import app  # noqa: PLC0415 - see above

    app.start(practice=practice, vault=vault)


def _say_user_error(error: UserError) -> None:
    told = text.describe(error)
    sys.stderr.write(f"{told.happened}\n{told.to_do}\n")


def _say_defect(error: BaseException) -> None:
    """Name the kind of a defect and its path through the code; no values."""
    lines = ["coykiosk stopped because of a defect of its own. Nothing was saved"]
    lines[0] += " about it; these lines may be passed on, they hold no secret:"
    found: BaseException | None = error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    while found is not None:
        lines.append(type(found).__name__)
        lines += [
            f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(found.__traceback__)
        ]
        found = found.__cause__
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
