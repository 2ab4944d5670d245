"""What the state is called: every word of the screen that depends on it.

Rule: pure; words first, never a colour alone, no term of the trade where a plain
one exists. The four marks and their words are the same everywhere.
"""

from typing import Final, assert_never

from coykiosk.contract import (
    AccountForgotten,
    AccountOffline,
    ChatPhase,
    EnrolmentStep,
    Jid,
    MessageState,
    PasswordChanged,
    PracticeStep,
    Protection,
)
from coykiosk.text import _, describe, ngettext
from coykiosk.ui_urwid.untrusted import Kind, clean
from coykiosk.ui_urwid.view import ChatView, Line, TorPhase, TorView, ViewState

__all__ = [
    "MARKS",
    "account_words",
    "address",
    "chat_advice",
    "chat_headline",
    "enrolment_steps",
    "gutter",
    "gutter_legend",
    "line_note",
    "news_words",
    "nick",
    "offline_words",
    "practice_words",
    "server_says",
    "step_words",
    "tor_words",
]

MARKS: Final = {
    Protection.STOP: "[!!]",
    Protection.OPEN: "[--]",
    Protection.PRIVATE: "[~ ]",
    Protection.CHECKED: "[ok]",
}
GUTTERS: Final = {
    Protection.STOP: "!!|",
    Protection.OPEN: "--|",
    Protection.PRIVATE: "~ |",
    Protection.CHECKED: "ok|",
}
_WAITING_GUTTER: Final = "..|"
_FAILED_GUTTER: Final = "XX|"
_UNCERTAIN_GUTTER: Final = "??|"

# tor's bootstrap tags, tor-spec "Bootstrap phases"; an unknown one is shown as is.
_TOR_TAGS: Final = {
    "starting": _("starting"),
    "conn_pt": _("reaching a bridge"),
    "conn_done_pt": _("reached a bridge"),
    "conn_proxy": _("reaching the proxy"),
    "conn_done_proxy": _("reached the proxy"),
    "conn": _("reaching a first relay"),
    "conn_dir": _("reaching a first relay"),
    "conn_done": _("reached a first relay"),
    "handshake": _("greeting a first relay"),
    "handshake_dir": _("greeting a first relay"),
    "handshake_done": _("greeted a first relay"),
    "onehop_create": _("asking for the relay list"),
    "requesting_status": _("asking for the relay list"),
    "loading_status": _("loading the relay list"),
    "loading_keys": _("loading the network's keys"),
    "requesting_descriptors": _("asking for the relays' addresses"),
    "loading_descriptors": _("loading the relays' addresses"),
    "enough_dirinfo": _("knows enough relays"),
    "ap_conn": _("reaching a guard relay"),
    "ap_conn_done": _("reached a guard relay"),
    "ap_handshake": _("greeting a guard relay"),
    "ap_handshake_done": _("greeted a guard relay"),
    "circuit_create": _("building a path"),
    "done": _("done"),
}

_STEPS: Final = {
    EnrolmentStep.WAITING_FOR_TOR: _("waiting until Tor is connected"),
    EnrolmentStep.SEALING_VAULT: _("sealing the vault with your words"),
    EnrolmentStep.REACHING_SERVER: _("reaching {server} through Tor"),
    EnrolmentStep.MAKING_ACCOUNT: _("making the account at {server}"),
    EnrolmentStep.SIGNING_IN: _("signing in at {server}"),
}
_PRACTICE_STEPS: Final = {
    PracticeStep.STARTING_RELAYS: _("starting a small Tor network on this machine"),
    PracticeStep.AGREEING_CONSENSUS: _("the relays agree on who is who"),
    PracticeStep.STARTING_SERVER: _("starting a chat server on this machine"),
    PracticeStep.PUBLISHING_ONION: _("giving the server its onion address"),
    PracticeStep.CALLING_PARTNER: _("calling your practice partner"),
}


def address(jid: Jid) -> str:
    """Return an address fit to be shown."""
    return clean(str(jid), Kind.JID)


def nick(jid: Jid) -> str:
    """Return the short name by which a person's lines are marked."""
    return clean(jid.localpart, Kind.NICK)


