"""Is this the server? The verdict on a certificate.

Rule: decides on facts that the TLS library has gathered, and fails closed. A
certificate is taken

    by its chain    the system's authorities vouch for it, it is valid now, and it
                    names the domain of the JID
    by its pin      only on an onion: nobody vouches for it, but its key is the one
                    that was pinned
    at first sight  only on an onion without any pin: it vouches for itself. The
                    onion address has already authenticated the other end; the key
                    is handed back to be pinned, for that onion only

The last two replace the *chain* and nothing else. The domain of the JID must be
named, the certificate must be valid today, its key must be fit for servers, in all
three: an expired self-signed certificate is refused although its key is pinned. On
the way through an exit there is the first line and no other, and so there is at an
onion that a resolver named: it has authenticated itself as somebody's onion. A chain that holds is
taken whatever is pinned, because authorities' certificates change their keys every
few months.
"""

import base64
import hashlib
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto, unique
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "Authorities",
    "CertificateBadError",
    "CertificateFacts",
    "Fault",
    "Trust",
    "Verdict",
    "judge",
    "names_domain",
    "spki_hash",
    "system_authorities",
]

# X509_V_ERR_*, see "man 3 X509_STORE_CTX_get_error".
_ERR_NO_ISSUER: Final = 2
_ERR_NOT_YET_VALID: Final = 9
_ERR_EXPIRED: Final = 10
_ERR_SELF_SIGNED_LEAF: Final = 18
_ERR_SELF_SIGNED_IN_CHAIN: Final = 19
_ERR_NO_LOCAL_ISSUER: Final = 20
_ERR_LEAF_UNVERIFIED: Final = 21
_NOBODY_VOUCHES: Final = frozenset(
    {
        _ERR_NO_ISSUER,
        _ERR_SELF_SIGNED_LEAF,
        _ERR_SELF_SIGNED_IN_CHAIN,
        _ERR_NO_LOCAL_ISSUER,
        _ERR_LEAF_UNVERIFIED,
    }
)
_VOUCHES_FOR_ITSELF: Final = frozenset({_ERR_SELF_SIGNED_LEAF})

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_DIRECTORIES: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")


@unique
class Fault(Enum):
    """What a certificate lacks; the worst one is told."""

    UNUSABLE = "unusable"
    """It, or its key, cannot be read."""
    EXPIRED = "expired"
    """It is not valid yet, or no longer."""
    WRONG_NAME = "wrong-name"
    UNTRUSTED = "untrusted"
    """Nobody whom we believe vouches for it."""
    PIN_CHANGED = "pin-changed"


class CertificateBadError(Exception):
    """The certificate does not show that this is the server.

    Args:
        fault: What it lacks.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Trust(Enum):
    """What a certificate was taken by."""

    CHAIN = auto()
    PINNED = auto()
    FIRST_SIGHT = auto()


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the TLS library found out about the server's certificate."""

    certificate: x509.Certificate
    errors: frozenset[int]
    """X509_V_ERR_* of every certificate of the chain; empty when it holds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The certificate was taken."""

    trust: Trust
    pin: str
    """SHA-256 of the key's SubjectPublicKeyInfo, base64 (RFC 7469, 2.4)."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """Where the authorities that we believe are kept."""

    bundle: Path | None
    directory: Path | None


def judge(
    facts: CertificateFacts, *, domain: str, is_onion: bool, pins: Collection[str]
) -> Verdict:
    """Decide whether the other end is the server of a domain.

    Args:
        facts: What it showed.
        domain: The domain part of the JID.
        is_onion: It is the onion that a record or a person gave for that domain.
        pins: SHA-256 of keys that were met there before, base64.

    Raises:
        CertificateBadError: it is not shown to be.
    """
    try:
        pin = spki_hash(facts.certificate)
        is_named = names_domain(facts.certificate, domain)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise CertificateBadError(Fault.UNUSABLE) from exc
    if {_ERR_EXPIRED, _ERR_NOT_YET_VALID} & facts.errors:
        raise CertificateBadError(Fault.EXPIRED)
    if not is_named:
        raise CertificateBadError(Fault.WRONG_NAME)
    if not facts.errors:
        return Verdict(Trust.CHAIN, pin)
    if not is_onion or not facts.errors <= _NOBODY_VOUCHES:
        raise CertificateBadError(Fault.UNTRUSTED)
    if pin in pins:
        return Verdict(Trust.PINNED, pin)
    if pins:
        raise CertificateBadError(Fault.PIN_CHANGED)
    if not facts.errors <= _VOUCHES_FOR_ITSELF:
        raise CertificateBadError(Fault.UNTRUSTED)
    return Verdict(Trust.FIRST_SIGHT, pin)


def spki_hash(certificate: x509.Certificate) -> str:
    """Return SHA-256 of the SubjectPublicKeyInfo, base64 (RFC 7469, 2.4)."""
    spki = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def names_domain(certificate: x509.Certificate, domain: str) -> bool:
    """Whether a DNS-ID of the certificate is the domain (RFC 6125, section 6.4).

    The subject's common name is not looked at. A wildcard stands for one whole
    leftmost label, and never right above a top-level domain.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return False
    wanted = domain.lower().rstrip(".")
    _, _, parent = wanted.partition(".")
    wildcard = f"*.{parent}" if "." in parent else None
    names = {
        name.lower().rstrip(".")
        for name in extension.value.get_values_for_type(x509.DNSName)
    }
    return wanted in names or wildcard in names


def system_authorities() -> Authorities:
    """Find the system's store of authorities, wherever this system keeps it.

    Python's own idea first; it follows SSL_CERT_FILE and SSL_CERT_DIR.
    """
    paths = ssl.get_default_verify_paths()
    bundles = (paths.cafile, *_BUNDLES)
    directories = (paths.capath, *_DIRECTORIES)
    return Authorities(
        bundle=next((Path(p) for p in bundles if p and Path(p).is_file()), None),
        directory=next((Path(p) for p in directories if p and Path(p).is_dir()), None),
    )
