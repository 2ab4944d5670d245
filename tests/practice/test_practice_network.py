import asyncio
import base64
import hashlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from coykiosk.contract import PracticeStep
from coykiosk.onion.daemon import TorDaemon
from coykiosk.ports import IsolationKey, Stream
from coykiosk.register.servers import Registration, TlsMode, load_servers
from tests.support.practice_network import SharedPracticeNetwork

pytestmark = pytest.mark.network

_HEAD = (
    "<?xml version='1.0'?><stream:stream to='practice.example' version='1.0' "
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
_REGISTER = (
    "<iq type='set' id='r'><query xmlns='jabber:iq:register'>"
    "<username>{name}</username><password>seldom-spoken</password></query></iq>"
)


async def _read_until(stream: Stream, end: bytes) -> bytes:
    text = b""
    async with asyncio.timeout(60):
        while end not in text:
            part = await stream.read()
            assert part, f"closed after {text!r}"
            text += part
    return text


async def _talk(network: SharedPracticeNetwork, *lines: str, end: bytes) -> bytes:
    """Say lines on the server's own direct TLS port; read until `end`."""
    context = ssl.create_default_context(cafile=network.certificate_file)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        network.direct_tls_port,
        ssl=context,
        server_hostname=network.domain,
    )
    answer = b""
    try:
        writer.write("".join(lines).encode())
        async with asyncio.timeout(30):
            while end not in answer:
                part = await reader.read(4096)
                assert part, f"closed after {answer!r}"
                answer += part
    finally:
        writer.close()
        await writer.wait_closed()
    return answer


def test_network_says_its_steps_in_order(
    practice_network: SharedPracticeNetwork,
) -> None:
    steps = practice_network.steps

    assert steps == [
        PracticeStep.STARTING_RELAYS,
        PracticeStep.AGREEING_CONSENSUS,
        PracticeStep.STARTING_SERVER,
        PracticeStep.PUBLISHING_ONION,
    ]


def test_servers_file_of_the_network_is_taken_by_the_strict_reader(
    practice_network: SharedPracticeNetwork,
) -> None:
    (server,) = load_servers(practice_network.servers_toml, name="practice")

    (route,) = server.routes()
    assert route.domain == "practice.example"
    assert route.host == practice_network.onion_host
    assert (route.port, route.tls) == (5223, TlsMode.DIRECT)
    assert route.registration is Registration.OPEN
    assert route.spki == (practice_network.spki,)
    assert "SCRAM-SHA-256" in route.scram


@pytest.mark.parametrize("is_direct", [False, True], ids=["starttls", "direct-tls"])
def test_onion_leads_a_client_tor_to_the_server_when_the_network_is_up(
    practice_network: SharedPracticeNetwork, is_direct: bool
) -> None:
    async def visit() -> bytes:
        tor = TorDaemon(
            lambda _: None,
            {"PATH": os.defpath},
            extra_torrc=practice_network.client_torrc,
        )
        try:
            await tor.start(guard_state="")
            await tor.wait_ready()
            stream = await tor.dialer.open(
                practice_network.onion_host,
                5223 if is_direct else 5222,
                isolation_key=IsolationKey.fresh(os.urandom),
                first_bytes=b"" if is_direct else _HEAD.encode(),
            )
            try:
                if is_direct:
                    return await _handshake(stream, practice_network.certificate_file)
                return await _read_until(stream, b"</stream:features>")
            finally:
                await stream.close()
        finally:
            await tor.stop()

    answer = asyncio.run(visit())

    expected = practice_network.spki.encode() if is_direct else b"<required/>"
    assert expected in answer


async def _handshake(stream: Stream, authority: Path) -> bytes:
    """Do a TLS handshake over the stream; return the pin of the server's key."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=authority).wrap_bio(
        incoming, outgoing, server_hostname="practice.example"
    )
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            stream.write(outgoing.read())
            await stream.drain()
            incoming.write(await stream.read())
        else:
            break
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    key = x509.load_der_x509_certificate(der).public_key()
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest())


def test_account_exists_only_once_it_was_registered(
    practice_network: SharedPracticeNetwork,
) -> None:
    before = practice_network.account_exists("bumolita")

    answer = asyncio.run(
        _talk(practice_network, _HEAD, _REGISTER.format(name="bumolita"), end=b"<iq ")
    )

    assert b"<error" not in answer
    assert not before
    assert practice_network.account_exists("bumolita")


def test_tap_finds_what_a_client_said_behind_tls(
    practice_network: SharedPracticeNetwork,
) -> None:
    asyncio.run(
        _talk(practice_network, _HEAD, _REGISTER.format(name="tapikora"), end=b"<iq ")
    )

    assert b"<username>tapikora</username>" in practice_network.tap()


def test_network_uses_no_address_but_loopback(
    practice_network: SharedPracticeNetwork,
) -> None:
    sockets = list(_sockets_of(practice_network.path))

    assert sum(state == "LISTEN" for _, _, state in sockets) >= 8
    assert {local for local, _, _ in sockets} == {"127.0.0.1"}
    talking_to = {remote for _, remote, state in sockets if state != "LISTEN"}
    assert talking_to == {"127.0.0.1"}


def _sockets_of(scratch: Path) -> Iterator[tuple[str, str, str]]:
    """Local address, remote address and state of every inet socket of the network."""
    inodes = set()
    for process in _processes_of(scratch):
        for fd in (process / "fd").iterdir():
            target = str(fd.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[9] in inodes:
                state = "LISTEN" if fields[3] == "0A" else table
                yield _address(fields[1]), _address(fields[2]), state


def _processes_of(scratch: Path) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(scratch).encode() in (process / "cmdline").read_bytes():
                found.append(process)
        except OSError:  # it has just ended
            continue
    return found


def _address(text: str) -> str:
    """Translate the kernel's spelling of an IPv4 address; IPv6 stays as it is."""
    host = text.partition(":")[0]
    if len(host) != 8:
        return host
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))
