"""Random bytes and signatures that are the same in every run; slow results remembered.

Rule: the results are the library's own, so what is tested is what runs outside. Only
the waiting is left out: a fuzzer plays the same few exponents over and over.
"""

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import gmpy2  # type: ignore[import-untyped]  # gmpy2 2.3 ships neither stubs nor py.typed
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from coykiosk.otr import PrivateKey, primitives

_REMEMBERED: Final = 8192


class Draws:
    """Random bytes that anybody can draw again."""

    __slots__ = ("_name", "_number")

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0

    def __call__(self, n_bytes: int) -> bytes:
        self._number += 1
        seed = f"{self._name}/{self._number}".encode()
        return hashlib.shake_256(seed).digest(n_bytes)


class Remembered:
    """gmpy2 with a memory; what has not been asked before is really computed."""

    def __init__(self) -> None:
        for name in ("powmod", "powmod_sec", "is_prime", "jacobi"):
            function = getattr(gmpy2, name)
            setattr(self, name, functools.lru_cache(_REMEMBERED)(function))

    def __getattr__(self, name: str) -> Any:
        return getattr(gmpy2, name)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the engine compute with this memory meanwhile."""
        names = vars(primitives)
        usual = names["gmpy2"]
        names["gmpy2"] = self
        try:
            yield
        finally:
            names["gmpy2"] = usual


class _RepeatableSigner:
    """A DSA key whose nonce is a hash of key and digest, in the spirit of RFC 6979.

    The library's own nonce is random, and no run would be like another.
    """

    def __init__(self, key: dsa.DSAPrivateKey) -> None:
        numbers = key.private_numbers()
        parameters = numbers.public_numbers.parameter_numbers
        self._x = numbers.x
        self._p, self._q, self._g = parameters.p, parameters.q, parameters.g
        self._signed = functools.lru_cache(_REMEMBERED)(self._sign)

    def sign(self, digest: bytes, _algorithm: object) -> bytes:
        """Sign a digest of 20 bytes; returns r and s in DER, as the library does."""
        return self._signed(digest)

    def _sign(self, digest: bytes) -> bytes:
        seed = self._x.to_bytes(20, "big") + digest
        k = int.from_bytes(hashlib.shake_256(seed).digest(40), "big") % self._q
        r = int(gmpy2.powmod(self._g, k, self._p)) % self._q
        s = pow(k, -1, self._q) * (int.from_bytes(digest, "big") + self._x * r)
        return encode_dss_signature(r, s % self._q)


def sign_repeatably(key: PrivateKey) -> PrivateKey:
    """Make this key give the same signature for the same digest; returns it."""
    key._key = cast("dsa.DSAPrivateKey", _RepeatableSigner(key._key))
    return key


def another_key(key: PrivateKey, seed: bytes) -> PrivateKey:
    """Make a second key with the parameters of the first, always the same one."""
    parameters = key.public.numbers.parameter_numbers
    digest = hashlib.shake_256(seed).digest(40)
    x = int.from_bytes(digest, "big") % (parameters.q - 1) + 1
    y = pow(parameters.g, x, parameters.p)
    public = dsa.DSAPublicNumbers(y, parameters)
    return PrivateKey(dsa.DSAPrivateNumbers(x, public).private_key())
