"""libotr's private keys: what is read, what is refused, and what is never shown."""

import re
import traceback
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coykiosk.otr import LocalError
from coykiosk.otr.keyfile.files import (
    AccountKey,
    Skipped,
    read_private_keys,
    write_private_keys,
)
from coykiosk.otr.keyfile.sexp import MAX_BYTES
from tests.otr.wiring import VECTORS, recorded_key

ALICE = recorded_key("alice")
BOB = recorded_key("bob")
X = int(VECTORS["keys"]["alice"]["x"], 16)
Q = int(VECTORS["keys"]["alice"]["q"], 16)
KEYS = st.sampled_from([ALICE, BOB])
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ACCOUNTS = st.builds(AccountKey, NAMES, NAMES, KEYS)


def number(value: int) -> str:
    digits = f"{value:x}"
    return f"#{'0' * (len(digits) % 2)}{digits}#"


def dsa(owner: str = "alice", /, **changed: int) -> str:
    numbers = {part: int(VECTORS["keys"][owner][part], 16) for part in "pqgyx"}
    return " ".join(
        f"({part} {number(value)})" for part, value in (numbers | changed).items()
    )


def account(name: str = '"alice@example.org"', key: str | None = None) -> str:
    return (
        f"(account (name {name}) (protocol prpl-jabber)\n"
        f" (private-key (dsa {dsa() if key is None else key})))\n"
    )


def file(*accounts: str) -> bytes:
    return "\n".join(["(privkeys", *accounts, ")"]).encode()


def test_read_private_keys_reads_an_account() -> None:
    found = read_private_keys(file(account()))

    (entry,) = found.entries
    assert (entry.name, entry.protocol) == ("alice@example.org", "prpl-jabber")
    assert entry.key.to_bytes() == ALICE.to_bytes()
    assert found.skipped == ()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        pytest.param("alice", "alice", id="word"),
        pytest.param(
            '"alice@example.org/Pidgin"', "alice@example.org/Pidgin", id="jid"
        ),
        pytest.param('"alice@example.org/"', "alice@example.org/", id="empty resource"),
        pytest.param('"My Account"', "My Account", id="space"),
        pytest.param(r'"a\"b\\c\'d"', "a\"b\\c'd", id="quotes"),
        pytest.param('"grüße ☃"', "grüße ☃", id="utf-8"),
        pytest.param("#6772C3BCC39F65#", "grüße", id="hex"),
        pytest.param("#67 72 C3\n BC C3 9F 65#", "grüße", id="hex over lines"),
        pytest.param("|Z3LDvMOfZQ==|", "grüße", id="base64"),
        pytest.param("5:a b)c", "a b)c", id="raw"),
        pytest.param('"1"', "1", id="number, as Adium has it"),
        pytest.param('""', "", id="empty"),
    ],
)
def test_read_private_keys_reads_a_name_in_every_notation(
    written: str, name: str
) -> None:
    found = read_private_keys(file(account(written)))

    assert [entry.name for entry in found.entries] == [name]


def test_read_private_keys_reads_several_accounts_in_their_order() -> None:
    data = file(account("alice"), account("bob", dsa("bob")), account('"al ice"'))

    found = read_private_keys(data)

    assert [(entry.name, entry.key.fingerprint) for entry in found.entries] == [
        ("alice", ALICE.fingerprint),
        ("bob", BOB.fingerprint),
        ("al ice", ALICE.fingerprint),
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf" + file(account("alice")), id="byte order mark"),
        pytest.param(file(account("alice")).replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(file(account("alice")) + b" \n\n", id="blanks at the end"),
        pytest.param(file(account("alice")).replace(b"(", b" \t( "), id="blanks"),
        pytest.param(
            file("(version v2)", "word", "(hint (of x))", account("alice")),
            id="unknown in the file",
        ),
        pytest.param(
            file(
                "(account (name alice) (since y2009) (protocol p)(private-key"
                f'(comment "x") (dsa {dsa()} (seed #00#)) (flags)))'
            ),
            id="unknown in the account",
        ),
        pytest.param(
            file(
                "(account (private-key (dsa "
                + " ".join(reversed(dsa().replace(") (", ")|(").split("|")))
                + ")) (protocol p) (name alice))"
            ),
            id="another order",
        ),
        pytest.param(
            file(
                account(
                    "alice",
                    dsa()
                    .upper()
                    .replace("(P", "(p")
                    .replace("(Q", "(q")
                    .replace("(G", "(g")
                    .replace("(Y", "(y")
                    .replace("(X", "(x"),
                )
            ),
            id="upper case",
        ),
        pytest.param(
            file(account("alice", dsa().replace(" #", " #0000"))),
            id="zeros before the numbers",
        ),
    ],
)
def test_read_private_keys_reads_other_spellings(data: bytes) -> None:
    found = read_private_keys(data)

    assert [entry.name for entry in found.entries] == ["alice"]
    assert found.entries[0].key.to_bytes() == ALICE.to_bytes()
    assert found.skipped == ()


