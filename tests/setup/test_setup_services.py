"""The root part of the set-up: apt-get with services held, and what it leaves behind.

The functions are run on a policy file in a temporary directory, with fakes for all
that would change the machine.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

SETUP: Final = Path(__file__).parents[2] / "setup"
DEADLINE_S: Final = 60.0

_MAIN: Final = """
set -eu
. "$SETUP/say.sh"
. "$SETUP/services.sh"
"$@"
"""

# Writes down each call with the verdict of the policy at that time. `install` can be
# made to fail once, or for ever, or to wait for a word from the test.
_APT_GET: Final = """
shift 6
verdict=none
if [ -x "$POLICY" ]; then verdict=0; "$POLICY" tor start || verdict=$?; fi
echo "$* (policy $verdict)" >>"$STATE/calls"
case " $* " in
    *simulate*) test ! -e "$STATE/unknown" ;;
    *' install '*)
        test ! -e "$STATE/gate" || read -r word <"$STATE/gate"
        echo "end (policy $([ -x "$POLICY" ] && echo there || echo gone))" >>"$STATE/calls"
        test ! -e "$STATE/fails" || exit 100
        test ! -e "$STATE/fails-once" || { rm "$STATE/fails-once"; exit 100; } ;;
esac
"""

ALLOWS: Final = "#!/bin/sh\nexit 0\n"
FORBIDS: Final = "#!/bin/sh\n# the administrator's\nexit 101\n"
INSTALL: Final = "--no-install-recommends --no-remove install tor (policy 101)"


@dataclass
class Root:
    """What the root part sees: its policy file, its fakes."""

    policy: Path
    bin: Path
    state: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def fake(self, name: str, script: str) -> None:
        """Put a program of this name on the PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """Return what was called, oldest first."""
        path = self.state / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a function of setup/services.sh."""
        process = subprocess.Popen(  # noqa: S603 - our own script
            [self.bin / "sh", "-c", _MAIN, "sh", *words],
            env={
                "PATH": str(self.bin),
                "POLICY": str(self.policy),
                "SETUP": str(SETUP),
                "STATE": str(self.state),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end_all(self) -> None:
        """End what a test that failed has left waiting, apt-get's fake included."""
        for process in self.started:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate(timeout=DEADLINE_S)

    def start_install(self) -> subprocess.Popen[str]:
        """Start the installation of tor."""
        lock = self.state / "lock"
        return self.start("install_quietly", str(self.policy), str(lock), "tor")

    def install(self) -> tuple[int, str]:
        """Install tor; return the status and what was said."""
        with self.start_install() as process:
            said, _ = process.communicate(timeout=DEADLINE_S)
            return process.returncode, said

    def wait_for(self, call: str, *, times: int = 1) -> None:
        """Wait until a call has been made that often."""
        deadline = time.monotonic() + DEADLINE_S
        while sum(call in line for line in self.calls()) < times:
            assert time.monotonic() < deadline, self.calls()
            time.sleep(0.01)

    def names(self) -> set[str]:
        """Return the names beside the policy file, its own included."""
        return {path.name for path in self.policy.parent.iterdir()}

    def put_policy(self, text: str, name: str = "policy-rc.d") -> None:
        """Write a policy file as somebody left it."""
        path = self.policy.with_name(name)
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    """A machine with fresh package lists and no policy."""
    sbin, fakes, state = (tmp_path / name for name in ("sbin", "bin", "state"))
    for folder in (sbin, fakes, state):
        folder.mkdir()
    for name in ["sh", "cat", "grep", "rm", "mv", "chmod", "ls", "df", "awk", "flock"]:
        real = shutil.which(name)
        assert real is not None, name
        (fakes / name).symlink_to(real)
    root = Root(sbin / "policy-rc.d", fakes, state)
    root.fake("apt-get", _APT_GET)
    root.fake("update-rc.d", 'echo "update-rc.d $*" >>"$STATE/calls"')
    root.fake("find", "echo fresh")
    yield root
    root.end_all()


def test_install_holds_services_while_apt_works_and_leaves_nothing(root: Root) -> None:
    status, said = root.install()

    assert status == 0, said
    assert root.calls() == [
        "--simulate --no-install-recommends install tor (policy 101)",
        INSTALL,
        "end (policy there)",
        "update-rc.d tor disable",
    ]
    assert root.names() == set()


def test_install_fetches_the_lists_first_when_they_are_old(root: Root) -> None:
    root.fake("find", "exit 0")

    root.install()

    assert root.calls()[:2] == ["update (policy 101)", INSTALL]


def test_install_fetches_the_lists_first_when_they_lack_the_package(
    root: Root,
) -> None:
    (root.state / "unknown").touch()

    root.install()

    assert root.calls()[1:3] == ["update (policy 101)", INSTALL]


