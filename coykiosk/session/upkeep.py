"""What a person does with an account at its server: a new password, who is kept out.

Rule: what is decided here holds here at once, whatever the server does or cannot do;
the server is told what it needs to do its part, and a person when it has not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn, Protocol
from xml.etree import ElementTree as ET

from coykiosk.contract import Failed, ForgetContact, Jid, PasswordChanged, Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session import passwords, requests
from coykiosk.session.chats import Chats
from coykiosk.session.requests import Request, RequestRefusedError
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["Upkeep"]

BLOCK_LIMIT_S: Final = 60.0
LIST_PAUSE_S: Final = 0.5
_NOT_OFFERED: Final = frozenset({"feature-not-implemented", "service-unavailable"})
"""What a server says that knows nothing of blocking (RFC 6120, section 8.4): then it
keeps nobody out."""


class Connected(Protocol):
    """An account as far as its upkeep needs it."""

    @property
    def chats(self) -> Chats:
        """What is said over it."""

    @property
    def is_online(self) -> bool:
        """Whether there is a connection."""

    async def ask(self, request: Request, *, limit_s: float) -> ET.Element:
        """Ask its server something; see `requests.Ask`."""


class Upkeep:
    """The upkeep of one account.

    Args:
        account: The account while the program runs.
        record: The profile's entry; it is changed.
        world: The doors, the clocks and chance.
        save: Called when the record changed and should be saved soon.
    """

    def __init__(
        self,
        account: Connected,
        record: Account,
        *,
        world: World,
        save: Callable[[], None],
    ) -> None:
        self._account = account
        self._record = record
        self._world = world
        self._save = save
        self._changing_password = asyncio.Lock()

    async def went_online(self, accepted: Secret | None) -> None:
        """The server has let us in: settle what was open, and repeat who is blocked.

        Args:
            accepted: The password it took; None when the account has just been made.
        """
        if accepted is not None:
            other = passwords.settle(self._record, accepted)
            if other is not None:
                self._save()
                await self._wipe(other)
        await self._block_at_server(self._account.chats.people.blocked)

    async def change_password(self, save: Callable[[], Awaitable[None]]) -> None:
        """Have another password from now on.

        Args:
            save: Returns when the record is safe.

        Raises:
            UserError: CONNECTION_LOST, or as `passwords.change`.
        """
        async with self._changing_password:
            if not self._account.is_online:
                raise UserError(ErrorCode.CONNECTION_LOST, server=self._record.domain)
            old = await passwords.change(
                self._record,
                self._account.ask,
                random_bytes=self._world.random_bytes,
                save=save,
            )
        self._save()
        self._world.publish(
            PasswordChanged(Jid(self._record.localpart, self._record.domain))
        )
        await self._wipe(old)

    async def _wipe(self, secret: Secret) -> None:
        """Wipe in turn with the saves, one of which may be reading it now."""
        await self._world.run_blocking(secret.wipe)

    async def block(self, contact: Jid) -> None:
        """Show nothing of a contact from now on; at the server too, if it can.

        The goodbye of the chat goes out first: later the server would keep it.

        Raises:
            UserError: ADDRESS_BAD.
        """
        self._account.chats.block(contact)
        await self._block_at_server((contact.bare,))

    async def _block_at_server(self, contacts: tuple[Jid, ...]) -> None:
        """Have the server keep them out; if it does not, we still do.

        It is done for all of them at every sign-in: the server may not have heard
        of some, and to hear of others again changes nothing.
        """
        if contacts:
            with suppress(UserError, RequestRefusedError):
                await self._account.ask(requests.block(contacts), limit_s=BLOCK_LIMIT_S)

    async def keep_list(self) -> NoReturn:
        """Tell of the server's list as it changes, and take off it who is forgotten.

        It is looked at now and then only: a server may change it without end.
        """
        people = self._account.chats.people
        while True:
            await people.list_changed.wait()
            for contact in people.settle():
                await self._take_off_the_list(contact)
            await asyncio.sleep(LIST_PAUSE_S)

    async def _take_off_the_list(self, contact: Jid) -> None:
        try:
            request = requests.remove_contact(contact)
            await self._account.ask(request, limit_s=BLOCK_LIMIT_S)
        except RequestRefusedError:
            error = UserError(
                ErrorCode.STILL_LISTED,
                contact=str(contact.bare),
                server=self._record.domain,
            )
            self._world.publish(Failed(error, ForgetContact))
        except UserError:
            # The connection is gone, or as good as gone: the next one brings a list.
            return

    async def unblock(self, contact: Jid) -> None:
        """Let a contact write again.

        Raises:
            UserError: STILL_BLOCKED: the server has not done its part.
        """
        try:
            await self._account.ask(requests.unblock((contact,)), limit_s=BLOCK_LIMIT_S)
        except RequestRefusedError as exc:
            if exc.condition not in _NOT_OFFERED:
                raise self._still_blocked(contact) from exc
        except UserError as exc:
            raise self._still_blocked(contact) from exc
        self._account.chats.people.unblock(contact)

    def _still_blocked(self, contact: Jid) -> UserError:
        return UserError(
            ErrorCode.STILL_BLOCKED,
            contact=str(contact.bare),
            server=self._record.domain,
        )
