"""Finding a running tor: a real one, none, and what only looks like one."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import TcpAddress
from coykiosk.onion.environment import Candidate, Credentials, Wishes, read_wishes
from coykiosk.onion.finder import find_tor, listener_uids

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Run = Callable[[Any], Any]
Stage = Any

# tor --hash-password known
KNOWN = "16:9CBF75EFE7D1678D600F7E927E8FBF4252CDEE3A85F9BE61DFC9F99367"

PROC_NET_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:235A 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 21053
   1: 0100007F:235A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 21054
   2: 0100007F:235B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 21055
"""


def wishes(tor: Any, **changes: str) -> Wishes:
    """What the environment says when a person names this tor."""
    environ = {
        "TOR_SOCKS_PORT": str(tor.socks.port),
        "TOR_CONTROL_PORT": str(tor.control.port),
    }
    return read_wishes(environ | changes)


async def find(asked: Wishes) -> str | None:
    found = await find_tor(asked)
    if found is None:
        return None
    await found.control.close()
    return str(found.socks)


def code_of(run: Run, work: Any) -> tuple[ErrorCode, dict[str, str]]:
    with pytest.raises(UserError) as caught:
        run(work)
    return caught.value.code, caught.value.facts


@pytest.mark.network
def test_finder_uses_a_named_tor_that_proves_itself(run: Run, real_tor: Any) -> None:
    async def main() -> bool:
        async with real_tor() as tor:
            return await find(wishes(tor)) == str(tor.socks)

    assert run(main())


@pytest.mark.network
def test_finder_uses_the_system_tor_when_nobody_named_one(
    run: Run, real_tor: Any
) -> None:
    """As Debian's tor would be found, on other ports: same owner rules."""

    async def main() -> bool:
        async with real_tor() as tor:
            candidate = Candidate(tor.socks, (tor.control,), is_configured=False)
            asked = Wishes(
                (candidate,), Credentials(), may_launch=True, must_match=True
            )
            return await find(asked) == str(tor.socks)

    assert run(main())


@pytest.mark.network
@pytest.mark.parametrize("named", [True, False], ids=["named", "cookie-of-its-own"])
def test_finder_authenticates_by_cookie(run: Run, real_tor: Any, named: bool) -> None:
    async def main() -> bool:
        async with real_tor() as tor:
            extra = {"TOR_CONTROL_COOKIE_AUTH_FILE": str(tor.cookie)} if named else {}
            return await find(wishes(tor, **extra)) is not None

    assert run(main())


@pytest.mark.network
def test_finder_authenticates_by_password(run: Run, real_tor: Any) -> None:
    async def main() -> bool:
        async with real_tor(f"HashedControlPassword {KNOWN}") as tor:
            said = {"TOR_CONTROL_PASSWD": '"known"'}
            return await find(wishes(tor, **said)) is not None

    assert run(main())


@pytest.mark.network
def test_finder_says_refused_when_the_control_port_stays_shut(
    run: Run, real_tor: Any
) -> None:
    async def main() -> None:
        async with real_tor("CookieAuthentication 1") as tor:
            tor.cookie.write_bytes(os.urandom(32))
            await find(wishes(tor))

    code, facts = code_of(run, main())

    assert code is ErrorCode.TOR_CONTROL_REFUSED
    assert facts["address"].startswith("127.0.0.1:")


@pytest.mark.network
def test_finder_passes_over_a_system_tor_that_stays_shut(
    run: Run, real_tor: Any
) -> None:
    async def main() -> str | None:
        async with real_tor() as tor:
            tor.cookie.write_bytes(os.urandom(32))
            candidate = Candidate(tor.socks, (tor.control,), is_configured=False)
            return await find(
                Wishes((candidate,), Credentials(), may_launch=True, must_match=True)
            )

    assert run(main()) is None


