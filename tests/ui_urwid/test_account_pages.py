"""The screens of one's account: what is asked, what is done, and what is left."""

import pytest

from coykiosk.contract import (
    AccountConnecting,
    AccountForgotten,
    AccountOffline,
    BlockContact,
    BlockedChanged,
    BurnAccount,
    ChangePassword,
    ChatClosed,
    Command,
    ContactAsked,
    ContactsChanged,
    CreateAccount,
    Event,
    Failed,
    ForgetAccount,
    ForgetContact,
    Jid,
    NewCircuit,
    OpenChat,
    PasswordChanged,
    Quit,
    Secret,
    TorReady,
    UnblockContact,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid.actions import Where
from coykiosk.ui_urwid.view import Page
from tests.ui_urwid.test_pages import (
    EVE,
    LOST,
    ME,
    NO_VAULT,
    ONLINE,
    SAM,
    SMALL,
    USUAL,
    VAULT,
    Person,
    chat,
    in_a_chat,
    received,
)

both_sizes = pytest.mark.parametrize("size", [USUAL, SMALL], ids=["usual", "small"])


def forgotten(*, is_burnt: bool = False, **changes: bool) -> AccountForgotten:
    values = {"vault_exists": False, "vault_open": False} | changes
    return AccountForgotten(ME, is_burnt=is_burnt, others=(), **values)


def at_the_people(*more: object) -> Person:
    person = in_a_chat(*more)  # type: ignore[arg-type]  # events
    person.presses("f2")
    person.commands.clear()
    return person


def all_pages(person: Person, size: tuple[int, int]) -> str:
    """Read what lies over the screen to its end."""
    seen = [person.sees(size)]
    while "-- more below" in seen[-1]:
        person.shell.press_all(["page down"])
        seen.append(person.sees(size))
    return " ".join(seen)


# --- the account -------------------------------------------------------------------------


@both_sizes
def test_account_sheet_offers_what_can_be_done(size: tuple[int, int]) -> None:
    person = at_the_people()

    person.presses("f4")

    seen = all_pages(person, size)
    for words in (
        *("lufimo@example.org", "N Connect again", "P Have a new password"),
        *("F Forget the account", "B Burn the account", "Esc go back"),
    ):
        assert words in seen


@pytest.mark.parametrize("place", ["people", "chat", "slash"])
def test_account_sheet_is_one_key_away(place: str) -> None:
    person = in_a_chat() if place != "people" else at_the_people()

    if place == "slash":
        person.types("/account")
        person.presses("enter")
    else:
        person.presses("f4")

    assert person.shell.where is Where.ACCOUNT


def test_account_sheet_is_there_while_the_server_refuses_to_let_in() -> None:
    """An account that its server has deleted could not be left otherwise."""
    refused = UserError(
        ErrorCode.LOGIN_REFUSED, server="example.org", condition="not-authorized"
    )
    person = Person(VAULT, VaultUnlocked((ME,)), AccountOffline(ME, refused, None))
    assert "F4 and then F forgets it" in person.sees()

    person.presses("f4", "f", "enter")

    assert person.commands == [ForgetAccount(ME)]


def test_account_sheet_is_not_there_without_an_account() -> None:
    person = Person(VAULT, VaultUnlocked(()))

    person.presses("f4")

    assert person.shell.where is Where.SIGNING_IN


@pytest.mark.parametrize("key", ["esc", "f4"])
def test_account_sheet_is_left_without_doing_anything(key: str) -> None:
    person = at_the_people()

    person.presses("f4", key)

    assert person.shell.where is Where.WHO_ENTRY
    assert person.commands == []


def test_letters_do_nothing_but_edit_while_the_account_is_not_open() -> None:
    person = at_the_people()

    person.types("nfb")

    assert person.commands == []
    assert "> nfb" in person.sees()


@pytest.mark.parametrize(
    ("key", "command"), [("n", NewCircuit(ME)), ("p", ChangePassword(ME))]
)
def test_harmless_deeds_are_done_at_once(key: str, command: Command) -> None:
    person = at_the_people()

    person.presses("f4", key)

    assert person.commands == [command]
    assert person.shell.where is Where.WHO_ENTRY


def test_new_path_shows_that_the_account_is_being_signed_in() -> None:
    person = in_a_chat()

    person.happens(AccountConnecting(ME))
    assert "lufimo@example.org signing in" in person.sees()
    person.happens(ONLINE)

    assert "lufimo@example.org online" in person.sees()
    assert person.shell.state.page is Page.CHAT


def test_new_password_is_told_once_it_is_there() -> None:
    person = at_the_people()
    person.happens(PasswordChanged(ME))
    assert "It has a new password, at example.org and here" in person.sees()

    person.presses("enter")

    assert "Who do you want to talk to?" in person.sees()


def test_news_do_not_take_the_keys_from_who_is_typing() -> None:
    person = in_a_chat()
    person.types("hel")

    person.happens(PasswordChanged(ME))
    person.types("lo")

    assert "> hello" in person.sees()
    assert "It has a new password" in person.sees()
    assert person.shell.where is Where.CHAT


# --- an end ---------------------------------------------------------------------------------


@both_sizes
@pytest.mark.parametrize(
    ("key", "told"),
    [
        (
            "b",
            ["Burn this account?", "example.org is asked to delete", "take the name"],
        ),
        ("f", ["Forget this account?", "At example.org the account stays"]),
    ],
    ids=["burn", "forget"],
)
def test_end_of_an_account_is_asked_about_in_plain_words(
    size: tuple[int, int], key: str, told: list[str]
) -> None:
    person = at_the_people()
    person.presses("f4", key)

    seen = all_pages(person, size)

    if size == USUAL:
        assert "-- more below" not in seen
        assert all(words in seen for words in told)
    for words in ("lufimo@example.org", "Your chats end", "Esc goes back"):
        assert words in seen
    assert person.commands == []


def test_end_of_an_account_that_is_not_kept_does_not_speak_of_a_vault() -> None:
    person = at_the_people()
    person.happens(
        type(ONLINE)(ME, via_onion=True, channel_bound=True, kept=False),
    )

    person.presses("f4", "b")

    assert "vault" not in person.sees()


@pytest.mark.parametrize("key", ["b", "f"])
def test_account_lives_on_when_one_goes_back(key: str) -> None:
    person = at_the_people()

    person.presses("f4", key, "esc")

    assert person.commands == []
    assert person.shell.where is Where.WHO_ENTRY


@pytest.mark.parametrize(
    ("key", "command", "words"),
    [
        ("b", BurnAccount(ME), "Burning lufimo@example.org"),
        ("f", ForgetAccount(ME), "Forgetting lufimo@example.org"),
    ],
    ids=["burn", "forget"],
)
def test_account_goes_when_one_says_yes(key: str, command: Command, words: str) -> None:
    person = at_the_people()

    person.presses("f4", key, "enter")

    assert person.commands == [command]
    assert words in person.sees()


@pytest.mark.parametrize(
    ("is_burnt", "words"),
    [
        (True, "It is burnt: example.org has deleted it"),
        (False, "It is forgotten: nothing of it is left here. At example.org it stays"),
    ],
)
def test_end_of_the_account_is_told_and_leads_to_the_start(
    *, is_burnt: bool, words: str
) -> None:
    person = at_the_people(received("a secret", EVE))
    person.types("half an address")
    person.presses("f4", "b", "enter")

    person.happens(forgotten(is_burnt=is_burnt))
    assert words in person.sees()
    person.presses("enter")

    assert "new anonymous account" in person.sees()
    assert person.shell.state.account is None
    assert person.shell.state.front.chats == {}
    assert "half" not in person.sees()


def test_nothing_of_an_account_that_is_gone_comes_back_with_the_next_one() -> None:
    person = in_a_chat(received("a secret"), ContactAsked(ME, EVE))
    person.types("a draft")
    person.presses("f4", "f", "enter")
    person.happens(forgotten())
    person.presses("enter")
    person.presses("enter")

    person.happens(ONLINE, chat())

    assert person.shell.state.page is Page.CHAT
    seen = person.sees()
    assert "secret" not in seen
    assert "draft" not in seen
    assert "eve" not in seen


def test_start_screen_after_an_end_makes_words_for_the_next_vault() -> None:
    made = iter(["first words " * 3, "second words " * 3])
    person = Person(NO_VAULT)
    person.shell._desk.welcome._suggest = lambda: next(made)
    person.shell._desk.welcome.words = None
    person.sees()
    person.presses("enter")
    person.happens(TorReady(own=True), ONLINE)
    person.presses("f4", "f", "enter")

    person.happens(forgotten())
    person.presses("enter")
    person.presses("enter")

    last = person.commands[-1]
    assert isinstance(last, CreateAccount)
    assert isinstance(last.passphrase, Secret)
    assert last.passphrase.reveal().startswith(b"second")


def test_end_of_an_account_beside_a_vault_leads_to_the_vault() -> None:
    person = Person(VAULT)
    person.presses("f4")
    person.happens(TorReady(own=True), type(ONLINE)(ME, True, True, False))
    person.presses("f4", "f", "enter")

    person.happens(forgotten(vault_exists=True))
    person.presses("enter")

    assert person.shell.where is Where.UNLOCK


def test_end_of_an_account_in_a_vault_with_something_else_offers_another() -> None:
    person = at_the_people()
    person.presses("f4", "f", "enter")

    person.happens(forgotten(vault_exists=True, vault_open=True))
    person.presses("enter", "f5")

    assert person.commands[-1] == CreateAccount(None)


def test_end_of_one_account_leads_to_the_other() -> None:
    person = at_the_people()
    person.presses("f4", "f", "enter")

    person.happens(
        AccountForgotten(
            ME, is_burnt=False, vault_exists=True, vault_open=True, others=(SAM,)
        ),
        type(ONLINE)(SAM, True, True, True),
    )
    person.presses("enter")

    assert "You are sam@example.net" in person.sees()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (ErrorCode.BURN_REFUSED, "F4 and then F forgets it on this side only"),
        (ErrorCode.BURN_NOT_ASKED, "or F to forget it on this side only"),
        (ErrorCode.BURN_UNSURE, "or F to forget it on this side only"),
    ],
)
def test_account_that_was_not_burnt_is_back_and_can_be_forgotten(
    code: ErrorCode, words: str
) -> None:
    person = at_the_people()
    person.presses("f4", "b", "enter")

    error = UserError(code, server="example.org", condition="not-allowed")
    person.happens(Failed(error, BurnAccount))
    assert words in person.sees()
    person.presses("esc", "f4", "f", "enter")

    assert person.commands == [BurnAccount(ME), ForgetAccount(ME)]


