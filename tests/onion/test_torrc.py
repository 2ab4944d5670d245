"""What our tor is told and what is kept of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.onion.torrc import Layout, complaint, guard_lines, make_torrc

GUARD = (
    "Guard in=default rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 "
    "nickname=relay1 sampled_on=2026-11-14T10:00:00 sampled_idx=0 "
    "sampled_by=0.4.9.11 listed=1 confirmed_on=2026-11-20T10:00:00 confirmed_idx=0 "
    "pb_use_attempts=2.000000 pb_circ_successes=7.000000\n"
)


def test_torrc_names_only_places_inside_the_directory() -> None:
    text = make_torrc(Layout(Path("/dev/shm/x")), owner_pid=42)  # noqa: S108  # a text

    rows = dict(row.split(" ", 1) for row in text.splitlines())
    assert rows["DataDirectory"] == '"/dev/shm/x/data"'
    assert rows["SocksPort"].startswith('unix:"/dev/shm/x/socks"')
    assert rows["ControlPort"] == 'unix:"/dev/shm/x/control"'
    assert rows["__OwningControllerProcess"] == "42"
    assert rows["Log"] == "warn stdout"


def test_torrc_ends_with_the_further_lines() -> None:
    text = make_torrc(Layout(Path("/x")), owner_pid=1, extra=("TestingTorNetwork 1",))

    assert text.endswith("\nTestingTorNetwork 1\n")


@pytest.mark.parametrize("path", ['/a"b', "/a\nExitRelay 1", "/a\\b"])
def test_torrc_is_refused_when_a_path_could_break_out(path: str) -> None:
    with pytest.raises(ValueError, match="quoted"):
        make_torrc(Layout(Path(path)), owner_pid=1)


def test_guard_lines_are_all_that_is_kept_of_a_state() -> None:
    state = (
        "# Tor state file\nTorVersion Tor 0.4.9.11\nLastWritten 2026-11-23 05:14:00\n"
        + GUARD
        + "CircuitBuildTimeBin 525 1\nTransportProxy obfs4 127.0.0.1:1\n"
    )

    assert guard_lines(state) == GUARD


@pytest.mark.parametrize(
    "line",
    [
        "Guard in=bridges rsa_id=" + "A" * 40 + " bridge_addr=192.0.2.1:443",
        "Guard in=default rsa_id=" + "A" * 40 + " bridge_addr=192.0.2.1:443",
        "Guard in=default rsa_id=" + "A" * 39,
        "Guard in=default rsa_id=" + "A" * 40 + " nickname=a b",
        "Guard in=default rsa_id=" + "A" * 40 + "\x0bExitRelay 1",
        "Guard in=default rsa_id=" + "A" * 40 + " x=" + "y" * 65,
        "TransportProxy x exec /bin/sh",
    ],
)
def test_guard_lines_leave_out_what_breaks_the_grammar(line: str) -> None:
    assert guard_lines(line + "\n") == ""


@given(st.text(max_size=400))
def test_guard_lines_let_nothing_but_guards_through(text: str) -> None:
    kept = guard_lines(text + "\n" + GUARD + text)

    assert all(row.startswith("Guard in=") for row in kept.splitlines())
    assert guard_lines(kept) == kept


def test_guard_lines_are_bounded() -> None:
    kept = guard_lines(GUARD * 1000)

    assert len(kept) <= 32 * 1024
    assert kept.count("\n") <= 80


def test_complaint_keeps_the_cause_when_the_last_line_only_points_up() -> None:
    lines = [
        "Nov 23 05:14:00.377 [notice] Tor 0.4.9.11 running on Linux.",
        "Nov 23 05:14:00.378 [warn] You are running Tor as root. You shouldn't.",
        "Nov 23 05:14:00.378 [warn] Failed to parse/validate config: Unknown option.",
        "Nov 23 05:14:00.379 [err] Reading config failed--see warnings above.",
    ]
    last = ""

    for row in lines:
        last = complaint(row, last)

    assert last == "Failed to parse/validate config: Unknown option."


def test_complaint_is_short_and_printable() -> None:
    last = complaint("Nov 23 05:14:00.379 [err] bad\x1b[31m " + "x" * 500, "")

    assert last.isprintable()
    assert len(last) <= 120
