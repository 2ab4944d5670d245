"""The first words of TLS, which the exit and the server see in clear: all alike."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.launching import ROOT

TELL = """
import sys
from coykiosk import app

class Speaker:
    def __init__(self, settings):
        pass

    async def run(self, *, vault_exists):
        from coykiosk.session.certificates import Authorities
        from coykiosk.session.tls import TlsEngine
        nobody = Authorities(bundle=None, directory=None)
        for is_direct in (True, False):
            engine = TlsEngine("practice.example", is_direct=is_direct,
                               authorities=nobody)
            print(engine.begin().hex())

assert "cryptography" not in sys.modules
app._App = Speaker
app.run(app.Settings(servers=(), vault_path=None))
"""

MACHINES_OWN = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = here
[here]
Groups = P-521
MinProtocol = TLSv1.3
SignatureAlgorithms = RSA+SHA512
"""
KEY_SHARE = 51  # RFC 8446, section 4.2.8


def hellos(**environ: str) -> list[bytes]:
    """Return what a new process says first: direct TLS, and after STARTTLS."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-B", "-c", TELL],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    return [bytes.fromhex(line) for line in done.stdout.split()]


def without_chance(hello: bytes) -> list[object]:
    """Take a ClientHello apart (RFC 8446, section 4.1.2), but for what is drawn."""
    assert hello[0] == 22
    assert hello[5] == 1
    at = 5 + 4 + 2 + 32
    parts: list[object] = [len(hello), hello[:5], hello[6:11], hello[at]]
    at += 1 + hello[at]
    for width in (2, 1):  # the ciphers; the compression methods
        length = int.from_bytes(hello[at : at + width])
        parts.append(hello[at : at + width + length])
        at += width + length
    at += 2
    while at < len(hello):
        kind, length = struct.unpack_from("!HH", hello, at)
        value = hello[at + 4 : at + 4 + length]
        parts.append((kind, length, b"" if kind == KEY_SHARE else value))
        at += 4 + length
    return parts


@pytest.fixture(scope="module")
def here() -> list[bytes]:
    return hellos()


def test_tls_begins_alike_whatever_the_machine_is_set_to(
    here: list[bytes], tmp_path: Path
) -> None:
    settings = tmp_path / "openssl.cnf"
    settings.write_text(MACHINES_OWN)

    there = hellos(OPENSSL_CONF=str(settings), LANG="de_DE.UTF-8", TZ="Asia/Tokyo")

    assert list(map(without_chance, there)) == list(map(without_chance, here))
    assert there != here


def test_tls_names_nothing_but_the_domain_and_the_protocol(here: list[bytes]) -> None:
    direct, after_starttls = map(without_chance, here)

    kinds = [part[0] for part in direct if isinstance(part, tuple)]
    # server_name, supported_versions and key_share are there; no ticket, no early data.
    assert {0, 43, KEY_SHARE} <= set(kinds)
    assert not {35, 41, 42} & set(kinds)
    assert set(kinds) - {16} == {p[0] for p in after_starttls if isinstance(p, tuple)}
