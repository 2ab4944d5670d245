"""What a person's server and contacts read of them: the same of everybody.

Two people, in processes whose surroundings differ in everything, live through the same
on a real server, which writes down each byte that they say inside TLS. With names and
random values taken out, the two must have said the same, and what they said is kept in
`tests/vectors/said.txt` for a reader. After a change that is wanted, the test
that compares with it tells where the new one lies: copy it over the old one.

IDENTITY.md beside this file has a row for each thing that a program could tell; the
names of its tests are checked.
"""

import asyncio
import base64
import html
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from xml.etree import ElementTree as ET

import pytest

from coykiosk import otr
from coykiosk.contract import Jid
from coykiosk.otr import messages as otr_messages
from tests.session.asking import OFFERS, REQUESTS, WORDS
from tests.session.conftest import Prosody, start_prosody
from tests.session.raw_client import RawClient, raw_client
from tests.session.saying import normalised, said_by
from tests.support.launching import ROOT
from tests.support.running import run_clean
from tests.support.tables import named_in_rows, names_of_tests

pytestmark = pytest.mark.network

TABLE: Final = Path(__file__).with_name("IDENTITY.md")
FROZEN: Final = ROOT / "tests" / "vectors" / "said.txt"
LIMIT_S: Final = 90.0
TEXTS: Final = ("ja", "here and now", "-".join(["well"] * 800))
"""The last of 4,000 characters, which other programs would cut into pieces."""


@dataclass(frozen=True)
class Surroundings:
    """What must not be seen from outside."""

    environ: dict[str, str]
    host: str
    offset_s: float


HOMES: Final = {
    "anna": Surroundings(
        {
            "LANG": "de_DE.UTF-8",
            "LC_ALL": "de_DE.UTF-8",
            "LANGUAGE": "de:fr",
            "TZ": "Pacific/Kiritimati",
            "USER": "annaschmidt",
            "LOGNAME": "annaschmidt",
            "HOSTNAME": "annas-thinkpad",
            "TERM": "xterm-256color",
            "COLUMNS": "80",
            "LINES": "24",
            "PYTHONHASHSEED": "1",
        },
        host="annas-thinkpad",
        offset_s=-7200.0,
    ),
    "joao": Surroundings(
        {
            "LANG": "C",
            "LC_ALL": "pt_BR.ISO-8859-1",
            "TZ": "America/St_Johns",
            "USER": "joaosilva",
            "LOGNAME": "joaosilva",
            "HOSTNAME": "redacao-04",
            "TERM": "linux",
            "COLUMNS": "213",
            "LINES": "61",
            "PYTHONHASHSEED": "4242",
            "PYTHONOPTIMIZE": "1",
        },
        host="redacao-04",
        offset_s=86_400.0 * 12,
    ),
}


class Child:
    """A session in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def tell(self, *lines: str) -> None:
        assert self._process.stdin is not None
        for line in lines:
            self._process.stdin.write(line.encode() + b"\n")

    async def until(self, pattern: str) -> re.Match[str]:
        assert self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode().rstrip("\n"):
            found = re.fullmatch(pattern, line)
            if found is not None:
                return found
            assert not line.startswith("failed"), line
        raise AssertionError(pattern)

    async def end(self) -> None:
        self.tell("quit")
        assert await self._process.wait() == 0

    async def clear_up(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()  # closes what leads to it


async def sit(port: int, surroundings: Surroundings, home: Path) -> Child:
    settings = {
        "port": port,
        "vault": str(home / "kept" / "vault"),
        "offset_s": surroundings.offset_s,
        "host": surroundings.host,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-B",
        str(ROOT / "tests" / "support" / "one_session.py"),
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(home),
            **surroundings.environ,
        },
        cwd=home,
    )
    return Child(process)


Kind = TypeVar("Kind")


# --- the other ends ------------------------------------------------------------------


class Contact:
    """Someone with OTR, who lets the other begin or begins, as is wanted."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        tag = otr.draw_instance_tag(os.urandom)
        self._otr = otr.Instances(otr.PrivateKey.generate(), tag, os.urandom)
        self.them = client.jid

    def ask(self) -> None:
        self._send(self._otr.ask(0.0))

    def say(self, text: str) -> None:
        self._send(self._otr.send(text, 0.0))

    async def asked(self) -> None:
        """Wait for their question, and leave it open."""
        self.them, body = await self.client.body()
        assert body == "?OTRv3?"

    async def take(self) -> list[otr.Output]:
        """Take one message of theirs."""
        self.them, body = await self.client.body()
        outputs = self._otr.receive(body, 0.0)
        self._send(outputs)
        return outputs

    async def until(self, kind: type[Kind]) -> Kind:
        while True:
            for output in await self.take():
                if isinstance(output, kind):
                    return output

    def _send(self, outputs: list[otr.Output]) -> None:
        for output in outputs:
            if isinstance(output, otr.Inject):
                self.client.say(
                    f"<message type='chat' to='{self.them}'>"
                    f"<body>{output.text}</body></message>"
                )


