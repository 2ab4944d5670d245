"""Kill a process that makes or saves a vault, again and again; look what is left.

Run as a program: `python kill_driver.py VAULT ROUNDS SEED create|save`. Prints
one JSON object. It forks its victims, so that they need not import everything
anew; a passphrase is derived once by the real Argon2id and then remembered.
"""

import hashlib
import json
import os
import signal
import sys
import time
from functools import cache
from pathlib import Path

from coykiosk.contract import Secret
from coykiosk.vault.derive import argon2id
from coykiosk.vault.profile import Profile
from coykiosk.vault.store import VaultStore

LONGEST_DELAY_S = 0.012
NOTHING = -1  # the number of the state before there is a vault
remembering_argon2id = cache(argon2id)


def words() -> Secret:
    return Secret("six words")


def one_salt(n: int) -> bytes:
    """Random bytes, but always the same salt: it need not be derived again."""
    return b"sixteen byte slt" if n == 16 else os.urandom(n)


def state(number: int) -> Profile:
    """A profile whose every byte hangs on its number; its length does too.

    Number 1, and each seventh after it, needs the next size class.
    """
    filling = hashlib.sha256(str(number).encode()).hexdigest()
    if number % 7 == 1:
        return Profile(guard_state=f"{number} {filling * 1024}"[:65_530])
    return Profile(guard_state=f"{number} " + filling * (number % 7 * 100 + 1))


def number_of(content: Profile) -> int:
    """The number of a state, or an error if it is a mixture."""
    number = int(content.guard_state.partition(" ")[0])
    if content.guard_state != state(number).guard_state:
        msg = "neither before nor after"
        raise ValueError(msg)
    return number


def new_store(path: Path) -> VaultStore:
    return VaultStore(
        path,
        random_bytes=one_salt,
        derive=remembering_argon2id,
        free_kib=lambda: 0,
    )


def save_forever(path: Path, report: int) -> None:
    store = new_store(path)
    if store.exists():
        number = number_of(store.unlock(words()))
    else:
        os.write(report, f"{NOTHING}\n".encode())
        store.create(words(), state(0))
        number = 0
    while True:
        os.write(report, f"{number}\n".encode())
        number += 1
        store.save(state(number))


def one_round(path: Path, delay_s: float) -> int:
    """Let a victim work for so long, kill it; the last state it reported."""
    reading, writing = os.pipe()
    victim = os.fork()
    if victim == 0:
        os.close(reading)
        save_forever(path, writing)
    os.close(writing)
    reported = os.read(reading, 64)  # it has begun
    time.sleep(delay_s)
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    while part := os.read(reading, 65536):
        reported += part
    os.close(reading)
    return int(reported.split()[-1])


def unfinished(path: Path) -> int:
    return sum(entry.suffix == ".tmp" for entry in path.parent.iterdir())


def main() -> None:
    path, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    creating = sys.argv[4] == "create"
    store = new_store(path)
    store.create(words(), state(0))
    seen = {"before": 0, "after": 0, "other": 0, "stale": 0, "left": 0, "none": 0}
    for number in range(rounds):
        if creating:
            store.discard()
            path.parent.mkdir(parents=True, exist_ok=True)
        store.close()
        chance = hashlib.sha256(f"{seed} {number}".encode()).digest()[0] / 255
        reported = one_round(path, chance * LONGEST_DELAY_S)
        seen["stale"] += unfinished(path)
        if store.exists():
            found = number_of(store.unlock(words()))
        else:
            found = NOTHING
            seen["none"] += 1
            store.create(words(), state(0))
        seen["left"] += unfinished(path)
        seen[{0: "before", 1: "after"}.get(found - reported, "other")] += 1
    store.close()
    print(json.dumps(seen))  # noqa: T201 - a program's answer


if __name__ == "__main__":
    main()
