"""TCP ports of 127.0.0.1 that are free, and stay free until we listen on them.

Rule: nothing here listens or connects. A port is bound and held: nobody is given
it while our child starts, and the child, which sets SO_REUSEADDR as we do, may
listen on it all the same (socket(7); Linux shares a port as long as nobody
listens).
"""

import socket
from typing import Final

from coykiosk.errors import ErrorCode, UserError

__all__ = ["LOOPBACK", "HeldPort"]

LOOPBACK: Final = "127.0.0.1"


class HeldPort:
    """A free port, held until `release`.

    Raises:
        UserError: NO_FREE_PORT.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as exc:
            raise UserError(ErrorCode.NO_FREE_PORT) from exc
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((LOOPBACK, 0))
        except OSError as exc:
            self._socket.close()
            raise UserError(ErrorCode.NO_FREE_PORT) from exc
        self.number: Final[int] = self._socket.getsockname()[1]

    def __str__(self) -> str:
        return f"{LOOPBACK}:{self.number}"

    def release(self) -> None:
        """Let go of it; idempotent."""
        self._socket.close()