def test_read_private_keys_reads_files_written_behind_each_other() -> None:
    data = file(account("alice")) + file(account("bob", dsa("bob")))

    found = read_private_keys(data)

    assert [entry.name for entry in found.entries] == ["alice", "bob"]


def test_read_private_keys_finds_nothing_in_a_file_without_accounts() -> None:
    found = read_private_keys(b"(privkeys)")

    assert (found.entries, found.skipped) == ((), ())


@pytest.mark.parametrize(
    ("bad", "name", "reason"),
    [
        pytest.param(account("bad", dsa(x=0)), "bad", "the private number", id="x zero"),
        pytest.param(account("bad", dsa(x=X + 1)), "bad", "the private number", id="x+1"),
        pytest.param(account("bad", dsa(x=X + Q)), "bad", "the private number", id="x+q"),
        pytest.param(account("bad", dsa(x=Q - X)), "bad", "the private number", id="q-x"),
        pytest.param(account("bad", dsa(y=1)), "bad", "y does not generate", id="y one"),
        pytest.param(account("bad", dsa(y=0)), "bad", "y does not generate", id="y zero"),
        pytest.param(account("bad", dsa(g=1)), "bad", "g does not generate", id="g one"),
        pytest.param(account("bad", dsa(q=Q + 2)), "bad", "q is no prime", id="other q"),
        pytest.param(account("bad", dsa(q=Q >> 1)), "bad", "q of 159", id="short q"),
        pytest.param(
            account("bad", dsa(p=3 << 2046)), "bad",
            "a key of 2048 bits, where OTR has 1024", id="2048 bits"),
        pytest.param(account("bad", dsa(p=3 << 510)), "bad", "of 512 bits", id="512 bits"),
        pytest.param(account("bad", dsa(p=0)), "bad", "of 0 bits", id="p zero"),
        pytest.param(
            account("bad", dsa().replace("(x", "(z")), "bad",
            "x: 0 of them instead of one", id="no x"),
        pytest.param(
            account("bad", dsa() + " (x #01#)"), "bad",
            "x: 2 of them instead of one", id="x twice"),
        pytest.param(
            account("bad", dsa(q=5).replace("#05#", "(#05#)")), "bad",
            "q: no single value", id="list for q"),
        pytest.param(
            account("bad").replace("(dsa", "(rsa"), "bad",
            "dsa: 0 of them instead of one", id="rsa key"),
        pytest.param(
            account("bad").replace("(protocol", "(service"), "bad",
            "protocol: 0 of them instead of one", id="no protocol"),
        pytest.param(
            account("bad ly"), None, "name: no single value",
            id="two names"),
        pytest.param(account("(bad)"), None, "name: no single", id="list for a name"),
        pytest.param(account(""), None, "name: no single", id="no name"),
        pytest.param("(account)", None, "name: 0 of them", id="nothing"),
        pytest.param(account("#626164FF#"), "bad\\xff", "name: no UTF-8", id="latin-1"),
        pytest.param(account("#62616400#"), "bad\0", "name: a zero", id="zero byte"),
    ],
)  # fmt: skip
def test_read_private_keys_keeps_the_good_accounts_and_names_the_bad(
    bad: str, name: str | None, reason: str
) -> None:
    data = file(account("alice"), bad, account("bob", dsa("bob")))

    found = read_private_keys(data)

    assert [entry.name for entry in found.entries] == ["alice", "bob"]
    (skipped,) = found.skipped
    assert (skipped.line, skipped.name) == (5, name)
    assert reason in skipped.reason


