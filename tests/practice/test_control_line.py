import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.practice.control_line import ControlFault, ControlLine, ControlRefused


def _ask(tmp_path: Path, answers: list[bytes], *questions: str) -> list[list[str]]:
    """Ask a control port that gives these answers, in this order, then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readline()
            writer.write(answer)
        writer.close()

    async def run() -> list[list[str]]:
        server = await asyncio.start_unix_server(serve, tmp_path / "c")
        async with server:
            line = await ControlLine.connect(tmp_path / "c")
            try:
                return [await line.ask(question) for question in questions]
            finally:
                line.close()

    return asyncio.run(run())


def _read(data: bytes, act: Callable[[ControlLine], Awaitable[list[str]]]) -> list[str]:
    """Let a line read these bytes and no more."""

    async def run() -> list[str]:
        reader = asyncio.StreamReader(limit=4096)
        reader.feed_data(data)
        reader.feed_eof()
        return await act(ControlLine(reader, None))  # type: ignore[arg-type]  # only reads

    return asyncio.run(run())


def test_ask_returns_the_lines_of_an_answer_without_their_status(
    tmp_path: Path,
) -> None:
    answer = b"250-version=0.4.9.11\r\n250 OK\r\n"

    assert _ask(tmp_path, [b"250 OK\r\n", answer], "GETINFO version") == [
        ["version=0.4.9.11", "OK"]
    ]


def test_ask_returns_a_data_block_line_by_line(tmp_path: Path) -> None:
    answer = b"250+ns/all=\r\nr One\r\n250 no end\r\n..dot\r\n.\r\n250 OK\r\n"

    assert _ask(tmp_path, [b"250 OK\r\n", answer], "GETINFO ns/all") == [
        ["ns/all=", "r One", "250 no end", ".dot", "OK"]
    ]


def test_ask_can_go_on_after_a_refusal(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"250 OK\r\n", b"552 Unrecognized key\r\n", b"250 OK\r\n"):
            await reader.readline()
            writer.write(answer)
        writer.close()

    async def run() -> list[str]:
        async with await asyncio.start_unix_server(serve, tmp_path / "c"):
            line = await ControlLine.connect(tmp_path / "c")
            with pytest.raises(ControlRefused, match="Unrecognized key"):
                await line.ask("GETINFO nonsense")
            try:
                return await line.ask("GETINFO version")
            finally:
                line.close()

    assert asyncio.run(run()) == ["OK"]


def test_connect_fails_when_the_node_does_not_let_us_in(tmp_path: Path) -> None:
    with pytest.raises(ControlRefused):
        _ask(tmp_path, [b"515 Authentication failed\r\n"])


def test_connect_fails_when_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(ControlLine.connect(tmp_path / "c"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"250-half",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"25 OK\r\n",
        b"\xff\xff\xff OK\r\n",
        b"250+data\r\nnever ends\r\n",
        b"250-" + b"x" * 5000 + b"\r\n250 OK\r\n",
        b"250-a\r\n" * 60_000,
    ],
    ids=[
        *("closed", "cut", "not-tor", "short-status", "not-digits"),
        *("endless-data", "endless-line", "endless-reply"),
    ],
)
def test_next_event_refuses_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(ControlFault):
        _read(data, ControlLine.next_event)


@given(st.binary(max_size=200))
def test_next_event_reads_any_bytes_as_lines_or_as_a_fault(data: bytes) -> None:
    try:
        lines = _read(data, ControlLine.next_event)
    except ControlFault:
        return
    assert lines
