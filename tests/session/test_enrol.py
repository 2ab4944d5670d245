"""From a list of servers to an account: what each answer of a server leads to."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coykiosk.contract import (
    AccountOnline,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentStep,
    Failed,
    Secret,
    ServerTried,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode
from coykiosk.ports import IsolationKey
from coykiosk.register.identity import Identity
from coykiosk.register.servers import Registration, Server
from coykiosk.session.creation import route_of
from coykiosk.session.enrol import NotFound, find_again
from coykiosk.vault.profile import Account
from coykiosk.vault.store import VaultStore
from tests.session.conftest import Identity as Certificate
from tests.session.conftest import Prosody, make_identity
from tests.session.hostile import played_by, stage
from tests.session.idle import idle_world, make_record
from tests.session.own_server import accounts_in
from tests.session.pure_server import PureServer, form_reply, stanza_error
from tests.support.chance import seeded
from tests.support.headless import (
    DOMAIN,
    ONION,
    WORDS,
    LoopbackTor,
    Person,
    headless,
    make_server,
    quick_vault,
    run_leaping,
)

OTHER_DOMAIN = "other.example"
OTHER_ONION = "b" * 56 + ".onion"
GOOD = make_server(register=Registration.UNKNOWN)
"""Comes second: nobody has said that it takes everybody."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_identity(tmp_path_factory.mktemp("other"), (OTHER_DOMAIN,))


def first_server(*, spki: tuple[str, ...] = ()) -> Server:
    return make_server(domain=OTHER_DOMAIN, onion=OTHER_ONION, spki=spki)


async def create(person: Person) -> AccountOnline:
    person.submit(CreateAccount(None))
    return await person.until(AccountOnline)


@asynccontextmanager
async def two_servers(
    bad: Callable[[], PureServer], prosody: Prosody, certificate: Certificate
) -> AsyncIterator[LoopbackTor]:
    """A scripted server that is tried first, and a good one."""
    async with stage(played_by(bad), identity=certificate) as port:
        yield LoopbackTor({OTHER_ONION: port, ONION: prosody.direct_port})


def closed() -> PureServer:
    return PureServer(head_from=OTHER_DOMAIN, offers_registration=False)


def refusing(condition: str, kind: str) -> Callable[[], PureServer]:
    def make() -> PureServer:
        return PureServer(
            head_from=OTHER_DOMAIN,
            on_register=lambda stanza_id, _: stanza_error(stanza_id, condition, kind),
        )

    return make


def wanting_a_form() -> PureServer:
    """Takes nobody who has not said why they want to join."""

    def answer(stanza_id: str, text: str) -> str:
        if "type='get'" in text:
            return form_reply(stanza_id, FORM)
        return stanza_error(stanza_id, "not-acceptable", "modify")

    return PureServer(head_from=OTHER_DOMAIN, on_register=answer)


FORM = (
    "<x xmlns='jabber:x:data' type='form'>"
    "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
    "<field var='username' type='text-single'><required/></field>"
    "<field var='password' type='text-private'><required/></field>"
    "<field var='reason' type='text-multi'><required/></field></x>"
)


# --- the next server ------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(closed, ErrorCode.SERVER_REFUSED, id="closed"),
        pytest.param(wanting_a_form, ErrorCode.SERVER_WANTS_MORE, id="form"),
        pytest.param(
            refusing("not-allowed", "cancel"), ErrorCode.SERVER_REFUSED, id="refuses"
        ),
        pytest.param(
            refusing("resource-constraint", "wait"), ErrorCode.SERVER_REFUSED, id="busy"
        ),
        pytest.param(
            refusing("policy-violation", "wait"), ErrorCode.SERVER_REFUSED, id="limit"
        ),
        pytest.param(
            refusing("conflict", "cancel"), ErrorCode.SERVER_REFUSED, id="conflicts"
        ),
    ],
)
def test_enrolment_goes_on_to_the_next_server_when_the_first_one_does_not_take_us(
    prosody: Prosody,
    other: Certificate,
    bad: Callable[[], PureServer],
    code: ErrorCode,
) -> None:
    async def main() -> Person:
        async with (
            two_servers(bad, prosody, other) as tor,
            headless([GOOD, first_server()], tor) as person,
        ):
            await create(person)
        return person

    person = run_leaping(main)

    [tried] = person.of(ServerTried)
    assert tried.server == OTHER_DOMAIN
    assert tried.error.facts["server"] == OTHER_DOMAIN
    assert tried.error.code is code
    [online] = person.of(AccountOnline)
    assert online.account.domainpart == DOMAIN
    assert not person.of(Failed)
    # The person sees both visits, one after the other.
    servers = [
        e.server
        for e in person.of(EnrolmentAdvanced)
        if e.step is EnrolmentStep.REACHING_SERVER
    ]
    assert servers[0] == OTHER_DOMAIN
    assert servers[-1] == DOMAIN


