"""The cryptography python-potr asks for, without pycrypto, which is no longer made.

Rule: this file stands in for `potr.compatcrypto.pycrypto` and is loaded by that name
(`potr_peer.py` sees to it), so every public name here is one that potr imports. It
does arithmetic of its own and shares nothing with our engine: what two potr ends
agree on says nothing about us.
"""
# ruff: noqa: N802 - the names are potr's

import hashlib
import hmac
import importlib
import secrets
from dataclasses import dataclass
from typing import Any, Final, Self

import gmpy2  # type: ignore[import-untyped]  # ships no stubs
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

common: Any = importlib.import_module("potr.compatcrypto.common")
utils: Any = importlib.import_module("potr.utils")

__all__ = [
    "AESCTR",
    "SHA1",
    "SHA1HMAC",
    "SHA256",
    "SHA256HMAC",
    "Counter",
    "DSAKey",
    "getrandbits",
    "randrange",
]

_DSA_BITS: Final = 1024
_SIGNATURE_HALF_BYTES: Final = 20


def SHA256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def SHA1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def SHA1HMAC(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha1")


def SHA256HMAC(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def getrandbits(k: int) -> int:
    return secrets.randbits(k)


def randrange(start: int, stop: int) -> int:
    return start + secrets.randbelow(stop - start)


class Counter:
    """The upper 8 bytes of the counter block; the lower ones count from 0."""

    def __init__(self, prefix: int) -> None:
        self.prefix = prefix

    def inc(self) -> None:
        self.prefix += 1

    def byteprefix(self) -> bytes:
        return self.prefix.to_bytes(8, "big")


class AESCTR:
    """AES-128-CTR for one message."""

    def __init__(self, key: bytes, counter: Counter | int = 0) -> None:
        if isinstance(counter, int):
            counter = Counter(counter)
        block = counter.byteprefix() + bytes(8)
        self._stream = Cipher(algorithms.AES128(key), modes.CTR(block)).encryptor()

    def encrypt(self, data: bytes) -> bytes:
        return self._stream.update(data)

    decrypt = encrypt


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A DSA key as potr hands them over: y first."""

    y: int
    g: int
    p: int
    q: int
    x: int = 0
    """0 in a public key."""


@common.registerkeytype
class DSAKey(common.PK):  # type: ignore[misc]  # potr has no types
    """A DSA key, with the signature worked out as FIPS 186 has it."""

    keyType = 0  # noqa: N815  # the name is potr's

    def __init__(self, key: tuple[int, ...], *, private: bool = False) -> None:
        if len(key) != (5 if private else 4):
            msg = f"a key of {len(key)} numbers"
            raise TypeError(msg)
        self._key = _Numbers(*key)

    def getPublicPayload(self) -> tuple[int, ...]:
        return (self._key.p, self._key.q, self._key.g, self._key.y)

    def getPrivatePayload(self) -> tuple[int, ...]:
        return (*self.getPublicPayload(), self._key.x)

    def fingerprint(self) -> bytes:
        return SHA1(self.getSerializedPublicPayload())

    def sign(self, data: bytes) -> bytes:
        """Sign a hash, taken as a number mod q and not cut to q's length.

        Source: OTRv2, "Signatures"; libotr and pycrypto both do so.
        """
        key = self._key
        k = randrange(1, key.q)
        r = int(gmpy2.powmod(key.g, k, key.p)) % key.q
        s = int(gmpy2.invert(k, key.q)) * (_number(data) + key.x * r) % key.q
        return b"".join(part.to_bytes(_SIGNATURE_HALF_BYTES, "big") for part in (r, s))

    def verify(self, data: bytes, sig: bytes) -> bool:
        key = self._key
        r = _number(sig[:_SIGNATURE_HALF_BYTES])
        s = _number(sig[_SIGNATURE_HALF_BYTES:])
        if not (0 < r < key.q and 0 < s < key.q):
            return False
        w = int(gmpy2.invert(s, key.q))
        v = gmpy2.powmod(key.g, _number(data) * w % key.q, key.p)
        v *= gmpy2.powmod(key.y, r * w % key.q, key.p)
        return int(v % key.p % key.q) == r

    @classmethod
    def generate(cls) -> Self:
        numbers = dsa.generate_private_key(_DSA_BITS).private_numbers()
        public = numbers.public_numbers
        group = public.parameter_numbers
        return cls((public.y, group.g, group.p, group.q, numbers.x), private=True)

    @classmethod
    def parsePayload(cls, data: bytes, *, private: bool = False) -> tuple[Self, bytes]:
        numbers = []
        for _ in range(5 if private else 4):
            number, data = utils.read_mpi(data)
            numbers.append(number)
        p, q, g, y, *x = numbers
        return cls((y, g, p, q, *x), private=private), data


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
