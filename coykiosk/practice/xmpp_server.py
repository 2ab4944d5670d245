"""Prosody on loopback: the server behind the practice network's onion.

Rule: a real server, in the foreground, on ports that were free, with nothing
outside its scratch directory and no way to other servers. It is up when it has
greeted a client; what its record claims is what that greeting offered.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coykiosk.errors import UserError
from coykiosk.onion.scratch import Scratch
from coykiosk.ports import WallClock
from coykiosk.practice.certificate import Certificate, make_certificate
from coykiosk.practice.faults import failed, missing, refused_by_system
from coykiosk.practice.loopback import LOOPBACK, HeldPort
from coykiosk.practice.prosody_config import (
    Layout,
    ServerRecord,
    make_config,
    read_mechanisms,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process

__all__ = ["DOMAIN", "PracticeServer"]

DOMAIN: Final = "practice.example"  # RFC 2606: nobody's, for ever
_START_LIMIT_S: Final = 60.0
_GREETING_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.05
_MAX_GREETING_BYTES: Final = 16 * 1024
_MAX_LOG_CHARS: Final = 64 * 1024
_HELLO: Final = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' "
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
_INTO_LOG: Final = 'log=$1; shift; exec "$@" >>"$log" 2>&1'
_NOT_FOUND: Final = 127  # sh(1): there is no such program


class PracticeServer:
    """The server, from `start` to `stop`.

    Args:
        domain: What its addresses end in.
        wall_clock: Dates the certificate and the record.
        plugins: Where else Prosody looks for modules; for tests.
        extra_modules: Modules it loads beside its own; for tests.

    Raises:
        UserError: NO_FREE_PORT.
    """

    def __init__(
        self,
        *,
        domain: str = DOMAIN,
        wall_clock: WallClock = lambda: datetime.now(UTC),
        plugins: Path | None = None,
        extra_modules: Sequence[str] = (),
    ) -> None:
        self.domain: Final = domain
        self._wall_clock = wall_clock
        self._plugins = plugins
        self._extra_modules = tuple(extra_modules)
        self._starttls = HeldPort()
        self._direct_tls = HeldPort()
        self._layout: Layout | None = None
        self._certificate: Certificate | None = None
        self._scram: tuple[str, ...] = ()
        self._process: Process | None = None

    @property
    def starttls_port(self) -> int:
        """The port on this machine where TLS begins inside the stream."""
        return self._starttls.number

    @property
    def direct_tls_port(self) -> int:
        """The port on this machine where TLS comes first (XEP-0368)."""
        return self._direct_tls.number

    @property
    def spki(self) -> str:
        """The certificate's pin: SHA-256 of its public key, base64; after `start`."""
        assert self._certificate is not None, "not started"
        return self._certificate.spki

    @property
    def certificate_file(self) -> Path:
        """The certificate, PEM; after `start`."""
        assert self._layout is not None, "not started"
        return self._layout.certificate

    @property
    def scram(self) -> tuple[str, ...]:
        """The SCRAM mechanisms it offers on its newest TLS; after `start`."""
        return self._scram

    async def start(self, scratch: Scratch) -> None:
        """Start it, and return once it has greeted a client.

        Whatever happens, `stop` must be called.

        Raises:
            UserError: PRACTICE_MISSING, PRACTICE_FAILED.
        """
        try:
            self._layout = Layout(scratch.path / "xmpp", self.domain)
            self._certificate = make_certificate(self.domain, self._wall_clock())
            self._write_files(self._layout, self._certificate)
            self._process = await scratch.spawn(
                "/bin/sh",
                *("-c", _INTO_LOG, "sh", str(self._layout.log)),
                *("prosody", "-F", "--config", str(self._layout.config)),
            )
        except (OSError, ValueError) as exc:
            raise refused_by_system(exc) from exc
        await self._wait_greeted()

    async def wait_broken(self) -> UserError:
        """Wait until it ends, and return why."""
        assert self._process is not None, "not started"
        await self._process.wait()
        return self._obituary()

    async def stop(self) -> None:
        """End it at once and let go of the ports; idempotent."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                self._process.kill()
            await self._process.wait()
        self._starttls.release()
        self._direct_tls.release()

    def account_exists(self, localpart: str) -> bool:
        """Look into the server's own storage for an account."""
        return self._layout is not None and self._layout.account(localpart).is_file()

    def servers_toml(self, *, onion: str, port: int) -> str:
        """Return a servers file with this server alone; after `start`.

        Args:
            onion: The onion service that leads to it.
            port: The onion's port for direct TLS.
        """
        return ServerRecord(
            domain=self.domain,
            onion=onion,
            port=port,
            checked=self._wall_clock().date(),
            spki=self.spki,
            scram=self._scram,
        ).to_toml()

    def _write_files(self, layout: Layout, certificate: Certificate) -> None:
        for directory in (layout.root, layout.data, layout.certificates):
            directory.mkdir(mode=0o700)
        layout.certificate.write_bytes(certificate.certificate_pem)
        layout.key.touch(mode=0o600)
        layout.key.write_bytes(certificate.key_pem)
        config = make_config(
            layout,
            starttls_port=self.starttls_port,
            direct_tls_port=self.direct_tls_port,
            plugins=self._plugins,
            extra_modules=self._extra_modules,
        )
        layout.config.write_text(config, encoding="utf-8")

    async def _wait_greeted(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                while not self._scram:
                    if self._process.returncode is not None:
                        raise self._obituary()
                    with contextlib.suppress(OSError, TimeoutError):  # not up yet
                        self._scram = read_mechanisms(await self._greet())
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as exc:
            reason = "the XMPP server's start takes too long"
            raise failed(reason) from exc

    async def _greet(self) -> str:
        """Open a stream as a client does; return how far the server got in answering.

        Raises:
            OSError: it does not listen, or hangs up.
        """
        assert self._certificate is not None
        context = ssl.create_default_context(
            cadata=self._certificate.certificate_pem.decode()
        )
        async with asyncio.timeout(_GREETING_LIMIT_S):
            reader, writer = await asyncio.open_connection(  # noqa: TID251 - to our own child, not out of the machine
                LOOPBACK, self.direct_tls_port, ssl=context, server_hostname=self.domain
            )
            try:
                writer.write(_HELLO.format(domain=self.domain).encode())
                answer = b""
                while b"</stream:features>" not in answer:
                    part = await reader.read(_MAX_GREETING_BYTES)
                    if not part or len(answer) > _MAX_GREETING_BYTES:
                        break
                    answer += part
            finally:
                writer.close()
                with contextlib.suppress(OSError):  # it hung up first
                    await writer.wait_closed()
        return answer.decode("utf-8", "replace")

    def _obituary(self) -> UserError:
        assert self._process is not None
        assert self._layout is not None
        if self._process.returncode == _NOT_FOUND:
            return missing(FileNotFoundError("prosody"))
        log = ""
        with contextlib.suppress(OSError):  # it wrote nothing
            log = self._layout.log.read_text(encoding="utf-8", errors="replace")
        errors = [line for line in log[-_MAX_LOG_CHARS:].splitlines() if _says(line)]
        status = f"it ended with status {self._process.returncode}"
        return failed(f"the XMPP server: {errors[-1] if errors else status}")


def _says(line: str) -> bool:
    """Tell whether a line of the log is about an error."""
    return "error" in line.lower()
