"""What the vault holds: accounts, their keys, and the fingerprints they have met.

Rule: pure, and strict both ways. The codec reads back everything that it is
about to hand out, so what is kept can be opened again; anything unexpected on
the way in is refused whole. Messages name a field, never its value.

The bytes are JSON (RFC 8259) in UTF-8: an object with "profile" (the version of
this shape, 1), "accounts", "guard_state" and, where there are any, "bridges". An
account has "next_password" and "blocked" only where they are not empty. Byte strings
are base64.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from coykiosk.contract import Secret
from coykiosk.vault.strict import (
    Fields,
    ProfileError,
    armour,
    load,
    name,
    refusal,
    text_of,
    unarmour,
)

__all__ = [
    "Account",
    "Profile",
    "ProfileError",
    "ProfileTooLargeError",
    "ProfileTooNewError",
    "decode",
    "encode",
]

VERSION: Final = 1
MAX_BYTES: Final = 4_000_000  # fits the largest region of the vault file
MAX_ACCOUNTS: Final = 1000
_MAX_PART_BYTES: Final = 1023  # RFC 7622, section 3.1
_MAX_NAME_BYTES: Final = 255  # RFC 1035, section 3.1
_MAX_PASSWORD_BYTES: Final = 1024
_MAX_KEY_BYTES: Final = 4096
_MAX_GUARD_STATE_BYTES: Final = 65536
_MAX_BRIDGES: Final = 20
_MAX_BRIDGE_BYTES: Final = 1000
_MAX_PINS: Final = 16
_MAX_CONTACTS: Final = 50_000
_MAX_FINGERPRINTS: Final = 1000  # of one contact
_MAX_STAMP_BYTES: Final = 40
_PIN_BYTES: Final = 32  # SHA-256 of a SubjectPublicKeyInfo, RFC 7469, section 2.4
_FINGERPRINT_BYTES: Final = 20  # OTRv3, "Fingerprint": SHA-1
_MAX_PORT: Final = 65535
_MIN_INSTANCE_TAG: Final = 0x100  # OTRv3, "Instance Tags"
_MAX_INSTANCE_TAG: Final = 0xFFFFFFFF
_TLS_MODES: Final = frozenset({"direct", "starttls"})


class ProfileTooNewError(ProfileError):
    """A later shape of profile than ours.

    Args:
        version: The version that the profile states.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"profile version {version}")
        self.version = version


class ProfileTooLargeError(ProfileError):
    """More than MAX_BYTES; the rest of the profile may be in order."""


@dataclass(slots=True, repr=False, eq=False)
class Account:
    """One XMPP account with everything needed to sign in and to be recognised."""

    localpart: str
    domain: str
    """What the server's certificate must be valid for."""
    password: Secret
    pending: bool
    """True until the server has let this account in for the first time."""
    host: str
    """What Tor is asked for: an onion name, or the domain."""
    port: int
    tls: str
    """"direct" or "starttls"."""
    spki: tuple[str, ...]
    """Pinned SPKI SHA-256 hashes, base64; may be empty."""
    otr_key: Secret
    """The long-term DSA key; empty while it is still being made."""
    instance_tag: int
    """0x100 to 0xffffffff (OTRv3, "Instance Tags")."""
    known: dict[str, tuple[bytes, ...]]
    """Bare JID of a contact to the fingerprints seen there, 20 bytes each."""
    created: datetime
    """Aware, in UTC."""
    next_password: Secret = field(default_factory=lambda: Secret(b""))
    """Asked for, and not known to be the account's yet; mostly empty."""
    blocked: tuple[str, ...] = ()
    """Bare JIDs of whom nothing is shown."""

    def wipe(self) -> None:
        """Overwrite the secrets and forget who was known; idempotent."""
        self.password.wipe()
        self.next_password.wipe()
        self.otr_key.wipe()
        self.known.clear()
        self.blocked = ()

    def __repr__(self) -> str:
        return "Account(…)"


@dataclass(slots=True, repr=False, eq=False)
class Profile:
    """All that one passphrase opens."""

    accounts: list[Account] = field(default_factory=list)
    guard_state: str = ""
    """The guard lines of our own tor, "" for none."""
    bridges: tuple[str, ...] = ()
    """The bridge lines that tor goes through; what they say is checked by `onion`."""

    def wipe(self) -> None:
        """Overwrite every secret and drop the rest; idempotent."""
        for account in self.accounts:
            account.wipe()
        self.accounts.clear()
        self.guard_state = ""
        self.bridges = ()

    def __repr__(self) -> str:
        return f"Profile({len(self.accounts)} accounts)"


def encode(profile: Profile) -> bytes:
    """Turn a profile into bytes that `decode` is known to read.

    Runs in a thread while the profile's owner may add to it: each collection is
    copied in one step before it is walked.

    Raises:
        ProfileError: a value that `decode` would refuse (a wiped password, a
            time without zone, ...).
        ProfileTooLargeError: more than MAX_BYTES altogether.
    """
    tree: dict[str, object] = {
        "profile": VERSION,
        "accounts": [_account_to_tree(account) for account in list(profile.accounts)],
        "guard_state": profile.guard_state,
    }
    if profile.bridges:
        tree["bridges"] = list(profile.bridges)
    encoded = json.dumps(tree, separators=(",", ":")).encode("ascii")
    decode(encoded).wipe()
    return encoded


