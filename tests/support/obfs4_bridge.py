"""A real obfs4 bridge on a private Tor network: tor as a bridge, behind obfs4proxy."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coykiosk.onion.scratch import Scratch
from coykiosk.practice.control_line import ControlFault
from coykiosk.practice.loopback import HeldPort
from coykiosk.practice.node import Node, prepare_place
from coykiosk.practice.tor_config import parse_fingerprint

_CERT: Final = re.compile(r"cert=([A-Za-z0-9+/]{70}) iat-mode=0")
_START_LIMIT_S: Final = 60.0
_POLL_S: Final = 0.05


@dataclass
class Obfs4Bridge:
    """A bridge that answers; make it with `start`."""

    node: Node
    fingerprint: str
    line: str
    """As it is handed to people."""
    ports: tuple[HeldPort, ...]

    async def stop(self) -> None:
        await self.node.kill()
        for port in self.ports:
            port.release()


async def start_bridge(
    scratch: Scratch, client_torrc: tuple[str, ...], parent: Path
) -> Obfs4Bridge:
    """Start a bridge, and return when it knows the network."""
    ports = HeldPort(), HeldPort()
    place = prepare_place(parent, "bridge")
    node = await Node.start(
        scratch,
        "the bridge",
        place,
        (
            *client_torrc,
            "Nickname PracticeBridge",
            f"ORPort {ports[0]} IPv4Only",
            "Address 127.0.0.1",
            "AssumeReachable 1",
            "BridgeRelay 1",
            "PublishServerDescriptor 0",
            "ExitRelay 0",
            "ExtORPort auto",
            "ServerTransportPlugin obfs4 exec /usr/bin/obfs4proxy",
            f"ServerTransportListenAddr obfs4 {ports[1]}",
            "ServerDNSDetectHijacking 0",
            "ServerDNSTestAddresses",
        ),
    )
    written = place.data / "pt_state" / "obfs4_bridgeline.txt"
    async with asyncio.timeout(_START_LIMIT_S):
        while not (written.exists() and await _is_up(node)):
            node.check_alive()
            await asyncio.sleep(_POLL_S)
    fingerprint = parse_fingerprint((place.data / "fingerprint").read_text())
    cert = _CERT.search(written.read_text())
    assert cert is not None
    line = f"obfs4 {ports[1]} {fingerprint} cert={cert[1]} iat-mode=0"
    return Obfs4Bridge(node, fingerprint, line, ports)


def blocked(client_torrc: tuple[str, ...], port: int) -> tuple[str, ...]:
    """Return the same network, but what is publicly known of it leads to this port."""
    known = re.compile(r"orport=\d+ (.*) 127\.0\.0\.1:\d+")
    here = rf"orport={port} \1 127.0.0.1:{port}"
    return tuple(known.sub(here, line) for line in client_torrc)


async def _is_up(node: Node) -> bool:
    try:
        return await node.bootstrap_percent() == 100
    except ControlFault:
        return False
