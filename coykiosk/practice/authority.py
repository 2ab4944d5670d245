"""The directory authority's keys, made afresh for every network.

Rule: the keys lie in the authority's place and nowhere else, and last as long.
"""

import secrets
from typing import Final

from coykiosk.onion.scratch import Scratch
from coykiosk.practice.node import tor_command
from coykiosk.practice.tor_config import (
    Authority,
    Place,
    parse_fingerprint,
    parse_v3_identity,
    quoted,
)

__all__ = ["make_authority"]

_LIFE_MONTHS: Final = "1"  # the least that tor-gencert takes


async def make_authority(
    scratch: Scratch,
    place: Place,
    *,
    nickname: str,
    or_address: str,
    dir_address: str,
) -> Authority:
    """Make a relay's keys, and those it votes with.

    Args:
        scratch: Runs the programs that make them.
        place: The authority's place, prepared.
        nickname: What the network calls it.
        or_address: Where its relay will listen.
        dir_address: Where its directory will listen.

    Returns:
        What everybody must know of it.

    Raises:
        FileNotFoundError: there is no tor, or no tor-gencert.
        ChildError: one of them refuses.
        OSError: something cannot be written.
        ValueError: what they wrote is not what tor(1) says.
    """
    place.torrc.write_text(
        f"DataDirectory {quoted(place.data)}\n"
        f"Nickname {nickname}\n"
        f"ORPort {or_address}\n"
        "SocksPort 0\n"
        "Log warn stdout\n",
        encoding="utf-8",
    )
    await scratch.run(*tor_command(place), "--list-fingerprint")
    keys = place.data / "keys"
    certificate = keys / "authority_certificate"
    # Nobody will ever open the identity key again: its passphrase is forgotten.
    await scratch.run(
        "tor-gencert",
        *("--create-identity-key", "--passphrase-fd", "0", "-m", _LIFE_MONTHS),
        *("-a", dir_address),
        *("-i", str(keys / "authority_identity_key")),
        *("-s", str(keys / "authority_signing_key")),
        *("-c", str(certificate)),
        input=secrets.token_hex(16).encode() + b"\n",
    )
    fingerprint = (place.data / "fingerprint").read_text(encoding="utf-8")
    return Authority(
        nickname=nickname,
        or_address=or_address,
        dir_address=dir_address,
        v3_identity=parse_v3_identity(certificate.read_text(encoding="utf-8")),
        fingerprint=parse_fingerprint(fingerprint),
    )
