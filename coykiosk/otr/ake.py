"""The authenticated key exchange: who waits for what, and what proves what.

Rule: a message that fits the state is verified to its last byte before the state
changes; one that does not fit is ignored. A failed check raises `RemoteError` and
leaves everything as it was, so that a good message can still follow a forged one.

    state / in         our commit     D-H Commit        D-H Key      Reveal Sig  Sig
    IDLE               -> AW_DHKEY    new y, Key;       -            -           -
                                      -> AW_REVEALSIG
    AWAITING_DHKEY     replaces it    ours higher: our  Reveal Sig;  -           -
                                      Commit again;     -> AW_SIG;
                                      lower: as IDLE;   or anew (1)
                                      equal: -
    AWAITING_REVEALSIG held (2)       keep theirs, the  - (2)        Sig, done;  -
                                      same Key again                 -> IDLE
    AWAITING_SIG       held (2)       as IDLE           same g^y:    -           done;
                                                        Reveal Sig               -> IDLE
                                                        again; or (2)

    (1) Another instance has been shown the g^x of this commit: a fresh Commit goes
        out, and we await a D-H Key for that.
    (2) A commit to all instances, because one of them asked. It is taken up when
        this exchange is over, or by a D-H Key, which is then for that: Reveal Sig.
    Whoever waits gives up after 120 s; who gave way to a commit (lower, or as IDLE
    from AWAITING_SIG) starts again after 20 s, once (`tick`).

Bob is who commits, Alice is who answers with g^y. Source: OTRv3, "The protocol
state machine" and "Authenticated Key Exchange (AKE)".
"""

from dataclasses import dataclass
from typing import Final, assert_never

from coykiosk.otr.ake_states import (
    Agreement,
    AuthState,
    AwaitingDhKey,
    AwaitingRevealSig,
    AwaitingSig,
    Idle,
    PendingCommit,
    draw_commit,
    key_of,
)
from coykiosk.otr.dsa import PrivateKey
from coykiosk.otr.messages import (
    AkeMessage,
    DhCommit,
    DhKey,
    RevealSig,
    Signature,
)
from coykiosk.otr.primitives import (
    DhKeyPair,
    RandomBytes,
    aes_ctr,
    check_equal,
    sha256,
)
from coykiosk.otr.proof import check_proof, derive_secrets, prove
from coykiosk.otr.wire import Reader, encode_mpi

AKE_TIMEOUT_S: Final = 20.0
"""How long an end that we gave way to may stall before we start again, once."""
AKE_EXPIRE_S: Final = 120.0
"""How long exponents wait for an answer (libotr: 60 to 130 s)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a received message led to."""

    reply: AkeMessage | None = None
    agreement: Agreement | None = None


_IGNORED: Final = Step()


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    """A commit that went to all instances while this one was further."""

    commit: PendingCommit
    since: float
    """When it went out; monotonic seconds."""


