"""What may come in over a signed-in stream, as values of ours.

Rule: pure; made by `stanzas` alone, which has checked every size. Nothing in
here is trusted: a sender is as good as the servers on the way.
"""

from dataclasses import dataclass, field

from coykiosk.contract import Jid

__all__ = [
    "Inbound",
    "MessageError",
    "MessageIn",
    "MessagesTaken",
    "PresenceIn",
    "RosterItem",
    "RosterReceived",
    "SubscriptionAsked",
]


@dataclass(frozen=True, slots=True)
class MessageIn:
    """A message of one person to another (RFC 6121, section 5)."""

    sender: Jid
    """Full JID; without localpart when a server itself wrote."""
    body: str = field(repr=False)
    message_id: str
    """"" when the sender gave none."""
    delayed: bool
    """It was stored on the way (XEP-0203)."""
    is_copy: bool
    """A carbon or an archive result (XEP-0280, XEP-0313), for which we never
    asked: `body` is "", and the only use of the value is to be ignored."""


@dataclass(frozen=True, slots=True)
class MessageError:
    """A message of ours came back (RFC 6120, section 8.3)."""

    sender: Jid
    message_id: str
    condition: str
    """A defined condition such as `service-unavailable`."""
    text: str
    """The server's words, cut to a sane length; may be empty."""


@dataclass(frozen=True, slots=True)
class MessagesTaken:
    """The server has these messages of ours now (XEP-0198).

    Or they were written to the stream, and this server does not tell more.
    """

    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresenceIn:
    """A resource became available or unavailable."""

    sender: Jid
    available: bool


@dataclass(frozen=True, slots=True)
class SubscriptionAsked:
    """Someone asks to see our presence; nothing was answered."""

    sender: Jid


@dataclass(frozen=True, slots=True)
class RosterItem:
    """One contact as the server keeps it (RFC 6121, section 2.1)."""

    jid: Jid
    name: str
    subscription: str
    """`none`, `to`, `from`, `both` or `remove`."""


@dataclass(frozen=True, slots=True)
class RosterReceived:
    """The whole roster, or with `is_push` the one item that changed."""

    items: tuple[RosterItem, ...]
    is_push: bool


Inbound = (
    MessageIn
    | MessageError
    | MessagesTaken
    | PresenceIn
    | SubscriptionAsked
    | RosterReceived
)
