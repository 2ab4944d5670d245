"""Asking for an account in-band (XEP-0077), before there is a login.

Rule: pure; one request is open at a time. Nothing is invented for a field that wants
more than a name and a password: no address, no agreement to anything.

    known to be open:   set -> done, or refused; where the refusal hints that the
                        server wants to be asked first: get -> as below
    not known:          get -> a name and a password are enough: set -> done
                            -> and a challenge: a person answers, set -> done, or
                               refused: get -> the next challenge, MAX_WRONG times
                            -> anything else: the reason why not
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Secret
from coykiosk.ports import RandomBytes
from coykiosk.session.challenge import Challenge, find_challenge
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.forms import Form, read_form, write_answer
from coykiosk.session.wire import (
    CLIENT,
    DATA_FORM,
    MAX_WORDS_CHARS,
    OOB,
    PREAUTH,
    REGISTER,
    STANZA_ERRORS,
    ErrorParts,
    child_names,
    quoted,
    read_error,
    token,
)

__all__ = ["RegistrationTalk"]

_ASK_FIRST: Final = frozenset(
    {
        "bad-request",
        "not-acceptable",
        "not-allowed",
        "not-authorized",
        "undefined-condition",
    }
)
"""Refusals that a server gives to a blind request when it wants a form back."""
_CLOSED: Final = frozenset(
    {"feature-not-implemented", "not-allowed", "service-unavailable"}
)
"""What a server without in-band registration says to it."""
_WRONG_ANSWER: Final = frozenset({"not-acceptable", "not-allowed"})
"""XEP-0158, section 5, and ejabberd."""
MAX_WRONG: Final = 3
_CONTACT_VARS: Final = frozenset({"email", "phone"})
_NOT_FIELDS: Final = frozenset({"instructions", "registered"})
_QUERY: Final = "{" + REGISTER + "}query"
_FORM: Final = "{" + DATA_FORM + "}x"
_URL: Final = "{" + OOB + "}x/{" + OOB + "}url"


class _State(Enum):
    NEW = auto()
    BLIND = auto()
    """A set was sent without asking."""
    ASKED = auto()
    """A get was sent."""
    CHALLENGED = auto()
    """A person must answer before a set is sent."""
    FILLED = auto()
    """A set was sent in answer to a form."""
    DONE = auto()


@final
class RegistrationTalk:
    """The registration of one account on one stream.

    Args:
        localpart: The name to register.
        password: Its password; not copied, not wiped.
        random_bytes: For stanza ids.
        token: An invitation's (XEP-0445), shown before anything is asked.
    """

    def __init__(
        self,
        localpart: str,
        password: Secret,
        random_bytes: RandomBytes,
        *,
        token: str = "",
    ) -> None:
        self._localpart = localpart
        self._password = password
        self._random_bytes = random_bytes
        self._token = token
        self._token_id = ""
        self._state = _State.NEW
        self._open_id = ""
        self._first_refusal: ErrorParts | None = None
        self._form: Form | None = None
        self._challenge: Challenge | None = None
        self.n_wrong = 0
        """How many answers to challenges were not taken."""
        self.is_offered: bool | None = None
        """Whether the stream features offer registration; None before them."""

    @property
    def is_done(self) -> bool:
        """Whether the account exists now."""
        return self._state is _State.DONE

    @property
    def is_submitted(self) -> bool:
        """Whether a request has been made whose answer is not known yet."""
        return self._state in (_State.BLIND, _State.FILLED)

    def set_blind(self) -> str:
        """Return the request of a client that knows what the server wants."""
        self._state = _State.BLIND
        return self._set(_plain_fields(self._localpart, self._password))

    def get(self) -> str:
        """Return the question what the server wants."""
        self._state = _State.ASKED
        self._open_id = token(self._random_bytes)
        query = f"<query xmlns='{REGISTER}'/>"
        return f"{self._show_token()}<iq type='get' id='{self._open_id}'>{query}</iq>"

    def _show_token(self) -> str:
        """Return what entitles us to ask; "" when nothing does or it was shown."""
        if not self._token or self._token_id:
            return ""
        self._token_id = token(self._random_bytes)
        preauth = f"<preauth xmlns='{PREAUTH}' token='{quoted(self._token)}'/>"
        return f"<iq type='set' id='{self._token_id}'>{preauth}</iq>"

    def is_answer(self, stanza: ET.Element) -> bool:
        """Whether a stanza answers our open request."""
        is_reply = stanza.get("type") in ("result", "error")
        is_iq = stanza.tag == "{" + CLIENT + "}iq"
        ids = {self._open_id, self._token_id} - {""}
        return is_iq and is_reply and stanza.get("id") in ids

    def deny(self) -> None:
        """The server has made it known that the open request came to nothing."""
        self._state = _State.NEW

    def solve(self, answer: str) -> str:
        """Return the request with a person's answer to the challenge."""
        assert self._state is _State.CHALLENGED
        assert self._challenge is not None
        assert self._form is not None
        answers = self._answers(self._form)
        # Its own field, which is neither the name's nor the password's.
        answers[self._challenge.var] = (answer,)
        self._state = _State.FILLED
        return self._set(write_answer(answers))

    def take(self, answer: ET.Element) -> str | Challenge:
        """Take the answer; return what to send next, "" when the account is made.

        A `Challenge` is for a person: `solve` goes on, or `get` for another one.

        Raises:
            NegotiationError: there will be no account here, and why.
        """
        if answer.get("id") == self._token_id:
            return self._take_token_answer(answer)
        self._open_id = ""
        if answer.get("type") == "error":
            error = read_error(answer.find("{" + CLIENT + "}error"), STANZA_ERRORS)
            return self._take_error(error)
        query = answer.find(_QUERY)
        asks_more = query is not None and bool(
            child_names(query, DATA_FORM) | child_names(query, OOB)
        )
        if self._state is _State.ASKED or (self._state is _State.BLIND and asks_more):
            return self._take_form(query)
        self._state = _State.DONE
        return ""

    def _take_token_answer(self, answer: ET.Element) -> str:
        if answer.get("type") == "error":
            error = read_error(answer.find("{" + CLIENT + "}error"), STANZA_ERRORS)
            raise NegotiationError(
                OpeningReason.INVITATION_REFUSED, error.condition, text=error.text
            )
        return ""

    def _take_error(self, error: ErrorParts) -> str:
        is_closed = error.condition in _CLOSED
        state, self._state = self._state, _State.NEW  # a refusal leaves nothing open
        match state:
            case _State.BLIND if self.is_offered is False and is_closed:
                raise NegotiationError(OpeningReason.REGISTRATION_CLOSED)
            case _State.BLIND if error.condition in _ASK_FIRST:
                self._first_refusal = error
                return self.get()
            case _State.ASKED if self._first_refusal is not None:
                raise _refused(self._first_refusal)
            case _State.ASKED if is_closed:
                raise NegotiationError(OpeningReason.REGISTRATION_CLOSED)
            case _State.FILLED if self._is_wrong_answer(error):
                return self._after_wrong_answer()
            case _:
                raise _refused(error)

    def _is_wrong_answer(self, error: ErrorParts) -> bool:
        return self._challenge is not None and error.condition in _WRONG_ANSWER

    def _after_wrong_answer(self) -> str:
        self.n_wrong += 1
        if self.n_wrong >= MAX_WRONG:
            raise NegotiationError(OpeningReason.NEEDS_CAPTCHA, "wrong-answers")
        return self.get()

    def _take_form(self, query: ET.Element | None) -> str | Challenge:
        if query is None:
            raise NegotiationError(OpeningReason.CONFUSED, "empty-registration-form")
        x = query.find(_FORM)
        if x is not None:
            return self._take_data_form(read_form(x), query)
        wanted = child_names(query, REGISTER) - _NOT_FIELDS
        if wanted == {"username", "password"}:
            if self._first_refusal is not None:
                # It wants just what it had refused before it was asked.
                raise _refused(self._first_refusal)
            self._state = _State.FILLED
            return self._set(_plain_fields(self._localpart, self._password))
        if child_names(query, OOB):
            url = query.findtext(_URL, "").strip()[:MAX_WORDS_CHARS]
            raise NegotiationError(OpeningReason.WEB_ONLY, text=url)
        raise _needs(wanted)

    def _take_data_form(self, form: Form, query: ET.Element) -> str | Challenge:
        self._form, self._challenge = form, find_challenge(form, query)
        answers = self._answers(form)
        if self._challenge is not None:
            self._state = _State.CHALLENGED
            return self._challenge
        self._state = _State.FILLED
        return self._set(write_answer(answers))

    def _answers(self, form: Form) -> dict[str, Sequence[str]]:
        """Fill a form in, as far as it needs no person.

        Raises:
            NegotiationError: NEEDS_FORM.
        """
        ours = {
            "username": self._localpart,
            "password": self._password.reveal().decode(),
        }
        if not ours.keys() <= form.fields.keys():
            raise NegotiationError(OpeningReason.NEEDS_FORM, "form")
        challenge = self._challenge
        return _fill(form, ours, without="" if challenge is None else challenge.var)

    def _set(self, fields: str) -> str:
        self._open_id = token(self._random_bytes)
        return (
            f"<iq type='set' id='{self._open_id}'>"
            f"<query xmlns='{REGISTER}'>{fields}</query></iq>"
        )


