"""The password of an account, and the one it may have next.

Rule: a new password is in the vault beside the old one *before* the server hears of
it. The old one goes when the server has taken the new one, by its word or by letting us
in with it; the new one goes when the server has refused it. So no cut, and no lost
answer, costs the account.

    settled --drawn, saved--> asked --yes, or the new one lets us in--> settled (new)
                                +-----------no------------------------> settled (old)

That the old one lets us in settles nothing: the request may still be on its way, on a
connection that we have given up, or go out again with a session that goes on (XEP-0198).
The old one is tried first all the same, because it mostly still holds then, and a
password that a server does not know is held against us.
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
        return record.password, record.next_password
    return (record.password,)


def settle(record: Account, password: Secret) -> Secret | None:
    """The server takes this one of the `candidates`: if it is the new one, keep that.

    Returns:
        The old one, still to be wiped: a thread that writes the vault may be
        reading it just now. None when nothing is settled by it.
    """
    if password is not record.next_password:
        return None
    old = record.password
    record.password, record.next_password = password, Secret(b"")
    return old


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
