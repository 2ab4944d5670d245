"""The long-term DSA key: make, check, store, sign, verify, fingerprint.

Rule: a public key from outside is used only after its parameters were checked,
for the library below loads y = 1 or a q that does not divide p-1 without a word.
A verification raises; it never returns a bool that could be forgotten.
"""

from functools import lru_cache
from typing import Final, Self, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA1

from coykiosk.otr.events import LocalError, RemoteError
from coykiosk.otr.primitives import is_probably_prime, power, sha1
from coykiosk.otr.wire import Reader, encode_mpi, encode_short

_KEY_TYPE_DSA: Final = 0  # OTRv3, "Public keys, signatures, and fingerprints"
_Q_BITS: Final = 160
_HALF_BYTES: Final = 20  # r and s, left-padded
SIGNATURE_BYTES: Final = 2 * _HALF_BYTES
_P_BITS: Final = 1024  # what every OTR client makes, and FIPS pairs with q
_MAX_CHECKED: Final = 64
# q has 160 bits, which is the length of a SHA-1 hash, so the reduced number
# passes through "prehashed" untouched.
_PREHASHED: Final = Prehashed(SHA1())  # noqa: S303 # carries a length, hashes nothing


@final
class PublicKey:
    """Somebody's long-term key, its parameters checked."""

    __slots__ = ("_key", "_q", "encoded", "fingerprint", "numbers")

    def __init__(self, numbers: dsa.DSAPublicNumbers) -> None:
        parameters = numbers.parameter_numbers
        _check(parameters.p, parameters.q, parameters.g, numbers.y)
        self.numbers = numbers
        self._key = numbers.public_key()
        self._q = parameters.q
        self.encoded = encode_short(_KEY_TYPE_DSA) + b"".join(
            map(encode_mpi, (parameters.p, parameters.q, parameters.g, numbers.y))
        )
        self.fingerprint = sha1(self.encoded[2:])

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take a PUBKEY off the front of `reader`.

        Raises:
            RemoteError: another key type, or parameters no honest key has.
        """
        key_type = reader.short()
        if key_type != _KEY_TYPE_DSA:
            msg = f"public key: type {key_type}"
            raise RemoteError(msg)
        p, q, g, y = (reader.mpi() for _ in range(4))
        parameters = dsa.DSAParameterNumbers(p, q, g)
        return cls(dsa.DSAPublicNumbers(y, parameters))

    def verify(self, digest: bytes, signature: bytes) -> None:
        """Check a signature.

        Args:
            digest: The 32-byte HMAC that was signed.
            signature: r and s, 20 bytes each.

        Raises:
            RemoteError: it is no signature of this key over this digest.
        """
        r = int.from_bytes(signature[:_HALF_BYTES], "big")
        s = int.from_bytes(signature[_HALF_BYTES:], "big")
        try:
            self._key.verify(
                encode_dss_signature(r, s), _reduce(digest, self._q), _PREHASHED
            )
        except InvalidSignature as error:
            msg = "signature does not verify"
            raise RemoteError(msg) from error


@final
class PrivateKey:
    """Our long-term key. What shows it to others is `public`."""

    __slots__ = ("_key", "_q", "_x", "public")

    def __init__(self, key: dsa.DSAPrivateKey) -> None:
        numbers = key.private_numbers()
        self._key = key
        self._x = numbers.x
        self._q = numbers.public_numbers.parameter_numbers.q
        self.public = PublicKey(numbers.public_numbers)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key; takes some tens of milliseconds, so use an executor."""
        # OTR version 3 knows no other size that every peer takes.
        return cls(dsa.generate_private_key(_P_BITS))

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Load what `to_bytes` returned.

        Raises:
            LocalError: these bytes are no key, or its parts do not fit together.
        """
        reader = Reader(stored)
        try:
            public = PublicKey.read(reader)
            x = reader.mpi()
            reader.finish()
            # `private_key` checks that y = g^x.
            return cls(dsa.DSAPrivateNumbers(x, public.numbers).private_key())
        except (RemoteError, ValueError) as error:
            msg = f"private key: {len(stored)} bytes that are no key"
            raise LocalError(msg) from error

    def to_bytes(self) -> bytes:
        """Return PUBKEY and MPI x: secret, for the vault only."""
        return self.public.encoded + encode_mpi(self._x)

    @property
    def fingerprint(self) -> bytes:
        """20 bytes: the SHA-1 hash of the public key without its type."""
        return self.public.fingerprint

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte HMAC; returns r and s, 20 bytes each.

        The nonce comes from the library's own random source.
        """
        der = self._key.sign(_reduce(digest, self._q), _PREHASHED)
        r, s = decode_dss_signature(der)
        return r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")

    def __repr__(self) -> str:
        return f"PrivateKey(fingerprint={self.fingerprint.hex()})"


def _reduce(digest: bytes, q: int) -> bytes:
    """Return the digest as a number mod q, 20 bytes.

    FIPS 186 takes the leftmost 160 bits; OTR takes the whole number mod q, and a
    signature over the other does not verify with any peer.
    """
    return (int.from_bytes(digest, "big") % q).to_bytes(_HALF_BYTES, "big")


@lru_cache(maxsize=_MAX_CHECKED)
def _check(p: int, q: int, g: int, y: int) -> None:
    """Refuse keys under which anybody could sign (FIPS 186-4, A.2 and 5.6.2.3).

    It takes as long as a signature, so a key that passed is remembered: contacts
    renew their session keys often, and under the same long-term key.
    """
    if q.bit_length() != _Q_BITS or p.bit_length() != _P_BITS:
        msg = f"public key: p of {p.bit_length()} bits, q of {q.bit_length()}"
        raise RemoteError(msg)
    if p % 2 == 0 or (p - 1) % q or not is_probably_prime(q):
        msg = "public key: q is no prime that divides p-1"
        raise RemoteError(msg)
    for name, value in (("g", g), ("y", y)):
        if not 1 < value < p - 1 or power(value, q, p) != 1:
            msg = f"public key: {name} does not generate the subgroup"
            raise RemoteError(msg)
