"""Data messages under attack: replay, forgery, strange keys, published MAC keys."""

import dataclasses
import hmac

import pytest

from coykiosk.otr import (
    LocalError,
    MessageState,
    Received,
    RemoteError,
    Unreadable,
)
from coykiosk.otr.framing import armour
from coykiosk.otr.messages import DataHead, DataMessage, decode
from coykiosk.otr.primitives import (
    DhKeyPair,
    Exponent,
    P,
    aes_ctr,
    check_equal,
    hmac_sha1,
)
from coykiosk.otr.ratchet import Ratchet
from coykiosk.otr.wire import encode_data
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.watching import REFUSED
from tests.otr.wiring import (
    TAGS,
    Pair,
    injected,
    message_of,
    ratchet_of,
    raw_of,
    recorded_key,
    redrawable,
    text_of,
    told,
)

ALICE_FP = recorded_key("alice").fingerprint


def data_of(text: str) -> DataMessage:
    message = message_of(text)
    assert isinstance(message, DataMessage)
    return message


def agreed() -> Pair:
    pair = Pair()
    pair.agree()
    return pair


def send(pair: Pair, text: str = "hello") -> str:
    (sent,) = injected(pair.alice.send(text, 0))
    return sent


def rebuilt(pair: Pair, head: DataHead, *, old_mac_keys: bytes = b"") -> str:
    """A message with this head and the MAC that Alice would put on it.

    What an authenticated but hostile peer can do, whatever its own state.
    """
    ratchet = ratchet_of(pair.alice, TAGS["bob"])
    keys = ratchet._pair(ratchet._our_keyid - 1, ratchet._their_keyid)
    authenticated = head.encode()
    mac = hmac_sha1(keys.send_mac, authenticated)
    return text_of(DataMessage(head, authenticated, mac, old_mac_keys))


def snapshot(ratchet: Ratchet) -> tuple[object, ...]:
    """All that a refused message must leave alone."""
    return (
        ratchet._our_keyid,
        ratchet._their_keyid,
        ratchet._our_current.public,
        ratchet._our_previous.public,
        ratchet._their_current,
        ratchet._their_previous,
        list(ratchet._to_publish),
        {
            pair: (keys.receive_counter, keys.has_received, keys.send_counter)
            for pair, keys in ratchet._pairs.items()
            if keys.has_received or keys.send_counter
        },
    )


# --- replay and order ---------------------------------------------------------------


@pytest.mark.hostile("G19")
def test_message_that_comes_again_is_left_out_without_a_word() -> None:
    """A server delivers it twice after a broken stream: nothing was lost."""
    pair = agreed()
    text = send(pair)
    pair.bob.receive(text, 0)
    before = snapshot(ratchet_of(pair.bob, TAGS["alice"]))

    assert pair.bob.receive(text, 0) == []
    assert snapshot(ratchet_of(pair.bob, TAGS["alice"])) == before


@pytest.mark.hostile("G19")
@pytest.mark.parametrize("since", ["keys rotated", "keys renewed", "ended"])
def test_message_that_comes_again_later_is_left_out_too(since: str) -> None:
    pair = agreed()
    text = send(pair)
    pair.bob.receive(text, 0)
    if since == "keys rotated":
        for _ in range(3):
            pair.carry(pair.bob, pair.bob.send("an answer", 0))
            pair.carry(pair.alice, pair.alice.send("and back", 0))
    elif since == "keys renewed":
        pair.agree()
    else:
        pair.carry(pair.alice, pair.alice.end(0))

    assert pair.bob.receive(text, 0) == []


@pytest.mark.hostile("G19")
def test_message_that_comes_again_after_very_many_others_is_refused() -> None:
    pair = agreed()
    text = send(pair)
    for each in (text, *(send(pair) for _ in range(64))):
        pair.bob.receive(each, 0)

    assert pair.bob.receive(text, 0) == REFUSED


@pytest.mark.hostile("G19")
def test_older_message_is_refused_after_a_newer_one() -> None:
    pair = agreed()
    first, second = send(pair, "1"), send(pair, "2")

    outputs = [pair.bob.receive(text, 0) for text in (second, first)]

    assert outputs == [[Received("2", ALICE_FP)], REFUSED]


