"""An account whose server offers SASL2: the second time it is not asked for first."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from coykiosk.contract import AccountOffline, AccountOnline, Connect, CreateAccount
from tests.session.conftest import DOMAIN, make_identity
from tests.session.hostile import played_by, stage
from tests.session.sasl2_server import Sasl2Server
from tests.support.headless import (
    ONION,
    LoopbackTor,
    headless,
    make_server,
    run_leaping,
)


@dataclass
class Home:
    """What a server knows from one connection to the next."""

    localpart: str = ""
    password: str = ""
    session: str = ""
    offers_sasl2: bool = True
    first_words: list[str] = field(default_factory=list)
    """Of each connection: what was said before the server spoke."""


class Connection(Sasl2Server):
    """Takes whoever comes first for its account, and hangs up at the first presence."""

    def __init__(self, home: Home) -> None:
        super().__init__(localpart=home.localpart, password=home.password)
        self._home = home
        self._has_spoken = False
        self.session = home.session
        self.accounts = {home.localpart}
        if not home.offers_sasl2:
            self.sasl2 = ()

    def receive(self, data: bytes) -> bytes:
        if not self._has_spoken:
            self._home.first_words.append(data.decode())
        self._has_spoken = True
        return super().receive(data)

    def _take(self, text: str) -> str:
        if "<password>" in text:
            found = re.search("<username>(.*)</username><password>(.*)</pass", text)
            assert found is not None
            self._home.localpart, self._home.password = found.groups()
            self.localpart, self.password = found.groups()
        if text.startswith("<stream:stream"):
            name = self._home.localpart or text.partition("from='")[2].partition("@")[0]
            self.localpart = name
            self.bound_jid = f"{name}@{DOMAIN}/from-server"
        if text.startswith("<presence"):
            self._home.session = "new"
            return "</stream:stream>"
        return super()._take(text)


def test_account_remembers_that_sasl2_is_offered_until_it_is_not(
    tmp_path: Path,
) -> None:
    home = Home()
    identity = make_identity(tmp_path)

    async def main() -> None:
        part = played_by(lambda: Connection(home))
        async with stage(part, identity=identity) as port:
            tor = LoopbackTor({ONION: port})
            async with headless([make_server()], tor) as person:
                person.submit(CreateAccount(None))
                for offers_sasl2 in (True, True, False, False):
                    await person.until(AccountOnline)
                    await person.until(AccountOffline)
                    home.offers_sasl2, home.session = offers_sasl2, ""
                    person.submit(Connect())
                await person.until(AccountOnline)

    run_leaping(main)

    said = [
        re.findall("<(auth|authenticate) ", words)[:1] for words in home.first_words
    ]
    # The fourth finds out, and has to come again.
    assert said[:6] == [
        ["auth"],
        ["authenticate"],
        ["authenticate"],
        ["authenticate"],
        ["auth"],
        ["auth"],
    ]
