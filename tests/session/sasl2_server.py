"""A server that speaks SASL2 with Bind 2, as XEP-0388 and XEP-0386 have it, or worse."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.session.conftest import DOMAIN
from tests.session.pure_server import (
    SASL,
    PureServer,
    stream_error,
)
from tests.session.scram_server import ScramServer

SASL2 = "urn:xmpp:sasl:2"
BIND2 = "urn:xmpp:bind:0"
ACKS = "urn:xmpp:sm:3"
FEATURE = f"<feature var='{ACKS}'/>"
BIND = f"<bind xmlns='{BIND2}'><inline>{FEATURE}</inline></bind>"
RESUME = f"<sm xmlns='{ACKS}'/>"
ENABLED = f"<enabled xmlns='{ACKS}' id='new' resume='true' max='600'/>"
FAILED = f"<failed xmlns='{ACKS}'/>"
_STANZA = re.compile(r"<(iq|presence|message)[ />]")


def bound(inside: str = ENABLED) -> str:
    return f"<bound xmlns='{BIND2}'>{inside}</bound>"


def resumed(count: int = 0, previd: str = "prev") -> str:
    return f"<resumed xmlns='{ACKS}' h='{count}' previd='{previd}'/>"


def identifier(jid: str) -> str:
    return f"<authorization-identifier>{jid}</authorization-identifier>"


def failure2(condition: str, text: str = "") -> str:
    words = f"<text>{text}</text>" if text else ""
    return f"<failure xmlns='{SASL2}'><{condition} xmlns='{SASL}'/>{words}</failure>"


@dataclass
class Sasl2Server(PureServer):
    """Offers SASL2 to whom it knows by name, and keeps one session.

    As the standards say, and as ejabberd 24.12 does; the fields make it do otherwise.
    """

    sasl2: tuple[str, ...] = ("SCRAM-SHA-1",)
    inline: str = BIND + RESUME
    is_strict: bool = False
    """It cuts who says anything but SASL before the answer (XEP-0388, "During
    Authentication")."""
    session: str = ""
    """The name of a session that is kept and may be gone on with."""
    n_kept: int = 0
    """How many stanzas that session has handled."""
    success: Callable[[str, str], str] | None = None
    """Given the signature and the session: what to say inside of the success."""
    on_proof: Callable[[str], str] | None = None
    """Given the signature: what to say in place of a success."""
    on_authenticate: Callable[[str], str | None] = field(default=lambda _: None)
    after_bound: str = ""
    account: str = field(default="", init=False)
    """Whom the stream header names."""
    n_handled: int = field(default=0, init=False)
    """How many stanzas it counts in the session."""
    asked: str = field(default="", init=False)
    """What the last <authenticate/> asked for beside the login."""
    _is_counting: bool = field(default=False, init=False)

    def _take(self, text: str) -> str:
        if text.startswith("<stream:stream"):
            found = re.search(r" from='([^']*)'", text)
            self.account = found.group(1) if found else ""
        if self._is_counting and _STANZA.match(text):
            self.n_handled += 1
        if text.startswith("<authenticate"):
            self.seen.append(text)
            return self.on_authenticate(text) or self._authenticate(text)
        if SASL2 in text and text.startswith("<response"):
            self.seen.append(text)
            return self._respond(text)
        if SASL2 in text and text.startswith("<abort"):
            self.seen.append(text)
            return failure2("aborted")
        return super()._take(text)

    def _features(self) -> str:
        features = super()._features()
        if self.is_signed_in or self.account != f"{self.localpart}@{DOMAIN}":
            return features
        names = "".join(f"<mechanism>{name}</mechanism>" for name in self.sasl2)
        inline = f"<inline>{self.inline}</inline>" if self.inline else ""
        offer = f"<authentication xmlns='{SASL2}'>{names}{inline}</authentication>"
        return features.replace("</stream:features>", offer + "</stream:features>")

    def _authenticate(self, text: str) -> str:
        match = re.fullmatch(
            rf"<authenticate xmlns='{SASL2}' mechanism='([^']*)'>"
            r"<initial-response>([^<]+)</initial-response>(.*)</authenticate>",
            text,
        )
        assert match is not None, text
        mechanism, first, self.asked = match.groups()
        first = base64.b64decode(first).decode()
        if mechanism not in self.sasl2:
            return failure2("invalid-mechanism")
        if f"n={self.localpart}," not in first or self.localpart not in self.accounts:
            return failure2("not-authorized")
        hash_name = re.sub(r"SCRAM-(SHA)-(\d+)(-PLUS)?", r"\1\2", mechanism).lower()
        binding = self.binding if mechanism.endswith("-PLUS") else b""
        self._scram = ScramServer(
            self.password, hash_name, iterations=self.iterations, binding=binding
        )
        content = base64.b64encode(self._scram.challenge(first.encode())).decode()
        return f"<challenge xmlns='{SASL2}'>{content}</challenge>"

    def _respond(self, text: str) -> str:
        if self.is_strict and self._buffer:
            return stream_error("policy-violation")
        assert self._scram is not None
        content = base64.b64decode(text.partition(">")[2].rpartition("</")[0])
        answer = self._scram.final(content)
        if answer is None:
            return failure2("not-authorized", "so there")
        signature = base64.b64encode(
            answer if self.signature is None else self.signature.encode()
        ).decode()
        if self.on_proof is not None:
            return self.on_proof(signature)
        self.is_signed_in = True
        session = self._bind()
        inside = (
            f"<additional-data>{signature}</additional-data>"
            f"{identifier(self.bound_jid)}{session}"
        )
        if self.success is not None:
            inside = self.success(signature, session)
        features = f"<stream:features>{RESUME}</stream:features>"
        return f"<success xmlns='{SASL2}'>{inside}</success>{features}" + (
            self.after_bound
        )

    def _bind(self) -> str:
        self._is_counting = True
        found = re.search("<resume [^>]* previd='([^']*)'", self.asked)
        if found is None:
            return bound()
        if found.group(1) == self.session:
            return resumed(self.n_kept, self.session)
        return FAILED + bound()