def test_read_private_keys_keeps_the_later_of_two_accounts_of_one_name() -> None:
    data = file(account("alice"), account("alice", dsa("bob")))

    found = read_private_keys(data)

    assert [entry.key.fingerprint for entry in found.entries] == [BOB.fingerprint]
    assert found.skipped == (Skipped(2, "the same account follows in line 5", "alice"),)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b" \r\n", "the file is empty", id="blank"),
        pytest.param(b"\nword\n", "line 2: no list of private keys", id="word"),
        pytest.param(b"()", "line 1: no list of private keys", id="empty list"),
        pytest.param(b"(keys)", "line 1: no list of private keys", id="other list"),
        pytest.param(b"(privkeys)\n(keys)", "line 2: no list of", id="second list"),
        pytest.param(file(account())[:-1], "the list from line 1 does", id="cut short"),
        pytest.param(
            file(account()) + b")", "line 5, offset 976: a list ends", id="one too many"
        ),
        pytest.param(ALICE.to_bytes(), "line 1, offset 0", id="potr's own form"),
        pytest.param(b"alice\tbob\tprpl-jabber\t00", "line 1,", id="fingerprints"),
        pytest.param(b"(privkeys)" + b" " * MAX_BYTES, "at most 1048576", id="size"),
    ],
)
def test_read_private_keys_refuses_what_is_no_such_file(
    data: bytes, complaint: str
) -> None:
    with pytest.raises(LocalError, match=re.escape(complaint)):
        read_private_keys(data)


@pytest.mark.timeout(20)
def test_read_private_keys_comes_to_an_end_when_the_file_is_full_of_accounts() -> None:
    accounts = (account(f"a{number}") for number in range(1000))
    data = file(*accounts)

    found = read_private_keys(data)

    assert 0.8 * MAX_BYTES < len(data) < MAX_BYTES
    assert len(found.entries) == 1000


SECRETS = [f"{X:x}", f"{X:X}", str(X), f"{X:x}"[4:20], f"{X:X}"[4:20]]


def test_imported_keys_show_no_secret_in_a_repr() -> None:
    found = read_private_keys(file(account(), account("bad", dsa(y=1))))

    assert len(found.entries) == len(found.skipped) == 1
    assert not any(secret in repr(found) for secret in SECRETS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(file(account())[:-3], id="cut short"),
        pytest.param(file(account()).replace(b"#)", b"g#)"), id="no hex digit"),
        pytest.param(file(account()).replace(b"#)", b"0#)"), id="odd hex digits"),
        pytest.param(file(account())[11:], id="beginning lost"),
        pytest.param(dsa().rpartition("(x")[2].encode(), id="number alone"),
        pytest.param(f'("{X:x}\\e")'.encode(), id="number in a bad string"),
    ],
)
def test_read_private_keys_shows_no_secret_in_an_error(data: bytes) -> None:
    with pytest.raises(LocalError) as refusal:
        read_private_keys(data)

    # The lines of this file are no part of the program: what is asked is its words.
    shown = "".join(traceback.format_exception_only(refusal.value))
    assert not any(secret in shown for secret in SECRETS)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"x": X + Q}, id="x"),
        pytest.param({"q": Q + 2}, id="q"),
        pytest.param({"p": X}, id="x for p"),
        pytest.param({"g": X}, id="x for g"),
    ],
)
def test_skipped_shows_no_secret_in_its_reason(changed: dict[str, int]) -> None:
    found = read_private_keys(file(account(key=dsa(**changed))))

    assert len(found.skipped) == 1
    assert not any(secret in repr(found.skipped) for secret in SECRETS)


