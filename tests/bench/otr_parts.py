"""What a short data message is made of: the library calls it needs, each by itself.

The sizes are those of a text that fills one block of padding. What is left of the
whole message is Python: reading and writing the format, and the state machines;
a profile tells which files that is in.
"""

import binascii
import cProfile
import hmac
import pstats
import secrets
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_N_CALLS: Final = 5000
_N_NAMED: Final = 6
_PLAINTEXT_BYTES: Final = 256  # OTR text, NUL and padding
_RAW_BYTES: Final = 11 + 1 + 4 + 4 + 196 + 8 + 4 + _PLAINTEXT_BYTES + 20 + 4
"""Header, flags, two keyids, next_y, counter, DATA, MAC, no old MAC keys."""


def library_parts(message_us: float) -> str:
    """Return a remark: what the libraries need of one message, both ends together.

    Args:
        message_us: What the whole message takes, in microseconds.
    """
    raw = secrets.token_bytes(_RAW_BYTES)
    armoured = binascii.b2a_base64(raw, newline=False).decode()
    key, half = secrets.token_bytes(16), secrets.token_bytes(8)
    plaintext, mac = raw[:_PLAINTEXT_BYTES], raw[:20]

    def encrypt() -> bytes:
        cipher = Cipher(algorithms.AES(key), modes.CTR(half + bytes(8)))
        return cipher.encryptor().update(plaintext)

    def authenticate() -> bool:
        hmac.digest(key, raw, "sha1")
        return hmac.compare_digest(mac, hmac.digest(key, raw, "sha1"))

    def carry() -> bytes:
        binascii.b2a_base64(raw, newline=False).decode()
        return binascii.a2b_base64(armoured, strict_mode=True)

    parts = {
        "AES-CTR twice": 2 * _us(encrypt),
        "HMAC-SHA1 twice": _us(authenticate),
        "base64 there and back": _us(carry),
    }
    rest = message_us - sum(parts.values())
    listed = ", ".join(f"{name} {cost:.1f}" for name, cost in parts.items())
    share = f"{rest:.1f} ({rest / message_us:.0%})"
    return f"{message_us:.1f} us for 100 B in a row: {listed}, our Python {share}"


def dearest_files(work: Callable[[], object]) -> str:
    """Return a remark: in which of our files the time of some work goes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    costs: Counter[str] = Counter()
    for (file, _line, _name), entry in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]  # typeshed leaves it out
        path = Path(file)
        if path.parent.name == "otr":
            costs[path.stem] += entry[2]  # its own time, without what it calls
    total = sum(costs.values())
    most = costs.most_common(_N_NAMED)
    listed = ", ".join(f"{name} {cost / total:.0%}" for name, cost in most)
    return f"of our Python, traced: {listed}"


def _us(call: Callable[[], object]) -> float:
    """Return the microseconds of CPU for one call."""
    began = time.process_time()
    for _ in range(_N_CALLS):
        call()
    return 1e6 * (time.process_time() - began) / _N_CALLS
