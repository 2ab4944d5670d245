"""The practice server's certificate: self-signed, as an onion's often is.

Rule: pure but for the randomness that key generation draws itself. The key never
leaves this machine and is forgotten with the network.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificate", "make_certificate"]

_BEFORE: Final = timedelta(days=1)  # a clock that is set back must not break it
_AFTER: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, its key, and the hash by which it is known."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    spki: str
    """SHA-256 of the public key's SubjectPublicKeyInfo, base64 (RFC 7469, 2.4)."""


def make_certificate(domain: str, now: datetime) -> Certificate:
    """Make a key and a certificate for a domain.

    Args:
        domain: An ASCII domain name; becomes the dNSName (RFC 6125, 6.4).
        now: The time of day, aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _AFTER)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public_key = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Certificate(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        spki=base64.b64encode(hashlib.sha256(public_key).digest()).decode(),
    )
