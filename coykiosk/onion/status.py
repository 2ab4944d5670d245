"""tor's own words about itself, read into values.

Rule: pure. What does not fit the grammar is left out, never guessed.

Source: Tor's control-spec, "Bootstrap phases", "Circuit status changed" and
GETINFO circuit-status.
"""

import re
from dataclasses import dataclass
from typing import Final

from coykiosk.ports import Circuit, Hop, IsolationKey

__all__ = ["Bootstrap", "find_circuit", "parse_bootstrap"]

_BOOTSTRAP: Final = re.compile(
    r"\b(?P<severity>NOTICE|WARN|ERR) BOOTSTRAP PROGRESS=(?P<percent>\d{1,3})"
    r" TAG=(?P<tag>[A-Za-z_]{1,40})(?P<rest>[^\r\n]*)"
)
_REASON: Final = re.compile(r"(?:^| )REASON=(?P<reason>[A-Z_]{1,40})(?: |$)")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_DONE_PERCENT: Final = 100
_NO_ROUTE: Final = "NOROUTE"
_FIRST_STEPS: Final = frozenset(
    {
        *("conn_pt", "conn_done_pt", "conn_proxy", "conn_done_proxy"),
        *("conn", "conn_dir", "conn_done"),
        *("handshake", "handshake_dir", "handshake_done", "onehop_create"),
        *("ap_conn", "ap_conn_done", "ap_handshake", "ap_handshake_done"),
    }
)
"""Reaching and greeting a first relay: a list of addresses, or the look of the
greeting, is all that one needs to block it."""
_HOP: Final = re.compile(
    r"\$(?P<fingerprint>[0-9A-F]{40})(?:[~=](?P<nickname>[A-Za-z0-9]{1,19}))?"
)
_PAIR: Final = re.compile(r"(?P<key>[A-Z_]+)=(?P<value>\"(?:[^\"\\]|\\.)*\"|[^ \"]*)")
_ONION_PURPOSE: Final = "HS_CLIENT_REND"
# CONFLUX_LINKED: since tor 0.4.8 an ordinary circuit may have two legs.
_STREAM_PURPOSES: Final = frozenset({_ONION_PURPOSE, "GENERAL", "CONFLUX_LINKED"})
_MAX_HOPS: Final = 16


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How far tor is on its way into the network."""

    percent: int
    """0 to 100."""
    tag: str
    """tor's word for the phase, for example `handshake_dir`."""
    is_severe: bool
    """True when tor recommends telling the person that it is stuck."""
    reason: str = ""
    """tor's word for why the last try failed, for example `NOROUTE`."""

    @property
    def may_be_blocked(self) -> bool:
        """True when what tor has not got past is what censors stand in the way of.

        Without a route there is no network at all, and so nobody who blocks.
        """
        return self.tag in _FIRST_STEPS and self.reason != _NO_ROUTE

    @property
    def is_done(self) -> bool:
        """True when circuits can be built."""
        return self.percent >= _DONE_PERCENT


def parse_bootstrap(text: str) -> Bootstrap | None:
    """Read a bootstrap phase from a STATUS_CLIENT event or a GETINFO answer."""
    match = _BOOTSTRAP.search(text)
    if match is None:
        return None
    is_severe = (
        match["severity"] != "NOTICE" and "RECOMMENDATION=warn" in match["rest"].split()
    )
    percent = min(int(match["percent"]), _DONE_PERCENT)
    reason = _REASON.search(_QUOTED.sub("", match["rest"]))
    return Bootstrap(
        percent, match["tag"], is_severe, reason["reason"] if reason else ""
    )


def find_circuit(circuit_status: str, isolation_key: IsolationKey) -> Circuit | None:
    """Return the newest built circuit that carries this key's streams.

    Args:
        circuit_status: The answer to GETINFO circuit-status, one circuit a line.
        isolation_key: Whose user and password the circuit must have.
    """
    newest: tuple[int, Circuit] | None = None
    for line in circuit_status.splitlines():
        found = _read_circuit(line, isolation_key)
        if found is not None and (newest is None or found[0] > newest[0]):
            newest = found
    return None if newest is None else newest[1]


def _read_circuit(line: str, key: IsolationKey) -> tuple[int, Circuit] | None:
    fields = line.split(" ", 3)
    if len(fields) < 4 or fields[1] != "BUILT" or not fields[0].isdecimal():  # noqa: PLR2004  # id, state, path, pairs
        return None
    pairs = {m["key"]: m["value"].strip('"') for m in _PAIR.finditer(fields[3])}
    purpose = pairs.get("PURPOSE", "")
    if (
        purpose not in _STREAM_PURPOSES
        or pairs.get("SOCKS_USERNAME") != key.user
        or pairs.get("SOCKS_PASSWORD") != key.password
    ):
        return None
    hops = _read_path(fields[2])
    if not hops:
        return None
    return int(fields[0]), Circuit(hops, to_onion=purpose == _ONION_PURPOSE)


def _read_path(text: str) -> tuple[Hop, ...]:
    hops = [_HOP.fullmatch(part) for part in text.split(",")[:_MAX_HOPS]]
    if any(hop is None for hop in hops):
        return ()
    return tuple(Hop(h["fingerprint"], h["nickname"] or "") for h in hops if h)