def test_message_is_read_after_one_was_lost() -> None:
    pair = agreed()
    send(pair, "lost")

    assert pair.bob.receive(send(pair, "read"), 0) == [Received("read", ALICE_FP)]


@pytest.mark.hostile("G19")
@pytest.mark.parametrize("counter", [0, 1, 2], ids=["zero", "lower", "equal"])
def test_counter_must_grow_even_when_the_mac_is_right(counter: int) -> None:
    pair = agreed()
    pair.bob.receive(send(pair), 0)
    last = data_of(send(pair))
    pair.bob.receive(text_of(last), 0)

    head = dataclasses.replace(last.head, counter=counter, encrypted=b"another")
    forged = rebuilt(pair, head)

    assert pair.bob.receive(forged, 0) == REFUSED


@pytest.mark.hostile("G19")
def test_counter_at_its_end_is_taken_once() -> None:
    pair = agreed()
    head = dataclasses.replace(data_of(send(pair)).head, counter=2**64 - 1)
    other = dataclasses.replace(head, encrypted=b"another")

    first = pair.bob.receive(rebuilt(pair, head), 0)
    again = pair.bob.receive(rebuilt(pair, other), 0)

    assert len(told(first)) == 1
    assert isinstance(first[0], Received)
    assert again == REFUSED


@pytest.mark.hostile("G19")
def test_message_of_an_ended_session_is_refused_after_a_new_one() -> None:
    pair = agreed()
    text = send(pair)
    pair.agree()

    assert pair.bob.receive(text, 0) == REFUSED


# --- forgery ------------------------------------------------------------------------


@pytest.mark.hostile("G3", "G21")
def test_message_with_any_flipped_byte_is_refused_and_changes_nothing() -> None:
    pair = agreed()
    raw = raw_of(send(pair))
    ratchet = ratchet_of(pair.bob, TAGS["alice"])
    before = snapshot(ratchet)
    n_unauthenticated = 4  # the empty list of published MAC keys
    received = []

    for position in range(len(raw) - n_unauthenticated):
        damaged = bytearray(raw)
        damaged[position] ^= 0x40
        received += pair.bob.receive(armour(bytes(damaged)), 0)

    assert not any(isinstance(output, Received) for output in received)
    assert snapshot(ratchet) == before
    assert pair.bob.receive(armour(raw), 0) == [Received("hello", ALICE_FP)]


@pytest.mark.hostile("G3")
def test_message_cut_anywhere_is_refused_and_changes_nothing() -> None:
    pair = agreed()
    raw = raw_of(send(pair))
    before = snapshot(ratchet_of(pair.bob, TAGS["alice"]))

    outputs = [pair.bob.receive(armour(raw[:n]), 0) for n in range(len(raw))]

    assert all(output[0] == Unreadable() for output in outputs)
    assert snapshot(ratchet_of(pair.bob, TAGS["alice"])) == before


@pytest.mark.hostile("G3")
def test_message_with_bytes_after_it_is_refused() -> None:
    pair = agreed()

    assert pair.bob.receive(armour(raw_of(send(pair)) + b"\0"), 0) == REFUSED


@pytest.mark.hostile("G2")
@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 193])
def test_message_with_a_huge_length_is_refused(length: int) -> None:
    pair = agreed()
    raw = bytearray(raw_of(send(pair)))
    raw[20:24] = length.to_bytes(4, "big")  # the length of next_y

    assert pair.bob.receive(armour(bytes(raw)), 0) == REFUSED


@pytest.mark.hostile("G23")
def test_forged_message_with_flag_1_is_silent_and_changes_nothing() -> None:
    pair = agreed()
    raw = bytearray(raw_of(send(pair)))
    raw[11] = 1
    before = snapshot(ratchet_of(pair.bob, TAGS["alice"]))

    assert pair.bob.receive(armour(bytes(raw)), 0) == []
    assert snapshot(ratchet_of(pair.bob, TAGS["alice"])) == before


@pytest.mark.hostile("G29")
def test_error_lines_of_ours_are_few_in_a_flood() -> None:
    pair = agreed()
    text, newer = send(pair), send(pair)
    pair.bob.receive(newer, 0)

    outputs = [pair.bob.receive(text, n / 1000) for n in range(1000)]

    assert sum(len(injected(output)) for output in outputs) == 4
    assert sum(len(told(output)) for output in outputs) == 1000