def test_install_fetches_the_lists_and_tries_again_when_the_mirror_moved_on(
    root: Root,
) -> None:
    (root.state / "fails-once").touch()

    status, said = root.install()

    assert status == 0, said
    assert [call for call in root.calls() if "simulate" not in call][:5] == [
        INSTALL,
        "end (policy there)",
        "update (policy 101)",
        INSTALL,
        "end (policy there)",
    ]


def test_install_says_what_to_do_and_leaves_nothing_when_apt_fails(root: Root) -> None:
    (root.state / "fails").touch()

    status, said = root.install()

    # Not 1: that is sudo's own refusal.
    assert status == 69
    assert "apt-get did not install: tor." in said
    assert "then start the set-up again" in said
    assert root.names() == set()


def test_install_keeps_a_policy_that_forbids_as_it_is(root: Root) -> None:
    root.put_policy(FORBIDS)
    before = root.policy.stat()

    root.install()

    assert INSTALL in root.calls()
    assert root.policy.read_text() == FORBIDS
    assert root.policy.stat().st_ino == before.st_ino
    assert root.policy.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    "policy",
    [ALLOWS, "#!/bin/sh\ntest $2 != prosody || exit 0\nexit 101\n"],
    ids=["all", "prosody"],
)
def test_install_replaces_a_policy_that_allows_and_puts_it_back(
    root: Root, policy: str
) -> None:
    root.put_policy(policy)

    root.install()

    assert INSTALL in root.calls()
    assert root.policy.read_text() == policy
    assert os.access(root.policy, os.X_OK)
    assert root.names() == {"policy-rc.d"}


def test_install_puts_a_policy_that_is_a_link_back_as_a_link(root: Root) -> None:
    root.put_policy(ALLOWS, "elsewhere")
    root.policy.symlink_to("elsewhere")

    root.install()

    assert INSTALL in root.calls()
    assert root.policy.is_symlink()
    assert root.names() == {"policy-rc.d", "elsewhere"}


@pytest.mark.parametrize("kept", [True, False], ids=["with one", "without one"])
def test_install_clears_up_after_a_run_that_was_killed(
    root: Root, *, kept: bool
) -> None:
    if kept:
        root.put_policy(ALLOWS)
    with root.start("hold_services", str(root.policy)) as killed:
        killed.communicate(timeout=DEADLINE_S)

    root.install()

    assert INSTALL in root.calls()
    assert root.names() == ({"policy-rc.d"} if kept else set())
    assert not kept or root.policy.read_text() == ALLOWS


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_install_holds_services_until_apt_is_done_when_it_is_told_to_end(
    root: Root, number: signal.Signals, status: int
) -> None:
    os.mkfifo(root.state / "gate")
    process = root.start_install()
    root.wait_for(INSTALL)

    process.send_signal(number)
    (root.state / "gate").write_text("go on\n")
    with process:
        process.communicate(timeout=DEADLINE_S)

    assert process.returncode == status
    assert root.calls()[-1] == "end (policy there)"
    assert root.names() == set()


def test_install_waits_for_another_that_is_at_work(root: Root) -> None:
    flock = shutil.which("flock")
    root.fake("flock", f'echo "lock" >>"$STATE/calls"; exec {flock} "$@"')
    os.mkfifo(root.state / "gate")
    first = root.start_install()
    root.wait_for(INSTALL)
    second = root.start_install()
    root.wait_for("lock", times=2)

    (root.state / "gate").write_text("go on\n")
    root.wait_for(INSTALL, times=2)
    (root.state / "gate").write_text("go on\n")
    with first, second:
        first.communicate(timeout=DEADLINE_S)
        second.communicate(timeout=DEADLINE_S)

    assert [
        line for line in root.calls() if line in {INSTALL, "end (policy there)"}
    ] == [
        INSTALL,
        "end (policy there)",
    ] * 2
    assert first.returncode == second.returncode == 0
    assert root.names() == set()


def test_finish_interrupted_configures_what_dpkg_left(root: Root) -> None:
    updates = root.state / "updates"
    updates.mkdir()
    (updates / "0001").touch()
    root.fake("dpkg", 'echo "dpkg $*" >>"$STATE/calls"')

    with root.start("finish_interrupted", str(updates)) as process:
        process.communicate(timeout=DEADLINE_S)

    assert root.calls() == ["dpkg --force-confdef --force-confold --configure -a"]


def test_finish_interrupted_does_nothing_when_dpkg_left_nothing(root: Root) -> None:
    updates = root.state / "updates"
    updates.mkdir()
    root.fake("dpkg", 'echo "dpkg $*" >>"$STATE/calls"')

    with root.start("finish_interrupted", str(updates)) as process:
        process.communicate(timeout=DEADLINE_S)

    assert root.calls() == []
