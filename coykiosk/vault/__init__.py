"""The vault: what a person keeps between sessions, behind one passphrase.

Rule: nothing outside this folder writes to disk, and nothing in it writes
anything that is not sealed. Without the passphrase the file tells nothing but
its size class, not even whether a second profile exists.

This file re-exports nothing, on purpose: the first screen imports
`vault.passphrase` before anything heavy is loaded, and a re-export here would
pull Argon2 and the ciphers into that first paint. Import the module you need.

Reading order: `profile` (what is kept; `strict` reads it back), `layout` (where
the bytes of the file lie), `container` (how they are sealed), `derive`
(passphrase to key), `disk` (a file in its directory), `store` (all of these
together, the one that others open), `passphrase` (what a person types).
"""

__all__: list[str] = []
