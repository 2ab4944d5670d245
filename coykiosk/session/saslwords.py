"""SASL as it is worded in XMPP, in both ways (RFC 6120, section 6; XEP-0388).

Rule: pure. What is proved is the same in both, so it is `scram`'s; here is only what
it is wrapped in. The second way saves the new stream after the login, and with it a
round trip:

    SASL     auth, response, abort          then a new stream, and a session to bind
    SASL2    authenticate (with what the    the session comes with the success, on
             session is to be), response,   the same stream (`bind2`)
             abort

SASL2 is taken for offered only where all that we want of the session can be asked for
inline: to bind it, to have it acknowledged, and to go on with the last one if there is
one. Half of that would need words of its own after the login, and save nothing.
"""

from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.register.servers import Route
from coykiosk.session.wire import (
    ACKS,
    BIND2,
    MAX_WORDS_CHARS,
    SASL,
    SASL2,
    SASL_CB,
    ErrorParts,
    from_base64,
    read_error,
    to_base64,
)

__all__ = ["Offer", "Way", "read_offer", "remembering"]

_MECHANISMS: Final = "{" + SASL + "}mechanisms/{" + SASL + "}mechanism"
_AUTHENTICATION: Final = "{" + SASL2 + "}authentication"
_MECHANISM: Final = "{" + SASL2 + "}mechanism"
_INLINE: Final = "{" + SASL2 + "}inline"
_INLINE_BIND: Final = _INLINE + "/{" + BIND2 + "}bind"
_INLINE_RESUME: Final = _INLINE + "/{" + ACKS + "}sm"
_BIND_FEATURE: Final = "{" + BIND2 + "}inline/{" + BIND2 + "}feature"
_BINDINGS: Final = "{" + SASL_CB + "}sasl-channel-binding"
_BINDING: Final = "{" + SASL_CB + "}channel-binding"
_ADDITIONAL_DATA: Final = "{" + SASL2 + "}additional-data"
_TEXT: Final = "{" + SASL2 + "}text"


@unique
class Way(Enum):
    """One of the two ways, by its namespace."""

    SASL = SASL
    SASL2 = SASL2

    def says(self, element: ET.Element) -> bool:
        """Whether an element is of this way."""
        return element.tag.startswith("{" + self.value + "}")

    def begin(self, mechanism: str, content: bytes, *, inline: str = "") -> str:
        """Begin an exchange.

        Args:
            mechanism: Its name.
            content: The first message.
            inline: What else is asked for, as XML; SASL2 alone has a place for it.
        """
        data = to_base64(content)
        if self is Way.SASL:
            return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{data}</auth>"
        # Without <user-agent/>: it would name the program, and one session's owner
        # as that of the next (XEP-0388 leaves it to us).
        return (
            f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>"
            f"<initial-response>{data}</initial-response>{inline}</authenticate>"
        )

    def respond(self, content: bytes) -> str:
        """Answer a challenge."""
        if not content:
            return f"<response xmlns='{self.value}'/>"
        return f"<response xmlns='{self.value}'>{to_base64(content)}</response>"

    def abort(self) -> str:
        """End an exchange."""
        return f"<abort xmlns='{self.value}'/>"

    def content(self, element: ET.Element) -> bytes:
        """Return what a challenge or a success carries; b"" when there is nothing.

        Raises:
            ValueError: it is not base64, or there is more than one of it.
        """
        if self is Way.SASL or element.tag.endswith("}challenge"):
            return from_base64((element.text or "").strip())
        found = element.findall(_ADDITIONAL_DATA)
        if len(found) > 1:
            msg = "more than one result of the exchange"
            raise ValueError(msg)
        return from_base64((found[0].text or "").strip()) if found else b""

    def error(self, failure: ET.Element) -> ErrorParts:
        """Take a failure apart; the conditions of both ways are those of SASL."""
        error = read_error(failure, SASL)
        text = error.text or failure.findtext(_TEXT, "")
        return ErrorParts(error.condition, error.error_type, text[:MAX_WORDS_CHARS])


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server's stream features say about logging in."""

    sasl: frozenset[str]
    """Mechanisms."""
    sasl2: frozenset[str]
    """Mechanisms; none where the session could not be had with them."""
    kinds: frozenset[str] | None
    """Channel bindings that the server takes (XEP-0440); None when it does not say."""

    @property
    def mechanisms(self) -> frozenset[str]:
        """What is offered in either way."""
        return self.sasl | self.sasl2

    def way(self, mechanism: str) -> Way:
        """Return the better way in which a mechanism is offered."""
        return Way.SASL2 if mechanism in self.sasl2 else Way.SASL


def read_offer(features: ET.Element, *, resumes: bool) -> Offer:
    """Read stream features.

    Args:
        features: Of a stream inside TLS.
        resumes: There is a session to go on with.
    """
    kinds: frozenset[str] | None = None
    if features.find(_BINDINGS) is not None:
        kinds = frozenset(kind.get("type", "") for kind in features.iter(_BINDING))
    sasl2: frozenset[str] = frozenset()
    authentication = features.find(_AUTHENTICATION)
    if authentication is not None and _has_all(authentication, resumes=resumes):
        sasl2 = _names(authentication, _MECHANISM)
    return Offer(_names(features, _MECHANISMS), sasl2, kinds)


def remembering(route: Route, offer: Offer | None) -> Route:
    """Return a way to a server with what it has just offered there.

    An offer of SASL2 may be kept for later connections (XEP-0388, "Discovering
    Support"); then it can be begun before it is made again.
    """
    if offer is not None and offer.sasl2:
        return replace(route, scram=tuple(sorted(offer.sasl2)), sasl2=True)
    return replace(route, sasl2=False)


def _names(element: ET.Element, path: str) -> frozenset[str]:
    return frozenset((each.text or "").strip() for each in element.findall(path))


def _has_all(authentication: ET.Element, *, resumes: bool) -> bool:
    bind = authentication.find(_INLINE_BIND)
    if bind is None:
        return False
    features = {each.get("var") for each in bind.findall(_BIND_FEATURE)}
    can_resume = authentication.find(_INLINE_RESUME) is not None
    return ACKS in features and (can_resume or not resumes)
