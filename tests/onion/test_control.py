"""The control port adapter against scripted control ports and a real tor."""

import asyncio
import contextlib
import hashlib
import hmac
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coykiosk.onion.addresses import TcpAddress
from coykiosk.onion.control import (
    ControlError,
    ControlPort,
    ControlRefusedError,
    NotTorError,
)
from coykiosk.onion.environment import Credentials
from coykiosk.onion.status import Bootstrap

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Run = Callable[[Any], Any]
Stage = Any

LISTENERS = '250-net/listeners/socks="127.0.0.1:9150" "unix:/run/tor/socks"'


class Play:
    """A control port that answers by a table; 510 for the rest, as filters do."""

    def __init__(self, methods: str, answers: dict[str, str]) -> None:
        self.methods = methods
        self.answers = answers
        self.heard: list[str] = []
        self.writer: Writer | None = None

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.writer = writer
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            if line.startswith("PROTOCOLINFO"):
                answer = (
                    f"250-PROTOCOLINFO 1\r\n250-AUTH METHODS={self.methods}\r\n"
                    '250-VERSION Tor="0.4.9.11"\r\n250 OK'
                )
            else:
                answer = self.answers.get(line, "510 Command filtered")
            if answer == "hang":
                await reader.read()
                return
            writer.write(answer.encode() + b"\r\n")


OPEN = {"AUTHENTICATE": "250 OK"}


def test_control_takes_no_for_an_answer_behind_a_filter(run: Run, stage: Stage) -> None:
    """Tails and Whonix: PROTOCOLINFO says NULL, what is not allowed is 510."""
    play = Play("NULL", OPEN)

    async def main() -> list[object]:
        async with stage(play) as address:
            control = await ControlPort.connect(address)
            seen: list[object] = [
                control.version,
                await control.socks_listeners(),
                await control.bootstrap(),
                await control.circuit_status(),
                await control.watch(on_bootstrap=print, on_closed=lambda: None),
            ]
            await control.close()
            return seen

    assert run(main()) == ["0.4.9.11", None, None, "", False]


def test_control_reads_listeners_and_the_little_a_filter_lets_through(
    run: Run, stage: Stage
) -> None:
    play = Play(
        "NULL",
        OPEN
        | {
            "GETINFO net/listeners/socks": LISTENERS + "\r\n250 OK",
            "GETINFO status/circuit-established": (
                "250-status/circuit-established=1\r\n250 OK"
            ),
        },
    )

    async def main() -> tuple[object, object]:
        async with stage(play) as address:
            control = await ControlPort.connect(address)
            listeners = await control.socks_listeners()
            bootstrap = await control.bootstrap()
            await control.close()
            return listeners, bootstrap

    listeners, bootstrap = run(main())

    assert [str(a) for a in listeners] == ["127.0.0.1:9150", "unix:/run/tor/socks"]
    assert bootstrap == Bootstrap(100, "conn", is_severe=False)


def test_control_tells_of_progress_and_of_the_end(run: Run, stage: Stage) -> None:
    play = Play(
        "NULL",
        OPEN
        | {
            "SETEVENTS STATUS_CLIENT": "250 OK",
        },
    )

    async def main() -> list[Bootstrap]:
        heard: list[Bootstrap] = []
        told, closed = asyncio.Event(), asyncio.Event()

        def hear(bootstrap: Bootstrap) -> None:
            heard.append(bootstrap)
            told.set()

        async with stage(play) as address:
            control = await ControlPort.connect(address)
            assert await control.watch(on_bootstrap=hear, on_closed=closed.set)
            assert play.writer is not None
            play.writer.write(
                b"650 STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED\r\n"
                b"650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=50 TAG=loading "
                b'SUMMARY="x"\r\n'
            )
            await told.wait()
            play.writer.close()
            await closed.wait()
            await control.close()
        return heard

    assert run(main()) == [Bootstrap(50, "loading", is_severe=False)]


@pytest.mark.parametrize(
    ("methods", "credentials"),
    [
        ("HASHEDPASSWORD", Credentials()),
        ("HASHEDPASSWORD", Credentials(password="wrong")),  # noqa: S106  # a test's
        ("COOKIE", Credentials()),
        ('COOKIE,SAFECOOKIE COOKIEFILE="/nowhere/cookie"', Credentials()),
    ],
    ids=["no-password", "wrong-password", "bare-cookie", "no-cookie-file"],
)
def test_control_says_refused_when_it_cannot_authenticate(
    run: Run, stage: Stage, methods: str, credentials: Credentials
) -> None:
    play = Play(methods, {'AUTHENTICATE "wrong"': "515 Authentication failed"})

    async def main() -> None:
        async with stage(play) as address:
            await ControlPort.connect(address, credentials)

    with pytest.raises(ControlRefusedError):
        run(main())


