"""Signing in to one account: over a circuit of its own, by the password that holds.

Rule: remembers what the last sign-in came by, and pins what its onion showed; what
is done with the session that it opens is its caller's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Circuit, IsolationKey
from coykiosk.register.servers import Route
from coykiosk.session import passwords
from coykiosk.session.enrol import NewAccount
from coykiosk.session.opening import Opened, OpeningError, OpeningReason, Purpose
from coykiosk.session.reaching import reach
from coykiosk.session.resumption import Resumption
from coykiosk.session.saslwords import remembering
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["SignIn", "is_unknown"]

OPENING_LIMIT_S: Final = 90.0
"""A sign-in over Tor that takes longer than this is given up."""
_UNKNOWN: Final = "not-authorized"  # RFC 6120, section 6.5.10


class SignIn:
    """How one account gets in.

    Args:
        record: The profile's entry; its pins are updated here.
        route: How its server is reached.
        world: The doors, the clocks and chance.
        save: Called when the record changed and should be saved soon.
    """

    def __init__(
        self,
        record: Account,
        *,
        route: Route,
        world: World,
        save: Callable[[], None],
    ) -> None:
        self._record = record
        self._route = route
        self._world = world
        self._save = save
        self._isolation_key: IsolationKey | None = None
        self.accepted: Secret | None = None
        """The password by which the last sign-in was let in."""

    def take(self, new: NewAccount) -> Opened:
        """Take over the session in which the account was made."""
        self._isolation_key = new.isolation_key
        return new.opened

    async def open(self, resumption: Resumption | None) -> Opened:
        """Sign in with the password that holds, or the one that may do so now.

        Args:
            resumption: The session to go on with, if there is one.

        Raises:
            OpeningError: the server's side failed.
            UserError: SERVER_SILENT, or our side failed.
        """
        first, *others = passwords.candidates(self._record)
        try:
            return await self._open_with(first, resumption)
        except OpeningError as error:
            if not others or not is_unknown(error):
                raise
        return await self._open_with(others[0], resumption)

    async def _open_with(
        self, password: Secret, resumption: Resumption | None
    ) -> Opened:
        # Never the circuit of before, not even for the session of before.
        self._isolation_key = IsolationKey.fresh(self._world.random_bytes)
        self.accepted = password
        try:
            async with asyncio.timeout(OPENING_LIMIT_S) as limit:
                return await reach(
                    self._world,
                    self._route,
                    localpart=self._record.localpart,
                    password=password,
                    purpose=Purpose.LOG_IN,
                    isolation_key=self._isolation_key,
                    on_step=lambda _: None,
                    limit=limit,
                    resumption=resumption,
                )
        except TimeoutError as exc:
            server = self._record.domain
            raise UserError(ErrorCode.SERVER_SILENT, server=server) from exc

    def remember(self, opened: Opened) -> None:
        """Keep what the server has shown: its offer in here, an onion's key for good.

        Another certificate than the pinned one is an alarm.
        """
        self._route = remembering(self._route, opened.offer)
        if self._route.onion_vouches and opened.pin and not self._record.spki:
            self._record.spki = (opened.pin,)
            self._route = replace(self._route, spki=self._record.spki)
            self._save()

    async def circuit(self) -> Circuit | None:
        """The path that the last session runs through, if tor still has it."""
        if self._isolation_key is None:
            return None
        return await self._world.tor.circuit(self._isolation_key)


def is_unknown(error: OpeningError) -> bool:
    """Whether the server says that it does not know this name and password."""
    is_refused = error.reason is OpeningReason.LOGIN_REFUSED
    return is_refused and error.condition == _UNKNOWN
