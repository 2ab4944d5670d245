"""Whether an onion service can be found: what its node says about descriptors.

Rule: pure. Lines of HS_DESC events in, one answer out.

A version 3 service always has two descriptors, for this time period and for the
next or the last, each stored at several relays under a name of its own. Which of
the two a client asks for depends on the hour, so both must be stored.

Source: Tor's control-spec, "HS_DESC"; rend-spec-v3, [CLIENTFETCH].
"""

from typing import Final

__all__ = ["EVENT", "DescriptorWatch"]

EVENT: Final = "HS_DESC"
_N_DESCRIPTORS: Final = 2


class DescriptorWatch:
    """Counts the uploads that were begun and those that ended."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._n_pending = 0
        self._n_stored = 0

    @property
    def is_published(self) -> bool:
        """True once both descriptors went out and no upload is under way."""
        return (
            len(self._begun) == _N_DESCRIPTORS
            and self._n_pending == 0
            and self._n_stored >= _N_DESCRIPTORS
        )

    def receive(self, line: str) -> None:
        """Take one event line, `HS_DESC action address auth relay [id] ...`."""
        match line.split():
            case [_, "UPLOAD", _, _, _, descriptor_id, *_]:
                self._begun.add(descriptor_id)
                self._n_pending += 1
            case [_, "UPLOADED", *_]:
                self._n_pending -= 1
                self._n_stored += 1
            case [_, "FAILED", *_]:
                self._n_pending -= 1
            case _:
                pass
