"""Keys in and out: the files in which libotr's clients keep theirs.

Rule: bytes in, values out; no file is opened here. A file that is none is refused,
an entry that is none is reported and left out.

Reading order: `files` (the three files), then the notations they are written in:
`sexp` and `lines`.
"""

from coykiosk.otr.keyfile.files import (
    AccountKey,
    AccountTag,
    Imported,
    KnownFingerprint,
    Skipped,
    read_fingerprints,
    read_instance_tags,
    read_private_keys,
    write_fingerprints,
    write_instance_tags,
    write_private_keys,
)

__all__ = [
    "AccountKey",
    "AccountTag",
    "Imported",
    "KnownFingerprint",
    "Skipped",
    "read_fingerprints",
    "read_instance_tags",
    "read_private_keys",
    "write_fingerprints",
    "write_instance_tags",
    "write_private_keys",
]