def test_write_private_keys_writes_the_form_of_libotr() -> None:
    keys = [
        AccountKey("alice@example.org/Pidgin", "prpl-jabber", ALICE),
        AccountKey("bob", "IRC", BOB),
    ]

    lines = write_private_keys(keys).decode().splitlines(keepends=True)

    shape = [re.sub("#[0-9A-F]+#", "#..#", line) for line in lines]
    tail = ["(private-key \n", " (dsa \n"]
    tail += [f"  ({part} #..#)\n" for part in "pqgyx"] + ["  )\n", " )\n", " )\n"]
    assert shape == [
        "(privkeys\n",
        " (account\n",
        '(name "alice@example.org/Pidgin")\n',
        "(protocol prpl-jabber)\n",
        *tail,
        " (account\n",
        "(name bob)\n",
        "(protocol IRC)\n",
        *tail,
        ")\n",
    ]
    # The highest bit of p and q is set, that of x is not.
    assert f"  (p #00{VECTORS['keys']['alice']['p'].upper()}#)\n" in lines
    assert f"  (q #00{Q:X}#)\n" in lines
    assert f"  (x #{X:X}#)\n" in lines


def test_write_private_keys_writes_a_file_without_accounts() -> None:
    data = write_private_keys([])

    assert data == b"(privkeys\n)\n"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        pytest.param([AccountKey("a\0b", "p", ALICE)], "a zero byte", id="zero byte"),
        pytest.param([AccountKey("a", "p\0", ALICE)], "a zero byte", id="protocol"),
        pytest.param([AccountKey("\ud83d", "p", ALICE)], "no text", id="surrogate"),
        pytest.param(
            [AccountKey("a", "p", ALICE), AccountKey("a", "p", BOB)],
            "entry 2 is there already",
            id="twice",
        ),
    ],
)
def test_write_private_keys_refuses_what_libotr_would_read_otherwise(
    keys: list[AccountKey], complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        write_private_keys(keys)


def test_write_private_keys_lets_no_name_end_its_list() -> None:
    name = f'a") (protocol p) {dsa("bob")})) (account (name "b'

    found = read_private_keys(write_private_keys([AccountKey(name, "p", ALICE)]))

    assert [(entry.name, entry.key.fingerprint) for entry in found.entries] == [
        (name, ALICE.fingerprint)
    ]


@settings(deadline=None)  # each key is checked, with the arithmetic that takes
@given(st.lists(ACCOUNTS, max_size=4, unique_by=lambda a: (a.name, a.protocol)))
def test_read_private_keys_reads_whatever_was_written(keys: list[AccountKey]) -> None:
    found = read_private_keys(write_private_keys(keys))

    assert found.skipped == ()
    assert [(entry.name, entry.protocol) for entry in found.entries] == [
        (entry.name, entry.protocol) for entry in keys
    ]
    assert [entry.key.to_bytes() for entry in found.entries] == [
        entry.key.to_bytes() for entry in keys
    ]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Some pieces of a good file, in order, with other bytes between."""
    good = file(account(), account("bob", dsa("bob")))
    cuts = sorted(draw(st.lists(st.integers(0, len(good)), min_size=2, max_size=6)))
    pieces = [good[start:end] for start, end in pairwise([0, *cuts, len(good)])]
    joints = st.sampled_from([b"", b"(", b")", b'"', b"#", b"\0", b"00", b" x "])
    return b"".join(piece + draw(joints) for piece in pieces if draw(st.booleans()))


@settings(deadline=None)
@given(damaged_files() | st.binary(max_size=200))
def test_read_private_keys_raises_nothing_but_its_own_error(data: bytes) -> None:
    try:
        found = read_private_keys(data)
    except LocalError as error:
        shown = str(error)
    else:
        shown = repr(found)
        assert read_private_keys(write_private_keys(found.entries)).skipped == ()

    assert not any(secret in shown for secret in SECRETS)
