"""Our key files against the real libotr and libgcrypt, both ways.

A missing compiler or library fails these tests: without them nothing is proved.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from coykiosk.otr import LocalError
from coykiosk.otr.keyfile.files import (
    AccountKey,
    AccountTag,
    KnownFingerprint,
    read_fingerprints,
    read_instance_tags,
    read_private_keys,
    write_fingerprints,
    write_instance_tags,
    write_private_keys,
)
from coykiosk.otr.keyfile.sexp import Atom, Node, read_sexps, write_atom
from tests.otr.wiring import recorded_key

SOURCE = Path(__file__).parent.parent / "peers" / "libotr_files.c"
ALICE = recorded_key("alice")
BOB = recorded_key("bob")
NAMES = [
    "alice@example.org",
    "alice@example.org/Pidgin",
    "alice",
    "-./_:*+=a1",
    "1",
    "",
    "My Account",
    "a\"b'c\\d",
    "tab\tline\nreturn\r",
    "xü",
    "grüße ☃",
    "ü",
    "x\x7f",
    "(account (name b))",
    "#616c#",
    "%s%n",
    "a" * 3000,
]


class LibotrFiles:
    """The program that reads and writes libotr's files."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def __call__(self, *words: str | Path) -> list[list[str]]:
        """Give one command; returns the words of each line of its output."""
        done = subprocess.run(  # noqa: S603 # the program we just built
            [self._program, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        return [line.split(" ") for line in done.stdout.splitlines()]

    def path(self, name: str, data: bytes = b"") -> Path:
        """A file in a folder of this test's own."""
        path = self._folder / name
        path.write_bytes(data)
        return path


def unhex(word: str) -> str:
    return "" if word == "-" else bytes.fromhex(word).decode()


@pytest.fixture(scope="session")
def libotr_files_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    assert compiler, "gcc is missing: apt install gcc libotr5-dev"
    program = tmp_path_factory.mktemp("libotr") / "libotr_files"
    subprocess.run(  # noqa: S603 # fixed arguments
        [
            *(compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"),
            *("-Wno-unused-parameter", "-o", program, SOURCE, "-lotr", "-lgcrypt"),
        ],
        check=True,
    )
    return program


@pytest.fixture
def libotr(libotr_files_program: Path, tmp_path: Path) -> LibotrFiles:
    return LibotrFiles(libotr_files_program, tmp_path)


class Libgcrypt:
    """One process that reads and writes s-expressions."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 # the program we just built
            [str(program), "sexps"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def scan(self, text: bytes) -> bytes | None:
        """Return the canonical form, or None when it is refused."""
        answer = self._ask("scan", text)
        return None if answer == "refused" else bytes.fromhex(answer)

    def atom(self, value: bytes) -> bytes:
        """Return how the value is written."""
        listed = bytes.fromhex(self._ask("atom", value))
        return listed.removeprefix(b"(").removesuffix(b")\n")

    def _ask(self, command: str, data: bytes) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command} {data.hex() or '-'}\n")
        self._process.stdin.flush()
        answer: str = self._process.stdout.readline()
        assert answer.endswith("\n"), "libgcrypt has died"
        return answer.rstrip("\n")

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def libgcrypt(libotr_files_program: Path) -> Iterator[Libgcrypt]:
    process = Libgcrypt(libotr_files_program)
    yield process
    process.close()


def test_private_keys_of_libotr_are_read_and_written_as_they_were(
    libotr: LibotrFiles,
) -> None:
    path = libotr.path("theirs")
    words = [word for name in NAMES for word in (name, "prpl-jabber")]
    lines = libotr("new", path, *words)

    found = read_private_keys(path.read_bytes())

    assert found.skipped == ()
    assert {(entry.name, entry.key.fingerprint.hex()) for entry in found.entries} == {
        (unhex(name), fingerprint) for name, _, fingerprint, _ in lines
    }
    assert {entry.name for entry in found.entries} == set(NAMES)
    theirs, ours = path.read_bytes(), write_private_keys(found.entries)
    # A secret with a zero byte among letters, one in some thousands, is a string with
    # \x00 for libgcrypt 1.10; for 1.11, and for us, it is hex.
    assert ours == theirs or rb"\x00" in theirs
    again = read_private_keys(ours).entries
    assert [entry.key.to_bytes() for entry in again] == [
        entry.key.to_bytes() for entry in found.entries
    ]


def test_private_keys_of_ours_are_read_by_libotr(libotr: LibotrFiles) -> None:
    keys = [
        AccountKey(name, protocol, key)
        for name in NAMES
        for protocol, key in (("prpl-jabber", ALICE), ("My Protocol", BOB))
    ]

    lines = libotr("keys", libotr.path("ours", write_private_keys(keys)))

    # libotr puts each account it reads before those it has.
    assert [
        (unhex(name), unhex(protocol), fingerprint, usable)
        for name, protocol, fingerprint, usable in reversed(lines)
    ] == [
        (entry.name, entry.protocol, entry.key.fingerprint.hex(), "usable")
        for entry in keys
    ]


def test_private_keys_of_ours_are_written_by_libotr_as_we_write_them(
    libotr: LibotrFiles,
) -> None:
    keys = [AccountKey(name, "prpl-jabber", ALICE) for name in NAMES]
    ours, theirs = libotr.path("ours", write_private_keys(keys)), libotr.path("theirs")

    libotr("add", ours, theirs, "one more", "IRC")

    *earlier, added = read_private_keys(theirs.read_bytes()).entries
    assert (added.name, added.protocol) == ("one more", "IRC")
    assert write_private_keys([*earlier, added]) == theirs.read_bytes()
    assert write_private_keys(reversed(earlier)) == ours.read_bytes()


def test_private_keys_of_libotr_are_wanted_by_libotr_only_when_x_fits(
    libotr: LibotrFiles,
) -> None:
    # The other way round: what we refuse, libotr would take and never sign with.
    good = write_private_keys([AccountKey("alice", "p", ALICE)])
    other = write_private_keys([AccountKey("alice", "p", BOB)])
    forged = good.partition(b"  (x")[0] + b"  (x" + other.partition(b"  (x")[2]

    ((_, _, _, usable),) = libotr("keys", libotr.path("forged", forged))

    assert usable == "unusable"
    assert [each.name for each in read_private_keys(forged).skipped] == ["alice"]


def fingerprint_words(known: KnownFingerprint) -> tuple[str, ...]:
    return (
        *(known.contact, known.account, known.protocol, known.fingerprint.hex()),
        *(known.trust, "trusted" if known.is_verified else "untrusted"),
    )


def libotr_words(line: list[str]) -> tuple[str, ...]:
    contact, account, protocol, fingerprint, trust, verdict = line
    names = (unhex(contact), unhex(account), unhex(protocol))
    return (*names, fingerprint, unhex(trust), verdict)


def known_fingerprints() -> list[KnownFingerprint]:
    contacts = [
        "alice@example.org",
        "alice@example.org/Home",
        "#alice@example.org",
        "al ice",
        "grüße ☃",
        "a\x85b\u2028c",
        "%s%n",
        "",
    ]
    return [
        KnownFingerprint(contact, account, "prpl-jabber", bytes([number] * 20), trust)
        for number, contact in enumerate(contacts)
        for account, trust in (("bob", ""), ("b ö b", "verified"), ("b/x", "smp"))
    ]


def test_fingerprints_of_ours_are_read_by_libotr(libotr: LibotrFiles) -> None:
    known = known_fingerprints()
    ours, theirs = libotr.path("ours", write_fingerprints(known)), libotr.path("theirs")

    lines = libotr("fingerprints", ours, theirs)

    assert {libotr_words(line) for line in lines} == set(map(fingerprint_words, known))
    assert len(lines) == len(known)


def test_fingerprints_of_libotr_are_read_and_written_as_they_were(
    libotr: LibotrFiles,
) -> None:
    known = known_fingerprints()
    ours, theirs = libotr.path("ours", write_fingerprints(known)), libotr.path("theirs")
    lines = libotr("fingerprints", ours, theirs)

    found = read_fingerprints(theirs.read_bytes())

    assert list(map(fingerprint_words, found.entries)) == list(map(libotr_words, lines))
    assert write_fingerprints(found.entries) == theirs.read_bytes()


HEX = "ab" * 20


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(f"a\tb\tp\t{HEX}\n", id="no trust"),
        pytest.param(f"a\tb\tp\t{HEX}\t\r\n", id="crlf"),
        pytest.param(f"a\tb\tp\t{HEX}\r\n", id="no trust and crlf"),
        pytest.param(f"a\tb\tp\t{HEX}\tsmp\r\n", id="trust and crlf"),
        pytest.param(f"a\tb\tp\t{HEX.upper()}\tin person\n", id="upper case"),
        pytest.param(f"# head\n\na\tb\tp\t{HEX}\tsmp\n", id="comment"),
        pytest.param(f"#a\tb\tp\t{HEX}\tsmp\n", id="hash sign and tabs"),
        pytest.param(f"a\tb\tp\t{HEX}\tsmp\na\tb\tp\t{HEX}\t\n", id="doubt later"),
        pytest.param(f"a\tb\tp\t{HEX}\t\na\tb\tp\t{HEX}\tsmp\n", id="trust later"),
        pytest.param(f"a\tb\tp\t{HEX[1:]}\n", id="too short"),
        pytest.param("a\tb\n", id="too few columns"),
        pytest.param("a" * 920 + f"\tb\tp\t{HEX}\t" + "v" * 32 + "\n", id="full line"),
    ],
)
def test_fingerprint_lines_mean_to_us_what_they_mean_to_libotr(
    libotr: LibotrFiles, data: str
) -> None:
    theirs = libotr(
        "fingerprints", libotr.path("file", data.encode()), libotr.path("o")
    )

    ours = read_fingerprints(data.encode())

    assert list(map(fingerprint_words, ours.entries)) == list(map(libotr_words, theirs))


def test_fingerprint_line_that_libotr_would_take_for_two_is_neither_read_nor_written(
    libotr: LibotrFiles,
) -> None:
    """A contact must not be able to name itself into the trust of another."""
    name = "x" * 999 + "bob@example.org"
    data = f"{name}\tme\tp\t{HEX}\tsmp\n".encode()
    lines = libotr("fingerprints", libotr.path("file", data), libotr.path("o"))
    assert [unhex(line[0]) for line in lines] == ["bob@example.org"]

    found = read_fingerprints(data)

    assert (found.entries, len(found.skipped)) == ((), 1)
    with pytest.raises(LocalError, match="of which libotr reads 998"):
        write_fingerprints([KnownFingerprint(name, "me", "p", bytes(20), "smp")])


def test_instance_tags_go_to_libotr_and_come_back(libotr: LibotrFiles) -> None:
    tags = [
        AccountTag("alice@example.org/Home", "prpl-jabber", 0x100),
        AccountTag("#alice", "IRC", 0xFFFFFFFF),
        AccountTag("grüße ☃", "my protocol", 0x27E31597),
    ]
    ours, theirs = libotr.path("ours", write_instance_tags(tags)), libotr.path("theirs")

    lines = libotr("tags", ours, theirs)

    # libotr puts each tag it reads before those it has.
    assert [(unhex(a), unhex(p), int(tag, 16)) for a, p, tag in reversed(lines)] == [
        (tag.account, tag.protocol, tag.instance_tag) for tag in tags
    ]
    found = read_instance_tags(theirs.read_bytes())
    assert (found.entries, found.skipped) == (tuple(reversed(tags)), ())
    rewritten = write_instance_tags(found.entries).partition(b"\n")[2]
    assert rewritten == theirs.read_bytes().partition(b"\n")[2]


@given(
    value=st.binary(max_size=40)
    | st.text(st.characters(codec="utf-8"), max_size=30).map(str.encode)
    | st.text("ab \0\n'", max_size=9).map(str.encode)
)
@example(value=b"two words\0, and a zero")
@example(value=b"word\0")
@example(value=b"\0word")
@settings(deadline=None)  # another process answers
def test_values_are_written_as_libgcrypt_writes_them(
    libgcrypt: Libgcrypt, value: bytes
) -> None:
    ours, theirs = write_atom(value), libgcrypt.atom(value)

    # Up to 1.10 it takes a zero byte for a part of a text, and we never do.
    assert ours == theirs or (b"\0" in value and theirs[:1] != b"#")
    assert libgcrypt.scan(b"(" + ours + b")") == b"(%d:%b)" % (len(value), value)


def canonical(node: Node) -> bytes:
    if isinstance(node, Atom):
        return b"%d:%s" % (len(node.value), node.value)
    return b"(" + b"".join(map(canonical, node.items)) + b")"


BLANKS = st.sampled_from([b" ", b"\n", b"\r\n ", b"\t", b"\v\f"])
WORDS = st.from_regex(rb"[a-zA-Z\-./_:*+=][a-zA-Z0-9\-./_:*+=]{0,8}", fullmatch=True)


@st.composite
def spellings(draw: st.DrawFn) -> bytes:
    """A value in a notation that libgcrypt reads."""
    value = draw(st.binary(max_size=9))
    match draw(st.sampled_from(["word", "raw", "hex", "hex 2", "base64", "escapes"])):
        case "word":
            return draw(WORDS)
        case "raw" if value:
            return b"%d:%s" % (len(value), value)
        case "hex 2":
            pairs = [b"%02X%s" % (byte, draw(BLANKS)) for byte in value]
            return b"7#" + b"".join(pairs) + b"#"
        case "base64":
            text = draw(st.from_regex(r"([a-zA-Z0-9+/]{4}){0,3}", fullmatch=True))
            return f"|{text}|".encode()
        case "escapes":
            forms = st.sampled_from([b"\\x%02x", b"\\%03o", b"\\\n\\x%02X"])
            return b'"' + b"".join(draw(forms) % byte for byte in value) + b'"'
        case _:
            return b"#" + value.hex().encode() + b"#"


TEXTS: st.SearchStrategy[bytes] = st.recursive(
    spellings(),
    lambda inner: st.tuples(BLANKS, st.lists(inner, min_size=1, max_size=4)).map(
        lambda drawn: b"(" + drawn[0].join(drawn[1]) + b")"
    ),
    max_leaves=10,
)


@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@settings(deadline=None)  # another process answers
def test_whatever_libgcrypt_reads_we_read_alike(
    libgcrypt: Libgcrypt, texts: list[bytes]
) -> None:
    text = b"(" + b" ".join(texts) + b")"

    tree = read_sexps(text)

    assert b"".join(map(canonical, tree)) == libgcrypt.scan(text)


def our_scan(text: bytes) -> bytes | None:
    """The canonical form, or None when it is refused."""
    try:
        return b"".join(map(canonical, read_sexps(text)))
    except LocalError:
        return None


# Neither base64, in which libgcrypt takes no white space, nor display hints.
SIGNS = ["(", ")", '"', "\\", "#", ":", "0", "1", "9", "aZ", "x", " ", "\n", "=", "é"]
SIGNS += ["(a", '"a"', "#61#", "2:", "\\x61"]


@given(signs=st.lists(st.sampled_from(SIGNS), max_size=25))
@settings(deadline=None)  # another process answers
def test_libgcrypt_and_we_read_the_same_and_refuse_the_same(
    libgcrypt: Libgcrypt, signs: list[str]
) -> None:
    # libgcrypt drops a word that nothing follows.
    text = "".join(["(", *signs, ")\n"]).encode()
    # An empty list in front is nothing to libgcrypt, whatever follows.
    assume(not text.translate(None, b" \n").startswith(b"()"))

    ours = our_scan(text)

    theirs = libgcrypt.scan(text)
    # What begins behind the last list and does not end is nothing to libgcrypt.
    cut = [our_scan(text[:at]) for at in range(len(text))] if ours is None else []
    assert theirs in [ours, *cut]


def test_libgcrypt_and_we_refuse_the_same_of_a_file_that_lost_a_byte(
    libotr: LibotrFiles, libgcrypt: Libgcrypt
) -> None:
    path = libotr.path("theirs")
    libotr("new", path, "grüße", "prpl-jabber", "alice@example.org", "IRC")
    good = path.read_bytes()
    damaged = [good[:at] + good[at + 1 :] for at in range(len(good))]

    ours = list(map(our_scan, damaged))

    assert ours == list(map(libgcrypt.scan, damaged))
    assert None in ours
