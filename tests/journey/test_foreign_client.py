"""OTR with other people's programs: mcabber and profanity, with libotr in them.

The server is tapped behind Tor and TLS: what the tap does not hold, nobody on
the way has seen. The tap is first shown to find a text that goes in clear.
mcabber speaks version 3 of OTR; profanity, as it comes, speaks no version above 2,
and is refused; let its libotr speak version 3, and it is understood.
"""

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coykiosk import otr
from coykiosk.contract import Secret
from coykiosk.register.servers import TlsMode
from coykiosk.session.opening import Purpose
from coykiosk.vault.profile import Account
from coykiosk.vault.store import VaultStore
from tests.journey.conftest import Launch
from tests.support.accounts import loopback_route, open_account
from tests.support.accounts import make_account as make_foreign_account
from tests.support.mcabber import Mcabber
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.profanity import Profanity, build_otr3
from tests.support.sights import (
    ENCRYPTED,
    make_account,
    open_chat,
    quit_program,
    words_shown,
)
from tests.support.terminal import Terminal

pytestmark = pytest.mark.journey

PASSWORD = "gone when the server is"  # noqa: S105 - no secret: the server ends with us
WAITS = "waits until the chat is encrypted; not sent yet"
N_WORDS = 500


@pytest.fixture
def foreign_address(practice_network: SharedPracticeNetwork) -> str:
    localpart = f"peter{secrets.token_hex(3)}"
    make_foreign_account(
        practice_network.direct_tls_port,
        practice_network.domain,
        localpart,
        PASSWORD,
        practice_network.spki,
    )
    return f"{localpart}@{practice_network.domain}"


@pytest.fixture
def mcabber(
    tmp_path: Path, foreign_address: str, practice_network: SharedPracticeNetwork
) -> Iterator[Mcabber]:
    with Mcabber(
        tmp_path / "mcabber",
        foreign_address,
        PASSWORD,
        port=practice_network.starttls_port,
    ) as client:
        yield client


@pytest.fixture
def profanity(
    tmp_path: Path, foreign_address: str, practice_network: SharedPracticeNetwork
) -> Iterator[Profanity]:
    with Profanity(tmp_path / "profanity") as client:
        client.sign_in(foreign_address, PASSWORD, port=practice_network.starttls_port)
        client.make_otr_key()
        yield client


def token(what: str) -> str:
    """A text that is nowhere else, in more than one script."""
    return f"grüße, привет, 你好, {what} {secrets.token_hex(6)}"


def say(kiosk: Terminal, text: str) -> None:
    kiosk.type(text)
    kiosk.press("enter")


def long_text(mark: str) -> str:
    """About 3000 characters in words that tell whether one is missing."""
    return " ".join(f"{mark}{number:04}" for number in range(N_WORDS))


def wait_for_long(terminal: Terminal, mark: str) -> None:
    """Wait until the whole of a long text is on a screen, in order, once."""
    words = long_text(mark).split()
    terminal.wait_until(
        lambda: re.findall(rf"\b{mark}\d{{4}}\b", terminal.text()) == words,
        what=f"{N_WORDS} words with {mark}",
        within_s=30,
    )


def tapped(practice_network: SharedPracticeNetwork) -> str:
    return practice_network.tap().decode(errors="replace")


def test_we_ask_and_the_server_sees_nothing_of_what_is_said(
    launch: Launch,
    mcabber: Mcabber,
    foreign_address: str,
    practice_network: SharedPracticeNetwork,
) -> None:
    in_clear, early = token("clear"), token("early")
    ours, theirs, later = token("ours"), token("theirs"), token("later")
    mcabber.say_to(f"nobody@{practice_network.domain}", in_clear)
    kiosk = launch(columns=120, rows=60).terminal
    kiosk.wait_for("F4")
    address = make_account(kiosk, "f4")
    mcabber.add(address)
    mcabber.chat_with(address)

    open_chat(kiosk, foreign_address)
    kiosk.wait_for("you type waits")
    say(kiosk, early)
    kiosk.wait_for(ENCRYPTED, within_s=60)
    mcabber.wait_for(early)
    say(kiosk, ours)
    mcabber.wait_for(ours)
    mcabber.say(theirs)
    kiosk.wait_for(theirs)
    say(kiosk, long_text("o"))
    wait_for_long(mcabber.terminal, "o")
    mcabber.say_from_file(address, long_text("t"))
    wait_for_long(kiosk, "t")
    # It sees us, though we let nobody subscribe: so it tells that it ends.
    mcabber.end_otr()
    kiosk.wait_for("ended the encryption", within_s=60)
    kiosk.press("f9")
    kiosk.wait_for(ENCRYPTED, within_s=60)
    mcabber.wait_otr()
    say(kiosk, later)
    mcabber.wait_for(later)

    tap = tapped(practice_network)
    assert in_clear in tap
    secret = (early, ours, theirs, later, "o0000", "o0499", "t0000", "t0499")
    assert [text for text in secret if text in tap] == []


