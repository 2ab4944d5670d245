"""The other side of SCRAM, written for the tests and from RFC 5802 alone."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass
class ScramServer:
    """One exchange with a client whose password is known."""

    password: str
    hash_name: str = "sha1"
    salt: bytes = b"salty-salt"
    iterations: int = 4096
    nonce: str = "server-part"
    binding: bytes = b""
    first_bare: str = field(default="", init=False)
    gs2: str = field(default="", init=False)
    server_first: str = field(default="", init=False)

    def challenge(self, client_first: bytes) -> bytes:
        text = client_first.decode()
        flag, authzid, self.first_bare = text.split(",", 2)
        self.gs2 = f"{flag},{authzid},"
        client_nonce = self.first_bare.split(",r=")[1]
        salt = base64.b64encode(self.salt).decode()
        self.server_first = f"r={client_nonce}{self.nonce},s={salt},i={self.iterations}"
        return self.server_first.encode()

    def final(self, client_final: bytes) -> bytes | None:
        """Return server-final-message, or None when the proof is wrong."""
        without_proof, _, proof = client_final.decode().rpartition(",p=")
        salted = hashlib.pbkdf2_hmac(
            self.hash_name, self.password.encode(), self.salt, self.iterations
        )
        client_key = hmac.digest(salted, b"Client Key", self.hash_name)
        stored = hashlib.new(self.hash_name, client_key).digest()
        message = f"{self.first_bare},{self.server_first},{without_proof}".encode()
        signature = hmac.digest(stored, message, self.hash_name)
        given = base64.b64decode(proof)
        key = bytes(a ^ b for a, b in zip(given, signature, strict=True))
        channel = base64.b64encode(self.gs2.encode() + self.binding).decode()
        if hashlib.new(self.hash_name, key).digest() != stored:
            return None
        if not without_proof.startswith(f"c={channel},"):
            return None
        server_key = hmac.digest(salted, b"Server Key", self.hash_name)
        verifier = hmac.digest(server_key, message, self.hash_name)
        return b"v=" + base64.b64encode(verifier)
