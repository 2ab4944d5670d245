"""How an end of the key exchange proves who it is: X = PUBKEY, keyid, signature.

Rule: in a proof the signer's own public value comes first, and Bob and Alice use
different keys, so that neither can send the other's proof back. The MAC is checked
before anything is decrypted, the signature last.
"""

from dataclasses import dataclass
from typing import Final

from coykiosk.otr.dsa import SIGNATURE_BYTES, PrivateKey, PublicKey
from coykiosk.otr.events import RemoteError
from coykiosk.otr.primitives import (
    AES_KEY_BYTES,
    MAC_BYTES,
    aes_ctr,
    check_equal,
    hmac_sha256,
    sha256,
)
from coykiosk.otr.wire import Reader, encode_data, encode_int, encode_mpi

_FIRST_KEYID: Final = 1
_SSID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, repr=False)
class AkeSecrets:
    """What both ends derive from s (OTRv3, "Computing the AKE keys")."""

    ssid: bytes
    bob_aes: bytes
    """c, which encrypts Bob's signature."""
    alice_aes: bytes
    """c'."""
    bob_m1: bytes
    bob_m2: bytes
    alice_m1: bytes
    """m1'."""
    alice_m2: bytes
    """m2'."""


def derive_secrets(shared: int) -> AkeSecrets:
    """Derive the exchange's keys from the Diffie-Hellman value s.

    The MPI of s is minimal: one s in 256 is a byte shorter than the group.
    """
    sec_bytes = encode_mpi(shared)
    parts = [sha256(bytes([number]) + sec_bytes) for number in range(6)]
    aes = parts[1]
    return AkeSecrets(
        parts[0][:_SSID_BYTES],
        aes[:AES_KEY_BYTES],
        aes[AES_KEY_BYTES:],
        *parts[2:],
    )


def prove(
    our_key: PrivateKey,
    *,
    ours_then_theirs: bytes,
    aes_key: bytes,
    m1: bytes,
    m2: bytes,
) -> tuple[bytes, bytes]:
    """Return our encrypted X = PUBKEY, keyid, SIG, and the MAC over it."""
    public = our_key.public.encoded + encode_int(_FIRST_KEYID)
    signature = our_key.sign(hmac_sha256(m1, ours_then_theirs + public))
    encrypted = aes_ctr(aes_key, public + signature)
    return encrypted, _mac(m2, encrypted)


def check_proof(
    encrypted: bytes,
    mac: bytes,
    *,
    our_fingerprint: bytes,
    theirs_then_ours: bytes,
    aes_key: bytes,
    m1: bytes,
    m2: bytes,
) -> tuple[int, bytes]:
    """Verify the other end's X; returns its keyid and its fingerprint.

    Raises:
        RemoteError: MAC, key, keyid, length or signature are wrong, or the key is
            ours: somebody has sent our own exchange back to us.
    """
    check_equal(mac, _mac(m2, encrypted), "mac of the signature")
    reader = Reader(aes_ctr(aes_key, encrypted))
    public = PublicKey.read(reader)
    keyid = reader.integer()
    if keyid == 0:
        msg = "keyid is 0"
        raise RemoteError(msg)
    signature = reader.take(SIGNATURE_BYTES)
    reader.finish()
    signed = theirs_then_ours + public.encoded + encode_int(keyid)
    public.verify(hmac_sha256(m1, signed), signature)
    if public.fingerprint == our_fingerprint:
        msg = "the key is our own"
        raise RemoteError(msg)
    return keyid, public.fingerprint


def _mac(m2: bytes, encrypted: bytes) -> bytes:
    return hmac_sha256(m2, encode_data(encrypted))[:MAC_BYTES]
