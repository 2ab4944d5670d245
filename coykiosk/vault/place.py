"""Where the vault lies.

Rule: pure and cheap to import: the start screen wants to know before it is painted.
"""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_path"]


def default_path(environ: Mapping[str, str]) -> Path:
    """Return where the vault lies unless somebody says otherwise.

    Source: XDG Base Directory Specification: $XDG_DATA_HOME when absolute, else
    ~/.local/share.
    """
    data_home = Path(environ.get("XDG_DATA_HOME", ""))
    if not data_home.is_absolute():
        home = environ.get("HOME", "")
        data_home = (Path(home) if home else Path.home()) / ".local" / "share"
    return data_home / "coykiosk" / "vault"