def test_control_sends_the_password_quoted(run: Run, stage: Stage) -> None:
    said = r'AUTHENTICATE "a\"b\\c"'
    play = Play("HASHEDPASSWORD", {said: "250 OK"})

    async def main() -> None:
        async with stage(play) as address:
            credentials = Credentials(password='a"b\\c')  # noqa: S106  # a test's
            control = await ControlPort.connect(address, credentials)
            await control.close()

    run(main())

    assert said in play.heard


def test_control_never_shows_a_cookie_to_whoever_asks_for_it(
    run: Run, stage: Stage, tmp_path: Path
) -> None:
    """An impostor names a file of ours; it must learn nothing of it."""
    secret = os.urandom(32)
    (tmp_path / "secret").write_bytes(secret)
    play = Play(f'COOKIE,SAFECOOKIE COOKIEFILE="{tmp_path}/secret"', {})

    async def main() -> None:
        async with stage(play) as address:
            await ControlPort.connect(address)

    with pytest.raises(ControlRefusedError):
        run(main())

    assert not any(secret.hex() in line.lower() for line in play.heard)


def test_control_proves_the_cookie_without_sending_it(
    run: Run, stage: Stage, tmp_path: Path
) -> None:
    """Tor's control-spec, AUTHCHALLENGE: both ends prove that they know it."""
    cookie = os.urandom(32)
    (tmp_path / "cookie").write_bytes(cookie)
    server_nonce = os.urandom(32)
    heard: list[str] = []

    async def tor(reader: Reader, writer: Writer) -> None:
        client_nonce = b""
        while line := (await reader.readline()).decode().strip():
            heard.append(line)
            word, _, rest = line.partition(" ")
            if word == "PROTOCOLINFO":
                answer = (
                    "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE "
                    f'COOKIEFILE="{tmp_path}/cookie"\r\n'
                    '250-VERSION Tor="0.4.9.11"\r\n250 OK'
                )
            elif word == "AUTHCHALLENGE":
                client_nonce = bytes.fromhex(rest.split()[1])
                proof = hmac.new(
                    b"Tor safe cookie authentication server-to-controller hash",
                    cookie + client_nonce + server_nonce,
                    hashlib.sha256,
                ).hexdigest()
                answer = (
                    f"250 AUTHCHALLENGE SERVERHASH={proof.upper()} "
                    f"SERVERNONCE={server_nonce.hex().upper()}"
                )
            elif word == "AUTHENTICATE":
                proof = hmac.new(
                    b"Tor safe cookie authentication controller-to-server hash",
                    cookie + client_nonce + server_nonce,
                    hashlib.sha256,
                ).hexdigest()
                good = hmac.compare_digest(rest.lower(), proof)
                answer = "250 OK" if good else "515 no"
            else:
                answer = "510 Command filtered"
            writer.write(answer.encode() + b"\r\n")

    async def main() -> None:
        async with stage(tor) as address:
            control = await ControlPort.connect(address)
            await control.close()

    run(main())

    assert not any(cookie.hex() in line.lower() for line in heard)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"220 mail.example ESMTP\r\n250 OK\r\n",
        b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n",
        b"x" * 100_000,
        b"",
    ],
    ids=["http", "smtp", "no-version", "flood", "hangs-up"],
)
def test_control_says_not_tor_when_something_else_answers(
    run: Run, stage: Stage, answer: bytes
) -> None:
    async def other(_reader: Reader, writer: Writer) -> None:
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    async def main() -> None:
        async with stage(other) as address:
            await ControlPort.connect(address)

    with pytest.raises(NotTorError):
        run(main())


def test_control_says_not_tor_when_nothing_answers(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.hello._HELLO_LIMIT_S", 0.1)

    async def mute(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async def main() -> None:
        async with stage(mute) as address:
            await ControlPort.connect(address)

    with pytest.raises(NotTorError):
        run(main())


def test_control_frees_itself_when_the_login_hangs(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coykiosk.onion.control._CALL_LIMIT_S", 0.5)
    play = Play("NULL", {"AUTHENTICATE": "hang"})
    began = time.monotonic()

    async def main() -> None:
        async with stage(play) as address:
            await ControlPort.connect(address)

    with pytest.raises(ControlError, match="time"):
        run(main())

    assert time.monotonic() - began < 10


def test_control_answers_nothing_when_it_hangs_later(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play("NULL", OPEN | {"GETINFO circuit-status": "hang"})

    async def main() -> str:
        async with stage(play) as address:
            control = await ControlPort.connect(address)
            monkeypatch.setattr("coykiosk.onion.control._CALL_LIMIT_S", 0.2)
            status = await control.circuit_status()
            await control.close()
            return status

    assert run(main()) == ""


def test_control_raises_os_error_when_nothing_listens(run: Run) -> None:
    with pytest.raises(OSError, match=r".+"):
        run(ControlPort.connect(TcpAddress("127.0.0.1", 1)))


def test_stem_is_not_imported_before_it_is_needed() -> None:
    """It costs 0.13 s; the first picture comes before."""
    code = "import coykiosk.onion, sys; print('stem' in sys.modules)"

    output = subprocess.run(  # noqa: S603  # our own text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert output.strip() == "False"
