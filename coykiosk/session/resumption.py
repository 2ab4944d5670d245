"""A session whose stream is gone, and which may go on over another (XEP-0198, 5).

Rule: sans-IO. Whatever becomes of it, each message of ours ends as one of two: the
server has it, or nobody will send it once more. A new stream is opened as ever, on a
circuit of its own; only then is this asked for, in place of a new session.

    LOST --begin--> ASKED --resumed--> RESUMED    same address, same counts
      |               +------failed--> OVER       a new session has to do
      +--forsake: too long ago; it may go on, but nothing is sent once more

A stream that is cut while this is asked for changes nothing: it can be asked for
again, because both ends still have what the other one has not said it took.
"""

from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.session.acks import Acks, AcksBrokenError
from coykiosk.session.wire import ACKS

__all__ = ["Resumption"]

PATIENCE_S: Final = 3600.0
"""So long at most a message may be neither sent nor lost."""
_RESUMED: Final = "{" + ACKS + "}resumed"
_FAILED: Final = "{" + ACKS + "}failed"


class _State(Enum):
    LOST = auto()
    ASKED = auto()
    RESUMED = auto()
    OVER = auto()


@final
class Resumption:
    """One session between two streams.

    Args:
        jid: Our full JID in it.
        roster_id: The id of the session's roster request.
        acks: Its counts, and what the server has not taken; they can be resumed.
        lost_at: When its stream ended, monotonic seconds.
    """

    def __init__(self, jid: Jid, roster_id: str, acks: Acks, *, lost_at: float) -> None:
        assert acks.is_resumable
        self.jid: Final = jid
        self.roster_id: Final = roster_id
        self.acks: Final = acks
        longest = PATIENCE_S if acks.max_s is None else min(PATIENCE_S, acks.max_s)
        self.patience_until: Final = lost_at + longest
        """When messages under way are to be given up, monotonic seconds."""
        self.is_forsaken = False
        """Whether they were; the session itself may go on all the same."""
        self._state = _State.LOST
        self._taken: tuple[str, ...] = ()

    @property
    def is_asked(self) -> bool:
        """Whether the server was asked for it, and did not answer."""
        return self._state is _State.ASKED

    @property
    def is_resumed(self) -> bool:
        """Whether the session goes on."""
        return self._state is _State.RESUMED

    @property
    def is_over(self) -> bool:
        """Whether there is no session any more."""
        return self._state is _State.OVER

    def begin(self) -> str:
        """Return what to send after the stream header."""
        self._state = _State.ASKED
        return self.acks.resume()

    def take(self, element: ET.Element) -> None:
        """Take what the server says to that; anything else changes nothing.

        Raises:
            AcksBrokenError: it took what it was never sent; the session is over.
        """
        if element.tag not in (_RESUMED, _FAILED):
            return
        is_resumed = element.tag == _RESUMED
        # Of a session that has ended a server may, and need not, say how far it came.
        count = element.get("h", "" if is_resumed else None)
        try:
            if count is not None:
                self._taken += self.acks.learn(count)
        except AcksBrokenError:
            self.end()
            raise
        if is_resumed:
            self._state = _State.RESUMED
        else:
            self.end()

    def set_aside(self) -> None:
        """The stream on which it was asked for is gone: it may be asked for again."""
        if self._state is _State.ASKED:
            self._state = _State.LOST

    def collect(self) -> tuple[str, ...]:
        """Return the messages that the server turned out to have, each once."""
        taken, self._taken = self._taken, ()
        return taken

    def forsake(self) -> None:
        """Give up the messages under way; what the server keeps for us is welcome."""
        self.is_forsaken = True
        self.acks.forsake()
        self._state = _State.LOST

    def end(self) -> None:
        """The session is over: nothing of it will be sent once more."""
        self._state = _State.OVER
        self.acks.forsake()
