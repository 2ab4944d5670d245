"""The way from a list of servers to one account: what to try next, and when to stop.

Rule: sans-IO. An outcome of the last attempt comes in, the next effect goes out; no
answer of any server is a dead end, and the machine always ends. A registration
gets an identity of its own, also the second one at the same server: no name and no
password is ever put into two registrations, so nobody can link the two. Only the
question whether a lost registration went through (LOG_IN) uses an identity again.

What an outcome leads to while REGISTERing (first rule that fits):

    outcome                          next effect
    -------------------------------  ------------------------------------------
    Succeeded                        Enrolled
    Refused conflict                 same way, new name; 3 names, then leave
    Refused policy-violation, wait   same way, new circuit, once; then leave
    Refused forbidden                same way, new circuit, once; then leave
    Refused, any other               leave (resource-constraint is "busy": on an
                                     onion all users share one slot)
    RegistrationClosed, NeedsForm,   leave
      NeedsCaptcha, WebOnly,
      InvitationRefused
    PuzzleLost                       same way, new circuit, once; then leave
    Skipped; not submitted           leave
    Skipped; submitted               leave; the account may exist: unresolved
    Unreachable, CertificateBad      leave; the server's exit way comes up later
    Silent, Broken; not submitted    leave
    Silent, Broken; submitted        same way, new circuit, LOG_IN, once
    LoginRefused, Confused           leave; the account may exist: unresolved

and while LOGging_IN:

    Succeeded                        Enrolled
    LoginRefused not-authorized      leave; there is no such account
    any other                        leave; the account may exist: unresolved

"Leave" goes on to the next server; with none left, to GiveUp. A server whose onion
cannot be reached keeps its place in line for its exit way, if its record allows
exits, and that way is taken only when no onion of a better tier is left: an exit
sees who is visited. So every server is visited at most once by each way, with at
most 3 names, 1 more circuit, 1 more puzzle and 1 login: 6 attempts a visit.

States: NEW -start-> TRYING -feed-> TRYING | DONE; anything else is a FlowError.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from coykiosk.ports import RandomBytes
from coykiosk.register.identity import Identity, draw_identity
from coykiosk.register.records import Route, Server, tier_of
from coykiosk.register.steps import (
    Attempt,
    AttemptKind,
    Broken,
    CertificateBad,
    Confused,
    Effect,
    Enrolled,
    GiveUp,
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
    Tried,
    Unreachable,
    Unresolved,
    WebOnly,
)

__all__ = [
    "Attempt",
    "AttemptKind",
    "Broken",
    "CertificateBad",
    "Confused",
    "Effect",
    "Enrolled",
    "Enrolment",
    "FlowError",
    "GiveUp",
    "InvitationRefused",
    "LoginRefused",
    "NeedsCaptcha",
    "NeedsForm",
    "Outcome",
    "PuzzleLost",
    "Refused",
    "RegistrationClosed",
    "Silent",
    "Skipped",
    "Succeeded",
    "Tried",
    "Unreachable",
    "Unresolved",
    "WebOnly",
]

ONION_LIMIT_S: Final = 60.0
EXIT_LIMIT_S: Final = 30.0
MAX_NAMES: Final = 3
"""Names per visit that may be taken already. Three random names of 31 bits are
not all taken by chance: such a server says conflict and means something else."""
MAX_ATTEMPTS_PER_VISIT: Final = MAX_NAMES + 3  # a circuit, a puzzle, a login

_NO_SUCH_ACCOUNT: Final = "not-authorized"  # RFC 6120, section 6.5.10
_MAX_DRAWS: Final = 100


class FlowError(Exception):
    """The machine was used against its states: a bug of ours."""


class Enrolment:
    """One run from a list of servers to an account, or to the end of the list.

    Whoever runs it stores the identity of each REGISTER attempt as pending before
    carrying the attempt out. After each `feed` a pending identity may be dropped
    unless it is in the new effect or in `unresolved`.

    Args:
        servers_in_order: From `order_servers`, or one that a person chose.
        random_bytes: Where identities are drawn from.

    Raises:
        FlowError: two records have the same domain.
    """

    def __init__(
        self, servers_in_order: Sequence[Server], random_bytes: RandomBytes
    ) -> None:
        domains = {server.domain for server in servers_in_order}
        if len(domains) != len(servers_in_order):
            msg = "servers: a domain is there twice"
            raise FlowError(msg)
        self._random_bytes = random_bytes
        self._queue = [
            (server, server.routes()[0])
            for server in servers_in_order
            if server.routes()
        ]
        self._put_off: list[tuple[Server, Route]] = []
        self._attempt: Attempt | None = None
        self._is_started = False
        self._n_names = 0
        self._circuit_was_changed = False
        self._puzzle_was_lost = False
        self._lost: Outcome | None = None
        """How the registration ended that the login is to tell of."""
        self._used_localparts: set[str] = set()
        self._tried: list[Tried] = []
        self._unresolved: list[Unresolved] = []

    @property
    def tried(self) -> tuple[Tried, ...]:
        """The visits that gave us no account, in order."""
        return tuple(self._tried)

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """Accounts that may exist although we moved on; worth keeping as pending.

        They are given up, not forgotten: nobody else can use or delete them, so
        their passwords are kept until a server says that they do not exist.
        """
        return tuple(self._unresolved)

    def start(self) -> Effect:
        """Return the first effect.

        Raises:
            FlowError: started already.
        """
        if self._is_started:
            msg = "enrolment: started already"
            raise FlowError(msg)
        self._is_started = True
        return self._visit_next()

    def feed(self, outcome: Outcome) -> Effect:
        """Take what came of the last attempt and return the next effect.

        Raises:
            FlowError: no attempt is under way.
        """
        attempt = self._attempt
        if attempt is None:
            when = "ended already" if self._is_started else "not started"
            msg = f"enrolment: {when}"
            raise FlowError(msg)
        match attempt.kind:
            case AttemptKind.REGISTER:
                return self._after_registration(attempt, outcome)
            case AttemptKind.LOG_IN:
                return self._after_login(attempt, outcome)
            case never:
                assert_never(never)

    def _after_registration(self, attempt: Attempt, outcome: Outcome) -> Effect:
        match outcome:
            case Succeeded():
                return self._enrol(attempt)
            case Refused():
                return self._after_refusal(attempt, outcome)
            case Silent(submitted=True) | Broken(submitted=True):
                self._lost = outcome
                self._attempt = replace(
                    attempt, kind=AttemptKind.LOG_IN, fresh_circuit=True
                )
                return self._attempt
            case Unreachable() | CertificateBad():
                self._put_off += _later_ways(attempt)
            case LoginRefused() | Confused() | Skipped(submitted=True):
                self._keep_unresolved(attempt)
            case PuzzleLost() if not self._puzzle_was_lost:
                self._puzzle_was_lost = True
                return self._register(attempt.server, attempt.route, fresh_circuit=True)
            case RegistrationClosed() | NeedsForm() | NeedsCaptcha() | WebOnly():
                pass
            case Silent() | Broken() | Skipped() | PuzzleLost() | InvitationRefused():
                pass
            case never:
                assert_never(never)
        return self._leave(attempt, outcome)

    def _after_refusal(self, attempt: Attempt, refused: Refused) -> Effect:
        if refused.condition == "conflict" and self._n_names < MAX_NAMES:
            self._n_names += 1
            return self._register(attempt.server, attempt.route)
        if _is_about_the_circuit(refused) and not self._circuit_was_changed:
            self._circuit_was_changed = True
            return self._register(attempt.server, attempt.route, fresh_circuit=True)
        return self._leave(attempt, refused)

    def _after_login(self, attempt: Attempt, outcome: Outcome) -> Effect:
        match outcome:
            case Succeeded():
                return self._enrol(attempt)
            case LoginRefused(condition=condition) if condition == _NO_SUCH_ACCOUNT:
                # Nobody asked it to know the name: the cut is why there is none.
                return self._leave(attempt, self._lost or outcome)
            case _:  # anything else says nothing about the account
                self._keep_unresolved(attempt)
        return self._leave(attempt, outcome)

    def _enrol(self, attempt: Attempt) -> Enrolled:
        self._attempt = None
        return Enrolled(attempt.server, attempt.route, attempt.identity)

    def _keep_unresolved(self, attempt: Attempt) -> None:
        self._unresolved.append(
            Unresolved(attempt.server, attempt.route, attempt.identity)
        )

    def _leave(self, attempt: Attempt, outcome: Outcome) -> Effect:
        self._tried.append(Tried(attempt.server.domain, outcome, attempt.route))
        return self._visit_next()

    def _visit_next(self) -> Effect:
        # What was put off comes first among equals: it has waited longer.
        candidates = [*self._put_off, *self._queue[:1]]
        if not candidates:
            self._attempt = None
            return GiveUp(self.tried)
        chosen = min(candidates, key=lambda candidate: tier_of(candidate[1]))
        (self._put_off if chosen in self._put_off else self._queue).remove(chosen)
        self._n_names = 1
        self._circuit_was_changed = False
        self._puzzle_was_lost = False
        return self._register(*chosen, fresh_circuit=True)

    def _register(
        self, server: Server, route: Route, *, fresh_circuit: bool = False
    ) -> Attempt:
        self._attempt = Attempt(
            server=server,
            route=route,
            identity=self._draw_unused_identity(),
            kind=AttemptKind.REGISTER,
            limit_s=ONION_LIMIT_S if route.is_onion else EXIT_LIMIT_S,
            fresh_circuit=fresh_circuit,
        )
        return self._attempt

    def _draw_unused_identity(self) -> Identity:
        for _ in range(_MAX_DRAWS):
            identity = draw_identity(self._random_bytes)
            if identity.localpart not in self._used_localparts:
                self._used_localparts.add(identity.localpart)
                return identity
        msg = "identity: the random source is stuck"
        raise RuntimeError(msg)


def _is_about_the_circuit(refused: Refused) -> bool:
    """Tell whether another exit might be let in where this one was not.

    Prosody: "too many registrations from this IP address" is policy-violation,
    wait; a blocked address is forbidden with it, and with ejabberd's ip_access.
    """
    match (refused.condition, refused.error_type):
        case ("policy-violation", "wait") | ("forbidden", _):
            return True
        case _:
            return False


def _later_ways(attempt: Attempt) -> list[tuple[Server, Route]]:
    ways = attempt.server.routes()
    rest = ways[ways.index(attempt.route) + 1 :]
    return [(attempt.server, way) for way in rest]
