"""What must hold after each step, whoever sent what.

Rule: a check knows what was really said (`ledger`) and what came of it; it does not
ask the engine why. What does not hold raises `Broken`, which is always a finding.
"""

from collections.abc import Collection, Iterable
from typing import Final

from coykiosk.otr import (
    Agreeing,
    EndedByPeer,
    ErrorLine,
    ExtraKey,
    Inject,
    Instances,
    MessageState,
    OfferTooOld,
    Output,
    PlainReceived,
    Received,
    Secured,
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    Unreadable,
)
from coykiosk.otr.framing import (
    MAX_BUFFERS,
    MAX_JOINED_CHARS,
    QUERY,
    Binary,
    Fragment,
)
from coykiosk.otr.pool import MAX_SESSIONS
from coykiosk.otr.smp_messages import MAX_QUESTION_BYTES
from tests.fuzz.inside import engines_of, fragments_of, session_count, size_of
from tests.fuzz.ledger import Proof, Words, decoded, reading

_ERROR_LINE: Final = "?OTR Error: a message of yours could not be read"
_BY_ANYBODY: Final = (Agreeing, Inject, Unreadable)
_IN_CLEAR: Final = (ErrorLine, OfferTooOld, PlainReceived)
_BY_WORDS: Final = (
    *(Received, EndedByPeer, ExtraKey),
    *(SmpAsked, SmpAnswered, SmpEnded),
)

MAX_TOLD: Final = 16
"""What a person may be told of one message, however many records are in it."""
MAX_ANSWERS: Final = 24
"""Messages in answer to one: a few, and 16 instances may start again just then."""
MAX_INJECTED_CHARS: Final = 96 * 1024
"""An answer of SMP has 3 kB; with it go at most 512 MAC keys of 20 bytes."""

_CHAR_BYTES: Final = 4
_PIECE_BYTES: Final = 96
"""A piece beside its characters: the object, its place in the list."""
_ENGINES_BYTES: Final = 8 * MAX_QUESTION_BYTES * _CHAR_BYTES + 17 * 64 * 1024
"""8 sessions may each hold the longest question; for each of 16 instances,
and what they share, 64 kB: exponents, messages that may be sent again, 512 MAC keys.
"""


class Broken(Exception):  # noqa: N818 # it is what a finding says of the engine
    """A promise of the engine does not hold."""


def require(holds: object, what: str) -> None:
    """Make sure of something.

    Raises:
        Broken: it does not hold.
    """
    if not holds:
        raise Broken(what)


def check_amount(outputs: Iterable[Output]) -> None:
    """One message draws a bounded answer, and a bounded report."""
    n_told = n_answers = n_chars = 0
    for output in outputs:
        if isinstance(output, Inject):
            inbound = reading(output.text)
            n_answers += not (isinstance(inbound, Fragment) and inbound.index > 1)
            n_chars += len(output.text)
        else:
            n_told += 1
    require(n_told <= MAX_TOLD, f"{n_told} outputs for one message")
    require(n_answers <= MAX_ANSWERS, f"{n_answers} messages in answer to one")
    require(n_chars <= MAX_INJECTED_CHARS, f"{n_chars} characters in answer to one")


def check_injected(outputs: Iterable[Output]) -> None:
    """Nothing leaves that is not OTR."""
    for output in outputs:
        if isinstance(output, Inject) and output.text not in {QUERY, _ERROR_LINE}:
            inbound = reading(output.text)
            require(isinstance(inbound, Binary | Fragment), "something left in clear")
            if isinstance(inbound, Binary):
                decoded(inbound.raw)


def check_hidden(outputs: Iterable[Output], text: str) -> None:
    """A text that is sent is not to be seen in what is sent."""
    for output in outputs:
        if isinstance(output, Inject):
            inbound = reading(output.text)
            seen = inbound.raw if isinstance(inbound, Binary) else b""
            require(text.encode("utf-8", "replace") not in seen, "a text left in clear")


