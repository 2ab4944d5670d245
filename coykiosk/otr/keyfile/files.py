"""The three files in which libotr keeps its keys, read and written.

Rule: bytes in, values out; no file is opened here. A file that is none is refused
whole; an entry that is none is skipped, and the result says so. Whatever was read can
be written, and what libotr has written comes out as it was, but for comments.

Who has such files: all on libotr (Pidgin, Adium, profanity, mcabber, irssi). They
differ in what they call XMPP ("prpl-jabber", "libpurple-Jabber", "xmpp", "jabber")
and an account: Pidgin adds the resource to the JID, Adium has a number for it.
Clients on python-potr (Gajim) have such fingerprints, but keep a private key in the
form of `PrivateKey.to_bytes`, which also is that of Go's otr packages (xmpp-client,
CoyIM).

Source: libotr 4.1.1, privkey.c and instag.c; the specification leaves files open.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from coykiosk.otr.dsa import PrivateKey, PublicKey
from coykiosk.otr.events import LocalError, RemoteError
from coykiosk.otr.keyfile.lines import (
    BYTE_ORDER_MARK,
    encode,
    read_columns,
    read_hex,
    read_lines,
    write_columns,
)
from coykiosk.otr.keyfile.sexp import Atom, Branch, read_sexps, write_atom
from coykiosk.otr.tags import check_our_tag
from coykiosk.otr.wire import Reader, encode_mpi, encode_short

MAX_SKIPPED: Final = 1000  # lines; a file with more of them is something else

_DSA: Final = 0  # the key type in PUBKEY
_KEY_BITS: Final = 1024  # of p; libotr has never made another
_PARTS: Final = ("p", "q", "g", "y", "x")  # in the order of PUBKEY, then x
_FINGERPRINT_BYTES: Final = 20
_TAG_BYTES: Final = 4
_TAGS_HEAD: Final = b"# Each device has its own: leave this file where it is.\n"

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a file that could not be used."""

    line: int
    """Where it stands; the first line is 1."""
    reason: str
    """Why, without anything that the file says."""
    name: str | None = None
    """The account it is of, raw; None when that is not known."""


