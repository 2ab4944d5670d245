"""What an opening that failed means: to the enrolment machine, and to a person.

Rule: pure; the one place where a server's answer becomes a user's error.
"""

from collections.abc import Callable
from typing import Final, assert_never

from coykiosk.errors import ErrorCode, UserError
from coykiosk.register.steps import (
    Broken,
    CertificateBad,
    Confused,
    InvitationRefused,
    LoginRefused,
    NeedsCaptcha,
    NeedsForm,
    Outcome,
    PuzzleLost,
    Refused,
    RegistrationClosed,
    Silent,
    Skipped,
    Succeeded,
    Unreachable,
    WebOnly,
)
from coykiosk.session.opening import OpeningError, OpeningReason

__all__ = ["to_outcome", "to_user_error", "to_user_error_from_outcome"]


def to_outcome(error: OpeningError) -> Outcome:
    """Tell the enrolment machine what came of an attempt."""
    return _OUTCOMES[error.reason](error)


def to_user_error(error: OpeningError, *, server: str) -> UserError:
    """Tell a person why a sign-in did not work."""
    return to_user_error_from_outcome(to_outcome(error), server=server)


def to_user_error_from_outcome(outcome: Outcome, *, server: str) -> UserError:
    """Tell a person what a server did."""
    facts: dict[str, str] = {}
    match outcome:
        case Refused() | LoginRefused():
            facts["condition"] = _condition(outcome)
        case RegistrationClosed():
            facts["condition"] = "closed"
        case CertificateBad(reason=reason) | Confused(reason=reason):
            facts["reason"] = reason
        case NeedsForm(what=what):
            facts["what"] = what
        case NeedsCaptcha(why=why):
            facts["what"] = why
        case WebOnly(url=url):
            facts["url"] = url
        case Unreachable() | Silent() | Broken():
            pass
        case PuzzleLost() | Skipped() | InvitationRefused():
            pass
        case Succeeded():
            msg = "a success is no error"
            raise AssertionError(msg)
        case _ as unreachable:
            assert_never(unreachable)
    return UserError(_CODES[type(outcome)], server=server, **facts)


def _condition(outcome: Refused | LoginRefused) -> str:
    match outcome:
        case Refused(condition="policy-violation", error_type="wait"):
            return "throttled"  # Prosody: too many from this address
        case _:
            return outcome.condition


_CODES: Final[dict[type[Outcome], ErrorCode]] = {
    Refused: ErrorCode.SERVER_REFUSED,
    RegistrationClosed: ErrorCode.SERVER_REFUSED,
    NeedsForm: ErrorCode.SERVER_WANTS_MORE,
    NeedsCaptcha: ErrorCode.SERVER_WANTS_MORE,
    WebOnly: ErrorCode.SERVER_WEB_ONLY,
    InvitationRefused: ErrorCode.INVITATION_REFUSED,
    PuzzleLost: ErrorCode.CONNECTION_LOST,
    Skipped: ErrorCode.SERVER_SKIPPED,
    Unreachable: ErrorCode.SERVER_UNREACHABLE,
    Silent: ErrorCode.SERVER_SILENT,
    Broken: ErrorCode.CONNECTION_LOST,
    CertificateBad: ErrorCode.CERTIFICATE_BAD,
    LoginRefused: ErrorCode.LOGIN_REFUSED,
    Confused: ErrorCode.SERVER_CONFUSED,
}

_OUTCOMES: Final[dict[OpeningReason, Callable[[OpeningError], Outcome]]] = {
    OpeningReason.REFUSED: lambda error: Refused(
        error.condition, error.error_type, error.text
    ),
    OpeningReason.REGISTRATION_CLOSED: lambda _: RegistrationClosed(),
    OpeningReason.NEEDS_FORM: lambda error: NeedsForm(error.condition),
    OpeningReason.NEEDS_CAPTCHA: lambda error: NeedsCaptcha(error.condition),
    OpeningReason.WEB_ONLY: lambda error: WebOnly(error.text),
    OpeningReason.PUZZLE_LOST: lambda _: PuzzleLost(),
    OpeningReason.INVITATION_REFUSED: lambda error: InvitationRefused(error.text),
    OpeningReason.UNREACHABLE: lambda _: Unreachable(),
    OpeningReason.BROKEN: lambda error: Broken(submitted=error.submitted),
    OpeningReason.CERTIFICATE_BAD: lambda error: CertificateBad(error.condition),
    OpeningReason.LOGIN_REFUSED: lambda error: LoginRefused(error.condition),
    OpeningReason.CONFUSED: lambda error: Confused(error.condition),
}