@pytest.mark.network
def test_enrolment_names_the_form_that_a_server_wants(
    prosody: Prosody, other: Certificate
) -> None:
    server = make_server(
        domain=OTHER_DOMAIN, onion=OTHER_ONION, register=Registration.FORM
    )

    async def main() -> Person:
        async with (
            two_servers(wanting_a_form, prosody, other) as tor,
            headless([server], tor) as person,
        ):
            person.submit(CreateAccount(None))
            await person.until(Failed)
        return person

    [tried] = run_leaping(main).of(ServerTried)

    assert tried.error.code is ErrorCode.SERVER_WANTS_MORE
    assert tried.error.facts["what"] == "form"


@pytest.mark.network
def test_enrolment_leaves_a_server_whose_certificate_is_another(
    prosody: Prosody, other: Certificate
) -> None:
    """And says nothing to it, so that it learns neither name nor password."""
    seen: list[PureServer] = []

    def watched() -> PureServer:
        seen.append(PureServer(head_from=OTHER_DOMAIN))
        return seen[-1]

    async def main() -> Person:
        async with two_servers(watched, prosody, other) as tor:
            pinned = first_server(spki=("A" * 43 + "=",))
            async with headless([GOOD, pinned], tor) as person:
                await create(person)
        return person

    [tried] = run_leaping(main).of(ServerTried)

    assert tried.error.code is ErrorCode.CERTIFICATE_BAD
    assert tried.error.facts["reason"] == "pin-changed"
    assert not any(server.n_heads or server.seen for server in seen)


@pytest.mark.network
def test_enrolment_leaves_a_server_that_is_not_there(prosody: Prosody) -> None:
    async def main() -> Person:
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with headless([GOOD, first_server()], tor) as person:
            await create(person)
        return person

    [tried] = run_leaping(main).of(ServerTried)

    assert tried.error.code is ErrorCode.SERVER_UNREACHABLE


@pytest.mark.network
def test_enrolment_leaves_a_real_server_that_takes_nobody(
    closed_prosody: Prosody,
) -> None:
    async def main() -> Person:
        tor = LoopbackTor({ONION: closed_prosody.direct_port})
        async with headless([make_server()], tor) as person:
            person.submit(CreateAccount(None))
            await person.until(Failed)
        return person

    person = run_leaping(main)

    [tried] = person.of(ServerTried)
    assert tried.error.code is ErrorCode.SERVER_REFUSED
    [failed] = person.of(Failed)
    assert failed.error.code is ErrorCode.NO_SERVER_LEFT
    assert failed.error.facts["count"] == "1"
    assert failed.during is CreateAccount


def test_enrolment_without_any_server_says_that_none_is_left() -> None:
    async def main() -> Failed:
        async with headless([], LoopbackTor({})) as person:
            person.submit(CreateAccount(None))
            return await person.until(Failed)

    failed = run_leaping(main)

    assert failed.error.code is ErrorCode.NO_SERVER_LEFT


# --- names and circuits -----------------------------------------------------------------


@pytest.mark.network
def test_name_that_is_taken_is_followed_by_another_on_the_same_circuit(
    prosody: Prosody,
) -> None:
    """The second session draws what the first one drew: its name is taken."""

    async def main() -> tuple[AccountOnline, AccountOnline, list[IsolationKey]]:
        seed = int.from_bytes(os.urandom(4))  # the server keeps what it was given
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with headless([make_server()], tor, random_bytes=seeded(seed)) as person:
            first = await create(person)
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with headless([make_server()], tor, random_bytes=seeded(seed)) as person:
            second = await create(person)
            assert not person.of(ServerTried)
        return first, second, tor.ways.keys

    first, second, keys = run_leaping(main)

    assert first.account != second.account
    assert len(keys) == 2
    assert keys[0] == keys[1]


@pytest.mark.network
def test_every_server_is_visited_on_a_circuit_of_its_own(
    prosody: Prosody, other: Certificate
) -> None:
    async def main() -> list[tuple[str, IsolationKey]]:
        async with two_servers(closed, prosody, other) as tor:
            async with headless([GOOD, first_server()], tor) as person:
                await create(person)
            return tor.ways.asked

    asked = run_leaping(main)

    assert [host for host, _ in asked] == [OTHER_ONION, ONION]
    assert len({key for _, key in asked}) == 2


@pytest.mark.network
def test_two_accounts_never_share_a_circuit_a_name_or_a_password(
    prosody: Prosody, tmp_path: Path
) -> None:
    tor = LoopbackTor({ONION: prosody.direct_port})
    paths = [tmp_path / "one", tmp_path / "two"]

    async def main() -> None:
        for path in paths:
            async with headless([make_server()], tor, vault=quick_vault(path)) as who:
                who.submit(CreateAccount(Secret(WORDS)))
                await who.until(AccountOnline)
        for path in paths:
            async with headless([make_server()], tor, vault=quick_vault(path)) as who:
                who.submit(UnlockVault(Secret(WORDS)))
                await who.until(AccountOnline)

    run_leaping(main)

    assert len(tor.ways.keys) == len(set(tor.ways.keys)) == 4
    one, two = [only_record(path) for path in paths]
    for field in ("localpart", "password", "otr_key", "instance_tag"):
        assert plain(one, field) != plain(two, field)