@dataclass(frozen=True, slots=True)
class Imported(Generic[Entry]):
    """What a file holds."""

    entries: tuple[Entry, ...]
    """In the order of the file."""
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The long-term key of an account of ours."""

    name: str
    """As the program that wrote it calls the account; not always a JID."""
    protocol: str
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class KnownFingerprint:
    """A key that a contact has shown to one of our accounts."""

    contact: str
    account: str
    protocol: str
    fingerprint: bytes
    """20 bytes."""
    trust: str = ""
    """How it was verified, in a word ("verified", "smp"); empty when it was not."""

    @property
    def is_verified(self) -> bool:
        """Whether somebody has vouched for it, in whatever way."""
        return bool(self.trust.strip())


@dataclass(frozen=True, slots=True)
class AccountTag:
    """The instance tag of an account of ours on one device."""

    account: str
    protocol: str
    instance_tag: int


def read_private_keys(data: bytes) -> Imported[AccountKey]:
    """Read `otr.private_key`.

    An account that cannot be used does not keep the others from being read. When
    one is there twice the later holds, as with libotr.

    Raises:
        LocalError: no such file, a damaged one, or one of more than 1 MiB;
            says where.
    """
    keys: dict[Hashable, tuple[AccountKey, int]] = {}
    skipped: list[Skipped] = []
    for account in _accounts(data):
        try:
            entry = _read_account(account)
        except LocalError as error:
            skipped.append(Skipped(account.line, str(error), _shown_name(account)))
            continue
        earlier = keys.pop((entry.name, entry.protocol), None)
        if earlier is not None:
            reason = f"the same account follows in line {account.line}"
            skipped.append(Skipped(earlier[1], reason, entry.name))
        keys[entry.name, entry.protocol] = (entry, account.line)
    return Imported(tuple(entry for entry, _ in keys.values()), tuple(skipped))


def write_private_keys(keys: Iterable[AccountKey]) -> bytes:
    """Write `otr.private_key`: secret, and not encrypted in any way.

    Raises:
        LocalError: a name that libotr would read as another, or one account twice.
    """
    pieces = [b"(privkeys\n"]
    seen: set[Hashable] = set()
    for entry in keys:
        _check_once((entry.name, entry.protocol), seen)
        pieces += _account_pieces(entry)
    return b"".join([*pieces, b")\n"])


def read_fingerprints(data: bytes) -> Imported[KnownFingerprint]:
    """Read `otr.fingerprints`, whose lines may end in CRLF and lack the trust.

    Of two lines about the same key of a contact the later holds, as with libotr.

    Raises:
        LocalError: more than 1 MiB, or more than `MAX_SKIPPED` lines that are none.
    """
    known: dict[Hashable, KnownFingerprint] = {}
    skipped: list[Skipped] = []
    for number, line in read_lines(data):
        try:
            contact, account, protocol, digits, trust = read_columns(
                line, 4, n_optional=1
            )
            fingerprint = read_hex(digits, _FINGERPRINT_BYTES)
        except LocalError as error:
            _skip(skipped, number, str(error))
            continue
        entry = KnownFingerprint(contact, account, protocol, fingerprint, trust)
        known[contact, account, protocol, fingerprint] = entry
    return Imported(tuple(known.values()), tuple(skipped))


def write_fingerprints(known: Iterable[KnownFingerprint]) -> bytes:
    """Write `otr.fingerprints`.

    Raises:
        LocalError: a contact, an account or a trust that would forge a line, a line
            too long for libotr, one key twice, or a fingerprint that is none.
    """
    lines = []
    seen: set[Hashable] = set()
    for entry in known:
        if len(entry.fingerprint) != _FINGERPRINT_BYTES:
            msg = f"fingerprint of {len(entry.fingerprint)} bytes"
            raise LocalError(msg)
        names = (entry.contact, entry.account, entry.protocol)
        _check_once((*names, entry.fingerprint), seen)
        lines.append(write_columns(*names, entry.fingerprint.hex(), entry.trust))
    return b"".join(lines)


def read_instance_tags(data: bytes) -> Imported[AccountTag]:
    """Read `otr.instance_tags`. When an account is there twice the later holds.

    Raises:
        LocalError: more than 1 MiB, or more than `MAX_SKIPPED` lines that are none.
    """
    tags: dict[Hashable, AccountTag] = {}
    skipped: list[Skipped] = []
    for number, line in read_lines(data):
        try:
            account, protocol, digits = read_columns(line, 3)
            tag = int.from_bytes(read_hex(digits, _TAG_BYTES), "big")
            check_our_tag(tag)
        except LocalError as error:
            _skip(skipped, number, str(error))
            continue
        tags[account, protocol] = AccountTag(account, protocol, tag)
    return Imported(tuple(tags.values()), tuple(skipped))


def write_instance_tags(tags: Iterable[AccountTag]) -> bytes:
    """Write `otr.instance_tags`.

    Raises:
        LocalError: a name that would forge a line, a line too long for libotr, one
            account twice, or a tag that no peer would take.
    """
    lines = [_TAGS_HEAD]
    seen: set[Hashable] = set()
    for entry in tags:
        check_our_tag(entry.instance_tag)
        _check_once((entry.account, entry.protocol), seen)
        lines.append(
            write_columns(entry.account, entry.protocol, f"{entry.instance_tag:08x}")
        )
    return b"".join(lines)


def _check_once(name: Hashable, seen: set[Hashable]) -> None:
    if name in seen:
        msg = f"key file: entry {len(seen) + 1} is there already"
        raise LocalError(msg)
    seen.add(name)


def _skip(skipped: list[Skipped], line: int, reason: str) -> None:
    skipped.append(Skipped(line, reason))
    if len(skipped) > MAX_SKIPPED:
        msg = f"key file: {len(skipped)} lines are none, the first is {skipped[0].line}"
        raise LocalError(msg)


def _accounts(data: bytes) -> Iterator[Branch]:
    """Yield the accounts of one file, or of several written behind each other."""
    files = read_sexps(data.removeprefix(BYTE_ORDER_MARK.encode()))
    if not files:
        msg = "private keys: the file is empty"
        raise LocalError(msg)
    for file in files:
        if not isinstance(file, Branch) or file.head != b"privkeys":
            msg = f"private keys: line {file.line}: no list of private keys"
            raise LocalError(msg)
        yield from _lists(file, b"account")


def _read_account(account: Branch) -> AccountKey:
    name = _text(_only_value(account, b"name"), "name")
    protocol = _text(_only_value(account, b"protocol"), "protocol")
    dsa = _only_list(_only_list(account, b"private-key"), b"dsa")
    numbers = [
        int.from_bytes(_only_value(dsa, part.encode()), "big") for part in _PARTS
    ]
    return AccountKey(name, protocol, _private_key(*numbers))


def _lists(parent: Branch, head: bytes) -> list[Branch]:
    return [
        item for item in parent.items if isinstance(item, Branch) and item.head == head
    ]


def _only_list(parent: Branch, head: bytes) -> Branch:
    """Return the one list in `parent` that begins so; what else is there is skipped."""
    found = _lists(parent, head)
    if len(found) != 1:
        msg = f"{head.decode()}: {len(found)} of them instead of one"
        raise LocalError(msg)
    return found[0]


def _only_value(parent: Branch, head: bytes) -> bytes:
    match _only_list(parent, head).items:
        case (_, Atom(value)):
            return value
        case _:
            msg = f"{head.decode()}: no single value"
            raise LocalError(msg)


def _text(value: bytes, what: str) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        msg = f"{what}: no UTF-8"
        raise LocalError(msg) from None
    _check_no_nul(text, what)
    return text


def _check_no_nul(text: str, what: str) -> None:
    if "\0" in text:  # where libotr's strings end
        msg = f"{what}: a zero byte in it"
        raise LocalError(msg)


def _shown_name(account: Branch) -> str | None:
    try:
        return _only_value(account, b"name").decode(errors="backslashreplace")
    except LocalError:
        return None


def _private_key(p: int, q: int, g: int, y: int, x: int) -> PrivateKey:
    if p.bit_length() != _KEY_BITS:
        msg = f"a key of {p.bit_length()} bits, where OTR has {_KEY_BITS}"
        raise LocalError(msg)
    encoded = encode_short(_DSA) + b"".join(map(encode_mpi, (p, q, g, y)))
    try:
        PublicKey.read(Reader(encoded))
    except RemoteError as error:
        raise LocalError(str(error)) from None
    try:
        return PrivateKey.from_bytes(encoded + encode_mpi(x))
    except LocalError:
        msg = "the private number does not belong to the public key"
        raise LocalError(msg) from None


def _account_pieces(entry: AccountKey) -> Iterator[bytes]:
    yield b" (account\n"
    for what, text in (("name", entry.name), ("protocol", entry.protocol)):
        _check_no_nul(text, what)
        yield b"(%s %s)\n" % (what.encode(), write_atom(encode(text)))
    yield b"(private-key \n (dsa \n"
    reader = Reader(entry.key.to_bytes())
    reader.short()
    for part in _PARTS:
        number = reader.mpi()
        # Signed, as libgcrypt has it: a zero byte before a highest bit that is set.
        value = number.to_bytes(number.bit_length() // 8 + 1, "big")
        yield b"  (%s %s)\n" % (part.encode(), write_atom(value))
    yield b"  )\n )\n )\n"
