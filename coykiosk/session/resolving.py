"""Looking a domain up through Tor: where its XMPP service is (RFC 6120, section 3.2).

Rule: the one place that asks for names, and it asks through the dialer only. One
resolver after the other, each on a circuit of its own, both questions at once on one
connection, within a limit. One that is dead, lies or does not know leads to the next
one, and at the end to what a client does that has found no record.

At an onion the certificate is not looked at: the address is the resolver's public key
and tor has checked it; a certificate could only add what a certificate authority
believes of a name that we did not ask for, and this one's has lacked the onion before.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Dialer, IsolationKey, RandomBytes, Stream
from coykiosk.register.records import Route, TlsMode
from coykiosk.session.certificates import Authorities
from coykiosk.session.failure import NegotiationError
from coykiosk.session.resolvers import Resolver
from coykiosk.session.securing import read_some
from coykiosk.session.srv import Inquiry, SrvRefusedError
from coykiosk.session.targets import Answer, routes_from
from coykiosk.session.tls import TlsEngine, TlsError, TlsStream

__all__ = ["ANSWER_LIMIT_S", "find_ways"]

ANSWER_LIMIT_S: Final = 15.0
"""For one resolver, from the dialling to the second answer."""
_NOBODY: Final = Authorities(bundle=None, directory=None)
_THEIR_FAULTS: Final = frozenset(
    {ErrorCode.SERVER_UNREACHABLE, ErrorCode.CONNECTION_LOST}
)


async def find_ways(
    dialer: Dialer,
    route: Route,
    *,
    resolvers: Sequence[Resolver],
    random_bytes: RandomBytes,
) -> tuple[Route, ...]:
    """Return the ways to a server whose route needs looking up, best first.

    Takes at most ANSWER_LIMIT_S for each resolver. A later one is asked only for
    what is still open.

    Args:
        dialer: The way out of the machine.
        route: A way that `needs_srv`.
        resolvers: Whom to ask, in this order.
        random_bytes: For circuits, ids, and the choice by weight.

    Returns:
        The ways; () when the domain says that it does not offer XMPP to clients.

    Raises:
        UserError: TOR_STOPPED and its like, as the dialer says.
    """
    answers: dict[TlsMode, Answer] = {}
    for resolver in resolvers:
        missing = [mode for mode in TlsMode if mode not in answers]
        if missing:
            answers |= await _ask(dialer, resolver, route.domain, missing, random_bytes)
    return routes_from(route, answers, random_bytes)


async def _ask(
    dialer: Dialer,
    resolver: Resolver,
    domain: str,
    missing: Sequence[TlsMode],
    random_bytes: RandomBytes,
) -> dict[TlsMode, Answer]:
    """Return what one resolver answers in time; nothing from one that lies."""
    isolation_key = IsolationKey.fresh(random_bytes)
    answers: dict[TlsMode, Answer] = {}
    try:
        inquiry = Inquiry(domain, missing, random_bytes, padded=resolver.speaks_tls)
        answers = inquiry.answers
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await _converse(dialer, resolver, inquiry, isolation_key)
    except (TimeoutError, NegotiationError, SrvRefusedError, TlsError):
        return answers
    except UserError as error:
        if error.code not in _THEIR_FAULTS:
            raise
    return answers


async def _converse(
    dialer: Dialer, resolver: Resolver, inquiry: Inquiry, isolation_key: IsolationKey
) -> None:
    engine = None
    if resolver.speaks_tls:
        engine = TlsEngine(resolver.host, is_direct=False, authorities=_NOBODY)
    stream: Stream = await dialer.open(
        resolver.host,
        resolver.port,
        isolation_key=isolation_key,
        first_bytes=inquiry.start() if engine is None else engine.begin(),
    )
    try:
        if engine is not None:
            while not engine.shake_hands(await read_some(stream)):
                stream.write(engine.take_outgoing())
            stream = TlsStream(stream, engine, server=resolver.host)
            stream.write(inquiry.start())
        while not inquiry.receive(await read_some(stream)):
            pass
    finally:
        await stream.close()
