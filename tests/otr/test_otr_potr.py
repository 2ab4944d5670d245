"""Our engine against python-potr, which speaks version 2 and nothing newer.

What one can do with a peer like that is refuse it: tell the caller, answer nothing.
First potr is shown to be a real OTR end, on the cryptography we gave it: with itself,
and with libotr.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coykiosk.otr import (
    Instances,
    LocalError,
    MessageState,
    OfferTooOld,
    Output,
    PlainReceived,
    Received,
)
from coykiosk.otr.messages import DhCommit
from coykiosk.otr.wire import encode_mpi
from tests.otr.wiring import (
    TAGS,
    VECTORS,
    Pair,
    injected,
    message_of,
    recorded_key,
    redrawable,
    told,
)
from tests.peers.build import build_libotr_program
from tests.peers.driver import Peer, Records, Start, State, Wire

PEERS = Path(__file__).parent.parent / "peers"
POTR = (sys.executable, str(PEERS / "potr_peer.py"))
SESSION = ("commit", "key", "reveal_sig", "sig", "data", "goodbye")
"""The messages of a whole session of version 2, in their order."""

StartPotr = Callable[..., Peer]


@pytest.fixture(scope="module")
def potrs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Peer]]:
    """Two potr ends for all tests: Python and its cryptography start slowly."""
    folder = tmp_path_factory.mktemp("potr")
    with (
        Peer(start_of("alice", folder)) as alice,
        Peer(start_of("bob", folder)) as bob,
    ):
        yield {"alice": alice, "bob": bob}


@pytest.fixture
def start_potr(potrs: dict[str, Peer]) -> Iterator[StartPotr]:
    def start_one(name: str = "bob", *, mms: int = 0) -> Peer:
        potrs[name].do("mms", mms)
        return potrs[name]

    yield start_one
    make_new(potrs)


def make_new(potrs: dict[str, Peer]) -> None:
    """Let both ends be as if they had just been started."""
    for peer in potrs.values():
        peer.do("forget")
        peer.do("mms", 0)
        peer.forget_said()
        peer.outbox.clear()


def start_of(name: str, folder: Path) -> Start:
    """Tell how potr is started with one of the keys of the vectors."""
    key = folder / name
    key.write_bytes(recorded_key(name).to_bytes())
    other = "alice" if name == "bob" else "bob"
    return Start(POTR, key, name, other, TAGS[name])


@pytest.fixture(scope="module")
def libotr_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_libotr_program(
        PEERS / "libotr_peer.c", tmp_path_factory.mktemp("libotr")
    )


@pytest.fixture
def libotr(libotr_program: Path) -> Iterator[Peer]:
    key = libotr_program.with_name("key")
    start = Start((str(libotr_program),), key, "alice", "bob", TAGS["alice"])
    with Peer(start) as peer:
        yield peer


@pytest.fixture(scope="module")
def session(potrs: dict[str, Peer]) -> dict[str, str]:
    """One message of each kind, from a session between two potr ends."""
    wire_taps = Records()
    wire = Wire(potrs["alice"], potrs["bob"])
    bob = potrs["bob"]
    bob.do("recv", b"?OTRv2?")
    wire.carry(wire_taps)
    bob.do("send", b"psst")
    bob.do("end")
    wire.carry(wire_taps)
    texts = [parcel[0].decode() for _, parcel in wire_taps.seen]
    make_new(potrs)
    return dict(zip(SESSION, texts, strict=True))


# potr is real


def test_two_potr_ends_agree_on_version_2(start_potr: StartPotr) -> None:
    alice, bob = start_potr("alice"), start_potr("bob")
    alice.do("query")

    Wire(alice, bob).carry()

    ssid = alice.state().ssid
    assert ssid is not None
    assert alice.state() == State(
        "encrypted", recorded_key("bob").fingerprint, ssid, "second", 2, 0, 0, ""
    )
    assert bob.state() == State(
        "encrypted", recorded_key("alice").fingerprint, ssid, "first", 2, 0, 0, ""
    )


@pytest.mark.parametrize("mms", [0, 140])
def test_two_potr_ends_read_each_other_while_keys_rotate(
    start_potr: StartPotr, mms: int
) -> None:
    alice, bob = start_potr("alice", mms=mms), start_potr("bob", mms=mms)
    wire = Wire(alice, bob)
    alice.do("query")
    wire.carry()
    texts = [f"{turn}: grüße ☃".encode() for turn in range(6)]

    for text in texts:
        for end in (alice, bob):
            end.do("send", text)
            wire.carry()

    assert alice.displayed() == texts
    assert bob.displayed() == texts


@pytest.mark.parametrize("asker", ["potr", "libotr"])
def test_potr_talks_with_libotr_in_version_2(
    start_potr: StartPotr, libotr: Peer, asker: str
) -> None:
    potr = start_potr("bob")
    wire = Wire(potr, libotr)
    (potr if asker == "potr" else libotr).do("query")
    wire.carry()

    potr.do("send", "grüße von potr".encode())
    libotr.do("send", "grüße von libotr".encode())
    wire.carry()

    ours, theirs = potr.state(), libotr.state()
    assert (ours.version, theirs.version) == (2, 2)
    assert ours.ssid == theirs.ssid
    assert {ours.half, theirs.half} == {"first", "second"}
    assert ours.their_fingerprint == libotr.fingerprint
    assert theirs.their_fingerprint == recorded_key("bob").fingerprint
    assert libotr.displayed() == ["grüße von potr".encode()]
    assert potr.displayed() == ["grüße von libotr".encode()]


def test_potr_talks_with_libotr_with_a_key_it_made_itself(
    tmp_path: Path, libotr: Peer
) -> None:
    start = Start(POTR, tmp_path / "fresh", "bob", "alice", TAGS["bob"])
    with Peer(start) as potr:
        potr.do("query")

        Wire(potr, libotr).carry()

        assert libotr.state().their_fingerprint == potr.fingerprint
    with Peer(start) as again:
        assert again.fingerprint == potr.fingerprint


def test_forged_text_is_not_read_by_potr(start_potr: StartPotr) -> None:
    alice, bob = start_potr("alice"), start_potr("bob")
    wire = Wire(alice, bob)
    alice.do("query")
    wire.carry()
    alice.do("send", b"hello")
    (text,) = alice.outbox

    bob.do("recv", text[:-40] + (b"A" if text[-40:-39] != b"A" else b"B") + text[-39:])

    assert bob.said == ["event RCVDMSG_UNREADABLE -"]


def test_signature_by_another_key_is_not_taken_by_potr(
    start_potr: StartPotr, tmp_path: Path
) -> None:
    bob = start_potr("bob")
    mallory = Start(POTR, tmp_path / "mallory", "alice", "bob", TAGS["alice"])
    numbers = [int(VECTORS["keys"]["alice"][part], 16) for part in "pqgyx"]
    numbers[-1] += 1  # Alice's public numbers without her secret
    mallory.key.write_bytes(b"\0\0" + b"".join(map(encode_mpi, numbers)))
    with Peer(mallory) as pretender:
        pretender.do("query")

        Wire(pretender, bob).carry()

        assert bob.said == ["event RCVDMSG_UNREADABLE -"]
        assert bob.state().name == "plain"


def test_potr_keeps_its_keys_out_of_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """potr logs key material for debugging."""
    with (
        Peer(start_of("alice", tmp_path)) as alice,
        Peer(start_of("bob", tmp_path)) as bob,
    ):
        alice.do("query")
        Wire(alice, bob).carry()
        alice.do("recv", b"?OTR:AAIDnonsense.")

    assert capfd.readouterr() == ("", "")


# It asks us


def us() -> Instances:
    return Instances(recorded_key("alice"), TAGS["alice"], redrawable("alice"))


def receive_all(end: Instances, peer: Peer) -> list[Output]:
    """Hand us all that the peer has put on the network."""
    messages, peer.outbox = peer.outbox, []
    return [
        output for message in messages for output in end.receive(message.decode(), 0.0)
    ]


@pytest.mark.parametrize(
    ("mms", "command", "n_messages", "expected"),
    [
        pytest.param(0, ("query",), 1, [OfferTooOld()], id="query"),
        pytest.param(
            0,
            ("send", b"hi there"),
            1,
            [PlainReceived("hi there"), OfferTooOld()],
            id="whitespace-tag",
        ),
        pytest.param(0, ("recv", b"?OTRv2?"), 1, [OfferTooOld()], id="commit"),
        pytest.param(
            100, ("recv", b"?OTRv2?"), 5, [OfferTooOld()], id="commit-in-pieces"
        ),
    ],
)
def test_offer_of_potr_is_told_once_and_not_answered(
    start_potr: StartPotr,
    mms: int,
    command: tuple[str, *tuple[bytes, ...]],
    n_messages: int,
    expected: list[Output],
) -> None:
    bob = start_potr("bob", mms=mms)
    alice = us()
    bob.do(*command)
    assert len(bob.outbox) == n_messages

    outputs = receive_all(alice, bob)

    assert outputs == expected
    assert alice.message_state is MessageState.PLAINTEXT
    assert not alice.is_agreeing
    assert alice.deadline() is None


@pytest.mark.parametrize("name", SESSION)
def test_message_of_version_2_is_told_once_and_not_answered(
    session: dict[str, str], name: str
) -> None:
    alice = us()

    outputs = alice.receive(session[name], 0.0)

    assert outputs == [OfferTooOld()]
    assert alice.message_state is MessageState.PLAINTEXT
    assert alice.deadline() is None


@pytest.mark.parametrize("name", SESSION)
def test_session_of_ours_goes_on_when_a_message_of_version_2_comes_in_between(
    session: dict[str, str], name: str
) -> None:
    pair = Pair()
    pair.agree()
    ssid = pair.alice.ssid

    outputs = pair.alice.receive(session[name], 0.0)

    assert outputs == [OfferTooOld()]
    assert pair.alice.ssid == ssid
    pair.carry(pair.alice, pair.alice.send("still here", 0.0))
    assert pair.told[pair.bob] == [
        Received("still here", recorded_key("alice").fingerprint)
    ]


@pytest.mark.parametrize("name", SESSION)
def test_exchange_of_ours_goes_on_when_a_message_of_version_2_comes_in_between(
    session: dict[str, str], name: str
) -> None:
    """Who can put messages on the way cannot turn an exchange into an older one."""
    pair = Pair()
    (commit,) = injected(pair.bob.receive("?OTRv3?", 0.0))
    pair.alice.receive(commit, 0.0)  # its answer is lost

    outputs = pair.alice.receive(session[name], 0.0)

    assert outputs == [OfferTooOld()]
    pair.carry(pair.bob, pair.bob.receive("?OTRv3?", 0.0))
    assert pair.alice.message_state is MessageState.ENCRYPTED
    assert pair.alice.ssid == pair.bob.ssid


# We ask it


def test_query_of_ours_draws_nothing_from_potr(start_potr: StartPotr) -> None:
    bob = start_potr("bob")
    (query,) = injected(us().ask(0.0))

    said = bob.do("recv", query.encode())

    assert said == []
    assert bob.outbox == []
    assert bob.state().name == "plain"


def test_query_of_ours_edited_to_version_2_draws_a_commit_that_we_refuse(
    start_potr: StartPotr,
) -> None:
    """Version rollback: the query is not authenticated, what follows from it is."""
    bob = start_potr("bob")
    alice = us()
    (query,) = injected(alice.ask(0.0))
    bob.do("recv", query.replace("3", "2").encode())
    assert [message[:9] for message in bob.outbox] == [b"?OTR:AAIC"]

    outputs = receive_all(alice, bob)

    assert outputs == [OfferTooOld()]
    assert alice.message_state is MessageState.PLAINTEXT


@pytest.mark.parametrize("query", ["?OTRv23?", "?OTR?v23?", "?OTRv32?"])
def test_query_for_both_versions_is_answered_with_version_3_only(
    start_potr: StartPotr, query: str
) -> None:
    bob = start_potr("bob")
    alice = us()

    (text,) = injected(alice.receive(query, 0.0))

    assert isinstance(message_of(text), DhCommit)
    assert text.startswith("?OTR:AAMC")
    # To potr this is no message of OTR, so it neither answers nor says an error.
    assert bob.do("recv", text.encode())[0].startswith("display ")
    assert bob.outbox == []


def test_no_session_and_no_clear_text_comes_of_all_attempts_together(
    start_potr: StartPotr,
) -> None:
    """Both ends try, somebody in between edits every query both ways, time passes."""
    bob = start_potr("bob")
    alice = us()
    left: list[str] = []
    heard: list[Output] = []

    def carry(outputs: list[Output], now: float) -> None:
        heard.extend(told(outputs))
        while outputs or bob.outbox:
            for text in injected(outputs):
                left.append(text)
                bob.do("recv", text.encode())
                bob.do("recv", text.replace("OTRv3", "OTRv2").encode())
                bob.do("recv", text.replace("OTRv3", "OTRv23").encode())
            messages, bob.outbox = bob.outbox, []
            outputs = [
                output
                for message in messages
                for edited in (message, message.replace(b"OTRv2", b"OTRv23"))
                for output in alice.receive(edited.decode(), now)
            ]
            heard.extend(told(outputs))

    for now in (0.0, 30.0, 200.0, 4000.0):
        carry(alice.ask(now), now)
        bob.do("query")
        bob.do("send", b"anybody?")
        carry(alice.tick(now + 25.0), now + 25.0)
        with pytest.raises(LocalError):
            alice.send("meet me at nine", now + 26.0)
        with pytest.raises(LocalError):
            alice.smp_start("nine", now + 26.0)

    assert {text[:9] for text in left} == {"?OTRv3?", "?OTR:AAMC"}
    assert OfferTooOld() in heard
    assert PlainReceived("anybody?") in heard
    assert alice.message_state is MessageState.PLAINTEXT
    assert alice.their_fingerprint is None
    assert bob.state().name == "plain"
    # Nobody is left waiting for an exchange that can never end.
    carry(alice.tick(9000.0), 9000.0)
    assert alice.deadline() is None
    assert not alice.is_agreeing
