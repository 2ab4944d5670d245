"""Inputs made by hand: one of each kind, for the fuzzer to begin with.

Rule: they are made anew from what the engine writes today, so they never grow old;
the kept corpus need not repeat them.
"""

from typing import Any, Final

from coykiosk.otr.framing import ERROR_PREFIX, QUERY, WHITESPACE_TAG, armour, split
from coykiosk.otr.keyfile.files import AccountKey, write_private_keys
from coykiosk.otr.messages import RevealSig, Signature
from coykiosk.otr.primitives import P
from coykiosk.otr.spoken.digits import digits_of
from coykiosk.otr.spoken.hex import hex_of
from coykiosk.otr.spoken.words import words_of
from coykiosk.otr.wire import Tlv, encode_int, encode_mpi
from tests.fuzz.program import Do, Program, Step
from tests.otr.wiring import Pair, message_of, raw_of, recorded_key

_TAG_3: Final = WHITESPACE_TAG + "  \t\t  \t\t"


def reading_seeds() -> tuple[bytes, ...]:
    """Inputs of the parser target: its first byte, and what that reader takes."""
    raws = _messages()
    texts = [armour(raw) for raw in raws]
    texts += [QUERY, "?OTR?v23?", ERROR_PREFIX + "words", f"hello{_TAG_3}", "hello"]
    cut = [
        "\n".join(split(text, sender_tag=300, receiver_tag=0, max_chars=150))
        for text in texts[:2]
    ]
    fingerprint = recorded_key("bob").fingerprint
    key = recorded_key("bob")
    numbers = encode_int(6) + b"".join(map(encode_mpi, (4, 9, 7, 16, 9, 7)))
    tabbed = f"bob@b.example\talice@a.example\txmpp\t{fingerprint.hex()}\tsmp\n"
    words = "\n".join(" ".join(line) for line in words_of(fingerprint))
    return (
        *(bytes((number % 2,)) + text.encode() for number, text in enumerate(texts)),
        b"\2" + "hello".encode("utf-16-le"),
        *(b"\3" + text.encode() for text in cut),
        *(b"\4" + raw for raw in raws),
        b"\5\0\1\2\3\4\0\0\1\0\0\0\2\0\0\0\1x\0\0\0\1\xff",
        b"\6" + Tlv(1, b"").encode() + Tlv(8, b"\0\0\0\1data").encode() + b"\0\0\0\5x",
        b"\7" + key.public.encoded,
        b"\x08" + key.public.encoded + encode_int(1) + bytes(40),
        b"\x09\2" + numbers,
        b"\x09\7Where?\0" + numbers,
        b"\x09\5" + encode_int(3) + b"".join(map(encode_mpi, (P - 4, 9, 7))),
        b"\x0a\0\x2a" + raws[0],
        b"\x0b" + write_private_keys([AccountKey("alice@a.example", "xmpp", key)]),
        b"\x0c" + tabbed.encode() + tabbed.replace("\tsmp", "").encode(),
        b"\x0d# comment\nalice@a.example\txmpp\t27e31597\n",
        b"\x0e\0" + words.encode(),
        b"\x0e\1" + " ".join(digits_of(fingerprint)).encode(),
        b"\x0e\2" + " ".join(hex_of(fingerprint)).encode(),
        b"\x0f" + key.to_bytes(),
    )


def _messages() -> list[bytes]:
    """One of each binary message."""
    pair = Pair()
    raws = [raw_of(text) for text in pair.handshake().values()]
    outputs: Any = pair.bob.send("hello", pair.now)
    raws.append(raw_of(outputs[0].text))
    kinds = {type(message_of(armour(raw))) for raw in raws}
    assert {RevealSig, Signature} < kinds
    return raws


