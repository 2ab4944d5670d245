"""One tor from when we reached it until it is cleared away, and what it is stuck at.

Rule: a record that `daemon` alone writes; nothing here acts.
"""

import asyncio

from coykiosk.errors import ErrorCode, UserError
from coykiosk.onion.addresses import Address
from coykiosk.onion.child import OwnTor
from coykiosk.onion.control import ControlPort
from coykiosk.onion.status import Bootstrap

__all__ = ["Attached", "complaint"]


class Attached:
    """One tor, from when we reached it until it is cleared away."""

    def __init__(
        self, socks: Address, control: ControlPort, own: OwnTor | None
    ) -> None:
        self.socks = socks
        self.control = control
        self.own = own
        self.gone = asyncio.Event()
        self.moved = asyncio.Event()
        self.bootstrap: Bootstrap | None = None
        self.is_ready = False
        self.n_percent_complained = -1
        """How far it was when the person was last told that it is stuck."""
        self.tells_progress = True
        self.is_dismissed = False
        """True once `stop` asked it to go; its last guard lines then count."""


def complaint(bootstrap: Bootstrap | None, *, with_bridges: bool) -> UserError:
    """Return what to tell a person whose tor gets no further.

    Args:
        bootstrap: How far it is, as far as it said.
        with_bridges: Whether it tries to get there through bridges.
    """
    if bootstrap is None or not bootstrap.may_be_blocked:
        tag = bootstrap.tag if bootstrap else "starting"
        return UserError(ErrorCode.TOR_NO_NETWORK, tag=tag)
    if with_bridges:
        return UserError(ErrorCode.BRIDGES_SILENT)
    return UserError(ErrorCode.TOR_BLOCKED)
