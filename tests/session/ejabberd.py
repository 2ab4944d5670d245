"""A real ejabberd with a host for each way of taking strangers, or not taking them.

It runs as one Erlang process without a name, so that no port mapper is started and
nothing listens but its own port on loopback.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.session.conftest import Identity, _is_open, free_port, make_identity
from tests.support.ending import end

CAPTCHA, WEB, CLOSED = "captcha.example", "web.example", "closed.example"
STRONG, ABSURD, DENIED = "strong.example", "absurd.example", "denied.example"
PLAIN, STRICT = "plain.example", "strict.example"
HOSTS: Final = (CAPTCHA, WEB, CLOSED, STRONG, ABSURD, DENIED, PLAIN, STRICT)
SIGN_UP: Final = "https://web.example/sign-up"

_REGISTER: Final = {
    CAPTCHA: "captcha_protected: true",
    WEB: f'redirect_url: "{SIGN_UP}"',
    CLOSED: None,
    STRONG: "password_strength: 64",
    ABSURD: "password_strength: 256",
    DENIED: "ip_access: nobody",
    PLAIN: "access: everybody",
    STRICT: "access: nobody",
}
_CONFIG: Final = """\
hosts: [{hosts}]
loglevel: error
certfiles: ["{directory}/both.pem"]
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true}}
access_rules:
  nobody: [{{deny: all}}]
  everybody: [{{allow: all}}]
registration_timeout: {throttle}
captcha_cmd: "{directory}/captcha"
captcha_url: "https://{captcha}/captcha"
auth_password_format: scram
host_config:
"""
_HOST: Final = """\
  "{host}":
    modules:
      mod_roster: {{}}
      mod_stream_mgmt: {{}}
      mod_disco: {{}}
"""
# The text is kept where the test finds it; the picture has its length in black dots.
_DRAW: Final = """\
#!/bin/sh
echo "$1" >"{directory}/answer"
exec cat "{directory}/picture.png"
"""


@dataclass(frozen=True)
class Ejabberd:
    """A running server."""

    identity: Identity
    directory: Path
    port: int

    def answer(self) -> str:
        """What the picture that was drawn last shows."""
        return (self.directory / "answer").read_text().strip()


def start_ejabberd(
    directory: Path, picture: bytes, *, throttle: str = "infinity"
) -> Generator[Ejabberd, None, None]:
    """Run one until the test is over.

    Args:
        directory: For all that it writes.
        picture: What every puzzle looks like.
        throttle: Seconds that must lie between two registrations.
    """
    program = shutil.which("erl")
    # Debian has a link beside the folder.
    code = next(Path("/usr/lib").glob("*/ejabberd-*/ebin"), None)
    assert program, "ejabberd is missing: apt install ejabberd"
    assert code, "ejabberd is missing: apt install ejabberd"
    identity = make_identity(directory, HOSTS)
    server = Ejabberd(identity, directory, free_port())
    _write(server, picture, throttle)
    process = subprocess.Popen(  # noqa: S603 - our own words
        [
            *(program, "-noinput", "-pa", str(code), "-s", "ejabberd"),
            *("-mnesia", "dir", f'"{directory}/mnesia"'),
            *("-ejabberd", "config", f'"{directory}/ejabberd.yml"'),
            *("log_path", f'"{directory}/log"'),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"HOME": str(directory), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    try:
        deadline = time.monotonic() + 60
        while not _is_open(server.port):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline, "ejabberd does not listen"
            time.sleep(0.05)
        yield server
    finally:
        end(process)


def _write(server: Ejabberd, picture: bytes, throttle: str) -> None:
    directory, identity = server.directory, server.identity
    both = identity.key_file.read_bytes() + identity.certificate_file.read_bytes()
    (directory / "both.pem").write_bytes(both)
    (directory / "picture.png").write_bytes(picture)
    draw = directory / "captcha"
    draw.write_text(_DRAW.format(directory=directory))
    draw.chmod(0o700)
    config = _CONFIG.format(
        hosts=", ".join(f'"{host}"' for host in HOSTS),
        directory=directory,
        port=server.port,
        throttle=throttle,
        captcha=CAPTCHA,
    )
    for host, options in _REGISTER.items():
        config += _HOST.format(host=host)
        if options is not None:
            config += f"      mod_register: {{{options}}}\n"
    (directory / "ejabberd.yml").write_text(config)
