"""How inputs are changed, knowing what they are made of.

Rule: a mutator is given the fuzzer's own mutator (`havoc`), which knows nothing, and
shows it the part that is worth changing: the bytes inside the armour, the blob of one
step. The same seed gives the same input.
"""

import binascii
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.fuzz.program import MAX_STEPS, Do, Program, Step

Havoc = Callable[[bytes, int], bytes]
"""Changes some bytes; the result has at most so many."""

_START: Final = b"?OTR:"
_MAX_BLOB: Final = 255
_INTERESTING: Final = (0, 0, 0, 1, 1, 2, 3, 4, 7, 8, 16, 128, 255)


def mutate_reading(data: bytes, max_size: int, seed: int, havoc: Havoc) -> bytes:
    """Change an input of the parser target, inside its armour when it has one."""
    chance = random.Random(seed)  # noqa: S311 # repeatable, and protects nothing
    start, mark, rest = data.partition(_START)
    armoured, stop, end = rest.partition(b".")
    if not mark or not stop or chance.random() < 1 / 3:
        return havoc(data, max_size)
    try:
        raw = binascii.a2b_base64(armoured)
    except binascii.Error:
        return havoc(data, max_size)
    inside = (max_size - len(start) - len(end) - len(mark) - 1) * 3 // 4 - 2
    if inside < 1:
        return havoc(data, max_size)
    changed = binascii.b2a_base64(havoc(raw, inside), newline=False)
    return (start + mark + changed + stop + end)[:max_size]


def mutate_program(data: bytes, max_size: int, seed: int, havoc: Havoc) -> bytes:
    """Change an input of the engine target: one step, or the order of several."""
    chance = random.Random(seed)  # noqa: S311 # repeatable, and protects nothing
    program = Program.read(data)
    steps = list(program.steps)
    world, ending = program.world, program.ending
    at = chance.randrange(len(steps) + 1)
    match chance.randrange(10):
        case 0 | 1 | 2:
            steps.insert(at, _any_step(chance))
        case 3 if steps:
            del steps[at % len(steps)]
        case 4 if steps:
            steps.insert(at, chance.choice(steps))
        case 5 if steps:
            steps[at % len(steps)], steps[0] = steps[0], steps[at % len(steps)]
        case 6:
            world, ending = chance.randrange(8), chance.randrange(16)
        case 7 | 8 if steps:
            steps[at % len(steps)] = _changed(steps[at % len(steps)], chance, havoc)
        case _:
            return havoc(data, max_size)
    return Program(world, ending, tuple(steps[:MAX_STEPS])).encode()[:max_size]


def cross_programs(one: bytes, other: bytes, max_size: int, seed: int) -> bytes:
    """Put the beginning of one program before the end of another."""
    chance = random.Random(seed)  # noqa: S311 # repeatable, and protects nothing
    first, second = Program.read(one), Program.read(other)
    head = first.steps[: chance.randrange(len(first.steps) + 1)]
    tail = second.steps[chance.randrange(len(second.steps) + 1) :]
    steps = (head + tail)[:MAX_STEPS]
    return Program(first.world, second.ending, steps).encode()[:max_size]


def _changed(step: Step, chance: random.Random, havoc: Havoc) -> Step:
    value = _any_byte(chance)
    match chance.randrange(6):
        case 0:
            return replace(step, a=value)
        case 1:
            return replace(step, b=value)
        case 2:
            return replace(step, c=value)
        case 3:
            return replace(step, d=value)
        case _:
            return replace(step, blob=havoc(step.blob, _MAX_BLOB)[:_MAX_BLOB])


def _any_step(chance: random.Random) -> Step:
    a, b, c, d = (_any_byte(chance) for _ in range(4))
    blob = chance.randbytes(chance.choice((0, 0, 1, 2, 4, 12, 40)))
    return Step(chance.choice(list(Do)), a, b, c, d, blob)


def _any_byte(chance: random.Random) -> int:
    if chance.random() < 1 / 4:
        return chance.randrange(256)
    return chance.choice(_INTERESTING)
