"""What tor is told of bridges, and by which programs they are carried."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.bridges import parse_bridges
from coykiosk.onion.daemon import TorDaemon
from coykiosk.onion.torrc import Layout, make_torrc
from coykiosk.onion.transports import bridge_torrc, read_bridges, require_programs
from tests.onion.conftest import DEAD_NETWORK
from tests.onion.test_bridges import MEEK, OBFS4, PRINT, SNOWFLAKE

Run = Callable[[Any], Any]

PLAIN = f"192.0.2.9:443 {PRINT}"
ALL = "\n".join([OBFS4, SNOWFLAKE, MEEK, PLAIN, f"[2001:db8::7]:443 {PRINT}"])


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment whose PATH has the programs that a test puts there."""
    monkeypatch.setattr("coykiosk.onion.scratch._CHILD_PATH", "/nowhere")
    return {"PATH": str(tmp_path)}


def put(directory: str, *names: str) -> None:
    for name in names:
        path = Path(directory) / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o700)


def test_torrc_has_the_bridges_and_the_program_that_carries_them(
    environ: dict[str, str],
) -> None:
    here = environ["PATH"]
    put(here, "obfs4proxy", "setpriv")

    lines = bridge_torrc(parse_bridges(f"{OBFS4}\n{PLAIN}"), environ)

    command = f"{here}/setpriv --pdeathsig KILL -- {here}/obfs4proxy"
    assert lines == (
        "UseBridges 1",
        f"ClientTransportPlugin obfs4 exec {command}",
        f"Bridge {OBFS4}",
        f"Bridge {PLAIN}",
    )


def test_torrc_says_nothing_of_bridges_when_there_are_none() -> None:
    assert bridge_torrc((), {}) == ()


def test_plain_bridges_need_no_program(environ: dict[str, str]) -> None:
    lines = bridge_torrc(parse_bridges(PLAIN), environ)

    assert lines == ("UseBridges 1", f"Bridge {PLAIN}")


def test_tor_may_start_programs_only_where_a_bridge_needs_one() -> None:
    layout = Layout(Path("/x"))

    plain = make_torrc(layout, owner_pid=1, bridges=("UseBridges 1", "Bridge a"))
    hidden = make_torrc(
        layout, owner_pid=1, bridges=("ClientTransportPlugin obfs4 exec /x",)
    )

    assert "NoExec 1" in plain
    assert "NoExec" not in hidden


@pytest.mark.parametrize(
    ("line", "program"),
    [(OBFS4, "obfs4proxy"), (MEEK, "obfs4proxy"), (SNOWFLAKE, "snowflake-client")],
    ids=["obfs4", "meek", "snowflake"],
)
def test_missing_program_is_named_with_its_package(
    environ: dict[str, str], line: str, program: str
) -> None:
    put(environ["PATH"], "setpriv")

    with pytest.raises(UserError) as caught:
        require_programs(parse_bridges(line), environ)

    assert caught.value.code is ErrorCode.BRIDGE_PROGRAM_MISSING
    assert caught.value.facts == {"program": program, "package": program}


def test_program_counts_as_missing_when_tor_could_not_be_told_where_it_is(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    odd = tmp_path / "two words"
    odd.mkdir()
    put(str(odd), "obfs4proxy", "setpriv")

    with pytest.raises(UserError) as caught:
        bridge_torrc(parse_bridges(OBFS4), environ | {"PATH": str(odd)})

    assert caught.value.code is ErrorCode.BRIDGE_PROGRAM_MISSING


def test_successor_of_obfs4proxy_is_taken_where_it_is_there(
    environ: dict[str, str],
) -> None:
    put(environ["PATH"], "lyrebird", "setpriv")

    lines = bridge_torrc(parse_bridges(OBFS4), environ)

    assert lines[1].endswith("/lyrebird")


def test_snowflake_is_told_its_front_in_the_old_word_too(
    environ: dict[str, str],
) -> None:
    put(environ["PATH"], "snowflake-client", "setpriv")

    lines = bridge_torrc(parse_bridges(SNOWFLAKE), environ)

    assert lines[-1] == f"Bridge {SNOWFLAKE} front=www.one.example"


def test_snowflake_keeps_the_old_word_alone_when_there_is_no_room_for_both(
    environ: dict[str, str],
) -> None:
    put(environ["PATH"], "snowflake-client", "setpriv")
    long = SNOWFLAKE + f" ampcache=https://{'a' * 253}/{'b' * 20}"

    lines = bridge_torrc(parse_bridges(long), environ)

    assert "fronts=" not in lines[-1]
    assert lines[-1].endswith(" front=www.one.example")


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        (f"\n{OBFS4} x", ErrorCode.BRIDGE_LINE_BAD, {"number": "2"}),
        ("webtunnel x", ErrorCode.BRIDGE_KIND_UNKNOWN, {"kind": "webtunnel"}),
    ],
)
def test_bad_lines_are_told_to_the_person(
    text: str, code: ErrorCode, facts: dict[str, str]
) -> None:
    with pytest.raises(UserError) as caught:
        read_bridges(text)

    assert caught.value.code is code
    assert facts.items() <= caught.value.facts.items()


# --- real programs ------------------------------------------------------------------


@pytest.mark.network
def test_tor_accepts_every_kind_of_bridge_line(tmp_path: Path) -> None:
    lines = bridge_torrc(parse_bridges(ALL), {})
    torrc = make_torrc(Layout(tmp_path), owner_pid=1, bridges=lines)

    done = subprocess.run(
        ["/usr/bin/env", "tor", "--verify-config", "-f", "-"],
        input=torrc.replace("__OwningControllerProcess 1\n", ""),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "Configuration was valid" in done.stdout
    assert "[warn]" not in done.stdout.replace("[warn] You are running Tor as root", "")


@pytest.mark.network
@pytest.mark.timeout(60)
def test_snowflake_client_asks_the_broker_of_the_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is ours, on this machine; a broker is all that a client asks first."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def broker(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked.put_nowait(await reader.readline())
        writer.write(b"HTTP/1.1 503 Nobody\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    # Practice allows obfs4 alone; here the test sees to it that nothing leaves.
    monkeypatch.setattr("coykiosk.onion.bridges.Bridge.is_on_this_machine", True)

    async def main() -> bytes:
        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        line = (
            f"snowflake 192.0.2.3:80 {PRINT} url=http://127.0.0.1:{port}/ "
            f"ice=stun:127.0.0.1:{silent.getsockname()[1]}"
        )
        daemon = TorDaemon(lambda _: None, os.environ, extra_torrc=DEAD_NETWORK)
        await daemon.use_bridges(daemon.check_bridges(line))
        try:
            await daemon.start(guard_state="")
            return await asked.get()
        finally:
            await daemon.stop()
            server.close()

    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        request = run(main())

    assert request == b"POST /client HTTP/1.1\r\n"
