"""A copy of the checkout on a machine of fakes: nothing real is ever installed.

Only harmless programs of the real machine are on the PATH. Those that would change it
(apt-get, sudo, pip by way of Python) are scripts that write down how they were called.
"""

import os
import pty
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

CHECKOUT: Final = Path(__file__).parents[2]
DEADLINE_S: Final = 60.0

_HARMLESS: Final = [
    "sh",
    "env",
    "cat",
    "grep",
    "sed",
    "awk",
    "tr",
    "head",
    "tail",
    "dirname",
    "readlink",
    "df",
    "mkdir",
    "mktemp",
    "rm",
    "mv",
    "find",
    "sha256sum",
    "flock",
    "date",
    "chmod",
    "ls",
    "touch",
    "tee",
    "cp",
]

_PYTHON: Final = """
case "$*" in
    *'not (3, 11)'*) exit "$(cat "$STATE/python-is-wrong" 2>/dev/null || echo 0)" ;;
    *'sys.version.split'*) echo 3.11.2; exit ;;
    *ensurepip*) test -e "$STATE/no-ensurepip" && exit 1; exit 0 ;;
    -V) echo 'Python 3.10.1'; exit ;;
esac
echo "python $*" >>"$STATE/calls"
case "$*" in
    *'-m venv '*)
        for last in "$@"; do :; done
        mkdir -p "$last/bin" "$last/lib/python3.11/site-packages"
        cp "$STATE/fake-python" "$last/bin/python" ;;
    *' pip install '*)
        test -e "$STATE/pip-says" || exit 0
        cat "$STATE/pip-says" >&2; exit 1 ;;
esac
"""

# Stands for setup/install.sh: what it installs is there afterwards.
_INSTALL: Final = """
echo "install $*" >>"$STATE/calls"
test ! -e "$STATE/install-fails" || exit 69
for name in "$@"; do
    cp "$STATE/fake-true" "$BIN/$name"
    case $name in
        tor) cp "$STATE/fake-true" "$BIN/tor-gencert" ;;
        ejabberd) cp "$STATE/fake-true" "$BIN/ejabberdctl"
            cp "$STATE/fake-true" "$BIN/erl" ;;
        libotr5-dev) mkdir -p "$STATE/include/libotr"
            cp "$STATE/fake-true" "$STATE/include/libotr/proto.h" ;;
        libc6-dev) mkdir -p "$STATE/include"
            cp "$STATE/fake-true" "$STATE/include/stdio.h" ;;
        golang-go) cp "$STATE/fake-true" "$BIN/go" ;;
        golang-github-*) mkdir -p "$STATE/gocode" ;;
        python3*-venv) rm -f "$STATE/no-ensurepip" ;;
    esac
done
"""


@dataclass
class Machine:
    """A checkout, a PATH, and what was called there.

    `state` is where the fakes look up how to behave and write `calls`.
    """

    checkout: Path
    bin: Path
    state: Path

    def fake(self, name: str, script: str = "") -> None:
        """Put a program of this name on the PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def without(self, *names: str) -> None:
        """Take programs off the PATH."""
        for name in names:
            (self.bin / name).unlink(missing_ok=True)

    def write(self, name: str, text: str = "") -> None:
        """Set one switch of the fakes."""
        (self.state / name).write_text(text)

    def calls(self) -> list[str]:
        """Return what the fakes were called with, oldest first."""
        path = self.state / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self) -> None:
        """Begin the list of calls anew."""
        (self.state / "calls").unlink(missing_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the whole environment of a command on this machine."""
        return {
            "PATH": str(self.bin),
            "HOME": str(self.state),
            "BIN": str(self.bin),
            "STATE": str(self.state),
            **more,
        }

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the checkout with nobody there."""
        return subprocess.run(  # noqa: S603 - our own scripts
            [str(self.checkout / command[0]), *command[1:]],
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def run_for_a_person(self, *command: str, typed: bytes) -> tuple[int, str]:
        """Run it in a terminal, with these keys waiting; return status and screen."""
        ours, theirs = pty.openpty()
        os.write(ours, typed)
        with (
            subprocess.Popen(  # noqa: S603 - our own scripts
                [str(self.checkout / command[0]), *command[1:]],
                env=self.environment(),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            ) as process
        ):
            os.close(theirs)
            screen = _read_to_the_end(ours)
            status = process.wait(DEADLINE_S)
        os.close(ours)
        return status, screen.decode()


def _read_to_the_end(descriptor: int) -> bytes:
    read = bytearray()
    while True:
        try:
            more = os.read(descriptor, 4096)
        except OSError:  # EIO: the last process on the other side is gone
            return bytes(read)
        if not more:
            return bytes(read)
        read += more


@pytest.fixture
def bare_machine(tmp_path: Path) -> Machine:
    """A fresh Debian with python3, seen by its only user: nothing is installed."""
    checkout, fakes, state = (tmp_path / name for name in ("coykiosk", "bin", "state"))
    for folder in (checkout / "coykiosk", fakes, state):
        folder.mkdir(parents=True)
    for name in ("kiosk", "check"):
        shutil.copy2(CHECKOUT / name, checkout / name)
    for name in ("setup", "requirements"):
        shutil.copytree(CHECKOUT / name, checkout / name)
    (checkout / "setup" / "install.sh").write_text(_INSTALL)
    (checkout / "coykiosk" / "__init__.py").write_text('"""Here for the test."""\n')

    machine = Machine(checkout, fakes, state)
    for name in _HARMLESS:
        real = shutil.which(name)
        assert real is not None, name
        (fakes / name).symlink_to(real)
    machine.fake("uname", "case $1 in -m) echo x86_64 ;; *) echo Linux ;; esac")
    machine.fake("sync")
    machine.fake("id", 'cat "$STATE/uid"')
    # The checkout belongs to whoever is at work, unless a test says otherwise.
    machine.fake(
        "stat", 'case $2 in *U) echo ada ;; *) cat "$STATE/owner" ;; esac; exit'
    )
    machine.fake("dpkg-query", 'cat "$STATE/dpkg-says" 2>/dev/null; exit 1')
    machine.fake("apt-get", 'echo "apt-get $*" >>"$STATE/calls"')
    machine.fake("python3", _PYTHON)
    shutil.copy2(fakes / "python3", state / "fake-python")
    machine.fake("fake-true")
    (fakes / "fake-true").rename(state / "fake-true")
    machine.write("uid", "0")
    machine.write("owner", "0")
    machine.write("no-ensurepip")
    # Files by which the set-up knows a thing lie on this machine, not on the real one.
    packages = checkout / "setup" / "packages.sh"
    packages.write_text(
        packages.read_text()
        .replace("/usr/include", f"{state}/include")
        .replace("/usr/share/gocode/src/github.com/twstrike/otr3", f"{state}/gocode")
        .replace("/etc/ssl/certs/ca-certificates.crt", f"{state}/uid")
    )
    return machine


@pytest.fixture
def machine(bare_machine: Machine) -> Machine:
    """The same after ./kiosk --practice has set it up; the calls are forgotten."""
    done = bare_machine.run("kiosk", "--practice", "--setup-only")
    assert done.returncode == 0, done.stderr
    bare_machine.forget()
    return bare_machine
