"""The profile's codec: exact both ways, and deaf to everything else."""

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coykiosk.contract import Secret
from coykiosk.vault import container, profile
from coykiosk.vault.profile import (
    Account,
    Profile,
    ProfileError,
    ProfileTooLargeError,
    ProfileTooNewError,
    decode,
    encode,
)

MakeAccount = Callable[..., Account]
MakeProfile = Callable[..., Profile]

ONE = {
    "profile": 1,
    "accounts": [
        {
            "localpart": "quiet.otter.51",
            "domain": "example.org",
            "password": "cGE1NS1vZi10aGUtYWNjb3VudA==",
            "pending": False,
            "host": "example.org",
            "port": 5222,
            "tls": "starttls",
            "spki": [],
            "otr_key": "",
            "instance_tag": 256,
            "known": {"sam@example.net": ["//////////////////////////8="]},
            "created": "2024-05-17T08:30:15+00:00",
        }
    ],
    "guard_state": "",
}


OPTIONAL = {"next_password": "bmV4dA==", "blocked": ["eve@example.net"]}
"""As they are spelled; an account may be without."""
REQUIRED = [name for name in Account.__slots__ if name not in OPTIONAL]


def spelled(tree: object) -> bytes:
    return json.dumps(tree).encode()


def with_account(**changes: object) -> bytes:
    return spelled(ONE | {"accounts": [ONE["accounts"][0] | changes]})  # type: ignore[index]  # known shape


def plain(account: Account) -> dict[str, object]:
    """An account as values that can be compared."""
    values = {name: getattr(account, name) for name in Account.__slots__}
    return {
        name: bytes(value._buffer) if isinstance(value, Secret) else value
        for name, value in values.items()
    }


def test_decode_reads_a_profile_written_by_hand() -> None:
    account = decode(spelled(ONE)).accounts[0]

    assert account.localpart == "quiet.otter.51"
    assert account.password.reveal() == b"pa55-of-the-account"
    assert (account.pending, account.port, account.tls) == (False, 5222, "starttls")
    assert not account.otr_key
    assert account.known == {"sam@example.net": (b"\xff" * 20,)}
    assert account.created == datetime(2024, 5, 17, 8, 30, 15, tzinfo=UTC)


def test_decode_gives_back_what_was_encoded(make_account: MakeAccount) -> None:
    ours = Profile([make_account(), make_account("b")], "Guard in=x\nGuard in=y\n")

    again = decode(encode(ours))

    assert [plain(a) for a in again.accounts] == [plain(a) for a in ours.accounts]
    assert again.guard_state == "Guard in=x\nGuard in=y\n"


BRIDGE = "obfs4 192.0.2.7:9443 " + "A" * 40 + " cert=b iat-mode=0"


def test_decode_gives_back_the_bridges() -> None:
    ours = Profile([], "", (BRIDGE, "192.0.2.8:443 " + "B" * 40))

    again = decode(encode(ours))

    assert again.bridges == (BRIDGE, "192.0.2.8:443 " + "B" * 40)


def test_profile_without_bridges_is_as_it_was_before_there_were_any() -> None:
    ours = decode(spelled(ONE))

    assert ours.bridges == ()
    assert b"bridges" not in encode(ours)


