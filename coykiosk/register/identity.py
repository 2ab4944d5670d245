"""A name and a password that say nothing about anybody.

Rule: one shape for every user of every version, so that all look alike; and an
identity is drawn for one registration only. The same name or password at two
servers would tell both that one person stands behind them.

Shape: ten letters, five times a consonant and a vowel, easy to say over the phone,
hard to mistake for a person's name; and 24 letters and digits that no eye ever
needs to see (0 and 1 are left out all the same, in case one does).
"""

from dataclasses import dataclass
from typing import Final

from coykiosk.ports import RandomBytes
from coykiosk.register.draw import pick

__all__ = [
    "LOCALPART_BITS",
    "PASSWORD_BITS",
    "Identity",
    "draw_identity",
    "draw_password",
    "is_reserved",
]

CONSONANTS: Final = "bdfghjklmnprstvz"  # 16
VOWELS: Final = "aeiou"
N_PAIRS: Final = 5
PASSWORD_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz23456789"  # noqa: S105 - an alphabet
PASSWORD_CHARS: Final = 24

LOCALPART_BITS: Final = 31.5
"""Entropy of a localpart, rounded down: 5 * log2(16 * 5) = 31.61, less what the
redrawing of reserved words costs, which is below 0.05."""
PASSWORD_BITS: Final = 122.0
"""Entropy of a password, rounded down: 24 * log2(34) = 122.1."""

RESERVED: Final = (
    # What servers keep for themselves (RFC 2142; mod_block_registrations).
    "abuse",
    "admin",
    "daemon",
    "help",
    "hostmaster",
    "info",
    "mod",
    "news",
    "nobody",
    "noc",
    "noreply",
    "operator",
    "owner",
    "police",
    "postmaster",
    "register",
    "robot",
    "root",
    "security",
    "service",
    "signup",
    "staff",
    "sudo",
    "superuser",
    "support",
    "sysop",
    "system",
    "test",
    "trouble",
    "user",
    "webmaster",
    "www",
    "xmpp",
    # What nobody should have to read out as their own name.
    "anus",
    "fag",
    "hitler",
    "homo",
    "kike",
    "nazi",
    "negro",
    "nigger",
    "paki",
    "penis",
    "puta",
    "puto",
    "rape",
    "retard",
    "tits",
)
"""Words that no localpart contains. The shape rules most of them out by itself;
they are listed all the same, because the rule is about the words, not the shape."""

_MAX_DRAWS: Final = 100
"""About one name in a hundred is reserved: so many in a row (100**-100) mean that
the random source is stuck."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who an account belongs to, as far as anybody can tell.

    Python cannot wipe a `str`; whoever stores the password longer than the
    registration takes puts it where it can be wiped.
    """

    localpart: str
    """The part of the address before the @: ten letters a-z."""
    password: str
    """For SCRAM only: 24 characters a-z and 2-9."""

    def __repr__(self) -> str:
        return "Identity(…)"


def draw_identity(random_bytes: RandomBytes) -> Identity:
    """Draw a new identity; see `LOCALPART_BITS` and `PASSWORD_BITS`.

    Args:
        random_bytes: Where the randomness comes from.

    Raises:
        RuntimeError: the random source is stuck.
    """
    return Identity(_draw_localpart(random_bytes), draw_password(random_bytes))


def is_reserved(localpart: str) -> bool:
    """Tell whether a name contains a word that no name of ours may contain."""
    return any(word in localpart for word in RESERVED)


def _draw_localpart(random_bytes: RandomBytes) -> str:
    for _ in range(_MAX_DRAWS):
        localpart = "".join(
            pick(CONSONANTS, random_bytes) + pick(VOWELS, random_bytes)
            for _ in range(N_PAIRS)
        )
        # The whole name is drawn again: mending a part would favour some names.
        if not is_reserved(localpart):
            return localpart
    msg = "localpart: the random source is stuck"
    raise RuntimeError(msg)


def draw_password(random_bytes: RandomBytes) -> str:
    """Draw a new password alone, of the same shape; see `PASSWORD_BITS`."""
    return "".join(pick(PASSWORD_LETTERS, random_bytes) for _ in range(PASSWORD_CHARS))
