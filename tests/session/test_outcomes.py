"""What an opening that failed means, for the machine and for a person."""

import pytest

from coykiosk.errors import ErrorCode
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
from coykiosk.session.failure import NegotiationError, OpeningReason
from coykiosk.session.opening import OpeningError
from coykiosk.session.outcomes import (
    to_outcome,
    to_user_error,
    to_user_error_from_outcome,
)
from coykiosk.text import describe

SERVER = "practice.example"


def failed(
    reason: OpeningReason, condition: str = "", *, submitted: bool = False
) -> OpeningError:
    error = NegotiationError(reason, condition, error_type="wait", text="so there")
    return OpeningError(error, submitted=submitted)


REASONS: dict[OpeningReason, Outcome] = {
    OpeningReason.REFUSED: Refused("conflict", "wait", "so there"),
    OpeningReason.REGISTRATION_CLOSED: RegistrationClosed(),
    OpeningReason.NEEDS_FORM: NeedsForm("conflict"),
    OpeningReason.NEEDS_CAPTCHA: NeedsCaptcha("conflict"),
    OpeningReason.WEB_ONLY: WebOnly("so there"),
    OpeningReason.PUZZLE_LOST: PuzzleLost(),
    OpeningReason.INVITATION_REFUSED: InvitationRefused("so there"),
    OpeningReason.UNREACHABLE: Unreachable(),
    OpeningReason.BROKEN: Broken(submitted=False),
    OpeningReason.CERTIFICATE_BAD: CertificateBad("conflict"),
    OpeningReason.LOGIN_REFUSED: LoginRefused("conflict"),
    OpeningReason.CONFUSED: Confused("conflict"),
}


@pytest.mark.parametrize("reason", OpeningReason, ids=lambda reason: reason.name)
def test_every_reason_has_the_outcome_of_its_name(reason: OpeningReason) -> None:
    assert to_outcome(failed(reason, "conflict")) == REASONS[reason]


@pytest.mark.parametrize("submitted", [False, True])
def test_cut_carries_whether_the_account_may_exist(*, submitted: bool) -> None:
    outcome = to_outcome(failed(OpeningReason.BROKEN, submitted=submitted))

    assert outcome == Broken(submitted=submitted)


CODES = [
    (
        Refused("conflict", "cancel", ""),
        ErrorCode.SERVER_REFUSED,
        {"condition": "conflict"},
    ),
    (RegistrationClosed(), ErrorCode.SERVER_REFUSED, {"condition": "closed"}),
    (NeedsForm(), ErrorCode.SERVER_WANTS_MORE, {"what": "form"}),
    (NeedsForm("email"), ErrorCode.SERVER_WANTS_MORE, {"what": "email"}),
    (NeedsCaptcha(), ErrorCode.SERVER_WANTS_MORE, {"what": "no-picture"}),
    (PuzzleLost(), ErrorCode.CONNECTION_LOST, {}),
    (InvitationRefused("x"), ErrorCode.INVITATION_REFUSED, {}),
    (Skipped(submitted=False), ErrorCode.SERVER_SKIPPED, {}),
    (
        WebOnly("https://sign.up/"),
        ErrorCode.SERVER_WEB_ONLY,
        {"url": "https://sign.up/"},
    ),
    (Unreachable(), ErrorCode.SERVER_UNREACHABLE, {}),
    (Silent(submitted=True), ErrorCode.SERVER_SILENT, {}),
    (Broken(submitted=True), ErrorCode.CONNECTION_LOST, {}),
    (CertificateBad("expired"), ErrorCode.CERTIFICATE_BAD, {"reason": "expired"}),
    (
        LoginRefused("not-authorized"),
        ErrorCode.LOGIN_REFUSED,
        {"condition": "not-authorized"},
    ),
    (Confused("tls-failed"), ErrorCode.SERVER_CONFUSED, {"reason": "tls-failed"}),
]


@pytest.mark.parametrize(
    ("outcome", "code", "facts"), CODES, ids=[type(row[0]).__name__ for row in CODES]
)
def test_person_is_told_what_a_server_did(
    outcome: Outcome, code: ErrorCode, facts: dict[str, str]
) -> None:
    error = to_user_error_from_outcome(outcome, server=SERVER)

    assert error.code is code
    assert error.facts == {"server": SERVER, **facts}
    told = describe(error)
    assert SERVER in told.happened
    assert "unknown" not in told.happened + told.to_do


def test_words_of_a_server_are_no_facts() -> None:
    error = to_user_error(failed(OpeningReason.REFUSED, "conflict"), server=SERVER)

    assert "so there" not in repr(error.facts)


def test_success_is_no_error() -> None:
    with pytest.raises(AssertionError):
        to_user_error_from_outcome(Succeeded(), server=SERVER)
