"""No repr, exception, traceback or output of the package shows a secret.

What is covered. A story is played with two ends: every state of the key exchange,
texts both ways, each state of a comparison of secrets (both
roles, with a question, failed, cheated, aborted), extra keys, re-keying, the end,
and libotr's key files, whole and damaged. On the way every secret is noted at the
place where it is made: Diffie-Hellman and SMP exponents, shared secrets, the AES and
MAC keys of the exchange and of the data messages, extra keys, the hashed secret of
SMP, the long-term x, and whatever people typed (texts, questions, secrets, the data
of an extra key). At each moment `repr`, `str` and `format` of every object of the
package that can be reached from both ends, and of every output, are kept; so is
every exception that any forged or damaged input raised inside, with its arguments,
its causes and its traceback, also as the program itself would print it. Then all of
that is searched for every secret in each form it could be printed in (a part of one
counts), and standard output and logging must have stayed empty.

What is not. Values inside a redacted object are no leak: who can follow attributes
in a debugger has the process. Public values, ssids, fingerprints, r once it was sent
and MAC keys once they were published are no secrets. Tracebacks with captured
locals, core dumps and swap are beyond the package.
"""

import base64
import functools
import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from coykiosk import __main__ as entry
from coykiosk.otr import Inject, Instances, LocalError, OtrError, Output, PrivateKey
from coykiosk.otr import ake as ake_module
from coykiosk.otr import ratchet as ratchet_module
from coykiosk.otr.framing import armour
from coykiosk.otr.keyfile.files import (
    AccountKey,
    KnownFingerprint,
    read_fingerprints,
    read_private_keys,
    write_fingerprints,
    write_private_keys,
)
from coykiosk.otr.messages import DataMessage
from coykiosk.otr.primitives import DhKeyPair, Exponent
from coykiosk.otr.proof import AkeSecrets, derive_secrets
from coykiosk.otr.ratchet import PairKeys, Ratchet, derive_pair
from coykiosk.otr.wire import Tlv
from tests.otr.hostile.forging import ForgedAlice, ForgedBob
from tests.otr.hostile.forging_smp import Mallory, numbers_of, record
from tests.otr.hostile.watching import attributes_of
from tests.otr.wiring import (
    Pair,
    injected,
    message_of,
    raw_of,
    text_of,
)

TYPED = {
    "text of alice": "the parcel is under the seventh bridge",
    "text of bob": "then bring the other half of it at noon",
    "clear text": "words that came in clear, by mistake",
    "question": "which street did the old cinema stand in?",
    "smp secret": "Lindenallee, behind the bakery",
    "wrong smp secret": "Parkstrasse, beside the station",
    "extra data": "session-key-for-file-0815.bin",
}
R_BYTES = 16  # the key that opens a D-H Commit
MIN_PART_BYTES = 12
"""A run of this many bytes of a secret is a leak, not chance."""
MAX_OBJECTS = 20_000


# --- forms --------------------------------------------------------------------------


