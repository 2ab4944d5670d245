"""How far Tor is, and the path a connection takes, drawn in text.

Rule: explain the guard where it is seen: people take it for a fault that the
first relay does not change.
"""

from typing import Final

import urwid

from coykiosk.ports import Circuit, Hop
from coykiosk.text import _, describe, ngettext
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.bridges import bridge_name, bridges_kept
from coykiosk.ui_urwid.dialogs import Rows, gap
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import TorPhase, TorView, ViewState

__all__ = ["tor_rows"]

_SHOWN_HEX: Final = 8  # of a relay's 40 hex digits; enough to find it in a search
_BAR_CELLS: Final = 20


def tor_rows(state: ViewState) -> Rows:
    """Return the rows of the Tor screen."""
    return [*_phase_rows(state.tor), *_bridges_rows(state), gap(), *_path_rows(state)]


def _phase_rows(tor: TorView) -> Rows:
    rows: list[urwid.Widget] = [urwid.Text(("strong", wording.tor_words(tor)))]
    if tor.phase is TorPhase.CONNECTING:
        full = _BAR_CELLS * tor.percent // 100
        rows.append(urwid.Text(f"[{'#' * full}{'.' * (_BAR_CELLS - full)}]"))
    if tor.trouble is not None:
        told = describe(tor.trouble, lambda fact: clean(fact, Kind.SERVER_TEXT))
        rows.append(urwid.Text(("caution", f"{told.happened} {told.to_do}")))
    if tor.phase is TorPhase.STOPPED and tor.error is not None:
        told = describe(tor.error, lambda fact: clean(fact, Kind.SERVER_TEXT))
        return [*rows, urwid.Text(told.happened), urwid.Text(told.to_do)]
    whose = (
        _("It is our own tor; it ends with this program and leaves nothing behind.")
        if tor.own
        else _("It is a tor that was running already; it stays when you quit.")
    )
    return [*rows, urwid.Text(whose)]


def _bridges_rows(state: ViewState) -> Rows:
    """Say whether tor goes through bridges, and which key changes that."""
    if not state.bridges:
        words = _("No bridges: this network can see that you use Tor. F4: bridges.")
        return [urwid.Text(words)]
    heading = ngettext(
        "Tor goes through your bridge, and no other way (F4 changes that):",
        "Tor goes through your {n} bridges, and no other way (F4 changes that):",
        len(state.bridges),
    )
    names = [f"  {bridge_name(line)}" for line in state.bridges]
    return [
        urwid.Text(heading.format(n=len(names))),
        *(urwid.Text(name) for name in names),
        urwid.Text(bridges_kept(state)),
    ]


def _path_rows(state: ViewState) -> Rows:
    if state.account is None:
        return [urwid.Text(_("There is no account yet, so there is no path to show."))]
    if state.front.offline is not None or state.front.online is None:
        return [urwid.Text(_("There is no connection now, so there is no path."))]
    if state.front.circuit is None:
        return [urwid.Text(_("Asking Tor for the path ..."))]
    server = clean(state.front.circuit.account.domainpart, Kind.JID)
    circuit = state.front.circuit.circuit
    if circuit is None or not circuit.hops:
        words = _("Tor does not tell the path to {server}.").format(server=server)
        return [urwid.Text(words)]
    heading = _("The path of your connection to {server}:").format(server=server)
    first = _("your bridge") if state.bridges else _("guard")
    drawing = _drawing(circuit, server, first=first)
    return [urwid.Text(heading), gap(), *drawing, gap(), *_notes(state)]


def _drawing(circuit: Circuit, server: str, *, first: str) -> Rows:
    stations = [_("this machine")]
    last = len(circuit.hops) - 1
    for number, hop in enumerate(circuit.hops):
        part = _part(is_last=number == last, circuit=circuit) if number else first
        stations.append(_station(part, hop))
    if circuit.to_onion:
        stations.append(_("(the server's own three relays, unknown to us)"))
    stations.append(_("{server} (onion service)") if circuit.to_onion else "{server}")
    stations[-1] = stations[-1].format(server=server)
    rows: list[urwid.Widget] = []
    for number, station in enumerate(stations):
        if number:
            rows.append(urwid.Text("   |"))
        rows.append(urwid.Text(f"  {station}"))
    return rows


def _part(*, is_last: bool, circuit: Circuit) -> str:
    if not is_last:
        return _("middle")
    return _("meeting point") if circuit.to_onion else _("exit")


def _station(part: str, hop: Hop) -> str:
    name = clean(hop.nickname, Kind.NICK) if hop.nickname else _("unnamed")
    return f"{part}: {name} ({clean(hop.fingerprint[:_SHOWN_HEX], Kind.NICK)})"


def _notes(state: ViewState) -> Rows:
    names = urwid.Text(_("The names are what the relays call themselves."))
    if state.bridges:
        return [names]
    return [
        urwid.Text(
            _(
                "The guard stays the same for months, on purpose: changing it often "
                "would sooner or later choose one that watches."
            )
        ),
        names,
    ]
