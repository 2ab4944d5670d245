"""The screen: what a person sees, on urwid, in a terminal.

Rule: it is driven by `contract` alone, Commands down and Events up; it knows no
network, no file and no key but those of the keyboard. Remote text passes
`untrusted.clean` before it is drawn. Importing `loop` is light, so that
something is on the screen before the heavy parts of the program are loaded.

Reading order: `keys` (what can be pressed), `state` (what is shown), `wording`
(in which words), `untrusted`, then the pages `welcome`, `roster`, `chat`, `tor`
and `dialogs`, then `shell` (which of them has the keys) and `loop` (the terminal).
"""

from coykiosk.ui_urwid.loop import Screen

__all__ = ["Screen"]
