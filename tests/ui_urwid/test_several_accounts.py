"""Several accounts on the screen: who one is, what is whose, and how to go over."""

from dataclasses import replace

import pytest
import urwid

from coykiosk.contract import (
    AccountConnecting,
    AccountForgotten,
    AccountOffline,
    AccountOnline,
    CancelCreation,
    ChatChanged,
    ChatPhase,
    CircuitKnown,
    ContactAsked,
    ContactsChanged,
    CreateAccount,
    Door,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    EnrolmentStep,
    Event,
    Failed,
    Jid,
    MessageReceived,
    NewCircuit,
    OpenChat,
    PracticeReady,
    Protection,
    PuzzleAsked,
    SendMessage,
    ServerTried,
    TorReady,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid.account_rows import further_rows
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.leaving import after_leaving
from coykiosk.ui_urwid.own_name import own_short_name
from coykiosk.ui_urwid.view import Page
from tests.ui_urwid.test_pages import (
    EVE,
    LOST,
    ME,
    NO_VAULT,
    NOW,
    ONLINE,
    SAM,
    SEEN,
    SMALL,
    USUAL,
    VAULT,
    Person,
    chat,
    in_a_chat,
    received,
)

OTHER = Jid("bemari", "example.net")
OTHER_ONLINE = AccountOnline(OTHER, via_onion=True, channel_bound=True, kept=True)
FURTHER = CreateAccount(None, None, is_further=True)
HELD_BACK = UserError(
    ErrorCode.ACCOUNT_HELD_BACK, server="example.org", condition="no-answer"
)
both_sizes = pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])


def other_chat(contact: Jid = EVE) -> ChatChanged:
    up = ChatPhase.ENCRYPTED
    return ChatChanged(
        OTHER, contact, up, Protection.PRIVATE, b"o" * 20, key_is_new=False
    )


def to_other(text: str, contact: Jid = EVE) -> MessageReceived:
    return MessageReceived(OTHER, contact, contact, text, NOW, Protection.PRIVATE)


def gone(account: Jid, *others: Jid) -> AccountForgotten:
    """It is burnt; with no other one, its vault went with it."""
    kept = bool(others)
    return AccountForgotten(
        account, is_burnt=True, vault_exists=kept, vault_open=kept, others=others
    )


def with_two(*more: Event) -> Person:
    """Somebody whose first account is in front, in no chat."""
    person = Person(VAULT, VaultUnlocked((ME, OTHER)), TorReady(own=True))
    person.happens(ONLINE, OTHER_ONLINE, *more)
    return person


def two_in_a_chat(*more: Event) -> Person:
    """Somebody with two accounts, who talks with Sam as the first."""
    return with_two(chat(), *more)


# --- making another one ---------------------------------------------------------------------


@both_sizes
def test_another_account_is_two_keys_away_and_asked_about(
    size: tuple[int, int],
) -> None:
    person = Person(NO_VAULT, ONLINE)

    person.presses("f4", "a")

    seen = person.sees(size)
    assert person.shell.where is Where.FURTHER
    assert "beside yours" in seen
    assert person.commands == []


def test_another_account_is_made_when_enter_is_pressed() -> None:
    person = Person(NO_VAULT, ONLINE)

    person.presses("f4", "a", "enter")

    assert person.commands == [FURTHER]
    assert "1 of 4" in person.sees()
    assert "sealing" not in person.sees()


def test_another_account_is_in_front_once_it_is_there() -> None:
    person = in_a_chat()
    person.presses("f4", "a", "enter")

    person.happens(
        EnrolmentAdvanced(EnrolmentStep.REACHING_SERVER, "example.net"), OTHER_ONLINE
    )

    seen = person.sees()
    assert f"You are {OTHER}" in seen
    assert f"Your other accounts: {ME}" in seen
    assert str(SAM) not in seen


def test_first_account_may_come_and_go_while_another_one_is_made() -> None:
    person = in_a_chat()
    person.presses("f4", "a", "enter")

    person.happens(AccountOffline(ME, LOST, 5.0), ONLINE, received("hi"), chat(EVE))

    assert person.shell.state.page is Page.PROGRESS


