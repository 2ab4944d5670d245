"""The catalogue of errors: total, honest about its facts, in the house's tone."""

import re
import string

import pytest

from coykiosk.errors import ErrorCode, UserError
from coykiosk.text import CATALOGUE, describe
from coykiosk.ui_urwid.actions import key_name
from coykiosk.ui_urwid.keys import BINDINGS

# By hand, from the comments beside the codes.
FACTS = {
    ErrorCode.TOR_START_FAILED: {"reason"},
    ErrorCode.TOR_NO_NETWORK: {"tag"},
    ErrorCode.TOR_IMPOSTOR: {"address"},
    ErrorCode.BRIDGE_LINE_BAD: {"number", "reason"},
    ErrorCode.BRIDGE_KIND_UNKNOWN: {"number", "kind"},
    ErrorCode.BRIDGE_PROGRAM_MISSING: {"program", "package"},
    ErrorCode.TOR_CONTROL_REFUSED: {"address"},
    ErrorCode.SERVERS_FILE_BAD: {"file", "line", "reason"},
    ErrorCode.NO_SERVER_LEFT: {"count", "again"},
    ErrorCode.SERVER_REFUSED: {"server", "condition"},
    ErrorCode.SERVER_WANTS_MORE: {"server", "what"},
    ErrorCode.SERVER_WEB_ONLY: {"server", "url"},
    ErrorCode.SERVER_SKIPPED: {"server"},
    ErrorCode.INVITATION_REFUSED: {"server"},
    ErrorCode.ACCOUNT_HELD_BACK: {"server", "condition"},
    ErrorCode.STILL_LISTED: {"contact", "server"},
    ErrorCode.SERVER_UNREACHABLE: {"server"},
    ErrorCode.SERVER_SILENT: {"server"},
    ErrorCode.SERVER_CONFUSED: {"server", "reason"},
    ErrorCode.CERTIFICATE_BAD: {"server", "reason"},
    ErrorCode.LOGIN_REFUSED: {"server", "condition"},
    ErrorCode.CONNECTION_LOST: {"server"},
    ErrorCode.BURN_REFUSED: {"server", "condition"},
    ErrorCode.BURN_NOT_ASKED: {"server"},
    ErrorCode.BURN_UNSURE: {"server"},
    ErrorCode.PASSWORD_REFUSED: {"server", "condition"},
    ErrorCode.PASSWORD_UNSURE: {"server"},
    ErrorCode.CONTACT_BLOCKED: {"contact"},
    ErrorCode.STILL_BLOCKED: {"contact", "server"},
    ErrorCode.VAULT_TOO_NEW: {"version"},
    ErrorCode.VAULT_UNREADABLE: {"reason"},
    ErrorCode.VAULT_UNWRITABLE: {"reason"},
    ErrorCode.MESSAGE_BOUNCED: {"contact", "condition"},
    ErrorCode.MESSAGE_TOO_LONG: {"limit"},
    ErrorCode.TOO_MANY_WAITING: {"count"},
    ErrorCode.OTR_TOO_OLD: {"contact"},
    ErrorCode.PRACTICE_MISSING: {"program", "package"},
    ErrorCode.PRACTICE_FAILED: {"reason"},
}
ALL_CODES = pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)


@ALL_CODES
def test_catalogue_has_two_sentences_for_every_code(code: ErrorCode) -> None:
    sentences = CATALOGUE[code]

    assert sentences.happened
    assert sentences.to_do


@ALL_CODES
def test_catalogue_names_only_facts_that_the_code_carries(code: ErrorCode) -> None:
    both = CATALOGUE[code].happened + CATALOGUE[code].to_do

    named = {name for _, name, _, _ in string.Formatter().parse(both) if name}

    assert named <= FACTS.get(code, set())


@ALL_CODES
def test_catalogue_sentence_fits_two_lines_of_a_small_terminal(code: ErrorCode) -> None:
    sentences = CATALOGUE[code]

    assert len(sentences.happened) <= 2 * 76
    assert len(sentences.to_do) <= 2 * 76


@ALL_CODES
def test_catalogue_keeps_the_tone(code: ErrorCode) -> None:
    both = f"{CATALOGUE[code].happened} {CATALOGUE[code].to_do}".lower()

    assert not re.search(r"\b(error|failed to|please|oops|invalid|sorry)\b|!", both)


@ALL_CODES
def test_catalogue_names_only_keys_that_exist(code: ErrorCode) -> None:
    both = f"{CATALOGUE[code].happened} {CATALOGUE[code].to_do}"
    known = {key_name(key) for binding in BINDINGS for key in binding.keys}

    named = set(re.findall(r"\bF\d+\b|\bCtrl\+\w|\bEnter\b|\bEsc\b", both))

    assert named <= known


def test_describe_cleans_each_fact_when_asked() -> None:
    error = UserError(ErrorCode.SERVER_REFUSED, server="a\x1b", condition="b\x07")

    told = describe(error, lambda fact: fact.replace("\x1b", "#").replace("\x07", "%"))

    assert told.happened == "a# does not make an account for you (b%)."


def test_describe_does_not_read_a_fact_as_a_format() -> None:
    error = UserError(ErrorCode.SERVER_SILENT, server="{0.__class__} %s {reason}")

    told = describe(error)

    assert told.happened == "{0.__class__} %s {reason} does not answer."


def test_describe_says_unknown_when_a_fact_is_missing() -> None:
    told = describe(UserError(ErrorCode.TOR_START_FAILED))

    assert told.happened == "Tor does not start: unknown."
