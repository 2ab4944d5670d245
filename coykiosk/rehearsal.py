"""The practice run: the same session, on a network that is all on this machine.

Rule: composes, like `app`; what is practised on is the real session, the real
tor and the real screen. The practice partner is a second session without a
screen, whose events go to `practice.partner` and whose commands come from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from coykiosk.contract import (
    AccountOnline,
    Closed,
    Command,
    Connect,
    CreateAccount,
    Event,
    Failed,
    Jid,
    OpenChat,
    PracticeAdvanced,
    PracticeReady,
    PracticeStep,
    Quit,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Circuit, Dialer, IsolationKey, Tor
from coykiosk.practice.network import PracticeNetwork
from coykiosk.practice.partner import Partner
from coykiosk.register.servers import Server, load_servers
from coykiosk.session.kiosk import Kiosk
from coykiosk.session.world import World

__all__ = ["Desk", "rehearse"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The person's side of the program, as far as a rehearsal needs it."""

    publish: Callable[[Event], None]
    submit: Callable[[Command], None]
    quitting: asyncio.Event
    make_world: Callable[[Sequence[str]], World]
    """Builds the world of a session whose tor gets these lines."""


class Serve(Protocol):
    """Runs the person's session until they quit."""

    async def __call__(
        self, world: World, servers: Sequence[Server], vault_path: Path
    ) -> None:
        """Return when the session has ended and published `Closed`."""


async def rehearse(desk: Desk, serve: Serve) -> None:
    """Bring the practice network up, run a session on it, and take it down."""
    network = PracticeNetwork()
    try:
        if not await _unless_quitting(_start(network, desk), desk.quitting):
            desk.publish(Closed())
            return
        servers = load_servers(network.servers_toml, name="practice")
        world = desk.make_world(network.client_torrc)
        introduction = _Introduction(desk)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(_run_partner(world, servers, introduction)),
                group.create_task(_tell_if_broken(network, desk)),
            ]
            await serve(
                replace(world, publish=introduction.on_event_of_person),
                servers,
                # Its server will be gone, so a vault for it need not stay either.
                network.path / "vault",
            )
            for task in background:
                task.cancel()
    finally:
        await network.stop()


async def _start(network: PracticeNetwork, desk: Desk) -> bool:
    """Start the network; whether that worked. If not, the person has been told."""
    try:
        await network.start(lambda step: desk.publish(PracticeAdvanced(step)))
    except UserError as error:
        desk.publish(Failed(error, None))
        await desk.quitting.wait()
        return False
    return True


async def _tell_if_broken(network: PracticeNetwork, desk: Desk) -> None:
    """Say so when a part of the network has ended by itself."""
    desk.publish(Failed(await network.wait_broken(), None))


async def _unless_quitting(work: Awaitable[bool], quitting: asyncio.Event) -> bool:
    """Do something slow, but give it up when the person quits."""

    async def run() -> bool:
        return await work

    async with asyncio.TaskGroup() as group:
        working = group.create_task(run())
        waiting = group.create_task(quitting.wait())
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        working.cancel()
    return not working.cancelled() and working.result()


class _Introduction:
    """Opens the chat with the partner once both are online."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._partner: Jid | None = None
        self._person: Jid | None = None
        self._is_done = False
        self.call_partner: Callable[[], None] = lambda: None
        """Has the partner come, or come back, if they are not there."""

    def on_event_of_person(self, event: Event) -> None:
        """Pass an event on to the screen, having looked at it."""
        self._desk.publish(event)
        if isinstance(event, AccountOnline):
            self._person = event.account
            # What kept the partner away may have been what kept the person away.
            self.call_partner()
            self._introduce()

    def partner_is_online(self, partner: Jid) -> None:
        """The partner can be talked to."""
        if self._partner is None:
            self._partner = partner
            self._desk.publish(PracticeReady(partner))
            self._introduce()

    def partner_failed(self) -> None:
        """The partner got no account.

        Before the person has one this is nobody's concern: the same will happen to
        them, or not, and then the partner is called again.
        """
        if self._person is not None:
            self._desk.publish(Failed(UserError(ErrorCode.PRACTICE_ALONE), None))

    def partner_is_called(self) -> None:
        """The partner is making an account, as the person does."""
        self._desk.publish(PracticeAdvanced(PracticeStep.CALLING_PARTNER))

    def _introduce(self) -> None:
        if self._partner and self._person and not self._is_done:
            self._is_done = True
            self._desk.submit(OpenChat(self._person, self._partner))


async def _run_partner(
    world: World, servers: Sequence[Server], introduction: _Introduction
) -> None:
    """Run the partner's session, on the person's tor but circuits of its own."""
    commands: asyncio.Queue[Command] = asyncio.Queue()
    partner = Partner()

    def on_event(event: Event) -> None:
        if isinstance(event, AccountOnline):
            introduction.partner_is_online(event.account)
        if isinstance(event, Failed) and event.during is CreateAccount:
            introduction.partner_failed()
        for command in partner.receive(event):
            commands.put_nowait(command)

    kiosk = Kiosk(
        servers=servers,
        vault=None,
        world=replace(world, tor=_BorrowedTor(world.tor), publish=on_event),
        commands=commands,
    )

    def call() -> None:
        # Each is nothing to a session to which it does not apply.
        commands.put_nowait(Connect())
        commands.put_nowait(CreateAccount(passphrase=None))

    introduction.partner_is_called()
    introduction.call_partner = call
    call()
    try:
        await kiosk.run()
    finally:
        commands.put_nowait(Quit())


class _BorrowedTor:
    """Somebody else's tor: used, but neither started nor stopped."""

    def __init__(self, lender: Tor) -> None:
        self._lender = lender

    @property
    def dialer(self) -> Dialer:
        return self._lender.dialer

    def check_bridges(self, text: str) -> tuple[str, ...]:
        return self._lender.check_bridges(text)

    async def use_bridges(self, lines: Sequence[str]) -> None:
        """Leave that to the lender."""

    async def start(self, *, guard_state: str) -> None:
        """Leave that to the lender."""

    async def wait_ready(self) -> None:
        await self._lender.wait_ready()

    async def circuit(self, isolation_key: IsolationKey) -> Circuit | None:
        return await self._lender.circuit(isolation_key)

    def guard_state(self) -> str:
        return ""

    async def stop(self) -> None:
        """Leave that to the lender."""
