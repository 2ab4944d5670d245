"""Why a server ends a stream, and whether the session may be had again.

Rule: pure; a server's reason becomes a user's error here, and nothing is followed.
"""

from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.wire import STREAM_ERRORS, read_error

__all__ = ["confused", "may_be_resumed", "why_it_ended"]

_PASSING: Final = frozenset(
    {
        "connection-timeout",
        "internal-server-error",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "see-other-host",
        "system-shutdown",
        "undefined-condition",
    }
)
"""Stream errors (RFC 6120, section 4.9.3) after which a new connection may do.
`see-other-host` is not followed: a server does not choose whom we talk to."""
_RESUMABLE: Final = frozenset({ErrorCode.CONNECTION_LOST, ErrorCode.TOR_STOPPED})


def why_it_ended(error: ET.Element, server: str) -> UserError:
    """Tell what a `<stream:error/>` means to a person.

    Returns:
        CONNECTION_LOST or SERVER_CONFUSED.
    """
    condition = read_error(error, STREAM_ERRORS).condition
    if condition in _PASSING:
        return UserError(ErrorCode.CONNECTION_LOST, server=server)
    return confused(server, condition)


def confused(server: str, reason: str) -> UserError:
    """Tell that a server broke the protocol, or took us for doing so."""
    return UserError(ErrorCode.SERVER_CONFUSED, server=server, reason=reason)


def may_be_resumed(error: UserError) -> bool:
    """Whether a session that ended like this may go on over another stream.

    Not where a server confused us or we it: what did so would only come again.
    """
    return error.code in _RESUMABLE