class Ake:
    """The key exchange with one instance of the other end."""

    def __init__(
        self,
        our_key: PrivateKey,
        our_tag: int,
        their_tag: int,
        random_bytes: RandomBytes,
    ) -> None:
        self._our_key = our_key
        self._tags = (our_tag, their_tag)
        self._random_bytes = random_bytes
        self._state: AuthState = Idle()
        self._since = 0.0
        self._gave_way = False
        self._started_again = False
        self._held: _Held | None = None

    @property
    def state(self) -> AuthState:
        """What we wait for."""
        return self._state

    @property
    def awaits_answer(self) -> bool:
        """Whether a commit of ours is out that nobody has answered yet."""
        return isinstance(self._state, AwaitingDhKey) or self._held is not None

    def adopt(self, commit: PendingCommit, now: float) -> None:
        """Wait for the answer to a commit that was sent to all instances.

        An exchange that has gone further goes on: whoever asked may be another
        instance. The commit is held until this one ends, or until it is answered.
        """
        self._started_again = False
        self._drop_held()
        self._held = _Held(commit.copy(), now)
        if isinstance(self._state, Idle | AwaitingDhKey):
            self._take_up_held()

    def receive(self, message: AkeMessage, now: float) -> Step:
        """Take one message of this instance.

        Raises:
            RemoteError: it fits the state and fails a check; nothing changed.
        """
        match message:
            case DhCommit():
                return self._on_commit(message, now)
            case DhKey():
                return self._on_key(message, now)
            case RevealSig():
                return self._on_reveal_sig(message, now)
            case Signature():
                return self._on_signature(message, now)
            case _:
                assert_never(message)

    def deadline(self) -> float | None:
        """When `tick` is due; None while idle."""
        if isinstance(self._state, Idle):
            return None
        return self._since + (AKE_TIMEOUT_S if self._gave_way else AKE_EXPIRE_S)

    def tick(self, now: float) -> DhCommit | None:
        """Give up what waited too long; returns a commit to start again with."""
        due = self.deadline()
        if due is None or now < due:
            return None
        if not self._gave_way:
            self._finish(now)
            return None
        # COMPAT(otr3 2016): a peer that won the tie moves to a wrong state and the
        # exchange stalls. With several queries crossing, two ends can also both give
        # way. So start again; but once, or two such ends never stop.
        self._started_again = True
        return self._commit_anew(now)

    def abandon(self) -> None:
        """Forget the exchange and wipe its exponents."""
        self._drop_held()
        self._become(Idle(), self._since)

    def _finish(self, now: float) -> None:
        """This exchange is over; go on with the commit that was held, if any."""
        self._become(Idle(), now)
        if self._held is not None and now < self._held.since + AKE_EXPIRE_S:
            self._take_up_held()
        else:
            self._drop_held()

    def _take_up_held(self) -> None:
        held, self._held = self._held, None
        assert held is not None
        self._become(AwaitingDhKey(held.commit), held.since)

    def _drop_held(self) -> None:
        if self._held is not None:
            self._held.commit.key.wipe()
        self._held = None

    def _become(self, state: AuthState, now: float) -> None:
        old_key = key_of(self._state)
        # An exponent that the new state, or a session, goes on with stays.
        if old_key is not None and old_key is not key_of(state):
            old_key.wipe()
        self._state = state
        self._since = now
        self._gave_way = False

    def _on_commit(self, message: DhCommit, now: float) -> Step:
        match self._state:
            case AwaitingDhKey(ours) if ours.hashed_gx == message.hashed_gx:
                return _IGNORED  # our own promise, sent back to us
            case AwaitingDhKey(ours) if ours.hashed_gx > message.hashed_gx:
                self._since = now
                return Step(ours.message(*self._tags))
            case AwaitingRevealSig(key, before, was_first):
                gave_way = self._gave_way or self._held is not None
                is_first = was_first and before.hashed_gx == message.hashed_gx
            case _:
                key = DhKeyPair.draw(self._random_bytes)
                is_first = True
                had_committed = isinstance(self._state, AwaitingDhKey | AwaitingSig)
                gave_way = had_committed and not self._started_again
        self._become(AwaitingRevealSig(key, message, is_first), now)
        self._gave_way = gave_way
        return Step(DhKey(*self._tags, key.public))

    def _on_key(self, message: DhKey, now: float) -> Step:
        match self._state:
            case AwaitingDhKey(commit):
                pass
            case _ if self._held is not None:
                # The newest commit is the one that is answered; with the same g^y
                # as before, if our Reveal Signature for that was lost.
                commit = self._held.commit
            case AwaitingSig(gy=gy, reveal_sig=reveal_sig) if gy == message.gy:
                self._since = now
                return Step(reveal_sig)
            case _:
                return _IGNORED
        if commit.promise.is_kept:
            # Another instance, which may be nobody, has been shown our g^x, so that
            # this g^y can have been chosen by it. Promise something else.
            return Step(self._commit_anew(now))
        shared = commit.key.shared_secret(message.gy)
        secrets = derive_secrets(shared)
        encrypted, mac = prove(
            self._our_key,
            ours_then_theirs=commit.key.public_mpi + encode_mpi(message.gy),
            aes_key=secrets.bob_aes,
            m1=secrets.bob_m1,
            m2=secrets.bob_m2,
        )
        reveal_sig = RevealSig(*self._tags, commit.r, encrypted, mac)
        commit.promise.is_kept = True
        self._held = None  # if it was held, it goes on as the state
        self._become(
            AwaitingSig(commit, message.gy, shared, secrets, reveal_sig, now), now
        )
        return Step(reveal_sig)

    def _commit_anew(self, now: float) -> DhCommit:
        commit = draw_commit(self._random_bytes)
        self._drop_held()
        self._become(AwaitingDhKey(commit), now)
        return commit.message(*self._tags)

    def _on_reveal_sig(self, message: RevealSig, now: float) -> Step:
        if not isinstance(self._state, AwaitingRevealSig):
            return _IGNORED
        key, commit = self._state.key, self._state.commit
        is_fair = self._state.is_first
        gx_mpi = aes_ctr(message.r, commit.encrypted_gx)
        check_equal(sha256(gx_mpi), commit.hashed_gx, "hash of g^x")
        gx = _read_only_mpi(gx_mpi)
        shared = key.shared_secret(gx)
        secrets = derive_secrets(shared)
        their_keyid, fingerprint = check_proof(
            message.encrypted_signature,
            message.mac,
            our_fingerprint=self._our_key.fingerprint,
            theirs_then_ours=gx_mpi + key.public_mpi,
            aes_key=secrets.bob_aes,
            m1=secrets.bob_m1,
            m2=secrets.bob_m2,
        )
        encrypted, mac = prove(
            self._our_key,
            ours_then_theirs=key.public_mpi + gx_mpi,
            aes_key=secrets.alice_aes,
            m1=secrets.alice_m1,
            m2=secrets.alice_m2,
        )
        agreement = Agreement(
            our_key=key.copy(),
            their_public=gx,
            their_keyid=their_keyid,
            shared=shared,
            ssid=secrets.ssid,
            fingerprint=fingerprint,
            our_half_first=False,
            is_fair=is_fair,
        )
        self._finish(now)
        return Step(Signature(*self._tags, encrypted, mac), agreement)

    def _on_signature(self, message: Signature, now: float) -> Step:
        if not isinstance(self._state, AwaitingSig):
            return _IGNORED
        state = self._state
        key, secrets = state.commit.key, state.secrets
        their_keyid, fingerprint = check_proof(
            message.encrypted_signature,
            message.mac,
            our_fingerprint=self._our_key.fingerprint,
            theirs_then_ours=encode_mpi(state.gy) + key.public_mpi,
            aes_key=secrets.alice_aes,
            m1=secrets.alice_m1,
            m2=secrets.alice_m2,
        )
        agreement = Agreement(
            our_key=key.copy(),
            their_public=state.gy,
            their_keyid=their_keyid,
            shared=state.shared,
            ssid=secrets.ssid,
            fingerprint=fingerprint,
            our_half_first=True,
            is_fair=True,
        )
        self._finish(now)
        return Step(agreement=agreement)


def _read_only_mpi(data: bytes) -> int:
    reader = Reader(data)
    value = reader.mpi()
    reader.finish()
    return value
