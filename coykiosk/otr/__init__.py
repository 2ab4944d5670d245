"""Off-the-Record messaging, version 3: a conversation nobody else can read.

Rule: sans-IO and alone. Nothing of coykiosk is imported here, and no clock, no
socket, no source of randomness: the caller passes `now`, random bytes and received
texts, and gets a list of outputs back.

Reading order: `events` (what can come out), `instances` (the door), `pool` (several
devices), `engine` (one conversation), `ake` and `proof` (how keys are agreed),
`ratchet` (how they change), `messages` and `framing` (what that looks like on the
way), `dsa`, `primitives`, `wire`; `tags` and `allowance` are small.
"""

from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.events import (
    Agreeing,
    EndedByPeer,
    ErrorLine,
    Inject,
    LocalError,
    MessageState,
    OfferTooOld,
    OtrError,
    Output,
    PlainReceived,
    Received,
    RemoteError,
    Secured,
    Unreadable,
)
from coykiosk.otr.instances import Instances
from coykiosk.otr.tags import draw_instance_tag

__all__ = [
    "Agreeing",
    "EndedByPeer",
    "ErrorLine",
    "Inject",
    "Instances",
    "LocalError",
    "MessageState",
    "OfferTooOld",
    "OtrError",
    "Output",
    "PlainReceived",
    "PrivateKey",
    "Received",
    "RemoteError",
    "Secured",
    "Unreadable",
    "draw_instance_tag",
]
