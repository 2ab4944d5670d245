"""The whole program in two surroundings: its server reads the same of both."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journey.conftest import Launch
from tests.session.saying import normalised, said_by
from tests.support.practice_network import SharedPracticeNetwork
from tests.support.sights import (
    ONLINE,
    make_account,
    open_chat,
    quit_program,
    words_shown,
)
from tests.support.terminal import Terminal

pytestmark = pytest.mark.journey


@dataclass(frozen=True)
class Surroundings:
    environ: dict[str, str]
    columns: int
    rows: int


HOMES = (
    Surroundings(
        {
            "LANG": "pt_BR.UTF-8",
            "LC_ALL": "pt_BR.UTF-8",
            "TZ": "America/St_Johns",
            "USER": "joaosilva",
            "LOGNAME": "joaosilva",
            "HOSTNAME": "redacao-04",
            "PYTHONHASHSEED": "4242",
            "PYTHONOPTIMIZE": "1",
            "TERM": "xterm",
        },
        columns=81,
        rows=25,
    ),
    Surroundings(
        {
            "LANG": "C.UTF-8",
            "TZ": "Pacific/Kiritimati",
            "USER": "annaschmidt",
            "LOGNAME": "annaschmidt",
            "HOSTNAME": "annas-thinkpad",
            "PYTHONHASHSEED": "1",
            "OPENSSL_CONF": "/dev/null",
        },
        columns=132,
        rows=50,
    ),
)


def live(
    launch: Launch, network: SharedPracticeNetwork, vault: Path, home: Surroundings
) -> list[str]:
    """Make an account, ask for somebody, leave, and come back; what was said."""
    data = network.path / "xmpp" / "data"

    def start() -> Terminal:
        return launch(
            vault=vault, environ=home.environ, columns=home.columns, rows=home.rows
        ).terminal

    first = start()
    words = words_shown(first)
    localpart = make_account(first).partition("@")[0]
    open_chat(first, f"nobody@{network.domain}")
    first.wait_until(
        lambda: "?OTRv3?" in "".join(said_by(localpart, data)),
        what="the first question",
        within_s=30,
    )
    first_exit = quit_program(first)
    second = start()
    second.wait_for("Type the words that open it")
    second.type(words)
    second.press("enter")
    second.wait_for(ONLINE, within_s=90)
    assert (first_exit, quit_program(second)) == (0, 0)

    names = {localpart: "{user}"}
    said = [normalised(each, names) for each in said_by(localpart, data)]
    text = "".join(said).lower()
    words_of_home = [*home.environ.values(), vault.parent.name]
    assert not [w for w in words_of_home if len(w) > 3 and w.lower() in text]
    return said


def test_whole_program_says_the_same_in_every_surrounding(
    launch: Launch, practice_network: SharedPracticeNetwork, tmp_path: Path
) -> None:
    one, other = (
        live(launch, practice_network, tmp_path / f"kept-{number}" / "vault", home)
        for number, home in enumerate(HOMES)
    )

    assert one == other
    assert len(one) == 2
    assert one[0].count("?OTRv3?") == 1
