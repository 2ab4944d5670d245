"""What a key exchange holds while it waits, and what it ends with.

Rule: values and no decisions: who may do what when is `ake`'s. What has an exponent
is copied before it goes elsewhere, so that each owner wipes its own.

Source: OTRv3, "The protocol state machine", "Authentication state".
"""

from dataclasses import dataclass, replace
from typing import assert_never

from coykiosk.otr.messages import DhCommit, RevealSig
from coykiosk.otr.primitives import (
    AES_KEY_BYTES,
    DhKeyPair,
    RandomBytes,
    aes_ctr,
    sha256,
)
from coykiosk.otr.proof import AkeSecrets


class Promise:
    """Whether what a commit hides has been shown to anybody."""

    __slots__ = ("is_kept",)

    def __init__(self) -> None:
        self.is_kept = False


@dataclass(frozen=True, slots=True, repr=False)
class PendingCommit:
    """What we promised with a D-H Commit: x and r, still hidden."""

    key: DhKeyPair
    r: bytes
    encrypted_gx: bytes
    hashed_gx: bytes
    promise: Promise
    """One for all copies."""

    def message(self, sender_tag: int, receiver_tag: int) -> DhCommit:
        """Return the D-H Commit; always the same but for its tags."""
        return DhCommit(sender_tag, receiver_tag, self.encrypted_gx, self.hashed_gx)

    def copy(self) -> "PendingCommit":
        """Return one whose exponent is wiped by itself."""
        return replace(self, key=self.key.copy())


def draw_commit(random_bytes: RandomBytes) -> PendingCommit:
    """Draw a fresh x (320 bits), then r (128 bits)."""
    key = DhKeyPair.draw(random_bytes)
    r = random_bytes(AES_KEY_BYTES)
    gx_mpi = key.public_mpi
    return PendingCommit(key, r, aes_ctr(r, gx_mpi), sha256(gx_mpi), Promise())


@dataclass(frozen=True, slots=True, repr=False)
class Agreement:
    """A verified exchange: all that a session starts from."""

    our_key: DhKeyPair
    """Our key number 1."""
    their_public: int
    their_keyid: int
    shared: int
    """s of these two keys."""
    ssid: bytes
    fingerprint: bytes
    our_half_first: bool
    """True when we sent the Reveal Signature."""
    is_fair: bool
    """Whether both had settled their part before they saw the other's."""


@dataclass(frozen=True, slots=True)
class Idle:
    """No exchange is under way."""


@dataclass(frozen=True, slots=True, repr=False)
class AwaitingDhKey:
    """We committed."""

    commit: PendingCommit


@dataclass(frozen=True, slots=True, repr=False)
class AwaitingRevealSig:
    """They committed, we answered with our y."""

    key: DhKeyPair
    commit: DhCommit
    is_first: bool
    """Whether this commit came before our y went out: they could not choose it by
    what they saw."""


@dataclass(frozen=True, slots=True, repr=False)
class AwaitingSig:
    """We revealed and signed."""

    commit: PendingCommit
    gy: int
    shared: int
    secrets: AkeSecrets
    reveal_sig: RevealSig
    revealed_at: float
    """When it first went out; monotonic seconds."""


AuthState = Idle | AwaitingDhKey | AwaitingRevealSig | AwaitingSig


def key_of(state: AuthState) -> DhKeyPair | None:
    """Return the exponent that a state holds."""
    match state:
        case AwaitingDhKey(commit) | AwaitingSig(commit):
            return commit.key
        case AwaitingRevealSig(key):
            return key
        case Idle():
            return None
        case _:
            assert_never(state)