def decode(encoded: bytes | bytearray) -> Profile:
    """Read a profile, refusing whatever `encode` does not write.

    Raises:
        ProfileTooNewError: a later version of this shape.
        ProfileTooLargeError: more than MAX_BYTES.
        ProfileError: anything else that is not exactly a profile.
    """
    if len(encoded) > MAX_BYTES:
        msg = f"profile: {len(encoded)} bytes"
        raise ProfileTooLargeError(msg)
    top = Fields(load(encoded), "profile")
    version = top.take_int("profile", 1, _MAX_INSTANCE_TAG)
    if version > VERSION:
        raise ProfileTooNewError(version)
    accounts = top.take_list("accounts", MAX_ACCOUNTS)
    guard_state = top.take_str("guard_state", _MAX_GUARD_STATE_BYTES, empty=True)
    # Vaults from before there were bridges have no such field; empty, it is left out.
    bridges = (
        _bridges(top.take_list("bridges", _MAX_BRIDGES)) if "bridges" in top else ()
    )
    top.finish()
    records = [_account_from_tree(tree) for tree in accounts]
    return Profile(records, guard_state, bridges)


def _bridges(values: list[object]) -> tuple[str, ...]:
    key = "bridges"
    lines = [text_of(value, key, _MAX_BRIDGE_BYTES) for value in values]
    if not lines:
        raise refusal(key, values)
    for line in lines:
        # Whether it is a bridge is for `onion` to say; that it is one line is ours.
        if not (line.strip() and line.isascii() and line.isprintable()):
            raise refusal(key, line)
    return tuple(lines)


def _account_to_tree(account: Account) -> dict[str, object]:
    if not account.password:
        msg = "account: password is empty or wiped"
        raise ProfileError(msg)
    otr_key = account.otr_key.reveal() if account.otr_key else b""
    # Written only where they say something: an older program reads the rest.
    optional: dict[str, object] = {}
    if account.next_password:
        optional["next_password"] = armour(account.next_password.reveal())
    if account.blocked:
        optional["blocked"] = list(account.blocked)
    return {
        "localpart": account.localpart,
        "domain": account.domain,
        "password": armour(account.password.reveal()),
        "pending": account.pending,
        "host": account.host,
        "port": account.port,
        "tls": account.tls,
        "spki": list(account.spki),
        "otr_key": armour(otr_key),
        "instance_tag": account.instance_tag,
        "known": {
            jid: [armour(fingerprint) for fingerprint in fingerprints]
            for jid, fingerprints in account.known.copy().items()
        },
        "created": account.created.isoformat(),
        **optional,
    }


def _account_from_tree(tree: object) -> Account:
    fields = Fields(tree, "account")
    account = Account(
        localpart=fields.take_name("localpart", _MAX_PART_BYTES),
        domain=fields.take_name("domain", _MAX_PART_BYTES),
        password=Secret(fields.take_bytes("password", 1, _MAX_PASSWORD_BYTES)),
        pending=fields.take_bool("pending"),
        host=fields.take_name("host", _MAX_NAME_BYTES),
        port=fields.take_int("port", 1, _MAX_PORT),
        tls=fields.take_choice("tls", _TLS_MODES),
        spki=_pins(fields.take_list("spki", _MAX_PINS)),
        otr_key=Secret(fields.take_bytes("otr_key", 0, _MAX_KEY_BYTES)),
        instance_tag=fields.take_int(
            "instance_tag", _MIN_INSTANCE_TAG, _MAX_INSTANCE_TAG
        ),
        known=_known(fields.take("known")),
        created=fields.take_time("created"),
        next_password=_next_password(fields),
        blocked=_blocked(fields),
    )
    fields.finish()
    return account


def _next_password(fields: Fields) -> Secret:
    key = "next_password"
    if key not in fields:
        return Secret(b"")
    return Secret(fields.take_bytes(key, 1, _MAX_PASSWORD_BYTES))


def _blocked(fields: Fields) -> tuple[str, ...]:
    key = "blocked"
    if key not in fields:
        return ()
    values = fields.take_list(key, _MAX_CONTACTS)
    return tuple(name(value, key, 2 * _MAX_PART_BYTES + 1) for value in values)


def _pins(values: list[object]) -> tuple[str, ...]:
    pins = []
    for value in values:
        pin = unarmour(value, "spki", _PIN_BYTES, _PIN_BYTES)
        pins.append(armour(pin))
    return tuple(pins)


def _known(tree: object) -> dict[str, tuple[bytes, ...]]:
    key = "known"
    if not isinstance(tree, dict) or len(tree) > _MAX_CONTACTS:
        raise refusal(key, tree)
    known = {}
    for jid, values in tree.items():
        name(jid, key, 2 * _MAX_PART_BYTES + 1)
        if not isinstance(values, list) or len(values) > _MAX_FINGERPRINTS:
            raise refusal(key, values)
        known[jid] = tuple(
            unarmour(value, key, _FINGERPRINT_BYTES, _FINGERPRINT_BYTES)
            for value in values
        )
    return known
