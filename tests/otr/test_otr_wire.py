"""Reading and writing the data types, and refusing what does not fit."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.otr import OtrError, RemoteError
from coykiosk.otr.wire import (
    Reader,
    Tlv,
    encode_data,
    encode_int,
    encode_mpi,
    encode_short,
    read_tlvs,
)


def test_encoders_write_big_endian() -> None:
    written = [
        encode_short(0x0102),
        encode_int(0x01020304),
        encode_data(b"ab"),
        encode_mpi(0x0100),
        encode_mpi(0),
    ]

    assert written == [
        b"\x01\x02",
        b"\x01\x02\x03\x04",
        b"\0\0\0\x02ab",
        b"\0\0\0\x02\x01\0",
        b"\0\0\0\0",
    ]


def test_reader_takes_values_in_order() -> None:
    reader = Reader(b"\x07\x01\x02\0\0\0\x05\0\0\0\x01x\0\0\0\x01\xff")

    values = (
        reader.byte(),
        reader.short(),
        reader.integer(),
        reader.data(),
        reader.mpi(),
    )

    assert values == (7, 0x0102, 5, b"x", 0xFF)
    assert reader.position == 17
    reader.finish()


@pytest.mark.hostile("G2")
@pytest.mark.parametrize(
    "length",
    [0xFFFFFFFF, 0x80000000, 4],
    ids=["4 GB", "2 GB", "one too many"],
)
@pytest.mark.parametrize("take", [Reader.data, Reader.mpi], ids=["data", "mpi"])
def test_reader_refuses_a_length_beyond_the_end(
    length: int, take: Callable[[Reader], object]
) -> None:
    reader = Reader(encode_int(length) + b"abc")

    with pytest.raises(RemoteError, match="declared"):
        take(reader)


@pytest.mark.hostile("G3")
@pytest.mark.parametrize(
    ("data", "take"),
    [
        (b"", Reader.byte),
        (b"\0", Reader.short),
        (b"\0\0\0", Reader.integer),
        (b"\0\0\0", Reader.data),
    ],
    ids=["byte", "short", "int", "data"],
)
def test_reader_refuses_a_value_cut_short(
    data: bytes, take: Callable[[Reader], object]
) -> None:
    reader = Reader(data)

    with pytest.raises(RemoteError):
        take(reader)


@pytest.mark.hostile("G5")
@pytest.mark.parametrize("value", [b"\0", b"\0\x01", b"\0\0\x80"])
def test_reader_refuses_an_mpi_with_leading_zeros(value: bytes) -> None:
    reader = Reader(encode_data(value))

    with pytest.raises(RemoteError, match="leading zeros"):
        reader.mpi()


@pytest.mark.hostile("G3")
def test_reader_refuses_bytes_left_over() -> None:
    reader = Reader(b"ab")
    reader.byte()

    with pytest.raises(RemoteError, match="1 bytes too many"):
        reader.finish()


def test_tlvs_are_read_in_order() -> None:
    tlvs = read_tlvs(b"\0\x01\0\0" + b"\0\x08\0\x02ab" + b"\x99\x99\0\x01z")

    assert tlvs == [Tlv(1, b""), Tlv(8, b"ab"), Tlv(0x9999, b"z")]


@pytest.mark.hostile("G30")
@pytest.mark.parametrize(
    "tail",
    [b"\0", b"\0\x01\0", b"\0\x01\0\x05abcd", b"\0\x01\xff\xff"],
    ids=["one byte", "no length", "value short", "65535 declared"],
)
def test_tlvs_ignore_a_tail_cut_short(tail: bytes) -> None:
    tlvs = read_tlvs(Tlv(0, b"pad").encode() + tail)

    assert tlvs == [Tlv(0, b"pad")]


@pytest.mark.hostile("G30")
def test_tlvs_of_any_number_are_read() -> None:
    tlvs = read_tlvs(Tlv(0x4242, b"").encode() * 10_000 + Tlv(7, b"x" * 65535).encode())

    assert len(tlvs) == 10_001
    assert tlvs[-1] == Tlv(7, b"x" * 65535)


@given(st.integers(min_value=0, max_value=2**2048))
def test_mpi_survives_both_ways(value: int) -> None:
    assert Reader(encode_mpi(value)).mpi() == value


@pytest.mark.hostile("G2")
@given(st.binary(max_size=64))
def test_reader_raises_nothing_but_its_own_error(data: bytes) -> None:
    reader = Reader(data)

    try:
        while True:
            reader.mpi()
            reader.data()
            reader.short()
    except OtrError:
        pass

    assert reader.position <= len(data)


@pytest.mark.hostile("G30")
@given(st.binary(max_size=200))
def test_tlv_reader_takes_anything(data: bytes) -> None:
    tlvs = read_tlvs(data)

    assert data.startswith(b"".join(tlv.encode() for tlv in tlvs))
