"""Key rotation: which keys encrypt, which still open, which are made public.

Rule: a message is checked in full before anything changes (at most the keys of a pair
it names are derived). A MAC key is published
only after the key it came from is gone, so that nothing is ever accepted under a
key that others can know. Keys of a pair are derived when a message first names
the pair, and only then: one exponentiation each.

We hold our newest key (number our_keyid, announced in each message) and the one
before it; of theirs, the newest we know of and the one before it. We send under
(our_keyid - 1, their_keyid), and accept the four pairs of what we hold.

Source: OTRv3, "Data Message", "Key Management" and "Revealing MAC keys". A key that
has vouched for nothing has nothing to deny, and is not published.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from coykiosk.otr.ake_states import Agreement
from coykiosk.otr.events import RemoteError
from coykiosk.otr.messages import DataHead, DataMessage
from coykiosk.otr.primitives import (
    AES_KEY_BYTES,
    COUNTER_BYTES,
    DhKeyPair,
    RandomBytes,
    aes_ctr,
    check_equal,
    check_public_value,
    hmac_sha1,
    sha1,
    sha256,
)
from coykiosk.otr.wire import encode_mpi

# Who takes a new key of ours into use with each of its own, as every client does,
# never comes to the second. With these two bounds no pair of keys ever comes back.
_MAX_THEIR_TURNS: Final = 3
_MAX_PAST: Final = 2 * _MAX_THEIR_TURNS + 2
_MAX_KEYID: Final = 0xFFFFFFFF
# Somebody who sends and never listens makes us keep MAC keys to publish; past
# this many the oldest stays unpublished, which costs deniability and nothing else.
_MAX_QUEUED_MAC_KEYS: Final = 512


@dataclass(slots=True, repr=False)
class PairKeys:
    """The keys of one pair (our keyid, their keyid), and how far they are used."""

    send_aes: bytearray
    send_mac: bytearray
    receive_aes: bytearray
    receive_mac: bytearray
    extra: bytearray
    """The extra symmetric key, 32 bytes: for uses beside messages."""
    send_counter: int = 0
    receive_counter: int = 0
    has_received: bool = False

    def wipe(self) -> None:
        """Overwrite the keys."""
        for key in (
            *(self.send_aes, self.send_mac, self.receive_aes, self.receive_mac),
            self.extra,
        ):
            key[:] = bytes(len(key))


def derive_pair(shared: int, *, we_are_high: bool) -> PairKeys:
    """Derive the keys of one pair of Diffie-Hellman keys.

    Args:
        shared: s, an integer in [2, p-2].
        we_are_high: True when our public key is the greater number.

    Source: OTRv3, "Computing AES keys, MAC keys, and the extra symmetric key".
    """
    sec_bytes = encode_mpi(shared)
    high = bytearray(sha1(b"\x01" + sec_bytes)[:AES_KEY_BYTES])
    low = bytearray(sha1(b"\x02" + sec_bytes)[:AES_KEY_BYTES])
    send, receive = (high, low) if we_are_high else (low, high)
    return PairKeys(
        send,
        bytearray(sha1(send)),
        receive,
        bytearray(sha1(receive)),
        bytearray(sha256(b"\xff" + sec_bytes)),
    )


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What a data message held."""

    plaintext: bytes
    extra_key: bytes
    """The extra symmetric key of the pair it was sent under, 32 bytes."""


