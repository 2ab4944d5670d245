"""Events and steps in, the next state out; no terminal needed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.contract import (
    AccountOffline,
    AccountOnline,
    ChatChanged,
    ChatPhase,
    Closed,
    ContactAsked,
    CreateAccount,
    EnrolmentAdvanced,
    EnrolmentCancelled,
    EnrolmentStep,
    Event,
    Failed,
    Jid,
    MessageAccepted,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    OpenChat,
    PracticeReady,
    Protection,
    SendMessage,
    ServerTried,
    Started,
    TorProgress,
    TorReady,
    TorStopped,
    UnlockVault,
    VaultUnlocked,
)
from coykiosk.errors import ErrorCode, UserError
from coykiosk.ui_urwid import steps
from coykiosk.ui_urwid.state import reduce
from coykiosk.ui_urwid.view import Page, TorPhase, ViewState

ME = Jid("me", "example.org")
SAM = Jid("sam", "example.org")
EVE = Jid("eve", "example.net")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
PROBLEM = UserError(ErrorCode.SERVER_SILENT, server="example.org")
ONLINE = AccountOnline(ME, via_onion=True, channel_bound=True, kept=True)


def after(*events: Event, state: ViewState | None = None) -> ViewState:
    state = state or ViewState()
    for event in events:
        state = reduce(state, event)
    return state


def chat(contact: Jid, phase: ChatPhase = ChatPhase.ENCRYPTED) -> ChatChanged:
    is_up = phase is ChatPhase.ENCRYPTED
    protection = Protection.PRIVATE if is_up else Protection.OPEN
    return ChatChanged(ME, contact, phase, protection, None, key_is_new=False)


def received(contact: Jid, text: str = "hi") -> MessageReceived:
    return MessageReceived(ME, contact, contact, text, NOW, Protection.PRIVATE)


def test_started_leads_to_the_start_screen_when_there_is_no_vault() -> None:
    assert after(Started(vault_exists=False, practice=False)).page is Page.START


def test_started_leads_to_the_unlock_screen_when_there_is_a_vault() -> None:
    assert after(Started(vault_exists=True, practice=False)).page is Page.UNLOCK


def test_tor_progress_is_kept_within_a_hundred() -> None:
    assert after(TorProgress(300, "x")).tor.percent == 100


def test_tor_that_stopped_is_shown_until_it_comes_back() -> None:
    stopped = after(TorReady(own=True), TorStopped(PROBLEM))

    assert stopped.tor.phase is TorPhase.STOPPED
    assert after(TorProgress(5, "x"), state=stopped).tor.phase is TorPhase.CONNECTING


def test_cancelled_creation_goes_back_to_the_screen_it_began_on() -> None:
    begun = after(
        Started(vault_exists=False, practice=False),
        EnrolmentAdvanced(EnrolmentStep.MAKING_ACCOUNT, "example.org"),
    )

    ended = after(EnrolmentCancelled(), state=begun)

    assert ended.page is Page.START


def test_failed_creation_goes_back_and_tells_why() -> None:
    begun = after(
        Started(vault_exists=False, practice=False),
        EnrolmentAdvanced(EnrolmentStep.MAKING_ACCOUNT, "example.org"),
        ServerTried("example.org", PROBLEM),
    )

    ended = after(Failed(PROBLEM, CreateAccount), state=begun)

    assert ended.page is Page.START
    assert ended.problems == (PROBLEM,)
    assert len(ended.tried) == 1


def test_failed_creation_in_an_open_vault_does_not_ask_for_its_words_again() -> None:
    begun = after(
        Started(vault_exists=True, practice=False),
        VaultUnlocked(()),
        EnrolmentAdvanced(EnrolmentStep.MAKING_ACCOUNT, "example.org"),
    )

    assert after(Failed(PROBLEM, CreateAccount), state=begun).page is Page.SIGNING_IN


def test_wrong_passphrase_is_told_beside_the_field() -> None:
    asked = steps.unlocking_started(after(Started(vault_exists=True, practice=False)))

    told = after(Failed(PROBLEM, UnlockVault), state=asked)

    assert (told.unlocking, told.unlock_problem, told.problems) == (False, PROBLEM, ())


def test_unlocked_vault_leads_to_signing_in() -> None:
    state = after(Started(vault_exists=True, practice=False), VaultUnlocked((ME,)))

    assert (state.page, state.account) == (Page.SIGNING_IN, ME)


def test_first_sign_in_that_fails_is_told_instead_of_going_on() -> None:
    begun = after(
        Started(vault_exists=False, practice=False),
        EnrolmentAdvanced(EnrolmentStep.SIGNING_IN, "example.org"),
    )

    state = after(AccountOffline(ME, PROBLEM, 3.0), state=begun)

    assert (state.page, state.account) == (Page.SIGNING_IN, ME)


def test_account_online_asks_whom_to_talk_to() -> None:
    assert after(ONLINE).page is Page.WHO


def test_account_online_again_leaves_the_chat_on_the_screen() -> None:
    talking = after(ONLINE, chat(SAM), AccountOffline(ME, PROBLEM, None))

    state = after(ONLINE, state=talking)

    assert (state.page, state.front.offline) == (Page.CHAT, None)


def test_first_chat_opens_by_itself() -> None:
    state = after(ONLINE, PracticeReady(SAM), chat(SAM, ChatPhase.ASKING))

    assert (state.page, state.front.current) == (Page.CHAT, SAM)


def test_first_chat_does_not_open_under_the_fingers_of_somebody_typing() -> None:
    typing = steps.address_is_being_typed(after(ONLINE), typing=True)

    assert after(chat(SAM), state=typing).page is Page.WHO


def test_chat_that_was_asked_for_opens_while_others_do_not() -> None:
    asked = steps.chat_asked_for(after(ONLINE), SAM)
    typing = steps.address_is_being_typed(asked, typing=True)

    assert after(chat(EVE), state=typing).page is Page.WHO
    assert after(chat(SAM), state=typing).front.current == SAM


def test_chat_of_another_contact_does_not_replace_the_one_on_the_screen() -> None:
    assert after(ONLINE, chat(SAM), chat(EVE), received(EVE)).front.current == SAM


def test_message_counts_as_unread_unless_its_chat_is_on_the_screen() -> None:
    state = after(ONLINE, chat(SAM), chat(EVE), received(SAM), received(EVE))

    assert (state.front.chats[SAM].n_unread, state.front.chats[EVE].n_unread) == (0, 1)
    assert steps.chat_shown(state, EVE).n_unread == 0


def test_message_keeps_the_mark_of_its_moment_when_the_chat_changes() -> None:
    state = after(ONLINE, chat(SAM), received(SAM), chat(SAM, ChatPhase.ASKING))

    assert state.front.chats[SAM].lines[0].mark is Protection.PRIVATE


def test_waiting_message_takes_the_mark_under_which_it_went_out() -> None:
    waiting = MessageAccepted(
        ME, SAM, "1", "x", NOW, MessageState.WAITING, Protection.OPEN
    )
    sent = MessageStateChanged(ME, SAM, "1", MessageState.SENT, Protection.PRIVATE)

    line = after(ONLINE, chat(SAM), waiting, sent).front.chats[SAM].lines[0]

    assert (line.state, line.mark) == (MessageState.SENT, Protection.PRIVATE)


def test_delivery_of_one_message_leaves_a_contacts_line_alone() -> None:
    sent = MessageStateChanged(ME, SAM, "", MessageState.FAILED, Protection.STOP)

    line = after(ONLINE, chat(SAM), received(SAM), sent).front.chats[SAM].lines[0]

    assert (line.state, line.mark) == (None, Protection.PRIVATE)


def test_scrollback_is_bounded_in_messages() -> None:
    state = after(ONLINE, chat(SAM), *(received(SAM) for _ in range(5100)))

    lines = state.front.chats[SAM].lines
    assert (len(lines), lines[-1].number) == (5000, 5099)


def test_scrollback_is_bounded_in_lines() -> None:
    long = "x\n" * 999 + "x"

    state = after(ONLINE, chat(SAM), *(received(SAM, long) for _ in range(30)))

    view = state.front.chats[SAM]
    assert (
        sum(line.text.count("\n") + 1 for line in view.lines) == view.n_rows == 20_000
    )


def test_requests_are_listed_once_and_not_without_end() -> None:
    strangers = [Jid(f"x{n}", "example.org") for n in range(80)]

    state = after(*(ContactAsked(ME, jid) for jid in [*strangers, *strangers]))

    assert len(state.front.requests) == 50


def test_request_is_off_the_list_once_there_is_a_chat() -> None:
    assert after(ONLINE, ContactAsked(ME, SAM), chat(SAM)).front.requests == ()


def test_failed_open_is_told_beside_the_address() -> None:
    asked = steps.chat_asked_for(after(ONLINE), SAM)

    state = after(Failed(PROBLEM, OpenChat), state=asked)

    assert (state.address_problem, state.front.wanted, state.problems) == (
        PROBLEM,
        None,
        (),
    )


def test_unread_problems_are_bounded() -> None:
    state = after(*(Failed(PROBLEM, SendMessage) for _ in range(100)))

    assert len(state.problems) == 20


def test_closed_is_the_end() -> None:
    assert after(ONLINE, Closed()).page is Page.CLOSED


def test_online_does_not_bring_a_closing_screen_back() -> None:
    assert after(ONLINE, state=steps.closing(after(ONLINE))).page is Page.CLOSING


EVENTS = st.sampled_from(
    [
        Started(vault_exists=False, practice=True),
        TorProgress(3, "conn"),
        TorStopped(PROBLEM),
        EnrolmentAdvanced(EnrolmentStep.SIGNING_IN, "example.org"),
        EnrolmentCancelled(),
        ONLINE,
        AccountOffline(ME, PROBLEM, None),
        chat(SAM),
        chat(EVE, ChatPhase.ASKING),
        received(SAM),
        received(EVE),
        ContactAsked(ME, EVE),
        Failed(PROBLEM, None),
    ]
)


@given(st.lists(EVENTS, max_size=40))
def test_replaying_events_gives_the_same_state(events: list[Event]) -> None:
    assert after(*events) == after(*events)


@given(st.lists(EVENTS, max_size=40))
def test_line_numbers_have_no_gaps(events: list[Event]) -> None:
    state = after(*events)

    for view in state.front.chats.values():
        numbers = [line.number for line in view.lines]
        assert numbers == list(range(view.n_written))


@pytest.mark.parametrize("page", Page, ids=lambda page: page.name)
def test_message_never_changes_the_page(page: Page) -> None:
    state = replace(ViewState(), page=page)

    assert after(received(SAM), ContactAsked(ME, EVE), state=state).page is page


def test_tor_waits_until_a_vault_that_is_there_is_open() -> None:
    locked = after(Started(vault_exists=True, practice=False))

    assert locked.tor.phase is TorPhase.WAITING
    assert after(TorProgress(5, "x"), state=locked).tor.phase is TorPhase.CONNECTING
