import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.contract import Secret
from coykiosk.session.saslprep import SaslprepError, prepare
from coykiosk.session.scram import (
    MECHANISMS,
    ChannelBinding,
    Choice,
    Flag,
    ScramClient,
    ScramError,
    choose,
)
from tests.session.scram_server import ScramServer

EXPORTER = ChannelBinding("tls-exporter", b"E" * 32)
SHA1 = Choice("SCRAM-SHA-1", Flag.NOT_USABLE)
NONCE = "fyko+d2lbbFgONRv9qkxdawL"


def client_with(
    choice: Choice = SHA1,
    *,
    username: str = "user",
    password: str = "pencil",  # noqa: S107 - of RFC 5802
    nonce: str = NONCE,
    binding: ChannelBinding | None = None,
) -> ScramClient:
    return ScramClient(
        choice,
        username=username,
        password=Secret(password),
        nonce=nonce,
        binding=binding,
    )


@pytest.mark.parametrize(
    ("mechanism", "nonce", "server_first", "client_final", "server_final"),
    [
        pytest.param(
            "SCRAM-SHA-1",
            NONCE,
            b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
            b"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC 5802, section 5",
        ),
        pytest.param(
            "SCRAM-SHA-256",
            "rOprNGfwEbeRWgbNEkqO",
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC 7677, section 3",
        ),
    ],
)
def test_scram_gives_the_messages_of_the_standard_when_given_its_inputs(
    mechanism: str,
    nonce: str,
    server_first: bytes,
    client_final: bytes,
    server_final: bytes,
) -> None:
    client = client_with(Choice(mechanism, Flag.NOT_USABLE), nonce=nonce)

    first = client.first()
    final = client.final(client.to_derivation(server_first).run())
    client.verify(server_final)

    assert first == f"n,,n=user,r={nonce}".encode()
    assert final == client_final
    assert client.is_verified


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_scram_logs_in_at_an_independent_server_by_every_mechanism(
    mechanism: str,
) -> None:
    is_plus = mechanism.endswith("-PLUS")
    choice = Choice(mechanism, Flag.BOUND if is_plus else Flag.NOT_OFFERED)
    client = client_with(choice, binding=EXPORTER if is_plus else None)
    server = ScramServer(
        "pencil", choice.hash_name, binding=EXPORTER.data if is_plus else b""
    )

    derivation = client.to_derivation(server.challenge(client.first()))
    answer = server.final(client.final(derivation.run()))

    assert answer is not None
    client.verify(answer)


def test_scram_proof_is_worthless_on_another_connection_when_it_is_bound() -> None:
    client = client_with(Choice("SCRAM-SHA-1-PLUS", Flag.BOUND), binding=EXPORTER)
    server = ScramServer("pencil", binding=b"M" * 32)

    derivation = client.to_derivation(server.challenge(client.first()))

    assert server.final(client.final(derivation.run())) is None


def test_scram_escapes_equals_and_comma_in_names() -> None:
    client = client_with(username="a=b,c")

    assert client.first() == b"n,,n=a=3Db=2Cc,r=" + NONCE.encode()


SALT = b",s=QSXCR+Q6sek8bf92"
GOOD = b"r=" + NONCE.encode() + b"xyz"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"r=other" + SALT + b",i=4096", id="nonce of somebody else"),
        pytest.param(b"r=" + NONCE.encode() + SALT + b",i=4096", id="nothing added"),
        pytest.param(GOOD + b"\x07" + SALT + b",i=4096", id="unprintable nonce"),
        pytest.param(GOOD + b"n" * 1024 + SALT + b",i=4096", id="endless nonce"),
        pytest.param(GOOD + SALT + b",i=4095", id="too few iterations"),
        pytest.param(GOOD + SALT + b",i=10000001", id="too many iterations"),
        pytest.param(GOOD + SALT + b",i=99999999999999", id="absurd iterations"),
        pytest.param(GOOD + SALT + b",i=-4096", id="negative iterations"),
        pytest.param(GOOD + SALT + b",i=0x1000", id="hexadecimal iterations"),
        pytest.param(GOOD + b",s=,i=4096", id="no salt"),
        pytest.param(GOOD + b",s=!!!!,i=4096", id="salt is no base64"),
        pytest.param(GOOD + b",i=4096" + SALT, id="wrong order"),
        pytest.param(b"m=ext," + GOOD + SALT + b",i=4096", id="mandatory extension"),
        pytest.param(b"e=other-error", id="error"),
    ],
)
def test_scram_refuses_a_first_message_when_it_is_hostile(message: bytes) -> None:
    client = client_with()
    client.first()

    with pytest.raises(ScramError):
        client.to_derivation(message)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"v=rmF9pqV8S7suAoZWja4dJRkFsKA=", id="wrong signature"),
        pytest.param(b"v=", id="empty signature"),
        pytest.param(b"v=rmF9", id="short signature"),
        pytest.param(b"e=invalid-proof", id="error"),
        pytest.param(b"", id="empty"),
        pytest.param(b"x=rmF9pqV8S7suAoZWja4dJRkFsKQ=", id="another field"),
    ],
)
def test_scram_refuses_a_server_when_it_does_not_know_the_password(
    message: bytes,
) -> None:
    client = client_with()
    first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    client.final(client.to_derivation(first).run())

    with pytest.raises(ScramError):
        client.verify(message)

    assert not client.is_verified