@pytest.mark.hostile("G21")
def test_check_equal_uses_compare_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hmac.compare_digest

    def watch(left: bytes, right: bytes) -> bool:
        compared.append(len(left))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watch)

    with pytest.raises(RemoteError, match="mac does not match"):
        check_equal(b"x" * 20, b"y" * 20, "mac")

    assert compared == [20]


# --- keyids and next keys -----------------------------------------------------------


@pytest.mark.hostile("G20")
@pytest.mark.parametrize(
    ("sender_keyid", "recipient_keyid"),
    [(0, 1), (1, 0), (2, 1), (1, 3), (3, 1), (0, 0), (2**32 - 1, 1), (1, 2**32 - 1)],
)
def test_message_for_keys_we_do_not_hold_is_refused(
    sender_keyid: int, recipient_keyid: int
) -> None:
    pair = agreed()
    head = dataclasses.replace(
        data_of(send(pair)).head,
        sender_keyid=sender_keyid,
        recipient_keyid=recipient_keyid,
    )

    assert pair.bob.receive(rebuilt(pair, head), 0) == REFUSED


@pytest.mark.hostile("G20")
def test_message_for_a_dropped_key_is_refused() -> None:
    pair = agreed()
    old = send(pair)  # keyids 1, 1
    for _ in range(3):
        pair.carry(pair.alice, pair.alice.send("x", 0))
        pair.carry(pair.bob, pair.bob.send("y", 0))

    assert pair.bob.receive(old, 0) == REFUSED


@pytest.mark.hostile("G20")
def test_late_message_under_the_previous_keys_is_read() -> None:
    pair = agreed()
    pair.carry(pair.alice, pair.alice.send("1", 0))
    late = send(pair, "late")
    pair.carry(pair.bob, pair.bob.send("2", 0))
    newer = send(pair, "newer")

    outputs = [pair.bob.receive(text, 0) for text in (newer, late)]

    # The late one names a key of Bob's that the newer one made him drop.
    assert outputs == [[Received("newer", ALICE_FP)], REFUSED]


def test_messages_that_crossed_are_both_read() -> None:
    pair = agreed()
    for n in range(10):
        from_alice = injected(pair.alice.send(f"a{n}", 0))
        from_bob = injected(pair.bob.send(f"b{n}", 0))
        to_alice = pair.alice.receive(from_bob[0], 0)
        to_bob = pair.bob.receive(from_alice[0], 0)

        assert isinstance(to_alice[0], Received)
        assert to_bob == [Received(f"a{n}", ALICE_FP)]


@pytest.mark.hostile("G24")
@pytest.mark.parametrize("next_y", [0, 1, P - 1, P, P + 1])
def test_next_key_out_of_the_group_is_refused(next_y: int) -> None:
    pair = agreed()
    head = dataclasses.replace(data_of(send(pair)).head, next_y=next_y)

    assert pair.bob.receive(rebuilt(pair, head), 0) == REFUSED
    assert pair.bob.receive(send(pair), 0) == [Received("hello", ALICE_FP)]


@pytest.mark.hostile("G24")
@pytest.mark.parametrize("whose", ["theirs again", "ours", "our next"])
def test_next_key_that_is_known_already_is_refused(whose: str) -> None:
    """The same keys under a new number would repeat a key stream."""
    pair = agreed()
    bobs = ratchet_of(pair.bob, TAGS["alice"])
    next_y = {
        "theirs again": bobs._their_current,
        "ours": bobs._our_previous.public,
        "our next": bobs._our_current.public,
    }[whose]
    head = dataclasses.replace(data_of(send(pair)).head, next_y=next_y)

    assert pair.bob.receive(rebuilt(pair, head), 0) == REFUSED


