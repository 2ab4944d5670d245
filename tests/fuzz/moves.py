"""What each step of a program does to a play.

Rule: a step never fails: what it names is taken modulo what there is, and when there
is nothing it does nothing. So any bytes are a program that can be played.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from coykiosk.otr import Instances
from coykiosk.otr.framing import (
    ERROR_PREFIX,
    QUERY,
    WHITESPACE_TAG,
    Binary,
    armour,
    split,
)
from coykiosk.otr.messages import DataMessage
from tests.fuzz.checks import require
from tests.fuzz.hostile import (
    RECEIVER,
    any_tag,
    commit_of_nobody,
    edited,
    forge_exchange,
    seal_as,
    words_of,
)
from tests.fuzz.inside import another_device, fingerprint_of
from tests.fuzz.ledger import decoded, reading
from tests.fuzz.play import SECRET, Play
from tests.fuzz.program import Do, Step
from tests.fuzz.scene import NAMES
from tests.otr.wiring import injected

_WAITS_S: Final = (0.5, 5.0, 20.0, 60.0, 119.0, 121.0, 600.0, 1e6)
_STARTS: Final = (
    *("", "?OTR:AAMD", "?OTR:AAMC", "?OTR:", "?OTR|", "?OTR,", "?OTR"),
    *(QUERY, "?OTRv2?", "?OTR?v23?", ERROR_PREFIX, WHITESPACE_TAG),
    *(WHITESPACE_TAG + "  \t\t  \t\t", "?OTR|5a73a599|27e31597,00001,00002,"),
)
_CHARS: Final = ("x", "\N{LATIN SMALL LETTER C WITH CARON}", "\N{PILE OF POO}", "")
_MAX_FLOOD: Final = 20
_FLOOD_CHARS: Final = 2048
_MAX_CARRIED: Final = 8
_MAX_CROWD: Final = 40
_MAX_MET: Final = 10
_REFLECTED: Final = 128


def _who(step: Step) -> str:
    return NAMES[step.a % len(NAMES)]


def _spoken(play: Play, step: Step) -> str | None:
    """What somebody has put on the wire, the newest first."""
    air = play.scene.air[_who(step)]
    return air[-1 - step.b % len(air)] if air else None


def _say(play: Play, step: Step) -> None:
    name = _who(step)
    end = play.scene.ends[name]
    text = (step.blob * (1 + step.b)).decode("utf-8", "replace").replace("\0", "")
    if step.c & 1 == 0:
        play.act(name, lambda end, now: end.send(text, now), text=text)
        return
    # To one key, or to nobody.
    meant = play.scene.fingerprints[NAMES[step.c % len(NAMES)]]
    already = len(play.scene.air[name])
    play.act(name, lambda end, now: end.send(text, now, fingerprint=meant), text=text)
    for carried in play.scene.air[name][already:]:
        inbound = reading(carried)
        if isinstance(inbound, Binary):
            message = decoded(inbound.raw)
            require(isinstance(message, DataMessage), "said by an exchange")
            assert isinstance(message, DataMessage)
            to = fingerprint_of(end, message.head.receiver_tag)
            require(to == meant, "said to another key")


def _deliver(play: Play, step: Step) -> None:
    text = _spoken(play, step)
    if text is not None:
        play.deliver(NAMES[step.c % len(NAMES)], text)


def _deliver_all(play: Play, step: Step) -> None:
    if step.a & 1 == 0:
        play.converse()
        return
    for name, other in (("mallory", "alice"), ("alice", "mallory")):
        for text in play.scene.air[name][-_MAX_CARRIED:]:
            play.deliver(other, text)


def _write(play: Play, step: Step) -> None:
    match step.b % 4:
        case 0:
            text = step.blob.decode("latin-1")
        case 1:
            text = step.blob.decode("utf-8", "surrogateescape")
        case 2:
            text = armour(step.blob)
        case _:
            text = step.blob.decode("utf-16-le", "replace")
    play.deliver(_who(step), _STARTS[step.d % len(_STARTS)] + text)


def changed(data: bytes, step: Step) -> bytes:
    """Bytes with a piece flipped, overwritten, cut off, added, taken out or put in."""
    at = int.from_bytes(step.blob[:2], "big") % (len(data) + 1)
    new = step.blob[2:] or b"\xff"
    match step.d % 6:
        case 0:
            flipped = bytes(a ^ b for a, b in zip(data[at:], new, strict=False))
            return data[:at] + flipped + data[at + len(flipped) :]
        case 1:
            return data[:at] + new[: len(data) - at] + data[at + len(new) :]
        case 2:
            return data[:at]
        case 3:
            return data + new
        case 4:
            return data[:at] + data[at + len(new) :]
        case _:
            return data[:at] + new + data[at:]


def _mangle(play: Play, step: Step) -> None:
    text = _spoken(play, step)
    if text is None:
        return
    inbound = reading(text)
    if isinstance(inbound, Binary) and step.c & 1 == 0:
        text = armour(changed(inbound.raw, step))
    else:
        text = changed(text.encode(), step).decode("latin-1")
    play.deliver(RECEIVER[_who(step)], text)


def _edit(play: Play, step: Step) -> None:
    inbound = reading(_spoken(play, step) or "")
    if isinstance(inbound, Binary):
        message = edited(decoded(inbound.raw), step, play.scene)
        author = _who(step)
        is_reflected = step.a >= _REFLECTED
        to = author if is_reflected else RECEIVER[author]
        play.deliver(to, armour(message.encode()))


def _hostile(play: Play, step: Step) -> None:
    _say_as(play, _who(step), words_of(play.scene, step), step.d)


def _say_as(play: Play, name: str, plaintext: bytes, bits: int) -> None:
    text = seal_as(play.scene, name, plaintext, bits)
    play.forget(name)
    if text is not None:
        play.deliver(RECEIVER[name], text)


def _remix(play: Play, step: Step) -> None:
    """What an end has said, changed and said again with its own keys."""
    inbound = reading(_spoken(play, step) or "")
    if not isinstance(inbound, Binary):
        return
    for words in reversed(play.scene.ledger.words.values()):
        if words.plaintext and inbound.raw.startswith(words.key[0]):
            kind = Step(Do.REMIX, d=step.c, blob=step.blob)
            _say_as(play, _who(step), changed(words.plaintext, kind), step.d)
            return


def _forge_exchange(play: Play, step: Step) -> None:
    try:
        text = armour(forge_exchange(play.scene, step).encode())
    except OverflowError:  # a field cannot hold this
        return
    play.deliver("alice", text)


def _fragment(play: Play, step: Step) -> None:
    index, count = step.c >> 4, step.c & 15
    piece = step.blob.decode("latin-1")
    tags = f"|{any_tag(step.b & 15, play.scene):x}|{any_tag(step.d, play.scene):x}"
    head = "?OTR" if step.b & 16 else f"?OTR{tags}"
    play.deliver(_who(step), f"{head},{index:05},{count:05},{piece},")


def _cut(play: Play, step: Step) -> None:
    text = _spoken(play, step)
    if text is None or not isinstance(reading(text), Binary):
        return
    author = _who(step)
    receiver = RECEIVER[author]
    pieces = split(
        text,
        sender_tag=play.scene.tags[author],
        receiver_tag=play.scene.tags[receiver],
        max_chars=100 + 4 * step.c,
    )
    if step.d & 1:
        pieces.insert(step.d >> 4, pieces[step.d >> 4 & 3 % len(pieces)])
    if step.d & 2:
        del pieces[step.d >> 4 : (step.d >> 4) + 1]
    if step.d & 4:
        pieces.reverse()
    for piece in pieces:
        play.deliver(receiver, piece)


def _flood(play: Play, step: Step) -> None:
    piece = _CHARS[step.d % len(_CHARS)] * (_FLOOD_CHARS * (1 + step.c))
    for number in range(1 + step.b % _MAX_FLOOD):
        tag = 0x1000 + (number if step.a & 4 else 0)
        index = 1 if step.a & 4 else 1 + number
        play.deliver(_who(step), f"?OTR|{tag:x}|0,{index},64,{piece},")


def _crowd(play: Play, step: Step) -> None:
    name = _who(step)
    to = play.scene.tags[name]
    for number in range(1 + step.b % _MAX_CROWD):
        tag = 0x1000 + (number if step.c % 3 == 0 else 0)
        commit = commit_of_nobody(tag, to, number + (step.d << 8))
        play.deliver(name, QUERY if step.c % 3 == 1 else armour(commit.encode()))


def _meet(play: Play, step: Step) -> None:
    """Mallory comes from one device after the other, and agrees with Alice."""
    scene = play.scene
    for number in range(1 + step.b % _MAX_MET):
        scene.tags["mallory"] = tag = 0x2000 + step.c + number
        scene.ends["mallory"] = another_device(scene.ends["mallory"], tag)
        play.forget("mallory")
        waiting = [("alice", QUERY)] if step.a & 1 else [("mallory", QUERY)]
        for _ in range(_MAX_CARRIED):
            if waiting:
                to, text = waiting.pop(0)
                answers = play.deliver(to, text)
                other = "alice" if to == "mallory" else "mallory"
                waiting += [(other, text) for text in injected(answers)]


def _trust(play: Play, step: Step) -> None:
    names = [name for bit, name in enumerate(NAMES) if step.b >> bit & 1]
    trusted = [play.scene.fingerprints[name] for name in names]
    play.scene.ends[_who(step)].trust(trusted)


def _wait(play: Play, step: Step) -> None:
    play.wait(_WAITS_S[step.a % len(_WAITS_S)])


def _ask(play: Play, step: Step) -> None:
    play.act(_who(step), Instances.ask)


def _end(play: Play, step: Step) -> None:
    play.act(_who(step), Instances.end)


def _smp_start(play: Play, step: Step) -> None:
    question = step.blob.decode("utf-8", "replace") if step.b & 1 else None
    secret, tag = _secret(step), _to_tag(play, step)
    play.act(
        _who(step),
        lambda end, now: end.smp_start(
            secret, now, question=question, instance_tag=tag
        ),
        secret=secret,
    )


def _smp_answer(play: Play, step: Step) -> None:
    secret, tag = _secret(step), _to_tag(play, step)
    play.act(
        _who(step),
        lambda end, now: end.smp_answer(secret, now, instance_tag=tag),
        secret=secret,
    )


def _secret(step: Step) -> str:
    return SECRET if step.c & 1 == 0 else step.blob.decode("latin-1")


def _to_tag(play: Play, step: Step) -> int | None:
    return any_tag(step.d - 1, play.scene) if step.d else None


def _smp_abort(play: Play, step: Step) -> None:
    tag = _to_tag(play, step)
    play.act(_who(step), lambda end, now: end.smp_abort(now, instance_tag=tag))


def _extra_key(play: Play, step: Step) -> None:
    play.act(
        _who(step),
        lambda end, now: end.use_extra_key(step.b << 24, now, data=step.blob)[1],
    )


_MOVES: Final[Mapping[Do, Callable[[Play, Step], None]]] = MappingProxyType(
    {
        Do.SAY: _say,
        Do.DELIVER: _deliver,
        Do.DELIVER_ALL: _deliver_all,
        Do.WRITE: _write,
        Do.MANGLE: _mangle,
        Do.EDIT: _edit,
        Do.HOSTILE: _hostile,
        Do.FORGE_AKE: _forge_exchange,
        Do.FRAGMENT: _fragment,
        Do.CUT: _cut,
        Do.FLOOD: _flood,
        Do.WAIT: _wait,
        Do.ASK: _ask,
        Do.END: _end,
        Do.SMP_START: _smp_start,
        Do.SMP_ANSWER: _smp_answer,
        Do.SMP_ABORT: _smp_abort,
        Do.EXTRA_KEY: _extra_key,
        Do.REMIX: _remix,
        Do.CROWD: _crowd,
        Do.MEET: _meet,
        Do.TRUST: _trust,
    }
)


def move(play: Play, step: Step) -> None:
    """Carry out one step."""
    _MOVES[step.do](play, step)
