"""A Prosody of a test's own: two domains on one process, which can be restarted."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.session.conftest import DOMAIN, PLUGINS, free_port, make_identity
from tests.support.ending import end
from tests.support.headless import eventually

OTHER_DOMAIN: Final = "other.example"

_CONFIG: Final = """\
run_as_root = true
daemonize = false
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
log = {{ error = "{directory}/error.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ }}
c2s_direct_tls_ports = {{ {port} }}
s2s_ports = {{ }}
plugin_paths = {{ "{plugins}" }}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "register", "ping",
  "smacks", "no_binding" }}
modules_disabled = {{ "s2s", "http" }}
allow_registration = true
authentication = "internal_hashed"
c2s_direct_tls_ssl = {{ certificate = "{certificate}", key = "{key}" }}
VirtualHost "practice.example"
VirtualHost "other.example"
"""


class OwnServer:
    """Speaks TLS at once, on one port of 127.0.0.1.

    Args:
        directory: For its configuration, its certificate and its storage.
    """

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.pin = ""
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def renew_certificate(self) -> None:
        """Show another key from the next start on."""
        identity = make_identity(self._directory, (DOMAIN, OTHER_DOMAIN))
        self.pin = identity.pin
        (self._directory / "prosody.cfg.lua").write_text(
            _CONFIG.format(
                directory=self._directory,
                port=self.port,
                certificate=identity.certificate_file,
                key=identity.key_file,
                plugins=PLUGINS,
            )
        )

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own words
            [
                "/usr/bin/prosody",
                "-F",
                "--config",
                str(self._directory / "prosody.cfg.lua"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await eventually(self._listens)

    async def stop(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(end, self._process)
            self._process = None

    def accounts(self, domain: str = DOMAIN) -> set[str]:
        """Return the localparts of all accounts in the storage."""
        return accounts_in(self._directory, domain)

    def delete(self, localpart: str) -> None:
        """Delete an account behind the server's back, as its operator can."""
        folder = self._directory / "data" / DOMAIN.replace(".", "%2e") / "accounts"
        (folder / f"{localpart}.dat").unlink()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "prosody ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def accounts_in(directory: Path, domain: str = DOMAIN) -> set[str]:
    """Return the localparts of all accounts in a Prosody's storage."""
    folder = directory / "data" / domain.replace(".", "%2e") / "accounts"
    return {path.stem for path in folder.glob("*.dat")}


@asynccontextmanager
async def own_server(directory: Path) -> AsyncIterator[OwnServer]:
    """Run a server, to be stopped and started inside."""
    server = OwnServer(directory)
    server.renew_certificate()
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