@pytest.mark.parametrize(
    "bridges",
    [
        None,
        "x",
        {},
        [],
        [None],
        [1],
        [""],
        ["   "],
        ["x" * 1001],
        [BRIDGE] * 21,
        [BRIDGE + "\nExitRelay 1"],
        [BRIDGE + "\x00"],
        [BRIDGE + "\u2028"],
        ["\ud800"],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_decode_refuses_bridges_that_are_no_lines(bridges: object) -> None:
    with pytest.raises(ProfileError, match="bridges"):
        decode(spelled(ONE | {"bridges": bridges}))


@pytest.mark.parametrize("bridges", [("a\nb",), ("",), ("x",) * 21])
def test_encode_refuses_bridges_that_decode_would_not_read(
    bridges: tuple[str, ...],
) -> None:
    with pytest.raises(ProfileError):
        encode(Profile([], "", bridges))


def test_decode_reads_the_fields_that_may_be_missing() -> None:
    account = decode(with_account(**OPTIONAL)).accounts[0]

    assert account.next_password.reveal() == b"next"
    assert account.blocked == ("eve@example.net",)


def test_decode_reads_a_profile_of_before_there_were_those_fields() -> None:
    account = decode(spelled(ONE)).accounts[0]

    assert not account.next_password
    assert account.blocked == ()


@pytest.mark.parametrize("name", OPTIONAL)
def test_encode_leaves_out_what_says_nothing(
    make_account: MakeAccount, name: str
) -> None:
    assert name.encode() not in encode(Profile([make_account()]))


def test_encode_gives_back_the_fields_that_may_be_missing(
    make_account: MakeAccount,
) -> None:
    ours = make_account(next_password=Secret("next"), blocked=("eve@example.net",))

    again = decode(encode(Profile([ours]))).accounts[0]

    assert plain(again) == plain(ours)


def test_encode_writes_an_empty_profile() -> None:
    assert encode(Profile()) == b'{"profile":1,"accounts":[],"guard_state":""}'


@pytest.mark.parametrize(
    "changes",
    [
        {"localpart": ""},
        {"localpart": "a b"},
        {"localpart": "a\n"},
        {"localpart": "x" * 1024},
        {"localpart": "\u00e9" * 600},
        {"localpart": "\ud800"},
        {"localpart": None},
        {"localpart": 5},
        {"domain": ""},
        {"domain": ["example.org"]},
        {"password": ""},
        {"password": "not base64!"},
        {"password": "cGE1NQ"},
        {"password": "cGE1NR=="},
        {"password": " cGE1NQ=="},
        {"password": "\u00e9\u00e9\u00e9\u00e9"},
        {"password": "QUFB" * 1000},
        {"password": None},
        {"pending": 1},
        {"pending": "true"},
        {"pending": None},
        {"host": "h" * 256},
        {"port": 0},
        {"port": 65536},
        {"port": -1},
        {"port": 5222.0},
        {"port": "5222"},
        {"port": True},
        {"tls": "none"},
        {"tls": ""},
        {"tls": "DIRECT"},
        {"spki": None},
        {"spki": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
        {"spki": ["AAEC"]},
        {"spki": [7]},
        {"spki": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="] * 17},
        {"otr_key": "QUFB" * 2000},
        {"otr_key": 0},
        {"instance_tag": 0},
        {"instance_tag": 255},
        {"instance_tag": 2**32},
        {"instance_tag": True},
        {"known": []},
        {"known": {"": []}},
        {"known": {"sam@example.net": "x"}},
        {"known": {"sam@example.net": ["AAEC"]}},
        {"known": {"sam@example.net": [None]}},
        {"known": {"sam @example.net": []}},
        {"created": "2024-05-17T08:30:15"},
        {"created": "2024-05-17T08:30:15+02:00"},
        {"created": "yesterday"},
        {"created": ""},
        {"created": 1715934615},
        {"surplus": 1},
        {"next_password": ""},
        {"next_password": None},
        {"next_password": "QUFB" * 1000},
        {"blocked": "eve@example.net"},
        {"blocked": [""]},
        {"blocked": ["eve @example.net"]},
        {"blocked": [5]},
        {"blocked": ["eve@example.net"] * 50_001},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_decode_refuses_an_account_when_a_field_is_wrong(
    changes: dict[str, object],
) -> None:
    with pytest.raises(ProfileError):
        decode(with_account(**changes))


@pytest.mark.parametrize("missing", REQUIRED)
def test_decode_refuses_an_account_when_a_field_is_missing(missing: str) -> None:
    account = dict(ONE["accounts"][0])  # type: ignore[index]  # known shape
    del account[missing]

    with pytest.raises(ProfileError, match=missing):
        decode(spelled(ONE | {"accounts": [account]}))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b"{}",
        b'{"profile":1}',
        b'{"profile":1,"accounts":[],"guard_state":"","more":0}',
        b'{"profile":1,"accounts":[],"accounts":[],"guard_state":""}',
        b'{"profile":1,"accounts":{},"guard_state":""}',
        b'{"profile":1,"accounts":[null],"guard_state":""}',
        b'{"profile":1,"accounts":[],"guard_state":null}',
        b'{"profile":0,"accounts":[],"guard_state":""}',
        b'{"profile":1.0,"accounts":[],"guard_state":""}',
        b'{"profile":true,"accounts":[],"guard_state":""}',
        b'{"profile":"1","accounts":[],"guard_state":""}',
        b'{"profile":NaN,"accounts":[],"guard_state":""}',
        b'{"profile":1,"accounts":[],"guard_state":""} ,',
        b'{"profile":1,"accounts":[],"guard_state":"\xff"}',
        b'{"profile":1,"accounts":' + b"[" * 100_000,
        b'{"profile":' + b"9" * 10_000 + b"}",
        b'{"profile":1,"accounts":[],"guard_state":"' + b"x" * 65_537 + b'"}',
        b'\xef\xbb\xbf{"profile":1,"accounts":[],"guard_state":""}',
    ],
    ids=lambda encoded: encoded[:48].decode("latin-1"),
)
def test_decode_refuses_whatever_is_no_profile(encoded: bytes) -> None:
    with pytest.raises(ProfileError) as caught:
        decode(encoded)

    assert not isinstance(caught.value, ProfileTooNewError)


@pytest.mark.parametrize(
    "encoded", [b'{"profile":2}', b'{"profile":99,"accounts":"unknown shape"}']
)
def test_decode_tells_a_newer_profile_apart(encoded: bytes) -> None:
    with pytest.raises(ProfileTooNewError):
        decode(encoded)


def test_decode_refuses_what_is_too_large_before_reading_it() -> None:
    with pytest.raises(ProfileTooLargeError):
        decode(b" " * (profile.MAX_BYTES + 1))


def test_largest_profile_fits_the_largest_region() -> None:
    assert profile.MAX_BYTES <= container.MAX_PAYLOAD_BYTES


def test_twenty_accounts_stay_in_the_smallest_size_class(
    make_profile: MakeProfile,
) -> None:
    assert len(encode(make_profile(20))) < 65536 - 60


def test_encode_refuses_a_profile_beyond_the_limit(make_account: MakeAccount) -> None:
    many = {f"{n}@example.net": (bytes(20),) * 100 for n in range(2000)}

    with pytest.raises(ProfileTooLargeError):
        encode(Profile([make_account(known=many)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"password": Secret(b"")},
        {"port": 0},
        {"instance_tag": 0},
        {"created": datetime(2024, 5, 17)},  # noqa: DTZ001 - a time without zone
        {"created": datetime(2024, 5, 17, tzinfo=timezone(timedelta(hours=2)))},
        {"spki": ("short",)},
        {"known": {"sam@example.net": (b"short",)}},
        {"tls": "none"},
    ],
    ids=str,
)
def test_encode_refuses_what_decode_would_not_read(
    make_account: MakeAccount, changes: dict[str, object]
) -> None:
    with pytest.raises(ProfileError):
        encode(Profile([make_account(**changes)]))


def test_encode_refuses_a_profile_after_wipe(make_account: MakeAccount) -> None:
    account = make_account()
    account.wipe()

    with pytest.raises(ProfileError):
        encode(Profile([account]))


def test_wipe_forgets_everything(make_account: MakeAccount) -> None:
    account = make_account(next_password=Secret("next"), blocked=("eve@e.example",))
    ours = Profile([account], "Guard in=default", (BRIDGE,))

    ours.wipe()

    assert not account.password
    assert not account.next_password
    assert account.blocked == ()
    assert not account.otr_key
    assert account.known == {}
    assert (ours.accounts, ours.guard_state, ours.bridges) == ([], "", ())


@pytest.mark.hostile("G40")
def test_repr_shows_no_secret(make_account: MakeAccount) -> None:
    ours = Profile([make_account()])

    assert repr(ours) == "Profile(1 accounts)"
    assert repr(ours.accounts) == "[Account(…)]"


@pytest.mark.parametrize(
    "encoded",
    [
        b'{"password": "hunter2"',
        b'{"password": "hunter2\xff"}',
        with_account(port="hunter2"),
        with_account(created="hunter2"),
        with_account(password="hunter2"),  # noqa: S106 - the bait
        with_account(hunter2=1),
    ],
)
def test_refusal_carries_nothing_of_what_was_read(encoded: bytes) -> None:
    with pytest.raises(ProfileError) as caught:
        decode(encoded)

    chain = "".join(traceback.format_exception(caught.value))
    errors = [caught.value, caught.value.__cause__, caught.value.__context__]
    carried = [repr(vars(error)) + repr(error) for error in errors if error]
    assert "hunter2" not in chain
    assert "hunter2" not in "".join(carried)
    assert not [error for error in errors if hasattr(error, "doc")]


@given(st.binary(max_size=300))
def test_decode_refuses_noise_with_its_own_error_only(noise: bytes) -> None:
    with pytest.raises(ProfileError):
        decode(noise)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Account.__slots__, "profile", "accounts", "guard_state"])
            | st.text(max_size=8),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(list(Account.__slots__)), JSON)
def test_decode_of_a_strange_field_is_exact_or_refused(
    name: str, value: object
) -> None:
    encoded = with_account(**{name: value})

    try:
        accepted = decode(encoded)
    except ProfileError:
        return

    assert decode(encode(accepted)).accounts[0].localpart


@given(JSON)
def test_decode_refuses_strange_trees_with_its_own_error_only(tree: object) -> None:
    with pytest.raises(ProfileError):
        decode(spelled(tree))
