"""Two ends of a scenario: their peers, what is known of them, the wire between."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

from tests.otr.pairs.kinds import PeerKind
from tests.peers.driver import Hook, Parcel, Peer, Start, State, Wire, as_sent

AKE_TIMEOUT_S = 21
"""A second more than we wait for one that we gave way to (`ake.AKE_TIMEOUT_S`)."""
TAGS = {"alice": 0x27E31597, "bob": 0x5A73A599}


class Roles(Enum):
    """Which of the two is `first`, who begins what a scenario is about."""

    WE_BEGIN = "we_begin"
    THEY_BEGIN = "they_begin"


@dataclass(frozen=True, slots=True)
class Program:
    """A peer that can be started."""

    kind: PeerKind
    command: tuple[str, ...]
    keys: Path
    """The directory of its key, made at the first start and then used again."""

    def key_of(self, name: str) -> Path:
        """Return where its key for this account is."""
        return self.keys / f"{self.kind.name}-{name}.key"

    def start(self, name: str, peer: str, mms: int) -> Peer:
        """Start it under a name; its instance tag goes with the name."""
        key = self.key_of(name)
        return Peer(Start(self.command, key, name, peer, TAGS[name], mms))


class Ends:
    """Two peers that have never met."""

    def __init__(
        self, first: Peer, second: Peer, kinds: Mapping[Peer, PeerKind]
    ) -> None:
        self.first = first
        self.second = second
        self.wire = Wire(first, second)
        self._kinds = kinds

    @property
    def both(self) -> tuple[Peer, Peer]:
        return self.first, self.second

    def kind(self, peer: Peer) -> PeerKind:
        return self._kinds[peer]

    def other(self, peer: Peer) -> Peer:
        return self.wire.other(peer)

    def do(
        self,
        peer: Peer,
        word: str,
        *arguments: str | int | bytes,
        hook: Hook = as_sent,
    ) -> list[str]:
        """Give a command, carry what follows; returns what the command itself said."""
        said = peer.do(word, *arguments)
        self.wire.carry(hook)
        return said

    def agree(self) -> None:
        """Get a session up, the first asking, and forget what was said about it."""
        self.do(self.first, "query")
        assert_same_session(self)
        self.forget_said()

    def ask_again(self, asker: Peer) -> None:
        """Ask for OTR once more, when the other end would listen to it."""
        self.let_queries_pass(asker)
        self.do(asker, "query")
        for end in self.both:
            if self.kind(self.other(end)).stalls_after_winning_tie:
                self.do(end, "clock", AKE_TIMEOUT_S)

    def get_over_forged_text(self, sender: Peer) -> None:
        """Let the sender say something in vain, if the other end needs that."""
        if self.kind(self.other(sender)).counts_forged_texts:
            self.do(sender, "send", b"in vain")

    def let_queries_pass(self, asker: Peer) -> None:
        """Let time pass until a query of the asker is answered."""
        other = self.other(asker)
        deaf_s = self.kind(other).ignores_query_for_s
        if deaf_s and self.kind(other).has_clock:
            other.do("clock", deaf_s + 1)
        elif deaf_s:
            # Nobody waits a minute for this: it comes back as after a crash.
            other.do("forget")

    def who_can_ask_while_encrypted(self) -> Peer:
        """Return the first, unless the second would not listen to a query so soon."""
        kind = self.kind(self.second)
        if kind.ignores_query_for_s and not kind.has_clock:
            return self.second
        self.let_queries_pass(self.first)
        return self.first

    def forget_said(self) -> None:
        for end in self.both:
            end.forget_said()

    def states(self) -> tuple[State, State]:
        return self.first.state(), self.second.state()

    def assert_texts_pass(self, label: str = "it works") -> None:
        """A text each way arrives, once and as it was sent."""
        for sender in self.both:
            text = f"{label}, says {sender.start.account}".encode()
            before = self.other(sender).displayed()
            self.do(sender, "send", text)
            assert self.other(sender).displayed() == [*before, text]


def assert_same_session(ends: Ends) -> None:
    """Both ends are encrypted, under each other's key, in one session."""
    first, second = ends.states()
    assert (first.name, second.name) == ("encrypted", "encrypted")
    assert (first.version, second.version) == (3, 3)
    assert first.ssid is not None
    assert first.ssid == second.ssid
    assert {first.half, second.half} == {"first", "second"}
    assert first.their_fingerprint == ends.second.fingerprint
    assert second.their_fingerprint == ends.first.fingerprint
    assert first.our_tag == second.their_tag == ends.first.start.instance_tag
    assert second.our_tag == first.their_tag == ends.second.start.instance_tag


def texts_in_clear(parcels: list[tuple[Peer, Parcel]]) -> list[bytes]:
    """Return what of this anybody on the way could read: all that is not OTR's."""
    return [
        message
        for _, parcel in parcels
        for message in parcel
        if message and not message.startswith(b"?OTR")
    ]


class Company:
    """Peers that are kept running from one scenario to the next.

    Starting them takes longer than most scenarios. Before each, they forget all that
    was; after one that fails they leave, for nobody knows what they are about.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Peer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for place in list(self._running):
            self._running.pop(place).close()

    @contextmanager
    def meet(
        self, ours: Program, theirs: Program, roles: Roles, mms: int
    ) -> Iterator[Ends]:
        """Bring two together; whoever begins is called Alice."""
        programs = (ours, theirs) if roles is Roles.WE_BEGIN else (theirs, ours)
        first = self._call(programs[0], "alice", "bob", mms)
        second = self._call(programs[1], "bob", "alice", mms)
        kinds = {first: programs[0].kind, second: programs[1].kind}
        try:
            yield Ends(first, second, kinds)
        except BaseException:
            self.__exit__()
            raise

    def _call(self, program: Program, name: str, peer: str, mms: int) -> Peer:
        place = (program.kind.name, name)
        if place not in self._running:
            self._running[place] = program.start(name, peer, mms)
        called = self._running[place]
        called.do("forget")
        called.do("mms", mms)
        called.outbox.clear()
        called.forget_said()
        return called


@contextmanager
def meet(ours: Program, theirs: Program, roles: Roles, mms: int) -> Iterator[Ends]:
    """Bring two together that are started for it."""
    with Company() as company, company.meet(ours, theirs, roles, mms) as ends:
        yield ends