def test_scram_refuses_an_empty_signature_when_no_proof_was_sent() -> None:
    client = client_with()

    with pytest.raises(ScramError):
        client.verify(b"v=")


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=200))
def test_scram_ends_in_an_answer_or_its_own_error_whatever_comes(noise: bytes) -> None:
    client = client_with()

    for step in (client.to_derivation, client.verify):
        with pytest.raises(ScramError):
            step(noise)


PLUS1, PLUS256 = "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"


@pytest.mark.parametrize(
    ("offered", "announced", "refused", "expected"),
    [
        pytest.param(MECHANISMS, None, [], ("SCRAM-SHA-512-PLUS", "p"), id="best"),
        pytest.param(
            ["PLAIN", "DIGEST-MD5", "SCRAM-SHA-1"],
            None,
            [],
            ("SCRAM-SHA-1", "y"),
            id="no PLUS offered: y",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-512"], None, [], (PLUS1, "p"), id="binding beats hash"
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            ["tls-exporter"],
            [],
            (PLUS1, "p"),
            id="announced kind",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            ["tls-server-end-point"],
            [],
            ("SCRAM-SHA-1", "n"),
            id="announced, but no kind of ours: n",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            None,
            [(PLUS1, "p")],
            ("SCRAM-SHA-1", "n"),
            id="unannounced binding refused: n",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            ["tls-exporter"],
            [(PLUS1, "p")],
            None,
            id="announced binding refused: the end",
        ),
        pytest.param(
            ["SCRAM-SHA-1"],
            None,
            [(PLUS1, "p")],
            ("SCRAM-SHA-1", "y"),
            id="PLUS by the record, not offered: y",
        ),
        pytest.param(
            [PLUS256, PLUS1, "SCRAM-SHA-1"],
            None,
            [("SCRAM-SHA-1", "y")],
            (PLUS256, "p"),
            id="y refused, binding offered: p",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            ["tls-unique"],
            [("SCRAM-SHA-1", "y")],
            ("SCRAM-SHA-1", "n"),
            id="y refused, no kind of ours: n",
        ),
        pytest.param(
            [PLUS1, "SCRAM-SHA-1"],
            None,
            [(PLUS1, "p"), ("SCRAM-SHA-1", "n")],
            None,
            id="all refused: the end",
        ),
        pytest.param(["PLAIN", "DIGEST-MD5"], None, [], None, id="never PLAIN"),
        pytest.param([], None, [], None, id="nothing"),
    ],
)
def test_choose_follows_the_downgrade_rule(
    offered: list[str],
    announced: list[str] | None,
    refused: list[tuple[str, str]],
    expected: tuple[str, str] | None,
) -> None:
    turned_down = [Choice(name, Flag(flag)) for name, flag in refused]

    choice = choose(offered, binding=EXPORTER, announced=announced, refused=turned_down)

    assert (choice and (choice.mechanism, choice.flag.value)) == expected


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        pytest.param("I\xadX", "IX", id="soft hyphen mapped to nothing"),
        pytest.param("user", "user", id="no transformation"),
        pytest.param("USER", "USER", id="case preserved"),
        pytest.param("\xaa", "a", id="NFKC"),
        pytest.param("\u2168", "IX", id="NFKC of a Roman numeral"),
        pytest.param("a\u00a0b", "a b", id="non-ASCII space"),
    ],
)
def test_saslprep_maps_as_the_standard_shows(text: str, prepared: str) -> None:
    """RFC 4013, section 3."""
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x07", id="prohibited character"),
        pytest.param("\u06271", id="mixed direction"),
        pytest.param("\ufffd", id="replacement character"),
    ],
)
def test_saslprep_refuses_as_the_standard_shows(text: str) -> None:
    with pytest.raises(SaslprepError):
        prepare(text)


def test_scram_shows_no_secret_in_its_values() -> None:
    client = client_with()
    derivation = client.to_derivation(GOOD + SALT + b",i=4096")

    shown = repr(derivation) + repr(EXPORTER) + repr(client)

    assert "pencil" not in shown
    assert "EEEE" not in shown
