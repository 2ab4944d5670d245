"""Why a signed-in stream could not be had: the reasons, one to one with the flow's.

Rule: pure; a reason is a code and a server's condition, prose is the screen's.
"""

from enum import Enum, auto, unique
from typing import Final

from coykiosk.errors import ErrorCode, UserError

__all__ = ["NegotiationError", "OpeningReason", "StartOverError", "is_cut"]


@unique
class OpeningReason(Enum):
    """One reason for each outcome that `register.flow` tells apart."""

    REFUSED = auto()
    """The registration was answered with an error: condition, error_type, text."""
    REGISTRATION_CLOSED = auto()
    NEEDS_FORM = auto()
    """condition: `email` for an address or number of the person, else `form`."""
    NEEDS_CAPTCHA = auto()
    """condition: `no-picture` that we can show, `wrong-answers`, or `skipped`."""
    WEB_ONLY = auto()
    """text: the address of the page; never opened."""
    PUZZLE_LOST = auto()
    """The connection ended while a person was at the challenge."""
    INVITATION_REFUSED = auto()
    """condition, text: the server does not know it, or no longer."""
    UNREACHABLE = auto()
    """Tor cannot get there."""
    BROKEN = auto()
    """The connection or the stream was cut."""
    CERTIFICATE_BAD = auto()
    """condition: `expired`, `wrong-name`, `untrusted`, `pin-changed`, `unusable`."""
    LOGIN_REFUSED = auto()
    """condition: the SASL condition, or the stanza's when binding was refused."""
    CONFUSED = auto()
    """The server does not keep to the protocol, or ended the stream with an error.
    condition: the stream error's, or a short phrase of ours in its shape."""


class NegotiationError(Exception):
    """The negotiation is over, without a session.

    Args:
        reason: What to make of it.
        condition: A defined condition, or a short phrase of ours in its shape.
        error_type: Of stanza errors.
        text: The server's own words, cut; to be cleaned before they are shown.
    """

    def __init__(
        self,
        reason: OpeningReason,
        condition: str = "",
        *,
        error_type: str = "",
        text: str = "",
    ) -> None:
        super().__init__(f"{reason.name} {condition}".rstrip())
        self.reason = reason
        self.condition = condition
        self.error_type = error_type
        self.text = text


class StartOverError(Exception):
    """This connection is spoilt by what was said blind; a new one would do.

    Args:
        offered: The mechanisms that the server offers, now that we know.
        sasl2: It offers SASL2 as we want it.
    """

    def __init__(self, offered: tuple[str, ...], *, sasl2: bool = False) -> None:
        super().__init__("the login needs a new connection")
        self.offered = offered
        self.sasl2 = sasl2


_CUTS: Final = frozenset({OpeningReason.BROKEN, OpeningReason.CONFUSED})


def is_cut(error: NegotiationError | UserError) -> bool:
    """Whether it is the connection that ended, in whatever way."""
    if isinstance(error, UserError):
        return error.code is ErrorCode.CONNECTION_LOST
    return error.reason in _CUTS
