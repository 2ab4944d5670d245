"""The zero-knowledge proofs inside SMP: each says "I know this, and I shall not tell".

Rule: an exponent of ours only ever meets constant-time powers; what came from
outside is public, was checked to be in the group, and is raised fast. A check
raises `RemoteError`; it never returns a bool that could be forgotten.

Every hash begins with a version byte that is used at one place of the protocol
only, so that no proof of ours can be sent back to us. Source: OTRv3, "Socialist
Millionaires' Protocol (SMP)".
"""

from dataclasses import dataclass

from coykiosk.otr.events import RemoteError
from coykiosk.otr.primitives import (
    Exponent,
    G,
    P,
    power,
    sha256,
)
from coykiosk.otr.wire import encode_mpi


@dataclass(frozen=True, slots=True)
class LogProof:
    """I know the exponent of one number, or the one of two numbers alike."""

    c: int
    """A SHA-256 hash."""
    d: int
    """The answer to it, in 1..q-1."""


@dataclass(frozen=True, slots=True)
class CoordinatesProof:
    """I know r and y of P = g3^r and Q = g^r g2^y."""

    c: int
    d5: int
    """The answer for r, in 1..q-1."""
    d6: int
    """The answer for y, in 1..q-1."""


@dataclass(frozen=True, slots=True)
class Bases:
    """The two generators that both ends made together."""

    g2: int
    g3: int


@dataclass(frozen=True, slots=True)
class Coordinates:
    """P and Q: a secret, hidden under the two generators."""

    p: int
    q: int


def hash_numbers(version: int, *numbers: int) -> int:
    """Return SHA-256 of the version byte and the numbers as MPIs, as a number."""
    data = bytes([version]) + b"".join(map(encode_mpi, numbers))
    return int.from_bytes(sha256(data), "big")


def prove_log(version: int, exponent: Exponent, blinding: Exponent) -> LogProof:
    """Prove that we know the exponent of g**exponent."""
    c = hash_numbers(version, blinding.raised_from(G))
    return LogProof(c, blinding.minus_multiple(exponent, c))


def check_log(version: int, public: int, proof: LogProof) -> None:
    """Make sure that the other end knows the exponent of `public`.

    Raises:
        RemoteError: it has not proved it.
    """
    _check(version, proof.c, _commitment(proof, G, public))


def prove_equal_logs(
    version: int, exponent: Exponent, base: int, blinding: Exponent
) -> LogProof:
    """Prove that base**exponent has the exponent that g**exponent has."""
    c = hash_numbers(version, blinding.raised_from(G), blinding.raised_from(base))
    return LogProof(c, blinding.minus_multiple(exponent, c))


def check_equal_logs(
    version: int, public: int, base: int, raised: int, proof: LogProof
) -> None:
    """Make sure that `raised` over `base` has the exponent of `public` over g.

    Raises:
        RemoteError: it has not been proved.
    """
    _check(
        version,
        proof.c,
        _commitment(proof, G, public),
        _commitment(proof, base, raised),
    )


def hide(bases: Bases, secret: Exponent, r: Exponent) -> Coordinates:
    """Return P = g3^r and Q = g^r g2^secret."""
    return Coordinates(r.raised_from(bases.g3), _hidden(bases, secret, r))


def prove_coordinates(
    version: int,
    bases: Bases,
    secret: Exponent,
    r: Exponent,
    blindings: tuple[Exponent, Exponent],
) -> CoordinatesProof:
    """Prove that we know what we hid with `hide`.

    Args:
        version: The byte for this place of the protocol.
        bases: g2 and g3.
        secret: What was hidden.
        r: What it was hidden with.
        blindings: r5 and r6, one for r and one for the secret.
    """
    r5, r6 = blindings
    c = hash_numbers(version, r5.raised_from(bases.g3), _hidden(bases, r6, r5))
    return CoordinatesProof(c, r5.minus_multiple(r, c), r6.minus_multiple(secret, c))


def check_coordinates(
    version: int, bases: Bases, coordinates: Coordinates, proof: CoordinatesProof
) -> None:
    """Make sure that the other end knows what it hid.

    Raises:
        RemoteError: it has not proved it.
    """
    p_part = power(bases.g3, proof.d5) * power(coordinates.p, proof.c) % P
    q_part = power(G, proof.d5) * power(bases.g2, proof.d6) % P
    _check(version, proof.c, p_part, q_part * power(coordinates.q, proof.c) % P)


def _hidden(bases: Bases, secret: Exponent, r: Exponent) -> int:
    return r.raised_from(G) * secret.raised_from(bases.g2) % P


def _commitment(proof: LogProof, base: int, raised: int) -> int:
    return power(base, proof.d) * power(raised, proof.c) % P


def _check(version: int, c: int, *numbers: int) -> None:
    if c != hash_numbers(version, *numbers):
        msg = f"smp: proof {version} does not hold"
        raise RemoteError(msg)
