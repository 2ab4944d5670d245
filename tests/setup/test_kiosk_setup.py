"""./kiosk on fresh, half-done and hostile machines of fakes."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.setup.conftest import Machine

STARTS = "python -I -B -m coykiosk"


def test_kiosk_sets_up_and_starts_on_a_fresh_machine(bare_machine: "Machine") -> None:
    done = bare_machine.run("kiosk")

    calls = bare_machine.calls()
    assert done.returncode == 0, done.stderr
    assert calls[0] == "install tor python3-venv"
    assert "--require-hashes --no-deps -r" in calls[2]
    assert calls[2].endswith("requirements/build.txt")
    assert "--require-hashes --no-deps --no-build-isolation" in calls[3]
    assert calls[3].endswith("requirements/run.txt")
    assert calls[-1] == STARTS


def test_kiosk_tells_what_why_and_that_it_is_not_through_tor_before_it_acts(
    bare_machine: "Machine",
) -> None:
    bare_machine.write("install-fails")

    done = bare_machine.run("kiosk", "--practice")

    assert done.returncode == 1
    assert "tor              the Tor network, the only way out" in done.stdout
    assert "prosody          the XMPP server" in done.stdout
    assert "20 packages, each checked against its hash" in done.stdout
    assert "does not go through Tor" in done.stdout
    assert bare_machine.calls() == ["install tor prosody python3-venv"]


def test_kiosk_calls_neither_apt_nor_pip_when_nothing_is_missing(
    machine: "Machine",
) -> None:
    done = machine.run("kiosk", "--practice", "--yes", "--vault", "a b")

    assert done.stdout == ""
    assert machine.calls() == [STARTS + " --practice --vault a b"]


def test_kiosk_says_its_usage_and_does_nothing_when_asked_for_help(
    bare_machine: "Machine",
) -> None:
    done = bare_machine.run("kiosk", "--help")

    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./kiosk [--practice | --vault FILE]")
    assert bare_machine.calls() == []


def test_kiosk_needs_prosody_only_for_practice(machine: "Machine") -> None:
    machine.without("prosody")

    without = machine.run("kiosk", "--setup-only")
    with_it = machine.run("kiosk", "--setup-only", "--practice")

    assert without.returncode == with_it.returncode == 0
    assert machine.calls() == ["install prosody"]


def test_kiosk_needs_no_tor_when_the_system_brings_its_own(machine: "Machine") -> None:
    machine.without("tor")

    machine.run("kiosk", TOR_SKIP_LAUNCH="1")

    assert machine.calls() == [STARTS]


def test_kiosk_installs_again_what_dpkg_left_half_done(machine: "Machine") -> None:
    machine.write("dpkg-says", "iF  tor\nii  ca-certificates\n")

    machine.run("kiosk", "--setup-only")

    assert machine.calls() == ["install tor"]


def test_kiosk_names_the_package_when_it_is_installed_but_not_to_be_found(
    machine: "Machine",
) -> None:
    machine.without("tor")
    (machine.checkout / "setup" / "install.sh").write_text("exit 0\n")

    done = machine.run("kiosk")

    assert done.returncode == 1
    assert "apt-get installed tor, but this is still not to be found: tor." in (
        done.stderr
    )


# Who may install.


def test_kiosk_uses_sudo_when_not_root(bare_machine: "Machine") -> None:
    bare_machine.write("uid", "1000")
    bare_machine.write("owner", "1000")
    bare_machine.fake(
        "sudo",
        'echo "sudo $*" >>"$STATE/calls"\n'
        'while [ "$1" != sh ]; do shift; done\nexec "$@"',
    )

    done = bare_machine.run("kiosk", "--setup-only")

    script = bare_machine.checkout / "setup" / "install.sh"
    assert done.returncode == 0, done.stderr
    # -n: there is nobody to type a password.
    assert bare_machine.calls()[0] == f"sudo -n -- sh {script} tor python3-venv"
    assert bare_machine.calls()[1] == "install tor python3-venv"


@pytest.mark.parametrize("sudo", ["missing", "refuses"])
def test_kiosk_gives_the_command_for_root_when_there_is_no_way_to_be_root(
    bare_machine: "Machine", sudo: str
) -> None:
    bare_machine.write("uid", "1000")
    bare_machine.write("owner", "1000")
    if sudo == "refuses":
        bare_machine.fake("sudo", "exit 1")

    done = bare_machine.run("kiosk")

    script = bare_machine.checkout / "setup" / "install.sh"
    assert done.returncode == 1
    assert f"As root, run:  sh '{script}' tor python3-venv" in done.stderr
    assert bare_machine.calls() == []


def test_kiosk_says_how_to_go_on_when_the_installation_was_interrupted(
    bare_machine: "Machine",
) -> None:
    (bare_machine.checkout / "setup" / "install.sh").write_text("exit 130\n")

    done = bare_machine.run("kiosk")

    assert done.returncode == 130
    assert "Interrupted. What is done stays done;" in done.stderr


def test_kiosk_refuses_root_in_a_checkout_of_somebody_else(
    bare_machine: "Machine",
) -> None:
    bare_machine.write("owner", "1000")

    done = bare_machine.run("kiosk")

    assert done.returncode == 1
    assert "belongs to ada, and you are root" in done.stderr
    assert bare_machine.calls() == []


def test_kiosk_lets_root_set_up_a_foreign_checkout_in_ci(
    bare_machine: "Machine",
) -> None:
    bare_machine.write("owner", "1000")

    done = bare_machine.run("kiosk", "--setup-only", CI="true")

    assert done.returncode == 0, done.stderr


# Other systems, other Pythons.


def test_kiosk_lists_what_to_install_when_there_is_no_apt(
    bare_machine: "Machine",
) -> None:
    bare_machine.without("apt-get", "dpkg-query")

    done = bare_machine.run("kiosk", "--practice")

    assert done.returncode == 1
    assert "the programs tor and tor-gencert" in done.stderr
    assert "the program prosody" in done.stderr
    assert "Python's modules venv and ensurepip" in done.stderr
    assert "there is no apt-get here" in done.stderr
    assert bare_machine.calls() == []


def test_kiosk_goes_on_without_apt_when_all_programs_are_there(
    bare_machine: "Machine",
) -> None:
    bare_machine.without("apt-get", "dpkg-query")
    bare_machine.fake("tor")
    bare_machine.fake("tor-gencert")
    (bare_machine.state / "no-ensurepip").unlink()

    done = bare_machine.run("kiosk")

    assert done.returncode == 0, done.stderr
    assert bare_machine.calls()[-1] == STARTS


def test_kiosk_says_so_when_this_is_not_linux(bare_machine: "Machine") -> None:
    bare_machine.fake("uname", "echo Darwin")

    done = bare_machine.run("kiosk")

    assert done.returncode == 1
    assert "coykiosk runs on Linux only, and this is Darwin." in done.stderr
    assert bare_machine.calls() == []


def test_kiosk_names_the_versions_when_python_is_too_old(
    bare_machine: "Machine",
) -> None:
    bare_machine.write("python-is-wrong", "1")

    done = bare_machine.run("kiosk")

    assert done.returncode == 1
    assert "3.11, 3.12 or 3.13, and this system has Python 3.10.1." in done.stderr
    assert bare_machine.calls() == []


def test_kiosk_takes_another_python_and_its_package_when_python3_is_unfit(
    bare_machine: "Machine",
) -> None:
    (bare_machine.bin / "python3").rename(bare_machine.bin / "python3.12")
    bare_machine.fake("python3", "exit 1")

    bare_machine.run("kiosk", "--setup-only")

    assert bare_machine.calls()[0] == "install tor python3.12-venv"


# A person is there.


@pytest.mark.parametrize("typed", [b"n\n", b"x\n", b"\x04"], ids=["n", "x", "ctrl-d"])
def test_kiosk_installs_nothing_when_the_person_does_not_say_yes(
    bare_machine: "Machine", typed: bytes
) -> None:
    status, screen = bare_machine.run_for_a_person("kiosk", typed=typed)

    assert status == 1
    assert "Go on? [Y/n]" in screen
    assert "Nothing was installed." in screen
    assert bare_machine.calls() == []


@pytest.mark.parametrize("typed", [b"\n", b"y\n", b"Yes\n"], ids=["enter", "y", "Yes"])
def test_kiosk_sets_up_when_the_person_says_yes(
    bare_machine: "Machine", typed: bytes
) -> None:
    status, screen = bare_machine.run_for_a_person("kiosk", typed=typed)

    assert status == 0
    assert "The set-up is done." in screen
    assert bare_machine.calls()[-1] == STARTS


def test_kiosk_asks_nothing_when_told_yes_before(bare_machine: "Machine") -> None:
    status, screen = bare_machine.run_for_a_person("kiosk", "--yes", typed=b"")

    assert status == 0
    assert "Go on?" not in screen


def test_kiosk_asks_before_python_packages_alone(machine: "Machine") -> None:
    (machine.checkout / ".venv" / "run" / "stamp").unlink()

    status, screen = machine.run_for_a_person("kiosk", typed=b"n\n")

    assert status == 1
    assert "does not go through Tor" in screen
    assert machine.calls() == []
