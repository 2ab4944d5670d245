"""Every screen, drawn in this process and read as text."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coykiosk.contract import (
    AcceptContact,
    AcceptNewKey,
    AccountOffline,
    AccountOnline,
    AnswerPuzzle,
    AskAnotherPuzzle,
    AskCircuit,
    BridgesSet,
    CancelCreation,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    Command,
    Connect,
    ContactAsked,
    CreateAccount,
    Door,
    EnrolmentAdvanced,
    EnrolmentStep,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    OpenChat,
    Picture,
    PracticeAdvanced,
    PracticeReady,
    PracticeStep,
    Protection,
    Puzzle,
    PuzzleAsked,
    Quit,
    RefuseContact,
    RestartEncryption,
    SendMessage,
    ServerTried,
    SkipServer,
    Started,
    TorProgress,
    TorReady,
    TorStopped,
    UnlockVault,
    UseBridges,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Circuit, Hop
from coykiosk.ui_urwid import wording
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.shell import Shell

WORDS = "purple anchovy tidbit clover majestic kiosk"
ME = Jid("lufimo", "example.org")
SAM = Jid("sam", "example.net")
EVE = Jid("eve", "example.com")
NOW = datetime(2030, 1, 1, 12, 3, tzinfo=UTC)
LOST = UserError(ErrorCode.CONNECTION_LOST, server="example.org")
ONLINE = AccountOnline(ME, via_onion=True, channel_bound=True, kept=True)
NO_VAULT = Started(vault_exists=False, practice=False)
VAULT = Started(vault_exists=True, practice=False)
USUAL, SMALL = (80, 24), (40, 12)


class Person:
    """Somebody in front of the screen, and the session behind it."""

    def __init__(self, *events: Event) -> None:
        self.commands: list[Command] = []
        self.asked: list[tuple[str, int]] = []
        self.now = 1000.0
        self.shell = Shell(
            submit=self.commands.append,
            suggest_passphrase=lambda: WORDS,
            ask_judge=lambda text, number: self.asked.append((text, number)),
            now=lambda: self.now,
        )
        self.happens(*events)

    def happens(self, *events: Event) -> None:
        for event in events:
            self.shell.apply(event)
        self.sees()

    def types(self, text: str) -> None:
        self.presses(*text)

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.shell.press_all([key])
        self.sees()

    def pastes(self, text: str) -> None:
        names = ["enter" if char == "\n" else char for char in text]
        self.shell.press_all(["begin paste", *names, "end paste"])
        self.sees()

    def rows(self, size: tuple[int, int] = USUAL) -> list[str]:
        canvas = self.shell.draw(*size)
        assert (canvas.cols(), canvas.rows()) == size
        return [row.decode().rstrip() for row in canvas.text]

    def sees(self, size: tuple[int, int] = USUAL) -> str:
        """Return the screen as running text, each run of blanks one."""
        return " ".join(" ".join(self.rows(size)).split())


def chat(
    contact: Jid = SAM,
    phase: ChatPhase = ChatPhase.ENCRYPTED,
    protection: Protection = Protection.PRIVATE,
    *,
    key_is_new: bool = False,
) -> ChatChanged:
    return ChatChanged(ME, contact, phase, protection, b"k" * 20, key_is_new=key_is_new)


def received(text: str, contact: Jid = SAM) -> MessageReceived:
    return MessageReceived(ME, contact, contact, text, NOW, Protection.PRIVATE)


def in_a_chat(*more: Event) -> Person:
    return Person(NO_VAULT, TorReady(own=True), ONLINE, chat(), *more)


# --- the start screen -------------------------------------------------------------


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_start_screen_shows_the_words_and_what_enter_does(
    size: tuple[int, int],
) -> None:
    person = Person(NO_VAULT, TorProgress(45, "loading_status"))

    seen = person.sees(size)

    for words in (*WORDS.split(), "on paper", "Enter", "F4", "nothing kept", "45 %"):
        assert words in seen


def test_start_screen_keeps_the_account_in_a_vault_when_enter_is_pressed() -> None:
    person = Person(NO_VAULT)

    person.presses("enter")

    [command] = person.commands
    assert isinstance(command, CreateAccount)
    assert command.passphrase is not None
    assert command.passphrase.reveal().decode() == WORDS
    assert "1 of 5" in person.sees()


def test_start_screen_keeps_nothing_when_f4_is_pressed() -> None:
    person = Person(NO_VAULT)

    person.presses("f4")

    assert person.commands == [CreateAccount(None)]
    assert "1 of 4" in person.sees()
    assert "sealing" not in person.sees()


def test_start_screen_replaces_the_words_when_one_types_ones_own() -> None:
    person = Person(NO_VAULT)

    person.types("my own")

    assert "> my own" in person.sees()
    assert "purple" not in person.sees()


@pytest.mark.parametrize("keys", [["esc"], ["backspace"] * 3], ids=["esc", "backspace"])
def test_start_screen_goes_back_to_the_made_words(keys: list[str]) -> None:
    person = Person(NO_VAULT)
    person.types("abc")

    person.presses(*keys)

    assert "purple" in person.sees()


def test_start_screen_refuses_weak_words_and_says_why() -> None:
    person = Person(NO_VAULT)
    person.types("abc")

    person.presses("enter")
    person.shell.judged(person.asked[-1][1], is_enough=False)

    assert person.commands == []
    assert "Not taken: too easy to guess" in person.sees()


def test_start_screen_takes_strong_words_once_they_are_judged() -> None:
    person = Person(NO_VAULT)
    person.types("abc")

    person.presses("enter")
    assert person.commands == []
    person.shell.judged(person.asked[-1][1], is_enough=True)

    [command] = person.commands
    assert isinstance(command, CreateAccount)
    assert command.passphrase is not None
    assert command.passphrase.reveal() == b"abc"


def test_start_screen_ignores_a_judgement_of_an_earlier_text() -> None:
    person = Person(NO_VAULT)
    person.types("abc")
    number = person.asked[-1][1]
    person.types("d")
    person.presses("enter")

    person.shell.judged(number, is_enough=True)

    assert person.commands == []


@pytest.mark.parametrize(
    ("is_enough", "words"), [(True, "strong enough"), (False, "weak")]
)
def test_start_screen_says_the_strength_in_words(
    *, is_enough: bool, words: str
) -> None:
    person = Person(NO_VAULT)
    person.types("abc")

    person.shell.judged(person.asked[-1][1], is_enough=is_enough)

    assert words in person.sees()


def test_start_screen_gives_a_question_mark_to_help_only_when_nothing_is_typed() -> (
    None
):
    person = Person(NO_VAULT)
    person.presses("?")
    assert "Help" in person.sees()
    person.presses("esc", *"a?")

    assert "> a?" in person.sees()


def test_start_screen_says_that_it_is_practice_and_how_far_it_is() -> None:
    started = Started(vault_exists=False, practice=True)
    person = Person(started, PracticeAdvanced(PracticeStep.AGREEING_CONSENSUS))

    seen = person.sees()

    assert "nothing leaves this machine" in seen
    assert "2 of 5" in seen


def test_start_screen_takes_a_pasted_passphrase_as_one_line() -> None:
    person = Person(NO_VAULT)

    person.pastes("one two\nthree\n")

    assert "> one two three" in person.sees()
    assert person.commands == []


# --- unlock -------------------------------------------------------------------------


def test_unlock_screen_hides_what_is_typed_and_shows_it_when_asked() -> None:
    person = Person(VAULT)
    person.types("abc")
    assert "> ***" in person.sees()

    person.presses("f8")

    assert "> abc" in person.sees()


def test_unlock_screen_hands_the_words_over_and_forgets_them() -> None:
    person = Person(VAULT)
    person.types("six words")

    person.presses("enter")

    [command] = person.commands
    assert isinstance(command, UnlockVault)
    assert command.passphrase.reveal() == b"six words"
    assert "Opening the vault" in person.sees()


def test_unlock_screen_says_that_the_words_are_wrong_and_takes_others() -> None:
    person = Person(VAULT)
    person.types("wrong")
    person.presses("enter")

    error = UserError(ErrorCode.VAULT_WRONG_PASSPHRASE)
    person.happens(Failed(error, UnlockVault))
    person.types("ab")

    assert "do not open the vault" in person.sees()
    assert "> **" in person.sees()


def test_unlock_screen_has_a_door_to_a_session_that_keeps_nothing() -> None:
    person = Person(VAULT)

    person.presses("f4")

    assert person.commands == [CreateAccount(None)]


def test_opened_vault_without_an_account_offers_to_make_one() -> None:
    person = Person(VAULT, VaultUnlocked(()))

    person.presses("f5")

    assert person.commands == [CreateAccount(None)]


# --- progress -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_progress_screen_says_the_step_in_words(size: tuple[int, int]) -> None:
    person = Person(NO_VAULT)
    person.presses("enter")

    person.happens(EnrolmentAdvanced(EnrolmentStep.MAKING_ACCOUNT, "example.org"))

    seen = person.sees(size)
    assert "4 of 5: making the account at example.org" in seen
    assert "Esc" in seen


def test_progress_screen_keeps_the_reasons_of_refusal_one_key_away() -> None:
    person = Person(NO_VAULT)
    person.presses("enter")
    error = UserError(
        ErrorCode.SERVER_REFUSED, server="bad.example", condition="not-allowed"
    )
    person.happens(ServerTried("bad.example", error, "No\x1b[2J robots\u202e!"))
    assert "1 server did not take you" in person.sees()

    person.presses("f7")

    seen = person.sees()
    assert "bad.example does not make an account for you (it does not" in seen
    assert 'The server says: "No' in seen
    assert "\x1b" not in seen
    assert "\u202e" not in seen


def test_progress_screen_cancels_with_esc() -> None:
    person = Person(NO_VAULT)
    person.presses("enter")

    person.presses("esc")

    assert person.commands[-1] == CancelCreation()
    assert "Stopping" in person.sees()


def test_progress_screen_goes_on_to_the_next_server_with_f4() -> None:
    person = Person(NO_VAULT)
    person.presses("enter")

    person.presses("f4")

    assert person.commands[-1] == SkipServer()


# --- a door of one's own --------------------------------------------------------------


@pytest.mark.parametrize("started", [NO_VAULT, VAULT], ids=["no vault", "vault"])
def test_door_screen_takes_an_invitation_for_the_account_made_next(
    started: Started,
) -> None:
    person = Person(started)
    person.presses("f9")
    assert "An invitation, or a server of your own choice" in person.sees()

    person.pastes("xmpp:example.org?register;preauth=abc\n")
    person.presses("enter")
    assert "made at example.org, by your invitation. F9 changes" in person.sees()
    person.presses("f4")

    [command] = person.commands
    assert command == CreateAccount(None, Door("example.org", None, "abc"))


def test_door_screen_takes_a_server_and_the_start_screen_names_it() -> None:
    person = Person(NO_VAULT)
    person.presses("f9")

    person.types("Example.org")
    person.presses("enter")

    assert "The account will be made at example.org. F9 changes that." in person.sees()
    person.presses("enter")
    [command] = person.commands
    assert isinstance(command, CreateAccount)
    assert command.passphrase is not None
    assert command.door == Door("example.org", None, "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Nothing is typed yet."),
        ("nonsense", "This is no server and no invitation."),
        ("abc.onion", "was not copied right"),
        ("https://example.org/i", "none is opened here"),
        ("xmpp:bob@example.org", "no invitation to make an account"),
    ],
)
def test_door_screen_says_what_is_wrong(typed: str, told: str) -> None:
    person = Person(NO_VAULT)
    person.presses("f9")

    person.types(typed)
    person.presses("enter")
    seen = person.sees()
    person.types("x")

    assert told in seen
    assert told not in person.sees()


def test_door_screen_goes_back_with_esc_and_the_choice_is_the_programs_again() -> None:
    person = Person(NO_VAULT)
    person.presses("f9")
    person.types("example.org")
    person.presses("enter", "f9", "esc")

    person.presses("f4")

    assert "example.org" not in person.sees()
    assert person.commands == [CreateAccount(None)]


# --- a server's puzzle ----------------------------------------------------------------

LETTERS = ("#   # #####", " # #    #  ", "  #     #  ", " # #    #  ", "#   #   #  ")
DRAWN = Picture(
    11, 5, bytes(30 if char == "#" else 200 for row in LETTERS for char in row)
)
SEEN = Puzzle("example.org", "Type \x1b]0;the text", DRAWN, n_wrong=0, life_s=120.0)


def puzzled(puzzle: Puzzle = SEEN) -> Person:
    person = Person(NO_VAULT)
    person.presses("enter")
    person.happens(
        EnrolmentAdvanced(EnrolmentStep.MAKING_ACCOUNT, "example.org"),
        PuzzleAsked(puzzle),
    )
    person.commands.clear()
    return person


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_puzzle_screen_shows_the_picture_and_asks(size: tuple[int, int]) -> None:
    person = puzzled()

    seen = person.sees(size)

    if size is USUAL:
        assert "example.org wants to see that a person is there." in seen
    assert "Type what the picture shows:" in seen
    assert 'The server says: "Type' in seen
    assert "\x1b" not in seen
    assert "▀" * 11 in seen


def test_puzzle_screen_draws_in_ink_where_there_are_no_greys() -> None:
    person = puzzled()
    person.shell.colours_are(8)

    rows = "\n".join(person.rows())

    assert "▀▄ ▄▀ ▀▀█▀▀" in rows
    assert "▄▀▄    █" in rows


def test_puzzle_screen_sends_what_was_typed_and_nothing_when_that_is_nothing() -> None:
    person = puzzled()
    person.presses("enter")

    person.types(" x T ")
    person.presses("enter")

    assert person.commands == [AnswerPuzzle("x T")]
    assert "making the account at example.org" in person.sees()


def test_puzzle_screen_counts_the_time_and_says_when_it_is_over() -> None:
    person = puzzled()
    assert "The server waits for 120 more seconds." in person.sees()

    person.now += 119.5
    assert "The server waits for 1 more second." in person.sees()
    person.now += 1

    assert "Its time is over. F6 asks for another one." in person.sees()


@pytest.mark.parametrize(
    ("key", "command"),
    [("f6", AskAnotherPuzzle()), ("f4", SkipServer()), ("esc", CancelCreation())],
)
def test_puzzle_screen_is_left_by_a_key(key: str, command: Command) -> None:
    person = puzzled()

    person.presses(key)

    assert person.commands == [command]
    assert "Type what the picture shows" not in person.sees()


def test_puzzle_screen_says_that_an_answer_was_wrong_and_forgets_it() -> None:
    person = puzzled()
    person.types("wrong")
    person.presses("enter")

    person.happens(PuzzleAsked(replace(SEEN, n_wrong=1)))

    seen = person.sees()
    assert "That was not it; here is another one." in seen
    assert "wrong" not in seen


def test_puzzle_screen_shows_a_question_without_a_picture() -> None:
    person = puzzled(Puzzle("example.org", "7 + 8?", None, n_wrong=0, life_s=120.0))

    seen = person.sees()

    assert 'The server says: "7 + 8?"' in seen
    assert "picture" not in seen


def test_puzzle_screen_shows_each_pixel_of_a_wide_picture_when_it_is_enlarged() -> None:
    stripes = bytes(255 * (x % 2) for x in range(300)) * 40
    person = puzzled(replace(SEEN, picture=Picture(300, 40, stripes)))
    person.shell.colours_are(8)
    small = person.rows()

    person.presses("f8")
    large = person.rows()
    person.presses("page down")
    moved = person.rows()

    assert "█ █ █ █" not in "".join(small)
    assert "█ █ █ █" in "".join(large)
    assert moved != small
    person.presses("f8")
    assert person.rows() == small


def test_puzzle_screen_takes_pasted_text_into_the_answer() -> None:
    person = puzzled()

    person.pastes("a\nb")
    person.presses("enter")

    assert person.commands == [AnswerPuzzle("a b")]


def test_puzzle_screen_gives_way_when_the_account_cannot_be_made() -> None:
    person = puzzled()

    person.happens(Failed(LOST, CreateAccount))

    assert "Type what the picture shows" not in person.sees()


# --- who ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_who_screen_says_who_one_is_and_asks(size: tuple[int, int]) -> None:
    seen = Person(NO_VAULT, ONLINE).sees(size)

    assert "You are lufimo@example.org" in seen
    assert "Who do you want to talk to?" in seen


def test_who_screen_says_the_address_aloud() -> None:
    seen = Person(NO_VAULT, ONLINE).sees()

    assert "Lima Uniform Foxtrot India Mike Oscar at Echo X-ray" in seen


def test_who_screen_opens_the_chat_with_the_typed_address() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.types("Sam@example.net/phone")

    person.presses("enter")

    assert person.commands == [OpenChat(ME, SAM)]
    assert "Opening the chat with sam@example.net" in person.sees()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("sam", "This is no address"),
        ("", "Type the address"),
        ("lufimo@example.org", "your own address"),
    ],
)
def test_who_screen_says_what_is_wrong_with_an_address(typed: str, told: str) -> None:
    person = Person(NO_VAULT, ONLINE)
    person.types(typed)

    person.presses("enter")

    assert person.commands == []
    assert told in person.sees()


def test_who_screen_does_not_accept_a_stranger_for_an_enter_in_the_address() -> None:
    person = Person(NO_VAULT, ONLINE, ContactAsked(ME, EVE))

    person.presses("enter")

    assert person.commands == []


@pytest.mark.parametrize(
    ("key", "command"),
    [("enter", AcceptContact(ME, EVE)), ("delete", RefuseContact(ME, EVE))],
    ids=["accept", "ignore"],
)
def test_who_screen_answers_a_stranger_one_went_down_to(
    key: str, command: Command
) -> None:
    person = Person(NO_VAULT, ONLINE, ContactAsked(ME, EVE))
    person.presses("tab")
    assert "eve@example.com wants to talk: Enter accept, Delete ignore" in person.sees()

    person.presses(key)

    assert person.commands == [command]
    assert "wants to talk" not in person.sees()


def test_who_screen_lists_the_chats_with_what_is_unread() -> None:
    person = in_a_chat(chat(EVE), received("hi", EVE))
    person.presses("f2")

    assert "[~ ] eve@example.com (1 unread)" in person.sees()


def test_who_screen_keeps_the_keys_of_somebody_typing_from_a_new_chat() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.types("eve@exam")

    person.happens(chat(SAM))
    person.types("ple.com")
    person.presses("enter")

    assert person.commands == [OpenChat(ME, EVE)]


def test_who_screen_shows_the_practice_partner_until_the_chat_is_there() -> None:
    person = Person(NO_VAULT, ONLINE, PracticeReady(SAM))
    assert "practice partner is sam@example.net" in person.sees()

    person.happens(chat(SAM, ChatPhase.ASKING, Protection.OPEN))

    assert "NOT ENCRYPTED YET" in person.sees()


# --- chat -----------------------------------------------------------------------------


@pytest.mark.hostile("G15", "G25")
@pytest.mark.parametrize(
    ("event", "words"),
    [
        (chat(), "[~ ] PRIVATE, NOT CHECKED. Only the other end can read it."),
        (chat(protection=Protection.CHECKED), "[ok] PRIVATE, CHECKED. Only sam can"),
        (
            chat(SAM, ChatPhase.ASKING, Protection.OPEN),
            "[--] NOT ENCRYPTED YET. Asked sam for encryption; no answer yet.",
        ),
        (
            chat(SAM, ChatPhase.AGREEING, Protection.OPEN),
            "[--] NOT ENCRYPTED YET. sam answered; the keys are being agreed.",
        ),
        (
            chat(SAM, ChatPhase.OFFLINE, Protection.OPEN),
            "[--] NOT ENCRYPTED YET. No connection. What you type waits",
        ),
        (
            chat(SAM, ChatPhase.ENDED_BY_CONTACT, Protection.STOP),
            "[!!] STOP. Do not type. sam ended the encryption. F9",
        ),
        (
            chat(SAM, ChatPhase.ENCRYPTED, Protection.STOP),
            "[!!] STOP. Do not type. A text came unencrypted",
        ),
        (
            chat(SAM, ChatPhase.ENCRYPTED, Protection.STOP, key_is_new=True),
            "[!!] STOP. Do not type. sam has another key than before",
        ),
    ],
)
def test_chat_says_who_can_read_it(event: ChatChanged, words: str) -> None:
    assert words in in_a_chat(event).sees()


def test_chat_hands_over_what_was_typed() -> None:
    person = in_a_chat()
    person.types("hello")

    person.presses("enter")

    assert person.commands == [SendMessage(ME, SAM, "hello")]
    assert ">" in person.rows()


@pytest.mark.hostile("G27")
def test_chat_hands_nothing_over_while_it_says_stop() -> None:
    person = in_a_chat(chat(SAM, ChatPhase.ENDED_BY_CONTACT, Protection.STOP))
    person.types("hello")

    person.presses("enter")

    assert person.commands == []
    assert "> hello" in person.rows()


@pytest.mark.parametrize(
    ("state", "gutter", "note"),
    [
        (MessageState.WAITING, "..|", "(waits until the chat is encrypted"),
        (MessageState.SENDING, "..|", ""),
        (MessageState.SENT, "~ |", ""),
        (MessageState.FAILED, "XX|", "(NOT SENT"),
        (MessageState.UNCERTAIN, "??|", "(may not have arrived; type it again"),
    ],
)
def test_chat_marks_what_became_of_a_message(
    state: MessageState, gutter: str, note: str
) -> None:
    accepted = MessageAccepted(ME, SAM, "1", "hello", NOW, state, Protection.PRIVATE)

    person = in_a_chat(accepted)

    [row] = [row for row in person.rows() if row.endswith("hello")]
    assert row.startswith(gutter)
    assert note in person.sees()


@pytest.mark.parametrize("state", MessageState)
@pytest.mark.parametrize("mark", Protection)
def test_help_explains_what_stands_before_a_message(
    state: MessageState, mark: Protection
) -> None:
    accepted = MessageAccepted(ME, SAM, "1", "hello", NOW, state, mark)
    person = in_a_chat(accepted)
    [row] = [row for row in person.rows() if row.endswith("hello")]

    explained = dict(wording.gutter_legend())
    person.presses("f1")
    pages = []
    for _ in range(4):
        pages.append(person.sees())
        person.presses("page down")

    assert any(explained[row[:3]] in page for page in pages)


@pytest.mark.hostile("G37")
def test_chat_gives_every_row_of_a_message_a_gutter_the_writer_cannot_draw() -> None:
    person = in_a_chat(received("ok|\nok| 12:03 you  I agree\n" + "x" * 200))

    rows = [row for row in person.rows() if row[2:3] == "|"]

    assert len(rows) == 6
    assert all(row.startswith("~ | ") for row in rows)
    assert [row[4:].startswith(" ") for row in rows] == [False, *[True] * 5]


@pytest.mark.hostile("G25")
def test_chat_says_of_a_text_in_clear_that_it_is_not_to_be_trusted() -> None:
    clear = MessageReceived(ME, SAM, SAM, "psst", NOW, Protection.STOP)

    person = in_a_chat(clear)

    assert "do not trust this" in person.sees()
    assert any(row.startswith("!!|") for row in person.rows())


@pytest.mark.parametrize("typed", ["/exec rm", "/", "/ quit", "/etc/passwd"])
def test_chat_never_sends_an_unknown_slash_command(typed: str) -> None:
    person = in_a_chat()
    person.types(typed)

    person.presses("enter")

    assert [c for c in person.commands if isinstance(c, SendMessage)] == []
    assert "no such command" in person.sees() or person.shell.where is not Where.CHAT


def test_chat_sends_a_text_that_begins_with_a_slash_when_it_is_doubled() -> None:
    person = in_a_chat()
    person.types("//etc")

    person.presses("enter")

    assert person.commands == [SendMessage(ME, SAM, "/etc")]


def test_chat_knows_the_slash_words_of_the_key_table() -> None:
    person = in_a_chat()
    person.types("/tor")

    person.presses("enter")

    assert person.commands == [AskCircuit(ME)]
    assert person.shell.where is Where.TOR


def test_chat_does_not_move_what_one_reads_when_something_comes() -> None:
    person = in_a_chat(*(received(f"line {n}.") for n in range(60)))
    person.presses("page up")
    before = [row for row in person.rows() if "line" in row]

    person.happens(received("new 1"), received("new 2"))

    after = [row for row in person.rows() if "line" in row]
    assert after == before
    assert "2 new below" in person.sees()


def test_chat_follows_the_newest_again_after_end() -> None:
    person = in_a_chat(*(received(f"line {n}.") for n in range(60)))
    person.presses("page up", "page up")
    person.happens(received("the new one"))

    person.presses("end")

    assert "the new one" in person.sees()
    assert "below" not in person.sees()


def test_chat_reaches_the_oldest_message_and_comes_back() -> None:
    person = in_a_chat(*(received(f"line {n}.") for n in range(60)))

    person.presses(*["page up"] * 9)
    assert "line 0." in person.sees()
    person.presses(*["page down"] * 9)

    assert "line 59." in person.sees()


def test_chat_scrolls_through_one_message_taller_than_the_screen() -> None:
    person = in_a_chat(received("\n".join(f"row {n}." for n in range(100))))
    assert "row 99." in person.sees()

    person.presses(*["page up"] * 12)

    assert "row 0." in person.sees()


def test_chat_keeps_its_place_when_the_window_changes() -> None:
    person = in_a_chat(*(received(f"line {n}. " + "x" * 90) for n in range(60)))
    person.presses("page up")

    for size in [(40, 12), (200, 60), (21, 5), (80, 24)]:
        person.rows(size)

    assert person.shell.where is Where.CHAT


def test_chat_keeps_a_draft_for_each_chat() -> None:
    person = in_a_chat(chat(EVE))
    person.types("for sam")
    person.presses("ctrl n")
    person.types("for eve")

    person.presses("ctrl p")

    assert "> for sam" in person.rows()


def test_chat_goes_to_the_next_unread() -> None:
    person = in_a_chat(chat(EVE), received("hi", EVE))

    person.presses("f7")

    assert person.rows()[0].startswith(" eve@example.com")


def test_chat_recalls_earlier_lines() -> None:
    person = in_a_chat()
    for text in ("one", "two"):
        person.types(text)
        person.presses("enter")

    person.presses("up", "up")

    assert "> one" in person.rows()


def test_chat_moves_within_a_draft_of_several_lines_before_it_recalls() -> None:
    person = in_a_chat()
    person.types("sent")
    person.presses("enter")
    person.pastes("one\ntwo")
    person.presses("enter")

    person.presses("up", *"x")

    assert any(row.startswith("> o") and "x" in row for row in person.rows())


@pytest.mark.parametrize("text", ["one\ntwo", "x" * 501], ids=["lines", "long"])
def test_chat_asks_before_a_large_paste(text: str) -> None:
    person = in_a_chat()

    person.pastes(text)

    assert "You are pasting" in person.sees()
    person.presses("esc")
    assert ">" in person.rows()


def test_chat_takes_a_short_paste_without_sending_it() -> None:
    person = in_a_chat()

    person.pastes("one\n")

    assert "> one" in person.rows()
    assert person.commands == []


@pytest.mark.hostile("G15")
def test_chat_asks_before_it_takes_a_new_key() -> None:
    new = chat(SAM, ChatPhase.ENCRYPTED, Protection.STOP, key_is_new=True)
    person = in_a_chat(replace(new, their_fingerprint=b"\xab" * 20))

    person.presses("f8")
    assert person.commands == []
    assert "ABABABAB" in person.sees()
    person.presses("enter")

    assert person.commands == [AcceptNewKey(ME, SAM, b"\xab" * 20)]


def test_chat_has_no_new_key_to_take_when_there_is_none() -> None:
    person = in_a_chat()

    person.presses("f8", "enter")

    assert person.commands == []


def test_chat_asks_for_encryption_again() -> None:
    person = in_a_chat()

    person.presses("f9")

    assert person.commands == [RestartEncryption(ME, SAM)]


# --- what is wrong, and what lies over a screen -----------------------------------------


def test_offline_account_is_told_with_what_to_do() -> None:
    person = in_a_chat(AccountOffline(ME, LOST, 12.0))
    assert "The connection to example.org is lost" in person.sees()
    assert "within 12 seconds; F5: at once" in person.sees()

    person.presses("f5")

    assert person.commands == [Connect()]


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_tor_that_stopped_is_told_on_every_screen(size: tuple[int, int]) -> None:
    person = in_a_chat(TorStopped(UserError(ErrorCode.TOR_STOPPED)))
    in_chat = person.sees(size)
    person.presses("f2")

    assert "[!!] STOP. Tor has stopped" in in_chat
    assert "[!!] STOP. Tor has stopped" in person.sees(size)


def test_problem_is_told_in_two_sentences_and_read_away() -> None:
    person = in_a_chat(Failed(UserError(ErrorCode.OTR_TOO_OLD, contact="sam"), None))
    assert "an old encryption that is broken" in person.sees()
    assert "OTR version 3" in person.sees()

    person.presses("esc")

    assert person.shell.where is Where.CHAT


def test_problem_does_not_take_the_enter_of_somebody_typing() -> None:
    person = in_a_chat()
    person.types("hello")

    person.happens(Failed(UserError(ErrorCode.OTR_TOO_OLD, contact="sam"), None))
    assert "an old encryption" in person.sees()
    person.presses("enter")

    assert person.commands == [SendMessage(ME, SAM, "hello")]


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_words_can_be_shown_again(size: tuple[int, int]) -> None:
    person = Person(NO_VAULT)
    person.presses("enter")
    person.happens(ONLINE)

    person.presses("f6")

    assert all(word in person.sees(size) for word in WORDS.split())


def test_words_are_not_shown_when_nothing_is_kept() -> None:
    person = Person(NO_VAULT)
    person.presses("f4")
    kept = AccountOnline(ME, via_onion=True, channel_bound=True, kept=False)
    person.happens(kept)

    person.presses("f6")

    assert "Nothing of this session is kept" in person.sees()
    assert "purple" not in person.sees()


def test_tor_screen_draws_the_path_and_explains_the_guard() -> None:
    hops = tuple(
        Hop(digit * 40, name) for digit, name in zip("ABC", "xyz", strict=True)
    )
    person = in_a_chat()
    person.presses("f3")

    person.happens(CircuitKnown(ME, Circuit(hops, to_onion=True)))

    seen = person.sees()
    assert person.commands == [AskCircuit(ME)]
    path = ["this machine", "guard: x", "middle: y", "meeting point: z", "example.org"]
    assert [seen.index(station) for station in path[:-1]] == sorted(
        seen.index(station) for station in path[:-1]
    )
    assert "The guard stays the same" in seen


def test_quitting_asks_when_there_is_an_account() -> None:
    person = in_a_chat()
    person.presses("ctrl q")
    assert "Your chats end" in person.sees()
    assert person.commands == []

    person.presses("ctrl q")

    assert person.commands == [Quit()]
    assert "Closing" in person.sees()


def test_quitting_says_that_an_account_that_is_not_kept_is_gone() -> None:
    person = Person(NO_VAULT)
    person.presses("f4")
    person.happens(AccountOnline(ME, via_onion=True, channel_bound=True, kept=False))

    person.presses("ctrl c")

    assert "gone for good" in person.sees()


def test_quitting_does_not_ask_before_there_is_an_account() -> None:
    person = Person(NO_VAULT)

    person.presses("ctrl q")

    assert person.commands == [Quit()]


def test_closing_screen_takes_no_more_keys() -> None:
    person = Person(NO_VAULT)
    person.presses("ctrl q")

    person.presses("enter", "f4", "ctrl q", *"abc")

    assert person.commands == [Quit()]


def everything() -> Iterable[Person]:
    yield Person()
    yield Person(NO_VAULT)
    yield Person(VAULT)
    yield Person(NO_VAULT, EnrolmentAdvanced(EnrolmentStep.SIGNING_IN, "example.org"))
    person = Person(NO_VAULT)
    person.presses("f9", "x", "enter")
    yield person
    for puzzle in (SEEN, replace(SEEN, picture=None, n_wrong=1)):
        yield Person(NO_VAULT, PuzzleAsked(puzzle))
    yield Person(VAULT, VaultUnlocked((ME,)), AccountOffline(ME, LOST, None))
    yield Person(NO_VAULT, ONLINE, ContactAsked(ME, EVE))
    yield in_a_chat(received("x\n" * 50), TorStopped(LOST), ContactAsked(ME, EVE))
    for keys in (["f1"], ["f3"], ["f6"], ["ctrl q"], [*"draft " * 40]):
        person = in_a_chat(received("hello"))
        person.presses(*keys)
        yield person
    person = Person(NO_VAULT)
    person.presses("ctrl q")
    yield person


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 12, 24, 60])
@pytest.mark.parametrize("cols", [1, 2, 3, 7, 19, 20, 21, 40, 59, 60, 80, 200])
def test_every_screen_fits_every_size(cols: int, rows: int) -> None:
    for person in everything():
        assert len(person.rows((cols, rows))) == rows


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (40, 12)])
def test_every_screen_names_the_key_to_leave_it(size: tuple[int, int]) -> None:
    for person in everything():
        seen = person.sees(size)
        assert "Esc" in seen or "Ctrl+Q" in seen or "Closing" in seen


def test_small_window_takes_no_keys_but_quit() -> None:
    person = in_a_chat()
    person.shell.draw(10, 3)

    person.shell.press_all(["a", "enter", "f9"])

    assert person.commands == []


# --- Tor that is blocked, and bridges ---------------------------------------------------

BRIDGE = "obfs4 192.0.2.7:9443 " + "A" * 40 + " cert=" + "b" * 70 + " iat-mode=0"
BLOCKED = Failed(UserError(ErrorCode.TOR_BLOCKED), None)
AT_CONN = TorProgress(5, "conn")


@pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])
def test_blocked_tor_says_so_and_names_the_keys_that_lead_to_bridges(
    size: tuple[int, int],
) -> None:
    person = Person(NO_VAULT, AT_CONN, BLOCKED)

    in_dialog = person.sees(size)
    person.presses("esc")
    at_edge = person.sees(size)

    for shown in (in_dialog, at_edge):
        assert "may block it" in shown
        assert "F3, then F4" in shown
    assert person.shell.where is Where.START_WORDS


def test_blocked_tor_is_told_while_the_account_waits_for_it() -> None:
    person = Person(NO_VAULT, AT_CONN)
    person.presses("enter")
    person.happens(EnrolmentAdvanced(EnrolmentStep.WAITING_FOR_TOR, ""), BLOCKED)

    person.presses("esc")

    shown = person.sees()
    assert "waiting until Tor is connected" in shown
    assert "Tor: STUCK at 5 %" in shown
    assert "may block it" in shown
    assert person.commands[1:] == []


@pytest.mark.parametrize(
    "event",
    [TorProgress(10, "conn_done"), TorReady(own=True), BridgesSet((BRIDGE,))],
    ids=["progress", "ready", "bridges"],
)
def test_trouble_of_tor_is_over_when_it_gets_on(event: Event) -> None:
    person = Person(NO_VAULT, AT_CONN, BLOCKED)

    person.happens(event)

    shown = person.sees()
    assert "may block it" not in shown
    assert "STUCK" not in shown
    assert person.shell.where is Where.START_WORDS


def test_trouble_of_tor_stays_while_it_goes_back_and_forth() -> None:
    person = Person(NO_VAULT, AT_CONN, BLOCKED)
    person.presses("esc")

    person.happens(TorProgress(2, "conn_done_pt"), TorProgress(5, "conn_dir"))

    assert "may block it" in person.sees()


@pytest.mark.parametrize(
    "begin",
    [(NO_VAULT,), (VAULT,), (NO_VAULT, TorReady(own=True), ONLINE, chat())],
    ids=["start", "unlock", "chat"],
)
def test_bridges_are_pasted_on_the_tor_screen_from_anywhere(
    begin: tuple[Event, ...],
) -> None:
    person = Person(*begin)
    person.presses("f3", "f4")
    person.pastes(f"Bridge {BRIDGE}\n{BRIDGE}\n")

    person.presses("enter")

    sent = [c for c in person.commands if isinstance(c, UseBridges)]
    assert sent == [UseBridges(f"Bridge {BRIDGE}\n{BRIDGE}")]
    assert "Looking at them" in person.sees()


def test_bridges_are_typed_over_several_lines() -> None:
    person = Person(NO_VAULT)
    person.presses("f3", "f4")

    person.types("ab?")
    person.presses("tab")
    person.types("c")
    person.presses("enter")

    assert person.commands == [UseBridges("ab?\nc")]


def test_bridges_in_use_are_shown_on_the_tor_screen() -> None:
    person = Person(NO_VAULT)
    person.presses("f3", "f4")
    person.pastes(BRIDGE)
    person.presses("enter")

    person.happens(BridgesSet((BRIDGE, "192.0.2.8:443 " + "B" * 40)), AT_CONN)

    shown = person.sees()
    assert person.shell.where is Where.TOR
    assert "your 2 bridges, and no other way" in shown
    assert "obfs4 192.0.2.7:9443 192.0.2.8:443 They are kept" in shown
    person.presses("f4")
    assert "obfs4" not in person.sees()


def test_refused_bridges_stay_in_the_field_with_the_reason() -> None:
    person = Person(NO_VAULT)
    person.presses("f3", "f4")
    person.types("obfs4 nonsense")
    person.presses("enter")
    error = UserError(ErrorCode.BRIDGE_LINE_BAD, number="1", reason="bridge-address")

    person.happens(Failed(error, UseBridges))

    shown = person.sees()
    assert person.shell.where is Where.BRIDGES
    assert "obfs4 nonsense" in shown
    assert "Line 1 cannot be used: there is no IP address with a port" in shown
    person.presses("backspace", "enter")
    assert person.commands[-1] == UseBridges("obfs4 nonsens")


def test_refusal_is_told_even_when_the_field_was_left() -> None:
    person = Person(NO_VAULT)
    person.presses("f3", "f4", *"abc", "enter", "esc", "esc")
    error = UserError(ErrorCode.BRIDGE_KIND_UNKNOWN, number="1", kind="a\x1b[31mb")

    person.happens(Failed(error, UseBridges))

    shown = person.sees()
    assert person.shell.where is Where.SHEET
    assert "cannot be used here" in shown
    assert "\x1b" not in shown


def test_bridges_are_given_up_by_a_key_of_their_own_only() -> None:
    person = Person(NO_VAULT, BridgesSet((BRIDGE,)))

    person.presses("f3", "f4", "enter")
    nothing_yet = list(person.commands)
    person.presses("f8")

    assert nothing_yet == []
    assert person.commands == [UseBridges("")]


def test_giving_up_bridges_does_nothing_where_there_are_none() -> None:
    person = Person(NO_VAULT)

    person.presses("f3", "f4", "f8")

    assert person.commands == []
    assert "F8" not in person.sees()


def test_what_is_typed_for_bridges_goes_nowhere_else() -> None:
    person = in_a_chat()
    person.presses("f3", "f4")
    person.types("secret way")
    person.presses("esc", "esc")

    shown = person.sees()
    assert "secret way" not in shown
    assert person.commands == [AskCircuit(ME), AskCircuit(ME)]


def test_first_relay_is_called_a_bridge_when_it_is_one() -> None:
    hops = tuple(Hop("A" * 40, name) for name in ("one", "two", "three"))
    known = CircuitKnown(ME, Circuit(hops, to_onion=True))
    person = in_a_chat(BridgesSet((BRIDGE,)), known)

    person.presses("f3")

    shown = person.sees()
    assert "your bridge: one" in shown
    assert "stays the same for months" not in shown


@pytest.mark.parametrize("size", [USUAL, SMALL, (20, 5)], ids=str)
def test_field_for_bridges_shows_the_cursor_on_any_screen(
    size: tuple[int, int],
) -> None:
    person = Person(NO_VAULT)
    person.presses("f3", "f4")

    person.pastes("\n".join([BRIDGE] * 20))

    canvas = person.shell.draw(*size)
    assert canvas.cursor is not None


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("conn", "there is no way out of this machine"),
        ("loading_status", "the list of relays does not come"),
        ("starting", "it does not get under way"),
    ],
)
def test_network_that_is_not_there_is_told_in_plain_words(tag: str, words: str) -> None:
    error = UserError(ErrorCode.TOR_NO_NETWORK, tag=tag)

    person = Person(NO_VAULT, TorProgress(5, tag), Failed(error, None))

    assert f"Tor cannot reach the network: {words}." in person.sees()