@functools.cache
def forms_of(secret: bytes) -> frozenset[str]:
    """How these bytes could look when something prints them; hex in lower case."""
    whole, backwards = (int.from_bytes(secret, order) for order in ("big", "little"))
    # The last group of base64 depends on what follows.
    encoded = base64.b64encode(secret).decode()[: len(secret) * 4 // 3 - 2]
    forms = {str(whole), str(backwards), f"{whole:x}", encoded}
    for part in (secret, secret[:MIN_PART_BYTES], secret[-MIN_PART_BYTES:]):
        as_list = str(list(part))[1:-1]
        forms |= {unquoted(repr(part)[2:-1]), part.hex(), part.hex(" "), as_list}
    return frozenset(forms)


def unquoted(text: str) -> str:
    """Without quotes and their backslashes, which a repr sets as it needs them."""
    return text.replace("\\'", "'").replace("'", "").replace('"', "")


def leaks(shown: Iterable[str], secrets: Mapping[str, bytes]) -> list[str]:
    """Which secrets can be read in what was shown."""
    everything = unquoted("\n".join(dict.fromkeys(shown)))
    everything += everything.lower()
    return [
        name
        for name, secret in secrets.items()
        if any(form in everything for form in forms_of(secret))
    ]


# --- noting secrets where they are made ---------------------------------------------


@dataclass
class Ledger:
    """Every secret that was made, by what it is."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    raised: list[BaseException] = field(default_factory=list)

    def note(self, kind: str, value: bytes | bytearray | int) -> None:
        if isinstance(value, int):
            value = value.to_bytes((value.bit_length() + 7) // 8, "big")
        if any(value):
            self.secrets.setdefault(f"{kind} {len(self.secrets)}", bytes(value))

    def without(self, public: set[bytes]) -> dict[str, bytes]:
        return {k: v for k, v in self.secrets.items() if v not in public}


def watch(patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """Note all that is secret, and all that is raised, from here on."""
    make_exponent, make_shared = Exponent.__init__, DhKeyPair.shared_secret
    make_error = OtrError.__init__

    def exponent(self: Exponent, value: bytes | bytearray) -> None:
        ledger.note("exponent", value)
        make_exponent(self, value)

    def shared_secret(self: DhKeyPair, their_public: int) -> int:
        shared = make_shared(self, their_public)
        ledger.note("shared secret", shared)
        return shared

    def exchange_keys(shared: int) -> AkeSecrets:
        made = derive_secrets(shared)
        for name, value in attributes_of(made):
            if name != "ssid" and isinstance(value, bytes):
                ledger.note(name, value)
        return made

    def pair_keys(shared: int, *, we_are_high: bool) -> PairKeys:
        made = derive_pair(shared, we_are_high=we_are_high)
        for name, value in attributes_of(made):
            if isinstance(value, bytearray):
                ledger.note(name, value)
        return made

    def error(self: OtrError, *args: object) -> None:
        make_error(self, *args)
        ledger.raised.append(self)

    patch.setattr(Exponent, "__init__", exponent)
    patch.setattr(DhKeyPair, "shared_secret", shared_secret)
    patch.setattr(ake_module, "derive_secrets", exchange_keys)
    patch.setattr(ratchet_module, "derive_pair", pair_keys)
    patch.setattr(OtrError, "__init__", error)


# --- everything that can be reached -------------------------------------------------


def reachable(roots: Iterable[object]) -> Iterator[object]:
    """Every object of the package below these; others only on the way."""
    waiting, seen = deque(roots), {}
    while waiting:
        thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        assert len(seen) < MAX_OBJECTS
        if isinstance(thing, Mapping):
            waiting += [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple | deque | set | frozenset):
            waiting += thing
        elif is_ours(thing):
            yield thing
            waiting += [value for _, value in attributes_of(thing)]


def is_ours(thing: object) -> bool:
    """An object of the package, or one that it keeps a key in."""
    module = type(thing).__module__
    return module.startswith(("coykiosk.", "cryptography."))


def shown_by(roots: Iterable[object]) -> list[str]:
    return [
        form(thing) for thing in reachable(roots) for form in (repr, str, format, ascii)
    ]


# --- the story ----------------------------------------------------------------------


@dataclass
class Story:
    """What was shown at each moment, what was raised, and what is secret."""

    shown: dict[str, list[str]]
    ledger: Ledger
    public: set[bytes]

    @property
    def secrets(self) -> dict[str, bytes]:
        return self.ledger.without(self.public)


class Teller:
    """Plays the story and keeps what it shows."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.shown: dict[str, list[str]] = {}
        self.public: set[bytes] = set()
        self.outputs: list[Output] = []
        self.pair = Pair()
        for end in (self.pair.alice, self.pair.bob):
            self.note_r(end)
            x = end._our_key._x
            self.ledger.note("x", x)
        for name, words in TYPED.items():
            self.ledger.secrets[name] = words.encode()

    def note_r(self, end: Instances) -> None:
        draw = end._engines._random_bytes

        def noting(n_bytes: int) -> bytes:
            drawn = draw(n_bytes)
            if n_bytes == R_BYTES:
                self.ledger.note("r", drawn)
            return drawn

        end._random_bytes = end._engines._random_bytes = noting

    def moment(self, name: str, *more: object) -> None:
        ends = (self.pair.alice, self.pair.bob)
        self.shown[name] = shown_by([*ends, *self.outputs, *more])
        self.outputs.clear()

    def hear(self, end: Instances, text: str) -> list[str]:
        """Deliver one text; returns what `end` answers."""
        return self.keep(end.receive(text, self.pair.now))

    def keep(self, outputs: list[Output]) -> list[str]:
        self.outputs += outputs
        for text in injected(outputs):
            if text.startswith("?OTR:AAMD"):
                message = message_of(text)
                assert isinstance(message, DataMessage)
                old = message.old_mac_keys
                self.public |= {old[at : at + 20] for at in range(0, len(old), 20)}
        return injected(outputs)

    def settle(self, end: Instances, texts: list[str]) -> None:
        """Carry what `end` said until both are silent."""
        while texts:
            end = self.pair.other(end)
            texts = [answer for text in texts for answer in self.hear(end, text)]

    # --- chapters -----------------------------------------------------------------

    def agree(self, prefix: str) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        (commit,) = self.hear(bob, "?OTRv3?")
        self.moment(f"{prefix}: bob committed")
        (key,) = self.hear(alice, commit)
        self.moment(f"{prefix}: alice sent g^y")
        # From here on r is on its way; until here it was Bob's secret.
        self.public |= {
            value for kind, value in self.ledger.secrets.items() if kind[:2] == "r "
        }
        (reveal_sig,) = self.hear(bob, key)
        self.moment(f"{prefix}: bob revealed")
        (sig,) = self.hear(alice, reveal_sig)
        self.moment(f"{prefix}: alice is encrypted")
        self.hear(bob, sig)
        self.moment(f"{prefix}: both are encrypted")

    def talk(self) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        for _ in range(3):
            self.settle(alice, self.keep(alice.send(TYPED["text of alice"], 0)))
            self.settle(bob, self.keep(bob.send(TYPED["text of bob"], 0)))
        self.moment("texts both ways")
        self.hear(alice, TYPED["clear text"])
        self.moment("a text in clear")

    def forge(self) -> None:
        """Every message damaged in many places, in a running session."""
        alice, bob = self.pair.alice, self.pair.bob
        (text,) = self.keep(alice.send(TYPED["text of alice"], 0))
        raw = raw_of(text)
        for position in range(0, len(raw), 3):
            for damaged in (
                raw[:position],
                raw[:position] + b"\xff" + raw[position + 1 :],
                raw + raw[:position],
            ):
                self.hear(bob, armour(damaged))
        for broken in ("?OTR:===.", "?OTR|x", "?OTR:AAMD", "?OTR|1|1,1,1,x,"):
            self.hear(bob, broken)
        self.hear(bob, text)
        self.hear(bob, text)
        self.moment("forged data messages")

    def forge_exchange(self) -> None:
        pair = Pair(alice_seed="victim")
        mallory = ForgedBob(pair.alice)
        mallory.send_commit()
        for forged in (
            mallory.reveal_sig(r=bytes(16)),
            mallory.reveal_sig(signature=bytes(40)),
            mallory.reveal_sig(keyid=0),
            mallory.reveal_sig(public=b"\0\0" + bytes(100)),
            mallory.reveal_sig(mac=bytes(20)),
            mallory.reveal_sig(tail=b"x"),
        ):
            self.outputs += pair.alice.receive(text_of(forged), 0)
        other = Pair(alice_seed="second victim")
        second = ForgedAlice(other.alice)
        second.send_key()
        self.outputs += other.alice.receive(text_of(second.signature(keyid=0)), 0)
        self.outputs += other.alice.receive(text_of(second.signature(mac=bytes(20))), 0)
        self.moment("forged exchanges", pair.alice, other.alice)

    def compare(self, *, question: str | None, word: str, prefix: str) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        (first,) = self.keep(alice.smp_start(TYPED["smp secret"], 0, question=question))
        self.moment(f"{prefix}: alice asked")
        self.hear(bob, first)
        self.moment(f"{prefix}: bob is asked")
        (second,) = self.keep(bob.smp_answer(TYPED[word], 0))
        self.moment(f"{prefix}: bob answered")
        (third,) = self.hear(alice, second)
        self.moment(f"{prefix}: alice compares")
        (fourth,) = self.hear(bob, third)
        self.hear(alice, fourth)
        self.moment(f"{prefix}: over")

    def leave_and_cheat(self) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        self.settle(alice, self.keep(alice.smp_start(TYPED["smp secret"], 0)))
        self.settle(alice, self.keep(alice.smp_abort(0)))
        self.moment("a comparison aborted")
        mallory = Mallory(self.pair)
        question = TYPED["question"].encode()
        first = mallory.message_1()
        self.outputs += mallory.say(record(1, [*first[:5], first[5] + 1]))
        self.outputs += mallory.say(Tlv(7, question))
        self.outputs += mallory.say(record(1, first, question=question))
        (second,) = mallory.hear(alice.smp_answer(TYPED["smp secret"], 0))
        third = mallory.message_3(numbers_of(second), TYPED["wrong smp secret"])
        third[2] += 1
        self.outputs += mallory.say(record(3, third))
        for word in ("", TYPED["smp secret"]):
            with pytest.raises(LocalError):
                bob.smp_answer(word, 0)
        with pytest.raises(LocalError):
            alice.smp_start(TYPED["smp secret"], 0, question=TYPED["question"] * 200)
        self.moment("comparisons cheated")

    def extra_keys(self) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        data = TYPED["extra data"].encode()
        key, outputs = alice.use_extra_key(7, 0, data=data)
        self.ledger.note("extra key used", key)
        self.settle(alice, self.keep(outputs))
        with pytest.raises(LocalError):
            bob.use_extra_key(2**32, 0, data=data)
        with pytest.raises(LocalError):
            bob.use_extra_key(1, 0, data=data * 3000)
        self.moment("extra keys")

    def end(self) -> None:
        alice, bob = self.pair.alice, self.pair.bob
        (farewell,) = self.keep(alice.end(0))
        self.moment("alice ended")
        self.hear(bob, farewell)
        with pytest.raises(LocalError):
            bob.send(TYPED["text of bob"], 0)
        with pytest.raises(LocalError):
            alice.smp_start(TYPED["smp secret"], 0)
        self.moment("bob was told")

    def key_files(self) -> None:
        key = self.pair.alice._our_key
        written = write_private_keys(
            [AccountKey("alice@a.example", "prpl-jabber", key)]
        )
        read = [read_private_keys(written)]
        for position in range(0, len(written), 5):
            for damaged in (
                written[:position],
                written[:position] + b"(" + written[position + 1 :],
                written[:position] + b"0" + written[position + 1 :],
            ):
                try:
                    read.append(read_private_keys(damaged))
                except LocalError:
                    continue
        for stored in (key.to_bytes()[:-1], key.to_bytes() + b"\0", b""):
            with pytest.raises(LocalError):
                PrivateKey.from_bytes(stored)
        known = KnownFingerprint("b@b.example", "a@a.example", "p", bytes(20), "smp")
        read_fingerprints(write_fingerprints([known]))
        self.moment("key files", *read)


@functools.cache
def story() -> Story:
    with pytest.MonkeyPatch.context() as patch:
        teller = Teller()
        watch(patch, teller.ledger)
        teller.agree("first")
        teller.talk()
        teller.forge()
        teller.forge_exchange()
        question = TYPED["question"]
        teller.compare(question=None, word="smp secret", prefix="same")
        teller.compare(question=question, word="wrong smp secret", prefix="differs")
        teller.extra_keys()
        teller.agree("re-key")
        teller.leave_and_cheat()
        teller.agree("another")
        teller.end()
        teller.key_files()
    return Story(teller.shown, teller.ledger, teller.public)


MOMENTS = [
    *(
        f"{exchange}: {moment}"
        for exchange in ("first", "re-key", "another")
        for moment in (
            "bob committed",
            "alice sent g^y",
            "bob revealed",
            "alice is encrypted",
            "both are encrypted",
        )
    ),
    "texts both ways",
    "a text in clear",
    "forged data messages",
    "forged exchanges",
    *(
        f"{run}: {moment}"
        for run in ("same", "differs")
        for moment in (
            "alice asked",
            "bob is asked",
            "bob answered",
            "alice compares",
            "over",
        )
    ),
    "a comparison aborted",
    "comparisons cheated",
    "extra keys",
    "alice ended",
    "bob was told",
    "key files",
]


@pytest.mark.hostile("G40")
@pytest.mark.parametrize("moment", MOMENTS)
def test_no_object_or_output_shows_a_secret(moment: str) -> None:
    told = story()

    assert told.shown[moment]
    assert leaks(told.shown[moment], told.secrets) == []


@pytest.mark.hostile("G40")
@pytest.mark.parametrize("moment", ["bob committed", "alice sent g^y"])
@pytest.mark.parametrize("exchange", ["first", "re-key", "another"])
def test_key_of_a_commit_is_not_shown_before_it_is_revealed(
    exchange: str, moment: str
) -> None:
    told = story()
    keys = {name: r for name, r in told.ledger.secrets.items() if name[:2] == "r "}
    # Those of earlier exchanges are public by now, and may be shown.
    n_earlier = ["first", "re-key", "another"].index(exchange)
    unrevealed = dict(list(keys.items())[n_earlier:])

    assert unrevealed
    assert leaks(told.shown[f"{exchange}: {moment}"], unrevealed) == []


@pytest.mark.hostile("G40")
def test_no_exception_shows_a_secret() -> None:
    """Message, arguments, causes and contexts, and the traceback of each."""
    told = story()
    shown = []
    for error in told.ledger.raised:
        found: BaseException | None = error
        while found is not None:
            shown += [str(found), repr(found), repr(found.args), repr(vars(found))]
            found = found.__cause__ or found.__context__
        shown += traceback.TracebackException.from_exception(
            error, capture_locals=False
        ).format()

    assert len(told.ledger.raised) > 500
    assert leaks(dict.fromkeys(shown), told.secrets) == []


@pytest.mark.hostile("G40")
def test_nothing_the_program_prints_of_a_defect_shows_a_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = story()
    kinds = {str(error): error for error in told.ledger.raised}

    for error in kinds.values():
        entry._say_defect(ExceptionGroup("a task", [ValueError(error, TYPED)]))
        entry._say_defect(error)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "RemoteError" in printed.err
    assert leaks([printed.err], told.secrets) == []


@pytest.mark.hostile("G40")
def test_package_prints_and_logs_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    story.cache_clear()

    story()

    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


# --- the search can find something --------------------------------------------------


def test_story_has_every_kind_of_secret() -> None:
    kinds = {name.rsplit(" ", 1)[0] for name in story().secrets}

    assert kinds >= {
        "exponent",
        "shared secret",
        "x",
        "bob_aes",
        "alice_aes",
        "bob_m1",
        "bob_m2",
        "alice_m1",
        "alice_m2",
        "send_aes",
        "receive_aes",
        "send_mac",
        "extra",
        "extra key used",
    }
    assert len(story().secrets) > 100


def test_story_reaches_every_part_of_an_end() -> None:
    shown = "\n".join(line for lines in story().shown.values() for line in lines)

    for kind in (
        Instances,
        Ratchet,
        PairKeys,
        PrivateKey,
        DhKeyPair,
        Exponent,
        Inject,
    ):
        assert kind.__name__ in shown


PRINTERS: dict[str, Callable[[bytes], str]] = {
    "bytes": repr,
    "bytearray": lambda value: repr(bytearray(value)),
    "hex": bytes.hex,
    "HEX": lambda value: value.hex().upper(),
    "spaced hex": lambda value: value.hex(" "),
    "number": lambda value: str(int.from_bytes(value, "big")),
    "hex number": lambda value: hex(int.from_bytes(value, "big")),
    "base64": lambda value: base64.b64encode(b"abc" + value).decode(),
    "list": lambda value: str(list(value)),
    "first half": lambda value: repr(value[: len(value) // 2 + 4]),
    "in words": lambda value: f"key {value!r} does not fit",
}


@pytest.mark.parametrize("form", PRINTERS)
def test_search_finds_a_secret_that_is_printed(form: str) -> None:
    secrets = {
        name: secret for name, secret in story().secrets.items() if len(secret) >= 16
    }

    found = {
        name: leaks([PRINTERS[form](secret)], {name: secret})
        for name, secret in secrets.items()
    }

    assert [name for name, leak in found.items() if leak != [name]] == []