@pytest.mark.hostile("G20")
def test_keyid_of_theirs_cannot_wrap() -> None:
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    pair.alice.receive(text_of(mallory.reveal_sig(keyid=2**32 - 1)), 0)
    ratchet = ratchet_of(pair.alice, TAGS["bob"])
    keys = ratchet._pair(1, 2**32 - 1)
    head = DataHead(
        sender_tag=TAGS["bob"],
        receiver_tag=TAGS["alice"],
        flags=0,
        sender_keyid=2**32 - 1,
        recipient_keyid=1,
        next_y=DhKeyPair.draw(redrawable("next")).public,
        counter=1,
        encrypted=aes_ctr(keys.receive_aes, b"hi\0", top_half=b"\0" * 7 + b"\1"),
    )
    mac = hmac_sha1(keys.receive_mac, head.encode())

    outputs = pair.alice.receive(text_of(DataMessage(head, head.encode(), mac, b"")), 0)

    assert outputs == REFUSED


@pytest.mark.hostile("G20")
def test_message_under_a_key_before_their_first_is_refused() -> None:
    """Their first keyid need not be 1, but there is none before it."""
    pair = Pair()
    mallory = ForgedBob(pair.alice)
    mallory.send_commit()
    pair.alice.receive(text_of(mallory.reveal_sig(keyid=5)), 0)
    head = DataHead(TAGS["bob"], TAGS["alice"], 0, 4, 1, 12345, 1, b"x")
    message = DataMessage(head, head.encode(), bytes(20), b"")

    assert pair.alice.receive(text_of(message), 0) == REFUSED


# --- published MAC keys -------------------------------------------------------------


@pytest.mark.hostile("G22")
def test_mac_key_is_published_only_when_nothing_is_accepted_under_it() -> None:
    pair = agreed()
    published: set[bytes] = set()

    for _ in range(10):
        for end, other, tag in (
            (pair.alice, pair.bob, "bob"),
            (pair.bob, pair.alice, "alice"),
        ):
            (text,) = injected(end.send("x", 0))
            old = data_of(text).old_mac_keys
            published |= {old[at : at + 20] for at in range(0, len(old), 20)}
            for ratchet in (
                ratchet_of(end, TAGS[tag]),
                ratchet_of(other, TAGS["alice" if tag == "bob" else "bob"]),
            ):
                accepted = {bytes(keys.receive_mac) for keys in ratchet._pairs.values()}
                assert not accepted & published
            other.receive(text, 0)

    assert len(published) >= 15


@pytest.mark.hostile("G22")
def test_message_forged_with_a_published_mac_key_is_refused() -> None:
    pair = agreed()
    captured = data_of(send(pair, "first"))
    pair.bob.receive(text_of(captured), 0)
    published = b""
    while not published:
        pair.carry(pair.bob, pair.bob.send("y", 0))
        pair.carry(pair.alice, pair.alice.send("x", 0))
        (text,) = injected(pair.bob.send("z", 0))
        published = data_of(text).old_mac_keys

    head = dataclasses.replace(captured.head, counter=9)
    mac = hmac_sha1(published[:20], head.encode())
    forged = DataMessage(head, head.encode(), mac, b"")

    assert pair.bob.receive(text_of(forged), 0) == REFUSED


def test_mac_keys_are_published_in_the_order_of_libotr() -> None:
    pair = agreed()
    for _ in range(2):
        pair.carry(pair.alice, pair.alice.send("x", 0))
        pair.carry(pair.bob, pair.bob.send("y", 0))
    ratchet = ratchet_of(pair.bob, TAGS["alice"])
    ratchet._to_publish.clear()
    ours, theirs = ratchet._our_keyid, ratchet._their_keyid
    keys = {}
    for pair_ids in ((ours, theirs - 1), (ours - 1, theirs), (ours - 1, theirs - 1)):
        pair_keys = ratchet._pair(*pair_ids)
        pair_keys.has_received = True
        keys[pair_ids] = bytes(pair_keys.receive_mac)

    ratchet._rotate_ours()
    ratchet._rotate_theirs(12345)

    assert list(ratchet._to_publish) == [
        keys[ours - 1, theirs],
        keys[ours - 1, theirs - 1],
        keys[ours, theirs - 1],
    ]


@pytest.mark.hostile("G40")
def test_keys_are_wiped_when_they_are_dropped() -> None:
    pair = agreed()
    ratchet = ratchet_of(pair.bob, TAGS["alice"])
    pair.carry(pair.alice, pair.alice.send("x", 0))
    first = ratchet._pairs[1, 1]
    private = ratchet._our_previous._private._bytes

    for _ in range(2):
        pair.carry(pair.bob, pair.bob.send("y", 0))
        pair.carry(pair.alice, pair.alice.send("x", 0))

    assert not any(first.receive_aes + first.receive_mac)
    assert not any(first.send_aes + first.send_mac)
    assert not any(private)


