"""Our engine as a test peer: lines in, lines out, the same as every other peer.

Run as `python -m tests.peers.coykiosk_peer --key FILE --account NAME --peer NAME`.
The commands are those of the protocol (see `driver`); `clock SECONDS` lets time pass,
for no other time is seen here: a test that wants a timer to go off says so.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

from coykiosk.otr import (
    Agreeing,
    EndedByPeer,
    ErrorLine,
    ExtraKey,
    Inject,
    Instances,
    LocalError,
    MessageState,
    OfferTooOld,
    Output,
    PlainReceived,
    PrivateKey,
    Received,
    Secured,
    SmpAnswered,
    SmpAsked,
    SmpEnded,
    SmpOutcome,
    Unreadable,
    draw_instance_tag,
)
from coykiosk.otr.keyfile.files import AccountKey, read_private_keys, write_private_keys
from coykiosk.otr.wire import Tlv
from tests.peers.driver import b64, unb64

PROTOCOL = "prpl-jabber"
"""What libotr's key files call XMPP."""
STATES = {
    MessageState.PLAINTEXT: "plain",
    MessageState.ENCRYPTED: "encrypted",
    MessageState.FINISHED: "finished",
}
OUTCOMES = {
    SmpOutcome.SUCCEEDED: "success",
    SmpOutcome.FAILED: "failure",
    SmpOutcome.ABORTED: "abort",
    SmpOutcome.CHEATED: "cheated",
}


