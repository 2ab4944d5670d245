"""What the proxies of other tests stand on: a relay, and that it leaves nothing."""

import asyncio

import pytest

from tests.support.headless import run_leaping
from tests.support.listener import Listener
from tests.support.relay import CHUNK_BYTES, Pump, Relay, Side


class Plain(Relay):
    """Passes everything on; breaks off at a word."""

    def _join(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> Pump:
        return self._pump

    async def _pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if data == b"break":
                raise ConnectionResetError
            writer.write(side.name.lower().encode() + b":" + data)
        writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)


async def ask(port: int, word: bytes) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(word)
    return await reader.read(CHUNK_BYTES), writer


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_relay_carries_both_directions_and_says_who_speaks() -> None:
    async def main() -> bytes:
        async with Listener(echo) as server, Plain(server.port) as relay:
            answer, writer = await ask(relay.port, b"hello")
            await leave(writer)
        return answer

    assert run_leaping(main) == b"server:client:hello"


def test_relay_ends_both_directions_when_one_breaks_off() -> None:
    async def main() -> bytes:
        async with Listener(echo) as server, Plain(server.port) as relay:
            answer, writer = await ask(relay.port, b"break")
            await leave(writer)
        return answer

    assert run_leaping(main) == b""


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "left"])
def test_relay_ends_connections_that_are_open(*, is_cut: bool) -> None:
    """`run_leaping` looks for tasks and transports that are left."""

    async def main() -> bytes:
        async with Listener(echo) as server:
            async with Plain(server.port) as relay:
                reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
                writer.write(b"hello")
                await reader.read(CHUNK_BYTES)
                if is_cut:
                    relay.cut()
                    await reader.read()
            rest = await reader.read()
            await leave(writer)
        return rest

    assert run_leaping(main) == b""


def test_listener_plays_nothing_for_a_client_who_came_as_it_ended() -> None:
    """The loop may have accepted it, and start the part only then."""

    async def stay(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def main() -> bool:
        async with Listener(stay) as listener:
            pass
        async with Listener(echo) as another:
            reader, writer = await asyncio.open_connection("127.0.0.1", another.port)
            await listener._play(reader, writer)
        return writer.is_closing()

    assert run_leaping(main)


def test_client_is_told_by_the_end_that_the_server_is_not_there() -> None:
    async def main() -> bytes:
        async with Listener(echo) as server:
            nowhere = server.port
        async with Plain(nowhere) as relay:
            answer, writer = await ask(relay.port, b"hello")
            await leave(writer)
        return answer

    assert run_leaping(main) == b""