def _plain_fields(localpart: str, password: Secret) -> str:
    secret = quoted(password.reveal().decode())
    return f"<username>{quoted(localpart)}</username><password>{secret}</password>"


def _refused(error: ErrorParts) -> NegotiationError:
    return NegotiationError(
        OpeningReason.REFUSED,
        error.condition,
        error_type=error.error_type,
        text=error.text,
    )


def _fill(
    form: Form, ours: Mapping[str, str], *, without: str
) -> dict[str, Sequence[str]]:
    """Answer what we know, send hidden fields back, and leave out what may be.

    Raises:
        NegotiationError: NEEDS_FORM: something is wanted that only a person has.
    """
    answers: dict[str, Sequence[str]] = {}
    for var, field in form.fields.items():
        if var in ours:
            answers[var] = (ours[var],)
        elif field.type == "hidden":
            answers[var] = field.values
        elif field.type == "fixed" or not field.is_required or var == without:
            continue
        elif var not in _CONTACT_VARS and any(field.values):
            answers[var] = field.values  # the server's own default
        else:
            raise _needs({var})
    return answers


def _needs(wanted: set[str]) -> NegotiationError:
    what = "email" if wanted & _CONTACT_VARS else "form"
    return NegotiationError(OpeningReason.NEEDS_FORM, what)
