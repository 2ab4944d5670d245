"""The practice network: everything real, nothing leaves this machine.

Rule: what is practised on are tor and Prosody themselves, started by us on
loopback, inside one scratch directory; with another servers file and other lines
for tor the program is the one that goes out into the world. Nothing here speaks to
the screen or to a session: `app` puts them together.

Reading order: `network` (the whole), `tornet` with `tor_config`, `node`,
`authority`, `control_line` and `descriptors` (the Tor network), `xmpp_server` with
`prosody_config` and `certificate` (the server), `partner` with `lessons` (who is
talked to), `loopback` and `faults` (tools).
"""

from coykiosk.practice.network import PracticeNetwork
from coykiosk.practice.partner import Partner
from coykiosk.practice.tornet import PrivateTorNetwork
from coykiosk.practice.xmpp_server import PracticeServer

__all__ = ["Partner", "PracticeNetwork", "PracticeServer", "PrivateTorNetwork"]
