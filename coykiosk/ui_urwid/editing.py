"""The one-line editor people know from their shell, from urwid-readline.

Rule: this is the only importer of urwid-readline.
"""

from typing import Literal

import urwid
from urwid_readline import (  # type: ignore[import-untyped]  # it ships no types
    ReadlineEdit,
)

__all__ = ["line_edit"]


def line_edit(
    prompt: str, *, max_chars: int, wrap: Literal["any", "space"] = "space"
) -> urwid.Edit:
    """Return an empty edit with the usual Ctrl keys, without history.

    Args:
        prompt: Stands before the text.
        max_chars: Further typed characters are ignored.
        wrap: Where a long text breaks.
    """
    edit: urwid.Edit = ReadlineEdit(("key", prompt), max_char=max_chars, wrap=wrap)
    return edit
