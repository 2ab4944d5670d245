"""SCRAM: proving that we know a password, and that the server knows it too.

Rule: pure; bytes in, bytes out, every doubt is a `ScramError`. RFC 5802 with the
hashes of RFC 7677, and the channel bindings of RFC 9266 (TLS 1.3) and RFC 5929
(TLS 1.2).

The gs2 flag says what we think of channel binding, and the server checks it:

    p   we bind: the proof covers this very TLS connection
    y   we could bind, the server did not offer it; a server that did offer it
        refuses, because somebody must have removed the offer on the way
    n   the server offers binding, but of no kind that we can do or that works

`n` is chosen only after an offer was seen that cannot be used: a choice made
before the offer is known is always `p` or `y`.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final

from coykiosk.contract import Secret
from coykiosk.session.saslprep import prepare

__all__ = [
    "MECHANISMS",
    "ChannelBinding",
    "Choice",
    "Derivation",
    "Flag",
    "ScramClient",
    "ScramError",
    "choose",
]

MIN_ITERATIONS: Final = 4_096  # RFC 5802, section 5.1, and RFC 7677, section 4
MAX_ITERATIONS: Final = 10_000_000
MAX_SALT_BYTES: Final = 1_024
MAX_NONCE_CHARS: Final = 1_024
MECHANISMS: Final = (
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
)
"""What we speak, best first. PLAIN and DIGEST-MD5 are not among it."""

_PLUS: Final = "-PLUS"
_HASHES: Final = {
    "SCRAM-SHA-512": "sha512",
    "SCRAM-SHA-256": "sha256",
    "SCRAM-SHA-1": "sha1",
}
_NONCE: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # printable, without ","


class ScramError(Exception):
    """The other end did not keep to SCRAM, or did not know the password."""


class Flag(Enum):
    """The gs2 channel-binding flag (RFC 5802, section 6)."""

    BOUND = "p"
    NOT_OFFERED = "y"
    NOT_USABLE = "n"


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What names one TLS connection to both of its ends, and to nobody else."""

    kind: str
    """`tls-exporter` (TLS 1.3) or `tls-unique` (TLS 1.2)."""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A mechanism, and what we say about channel binding."""

    mechanism: str
    flag: Flag

    @property
    def hash_name(self) -> str:
        """The hash by hashlib's name."""
        return _HASHES[self.mechanism.removesuffix(_PLUS)]


@dataclass(frozen=True, slots=True, repr=False)
class Derivation:
    """The slow part, PBKDF2 with bounded parameters; can run in any thread."""

    hash_name: str
    password: bytes
    salt: bytes
    iterations: int

    def run(self) -> bytes:
        """Return SaltedPassword (RFC 5802, section 3)."""
        return hashlib.pbkdf2_hmac(
            self.hash_name, self.password, self.salt, self.iterations
        )


def choose(
    offered: Collection[str],
    *,
    binding: ChannelBinding | None,
    announced: Collection[str] | None = None,
    refused: Collection[Choice] = (),
) -> Choice | None:
    """Choose the best mechanism of an offer.

    Args:
        offered: Mechanism names, of a server's features or of its record.
        binding: What we can bind to; None when there is no TLS.
        announced: Binding kinds that the server says it takes (XEP-0440);
            None when it says nothing.
        refused: Choices that the server has turned down on this connection.

    Returns:
        The choice, or None when nothing remains. After a refused binding we go
        on without one only if the server had never announced our kind: one that
        announces it and then refuses it may be somebody in between.
    """
    tried = {choice.mechanism for choice in refused}
    plus_offered = any(name in MECHANISMS and _is_plus(name) for name in offered)
    can_bind = binding is not None and (announced is None or binding.kind in announced)
    if plus_offered and can_bind:
        bound = _best(offered, tried, plus=True)
        bound_refused = any(
            choice.flag is Flag.BOUND and choice.mechanism in offered
            for choice in refused
        )
        if bound is not None and not bound_refused:
            return Choice(bound, Flag.BOUND)
        if announced is not None:
            return None
    plain = _best(offered, _turned_down(refused, plus_offered=plus_offered), plus=False)
    if plain is None:
        return None
    flag = Flag.NOT_USABLE if plus_offered or binding is None else Flag.NOT_OFFERED
    return Choice(plain, flag)


def _turned_down(refused: Collection[Choice], *, plus_offered: bool) -> set[str]:
    """Mechanisms not worth another try.

    A `y` that was refused although binding *is* offered says nothing about the
    password: the same mechanism may be tried again with the right flag.
    """
    return {
        choice.mechanism
        for choice in refused
        if not (plus_offered and choice.flag is Flag.NOT_OFFERED)
    }


def _is_plus(name: str) -> bool:
    return name.endswith(_PLUS)


def _best(
    offered: Collection[str], tried: Collection[str], *, plus: bool
) -> str | None:
    for name in MECHANISMS:
        if _is_plus(name) is plus and name in offered and name not in tried:
            return name
    return None


