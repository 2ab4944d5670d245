"""Slots and regions as an attacker with a pencil would treat them."""

import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.vault import container as sealed
from coykiosk.vault.container import (
    Container,
    Damaged,
    Header,
    OpenSlot,
    PayloadTooLarge,
    WrongPassphrase,
    add_profile,
    create,
    find_slot,
    parse,
    read_payload,
    write_payload,
)

HEADER = Header(65536, bytes(range(16)))
KEY = b"K" * 32
DECOY_KEY = b"D" * 32
PAYLOAD = b"the one thing that must not be seen"
OVERHEAD = 60  # two nonces, two tags, four bytes of length
SMALL = 65536


def opened(container: Container, key: bytes = KEY) -> bytes:
    return bytes(read_payload(container, find_slot(container, key)))


def two_profiles() -> tuple[Container, OpenSlot, OpenSlot]:
    first, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    both, theirs = add_profile(first, ours, DECOY_KEY, b"harmless", os.urandom)
    return both, ours, theirs


def changed_slot(container: Container, number: int, slot: bytes) -> Container:
    slots = list(container.slots)
    slots[number] = slot
    return replace(container, slots=(slots[0], slots[1]))


def changed_region(container: Container, number: int, region: bytes) -> Container:
    regions = list(container.regions)
    regions[number] = region
    return replace(container, regions=(regions[0], regions[1]))


def flipped(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 0x40]) + data[offset + 1 :]


@pytest.mark.parametrize(
    ("length", "region_bytes"),
    [
        (0, SMALL),
        (1, SMALL),
        (SMALL - OVERHEAD, SMALL),
        (SMALL - OVERHEAD + 1, 2 * SMALL),
        (2 * SMALL - OVERHEAD, 2 * SMALL),
        (2 * SMALL, 4 * SMALL),
        (4 * 1024 * 1024 - OVERHEAD, 4 * 1024 * 1024),
    ],
)
def test_payload_comes_back_from_the_size_class_it_fits(
    length: int, region_bytes: int
) -> None:
    payload = os.urandom(length)

    made, _ = create(HEADER, KEY, payload, os.urandom)

    again = parse(made.to_bytes())
    assert opened(again) == payload
    assert [len(region) for region in again.regions] == [region_bytes] * 2


def test_create_refuses_a_payload_beyond_the_largest_class() -> None:
    payload = bytes(4 * 1024 * 1024 - OVERHEAD + 1)

    with pytest.raises(PayloadTooLarge):
        create(HEADER, KEY, payload, os.urandom)


def test_size_is_the_same_when_the_payload_is_nothing_or_almost_full() -> None:
    nothing, _ = create(HEADER, KEY, b"", os.urandom)
    almost, _ = create(HEADER, KEY, bytes(65_000), os.urandom)

    assert len(nothing.to_bytes()) == len(almost.to_bytes()) == 131_364


def test_file_never_holds_the_payload_or_a_key() -> None:
    made, slot = create(HEADER, KEY, PAYLOAD, os.urandom)

    data = made.to_bytes()

    assert PAYLOAD[:8] not in data
    assert KEY[:8] not in data
    assert bytes(slot.key[:8]) not in data


@pytest.mark.parametrize("key", [DECOY_KEY, bytes(32), flipped(KEY, 31)])
def test_find_slot_says_wrong_passphrase_when_the_key_differs(key: bytes) -> None:
    made, _ = create(HEADER, KEY, PAYLOAD, os.urandom)

    with pytest.raises(WrongPassphrase):
        find_slot(made, key)


def test_find_slot_tries_both_slots_when_the_first_one_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = create(HEADER, KEY, PAYLOAD, scripted_places(0))
    unseal = sealed._unseal
    tried: list[bytes] = []

    def counting(key: bytes, data: bytes, place: bytes) -> bytearray:
        tried.append(data)
        return unseal(key, data, place)

    monkeypatch.setattr(sealed, "_unseal", counting)
    find_slot(made, KEY)

    assert tried == list(made.slots)


def scripted_places(places: int) -> Callable[[int], bytes]:
    """Random bytes, except for the one that decides slot and region."""
    return lambda n: bytes([places]) if n == 1 else os.urandom(n)


