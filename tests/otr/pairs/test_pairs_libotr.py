"""Our engine against the real libotr, which most other clients are made of.

A missing compiler or library fails these tests: without them nothing is proved.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.otr.pairs.comparing import COMPARING
from tests.otr.pairs.ends import Company, Ends, Program, Roles, assert_same_session
from tests.otr.pairs.exchange import EXCHANGE
from tests.otr.pairs.kinds import LIBOTR, OURS
from tests.otr.pairs.plan import Scenario, cases
from tests.otr.pairs.texts import TEXTS, texts_of_every_size_pass_both_ways
from tests.otr.pairs.trouble import TROUBLE
from tests.peers.build import LIBOTR_PEER, build_libotr_program

SCENARIOS = (*EXCHANGE, *TEXTS, *TROUBLE, *COMPARING)


@pytest.fixture(scope="session")
def libotr(tmp_path_factory: pytest.TempPathFactory) -> Program:
    place = tmp_path_factory.mktemp("libotr")
    return Program(LIBOTR, (str(build_libotr_program(LIBOTR_PEER, place)),), place)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Program:
    command = (sys.executable, "-m", "tests.peers.coykiosk_peer")
    return Program(OURS, command, tmp_path_factory.mktemp("coykiosk"))


Meet = Callable[[Roles, int], AbstractContextManager[Ends]]


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with Company() as company:
        yield company


@pytest.fixture(scope="module")
def meet_libotr(company: Company, ours: Program, libotr: Program) -> Meet:
    return partial(company.meet, ours, libotr)


@pytest.fixture(scope="module")
def meet_ourselves(company: Company, ours: Program) -> Meet:
    return partial(company.meet, ours, ours)


@pytest.mark.parametrize(("scenario", "roles", "mms"), cases(SCENARIOS, LIBOTR))
def test_with_libotr(
    meet_libotr: Meet, scenario: Scenario, roles: Roles, mms: int
) -> None:
    with meet_libotr(roles, mms) as ends:
        scenario.play(ends)


@pytest.mark.parametrize("roles", Roles, ids=lambda roles: roles.value)
@pytest.mark.parametrize(("first_mms", "second_mms"), [(0, 140), (140, 0), (60, 400)])
def test_with_libotr_over_different_limits(
    meet_libotr: Meet, roles: Roles, first_mms: int, second_mms: int
) -> None:
    with meet_libotr(roles, first_mms) as ends:
        ends.second.do("mms", second_mms)

        texts_of_every_size_pass_both_ways(ends)


@pytest.mark.parametrize(
    ("scenario", "roles", "mms"), cases(SCENARIOS, OURS, sizes=(140,))
)
def test_with_ourselves(
    meet_ourselves: Meet, scenario: Scenario, roles: Roles, mms: int
) -> None:
    """Nothing in a scenario rests on what libotr does in a way of its own."""
    with meet_ourselves(roles, mms) as ends:
        scenario.play(ends)


@pytest.mark.parametrize("roles", Roles, ids=lambda roles: roles.value)
def test_either_takes_over_the_key_file_of_the_other(
    ours: Program, libotr: Program, tmp_path: Path, roles: Roles
) -> None:
    """Whoever is started first makes the key; then the other is Alice with it."""
    maker, heir = (ours, libotr) if roles is Roles.WE_BEGIN else (libotr, ours)
    maker, heir = replace(maker, keys=tmp_path), replace(heir, keys=tmp_path)
    with maker.start("alice", "bob", 0) as made:
        fingerprint = made.fingerprint
    maker.key_of("alice").rename(heir.key_of("alice"))

    with (
        heir.start("alice", "bob", 0) as alice,
        maker.start("bob", "alice", 0) as bob,
    ):
        ends = Ends(alice, bob, {alice: heir.kind, bob: maker.kind})
        ends.do(alice, "query")

        assert alice.fingerprint == fingerprint
        assert_same_session(ends)
