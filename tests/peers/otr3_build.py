"""Build the otr3 peer, with Debian's Go and Debian's otr3.

Rule: Go downloads nothing and leaves nothing behind: it has no module mode here, and
its cache and temporary files lie where the program is put.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

PACKAGES: Final = "golang-go golang-github-twstrike-otr3-dev"
GOPATH: Final = Path("/usr/share/gocode")
OTR3: Final = GOPATH / "src/github.com/twstrike/otr3"
HERE: Final = Path(__file__).parent


def build_otr3_peer(into: Path) -> Path:
    """Compile `otr3_peer.go`; half a minute at most, a few seconds mostly.

    Args:
        into: The directory the program is put in.

    Returns:
        The program.
    """
    go = shutil.which("go")
    assert go, f"go is missing: apt install {PACKAGES}"
    assert OTR3.is_dir(), f"{OTR3} is missing: apt install {PACKAGES}"
    # The door is seen by the compiler as one more file of the library.
    door = {str(OTR3 / "zz_door.go"): str(HERE / "otr3_door.go")}
    overlay = into / "overlay.json"
    overlay.write_text(json.dumps({"Replace": door}))
    program = into / "otr3_peer"
    subprocess.run(  # noqa: S603 # fixed arguments
        [
            *(go, "build", "-overlay", str(overlay), "-o", str(program)),
            str(HERE / "otr3_peer.go"),
        ],
        check=True,
        cwd=into,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(into),
            "GOPATH": str(GOPATH),
            "GOCACHE": str(into / "cache"),
            "GOTMPDIR": str(into),
            "GO111MODULE": "off",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "",
            "GOENV": "off",
            "CGO_ENABLED": "0",
        },
    )
    shutil.rmtree(into / "cache")
    return program
