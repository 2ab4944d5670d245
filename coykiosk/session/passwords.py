"""The password of an account, and the one it may have next.

Rule: a new password is in the vault beside the old one *before* the server hears of
it, and both stay until the server has said, or a sign-in has shown, which of them it
takes. So no cut, and no lost answer, costs the account.

    settled --drawn, saved--> asked --yes, or the new one lets us in--> settled (new)
                                +-----no, or only the old one does----> settled (old)
"""

from collections.abc import Awaitable, Callable
from typing import Final

from coykiosk.contract import Jid, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import RandomBytes
from coykiosk.register.identity import draw_password
from coykiosk.session import requests
from coykiosk.session.requests import Ask, RequestRefusedError
from coykiosk.vault.profile import Account

__all__ = ["CHANGE_LIMIT_S", "candidates", "change", "settle"]

CHANGE_LIMIT_S: Final = 60.0
_MAY_HAVE_BEEN_DONE: Final = frozenset({"continue", "wait"})
"""Types of errors (RFC 6120, section 8.3.2) after which the server may have written
the new password all the same."""


def candidates(record: Account) -> tuple[Secret, ...]:
    """Return what to sign in with, the one to try first in front."""
    if record.next_password:
        return record.next_password, record.password
    return (record.password,)


def settle(record: Account, password: Secret) -> Secret | None:
    """The server takes this one of the `candidates`, so forget the other.

    Returns:
        The other one, still to be wiped: a thread that writes the vault may be
        reading it just now. None when there was no other.
    """
    if not record.next_password:
        return None
    is_new = password is record.next_password
    other = record.password if is_new else record.next_password
    record.password, record.next_password = password, Secret(b"")
    return other


async def change(
    record: Account,
    ask: Ask,
    *,
    random_bytes: RandomBytes,
    save: Callable[[], Awaitable[None]],
) -> Secret:
    """Have another password from now on; nobody types it or sees it.

    Args:
        record: The account's entry; it is changed.
        ask: Asks the account's server.
        random_bytes: For the new password.
        save: Returns when the record is safe.

    Returns:
        The old password, to be wiped once no save is running.

    Raises:
        UserError: VAULT_UNWRITABLE: nothing was asked for. PASSWORD_REFUSED: the
            old one holds. PASSWORD_UNSURE: both are kept.
    """
    if not record.next_password:
        # One that was asked for before, and not answered, is asked for once more.
        record.next_password = Secret(draw_password(random_bytes))
        try:
            await save()
        except UserError:
            record.next_password.wipe()
            raise
    account = Jid(record.localpart, record.domain)
    new = record.next_password
    request = requests.change_password(account, new.reveal().decode())
    try:
        await ask(request, limit_s=CHANGE_LIMIT_S)
    except RequestRefusedError as exc:
        if exc.error_type in _MAY_HAVE_BEEN_DONE:
            raise _unsure(account) from exc
        record.next_password = Secret(b"")  # it opens nothing
        raise UserError(
            ErrorCode.PASSWORD_REFUSED,
            server=account.domainpart,
            condition=exc.condition,
        ) from exc
    except UserError as exc:
        raise _unsure(account) from exc
    old = settle(record, new)
    assert old is not None
    return old


def _unsure(account: Jid) -> UserError:
    return UserError(ErrorCode.PASSWORD_UNSURE, server=account.domainpart)
