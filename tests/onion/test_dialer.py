"""The dialer against a scripted SOCKS server: what it sends, how it fails."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import TcpAddress, UnixAddress
from coykiosk.onion.dialer import SocksDialer, SocksStream, is_tor_socks
from coykiosk.ports import IsolationKey

KEY = IsolationKey("a" * 32, "b" * 32)
GRANTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
AUTH = b"\x01\x20" + b"a" * 32 + b"\x20" + b"b" * 32

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Run = Callable[[Any], Any]
Stage = Any


async def greet(reader: Reader, writer: Writer) -> bytes:
    """Play tor up to its reply and return the request's name and port."""
    assert await reader.readexactly(3) == b"\x05\x01\x02"
    writer.write(b"\x05\x02")
    assert await reader.readexactly(len(AUTH)) == AUTH
    writer.write(b"\x01\x00")
    head = await reader.readexactly(5)
    assert head[:4] == b"\x05\x01\x00\x03"
    return await reader.readexactly(head[4] + 2)


async def dial(address: Any, first_bytes: bytes = b"") -> SocksStream:
    return await SocksDialer(address).open(
        "srv.onion", 5222, isolation_key=KEY, first_bytes=first_bytes
    )


def test_dialer_sends_name_and_first_bytes_before_the_reply(
    run: Run, stage: Stage
) -> None:
    seen: list[bytes] = []

    async def tor(reader: Reader, writer: Writer) -> None:
        seen.append(await greet(reader, writer))
        seen.append(await reader.readexactly(5))
        writer.write(GRANTED + b"world")
        await reader.read()

    async def main() -> bytes:
        async with stage(tor) as address:
            stream = await dial(address, b"hello")
            data = await stream.read()
            await stream.close()
            return data

    data = run(main())

    assert seen == [b"srv.onion\x14\x66", b"hello"]
    assert data == b"world"


def test_stream_carries_large_data_both_ways(run: Run, stage: Stage) -> None:
    sent = os.urandom(3_000_000)

    async def tor(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer)
        writer.write(GRANTED)
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def main() -> bytes:
        async with stage(tor) as address:
            stream = await dial(address)
            back = bytearray()

            async def write() -> None:
                for start in range(0, len(sent), 50_000):
                    stream.write(sent[start : start + 50_000])
                    await stream.drain()

            async with asyncio.TaskGroup() as group:
                group.create_task(write())
                while len(back) < len(sent):
                    back += await stream.read()
            await stream.close()
            return bytes(back)

    assert run(main()) == sent


@pytest.mark.parametrize("code", [0x01, 0x04, 0x05, 0xF0, 0xF3])
def test_dialer_says_unreachable_when_tor_refuses(
    run: Run, stage: Stage, code: int
) -> None:
    async def tor(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer)
        writer.write(bytes([5, code]) + GRANTED[2:])

    async def main() -> None:
        async with stage(tor) as address:
            await dial(address)

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.SERVER_UNREACHABLE
    assert caught.value.facts == {"server": "srv.onion"}


@pytest.mark.parametrize(
    "answer",
    [b"\x05\xff", b"\x05\x00", b"HTTP/1.0 501\r\n\r\n", b"\x00"],
    ids=["wants-no-auth", "open-proxy", "web-server", "zero"],
)
def test_dialer_says_impostor_when_it_is_no_tor(
    run: Run, stage: Stage, answer: bytes
) -> None:
    received = bytearray()

    async def other(reader: Reader, writer: Writer) -> None:
        received.extend(await reader.readexactly(3))
        writer.write(answer)
        received.extend(await reader.read())

    async def main() -> None:
        async with stage(other) as address:
            await dial(address, b"secret plan")

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.TOR_IMPOSTOR
    assert bytes(received) == b"\x05\x01\x02"


@pytest.mark.parametrize("after", [0, 1, 2], ids=["greeting", "password", "request"])
def test_dialer_says_tor_stopped_when_the_connection_ends_first(
    run: Run, stage: Stage, after: int
) -> None:
    n_met = 0

    async def dying(reader: Reader, writer: Writer) -> None:
        nonlocal n_met
        n_met += 1
        await reader.readexactly(3)
        if n_met > 1:
            return
        if after > 0:
            writer.write(b"\x05\x02")
            await reader.readexactly(len(AUTH))
        if after > 1:
            writer.write(b"\x01\x00")
            await reader.readexactly(5)

    async def main() -> None:
        async with stage(dying) as address:
            await dial(address)

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.TOR_STOPPED