@pytest.mark.parametrize(
    "end",
    [
        EnrolmentCancelled(),
        Failed(UserError(ErrorCode.NO_SERVER_LEFT), CreateAccount),
    ],
    ids=["cancelled", "failed"],
)
def test_one_is_who_one_was_when_no_other_account_comes_of_it(end: Event) -> None:
    person = in_a_chat()
    person.presses("f4", "a", "enter", "esc")
    assert person.commands[-1] == CancelCreation()

    person.happens(end)
    person.presses(*["enter"] * len(person.shell.state.problems))

    assert f"You are {ME}" in person.sees()


def test_other_account_that_is_lost_at_once_is_in_front_and_says_so() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.presses("f4", "a", "enter")

    person.happens(AccountOffline(OTHER, LOST, 5.0))

    seen = person.sees()
    assert f"You are {OTHER}" in seen
    assert "OFFLINE" in seen


def test_invitation_is_for_the_other_account_and_for_no_later_one() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.presses("f4", "a", "f9")
    person.types("own.example")

    person.presses("enter")
    assert "at own.example as you said" in person.sees()
    person.presses("enter")

    door = Door("own.example", None, "")
    assert person.commands == [CreateAccount(None, door, is_further=True)]
    person.happens(OTHER_ONLINE)
    person.presses("f4", "a", "enter")
    assert person.commands[-1] == FURTHER


def test_leaving_the_invitation_leads_back_to_the_question() -> None:
    person = Person(NO_VAULT, ONLINE)

    person.presses("f4", "a", "f9", "esc")

    assert "Another account?" in person.sees()
    person.presses("esc")
    assert person.shell.where is Where.WHO_ENTRY
    assert person.commands == []


def test_account_that_is_held_back_offers_another_one() -> None:
    person = Person(NO_VAULT, ONLINE, Failed(HELD_BACK, None))
    assert "F4 another account" in person.sees()

    person.presses("f4", "a", "enter")

    assert person.commands == [FURTHER]
    assert person.shell.state.problems == ()


def test_account_that_is_held_back_takes_no_key_from_who_types() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.types("s")
    person.happens(Failed(HELD_BACK, None))

    person.types("am")

    assert "> sam" in person.sees()
    assert "F4, then A" in person.sees()


def test_account_that_is_held_back_starts_nothing_by_a_sentence() -> None:
    person = in_a_chat(Failed(HELD_BACK, None))

    person.types("alright, at nine then")
    person.presses("enter")

    assert person.commands == []
    assert person.shell.where is Where.CHAT


@pytest.mark.parametrize(
    "keys",
    [["f4", "b", "enter"], ["f4", "a", "enter"], ["f4", "a", "f9"]],
    ids=["burning", "making", "door"],
)
def test_account_that_is_held_back_is_only_told_while_something_else_is_done(
    keys: list[str],
) -> None:
    person = with_two()
    person.presses(*keys)
    page, n_commands = person.shell.state.page, len(person.commands)
    person.happens(Failed(HELD_BACK, None))

    person.presses("a", "f4", "a", "f9")
    assert person.shell.where is Where.SHEET
    person.presses("enter")

    assert person.shell.state.page is page
    assert len(person.commands) == n_commands


def test_puzzle_is_not_answered_by_closing_what_lies_over_it() -> None:
    person = with_two()
    person.presses("f4", "a", "enter")
    person.happens(PuzzleAsked(SEEN), Failed(HELD_BACK, None))

    person.types("a7x")
    person.presses("enter")

    assert person.commands == [FURTHER]
    assert person.shell.where is Where.PUZZLE


@pytest.mark.parametrize(
    "event",
    [
        EnrolmentAdvanced(EnrolmentStep.REACHING_SERVER, "example.net"),
        PuzzleAsked(SEEN),
        ServerTried("example.net", LOST),
        EnrolmentCancelled(),
        Failed(LOST, CreateAccount),
    ],
    ids=lambda event: type(event).__name__,
)
def test_nothing_of_a_creation_takes_the_line_from_who_types(event: Event) -> None:
    person = in_a_chat()
    person.types("the source is")

    person.happens(event)

    assert person.shell.where is Where.CHAT
    assert "> the source is" in person.sees()


