"""The bytes of the file: layout by hand, damage by every means, limits."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.vault.layout import Container, Damaged, Header, TooNew, parse

SALT = bytes(range(16))
SMALL = 65536
LENGTH = 131_364  # 228 + 2 x (65,536 + 32)


def vault_bytes(region_bytes: int = SMALL) -> bytes:
    slots = (b"\xa0" * 64, b"\xa1" * 64)
    regions = (b"\xb0" * region_bytes, b"\xb1" * region_bytes)
    return Container(Header(65536, SALT), slots, regions).to_bytes()


def with_header(**changes: int) -> bytes:
    """A whole vault whose header states something else, its checksum right."""
    values = {"version": 1, "lanes": 4, "memory": 65536, "passes": 3} | changes
    head = struct.pack(
        ">8sHHII16s",
        b"coyvault",
        values["version"],
        values["lanes"],
        values["memory"],
        values["passes"],
        SALT,
    )
    return head + hashlib.sha256(head).digest() + vault_bytes()[68:]


def test_layout_puts_everything_where_the_table_says() -> None:
    data = vault_bytes()

    assert len(data) == LENGTH
    assert data[:36] == b"coyvault\0\1\0\4\0\1\0\0\0\0\0\3" + SALT
    assert data[36:68] == hashlib.sha256(data[:36]).digest()
    assert data[68:196] == b"\xa0" * 64 + b"\xa1" * 64
    assert data[196:228] == hashlib.sha256(data[68:196]).digest()
    assert data[228:65764] == b"\xb0" * SMALL
    assert data[65764:65796] == hashlib.sha256(b"\xb0" * SMALL).digest()
    assert data[65796:131332] == b"\xb1" * SMALL
    assert data[131332:] == hashlib.sha256(b"\xb1" * SMALL).digest()


@pytest.mark.parametrize("kib", [64, 128, 256, 512, 1024, 2048, 4096])
def test_parse_reads_back_every_size_class(kib: int) -> None:
    data = vault_bytes(kib * 1024)

    parsed = parse(data)

    assert parsed.to_bytes() == data
    assert parsed.header == Header(65536, SALT)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF], ids=hex)
@pytest.mark.parametrize(
    "offset",
    [
        *(n for n in range(228) if n not in {8, 9}),
        *(228, 30_000, 65763, 65764, 65795, 65796, 100_000, 131331, 131332, 131363),
    ],
)
def test_parse_says_damaged_when_one_byte_differs(offset: int, flip: int) -> None:
    data = bytearray(vault_bytes())
    data[offset] ^= flip

    with pytest.raises(Damaged):
        parse(bytes(data))


@pytest.mark.parametrize(
    ("version", "error"),
    [(0, Damaged), (2, TooNew), (3, TooNew), (0x0101, TooNew), (0xFFFF, TooNew)],
)
def test_parse_tells_newer_from_damaged_by_the_version(
    version: int, error: type[Exception]
) -> None:
    data = vault_bytes()
    changed = data[:8] + version.to_bytes(2) + data[10:]

    with pytest.raises(error):
        parse(changed)


@pytest.mark.parametrize("rest", [b"", b"x", b"\0" * 500, bytes(200_000)])
def test_parse_says_too_new_whatever_follows_a_higher_version(rest: bytes) -> None:
    with pytest.raises(TooNew) as caught:
        parse(b"coyvault\0\7" + rest)

    assert caught.value.version == 7


@pytest.mark.parametrize(
    "length",
    [
        *(0, 1, 7, 8, 9, 10, 11, 35, 36, 67, 68, 131, 195, 196, 227, 228, 229),
        *(292, 65763, 65764, 65796, 131_331, 131_332, LENGTH - 1),
    ],
)
def test_parse_says_damaged_when_cut_short(length: int) -> None:
    with pytest.raises(Damaged):
        parse(vault_bytes()[:length])


@pytest.mark.parametrize("extra", [1, 2, 64, SMALL, 2 * SMALL])
def test_parse_says_damaged_when_something_is_appended(extra: int) -> None:
    with pytest.raises(Damaged):
        parse(vault_bytes() + b"\0" * extra)


def test_parse_says_damaged_when_cut_to_a_smaller_size_class() -> None:
    with pytest.raises(Damaged):
        parse(vault_bytes(2 * SMALL)[:LENGTH])


def test_parse_says_damaged_when_the_regions_are_too_large() -> None:
    with pytest.raises(Damaged):
        parse(vault_bytes(8 * 1024 * 1024))


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": 0},
        {"memory": 8},
        {"memory": 65535},
        {"memory": 262_145},
        {"memory": 0xFFFFFFFF},
        {"passes": 0},
        {"passes": 2},
        {"passes": 4},
        {"passes": 0xFFFFFFFF},
        {"lanes": 0},
        {"lanes": 1},
        {"lanes": 5},
        {"lanes": 0xFFFF},
        {"version": 0},
    ],
    ids=str,
)
def test_parse_says_damaged_when_parameters_leave_the_limits(
    changes: dict[str, int],
) -> None:
    with pytest.raises(Damaged):
        parse(with_header(**changes))


@pytest.mark.parametrize("memory", [65536, 65537, 200_000, 262_144])
def test_parse_accepts_memory_within_the_limits(memory: int) -> None:
    assert parse(with_header(memory=memory)).header.memory_kib == memory


@pytest.mark.parametrize(
    ("memory", "salt"),
    [(65535, SALT), (262_145, SALT), (65536, SALT[1:]), (65536, SALT + b"x")],
)
def test_header_is_not_written_when_it_would_not_be_read(
    memory: int, salt: bytes
) -> None:
    with pytest.raises(ValueError, match="limits"):
        Header(memory, salt).encode()


@given(st.binary(max_size=400), st.sampled_from([b"", b"coyvault", b"coyvault\0\1"]))
def test_parse_refuses_noise_with_its_own_errors_only(
    noise: bytes, start: bytes
) -> None:
    with pytest.raises((Damaged, TooNew)):
        parse(start + noise)


@given(st.data())
def test_parse_says_damaged_when_any_run_of_bytes_differs(data: st.DataObject) -> None:
    whole = vault_bytes()
    start = data.draw(st.integers(10, LENGTH - 1))
    noise = data.draw(st.binary(min_size=1, max_size=min(40, LENGTH - start)))
    changed = whole[:start] + noise + whole[start + len(noise) :]

    if changed != whole:
        with pytest.raises(Damaged):
            parse(changed)


def test_repr_of_a_container_shows_sizes_only() -> None:
    assert repr(parse(vault_bytes())) == "Container(2 x 65536 bytes)"
