"""The doors to the world that session is handed, and nothing behind them.

Rule: there is one way out of the machine, `Dialer.open`; it leads through Tor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = [
    "Circuit",
    "Dialer",
    "Hop",
    "IsolationKey",
    "RandomBytes",
    "Stream",
    "Tor",
    "WallClock",
]

RandomBytes = Callable[[int], bytes]
"""Cryptographically random bytes, as many as asked for."""

WallClock = Callable[[], datetime]
"""The time of day, aware, in UTC; for stamps only, never for deadlines."""


@dataclass(frozen=True, slots=True, repr=False)
class IsolationKey:
    """A SOCKS user and password that give a purpose a Tor circuit of its own.

    tor never puts two streams with different credentials on one circuit
    (IsolateSOCKSAuth, on by default for a SocksPort).
    """

    user: str
    """32 lower-case hex digits: 128 random bits."""
    password: str
    """32 lower-case hex digits: 128 random bits."""

    @classmethod
    def fresh(cls, random_bytes: RandomBytes) -> "IsolationKey":
        """Draw a new key; one for each account, purpose and attempt."""
        return cls(random_bytes(16).hex(), random_bytes(16).hex())

    def __repr__(self) -> str:
        return f"IsolationKey({self.user[:4]}…)"


@dataclass(frozen=True, slots=True)
class Hop:
    """One relay of a circuit."""

    fingerprint: str
    """40 upper-case hex digits."""
    nickname: str
    """The relay's own name for itself: not to be trusted; may be empty."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The path that carries an isolation key's streams, guard first."""

    hops: tuple[Hop, ...]
    to_onion: bool
    """True when the path ends at a rendezvous with an onion service."""


class Stream(Protocol):
    """A connected, reliable byte stream."""

    async def read(self) -> bytes:
        """Return the next bytes, at least one; b"" once the other end closed.

        Raises:
            UserError: CONNECTION_LOST or TOR_STOPPED.
        """

    def write(self, data: bytes) -> None:
        """Queue bytes for sending; silently dropped after `close`."""

    async def drain(self) -> None:
        """Wait until the send queue is short again."""

    async def close(self) -> None:
        """Close both directions at once; idempotent, never raises."""


class Dialer(Protocol):
    """THE way out of the machine."""

    async def open(
        self,
        host: str,
        port: int,
        *,
        isolation_key: IsolationKey,
        first_bytes: bytes = b"",
    ) -> Stream:
        """Connect to a host through Tor; the name is resolved by Tor, never here.

        Args:
            host: A domain name or an onion name; never looked up locally.
            port: TCP port, 1 to 65535.
            isolation_key: Decides which circuit the stream may share.
            first_bytes: Sent together with the request, before its answer
                (optimistic data), to save a round trip.

        Raises:
            UserError: SERVER_UNREACHABLE (with `server` = host) when Tor says
                that it cannot get there; TOR_STOPPED when there is no Tor.
        """


class Tor(Protocol):
    """What session may ask of Tor beside connections."""

    @property
    def dialer(self) -> Dialer:
        """The way out; refuses with TOR_STOPPED until Tor runs."""

    def check_bridges(self, text: str) -> tuple[str, ...]:
        """Read bridge lines as a person pasted them; changes nothing.

        Returns:
            The lines as they are to be kept and used; () for none.

        Raises:
            UserError: one of the BRIDGE codes.
        """

    async def use_bridges(self, lines: Sequence[str]) -> None:
        """Let these bridges be the only ways into the network; () for no bridges.

        A tor that was started is started anew with them at once, and never without
        them: lines that cannot be used keep it from starting. Never raises; what
        becomes of tor is told as events.
        """

    async def start(self, *, guard_state: str) -> None:
        """Find a running tor or start our own; returns once it is being started.

        Idempotent. Progress is published as events by whoever built this Tor.

        Args:
            guard_state: The guard lines of an earlier session, or "" for none.

        Raises:
            UserError: TOR_MISSING, TOR_START_FAILED, TOR_IMPOSTOR, ...
        """

    async def wait_ready(self) -> None:
        """Wait until circuits can be built.

        Raises:
            UserError: TOR_STOPPED when tor died, TOR_START_FAILED.
        """

    async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
        """Return the built circuit that carries this key's streams, if any."""

    def guard_state(self) -> str:
        """Return the guard lines worth keeping, "" when there are none.

        Always "" for a tor that is not ours: its guard is its own business.
        """

    async def stop(self) -> None:
        """End our own tor and remove its directory; idempotent."""
