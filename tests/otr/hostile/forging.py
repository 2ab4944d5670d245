"""The key exchange played by hand, so that every field of it can be wrong."""

from coykiosk.otr import Instances, PrivateKey
from coykiosk.otr.ake_states import draw_commit
from coykiosk.otr.messages import DhCommit, DhKey, RevealSig, Signature
from coykiosk.otr.primitives import DhKeyPair, aes_ctr, hmac_sha256
from coykiosk.otr.proof import derive_secrets
from coykiosk.otr.wire import encode_data, encode_int, encode_mpi
from tests.otr.wiring import (
    TAGS,
    injected,
    message_of,
    recorded_key,
    redrawable,
    text_of,
)

HER_TAGS = (TAGS["bob"], TAGS["alice"])
"""Mallory speaks under Bob's tag to Alice."""


def forge_proof(
    *,
    ours_then_theirs: bytes,
    aes_key: bytes,
    m1: bytes,
    m2: bytes,
    key: PrivateKey | None = None,
    public: bytes | None = None,
    keyid: int = 1,
    signature: bytes | None = None,
    tail: bytes = b"",
) -> tuple[bytes, bytes]:
    """X and its MAC, right but for what the test sets."""
    key = key or recorded_key("bob")
    head = (key.public.encoded if public is None else public) + encode_int(keyid)
    if signature is None:
        signature = key.sign(hmac_sha256(m1, ours_then_theirs + head))
    encrypted = aes_ctr(aes_key, head + signature + tail)
    return encrypted, hmac_sha256(m2, encode_data(encrypted))[:20]


class ForgedBob:
    """Commits to Alice, and answers her g^y with what the test wants."""

    def __init__(self, alice: Instances, *, seed: object = "mallory") -> None:
        self.alice = alice
        self.secret = draw_commit(redrawable(seed))
        self.commit = self.secret.message(*HER_TAGS)
        self.key: DhKey | None = None

    def send_commit(self, commit: DhCommit | None = None) -> None:
        (answer,) = injected(self.alice.receive(text_of(commit or self.commit), 0))
        message = message_of(answer)
        assert isinstance(message, DhKey)
        self.key = message

    def proven(self, *, keyid: int) -> bytes:
        """Bob's right signature over his key under this keyid."""
        assert self.key is not None
        secrets = derive_secrets(self.secret.key.shared_secret(self.key.gy))
        values = self.secret.key.public_mpi + encode_mpi(self.key.gy)
        bob = recorded_key("bob")
        signed = values + bob.public.encoded + encode_int(keyid)
        return bob.sign(hmac_sha256(secrets.bob_m1, signed))

    def reveal_sig(
        self,
        *,
        r: bytes | None = None,
        key: PrivateKey | None = None,
        public: bytes | None = None,
        keyid: int = 1,
        signature: bytes | None = None,
        tail: bytes = b"",
        mac: bytes | None = None,
    ) -> RevealSig:
        assert self.key is not None
        secrets = derive_secrets(self.secret.key.shared_secret(self.key.gy))
        encrypted, right_mac = forge_proof(
            ours_then_theirs=self.secret.key.public_mpi + encode_mpi(self.key.gy),
            aes_key=secrets.bob_aes,
            m1=secrets.bob_m1,
            m2=secrets.bob_m2,
            key=key,
            public=public,
            keyid=keyid,
            signature=signature,
            tail=tail,
        )
        return RevealSig(
            *HER_TAGS,
            self.secret.r if r is None else r,
            encrypted,
            right_mac if mac is None else mac,
        )


class ForgedAlice:
    """Answers Alice's own commit: a second Alice, under Bob's tag."""

    def __init__(self, alice: Instances, *, seed: object = "mallory") -> None:
        self.victim = alice
        self.dh = DhKeyPair.draw(redrawable(seed))
        (commit,) = injected(alice.receive("?OTRv3?", 0))
        first = message_of(commit)
        assert isinstance(first, DhCommit)
        self.commit = first

    def send_key(self) -> None:
        """Answer the commit, and learn g^x from what is revealed."""
        (answer,) = injected(
            self.victim.receive(text_of(DhKey(*HER_TAGS, self.dh.public)), 0)
        )
        reveal = message_of(answer)
        assert isinstance(reveal, RevealSig)
        self.gx_mpi = aes_ctr(reveal.r, self.commit.encrypted_gx)

    def signature(
        self,
        *,
        key: PrivateKey | None = None,
        keyid: int = 1,
        signature: bytes | None = None,
        mac: bytes | None = None,
    ) -> Signature:
        gx = int.from_bytes(self.gx_mpi[4:], "big")
        secrets = derive_secrets(self.dh.shared_secret(gx))
        encrypted, right_mac = forge_proof(
            ours_then_theirs=self.dh.public_mpi + self.gx_mpi,
            aes_key=secrets.alice_aes,
            m1=secrets.alice_m1,
            m2=secrets.alice_m2,
            key=key,
            keyid=keyid,
            signature=signature,
        )
        return Signature(*HER_TAGS, encrypted, right_mac if mac is None else mac)
