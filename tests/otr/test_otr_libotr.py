"""Our engine against the real libotr, which most other clients are made of.

A missing compiler or library fails these tests: without them nothing is proved.
"""

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coykiosk.otr import (
    EndedByPeer,
    ErrorLine,
    Instances,
    MessageState,
    Output,
    PlainReceived,
    Received,
    Secured,
)
from tests.otr.wiring import (
    MAX_ROUNDS,
    TAGS,
    injected,
    recorded_key,
    redrawable,
    seed_of_commit,
    told,
)

SOURCE = Path(__file__).parent.parent / "peers" / "libotr_peer.c"
ROUNDS = 20
TEXTS = ("hello", "grüße ☃ 🛰", "two\nlines, <b>marks</b> & \\ %s", "x" * 700)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode() or "-"


def unb64(text: str) -> str:
    return "" if text == "-" else base64.b64decode(text).decode()


class LibotrPeer:
    """One libotr process behind the line protocol."""

    def __init__(self, program: Path, key: Path, *, mms: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 # the program we just built
            [
                *(str(program), "--key", str(key), "--account", "bob"),
                *("--peer", "alice", "--mms", str(mms), "--instag", f"{TAGS['bob']:x}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._line()
        assert ready.startswith("ready "), ready
        self.fingerprint = bytes.fromhex(ready.removeprefix("ready "))

    def __call__(self, *words: str) -> list[str]:
        """Give one command; returns the lines of its output."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        lines = []
        while (line := self._line()) != "ok":
            lines.append(line)
        return lines

    def state(self) -> dict[str, str]:
        (line,) = self("state")
        word, *facts = line.removeprefix("state ").split(" ")
        return {"state": word} | dict(fact.split("=", 1) for fact in facts)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        assert line.endswith("\n"), "the libotr peer has died"
        return line.rstrip("\n")

    def close(self) -> None:
        self._process.communicate("quit\n", timeout=10)


class Talk:
    """Our Alice and libotr's Bob, and what either was told."""

    def __init__(self, peer: LibotrPeer, *, mms: int, seed: object) -> None:
        self.peer = peer
        self.alice = Instances(
            recorded_key("alice"),
            TAGS["alice"],
            redrawable(seed),
            max_message_chars=mms or None,
        )
        self.now = 0.0
        self.told: list[Output] = []
        self.shown: list[str] = []
        """libotr's lines other than `inject`."""

    def carry(self, ours: list[Output], theirs: list[str] | None = None) -> None:
        """Carry messages both ways until nobody has anything to say."""
        self.told += told(ours)
        to_peer = injected(ours)
        to_us = self._sort(theirs or [])
        for _ in range(MAX_ROUNDS):
            if not to_peer and not to_us:
                return
            if to_peer:
                to_us += self._sort(self.peer("recv", b64(to_peer.pop(0))))
            if to_us:
                outputs = self.alice.receive(to_us.pop(0), self.now)
                self.told += told(outputs)
                to_peer += injected(outputs)
        raise AssertionError("the two ends never come to rest")  # noqa: EM101 # a test's own words

    def _sort(self, lines: list[str]) -> list[str]:
        """Return what is to be carried; keep the rest."""
        self.shown += [line for line in lines if not line.startswith("inject ")]
        return [
            unb64(line.removeprefix("inject "))
            for line in lines
            if line.startswith("inject ")
        ]

    def agree(self) -> None:
        self.carry(self.alice.ask(self.now))
        assert self.alice.message_state is MessageState.ENCRYPTED
        self.told.clear()
        self.shown.clear()


@pytest.fixture(scope="session")
def libotr_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    assert compiler, "gcc is missing: apt install gcc libotr5-dev"
    program = tmp_path_factory.mktemp("libotr") / "libotr_peer"
    subprocess.run(  # noqa: S603 # fixed arguments
        [
            *(compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"),
            *("-Wno-unused-parameter", "-o", program, SOURCE, "-lotr", "-lgcrypt"),
        ],
        check=True,
    )
    return program


Start = Callable[..., Talk]


@pytest.fixture
def start(libotr_program: Path) -> Iterator[Start]:
    peers = []

    def start_one(*, our_mms: int = 0, their_mms: int = 0, seed: object = 0) -> Talk:
        # One key for all tests: libotr needs a while to make one.
        peer = LibotrPeer(
            libotr_program, libotr_program.with_name("key"), mms=their_mms
        )
        peers.append(peer)
        return Talk(peer, mms=our_mms, seed=seed)

    yield start_one
    for peer in peers:
        peer.close()


def assert_same_session(talk: Talk, *, our_half_first: bool) -> None:
    state = talk.peer.state()
    assert state["state"] == "encrypted"
    assert state["version"] == "3"
    assert bytes.fromhex(state["ssid"]) == talk.alice.ssid
    assert bytes.fromhex(state["fp"]) == recorded_key("alice").fingerprint
    assert state["half"] == ("second" if our_half_first else "first")
    assert talk.alice.their_fingerprint == talk.peer.fingerprint
    assert (state["our"], state["their"]) == ("5a73a599", "27e31597")


def test_ake_with_libotr_succeeds_when_we_ask_and_it_commits(start: Start) -> None:
    talk = start()

    talk.carry(talk.alice.ask(0))

    assert_same_session(talk, our_half_first=False)
    assert "gone-secure" in talk.shown


def test_ake_with_libotr_succeeds_when_it_asks_and_we_commit(start: Start) -> None:
    talk = start()

    talk.carry([], talk.peer("query"))

    assert_same_session(talk, our_half_first=True)
    assert "gone-secure" in talk.shown


def test_ake_with_libotr_starts_from_its_whitespace_tag(start: Start) -> None:
    talk = start()

    talk.carry([], talk.peer("send", b64("hi, do you speak OTR?")))

    assert talk.told[0] == PlainReceived("hi, do you speak OTR?")
    assert_same_session(talk, our_half_first=True)


def test_ake_with_libotr_survives_its_fragmented_tagged_text(start: Start) -> None:
    """libotr cuts plain text into fragments of version 2, which have no tags."""
    talk = start(their_mms=100)

    talk.carry([], talk.peer("send", b64("hello, " + "word " * 40)))

    assert talk.told[0] == PlainReceived("hello, " + "word " * 40)
    assert_same_session(talk, our_half_first=True)


@pytest.mark.parametrize("their_mms", [0, 140, 400])
@pytest.mark.parametrize("our_mms", [0, 140, 400])
def test_texts_pass_both_ways_when_messages_are_cut(
    start: Start, our_mms: int, their_mms: int
) -> None:
    talk = start(our_mms=our_mms, their_mms=their_mms)
    talk.agree()
    sent = [f"{n}: {TEXTS[n % len(TEXTS)]}" for n in range(ROUNDS)]

    for text in sent:
        talk.carry(talk.alice.send(text, 0))
        talk.carry([], talk.peer("send", b64(text)))

    assert [line for line in talk.shown if not line.startswith("tlv 0 ")] == [
        f"display {b64(text)}" for text in sent
    ]
    assert talk.told == [Received(text, talk.peer.fingerprint) for text in sent]


@pytest.mark.parametrize("text", ["?OTRv2?", "?OTR:AAMD.", "?OTR Error: x"])
def test_text_that_looks_like_otr_is_shown_as_text_by_libotr(
    start: Start, text: str
) -> None:
    talk = start()
    talk.agree()

    talk.carry(talk.alice.send(text, 0))

    assert f"display {b64(text)}" in talk.shown
    assert talk.told == []


def test_several_texts_in_a_row_are_read_by_libotr(start: Start) -> None:
    talk = start()
    talk.agree()

    for n in range(5):
        talk.carry(talk.alice.send(f"{n}", 0))

    shown = [line for line in talk.shown if line.startswith("display ")]
    assert shown == [f"display {b64(str(n))}" for n in range(5)]


def test_heartbeat_of_ours_is_taken_as_one_by_libotr(start: Start) -> None:
    talk = start()
    talk.agree()
    talk.now = 61.0

    talk.carry([], talk.peer("send", b64("still there?")))

    assert "event LOG_HEARTBEAT_RCVD -" in talk.shown
    assert not [line for line in talk.shown if line.startswith("display")]


def test_libotr_hears_that_we_ended(start: Start) -> None:
    talk = start()
    talk.agree()

    talk.carry(talk.alice.end(0))

    assert talk.peer.state()["state"] == "finished"
    assert "tlv 1 -" in talk.shown
    assert talk.alice.message_state is MessageState.PLAINTEXT


def test_we_hear_that_libotr_ended(start: Start) -> None:
    talk = start()
    talk.agree()

    talk.carry([], talk.peer("end"))

    assert talk.told == [EndedByPeer()]
    assert talk.alice.message_state is MessageState.FINISHED


def test_libotr_takes_a_new_exchange_while_encrypted(start: Start) -> None:
    talk = start()
    talk.agree()

    talk.carry([], talk.peer("query"))

    (secured,) = [output for output in talk.told if isinstance(output, Secured)]
    assert secured.refreshed
    assert "still-secure" in talk.shown
    talk.carry(talk.alice.send("after", 0))
    assert f"display {b64('after')}" in talk.shown


def test_session_returns_after_libotr_ended(start: Start) -> None:
    talk = start()
    talk.agree()
    talk.carry([], talk.peer("end"))

    talk.carry(talk.alice.ask(0))

    assert_same_session(talk, our_half_first=False)


@pytest.mark.parametrize("our_hash", [b"\xff", b"\x00"], ids=["higher", "lower"])
def test_ake_with_libotr_succeeds_when_both_commit_at_once(
    start: Start, our_hash: bytes
) -> None:
    """Two libotr ends come to a deadlock here; one that keeps to the table is enough."""
    talk = start(seed=seed_of_commit(our_hash))
    our_query = injected(talk.alice.ask(0))
    their_query = talk.peer("query")
    theirs = talk.peer("recv", b64(our_query[0]))
    query_text = unb64(their_query[0].removeprefix("inject "))

    ours = talk.alice.receive(query_text, 0)
    talk.carry(ours, theirs)

    assert talk.peer.state()["state"] == "encrypted"
    assert bytes.fromhex(talk.peer.state()["ssid"]) == talk.alice.ssid
    talk.carry(talk.alice.send("works", 0))
    assert f"display {b64('works')}" in talk.shown


def test_libotr_says_that_it_could_not_read_a_forged_message(start: Start) -> None:
    talk = start()
    talk.agree()
    (text,) = injected(talk.alice.send("hello", 0))
    forged = text[:-30] + ("A" if text[-30] != "A" else "B") + text[-29:]

    talk.carry([], talk.peer("recv", b64(forged)))

    assert talk.told == [ErrorLine("unreadable")]


def test_libotr_hears_that_a_message_of_its_own_was_not_read(start: Start) -> None:
    talk = start()
    talk.agree()
    (line,) = talk.peer("send", b64("lost on the way"))
    text = unb64(line.removeprefix("inject "))
    forged = text[:-40] + ("A" if text[-40] != "A" else "B") + text[-39:]

    talk.carry(talk.alice.receive(forged, 0))

    (event,) = [line for line in talk.shown if "GENERAL_ERR" in line]
    assert "could not be read" in unb64(event.split(" ")[2])