@final
class ScramClient:
    """One SCRAM exchange from our side; use once.

        first() -> to_derivation(server_first) -> final(salted) -> verify(server_final)

    Args:
        choice: Mechanism and flag.
        username: Our localpart.
        password: Copied; the copy is wiped by `wipe`.
        nonce: Printable ASCII without comma, fresh for every exchange.
        binding: Needed when the flag is BOUND.
    """

    def __init__(
        self,
        choice: Choice,
        *,
        username: str,
        password: Secret,
        nonce: str,
        binding: ChannelBinding | None,
    ) -> None:
        self._choice = choice
        self._password = password.copy()
        self._nonce = nonce
        self._gs2_header, self._bound_data = _gs2(choice.flag, binding)
        name = prepare(username).replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={name},r={nonce}"
        self._server_first = ""
        self._expected_signature = b""
        self.is_verified = False

    def first(self) -> bytes:
        """Return client-first-message."""
        return self._gs2_header + self._first_bare.encode()

    def to_derivation(self, server_first: bytes) -> Derivation:
        """Check server-first-message and say what has to be derived.

        Raises:
            ScramError: it is malformed, out of bounds, or not about our nonce.
        """
        nonce, salt, iterations = _parse_server_first(server_first)
        is_longer = len(self._nonce) < len(nonce) <= MAX_NONCE_CHARS
        if not (nonce.startswith(self._nonce) and is_longer):
            msg = "server-first-message: nonce does not continue ours"
            raise ScramError(msg)
        if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
            msg = "server-first-message: iteration count out of bounds"
            raise ScramError(msg)
        self._nonce = nonce
        self._server_first = server_first.decode()
        password = prepare(self._password.reveal().decode()).encode()
        return Derivation(self._choice.hash_name, password, salt, iterations)

    def final(self, salted: bytes) -> bytes:
        """Return client-final-message, given what the derivation gave."""
        channel = base64.b64encode(self._gs2_header + self._bound_data).decode()
        without_proof = f"c={channel},r={self._nonce}"
        auth_message = (
            f"{self._first_bare},{self._server_first},{without_proof}"
        ).encode()
        client_key = self._hmac(salted, b"Client Key")
        stored_key = hashlib.new(self._choice.hash_name, client_key).digest()
        signature = self._hmac(stored_key, auth_message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = self._hmac(salted, b"Server Key")
        self._expected_signature = self._hmac(server_key, auth_message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Check that the server knows the password too.

        Raises:
            ScramError: it does not, or says that we do not.
        """
        fields = _split(server_final)
        if not fields or fields[0][0] != "v" or not self._expected_signature:
            msg = "server-final-message: no signature"
            raise ScramError(msg)
        if not hmac.compare_digest(
            _from_base64(fields[0][1]), self._expected_signature
        ):
            msg = "server-final-message: wrong signature"
            raise ScramError(msg)
        self.is_verified = True

    def wipe(self) -> None:
        """Forget the password."""
        self._password.wipe()

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._choice.hash_name)


def _gs2(flag: Flag, binding: ChannelBinding | None) -> tuple[bytes, bytes]:
    """Return the gs2 header and the channel-binding data that follows it."""
    if flag is not Flag.BOUND:
        return f"{flag.value},,".encode(), b""
    if binding is None:
        msg = "nothing to bind to"
        raise ScramError(msg)
    return f"p={binding.kind},,".encode(), binding.data


def _parse_server_first(message: bytes) -> tuple[str, bytes, int]:
    fields = _split(message)
    if [name for name, _ in fields[:3]] != ["r", "s", "i"]:
        # An "m" in front would be an extension that we must not ignore.
        msg = "server-first-message: expected r, s, i"
        raise ScramError(msg)
    nonce, salt_text, count_text = (value for _, value in fields[:3])
    if _NONCE.fullmatch(nonce) is None:
        msg = "server-first-message: unprintable nonce"
        raise ScramError(msg)
    if re.fullmatch(r"[1-9][0-9]{0,9}", count_text) is None:
        msg = "server-first-message: iteration count is no number"
        raise ScramError(msg)
    salt = _from_base64(salt_text)
    if not 0 < len(salt) <= MAX_SALT_BYTES:
        msg = "server-first-message: salt out of bounds"
        raise ScramError(msg)
    return nonce, salt, int(count_text)


def _split(message: bytes) -> list[tuple[str, str]]:
    """Split `a=1,b=2`; each name is one letter (RFC 5802, section 7)."""
    try:
        parts = message.decode().split(",")
    except UnicodeDecodeError as exc:
        msg = "message is not UTF-8"
        raise ScramError(msg) from exc
    if any(re.match(r"[A-Za-z]=", part) is None for part in parts):
        msg = "message has a field without a name"
        raise ScramError(msg)
    return [(part[0], part[2:]) for part in parts]


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        msg = "field is not base64"
        raise ScramError(msg) from exc