class Ratchet:
    """The changing keys of one encrypted session."""

    def __init__(self, agreement: Agreement, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes
        self._our_previous = agreement.our_key
        self._our_current = DhKeyPair.draw(random_bytes)
        self._our_keyid = 2
        self._their_current = agreement.their_public
        self._their_previous: int | None = None
        self._their_past: deque[int] = deque(maxlen=_MAX_PAST)
        self._n_their_turns = 0
        """How often their key changed since ours did."""
        self._their_keyid = agreement.their_keyid
        self._to_publish: deque[bytes] = deque(maxlen=_MAX_QUEUED_MAC_KEYS)
        # The first pair is the key exchange's own: do not exponentiate again.
        first = derive_pair(
            agreement.shared,
            we_are_high=agreement.our_key.public > agreement.their_public,
        )
        self._pairs = {(1, agreement.their_keyid): first}

    def inherit(self, mac_keys: list[bytes]) -> None:
        """Publish these keys of the session before with our next message."""
        self._to_publish.extend(mac_keys)

    def seal(
        self, plaintext: bytes, *, flags: int, sender_tag: int, receiver_tag: int
    ) -> DataMessage:
        """Encrypt one message under the newest pair both ends know."""
        keys = self._pair(self._our_keyid - 1, self._their_keyid)
        keys.send_counter += 1
        top_half = keys.send_counter.to_bytes(COUNTER_BYTES, "big")
        head = DataHead(
            sender_tag=sender_tag,
            receiver_tag=receiver_tag,
            flags=flags,
            sender_keyid=self._our_keyid - 1,
            recipient_keyid=self._their_keyid,
            next_y=self._our_current.public,
            counter=keys.send_counter,
            encrypted=aes_ctr(keys.send_aes, plaintext, top_half=top_half),
        )
        authenticated = head.encode()
        old_mac_keys = b"".join(self._to_publish)
        self._to_publish.clear()
        mac = hmac_sha1(keys.send_mac, authenticated)
        return DataMessage(head, authenticated, mac, old_mac_keys)

    @property
    def extra_key(self) -> bytes:
        """The extra symmetric key that goes with what `seal` returns next."""
        return bytes(self._pair(self._our_keyid - 1, self._their_keyid).extra)

    def open(self, message: DataMessage) -> Opened:
        """Check and decrypt one message; then rotate keys as it tells.

        Raises:
            RemoteError: keys we do not hold, forged, replayed, or a bad next key;
                nothing changed.

        Source: OTRv3, "Receiving a Data Message" and "Key Management".
        """
        head = message.head
        self._check_keyids(head)
        if head.next_y != self._their_current:  # which was checked when it came
            check_public_value(head.next_y)
        keys = self._pair(head.recipient_keyid, head.sender_keyid)
        check_equal(
            message.mac, hmac_sha1(keys.receive_mac, message.authenticated), "mac"
        )
        if head.counter <= keys.receive_counter:
            msg = "counter did not grow"
            raise RemoteError(msg)
        if head.sender_keyid == self._their_keyid:
            self._check_next_key(head)
        top_half = head.counter.to_bytes(COUNTER_BYTES, "big")
        plaintext = aes_ctr(keys.receive_aes, head.encrypted, top_half=top_half)
        opened = Opened(plaintext, bytes(keys.extra))
        keys.receive_counter = head.counter
        keys.has_received = True
        # Order matters to nobody's security; but libotr publishes ours before theirs,
        # and so recorded transcripts stay equal.
        if head.recipient_keyid == self._our_keyid:
            self._rotate_ours()
        if head.sender_keyid == self._their_keyid:
            self._rotate_theirs(head.next_y)
        return opened

    def retire(self) -> list[bytes]:
        """Wipe every key; returns the MAC keys that may now be published."""
        published = list(self._to_publish)
        for keys in self._pairs.values():
            if keys.has_received:
                published.append(bytes(keys.receive_mac))
            keys.wipe()
        self._pairs.clear()
        self._our_previous.wipe()
        self._our_current.wipe()
        return published

    def _check_keyids(self, head: DataHead) -> None:
        ours, theirs = head.recipient_keyid, head.sender_keyid
        known = (
            ours in {self._our_keyid, self._our_keyid - 1}
            and theirs in {self._their_keyid, self._their_keyid - 1}
            and (theirs == self._their_keyid or self._their_previous is not None)
        )
        if not known:
            msg = f"keyids {ours} of ours and {theirs} of theirs"
            raise RemoteError(msg)

    def _check_next_key(self, head: DataHead) -> None:
        """Refuse a rotation that would bring back keys already used.

        The same Diffie-Hellman keys under a new number give the same AES and MAC
        keys with counters from 1 again: a repeated key stream, and a MAC key that
        may have been published.
        """
        known = {
            *self._their_past,
            self._their_current,
            self._our_current.public,
            self._our_previous.public,
        }
        is_ours_used = head.recipient_keyid == self._our_keyid
        turns_left = is_ours_used or self._n_their_turns < _MAX_THEIR_TURNS
        if head.next_y in known or self._their_keyid == _MAX_KEYID or not turns_left:
            msg = f"no new key after keyid {self._their_keyid}"
            raise RemoteError(msg)

    def _pair(self, our_keyid: int, their_keyid: int) -> PairKeys:
        keys = self._pairs.get((our_keyid, their_keyid))
        if keys is not None:
            return keys
        is_current = our_keyid == self._our_keyid
        ours = self._our_current if is_current else self._our_previous
        is_current = their_keyid == self._their_keyid
        theirs = self._their_current if is_current else self._their_previous
        assert theirs is not None, "keyids were checked"
        keys = derive_pair(ours.shared_secret(theirs), we_are_high=ours.public > theirs)
        self._pairs[our_keyid, their_keyid] = keys
        return keys

    def _rotate_ours(self) -> None:
        """Drop our older key: the other end has used the newer one."""
        for their_keyid in (self._their_keyid, self._their_keyid - 1):
            self._drop_pair(self._our_keyid - 1, their_keyid)
        self._our_previous.wipe()
        self._our_previous = self._our_current
        self._our_current = DhKeyPair.draw(self._random_bytes)
        self._our_keyid += 1
        self._n_their_turns = 0

    def _rotate_theirs(self, next_y: int) -> None:
        """Drop their older key: they have announced one after the newest."""
        for our_keyid in (self._our_keyid, self._our_keyid - 1):
            self._drop_pair(our_keyid, self._their_keyid - 1)
        self._their_past.append(self._their_current)
        self._their_previous = self._their_current
        self._their_current = next_y
        self._their_keyid += 1
        self._n_their_turns += 1

    def _drop_pair(self, our_keyid: int, their_keyid: int) -> None:
        keys = self._pairs.pop((our_keyid, their_keyid), None)
        if keys is None:
            return
        if keys.has_received:
            self._to_publish.append(bytes(keys.receive_mac))
        keys.wipe()
