"""SASL2 and Bind 2 on real servers: used where offered, and where not, not.

Of Debian's servers ejabberd 24.12 (Debian 13) offers them; ejabberd 23.01 and Prosody
0.12 (Debian 12) and Prosody 13 (Debian 13) do not. What is asked of each is decided by
what it offers.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import UserError
from coykiosk.ports import IsolationKey
from coykiosk.register.servers import Route, TlsMode
from coykiosk.session.certificates import system_authorities
from coykiosk.session.inbound import Inbound, MessageIn, MessagesTaken
from coykiosk.session.opening import (
    Opened,
    OpeningError,
    OpeningReason,
    Purpose,
    open_session,
)
from coykiosk.session.resumption import Resumption
from coykiosk.session.saslwords import remembering
from coykiosk.session.securing import secure
from coykiosk.session.wire import stream_header
from tests.session import ejabberd as servers
from tests.session.conftest import DOMAIN, Prosody, make_route
from tests.session.ejabberd import start_ejabberd
from tests.session.puzzling import PICTURE
from tests.session.test_stream import Person as Online
from tests.support.loopback import LoopbackDialer
from tests.support.roundtrips import CountingProxy
from tests.support.running import run_clean

pytestmark = pytest.mark.network
PASSWORD = "pa55" * 6
WRONG = "another"


@dataclass(frozen=True)
class Server:
    """A real server, and whether it offers SASL2 with all that we want."""

    port: int
    domain: str
    offers_sasl2: bool
    refuses_binding: bool
    """It offers channel binding, and does not say that it takes ours: it does not."""

    @property
    def route(self) -> Route:
        """The way there, of whose end nothing is known."""
        return make_route(domain=self.domain, scram=())

    @property
    def round_trips(self) -> int:
        """To the session and its roster, for whom nothing is known before."""
        return (4 if self.offers_sasl2 else 5) + self.refuses_binding


@pytest.fixture(scope="module")
def ejabberd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("ejabberd")
    for running in start_ejabberd(directory, PICTURE):
        yield examined(running.port, servers.PLAIN)


@pytest.fixture(params=["ejabberd", "prosody"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "ejabberd":
        found = request.getfixturevalue("ejabberd")
        assert isinstance(found, Server)
        return found
    prosody = request.getfixturevalue("prosody")
    assert isinstance(prosody, Prosody)
    return examined(prosody.direct_port, DOMAIN)


def examined(port: int, domain: str) -> Server:
    """Read what the server offers to whom it knows by name, without our negotiation."""

    async def main() -> str:
        secured = await secure(
            LoopbackDialer(port),
            make_route(domain=domain),
            isolation_key=IsolationKey.fresh(os.urandom),
            authorities=system_authorities(),
        )
        secured.stream.write(stream_header(domain, localpart="somebody").encode())
        text = ""
        while "</stream:features>" not in text:
            text += (await secured.stream.read()).decode()
        await secured.stream.close()
        return text

    text: str = run_clean(main)
    is_offered = "<authentication xmlns='urn:xmpp:sasl:2'>" in text
    assert is_offered == ("urn:xmpp:bind:0" in text)
    refuses_binding = "-PLUS<" in text and "tls-exporter" not in text
    return Server(port, domain, is_offered, refuses_binding)


async def sign_in(
    server: Server,
    *,
    name: str = "",
    port: int | None = None,
    password: str = PASSWORD,
    resumption: Resumption | None = None,
    route: Route | None = None,
) -> Opened:
    """Sign in, by what the server says or the route does; without a name, register."""
    return await open_session(
        LoopbackDialer(port or server.port),
        route or server.route,
        localpart=name or "s" + os.urandom(6).hex(),
        password=Secret(password),
        purpose=Purpose.LOG_IN if name else Purpose.REGISTER,
        isolation_key=IsolationKey.fresh(os.urandom),
        random_bytes=os.urandom,
        on_step=lambda _: None,
        resumption=resumption,
    )


async def read_roster(opened: Opened) -> None:
    while True:
        stanza = opened.reader.next_stanza()
        if stanza is None:
            data = await opened.stream.read()
            assert data
            opened.reader.feed(data)
        elif stanza.get("id") == opened.bound.roster_id:
            assert stanza.get("type") == "result"
            return


class Person(Online):
    """An account that is online, and what it gets."""

    async def live(self) -> None:
        with suppress(UserError):
            await self.stream.run()


async def lose(person: Person) -> Resumption:
    """Let a person talk to themselves, and then cut them off."""
    async with asyncio.TaskGroup() as group:
        group.create_task(person.live())
        person.stream.send_message(person.jid, "?OTRv3?", message_id="1" * 32)
        await person.next_of(MessagesTaken)
        person.stream.abort()
    lost = person.stream.suspend(0.0)
    assert lost is not None
    return lost


def test_login_takes_as_few_round_trips_as_the_server_allows(server: Server) -> None:
    async def main() -> list[tuple[int, bool]]:
        found = []
        name = ""
        for _ in range(2):  # the first makes the account
            async with CountingProxy(server.port) as proxy:
                opened = await sign_in(server, name=name, port=proxy.port)
                await read_roster(opened)
                used_sasl2 = opened.bound.acks is not None
                found.append((proxy.round_trips, used_sasl2))
                name = opened.jid.localpart
                await opened.stream.close()
        return found

    found = run_clean(main)

    assert found == [(server.round_trips, server.offers_sasl2)] * 2


@pytest.mark.parametrize("resumes", [False, True])
def test_login_takes_three_round_trips_where_sasl2_was_offered_before(
    server: Server, *, resumes: bool
) -> None:
    """From the first client byte to the roster result, or to the session of before."""

    async def main() -> tuple[int, bool]:
        opened = await sign_in(server)
        name, route = opened.jid.localpart, remembering(server.route, opened.offer)
        if resumes:
            lost = await lose(Person(opened))
        else:
            lost = None
            await opened.stream.close()
        async with CountingProxy(server.port) as proxy:
            again = await sign_in(
                server, name=name, port=proxy.port, route=route, resumption=lost
            )
            if not resumes:
                await read_roster(again)
            await again.stream.close()
            is_same = again.bound.resumed is not None
            return proxy.round_trips, is_same

    round_trips, is_same = run_clean(main)

    assert is_same is resumes
    assert round_trips == (3 if server.offers_sasl2 else server.round_trips)


def test_registration_and_login_take_three_round_trips_where_the_record_knows_sasl2(
    ejabberd: Server,
) -> None:
    """Where it is wrong, the same is had in the old way, on another connection."""
    plus = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
    route = replace(ejabberd.route, scram=plus, sasl2=True)

    async def main() -> tuple[int, bool]:
        async with CountingProxy(ejabberd.port) as proxy:
            opened = await sign_in(ejabberd, port=proxy.port, route=route)
            await read_roster(opened)
            await opened.stream.close()
            return proxy.round_trips, opened.bound.acks is not None

    round_trips, used_sasl2 = run_clean(main)

    assert used_sasl2 is ejabberd.offers_sasl2
    assert round_trips == 3 or not used_sasl2


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("tls", TlsMode)
def test_prosody_is_reached_although_the_record_is_wrong_about_sasl2(
    prosody: Prosody, tls: TlsMode, purpose: Purpose
) -> None:
    """It cuts whoever says what it does not know."""
    server = examined(prosody.direct_port, DOMAIN)
    route = make_route(tls=tls, scram=("SCRAM-SHA-1",))

    async def main() -> Opened:
        name = ""
        if purpose is Purpose.LOG_IN:
            first = await sign_in(server)
            await first.stream.close()
            name = first.jid.localpart
        opened = await sign_in(
            server,
            name=name,
            port=prosody.port(tls),
            route=replace(route, sasl2=True),
        )
        await opened.stream.close()
        return opened

    opened = run_clean(main)

    assert (opened.bound.acks is not None) is server.offers_sasl2


def test_channel_is_bound_where_the_server_says_that_it_can(ejabberd: Server) -> None:
    """ejabberd 23.01 says nothing, and refuses the binding of TLS 1.3."""

    async def main() -> bool:
        opened = await sign_in(ejabberd)
        await opened.stream.close()
        return opened.channel_bound

    assert run_clean(main) is not ejabberd.refuses_binding


def test_resource_is_the_servers_and_drawn_anew_each_time(server: Server) -> None:
    async def main() -> list[str]:
        first = await sign_in(server)
        again = [await sign_in(server, name=first.jid.localpart) for _ in range(2)]
        for opened in (first, *again):
            await opened.stream.close()
        return [opened.jid.resource or "" for opened in (first, *again)]

    resources = run_clean(main)

    assert len(set(resources)) == 3
    assert all(re.fullmatch("[0-9A-Za-z_-]{8,}", each) for each in resources)


def test_two_people_talk_and_all_is_taken(server: Server) -> None:
    async def main() -> tuple[Inbound, Inbound]:
        alice, bob = [Person(await sign_in(server)) for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            for person in (alice, bob):
                group.create_task(person.live())
            alice.stream.send_message(bob.jid, "?OTRv3?", message_id="1" * 32)
            came = await bob.next_of(MessageIn)
            taken = await alice.next_of(MessagesTaken)
            for person in (alice, bob):
                await person.stream.close()
        return came, taken

    came, taken = run_clean(main)

    assert isinstance(came, MessageIn)
    assert came.body == "?OTRv3?"
    assert taken == MessagesTaken(("1" * 32,))


def test_session_goes_on_over_another_stream(server: Server) -> None:
    async def main() -> tuple[bool, int, Inbound]:
        first = Person(await sign_in(server))
        friend = Person(await sign_in(server))
        async with asyncio.TaskGroup() as group:
            group.create_task(friend.live())
            lost = await lose(first)
            friend.stream.send_message(first.jid, "?OTRv3?", message_id="2" * 32)
            await friend.next_of(MessagesTaken)
            async with CountingProxy(server.port) as proxy:
                opened = await sign_in(
                    server,
                    name=first.jid.localpart,
                    port=proxy.port,
                    resumption=lost,
                )
                round_trips = proxy.round_trips
                second = Person(opened)
                group.create_task(second.live())
                while True:
                    came = await second.next_of(MessageIn)
                    assert isinstance(came, MessageIn)
                    if came.sender == friend.jid:
                        break
                second.stream.send_message(friend.jid, "?OTRv3?", message_id="3" * 32)
                taken = await second.next_of(MessagesTaken)
                for person in (second, friend):
                    await person.stream.close()
        return opened.bound.resumed is lost, round_trips, taken

    is_same, round_trips, taken = run_clean(main)

    assert is_same
    assert round_trips == server.round_trips
    assert taken == MessagesTaken(("3" * 32,))


def test_new_session_stands_where_the_last_one_is_no_more(server: Server) -> None:
    async def main() -> tuple[bool, bool, Inbound]:
        first = Person(await sign_in(server))
        name = first.jid.localpart
        lost = await lose(first)
        for resumption in (lost, None):  # over, because somebody else went on with it
            opened = await sign_in(server, name=name, resumption=resumption)
            opened.stream.write(b"</stream:stream>")
            while await opened.stream.read():
                pass
            await opened.stream.close()
        acks = lost.acks
        again = Resumption(first.jid, "roster-1", acks, lost_at=0.0)
        second = Person(await sign_in(server, name=name, resumption=again))
        async with asyncio.TaskGroup() as group:
            group.create_task(second.live())
            second.stream.send_message(second.jid, "?OTRv3?", message_id="2" * 32)
            taken = await second.next_of(MessagesTaken)
            await second.stream.close()
        return again.is_over, second.jid == first.jid, taken

    is_over, is_same, taken = run_clean(main)

    assert is_over
    assert not is_same
    assert taken == MessagesTaken(("2" * 32,))


def test_wrong_password_is_refused(server: Server) -> None:
    async def main() -> OpeningError:
        opened = await sign_in(server)
        await opened.stream.close()
        with pytest.raises(OpeningError) as caught:
            await sign_in(server, name=opened.jid.localpart, password=WRONG)
        return caught.value

    error = run_clean(main)

    assert error.reason is OpeningReason.LOGIN_REFUSED
    assert error.condition == "not-authorized"