def test_they_start_they_end_and_we_start_again(
    launch: Launch,
    vault_path: Path,
    mcabber: Mcabber,
    foreign_address: str,
    practice_network: SharedPracticeNetwork,
) -> None:
    before, after = token("before"), token("after")
    kiosk = launch(vault=vault_path).terminal
    words = words_shown(kiosk)
    address = make_account(kiosk)
    let_see(account_in(vault_path, words), foreign_address, practice_network)
    mcabber.add(address)
    mcabber.wait_sees(address)
    mcabber.chat_with(address)

    mcabber.start_otr()
    kiosk.wait_for("wants to talk", within_s=60)
    kiosk.press("tab", "enter")
    kiosk.wait_for(ENCRYPTED, within_s=60)
    mcabber.wait_otr()
    seen_of_us = mcabber.their_fingerprint(address)
    mcabber.say(before)
    kiosk.wait_for(before)
    mcabber.end_otr()
    kiosk.wait_for("ended the encryption", within_s=60)
    say(kiosk, after)
    kiosk.wait_for("Not sent: .* Your text is still here")
    kiosk.press("f9")
    kiosk.wait_for(ENCRYPTED, within_s=60)
    kiosk.press("enter")
    mcabber.wait_for(after)
    quit_program(kiosk)

    tap = tapped(practice_network)
    assert foreign_address in tap
    assert [text for text in (before, after) if text in tap] == []
    account = account_in(vault_path, words)
    assert seen_of_us == our_fingerprint(account)
    assert account.known == {foreign_address: (mcabber.own_fingerprint(),)}


def account_in(vault_path: Path, words: str) -> Account:
    """Read the one account in a vault, which the program may have open."""
    copy = vault_path.with_name("copy")
    shutil.copy(vault_path, copy)
    store = VaultStore(copy, random_bytes=os.urandom)
    profile = store.unlock(Secret(words))
    store.close()
    [account] = profile.accounts
    return account


def our_fingerprint(account: Account) -> bytes:
    return otr.PrivateKey.from_bytes(account.otr_key.reveal()).fingerprint


def let_see(
    account: Account, contact: str, practice_network: SharedPracticeNetwork
) -> None:
    """Allow a contact to see when the account is online (RFC 6121, section 3.4).

    It is done from a second client of the account; the server then answers for us
    when the contact asks.
    """

    async def main() -> None:
        opened = await open_account(
            loopback_route(
                practice_network.domain,
                tls=TlsMode.DIRECT,
                pin=practice_network.spki,
                scram=practice_network.scram,
            ),
            port=practice_network.direct_tls_port,
            localpart=account.localpart,
            password=account.password.reveal().decode(),
            purpose=Purpose.LOG_IN,
        )
        opened.stream.write(f"<presence to='{contact}' type='subscribed'/>".encode())
        opened.stream.write(b"</stream:stream>")
        async with asyncio.timeout(10):
            while await opened.stream.read():
                pass
        await opened.stream.close()

    asyncio.run(main())


def test_version_2_alone_is_refused_and_what_was_typed_still_waits(
    launch: Launch,
    profanity: Profanity,
    foreign_address: str,
    practice_network: SharedPracticeNetwork,
) -> None:
    typed, in_clear = token("typed"), token("clear")
    kiosk = launch().terminal
    kiosk.wait_for("F4")
    address = make_account(kiosk, "f4")
    open_chat(kiosk, foreign_address)
    kiosk.wait_for("you type waits")
    say(kiosk, typed)
    kiosk.wait_until(
        lambda: sent_by(address, practice_network) == ["?OTRv3?"],
        what="our question",
        within_s=30,
    )

    profanity.chat_with(address)
    profanity.command("/otr start")
    kiosk.wait_for("offers only an old encryption", within_s=60)
    kiosk.wait_for("Nothing is sent")
    kiosk.press("esc")
    kiosk.wait_for(WAITS)
    profanity.say(in_clear)
    kiosk.wait_for("came unencrypted")
    kiosk.wait_for(WAITS)
    quit_program(kiosk)

    tap = tapped(practice_network)
    assert in_clear in tap
    assert typed not in tap
    assert sent_by(address, practice_network) == ["?OTRv3?"]


def sent_by(address: str, practice_network: SharedPracticeNetwork) -> list[str]:
    """Return the bodies of all messages that the server passed on for someone."""
    messages = re.findall(
        r"<message\b([^>]*)>(.*?)</message>", tapped(practice_network), re.DOTALL
    )
    # Only the server writes down from whom a message is.
    sender = re.compile(rf"from=['\"]{re.escape(address)}/")
    return [
        re.sub(r".*<body>(.*?)</body>.*", r"\1", content, flags=re.DOTALL)
        for attributes, content in messages
        if sender.search(attributes)
    ]


def test_profanity_that_is_let_speak_version_3_talks_both_ways(
    launch: Launch,
    tmp_path: Path,
    foreign_address: str,
    practice_network: SharedPracticeNetwork,
) -> None:
    """As it comes, profanity allows its libotr versions 1 and 2 only."""
    in_clear, ours, theirs = token("clear"), token("ours"), token("theirs")
    library = build_otr3(tmp_path)
    with Profanity(tmp_path / "profanity3", otr3=library) as profanity:
        profanity.sign_in(
            foreign_address, PASSWORD, port=practice_network.starttls_port
        )
        profanity.make_otr_key()
        profanity.chat_with(f"nobody@{practice_network.domain}")
        profanity.say(in_clear)
        kiosk = launch().terminal
        kiosk.wait_for("F4")
        address = make_account(kiosk, "f4")

        open_chat(kiosk, foreign_address)
        kiosk.wait_for(ENCRYPTED, within_s=60)
        say(kiosk, ours)
        profanity.chat_with(address)
        profanity.wait_for(re.escape(ours))
        profanity.say(theirs)
        kiosk.wait_for(re.escape(theirs))

    tap = tapped(practice_network)
    assert in_clear in tap
    assert [text for text in (ours, theirs) if text in tap] == []
