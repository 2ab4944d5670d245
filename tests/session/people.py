"""People in front of real sessions, on a real server, who meet and talk."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from coykiosk.contract import (
    AcceptContact,
    AccountOnline,
    ChatChanged,
    ChatPhase,
    ContactAsked,
    CreateAccount,
    Jid,
    OpenChat,
    Secret,
    UnlockVault,
)
from coykiosk.register.servers import TlsMode
from coykiosk.session.account import FIRST_CONTACT_DELAY_S
from coykiosk.session.opening import OpeningError, OpeningReason, Purpose
from coykiosk.vault.profile import Account, Profile
from tests.support.accounts import loopback_route, open_account
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    eventually,
    headless,
    leap,
    make_server,
    quick_vault,
)

STILL_S: Final = FIRST_CONTACT_DELAY_S[1] + 0.1
"""After so long a new account speaks."""
_REFUSED: Final = (OpeningReason.LOGIN_REFUSED, "not-authorized")


@asynccontextmanager
async def sitting(
    port: int, path: Path | None = None
) -> AsyncIterator[tuple[Person, LoopbackTor]]:
    """Seat a person whose server listens on a port, with a vault perhaps."""
    tor = LoopbackTor({ONION: port})
    vault = None if path is None else quick_vault(path)
    async with headless([make_server()], tor, vault=vault) as person:
        yield person, tor


async def create(person: Person, passphrase: str | None = None) -> Jid:
    secret = None if passphrase is None else Secret(passphrase)
    person.submit(CreateAccount(secret))
    return (await person.until(AccountOnline)).account


async def unlock(person: Person) -> Jid:
    person.submit(UnlockVault(Secret(WORDS)))
    return (await person.until(AccountOnline)).account


async def phase(person: Person, wanted: ChatPhase) -> ChatChanged:
    return await person.until(ChatChanged, lambda e: e.phase is wanted)


async def introduce(alice: Person, bob: Person) -> None:
    """Have one ask and the other accept, until their chat is encrypted."""
    b = bob.of(AccountOnline)[-1].account
    leap(STILL_S)
    alice.submit(OpenChat(alice.me, b))
    await accept(alice, bob)


async def accept(alice: Person, bob: Person) -> None:
    """Have one accept what the other has asked, until their chat is encrypted."""
    asked = await bob.until(ContactAsked)
    bob.submit(AcceptContact(bob.me, asked.contact))
    await phase(alice, ChatPhase.ENCRYPTED)
    await phase(bob, ChatPhase.ENCRYPTED)


async def until_with_time(is_so: Callable[[], object]) -> None:
    """Let time pass in steps until something has happened."""

    def has_happened() -> object:
        leap(1.0)
        return is_so()

    await eventually(has_happened)


def content_of(path: Path) -> bytes | None:
    """Read a file that may not be there."""
    return path.read_bytes() if path.exists() else None


def records_in(path: Path) -> list[Account]:
    """Read the accounts in a closed vault."""
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    vault.close()
    return list(profile.accounts)


@contextmanager
def changing(path: Path) -> Iterator[Profile]:
    """Open a closed vault, to be changed before it is closed again."""
    vault = quick_vault(path)
    profile = vault.unlock(Secret(WORDS))
    yield profile
    vault.save(profile)
    vault.close()


async def is_let_in(port: int, localpart: str, password: bytes) -> bool:
    """Try whether the server takes a name and a password."""
    try:
        opened = await open_account(
            loopback_route(DOMAIN, tls=TlsMode.DIRECT, pin=""),
            port=port,
            localpart=localpart,
            password=password.decode(),
            purpose=Purpose.LOG_IN,
        )
    except OpeningError as error:
        if (error.reason, error.condition) != _REFUSED:
            raise
        return False
    await opened.stream.close()
    return True
