"""Accounts on a server of this machine, made by our own client without Tor."""

import asyncio
import os

from coykiosk.contract import Secret
from coykiosk.ports import IsolationKey
from coykiosk.register.servers import Registration, Route, TlsMode
from coykiosk.session.opening import Opened, OpeningStep, Purpose, open_session
from tests.support.loopback import LoopbackDialer

_ONION = "a" * 56 + ".onion"
"""Never dialled; it makes the route one on which the pin vouches for the server."""
_LIMIT_S = 30.0


def make_account(
    port: int, domain: str, localpart: str, password: str, pin: str
) -> None:
    """Register an account, and sign out again.

    Args:
        port: Where the server speaks TLS at once, on 127.0.0.1.
        domain: The server's domain.
        localpart: The account's name.
        password: The account's password.
        pin: SHA-256 of the server's key, base64; "" takes whatever it shows.
    """

    async def main() -> None:
        opened = await open_account(
            loopback_route(domain, tls=TlsMode.DIRECT, pin=pin),
            port=port,
            localpart=localpart,
            password=password,
            purpose=Purpose.REGISTER,
        )
        await opened.stream.close()

    asyncio.run(main())


def loopback_route(
    domain: str, *, tls: TlsMode, pin: str, scram: tuple[str, ...] = ()
) -> Route:
    """Return a route that is dialled on this machine."""
    return Route(
        domain=domain,
        host=_ONION,
        port=5222,
        tls=tls,
        spki=(pin,) if pin else (),
        scram=scram,
        registration=Registration.OPEN,
    )


async def open_account(
    route: Route, *, port: int, localpart: str, password: str, purpose: Purpose
) -> Opened:
    """Open a session without Tor; close its stream when done."""
    steps: list[OpeningStep] = []
    async with asyncio.timeout(_LIMIT_S):
        return await open_session(
            LoopbackDialer(port),
            route,
            localpart=localpart,
            password=Secret(password),
            purpose=purpose,
            isolation_key=IsolationKey.fresh(os.urandom),
            random_bytes=os.urandom,
            on_step=steps.append,
        )