def test_dialer_says_tor_stopped_when_nothing_listens(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(dial(UnixAddress(tmp_path / "nobody")))

    assert caught.value.code is ErrorCode.TOR_STOPPED


def test_dialer_refuses_when_there_is_no_tor(run: Run) -> None:
    with pytest.raises(UserError) as caught:
        run(dial(None))

    assert caught.value.code is ErrorCode.TOR_STOPPED


def test_dialer_gives_up_when_tor_never_answers(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.dialer._OPEN_LIMIT_S", 0.1)

    async def mute(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async def main() -> None:
        async with stage(mute) as address:
            await dial(address)

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.SERVER_UNREACHABLE


@pytest.mark.parametrize("host", ["bücher.example", "", "a b", "x" * 300])
def test_dialer_says_unreachable_when_the_name_cannot_be_said(
    run: Run, stage: Stage, host: str
) -> None:
    asked: list[bytes] = []

    async def tor(reader: Reader, _writer: Writer) -> None:
        asked.append(await reader.read())

    async def main() -> None:
        async with stage(tor) as address:
            await SocksDialer(address).open(host, 1, isolation_key=KEY)

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.SERVER_UNREACHABLE
    assert asked == []


def test_read_returns_nothing_when_the_server_closes_and_tor_lives(
    run: Run, stage: Stage
) -> None:
    async def tor(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer)
        writer.write(GRANTED + b"bye")

    async def main() -> list[bytes]:
        async with stage(tor) as address:
            stream = await dial(address)
            seen = [await stream.read(), await stream.read(), await stream.read()]
            stream.write(b"dropped")
            await stream.drain()
            await stream.close()
            return seen

    assert run(main()) == [b"bye", b"", b""]


def test_read_says_tor_stopped_when_nobody_listens_any_more(
    run: Run, stage: Stage
) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def tor(reader: Reader, writer: Writer) -> None:
            await greet(reader, writer)
            writer.write(GRANTED)
            await gate.wait()

        async with stage(tor) as address:
            stream = await dial(address)
            address.path.unlink()
            gate.set()
            await stream.read()

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.TOR_STOPPED


def test_read_says_tor_stopped_when_it_still_listens_but_no_longer_answers(
    run: Run, stage: Stage
) -> None:
    """A killed tor closes some connections before its listener."""

    async def main() -> None:
        n_met = 0

        async def dying(reader: Reader, writer: Writer) -> None:
            nonlocal n_met
            n_met += 1
            if n_met == 1:
                await greet(reader, writer)
                writer.write(GRANTED)

        async with stage(dying) as address:
            stream = await dial(address)
            await stream.read()

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.TOR_STOPPED


def test_read_says_connection_lost_when_it_is_reset(run: Run) -> None:
    """A reset needs TCP: closing with SO_LINGER 0 sends one."""

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        address = TcpAddress(*listener.getsockname())
        dialing = loop.create_task(dial(address))
        peer, _ = await loop.sock_accept(listener)
        for answer in (b"\x05\x02", b"\x01\x00", GRANTED):
            await loop.sock_recv(peer, 1024)
            await loop.sock_sendall(peer, answer)
        stream = await dialing
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        reading = loop.create_task(stream.read())
        again, _ = await loop.sock_accept(listener)  # is tor alive? it is
        await loop.sock_sendall(again, b"\x05\x02")
        try:
            await reading
        finally:
            await stream.close()
            again.close()
            listener.close()

    with pytest.raises(UserError) as caught:
        run(main())

    assert caught.value.code is ErrorCode.CONNECTION_LOST
    assert caught.value.facts == {"server": "srv.onion"}


@pytest.mark.parametrize("at_once", [True, False], ids=["connecting", "asked"])
def test_cut_ends_every_stream_and_attempt_at_once(
    run: Run, stage: Stage, at_once: bool
) -> None:
    async def main() -> list[ErrorCode]:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def tor(reader: Reader, writer: Writer) -> None:
            if await greet(reader, writer) == b"quick\x00\x01":
                writer.write(GRANTED)
            else:
                asked.set()
            await reader.read()
            ended.set()

        async with stage(tor) as address:
            dialer = SocksDialer(address)
            stream = await dialer.open("quick", 1, isolation_key=KEY)

            async def code_of(work: Any) -> ErrorCode:
                with contextlib.suppress(asyncio.CancelledError):
                    try:
                        await work
                    except UserError as error:
                        return error.code
                pytest.fail("no error")

            loop = asyncio.get_running_loop()
            reading = loop.create_task(code_of(stream.read()))
            opening = loop.create_task(
                code_of(dialer.open("slow", 1, isolation_key=KEY))
            )
            if at_once:
                await asyncio.sleep(0)
            else:
                await asked.wait()
            dialer.cut(UserError(ErrorCode.TOR_STOPPED))
            codes = [await reading, await opening]
            codes.append(await code_of(dialer.open("again", 1, isolation_key=KEY)))
            await ended.wait()
            await stream.close()
            return codes

    assert run(main()) == [ErrorCode.TOR_STOPPED] * 3


def test_close_flushes_what_was_written_and_never_raises(
    run: Run, stage: Stage
) -> None:
    async def main() -> bytes:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def tor(reader: Reader, writer: Writer) -> None:
            await greet(reader, writer)
            writer.write(GRANTED)
            received.set_result(await reader.read())

        async with stage(tor) as address:
            stream = await dial(address)
            stream.write(b"last words")
            await stream.close()
            await stream.close()
            stream.write(b"too late")
            return await received

    assert run(main()) == b"last words"


def test_close_does_not_wait_for_a_server_that_reads_nothing(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.dialer._CLOSE_LIMIT_S", 0.05)

    async def main() -> bool:
        gate = asyncio.Event()

        async def tor(reader: Reader, writer: Writer) -> None:
            await greet(reader, writer)
            writer.write(GRANTED)
            await gate.wait()

        async with stage(tor) as address:
            stream = await dial(address)
            stream.write(bytes(5_000_000))
            await stream.close()
            gate.set()
            return stream._wire.gone.is_set() or stream._wire.transport is not None

    assert run(main())


@pytest.mark.parametrize(
    ("reply", "is_tor"),
    [
        (b"\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x00", True),
        (b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", False),
        (b"\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", False),
        (b"", False),
    ],
    ids=["tor", "grants-anything", "knows-no-resolve", "hangs-up"],
)
def test_probe_tells_tor_from_another_proxy(
    run: Run, stage: Stage, reply: bytes, is_tor: bool
) -> None:
    async def proxy(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x02")
        await reader.readexactly(2 + 32 + 1 + 32)
        writer.write(b"\x01\x00")
        head = await reader.readexactly(5)
        assert head[1] == 0xF0
        await reader.readexactly(head[4] + 2)
        writer.write(reply)

    async def main() -> bool:
        async with stage(proxy) as address:
            return await is_tor_socks(address)

    assert run(main()) is is_tor


def test_dialer_asks_no_resolver_and_connects_only_to_tor(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: object, *_: object, **__: object) -> None:
        pytest.fail(f"looked up {host!r}")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "gethostbyname", resolve)
    served = asyncio.Semaphore(0)
    connected: list[object] = []
    connect = asyncio.SelectorEventLoop.sock_connect

    async def recorded(self: Any, sock: socket.socket, address: Any) -> None:
        connected.append(address)
        await connect(self, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", recorded)

    async def tor(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await greet(reader, writer)
            writer.write(GRANTED)
        writer.close()
        await writer.wait_closed()
        served.release()

    async def main() -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(tor, sock=listener)
        port: int = listener.getsockname()[1]
        stream = await dial(TcpAddress("127.0.0.1", port))
        assert await stream.read() == b""
        await stream.close()
        await served.acquire()  # the stream
        await served.acquire()  # the look whether tor still lives
        server.close()
        return port

    port = run(main())

    assert set(connected) == {("127.0.0.1", port)}