NOBODY: Final = "the server, of a device that is not there"


async def ask_everything(client: RawClient, them: Jid, *further: str) -> dict[str, str]:
    """Ask and tell all there is; return the answers, without whose they are.

    Args:
        client: Who asks.
        them: Whom.
        further: What else to say, as words with `{to}` and `{id}` left open.
    """
    to = str(them)
    answers = {}
    for name, request in REQUESTS.items():
        client.say(request.format(to=to, id=name))
        answers[name] = shape(await client.answer(name))
    # In the letters in which it may come from elsewhere, with ids of all kinds.
    loud = f"{them.localpart.upper()}@Practice.EXAMPLE/{them.resource}"
    for stanza_id in ("", "0", "ä &amp; &lt;&apos;", "x" * 600):
        client.say(REQUESTS["made up"].format(to=loud, id=stanza_id))
        answers[stanza_id] = shape(await client.answer(html.unescape(stanza_id)))
    client.say(REQUESTS["made up"].format(to=f"{them.bare}/not-there", id="nobody"))
    answers[NOBODY] = shape(await client.answer("nobody"))
    client.seen.clear()
    for words in (*WORDS.values(), *further):
        client.say(words.format(to=to, id="words"))
    client.say(f"<presence type='subscribe' to='{them.bare}'/>")
    # What would be said because of those is said before this is answered.
    client.say(REQUESTS["made up"].format(to=to, id="last"))
    await client.answer("last")
    assert not [stanza for stanza in client.seen if stanza.get("from") == to]
    return answers


def shape(answer: ET.Element) -> str:
    """Return all of an answer but from whom, to whom, and to what.

    Nor in which language: Prosody writes that of the stream on all that comes from it,
    which is the same for all of us, and nothing on what it says itself.
    """
    parts = [
        each.tag + str({k: v for k, v in each.attrib.items() if k not in NAMING})
        for each in answer.iter()
    ]
    return " ".join([*parts, *answer.itertext()])


NAMING: Final = frozenset(
    {"from", "id", "to", "{http://www.w3.org/XML/1998/namespace}lang"}
)


# --- two lives -----------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """What one person's program has said, and what was said to it for that."""

    said: list[str]
    """For each connection, normalised."""
    raw: str
    answers: list[dict[str, str]]
    """To the contact, and to the stranger."""
    private: list[str]
    """What is nobody's business."""
    keys: list[bytes]
    """The fingerprint that the contact met in each session."""


