"""SRV over any stream: the questions as bytes, and what is made of the answers.

Rule: pure, and dnspython is used for its bytes alone: what it can do with sockets is
never imported. A resolver, and an exit on the way to it, may say what they like: an
answer only decides where we knock. Who opens is decided by the certificate, which must
be valid for the domain of the JID, on a learned onion too (`Route.onion_vouches`).

An answer must be whole and about nothing else. Of its records only SRV and CNAME in the
answer section are read; what the others hold is passed over.

Source: RFC 1035, section 4; RFC 2782; RFC 6120, section 3.2; RFC 7766; XEP-0368.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.wire

from coykiosk.ports import RandomBytes
from coykiosk.register import checks
from coykiosk.register.draw import below
from coykiosk.register.records import TlsMode
from coykiosk.session.targets import Answer, Target

__all__ = ["Inquiry", "Question", "SrvRefusedError", "read_answer"]

MAX_ANSWER_BYTES: Final = 4096
"""Of one message. An honest answer has some hundred bytes, padding included."""
MAX_RECORDS: Final = 32
"""In one answer section, and so many in the two after it."""
MAX_ALIASES: Final = 8
"""CNAME records from the name that was asked for to the one that has the answer."""
_BLOCK_BYTES: Final = 128  # RFC 8467, section 4.1: queries are padded to a multiple
_LENGTH_BYTES: Final = 2  # RFC 1035, section 4.2.2
_ID_BYTES: Final = 2
_RCODE_BITS: Final = 0x0F  # RFC 1035, section 4.1.1

_PREFIXES: Final = {
    TlsMode.DIRECT: "_xmpps-client._tcp",  # XEP-0368, section 3
    TlsMode.STARTTLS: "_xmpp-client._tcp",  # RFC 6120, section 3.2.1
}


class SrvRefusedError(Exception):
    """What a resolver said is not believed, and nor is anything else it says.

    Args:
        reason: Lower case, no full stop; never what was said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"srv: {reason}")


@dataclass(frozen=True, slots=True)
class Question:
    """One question, as it is asked and as an answer must repeat it."""

    message_id: int
    """16 random bits."""
    name: dns.name.Name
    tls: TlsMode

    @classmethod
    def about(cls, domain: str, tls: TlsMode, message_id: int) -> "Question":
        """Ask how a domain offers XMPP with this way of TLS.

        Raises:
            SrvRefusedError: the domain is no name that the DNS can have.
        """
        try:
            name = dns.name.from_text(f"{_PREFIXES[tls]}.{domain.rstrip('.')}.")
        except (dns.exception.DNSException, UnicodeError) as exc:
            reason = "the domain is no name of the DNS"
            raise SrvRefusedError(reason) from exc
        return cls(message_id, name, tls)

    def to_wire(self, *, padded: bool) -> bytes:
        """Return the message, with its length before it (RFC 1035, section 4.2.2).

        Args:
            padded: Hide how long the name is (RFC 7830), for use inside of TLS.
        """
        message = dns.message.make_query(
            self.name,
            dns.rdatatype.SRV,
            id=self.message_id,
            use_edns=0 if padded else None,
            pad=_BLOCK_BYTES if padded else 0,
        )
        wire = message.to_wire()
        return len(wire).to_bytes(_LENGTH_BYTES, "big") + wire


def read_answer(wire: bytes, question: Question) -> Answer | None:
    """Read one message; None when the resolver could not find out.

    Raises:
        SrvRefusedError: this is no answer to the question, or not only that.
    """
    if len(wire) > MAX_ANSWER_BYTES:
        reason = f"an answer of {len(wire)} bytes"
        raise SrvRefusedError(reason)
    try:
        return _Reader(wire, question).read()
    except dns.exception.DNSException as exc:
        reason = f"a damaged answer of {len(wire)} bytes"
        raise SrvRefusedError(reason) from exc


