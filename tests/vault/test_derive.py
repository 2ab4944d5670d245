"""Argon2id itself, and the choice of its memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from coykiosk.vault import derive
from coykiosk.vault.derive import argon2id, available_kib, calibrate
from coykiosk.vault.layout import Header

MIB = 1024
PLENTY_KIB = 8 * 1024 * MIB
SALT = b"sixteen byte slt"


def test_argon2id_agrees_with_another_implementation() -> None:
    """RFC 9106; OpenSSL has an implementation of its own."""
    expected = Argon2id(
        salt=SALT, length=32, iterations=3, lanes=4, memory_cost=64 * MIB
    ).derive(b"correct horse")

    key = argon2id(b"correct horse", Header(64 * MIB, SALT))

    assert key == expected
    assert key.hex().startswith("bceb0416ffad1656")


def test_argon2id_gives_another_key_when_the_salt_differs() -> None:
    one = argon2id(b"correct horse", Header(64 * MIB, SALT))
    two = argon2id(b"correct horse", Header(64 * MIB, SALT[::-1]))

    assert one != two


def ticking(*times: float) -> Iterator[float]:
    return iter(times)


@pytest.mark.parametrize(
    ("elapsed_s", "free_kib", "chosen_mib"),
    [
        (0.125, PLENTY_KIB, 256),
        (0.001, PLENTY_KIB, 256),
        (0.25, PLENTY_KIB, 128),
        (0.16, PLENTY_KIB, 192),  # 200 MiB, rounded down to a multiple of 16
        (0.5, PLENTY_KIB, 64),
        (30.0, PLENTY_KIB, 64),
        (0.0, PLENTY_KIB, 64),
        (-1.0, PLENTY_KIB, 64),
        (0.125, 0, 64),
        (0.125, 200 * MIB, 64),
        (0.125, 600 * MIB, 144),  # a quarter of what is free
        (0.125, 1024 * MIB, 256),
    ],
)
def test_calibrate_chooses_half_a_second_within_limits(
    elapsed_s: float, free_kib: int, chosen_mib: int
) -> None:
    clock = ticking(100.0, 100.0 + elapsed_s)

    chosen = calibrate(lambda _, __: bytes(32), lambda: next(clock), free_kib)

    assert chosen == chosen_mib * MIB


def test_calibrate_times_one_run_at_the_floor() -> None:
    runs: list[int] = []

    def counting(_: bytes, header: Header) -> bytes:
        runs.append(header.memory_kib)
        return bytes(32)

    calibrate(counting, lambda: 1.0, PLENTY_KIB)

    assert runs == [64 * MIB]


def test_available_memory_of_this_machine_is_known() -> None:
    assert available_kib() > 16 * MIB


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("MemTotal: 9 kB\nMemAvailable:   123456 kB\n", 123456),
        ("MemTotal: 9 kB\n", 0),
        ("MemAvailable: much\n", 0),
        ("", 0),
    ],
)
def test_available_memory_is_read_from_meminfo_or_taken_as_none(
    text: str, kib: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(text)
    monkeypatch.setattr(derive, "_MEMINFO", meminfo)

    assert available_kib() == kib


def test_available_memory_is_taken_as_none_without_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derive, "_MEMINFO", tmp_path / "absent")

    assert available_kib() == 0


SHORT_OF_MEMORY = """
import resource
from coykiosk.vault.derive import NoResources, argon2id
from coykiosk.vault.layout import Header
resource.setrlimit(resource.RLIMIT_AS, (128 << 20, 128 << 20))
try:
    argon2id(b"correct horse", Header(256 * 1024, bytes(16)))
except NoResources as error:
    print(error)
"""


def test_argon2id_says_so_when_the_system_has_no_memory() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", SHORT_OF_MEMORY],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "Memory allocation error\n"
