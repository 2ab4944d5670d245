"""What is mutated, which tests judge it, and what is left alone.

Rule: this is the one place to change when a module moves or is split.
"""

import sys
from typing import Final

MODULES: Final = (
    "coykiosk/otr/ake.py",
    "coykiosk/otr/ake_states.py",
    "coykiosk/otr/proof.py",
    "coykiosk/otr/ratchet.py",
    "coykiosk/otr/smp.py",
    "coykiosk/otr/smp_messages.py",
    "coykiosk/otr/smp_proofs.py",
    "coykiosk/otr/smp_states.py",
)

TESTS: Final = (
    "tests/otr",
    "-m",
    "not deep and not network and not journey",
    # Another program at the other end: slow, and these tests must do without.
    "--ignore=tests/otr/pairs",
    "--ignore-glob=*libotr*",
    "--ignore-glob=*potr*",
    "--ignore-glob=*otr3*",
    # What these read never comes near the modules.
    "--ignore-glob=*/test_otr_corpus.py",
    "--ignore-glob=*keyfile*",
    "--ignore-glob=*sexp*",
    "--ignore-glob=*spoken*",
    # Long, and what they notice is to be noticed by a test that says what it is.
    "--ignore-glob=*/test_otr_properties.py",
    "--ignore-glob=*/test_hostile_parsing.py",
    "--ignore-glob=*/test_hostile_fragments.py",
    "--ignore-glob=*/test_hostile_chat.py",
)

LEFT_ALONE: Final = (
    # An error's words for developers are not part of the protocol.
    r"^ +msg = ",
    r"^ +raise \w+\(msg\)",
    # Never runs; mypy proves it.
    r"assert_never\(",
)
"""Lines that match one of these keep their expressions; statements may still go."""


def say(text: str) -> None:
    """Say it at once: what waits in a buffer would be said again by every fork."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
