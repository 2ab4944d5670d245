"""Burning an account: its server deletes it, and we know that it did.

Rule: nothing counts as deleted but the server's word, or a sign-in that it refuses
*after* it was asked. XEP-0077, section 3.2, lets a server answer, or end the stream,
or both (Prosody 0.12 answers and then ends it with `not-authorized`); a cut looks
like the second. So whenever no answer came we sign in once more: refused, the
account is gone; let in, it is there, and is asked for once more.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import RandomBytes
from coykiosk.session import requests
from coykiosk.session.account import AccountSession
from coykiosk.session.inbound import Inbound
from coykiosk.session.opening import Opened, OpeningError, OpeningReason
from coykiosk.session.requests import RequestRefusedError
from coykiosk.session.sending import say_goodbye
from coykiosk.session.signing_in import is_unknown
from coykiosk.session.stream import XmppStream

__all__ = ["burn"]

BURN_LIMIT_S: Final = 60.0
MAX_TRIES: Final = 3
_TOR_IS_GONE: Final = frozenset(
    {
        ErrorCode.TOR_CONTROL_REFUSED,
        ErrorCode.TOR_IMPOSTOR,
        ErrorCode.TOR_MISSING,
        ErrorCode.TOR_START_FAILED,
        ErrorCode.TOR_STOPPED,
    }
)


async def burn(account: AccountSession, *, random_bytes: RandomBytes) -> None:
    """Have an account deleted at its server; returns when it is.

    It is done over a connection of its own, so that it does not matter what became
    of the account's.

    Args:
        account: Its chats have ended, and its `run` too.
        random_bytes: For ids and the moments of pings.

    Raises:
        UserError: BURN_REFUSED: it is as it was; BURN_NOT_ASKED or one of TOR: so it
            is; BURN_UNSURE: it may be gone.
    """
    server = account.jid.domainpart
    was_asked = False
    for _ in range(MAX_TRIES):
        try:
            opened = await account.open_apart()
        except (OpeningError, UserError) as error:
            if was_asked and _is_gone(error):
                return
            raise _not_reached(error, server, was_asked=was_asked) from error
        was_asked = True
        outcome = await _ask_for_it(opened, account.chats.receive, random_bytes)
        match outcome:
            case None:
                return
            case RequestRefusedError(condition=condition):
                code = ErrorCode.BURN_REFUSED
                raise UserError(code, server=server, condition=condition) from outcome
            case _:
                pass  # The next sign-in tells.
    raise UserError(ErrorCode.BURN_UNSURE, server=server)


def _is_gone(error: OpeningError | UserError) -> bool:
    return isinstance(error, OpeningError) and is_unknown(error)


def _not_reached(
    error: OpeningError | UserError, server: str, *, was_asked: bool
) -> UserError:
    if was_asked:
        return UserError(ErrorCode.BURN_UNSURE, server=server)
    match error:
        case UserError(code=code) if code in _TOR_IS_GONE:
            return error
        case OpeningError(reason=OpeningReason.LOGIN_REFUSED, condition=condition):
            refused = ErrorCode.BURN_REFUSED
            return UserError(refused, server=server, condition=condition)
        case _:
            return UserError(ErrorCode.BURN_NOT_ASKED, server=server)


async def _ask_for_it(
    opened: Opened, on_inbound: Callable[[Inbound], None], random_bytes: RandomBytes
) -> RequestRefusedError | UserError | None:
    """Ask for the deletion; None when it was done."""
    stream = XmppStream(opened, on_inbound=on_inbound, random_bytes=random_bytes)
    outcome: RequestRefusedError | UserError | None = None
    async with asyncio.TaskGroup() as group:
        group.create_task(_run(stream))
        try:
            await stream.ask(requests.remove_account(), limit_s=BURN_LIMIT_S)
        except (RequestRefusedError, UserError) as error:
            outcome = error
        await say_goodbye(stream)
    return outcome


async def _run(stream: XmppStream) -> None:
    with suppress(UserError):  # `ask` tells it
        await stream.run()
