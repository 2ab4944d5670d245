"""The arithmetic under OTR: the Diffie-Hellman group, AES-CTR, hashes, HMAC.

Rule: the only room that calls gmpy2, and with `dsa` the only one that calls
cryptography. A number from outside passes `check_public_value` before it is
raised to a secret power; secret exponents only ever meet `powmod_sec`, whose
time does not depend on them; secrets are compared in constant time.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Self

import gmpy2  # type: ignore[import-untyped]  # gmpy2 2.3 ships neither stubs nor py.typed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from coykiosk.otr.events import RemoteError
from coykiosk.otr.wire import encode_mpi

RandomBytes = Callable[[int], bytes]
"""Returns as many unpredictable bytes as asked for."""

# RFC 3526, section 2: the 1536-bit MODP group; a safe prime.
P: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF",
    16,
)
G: Final = 2
Q: Final = (P - 1) // 2
"""The prime order of the subgroup that G generates: all squares."""
EXPONENT_BYTES: Final = 40  # OTRv3: a private key has at least 320 bits
MAX_MPI_BYTES: Final = 196  # a group element as MPI: INT length and 1536 bits

AES_KEY_BYTES: Final = 16
MAC_BYTES: Final = 20
COUNTER_BYTES: Final = 8
_ZERO_HALF: Final = bytes(COUNTER_BYTES)


def check_public_value(value: int) -> None:
    """Refuse what is no usable member of the group.

    Raises:
        RemoteError: `value` lies outside 2..p-2, so that the shared secret would
            be known to everybody; or it is no square. Whatever an honest end
            sends is a power of G and so a square; raising another number to a
            secret power shows whether that power is even.

    Source: OTRv3, "Authenticated Key Exchange (AKE)", verification of g^x, g^y,
    and "SMP", verification of group elements; the second check is ours.
    """
    if not 2 <= value <= P - 2:  # noqa: PLR2004 # the group's own bound
        msg = f"public value out of range: {value.bit_length()} bits"
        raise RemoteError(msg)
    if gmpy2.jacobi(value, P) != 1:
        msg = "public value outside the subgroup"
        raise RemoteError(msg)


def power(base: int, exponent: int, modulus: int = P) -> int:
    """Return base**exponent mod modulus for public numbers: fast, not constant-time."""
    return int(gmpy2.powmod(base, exponent, modulus))


def inverse(value: int) -> int:
    """Return 1/value mod p; of a member of the group, so there is one."""
    return int(gmpy2.invert(value, P))


def is_probably_prime(number: int) -> bool:
    """Tell whether a public number is prime, wrong once in 4**25 at most."""
    return bool(gmpy2.is_prime(number))


class Exponent:
    """A secret power: it can be used and wiped, and shows itself to nobody."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._bytes = bytearray(value)

    @classmethod
    def draw(cls, random_bytes: RandomBytes, n_bytes: int) -> Self:
        """Make a random one of so many bytes."""
        return cls(random_bytes(n_bytes))

    def raised_from(self, base: int) -> int:
        """Return base**this mod p, in a time that does not depend on this."""
        return int(gmpy2.powmod_sec(base, self._number(), P))

    def minus_multiple(self, factor: "Exponent", times: int) -> int:
        """Return this - factor*times mod q, the answer in a proof of knowledge.

        Not in constant time, for Python's numbers are not; nor in libotr. Beside a
        power it takes a thousandth of the time, and `this` is fresh for each proof.
        """
        return (self._number() - factor._number() * times) % Q  # noqa: SLF001 # its own class

    def copy(self) -> "Exponent":
        """Return an independent one, wiped by itself."""
        return Exponent(self._bytes)

    def wipe(self) -> None:
        """Overwrite it; it is of no use afterwards."""
        self._bytes[:] = bytes(len(self._bytes))

    def _number(self) -> int:
        return int.from_bytes(self._bytes, "big")

    def __repr__(self) -> str:
        return "Exponent(…)"


class DhKeyPair:
    """A short-lived Diffie-Hellman key: the exponent can be wiped."""

    __slots__ = ("_private", "_public")

    def __init__(self, private: bytes | bytearray) -> None:
        self._private = Exponent(private)
        self._public: int | None = None

    @property
    def public(self) -> int:
        """G**private; worked out when it is first asked for.

        Most keys wait for a turn of the talk that may never come.
        """
        if self._public is None:
            self._public = self._private.raised_from(G)
        return self._public

    @property
    def public_mpi(self) -> bytes:
        """`public` as it is sent and hashed."""
        return encode_mpi(self.public)

    @classmethod
    def draw(cls, random_bytes: RandomBytes) -> Self:
        """Make a fresh key of 320 random bits."""
        return cls(random_bytes(EXPONENT_BYTES))

    def shared_secret(self, their_public: int) -> int:
        """Return s = their_public**private, an integer in [2, p-2].

        Raises:
            RemoteError: `their_public` is out of range, or is our own.
        """
        check_public_value(their_public)
        if their_public == self.public:
            msg = "public value is our own, reflected"
            raise RemoteError(msg)
        return self._private.raised_from(their_public)

    def copy(self) -> "DhKeyPair":
        """Return an independent key with the same value, wiped by itself."""
        twin = object.__new__(DhKeyPair)
        twin._private = self._private.copy()
        twin._public = self._public
        return twin

    def wipe(self) -> None:
        """Overwrite the exponent; the key is of no use afterwards."""
        self._private.wipe()

    def __repr__(self) -> str:
        return "DhKeyPair(…)"


def aes_ctr(
    key: bytes | bytearray, data: bytes, *, top_half: bytes = _ZERO_HALF
) -> bytes:
    """En- or decrypt with AES-128 in counter mode.

    Args:
        key: 16 bytes.
        data: The input; the result is as long.
        top_half: The first 8 bytes of the counter block; the rest starts at 0.
    """
    cipher = Cipher(algorithms.AES(key), modes.CTR(top_half + _ZERO_HALF))
    return cipher.encryptor().update(data)


def sha1(data: bytes | bytearray) -> bytes:
    """Return the 20-byte SHA-1 hash, where OTR has fixed it."""
    # Fingerprints and key derivation rest on preimages, not on collisions.
    return hashlib.sha1(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 hash."""
    return hashlib.sha256(data).digest()


def hmac_sha1(key: bytes | bytearray, data: bytes) -> bytes:
    """Return the 20-byte HMAC-SHA1 of `data`."""
    return hmac.digest(key, data, "sha1")


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `data`."""
    return hmac.digest(key, data, "sha256")


def check_equal(received: bytes, expected: bytes, what: str) -> None:
    """Compare two secrets in constant time.

    Raises:
        RemoteError: they differ; `what` names them.
    """
    if not hmac.compare_digest(received, expected):
        msg = f"{what} does not match"
        raise RemoteError(msg)


def is_equal(ours: int, theirs: int) -> bool:
    """Compare two numbers below p in constant time, whatever they tell."""
    n_bytes = MAX_MPI_BYTES
    return hmac.compare_digest(
        ours.to_bytes(n_bytes, "big"), theirs.to_bytes(n_bytes, "big")
    )
