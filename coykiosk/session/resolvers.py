"""Whom we ask for names, and how they are reached: a short list, with dates.

Rule: pure data. Each is an onion or an IP address, because a name would have to be
looked up first. Whoever answers sees a domain, and nobody who asks; they can send us
to a wrong door, and cannot open it (see `srv`).
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["RESOLVERS", "Resolver"]


@dataclass(frozen=True, slots=True)
class Resolver:
    """A public resolver that answers whoever asks."""

    host: str
    """An onion or an IP address."""
    port: int

    @property
    def speaks_tls(self) -> bool:
        """True for an onion: DNS over TLS (RFC 7858); else DNS over TCP (RFC 7766).

        Plain TCP lets the exit read the question. The connection that is made of the
        answer names the same domain to an exit, too: in the server name of its TLS.
        """
        return self.host.endswith(".onion")


RESOLVERS: Final = (
    # What the operators' papers say, read 2026-11-23; nobody was contacted for it.
    #
    # Cloudflare, 1.1.1.1, by its onion: DNS over TLS on port 853 ("DNS over Tor",
    # developers.cloudflare.com). Called experimental when it began, and unreachable
    # at times since (reports of 2019 and 2025): so it is not alone.
    Resolver("dns4torpnlfs2ifuz2s2yf3fc7rdmsbhm6rw75euj35pac6ap25zgqad.onion", 853),
    # Quad9: checks DNSSEC, keeps no log, and says NXDOMAIN of names known for malware
    # (github.com/Quad9DNS/dnscrypt-settings). Those are then reached as if without a
    # record.
    Resolver("9.9.9.9", 53),
)
"""In the order in which they are asked."""
