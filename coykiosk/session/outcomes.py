"""What an opening that failed means: to the enrolment machine, and to a person.

Rule: pure; the one place where a server's answer becomes a user's error.
"""

from typing import Final, assert_never

from coykiosk.errors import ErrorCode, UserError
from coykiosk.register.steps import (
    Broken,
    CertificateBad,
    Confused,
    LoginRefused,
    NeedsCaptcha,
    NeedsForm,
    Outcome,
    Refused,
    RegistrationClosed,
    Silent,
    Succeeded,
    Unreachable,
    WebOnly,
)
from coykiosk.session.opening import OpeningError, OpeningReason

__all__ = ["to_outcome", "to_user_error", "to_user_error_from_outcome"]


def to_outcome(error: OpeningError) -> Outcome:
    """Tell the enrolment machine what came of an attempt."""
    match error.reason:
        case OpeningReason.REFUSED:
            return Refused(error.condition, error.error_type, error.text)
        case OpeningReason.BROKEN:
            return Broken(submitted=error.submitted)
        case OpeningReason.CERTIFICATE_BAD:
            return CertificateBad(error.condition)
        case OpeningReason.LOGIN_REFUSED:
            return LoginRefused(error.condition)
        case OpeningReason.CONFUSED:
            return Confused(error.condition)
        case _:
            return _PLAIN[error.reason]


def to_user_error(error: OpeningError, *, server: str) -> UserError:
    """Tell a person why a sign-in did not work."""
    return to_user_error_from_outcome(to_outcome(error), server=server)


def to_user_error_from_outcome(outcome: Outcome, *, server: str) -> UserError:
    """Tell a person what a server did."""
    facts: dict[str, str] = {}
    match outcome:
        case Refused(condition=condition) | LoginRefused(condition=condition):
            facts["condition"] = condition
        case RegistrationClosed():
            facts["condition"] = "closed"
        case CertificateBad(reason=reason) | Confused(reason=reason):
            facts["reason"] = reason
        case NeedsForm() | NeedsCaptcha() | WebOnly():
            facts["what"] = _WANTS[type(outcome)]
        case Unreachable() | Silent() | Broken():
            pass
        case Succeeded():
            msg = "a success is no error"
            raise AssertionError(msg)
        case _ as unreachable:
            assert_never(unreachable)
    return UserError(_CODES[type(outcome)], server=server, **facts)


_CODES: Final[dict[type[Outcome], ErrorCode]] = {
    Refused: ErrorCode.SERVER_REFUSED,
    RegistrationClosed: ErrorCode.SERVER_REFUSED,
    NeedsForm: ErrorCode.SERVER_WANTS_MORE,
    NeedsCaptcha: ErrorCode.SERVER_WANTS_MORE,
    WebOnly: ErrorCode.SERVER_WANTS_MORE,
    Unreachable: ErrorCode.SERVER_UNREACHABLE,
    Silent: ErrorCode.SERVER_SILENT,
    Broken: ErrorCode.CONNECTION_LOST,
    CertificateBad: ErrorCode.CERTIFICATE_BAD,
    LoginRefused: ErrorCode.LOGIN_REFUSED,
    Confused: ErrorCode.SERVER_CONFUSED,
}

_PLAIN: Final[dict[OpeningReason, Outcome]] = {
    OpeningReason.REGISTRATION_CLOSED: RegistrationClosed(),
    OpeningReason.NEEDS_FORM: NeedsForm(),
    OpeningReason.NEEDS_CAPTCHA: NeedsCaptcha(),
    OpeningReason.WEB_ONLY: WebOnly(),
    OpeningReason.UNREACHABLE: Unreachable(),
}

_WANTS: Final[dict[type[Outcome], str]] = {
    NeedsForm: "form",
    NeedsCaptcha: "captcha",
    WebOnly: "web",
}