class _Reader:
    """One message, being read; raises DNSException where it ends too early."""

    def __init__(self, wire: bytes, question: Question) -> None:
        self._parser = dns.wire.Parser(wire)
        self._question = question
        self._aliases: dict[dns.name.Name, dns.name.Name] = {}
        self._records: list[tuple[dns.name.Name, Target | None]] = []
        """Owner and target; None stands for the root."""
        self._n_unusable = 0

    def read(self) -> Answer | None:
        n_records, n_others, rcode = self._read_header()
        self._read_question()
        for _ in range(n_records):
            self._read_record()
        for _ in range(n_others):
            self._pass_record()
        if self._parser.remaining():
            reason = "more than an answer"
            raise SrvRefusedError(reason)
        if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        self._check_owners()
        if self._records and rcode == dns.rcode.NXDOMAIN:
            reason = "records of a name that does not exist"
            raise SrvRefusedError(reason)
        targets = [target for _, target in self._records if target is not None]
        if self._n_unusable and not targets:
            reason = f"no usable target in {self._n_unusable} records"
            raise SrvRefusedError(reason)
        return Answer(tuple(targets), not_offered=bool(self._records) and not targets)

    def _read_header(self) -> tuple[int, int, int]:
        """Check the header (RFC 1035, section 4.1.1).

        Returns:
            The number of records in the answer and in the other two sections, and
            the response code.
        """
        message_id, flags, *counts = self._parser.get_struct("!HHHHHH")
        n_questions, n_records, n_others = counts[0], counts[1], sum(counts[2:])
        if message_id != self._question.message_id:
            reason = "an answer to nobody's question"
            raise SrvRefusedError(reason)
        if not flags & dns.flags.QR or dns.opcode.from_flags(flags) != dns.opcode.QUERY:
            reason = "no answer to a query"
            raise SrvRefusedError(reason)
        if flags & dns.flags.TC:  # there is nothing that would not fit into TCP
            reason = "a cut answer"
            raise SrvRefusedError(reason)
        if n_questions != 1 or max(n_records, n_others) > MAX_RECORDS:
            reason = f"{n_questions} questions, {n_records} and {n_others} records"
            raise SrvRefusedError(reason)
        return n_records, n_others, flags & _RCODE_BITS

    def _read_question(self) -> None:
        name = self._parser.get_name(decompress=True)
        kind, scope = self._parser.get_struct("!HH")
        wanted = (self._question.name, dns.rdatatype.SRV, dns.rdataclass.IN)
        if (name, kind, scope) != wanted:
            reason = "an answer to another question"
            raise SrvRefusedError(reason)

    def _read_record(self) -> None:
        owner = self._parser.get_name(decompress=True)
        kind, scope, _ttl, n_bytes = self._parser.get_struct("!HHIH")
        with self._parser.restrict_to(n_bytes):
            match (kind, scope):
                case (dns.rdatatype.SRV, dns.rdataclass.IN):
                    self._read_srv(owner)
                case (dns.rdatatype.CNAME, dns.rdataclass.IN):
                    if owner in self._aliases:
                        reason = "a name with two aliases"
                        raise SrvRefusedError(reason)
                    self._aliases[owner] = self._parser.get_name(decompress=True)
                case _:  # a DNAME, a signature: true or not, it sends us nowhere
                    self._parser.get_remaining()

    def _pass_record(self) -> None:
        self._parser.get_name(decompress=True)
        *_, n_bytes = self._parser.get_struct("!HHIH")
        self._parser.get_bytes(n_bytes)

    def _read_srv(self, owner: dns.name.Name) -> None:
        priority, weight, port = self._parser.get_struct("!HHH")
        # Compressed although RFC 2782 says that it must not be: RFC 3597, section 4.
        name = self._parser.get_name(decompress=True)
        if name == dns.name.root:
            self._records.append((owner, None))
            return
        try:
            host = checks.a_domain(name.to_text(omit_final_dot=True).lower())
            checks.a_port(port)
        except checks.ValueRefused:
            self._n_unusable += 1
            return
        target = Target(host, port, self._question.tls, priority, weight)
        self._records.append((owner, target))

    def _check_owners(self) -> None:
        """Check that all is about the name that was asked for, or its alias."""
        name = self._question.name
        passed: set[dns.name.Name] = set()
        while name in self._aliases and len(passed) < MAX_ALIASES:
            passed.add(name)
            name = self._aliases.pop(name)
        is_astray = bool(self._aliases) or name in passed  # too far, or in a ring
        if is_astray or any(owner != name for owner, _ in self._records):
            reason = "an answer about another name"
            raise SrvRefusedError(reason)


@final
class Inquiry:
    """Both questions on one connection, asked at once, answered in any order.

    Args:
        domain: The domain of the JID.
        modes: Which services are asked for.
        random_bytes: For the messages' ids.
        padded: The connection is encrypted, so that padding is of use.

    Raises:
        SrvRefusedError: the domain is no name that the DNS can have.
    """

    def __init__(
        self,
        domain: str,
        modes: Sequence[TlsMode],
        random_bytes: RandomBytes,
        *,
        padded: bool,
    ) -> None:
        self.answers: dict[TlsMode, Answer] = {}
        self._waiting: dict[int, Question] = {}
        for mode, message_id in zip(modes, _ids(len(modes), random_bytes), strict=True):
            self._waiting[message_id] = Question.about(domain, mode, message_id)
        self._padded = padded
        self._buffer = bytearray()

    def start(self) -> bytes:
        """Return what to send."""
        questions = self._waiting.values()
        return b"".join(each.to_wire(padded=self._padded) for each in questions)

    def receive(self, data: bytes) -> bool:
        """Take received bytes; return True when nothing more is to come.

        Raises:
            SrvRefusedError: the resolver lies, or what it sends is damaged. What it
                has answered before is forgotten.
        """
        self._buffer += data
        try:
            while self._waiting and (message := self._next_message()) is not None:
                self._take(message)
        except SrvRefusedError:
            self.answers.clear()
            raise
        return not self._waiting

    def _next_message(self) -> bytes | None:
        n_bytes = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if n_bytes > MAX_ANSWER_BYTES:
            reason = f"an answer of {n_bytes} bytes"
            raise SrvRefusedError(reason)
        end = _LENGTH_BYTES + n_bytes
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[_LENGTH_BYTES:end])
        del self._buffer[:end]
        return message

    def _take(self, message: bytes) -> None:
        question = self._waiting.pop(int.from_bytes(message[:_ID_BYTES], "big"), None)
        if question is None:
            reason = "an answer to nobody's question"
            raise SrvRefusedError(reason)
        answer = read_answer(message, question)
        if answer is not None:
            self.answers[question.tls] = answer


def _ids(n_ids: int, random_bytes: RandomBytes) -> list[int]:
    """Draw ids that are not equal; the second draw leaves the first one out."""
    ids: list[int] = []
    while len(ids) < n_ids:
        number = below(1 << 16, random_bytes)
        while number in ids:
            number = (number + 1) % (1 << 16)
        ids.append(number)
    return ids