def _server(name: str) -> str:
    return clean(name, Kind.JID) if name else _("a server")


def server_says(words: str) -> str:
    """Return a server's own words, marked as such."""
    said = clean(words, Kind.SERVER_TEXT)
    return _('The server says: "{words}"').format(words=said)


def tor_words(tor: TorView) -> str:
    """Return how Tor is, in a few words."""
    match tor.phase:
        case TorPhase.STOPPED:
            return _("Tor: STOPPED")
        case TorPhase.READY:
            return _("Tor: connected") if tor.own else _("Tor: connected (yours)")
        case TorPhase.WAITING:
            return _("Tor: starts when the vault is open")
        case TorPhase.CONNECTING:
            tag = _TOR_TAGS.get(tor.tag) or clean(tor.tag or "starting", Kind.NICK)
            words = (
                _("Tor: connecting, {percent} % - {tag}")
                if tor.trouble is None
                else _("Tor: STUCK at {percent} % - {tag}")
            )
            return words.format(percent=tor.percent, tag=tag)
        case _:
            assert_never(tor.phase)


def account_words(state: ViewState) -> str:
    """Return how the account is, in a few words; "" when there is none yet."""
    if state.account is None:
        return ""
    if state.front.offline is not None:
        return _("OFFLINE")
    if state.front.online is None:
        return _("signing in")
    how = _("online, onion") if state.front.online.via_onion else _("online, Tor exit")
    return how if state.keep else _("{how}, nothing kept").format(how=how)


def other_account_words(account: Jid, state: ViewState) -> str:
    """Return who else the person is, and whether that wants to be looked at."""
    view = state.accounts[account]
    facts = []
    if view.offline is not None:
        facts.append(_("OFFLINE"))
    if view.requests:
        n = len(view.requests)
        asking = ngettext("{n} wants to talk", "{n} want to talk", n)
        facts.append(asking.format(n=n))
    if view.n_unread:
        unread = ngettext("{n} unread", "{n} unread", view.n_unread)
        facts.append(unread.format(n=view.n_unread))
    name = address(account)
    return f"{name}  ({', '.join(facts)})" if facts else name


def offline_words(offline: AccountOffline) -> str:
    """Return why there is no connection, and what happens or helps."""
    told = describe(offline.error, lambda fact: clean(fact, Kind.SERVER_TEXT))
    if offline.retry_in_s is None:
        return f"{told.happened} {told.to_do}"
    seconds = max(1, round(offline.retry_in_s))
    again = ngettext(
        "Tries again by itself within {n} second; F5: at once.",
        "Tries again by itself within {n} seconds; F5: at once.",
        seconds,
    ).format(n=seconds)
    return f"{told.happened} {again}"


def news_words(news: AccountForgotten | PasswordChanged) -> str:
    """Return what was done with an account."""
    match news:
        case PasswordChanged():
            words = _("It has a new password, at {server} and here.")
        case AccountForgotten(is_burnt=True):
            words = _(
                "It is burnt: {server} has deleted it, and nothing of it is left here."
            )
        case AccountForgotten():
            words = _(
                "It is forgotten: nothing of it is left here. At {server} it stays."
            )
        case _:
            assert_never(news)
    return words.format(server=_server(news.account.domainpart))


def chat_headline(chat: ChatView) -> str:
    """Return the mark and the word for who can read this chat now."""
    match chat.protection:
        case Protection.STOP:
            word = _("STOP. Do not type.")
        case Protection.OPEN:
            word = _("NOT ENCRYPTED YET.")
        case Protection.PRIVATE:
            word = _("PRIVATE, NOT CHECKED.")
        case Protection.CHECKED:
            word = _("PRIVATE, CHECKED.")
        case _:
            assert_never(chat.protection)
    return f"{MARKS[chat.protection]} {word}"


def chat_advice(chat: ChatView) -> str:
    """Return what the headline means, and the next step where there is one."""
    name = nick(chat.contact)
    if chat.protection is Protection.STOP:
        return _stop_advice(chat, name)
    if chat.phase is ChatPhase.OFFLINE:
        return _("No connection. What you type waits, and is sent encrypted later.")
    match chat.protection:
        case Protection.OPEN:
            return _open_advice(chat, name)
        case Protection.PRIVATE:
            return _("Only the other end can read it. We do not know who that is.")
        case Protection.CHECKED:
            return _("Only {name} can read it.").format(name=name)


