"""Our engine against CoyIM's otr3, the other implementation in use.

A missing Go or library fails these tests: without them nothing is proved.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.otr.pairs.comparing import COMPARING
from tests.otr.pairs.ends import Company, Ends, Program, Roles
from tests.otr.pairs.exchange import EXCHANGE
from tests.otr.pairs.kinds import OURS
from tests.otr.pairs.otr3_ways import NOT_AS_IT_STANDS, OTR3, OTR3_WAYS
from tests.otr.pairs.plan import Scenario, cases
from tests.otr.pairs.texts import TEXTS
from tests.otr.pairs.trouble import TROUBLE
from tests.peers.build import LIBOTR_PEER, build_libotr_program
from tests.peers.driver import Peer, Start
from tests.peers.otr3_build import build_otr3_peer

EVERYBODYS = cases((*EXCHANGE, *TEXTS, *TROUBLE, *COMPARING), OTR3)

pytestmark = pytest.mark.deep


def _stands(scenario: Scenario, roles: Roles, _mms: int) -> bool:
    return (scenario.name, roles) not in NOT_AS_IT_STANDS


PLAYED = [case for case in EVERYBODYS if _stands(*case.values)]


@pytest.fixture(scope="session")
def otr3(tmp_path_factory: pytest.TempPathFactory) -> Program:
    place = tmp_path_factory.mktemp("otr3")
    return Program(OTR3, (str(build_otr3_peer(place)),), place)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Program:
    command = (sys.executable, "-m", "tests.peers.coykiosk_peer")
    return Program(OURS, command, tmp_path_factory.mktemp("coykiosk"))


Meet = Callable[[Roles, int], AbstractContextManager[Ends]]


@pytest.fixture(scope="module")
def meet_otr3(ours: Program, otr3: Program) -> Iterator[Meet]:
    with Company() as company:
        yield partial(company.meet, ours, otr3)


@pytest.mark.parametrize(
    ("scenario", "roles", "mms"), [*PLAYED, *cases(OTR3_WAYS, OTR3)]
)
def test_with_otr3(meet_otr3: Meet, scenario: Scenario, roles: Roles, mms: int) -> None:
    with meet_otr3(roles, mms) as ends:
        scenario.play(ends)


@pytest.mark.parametrize(("name", "roles"), sorted(NOT_AS_IT_STANDS, key=str))
def test_what_otr3_cannot_play_is_a_scenario_of_everybody(
    name: str, roles: Roles
) -> None:
    played = {(case.values[0].name, case.values[1]) for case in EVERYBODYS}

    assert (name, roles) in played


def test_key_that_otr3_made_is_read_by_libotr(
    otr3: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("libotr")
    libotr = build_libotr_program(LIBOTR_PEER, place)
    with otr3.start("alice", "bob", 0) as peer:
        start = Start((str(libotr),), peer.start.key, "alice", "bob", 0x100)

        with Peer(start) as reader:
            assert reader.fingerprint == peer.fingerprint
