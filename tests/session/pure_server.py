"""A server of the tests' own, on bytes alone, that can be told how to misbehave."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.session.conftest import DOMAIN
from tests.session.scram_server import ScramServer

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
REGISTER = "jabber:iq:register"

_TOKEN = re.compile(
    rb"\s*(<\?xml[^>]*>)?(<stream:stream[^>]*>"
    rb"|<iq [^>]*>.*?</iq>|<auth [^>]*>.*?</auth>"
    rb"|<authenticate [^>]*>.*?</authenticate>|<response [^>]*>.*?</response>"
    rb"|<response[^>]*/>|<resume [^>]*/>|<abort[^>]*/>|<presence[^>]*/>|<starttls[^>]*/>"
    rb"|</stream:stream>)",
    re.DOTALL,
)


def stanza_error(stanza_id: str, condition: str, kind: str = "cancel") -> str:
    return (
        f"<iq type='error' id='{stanza_id}'><error type='{kind}'>"
        f"<{condition} xmlns='{STANZAS}'/><text xmlns='{STANZAS}'>so there</text>"
        "</error></iq>"
    )


def stream_error(condition: str) -> str:
    return (
        f"<stream:error><{condition} xmlns='{STREAMS}'/></stream:error></stream:stream>"
    )


def failure(condition: str) -> str:
    return f"<failure xmlns='{SASL}'><{condition}/></failure>"


def form_reply(stanza_id: str, inside: str) -> str:
    query = f"<query xmlns='{REGISTER}'>{inside}</query>"
    return f"<iq type='result' id='{stanza_id}'>{query}</iq>"


Handler = Callable[[str, str], str | None]
"""Given the stanza id and the text; None means: do what a good server does."""


def _default(_stanza_id: str, _text: str) -> None:
    return None


@dataclass
class PureServer:
    """Answers a client that knows one account, which may first have to be made."""

    localpart: str = "someone"
    password: str = "pencil"  # noqa: S105 - of RFC 5802
    accounts: set[str] = field(default_factory=set)
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-1",)
    announced: tuple[str, ...] | None = None
    binding: bytes = b""
    """What it takes for the channel binding of the connection."""
    offers_registration: bool = True
    checks_y: bool = True
    head_from: str = DOMAIN
    head_version: str = "1.0"
    iterations: int = 4096
    first_features: str = ""
    second_features: str = ""
    bound_jid: str = f"someone@{DOMAIN}/from-server"
    after_success: str = ""
    signature: str | None = None
    signature_in_challenge: bool = False
    on_register: Handler = _default
    on_auth: Handler = _default
    on_response: Handler = _default
    on_bind: Handler = _default
    on_resume: Handler = _default
    on_starttls: Handler = _default
    first_extra: str = ""
    seen: list[str] = field(default_factory=list)
    """Every element that the client sent, in order, without its stream headers."""
    n_heads: int = 0
    is_signed_in: bool = False
    _buffer: bytes = b""
    _scram: ScramServer | None = None
    _verified: bool = False

    def receive(self, data: bytes) -> bytes:
        """Take the client's bytes; return the answer, all in one."""
        self._buffer += data
        answers = []
        while match := _TOKEN.match(self._buffer):
            self._buffer = self._buffer[match.end() :]
            answers.append(self._take(match.group(2).decode()))
        return "".join(answers).encode()

    def _take(self, text: str) -> str:
        if text.startswith("<stream:stream"):
            self.n_heads += 1
            return self._head() + self._features()
        self.seen.append(text)
        found = re.search(r"id='([^']*)'", text)
        stanza_id = found.group(1) if found else ""
        for start, override, usual in (
            ("<starttls", self.on_starttls, self._proceed),
            ("<auth", self.on_auth, self._auth),
            ("<response", self.on_response, self._response),
            ("<abort", _default, self._abort),
            ("<resume", self.on_resume, self._resume),
            ("<iq", self._override_iq, self._iq),
        ):
            if text.startswith(start):
                answer = override(stanza_id, text)
                return usual(stanza_id, text) if answer is None else answer
        return ""

    def _head(self) -> str:
        return (
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams' id='1' "
            f"from='{self.head_from}' version='{self.head_version}'>"
        )

    def _features(self) -> str:
        if self.is_signed_in:
            bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
            inside = bind + self.second_features
            return f"<stream:features>{inside}</stream:features>"
        names = "".join(f"<mechanism>{name}</mechanism>" for name in self.mechanisms)
        inside = f"<mechanisms xmlns='{SASL}'>{names}</mechanisms>"
        if self.announced is not None:
            kinds = "".join(f"<channel-binding type='{k}'/>" for k in self.announced)
            inside += (
                "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
                f"{kinds}</sasl-channel-binding>"
            )
        if self.offers_registration:
            inside += "<register xmlns='http://jabber.org/features/iq-register'/>"
        inside += self.first_features
        return f"<stream:features>{inside}</stream:features>{self.first_extra}"

    def _proceed(self, _stanza_id: str, _text: str) -> str:
        return "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

    def _resume(self, _stanza_id: str, _text: str) -> str:
        gone = f"<item-not-found xmlns='{STANZAS}'/>"
        return f"<failed xmlns='urn:xmpp:sm:3'>{gone}</failed>"

    def _override_iq(self, stanza_id: str, text: str) -> str | None:
        if REGISTER in text:
            return self.on_register(stanza_id, text)
        if "xmpp-bind" in text:
            return self.on_bind(stanza_id, text)
        return None

    def _iq(self, stanza_id: str, text: str) -> str:
        if REGISTER in text:
            return self._register(stanza_id, text)
        if "xmpp-bind" in text:
            bind = "urn:ietf:params:xml:ns:xmpp-bind"
            inside = f"<bind xmlns='{bind}'><jid>{self.bound_jid}</jid></bind>"
            return f"<iq type='result' id='{stanza_id}'>{inside}</iq>"
        return f"<iq type='result' id='{stanza_id}'/>"

    def _register(self, stanza_id: str, text: str) -> str:
        if not self.offers_registration:
            return stanza_error(stanza_id, "service-unavailable")
        if "type='get'" in text:
            return form_reply(stanza_id, "<instructions/><username/><password/>")
        name = re.search(r"<username>([^<]*)|var='username'><value>([^<]*)", text)
        assert name is not None
        self.accounts.add(name.group(1) or name.group(2))
        return f"<iq type='result' id='{stanza_id}'/>"

    def _auth(self, _stanza_id: str, text: str) -> str:
        match = re.fullmatch(
            r"<auth xmlns='[^']*' mechanism='([^']*)'>([^<]*)</auth>", text
        )
        assert match is not None
        mechanism, first = match.group(1), base64.b64decode(match.group(2))
        offers_plus = any(name.endswith("-PLUS") for name in self.mechanisms)
        if mechanism not in self.mechanisms:
            return failure("invalid-mechanism")
        if self.checks_y and offers_plus and first.startswith(b"y"):
            return failure("malformed-request")
        if f"n={self.localpart},".encode() not in first or (
            self.localpart not in self.accounts
        ):
            return failure("not-authorized")
        hash_name = re.sub(r"SCRAM-(SHA)-(\d+)(-PLUS)?", r"\1\2", mechanism).lower()
        binding = self.binding if mechanism.endswith("-PLUS") else b""
        self._scram = ScramServer(
            self.password, hash_name, iterations=self.iterations, binding=binding
        )
        content = base64.b64encode(self._scram.challenge(first)).decode()
        return f"<challenge xmlns='{SASL}'>{content}</challenge>"

    def _response(self, _stanza_id: str, text: str) -> str:
        if self._verified:
            return self._success("")
        assert self._scram is not None
        content = base64.b64decode(text.partition(">")[2].rpartition("</")[0])
        answer = self._scram.final(content)
        if answer is None:
            return failure("not-authorized")
        self._verified = True
        if self.signature is not None:
            answer = self.signature.encode()
        encoded = base64.b64encode(answer).decode()
        if self.signature_in_challenge:
            return f"<challenge xmlns='{SASL}'>{encoded}</challenge>"
        return self._success(encoded)

    def _success(self, content: str) -> str:
        self.is_signed_in = True
        return f"<success xmlns='{SASL}'>{content}</success>{self.after_success}"

    def _abort(self, _stanza_id: str, _text: str) -> str:
        return failure("aborted")
