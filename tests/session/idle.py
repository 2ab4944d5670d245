"""An account's record, and a world in which nothing takes its time, to try parts in."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeVar

from coykiosk.contract import Event, Secret
from coykiosk.ports import RandomBytes, Tor, WallClock
from coykiosk.session.resolvers import RESOLVERS, Resolver
from coykiosk.session.world import World
from coykiosk.vault.profile import Account
from tests.support.headless import DOMAIN, ONION, LoopbackTor

T = TypeVar("T")

MADE: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
"""When every account was made."""
NOBODY: Final[Mapping[str, tuple[bytes, ...]]] = MappingProxyType({})


def make_record(
    localpart: str = "someone",
    *,
    domain: str = DOMAIN,
    password: bytes = b"pa55",
    pending: bool = False,
    host: str = ONION,
    port: int = 5222,
    spki: tuple[str, ...] = (),
    otr_key: bytes = b"key",
    instance_tag: int = 0x100,
    known: Mapping[str, tuple[bytes, ...]] = NOBODY,
    next_password: bytes = b"",
) -> Account:
    """Make a record of an account at a server that speaks TLS at once."""
    return Account(
        localpart=localpart,
        domain=domain,
        password=Secret(password),
        pending=pending,
        host=host,
        port=port,
        tls="direct",
        spki=spki,
        otr_key=Secret(otr_key),
        instance_tag=instance_tag,
        known=dict(known),
        created=MADE,
        next_password=Secret(next_password),
    )


async def _never(_: Callable[[], T], /) -> T:
    raise AssertionError


def idle_world(
    tor: Tor | None = None,
    *,
    random_bytes: RandomBytes = os.urandom,
    now: Callable[[], float] = lambda: 0.0,
    wall_clock: WallClock = lambda: MADE,
    publish: Callable[[Event], None] = lambda _: None,
    resolvers: tuple[Resolver, ...] = RESOLVERS,
) -> World:
    """Make a world where nothing is ever given to a thread."""
    return World(
        tor=LoopbackTor({}) if tor is None else tor,
        random_bytes=random_bytes,
        now=now,
        wall_clock=wall_clock,
        run_blocking=_never,
        publish=publish,
        resolvers=resolvers,
    )
