"""Two passwords for a while: which is tried, which is kept, and when."""

import asyncio
from collections.abc import Awaitable, Callable
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import Secret
from coykiosk.errors import ErrorCode, UserError
from coykiosk.session.passwords import candidates, change, settle
from coykiosk.session.requests import Request, RequestRefusedError
from coykiosk.vault.profile import Account
from tests.session import idle
from tests.support.chance import seeded

QUERY = "{jabber:iq:register}"


def make_record(*, next_password: bytes = b"") -> Account:
    return idle.make_record(
        domain="a.example", password=b"old", next_password=next_password
    )


class Server:
    """Answers as it is told, and notes what happened in which order."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.happened: list[str] = []

    async def ask(self, request: Request, *, limit_s: float) -> ET.Element:
        assert limit_s > 0
        password = request.payload.findtext(QUERY + "password")
        self.happened.append(f"asked for {password}")
        if self.answer is not None:
            raise self.answer
        return ET.Element("iq")

    def saver(self, record: Account) -> Callable[[], Awaitable[None]]:
        async def save() -> None:
            both = [record.password.reveal(), record.next_password.reveal()]
            self.happened.append("saved " + b" and ".join(both).decode())

        return save

    def change(self, record: Account) -> Secret:
        return asyncio.run(
            change(record, self.ask, random_bytes=seeded(1), save=self.saver(record))
        )


def test_both_passwords_are_safe_before_the_server_hears_of_the_new_one() -> None:
    record, server = make_record(), Server()

    old = server.change(record)

    new = record.password.reveal().decode()
    assert server.happened == [f"saved old and {new}", f"asked for {new}"]
    assert old.reveal() == b"old"
    assert len(new) == 24
    assert not record.next_password


def test_request_for_a_new_password_shows_it_to_nobody_who_looks_at_it() -> None:
    record, seen = make_record(), ""

    async def ask(request: Request, *, limit_s: float) -> ET.Element:
        nonlocal seen
        seen = repr(request)
        return ET.Element("iq")

    async def save() -> None:
        return

    asyncio.run(change(record, ask, random_bytes=seeded(1), save=save))

    assert record.password.reveal().decode() not in seen


@pytest.mark.parametrize("error_type", ["cancel", "modify", "auth", ""])
def test_refusal_keeps_the_old_password(error_type: str) -> None:
    record = make_record()
    server = Server(RequestRefusedError("not-allowed", error_type))

    with pytest.raises(UserError) as caught:
        server.change(record)

    assert caught.value.code is ErrorCode.PASSWORD_REFUSED
    assert caught.value.facts == {"server": "a.example", "condition": "not-allowed"}
    assert record.password.reveal() == b"old"
    assert not record.next_password


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(RequestRefusedError("internal-server-error", "wait"), id="wait"),
        pytest.param(UserError(ErrorCode.SERVER_SILENT), id="silence"),
        pytest.param(UserError(ErrorCode.CONNECTION_LOST), id="cut"),
        pytest.param(UserError(ErrorCode.SERVER_CONFUSED), id="stream error"),
    ],
)
def test_anything_but_a_clear_answer_keeps_both(answer: Exception) -> None:
    record, server = make_record(), Server(answer)

    with pytest.raises(UserError) as caught:
        server.change(record)

    assert caught.value.code is ErrorCode.PASSWORD_UNSURE
    assert record.password.reveal() == b"old"
    assert len(record.next_password.reveal()) == 24


def test_change_that_is_open_is_asked_for_again_and_not_replaced() -> None:
    """The server may have the one it was asked for: a third would lose it."""
    record, server = make_record(next_password=b"asked"), Server()

    server.change(record)

    assert server.happened == ["asked for asked"]
    assert record.password.reveal() == b"asked"


def test_password_that_cannot_be_kept_is_dropped_before_anybody_hears_of_it() -> None:
    record, server = make_record(), Server()

    async def fail() -> None:
        raise UserError(ErrorCode.VAULT_UNWRITABLE)

    with pytest.raises(UserError) as caught:
        asyncio.run(change(record, server.ask, random_bytes=seeded(1), save=fail))

    assert caught.value.code is ErrorCode.VAULT_UNWRITABLE
    assert server.happened == []
    assert not record.next_password


def test_password_that_held_last_is_tried_first_and_the_other_next() -> None:
    record = make_record(next_password=b"new")

    tried = candidates(record)

    assert [each.reveal() for each in tried] == [b"old", b"new"]


def test_one_password_is_tried_once() -> None:
    assert [each.reveal() for each in candidates(make_record())] == [b"old"]


def test_new_password_that_lets_in_is_the_only_one_from_then_on() -> None:
    record = make_record(next_password=b"new")

    old = settle(record, record.next_password)

    assert old is not None
    assert (record.password.reveal(), old.reveal()) == (b"new", b"old")
    assert not record.next_password


def test_old_password_that_lets_in_does_not_cost_the_new_one() -> None:
    """The request may still reach the server, and then only the new one would do."""
    record = make_record(next_password=b"new")

    assert settle(record, record.password) is None

    assert record.password.reveal() == b"old"
    assert record.next_password.reveal() == b"new"


def test_settle_changes_nothing_when_nothing_is_open() -> None:
    record = make_record()

    assert settle(record, record.password) is None
    assert record.password.reveal() == b"old"
