"""The engines of one contact, one for each instance tag: how many, which is best.

Rule: a tag proves nothing until a key exchange has. So instances without a session
are kept apart from those with one: whoever invents tags pushes out other strangers
and never a session. A commit of ours that answers a query is every instance's, for
a query does not tell who wrote it; it is kept here, and each engine has its copy.

Source: OTRv3, "Instance Tags"; for the one commit, "Overview of AKE".
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from coykiosk.otr.ake import AKE_EXPIRE_S, AKE_TIMEOUT_S
from coykiosk.otr.ake_states import PendingCommit, draw_commit
from coykiosk.otr.engine import Engine
from coykiosk.otr.events import MessageState, Output
from coykiosk.otr.primitives import RandomBytes

MAX_SESSIONS: Final = 8
"""Encrypted instances of one contact; a further one replaces the least."""
MAX_STRANGERS: Final = 8
"""Instances of one contact that are not encrypted."""

_RANK: Final = {
    MessageState.PLAINTEXT: 0,
    MessageState.FINISHED: 1,
    MessageState.ENCRYPTED: 2,
}


class EnginePool:
    """At most `MAX_SESSIONS` + `MAX_STRANGERS` engines by their tag."""

    def __init__(
        self, make: Callable[[int], Engine], random_bytes: RandomBytes
    ) -> None:
        self._make = make
        self._random_bytes = random_bytes
        self._commit: PendingCommit | None = None
        self._commit_at = 0.0
        self._engines: dict[int, Engine] = {}
        self._trusted: frozenset[bytes] = frozenset()

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._engines.values())

    def get(self, tag: int) -> Engine | None:
        """Return the engine of this instance."""
        return self._engines.get(tag)

    def add(self, tag: int) -> Engine:
        """Make an engine for a stranger, in the place of another if need be."""
        strangers = self._least_first(is_encrypted=False)
        if len(strangers) >= MAX_STRANGERS:
            self._engines.pop(strangers[0]).abandon_exchange()
        engine = self._engines[tag] = self._make(tag)
        if self._commit is not None:
            # It may have answered our commit, or sent its own at the same moment.
            engine.adopt(self._commit, self._commit_at)
        return engine

    @property
    def is_committed(self) -> bool:
        """Whether a commit to every instance waits for answers."""
        return self._commit is not None

    @property
    def is_agreeing(self) -> bool:
        """Whether any key exchange is under way."""
        return self.is_committed or any(engine.is_agreeing for engine in self)

    def commit(self, now: float) -> PendingCommit:
        """Return the commit that answers a query, the same one to a second query.

        A fresh one each time would be the specification's letter; but when several
        queries cross, each end then compares its newest hash with an older one of
        the other, both give way, and no exchange ever ends.
        """
        pending = self._commit
        is_fresh = now < self._commit_at + AKE_TIMEOUT_S
        if pending and is_fresh and all(engine.awaits_answer for engine in self):
            return pending
        self.drop_commit()
        self._commit = pending = draw_commit(self._random_bytes)
        self._commit_at = now
        for engine in self:
            engine.adopt(pending, now)
        return pending

    def drop_commit(self) -> None:
        """Wipe the commit's exponent; engines keep their copies."""
        if self._commit is not None:
            self._commit.key.wipe()
        self._commit = None

    def expire(self, now: float) -> None:
        """Drop the commit when it has waited too long."""
        if now >= self._commit_at + AKE_EXPIRE_S:
            self.drop_commit()

    def deadline(self) -> float | None:
        """When something of an exchange is due."""
        due = [engine.deadline() for engine in self]
        if self._commit is not None:
            due.append(self._commit_at + AKE_EXPIRE_S)
        return min((at for at in due if at is not None), default=None)

    def limit_sessions(self, newest: Engine, now: float) -> list[Output]:
        """End the least of too many sessions, but never `newest`."""
        sessions = self._least_first(is_encrypted=True)
        if len(sessions) <= MAX_SESSIONS:
            return []
        least = next(tag for tag in sessions if self._engines[tag] is not newest)
        return self._engines.pop(least).end(now)

    def clear(self) -> None:
        """Forget all engines, which the caller has ended, and the commit."""
        self._engines.clear()
        self.drop_commit()

    def trust(self, fingerprints: Collection[bytes]) -> None:
        """Prefer sessions with these keys."""
        self._trusted = frozenset(fingerprints)

    @property
    def message_state(self) -> MessageState:
        """How the best instance stands."""
        best = self.best()
        return MessageState.PLAINTEXT if best is None else best.message_state

    def best(self, fingerprint: bytes | None = None) -> Engine | None:
        """Return whom to talk to: encrypted, then trusted, then heard last.

        Args:
            fingerprint: Look at sessions with this key only, 20 bytes.
        """
        engines: Iterable[Engine] = self
        if fingerprint is not None:
            engines = (each for each in self if each.fingerprint == fingerprint)
        return max(engines, key=self._standing, default=None)

    def _least_first(self, *, is_encrypted: bool) -> list[int]:
        return sorted(
            (
                tag
                for tag, engine in self._engines.items()
                if (engine.message_state is MessageState.ENCRYPTED) is is_encrypted
            ),
            key=lambda tag: self._standing(self._engines[tag]),
        )

    def _standing(self, engine: Engine) -> tuple[int, bool, float]:
        return (
            _RANK[engine.message_state],
            engine.fingerprint in self._trusted,
            engine.last_received,
        )
