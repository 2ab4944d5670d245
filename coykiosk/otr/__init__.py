"""Off-the-Record messaging, version 3: a conversation nobody else can read.

Rule: sans-IO and alone. Nothing of coykiosk is imported here, and no clock, no
socket, no source of randomness: the caller passes `now`, random bytes and received
texts, and gets a list of outputs back. (DSA keys and their nonces alone are drawn by
the library that makes them.)

"OTRv3" is https://otr.cypherpunks.ca/Protocol-v3-4.1.1.html, cited by the titles of its
sections. To use this folder elsewhere, copy it, replace `coykiosk.otr` in its imports,
and install cryptography and gmpy2.

Reading order: `events` (what can come out), `instances` (the door), `reception`,
`gate` and `pool` (what came in, for whom, which device), `engine` (one conversation),
`ake` and `proof` (how keys are agreed), `ratchet` (how they change), `smp` with
`smp_messages` and `smp_proofs` (how people find out whom they talk to), `messages` and
`framing` (what all that looks like on the way), `dsa`, `primitives`, `wire`; `tags`,
`allowance` and `trust` are small. Two folders stand beside the protocol: `spoken` (keys
read aloud) and `keyfile` (libotr's files).

Two people, and a network that loses nothing:

    >>> import os
    >>> from coykiosk import otr
    >>> def device():
    ...     tag = otr.draw_instance_tag(os.urandom)
    ...     return otr.Instances(otr.PrivateKey.generate(), tag, os.urandom)
    >>> def carry(sender, receiver, outputs):
    ...     for output in outputs:
    ...         match output:
    ...             case otr.Inject(text):
    ...                 carry(receiver, sender, receiver.receive(text, now=0.0))
    ...             case otr.Received(text):
    ...                 print(text)
    >>> alice, bob = device(), device()
    >>> carry(alice, bob, alice.ask(now=0.0))
    >>> alice.message_state is bob.message_state is otr.MessageState.ENCRYPTED
    True
    >>> carry(alice, bob, alice.send("Are you there?", now=0.0))
    Are you there?
"""

from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.events import (
    Agreeing,
    EndedByPeer,
    ErrorLine,
    ExtraKey,
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
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    TooManyGuessesError,
    Unreadable,
)
from coykiosk.otr.instances import Instances
from coykiosk.otr.tags import draw_instance_tag
from coykiosk.otr.trust import KeyBook, Standing

__all__ = [
    "Agreeing",
    "EndedByPeer",
    "ErrorLine",
    "ExtraKey",
    "Inject",
    "Instances",
    "KeyBook",
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
    "SmpAnswered",
    "SmpAsked",
    "SmpEnded",
    "SmpOutcome",
    "Standing",
    "TooManyGuessesError",
    "Unreadable",
    "draw_instance_tag",
]
