"""Coverage-guided fuzzing of the OTR engine, for so many seconds.

Run it from the top of the checkout: `python -m tests.fuzz --seconds 30`. README.md
says what is fuzzed, and what to do about a finding.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.fuzz.dictionary import as_file
from tests.fuzz.keeping import worth_keeping
from tests.fuzz.targets import TARGETS, kept, kept_folder, make_target, seeds

ROOT: Final = Path(__file__).parent.parent.parent
_FINDINGS: Final = ROOT / "build" / "fuzz"
_MAX_INPUT_BYTES: Final = 4096
_INPUT_TIMEOUT_S: Final = 20  # thousands of times what any input takes
_START_UP_S: Final = 120
_SEED: Final = 20260101
_STATUS: Final = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")


def main() -> int:
    """Fuzz, replay or keep; returns 0 when nothing was found."""
    parser = _parser()
    arguments = parser.parse_args()
    names: list[str] = [arguments.target] if arguments.target else list(TARGETS)
    if arguments.replay:
        if arguments.target is None:
            parser.error("--replay needs --target")
        return _replay(arguments.target, arguments.replay)
    if arguments.keep:
        for name in names:
            _keep(name, arguments.keep / name)
        return 0
    with ThreadPoolExecutor(len(names)) as side_by_side:
        statuses = side_by_side.map(
            lambda name: fuzz(
                name, arguments.seconds, arguments.memory_mb, arguments.save
            ),
            names,
        )
    return max(statuses)


def fuzz(name: str, seconds: int, memory_mb: int, save: Path | None) -> int:
    """Fuzz one target in a child of ours; returns 0 when nothing was found."""
    findings = _FINDINGS / name
    findings.mkdir(parents=True, exist_ok=True)
    log = findings / "log.txt"
    with tempfile.TemporaryDirectory(prefix="coykiosk-fuzz-") as scratch:
        words = Path(scratch) / "words.dict"
        words.write_text(as_file())
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for data in (*seeds(name), *(file.read_bytes() for file in kept(name))):
            (corpus / _name(data)).write_bytes(data)
        command = [
            *(sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.child"),
            *(name, str(memory_mb)),
            f"-artifact_prefix={findings}/",
            f"-dict={words}",
            f"-max_len={_MAX_INPUT_BYTES}",
            f"-timeout={_INPUT_TIMEOUT_S}",
            f"-rss_limit_mb={memory_mb}",
            f"-seed={_SEED}",
            f"-max_total_time={seconds}",
            "-print_final_stats=1",
            str(corpus),
        ]
        ended = _run(command, log, seconds + _START_UP_S)
        if save is not None:
            shutil.copytree(corpus, save / name, dirs_exist_ok=True)
    return _report(name, ended, log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, help="this one only")
    parser.add_argument(
        "--seconds", type=int, default=30, help="how long; targets run side by side"
    )
    parser.add_argument(
        "--memory-mb", type=int, default=512, help="more than that is a finding"
    )
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="copy the grown corpus there"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep what is worth it of such a copy"
    )
    parser.add_argument(
        "--replay", type=Path, nargs="+", metavar="FILE", help="run these inputs once"
    )
    return parser


def _run(command: Sequence[str], log: Path, limit_s: float) -> int | None:
    """Run a child with its words in `log`; returns None when it did not end in time."""
    with log.open("wb") as out:
        child = subprocess.Popen(  # noqa: S603 # our own interpreter and module
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            return child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.kill()
            child.wait()


def _report(name: str, ended: int | None, log: Path) -> int:
    text = log.read_text(errors="replace")
    found = _STATUS.findall(text)
    if found:
        n_runs, coverage, features, n_corpus, size = found[-1]
        _say(
            f"{name}: {n_runs} executions, coverage {coverage}, features {features}, "
            f"corpus {n_corpus} inputs of {size}"
        )
    if ended == 0 and found:
        return 0
    how = "did not end in time" if ended is None else f"ended with {ended}"
    _say(f"{name}: {how}. The end of {log}:")
    _say("\n".join(text.splitlines()[-40:]))
    for artifact in re.findall(r"Test unit written to (\S+)", text):
        _say(
            f"{name}: the input is {artifact}; see it again by\n"
            f"    python -m tests.fuzz --target {name} --replay {artifact}"
        )
    return 1


def _replay(name: str, files: Sequence[Path]) -> int:
    run = make_target(name).run
    status = 0
    for file in files:
        began = time.process_time()
        try:
            run(file.read_bytes())
        except Exception:  # noqa: BLE001 # whatever it is, it is the finding
            status = 1
            _say(f"{file}:\n{traceback.format_exc()}")
        _say(f"{file}: {time.process_time() - began:.3f} s")
    return status


def _keep(name: str, grown: Path) -> None:
    """Replace the kept corpus by the inputs of it and of `grown` that are worth it."""
    files = [*kept(name), *grown.iterdir()]
    by_hand = set(seeds(name))
    inputs = [file.read_bytes() for file in files]
    chosen = worth_keeping(make_target(name).run, [*by_hand, *inputs])
    for file in kept(name):
        file.unlink()
    for data in chosen:
        if data not in by_hand:
            (kept_folder(name) / _name(data)).write_bytes(data)
    _say(f"{name}: {len(kept(name))} inputs kept of {len(files)}")


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