async def live(server: Prosody, name: str, place: Path) -> Life:
    surroundings, home = HOMES[name], place / f"home-of-{name}"
    home.mkdir()
    port = server.direct_port
    async with AsyncExitStack() as stack:
        contact = Contact(await raw_client(port))
        stack.push_async_callback(contact.client.close)
        stranger = await raw_client(port)
        stack.push_async_callback(stranger.close)
        child = await sit(port, surroundings, home)
        stack.push_async_callback(child.clear_up)
        child.tell("create")
        us = Jid.parse((await child.until("online (.*)"))[1])
        keys = [await meet(child, contact)]
        await talk(child, contact)
        answers = [
            await ask_everything(contact.client, contact.them),
            await ask_everything(stranger, contact.them, *OFFERS.values()),
        ]
        await child.end()
        await contact.until(otr.EndedByPeer)
        again = await sit(port, surroundings, home)
        stack.push_async_callback(again.clear_up)
        again.tell("unlock")
        await again.until("online .*")
        again.tell(f"open {contact.client.jid.bare}")
        keys.append((await contact.until(otr.Secured)).fingerprint)
        await talk(again, contact)
        await again.end()
    raw = said_by(us.localpart, server.directory / "data")
    names = {
        us.localpart: "{user}",
        contact.client.jid.localpart: "{contact}",
        stranger.jid.localpart: "{stranger}",
        contact.client.jid.resource: "{resource}",
        stranger.jid.resource: "{resource}",
    }
    private = [str(home), home.name, surroundings.host]
    private += [each for each in surroundings.environ.values() if len(each) > 3]
    said = [normalised(text, names) for text in raw]
    return Life(said, "".join(raw), answers, private, keys)


async def meet(child: Child, contact: Contact) -> bytes:
    """They ask, the contact asks back, so that the exchange is theirs to begin."""
    child.tell(f"open {contact.client.jid.bare}")
    await contact.asked()
    contact.ask()
    secured = await contact.until(otr.Secured)
    await child.until("phase ENCRYPTED")
    return secured.fingerprint


async def talk(child: Child, contact: Contact) -> None:
    for text in TEXTS:
        child.tell(f"say {contact.client.jid.bare} {text}")
        await contact.until(otr.Received)
        contact.say(text)
        await child.until(f"received {text}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    directory = tmp_path_factory.mktemp("said")
    yield from start_prosody(directory, modules=("said",))


@pytest.fixture(scope="module")
def lives(server: Prosody, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Life]:
    place = tmp_path_factory.mktemp("homes")

    async def main() -> dict[str, Life]:
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(live(server, name, place)) for name in HOMES]
        return {name: task.result() for name, task in zip(HOMES, both, strict=True)}

    result: dict[str, Life] = run_clean(main, limit_s=LIMIT_S)
    return result


# --- the tests -------------------------------------------------------------------------


def test_two_people_in_different_surroundings_say_the_same(
    lives: dict[str, Life],
) -> None:
    one, other = (lives[name].said for name in HOMES)

    assert one == other


def test_what_is_said_is_what_was_said_when_somebody_last_looked(
    lives: dict[str, Life], tmp_path: Path
) -> None:
    (tmp_path / FROZEN.name).write_text("\n".join(lives["anna"].said))

    is_same = FROZEN.read_text() == (tmp_path / FROZEN.name).read_text()

    assert is_same, f"look at it, then: cp {tmp_path / FROZEN.name} {FROZEN}"


GIVEN_AWAY: Final = (
    r"slix|coy|kiosk|python|cpython|urwid|openssl|expat|asyncio|libotr",
    r"linux|debian|ubuntu|gnu|darwin|x86|amd64|aarch|posix|utf-?8|iso-8859|ansi",
    r"version=(?!'1\.0')|\bver=|node=|caps|\b[0-9]+\.[0-9]+(?!\.?[0-9]*')",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}:[0-9]{2}|[+-][0-9]{2}00|\btz|utc|stamp",
    r"time|idle|last|seconds|since|date\b|delay",
    r"resource>|<priority|<show|<status|<nick|avatar|vcard|photo|tune|mood|geoloc",
    r"receipt|marker|chatstates|active|composing|displayed|\bcsi\b|push|bookmark",
    r"xhtml|\bhref|http:|https:",
)
OF_THE_STREAM: Final = "http://etherx.jabber.org/streams"


@pytest.mark.parametrize("pattern", GIVEN_AWAY)
def test_nothing_that_is_said_gives_a_program_a_machine_or_a_time_away(
    lives: dict[str, Life], pattern: str
) -> None:
    text = "\n".join(lives["anna"].said).replace(OF_THE_STREAM, "")
    ours = re.sub('id="[^"]*"', "", text)  # the others' ids are what they asked

    assert re.findall(pattern, ours, re.IGNORECASE) == []


