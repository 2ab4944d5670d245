"""From a route to a TLS stream whose other end is known to be the server.

Rule: a shell; what is said first travels with the connect, and not one byte of ours
follows before the certificate is judged. Ends in a stream or in none: on any error,
and when cancelled, the connection is closed.
"""

from dataclasses import dataclass

from coykiosk.ports import Dialer, IsolationKey, Stream
from coykiosk.register.servers import Route, TlsMode
from coykiosk.session.certificates import (
    Authorities,
    CertificateBadError,
    Verdict,
    judge,
)
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.scram import ChannelBinding
from coykiosk.session.starttls import StartTls
from coykiosk.session.tls import TlsEngine, TlsError, TlsStream

__all__ = ["Secured", "read_some", "secure"]


@dataclass(frozen=True, slots=True)
class Secured:
    """A TLS stream, and what it stands on."""

    stream: TlsStream
    binding: ChannelBinding
    verdict: Verdict


async def secure(
    dialer: Dialer,
    route: Route,
    *,
    isolation_key: IsolationKey,
    authorities: Authorities,
) -> Secured:
    """Dial, begin TLS as the route says, and judge the certificate.

    Raises:
        NegotiationError: CERTIFICATE_BAD, CONFUSED or BROKEN.
        UserError: as the dialer and its stream say.
    """
    is_direct = route.tls is TlsMode.DIRECT
    engine = TlsEngine(route.domain, is_direct=is_direct, authorities=authorities)
    start_tls = None if is_direct else StartTls(route.domain)
    stream = await dialer.open(
        route.host,
        route.port,
        isolation_key=isolation_key,
        first_bytes=engine.begin() if start_tls is None else start_tls.start(),
    )
    try:
        if start_tls is not None:
            while not start_tls.receive(await read_some(stream)):
                pass
            stream.write(engine.begin())
        verdict = await _shake_hands(stream, engine, route)
    except BaseException:
        await stream.close()
        raise
    tls = TlsStream(stream, engine, server=route.domain)
    return Secured(tls, engine.channel_binding(), verdict)


async def _shake_hands(stream: Stream, engine: TlsEngine, route: Route) -> Verdict:
    try:
        while not engine.shake_hands(await read_some(stream)):
            stream.write(engine.take_outgoing())
        return judge(
            engine.facts(),
            domain=route.domain,
            is_onion=route.onion_vouches,
            pins=route.spki,
        )
    except CertificateBadError as exc:
        fault = exc.fault.value
        raise NegotiationError(OpeningReason.CERTIFICATE_BAD, fault) from exc
    except TlsError as exc:
        raise NegotiationError(OpeningReason.CONFUSED, "tls-failed") from exc


async def read_some(stream: Stream) -> bytes:
    """Read at least one byte.

    Raises:
        NegotiationError: BROKEN: the other end closed.
        UserError: as the stream says.
    """
    data = await stream.read()
    if not data:
        raise NegotiationError(OpeningReason.BROKEN, "connection-closed")
    return data
