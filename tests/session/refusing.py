"""Each way in which a server does not make an account, played by a server of ours.

The rows are REGISTRATION.md's; what is said on the wire is `pure_server`'s business.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coykiosk.register.servers import Registration
from coykiosk.vault.store import VaultStore
from tests.session.at_the_screen import Newcomer, newcomer
from tests.session.conftest import Identity
from tests.session.hostile import played_by, silent, stage
from tests.session.pure_server import (
    REGISTER,
    PureServer,
    failure,
    form_reply,
    stanza_error,
    stream_error,
)
from tests.session.puzzling import PuzzleMaster, captcha_form, ocr
from tests.support.headless import LoopbackTor, make_server
from tests.support.listener import Part

BAD: Final = "bad.example"
BAD_ONION: Final = "b" * 56 + ".onion"
GOOD: Final = make_server(register=Registration.UNKNOWN)
"""Comes second: nobody has said that it takes everybody."""


@dataclass(frozen=True)
class Way:
    """One way of not making an account."""

    part: Part
    words: str
    """What the person is told of it, among the servers tried."""
    spki: tuple[str, ...] = ()
    hangs_at: str = ""
    """What the screen says that it is at when nothing comes any more: a pattern."""


def _playing(**how: Any) -> Part:
    """Have a server play that has these fields; it is made anew for each client."""
    return played_by(lambda: PureServer(head_from=BAD, **how))


def _saying(condition: str, kind: str) -> Part:
    return _playing(on_register=lambda i, _: stanza_error(i, condition, kind))


def _wanting(form: str) -> Part:
    def answer(stanza_id: str, text: str) -> str:
        if "type='get'" in text:
            return form_reply(stanza_id, form)
        return stanza_error(stanza_id, "not-acceptable", "modify")

    return _playing(on_register=answer)


def _form(var: str, kind: str) -> str:
    return (
        "<x xmlns='jabber:x:data' type='form'>"
        "<field var='username' type='text-single'><required/></field>"
        "<field var='password' type='text-private'><required/></field>"
        f"<field var='{var}' type='{kind}'><required/></field></x>"
    )


def _without_a_form(stanza_id: str, text: str) -> str:
    if "type='get'" in text:
        return f"<iq type='result' id='{stanza_id}'/>"
    return stanza_error(stanza_id, "not-acceptable", "modify")


def _nothing(_stanza_id: str, _text: str) -> str:
    return ""


def cutting(*, when: Callable[[bytes], bool]) -> Part:
    """A server that is cut off as soon as it has been told a certain thing."""

    async def part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = PureServer(head_from=BAD)
        while (data := await reader.read(65536)) and not when(data):
            writer.write(server.receive(data))
            await writer.drain()

    return part


def _asks(data: bytes) -> bool:
    return REGISTER.encode() in data


def _signs_in(data: bytes) -> bool:
    return b"<auth " in data


SILENT_AT_REGISTRATION: Final = _playing(on_register=_nothing, on_auth=_nothing)
SILENT_AT_LOGIN: Final = _playing(on_auth=_nothing)

WAYS: Final[dict[str, Way]] = {
    "closed": Way(_playing(offers_registration=False), "it takes no new accounts"),
    "web": Way(
        _wanting("<x xmlns='jabber:x:oob'><url>https://bad.example/up</url></x>"),
        "on a web page only: https://bad.example/up",
    ),
    "picture unseen": Way(
        _playing(on_register=PuzzleMaster(form=captcha_form(ocr(b"GIF89a"))).take),
        "a puzzle solved that cannot be shown here",
    ),
    "too quickly": Way(_saying("resource-constraint", "wait"), "it is busy"),
    "too many": Way(_saying("policy-violation", "wait"), "too many came lately"),
    "blocked": Way(_saying("forbidden", "auth"), "it does not let us in"),
    "e-mail": Way(_wanting("<username/><password/><email/>"), "an e-mail address"),
    "form": Way(_wanting(_form("reason", "text-multi")), "a form filled in"),
    "taken": Way(_saying("conflict", "cancel"), "the name is taken"),
    "weak": Way(_saying("not-acceptable", "modify"), "it wants something else"),
    "names": Way(_saying("jid-malformed", "modify"), "it wants another name"),
    "unheard of": Way(_saying("gone", "cancel"), "does not make an account"),
    "certificate": Way(
        _playing(), "its key is not the one it had before", spki=("A" * 43 + "=",)
    ),
    "silent": Way(silent, "does not answer", hangs_at="making"),
    "silent later": Way(
        SILENT_AT_REGISTRATION, "does not answer", hangs_at="making the account"
    ),
    "silent at last": Way(
        SILENT_AT_LOGIN, "does not answer", hangs_at="(making|signing)"
    ),
    "cut": Way(cutting(when=lambda _: True), "is lost"),
    "cut, none made": Way(cutting(when=_asks), "is lost"),
    "cut for good": Way(cutting(when=_signs_in), "is lost"),
    "not let in": Way(
        _playing(on_auth=lambda *_: failure("account-disabled")), "account is blocked"
    ),
    "made, unknown": Way(
        _playing(on_auth=lambda *_: failure("not-authorized")), "it does not know them"
    ),
    "breaks off": Way(
        _playing(on_register=lambda *_: stream_error("policy-violation")),
        "is lost",
    ),
    "gibberish": Way(_playing(on_register=lambda *_: "<a/></b>"), "is lost"),
    "nonsense": Way(_playing(on_register=_without_a_form), "makes no sense"),
}


@asynccontextmanager
async def before(
    part: Part,
    identity: Identity | None,
    path: Path | None,
    *,
    spki: tuple[str, ...] = (),
    vault: VaultStore | None = None,
) -> AsyncIterator[Newcomer]:
    """Seat somebody whose first server is bad, and whose second is not there yet."""
    record = make_server(domain=BAD, onion=BAD_ONION, spki=spki)
    async with stage(part, identity=identity) as port:
        tor = LoopbackTor({BAD_ONION: port})
        async with newcomer([record, GOOD], tor, path, vault=vault) as someone:
            yield someone
