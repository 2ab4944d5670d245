"""The practice partner: whom a newcomer talks with before there is a friend.

Rule: pure; events in, commands out. It accepts whoever asks, speaks only in a
chat that is encrypted, answers each line once, never claims to be a person, and
remembers little: how far each of a bounded number of contacts has come.

    asked -> accepted -> encrypted: greets
                            | a line came in encrypted -> answers it
                            | encryption ended or lost -> silent until it is back
"""

import re
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

from coykiosk.contract import (
    AcceptContact,
    ChatChanged,
    ChatPhase,
    Command,
    ContactAsked,
    Event,
    Jid,
    MessageReceived,
    Protection,
    SendMessage,
)
from coykiosk.practice.lessons import (
    GREETING,
    LESSONS,
    NO_MORE_LESSONS,
    REMARKS,
    SHORT_ANSWERS,
    SMALL_TALK,
    TO_A_QUESTION,
    TOPICS,
    WELCOME_BACK,
    KeyNames,
    Topic,
)

__all__ = ["KEYS", "Partner"]

KEYS: Final = KeyNames(
    help="F1",
    tor="F3",
    people="F2",
    vault_words="F6",
    older="PgUp",
    quit="Ctrl+Q",
)
"""As the screen's key table names them; a test compares the two."""

_MAX_CONTACTS: Final = 32
_MAX_READ_CHARS: Final = 1000  # of a line; what follows changes no answer
_BURST_LINES: Final = 20
_BURST_TIME: Final = timedelta(seconds=5)
"""Nobody types that fast: another program does, and it would never end."""

_NEXT: Final = ("next", "more", "continue", "go on", "keep going")
_AGAIN: Final = ("again", "repeat", "once more", "what was that")
_HELP: Final = ("help", "words", "commands", "what can you do", "what do you know")
_HELP_TEXT: Final = (
    "I know these words: next (something to try), again (the last one once more), "
    "tor, encryption, vault, server, keys, status, history, who are you, quit. "
    "{help} is the help of the program itself."
)
_NOT_A_WORD: Final = re.compile(r"[^\w']+")


@dataclass(slots=True)
class _Acquaintance:
    """What is remembered of one contact."""

    is_encrypted: bool = False
    was_greeted: bool = False
    n_lessons: int = 0
    """Lessons given, in this round."""
    turns: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Which of several answers comes next; as many keys as there are answers."""
    recent: deque[datetime] = field(default_factory=lambda: deque(maxlen=_BURST_LINES))


class Partner:
    """The partner's mind, for all its contacts."""

    def __init__(self) -> None:
        self._known: OrderedDict[Jid, _Acquaintance] = OrderedDict()

    def receive(self, event: Event) -> list[Command]:
        """Take what happened and return what to do about it, in order."""
        match event:
            case ContactAsked(account=account, contact=contact):
                return [AcceptContact(account, contact)]
            case ChatChanged():
                return self._on_chat(event)
            case MessageReceived():
                return self._on_message(event)
            case _:
                return []  # nothing else concerns it

    def _on_chat(self, event: ChatChanged) -> list[Command]:
        contact = event.chat.bare
        them = self._recall(contact)
        was_encrypted = them.is_encrypted
        # A contact whose key changed may be somebody else: say nothing to them.
        them.is_encrypted = (
            event.phase is ChatPhase.ENCRYPTED
            and event.protection in {Protection.PRIVATE, Protection.CHECKED}
            and not event.key_is_new
        )
        if was_encrypted or not them.is_encrypted:
            return []
        texts = WELCOME_BACK if them.was_greeted else GREETING
        them.was_greeted = True
        return [_say(event.account, contact, text) for text in texts]

    def _on_message(self, event: MessageReceived) -> list[Command]:
        contact = event.chat.bare
        them = self._recall(contact)
        is_theirs = event.author.bare == contact
        is_private = event.protection in {Protection.PRIVATE, Protection.CHECKED}
        if not (is_theirs and is_private and them.is_encrypted):
            return []
        if not event.text.strip() or _is_burst(them.recent, event.at):
            return []
        answer = _answer(them, event.text[:_MAX_READ_CHARS])
        return [_say(event.account, contact, answer)]

    def _recall(self, contact: Jid) -> _Acquaintance:
        """Return what is known of a contact; who was silent longest is forgotten."""
        them = self._known.setdefault(contact, _Acquaintance())
        self._known.move_to_end(contact)
        while len(self._known) > _MAX_CONTACTS:
            self._known.popitem(last=False)
        return them


def _say(account: Jid, contact: Jid, text: str) -> SendMessage:
    return SendMessage(account, contact, text.format(**asdict(KEYS)))


def _answer(them: _Acquaintance, text: str) -> str:
    words = _normalise(text)
    asks = "?" in text
    if words in _HELP or (asks and not words):
        return _HELP_TEXT
    if words in _NEXT:
        return _next_lesson(them)
    if words in _AGAIN:
        return LESSONS[max(them.n_lessons - 1, 0)]
    answers = _find(TOPICS, words)
    if answers is None and _has_any(words, _NEXT):
        return _next_lesson(them)
    if answers is None and _has_any(words, _HELP):
        return _HELP_TEXT
    answers = (
        answers
        or next((t.answers for t in SHORT_ANSWERS if words in t.phrases), None)
        or _find(SMALL_TALK, words)
        or (TO_A_QUESTION if asks else REMARKS)
    )
    return _in_turn(them, answers)


def _find(topics: tuple[Topic, ...], words: str) -> tuple[str, ...] | None:
    return next((t.answers for t in topics if _has_any(words, t.phrases)), None)


def _next_lesson(them: _Acquaintance) -> str:
    if them.n_lessons == len(LESSONS):
        them.n_lessons = 0
        return _in_turn(them, NO_MORE_LESSONS)
    them.n_lessons += 1
    return LESSONS[them.n_lessons - 1]


def _in_turn(them: _Acquaintance, answers: tuple[str, ...]) -> str:
    turn = them.turns.get(answers, 0)
    them.turns[answers] = (turn + 1) % len(answers)
    return answers[turn]


def _is_burst(recent: deque[datetime], now: datetime) -> bool:
    """Tell whether lines come faster than anybody types, this one included."""
    is_full = len(recent) == _BURST_LINES
    is_fast = is_full and now - recent[0] < _BURST_TIME
    recent.append(now)
    return is_fast


def _normalise(text: str) -> str:
    """Return the words in lower case, one blank between them, punctuation gone."""
    plain = text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    words = (word.strip("'") for word in _NOT_A_WORD.sub(" ", plain).split())
    return " ".join(word for word in words if word)


def _has_any(words: str, phrases: tuple[str, ...]) -> bool:
    """Tell whether any of the phrases occurs as whole words."""
    return any(f" {phrase} " in f" {words} " for phrase in phrases)