def test_account_that_comes_online_as_it_goes_does_not_bring_the_screen_back() -> None:
    person = at_the_people()
    person.presses("f4", "b", "enter")

    person.happens(ONLINE)

    assert person.shell.state.page is Page.LEAVING


def test_quit_while_the_account_goes_does_not_ask() -> None:
    person = at_the_people()
    person.presses("f4", "b", "enter")

    person.presses("ctrl q")

    assert person.commands[-1] == Quit()


def test_end_that_comes_while_one_quits_changes_nothing_any_more() -> None:
    person = at_the_people()
    person.presses("f4", "b", "enter", "ctrl q")

    person.happens(forgotten())

    assert person.shell.state.page is Page.CLOSING


# --- who is kept out -----------------------------------------------------------------------------


def test_request_can_be_checked_by_having_the_address_said() -> None:
    person = Person(NO_VAULT, ONLINE, ContactAsked(ME, EVE))
    assert "Echo Victor Echo" not in person.sees()

    person.presses("tab")

    assert "Have them say their address, by another way" in person.sees()
    assert "Echo Victor Echo at" in person.sees()


@pytest.mark.parametrize("is_request", [True, False], ids=["request", "chat"])
def test_person_is_blocked_after_a_question(*, is_request: bool) -> None:
    person = Person(NO_VAULT, ONLINE)
    if is_request:
        person.happens(ContactAsked(ME, EVE))
    else:
        person.happens(chat(EVE))
        person.presses("f2")
    person.presses("tab", "f8")
    assert "Block this person? eve@example.com" in person.sees()

    person.presses("enter")
    person.happens(BlockedChanged(ME, (EVE,)))

    assert person.commands == [BlockContact(ME, EVE)]
    assert "Blocked: eve@example.com" in person.sees()
    assert "Your chats" not in person.sees()
    assert "wants to talk" not in person.sees()