@pytest.mark.parametrize(
    ("places", "slot", "region"), [(0, 0, 0), (1, 1, 0), (2, 0, 1), (0xFF, 1, 1)]
)
def test_create_lets_chance_decide_which_slot_and_region(
    places: int, slot: int, region: int
) -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, scripted_places(places))

    assert (ours.slot, ours.region) == (slot, region)
    assert opened(made) == PAYLOAD


def test_unused_places_look_like_used_ones() -> None:
    made, ours = create(HEADER, KEY, bytes(100), os.urandom)
    unused = made.regions[1 - ours.region]
    used = made.regions[ours.region]

    # Nothing to compress: no zeros, no padding, in neither of them.
    assert len(zlib.compress(unused, 9)) > SMALL
    assert len(zlib.compress(used, 9)) > SMALL
    assert len(made.slots[0]) == len(made.slots[1]) == 64


def test_save_draws_fresh_nonces_and_filler_for_the_same_payload() -> None:
    before, ours = create(HEADER, KEY, PAYLOAD, os.urandom)

    after = write_payload(before, ours, PAYLOAD, os.urandom)

    old, new = before.regions[ours.region], after.regions[ours.region]
    same = sum(a == b for a, b in zip(old, new, strict=True))
    assert old[:12] != new[:12]
    assert old[32:44] != new[32:44]
    assert same < SMALL // 128  # chance alone gives one in 256


def test_save_copies_the_other_place_byte_for_byte() -> None:
    both, ours, theirs = two_profiles()

    after = write_payload(both, ours, b"changed", os.urandom)

    assert after.slots == both.slots
    assert after.regions[theirs.region] == both.regions[theirs.region]
    assert opened(after) == b"changed"
    assert opened(after, DECOY_KEY) == b"harmless"


@pytest.mark.parametrize("grower", ["first", "second"])
def test_other_profile_survives_when_one_grows(grower: str) -> None:
    both, ours, theirs = two_profiles()
    grows, other = (ours, theirs) if grower == "first" else (theirs, ours)
    other_before = both.regions[other.region]

    grown = write_payload(both, grows, bytes(300_000), os.urandom)

    again = parse(grown.to_bytes())
    kept = again.regions[other.region]
    expected = {"first": b"harmless", "second": PAYLOAD}[grower]
    other_key = {"first": DECOY_KEY, "second": KEY}[grower]
    assert [len(region) for region in again.regions] == [524_288] * 2
    assert kept.startswith(other_before)
    assert len(zlib.compress(kept[SMALL:], 9)) > len(kept) - SMALL
    assert opened(again, other_key) == expected


def test_regions_never_shrink() -> None:
    both, ours, _ = two_profiles()
    grown = write_payload(both, ours, bytes(100_000), os.urandom)

    after = write_payload(grown, ours, b"small again", os.urandom)

    assert [len(region) for region in after.regions] == [131_072] * 2
    assert opened(after) == b"small again"
    assert opened(after, DECOY_KEY) == b"harmless"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 600_000)), min_size=1, max_size=6),
    st.integers(0, 3),
)
def test_both_profiles_survive_any_order_of_saves(
    saves: list[tuple[bool, int]], places: int
) -> None:
    first, ours = create(HEADER, KEY, b"a", scripted_places(places))
    container, theirs = add_profile(first, ours, DECOY_KEY, b"b", os.urandom)
    expected = {KEY: b"a", DECOY_KEY: b"b"}

    for number, (is_ours, length) in enumerate(saves):
        payload = bytes([number]) * length
        slot, key = (ours, KEY) if is_ours else (theirs, DECOY_KEY)
        container = write_payload(container, slot, payload, os.urandom)
        expected[key] = payload

    again = parse(container.to_bytes())
    assert {key: opened(again, key) for key in expected} == expected


def test_add_profile_refuses_a_key_that_opens_already() -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)

    with pytest.raises(ValueError, match="already"):
        add_profile(made, ours, KEY, b"", os.urandom)


