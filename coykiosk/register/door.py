"""A server that the person names, or an invitation that they were given.

Rule: pure. An invitation is read as text and taken apart; nothing that it points to is
ever opened. The name that it may suggest for the account is not used: ours are drawn.

Source: XEP-0401, section 3 (invitations), RFC 5122 (xmpp: addresses), XEP-0445.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final
from urllib.parse import unquote

from coykiosk.register.checks import ValueRefused, a_domain, an_onion
from coykiosk.register.records import CLIENT_PORT, Registration, Server, TlsMode
from coykiosk.values import Door

__all__ = ["DoorFault", "DoorRefusedError", "read_door", "server_behind"]

MAX_CHARS: Final = 2000
_MAX_WORDS: Final = 2
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.~+/=:-]{1,200}")
_SCHEME: Final = re.compile("xmpp:", re.IGNORECASE)
_WEB: Final = re.compile("https?://", re.IGNORECASE)


class DoorFault(Enum):
    """What is wrong with what was typed; the screen has a sentence for each."""

    NOTHING = auto()
    NO_SERVER = auto()
    """No name that a server can have."""
    ONION_MISCOPIED = auto()
    WEB_PAGE = auto()
    """The page around an invitation, not the invitation."""
    NO_TOKEN = auto()
    """An xmpp: address without the right to make an account."""


class DoorRefusedError(Exception):
    """It is neither a server nor an invitation.

    Args:
        fault: Which sentence applies.
    """

    def __init__(self, fault: DoorFault) -> None:
        super().__init__(fault.name)
        self.fault = fault


def read_door(text: str) -> Door:
    """Read what a person typed or pasted.

    `example.org`; `example.org` and its onion, in any order; an onion alone, for a
    server whose addresses end in it; `xmpp:example.org?register;preauth=TOKEN`;
    `xmpp:somebody@example.org?roster;preauth=TOKEN;ibr=y`.

    Raises:
        DoorRefusedError: it is none of these.
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        raise DoorRefusedError(DoorFault.NOTHING)
    if _SCHEME.match(text):
        return _read_invitation(text)
    if _WEB.match(text):
        raise DoorRefusedError(DoorFault.WEB_PAGE)
    words = text.split()
    if len(words) > _MAX_WORDS:
        raise DoorRefusedError(DoorFault.NO_SERVER)
    words.sort(key=_is_onion)
    domain = _domain(words[0])
    return Door(domain, _onion(words[1]) if len(words) > 1 else None, "")


def server_behind(door: Door) -> Server:
    """Return a record for it: only its onion where one is known, else by an exit."""
    return Server(
        domain=door.domain,
        onion=door.onion,
        port=CLIENT_PORT,
        tls=TlsMode.STARTTLS,
        clearnet=door.onion is None,
        register=Registration.UNKNOWN,
        register_checked=None,
        onion_checked=None,
        operator=door.domain,
        spki=(),
        scram=(),
        source="typed",
        token=door.token,
    )


def _read_invitation(text: str) -> Door:
    address, _, query = text.partition(":")[2].partition("?")
    domain = unquote(address).lstrip("/").rpartition("@")[2].partition("/")[0]
    action, *pairs = query.partition("#")[0].split(";")
    parameters = _parameters(pairs)
    token = parameters.get("preauth", "")
    is_for_account = action == "register" or (
        action == "roster" and "y" in parameters.get("ibr", "")
    )
    if not is_for_account or not _TOKEN.fullmatch(token):
        raise DoorRefusedError(DoorFault.NO_TOKEN)
    return Door(_domain(domain), None, token)


def _parameters(pairs: list[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        found.setdefault(name, unquote(value))
    return found


def _is_onion(word: str) -> bool:
    return word.lower().endswith(".onion")


def _domain(word: str) -> str:
    name = word.lower().rstrip(".")
    if _is_onion(name):
        return _onion(name)
    try:
        return a_domain(name.encode("idna").decode())
    except (ValueRefused, UnicodeError) as exc:
        raise DoorRefusedError(DoorFault.NO_SERVER) from exc


def _onion(word: str) -> str:
    if not _is_onion(word):
        raise DoorRefusedError(DoorFault.NO_SERVER)
    try:
        return an_onion(word.lower())
    except ValueRefused as exc:
        raise DoorRefusedError(DoorFault.ONION_MISCOPIED) from exc
