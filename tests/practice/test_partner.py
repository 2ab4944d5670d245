"""The partner, as the newcomer meets it: events in, commands out, no network."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.contract import (
    AcceptContact,
    ChatChanged,
    ChatPhase,
    Command,
    Connect,
    ContactAsked,
    Failed,
    Jid,
    MessageReceived,
    Protection,
    SendMessage,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.practice import lessons
from coykiosk.practice.partner import KEYS, Partner
from coykiosk.ui_urwid.actions import Action
from coykiosk.ui_urwid.keys import BINDINGS

_NEWCOMER = Jid("bumolita", "practice.example")
_OTHER = Jid("tapikora", "practice.example")
_ME = Jid("pimosate", "practice.example")
_NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _chat(
    contact: Jid = _NEWCOMER,
    phase: ChatPhase = ChatPhase.ENCRYPTED,
    protection: Protection = Protection.PRIVATE,
    *,
    key_is_new: bool = False,
) -> ChatChanged:
    return ChatChanged(_ME, contact, phase, protection, bytes(20), key_is_new)


def _line(
    text: str,
    contact: Jid = _NEWCOMER,
    protection: Protection = Protection.PRIVATE,
    *,
    author: Jid | None = None,
    at: datetime = _NOON,
) -> MessageReceived:
    return MessageReceived(_ME, contact, author or contact, text, at, protection)


def _texts(commands: list[Command]) -> list[str]:
    return [c.text for c in commands if isinstance(c, SendMessage)]


def _met(*contacts: Jid) -> Partner:
    partner = Partner()
    for contact in contacts or (_NEWCOMER,):
        partner.receive(_chat(contact))
    return partner


def _ask(partner: Partner, text: str, contact: Jid = _NEWCOMER) -> str:
    (answer,) = _texts(partner.receive(_line(text, contact)))
    return answer


# --- coming and going ---------------------------------------------------------------


def test_partner_accepts_whoever_asks() -> None:
    commands = Partner().receive(ContactAsked(_ME, _NEWCOMER))

    assert commands == [AcceptContact(_ME, _NEWCOMER)]


def test_partner_greets_and_says_what_it_is_once_the_chat_is_encrypted() -> None:
    commands = Partner().receive(_chat())

    assert [c.chat for c in commands if isinstance(c, SendMessage)] == [_NEWCOMER] * 2
    assert "not a person" in _texts(commands)[0]
    assert "'next'" in _texts(commands)[1]


@pytest.mark.parametrize(
    "event",
    [
        _chat(phase=ChatPhase.ASKING, protection=Protection.OPEN),
        _chat(phase=ChatPhase.AGREEING, protection=Protection.OPEN),
        _chat(phase=ChatPhase.OFFLINE, protection=Protection.OPEN),
        _chat(phase=ChatPhase.ENDED_BY_CONTACT, protection=Protection.STOP),
        _chat(protection=Protection.STOP),
        _chat(protection=Protection.STOP, key_is_new=True),
        _chat(key_is_new=True),
    ],
    ids=["asking", "agreeing", "offline", "ended", "stop", "stop-new-key", "new-key"],
)
def test_partner_says_nothing_while_the_chat_is_not_safely_encrypted(
    event: ChatChanged,
) -> None:
    partner = Partner()

    assert partner.receive(event) == []
    assert partner.receive(_line("hello")) == []


def test_partner_greets_once_when_the_same_state_is_told_twice() -> None:
    partner = _met()

    assert partner.receive(_chat()) == []


def test_partner_says_welcome_back_when_encryption_restarts() -> None:
    partner = _met()
    partner.receive(_chat(phase=ChatPhase.ENDED_BY_CONTACT, protection=Protection.STOP))

    commands = partner.receive(_chat())

    assert _texts(commands) == list(lessons.WELCOME_BACK)


def test_partner_falls_silent_when_the_contact_ends_the_encryption() -> None:
    partner = _met()
    partner.receive(_chat(phase=ChatPhase.ENDED_BY_CONTACT, protection=Protection.STOP))

    assert partner.receive(_line("are you still there?")) == []


# --- what it must not answer ----------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        _line("hello", protection=Protection.STOP),
        _line("hello", protection=Protection.OPEN),
        _line("hello", author=_OTHER),
        _line(" \t\n"),
        _line(""),
        _line("hello", contact=_OTHER),
    ],
    ids=["clear-in-otr", "clear", "another-author", "blank", "empty", "stranger"],
)
def test_partner_does_not_answer(event: MessageReceived) -> None:
    assert _met().receive(event) == []


@pytest.mark.parametrize(
    "event",
    [
        Failed(UserError(ErrorCode.ADDRESS_BAD), Connect),
        Failed(UserError(ErrorCode.CONNECTION_LOST, server="x"), None),
    ],
    ids=["of-a-command", "of-the-network"],
)
def test_partner_ignores_what_does_not_concern_it(event: Failed) -> None:
    assert _met().receive(event) == []


def test_partner_stops_answering_when_lines_come_faster_than_anybody_types() -> None:
    partner = _met()

    answered = sum(
        bool(partner.receive(_line("ping", at=_NOON + timedelta(milliseconds=n))))
        for n in range(100)
    )

    assert answered == 20


def test_partner_answers_again_once_a_burst_is_over() -> None:
    partner = _met()
    for n in range(100):
        partner.receive(_line("ping", at=_NOON + timedelta(milliseconds=n)))

    commands = partner.receive(_line("hello", at=_NOON + timedelta(minutes=1)))

    assert len(commands) == 1


# --- the lessons ------------------------------------------------------------------------


def test_partner_goes_through_all_lessons_and_starts_over() -> None:
    partner = _met()
    n = len(lessons.LESSONS)

    heard = [_ask(partner, "next") for _ in range(n + 2)]

    assert len(set(heard[:n])) == n
    assert "That was all" in heard[n]
    assert heard[n + 1] == heard[0]


def test_partner_repeats_the_last_lesson_when_asked_for_it_again() -> None:
    partner = _met()
    _ask(partner, "next")
    second = _ask(partner, "next")

    assert _ask(partner, "again") == second


@pytest.mark.parametrize(
    "text",
    ["next", "Next!", "  NEXT  ", "ok, next", "go on...", "what comes next?", "more"],
)
def test_partner_understands_that_the_next_lesson_is_wanted(text: str) -> None:
    assert "PRIVATE, NOT CHECKED" in _ask(_met(), text)


def test_partner_keeps_the_place_of_each_contact_apart() -> None:
    partner = _met(_NEWCOMER, _OTHER)
    first = _ask(partner, "next", _NEWCOMER)

    assert _ask(partner, "next", _OTHER) == first
    assert _ask(partner, "next", _NEWCOMER) != first


@pytest.mark.parametrize(
    ("name", "action"),
    [
        (KEYS.help, Action.HELP),
        (KEYS.tor, Action.TOR),
        (KEYS.people, Action.WHO),
        (KEYS.vault_words, Action.WORDS),
        (KEYS.older, Action.OLDER),
        (KEYS.quit, Action.QUIT),
    ],
    ids=["help", "tor", "people", "vault-words", "older", "quit"],
)
def test_partner_names_the_keys_that_the_key_table_has(
    name: str, action: Action
) -> None:
    spoken = name.lower().replace("ctrl+", "ctrl ").replace("pgup", "page up")

    assert spoken in {key for b in BINDINGS if b.action is action for key in b.keys}


# --- conversation -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("help", "I know these words"),
        ("?", "I know these words"),
        ("can you help me", "I know these words"),
        ("who are you?", "program"),
        ("Are you human", "program"),
        ("are you a BOT?!", "program"),
        ("what is tor?", "Tor"),
        ("and my vault?", "six words"),
        ("is this encrypted", "OTR"),
        ("do you keep a log", "writes down nothing"),
        ("how do I quit", "Ctrl+Q"),
        ("what is my address", "drawn by lot"),
        ("bye", "Ctrl+Q"),
        ("thank you!", "welcome"),
        ("it\N{RIGHT SINGLE QUOTATION MARK}s a test", "It came through"),
        ("hello", "Hello again"),
        ("yes", "next"),
        ("what's up", "no moods"),
    ],
)
def test_partner_understands_a_few_words(text: str, part: str) -> None:
    assert part in _ask(_met(), text)


def test_partner_answers_a_question_it_does_not_know_as_a_question() -> None:
    assert "more than I know" in _ask(_met(), "where does the moon come from?")


def test_partner_varies_what_it_says_to_what_it_does_not_understand() -> None:
    partner = _met()

    answers = [_ask(partner, f"the weather is fair, number {n}") for n in range(6)]

    assert len(set(answers)) == 6


def test_partner_is_no_parrot() -> None:
    line = "a rather particular sentence about marmalade"

    assert "marmalade" not in _ask(_met(), line)


@given(st.text(min_size=1, max_size=3000))
def test_partner_answers_any_text_with_one_line_of_its_own(text: str) -> None:
    commands = _met().receive(_line(text))

    assert len(commands) == (1 if text.strip() else 0)
    assert all(t.isascii() and "{" not in t for t in _texts(commands))


def test_partner_forgets_who_was_silent_longest_when_too_many_come() -> None:
    partner = Partner()
    crowd = [Jid(f"guest{n}", "practice.example") for n in range(1000)]
    for contact in crowd:
        partner.receive(_chat(contact))

    assert partner.receive(_line("hello", crowd[0])) == []
    assert len(partner.receive(_line("hello", crowd[-1]))) == 1
    assert len(partner._known) == 32


# --- the sentences --------------------------------------------------------------------------


def _all_sentences() -> list[str]:
    topics = (*lessons.TOPICS, *lessons.SMALL_TALK, *lessons.SHORT_ANSWERS)
    return [
        *lessons.GREETING,
        *lessons.WELCOME_BACK,
        *lessons.LESSONS,
        *lessons.NO_MORE_LESSONS,
        *lessons.TO_A_QUESTION,
        *lessons.REMARKS,
        *(answer for topic in topics for answer in topic.answers),
    ]


@pytest.mark.parametrize("sentence", _all_sentences(), ids=lambda text: text[:24])
def test_sentence_is_plain_short_and_without_a_link(sentence: str) -> None:
    assert sentence.isascii()
    assert sentence.isprintable()
    assert len(sentence) <= 320
    assert "http" not in sentence
    assert "www." not in sentence


def test_phrases_are_written_as_texts_are_compared() -> None:
    topics = (*lessons.TOPICS, *lessons.SMALL_TALK, *lessons.SHORT_ANSWERS)
    phrases = [phrase for topic in topics for phrase in topic.phrases]

    odd = [
        p
        for p in phrases
        if p != p.casefold() or set(p) - set("abcdefghijklmnopqrstuvwxyz1' ")
    ]

    assert odd == []
