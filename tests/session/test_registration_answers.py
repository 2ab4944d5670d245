"""What real servers answer to a stranger, and what we make of it.

REGISTRATION.md beside this file has a row for each; the names of its tests are checked.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coykiosk.contract import Secret
from coykiosk.ports import IsolationKey
from coykiosk.register.door import read_door
from coykiosk.register.identity import draw_identity
from coykiosk.register.servers import Registration
from coykiosk.session.opening import (
    OpeningError,
    OpeningReason,
    Purpose,
    open_session,
)
from coykiosk.session.person import Another, Answer, Solved
from coykiosk.session.plan import Ask
from coykiosk.session.solving import Solve, ask_nobody
from tests.session import ejabberd as servers
from tests.session.conftest import Prosody, make_route, start_prosody
from tests.session.ejabberd import Ejabberd, start_ejabberd
from tests.session.puzzling import PICTURE
from tests.support.loopback import LoopbackDialer
from tests.support.running import run_clean
from tests.support.tables import names_of_tests

pytestmark = pytest.mark.network
TABLE = Path(__file__).with_name("REGISTRATION.md")


@pytest.fixture(scope="module")
def ejabberd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ejabberd]:
    yield from start_ejabberd(tmp_path_factory.mktemp("ejabberd"), PICTURE)


def register(
    port: int,
    domain: str,
    *,
    blind: bool,
    localpart: str | None = None,
    password: str | None = None,
    token: str = "",
    solve: Solve = ask_nobody,
) -> OpeningError | None:
    """Try to make an account; None when there is one, and we are signed in to it."""
    identity = draw_identity(os.urandom)

    async def main() -> OpeningError | None:
        registration = Registration.OPEN if blind else Registration.UNKNOWN
        try:
            opened = await open_session(
                LoopbackDialer(port),
                replace(
                    make_route(domain=domain, registration=registration), token=token
                ),
                localpart=localpart or identity.localpart,
                password=Secret(password or identity.password),
                purpose=Purpose.REGISTER,
                isolation_key=IsolationKey.fresh(os.urandom),
                random_bytes=os.urandom,
                on_step=lambda _: None,
                solve=solve,
            )
        except OpeningError as error:
            return error
        await opened.stream.close()
        return None

    found: OpeningError | None = run_clean(main)
    return found


both_ways = pytest.mark.parametrize("blind", [True, False], ids=["blind", "asked"])


# --- ejabberd ---------------------------------------------------------------------------


@both_ways
def test_ejabberd_makes_an_account(ejabberd: Ejabberd, *, blind: bool) -> None:
    assert register(ejabberd.port, servers.PLAIN, blind=blind) is None


@both_ways
def test_ejabberd_makes_an_account_for_a_right_answer(
    ejabberd: Ejabberd, *, blind: bool
) -> None:
    asked: list[Ask] = []

    async def solve(ask: Ask) -> Answer:
        asked.append(ask)
        return Solved(ejabberd.answer())

    error = register(ejabberd.port, servers.CAPTCHA, blind=blind, solve=solve)

    assert error is None
    [ask] = asked
    assert ask.challenge.image == PICTURE


def test_ejabberd_shows_another_picture_and_takes_three_wrong_answers(
    ejabberd: Ejabberd,
) -> None:
    said: list[Answer] = [Another(), Solved("1"), Solved("2"), Solved("3")]
    counts: list[int] = []

    async def solve(ask: Ask) -> Answer:
        counts.append(ask.n_wrong)
        return said.pop(0)

    error = register(ejabberd.port, servers.CAPTCHA, blind=False, solve=solve)

    assert counts == [0, 0, 1, 2]
    assert error is not None
    assert (error.reason, error.condition) == (
        OpeningReason.NEEDS_CAPTCHA,
        "wrong-answers",
    )


def test_ejabberd_that_sends_strangers_to_the_web_is_told_with_its_page(
    ejabberd: Ejabberd,
) -> None:
    # Who does not ask is taken all the same.
    error = register(ejabberd.port, servers.WEB, blind=False)

    assert error is not None
    assert (error.reason, error.text) == (OpeningReason.WEB_ONLY, servers.SIGN_UP)


@both_ways
def test_ejabberd_without_registration_is_closed(
    ejabberd: Ejabberd, *, blind: bool
) -> None:
    error = register(ejabberd.port, servers.CLOSED, blind=blind)

    assert error is not None
    assert error.reason is OpeningReason.REGISTRATION_CLOSED
    assert not error.submitted


@both_ways
def test_ejabberd_takes_our_password_for_a_strong_one(
    ejabberd: Ejabberd, *, blind: bool
) -> None:
    assert register(ejabberd.port, servers.STRONG, blind=blind) is None


@pytest.mark.parametrize(
    ("domain", "password", "condition"),
    [
        (servers.ABSURD, None, "not-acceptable"),
        (servers.STRONG, "short", "not-acceptable"),
        (servers.DENIED, None, "forbidden"),
        (servers.STRICT, None, "forbidden"),
    ],
)
@both_ways
def test_ejabberd_refuses_with_a_condition(
    ejabberd: Ejabberd,
    domain: str,
    password: str | None,
    condition: str,
    *,
    blind: bool,
) -> None:
    error = register(ejabberd.port, domain, blind=blind, password=password)

    assert error is not None
    assert (error.reason, error.condition) == (OpeningReason.REFUSED, condition)


@both_ways
def test_ejabberd_says_that_a_name_is_taken(ejabberd: Ejabberd, *, blind: bool) -> None:
    name = "taken" + os.urandom(4).hex()
    register(ejabberd.port, servers.PLAIN, blind=True, localpart=name)

    error = register(ejabberd.port, servers.PLAIN, blind=blind, localpart=name)

    assert error is not None
    assert (error.reason, error.condition) == (OpeningReason.REFUSED, "conflict")


def test_ejabberd_is_busy_after_each_registration(tmp_path: Path) -> None:
    starting = start_ejabberd(tmp_path, PICTURE, throttle="600")
    with contextlib.closing(starting):
        server = next(starting)
        first = register(server.port, servers.PLAIN, blind=True)
        second = register(server.port, servers.PLAIN, blind=True)

    assert first is None
    assert second is not None
    assert (second.reason, second.condition, second.error_type) == (
        OpeningReason.REFUSED,
        "resource-constraint",
        "wait",
    )


# --- Prosody ----------------------------------------------------------------------------

Refusing = Callable[..., Prosody]


@pytest.fixture
def prosody_that(tmp_path: Path) -> Iterator[Refusing]:
    running: list[Iterator[Prosody]] = []

    def start(options: str, modules: tuple[str, ...] = ()) -> Prosody:
        server = start_prosody(tmp_path, options=options, modules=modules)
        running.append(server)
        return next(server)

    yield start
    for server in running:
        assert next(server, None) is None


@both_ways
def test_prosody_makes_an_account(prosody: Prosody, *, blind: bool) -> None:
    assert register(prosody.direct_port, "practice.example", blind=blind) is None


@both_ways
def test_prosody_without_registration_is_closed(
    closed_prosody: Prosody, *, blind: bool
) -> None:
    error = register(closed_prosody.direct_port, "practice.example", blind=blind)

    assert error is not None
    assert error.reason is OpeningReason.REGISTRATION_CLOSED


@both_ways
def test_prosody_says_that_a_name_is_taken(prosody: Prosody, *, blind: bool) -> None:
    name = "taken" + os.urandom(4).hex()
    port = prosody.direct_port
    register(port, "practice.example", blind=True, localpart=name)

    error = register(port, "practice.example", blind=blind, localpart=name)

    assert error is not None
    assert (error.reason, error.condition) == (OpeningReason.REFUSED, "conflict")


THROTTLE = (
    "registration_whitelist = { }\nmin_seconds_between_registrations = 600\n"
    "registration_throttle_max = 1\n"
)
BLOCKED = 'registration_whitelist = { }\nregistration_blocklist = { "127.0.0.1" }\n'


@pytest.mark.parametrize(
    ("options", "n_before", "expected"),
    [
        pytest.param(THROTTLE, 1, ("policy-violation", "wait"), id="throttle"),
        pytest.param(BLOCKED, 0, ("forbidden", "auth"), id="blocklist"),
    ],
)
@both_ways
def test_prosody_refuses_an_address(
    prosody_that: Refusing,
    options: str,
    n_before: int,
    expected: tuple[str, str],
    *,
    blind: bool,
) -> None:
    server = prosody_that(options)
    for _ in range(n_before):
        assert register(server.direct_port, "practice.example", blind=True) is None

    error = register(server.direct_port, "practice.example", blind=blind)

    assert error is not None
    assert error.reason is OpeningReason.REFUSED
    assert (error.condition, error.error_type) == expected


@both_ways
def test_prosody_that_wants_an_address_is_left(
    prosody_that: Refusing, *, blind: bool
) -> None:
    server = prosody_that('additional_registration_fields = { "email+" }\n')

    error = register(server.direct_port, "practice.example", blind=blind)

    assert error is not None
    assert (error.reason, error.condition) == (OpeningReason.NEEDS_FORM, "email")
    assert not error.submitted or blind


INVITE_ONLY = "registration_invite_only = true\n"


def invite(server: Prosody) -> str:
    """Have the running server write an invitation; returns its token."""
    done = subprocess.run(  # noqa: S603 - our own words
        [
            *("/usr/bin/prosodyctl", "--config", server.directory / "prosody.cfg.lua"),
            # Both versions know this; what 0.12 had of its own is gone from 13.
            *("shell", "invite", "create_account", "practice.example"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return read_door(done.stdout.split()[-1]).token


def test_prosody_makes_an_account_by_invitation_alone(prosody_that: Refusing) -> None:
    server = prosody_that(INVITE_ONLY, ("invites", "invites_register", "admin_shell"))
    port = server.direct_port

    uninvited = register(port, "practice.example", blind=False)
    token = invite(server)
    invited = register(port, "practice.example", blind=False, token=token)
    again = register(port, "practice.example", blind=False, token=token)

    assert uninvited is not None
    assert invited is None
    assert again is not None
    assert again.reason is OpeningReason.INVITATION_REFUSED
    assert "invalid or expired" in again.text


# --- the table --------------------------------------------------------------------------


def test_table_names_tests_that_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text()))

    assert len(named) > 20
    assert named - names_of_tests() == set()