def _stop_advice(chat: ChatView, name: str) -> str:
    if chat.key_is_new:
        return _(
            "{name} has another key than before: a new device, or someone in between. "
            "Ask them by another way, then press F8."
        ).format(name=name)
    if chat.phase is ChatPhase.ENDED_BY_CONTACT:
        return _("{name} ended the encryption. F9 asks for it again.").format(name=name)
    return _(
        "A text came unencrypted into an encrypted chat; anyone may have written it. "
        "F9 asks for encryption again."
    )


def _open_advice(chat: ChatView, name: str) -> str:
    if chat.phase is ChatPhase.AGREEING:
        return _(
            "{name} answered; the keys are being agreed. What you type waits."
        ).format(name=name)
    if chat.phase is ChatPhase.AWAY:
        return _(
            "{name} is not online now; asked again by and by. What you type waits here."
        ).format(name=name)
    return _(
        "Asked {name} for encryption; no answer yet. What you type waits until then."
    ).format(name=name)


def gutter(line: Line) -> str:
    """Return the three cells in front of each row of a message."""
    match line.state:
        case MessageState.WAITING | MessageState.SENDING:
            return _WAITING_GUTTER
        case MessageState.FAILED:
            return _FAILED_GUTTER
        case MessageState.UNCERTAIN:
            return _UNCERTAIN_GUTTER
        case MessageState.SENT | None:
            return GUTTERS[line.mark]
        case _:
            assert_never(line.state)


def gutter_legend() -> tuple[tuple[str, str], ...]:
    """Return every gutter that a message can have, and what it says."""
    return (
        (GUTTERS[Protection.CHECKED], _("only the checked person can read it")),
        (
            GUTTERS[Protection.PRIVATE],
            _("only the other end can read it; we do not know who that is"),
        ),
        (
            GUTTERS[Protection.OPEN],
            _("not encrypted: the servers on the way can read it"),
        ),
        (GUTTERS[Protection.STOP], _("do not trust it")),
        (_WAITING_GUTTER, _("waits, or is on its way; the server has it not yet")),
        (_UNCERTAIN_GUTTER, _("may not have arrived; type it again if it matters")),
        (_FAILED_GUTTER, _("not sent, and it will not be")),
    )


def line_note(line: Line) -> str:
    """Return what is to be said about a message beside its text; mostly ""."""
    match line.state:
        case MessageState.WAITING:
            return _("waits until the chat is encrypted; not sent yet")
        case MessageState.FAILED:
            return _("NOT SENT: it did not get through")
        case MessageState.UNCERTAIN:
            return _("may not have arrived; type it again if it matters")
        case MessageState.SENDING | MessageState.SENT | None:
            return "" if line.author is None else _mark_note(line)
        case _:
            assert_never(line.state)


def _mark_note(line: Line) -> str:
    """Return what is to be said about how a message of theirs came."""
    if line.mark is Protection.OPEN:
        return _("came unencrypted: anyone on the way could read or change it")
    if line.mark is Protection.STOP:
        return _("do not trust this: it came unencrypted, or with an unknown key")
    return ""


def enrolment_steps(state: ViewState) -> list[EnrolmentStep]:
    """Return the steps of making this account, in order."""
    seals = state.keep and not state.accounts  # a further one is kept with the others
    return [
        step
        for step in EnrolmentStep
        if seals or step is not EnrolmentStep.SEALING_VAULT
    ]


def step_words(step: EnrolmentStep, server: str) -> str:
    """Return what a step of making the account is doing."""
    return _STEPS[step].format(server=_server(server))


def practice_words(state: ViewState) -> str:
    """Return how far the practice network is; "" once it is there."""
    steps = list(_PRACTICE_STEPS)
    if state.practice_step is None:
        return ""
    return _("Practice network, {n} of {all}: {words}").format(
        n=steps.index(state.practice_step) + 1,
        all=len(steps),
        words=_PRACTICE_STEPS[state.practice_step],
    )
