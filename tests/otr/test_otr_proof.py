"""The proof of an identity by itself."""

import pytest

from coykiosk.otr import RemoteError
from coykiosk.otr.proof import check_proof


def test_proof_is_refused_for_its_mac_before_it_is_decrypted() -> None:
    with pytest.raises(RemoteError, match="mac of the signature does not match"):
        check_proof(
            b"",
            bytes(20),
            our_fingerprint=bytes(20),
            theirs_then_ours=b"",
            aes_key=bytes(16),
            m1=b"",
            m2=b"",
        )