def test_person_is_not_blocked_when_one_goes_back() -> None:
    person = Person(NO_VAULT, ONLINE, ContactAsked(ME, EVE))

    person.presses("tab", "f8", "esc")

    assert person.commands == []


def test_chat_on_the_screen_is_left_when_its_contact_is_blocked() -> None:
    person = in_a_chat()

    person.happens(BlockedChanged(ME, (SAM,)))

    assert person.shell.state.page is Page.WHO
    assert person.shell.state.front.current is None


def test_blocked_person_is_let_in_again() -> None:
    person = Person(NO_VAULT, ONLINE, BlockedChanged(ME, (EVE,)))
    person.presses("tab")
    assert "> eve@example.com: Enter unblock" in person.sees()

    person.presses("enter")
    person.happens(BlockedChanged(ME, ()))

    assert person.commands == [UnblockContact(ME, EVE)]
    assert "Blocked" not in person.sees()
    assert person.shell.where is Where.WHO_ENTRY


# --- who is known --------------------------------------------------------------------------------


def test_contacts_are_one_key_away_from_a_chat() -> None:
    person = Person(NO_VAULT, ONLINE, ContactsChanged(ME, (SAM,), (EVE,)))
    assert "Your contacts: sam@example.net" in person.sees()
    assert "eve@example.com (on your server's list)" in person.sees()

    person.presses("tab", "enter")

    assert person.commands == [OpenChat(ME, SAM)]


