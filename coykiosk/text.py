"""Every sentence about what went wrong, and the gettext door for all prose.

Rule: a code has exactly two sentences, what happened and what to do; present
tense, no blame, the thing and the key named. Only the screen, `app` and
`__main__` speak prose; they mark it with `_`.
"""

import gettext
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coykiosk.errors import ErrorCode, UserError

__all__ = ["CATALOGUE", "Sentences", "_", "describe", "ngettext"]

# No catalogue is shipped yet: the door exists so that no sentence has to move.
_translations: Final = gettext.NullTranslations()
_ = _translations.gettext
ngettext = _translations.ngettext


@dataclass(frozen=True, slots=True)
class Sentences:
    """What a person is told about one thing that went wrong."""

    happened: str
    to_do: str


CATALOGUE: Final[dict[ErrorCode, Sentences]] = {
    # --- Tor
    ErrorCode.TOR_MISSING: Sentences(
        _("The program tor is not on this machine."),
        _("Install it with: sudo apt install tor"),
    ),
    ErrorCode.TOR_START_FAILED: Sentences(
        _("Tor does not start: {reason}."),
        _("Quit with Ctrl+Q and start again; F3 shows how far Tor came."),
    ),
    ErrorCode.TOR_NO_NETWORK: Sentences(
        _("Tor cannot reach the network: {tag}."),
        _("Check the cable or the Wi-Fi; Tor goes on trying by itself."),
    ),
    ErrorCode.TOR_BLOCKED: Sentences(
        _("Tor gets no further: this network may block it, or the line is very bad."),
        _("F3, then F4: bridges, which lead around a block. Tor goes on trying."),
    ),
    ErrorCode.TOR_STOPPED: Sentences(
        _("Tor has stopped, and every connection with it; nothing goes another way."),
        _("Press F5 to start Tor again, or quit with Ctrl+Q."),
    ),
    ErrorCode.TOR_IMPOSTOR: Sentences(
        _("What answers at {address} is not Tor."),
        _(
            "Nothing was sent; check TOR_SOCKS_HOST and TOR_SOCKS_PORT, then start again."
        ),
    ),
    ErrorCode.TOR_CONTROL_REFUSED: Sentences(
        _("The Tor at {address} does not let this program ask it anything."),
        _("Set TOR_CONTROL_PASSWD or TOR_CONTROL_COOKIE_AUTH_FILE, then start again."),
    ),
    # --- bridges
    ErrorCode.BRIDGE_LINE_BAD: Sentences(
        _("Line {number} cannot be used: {reason}."),
        _("Nothing has changed. Paste whole lines, just as they were given to you."),
    ),
    ErrorCode.BRIDGE_KIND_UNKNOWN: Sentences(
        _('Line {number}: bridges of the kind "{kind}" cannot be used here.'),
        _("Nothing has changed. Ask for obfs4 or snowflake bridges instead."),
    ),
    ErrorCode.BRIDGE_PROGRAM_MISSING: Sentences(
        _("These bridges need the program {program}, which is not on this machine."),
        _("Install it: sudo apt install {package}. Or use other bridges (F3, F4)."),
    ),
    ErrorCode.BRIDGES_SILENT: Sentences(
        _("Your bridges do not answer: they are gone, or this network blocks them."),
        _("F3, then F4: take other bridges. Tor goes on trying by itself."),
    ),
    ErrorCode.BRIDGES_NOT_OURS: Sentences(
        _("On this machine Tor is not ours to start, so it gets no bridges from here."),
        _("Give the bridges to the Tor that runs already, where it is set up."),
    ),
    ErrorCode.BRIDGES_LEAD_OUT: Sentences(
        _("These bridges lead out of this machine, and practice stays on it."),
        _("Nothing has changed; use them when you start without --practice."),
    ),
    ErrorCode.NO_FREE_PORT: Sentences(
        _("No free network port is left on this machine."),
        _("Close other programs, then start again."),
    ),
    # --- servers
    ErrorCode.SERVERS_FILE_BAD: Sentences(
        _("{file}, line {line}: {reason}."),
        _("Mend that line, or put the original file back, and start again."),
    ),
    ErrorCode.NO_SERVER_LEFT: Sentences(
        _("No server has made an account for you (servers tried: {count})."),
        _("F7 says why. Esc goes back, and there {again} tries all of them again."),
    ),
    ErrorCode.SERVER_REFUSED: Sentences(
        _("{server} does not make an account for you ({condition})."),
        _("Nothing to do: the next server is tried."),
    ),
    ErrorCode.SERVER_WANTS_MORE: Sentences(
        _("{server} wants more than a name and a password: {what}."),
        _("Nothing to do: the next server is tried."),
    ),
    ErrorCode.SERVER_WEB_ONLY: Sentences(
        _("{server} makes accounts on a web page only: {url}"),
        _("A browser would show who you are, so this page is not opened for you."),
    ),
    ErrorCode.SERVER_SKIPPED: Sentences(
        _("You left {server} out."),
        _("Nothing to do: the next server is tried."),
    ),
    ErrorCode.INVITATION_REFUSED: Sentences(
        _("{server} does not take this invitation."),
        _("It may have been used, or be too old; ask for another one."),
    ),
    ErrorCode.SERVER_UNREACHABLE: Sentences(
        _("{server} cannot be reached through Tor."),
        _("Press F5 to try again; servers are often back within minutes."),
    ),
    ErrorCode.SERVER_SILENT: Sentences(
        _("{server} does not answer."),
        _("Press F5 to try again; a new path through Tor may be quicker."),
    ),
    ErrorCode.SERVER_CONFUSED: Sentences(
        _("{server} answers in a way that makes no sense: {reason}."),
        _("Press F5 to try again; if it goes on, someone may be meddling."),
    ),
    ErrorCode.CERTIFICATE_BAD: Sentences(
        _("{server} cannot prove that it is {server}: {reason}."),
        _("Nothing was sent to it, someone may be in between; try again later (F5)."),
    ),
    ErrorCode.LOGIN_REFUSED: Sentences(
        _("{server} does not accept the name and password ({condition})."),
        _("F5 tries again. If the account is gone, F4 and then F forgets it."),
    ),
    ErrorCode.CONNECTION_LOST: Sentences(
        _("The connection to {server} is lost."),
        _("What you type waits; press F5 to connect at once."),
    ),
    # --- an account of one's own
    ErrorCode.BURN_REFUSED: Sentences(
        _("{server} does not delete the account ({condition}); it is as it was."),
        _("F4 and then F forgets it on this side only; at the server it stays."),
    ),
    ErrorCode.BURN_NOT_ASKED: Sentences(
        _("{server} cannot be asked to delete the account; it is as it was."),
        _("Press F4 and then B to try again, or F to forget it on this side only."),
    ),
    ErrorCode.BURN_UNSURE: Sentences(
        _("{server} was asked to delete the account and has not said that it did."),
        _("Press F4 and then B to ask again, or F to forget it on this side only."),
    ),
    ErrorCode.PASSWORD_REFUSED: Sentences(
        _("{server} does not take a new password ({condition})."),
        _("The old one holds as before; F4 and then P asks again, perhaps later."),
    ),
    ErrorCode.PASSWORD_UNSURE: Sentences(
        _("{server} has not said whether it took the new password."),
        _("Both are kept, and one of them signs you in; F4 and then P asks again."),
    ),
    ErrorCode.ACCOUNT_HELD_BACK: Sentences(
        _("{server} does not deliver what this new account writes ({condition})."),
        _("It may later. To be sure, make another one elsewhere: F4, then A."),
    ),
    ErrorCode.STILL_LISTED: Sentences(
        _("Here nothing of {contact} is left; {server} still has them on its list."),
        _("It would not take them off. They are not shown here any more."),
    ),
    # --- vault
    ErrorCode.VAULT_WRONG_PASSPHRASE: Sentences(
        _("These words do not open the vault."),
        _("Type them again and mind the keyboard layout (F8 shows them). No reset."),
    ),
    ErrorCode.VAULT_DAMAGED: Sentences(
        _("The vault file is damaged; no words can open it."),
        _("Put a copy of it back, or press F4 for a session that keeps nothing."),
    ),
    ErrorCode.VAULT_TOO_NEW: Sentences(
        _("A newer coykiosk made this vault (version {version})."),
        _("Use that newer program, or press F4 for a session that keeps nothing."),
    ),
    ErrorCode.VAULT_IN_USE: Sentences(
        _("Another coykiosk has this vault open."),
        _("Close the other one first, or press F4 for a session that keeps nothing."),
    ),
    ErrorCode.VAULT_UNREADABLE: Sentences(
        _("The vault file cannot be read: {reason}."),
        _("Make it readable for you, or press F4 for a session that keeps nothing."),
    ),
    ErrorCode.VAULT_UNWRITABLE: Sentences(
        _("The vault cannot be written: {reason}."),
        _("Make room or allow writing there. On the start screen, F4 keeps nothing."),
    ),
    ErrorCode.VAULT_EXISTS: Sentences(
        _("There is a vault already, and it is not overwritten."),
        _("Start again to open it; or Esc, then F4 for a session that keeps nothing."),
    ),
    ErrorCode.PASSPHRASE_WEAK: Sentences(
        _("These words are too easy to guess."),
        _("Type more words, or press Esc for six that were made for you."),
    ),
    # --- chats
    ErrorCode.ADDRESS_BAD: Sentences(
        _("This is no address."),
        _("An address looks like name@server, without blanks."),
    ),
    ErrorCode.CONTACT_BLOCKED: Sentences(
        _("You have blocked {contact}."),
        _("Go down to their name below your chats; Enter there lets them in again."),
    ),
    ErrorCode.STILL_BLOCKED: Sentences(
        _("{contact} stays blocked: {server} has not let them in again."),
        _("Try it again once you are online; F5 connects at once."),
    ),
    ErrorCode.MESSAGE_BOUNCED: Sentences(
        _("A message to {contact} came back ({condition})."),
        _("Check the address, or ask by another way whether they are online."),
    ),
    ErrorCode.MESSAGE_TOO_LONG: Sentences(
        _("The message is longer than {limit} characters and was not sent."),
        _("Press Up to have it back, and send it in parts."),
    ),
    ErrorCode.TOO_MANY_WAITING: Sentences(
        _("{count} messages wait in this chat already; this one was not taken."),
        _("Wait until the chat is encrypted; Up brings the line back."),
    ),
    ErrorCode.OTR_TOO_OLD: Sentences(
        _("The program of {contact} offers only an old encryption that is broken."),
        _("Nothing is sent; ask them to use one with OTR version 3."),
    ),
    # --- practice
    ErrorCode.PRACTICE_MISSING: Sentences(
        _("Practising needs the program {program}, which is not on this machine."),
        _("Install it with: sudo apt install {package}"),
    ),
    ErrorCode.PRACTICE_FAILED: Sentences(
        _("The practice network is not running: {reason}."),
        _("Quit with Ctrl+Q and start again; nothing is left behind."),
    ),
    ErrorCode.PRACTICE_ALONE: Sentences(
        _("Your practice partner got no account, so there is nobody to answer you."),
        _("Try what you like; quit with Ctrl+Q and start again to have a partner."),
    ),
    # --- the place we run in
    ErrorCode.NOT_A_TERMINAL: Sentences(
        _("This program needs a terminal to draw on, and there is none."),
        _("Start it in a terminal window, without redirecting what it shows."),
    ),
}