def test_add_profile_looks_no_different_from_outside() -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)

    both, _ = add_profile(made, ours, DECOY_KEY, b"", os.urandom)

    assert len(both.to_bytes()) == len(made.to_bytes())
    assert both.slots[ours.slot] == made.slots[ours.slot]
    assert both.regions[ours.region] == made.regions[ours.region]


@pytest.mark.parametrize("offset", range(64))
def test_changed_slot_opens_nothing_when_checksums_are_recomputed(offset: int) -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    slot = flipped(made.slots[ours.slot], offset)

    forged = parse(changed_slot(made, ours.slot, slot).to_bytes())

    with pytest.raises(WrongPassphrase):
        find_slot(forged, KEY)


@pytest.mark.parametrize("offset", range(OVERHEAD + len(PAYLOAD)))
def test_changed_region_is_damaged_when_checksums_are_recomputed(offset: int) -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    region = flipped(made.regions[ours.region], offset)

    forged = parse(changed_region(made, ours.region, region).to_bytes())

    with pytest.raises(Damaged):
        opened(forged)


@pytest.mark.parametrize("offset", [OVERHEAD + len(PAYLOAD), 5000, SMALL - 1])
def test_changed_filler_changes_nothing(offset: int) -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    region = flipped(made.regions[ours.region], offset)

    forged = parse(changed_region(made, ours.region, region).to_bytes())

    assert opened(forged) == PAYLOAD


def test_swapped_slots_open_nothing() -> None:
    both, _, _ = two_profiles()

    forged = replace(both, slots=both.slots[::-1])

    with pytest.raises(WrongPassphrase):
        find_slot(forged, KEY)


def test_swapped_regions_are_damaged() -> None:
    both, _, _ = two_profiles()

    forged = replace(both, regions=both.regions[::-1])

    with pytest.raises(Damaged):
        opened(forged)


def test_region_of_the_other_profile_is_damaged_in_our_place() -> None:
    both, ours, theirs = two_profiles()

    forged = changed_region(both, ours.region, both.regions[theirs.region])

    with pytest.raises(Damaged):
        opened(forged)


def test_head_of_one_save_does_not_fit_the_body_of_another() -> None:
    before, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    after = write_payload(before, ours, PAYLOAD, os.urandom)
    head = before.regions[ours.region][:32]
    body = after.regions[ours.region][32:]

    forged = changed_region(after, ours.region, head + body)

    with pytest.raises(Damaged):
        opened(forged)


def test_region_cut_inside_its_payload_is_damaged() -> None:
    made, ours = create(HEADER, KEY, bytes(100_000), os.urandom)
    cut = (made.regions[0][:SMALL], made.regions[1][:SMALL])

    forged = parse(replace(made, regions=cut).to_bytes())

    with pytest.raises(Damaged):
        read_payload(forged, ours)


@pytest.mark.parametrize(
    "header", [Header(65537, HEADER.salt), Header(65536, bytes(16))], ids=str
)
def test_other_header_opens_nothing_with_the_same_key(header: Header) -> None:
    made, _ = create(HEADER, KEY, PAYLOAD, os.urandom)

    forged = parse(replace(made, header=header).to_bytes())

    with pytest.raises(WrongPassphrase):
        find_slot(forged, KEY)


@pytest.mark.parametrize("number", [2, 7, 0xFFFFFFFF])
def test_slot_with_an_impossible_region_is_damaged(number: int) -> None:
    made, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    place = sealed._place_data(HEADER.encode(), b"slot", ours.slot)
    slot = sealed._seal(KEY, number.to_bytes(4) + bytes(32), place, os.urandom)

    with pytest.raises(Damaged):
        find_slot(changed_slot(made, ours.slot, slot), KEY)


def test_wipe_leaves_zeros_where_the_key_was() -> None:
    _, ours = create(HEADER, KEY, PAYLOAD, os.urandom)
    key = ours.key

    ours.wipe()

    assert key == bytearray(32)


def test_repr_of_an_open_slot_shows_nothing() -> None:
    stream = cycle(b"SECRET")

    _, ours = create(
        HEADER, KEY, PAYLOAD, lambda n: bytes(next(stream) for _ in range(n))
    )

    assert repr(ours) == "OpenSlot(…)"
    assert bytes(ours.key[:6]) not in repr(ours).encode()
