"""Lines of columns with tabs between, the notation of libotr's two other files.

Rule: no column can end its line or begin another. A line is taken apart exactly where
libotr does it, and a column that libotr would take for two is neither read nor
written: a contact chooses its own name, and that name must not vouch for another key.

Source: libotr 4.1.1, `otrl_privkey_read_fingerprints_FILEp`, `otrl_instag_read_FILEp`.
"""

import re
from collections.abc import Iterator
from typing import Final

from coykiosk.otr.events import LocalError

MAX_BYTES: Final = 1 << 20  # some 10,000 fingerprints
# libotr reads pieces of 999 bytes, line end included, and takes what is left of a
# longer line for a line of its own: one that tells of somebody else.
MAX_LINE_BYTES: Final = 998
BYTE_ORDER_MARK: Final = "\ufeff"  # some editors begin a file with it

_UNSAFE: Final = re.compile(rf"\A{BYTE_ORDER_MARK}|[\0-\x1f\x7f]")
_HEX: Final = re.compile(r"[0-9A-Fa-f]*")


def read_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line and its number, but neither empty lines nor comments.

    A line is a comment when it also has no tab: a contact's name may begin with "#".

    Raises:
        LocalError: more than `MAX_BYTES`.
    """
    if len(data) > MAX_BYTES:
        msg = f"key file: {len(data)} bytes, at most {MAX_BYTES} are read"
        raise LocalError(msg)
    text = data.removeprefix(BYTE_ORDER_MARK.encode())
    # Only LF: a name may hold what else `splitlines` takes for the end of a line.
    for number, line in enumerate(text.split(b"\n"), 1):
        content = line.removesuffix(b"\r")
        if content.strip() and (b"\t" in content or not content.startswith(b"#")):
            yield number, content


def read_columns(line: bytes, n_columns: int, *, n_optional: int = 0) -> list[str]:
    """Take a line apart; optional columns that are missing become empty.

    Raises:
        LocalError: too few columns or too many, or one that could not be written.
    """
    columns = line.split(b"\t")
    n_most = n_columns + n_optional
    if not n_columns <= len(columns) <= n_most:
        msg = f"{len(columns)} columns instead of {n_most}"
        raise LocalError(msg)
    columns += [b""] * (n_most - len(columns))
    try:
        texts = [column.decode() for column in columns]
    except UnicodeDecodeError:
        msg = "no UTF-8"
        raise LocalError(msg) from None
    write_columns(*texts)
    return texts


def write_columns(*columns: str) -> bytes:
    """Put a line together, its end included.

    Raises:
        LocalError: a column with a control character, or that is no text, or a line
            that is too long for libotr.
    """
    for column in columns:
        if _UNSAFE.search(column):
            msg = f"a column of {len(column)} characters with a control character"
            raise LocalError(msg)
    line = encode("\t".join(columns))
    if len(line) > MAX_LINE_BYTES:
        msg = f"a line of {len(line)} bytes, of which libotr reads {MAX_LINE_BYTES}"
        raise LocalError(msg)
    return line + b"\n"


def read_hex(digits: str, n_bytes: int) -> bytes:
    """Read exactly `n_bytes` in hex.

    libotr takes other characters for zeros, so that a damaged line of its own
    becomes the fingerprint of nobody.

    Raises:
        LocalError: another length, or other characters.
    """
    if len(digits) != 2 * n_bytes or not _HEX.fullmatch(digits):
        msg = f"{len(digits)} characters instead of {2 * n_bytes} hex digits"
        raise LocalError(msg)
    return bytes.fromhex(digits)


def encode(text: str) -> bytes:
    """Return `text` in UTF-8.

    Raises:
        LocalError: halves of surrogate pairs, which are no text.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        msg = f"a name of {len(text)} characters that is no text"
        raise LocalError(msg) from None
