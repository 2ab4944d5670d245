"""Questions to the key table: what a key does, and what to show of it.

Rule: pure, and without a key of its own: everything comes from `keys.BINDINGS`.
"""

from collections.abc import Iterator

from coykiosk.ui_urwid.actions import Action, Where, key_name
from coykiosk.ui_urwid.keys import BINDINGS

__all__ = ["action_for", "action_for_slash", "help_for", "help_of", "hints_for"]


def action_for(where: Where, key: str, *, empty: bool) -> Action | None:
    """Return what a key does here, or None when it only edits text.

    Args:
        where: What has the keys.
        key: urwid's name of the key.
        empty: True while nothing has been typed; then some keys are no text.
    """
    for binding in BINDINGS:
        if where not in binding.where or key not in binding.keys:
            continue
        if empty or key not in binding.only_when_empty:
            return binding.action
    return None


def action_for_slash(word: str) -> Action | None:
    """Return what a word behind a slash does in a chat, or None."""
    for binding in BINDINGS:
        if binding.slash and binding.slash == word.lower():
            return binding.action
    return None


def hints_for(where: Where) -> Iterator[tuple[Action, str, str]]:
    """Yield action, key and label of what can be done here, most important first."""
    for binding in BINDINGS:
        if where in binding.where and binding.label:
            yield binding.action, key_name(binding.keys[0]), binding.label


def help_of(where: Where, actions: frozenset[Action]) -> Iterator[tuple[str, str]]:
    """Yield the first key and the sentence of these actions, in the table's order."""
    for binding in BINDINGS:
        if where in binding.where and binding.action in actions:
            yield key_name(binding.keys[0]), binding.help


def help_for(where: Where) -> Iterator[tuple[str, str]]:
    """Yield the keys and the sentence of every binding that applies here."""
    for binding in BINDINGS:
        if where in binding.where:
            names = [key_name(key) for key in binding.keys]
            if binding.slash and where is Where.CHAT:
                names.append(f"/{binding.slash}")
            yield ", ".join(names), binding.help