def test_mac_keys_are_published_once() -> None:
    pair = agreed()
    lists = []

    for _ in range(6):
        for end, other in ((pair.alice, pair.bob), (pair.bob, pair.alice)):
            (text,) = injected(end.send("x", 0))
            lists.append(data_of(text).old_mac_keys)
            other.receive(text, 0)

    keys = [old[at : at + 20] for old in lists for at in range(0, len(old), 20)]
    assert len(keys) == len(set(keys)) > 0


def test_mac_keys_of_a_replaced_session_are_published_in_the_next() -> None:
    pair = agreed()
    pair.carry(pair.alice, pair.alice.send("x", 0))
    bobs = ratchet_of(pair.bob, TAGS["alice"])
    used = bytes(bobs._pairs[1, 1].receive_mac)

    pair.agree()
    (text,) = injected(pair.bob.send("y", 0))

    assert used in data_of(text).old_mac_keys


@pytest.mark.hostile("G22")
def test_mac_keys_to_publish_do_not_pile_up_without_end() -> None:
    pair = agreed()
    ratchet = ratchet_of(pair.bob, TAGS["alice"])

    ratchet.inherit([n.to_bytes(20, "big") for n in range(2000)])

    assert len(data_of(text_of(_sealed(pair, ratchet))).old_mac_keys) == 512 * 20


def _sealed(pair: Pair, ratchet: Ratchet) -> DataMessage:
    return ratchet.seal(
        b"x\0", flags=0, sender_tag=TAGS["bob"], receiver_tag=TAGS["alice"]
    )


def test_any_list_of_published_keys_is_taken_from_the_other_end() -> None:
    """It is not covered by the MAC, and nothing hangs on it."""
    pair = agreed()
    text = rebuilt(pair, data_of(send(pair)).head, old_mac_keys=b"odd length")

    assert pair.bob.receive(text, 0) == [Received("hello", ALICE_FP)]


# --- work ---------------------------------------------------------------------------


@pytest.fixture
def powers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each exponentiation under a secret exponent."""
    counted: list[int] = []
    real = Exponent.raised_from

    def count(key: Exponent, base: int) -> int:
        counted.append(base)
        return real(key, base)

    monkeypatch.setattr(Exponent, "raised_from", count)
    return counted


def test_same_direction_costs_no_exponentiation(powers: list[int]) -> None:
    pair = agreed()
    pair.carry(pair.alice, pair.alice.send("first", 0))
    powers.clear()

    for _ in range(5):
        pair.carry(pair.alice, pair.alice.send("x", 0))

    assert powers == []


def test_turn_costs_each_end_one_key_and_two_pairs(powers: list[int]) -> None:
    pair = agreed()
    for _ in range(3):
        pair.carry(pair.alice, pair.alice.send("x", 0))
        pair.carry(pair.bob, pair.bob.send("y", 0))
    powers.clear()

    pair.carry(pair.alice, pair.alice.send("x", 0))
    pair.carry(pair.bob, pair.bob.send("y", 0))

    assert len(powers) == 2 * (1 + 2)


@pytest.mark.hostile("G18")
def test_forged_keyids_cost_one_exponentiation_a_pair(powers: list[int]) -> None:
    pair = agreed()
    pair.carry(pair.alice, pair.alice.send("x", 0))
    head = data_of(send(pair)).head
    powers.clear()

    for n in range(100):
        forged = dataclasses.replace(head, sender_keyid=1 + n % 2, recipient_keyid=2)
        raw = forged.encode() + bytes(20) + encode_data(b"")
        assert isinstance(decode(raw), DataMessage)
        pair.bob.receive(armour(raw), 0)

    assert len(powers) == 2


def test_engine_refuses_to_seal_without_a_session() -> None:
    pair = agreed()
    engine = pair.alice._engines.best()
    assert engine is not None
    engine.end(0)

    with pytest.raises(LocalError, match="plaintext"):
        engine.send("x", 0)

    assert engine.message_state is MessageState.PLAINTEXT
