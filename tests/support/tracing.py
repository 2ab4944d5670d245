"""What every process of a program did to the world, as the kernel saw it.

strace writes one file a process (-ff), so no line is torn. A process is named by
the program it last executed; a fork or thread begins with its parent's name.
"""

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_OPENERS = ("open", "openat", "openat2")
_MAKERS = (
    *("creat", "mkdir", "mkdirat", "mknod", "mknodat", "truncate"),
    *("rename", "renameat", "renameat2"),
    *("link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "rmdir"),
    *("chmod", "fchmodat", "chown", "lchown", "fchownat", "utimensat"),
    *("setxattr", "lsetxattr", "mount"),
)
_SENDERS = ("connect", "sendto", "sendmsg", "sendmmsg")
# With it the kernel would connect and write unseen by us.
_UNSEEN = "io_uring_setup"
_CALLS = ("network", "process", *_OPENERS, *_MAKERS, _UNSEEN)
_CALL = re.compile(r"^(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>\?|-?\w+)")
# A process that ended in the middle of a call leaves half a line.
_CUT_CALL = re.compile(r"^(?P<name>\w+)\((?P<args>.*)$")
_EXEC = re.compile(r'^execve\("(?P<path>[^"]+)"')
_PATH = re.compile(
    r'(?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<name>(?:[^"\\]|\\.)*)"'
)
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
_SOCKET = re.compile(r"^(?P<family>\w+), (?P<kind>\w+)")
_INET = re.compile(
    r"sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("(?P<v4>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")'
)
_UNIX = re.compile(r'sun_path=(?P<path>@?"[^"]*")')


def strace(argv: Sequence[str], *, to: Path) -> list[str]:
    """Return a command that runs `argv` and writes its traces into a folder.

    It ends when the last process it saw has ended, with the status of the first.
    """
    to.mkdir(parents=True, exist_ok=True)
    # -y: what a descriptor stands for; --seccomp-bpf: stop at these calls only.
    options = ["-ff", "-qq", "-y", "--seccomp-bpf", "-s", "64", "-e", "signal=none"]
    calls = ["-e", f"trace={','.join(_CALLS)}"]
    return ["strace", *options, *calls, "-o", str(to / "trace"), *argv]


@dataclass(frozen=True, slots=True, order=True)
class Contact:
    """A process addressed someone: by connect, or by a send with an address."""

    program: str
    """The name of the executable, without its folder."""
    where: str
    """"IP:port", or the path of a Unix socket, or "family AF_X"."""


@dataclass(frozen=True, slots=True, order=True)
class Bound:
    """A process gave a socket an address of its own."""

    program: str
    where: str
    """As in a `Contact`."""


@dataclass(frozen=True, slots=True, order=True)
class Opened:
    """A process made a socket."""

    program: str
    kind: str
    """Its family and type: "AF_INET SOCK_STREAM"."""


@dataclass(frozen=True, slots=True, order=True)
class Written:
    """A process made, changed or removed what has this path, or tried to."""

    program: str
    path: str


@dataclass(frozen=True, slots=True)
class _Line:
    program: str
    name: str
    args: str
    result: str


class Trace:
    """The traces in a folder, read after the program has ended."""

    def __init__(self, folder: Path) -> None:
        self._texts = {
            int(path.suffix[1:]): path.read_text(errors="replace").splitlines()
            for path in folder.glob("trace.*")
        }
        self._first_names = self._name_all()
        self._lines = list(self._read())

    @property
    def pids(self) -> set[int]:
        """The numbers of all processes and threads that ran."""
        return set(self._texts)

    @property
    def programs(self) -> set[str]:
        """The names of all executables that ran."""
        return {line.program for line in self._lines}

    def contacts(self) -> set[Contact]:
        """Whom each program addressed, tried addresses included."""
        found = set()
        for line in self._lines:
            if line.name in _SENDERS:
                where = _address(line.args)
                if where is not None:
                    found.add(Contact(line.program, where))
            elif line.name == _UNSEEN:
                found.add(Contact(line.program, _UNSEEN))
        return found

    def bound(self) -> set[Bound]:
        """Where each program could be addressed."""
        return {
            Bound(line.program, _address(line.args) or line.args)
            for line in self._lines
            if line.name == "bind"
        }

    def sockets(self) -> set[Opened]:
        """What kinds of socket each program made; pairs, which lead nowhere, aside."""
        found = set()
        for line in self._lines:
            kind = _SOCKET.match(line.args) if line.name == "socket" else None
            if kind is not None:
                found.add(Opened(line.program, f"{kind['family']} {kind['kind']}"))
        return found

    def written(self) -> set[Written]:
        """What each program wrote to, made or removed, on any file system."""
        found = set()
        for line in self._lines:
            opens = line.name in _OPENERS and _WRITES.search(line.args)
            if opens or line.name in _MAKERS:
                found |= {
                    Written(line.program, os.path.join(folder, name))  # noqa: PTH118 - "" is no folder
                    for folder, name in _PATH.findall(line.args)
                }
        return found

    def _name_all(self) -> dict[int, str]:
        """Return the name with which each process began."""
        names: dict[int, str] = {}
        started = {
            child
            for texts in self._texts.values()
            for child in map(_child_of, texts)
            if child is not None
        }
        waiting = [pid for pid in self._texts if pid not in started]
        while waiting:
            pid = waiting.pop()
            program = names.setdefault(pid, "?")
            for text in self._texts.get(pid, ()):
                program = _executed(text) or program
                child = _child_of(text)
                if child is not None and child not in names:
                    names[child] = program
                    waiting.append(child)
        return names

    def _read(self) -> Iterator[_Line]:
        for pid, texts in self._texts.items():
            program = self._first_names.get(pid, "?")
            for text in texts:
                program = _executed(text) or program
                call = _CALL.match(text)
                cut = _CUT_CALL.match(text) if call is None else None
                if call is not None:
                    yield _Line(program, call["name"], call["args"], call["result"])
                elif cut is not None:
                    yield _Line(program, cut["name"], cut["args"], "?")


def _executed(text: str) -> str | None:
    """Return the name of the program that this line begins to execute, if any."""
    executed = _EXEC.match(text)
    return Path(executed["path"]).name if executed and text.endswith("= 0") else None


def _child_of(text: str) -> int | None:
    """Return the number of the process that this line started, if any."""
    call = _CALL.match(text)
    if call is None or call["name"] not in {"clone", "clone3", "fork", "vfork"}:
        return None
    return int(call["result"]) if call["result"].isdecimal() else None


def _address(args: str) -> str | None:
    inet = _INET.search(args)
    if inet:
        return f"{inet['v4'] or inet['v6']}:{inet['port']}"
    unix = _UNIX.search(args)
    if unix:
        return unix["path"].replace('"', "")
    family = re.search(r"sa_family=(AF_\w+)", args)
    return f"family {family[1]}" if family else None
