"""Recorded comparisons of two libotr 4.1.1 ends, reproduced byte by byte."""

from typing import Any

import pytest

from coykiosk.otr import SmpAnswered, SmpAsked, SmpEnded, SmpOutcome
from coykiosk.otr.allowance import Allowance
from coykiosk.otr.primitives import Exponent, G
from coykiosk.otr.smp import Smp, SmpSession
from coykiosk.otr.smp_messages import Smp1, Smp2, decode_smp
from coykiosk.otr.wire import Tlv
from tests.otr.wiring import TAGS, VECTORS, fixed_then, recorded_key, redrawable

SECTIONS = ("smp_success", "smp_question_failure")
SSID = bytes.fromhex(VECTORS["ake"]["derived"]["ssid"])
EXPONENT_HEX = 2 * 192


def other(name: str) -> str:
    return "bob" if name == "alice" else "alice"


def machine(name: str, section: dict[str, Any]) -> Smp:
    """One end, drawing what the recorded end drew."""
    drawn = b"".join(
        bytes.fromhex(value)
        for step in section["steps"]
        if step["peer"] == name
        for value in step["random"]
        if len(value) == EXPONENT_HEX
    )
    peer = other(name)
    session = SmpSession(
        recorded_key(name).fingerprint,
        recorded_key(peer).fingerprint,
        SSID,
        TAGS[peer],
    )
    return Smp(session, fixed_then(drawn, redrawable("past the end")), Allowance(5, 0))


def recorded(section: dict[str, Any], number: int) -> Tlv:
    derived = section["derived"]
    with_question = number == 1 and derived["question"] is not None
    kind = 7 if with_question else number + 1
    return Tlv(kind, bytes.fromhex(derived[f"tlv{number}"]))


@pytest.mark.parametrize("name", SECTIONS)
def test_initiator_sends_and_ends_as_recorded(name: str) -> None:
    section = VECTORS[name]
    derived = section["derived"]
    smp = machine(derived["initiator"], section)

    first = smp.start(derived["initiator_secret"], derived["question"], 0)
    second = smp.receive(recorded(section, 2), 0)
    last = smp.receive(recorded(section, 4), 0)

    assert first.replies == (recorded(section, 1),)
    assert second.replies == (recorded(section, 3),)
    responder = recorded_key(derived["responder"]).fingerprint
    assert second.reports == (SmpAnswered(responder),)
    assert last.replies == ()
    asked = derived["question"] is not None
    outcome = SmpOutcome.SUCCEEDED if derived["result"] else SmpOutcome.FAILED
    assert last.reports == (
        SmpEnded(outcome, we_asked=True, had_question=asked, fingerprint=responder),
    )


@pytest.mark.parametrize("name", SECTIONS)
def test_responder_sends_and_ends_as_recorded(name: str) -> None:
    section = VECTORS[name]
    derived = section["derived"]
    smp = machine(derived["responder"], section)

    first = smp.receive(recorded(section, 1), 0)
    answer = smp.answer(derived["responder_secret"], 0)
    last = smp.receive(recorded(section, 3), 0)

    initiator = recorded_key(derived["initiator"]).fingerprint
    assert first.replies == ()
    assert first.reports == (SmpAsked(derived["question"], initiator),)
    assert answer.replies == (recorded(section, 2),)
    assert last.replies == (recorded(section, 4),)
    asked = derived["question"] is not None
    outcome = SmpOutcome.SUCCEEDED if derived["result"] else SmpOutcome.FAILED
    assert last.reports == (
        SmpEnded(outcome, we_asked=False, had_question=asked, fingerprint=initiator),
    )


@pytest.mark.parametrize("end", ["initiator", "responder"])
@pytest.mark.parametrize("name", SECTIONS)
def test_hashed_secret_is_the_recorded_one(name: str, end: str) -> None:
    derived = VECTORS[name]["derived"]
    smp = machine(derived[end], VECTORS[name])
    fingerprints = (
        recorded_key(derived["initiator"]).fingerprint
        + recorded_key(derived["responder"]).fingerprint
    )

    hashed = smp._hashed(fingerprints, derived[f"{end}_secret"])

    assert hashed._bytes.hex() == derived["x" if end == "initiator" else "y"]


@pytest.mark.parametrize("name", SECTIONS)
def test_recorded_exponents_give_the_recorded_generators(name: str) -> None:
    section = VECTORS[name]
    first = decode_smp(recorded(section, 1))
    second = decode_smp(recorded(section, 2))
    assert isinstance(first, Smp1)
    assert isinstance(second, Smp2)

    raised = {
        part: Exponent(bytes.fromhex(section["derived"][part])).raised_from(G)
        for part in ("a2", "a3", "b2", "b3")
    }

    assert raised == {
        "a2": first.g2a,
        "a3": first.g3a,
        "b2": second.g2b,
        "b3": second.g3b,
    }


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("name", SECTIONS)
def test_recorded_message_survives_decoding_and_encoding(
    name: str, number: int
) -> None:
    tlv = recorded(VECTORS[name], number)

    assert decode_smp(tlv).encode() == tlv