# Words of the protocols for what a fact can be, in a person's words. A fact that is
# not in here is shown as it came.
_FACTS: Final[dict[str, str]] = {
    # how far tor got, where nothing else is to be said of it
    "starting": _("it does not get under way"),
    **dict.fromkeys(
        ("conn", "conn_dir", "conn_pt", "ap_conn"),
        _("there is no way out of this machine"),
    ),
    **dict.fromkeys(
        (
            *("requesting_status", "loading_status", "loading_keys"),
            *("requesting_descriptors", "loading_descriptors"),
        ),
        _("the list of relays does not come"),
    ),
    "circuit_create": _("no path through the relays can be built"),
    # why a line is no bridge
    "bridge-address": _("there is no IP address with a port, like 192.0.2.7:443"),
    "bridge-fingerprint": _(
        "the 40 digits of its fingerprint are not behind its address"
    ),
    "bridge-argument": _("there is a word in it that does not belong there"),
    "bridge-value": _("one of its values is cut off or mistyped"),
    "bridge-short": _("its end is missing"),
    "bridge-letters": _("there is a sign in it that no bridge has"),
    "bridge-long": _("it is too long"),
    "bridge-many": _("there are more than 20 bridges"),
    # why an account is not made or let in: RFC 6120, sections 6.5 and 8.3.3
    "bad-request": _("it does not understand us"),
    "closed": _("it takes no new accounts"),
    "conflict": _("the name is taken"),
    "credentials-expired": _("the password has run out"),
    "feature-not-implemented": _("it cannot do that"),
    "forbidden": _("it does not let us in"),
    "gone": _("it is there no longer"),
    "internal-server-error": _("it is out of order"),
    "jid-malformed": _("it wants another name"),
    "no-answer": _("a message to itself did not arrive"),
    "not-acceptable": _("it wants something else"),
    "not-allowed": _("it does not allow that"),
    "not-authorized": _("it does not know them"),
    "policy-violation": _("its rules do not allow that"),
    "resource-constraint": _("it is busy"),
    "service-unavailable": _("nobody is there"),
    "throttled": _("too many came lately"),
    "undefined-condition": _("it does not say why"),
    "temporary-auth-failure": _("it is out of order"),
    "account-disabled": _("the account is blocked"),
    "second-factor": _("it wants a second proof, beside the password"),
    "no-session": _("it lets us in, and then gives us no place"),
    # what a server wants beside a name and a password
    "email": _("an e-mail address or a telephone number, which we never make up"),
    "form": _("a form filled in that only you could fill in"),
    "no-picture": _("a puzzle solved that cannot be shown here"),
    "skipped": _("a puzzle solved, which you left out"),
    "wrong-answers": _("a puzzle solved, and no answer was right"),
    # what its certificate lacks
    "expired": _("its certificate has run out, or this machine's clock is wrong"),
    "pin-changed": _("its key is not the one it had before"),
    "untrusted": _("nobody vouches for its certificate"),
    "unusable": _("its certificate cannot be read"),
    "wrong-name": _("its certificate is for somebody else"),
}


def _as_it_is(fact: str) -> str:
    return fact


def describe(error: UserError, clean: Callable[[str], str] = _as_it_is) -> Sentences:
    """Put an error's facts into the two sentences of its code.

    Args:
        error: What went wrong. A fact that is missing or empty reads as "unknown".
        clean: Makes a fact fit to be shown; facts may be words of a server.
    """
    facts: dict[str, str] = defaultdict(lambda: _("unknown"))
    facts.update(
        {
            name: _FACTS.get(fact) or clean(fact)
            for name, fact in error.facts.items()
            if fact
        }
    )
    sentences = CATALOGUE[error.code]
    return Sentences(
        sentences.happened.format_map(facts), sentences.to_do.format_map(facts)
    )
