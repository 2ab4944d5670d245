"""What the engine tells its caller: outputs, the message state, two errors.

Rule: values only. An output says what has happened; whether and how it is shown
is the caller's to decide. Faults of the other end are normal and become outputs;
only `LocalError`, a mistake of the caller, ever leaves `Instances`.
"""

from dataclasses import dataclass, field
from enum import Enum


class OtrError(Exception):
    """Base of everything this package raises on purpose."""


class LocalError(OtrError):
    """Our side asked for something the protocol or its state does not allow."""


class TooManyGuessesError(LocalError):
    """Comparisons failed so often that a further one waits: one in ten minutes.

    Each may have been a guess of somebody in between.
    """


class RemoteError(OtrError):
    """The other end, or somebody in between, sent what the protocol forbids."""


class MessageState(Enum):
    """Whether text can be sent (OTRv3, "Message state")."""

    PLAINTEXT = "plaintext"
    """No encrypted session; nothing is sent."""
    ENCRYPTED = "encrypted"
    """A session is up; text goes out encrypted."""
    FINISHED = "finished"
    """The other end closed the session; nothing is sent until it is renewed."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Carry this text to the other end, unchanged and without showing it."""

    text: str
    instance_tag: int | None = field(default=None, compare=False)
    """The instance it is for; None when it is for all of them."""


@dataclass(frozen=True, slots=True)
class Received:
    """A text came through the encrypted session."""

    text: str = field(repr=False)
    fingerprint: bytes
    """The 20-byte fingerprint of the key that vouches for it."""
    instance_tag: int = field(default=0, compare=False)
    """The instance it is of."""


@dataclass(frozen=True, slots=True)
class PlainReceived:
    """A text came in clear: anybody on the way can have read or written it."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Agreeing:
    """The other end wants OTR or answered us; keys are being agreed.

    Reported once for a key exchange, and not while a session is up: that one
    stays in use until the new one is verified.
    """


@dataclass(frozen=True, slots=True)
class Secured:
    """A key exchange was verified; the session is encrypted from here on."""

    fingerprint: bytes
    """The 20-byte fingerprint of the other end's long-term key."""
    ssid: bytes
    """8 bytes that both ends see alike, unless somebody sits in between."""
    our_half_first: bool
    """Who reads which half of `ssid` aloud: True when ours is the first."""
    refreshed: bool
    """True when this instance was already encrypted under the same key."""
    instance_tag: int = field(default=0, compare=False)
    """The instance it is with."""
    ssid_is_fair: bool = field(default=True, compare=False)
    """Whether both ends had settled their part before they saw the other's. Only
    then does an `ssid` that is the same at both ends prove that nobody is in
    between; otherwise somebody with many computers could have made it the same."""
    replaced: bytes | None = field(default=None, compare=False)
    """The other key this instance was encrypted under until now, if it was: an
    alarm, for no honest program changes its key in the middle of a session. None on
    another device and after an end: ask `KeyBook.standing` every time."""


@dataclass(frozen=True, slots=True)
class EndedByPeer:
    """An instance of the other end closed its session; its keys are gone.

    Another instance may still be encrypted: `Instances.message_state` tells.
    """

    fingerprint: bytes = field(default=b"", compare=False)
    """The key of the session that it closed, 20 bytes."""


class SmpOutcome(Enum):
    """How a comparison of secrets ended."""

    SUCCEEDED = "succeeded"
    """Both ends typed the same."""
    FAILED = "failed"
    """They did not, or somebody sits in between."""
    ABORTED = "aborted"
    """One end left it, or the session was renewed or ended meanwhile."""
    CHEATED = "cheated"
    """The other end sent numbers that no honest program sends."""


@dataclass(frozen=True, slots=True)
class SmpAsked:
    """The other end wants to compare secrets; `Instances.smp_answer` goes on.

    A second one before the answer takes the place of the first.
    """

    question: str | None = field(repr=False)
    """The other end's own words; None when it asked none."""
    fingerprint: bytes
    instance_tag: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SmpAnswered:
    """The other end has typed its secret; the result follows by itself."""

    fingerprint: bytes
    instance_tag: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SmpEnded:
    """A comparison of secrets is over."""

    outcome: SmpOutcome
    we_asked: bool
    """True when it was ours."""
    had_question: bool
    fingerprint: bytes
    """The key that was compared, 20 bytes."""
    instance_tag: int = field(default=0, compare=False)

    @property
    def vouches(self) -> bool:
        """Whether it proves who has `fingerprint`; then call `KeyBook.verify`.

        Who only answers a question has proved himself and learnt nothing: the
        other end chose a question whose answer it wanted to hear.
        """
        return self.outcome is SmpOutcome.SUCCEEDED and (
            self.we_asked or not self.had_question
        )


@dataclass(frozen=True, slots=True)
class ExtraKey:
    """The other end will use a key that both ends can derive and nobody else."""

    key: bytes = field(repr=False)
    """32 bytes."""
    use: int
    """What for, as the other end says; 4 bytes."""
    data: bytes = field(repr=False)
    """What goes with it, free in form."""
    fingerprint: bytes
    instance_tag: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class OfferTooOld:
    """The other end speaks OTR 1 or 2 only; nothing was answered."""


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """An OTR error line came in. Anybody can have written it."""

    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something marked as OTR was damaged, forged, or for keys we do not have."""


Output = (
    Inject
    | Received
    | PlainReceived
    | Agreeing
    | Secured
    | EndedByPeer
    | SmpAsked
    | SmpAnswered
    | SmpEnded
    | ExtraKey
    | OfferTooOld
    | ErrorLine
    | Unreadable
)