def test_many_contacts_are_narrowed_by_what_is_typed() -> None:
    many = tuple(Jid(f"person{n:04}", "example.com") for n in range(1000))
    person = Person(NO_VAULT, ONLINE, ContactsChanged(ME, (*many, SAM), ()))
    assert "person0019@" in all_pages(person, USUAL)
    assert "person0020@" not in all_pages(person, USUAL)
    assert "and 981 more: type a part of the address" in all_pages(person, USUAL)

    person.types("N0777")
    person.presses("tab", "enter")

    assert person.commands == [OpenChat(ME, many[777])]


def test_contact_with_a_chat_is_listed_once() -> None:
    person = in_a_chat(ContactsChanged(ME, (SAM,), ()))

    person.presses("f2")

    assert person.sees().count(str(SAM)) == 1


@pytest.mark.parametrize("is_chat", [True, False], ids=["chat", "contact"])
def test_person_is_forgotten_after_a_question(*, is_chat: bool) -> None:
    person = Person(NO_VAULT, ONLINE, ContactsChanged(ME, (EVE,), ()))
    if is_chat:
        person.happens(chat(EVE))
        person.presses("f2")
    person.presses("tab", "delete")
    assert "Forget this person? eve@example.com" in person.sees()
    assert "leaves your vault" in person.sees()

    person.presses("enter")
    person.happens(ChatClosed(ME, EVE), ContactsChanged(ME, (), ()))

    assert person.commands == [ForgetContact(ME, EVE)]
    assert str(EVE) not in person.sees()


def test_chat_on_the_screen_is_left_when_its_contact_is_forgotten() -> None:
    person = in_a_chat()

    person.happens(ChatClosed(ME, SAM))

    assert person.shell.state.page is Page.WHO


def test_lost_connection_is_told_in_the_account_too() -> None:
    person = in_a_chat(AccountOffline(ME, LOST, None))

    person.presses("f4", "n")

    assert person.commands == [NewCircuit(ME)]


@pytest.mark.parametrize(
    "event",
    [ChatClosed(ME, SAM), BlockedChanged(ME, (SAM,))],
    ids=["forgotten", "blocked"],
)
def test_nothing_that_was_typed_to_a_person_who_went_comes_back(event: Event) -> None:
    person = in_a_chat(received("the drop is at 9"))
    person.types("I shall be there")
    person.presses("enter")
    person.types("half a draft")

    person.happens(event, BlockedChanged(ME, ()), chat())
    person.presses("ctrl n", "up")

    seen = person.sees()
    assert person.shell.where is Where.CHAT
    for words in ("the drop", "I shall", "half a draft"):
        assert words not in seen


def test_what_is_typed_to_somebody_else_stays_when_a_person_goes() -> None:
    person = in_a_chat(chat(EVE))
    person.types("half a draft")

    person.happens(ChatClosed(ME, EVE))

    assert "> half a draft" in person.sees()


def test_choice_that_went_is_not_chosen_again_when_its_line_comes_back() -> None:
    person = Person(NO_VAULT, ONLINE, ContactsChanged(ME, (SAM,), ()))
    person.presses("down")
    person.happens(ContactsChanged(ME, (), ()), ContactsChanged(ME, (SAM,), ()))

    person.presses("delete")

    assert person.shell.where is Where.WHO_ENTRY
    assert person.commands == []
