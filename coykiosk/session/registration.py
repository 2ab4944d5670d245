"""Asking for an account in-band (XEP-0077), before there is a login.

Rule: pure; one request is open at a time. Fields are known by `var`, never by
their label, and nothing is invented for a field that wants more than a name and
a password.

    known to be open:   set -> done, or refused; where the refusal hints that the
                        server wants to be asked first: get -> as below
    not known:          get -> a name and a password are enough: set -> done
                            -> anything else: the reason why not
"""

from enum import Enum, auto
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Secret
from coykiosk.ports import RandomBytes
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.wire import (
    CLIENT,
    DATA_FORM,
    OOB,
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
_CAPTCHA_TYPE: Final = "urn:xmpp:captcha"  # XEP-0158
_CAPTCHA_VARS: Final = frozenset(
    {
        "SHA-256",
        "audio_recog",
        "ocr",
        "picture_q",
        "picture_recog",
        "qa",
        "speech_q",
        "speech_recog",
        "video_q",
        "video_recog",
    }
)  # XEP-0158, section 8.2
_MEDIA: Final = "{urn:xmpp:media-element}media"  # XEP-0221
_NOT_FIELDS: Final = frozenset({"instructions", "registered"})
_QUERY: Final = "{" + REGISTER + "}query"
_FORM: Final = "{" + DATA_FORM + "}x"
_FIELD: Final = "{" + DATA_FORM + "}field"
_VALUE: Final = "{" + DATA_FORM + "}value"
_REQUIRED: Final = "{" + DATA_FORM + "}required"


class _State(Enum):
    NEW = auto()
    BLIND = auto()
    """A set was sent without asking."""
    ASKED = auto()
    """A get was sent."""
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
    """

    def __init__(
        self, localpart: str, password: Secret, random_bytes: RandomBytes
    ) -> None:
        self._localpart = localpart
        self._password = password
        self._random_bytes = random_bytes
        self._state = _State.NEW
        self._open_id = ""
        self._first_refusal: ErrorParts | None = None
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
        return f"<iq type='get' id='{self._open_id}'><query xmlns='{REGISTER}'/></iq>"

    def is_answer(self, stanza: ET.Element) -> bool:
        """Whether a stanza answers our open request."""
        is_reply = stanza.get("type") in ("result", "error")
        is_iq = stanza.tag == "{" + CLIENT + "}iq"
        return is_iq and is_reply and stanza.get("id") == self._open_id != ""

    def take(self, answer: ET.Element) -> str:
        """Take the answer; return what to send next, "" when the account is made.

        Raises:
            NegotiationError: there will be no account here, and why.
        """
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
            case _:
                raise _refused(error)

    def _take_form(self, query: ET.Element | None) -> str:
        if query is None:
            raise NegotiationError(OpeningReason.CONFUSED, "empty-registration-form")
        form = query.find(_FORM)
        if form is not None:
            fields = _fill(form, self._localpart, self._password)
            self._state = _State.FILLED
            return self._set(fields)
        wanted = child_names(query, REGISTER) - _NOT_FIELDS
        if wanted == {"username", "password"}:
            if self._first_refusal is not None:
                # It wants just what it had refused before it was asked.
                raise _refused(self._first_refusal)
            self._state = _State.FILLED
            return self._set(_plain_fields(self._localpart, self._password))
        if child_names(query, OOB):
            raise NegotiationError(OpeningReason.WEB_ONLY)
        raise NegotiationError(OpeningReason.NEEDS_FORM)

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


def _fill(form: ET.Element, localpart: str, password: Secret) -> str:
    """Fill a data form in, if a name and a password are all that it wants.

    Raises:
        NegotiationError: NEEDS_CAPTCHA or NEEDS_FORM.
    """
    fields = {field.get("var", ""): field for field in form.findall(_FIELD)}
    form_type = _values(fields["FORM_TYPE"]) if "FORM_TYPE" in fields else []
    has_media = form.find(f".//{_MEDIA}") is not None
    if has_media or _CAPTCHA_TYPE in form_type or _CAPTCHA_VARS & fields.keys():
        raise NegotiationError(OpeningReason.NEEDS_CAPTCHA)
    ours = {"username": localpart, "password": password.reveal().decode()}
    if not ours.keys() <= fields.keys():
        raise NegotiationError(OpeningReason.NEEDS_FORM)
    written = []
    for var, field in fields.items():
        if var in ours:
            written.append(_field(var, [ours[var]]))
        elif field.get("type") == "hidden":
            written.append(_field(var, _values(field)))
        elif field.find(_REQUIRED) is not None:
            raise NegotiationError(OpeningReason.NEEDS_FORM)
    return f"<x xmlns='{DATA_FORM}' type='submit'>{''.join(written)}</x>"


def _values(field: ET.Element) -> list[str]:
    return [value.text or "" for value in field.findall(_VALUE)]


def _field(var: str, values: list[str]) -> str:
    written = "".join(f"<value>{quoted(value)}</value>" for value in values)
    return f"<field var='{quoted(var)}'>{written}</field>"
