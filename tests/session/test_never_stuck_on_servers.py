"""As `test_never_stuck`, before real servers that were told to refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coykiosk.register.servers import Server
from coykiosk.ui_urwid.view import Page
from tests.session import ejabberd as hosts
from tests.session.at_the_screen import TOLD, Newcomer, newcomer
from tests.session.conftest import Prosody, start_prosody
from tests.session.ejabberd import Ejabberd, start_ejabberd
from tests.session.people import create, sitting
from tests.session.puzzling import PICTURE
from tests.session.refusing import BAD_ONION, GOOD
from tests.support.headless import ONION, LoopbackTor, make_server, run_leaping

pytestmark = pytest.mark.network

THROTTLE = (
    "registration_whitelist = { }\nmin_seconds_between_registrations = 600\n"
    "registration_throttle_max = 1\n"
)
BLOCKED = 'registration_whitelist = { }\nregistration_blocklist = { "127.0.0.1" }\n'
EMAIL = 'additional_registration_fields = { "email+" }\n'
INVITED = "registration_invite_only = true\n"


@pytest.fixture(scope="module")
def ejabberd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ejabberd]:
    yield from start_ejabberd(tmp_path_factory.mktemp("ejabberd"), PICTURE)


def at(host: str) -> Server:
    return make_server(domain=host, onion=BAD_ONION)


async def learns_why(someone: Newcomer, words: str) -> None:
    """Read on the screen why there is no account, and go back."""
    await someone.until(TOLD)
    someone.presses(someone.reads_key(TOLD))
    await someone.until("Servers tried so far", words)
    someone.presses("esc")
    await someone.until(TOLD)
    someone.presses("esc")
    await someone.until_at(Page.START)


@pytest.mark.parametrize(
    ("options", "modules", "words"),
    [
        pytest.param(THROTTLE, (), "too many came lately", id="throttle"),
        pytest.param(BLOCKED, (), "it does not let us in", id="blocked"),
        pytest.param(EMAIL, (), "an e-mail address", id="e-mail"),
        pytest.param(
            INVITED, ("invites", "invites_register"), "invitation", id="invitation"
        ),
        pytest.param("", None, "it takes no new accounts", id="closed"),
    ],
)
def test_person_gets_an_account_once_prosody_makes_one_again(
    options: str,
    modules: tuple[str, ...] | None,
    words: str,
    prosody: Prosody,
    *,
    tmp_path: Path,
    path: Path,
) -> None:
    starting = start_prosody(
        tmp_path,
        registration=modules is not None,
        options=options,
        modules=modules or (),
    )
    refusing = next(starting)

    async def main() -> None:
        if options == THROTTLE:
            async with sitting(refusing.direct_port) as (somebody, _):
                await create(somebody)
        tor = LoopbackTor({ONION: refusing.direct_port})
        async with newcomer([GOOD], tor, path) as someone:
            someone.presses("enter")
            await learns_why(someone, words)
            tor.ways.ports[ONION] = prosody.direct_port
            someone.presses_what_makes_an_account()
            await someone.is_online()

    try:
        run_leaping(main)
    finally:
        assert next(starting, None) is None


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (hosts.CLOSED, "it takes no new accounts"),
        (hosts.DENIED, "it does not let us in"),
        (hosts.STRICT, "it does not let us in"),
        (hosts.ABSURD, "it wants something else"),
    ],
)
def test_person_learns_why_ejabberd_refuses_and_takes_another_server(
    ejabberd: Ejabberd, prosody: Prosody, path: Path, host: str, words: str
) -> None:
    async def main() -> None:
        tor = LoopbackTor({BAD_ONION: ejabberd.port})
        async with newcomer([at(host), GOOD], tor, path) as someone:
            someone.presses("enter")
            await learns_why(someone, words)
            tor.ways.ports[ONION] = prosody.direct_port
            someone.presses_what_makes_an_account()
            await someone.is_online()

    run_leaping(main)


@pytest.mark.parametrize("n_wrong", [0, 2])
def test_person_reads_the_picture_of_ejabberd_and_is_online(
    ejabberd: Ejabberd, path: Path, n_wrong: int
) -> None:
    async def main() -> None:
        tor = LoopbackTor({BAD_ONION: ejabberd.port})
        async with newcomer([at(hosts.CAPTCHA)], tor, path) as someone:
            someone.presses("enter")
            await someone.until("Type what the picture shows")
            for _ in range(n_wrong):
                someone.types("1")
                someone.presses("enter")
                await someone.until("That was not it; here is another one")
            someone.types(ejabberd.answer())
            someone.presses("enter")
            seen = await someone.until_at(Page.WHO, Page.CHAT)
            assert f"@{hosts.CAPTCHA}" in seen

    run_leaping(main)


def test_person_who_cannot_read_the_picture_of_ejabberd_takes_another_server(
    ejabberd: Ejabberd, prosody: Prosody, path: Path
) -> None:
    async def main() -> None:
        tor = LoopbackTor({BAD_ONION: ejabberd.port, ONION: prosody.direct_port})
        async with newcomer([at(hosts.CAPTCHA), GOOD], tor, path) as someone:
            someone.presses("enter")
            await someone.until("Type what the picture shows")
            someone.presses(someone.reads_key("F8: larger."))
            await someone.is_online()

    run_leaping(main)
