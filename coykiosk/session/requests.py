"""What we ask our own server for over a running stream, and how it may refuse.

Rule: pure. Each request says what it must and nothing more; none goes to anybody
but our own server, so none tells a stranger that we are there.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.session.wire import CLIENT, REGISTER, ROSTER, STANZA_ERRORS, read_error

__all__ = [
    "Ask",
    "Request",
    "RequestRefusedError",
    "block",
    "change_password",
    "read_answer",
    "remove_account",
    "remove_contact",
    "unblock",
]

_BLOCKING: Final = "{urn:xmpp:blocking}"  # XEP-0191
_REGISTER: Final = "{" + REGISTER + "}"
_ROSTER: Final = "{" + ROSTER + "}"
_ERROR: Final = "{" + CLIENT + "}error"


@dataclass(frozen=True, slots=True)
class Request:
    """An `iq` of type set."""

    payload: ET.Element = field(repr=False)
    """What is asked for; a password may be in it."""
    to: Jid | None = None
    """None asks our account itself (RFC 6120, section 8.1.2.1)."""


class RequestRefusedError(Exception):
    """The server answered, and said no.

    Args:
        condition: A defined condition such as `not-allowed`.
        error_type: `auth`, `cancel`, `continue`, `modify` or `wait`; "" if not said.
    """

    def __init__(self, condition: str, error_type: str) -> None:
        super().__init__(condition)
        self.condition: Final = condition
        self.error_type: Final = error_type


class Ask(Protocol):
    """Puts a request to our server and waits for what it says."""

    def __call__(self, request: Request, *, limit_s: float) -> Awaitable[ET.Element]:
        """Return the answer.

        Raises:
            RequestRefusedError: the server said no.
            UserError: SERVER_SILENT after `limit_s`, or why the stream ended first.
        """


def remove_account() -> Request:
    """Make the request to delete our account (XEP-0077, section 3.2)."""
    query = ET.Element(_REGISTER + "query")
    ET.SubElement(query, _REGISTER + "remove")
    return Request(query)


def change_password(account: Jid, password: str) -> Request:
    """Make the request for another password (XEP-0077, section 3.3)."""
    query = ET.Element(_REGISTER + "query")
    ET.SubElement(query, _REGISTER + "username").text = account.localpart
    ET.SubElement(query, _REGISTER + "password").text = password
    return Request(query, Jid("", account.domainpart))


def block(contacts: Iterable[Jid]) -> Request:
    """Make the request to let nothing of them through (XEP-0191, section 3.3).

    Args:
        contacts: Bare addresses, at least one.
    """
    return _with_items("block", contacts)


def unblock(contacts: Iterable[Jid]) -> Request:
    """Make the request to let them through again (XEP-0191, section 3.4).

    Args:
        contacts: Bare addresses, at least one: none would mean everybody.
    """
    return _with_items("unblock", contacts)


def remove_contact(contact: Jid) -> Request:
    """Make the request to take a contact off the list (RFC 6121, section 2.5)."""
    query = ET.Element(_ROSTER + "query")
    item = {"jid": str(contact.bare), "subscription": "remove"}
    ET.SubElement(query, _ROSTER + "item", item)
    return Request(query)


def _with_items(name: str, contacts: Iterable[Jid]) -> Request:
    action = ET.Element(_BLOCKING + name)
    for contact in contacts:
        ET.SubElement(action, _BLOCKING + "item", {"jid": str(contact.bare)})
    if not len(action):
        msg = "an empty list has another meaning"
        raise AssertionError(msg)  # not `assert`: -O must not unblock everybody
    return Request(action)


def read_answer(iq: ET.Element) -> ET.Element:
    """Take an answer for what it is.

    Args:
        iq: Of type result or error.

    Raises:
        RequestRefusedError: it is an error.
    """
    if iq.get("type") == "error":
        error = read_error(iq.find(_ERROR), STANZA_ERRORS)
        raise RequestRefusedError(error.condition, error.error_type)
    return iq
