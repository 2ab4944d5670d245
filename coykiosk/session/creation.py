"""The one action: from a key press to an account that is signed in.

Rule: prepares everything at once (tor, the vault, the OTR key), writes each
name and password down before a server hears of them, and returns the account
with its open stream. Undoing is the caller's, who knows what there was before.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from coykiosk.contract import Door, EnrolmentAdvanced, EnrolmentStep, Secret
from coykiosk.errors import ErrorCode, UserError, only_user_error
from coykiosk.otr import PrivateKey, draw_instance_tag
from coykiosk.register.door import server_behind
from coykiosk.register.flow import Enrolment
from coykiosk.register.identity import Identity
from coykiosk.register.servers import (
    Registration,
    Route,
    Server,
    TlsMode,
    order_servers,
)
from coykiosk.session.enrol import NewAccount, NotFound, enrol, find_again
from coykiosk.session.keeping import Keeping
from coykiosk.session.person import Person
from coykiosk.session.world import World
from coykiosk.vault.profile import Account

__all__ = ["make_account", "route_of"]


async def make_account(
    servers: Sequence[Server],
    *,
    keeping: Keeping,
    world: World,
    person: Person,
    passphrase: Secret | None,
    door: Door | None,
) -> tuple[Account, NewAccount]:
    """Make an account and sign in.

    Args:
        servers: The records to choose from.
        keeping: The profile; pending accounts in it are looked for first.
        world: The doors, the clocks and chance.
        person: Whom a server's puzzle is shown to.
        passphrase: Seals a new vault first; None leaves `keeping` as it is.
        door: The one server to try; None for the choice among the records.

    Raises:
        UserError: what the person should be told.
    """
    world.publish(EnrolmentAdvanced(EnrolmentStep.WAITING_FOR_TOR, ""))
    await world.tor.start(guard_state=keeping.profile.guard_state)
    otr_key = await _prepare(keeping, world, passphrase)
    attempts = _Attempts(keeping, otr_key, world)
    others = {each.domain for each in keeping.profile.accounts if not each.pending}
    for record in _to_find(keeping, others, door):
        found = await _find_pending(record, servers, world, person)
        if isinstance(found, NewAccount):
            return await attempts.settle(record, found)
        if not found.may_exist:
            attempts.denied(record)
    if door is None:
        in_order = order_servers(servers, world.random_bytes, in_use=others)
    else:
        in_order = [server_behind(door)]
    enrolment = Enrolment(in_order, world.random_bytes)
    try:
        new = await enrol(
            enrolment,
            world=world,
            person=person,
            remember=partial(attempts.remember, enrolment),
            on_submitted=attempts.submitted,
        )
    except UserError as error:
        attempts.give_up(enrolment, error)
        raise
    attempts.keep_unresolved(enrolment)
    return await attempts.settle(keeping.profile.accounts[-1], new)


def _to_find(keeping: Keeping, others: set[str], door: Door | None) -> list[Account]:
    """Return the accounts that may exist, as far as one of them is what is wanted.

    Not where the person names a server, nor where they have an account already.
    """
    pending = [each for each in keeping.profile.accounts if each.pending]
    return [each for each in pending if door is None and each.domain not in others]


async def _prepare(
    keeping: Keeping, world: World, passphrase: Secret | None
) -> PrivateKey:
    """Do at once what needs no server: the vault, the OTR key, the way to Tor."""
    try:
        async with asyncio.TaskGroup() as preparing:
            making_key = preparing.create_task(world.run_blocking(PrivateKey.generate))
            if passphrase is not None:
                preparing.create_task(keeping.create(passphrase))
            await world.tor.wait_ready()
            world.publish(EnrolmentAdvanced(EnrolmentStep.SEALING_VAULT, ""))
    except BaseExceptionGroup as errors:
        error = only_user_error(errors)
        if error is None:
            raise
        raise error from errors
    return making_key.result()


class _Attempts:
    """What is written down on the way, and which of it stays.

    A password is forgotten when a server has refused to make its account, or has
    said that there is none; of everything else it may be the only copy.
    """

    def __init__(self, keeping: Keeping, otr_key: PrivateKey, world: World) -> None:
        self._keeping = keeping
        self._otr_key = otr_key
        self._world = world
        self._may_exist = {record.localpart for record in keeping.profile.accounts}
        self._submitted: str | None = None
        """The localpart that went out last; what became of it is not known yet."""

    def denied(self, record: Account) -> None:
        """Its server says that this account does not exist."""
        self._may_exist.discard(record.localpart)

    def keep_unresolved(self, enrolment: Enrolment) -> None:
        """Those that the machine has moved on from without an answer may exist."""
        self._may_exist |= {each.identity.localpart for each in enrolment.unresolved}

    async def remember(
        self, enrolment: Enrolment, identity: Identity, route: Route
    ) -> None:
        """Make the credentials safe that are used next."""
        self.keep_unresolved(enrolment)
        self._submitted = None
        self._keeping.drop_pending(except_for=self._may_exist)
        record = _record(identity, route, self._otr_key, self._world)
        self._keeping.profile.accounts.append(record)
        await self._keeping.save()

    def submitted(self, identity: Identity) -> None:
        """They go out now."""
        self._submitted = identity.localpart

    def give_up(self, enrolment: Enrolment, error: UserError) -> None:
        """There is no account, unless there is one that nobody has told us of."""
        self.keep_unresolved(enrolment)
        is_through = error.code is ErrorCode.NO_SERVER_LEFT
        if self._submitted is not None and not is_through:
            # Tor has gone in the middle: the machine is still without an outcome.
            self._may_exist.add(self._submitted)
        self._keeping.drop_pending(except_for=self._may_exist)

    async def settle(
        self, record: Account, new: NewAccount
    ) -> tuple[Account, NewAccount]:
        """This is the account; write that down."""
        assert record.localpart == new.identity.localpart
        # One that was found has the key of the try it was left over from, which
        # another account may have. Nobody has seen it with this one yet.
        old_key, record.otr_key = record.otr_key, Secret(self._otr_key.to_bytes())
        record.instance_tag = draw_instance_tag(self._world.random_bytes)
        self._keeping.settle(record, except_for=self._may_exist)
        try:
            await self._keeping.save()
        except BaseException:
            await new.opened.stream.close()
            raise
        finally:
            old_key.wipe()
        return record, new


def route_of(record: Account, servers: Sequence[Server]) -> Route:
    """How a kept account's server is reached: as it was when it was made."""
    server = next((s for s in servers if s.domain == record.domain), None)
    return Route(
        domain=record.domain,
        host=record.host,
        port=record.port,
        tls=TlsMode(record.tls),
        spki=record.spki,
        scram=() if server is None else server.scram,
        sasl2=server is not None and server.sasl2,
        registration=Registration.UNKNOWN,
    )


async def _find_pending(
    record: Account, servers: Sequence[Server], world: World, person: Person
) -> NewAccount | NotFound:
    """Sign in to an account whose registration was cut, if it came to be."""
    identity = Identity(record.localpart, record.password.reveal().decode())
    route = route_of(record, servers)
    return await find_again(identity, route, world=world, person=person)


def _record(
    identity: Identity, route: Route, otr_key: PrivateKey, world: World
) -> Account:
    return Account(
        localpart=identity.localpart,
        domain=route.domain,
        password=Secret(identity.password),
        pending=True,
        host=route.host,
        port=route.port,
        tls=route.tls.value,
        spki=route.spki,
        otr_key=Secret(otr_key.to_bytes()),
        instance_tag=draw_instance_tag(world.random_bytes),
        known={},
        created=world.wall_clock(),
    )
