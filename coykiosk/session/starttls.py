"""The few words in clear before STARTTLS (RFC 6120, section 5).

Rule: sans-IO; nothing that a server says in clear is believed, it is only waited
for. Header and request go out in one flight, which can travel with the connect.
"""

from typing import Final, final

from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.wire import (
    STREAM,
    STREAM_ERRORS,
    TLS,
    read_error,
    stream_header,
)
from coykiosk.session.xmlguard import PRE_AUTH_LIMITS, XmlRefusedError
from coykiosk.session.xmlreader import XmlReader

__all__ = ["StartTls"]

_PROCEED: Final = "{" + TLS + "}proceed"
_FAILURE: Final = "{" + TLS + "}failure"
_STREAM_ERROR: Final = "{" + STREAM + "}error"


@final
class StartTls:
    """One STARTTLS; use once, then forget the stream it was said on."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._reader = XmlReader(PRE_AUTH_LIMITS)

    def start(self) -> bytes:
        """Return what to send."""
        return f"{stream_header(self._domain)}<starttls xmlns='{TLS}'/>".encode()

    def receive(self, data: bytes) -> bool:
        """Take received bytes; return True when TLS begins now.

        Raises:
            NegotiationError: CONFUSED or BROKEN: there will be no TLS here.
        """
        self._reader.feed(data)
        try:
            while (stanza := self._reader.next_stanza()) is not None:
                if stanza.tag == _PROCEED:
                    return self._proceed()
                if stanza.tag == _FAILURE:
                    raise NegotiationError(OpeningReason.CONFUSED, "no-starttls")
                if stanza.tag == _STREAM_ERROR:
                    error = read_error(stanza, STREAM_ERRORS)
                    raise NegotiationError(OpeningReason.CONFUSED, error.condition)
        except XmlRefusedError as exc:
            raise NegotiationError(OpeningReason.CONFUSED, exc.condition) from exc
        if self._reader.is_ended:
            raise NegotiationError(OpeningReason.BROKEN, "stream-ended")
        return False

    def _proceed(self) -> bool:
        # Order matters: whatever follows in clear was never protected; taking it
        # for the first words inside TLS is how commands are smuggled in.
        if self._reader.next_stanza() is not None or not self._reader.is_empty:
            raise NegotiationError(OpeningReason.CONFUSED, "data-after-proceed")
        return True