def only_record(path: Path) -> Account:
    vault = quick_vault(path)
    [record] = vault.unlock(Secret(WORDS)).accounts
    vault.close()
    return record


def plain(record: Account, field: str) -> object:
    value = getattr(record, field)
    return value.reveal() if isinstance(value, Secret) else value


# --- written down first -------------------------------------------------------------------


@pytest.mark.network
def test_password_is_in_the_vault_before_a_server_hears_of_it(
    prosody: Prosody, tmp_path: Path
) -> None:
    path = tmp_path / "vault"
    copies: list[bytes] = []

    tor = LoopbackTor({ONION: prosody.direct_port})
    dial = tor.ways.open

    async def watched(host: str, port: int, **rest: object) -> object:
        copies.append(read(path))
        return await dial(host, port, **rest)  # type: ignore[arg-type]  # passed on

    tor.ways.open = watched  # type: ignore[method-assign,assignment]  # a spy

    async def main() -> AccountOnline:
        async with headless([make_server()], tor, vault=quick_vault(path)) as person:
            person.submit(CreateAccount(Secret(WORDS)))
            return await person.until(AccountOnline)

    online = run_leaping(main)

    [copy] = copies
    left = tmp_path / "left"
    left.write_bytes(copy)
    record = only_record(left)
    assert record.localpart == online.account.localpart
    assert record.pending
    assert record.password


def read(path: Path) -> bytes:
    return path.read_bytes()


# --- finding again -------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize(
    ("is_there", "may_exist"),
    [
        pytest.param(True, False, id="its server says no"),
        pytest.param(False, True, id="its server cannot be asked"),
    ],
)
def test_account_that_is_not_found_may_exist_unless_its_server_says_no(
    prosody: Prosody, *, is_there: bool, may_exist: bool
) -> None:
    async def main() -> object:
        tor = LoopbackTor({ONION: prosody.direct_port} if is_there else {})
        [route] = make_server().routes()
        identity = Identity("nobodyhere", "a" * 24)
        return await find_again(identity, route, world=idle_world(tor))

    assert run_leaping(main) == NotFound(may_exist=may_exist)


@pytest.mark.network
def test_resuming_keeps_attempts_that_were_not_asked_about(
    prosody: Prosody, tmp_path: Path
) -> None:
    """Three attempts: found, refuted, and one at a server that is not there."""
    path = tmp_path / "vault"
    before = accounts_in(prosody.directory)

    async def main() -> tuple[Person, AccountOnline]:
        tor = LoopbackTor({ONION: prosody.direct_port})
        async with headless([make_server()], tor, vault=quick_vault(path)) as person:
            person.submit(CreateAccount(Secret(WORDS)))
            await person.until(AccountOnline)
        leave_pending(quick_vault(path))
        async with headless([make_server()], tor, vault=quick_vault(path)) as person:
            person.submit(UnlockVault(Secret(WORDS)))
            online = await person.until(AccountOnline)
        return person, online

    person, online = run_leaping(main)

    assert person.of(VaultUnlocked) == [VaultUnlocked(())]
    assert accounts_in(prosody.directory) - before == {online.account.localpart}
    vault = quick_vault(path)
    records = vault.unlock(Secret(WORDS)).accounts
    vault.close()
    assert [(each.localpart, each.pending) for each in records] == [
        ("elsewhere", True),
        (online.account.localpart, False),
        ("untried", True),
    ]


def leave_pending(vault: VaultStore) -> None:
    """Make a vault look as if three attempts had been cut."""
    profile = vault.unlock(Secret(WORDS))
    [made] = profile.accounts
    made.pending = True

    def attempt(localpart: str, host: str) -> Account:
        return make_record(
            localpart,
            pending=True,
            host=host,
            otr_key=made.otr_key.reveal(),
            instance_tag=made.instance_tag,
        )

    profile.accounts[:] = [
        attempt("refuted", ONION),
        attempt("elsewhere", OTHER_ONION),
        made,
        attempt("untried", ONION),
    ]
    vault.save(profile)
    vault.close()


@pytest.mark.parametrize(
    ("servers", "scram"),
    [([make_server()], ("SCRAM-SHA-1",)), ([], ())],
    ids=["still listed", "no longer listed"],
)
def test_kept_account_is_reached_as_it_was_made(
    servers: Sequence[Server], scram: tuple[str, ...]
) -> None:
    record = make_record("quiet", host=OTHER_ONION, port=5223, spki=("A" * 43 + "=",))

    route = route_of(record, servers)

    assert (route.host, route.port, route.spki) == (OTHER_ONION, 5223, record.spki)
    assert route.scram == scram
