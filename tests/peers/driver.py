"""Run a peer process that speaks the line protocol, and carry messages between two.

Rule: nothing here knows which implementation is behind a peer. What a peer puts on
the network is OTR, whole messages or fragments; that is all that is known of it.

The protocol: a command is one line, arguments are split by blanks, text and binary
ones are base64 (`-` when empty). The peer answers with any number of lines and `ok`.
Its very first line is `ready FINGERPRINT`. A peer reads its standard input to the
end and then leaves: when the one who started it is gone, so is the peer.

    recv B64 | send B64 | query | end       a message came; a text, OTR, the end is wanted
    smp B64SECRET [B64QUESTION] | smp-reply B64SECRET | smp-abort
    extrakey USE [B64DATA] | tlv TYPE B64   a further key; any record, as an attacker
    mms N | poll | clock SECONDS | forget   limit; timers; time passes; as after a crash
    state | quit

    inject B64                              to be carried to the other end
    display B64 | plain-warning B64         a text of the session; one in clear
    gone-secure | still-secure | gone-insecure | new-fingerprint HEX
    smp WORD [B64] | extrakey sent|recv USE HEX B64 | tlv TYPE HEX
    state NAME fp= ssid= half= version= our= their= trust=
    event NAME B64 | error TEXT
"""

import base64
import os
import re
import select
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parent.parent.parent
"""Where peers are run, so that those of this house can be run as modules."""
ANSWER_WITHIN_S: Final = 30.0
"""A peer that takes longer has hung; SMP in 1,536-bit groups takes 0.1 s."""
MAX_ROUNDS: Final = 60
"""The longest exchange of any scenario is an SMP, with eight rounds."""

_FRAGMENT: Final = re.compile(
    rb"\?OTR(?:\|[0-9a-fA-F]+\|[0-9a-fA-F]+)?,(\d+),(\d+),", re.ASCII
)
_B64: Final = r"(-|[A-Za-z0-9+/]+={0,2})"
_HEX: Final = r"(-|([0-9a-f]{2})+)"
_LINE: Final = re.compile(
    rf"(inject|display|plain-warning) {_B64}"
    rf"|event [A-Z_]+ {_B64}"
    rf"|tlv \d+ {_HEX}"
    rf"|smp (ask-secret|ask-answer {_B64}|in-progress|success|failure|abort|cheated"
    r"|error)"
    rf"|extrakey (sent|recv) \d+ [0-9a-f]{{64}} {_B64}"
    r"|new-fingerprint [0-9a-f]{40}"
    r"|gone-secure|still-secure|gone-insecure|error .+|ok"
    rf"|state (plain|encrypted|finished) fp={_HEX} ssid={_HEX} half=(first|second|-)"
    r" version=\d our=[0-9a-f]+ their=[0-9a-f]+ trust=\S*",
    re.ASCII,
)
_READ_BYTES: Final = 65536


def b64(data: bytes | str) -> str:
    """Write a text or binary argument of the protocol."""
    raw = data.encode() if isinstance(data, str) else data
    return base64.b64encode(raw).decode() or "-"


def unb64(argument: str) -> bytes:
    """Read a text or binary argument of the protocol."""
    return b"" if argument == "-" else base64.b64decode(argument, validate=True)


@dataclass(frozen=True, slots=True)
class Start:
    """What to run, and what the peer is told when it starts."""

    command: tuple[str, ...]
    """Program and first arguments; the options follow."""
    key: Path
    """Its key file; a peer makes the key itself when the file is not there."""
    account: str
    peer: str
    instance_tag: int
    mms: int = 0
    """The longest message it may send, in characters; 0 for no limit."""

    def arguments(self) -> list[str]:
        """Program and options as the operating system wants them."""
        return [
            *self.command,
            *("--key", str(self.key), "--account", self.account, "--peer", self.peer),
            *("--mms", str(self.mms), "--instag", f"{self.instance_tag:x}"),
        ]