class CoykioskPeer:
    """One account on one device, and one contact.

    Args:
        key: Our long-term key.
        instance_tag: Our device's.
        mms: The longest message to send, in characters; 0 for no limit.
    """

    def __init__(self, key: PrivateKey, instance_tag: int, mms: int) -> None:
        self._key = key
        self._tag = instance_tag
        self._mms = mms
        self._now = 0.0
        self._commands: dict[str, Callable[..., list[Output]]] = {
            "recv": self._receive,
            "send": lambda text: self._otr.send(_text(text), self._now),
            "query": lambda: self._otr.ask(self._now),
            "end": lambda: self._otr.end(self._now),
            "poll": lambda: self._pass_time("0"),
            "clock": self._pass_time,
            "smp": self._start_smp,
            "smp-reply": lambda secret: self._otr.smp_answer(_text(secret), self._now),
            "smp-abort": lambda: self._otr.smp_abort(self._now),
            "extrakey": self._use_extra_key,
            "tlv": self._seal,
            "mms": self._limit,
            "forget": self._forget,
            "state": self._tell_state,
        }
        self._own_lines: list[str] = []
        self._forget()

    def run(self, command: str, *arguments: str) -> list[str]:
        """Carry out a command; returns the lines of its output but `ok`."""
        self._own_lines.clear()
        carry_out = self._commands.get(command)
        if carry_out is None:
            return ["error unknown command"]
        try:
            outputs = carry_out(*arguments)
        except LocalError as error:
            return [f"error {error}"]
        lines = [line for output in outputs for line in self._lines(output)]
        return [*self._own_lines, *lines]

    def _receive(self, message: str) -> list[Output]:
        text = unb64(message).decode("utf-8", "replace")
        return self._otr.receive(text, self._now)

    def _pass_time(self, seconds: str) -> list[Output]:
        self._now += float(seconds)
        return self._otr.tick(self._now)

    def _forget(self) -> list[Output]:
        """Come back as after a crash: no session, and nobody is told."""
        self._otr = Instances(
            self._key,
            self._tag,
            os.urandom,
            max_message_chars=self._mms or None,
        )
        self._met: set[bytes] = set()
        self._vouched: set[bytes] = set()
        self._first_half: dict[bytes, bool] = {}
        return []

    def _limit(self, mms: str) -> list[Output]:
        if self._otr.message_state is not MessageState.PLAINTEXT:
            msg = "mms: it cannot change while a session is up"
            raise LocalError(msg)
        self._mms = int(mms)
        return self._forget()

    def _start_smp(self, secret: str, question: str | None = None) -> list[Output]:
        asked = None if question is None else _text(question)
        return self._otr.smp_start(_text(secret), self._now, question=asked)

    def _use_extra_key(self, use: str, data: str = "-") -> list[Output]:
        key, outputs = self._otr.use_extra_key(int(use), self._now, data=unb64(data))
        self._own_lines.append(f"extrakey sent {use} {key.hex()} {data}")
        return outputs

    def _seal(self, kind: str, value: str) -> list[Output]:
        """Send a record that the engine itself would not: a test plays the attacker."""
        best = self._otr._engines.best()
        if best is None:
            msg = "tlv: nobody is there"
            raise LocalError(msg)
        tlv = Tlv(int(kind), unb64(value))
        return best._seal_record(tlv, self._now)

    def _tell_state(self) -> list[Output]:
        otr = self._otr
        fp, ssid, half, version, trust = "-", "-", "-", 0, ""
        if otr.message_state is MessageState.ENCRYPTED:
            assert otr.their_fingerprint is not None
            assert otr.ssid is not None
            fp, ssid = otr.their_fingerprint.hex(), otr.ssid.hex()
            half = "first" if self._first_half[otr.ssid] else "second"
            version = 3
            trust = "smp" if otr.their_fingerprint in self._vouched else ""
        self._own_lines.append(
            f"state {STATES[otr.message_state]} fp={fp} ssid={ssid} half={half}"
            f" version={version} our={self._tag:x}"
            f" their={otr.their_instance_tag or 0:x} trust={trust}"
        )
        return []

    def _lines(self, output: Output) -> list[str]:  # noqa: C901, PLR0911, PLR0912 # a case each
        match output:
            case Inject(text):
                return [f"inject {b64(text)}"]
            case Received(text):
                return [f"display {b64(text)}"]
            case PlainReceived(text):
                return [f"plain-warning {b64(text)}"]
            case Secured():
                return self._secured(output)
            case EndedByPeer():
                return ["gone-insecure"]
            case SmpAsked(question) if question is None:
                return ["smp ask-secret"]
            case SmpAsked(question):
                return [f"smp ask-answer {b64(question or '')}"]
            case SmpAnswered():
                return ["smp in-progress"]
            case SmpEnded(outcome):
                if output.vouches:
                    self._vouched.add(output.fingerprint)
                return [f"smp {OUTCOMES[outcome]}"]
            case ExtraKey(key, use, data):
                return [f"extrakey recv {use} {key.hex()} {b64(data)}"]
            case ErrorLine(text):
                return [f"event RCVDMSG_GENERAL_ERR {b64(text)}"]
            case Unreadable():
                return ["event RCVDMSG_UNREADABLE -"]
            case Agreeing():
                return ["event AGREEING -"]
            case OfferTooOld():
                return ["event OFFER_TOO_OLD -"]
            case _:
                assert_never(output)

    def _secured(self, secured: Secured) -> list[str]:
        self._first_half[secured.ssid] = secured.our_half_first
        is_new = secured.fingerprint not in self._met
        self._met.add(secured.fingerprint)
        return [
            *([f"new-fingerprint {secured.fingerprint.hex()}"] if is_new else []),
            "still-secure" if secured.refreshed else "gone-secure",
        ]


def _text(argument: str) -> str:
    return unb64(argument).decode()


def read_or_make_key(path: Path, account: str) -> PrivateKey:
    """Return the account's key of this file, made and written when there is none."""
    if not path.exists():
        made = AccountKey(account, PROTOCOL, PrivateKey.generate())
        path.write_bytes(write_private_keys([made]))
    (entry,) = (
        entry
        for entry in read_private_keys(path.read_bytes()).entries
        if (entry.name, entry.protocol) == (account, PROTOCOL)
    )
    return entry.key


def main(arguments: Sequence[str]) -> None:
    """Speak the protocol on standard input and output until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--account", default="us")
    parser.add_argument("--peer", default="them")
    parser.add_argument("--mms", type=int, default=0)
    parser.add_argument("--instag", type=lambda text: int(text, 16), default=None)
    options = parser.parse_args(arguments)
    key = read_or_make_key(options.key, options.account)
    tag = options.instag or draw_instance_tag(os.urandom)
    peer = CoykioskPeer(key, tag, options.mms)
    _say(f"ready {key.fingerprint.hex()}")
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            return
        _say(*peer.run(*words), "ok")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
