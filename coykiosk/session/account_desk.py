"""The desk for what concerns an account as a whole: a new path, an end, who is kept out.

Rule: takes commands and gives back the work they mean, which its owner runs; it
alone starts and ends accounts, so that one that is about to go is not used.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, assert_never

from coykiosk.contract import (
    AccountForgotten,
    AskCircuit,
    BlockContact,
    BurnAccount,
    ChangePassword,
    ForgetAccount,
    Jid,
    NewCircuit,
    UnblockContact,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.account import AccountSession
from coykiosk.session.enrol import NewAccount
from coykiosk.session.farewell import burn
from coykiosk.session.keeping import Keeping
from coykiosk.session.world import World

__all__ = ["AccountDesk"]

FURTHER_DELAY_S: Final = 8.0

Work = Callable[[], Coroutine[Any, Any, None]]
AccountCommand = (
    AskCircuit
    | BlockContact
    | UnblockContact
    | NewCircuit
    | ChangePassword
    | ForgetAccount
    | BurnAccount
)


class AccountDesk:
    """The accounts of a session, from their start to their end.

    Args:
        accounts: Those that there are; shared with the front desk, changed here.
        keeping: The profile.
        world: The doors, the clocks and chance.
        in_background: Runs a task that ends with the session at the latest.
    """

    def __init__(
        self,
        accounts: dict[Jid, AccountSession],
        keeping: Keeping,
        world: World,
        *,
        in_background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._accounts = accounts
        self._keeping = keeping
        self._world = world
        self._in_background = in_background
        self._running: dict[Jid, asyncio.Task[None]] = {}
        self._leaving: set[Jid] = set()

    def start(self, account: AccountSession, new: NewAccount | None) -> None:
        """Bring an account online and keep it there.

        Each but the first waits a little, so that time does not link them.
        """
        others = self._accounts.keys() - {account.jid}
        pause_s = self._pause() if others and new is None else 0.0
        self._accounts[account.jid] = account
        self._running[account.jid] = self._in_background(
            account.run(new, pause_s=pause_s)
        )

    def connect_all(self) -> None:
        """Have every account try again, the others some time after the first."""
        for n, account in enumerate(self._accounts.values()):
            account.connect(pause_s=self._pause() if n else 0.0)

    def _pause(self) -> float:
        return self._world.uniform(0, FURTHER_DELAY_S)

    @property
    def has_any(self) -> bool:
        """Whether there is an account that is not about to go."""
        return bool(self._accounts.keys() - self._leaving)

    def work_for(self, command: AccountCommand) -> Work:
        """Return the work that a command means; none for an account that is going.

        Raises:
            UserError: ADDRESS_BAD: nobody blocks their own account.
        """
        account = self._accounts.get(command.account.bare)
        if account is None or account.jid in self._leaving:
            return _nothing
        match command:
            case BlockContact(contact=contact) | UnblockContact(contact=contact):
                if contact.bare == account.jid:
                    raise UserError(ErrorCode.ADDRESS_BAD)
                is_block = isinstance(command, BlockContact)
                upkeep = account.upkeep
                return partial(
                    upkeep.block if is_block else upkeep.unblock, contact.bare
                )
            case AskCircuit():
                return account.tell_circuit
            case NewCircuit():
                return account.take_new_path
            case ChangePassword():
                return partial(account.upkeep.change_password, self._keeping.save)
            case ForgetAccount() | BurnAccount():
                self._leaving.add(account.jid)
                is_burnt = isinstance(command, BurnAccount)
                return partial(self._leave, account, is_burnt=is_burnt)
            case _ as unreachable:
                assert_never(unreachable)

    async def _leave(self, account: AccountSession, *, is_burnt: bool) -> None:
        """End an account here, and before that at its server if that is wanted.

        Raises:
            UserError: it is not burnt, and goes on; or VAULT_UNWRITABLE: it is
                forgotten, but the vault's file still has it.
        """
        try:
            await self._stop(account)
            if is_burnt:
                try:
                    await burn(account, random_bytes=self._world.random_bytes)
                except UserError:
                    self.start(account, None)
                    raise
            del self._accounts[account.jid]
        finally:
            self._leaving.discard(account.jid)
        try:
            await self._keeping.forget(account.record)
        finally:
            self._tell_forgotten(account.jid, is_burnt=is_burnt)

    async def _stop(self, account: AccountSession) -> None:
        """Say goodbye in every chat, sign out, and let nothing of it go on."""
        await account.close()
        running = self._running.pop(account.jid)
        running.cancel()
        await asyncio.wait([running])

    def _tell_forgotten(self, account: Jid, *, is_burnt: bool) -> None:
        self._world.publish(
            AccountForgotten(
                account,
                is_burnt=is_burnt,
                vault_exists=self._keeping.has_vault,
                vault_open=self._keeping.is_kept,
                others=tuple(self._accounts),
            )
        )
        for other in self._accounts.values():
            other.tell_again()


async def _nothing() -> None:
    """Do what is left to do for an account that is gone."""