@dataclass(frozen=True, slots=True)
class State:
    """What a peer says of its best session."""

    name: str
    """`plain`, `encrypted` or `finished`."""
    their_fingerprint: bytes | None
    ssid: bytes | None
    half: str
    """Which half of the ssid is its own: `first`, `second`, or `-`."""
    version: int
    our_tag: int
    their_tag: int
    trust: str
    """Empty unless it holds the other end's key to be verified."""


class Peer:
    """One peer process, what it wants to be carried, and what it said.

    Args:
        start: What to run.
    """

    def __init__(self, start: Start) -> None:
        self.start = start
        self.outbox: list[bytes] = []
        """What it has put on the network and nobody has carried yet."""
        self.said: list[str] = []
        """Every line of output but `inject`, in order."""
        self._process = subprocess.Popen(  # noqa: S603 # a program of the test's choice
            start.arguments(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
        )
        self._unread = bytearray()
        try:
            self.fingerprint = self._first_line()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, word: str, *arguments: str | int | bytes) -> list[str]:
        """Give a command; bytes are sent as base64, anything else as it is.

        Returns:
            The lines of its output but `inject` and `ok`; they are also in `said`.
            Messages to be carried are added to `outbox`.
        """
        texts = [
            b64(each) if isinstance(each, bytes) else str(each) for each in arguments
        ]
        self._write(" ".join([word, *texts]) + "\n")
        said = []
        while (line := self._line()) != "ok":
            assert _LINE.fullmatch(line), f"{self.start.command}: {line!r}"
            kind, _, rest = line.partition(" ")
            if kind == "inject":
                self.outbox.append(unb64(rest))
            else:
                said.append(line)
        self.said += said
        return said

    def state(self) -> State:
        """Ask how its best session stands."""
        (line,) = self.do("state")
        self.said.pop()
        _, name, *facts = line.split(" ")
        fact = dict(each.split("=", 1) for each in facts)
        return State(
            name,
            _raw(fact["fp"]),
            _raw(fact["ssid"]),
            fact["half"],
            int(fact["version"]),
            int(fact["our"], 16),
            int(fact["their"], 16),
            fact["trust"],
        )

    def said_of(self, word: str) -> list[str]:
        """Return what followed this word (`display`, `smp`, ...), line by line."""
        return [
            line.partition(" ")[2]
            for line in self.said
            if line.partition(" ")[0] == word
        ]

    def displayed(self) -> list[bytes]:
        """Return the texts it showed as having come through the session."""
        return [unb64(text) for text in self.said_of("display")]

    def forget_said(self) -> None:
        self.said.clear()

    def close(self) -> None:
        """Let the peer leave; if it does not, it is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _first_line(self) -> bytes:
        word, _, fingerprint = self._line().partition(" ")
        assert word == "ready", f"{self.start.command}: {word} {fingerprint}"
        return bytes.fromhex(fingerprint)

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        left = memoryview(line.encode())
        while left:
            left = left[self._process.stdin.write(left) :]

    def _line(self) -> str:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while (end := self._unread.find(b"\n")) < 0:
            ready, _, _ = select.select([pipe], [], [], ANSWER_WITHIN_S)
            assert ready, f"{self.start.command}: no answer in {ANSWER_WITHIN_S} s"
            more = os.read(pipe, _READ_BYTES)
            assert more, f"{self.start.command}: the peer has died"
            self._unread += more
        line = self._unread[:end].decode()
        del self._unread[: end + 1]
        return line


def _raw(hexadecimal: str) -> bytes | None:
    return None if hexadecimal == "-" else bytes.fromhex(hexadecimal)


Parcel = tuple[bytes, ...]
"""One message on its way: whole, or all its fragments in their order."""

Hook = Callable[[Peer, list[Parcel]], list[Parcel]]
"""What happens on the way to the parcels of one sender; returns what arrives."""


def as_sent(_sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
    """Let everything arrive."""
    return parcels


def all_lost(_sender: Peer, _parcels: list[Parcel]) -> list[Parcel]:
    """Let nothing arrive."""
    return []


def all_doubled(_sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
    """Let everything arrive twice, the second time at once after the first."""
    return [parcel for parcel in parcels for _ in range(2)]


def last_first(_sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
    """Let what was sent together arrive in the reverse order."""
    return parcels[::-1]


class Takes:
    """Take single parcels off the wire: lost, unless somebody delivers them later.

    Args:
        numbers: Which ones, counted from 0 over both directions.
    """

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._n_seen = 0
        self.taken: list[tuple[Peer, Parcel]] = []
        """With their senders."""

    def __call__(self, sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
        arriving: list[Parcel] = []
        for parcel in parcels:
            if self._n_seen in self._numbers:
                self.taken.append((sender, parcel))
            else:
                arriving.append(parcel)
            self._n_seen += 1
        return arriving


class Records:
    """Let everything arrive, and keep a copy with its sender."""

    def __init__(self) -> None:
        self.seen: list[tuple[Peer, Parcel]] = []

    def __call__(self, sender: Peer, parcels: list[Parcel]) -> list[Parcel]:
        self.seen += [(sender, parcel) for parcel in parcels]
        return parcels


def parcels_of(messages: Sequence[bytes]) -> list[Parcel]:
    """Bundle the fragments of a message; a whole message is a parcel of its own."""
    parcels: list[Parcel] = []
    pieces: list[bytes] = []
    for message in messages:
        fragment = _FRAGMENT.match(message)
        pieces.append(message)
        if fragment is None or int(fragment[1]) >= int(fragment[2]):
            parcels.append(tuple(pieces))
            pieces = []
    return [*parcels, tuple(pieces)] if pieces else parcels


def joined(parcel: Parcel) -> bytes:
    """Return the message of a parcel as it was before it was cut."""
    if _FRAGMENT.match(parcel[0]) is None:
        (message,) = parcel
        return message
    return b"".join(piece.split(b",", 3)[3].removesuffix(b",") for piece in parcel)


def raw_of(message: bytes) -> bytes:
    """Take a binary message out of its armour."""
    assert message.startswith(b"?OTR:")
    assert message.endswith(b".")
    return base64.b64decode(message[5:-1], validate=True)


def armoured(raw: bytes) -> bytes:
    """Put a binary message into its armour."""
    return b"?OTR:" + base64.b64encode(raw) + b"."


class Wire:
    """The network between two peers.

    Nothing is on its way unless it is carried: a command only fills an outbox.
    """

    def __init__(self, left: Peer, right: Peer) -> None:
        self.left = left
        self.right = right

    def other(self, peer: Peer) -> Peer:
        return self.right if peer is self.left else self.left

    def deliver(self, sender: Peer, parcel: Parcel) -> None:
        """Let one parcel arrive at the other end, now or once more."""
        for message in parcel:
            self.other(sender).do("recv", message)

    def step(self, hook: Hook = as_sent) -> None:
        """Carry what is in both outboxes, and no answer to it."""
        # Taken before either is delivered: what crosses on the way crosses here.
        batches = [(end, self._take(end)) for end in (self.left, self.right)]
        for sender, batch in batches:
            self._arrive(sender, batch, hook)

    def carry(self, hook: Hook = as_sent) -> None:
        """Carry everything both ways until both ends are at rest."""
        for _ in range(MAX_ROUNDS):
            if not self.left.outbox and not self.right.outbox:
                return
            self.step(hook)
        raise AssertionError("the two ends never come to rest")  # noqa: EM101 # a test's own words

    def _take(self, sender: Peer) -> list[Parcel]:
        parcels = parcels_of(sender.outbox)
        sender.outbox = []
        return parcels

    def _arrive(self, sender: Peer, parcels: list[Parcel], hook: Hook) -> None:
        for parcel in hook(sender, parcels):
            self.deliver(sender, parcel)
