"""Build the test programs that are not Python, with the compiler of the system.

A missing compiler or library is a failure: without the peer nothing is proved.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

LIBOTR_PEER: Final = Path(__file__).parent / "libotr_peer.c"


def build_libotr_program(source: Path, into: Path, *, optimise: str = "-O1") -> Path:
    """Compile one C file against libotr.

    Args:
        source: The file.
        into: The directory the program is put in, under the file's name.
        optimise: The compiler's option; measurements want more than tests.

    Returns:
        The program.
    """
    compiler = shutil.which("gcc")
    assert compiler, "gcc is missing: apt install gcc libotr5-dev"
    program = into / source.stem
    subprocess.run(  # noqa: S603 # fixed arguments
        [
            *(compiler, "-std=c11", optimise, "-Wall", "-Wextra", "-Werror"),
            *("-Wno-unused-parameter", "-o", str(program), str(source)),
            *("-lotr", "-lgcrypt"),
        ],
        check=True,
    )
    return program
