"""The one error a person reads: a code, and short facts that are safe to show.

Rule: raised at shells only, in one translation per shell, always `from` its
cause. `text.py` turns a code into what happened and what to do. A fact never
holds a passphrase, a key or message text.
"""

from enum import Enum, auto, unique
from typing import TypeVar, final

__all__ = [
    "ErrorCode",
    "UserError",
    "first_user_error",
    "only_error",
    "only_user_error",
]

E = TypeVar("E", bound=Exception)


@unique
class ErrorCode(Enum):
    """What can go wrong, one code for each remedy."""

    # Tor
    TOR_MISSING = auto()
    TOR_START_FAILED = auto()  # reason
    TOR_NO_NETWORK = auto()  # tag
    TOR_BLOCKED = auto()
    TOR_STOPPED = auto()
    TOR_IMPOSTOR = auto()  # address
    TOR_CONTROL_REFUSED = auto()  # address
    BRIDGE_LINE_BAD = auto()  # number, reason
    BRIDGE_KIND_UNKNOWN = auto()  # number, kind
    BRIDGE_PROGRAM_MISSING = auto()  # program, package
    BRIDGES_SILENT = auto()
    BRIDGES_NOT_OURS = auto()
    BRIDGES_LEAD_OUT = auto()
    NO_FREE_PORT = auto()
    # Servers
    SERVERS_FILE_BAD = auto()  # file, line, reason
    NO_SERVER_LEFT = auto()  # count; the screen adds again: which keys
    SERVER_REFUSED = auto()  # server, condition
    SERVER_WANTS_MORE = auto()  # server, what
    SERVER_WEB_ONLY = auto()  # server, url
    SERVER_SKIPPED = auto()  # server
    INVITATION_REFUSED = auto()  # server
    SERVER_UNREACHABLE = auto()  # server
    SERVER_SILENT = auto()  # server
    SERVER_CONFUSED = auto()  # server, reason
    CERTIFICATE_BAD = auto()  # server, reason
    LOGIN_REFUSED = auto()  # server, condition
    CONNECTION_LOST = auto()  # server
    ACCOUNT_HELD_BACK = auto()  # server, condition
    # An account of one's own
    STILL_LISTED = auto()  # contact, server
    BURN_REFUSED = auto()  # server, condition
    BURN_NOT_ASKED = auto()  # server
    BURN_UNSURE = auto()  # server
    PASSWORD_REFUSED = auto()  # server, condition
    PASSWORD_UNSURE = auto()  # server
    # Vault
    VAULT_WRONG_PASSPHRASE = auto()
    VAULT_DAMAGED = auto()
    VAULT_TOO_NEW = auto()  # version
    VAULT_IN_USE = auto()
    VAULT_UNREADABLE = auto()  # reason
    VAULT_UNWRITABLE = auto()  # reason
    VAULT_EXISTS = auto()
    PASSPHRASE_WEAK = auto()
    # Chats
    ADDRESS_BAD = auto()
    CONTACT_BLOCKED = auto()  # contact
    STILL_BLOCKED = auto()  # contact, server
    MESSAGE_BOUNCED = auto()  # contact, condition
    MESSAGE_TOO_LONG = auto()  # limit
    TOO_MANY_WAITING = auto()  # count
    OTR_TOO_OLD = auto()  # contact
    # Practice
    PRACTICE_MISSING = auto()  # program, package
    PRACTICE_FAILED = auto()  # reason
    PRACTICE_ALONE = auto()
    # The place we run in
    NOT_A_TERMINAL = auto()


@final
class UserError(Exception):
    """Something a person should be told, and can do something about.

    Args:
        code: Which remedy applies.
        **facts: The named facts that `text.py` puts into its sentences; short,
            never secret, possibly words of a server (shown cleaned).
    """

    def __init__(self, code: ErrorCode, **facts: str) -> None:
        super().__init__(code.name)
        self.code = code
        self.facts = facts

    def __repr__(self) -> str:
        return f"UserError({self.code.name})"


def first_user_error(group: BaseExceptionGroup[UserError]) -> UserError:
    """Return the first error of a group that holds nothing but user errors.

    A TaskGroup wraps what its tasks raise; a person is told one thing at a time.
    """
    found = only_error(group, UserError)
    assert found is not None
    return found


def only_error(group: BaseExceptionGroup[BaseException], *kinds: type[E]) -> E | None:
    """Return the first error of a group that holds nothing but these kinds.

    For `except BaseExceptionGroup`; an `except*` would wrap again what its block
    raises.
    """
    ours, others = group.split(kinds)
    if ours is None or others is not None:
        return None
    found: BaseException = ours
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, kinds)
    return found


def only_user_error(group: BaseExceptionGroup[BaseException]) -> UserError | None:
    """Return the first error of a group, unless something else is in there."""
    return only_error(group, UserError)
