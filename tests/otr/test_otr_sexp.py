"""S-expressions: the notation of libgcrypt, bounded, and silent about what it holds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.otr import LocalError
from coykiosk.otr.keyfile.sexp import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ESCAPES,
    MAX_NODES,
    Atom,
    Branch,
    Node,
    read_sexps,
    write_atom,
)

ATOMS = st.builds(Atom, st.binary(max_size=12))
NODES: st.SearchStrategy[Node] = st.recursive(
    ATOMS,
    lambda inner: st.builds(Branch, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)


def written(node: Node) -> bytes:
    if isinstance(node, Atom):
        return write_atom(node.value)
    return b"(" + b" ".join(map(written, node.items)) + b")"


def lines_of(nodes: tuple[Node, ...]) -> list[int]:
    """Where each node begins, a list before what is in it."""
    found = []
    for node in nodes:
        found.append(node.line)
        found += lines_of(node.items) if isinstance(node, Branch) else []
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"prpl-jabber", b"prpl-jabber", id="word"),
        pytest.param(b"-./_:*+=a1", b"-./_:*+=a1", id="word of every sign"),
        pytest.param(b'"two words"', b"two words", id="string"),
        pytest.param(b'""', b"", id="empty string"),
        pytest.param(b'"(a)#|"', b"(a)#|", id="string of other marks"),
        pytest.param(rb'"\b\t\v\n\f\r\"\'\\"', b"\b\t\v\n\f\r\"'\\", id="escapes"),
        pytest.param(rb'"\xC3\xbc"', "ü".encode(), id="hex escapes"),
        pytest.param(rb'"\303\274"', "ü".encode(), id="octal escapes"),
        pytest.param(b'"a\\\nb\\\r\nc\\\rd\\\n\re"', b"abcde", id="line ends escaped"),
        pytest.param(b'"a\r\nb"', b"a\r\nb", id="line end in a string"),
        pytest.param('"grüße"'.encode(), "grüße".encode(), id="utf-8"),
        pytest.param(b"#6772C3bcc39F65#", "grüße".encode(), id="hex"),
        pytest.param(b"#67 7\r\n2\t#", b"gr", id="hex over lines"),
        pytest.param(b"##", b"", id="empty hex"),
        pytest.param(b"|Z3I=|", b"gr", id="base64"),
        pytest.param(b"|Z3I|", b"gr", id="base64 without padding"),
        pytest.param(b"|Z 3\r\nI = |", b"gr", id="base64 over lines"),
        pytest.param(b"||", b"", id="empty base64"),
        pytest.param(b"5:(a) b", b"(a) b", id="raw"),
        pytest.param(b'3:"\\#', b'"\\#', id="raw marks"),
        pytest.param(b'9"gr"', b"gr", id="string with a length that is ignored"),
        pytest.param(b"9#6772#", b"gr", id="hex with a length that is ignored"),
        pytest.param(b"9|Z3I=|", b"gr", id="base64 with a length that is ignored"),
    ],
)
def test_read_sexps_reads_a_value_in_every_notation(text: bytes, value: bytes) -> None:
    tree = read_sexps(b"(" + text + b")")

    assert tree == (Branch((Atom(value),)),)


def test_read_sexps_reads_lists_within_lists_without_space_between() -> None:
    tree = read_sexps(b'(a(b)"c"#64#e())(f)')

    assert tree == (
        Branch(
            (
                Atom(b"a"),
                Branch((Atom(b"b"),)),
                Atom(b"c"),
                Atom(b"d"),
                Atom(b"e"),
                Branch(()),
            )
        ),
        Branch((Atom(b"f"),)),
    )


def test_read_sexps_tells_on_which_line_each_thing_begins() -> None:
    tree = read_sexps(b'\n(a\n "x\ny" (b\n))\r\nc')

    assert lines_of(tree) == [2, 2, 3, 4, 4, 6]


@pytest.mark.parametrize(
    ("items", "head"),
    [
        pytest.param((Atom(b"dsa"), Atom(b"x")), b"dsa", id="value first"),
        pytest.param((Branch((Atom(b"dsa"),)),), None, id="list first"),
        pytest.param((), None, id="empty"),
    ],
)
def test_branch_head_is_its_first_value(
    items: tuple[Node, ...], head: bytes | None
) -> None:
    branch = Branch(items)

    assert branch.head == head


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"(a", "line 1, offset 2: the list from line 1", id="open list"),
        pytest.param(b"(a\n(b)", "line 2, offset 6: the list from line 1", id="cut"),
        pytest.param(b"\n)", "line 2, offset 1: a list ends", id="unopened list"),
        pytest.param(b'(a\n "b', "line 2, offset 4: a string that", id="open string"),
        pytest.param(b'"a\\"', "line 1, offset 0: a string that", id="end escaped"),
        pytest.param(b'"\\e"', "a backslash before", id="unknown escape"),
        pytest.param(b'"\\x4"', "a backslash before", id="short hex escape"),
        pytest.param(b'"\\08"', "a backslash before", id="short octal escape"),
        pytest.param(b'"\\400"', "a backslash before", id="octal escape above 255"),
        pytest.param(b"#4g#", "a hex number with", id="no hex digit"),
        pytest.param(b"#41", "a hex number with", id="open hex"),
        pytest.param(b"#414#", "3 hex digits, an odd", id="odd hex"),
        pytest.param(b"|Z!I=|", "base64 with", id="no base64 digit"),
        pytest.param(b"|Z=I=|", "base64 with", id="padding inside base64"),
        pytest.param(b"|Z3I=", "base64 with", id="open base64"),
        pytest.param(b"|Z3I=Z|", "base64 with", id="base64 after its padding"),
        pytest.param(b"|Z|", "base64 of 1 char", id="short base64"),
        pytest.param(b"4:abc", "longer than the rest", id="raw too long"),
        pytest.param(b"0:", "a digit that begins no", id="length zero"),
        pytest.param(b"03:abc", "a digit that begins no", id="length with zero first"),
        pytest.param(b"3 abc", "a digit that begins no", id="length of nothing"),
        pytest.param(b"9" * 5000 + b":", "a digit that begins no", id="length of 5000"),
        pytest.param(b"[hint]a", "a character without", id="display hint"),
        pytest.param(b"{KDE6YSk=}", "a character without", id="transport form"),
        pytest.param(b"a&b", "line 1, offset 1: a character", id="reserved"),
        pytest.param(b"(a)\0", "offset 3: a character", id="zero byte"),
        pytest.param("ü".encode(), "offset 0: a character", id="utf-8 outside"),
    ],
)
def test_read_sexps_refuses_and_says_where(text: bytes, complaint: str) -> None:
    with pytest.raises(LocalError, match=re.escape(complaint)):
        read_sexps(text)


def test_read_sexps_reads_lists_as_deep_as_the_bound() -> None:
    tree = read_sexps(b"(" * MAX_DEPTH + b")" * MAX_DEPTH)

    assert len(tree) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"(" * (MAX_DEPTH + 1), "lists inside each other", id="depth"),
        pytest.param(b"(" * MAX_BYTES, "lists inside each other", id="all parentheses"),
        pytest.param(b"a " * (MAX_NODES + 1), "lists and values", id="values"),
        pytest.param(b"()" * (MAX_NODES + 1), "lists and values", id="lists"),
        pytest.param(b" " * (MAX_BYTES + 1), "1048577 bytes, at most", id="size"),
        pytest.param(
            b'"' + b"\\n" * (MAX_ESCAPES + 1) + b'"', "backslashes", id="escapes"
        ),
        pytest.param(b'"' + b"\\\\" * 500_000, "does not end", id="endless escapes"),
        pytest.param(b'"' + b"a" * 1_000_000, "does not end", id="endless string"),
        pytest.param(b"#" + b" " * 1_000_000, "does not end", id="endless hex"),
        pytest.param(b"|" + b" " * 1_000_000, "does not end", id="endless base64"),
        pytest.param(b"|" + b"= " * 500_000, "does not end", id="endless padding"),
    ],
)
@pytest.mark.timeout(10)
def test_read_sexps_refuses_what_would_exhaust_us(text: bytes, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        read_sexps(text)


def test_read_sexps_shows_no_value_in_a_repr() -> None:
    tree = read_sexps(b"(x secretword #5345435245545345435245# 6:secret)")

    shown = repr(tree).lower()

    assert "secret" not in shown
    assert "534543" not in shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"(x secretword) &", id="after a word"),
        pytest.param(b"(x 5345435245#414#)", id="in a number"),
        pytest.param(b'(x "secret\\e")', id="in a string"),
        pytest.param(b"(x #5345435245zz#)", id="in hex"),
        pytest.param(b"(x 99:secret", id="in raw bytes"),
    ],
)
def test_read_sexps_shows_no_value_in_an_error(text: bytes) -> None:
    with pytest.raises(LocalError) as refusal:
        read_sexps(text)

    assert "secret" not in str(refusal.value)
    assert "5345" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"prpl-jabber", b"prpl-jabber", id="word"),
        pytest.param(b"", b'""', id="empty"),
        pytest.param(b"1234", b'"1234"', id="digit first"),
        pytest.param(b"a@b/c", b'"a@b/c"', id="jid"),
        pytest.param(b"\"'\\\n", rb'"\"\'\\\n"', id="escapes"),
        pytest.param("xü".encode(), b'"x\xc3\xbc"', id="utf-8 that looks like text"),
        pytest.param("xß".encode(), b"#78C39F#", id="utf-8 that looks like none"),
        pytest.param("ü".encode(), b"#C3BC#", id="highest bit first"),
        pytest.param(b"\0a", b"#0061#", id="zero first"),
        pytest.param(b"a\0", b"#6100#", id="zero later"),
    ],
)
def test_write_atom_chooses_the_notation_of_libgcrypt(
    value: bytes, text: bytes
) -> None:
    found = write_atom(value)

    assert found == text


@given(st.lists(NODES, max_size=3).map(tuple))
def test_read_sexps_reads_whatever_was_written(tree: tuple[Node, ...]) -> None:
    text = b" ".join(map(written, tree))

    assert read_sexps(text) == tree


@given(st.binary(max_size=60) | st.text('()"\\#|:019aZx \n=é', max_size=60))
def test_read_sexps_raises_nothing_but_its_own_error(text: bytes | str) -> None:
    data = text.encode() if isinstance(text, str) else text

    try:
        tree = read_sexps(data)
    except LocalError:
        return

    assert all(isinstance(node, Atom | Branch) for node in tree)
