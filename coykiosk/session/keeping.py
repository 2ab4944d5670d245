"""The profile while the program runs, and the vault it may be kept in.

Rule: the only writer of the profile. Keeping nothing is the same path without a
vault behind it. Work on the vault runs one piece at a time, in order, in a
worker thread.
"""

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Final, TypeVar

from coykiosk.contract import Event, Failed, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.world import World
from coykiosk.vault.profile import Account, Profile
from coykiosk.vault.store import VaultStore

__all__ = ["Keeping"]

GUARD_SETTLED_AFTER_S: Final = 45.0
"""tor writes its choice of guards down about 30 s after making it."""

T = TypeVar("T")


class Keeping:
    """One profile and, if the person wants it kept, its vault.

    Args:
        vault: Where the profile may be kept; None where there is no such place.
        world: The doors, the clocks and chance.
    """

    def __init__(self, vault: VaultStore | None, world: World) -> None:
        self.profile = Profile(accounts=[], guard_state="")
        self.is_kept = False
        self.is_awaited = False
        """Whether an account is being made that the profile is to take."""
        self._vault = vault
        self._is_new = False
        """The vault was made by this session; an older one is never discarded."""
        self._world = world
        self._unsaved = asyncio.Event()
        self._in_order = asyncio.Lock()

    def refuse_new_vault(self) -> None:
        """Check that a vault could be made.

        Raises:
            UserError: VAULT_EXISTS or VAULT_UNWRITABLE.
        """
        if self._vault is None:
            raise UserError(ErrorCode.VAULT_UNWRITABLE, reason="no place to keep it")
        if self.is_kept or self._vault.exists():
            raise UserError(ErrorCode.VAULT_EXISTS)

    async def create(self, passphrase: Secret) -> None:
        """Seal a new vault with this passphrase."""
        assert self._vault is not None
        vault, profile = self._vault, self.profile
        self._is_new = True
        try:
            await self._blocking(lambda: vault.create(passphrase, profile))
        except UserError:
            self._is_new = False
            raise
        self.is_kept = True

    async def unlock(self, passphrase: Secret) -> None:
        """Open the vault; the profile is then the one it holds.

        Raises:
            UserError: one of the VAULT codes.
        """
        assert self._vault is not None
        vault = self._vault
        opened: list[Profile] = []
        try:
            await self._blocking(lambda: opened.append(vault.unlock(passphrase)))
        except asyncio.CancelledError:
            for profile in opened:
                profile.wipe()
            raise
        self.profile = opened[0]
        self.is_kept = True

    async def save(self) -> None:
        """Write the profile to the vault, if it is kept; returns when it is safe."""
        if self._vault is None or not self.is_kept:
            return
        vault, profile = self._vault, self.profile
        await self._blocking(lambda: vault.save(profile))

    async def discard(self) -> None:
        """Forget the profile, and remove the vault if this session made it."""
        bridges = self.profile.bridges
        self.profile.wipe()
        # How tor gets out of here is not the profile's alone: it goes on so.
        self.profile = Profile(accounts=[], guard_state="", bridges=bridges)
        self.is_kept = False
        if self._vault is not None and self._is_new:
            self._is_new = False
            await self._blocking(self._vault.discard)

    async def forget(self, record: Account) -> None:
        """Take an account out of the profile, and wipe it.

        With the last one goes the vault, of whatever age: there is no way yet to
        put anything else into its file. Unless one is being made to be kept there.

        Raises:
            UserError: VAULT_UNWRITABLE: the file still has it; the profile has not.
        """
        accounts = self.profile.accounts
        accounts[:] = [each for each in accounts if each is not record]
        try:
            is_needed = bool(accounts) or self.is_awaited
            if not self.is_kept or self._vault is None or is_needed:
                await self.save()
                return
            self.is_kept = self._is_new = False
            bridges = self.profile.bridges  # tor goes on so, as in `discard`
            self.profile = Profile(accounts=[], guard_state="", bridges=bridges)
            await self._blocking(self._vault.discard)
        finally:
            # In turn with the saves, one of which may be reading it now.
            await self._blocking(record.wipe)

    @property
    def has_vault(self) -> bool:
        """Whether there is a vault, opened or not."""
        try:
            return self._vault is not None and self._vault.exists()
        except UserError:
            return True  # there is something that cannot be looked at

    def save_soon(self) -> None:
        """Have the profile saved by `keep_saved`."""
        self._unsaved.set()

    async def keep_saved(self) -> None:
        """Save after each change; learn tor's guards once they are settled."""
        is_guard_due = True
        while True:
            limit_s = GUARD_SETTLED_AFTER_S if is_guard_due else None
            try:
                async with asyncio.timeout(limit_s):
                    await self._unsaved.wait()
            except TimeoutError:
                is_guard_due = not self.learn_guards()
                continue
            self._unsaved.clear()
            await self.save_or(self._world.publish)

    async def save_or(self, publish: Callable[[Event], None]) -> None:
        """Save; tell the person if that cannot be done."""
        try:
            await self.save()
        except UserError as error:
            publish(Failed(error, None))

    def learn_guards(self) -> bool:
        """Take over tor's guards for the next session; whether there were any."""
        guard_state = self._world.tor.guard_state()
        if guard_state and guard_state != self.profile.guard_state:
            self.profile.guard_state = guard_state
            self.save_soon()
        return bool(guard_state)

    def drop_pending(self, *, except_for: Container[str]) -> None:
        """Forget accounts that a server has refused; keep those it may have made.

        Args:
            except_for: Localparts of accounts that may exist.
        """
        kept = []
        for record in self.profile.accounts:
            if not record.pending or record.localpart in except_for:
                kept.append(record)
            else:
                record.wipe()
        self.profile.accounts[:] = kept

    async def keep_only(
        self, before: Container[Account], publish: Callable[[Event], None]
    ) -> None:
        """Forget every account but these, and save; tell if that cannot be done."""
        accounts = self.profile.accounts
        gone = [each for each in accounts if each not in before]
        accounts[:] = [each for each in accounts if each in before]
        await self.save_or(publish)
        for record in gone:  # not before: a save may have been reading them
            record.wipe()

    def settle(self, record: Account, *, except_for: Container[str]) -> None:
        """The account exists: forget the attempts that led to it.

        Args:
            record: The account.
            except_for: Localparts of other accounts that may exist.
        """
        record.pending = False
        self.drop_pending(except_for=except_for)

    def close(self) -> None:
        """Wipe the profile and the vault's key."""
        self.profile.wipe()
        if self._vault is not None:
            self._vault.close()

    async def _blocking(self, work: Callable[[], T]) -> T:
        async with self._in_order:
            # Owned here: whatever happens, this does not return before it is done.
            # A cancelled wait must not let the next piece of work, or the end of
            # the session, come while this one is still writing.
            running = asyncio.get_running_loop().create_task(self._run(work))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                while not running.done():
                    with suppress(asyncio.CancelledError):  # it is raised below
                        await asyncio.wait([running])
                running.exception()  # nobody is left whom it could be told
                raise

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._world.run_blocking(work)
