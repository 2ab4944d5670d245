"""The colours: few, safe for colour-blind eyes, and never the only sign.

Rule: every state has its words and its ASCII mark; a colour only helps to find
them. Blue is well, orange is caution, vermillion is stop (Okabe and Ito, "Color
Universal Design", 2008), each with its own background so that it reads on dark
and on light terminals. With NO_COLOR, or on a terminal without colours, urwid
takes the third column.
"""

from typing import Final

from coykiosk.contract import Protection

__all__ = ["ATTRIBUTES", "PALETTE"]

_Entry = tuple[str, str, str, str, str, str]

# Name, foreground and background of 16 colours, monochrome, then of 256 and more.
PALETTE: Final[tuple[_Entry, ...]] = (
    ("title", "black", "light gray", "standout", "#000000", "#d0d0d0"),
    ("status", "black", "light gray", "standout", "#000000", "#d0d0d0"),
    ("ok", "white", "dark blue", "bold", "#ffffff", "#0072b2"),
    ("caution", "black", "brown", "underline", "#000000", "#e69f00"),
    ("stop", "white", "dark red", "standout,bold", "#000000", "#d55e00"),
    ("strong", "bold", "", "bold", "bold", ""),
    ("key", "bold", "", "bold", "bold", ""),
    ("ours", "", "", "", "", ""),
    ("theirs", "bold", "", "bold", "bold", ""),
    ("note", "underline", "", "underline", "underline", ""),
)

ATTRIBUTES: Final = {
    Protection.STOP: "stop",
    Protection.OPEN: "caution",
    Protection.PRIVATE: "caution",
    Protection.CHECKED: "ok",
}
