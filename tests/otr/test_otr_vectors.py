"""Recorded transcripts of two libotr 4.1.1 ends, reproduced byte by byte."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from coykiosk.otr import (
    EndedByPeer,
    ExtraKey,
    Instances,
    Output,
    PrivateKey,
    Received,
    Secured,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    payload,
)
from coykiosk.otr import framing as framing_module
from coykiosk.otr.dsa import PublicKey, _reduce
from coykiosk.otr.framing import Binary, Fragment, armour, read, split
from coykiosk.otr.messages import DataMessage, decode
from coykiosk.otr.primitives import DhKeyPair
from coykiosk.otr.proof import derive_secrets
from coykiosk.otr.ratchet import derive_pair
from coykiosk.otr.wire import Reader, encode_mpi
from tests.otr.wiring import (
    TAGS,
    VECTORS,
    engine_of,
    fixed_then,
    injected,
    message_of,
    ratchet_of,
    raw_of,
    recorded_key,
    redrawable,
)

SECTIONS = (
    "ake",
    "data",
    "smp_success",
    "smp_question_failure",
    "extrakey",
    "fragments",
    "end",
)
DERIVED = VECTORS["ake"]["derived"]
NAMES = ("alice", "bob")


def unhex(value: str) -> bytes:
    return bytes.fromhex(value)


def mpi_of(value: str) -> int:
    """A recorded number, which may be written with libgcrypt's sign byte."""
    return int(value, 16)


def other(name: str) -> str:
    return "bob" if name == "alice" else "alice"


class Transcript:
    """Our two ends, drawing what the recorded ends drew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        signatures = {
            unhex(DERIVED[part]["M"]): unhex(DERIVED[part]["signature"])
            for part in ("revealsig", "sig")
        }
        # A wrong M is a KeyError: what is signed is compared, too.
        monkeypatch.setattr(PrivateKey, "sign", lambda _key, digest: signatures[digest])
        self.ends = {name: self._end(name) for name in NAMES}

    @staticmethod
    def _end(name: str) -> Instances:
        drawn = b"".join(
            unhex(value)
            for section in SECTIONS
            for step in VECTORS[section]["steps"]
            if step["peer"] == name
            for value in step["random"]
        )
        source = fixed_then(drawn, redrawable("past the transcript"))
        return Instances(recorded_key(name), TAGS[name], source)

    def agree(self) -> list[str]:
        """Run the recorded exchange; returns what our ends sent."""
        sent = []
        for step in VECTORS["ake"]["steps"]:
            outputs = self.ends[step["peer"]].receive(step["in"], 0)
            sent += injected(outputs)
        return sent

    def play(self, step: dict[str, Any]) -> list[Output]:
        """Do what the recorded end did."""
        end, args = self.ends[step["peer"]], step.get("args", [])
        match step["cmd"]:
            case "recv":
                outputs = end.receive(step["in"], 0)
            case "send":
                outputs = end.send(args[0], 0)
            case "smp":
                question = args[1] if len(args) > 1 else None
                outputs = end.smp_start(args[0], 0, question=question)
            case "smp-reply":
                outputs = end.smp_answer(args[0], 0)
            case "extrakey":
                data = base64.b64decode(args[1])
                _key, outputs = end.use_extra_key(int(args[0], 16), 0, data=data)
            case "end":
                outputs = end.end(0)
            case command:
                assert command == "heartbeat"
                engine = engine_of(end, TAGS[other(step["peer"])])
                outputs = engine._seal(payload.pack(b""), 0, flags=0)
        return outputs


@pytest.fixture
def transcript(monkeypatch: pytest.MonkeyPatch) -> Transcript:
    """Two ends whose messages have no padding, as libotr's."""
    monkeypatch.setattr(payload, "_padding_for", lambda _n_bytes: b"")
    return Transcript(monkeypatch)


def steps_after_the_exchange() -> Iterator[dict[str, Any]]:
    for section in SECTIONS[1:]:
        yield from VECTORS[section]["steps"]


def test_ake_sends_the_recorded_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript(monkeypatch)

    sent = transcript.agree()

    assert sent == [text for step in VECTORS["ake"]["steps"] for text in step["out"]]
    assert [raw_of(text).hex() for text in sent] == DERIVED["messages_hex"]


