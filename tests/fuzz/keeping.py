"""Which inputs are worth keeping: the smallest that take every way there is.

Rule: a way is a step from one line to another within the engine, and about how often
it is taken. That is coarser than what the fuzzer goes by, and so the kept corpus is
small; and it needs no fuzzer.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import coykiosk.otr

Way = tuple[CodeType, int, int, int]
"""The function, from which line, to which, and how often: in powers of 32."""
_OFTEN: Final = 5
_ENGINE: Final = str(Path(coykiosk.otr.__file__).parent)


def worth_keeping(run: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Return the inputs that take a way none of the smaller ones takes.

    One that is a finding is left out: it is kept when the engine has been mended.
    """
    known: set[Way] = set()
    chosen: list[bytes] = []
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        try:
            ways = _ways(run, data)
        except Exception:  # noqa: BLE001, S112 # whatever it is, it is a finding
            continue
        if not ways <= known:
            known |= ways
            chosen.append(data)
    return chosen


def _ways(run: Callable[[bytes], None], data: bytes) -> set[Way]:
    times: Counter[tuple[CodeType, int, int]] = Counter()

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_ENGINE):
            return None
        last = -1

        def step(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal last
            # A return is a way, too; so is an error that passes through.
            here = frame.f_lineno if event == "line" else -2
            times[code, last, here] += 1
            last = here
            return step

        return step

    sys.settrace(enter)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return {(*way, n_times.bit_length() // _OFTEN) for way, n_times in times.items()}