@pytest.mark.network
def test_finder_says_impostor_when_socks_and_control_are_two_tors(
    run: Run, real_tor: Any
) -> None:
    async def main() -> None:
        async with real_tor() as one, real_tor() as other:
            asked = wishes(one, TOR_CONTROL_PORT=str(other.control.port))
            await find(asked)

    assert code_of(run, main())[0] is ErrorCode.TOR_IMPOSTOR


@pytest.mark.network
def test_finder_believes_two_addresses_when_told_to_skip_the_test(
    run: Run, real_tor: Any
) -> None:
    """Whonix: its filter names a listener of the gateway, not ours."""

    async def main() -> str | None:
        async with real_tor() as one, real_tor() as other:
            asked = wishes(
                one,
                TOR_CONTROL_PORT=str(other.control.port),
                TOR_SKIP_CONTROLPORTTEST="1",
            )
            return await find(asked)

    assert run(main()) is not None


@pytest.mark.network
def test_finder_says_impostor_when_the_control_port_is_a_web_server(
    run: Run, real_tor: Any, stage: Stage
) -> None:
    async def web(reader: Reader, writer: Writer) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with real_tor() as tor, stage(web) as address:
            await find(wishes(tor, TOR_CONTROL_IPC_PATH=str(address.path)))

    assert code_of(run, main())[0] is ErrorCode.TOR_IMPOSTOR


async def open_proxy(reader: Reader, writer: Writer) -> None:
    """A SOCKS server that takes any password and grants anything."""
    await reader.readexactly(3)
    writer.write(b"\x05\x02")
    await reader.readexactly(67)
    writer.write(b"\x01\x00")
    await reader.readexactly(16)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")


async def ssh_forward(reader: Reader, writer: Writer) -> None:
    """A SOCKS server that knows no password (ssh -D)."""
    await reader.readexactly(3)
    writer.write(b"\x05\xff")


async def silence(reader: Reader, writer: Writer) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize("other", [open_proxy, ssh_forward, silence])
def test_finder_says_impostor_when_a_named_proxy_is_no_tor(
    run: Run, stage: Stage, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.dialer._ANSWER_LIMIT_S", 0.2)

    async def main() -> None:
        async with stage(other) as address:
            await find(read_wishes({"TOR_SOCKS_IPC_PATH": str(address.path)}))

    code, facts = code_of(run, main())

    assert code is ErrorCode.TOR_IMPOSTOR
    assert facts["address"].startswith("unix:/")


def test_finder_passes_over_a_default_proxy_that_is_no_tor(
    run: Run, stage: Stage
) -> None:
    async def main() -> str | None:
        async with stage(open_proxy) as address:
            candidate = Candidate(address, (address,), is_configured=False)
            return await find(
                Wishes((candidate,), Credentials(), may_launch=True, must_match=True)
            )

    assert run(main()) is None


@pytest.mark.parametrize("named", [True, False], ids=["named", "default"])
def test_finder_finds_nothing_when_nothing_listens(run: Run, named: bool) -> None:
    probe = socket.create_server(("127.0.0.1", 0))
    free = TcpAddress("127.0.0.1", probe.getsockname()[1])
    probe.close()
    candidate = Candidate(free, (free,), is_configured=named)

    found = run(
        find(Wishes((candidate,), Credentials(), may_launch=True, must_match=True))
    )

    assert found is None


def test_finder_never_speaks_to_a_default_port_that_another_person_holds(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may sit on port 9050 of a shared machine while no tor runs."""
    monkeypatch.setattr("coykiosk.onion.finder.listener_uids", lambda *_: [54321])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    address = TcpAddress("127.0.0.1", listener.getsockname()[1])
    candidate = Candidate(address, (address,), is_configured=False)

    found = run(
        find(Wishes((candidate,), Credentials(), may_launch=True, must_match=True))
    )

    assert found is None
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


@pytest.mark.parametrize(("port", "uids"), [(0x235A, [106]), (0x235B, [1001]), (1, [])])
def test_listener_uids_reads_only_listeners(port: int, uids: list[int]) -> None:
    assert listener_uids(PROC_NET_TCP, port) == uids