@pytest.mark.parametrize(
    "planted",
    [
        "<version>1.17.0</version>",
        "<c node='http://client.example' ver='abc='/>",
        "<os>Linux</os>",
        "<tzo>-02:30</tzo>",
        "<utc>2026-01-02T03:04:05Z</utc>",
        "<query xmlns='jabber:iq:last' seconds='903'/>",
        "<resource>coykiosk</resource>",
        "<active xmlns='http://jabber.org/protocol/chatstates'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<body>Your contact wants OTR; see https://otr.example</body>",
    ],
)
def test_search_finds_what_it_is_for(planted: str) -> None:
    assert [p for p in GIVEN_AWAY if re.search(p, planted, re.IGNORECASE)]


def test_nothing_that_is_said_is_of_the_surroundings(lives: dict[str, Life]) -> None:
    for life in lives.values():
        text = "".join(life.said).lower()
        assert [word for word in life.private if word.lower() in text] == []


def test_languages_are_the_same_for_all(lives: dict[str, Life]) -> None:
    text = "".join(lives["joao"].said)

    assert set(re.findall("lang=.....", text)) == {"lang='en'>"}


def test_contacts_and_strangers_get_the_answer_that_the_server_gives_for_nobody(
    lives: dict[str, Life],
) -> None:
    for life in lives.values():
        to_contact, to_stranger = life.answers
        assert to_contact == to_stranger
        assert set(to_contact.values()) == {to_contact[NOBODY]}


def test_ids_are_drawn_anew_each_time(lives: dict[str, Life]) -> None:
    ids = re.findall(" id=['\"]([0-9a-f]{32})['\"]", "".join(drawn_by_all(lives)))

    places = [{one[at] for one in ids} for at in range(32)]

    assert len(ids) == len(set(ids)) > 40
    assert all(len(digits) >= 8 for digits in places)  # no counter, no clock


def drawn_by_all(lives: dict[str, Life]) -> list[str]:
    return [life.raw for life in lives.values()]


def test_devices_are_named_by_the_server(lives: dict[str, Life]) -> None:
    text = "".join(lives["anna"].said)

    binds = re.findall("<bind.*?</iq>", text)

    assert binds == ["<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"] * 2


def test_texts_go_out_whole_and_in_few_lengths(lives: dict[str, Life]) -> None:
    text = "".join(lives["anna"].said)

    lengths = [int(n) for n in re.findall(r"Data Message, ([0-9]+) bytes", text)]

    assert "?OTR|" not in text
    assert "?OTR," not in text
    assert lengths == [256, 256, 4096, 256] * 2  # of 2, 12 and 3999, and the goodbye


def test_presence_is_bare_and_only_for_whom_one_talks_with(
    lives: dict[str, Life],
) -> None:
    device = 'to="{contact}@practice.example/{resource}"'
    all_of_it = [
        "<presence/>",
        f"<presence {device} />",
        f'<presence {device} type="unavailable" />',
    ]

    for text in lives["anna"].said:
        assert re.findall("<presence[^>]*>", text) == all_of_it


def test_messages_ask_to_be_kept_and_copied_nowhere(lives: dict[str, Life]) -> None:
    messages = re.findall("<message .*?</message>", "".join(lives["anna"].said))

    hints = ("<no-store ", "<no-copy ", "<private ")

    assert len(messages) > 10
    assert all(hint in message for message in messages for hint in hints)


def test_two_accounts_have_two_instance_tags_and_two_keys(
    lives: dict[str, Life],
) -> None:
    tags = [
        {otr_messages.read_header(raw).sender_tag for raw in otr_of(life.raw)}
        for life in lives.values()
    ]

    keys = [set(life.keys) for life in lives.values()]

    assert [len(each) for each in tags] == [1, 1]
    assert [len(each) for each in keys] == [1, 1]
    assert tags[0] != tags[1]
    assert keys[0] != keys[1]


def otr_of(text: str) -> list[bytes]:
    found = re.findall(r"\?OTR:([A-Za-z0-9+/=]+)\.", text)
    return [base64.b64decode(armoured) for armoured in found]


# --- the table --------------------------------------------------------------------------


def test_table_names_tests_that_are_there() -> None:
    named = named_in_rows(TABLE)

    assert len(named) >= 25
    assert all(named)
    assert set().union(*named) - names_of_tests() == set()