def test_another_account_can_be_made_after_one_that_was_lost_at_once() -> None:
    person = Person(NO_VAULT, ONLINE)
    person.presses("f4", "a", "enter")
    person.happens(AccountOffline(OTHER, LOST, 5.0))

    person.presses("f4", "a", "enter")

    assert person.commands == [FURTHER, FURTHER]


def test_other_account_that_goes_leaves_the_making_of_another_one_alone() -> None:
    person = with_two()
    person.presses("f4", "a", "enter")
    person.happens(PuzzleAsked(SEEN))

    person.happens(gone(OTHER, ME))

    assert person.shell.state.page is Page.PUZZLE
    assert person.shell.state.puzzle == SEEN


# --- who one is ---------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [["ctrl o"], ["down", "enter"]], ids=["key", "chosen"])
def test_one_goes_over_to_the_other_account(keys: list[str]) -> None:
    person = with_two()

    person.presses(*keys)

    seen = person.sees()
    assert f"You are {OTHER}" in seen
    assert f"Your other accounts: {ME}" in seen


def test_one_comes_back_to_the_chat_as_it_was_left() -> None:
    person = two_in_a_chat()
    person.types("half a sent")

    person.presses("ctrl o")
    assert "half a sent" not in person.sees()
    person.presses("ctrl o", "f2")

    assert person.shell.state.page is Page.CHAT
    assert "> half a sent" in person.sees()


def test_draft_for_a_contact_is_not_there_as_somebody_else() -> None:
    person = two_in_a_chat(other_chat(SAM))
    person.types("as me only")

    person.presses("ctrl o", "down", "enter")

    assert person.shell.state.chat is not None
    assert "as me only" not in person.sees()
    person.types("hello")
    person.presses("enter")
    assert person.commands == [SendMessage(OTHER, SAM, "hello")]


def test_address_that_was_typed_is_gone_as_somebody_else() -> None:
    person = with_two()
    person.types("sam@example.net")

    person.presses("ctrl o", "enter")

    assert person.commands == []
    assert "Type the address" in person.sees()


def test_what_is_done_is_done_as_the_account_in_front() -> None:
    person = with_two()
    person.presses("ctrl o")

    person.types("sam@example.net")
    person.presses("enter", "f4", "n")

    assert person.commands == [OpenChat(OTHER, SAM), NewCircuit(OTHER)]


def test_quitting_names_every_account() -> None:
    person = with_two()

    person.presses("ctrl q")

    assert f"{ME}, {OTHER}: Your accounts stay in the vault" in person.sees()


def test_practice_partner_is_promised_once() -> None:
    person = Person(NO_VAULT, ONLINE, PracticeReady(SAM))
    assert "the chat opens by itself" in person.sees()
    person.happens(chat())
    person.presses("f4", "a", "enter")

    person.happens(OTHER_ONLINE)

    assert "the chat opens by itself" not in person.sees()


def test_going_over_means_nothing_with_one_account() -> None:
    person = in_a_chat()

    person.presses("ctrl o")

    assert person.shell.state.page is Page.CHAT


def press_at(person: Person, size: tuple[int, int], *keys: str) -> None:
    """Press keys in a terminal that always has this size."""
    for key in keys:
        person.shell.press_all([key])
        person.rows(size)


MANY = tuple(Jid(f"k{n:02}", "x.example") for n in range(8))
TINY = (20, 5)
any_size = pytest.mark.parametrize(
    "size", [USUAL, SMALL, TINY], ids=["usual", "small", "tiny"]
)


@any_size
@pytest.mark.parametrize("n_unread", [0, 3])
def test_chats_of_two_accounts_with_one_contact_never_look_the_same(
    size: tuple[int, int], n_unread: int
) -> None:
    events: list[Event] = [chat(), other_chat(SAM), chat(EVE), other_chat(EVE)]
    for _n in range(n_unread):
        events += [received("psst", EVE), to_other("psst")]
    first, second = with_two(*events), with_two(*events)
    second.presses("ctrl o", "ctrl n")
    assert first.shell.where is second.shell.where is Where.CHAT

    rows = first.rows(size), second.rows(size)

    assert rows[0] != rows[1]
    assert "as lufimo" in " ".join(rows[0]).lower()
    assert "as bemari" in " ".join(rows[1]).lower()


