"""What tor and Prosody are told, and what is read of their answers."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.practice import prosody_config, tor_config
from coykiosk.practice.certificate import make_certificate
from coykiosk.practice.tor_config import Authority, Place
from coykiosk.register.servers import load_servers

_AUTHORITY = Authority(
    nickname="PracticeAuthority",
    or_address="127.0.0.1:5001",
    dir_address="127.0.0.1:7001",
    v3_identity="A" * 40,
    fingerprint="B" * 40,
)
_ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
_PIN = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


# --- tor ----------------------------------------------------------------------------


def test_client_lines_point_to_the_authority() -> None:
    assert (
        "DirAuthority PracticeAuthority orport=5001 no-v2 "
        f"v3ident={'A' * 40} 127.0.0.1:7001 {'B' * 40}"
    ) in tor_config.client_lines(_AUTHORITY)


@given(now=st.floats(0, 4e9), lead_s=st.sampled_from([2, 3, 5, 10, 20]))
def test_vote_is_due_within_the_second_before_its_lead(now: float, lead_s: int) -> None:
    offset = tor_config.vote_offset(now, lead_s)

    # Votes are due at multiples of the interval, moved by the offset.
    until_due = (offset - now) % 1800
    assert lead_s - 1 <= until_due + 1e-6
    assert until_due <= lead_s
    assert 0 <= offset < 1800


def test_vote_is_not_due_for_long_when_none_is_wanted() -> None:
    offset = tor_config.vote_offset(1_000_000.0, -10)

    assert (offset - 1_000_000) % 1800 == 1790


def test_torrc_listens_on_nothing_but_its_own_socket_when_it_is_the_onions_node(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    lines = tor_config.onion_lines(_AUTHORITY, place, {5222: "127.0.0.1:1234"})

    torrc = tor_config.make_torrc(place, lines, owner_pid=42)

    ports = [line for line in torrc.splitlines() if line.split()[0].endswith("Port")]
    assert ports == [
        f'ControlPort unix:"{tmp_path}/c"',
        "SocksPort 0",
        "HiddenServicePort 5222 127.0.0.1:1234",
    ]
    assert "__OwningControllerProcess 42" in torrc


def test_relay_lets_nobody_out_of_the_machine() -> None:
    lines = tor_config.relay_lines(
        _AUTHORITY, nickname="One", or_address="127.0.0.1:1", resolv_conf=Path("/r")
    )

    assert [line for line in lines if line.startswith("ExitPolicy ")] == [
        "ExitPolicy accept 127.0.0.0/8:*",
        "ExitPolicy reject *:*",
    ]
    assert 'ServerDNSResolvConfFile "/r"' in lines


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b"])
def test_torrc_refuses_a_path_that_would_end_its_quotes(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be quoted"):
        tor_config.make_torrc(Place(Path("/") / name), [], owner_pid=1)


def test_fingerprint_is_read_from_the_file_tor_writes() -> None:
    assert (
        tor_config.parse_fingerprint("PracticeAuthority " + "0123456789" * 4 + "\n")
        == "0123456789" * 4
    )


@pytest.mark.parametrize(
    "text", ["", "name", "name 0123", "name " + "G" * 40, "name " + "0" * 41]
)
def test_fingerprint_is_refused_when_it_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        tor_config.parse_fingerprint(text)


def test_v3_identity_is_read_from_the_certificate() -> None:
    text = f"dir-key-certificate-version 3\nfingerprint {'C' * 40}\ndir-key-published\n"

    assert tor_config.parse_v3_identity(text) == "C" * 40


def test_v3_identity_is_refused_when_the_certificate_has_none() -> None:
    with pytest.raises(ValueError, match="no fingerprint line"):
        tor_config.parse_v3_identity("fingerprint of nobody\n")


# --- Prosody -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bumolita", "bumolita"),
        ("practice.example", "practice%2eexample"),
        ("a_b-C9", "a%5fb%2dC9"),
        ("../../etc", "%2e%2e%2f%2e%2e%2fetc"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "%c3%a9"),
    ],
)
def test_account_file_name_is_spelled_as_prosody_does(name: str, expected: str) -> None:
    assert prosody_config.account_file_name(name) == expected


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b"])
def test_config_refuses_a_path_that_would_end_its_quotes(name: str) -> None:
    layout = prosody_config.Layout(Path("/") / name, "practice.example")

    with pytest.raises(ValueError, match="cannot be quoted"):
        prosody_config.make_config(layout, starttls_port=1, direct_tls_port=2)


def test_mechanisms_are_read_best_first_and_scram_alone() -> None:
    features = (
        "<mechanisms><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-256</mechanism>"
        "<mechanism>OAUTHBEARER</mechanism>"
        "<mechanism>SCRAM-SHA-256-PLUS</mechanism></mechanisms>"
    )

    assert prosody_config.read_mechanisms(features) == (
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
    )


def test_record_is_what_the_strict_reader_reads() -> None:
    record = prosody_config.ServerRecord(
        domain="practice.example",
        onion=_ONION,
        port=5223,
        checked=date(2026, 1, 31),
        spki=_PIN,
        scram=("SCRAM-SHA-256",),
    )

    (server,) = load_servers(record.to_toml(), name="x", today=date(2026, 1, 31))

    assert server.spki == (_PIN,)
    assert server.scram == ("SCRAM-SHA-256",)
    assert server.onion_checked == date(2026, 1, 31)
    assert server.clearnet is False


def test_record_claims_no_mechanism_when_none_is_known() -> None:
    record = prosody_config.ServerRecord(
        "practice.example", _ONION, 5223, date(2026, 1, 31), _PIN, ()
    )

    (server,) = load_servers(record.to_toml(), name="x")

    assert server.scram == ()


# --- the certificate -------------------------------------------------------------------


def test_certificate_is_for_the_domain_alone_and_valid_now() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    made = make_certificate("practice.example", now)

    certificate = x509.load_pem_x509_certificate(made.certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["practice.example"]
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc


def test_certificate_does_not_show_its_key() -> None:
    made = make_certificate("practice.example", datetime(2026, 1, 31, tzinfo=UTC))

    assert "PRIVATE" not in repr(made)
