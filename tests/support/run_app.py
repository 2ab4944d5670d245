"""Start the real program on another network than the public one.

Run as a program: `python run_app.py SETTINGS.json`, with the path of a
servers.toml, lines for tor, and the path of the vault (or null).
"""

import json
import os
import sys
from pathlib import Path

from coykiosk.app import Settings, run
from coykiosk.register.servers import load_servers


def main() -> int:
    settings = json.loads(Path(sys.argv[1]).read_text())
    sys.dont_write_bytecode = True
    os.umask(0o077)
    servers_path = Path(settings["servers"])
    run(
        Settings(
            servers=load_servers(servers_path.read_text(), name=servers_path.name),
            vault_path=Path(settings["vault"]) if settings["vault"] else None,
            extra_torrc=tuple(settings["torrc"]),
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