@any_size
@pytest.mark.parametrize("keys", [["ctrl o"], ["enter"]], ids=["key", "chosen"])
def test_one_sees_who_one_is_after_going_over(
    size: tuple[int, int], keys: list[str]
) -> None:
    lists = ContactsChanged(ME, MANY, ()), ContactsChanged(OTHER, MANY, ())
    person = with_two(*lists)
    person.rows(size)
    press_at(person, size, *["down"] * 9)
    before = person.rows(size)

    press_at(person, size, *keys)

    rows = person.rows(size)
    assert rows != before
    assert "You are bemari" in " ".join(" ".join(rows).split())
    press_at(person, size, "ctrl o")
    assert "You are lufimo" in " ".join(" ".join(person.rows(size)).split())


@pytest.mark.parametrize(
    ("accounts", "names"),
    [
        ((ME, OTHER), ["lufimo", "bemari"]),
        ((Jid("me", "a.example"), Jid("me", "b.example")), ["1: m..", "2: m.."]),
        (
            (Jid("a" * 30, "a.example"), Jid("a" * 31, "b.example")),
            ["1: a..", "2: a.."],
        ),
        ((Jid("lufimotan", "a.example"), OTHER), ["lufi..", "bemari"]),
    ],
    ids=["short", "same", "long", "cut"],
)
def test_own_name_tells_accounts_apart_in_six_cells(
    accounts: tuple[Jid, Jid], names: list[str]
) -> None:
    state = Person(VAULT, VaultUnlocked(accounts)).shell.state

    shown = [own_short_name(replace(state, account=each), 6) for each in accounts]

    assert shown == names


def test_row_at_the_edge_drops_tor_before_who_one_is() -> None:
    assert f"{ME} online, onion" in with_two().sees(SMALL)


def test_mark_and_stop_stand_before_as_whom_one_writes() -> None:
    person = with_two(chat(SAM, ChatPhase.ENCRYPTED, Protection.STOP))

    assert "[!!] STOP, as lufimo" in person.rows(TINY)


def test_one_account_needs_no_name_beside_the_chat() -> None:
    person = in_a_chat()

    assert "as lufimo" not in person.sees()
    assert "as lufimo" not in person.sees(TINY)


# --- what is whose -------------------------------------------------------------------------


def test_chat_of_another_account_does_not_come_to_the_screen_by_itself() -> None:
    person = with_two()

    person.happens(other_chat(), to_other("psst"))

    assert person.shell.state.page is Page.WHO
    seen = person.sees()
    assert "psst" not in seen
    assert f"{OTHER} (1 unread)" in seen


def test_same_contact_has_a_chat_of_its_own_with_each_account() -> None:
    person = two_in_a_chat(received("to me"))

    person.happens(other_chat(SAM), to_other("to the other", SAM))

    assert "to me" in person.sees()
    assert "to the other" not in person.sees()
    assert "1 unread elsewhere" in person.sees()


def test_next_unread_chat_may_be_another_accounts() -> None:
    person = two_in_a_chat(other_chat(), to_other("psst"))

    person.presses("f7")

    assert "psst" in person.sees()
    assert person.shell.state.account == OTHER
    assert person.shell.state.n_unread == 0


def test_stranger_who_asks_another_account_is_told_of_there() -> None:
    person = two_in_a_chat(ContactAsked(OTHER, EVE))
    assert "1 person wants to talk with another account of yours: Ctrl+O" in (
        person.sees()
    )

    person.presses("f2")

    assert f"{OTHER} (1 wants to talk)" in person.sees()
    assert str(EVE) not in person.sees()


def test_strangers_are_told_of_where_each_of_them_is_found() -> None:
    person = two_in_a_chat(ContactAsked(ME, EVE), ContactAsked(OTHER, EVE))

    seen = person.sees()

    assert "1 person wants to talk with you: F2" in seen
    assert "1 person wants to talk with another account of yours: Ctrl+O" in seen


