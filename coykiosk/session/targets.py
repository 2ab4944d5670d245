"""Where a domain offers XMPP, as values, and which of it is tried first.

Rule: pure. Chance comes from the bytes that are given, and decides only where the
domain has left it open.

Source: RFC 2782; RFC 6120, section 3.2; XEP-0368, section 3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from coykiosk.ports import RandomBytes
from coykiosk.register.draw import below, pick
from coykiosk.register.records import Route, TlsMode

__all__ = ["MAX_TARGETS", "Answer", "Target", "in_order", "routes_from"]

MAX_TARGETS: Final = 4
"""How many of a domain's targets are tried."""


@dataclass(frozen=True, slots=True)
class Target:
    """One SRV record that can be used."""

    host: str
    """A host name in lower case, or an onion with a right checksum."""
    port: int
    tls: TlsMode
    """How TLS begins there; which of the two services it is a record of."""
    priority: int
    """0 to 65535; lower comes first."""
    weight: int
    """0 to 65535; among equals, the chance to come first."""

    @property
    def is_onion(self) -> bool:
        """True when it is an onion service."""
        return self.host.endswith(".onion")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a domain says about one service; no targets: it has no record of it."""

    targets: tuple[Target, ...]
    not_offered: bool
    """It says that there is no such service: the target is the root (RFC 2782)."""


def in_order(targets: Iterable[Target], random_bytes: RandomBytes) -> list[Target]:
    """Put targets into the order in which they are tried.

    Onions come first, whatever their priority: no exit sees what goes there. Then
    the priority decides, over both services as if they were one (XEP-0368, section
    3), then direct TLS before STARTTLS, then chance by weight (RFC 2782).
    """
    groups = groupby(sorted(dict.fromkeys(targets), key=_rank), key=_rank)
    ordered = [t for _, group in groups for t in _by_weight(list(group), random_bytes)]
    places: dict[tuple[str, int, TlsMode], Target] = {}
    for target in ordered:
        places.setdefault((target.host, target.port, target.tls), target)
    return list(places.values())


def routes_from(
    route: Route, answers: Mapping[TlsMode, Answer], random_bytes: RandomBytes
) -> tuple[Route, ...]:
    """Return the ways to try, best first; none when the domain says: no service.

    A service without an answer counts as one without a record. Where there is no
    record, what remains is the route itself, the domain's own port 5222 (RFC 6120,
    section 3.2.2); and that only unless `_xmpp-client` is decidedly not offered.

    Args:
        route: The way that needed looking up.
        answers: What is known of its domain.
        random_bytes: For the choice by weight.
    """
    known = [target for answer in answers.values() for target in answer.targets]
    if known:
        best = in_order(known, random_bytes)[:MAX_TARGETS]
        return tuple(
            replace(route, host=t.host, port=t.port, tls=t.tls, by_srv=True)
            for t in best
        )
    starttls = answers.get(TlsMode.STARTTLS)
    return () if starttls is not None and starttls.not_offered else (route,)


def _rank(target: Target) -> tuple[bool, int, bool]:
    return not target.is_onion, target.priority, target.tls is TlsMode.STARTTLS


def _by_weight(targets: list[Target], random_bytes: RandomBytes) -> list[Target]:
    """Draw one after the other, as RFC 2782, "Weight", says.

    Those without weight stand in front, in an order of chance, so that of several
    not always the one is tried that the resolver named first.
    """
    shuffled = _drawn(targets, random_bytes)
    left = sorted(shuffled, key=lambda target: target.weight > 0)
    ordered: list[Target] = []
    while left:
        number = below(sum(target.weight for target in left) + 1, random_bytes)
        for target in left:
            number -= target.weight
            if number <= 0:
                break
        ordered.append(target)
        left.remove(target)
    return ordered


def _drawn(targets: list[Target], random_bytes: RandomBytes) -> list[Target]:
    left, drawn = list(targets), []
    while left:
        drawn.append(pick(left, random_bytes))
        left.remove(drawn[-1])
    return drawn