@pytest.mark.parametrize("name", NAMES)
def test_ake_ends_as_recorded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    transcript = Transcript(monkeypatch)

    transcript.agree()

    end = transcript.ends[name]
    assert end.their_fingerprint == unhex(DERIVED[f"fp_{other(name)}"])
    assert end.ssid == unhex(DERIVED["ssid"])
    ratchet = ratchet_of(end, TAGS[other(name)])
    dump = VECTORS["ake"][f"dump_{name}"]
    assert ratchet._our_keyid == int(dump["our_keyid"])
    assert ratchet._their_keyid == int(dump["their_keyid"])
    assert ratchet._our_current.public == mpi_of(dump["our_dh.pub"])
    assert ratchet._our_previous.public == mpi_of(dump["our_old_dh.pub"])
    assert ratchet._their_current == mpi_of(dump["their_y"])
    assert ratchet._their_previous is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("session", "keyid"), [("sess00", 2), ("sess10", 1)])
def test_pair_keys_are_as_dumped(
    monkeypatch: pytest.MonkeyPatch, name: str, session: str, keyid: int
) -> None:
    transcript = Transcript(monkeypatch)
    transcript.agree()

    pair = ratchet_of(transcript.ends[name], TAGS[other(name)])._pair(keyid, 1)

    dump = VECTORS["ake"][f"dump_{name}"][session]
    assert pair.send_mac.hex() == dump["sendmac"]
    assert pair.receive_mac.hex() == dump["rcvmac"]


def test_ake_reports_whose_half_of_the_session_id_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transcript = Transcript(monkeypatch)
    transcript_steps = VECTORS["ake"]["steps"]

    outputs = [
        (step["peer"], output)
        for step in transcript_steps
        for output in transcript.ends[step["peer"]].receive(step["in"], 0)
    ]

    secured = {name: o for name, o in outputs if isinstance(o, Secured)}
    display = DERIVED["session_id_display"]
    assert secured["bob"].our_half_first  # Bob sent the Reveal Signature
    assert not secured["alice"].our_half_first
    assert secured["bob"].ssid[:4].hex() == display["bold_for_revealsig_sender"]
    assert secured["bob"].ssid[4:].hex() == display["bold_for_sig_sender"]


def test_shared_secret_and_ake_keys_are_the_recorded_ones() -> None:
    x, y = (DhKeyPair(unhex(DERIVED[name])) for name in ("x", "y"))

    shared = x.shared_secret(y.public)

    assert (x.public, y.public) == (mpi_of(DERIVED["gx"]), mpi_of(DERIVED["gy"]))
    assert shared == mpi_of(DERIVED["s"]) == y.shared_secret(x.public)
    keys = derive_secrets(shared)
    assert keys.ssid.hex() == DERIVED["ssid"]
    assert (keys.bob_aes.hex(), keys.alice_aes.hex()) == (DERIVED["c"], DERIVED["cp"])
    assert (keys.bob_m1.hex(), keys.bob_m2.hex()) == (DERIVED["m1"], DERIVED["m2"])
    assert (keys.alice_m1.hex(), keys.alice_m2.hex()) == (
        DERIVED["m1p"],
        DERIVED["m2p"],
    )


def test_first_data_keys_are_the_recorded_ones() -> None:
    x, y = (mpi_of(DERIVED[name]) for name in ("gx", "gy"))

    pair = derive_pair(mpi_of(DERIVED["s"]), we_are_high=y > x)

    recorded = DERIVED["first_data_keys_alice"]
    assert pair.send_aes.hex() == recorded["send_aes"]
    assert pair.receive_aes.hex() == recorded["recv_aes"]
    assert pair.send_mac.hex() == recorded["send_mac"]
    assert pair.receive_mac.hex() == recorded["recv_mac"]


@pytest.mark.parametrize("part", ["revealsig", "sig"])
def test_recorded_signature_verifies_over_m_reduced_mod_q(part: str) -> None:
    recorded = DERIVED[part]
    reader = Reader(unhex(recorded["X"]))

    public = PublicKey.read(reader)

    digest = unhex(recorded["M"])
    assert reader.integer() == recorded["keyid"]
    assert reader.take(40) == unhex(recorded["signature"])
    assert _reduce(digest, public._q).hex() == recorded["z_mod_q"]
    public.verify(digest, unhex(recorded["signature"]))


def test_every_message_is_sent_as_recorded(transcript: Transcript) -> None:
    transcript.agree()
    fragment_limit = VECTORS["fragments"]["mms"]
    alice = engine_of(transcript.ends["alice"], TAGS["bob"])

    sent = []
    for step in steps_after_the_exchange():
        is_cut = step in VECTORS["fragments"]["steps"]
        alice._max_message_chars = fragment_limit if is_cut else None
        sent.append(injected(transcript.play(step)))

    assert sent == [step["out"] for step in steps_after_the_exchange()]


