"""./check with fakes for the tools: order, names, numbers, and a clean environment."""

import shutil
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.setup.conftest import Machine

# Stands for each tool and, as `python -P -m pytest`, for each stage of tests: writes
# down its name and what it was given, and does as the switches of the test say.
_TOOL: Final = """#!/bin/sh
name=${0##*/}
case "$*" in
    *'sys.version.split'*) echo 3.11.2; exit ;;
    *'coverage report'*) name=coverage ;;
    *'-m coverage run'*) name=otr ;;
    *'tests.fuzz --seconds 30') name=fuzz ;;
    *'tests.fuzz --seconds 600') name=fuzz-long ;;
    *'tests.mutation') name=mutation ;;
    *'-m not deep tests/otr/pairs') name=pairs ;;
    *'-m deep tests/otr/pairs') name=otr3 ;;
    *'not network and not journey and not deep'*) name=fast ;;
    *'network and not journey and not deep'*) name=network ;;
    *'journey and not deep'*) name=journey ;;
    *'-m deep'*) name=deep ;;
    format*) name=format ;;
esac
echo "$name" >>'STATE/calls'
if [ -e 'STATE/'$name-waits ]; then
    trap 'echo "$name was interrupted" >>"STATE/calls"; exit 2' INT
    while :; do sleep 0.05; done
fi
env >'STATE/environment'
cat 'STATE/'$name-says 2>/dev/null
test ! -e 'STATE/'$name-status || exit "$(cat 'STATE/'$name-status)"
"""

BEFORE_TESTS: Final = ["format", "ruff", "mypy", "lint-imports"]
ALL: Final = [
    *BEFORE_TESTS,
    *("otr", "coverage", "pairs", "fast", "fuzz", "journey", "network"),
]

INSTALL_GO: Final = "install golang-go golang-github-twstrike-otr3-dev"


@pytest.fixture
def checked(bare_machine: "Machine") -> "Machine":
    """A machine on which ./check is set up, with tools that are content."""
    ci = bare_machine.checkout / ".ci"
    ci.mkdir()
    (ci / "run").write_text("true\n")
    done = bare_machine.run("check", "--setup-only")
    assert done.returncode == 0, done.stderr
    tools = bare_machine.checkout / ".venv" / "check" / "bin"
    for name in ("ruff", "mypy", "lint-imports", "python"):
        (tools / name).unlink(missing_ok=True)
        (tools / name).write_text(_TOOL.replace("STATE", str(bare_machine.state)))
        (tools / name).chmod(0o755)
    bare_machine.write("otr-says", "...\n20 passed in 9.00s\n")
    bare_machine.write("pairs-says", ".\n3 passed in 30.00s\n")
    bare_machine.write("fast-says", "..\n7 passed, 3 deselected in 0.12s\n")
    bare_machine.write("network-says", "1 passed, 2 skipped, 7 deselected in 61.0s\n")
    bare_machine.write("journey-says", "2 passed in 100.22s (0:01:40)\n")
    bare_machine.forget()
    return bare_machine


def test_check_names_what_it_installs(bare_machine: "Machine") -> None:
    done = bare_machine.run("check", "--setup-only")

    assert bare_machine.calls()[0] == (
        "install tor obfs4proxy snowflake-client prosody ejabberd mcabber profanity "
        "libotr5-dev gcc libc6-dev tmux strace git python3-venv"
    )
    assert bare_machine.calls()[3].endswith("requirements/check.txt")
    assert "libotr5-dev      the reference OTR library, to test against" in done.stdout


def test_check_runs_every_stage_in_order_and_counts_the_tests(
    checked: "Machine",
) -> None:
    done = checked.run("check")

    assert done.returncode == 0, done.stderr
    assert checked.calls() == ALL
    closing = done.stdout.splitlines()[-14:]
    assert closing[0].startswith("Every stage passed, in ")
    assert closing[-7].endswith("3 passed in 30.00s")
    assert closing[-6].endswith("7 passed, 3 deselected in 0.12s")
    assert closing[-4].endswith("2 passed in 100.22s (0:01:40)")
    assert closing[-1] == "33 passed, 0 failed, 2 skipped"


@pytest.mark.parametrize(
    ("failing", "stage"),
    [
        ("format", "format"),
        ("ruff", "lint"),
        ("mypy", "types"),
        ("lint-imports", "import contracts"),
        ("otr", "otr, covered"),
        ("coverage", "otr, covered"),
        ("pairs", "otr, in pairs"),
        ("fast", "fast tests"),
        ("fuzz", "fuzzing"),
        ("journey", "journeys"),
        ("network", "network tests"),
    ],
)
def test_check_ends_at_the_first_stage_that_fails_and_names_it(
    checked: "Machine", failing: str, stage: str
) -> None:
    checked.write(f"{failing}-status", "3")

    done = checked.run("check")

    assert done.returncode == 1
    assert f"./check: {stage} failed after " in done.stderr
    assert checked.calls() == ALL[: ALL.index(failing) + 1]
    assert "passed, 0 failed" not in done.stdout


# --- where there is a second processor --------------------------------------------------

BESIDE: Final = ["network"]