def test_other_account_that_is_offline_says_so_in_its_row_alone() -> None:
    person = with_two(AccountOffline(OTHER, LOST, 5.0))

    seen = person.sees()

    assert f"{OTHER} (OFFLINE)" in seen
    assert "OFFLINE. The connection" not in seen


def test_own_other_account_is_nobody_to_talk_to() -> None:
    person = with_two()
    person.types(str(OTHER))

    person.presses("enter")

    assert person.commands == []
    assert "This is your own address" in person.sees()


def test_path_is_told_of_the_account_in_front() -> None:
    person = with_two(CircuitKnown(OTHER, None))

    person.presses("f3")

    assert "Asking Tor for the path" in person.sees()


# --- coming and going --------------------------------------------------------------------------


def test_whichever_account_is_online_first_is_in_front_after_unlocking() -> None:
    person = Person(VAULT, VaultUnlocked((ME, OTHER)))

    person.happens(OTHER_ONLINE)

    assert f"You are {OTHER}" in person.sees()
    person.happens(ONLINE)
    assert f"You are {OTHER}" in person.sees()


def test_forgotten_account_leaves_the_other_with_its_chats() -> None:
    person = two_in_a_chat(other_chat(), to_other("psst"))
    person.presses("f4", "f", "enter")
    person.happens(
        AccountForgotten(
            ME, is_burnt=False, vault_exists=True, vault_open=True, others=(OTHER,)
        )
    )

    person.presses("enter", "f7")

    assert "psst" in person.sees()
    assert str(ME) not in person.sees()


def test_new_path_of_another_account_changes_nothing_here() -> None:
    person = two_in_a_chat()

    person.happens(AccountConnecting(OTHER))

    assert "online, onion" in person.sees()


def test_account_that_is_gone_is_not_brought_back_by_what_comes_late() -> None:
    person = with_two()
    person.happens(gone(ME, OTHER))

    person.happens(
        CircuitKnown(ME, None), ONLINE, AccountOffline(ME, LOST, 1.0), received("late")
    )
    person.presses("enter")

    assert list(person.shell.state.accounts) == [OTHER]
    assert str(ME) not in person.sees()


@pytest.mark.parametrize(
    "event",
    [CircuitKnown(ME, None), ONLINE, AccountOffline(ME, LOST, 1.0), chat()],
    ids=lambda event: type(event).__name__,
)
def test_only_account_that_is_gone_is_not_brought_back_either(event: Event) -> None:
    person = Person(NO_VAULT, ONLINE, gone(ME))

    person.happens(event)

    assert person.shell.state.accounts == {}
    assert person.shell.state.page is Page.START


def test_another_first_account_can_be_made_after_one_that_is_gone() -> None:
    person = Person(NO_VAULT, ONLINE, gone(ME), CircuitKnown(ME, None))
    person.presses("enter")
    person.presses("enter")

    person.happens(OTHER_ONLINE)

    assert f"You are {OTHER}" in person.sees()
    assert str(ME) not in person.sees()


def test_making_of_an_account_is_not_ended_by_what_is_no_beginning_of_one() -> None:
    person = with_two()
    person.presses("f4", "a", "enter")

    person.happens(CircuitKnown(EVE, None), ContactAsked(EVE, SAM))

    assert list(person.shell.state.accounts) == [ME, OTHER]
    assert person.shell.state.page is Page.PROGRESS


def test_what_was_to_be_read_of_an_account_goes_with_it() -> None:
    person = Person(NO_VAULT, ONLINE, Failed(HELD_BACK, None))

    person.happens(gone(ME))
    person.presses("enter")

    assert person.shell.state.problems == ()
    assert person.shell.where is Where.START_WORDS


def test_what_is_to_be_read_of_another_account_is_not_lost() -> None:
    person = with_two(Failed(HELD_BACK, None))

    person.happens(gone(OTHER, ME))

    assert person.shell.state.problems == (HELD_BACK,)


def test_question_after_another_account_promises_no_vault_without_one() -> None:
    rows = further_rows(after_leaving(with_two().shell.state, gone(ME)))

    words = " ".join(str(row.text) for row in rows if isinstance(row, urwid.Text))
    assert "kept in your vault" not in words