def check_unheard(outputs: Iterable[Output], changed: set[int]) -> None:
    """What nobody with keys has said does not do anything."""
    require(not changed, "unauthenticated input changed a session")
    for output in outputs:
        allowed = isinstance(output, (*_BY_ANYBODY, *_IN_CLEAR))
        require(allowed, f"{type(output).__name__} of nobody")


def check_proven(
    proof: Proof,
    outputs: Iterable[Output],
    changed: set[int],
    *,
    partner: bytes | None,
    was_full: bool,
) -> None:
    """A proof of an exchange may renew one session, under its author's key.

    `partner`: with whose key the session was until now. `was_full`: there were as
    many sessions as may be, so that one of them had to go.
    """
    tag = proof.sender_tag
    secured = [output for output in outputs if isinstance(output, Secured)]
    require(not changed or secured, "a session changed without a word")
    others = len(changed - {tag})
    require(others <= was_full, "an exchange changed another's session")
    require(len(secured) <= 1, "secured twice by one message")
    for agreed in secured:
        require(agreed.fingerprint == proof.author, "secured with a wrong key")
        require(agreed.instance_tag == tag, "secured with a wrong instance")
        is_same = partner == proof.author
        replaced = None if is_same else partner
        told = (agreed.refreshed, agreed.replaced) == (is_same, replaced)
        require(told, "a change of key goes unnoticed")
    for output in outputs:
        allowed = isinstance(output, (*_BY_ANYBODY, Secured))
        if isinstance(output, SmpEnded):
            allowed = bool(secured) and output.outcome is SmpOutcome.ABORTED
        require(allowed, f"{type(output).__name__} in an exchange")


def check_words(
    words: Words,
    outputs: Iterable[Output],
    changed: set[int],
    *,
    with_author: bool,
) -> None:
    """A message said by its author is told as it was said, with the author's name.

    `with_author`: the session under the sender's tag was with the author.
    """
    told = [output for output in outputs if not isinstance(output, _BY_ANYBODY)]
    require(changed <= {words.sender_tag}, "words changed another's session")
    require(with_author or not changed, "a session took words of another's keys")
    require(not told or changed, "told without a trace in the session")
    texts = [output for output in told if isinstance(output, Received)]
    require(len(texts) <= 1, "one message, several texts")
    for output in told:
        allowed = isinstance(output, _BY_WORDS)
        require(allowed, f"{type(output).__name__} by a data message")
        if isinstance(output, EndedByPeer):
            require(words.may_end, "ended by nobody")
        else:
            fingerprint = getattr(output, "fingerprint", None)
            require(fingerprint == words.author, "told under a wrong fingerprint")
    for output in texts:
        require(output.text == words.text, "a text was altered")


def check_compared(
    outputs: Iterable[Output], ours: Collection[str], theirs: Collection[str]
) -> None:
    """A comparison succeeds only when both have typed the same at some time."""
    for output in outputs:
        if isinstance(output, SmpEnded) and output.outcome is SmpOutcome.SUCCEEDED:
            require(set(ours) & set(theirs), "different secrets are equal")


def check_standing(end: Instances) -> None:
    """What an end says of itself fits together."""
    is_encrypted = end.message_state is MessageState.ENCRYPTED
    for value in (end.their_fingerprint, end.ssid):
        require((value is not None) is is_encrypted, "keys without a session")
    require(session_count(end) <= MAX_SESSIONS, "too many sessions")


def check_size(end: Instances, n_fragments: int) -> None:
    """What one contact makes us keep is bounded.

    `n_fragments` is how many were delivered: each may leave one piece.
    """
    n_bytes = size_of(fragments_of(end))
    limit = MAX_BUFFERS * MAX_JOINED_CHARS * _CHAR_BYTES + n_fragments * _PIECE_BYTES
    require(n_bytes <= limit + 64 * 1024, f"{n_bytes} bytes of fragments")
    n_bytes = size_of(engines_of(end))
    require(n_bytes <= _ENGINES_BYTES, f"{n_bytes} bytes of engines")
