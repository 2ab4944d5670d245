"""Peers as far as a scenario has to know them: where each departs from the protocol.

Rule: a scenario asks for a property, never for a name. A new kind of peer is a new
value here or in its own tests, and no scenario changes.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PeerKind:
    """What one implementation does that another would not.

    The defaults describe a peer that keeps to OTRv3.
    """

    name: str
    has_clock: bool = True
    """Its driver program knows `clock`; else its timers see the real time."""
    has_heartbeat: bool = True
    """It answers by an empty message when it has been silent for a minute."""
    shows_plain_text: bool = False
    """Text in clear is displayed like any other while no session is up."""
    sends_plain_text: bool = False
    """Without a session, text goes out in clear, with the whitespace tag."""
    sends_after_end: bool = False
    """When the other end has closed the session, an empty message goes out for a text."""
    takes_query_text_for_query: bool = False
    """A typed text that holds `?OTRv` goes out as a query, and the text is lost."""
    ignores_query_for_s: int = 0
    """How long after a step of an exchange it answers no query."""
    stalls_after_winning_tie: bool = False
    """When both commit at once and it wins, it no longer takes the answer."""
    forgets_old_commits: bool = True
    """An answer to its commit is not taken any more after minutes."""
    drops_session_for_any_key: bool = False
    """While a commit of its own is out, a D-H Key ends its session, unverified.

    So a renewed session looks like a first one to it, and a late or forged D-H Key
    leaves it in PLAINTEXT without telling anybody.
    """
    counts_forged_texts: bool = False
    """The counter of a text is believed before its MAC is checked.

    So a forged or replayed text makes it refuse the next good one.
    """
    keeps_smp_over_new_ake: bool = False
    """A comparison under way outlives the session that it belongs to."""


OURS: Final = PeerKind("coykiosk")

LIBOTR: Final = PeerKind(
    "libotr",
    shows_plain_text=True,
    sends_plain_text=True,
    sends_after_end=True,
    takes_query_text_for_query=True,
    drops_session_for_any_key=True,
    keeps_smp_over_new_ake=True,
)
"""libotr 4.1.1 with its application's default policy, versions 2 and 3."""
