"""libotr's fingerprints and instance tags: no line tells of another than it is of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.otr import LocalError
from coykiosk.otr.keyfile.files import (
    MAX_SKIPPED,
    AccountTag,
    KnownFingerprint,
    Skipped,
    read_fingerprints,
    read_instance_tags,
    write_fingerprints,
    write_instance_tags,
)
from coykiosk.otr.keyfile.lines import MAX_BYTES

HEX = "000102030405060708090a0b0c0d0e0f10111213"
FINGERPRINT = bytes(range(20))
OTHER = bytes(range(1, 21))
ALICE = KnownFingerprint("alice@a.org", "bob@b.org", "prpl-jabber", FINGERPRINT)
LINE = f"alice@a.org\tbob@b.org\tprpl-jabber\t{HEX}\t".encode()
TAG_LINE = b"bob@b.org\tprpl-jabber\t27e31597"
TAG = AccountTag("bob@b.org", "prpl-jabber", 0x27E31597)

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")
    | st.characters(min_codepoint=0x80, max_codepoint=0x9F),
    max_size=30,
)
FINGERPRINTS = st.builds(
    KnownFingerprint,
    *(NAMES, NAMES, NAMES),
    st.binary(min_size=20, max_size=20),
    st.sampled_from(["", "verified", "smp"]) | NAMES,
)
TAGS = st.builds(AccountTag, NAMES, NAMES, st.integers(0x100, 0xFFFFFFFF))


@pytest.mark.parametrize(
    ("line", "trust", "is_verified"),
    [
        pytest.param(LINE + b"\n", "", False, id="no trust"),
        pytest.param(LINE + b"verified\n", "verified", True, id="by hand"),
        pytest.param(LINE + b"smp\n", "smp", True, id="by a secret"),
        pytest.param(LINE + b"in person\n", "in person", True, id="any words"),
        pytest.param(LINE + b"  \n", "  ", False, id="blanks"),
        pytest.param(LINE[:-1] + b"\n", "", False, id="no column for trust"),
        pytest.param(LINE + b"smp\r\n", "smp", True, id="crlf"),
        pytest.param(LINE + b"\r\n", "", False, id="no trust and crlf"),
        pytest.param(LINE[:-1] + b"\r\n", "", False, id="no column and crlf"),
        pytest.param(LINE + b"smp", "smp", True, id="no line end"),
        pytest.param(b"\xef\xbb\xbf" + LINE + b"smp\n", "smp", True, id="mark"),
        pytest.param(LINE.upper().replace(
            b"ALICE@A.ORG\tBOB@B.ORG\tPRPL-JABBER", b"alice@a.org\tbob@b.org\tprpl-jabber"
        ), "", False, id="upper case"),
    ],
)  # fmt: skip
def test_read_fingerprints_reads_a_line(
    line: bytes, trust: str, is_verified: bool
) -> None:
    found = read_fingerprints(line)

    assert found.skipped == ()
    (entry,) = found.entries
    assert entry == KnownFingerprint(
        "alice@a.org", "bob@b.org", "prpl-jabber", FINGERPRINT, trust
    )
    assert entry.is_verified is is_verified


@pytest.mark.parametrize(
    "contact",
    [
        pytest.param("alice@a.org/Home", id="resource"),
        pytest.param("al ice", id="space"),
        pytest.param("#alice@a.org", id="hash sign first"),
        pytest.param("grüße ☃", id="utf-8"),
        pytest.param("a\x85b\u2028c\u2029d", id="other line ends"),
        pytest.param("", id="empty"),
    ],
)
def test_fingerprints_keep_any_name_that_is_one_column(contact: str) -> None:
    known = [KnownFingerprint(contact, "bob", "p", FINGERPRINT, "smp")]

    found = read_fingerprints(write_fingerprints(known))

    assert list(found.entries) == known


def test_read_fingerprints_passes_over_comments_and_empty_lines() -> None:
    data = b"# what follows is mine\n\n \t \n" + LINE + b"\n#\n"

    found = read_fingerprints(data)

    assert found.entries == (ALICE,)
    assert found.skipped == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"alice", "1 columns instead of 5", id="word"),
        pytest.param(LINE[:-42], "3 columns instead of 5", id="no fingerprint"),
        pytest.param(LINE + b"smp\tx", "6 columns instead of 5", id="one too many"),
        pytest.param(LINE[:-2] + b"\t", "39 characters instead of 40", id="short"),
        pytest.param(LINE[:-1] + b"0\t", "41 characters instead of 40", id="long"),
        pytest.param(LINE[:-2] + b"g\t", "40 characters instead of 40", id="no hex"),
        pytest.param(LINE[:-3] + b"\xc3\xa9\t", "39 char", id="no ascii"),
        pytest.param(
            LINE[:-3] + "१२".encode() + b"\t", "40 characters", id="other digits"
        ),
        pytest.param(LINE[:-3] + b" 1\t", "40 characters", id="space in the hex"),
        pytest.param(b"\xff" + LINE, "no UTF-8", id="latin-1"),
        pytest.param(b"a\0" + LINE, "a control character", id="zero byte"),
        pytest.param(b"a\r" + LINE, "a control character", id="carriage return"),
        pytest.param(b"\x1b[2J" + LINE, "a control character", id="escape"),
        pytest.param(
            b"a" * 950 + LINE, "a line of 1025 bytes, of which libotr reads 998",
            id="too long for libotr"),
    ],
)  # fmt: skip
def test_read_fingerprints_skips_a_line_that_is_none_and_says_which(
    line: bytes, reason: str
) -> None:
    data = b"# head\n" + LINE + b"\n" + line + b"\n" + LINE.replace(b"a", b"c", 1)

    found = read_fingerprints(data)

    assert [entry.contact for entry in found.entries] == ["alice@a.org", "clice@a.org"]
    (skipped,) = found.skipped
    assert (skipped.line, skipped.name) == (3, None)
    assert reason in skipped.reason


def test_read_fingerprints_keeps_the_later_of_two_lines_about_one_key() -> None:
    data = LINE + b"verified\n" + LINE.replace(b"13\t", b"14\t") + b"\n" + LINE

    found = read_fingerprints(data)

    assert [entry.trust for entry in found.entries] == ["", ""]
    assert len({entry.fingerprint for entry in found.entries}) == 2


def test_read_fingerprints_finds_nothing_in_an_empty_file() -> None:
    found = read_fingerprints(b"")

    assert (found.entries, found.skipped) == ((), ())


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param(b"\n" * (MAX_BYTES + 1), "at most 1048576 are read", id="size"),
        pytest.param(
            b"\n" + b"x\n" * (MAX_SKIPPED + 1),
            "1001 lines are none, the first is 2",
            id="nothing that fits",
        ),
    ],
)
def test_lines_are_refused_when_the_file_is_something_else(
    data: bytes, complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        read_fingerprints(data)
    with pytest.raises(LocalError, match=complaint):
        read_instance_tags(data)


@pytest.mark.timeout(10)
def test_read_fingerprints_comes_to_an_end_when_the_file_is_full() -> None:
    line = b"\t\t\t%040x\t\n"
    data = b"".join(line % number for number in range(MAX_BYTES // 45))

    found = read_fingerprints(data)

    assert len(found.entries) == 23301
    assert found.skipped == ()


def test_write_fingerprints_writes_the_form_of_libotr() -> None:
    known = [
        ALICE,
        KnownFingerprint("alice@a.org", "bob@b.org", "prpl-jabber", OTHER, "smp"),
    ]

    data = write_fingerprints(known)

    assert data == (
        b"alice@a.org\tbob@b.org\tprpl-jabber\t"
        b"000102030405060708090a0b0c0d0e0f10111213\t\n"
        b"alice@a.org\tbob@b.org\tprpl-jabber\t"
        b"0102030405060708090a0b0c0d0e0f1011121314\tsmp\n"
    )


FORGED = f"\n\nmallory\tbob@b.org\tprpl-jabber\t{HEX}\tverified\n"
FORGERIES = [
    pytest.param("a\tb", "a column of 3 characters with a control", id="tab"),
    pytest.param("a\nb", "a column of 3 characters with a control", id="line feed"),
    pytest.param("a\rb", "a column of 3 characters with a control", id="return"),
    pytest.param("a\r\nb", "a column of 4 characters with a control", id="crlf"),
    pytest.param("a\0", "a column of 2 characters with a control", id="zero"),
    pytest.param("a\x7f", "a column of 2 characters with a control", id="delete"),
    pytest.param("\ufeffa", "a column of 2 characters with a control", id="mark"),
    pytest.param(FORGED, "a control character", id="whole line"),
    pytest.param("\udc0a", "a name of .* characters that is no text", id="surrogate"),
    pytest.param("a" * 999, "a line of .* bytes, of which libotr", id="long"),
    pytest.param("é" * 499, "a line of .* bytes, of which libotr", id="long in utf-8"),
]


@pytest.mark.parametrize(("text", "complaint"), FORGERIES)
@pytest.mark.parametrize("column", ["contact", "account", "protocol", "trust"])
def test_write_fingerprints_refuses_a_column_that_forges(
    column: str, text: str, complaint: str
) -> None:
    columns = {"contact": "a", "account": "b", "protocol": "p", "trust": "smp"}
    entry = KnownFingerprint(fingerprint=FINGERPRINT, **{**columns, column: text})

    with pytest.raises(LocalError, match=complaint):
        write_fingerprints([ALICE, entry])


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        pytest.param([ALICE, ALICE], "entry 2 is there already", id="twice"),
        pytest.param(
            [ALICE, KnownFingerprint("alice@a.org", "bob@b.org", "prpl-jabber",
                                     FINGERPRINT, "smp")],
            "entry 2 is there already", id="twice with another trust"),
        pytest.param([KnownFingerprint("a", "b", "p", b"")], "of 0 bytes", id="empty"),
        pytest.param(
            [KnownFingerprint("a", "b", "p", bytes(21))], "of 21 bytes", id="21 bytes"),
    ],
)  # fmt: skip
def test_write_fingerprints_refuses_entries_that_are_none(
    known: list[KnownFingerprint], complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        write_fingerprints(known)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TAG_LINE + b"\n", id="line"),
        pytest.param(TAG_LINE + b"\r\n", id="crlf"),
        pytest.param(TAG_LINE, id="no line end"),
        pytest.param(TAG_LINE.replace(b"27e", b"27E"), id="upper case"),
        pytest.param(b"# do not copy!\n\n" + TAG_LINE, id="comment"),
        pytest.param(
            TAG_LINE.replace(b"7e", b"8f") + b"\n" + TAG_LINE, id="twice: the later"
        ),
    ],
)
def test_read_instance_tags_reads_a_tag(data: bytes) -> None:
    found = read_instance_tags(data)

    assert found.entries == (TAG,)
    assert found.skipped == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"bob", "1 columns instead of 3", id="word"),
        pytest.param(TAG_LINE + b"\t", "4 columns instead of 3", id="one too many"),
        pytest.param(TAG_LINE[:-1], "7 characters instead of 8", id="short"),
        pytest.param(TAG_LINE + b"0", "9 characters instead of 8", id="long"),
        pytest.param(TAG_LINE[:-8] + b"0x001234", "8 characters", id="hex of C"),
        pytest.param(TAG_LINE[:-8] + b"-0001234", "8 characters", id="negative"),
        pytest.param(TAG_LINE[:-8] + b"    1234", "8 characters", id="blanks"),
        pytest.param(TAG_LINE[:-8] + b"00000000", "instance tag 0x0", id="zero"),
        pytest.param(TAG_LINE[:-8] + b"000000ff", "instance tag 0xff", id="reserved"),
        pytest.param(b"\xff" + TAG_LINE, "no UTF-8", id="latin-1"),
    ],
)
def test_read_instance_tags_skips_a_line_that_is_none_and_says_which(
    line: bytes, reason: str
) -> None:
    found = read_instance_tags(b"# head\n" + line + b"\nme\tp\t00000100\n")

    assert found.entries == (AccountTag("me", "p", 0x100),)
    (skipped,) = found.skipped
    assert skipped.line == 2
    assert reason in skipped.reason


def test_write_instance_tags_writes_a_comment_and_eight_digits() -> None:
    data = write_instance_tags([TAG, AccountTag("me", "p", 0x100)])

    comment, *lines = data.splitlines()
    assert re.fullmatch(rb"# [^\t]+", comment)
    assert lines == [TAG_LINE, b"me\tp\t00000100"]


@pytest.mark.parametrize(("text", "complaint"), FORGERIES)
@pytest.mark.parametrize("column", ["account", "protocol"])
def test_write_instance_tags_refuses_a_column_that_forges(
    column: str, text: str, complaint: str
) -> None:
    entry = AccountTag(
        instance_tag=0x100, **{"account": "", "protocol": "", column: text}
    )

    with pytest.raises(LocalError, match=complaint):
        write_instance_tags([entry])


@pytest.mark.parametrize(
    ("tags", "complaint"),
    [
        pytest.param([TAG, TAG], "entry 2 is there already", id="twice"),
        pytest.param([AccountTag("a", "p", 0xFF)], "instance tag 0xff", id="reserved"),
        pytest.param([AccountTag("a", "p", 1 << 32)], "instance tag", id="33 bits"),
        pytest.param([AccountTag("a", "p", -1)], "instance tag", id="negative"),
    ],
)
def test_write_instance_tags_refuses_entries_that_are_none(
    tags: list[AccountTag], complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        write_instance_tags(tags)


@given(
    st.lists(
        FINGERPRINTS,
        max_size=5,
        unique_by=lambda k: (k.contact, k.account, k.protocol, k.fingerprint),
    )
)
def test_read_fingerprints_reads_whatever_was_written(
    known: list[KnownFingerprint],
) -> None:
    found = read_fingerprints(write_fingerprints(known))

    assert (found.entries, found.skipped) == (tuple(known), ())


@given(st.lists(TAGS, max_size=5, unique_by=lambda tag: (tag.account, tag.protocol)))
def test_read_instance_tags_reads_whatever_was_written(tags: list[AccountTag]) -> None:
    found = read_instance_tags(write_instance_tags(tags))

    assert (found.entries, found.skipped) == (tuple(tags), ())


PIECES = st.sampled_from(
    [b"\t", b"\n", b"\r", b"#", b"\xef\xbb\xbf", HEX.encode(), b"a", b"00000100", b" "]
)
JUNK = st.lists(PIECES, max_size=25).map(b"".join) | st.binary(max_size=200)


@given(JUNK)
def test_read_fingerprints_raises_nothing_and_can_write_what_it_read(
    data: bytes,
) -> None:
    found = read_fingerprints(data)

    again = read_fingerprints(write_fingerprints(found.entries))
    assert (again.entries, again.skipped) == (found.entries, ())
    assert all(isinstance(each, Skipped) for each in found.skipped)


@given(JUNK)
def test_read_instance_tags_raises_nothing_and_can_write_what_it_read(
    data: bytes,
) -> None:
    found = read_instance_tags(data)

    again = read_instance_tags(write_instance_tags(found.entries))
    assert (again.entries, again.skipped) == (found.entries, ())
