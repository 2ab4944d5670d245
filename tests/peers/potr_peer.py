"""A python-potr client without a network: OTR version 2, and nothing newer.

Rule: potr runs as it was published; what it lacks, its cryptography, is given to it
by the name it asks for. It has a process of its own: it can only be reached by what
it is sent, and neither its logging nor our stand-in touches the tests' process.

Commands, see `driver.py`: recv, send, query, end, mms, poll, state, forget, quit.
Version 2 knows no instance tags, so `--instag` is taken and not used.
"""

import argparse
import base64
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_CRYPTO: Final = "potr.compatcrypto.pycrypto"
_POLICY: Final = frozenset({"ALLOW_V2", "SEND_TAG"})
_STATES: Final = ("plain", "encrypted", "finished")


class CryptoFinder:
    """Finds our `potr_crypto.py` where potr looks for its use of pycrypto."""

    @staticmethod
    def find_spec(
        name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _CRYPTO:
            return None
        return importlib.util.spec_from_file_location(
            name, Path(__file__).with_name("potr_crypto.py")
        )


# potr writes keys to the log.
logging.disable()
sys.meta_path.insert(0, CryptoFinder)
potr: Any = importlib.import_module("potr.context")
crypt: Any = importlib.import_module("potr.crypt")
compat: Any = importlib.import_module("potr.compatcrypto")


def say(*words: str | int) -> None:
    """Write one line of output."""
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode() or "-"


def unb64(argument: str) -> bytes:
    return b"" if argument == "-" else base64.b64decode(argument, validate=True)


class Context(potr.Context):  # type: ignore[misc]  # potr has no types
    """What potr asks of its application."""

    def getPolicy(self, key: str) -> bool:  # noqa: N802  # the name is potr's
        return key in _POLICY

    def inject(self, msg: bytes, appdata: object = None) -> None:
        del appdata
        say("inject", b64(msg))


class Account(potr.Account):  # type: ignore[misc]  # potr has no types
    contextclass = Context

    def saveTrusts(self) -> None:  # noqa: N802  # the name is potr's
        """Nobody here trusts anybody."""


def load_key(path: Path) -> Any:  # potr has no types
    """Read the key, in potr's own form; make it when there is none."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(compat.generateDefaultKey().serializePrivateKey())
    key, _ = compat.PK.parsePrivateKey(path.read_bytes())
    return key


class Client:
    """The commands."""

    def __init__(self, account: Account, peer: str) -> None:
        self._account = account
        self._peer = peer
        self._context = account.getContext(peer)
        self._commands: dict[str, Callable[..., None]] = {
            "recv": self.receive,
            "send": self.send,
            "query": self.query,
            "end": self.end,
            "mms": self.limit,
            "poll": self.poll,
            "state": self.state,
            "forget": self.forget,
        }

    def run(self, line: str) -> None:
        word, *arguments = line.split()
        command = self._commands.get(word)
        if command is None:
            say("error unknown command")
            return
        command(*arguments)

    def receive(self, argument: str) -> None:
        try:
            text, _ = self._context.receiveMessage(unb64(argument))
        except potr.NotOTRMessage as plain:
            say("display", b64(plain.args[0]))
        except potr.UnencryptedMessage as plain:
            say("plain-warning", b64(plain.args[0]))
        except potr.ErrorReceived as error:
            say("event RCVDMSG_GENERAL_ERR", b64(error.args[0].error))
        except potr.NotEncryptedError:
            say("event RCVDMSG_NOT_IN_PRIVATE -")
        except crypt.InvalidParameterError:
            say("event RCVDMSG_UNREADABLE -")
        else:
            if text is not None:
                say("display", b64(text))

    def send(self, argument: str) -> None:
        try:
            self._send(unb64(argument))
        except potr.NotEncryptedError:
            say("error the session is finished")

    def query(self) -> None:
        # Any query typed by the user becomes potr's own, with its explanation.
        self._send(b"?OTRv2?")

    def end(self) -> None:
        self._context.disconnect()

    def limit(self, argument: str) -> None:
        self._account.maxMessageSize = int(argument)

    def poll(self) -> None:
        """potr has no timers."""

    def forget(self) -> None:
        """Come back as after a crash: no session, and nobody is told."""
        self._account.ctxs.clear()
        self._context = self._account.getContext(self._peer)

    def state(self) -> None:
        crypto = self._context.crypto
        is_encrypted = self._context.state == potr.STATE_ENCRYPTED
        # What potr calls half is True for the end that got the Reveal Signature.
        half = "second" if crypto.sessionIdHalf else "first"
        say(
            "state",
            _STATES[self._context.state],
            f"fp={crypto.theirPubkey.fingerprint().hex() if is_encrypted else '-'}",
            f"ssid={crypto.sessionId.hex() if is_encrypted else '-'}",
            f"half={half if is_encrypted else '-'}",
            f"version={2 if is_encrypted else 0}",
            "our=0 their=0 trust=",
        )

    def _send(self, text: bytes) -> None:
        # potr injects what it encrypts and hands back what it leaves in clear.
        clear = self._context.sendMessage(potr.FRAGMENT_SEND_ALL, text)
        if clear is not None:
            self._context.inject(clear)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--account", default="us")
    parser.add_argument("--peer", default="them")
    parser.add_argument("--mms", type=int, default=0)
    parser.add_argument("--instag")
    options = parser.parse_args()
    key = load_key(options.key)
    account = Account(options.account, "xmpp", options.mms, key)
    client = Client(account, options.peer)
    say("ready", key.fingerprint().hex())
    sys.stdout.flush()
    for line in sys.stdin:
        if line.strip() == "quit":
            return
        client.run(line)
        say("ok")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
