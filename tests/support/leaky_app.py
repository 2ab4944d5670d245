"""The real program with a leak in it, to show that a leak is found.

Run as a program: `python leaky_app.py SETTINGS.json LEAK [WHERE]`, where LEAK is
"nothing", "lookup" of a name, "connect" to a port of this machine, "send" of a
datagram to one, or "write" to a file.
"""

import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.run_app import main


def look_up(name: str) -> None:
    with suppress(OSError):  # there may be nobody to ask
        socket.getaddrinfo(name, 443)


def connect(port: str) -> None:
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.sendall(b"leak")


def send(port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"leak", ("127.0.0.1", int(port)))


def write(path: str) -> None:
    Path(path).write_text("leak")


def do_nothing(_where: str) -> None:
    """Leak nothing: what is found then is not the leak."""


LEAKS = {
    "nothing": do_nothing,
    "lookup": look_up,
    "connect": connect,
    "send": send,
    "write": write,
}

if __name__ == "__main__":
    leak, where = sys.argv[2:4]
    threading.Thread(target=LEAKS[leak], args=(where,)).start()
    sys.exit(main())
