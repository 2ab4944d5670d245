"""Two ends of our engine in one process, timed; the twin of libotr_bench.c.

Only what `coykiosk.otr` offers to everybody is used, as a program would use it, and
each run checks that the right thing came out: a fast wrong answer is no figure.
"""

import secrets
import time
from collections.abc import Iterable
from typing import Final

from coykiosk.otr import (
    Inject,
    Instances,
    MessageState,
    Output,
    PrivateKey,
    Received,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    draw_instance_tag,
)

_NOW: Final = 0.0  # no timer ever comes due
_WARM_UP_TURNS: Final = 3  # until every key of a running conversation was in use
_SECRET: Final = "the name of the cat"  # noqa: S105 - a secret of nobody's


class Account:
    """What is made once: the long-term key and the instance tag."""

    def __init__(self) -> None:
        self._key = PrivateKey.generate()
        self._tag = draw_instance_tag(secrets.token_bytes)

    def instances(self) -> Instances:
        """Begin with one more contact."""
        return Instances(self._key, self._tag, secrets.token_bytes)


class Conversation:
    """Two accounts, each other's contact; nothing is agreed yet."""

    __slots__ = ("alice", "bob")

    def __init__(self, alice: Account, bob: Account) -> None:
        self.alice = alice.instances()
        self.bob = bob.instances()

    def agree(self) -> None:
        """Run a whole key exchange, from the query on."""
        self.carry(self.alice, self.alice.ask(_NOW))
        assert self.alice.message_state is MessageState.ENCRYPTED
        assert self.bob.message_state is MessageState.ENCRYPTED

    def carry(self, sender: Instances, outputs: Iterable[Output]) -> list[Output]:
        """Carry messages until nobody has anything to say; return the rest."""
        told: list[Output] = []
        waiting = [(sender, output) for output in outputs]
        while waiting:
            end, output = waiting.pop(0)
            if isinstance(output, Inject):
                receiver = self._other(end)
                answers = receiver.receive(output.text, _NOW)
                waiting += [(receiver, answer) for answer in answers]
            else:
                told.append(output)
        return told

    def say(self, sender: Instances, text: str) -> None:
        """Send one text and have it read."""
        [sent] = sender.send(text, _NOW)
        assert isinstance(sent, Inject)
        [read] = self._other(sender).receive(sent.text, _NOW)
        assert isinstance(read, Received)
        assert read.text == text

    def warm_up(self) -> None:
        """Take turns until every key is in use that ever is."""
        for _ in range(_WARM_UP_TURNS):
            self.say(self.alice, "hello")
            self.say(self.bob, "hello")

    def compare(self) -> None:
        """Run a whole comparison of equal secrets (SMP)."""
        told = self.carry(self.alice, self.alice.smp_start(_SECRET, _NOW))
        assert any(isinstance(output, SmpAsked) for output in told)
        told = self.carry(self.bob, self.bob.smp_answer(_SECRET, _NOW))
        ended = [output for output in told if isinstance(output, SmpEnded)]
        assert [end.outcome for end in ended] == 2 * [SmpOutcome.SUCCEEDED]

    def _other(self, end: Instances) -> Instances:
        return self.bob if end is self.alice else self.alice


class Ends:
    """The commands of libotr_bench.c, answered by us: seconds of CPU for each run."""

    def __init__(self) -> None:
        self._alice = Account()
        self._bob = Account()

    def ake(self, n: int) -> list[float]:
        """Key exchanges between ends that have never met."""
        took = []
        for _ in range(n):
            began = time.process_time()
            self._fresh().agree()
            took.append(time.process_time() - began)
        return took

    def greeting(self, n: int) -> list[float]:
        """Key exchanges, and a first message each way."""
        took = []
        for _ in range(n):
            began = time.process_time()
            talk = self._fresh()
            talk.agree()
            talk.say(talk.alice, "hello")
            talk.say(talk.bob, "hello")
            took.append(time.process_time() - began)
        return took

    def alternating(self, n: int, n_bytes: int) -> list[float]:
        """Messages in turns, so that each rotates the keys; the mean of one."""
        talk = self._talking()
        text = "x" * n_bytes
        began = time.process_time()
        for at in range(n):
            talk.say(talk.bob if at % 2 else talk.alice, text)
        return [(time.process_time() - began) / n]

    def same(self, n: int, n_bytes: int) -> list[float]:
        """Messages of one end alone; the mean of one."""
        talk = self._talking()
        text = "x" * n_bytes
        talk.say(talk.alice, text)  # rotates the keys, which the others do not
        began = time.process_time()
        for _ in range(n):
            talk.say(talk.alice, text)
        return [(time.process_time() - began) / n]

    def smp(self, n: int) -> list[float]:
        """Comparisons that succeed, each in a session of its own."""
        took = []
        for _ in range(n):
            talk = self._fresh()
            talk.agree()
            began = time.process_time()
            talk.compare()
            took.append(time.process_time() - began)
        return took

    def keygen(self, n: int) -> list[float]:
        """Long-term keys."""
        took = []
        for _ in range(n):
            began = time.process_time()
            PrivateKey.generate()
            took.append(time.process_time() - began)
        return took

    def _fresh(self) -> Conversation:
        return Conversation(self._alice, self._bob)

    def _talking(self) -> Conversation:
        talk = self._fresh()
        talk.agree()
        talk.warm_up()
        return talk