def program_seeds() -> tuple[bytes, ...]:
    """Inputs of the engine target, each a short story."""
    alice, bob, mallory = 0, 1, 2
    deliver = Step(Do.DELIVER_ALL)
    stories: list[tuple[int, tuple[Step, ...]]] = [
        (0, (Step(Do.SAY, bob, blob=b"hello Alice"), deliver)),
        (
            0,
            (
                Step(Do.SAY, bob, blob=b"late"),
                Step(Do.SAY, bob, blob=b"later"),
                Step(Do.DELIVER, bob, 0, alice),
                Step(Do.DELIVER, bob, 1, alice),
                Step(Do.DELIVER, bob, 0, alice),
            ),
        ),
        (
            0,
            (
                Step(Do.SAY, bob, blob=b"first words"),
                Step(Do.MANGLE, bob, blob=b"\0\x20\1"),
                Step(Do.EDIT, bob, c=1, d=3),
                deliver,
            ),
        ),
        (
            1,
            (
                Step(Do.HOSTILE, bob, 1, blob=Tlv(8, b"\0\0\0\1key").encode()),
                Step(Do.HOSTILE, bob, 1, blob=Tlv(1, b"").encode()),
            ),
        ),
        (1, (Step(Do.HOSTILE, bob, 0, d=0x14, blob=b"bad next key"),)),
        (1, (Step(Do.HOSTILE, bob, 2, 2, blob=b"\0\4\5\3\1\2"),)),
        (4, (Step(Do.SMP_ANSWER, alice), deliver)),
        (4, (Step(Do.SMP_ANSWER, alice, c=1, blob=b"wrong"), deliver)),
        (4, (Step(Do.SMP_ABORT, alice), deliver)),
        (
            4,
            (
                Step(Do.SMP_ANSWER, alice),
                Step(Do.REMIX, alice, c=0, blob=b"\0\x80\1"),
                deliver,
            ),
        ),
        (
            5,
            (
                deliver,
                Step(Do.SMP_ANSWER, bob),
                Step(Do.REMIX, bob, c=2, blob=b"\1\0"),
                deliver,
            ),
        ),
        (5, (deliver, Step(Do.ASK, bob), deliver)),
        (0, (Step(Do.ASK, alice), Step(Do.ASK, bob), deliver)),
        (0, (Step(Do.END, bob), deliver, Step(Do.SAY, alice, blob=b"into nothing"))),
        (
            0,
            (
                Step(Do.ASK, mallory),
                *(Step(Do.DELIVER_ALL, 1),) * 6,
                Step(Do.SAY, mallory, blob=b"I am Bob, really"),
                Step(Do.DELIVER, mallory, 0, alice),
            ),
        ),
        (
            2,
            (
                Step(Do.ASK, mallory),
                *(Step(Do.DELIVER_ALL, 1),) * 6,
                Step(Do.SAY, alice, c=1, blob=b"to Bob only"),
                deliver,
            ),
        ),
        (2, (Step(Do.SAY, bob, 50, blob=b"in pieces "), deliver)),
        (
            3,
            (
                Step(Do.ASK, alice),
                deliver,
                Step(Do.SAY, alice, blob=b"first words"),
                deliver,
            ),
        ),
        (
            0,
            (
                Step(Do.SAY, bob, blob=b"cut by the network"),
                Step(Do.CUT, bob, c=10),
                Step(Do.CUT, bob, c=10, d=0x12),
            ),
        ),
        (0, (Step(Do.FLOOD, alice | 4, 19, 40, 2), Step(Do.FLOOD, alice, 19, 10, 0))),
        (
            0,
            (
                Step(Do.WAIT, 5),
                Step(Do.SAY, bob, blob=b"after a long silence"),
                deliver,
            ),
        ),
        (0, (Step(Do.EXTRA_KEY, bob, 7, blob=b"for a file"), deliver)),
        (0, tuple(Step(Do.FORGE_AKE, d=4, b=1, c=kind) for kind in range(4))),
        (
            0,
            (
                Step(Do.FRAGMENT, alice, 1, 0x12, 0, b"?OTR:"),
                Step(Do.FRAGMENT, alice, 1, 0x22, 0, b"AAMD."),
            ),
        ),
        (0, (Step(Do.CROWD, alice, 19), Step(Do.CROWD, alice, 39, 1))),
        (1, (Step(Do.MEET, alice, 9), Step(Do.TRUST, alice, 2), deliver)),
        (
            0,
            (
                Step(Do.ASK, alice),
                Step(Do.DELIVER_ALL),
                Step(Do.EDIT, alice + 129, 0, 1, 0),
            ),
        ),
        *(
            (0, (Step(Do.WRITE, alice, b=kind, d=start, blob=b" words"),))
            for kind in range(4)
            for start in (0, 3, 7, 8, 9, 10, 11, 12)
        ),
    ]
    return tuple(
        Program(world, ending % 8, steps).encode()
        for ending, (world, steps) in enumerate(stories)
    )
