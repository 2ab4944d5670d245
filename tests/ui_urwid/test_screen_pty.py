"""The real screen in a real pseudo-terminal, asserted on bytes and on cells."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
import unicodedata

import pytest

from tests.ui_urwid.terminal_double import CHILD, ROOT, TerminalDouble, terminal

# Everything urwid and we may say to a terminal, and nothing else: SGR, cursor
# position, erase, insert mode, cursor, alternate screen, bracketed paste, mouse
# off, the line-drawing set and its shifts, and the renderer's own line feeds.
OURS = re.compile(
    rb"\x1b\[[0-9;]*m|\x1b\[\d+;\d+H|\x1b\[H|\x1b\[2J|\x1b\[K|\x1b\[4[hl]|\x08"
    rb"|\x1b\[\?(?:25|1049|2004)[hl]|\x1b\[\?(?:1000|1002|1006)l|\x1b\)0|\x0f|\r\n"
)


def into_a_chat(double: TerminalDouble) -> None:
    double.wait_for("Write these words")
    double.type("\r")
    double.wait_for("Who do you want")
    double.type("sam@example.net\r")
    double.wait_for("PRIVATE, NOT CHECKED")


def quit_by_keys(double: TerminalDouble) -> int:
    double.type("\x11")
    double.wait_for("Ctrl+Q quits")
    double.type("\x11")
    return double.wait_for_end()


def is_restored(double: TerminalDouble) -> bool:
    return (
        termios.tcgetattr(double.slave) == double.settings_before
        and double.raw.rstrip().endswith((b"\x1b[?1049l\x1b[?25h", b"\x1b[?25h"))
        and double.raw.count(b"\x1b[?1049h") == double.raw.count(b"\x1b[?1049l")
        and double.raw.count(b"\x1b[?2004h") == double.raw.count(b"\x1b[?2004l")
    )


def test_screen_leads_from_one_enter_to_a_chat() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type("hello\r")

        double.wait_for("echo hello")
        assert "~ | 12:03 sam" in re.sub(r"\d\d:\d\d", "12:03", double.text)


def test_screen_gives_the_terminal_back_after_quitting() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        code = quit_by_keys(double)

        assert code == 0
        assert is_restored(double)
        assert not double.text.strip()


def test_screen_asks_before_quitting_when_ctrl_c_is_pressed_in_a_chat() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type("\x03")

        double.wait_for("Your chats end")
        assert double.child.poll() is None


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name
)
def test_screen_gives_the_terminal_back_when_a_signal_ends_it(
    number: signal.Signals,
) -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.child.send_signal(number)

        assert double.wait_for_end() == 0
        assert is_restored(double)


def test_screen_gives_the_terminal_back_when_something_breaks() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type("break\r")

        assert double.wait_for_end() == 1
        assert is_restored(double)
        assert double.child.stderr is not None
        assert b"planted" in double.child.stderr.read()


def test_screen_ends_when_the_terminal_is_closed() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        os.close(double.master)
        os.close(double.slave)
        double.master = double.slave = -1

        assert double.child.wait(timeout=10) == 0


def test_screen_leaves_after_a_while_when_the_session_never_closes() -> None:
    with terminal("deaf") as double:
        double.wait_for("Write these words")
        started = time.monotonic()

        double.type("\x11")

        assert double.wait_for_end() == 0
        assert 4 < time.monotonic() - started < 15
        assert is_restored(double)


def test_screen_sends_the_terminal_nothing_hostile() -> None:
    """Each string goes through every door: body, name, address, server, relay."""
    walks = ["\x1b"] * 20 + ["\x1b[5~"] * 60 + ["\x1bOQ", *["\t", "\x1b[6~"] * 30]
    with terminal("hostile") as double:
        double.wait_for("Write these words")
        double.type("\r")
        double.wait_for("Who do you want")
        double.type("sam@example.net\r")
        double.wait_for("This needs your attention")
        for keys in [*walks, "\x1bOR", *["\x1b[6~"] * 9, "\x1b"]:
            double.type(keys)
            while double.pump(0.05 if keys != "\x1b" else 0.2):
                pass
        assert quit_by_keys(double) == 0

        rest = OURS.sub(b"", bytes(double.raw)).decode()

        bad = {char for char in rest if unicodedata.category(char)[0] == "C"}
        assert bad - {"\u200c"} == set()
        assert not re.search("[\u2028\u2029\u3164\uffa0\u2800\u034f\ufe0f]", rest)
        assert "<U+202E>" in rest
        assert is_restored(double)


def test_screen_asks_the_terminal_nothing() -> None:
    with terminal("plain") as double:
        into_a_chat(double)
        quit_by_keys(double)

        written = bytes(double.raw)

        assert not re.search(rb"\x1b\[[?>=0-9;$]*[cnpqtxu]|\x1b[\]P_^X]", written)


ANSWERS = {
    "position": "\x1b[24;80R",
    "attributes": "\x1b[?62;22c",
    "secondary-attributes": "\x1b[>41;370;0c",
    "colour": "\x1b]10;rgb:ffff/ffff/ffff\x07",
    "clipboard": "\x1b]52;c;L3F1aXQK\x1b\\",
    "title": "\x1b]l/quit\x1b\\",
    "status-string": "\x1bP1$r0m\x1b\\",
    "window-size": "\x1b[8;24;80t",
    "mode": "\x1b[?2004;1$y",
    "mouse": "\x1b[<0;5;5M",
    "old-mouse": "\x1b[M !!",
    "application-program": "\x1b_Gi=1;OK\x1b\\",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_screen_does_not_read_a_terminal_answer_as_typing(answer: str) -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type(f"{answer}ok")

        double.wait_for("> ok")
        line = next(row for row in double.text.split("\n") if row.startswith("> "))
        assert line.rstrip() == "> ok"


def test_screen_keeps_the_draft_through_a_storm_of_resizes() -> None:
    sizes = [(40, 12), (200, 60), (1, 1), (3, 2), (120, 5), (20, 5), (80, 24)] * 4
    with terminal("plain") as double:
        into_a_chat(double)
        double.type("a draft that must not be lost")
        double.wait_for("must not be lost")

        for cols, rows in sizes:
            double.resize(cols, rows)
            double.pump(0.02)

        double.wait_for("> a draft that must not be lost")
        assert quit_by_keys(double) == 0


@pytest.mark.parametrize(
    ("cols", "rows"), [(40, 12), (100, 30), (200, 60)], ids=["small", "usual", "large"]
)
def test_screen_works_at_other_sizes(cols: int, rows: int) -> None:
    with terminal("plain", cols, rows) as double:
        double.wait_for("Write these words")
        double.type("\r")
        double.wait_for("Who do you want")
        double.type("sam@example.net\r")
        double.wait_for("PRIVATE")

        double.type("hello\r")

        double.wait_for("echo hello")


@pytest.mark.parametrize("term", ["vt100", "vt220", "dumb", "mono"])
def test_screen_uses_no_colour_where_there_is_none(term: str) -> None:
    with terminal("plain", term=term) as double:
        into_a_chat(double)
        quit_by_keys(double)

        codes = re.findall(rb"\x1b\[([0-9;]*)m", bytes(double.raw))

        used = {int(number) for code in codes for number in code.split(b";") if number}
        assert used <= {0, 1, 4, 7, 39, 49}


def test_screen_asks_before_a_paste_of_several_lines_goes_into_the_draft() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type("\x1b[200~one\rtwo\x07\r\x1b[201~")

        double.wait_for("You are pasting 2 lines")
        double.type("\r")
        double.wait_for("> one")
        assert "echo" not in double.text


def test_screen_does_not_press_keys_for_a_paste_that_ends_itself() -> None:
    with terminal("plain") as double:
        into_a_chat(double)

        double.type("\x1b[200~one\x1b[201~/quit\r\x1b[201~")

        double.wait_for("> one/quit")
        assert double.child.poll() is None
        assert "echo" not in double.text


def test_screen_draws_nothing_while_nothing_happens() -> None:
    with terminal("plain") as double:
        into_a_chat(double)
        while double.pump(0.3):
            pass

        ready, _, _ = select.select([double.master], [], [], 1.0)

        assert ready == []


def test_screen_draws_at_most_thirty_times_a_second() -> None:
    with terminal("flood") as double:
        into_a_chat(double)
        n_before = double.raw.count(b"\x1b[?25l")

        double.wait_for("message 399.")

        # Two seconds of messages; each frame begins with the cursor hidden.
        assert double.raw.count(b"\x1b[?25l") - n_before <= 2.5 * 30


def test_screen_gives_the_terminal_back_at_once_when_aborted() -> None:
    with terminal("abort") as double:
        assert double.wait_for_end() == 0
        assert is_restored(double)


def test_screen_understands_the_function_keys_of_the_linux_console() -> None:
    with terminal("plain", term="linux") as double:
        double.wait_for("Write these words")

        double.type("\x1b[[A")

        double.wait_for("Help: what the keys do here")


def test_screen_refuses_to_draw_where_there_is_no_terminal() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
        [sys.executable, str(CHILD), "plain"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        timeout=20,
    )

    assert b"NOT_A_TERMINAL" in done.stderr
    assert done.stdout == b""


def test_screen_opens_a_vault_with_hidden_typing() -> None:
    with terminal("vault") as double:
        double.wait_for("There is a vault here")

        double.type("secret words")

        double.wait_for("> ************")
        assert "secret" not in double.text


def test_importing_the_screen_loads_nothing_heavy() -> None:
    code = (
        "import sys, coykiosk.ui_urwid.loop;"
        "print(*[m for m in ('slixmpp', 'stem', 'cryptography', 'argon2', 'zxcvbn',"
        " 'OpenSSL', 'gmpy2') if m in sys.modules])"
    )

    done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == ""
