"""The session's front desk: takes each command and hands it to who can do it.

Rule: commands are taken one at a time, and none waits for the network; what
takes long runs as a task of this room's TaskGroup and ends by publishing events.
A `UserError` is published as `Failed`; any other exception leaves the TaskGroup
and ends the program.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, assert_never

from coykiosk.contract import (
    AcceptContact,
    AcceptNewKey,
    AnswerPuzzle,
    AskAnotherPuzzle,
    AskCircuit,
    BlockContact,
    BurnAccount,
    CancelCreation,
    ChangePassword,
    Closed,
    Command,
    Connect,
    CreateAccount,
    Door,
    EnrolmentCancelled,
    Failed,
    ForgetAccount,
    ForgetContact,
    Jid,
    NewCircuit,
    OpenChat,
    Quit,
    RefuseContact,
    RestartEncryption,
    Secret,
    SendMessage,
    SkipServer,
    UnblockContact,
    UnlockVault,
    UseBridges,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.register.servers import Route, Server
from coykiosk.session.account import AccountSession
from coykiosk.session.account_desk import AccountDesk
from coykiosk.session.creation import route_of
from coykiosk.session.creation_desk import CreationDesk
from coykiosk.session.detour import Detour
from coykiosk.session.enrol import NewAccount
from coykiosk.session.keeping import Keeping
from coykiosk.session.world import World
from coykiosk.vault.profile import Account
from coykiosk.vault.store import VaultStore

__all__ = ["Kiosk"]


class Kiosk:
    """One session of one person, from the start screen to the wipe.

    Args:
        servers: The records of servers.toml.
        vault: Where the profile may be kept; None where there is no such place.
        world: The doors, the clocks and chance.
        commands: Where the screen puts its commands.
    """

    def __init__(
        self,
        *,
        servers: Sequence[Server],
        vault: VaultStore | None,
        world: World,
        commands: asyncio.Queue[Command],
    ) -> None:
        self._servers = tuple(servers)
        self._world = world
        self._commands = commands
        self._keeping = Keeping(vault, world)
        self._detour = Detour(self._keeping, world)
        self._group = asyncio.TaskGroup()
        self._accounts: dict[Jid, AccountSession] = {}
        self._account_desk = AccountDesk(
            self._accounts, self._keeping, world, in_background=self._in_background
        )
        self._background: list[asyncio.Task[None]] = []
        self._creation_desk = CreationDesk(
            servers, self._keeping, world, go_online=self._take_new
        )
        self._unlocking = asyncio.Lock()

    async def run(self) -> None:
        """Serve commands until `Quit` has been carried out."""
        try:
            async with self._group:
                self._in_background(self._keeping.keep_saved())
                await self._serve()
                await self._sign_out()
        finally:
            self._keeping.close()
        self._world.publish(Closed())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that ends with the session at the latest."""
        task = self._group.create_task(work)
        self._background.append(task)
        task.add_done_callback(self._background.remove)
        return task

    async def _serve(self) -> None:
        while True:
            command = await self._commands.get()
            if isinstance(command, Quit):
                return
            try:
                self._carry_out(command)
            except UserError as error:
                self._world.publish(Failed(error, type(command)))
            # A task that is cancelled before its first step never runs, and so
            # would neither wipe nor tell anything: let what has begun begin.
            await asyncio.sleep(0)

    def _carry_out(self, command: Command) -> None:
        match command:
            case CreateAccount():
                self._start_creation(command)
            case CancelCreation() | AnswerPuzzle() | AskAnotherPuzzle() | SkipServer():
                self._creation_desk.take(command)
            case UnlockVault(passphrase=passphrase, door=door):
                unlock = partial(self._unlock, passphrase, door)
                self._in_background(self._reporting(unlock, UnlockVault))
            case Connect() | UseBridges():
                self._on_tor(command)
            case OpenChat() | AcceptContact() | RefuseContact():
                self._on_contact(command)
            case ForgetContact(account=account, contact=contact):
                self._acting(account).chats.forget(contact)
            case (
                AskCircuit()
                | BlockContact()
                | UnblockContact()
                | NewCircuit()
                | ChangePassword()
                | ForgetAccount()
                | BurnAccount()
            ):
                work = self._account_desk.work_for(command)
                self._in_background(self._reporting(work, type(command)))
            case SendMessage() | RestartEncryption() | AcceptNewKey():
                self._on_chat(command)
            case Quit():
                pass  # `_serve` has taken it.
            case _ as unreachable:
                assert_never(unreachable)

    def _on_tor(self, command: Connect | UseBridges) -> None:
        match command:
            case Connect():
                self._in_background(self._reporting(self._reconnect, Connect))
            case UseBridges(text=text):
                use = partial(self._use_bridges, text)
                self._in_background(self._reporting(use, UseBridges))

    def _on_contact(self, command: OpenChat | AcceptContact | RefuseContact) -> None:
        account = self._acting(command.account)
        if command.contact.bare in self._accounts:
            # Oneself, as whoever: nobody has to learn that both are the same.
            raise UserError(ErrorCode.ADDRESS_BAD)
        match command:
            case OpenChat(contact=contact) | AcceptContact(contact=contact):
                account.chats.open(contact)
            case RefuseContact(contact=contact):
                account.chats.refuse(contact)

    def _on_chat(self, command: SendMessage | RestartEncryption | AcceptNewKey) -> None:
        account = self._acting(command.account)
        match command:
            case SendMessage(chat=chat, text=text):
                account.chats.say(chat, text)
            case RestartEncryption(chat=chat):
                account.chats.restart_encryption(chat)
            case AcceptNewKey(chat=chat, fingerprint=fingerprint):
                account.chats.accept_new_key(chat, fingerprint)

    def _acting(self, jid: Jid) -> AccountSession:
        account = self._accounts.get(jid.bare)
        if account is None:
            raise UserError(ErrorCode.CONNECTION_LOST, server=jid.domainpart)
        return account

    async def _reporting(
        self, work: Callable[[], Coroutine[Any, Any, None]], during: type[Command]
    ) -> None:
        try:
            await work()
        except UserError as error:
            self._world.publish(Failed(error, during))

    # --- the one action ---------------------------------------------------------

    def _start_creation(self, command: CreateAccount) -> None:
        passphrase = command.passphrase
        if self._creation_desk.is_busy or (self._accounts and not command.is_further):
            _wipe(passphrase)  # a key pressed twice makes no second account
        elif self._unlocking.locked() or (
            command.is_further and not self._account_desk.has_any
        ):
            # The vault decides first: what it holds must not mix with new things.
            # And beside what is not there, nobody has said where it is to be kept.
            _wipe(passphrase)
            self._world.publish(EnrolmentCancelled())
        else:
            if self._accounts:
                # Where they are kept is decided; theirs is the vault, or there is none.
                _wipe(passphrase)
                passphrase = None
            start = self._group.create_task
            self._creation_desk.start(passphrase, command.door, start)

    # --- the vault ----------------------------------------------------------------

    async def _unlock(self, passphrase: Secret, door: Door | None) -> None:
        """Open the vault, if it is not open, and bring its accounts online."""
        try:
            async with self._unlocking:
                is_kept = self._keeping.is_kept
                if self._creation_desk.is_busy or (self._accounts and not is_kept):
                    return
                if not is_kept:
                    chosen = self._detour.before_unlock()
                    await self._keeping.unlock(passphrase)
                    # Order matters: no account may find a tor that goes openly.
                    await self._detour.after_unlock(chosen)
                    self._take_accounts()
        finally:
            passphrase.wipe()
        if self._accounts:
            await self._start_tor()
        else:
            # The last session ended before its account was there: finish it.
            self._start_creation(CreateAccount(None, door))

    def _take_accounts(self) -> None:
        records = [r for r in self._keeping.profile.accounts if not r.pending]
        self._world.publish(
            VaultUnlocked(tuple(Jid(r.localpart, r.domain) for r in records))
        )
        for record in records:
            self._go_online(record, route_of(record, self._servers), None)

    # --- coming and going -----------------------------------------------------------

    def _take_new(self, record: Account, new: NewAccount) -> None:
        self._go_online(record, new.route, new)

    def _go_online(self, record: Account, route: Route, new: NewAccount | None) -> None:
        account = AccountSession(
            record,
            route=route,
            world=self._world,
            kept=self._keeping.is_kept,
            save=self._keeping.save_soon,
        )
        self._account_desk.start(account, new)

    async def _use_bridges(self, text: str) -> None:
        """Have tor go another way; the accounts follow it at once."""
        await self._detour.choose(text)
        self._account_desk.connect_all()

    async def _reconnect(self) -> None:
        await self._start_tor()
        self._account_desk.connect_all()

    async def _start_tor(self) -> None:
        await self._world.tor.start(guard_state=self._keeping.profile.guard_state)

    async def _sign_out(self) -> None:
        """End chats and streams, stop tor, and keep what is to be kept."""
        await self._creation_desk.end()
        for account in tuple(self._accounts.values()):
            await account.close()
        for task in tuple(self._background):
            task.cancel()
        await self._world.tor.stop()
        self._keeping.learn_guards()
        await self._keeping.save_or(self._world.publish)


def _wipe(passphrase: Secret | None) -> None:
    if passphrase is not None:
        passphrase.wipe()
