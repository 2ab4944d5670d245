"""A servers file is taken whole or refused with the right line; nothing between."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.register.servers import (
    Registration,
    ServersFileError,
    TlsMode,
    load_servers,
)

ONION = "chillingguw3yu2rmrkqsog4554egiry6fmy264l5wblyadds3c2lnyd.onion"
OTHER_ONION = "jabjabdea2eewo3gzfurscj2sjqgddptwumlxi3wur57rzf5itje2rid.onion"
PIN = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # SHA-256 of nothing
OTHER_PIN = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

FIRST = f"""\
# A comment with "quotes" and [brackets].

[[server]]
domain = "one.example"
onion = "{ONION}"
tls = "direct"
clearnet = false
register = "open"
register_checked = 2026-01-02
onion_checked = 2026-01-03
operator = "one"
spki = [
  "{PIN}",  # with a comment ]
  "{OTHER_PIN}",
]
source = "a list, 2026-01-02"
"""  # 16 lines

SECOND = f"""\

[[server]]
domain = "two.example"
onion = "{OTHER_ONION}"
port = 443
tls = "starttls"
clearnet = true
register = "captcha"
register_checked = 2025-12-12
onion_checked = 2025-12-13
operator = "two"
spki = [
  "{OTHER_PIN}",
]
scram = [
  "SCRAM-SHA-1",
  "SCRAM-SHA-256-PLUS",
]
source = "a list, 2025-12-12"
sasl2 = true
"""  # lines 17 to 36

MINIMAL = """\
[[server]]
domain = "practice.invalid"
tls = "starttls"
clearnet = true
register = "unknown"
operator = "practice"
source = "made on the spot"
"""


def refusal(text: str | bytes, today: date | None = None) -> ServersFileError:
    with pytest.raises(ServersFileError) as caught:
        load_servers(text, name="servers.toml", today=today)
    return caught.value


def faults_of(text: str) -> Iterator[ServersFileError]:
    try:
        load_servers(text, name="servers.toml")
    except ServersFileError as error:
        yield error


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


# --- what is taken --------------------------------------------------------


def test_load_reads_every_field_of_a_full_record() -> None:
    first, second = load_servers(FIRST + SECOND, name="servers.toml")

    assert first.domain == "one.example"
    assert first.onion == ONION
    assert first.port == 5222
    assert first.tls is TlsMode.DIRECT
    assert first.clearnet is False
    assert first.register is Registration.OPEN
    assert first.register_checked == date(2026, 1, 2)
    assert first.onion_checked == date(2026, 1, 3)
    assert first.operator == "one"
    assert first.spki == (PIN, OTHER_PIN)
    assert first.scram == ()
    assert first.sasl2 is False
    assert first.source == "a list, 2026-01-02"
    assert second.port == 443
    assert second.scram == ("SCRAM-SHA-1", "SCRAM-SHA-256-PLUS")
    assert second.sasl2 is True


def test_load_takes_a_file_with_just_one_small_record() -> None:
    (server,) = load_servers(MINIMAL, name="servers.toml")

    assert server.onion is None
    assert server.register_checked is None


def test_load_takes_bytes_and_windows_line_ends() -> None:
    text = (FIRST + SECOND).replace("\n", "\r\n").encode()

    servers = load_servers(text, name="servers.toml")

    assert [server.domain for server in servers] == ["one.example", "two.example"]


def test_load_takes_a_domain_that_is_an_onion_itself() -> None:
    text = changed(MINIMAL, "practice.invalid", ONION)
    text = changed(text, "clearnet = true", "clearnet = false")

    (server,) = load_servers(text, name="servers.toml")

    assert [route.host for route in server.routes()] == [ONION]


def test_load_takes_one_onion_for_two_domains_of_one_operator() -> None:
    text = changed(SECOND, OTHER_ONION, ONION)
    text = changed(text, 'operator = "two"', 'operator = "one"')

    servers = load_servers(FIRST + text, name="servers.toml")

    assert len(servers) == 2


@pytest.mark.parametrize("word", ["open", "form", "captcha", "web", "invite", "no"])
def test_load_takes_every_word_for_registration(word: str) -> None:
    text = changed(FIRST, '"open"', f'"{word}"')

    (server,) = load_servers(text, name="servers.toml")

    assert server.register.value == word


# --- what is refused, and the line it is refused for ----------------------

DOMAIN = 'domain = "two.example"'
ONION_LINE = f'onion = "{OTHER_ONION}"'
SPKI_ITEM = f'spki = [\n  "{OTHER_PIN}",\n]'

CASES = [
    # id, what is replaced in SECOND, by what, line, part of the reason
    ("domain-empty", DOMAIN, 'domain = ""', 19, "domain: must not be empty"),
    ("domain-upper", DOMAIN, 'domain = "Two.example"', 19, "lower case"),
    ("domain-umlaut", DOMAIN, 'domain = "zwö.example"', 19, "A-labels"),
    ("domain-kelvin", DOMAIN, 'domain = "\u212aode.im"', 19, "A-labels"),
    ("domain-one-label", DOMAIN, 'domain = "two"', 19, "not a domain name"),
    ("domain-dot", DOMAIN, 'domain = "two.example."', 19, "not a domain name"),
    ("domain-two-dots", DOMAIN, 'domain = "two..example"', 19, "not a domain"),
    ("domain-hyphen", DOMAIN, 'domain = "-two.example"', 19, "not a domain name"),
    ("domain-jid", DOMAIN, 'domain = "a@two.example"', 19, "not a domain name"),
    ("domain-port", DOMAIN, 'domain = "two.example:5222"', 19, "not a domain"),
    ("domain-ip", DOMAIN, 'domain = "127.0.0.1"', 19, "not a domain name"),
    ("domain-long", DOMAIN, f'domain = "{"a." * 126}aa"', 19, "not a domain name"),
    ("domain-space", DOMAIN, 'domain = "two.example "', 19, "stray white space"),
    ("domain-tab", DOMAIN, 'domain = "\\ttwo.example"', 19, "stray white space"),
    ("domain-inside", DOMAIN, 'domain = "two .example"', 19, "not a domain name"),
    ("domain-nbsp", DOMAIN, 'domain = "two\u00a0.example"', 19, "cannot be seen"),
    ("domain-zero-width", DOMAIN, 'domain = "two\u200b.example"', 19, "be seen"),
    ("domain-newline", DOMAIN, 'domain = "two.example\\n"', 19, "white space"),
    ("domain-number", DOMAIN, "domain = 2", 19, "must be text, not a whole number"),
    ("domain-again", DOMAIN, 'domain = "one.example"', 19, "there twice (line 4)"),
    ("domain-onion-too", DOMAIN, f'domain = "{ONION}"', 19, "no second onion"),
    ("domain-missing", DOMAIN + "\n", "", 18, "domain: is missing"),
    (
        "domain-multi-line",
        DOMAIN,
        'domain = """\ntwo\n.example"""',
        19,
        "cannot be seen",
    ),
    ("onion-space", ONION_LINE, f'onion = " {ONION}"', 20, "stray white space"),
    ("onion-space-after", ONION_LINE, f'onion = "{ONION} "', 20, "white space"),
    ("onion-v2", ONION_LINE, 'onion = "okj7xc6j2szr2y75.onion"', 20, "version 2"),
    ("onion-bare", ONION_LINE, f'onion = "{ONION[:-6]}"', 20, ".onion"),
    ("onion-upper", ONION_LINE, f'onion = "{"A" * 56}.onion"', 20, "a-z and 2-7"),
    ("onion-digit", ONION_LINE, f'onion = "1{ONION[1:]}"', 20, "a-z and 2-7"),
    ("onion-short", ONION_LINE, f'onion = "{ONION[1:]}"', 20, "55 characters"),
    ("onion-sub", ONION_LINE, f'onion = "a.{ONION}"', 20, "58 characters"),
    ("onion-slip", ONION_LINE, f'onion = "d{ONION[1:]}"', 20, "bad checksum"),
    ("onion-version", ONION_LINE, f'onion = "{"a" * 56}.onion"', 20, "version 0"),
    ("onion-other", ONION_LINE, f'onion = "{ONION}"', 20, "operator has this onion"),
    ("onion-list", ONION_LINE, f'onion = ["{ONION}"]', 20, "must be text, not a list"),
    ("onion-gone", ONION_LINE + "\n", "", 25, "onion_checked: is there, but"),
    ("port-zero", "port = 443", "port = 0", 21, "from 1 to 65535"),
    ("port-big", "port = 443", "port = 65536", 21, "from 1 to 65535"),
    ("port-minus", "port = 443", "port = -1", 21, "from 1 to 65535"),
    ("port-text", "port = 443", 'port = "443"', 21, "whole number, not text"),
    ("port-true", "port = 443", "port = true", 21, "not true or false"),
    ("port-float", "port = 443", "port = 443.0", 21, "not a number"),
    ("tls-word", '"starttls"', '"tls"', 22, "must be one of direct, starttls"),
    ("tls-case", '"starttls"', '"StartTLS"', 22, "must be one of"),
    ("tls-space", '"starttls"', '"starttls "', 22, "stray white space"),
    ("tls-true", '"starttls"', "true", 22, "must be text"),
    ("tls-missing", 'tls = "starttls"\n', "", 18, "tls: is missing"),
    ("clearnet-text", "clearnet = true", 'clearnet = "yes"', 23, "true or false"),
    ("clearnet-one", "clearnet = true", "clearnet = 1", 23, "true or false"),
    ("clearnet-missing", "clearnet = true\n", "", 18, "clearnet: is missing"),
    ("register-word", '"captcha"', '"maybe"', 24, "register: must be one of"),
    ("register-empty", '"captcha"', '""', 24, "must not be empty"),
    ("register-missing", 'register = "captcha"\n', "", 18, "register: is missing"),
    ("date-text", "2025-12-12\n", '"2025-12-12"\n', 25, "not text"),
    ("date-time", "2025-12-12\n", "2025-12-12T10:00:00\n", 25, "a date with a time"),
    ("date-clock", "2025-12-12\n", "10:00:00\n", 25, "not a time"),
    ("date-impossible", "2025-12-12\n", "2025-02-30\n", 25, "not TOML: "),
    ("date-ancient", "2025-12-12\n", "0025-12-12\n", 25, "not be before 1999"),
    ("date-missing", "register_checked = 2025-12-12\n", "", 18, "register_checked"),
    ("onion-date-text", "2025-12-13", '"2025"', 26, "onion_checked: must be a date"),
    ("onion-date-missing", "onion_checked = 2025-12-13\n", "", 18, "onion_checked"),
    ("operator-space", '"two"', '" two"', 27, "operator: has stray white space"),
    ("operator-number", '"two"', "2", 27, "operator: must be text"),
    ("operator-escape", '"two"', '"\\u001b[31mtwo"', 27, "cannot be seen"),
    ("operator-bidi", '"two"', '"\u202eowt"', 27, "cannot be seen"),
    ("operator-long", '"two"', f'"{"x" * 201}"', 27, "longer than 200"),
    ("operator-missing", 'operator = "two"\n', "", 18, "operator: is missing"),
    ("spki-text", SPKI_ITEM, f'spki = "{PIN}"', 28, "must be a list, not text"),
    ("spki-empty", SPKI_ITEM, "spki = [\n]", 28, "1 to 16 items, not 0"),
    ("spki-many", SPKI_ITEM, f"spki = {['x'] * 17}", 28, "1 to 16 items"),
    ("spki-short", SPKI_ITEM, 'spki = ["AAAA"]', 28, "item 1 has 4 characters"),
    ("spki-hex", SPKI_ITEM, f'spki = ["{"0f" * 32}"]', 28, "has 64 characters"),
    ("spki-junk", SPKI_ITEM, f'spki = ["{PIN[:-2]}!="]', 28, "item 1 is not base64"),
    ("spki-bits", SPKI_ITEM, f'spki = ["{PIN[:-2]}V="]', 28, "item 1 is not base64"),
    ("spki-url", SPKI_ITEM, f'spki = ["{"_" * 43}="]', 28, "item 1 is not base64"),
    ("spki-twice", SPKI_ITEM, f'spki = [\n"{PIN}",\n"{PIN}"]', 28, "item 2 is there"),
    ("spki-space", SPKI_ITEM, f'spki = ["{PIN}", " {PIN}"]', 28, "item 2 has stray"),
    ("spki-mixed", SPKI_ITEM, f'spki = ["{PIN}", 7]', 28, "item 2 must be text"),
    ("scram-word", '"SCRAM-SHA-1"', '"PLAIN"', 31, "item 1 is not a SCRAM"),
    ("scram-case", '"SCRAM-SHA-1"', '"scram-sha-1"', 31, "item 1 is not a SCRAM"),
    ("sasl2-word", "sasl2 = true", 'sasl2 = "yes"', 36, "must be true or false"),
    ("scram-table", '"SCRAM-SHA-1"', "{}", 31, "item 1 must be text, not a table"),
    ("source-empty", '"a list, 2025-12-12"', '""', 35, "source: must not be empty"),
    ("source-missing", 'source = "a list, 2025-12-12"\n', "", 18, "source: is missing"),
    ("key-unknown", "port = 443", "ports = 443", 21, "ports: no such key"),
    ("key-case", "port = 443", "Port = 443", 21, "Port: no such key"),
    ("key-quoted", "port = 443", '"por t" = 443', 21, "por t: no such key"),
    ("key-escape", "port = 443", '"\\u001bp" = 443', 21, "\\x1bp: no such key"),
    ("key-dotted", "port = 443", "port.client = 443", 21, "port: must be a whole"),
    ("key-table", "port = 443\n", "", 36, "extra: no such key"),
    ("key-twice", "port = 443", 'port = 443\ntls = "direct"', 23, "not TOML: "),
    ("no-value", "port = 443", "port =", 21, "not TOML: "),
    ("no-quote", '"two"', '"two', 27, "not TOML: "),
    ("no-bracket", "[[server]]", "[[server]", 18, "not TOML: "),
    ("huge-number", "port = 443", f"port = {'9' * 5000}", 21, "not TOML: "),
    ("deep-nest", "port = 443", f"port = {'[' * 5000}", 21, "not TOML: "),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_load_names_line_and_reason_when_a_value_is_not_right(
    old: str, new: str, line: int, reason: str
) -> None:
    text = FIRST + changed(SECOND, old, new)
    if "extra" in reason:
        text += "[server.extra]\nport = 1\n"

    error = refusal(text)

    assert reason in error.reason
    assert error.line == line
    assert error.name == "servers.toml"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "no [[server]]"),
        ("# nothing\n", 1, "no [[server]]"),
        ("server = []\n", 1, "no [[server]]"),
        ("\n\nserver = 7\n", 3, "must be [[server]] tables"),
        ("\nserver = [1]\n", 2, "must be [[server]] tables"),
        ('\n[server]\ndomain = "a.b"\n', 2, "must be [[server]] tables"),
        ("\n" + MINIMAL + "[other]\nx = 1\n", 9, "other: unknown"),
        ("version = 1\n" + MINIMAL, 1, "version: unknown"),
        ("[[servers]]\n", 1, "servers: unknown"),
        ('x = """\n[[server]]\n"""\n', 1, "x: unknown"),
        ('\n\nserver = [{ domain = "a.example" }]\n', 3, "tls: is missing"),
    ],
    ids=[
        "empty",
        "comment",
        "empty-list",
        "number",
        "list-of-numbers",
        "table",
        "other-table",
        "top-key",
        "misspelt",
        "header-inside-text",
        "inline",
    ],
)
def test_load_refuses_what_is_no_list_of_servers(
    text: str, line: int, reason: str
) -> None:
    error = refusal(text)

    assert reason in error.reason
    assert error.line == line


def test_load_is_not_misled_when_text_looks_like_records() -> None:
    """A backslash swallows the line end, so this text of four lines is one line."""
    lure = '"""\\\n[[server]]\\\ndomain = 1\\\n"""'
    text = FIRST + changed(SECOND, '"a list, 2025-12-12"', lure) + MINIMAL
    text = changed(text, "practice.invalid", "one.example")

    error = refusal(text)

    assert error.line == 41
    assert error.reason == "domain: is there twice (line 4)"


def test_load_finds_the_record_after_a_value_of_many_lines() -> None:
    inside = "# [[server]]\n" * 40
    text = changed(FIRST, "spki = [\n", f"spki = [\n{inside}") + SECOND
    text = changed(text, "port = 443", "port = 0")

    error = refusal(text)

    assert error.line == 21 + 40


def test_load_finds_the_line_when_lines_end_as_on_windows() -> None:
    text = (FIRST + changed(SECOND, "port = 443", "port = 0")).replace("\n", "\r\n")

    error = refusal(text)

    assert error.line == 21


def test_load_answers_soon_when_a_value_has_thousands_of_lines() -> None:
    text = changed(
        SECOND, "port = 443", f"port = [\n{'1,' + chr(10)}" + "1,\n" * 30_000 + "]"
    )

    error = refusal(text)

    assert error.reason.startswith("port: ")


def test_load_says_that_the_first_domain_is_missing_in_its_own_record() -> None:
    """The same key stands in the next record, which is not to blame."""
    text = changed(FIRST, 'domain = "one.example"\n', "") + SECOND

    error = refusal(text)

    assert error.line == 3


@pytest.mark.parametrize("key", ["register_checked", "onion_checked"])
def test_load_refuses_a_claim_of_the_future_when_told_the_day(key: str) -> None:
    day = {"register_checked": date(2026, 1, 1), "onion_checked": date(2026, 1, 2)}

    error = refusal(FIRST, today=day[key])

    assert error.reason == f"{key}: lies in the future"
    assert error.line == {"register_checked": 9, "onion_checked": 10}[key]


def test_load_takes_a_claim_of_today() -> None:
    servers = load_servers(FIRST, name="servers.toml", today=date(2026, 1, 3))

    assert len(servers) == 1


def test_load_refuses_a_server_that_no_way_leads_to() -> None:
    text = changed(MINIMAL, "clearnet = true", "clearnet = false")

    error = refusal(text)

    assert (error.line, error.reason[:9]) == (4, "clearnet:")


def test_load_names_the_line_when_bytes_are_not_utf8() -> None:
    error = refusal(MINIMAL.encode() + b"# caf\xe9\n")

    assert (error.line, error.reason) == (8, "not UTF-8")


def test_load_refuses_a_file_of_no_sane_size() -> None:
    error = refusal("#" * 300_000)

    assert "longer than" in error.reason


def test_error_shows_file_line_and_reason() -> None:
    error = ServersFileError(7, "port: must be from 1 to 65535", name="servers.toml")

    assert str(error) == "servers.toml:7: port: must be from 1 to 65535"


# --- properties -----------------------------------------------------------


@given(st.text(max_size=300))
def test_load_refuses_any_text_with_a_line_that_exists(text: str) -> None:
    error = refusal(text)

    assert 1 <= error.line <= text.count("\n") + 1


@given(st.binary(max_size=300))
def test_load_refuses_any_bytes(data: bytes) -> None:
    error = refusal(data)

    assert error.line >= 1


@given(st.lists(st.sampled_from((FIRST + SECOND).splitlines(keepends=True))))
def test_load_points_into_the_file_when_lines_of_a_good_one_are_mixed(
    lines: list[str],
) -> None:
    text = "".join(lines)

    faults = list(faults_of(text))

    assert all(1 <= fault.line <= max(1, len(lines)) for fault in faults)


@given(
    st.integers(0, len(ONION) - 7), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")
)
def test_load_refuses_an_onion_when_any_one_letter_is_another(
    place: int, letter: str
) -> None:
    """Two bytes of checksum: no single substitution of this address passes."""
    onion = ONION[:place] + letter + ONION[place + 1 :]
    text = changed(FIRST, ONION, onion)

    if onion == ONION:
        assert load_servers(text, name="servers.toml")
    else:
        assert refusal(text).line == 5


@given(st.binary(min_size=32, max_size=32))
def test_load_takes_every_onion_whose_checksum_is_right(key: bytes) -> None:
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    name = base64.b32encode(key + checksum + b"\x03").decode().lower()
    text = changed(FIRST, ONION, f"{name}.onion")

    (server,) = load_servers(text, name="servers.toml")

    assert server.onion == f"{name}.onion"


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 4))
def test_load_finds_the_line_whatever_stands_before_it(
    blanks: int, comments: int, records: int
) -> None:
    padding = "\n" * blanks + "# x = [\n" * comments
    filler = "".join(
        MINIMAL.replace("practice", f"p{number}") for number in range(records)
    )
    bad = MINIMAL.replace('"unknown"', '"closed"')

    error = refusal(filler + padding + bad)

    assert error.line == records * 7 + blanks + comments + 5
