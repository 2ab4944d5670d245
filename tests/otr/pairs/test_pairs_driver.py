"""The driver that carries messages between peers, and the peers as processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.build import LIBOTR_PEER, build_libotr_program
from tests.peers.driver import (
    ROOT,
    Hook,
    Parcel,
    Peer,
    Start,
    Takes,
    all_doubled,
    all_lost,
    as_sent,
    joined,
    last_first,
    parcels_of,
)

STARTER = """
import sys
from pathlib import Path
from tests.peers.driver import Peer, Start
peer = Peer(Start(tuple(sys.argv[2:]), Path(sys.argv[1]), "alice", "bob", 0x100))
print(peer.fingerprint.hex(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def libotr_command(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    place = tmp_path_factory.mktemp("libotr")
    return (str(build_libotr_program(LIBOTR_PEER, place)),)


@pytest.fixture(scope="module", params=["libotr", "ours"])
def command(
    request: pytest.FixtureRequest, libotr_command: tuple[str, ...]
) -> tuple[str, ...]:
    ours = (sys.executable, "-m", "tests.peers.coykiosk_peer")
    return libotr_command if request.param == "libotr" else ours


@pytest.fixture(scope="module")
def peer(
    command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """One for all tests here: none of them brings up a session."""
    key = tmp_path_factory.mktemp("peer") / "key"
    with Peer(Start(command, key, "alice", "bob", 0x100)) as started:
        yield started


def test_peer_leaves_when_its_starter_is_killed(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    starter = subprocess.Popen(  # noqa: S603 # our own interpreter and script
        [sys.executable, "-c", STARTER, str(tmp_path / "key"), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert starter.stdout is not None
    assert starter.stderr is not None
    assert len(starter.stdout.readline()) == 41

    starter.kill()

    # The peer has this pipe too: it ends only when the peer has gone.
    assert starter.stderr.read() == b""
    starter.communicate()


def test_peer_keeps_its_key_when_it_is_started_again(peer: Peer) -> None:
    with Peer(peer.start) as again:
        assert again.fingerprint == peer.fingerprint


@pytest.mark.parametrize(
    ("command_line", "said"),
    [
        (("nonsense",), ["error unknown command"]),
        (("poll",), []),
        (("clock", 10), []),
        (("forget",), []),
        (("mms", 140), []),
        (("end",), []),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_peer_without_a_session_answers(
    peer: Peer, command_line: tuple[str, ...], said: list[str]
) -> None:
    assert peer.do(*command_line) == said
    assert peer.outbox == []


@pytest.mark.parametrize(
    "command_line",
    [
        ("smp", b"secret"),
        ("smp", b"secret", b"question"),
        ("smp-reply", b"secret"),
        ("extrakey", 1),
        ("tlv", 99, b"value"),
    ],
    ids=lambda words: f"{words[0]}-{len(words)}",
)
def test_peer_without_a_session_refuses(
    peer: Peer, command_line: tuple[str, ...]
) -> None:
    (said,) = peer.do(*command_line)

    assert said.startswith("error ")
    assert peer.outbox == []


def test_peer_without_a_session_has_nothing_to_abort(peer: Peer) -> None:
    peer.do("smp-abort")

    assert peer.outbox == []


def test_peer_without_a_session_says_so(peer: Peer) -> None:
    state = peer.state()

    assert (state.name, state.their_fingerprint, state.ssid) == ("plain", None, None)
    assert (state.half, state.version, state.trust) == ("-", 0, "")


@pytest.mark.parametrize(
    ("messages", "parcels"),
    [
        ([], []),
        ([b"?OTRv3?"], [(b"?OTRv3?",)]),
        ([b"one", b"two"], [(b"one",), (b"two",)]),
        (
            [b"?OTR|1|0,00001,00002,?OTR:AA,", b"?OTR|1|0,00002,00002,MC.,", b"x"],
            [
                (b"?OTR|1|0,00001,00002,?OTR:AA,", b"?OTR|1|0,00002,00002,MC.,"),
                (b"x",),
            ],
        ),
        (
            [b"?OTR,1,2,?OTRv2?,", b"?OTR,2,2,hi,"],
            [(b"?OTR,1,2,?OTRv2?,", b"?OTR,2,2,hi,")],
        ),
        ([b"?OTR|1|0,00001,00002,half,"], [(b"?OTR|1|0,00001,00002,half,",)]),
    ],
    ids=["nothing", "query", "two", "version-3", "version-2", "unfinished"],
)
def test_parcels_hold_the_fragments_of_one_message(
    messages: list[bytes], parcels: list[Parcel]
) -> None:
    assert parcels_of(messages) == parcels


@pytest.mark.parametrize(
    ("parcel", "message"),
    [
        ((b"?OTR:AAMC.",), b"?OTR:AAMC."),
        ((b"?OTR|1|2,1,2,?OTR:AA,", b"?OTR|1|2,2,2,MC.,"), b"?OTR:AAMC."),
        ((b"?OTR,1,2,a, b,", b"?OTR,2,2, c,,"), b"a, b c,"),
    ],
    ids=["whole", "version-3", "version-2-with-commas"],
)
def test_parcel_is_joined_to_its_message(parcel: Parcel, message: bytes) -> None:
    assert joined(parcel) == message


@pytest.mark.parametrize(
    ("hook", "arriving"),
    [
        (as_sent, [(b"1",), (b"2",), (b"3",)]),
        (all_lost, []),
        (all_doubled, [(b"1",), (b"1",), (b"2",), (b"2",), (b"3",), (b"3",)]),
        (last_first, [(b"3",), (b"2",), (b"1",)]),
        (Takes(1), [(b"1",), (b"3",)]),
    ],
    ids=["as-sent", "all-lost", "all-doubled", "last-first", "takes-one"],
)
@pytest.mark.parametrize("command", ["libotr"], indirect=True)
def test_hook_decides_what_arrives(
    peer: Peer, hook: Hook, arriving: list[Parcel]
) -> None:
    assert hook(peer, [(b"1",), (b"2",), (b"3",)]) == arriving
