"""Whatever a server answers, the screen says what happened and which key goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coykiosk.contract import ServerTried
from tests.session.at_the_screen import TOLD, Newcomer
from tests.session.conftest import Identity as Certificate
from tests.session.conftest import Prosody, make_identity
from tests.session.refusing import BAD, BAD_ONION, WAYS, Way, before
from tests.support.headless import ONION, eventually, leap, run_leaping

pytestmark = pytest.mark.network

LIMIT_S = 61.0
"""No server is waited for any longer."""

each_way = pytest.mark.parametrize("name", WAYS)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_identity(tmp_path_factory.mktemp("bad"), (BAD,))


async def outlasts(
    someone: Newcomer, way: Way, go_on: Callable[[Newcomer], None], n_before: int = 0
) -> None:
    """Let a server out of the way that says nothing, as often as it is asked."""
    n_asked = n_before
    while way.hangs_at and await _is_tried_again(someone, n_asked):
        n_asked = len(someone.tor.ways.asked)
        await someone.until_doing(way.hangs_at)
        go_on(someone)


async def _is_tried_again(someone: Newcomer, n_before: int) -> bool:
    """Whether the server is asked, before another one is or nobody."""

    def asked() -> list[str]:
        return [host for host, _ in someone.tor.ways.asked[n_before:]]

    await eventually(lambda: asked() or someone.is_told())
    return asked() == [BAD_ONION]


def waits(_someone: Newcomer) -> None:
    leap(LIMIT_S)


def leaves_out(someone: Newcomer) -> None:
    someone.presses("f4")


@each_way
def test_next_server_is_taken_by_itself_when_one_does_not(
    name: str, bad: Certificate, prosody: Prosody, path: Path
) -> None:
    way = WAYS[name]

    async def main() -> list[ServerTried]:
        async with before(way.part, bad, path, spki=way.spki) as someone:
            someone.tor.ways.ports[ONION] = prosody.direct_port
            someone.presses("enter")
            await outlasts(someone, way, waits)
            await someone.is_online()
        return someone.session.of(ServerTried)

    tried = run_leaping(main)

    assert [each.server for each in tried] == [BAD]


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing kept"])
@each_way
def test_person_without_a_server_learns_why_and_gets_an_account_later(
    name: str, bad: Certificate, prosody: Prosody, path: Path, *, is_kept: bool
) -> None:
    way = WAYS[name]

    async def main() -> str:
        async with before(way.part, bad, path, spki=way.spki) as someone:
            someone.presses("enter" if is_kept else "f4")
            await outlasts(someone, way, leaves_out)
            await someone.until(TOLD)
            someone.presses(someone.reads_key(TOLD))
            why = await someone.until("Servers tried so far")
            someone.presses("esc")
            await someone.until(TOLD)
            key = someone.reads_key("and there ")
            someone.presses(someone.reads_key("F7 says why."))
            someone.tor.ways.ports[ONION] = prosody.direct_port
            n_before = len(someone.tor.ways.asked)
            someone.presses(key)
            await outlasts(someone, way, leaves_out, n_before)
            await someone.is_online()
        return why

    why = run_leaping(main)

    assert BAD in why
    if not way.hangs_at:
        assert way.words in why
