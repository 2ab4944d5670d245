"""The desk for the one action: an account is made, stopped on the way, or undone.

Rule: one account is made at a time; a try that ends early leaves nothing behind but
what may be of use, and tells how it ended by one event.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from coykiosk.contract import (
    AnswerPuzzle,
    AskAnotherPuzzle,
    CancelCreation,
    CreateAccount,
    Door,
    EnrolmentCancelled,
    Failed,
    Secret,
    SkipServer,
    VaultUnlocked,
)
from coykiosk.errors import UserError
from coykiosk.register.servers import Server
from coykiosk.session.creation import make_account
from coykiosk.session.enrol import NewAccount
from coykiosk.session.keeping import Keeping
from coykiosk.session.person import Person
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["CreationCommand", "CreationDesk"]

CreationCommand = CancelCreation | AnswerPuzzle | AskAnotherPuzzle | SkipServer


class CreationDesk:
    """The making of accounts in one session.

    Args:
        servers: The records of servers.toml.
        keeping: The profile.
        world: The doors, the clocks and chance.
        go_online: Takes the account that was made, with its open stream.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        keeping: Keeping,
        world: World,
        *,
        go_online: Callable[[Account, NewAccount], None],
    ) -> None:
        self._servers = tuple(servers)
        self._keeping = keeping
        self._world = world
        self._go_online = go_online
        self._person = Person(world.publish)
        self._task: asyncio.Task[None] | None = None
        self._can_cancel = False
        """The creation is still making; what follows must not be interrupted."""

    @property
    def is_busy(self) -> bool:
        """Whether an account is being made, or undone."""
        return self._task is not None

    def start(
        self,
        passphrase: Secret | None,
        door: Door | None,
        run: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """Begin to make an account, while none is being made.

        Args:
            passphrase: Seals a new vault first; wiped here when it is done.
            door: The one server to try; None for the choice among the records.
            run: Makes the task; who awaits it must not cancel it but by `end`.

        Raises:
            UserError: there is a vault already, or no place for one.
        """
        if passphrase is not None:
            try:
                self._keeping.refuse_new_vault()
            except UserError:
                passphrase.wipe()
                raise
        self._can_cancel = True
        self._task = run(self._create(passphrase, door))

    def take(self, command: CreationCommand) -> None:
        """Do what the person wants of an account that is being made."""
        match command:
            case CancelCreation():
                self._cancel()
            case AnswerPuzzle(answer=answer):
                self._person.answer(answer)
            case AskAnotherPuzzle():
                self._person.another()
            case SkipServer():
                self._person.skip()

    def _cancel(self) -> None:
        """Stop making an account; `_create` undoes what was begun."""
        if self._task is not None and self._can_cancel:
            self._can_cancel = False
            self._task.cancel()

    async def end(self) -> None:
        """Stop what is being made, and wait until it is undone."""
        if self._task is not None:
            task = self._task
            self._cancel()
            await asyncio.wait([task])

    async def _create(self, passphrase: Secret | None, door: Door | None) -> None:
        """Make an account and go online; leave nothing behind if that ends early."""
        had_vault = self._keeping.is_kept
        before = tuple(self._keeping.profile.accounts)
        pending = tuple(each for each in before if each.pending)
        has_others = len(pending) < len(before)
        self._keeping.is_awaited = True
        try:
            self._go_online(*await self._make(passphrase, door))
        except UserError as error:
            await self._undo(had_vault=had_vault)
            self._world.publish(Failed(error, CreateAccount))
            if self._keeping.is_kept and not has_others:
                # It stays, sealed with the words of this try: no others will do.
                self._world.publish(VaultUnlocked(()))
        except asyncio.CancelledError:
            # Whatever a server may have made: nobody wants it any more.
            for record in pending:
                record.pending = True  # one of them may just have been found
            if had_vault or has_others:
                await self._keeping.keep_only(before, self._world.publish)
            else:
                await self._discard()
            self._world.publish(EnrolmentCancelled())
        finally:
            if passphrase is not None:
                passphrase.wipe()
            self._task = None
            self._keeping.is_awaited = False

    async def _make(
        self, passphrase: Secret | None, door: Door | None
    ) -> tuple[Account, NewAccount]:
        try:
            return await make_account(
                self._servers,
                keeping=self._keeping,
                world=self._world,
                person=self._person,
                passphrase=passphrase,
                door=door,
            )
        finally:
            self._can_cancel = False

    async def _undo(self, *, had_vault: bool) -> None:
        """Take away the vault that was made on the way, unless it is of use.

        It is when it was there before, and when it holds the password of an
        account that a server may have made without telling us.
        """
        if had_vault or self._keeping.profile.accounts:
            await self._keeping.save_or(self._world.publish)
        else:
            await self._discard()

    async def _discard(self) -> None:
        try:
            await self._keeping.discard()
        except UserError as error:
            self._world.publish(Failed(error, None))