@pytest.fixture
def checked_by_two(checked: "Machine") -> "Machine":
    """The same on a machine with two processors."""
    checked.fake("nproc", "echo 2")
    real = shutil.which("sleep")
    assert real is not None
    (checked.bin / "sleep").symlink_to(real)
    checked.forget()
    return checked


def sides(machine: "Machine") -> tuple[list[str], list[str]]:
    """What ran in the foreground, and what beside it; each in its order."""
    calls = machine.calls()
    return (
        [call for call in calls if call not in BESIDE],
        [call for call in calls if call in BESIDE],
    )


def test_check_runs_what_waits_beside_what_computes_and_tells_it_in_order(
    checked_by_two: "Machine",
) -> None:
    done = checked_by_two.run("check")

    assert done.returncode == 0, done.stderr
    assert sides(checked_by_two) == (
        [call for call in ALL if call not in BESIDE],
        BESIDE,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert told[-3:] == ["== fuzzing", "== journeys", "== network tests"]
    assert "1 passed, 2 skipped, 7 deselected in 61.0s" in done.stdout
    assert done.stdout.splitlines()[-1] == "33 passed, 0 failed, 2 skipped"


@pytest.mark.parametrize("status", ["3", "5"])
def test_check_fails_when_what_ran_beside_has_failed(
    checked_by_two: "Machine", status: str
) -> None:
    checked_by_two.write("network-status", status)
    checked_by_two.write("network-says", "what was wrong\n")

    done = checked_by_two.run("check")

    assert done.returncode == 1
    assert "./check: network tests failed after " in done.stderr
    assert "what was wrong" in done.stdout
    assert "passed, 0 failed" not in done.stdout


def test_check_ends_what_runs_beside_when_a_stage_fails(
    checked_by_two: "Machine",
) -> None:
    checked_by_two.write("network-waits")
    checked_by_two.write("fast-status", "3")

    done = checked_by_two.run("check")

    assert done.returncode == 1
    assert "./check: fast tests failed" in done.stderr
    assert checked_by_two.calls()[-1] == "network was interrupted"


def test_check_fails_when_a_script_is_no_shell(checked: "Machine") -> None:
    (checked.checkout / ".ci" / "run").write_text("if true\n")

    done = checked.run("check")

    assert done.returncode == 1
    assert "./check: shell syntax failed" in done.stderr
    assert checked.calls() == BEFORE_TESTS


@pytest.mark.parametrize("stage", ["otr", "pairs", "fast", "network", "journey"])
def test_check_fails_when_a_stage_has_no_test(checked: "Machine", stage: str) -> None:
    # pytest's own status for "no tests collected".
    checked.write(f"{stage}-status", "5")

    done = checked.run("check")

    assert done.returncode == 1
    assert "No test is marked:" in done.stderr


def test_check_deep_goes_on_with_what_takes_long(checked: "Machine") -> None:
    checked.write("deep-says", "4 passed in 60.01s\n")

    done = checked.run("check", "--deep")

    assert done.returncode == 0, done.stderr
    installed, *stages = checked.calls()
    assert installed == INSTALL_GO
    assert stages == [*ALL, "deep", "fuzz-long", "mutation"]


def test_check_otr3_goes_on_with_that_peer_alone(checked: "Machine") -> None:
    checked.write("otr3-says", "4 passed in 60.01s\n")

    done = checked.run("check", "--otr3")

    assert done.returncode == 0, done.stderr
    assert checked.calls() == [INSTALL_GO, *ALL, "otr3"]


def test_check_says_that_it_does_not_fuzz_on_another_machine(
    checked: "Machine",
) -> None:
    """atheris is built for x86_64 alone."""
    checked.fake("uname", "case $1 in -m) echo aarch64 ;; *) echo Linux ;; esac")

    done = checked.run("check")

    assert done.returncode == 0, done.stderr
    assert "== fuzzing: NOT RUN, there is no atheris for aarch64" in done.stdout
    assert "fuzz" not in checked.calls()


def test_check_lets_nothing_of_the_person_into_the_stages(checked: "Machine") -> None:
    done = checked.run(
        "check",
        TOR_SOCKS_PORT="9150",
        GIT_DIR="/elsewhere",
        PYTEST_ADDOPTS="--nope",
        PYTHONPATH="/elsewhere",
        XDG_CONFIG_HOME="/elsewhere",
        TMPDIR=str(checked.state),
    )

    environment = dict(
        line.partition("=")[::2]
        for line in (checked.state / "environment").read_text().splitlines()
    )
    assert done.returncode == 0, done.stderr
    assert environment["PATH"] == str(checked.bin)
    assert environment["TMPDIR"] == str(checked.state)
    assert environment["HOME"] != str(checked.state)
    assert environment.keys() <= {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LC_ALL", "TZ", "CI"),
        *("TMPDIR", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE", "PWD", "OLDPWD"),
    }


def test_check_removes_its_temporary_home(checked: "Machine") -> None:
    before = set(checked.state.iterdir())

    checked.run("check", TMPDIR=str(checked.state))

    names = {"calls", "environment"}
    assert {path.name for path in set(checked.state.iterdir()) - before} == names


def test_check_refuses_an_option_it_does_not_know(checked: "Machine") -> None:
    done = checked.run("check", "--fast")

    assert done.returncode == 2
    assert done.stderr.startswith("usage: ./check [--otr3 | --deep]")
    assert checked.calls() == []
