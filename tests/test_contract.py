"""The seam between screen and session: its values, and its two lists."""

import copy
import dataclasses
import inspect
import pickle
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coykiosk import contract, values
from coykiosk.contract import (
    Command,
    CreateAccount,
    Event,
    Jid,
    Secret,
    UnlockVault,
    commands,
    events,
)

ROOMS = {commands.__name__, events.__name__, values.__name__}
"""The two halves of the contract, and the values that it hands on."""
VALUES = {Jid, values.Door, values.Picture, values.Puzzle}
"""What commands and events carry."""

CROSSING = [*get_args(Command), *get_args(Event)]
DATACLASSES = {
    value
    for _, value in inspect.getmembers(contract, dataclasses.is_dataclass)
    if isinstance(value, type) and value.__module__ in ROOMS
}


# --- addresses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bodami@example.org", ("bodami", "example.org", "")),
        ("  Bodami@Example.ORG\n", ("bodami", "example.org", "")),
        ("bodami@example.org.", ("bodami", "example.org", "")),
        ("bodami@example.org/Phone", ("bodami", "example.org", "Phone")),
        ("bodami@example.org/a@b/c", ("bodami", "example.org", "a@b/c")),
        ("bodami@example.org/", ("bodami", "example.org", "")),
        ("müller@bücher.example", ("müller", "bücher.example", "")),
    ],
)
def test_jid_reads_an_address(text: str, parts: tuple[str, str, str]) -> None:
    jid = Jid.parse(text)

    assert (jid.localpart, jid.domainpart, jid.resource) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "bodami",
        "example.org",
        "bodami@",
        "@example.org",
        "bodami@.",
        "bo dami@example.org",
        "bodami@exa mple.org",
        "bo'dami@example.org",
        "<bodami>@example.org",
        "bodami@@example.org",
        "xmpp:bodami@example.org",
        "bodami@example.org:5222",
        "bo\x00dami@example.org",
        "bo\u202edami@example.org",
        "bodami@example\u2028.org",
        "b" * 1024 + "@example.org",
        "bodami@" + "e" * 1024,
        "bodami@example.org/" + "r" * 1024,
        "bodami@example.org/\ud800",
        "\ud800@example.org",
    ],
)
def test_jid_refuses_what_can_be_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Jid.parse(text)


@given(st.text())
@example("İ@İ")
@example("a@b/ ")
@example("a@b./.")
@example("\ud800@b")
def test_jid_parse_reads_its_own_writing_or_refuses(text: str) -> None:
    try:
        jid = Jid.parse(text)
    except ValueError:
        return

    assert Jid.parse(str(jid)) == jid


ADDRESS_LETTERS = st.characters(codec="utf-8", exclude_characters="\"&'/:<>@ ")
PARTS = st.text(ADDRESS_LETTERS, min_size=1, max_size=20)


@given(PARTS, PARTS, st.text(max_size=20))
def test_jid_parse_reads_its_own_writing_of_likely_addresses(
    localpart: str, domainpart: str, resource: str
) -> None:
    try:
        jid = Jid.parse(f"{localpart}@{domainpart}/{resource}")
    except ValueError:
        return

    assert Jid.parse(str(jid)) == jid
    assert jid.bare.bare == jid.bare
    assert not jid.bare.resource


# --- secrets ------------------------------------------------------------------------------


WORDS = "badness impish glorify"


def test_secret_shows_nothing_of_its_value() -> None:
    secret = Secret(WORDS)

    shown = (repr(secret), str(secret), f"{secret}", f"{[secret]}", f"{secret!a}")

    assert not any("badness" in text for text in shown)
    assert not any(str(len(WORDS)) in text for text in shown)


@pytest.mark.parametrize("kind", [UnlockVault, CreateAccount])
def test_command_with_a_passphrase_shows_nothing_of_it(
    kind: type[UnlockVault | CreateAccount],
) -> None:
    assert "badness" not in repr(kind(Secret(WORDS)))


@pytest.mark.parametrize("value", [WORDS, WORDS.encode(), bytearray(WORDS.encode())])
def test_secret_reveals_what_it_was_given(value: str | bytes | bytearray) -> None:
    assert Secret(value).reveal() == b"badness impish glorify"


@pytest.mark.parametrize("other", [Secret(WORDS), WORDS, WORDS.encode(), None])
def test_secret_is_not_compared(other: object) -> None:
    secret = Secret(WORDS)

    with pytest.raises(TypeError, match="compare_digest"):
        assert secret == other
    with pytest.raises(TypeError, match="compare_digest"):
        assert secret != other


def test_secret_is_no_key_of_a_dictionary() -> None:
    with pytest.raises(TypeError):
        hash(Secret(WORDS))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(WORDS), protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_secret_is_copied_by_its_own_method_only(duplicate: object) -> None:
    assert callable(duplicate)

    with pytest.raises(TypeError):
        duplicate(Secret(WORDS))


def test_secret_that_is_wiped_is_overwritten_and_gone() -> None:
    secret = Secret(WORDS)
    twin = secret.copy()
    buffer = secret._buffer

    secret.wipe()
    secret.wipe()

    assert not secret
    assert bytes(buffer) == b""
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()
    assert twin.reveal() == WORDS.encode()


def test_secret_keeps_no_hold_of_the_buffer_it_was_made_from() -> None:
    typed = bytearray(WORDS.encode())

    secret = Secret(typed)
    typed[:] = bytes(len(typed))

    assert secret.reveal() == WORDS.encode()


def test_secret_takes_no_other_attribute() -> None:
    with pytest.raises(AttributeError):
        Secret(WORDS).plain = WORDS  # type: ignore[attr-defined]  # there is none


# --- the two lists ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CROSSING, ids=lambda kind: kind.__name__)
def test_what_crosses_is_frozen_and_slotted(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in its stub
    assert "__slots__" in vars(kind)
    assert "__dict__" not in dir(kind)


@pytest.mark.parametrize("kind", CROSSING, ids=lambda kind: kind.__name__)
def test_what_crosses_says_what_it_is(kind: type) -> None:
    assert kind.__doc__
    # A dataclass without a docstring is given its signature for one.
    assert not kind.__doc__.startswith(f"{kind.__name__}(")
    assert kind.__name__ in contract.__all__


def test_every_dataclass_of_the_contract_is_a_command_an_event_or_a_value() -> None:
    commands, events = set(get_args(Command)), set(get_args(Event))

    assert commands | events | VALUES == DATACLASSES
    assert not commands & events
    assert not VALUES & (commands | events)


def test_contract_exports_all_that_it_defines_and_nothing_else() -> None:
    own = {
        name
        for name, value in vars(contract).items()
        if getattr(value, "__module__", None) in ROOMS and not name.startswith("_")
    }

    assert own | {"Command", "Event"} == set(contract.__all__)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("Alice@Example.ORG", "alice@example.org"),
        ("\uff41lice@example.org", "alice@example.org"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
    ],
    ids=["capitals", "full width", "sharp s"],
)
def test_jid_parse_makes_one_address_of_its_spellings(typed: str, address: str) -> None:
    assert str(Jid.parse(typed)) == address
