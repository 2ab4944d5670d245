"""One scene, played step by step, with every promise checked after each step.

Rule: whatever reaches an end goes through `deliver`, whatever its person does through
`act`. `LocalError` may come of an act; of a message, nothing at all may be raised.
"""

from collections.abc import Callable
from typing import Final

from coykiosk.otr import Instances, LocalError, MessageState, Output, Received
from coykiosk.otr.pool import MAX_SESSIONS
from tests.fuzz.checks import (
    Broken,
    check_amount,
    check_compared,
    check_hidden,
    check_injected,
    check_proven,
    check_size,
    check_standing,
    check_unheard,
    check_words,
    require,
)
from tests.fuzz.inside import (
    differing,
    engine_of,
    fingerprint_of,
    session_count,
    sessions_of,
)
from tests.fuzz.ledger import Proof, Words
from tests.fuzz.scene import Scene

SECRET: Final = "the secret"  # noqa: S105 # of a comparison, between two dolls
_ENOUGH_ROUNDS: Final = 40
_REFILLED_S: Final = 128.0
"""By then, whatever was spent of the allowances for exchanges is there again."""
_FEW: Final = 24
_HIDDEN_CHARS: Final = 8
"""A shorter text may be found in any message by chance."""


class Play:
    """Plays one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.n_delivered = 0
        self._n_fragments = 0
        self._sessions_after: dict[str, dict[int, bytes]] = {}

    def deliver(self, name: str, text: str) -> list[Output]:
        """Give a text to an end, and hold what comes of it against the ledger."""
        scene = self.scene
        end = scene.ends[name]
        self.n_delivered += 1
        self._n_fragments += "," in text
        before = self._sessions(name)
        heard = scene.ledger.hear(name, scene.tags[name], text)
        partner = None if heard is None else fingerprint_of(end, heard.sender_tag)
        was_full = session_count(end) >= MAX_SESSIONS
        outputs = end.receive(text, scene.now)
        after = self._sessions_after[name] = sessions_of(end)
        changed = differing(before, after)
        check_amount(outputs)
        match heard:
            case None:
                check_unheard(outputs, changed)
            case Proof():
                check_proven(
                    heard, outputs, changed, partner=partner, was_full=was_full
                )
            case Words():
                with_author = partner == heard.author
                check_words(heard, outputs, changed, with_author=with_author)
                theirs = scene.secrets_of(heard.author)
                check_compared(outputs, scene.secrets[name], theirs)
                if changed:
                    self._take(name, heard)
        self._enter(name, outputs)
        return outputs

    def act(
        self,
        name: str,
        action: Callable[[Instances, float], list[Output]],
        *,
        text: str = "",
        secret: str = "",
    ) -> None:
        """Let a person do something; it may be something that cannot be done now."""
        end = self.scene.ends[name]
        was_encrypted = end.message_state is MessageState.ENCRYPTED
        try:
            outputs = action(end, self.scene.now)
        except LocalError:
            return
        require(was_encrypted or not text, "a text was sent without a session")
        if secret:
            self.scene.secrets[name].append(secret)
        self.forget(name)
        self._enter(name, outputs, text=text)

    def forget(self, name: str) -> None:
        """Look at an end's sessions anew: its keys were used by somebody else."""
        self._sessions_after.pop(name, None)

    def wait(self, seconds: float) -> None:
        """Let time pass, and each end do what is due."""
        scene = self.scene
        scene.now += seconds
        for name, end in scene.ends.items():
            before = self._sessions(name)
            outputs = end.tick(scene.now)
            after = self._sessions_after[name] = sessions_of(end)
            check_unheard(outputs, differing(before, after))
            due = end.deadline()
            require(due is None or due > scene.now, "something is due, but not done")
            self._enter(name, outputs)

    def converse(self) -> None:
        """Carry messages between Alice and Bob until nobody has anything to say."""
        scene = self.scene
        for _ in range(_ENOUGH_ROUNDS):
            waiting = [
                (other, text)
                for name, other in (("alice", "bob"), ("bob", "alice"))
                for text in scene.air[name][scene.carried[name] :]
            ]
            if not waiting:
                return
            for name in ("alice", "bob"):
                scene.carried[name] = len(scene.air[name])
            for other, text in waiting:
                self.deliver(other, text)
        raise Broken("two ends never come to rest")  # noqa: EM101 # the finding's own words

    def finish(self, ending: int) -> None:
        """A fresh start works after anything, and memory is bounded.

        `ending` says in bits: first wait; Bob asks, not Alice; add up the memory; and
        none of all this, to be done the sooner.
        """
        scene = self.scene
        if ending & 8:
            return
        for end in scene.ends.values():
            check_standing(end)
        if ending & 4:
            for name in ("alice", "bob"):
                check_size(scene.ends[name], self._n_fragments)
        if self.n_delivered > _FEW or ending & 1:
            self.wait(_REFILLED_S)
        for name in ("alice", "bob"):  # what is still on the wire is lost
            scene.carried[name] = len(scene.air[name])
        asker = "bob" if ending & 2 else "alice"
        self.act(asker, Instances.ask)
        self.converse()
        self._check_agreed("alice", "bob")
        self._check_agreed("bob", "alice")
        self._check_heard("alice", "bob")
        self._check_heard("bob", "alice")

    def _take(self, name: str, words: Words) -> None:
        taken = (name, words.key)
        accepted = self.scene.ledger.accepted
        require(taken not in accepted, "a message was taken twice")
        accepted.add(taken)

    def _check_agreed(self, name: str, other: str) -> None:
        scene = self.scene
        engine = engine_of(scene.ends[name], scene.tags[other])
        require(engine is not None, f"{name} does not know {other}")
        assert engine is not None
        require(
            engine.message_state is MessageState.ENCRYPTED,
            f"{name} cannot start afresh",
        )
        require(engine.fingerprint == scene.fingerprints[other], "fresh, with another")
        back = engine_of(scene.ends[other], scene.tags[name])
        require(back is not None and back.ssid == engine.ssid, "two different ssids")

    def _check_heard(self, name: str, other: str) -> None:
        scene = self.scene
        text = f"to {other}: all is well again"
        end = scene.ends[name]
        if end.their_instance_tag != scene.tags[other]:
            return  # Mallory has a session, too, and was heard later
        already = len(scene.air[name])
        self.act(name, lambda end, now: end.send(text, now), text=text)
        heard = [
            output
            for carried in scene.air[name][already:]
            for output in self.deliver(other, carried)
            if isinstance(output, Received)
        ]
        require(
            [each.text for each in heard] == [text], f"{other} does not hear {name}"
        )
        scene.carried[name] = len(scene.air[name])

    def _sessions(self, name: str) -> dict[int, bytes]:
        known = self._sessions_after.get(name)
        return sessions_of(self.scene.ends[name]) if known is None else known

    def _enter(self, name: str, outputs: list[Output], *, text: str = "") -> None:
        check_injected(outputs)
        if len(text) >= _HIDDEN_CHARS:
            check_hidden(outputs, text)
        self.scene.sent(name, outputs, text=text)
