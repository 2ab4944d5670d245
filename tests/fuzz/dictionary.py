"""Words of the formats that the fuzzer puts into its inputs.

Rule: only what no fuzzer could guess: markers, tags, types and bounds. libFuzzer
takes words of up to 64 bytes.
"""

from typing import Final

from coykiosk.otr.framing import ERROR_PREFIX, QUERY, WHITESPACE_TAG
from coykiosk.otr.wire import encode_int, encode_mpi
from tests.otr.wiring import TAGS

WORDS: Final[tuple[bytes, ...]] = (
    *(QUERY.encode(), ERROR_PREFIX.encode(), WHITESPACE_TAG.encode()),
    *(b"?OTR:", b"?OTR|", b"?OTR,", b"?OTR?v23?", b"?OTRv2?", b".", b","),
    *(b"?OTR:AAMC", b"?OTR:AAMK", b"?OTR:AAMR", b"?OTR:AAMS", b"?OTR:AAMD"),
    *(b"  \t\t  \t\t", b" \t \t  \t ", b"00001,00002,", b"65535,65535,", b"\n?OTR|"),
    *(b"\0\3\2", b"\0\3\3", b"\0\3\x0a", b"\0\3\x11", b"\0\3\x12"),
    *(
        b"\0\0\0\0",
        b"\0\0\0\1",
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\xff\xff\xff\xff",
    ),
    *(encode_int(196), encode_int(192), encode_int(32), encode_int(20)),
    *(encode_mpi(value) for value in (1, 2**63)),
    *(tag.to_bytes(4, "big") for tag in TAGS.values()),
    *(b"\0\1\0\0", b"\0\2\0\0", b"\0\6\0\0", b"\0\7\0\0", b"\0\x08\0\4"),
    *(b"(privkeys", b"(account", b"(name ", b"(protocol ", b"(private-key"),
    *(b"(dsa", b"(p #00", b"(q #00", b"(g #00", b"(y #00", b"(x #00", b"#)"),
    *(b"\tverified\n", b"\tprpl-jabber\t", b"\r\n", b"niner", b"Alpha", b"aardvark"),
)


def as_file() -> str:
    """Return the words in the form of libFuzzer's dictionaries."""
    return "".join(f'"{_escaped(word)}"\n' for word in WORDS)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
