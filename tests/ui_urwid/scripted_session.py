"""The real screen in this process, driven by a session that follows a script.

Run as a program with the name of a script; it answers commands as a session would,
without network or vault. SIGTERM and SIGHUP ask it to quit, as in the program.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from coykiosk.contract import (
    AccountOnline,
    AskCircuit,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    Closed,
    Command,
    ContactAsked,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentStep,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    OpenChat,
    Protection,
    Quit,
    SendMessage,
    ServerTried,
    Started,
    TorProgress,
    TorReady,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Circuit, Hop
from coykiosk.ui_urwid.loop import Screen

NOW = datetime(2030, 1, 1, 12, 3, tzinfo=UTC)
ME = Jid("lufimo", "example.org")
WORDS = "purple anchovy tidbit clover majestic kiosk"
VECTORS = Path(__file__).parents[1] / "vectors" / "hostile_strings.json"
BUILT = {
    "PY:NFC bomb": "a" + "\u0327\u0301" * 3000,
    "PY:NFKC expander": "\ufdfa" * 3000,
    "PY:zalgo above/below": "z" + "\u0300\u0316\u0333\u20dd" * 500,
    "PY:5000 newlines": "\n" * 5000,
}


def hostile_strings() -> list[str]:
    """Return every hostile string, the long ones built."""
    cases = json.loads(VECTORS.read_text())["cases"]
    return [BUILT.get(case["s"], case["s"]) for case in cases]


class ScriptedSession:
    """Answers each command with the events a session would publish."""

    publish: Callable[[Event], None]

    def __init__(self, script: str) -> None:
        self._script = script

    def begin(self) -> None:
        self.publish(Started(vault_exists=self._script == "vault", practice=False))
        self.publish(TorProgress(45, "loading_status"))

    def submit(self, command: Command) -> None:
        for event in self._answers(command):
            self.publish(event)

    def _answers(self, command: Command) -> Iterator[Event]:
        match command:
            case CreateAccount():
                yield TorReady(own=True)
                yield EnrolmentAdvanced(EnrolmentStep.REACHING_SERVER, "example.org")
                yield AccountOnline(ME, via_onion=True, channel_bound=True, kept=True)
            case OpenChat(contact=contact):
                yield _chat(contact, ChatPhase.ASKING, Protection.OPEN)
                yield _chat(contact, ChatPhase.ENCRYPTED, Protection.PRIVATE)
                if self._script == "hostile":
                    yield from _hostile_events(contact)
                if self._script == "flood":
                    self._flood(contact)
            case SendMessage(chat=chat, text=text):
                if text == "break":
                    message = "planted"
                    raise RuntimeError(message)
                yield MessageAccepted(
                    ME, chat, text, text, NOW, MessageState.WAITING, Protection.OPEN
                )
                yield MessageStateChanged(
                    ME, chat, text, MessageState.SENT, Protection.PRIVATE
                )
                yield MessageReceived(
                    ME, chat, chat, f"echo {text}", NOW, Protection.PRIVATE
                )
            case AskCircuit():
                hops = tuple(Hop("A" * 40, name) for name in ("one", "two", "three"))
                yield CircuitKnown(ME, Circuit(hops, to_onion=True))
            case Quit() if self._script != "deaf":
                yield Closed()
            case _:
                return

    def _flood(self, contact: Jid) -> None:
        """Publish 400 messages, one every 5 ms: 2 s."""
        loop = asyncio.get_running_loop()
        for number in range(400):
            text = f"message {number}."
            event = MessageReceived(ME, contact, contact, text, NOW, Protection.PRIVATE)
            loop.call_later(number * 0.005, self.publish, event)


def _chat(contact: Jid, phase: ChatPhase, protection: Protection) -> ChatChanged:
    return ChatChanged(ME, contact, phase, protection, b"k" * 20, key_is_new=False)


def _hostile_events(chat: Jid) -> Iterator[Event]:
    """Yield each hostile string in every place a remote text can get to."""
    for text in hostile_strings():
        error = UserError(ErrorCode.SERVER_REFUSED, server=text, condition=text)
        stranger = Jid(text[:50] or "x", "evil.example")
        yield MessageReceived(ME, chat, stranger, text, NOW, Protection.PRIVATE)
        yield ServerTried(text, error)
        yield ContactAsked(ME, stranger)
        yield _chat(stranger, ChatPhase.ENCRYPTED, Protection.PRIVATE)
        yield Failed(error, None)
        hops = (Hop(text[:40], text),)
        yield CircuitKnown(ME, Circuit(hops, to_onion=False))


async def main(script: str) -> None:
    session = ScriptedSession(script)
    screen = Screen(
        submit=session.submit,
        suggest_passphrase=lambda: WORDS,
        judge_passphrase=lambda text: len(text) > 20,
    )
    session.publish = screen.publish
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, session.submit, Quit())
    async with asyncio.TaskGroup() as group:
        group.create_task(screen.run())
        await screen.painted()
        session.begin()
        if script == "abort":
            screen.abort()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