def test_every_message_is_read_as_recorded(transcript: Transcript) -> None:
    transcript.agree()

    told = [
        output
        for step in steps_after_the_exchange()
        for output in transcript.play(step)
    ]

    texts = [output.text for output in told if isinstance(output, Received)]
    assert texts == [
        entry["text"] for entry in VECTORS["data_messages_checked"] if entry["text"]
    ]
    smp = [output for output in told if isinstance(output, SmpAsked | SmpEnded)]
    succeeded, failed = SmpOutcome.SUCCEEDED, SmpOutcome.FAILED
    alice, bob = (recorded_key(name).fingerprint for name in NAMES)
    assert smp == [
        SmpAsked(None, alice),
        SmpEnded(succeeded, we_asked=False, had_question=False, fingerprint=alice),
        SmpEnded(succeeded, we_asked=True, had_question=False, fingerprint=bob),
        SmpAsked("What colour?", bob),
        SmpEnded(failed, we_asked=False, had_question=True, fingerprint=bob),
        SmpEnded(failed, we_asked=True, had_question=True, fingerprint=alice),
    ]
    (extra,) = [output for output in told if isinstance(output, ExtraKey)]
    sent_key = VECTORS["extrakey"]["steps"][0]["events"][0].split(" ")[3]
    assert extra == ExtraKey(unhex(sent_key), 0x102, b"file.txt", alice)


def test_transcript_ends_with_wiped_keys(transcript: Transcript) -> None:
    transcript.agree()

    *_, outputs = [transcript.play(step) for step in steps_after_the_exchange()]

    assert outputs == [EndedByPeer()]
    engine = engine_of(transcript.ends["alice"], TAGS["bob"])
    assert engine.fingerprint is None


@pytest.mark.parametrize(
    "entry",
    VECTORS["data_messages_checked"],
    ids=[f"{n}" for n in range(len(VECTORS["data_messages_checked"]))],
)
def test_data_message_survives_decoding_and_encoding(entry: dict[str, Any]) -> None:
    message = message_of(entry["message"])

    assert isinstance(message, DataMessage)
    assert message.head.flags == entry["flags"]
    assert message.head.sender_keyid == entry["sender_keyid"]
    assert message.head.recipient_keyid == entry["recipient_keyid"]
    assert message.head.counter == int(entry["ctr"], 16)
    assert message.head.encode() == message.authenticated
    assert armour(message.encode()) == entry["message"]


def test_fragments_are_cut_as_recorded() -> None:
    recorded = VECTORS["fragments"]

    pieces = split(
        recorded["joined"],
        sender_tag=TAGS["alice"],
        receiver_tag=TAGS["bob"],
        max_chars=recorded["mms"],
    )

    assert pieces == recorded["fragments"]


@pytest.mark.parametrize(
    ("fragments", "message"),
    [
        (VECTORS["fragments"]["fragments"], VECTORS["fragments"]["joined"]),
        (VECTORS["spec_sample"]["fragments"], VECTORS["spec_sample"]["message"]),
    ],
    ids=["libotr", "specification"],
)
def test_recorded_fragments_join_to_the_message(
    fragments: list[str], message: str
) -> None:
    assembler = framing_module.Assembler()

    joined = [
        assembler.add(fragment, 0)
        for fragment in map(read, fragments)
        if isinstance(fragment, Fragment)
    ]

    assert joined == [None] * (len(fragments) - 1) + [message]


def test_sample_of_the_specification_has_its_fields() -> None:
    recorded = VECTORS["spec_sample"]["fields"]
    inbound = read(VECTORS["spec_sample"]["message"])
    assert isinstance(inbound, Binary)

    message = decode(inbound.raw)

    assert isinstance(message, DataMessage)
    head = message.head
    assert (head.sender_tag, head.receiver_tag) == (
        recorded["sender"],
        recorded["receiver"],
    )
    assert (head.sender_keyid, head.recipient_keyid) == (
        recorded["skid"],
        recorded["rkid"],
    )
    assert encode_mpi(head.next_y)[4:].hex() == recorded["next_y"]
    assert head.encrypted.hex() == recorded["enc"]
    assert message.mac.hex() == recorded["mac"]
