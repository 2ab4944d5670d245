"""A whole server for two people, on bytes alone: TLS, SASL, sessions that are kept.

It answers as a good server does (RFC 6120, RFC 6121, XEP-0198), and is told when a
connection is lost. What it has taken it delivers or gives back. Its one vice can be
switched on: after a resumption it may say a thing twice.
"""

import asyncio
import base64
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from OpenSSL import SSL

from coykiosk.session.wire import (
    ACKS,
    BIND,
    CLIENT,
    ROSTER,
    SASL,
    STANZA_ERRORS,
    STREAM,
    quoted,
)
from coykiosk.session.xmlguard import POST_AUTH_LIMITS
from coykiosk.session.xmlreader import XmlReader
from tests.session.conftest import DOMAIN, Identity
from tests.session.scram_server import ScramServer

_CHUNK: Final = 16 * 1024
_BODY: Final = "{" + CLIENT + "}body"
_PING: Final = "{urn:xmpp:ping}ping"


def server_context(identity: Identity) -> SSL.Context:
    """What every connection of a server shares."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_file(str(identity.certificate_file))
    context.use_privatekey_file(str(identity.key_file))
    return context


@dataclass(frozen=True)
class Stanza:
    """Something for a client; what carries a text goes back when it cannot be told."""

    text: str
    sender: str = ""
    stanza_id: str = ""

    @property
    def can_go_back(self) -> bool:
        return bool(self.sender)


@dataclass(eq=False)
class Session:
    """What the server knows of one session, connected or not."""

    name: str
    localpart: str
    jid: str
    connection: "Connection | None"
    is_kept: bool = False
    n_handled: int = 0
    n_taken: int = 0
    untold: list[Stanza] = field(default_factory=list)
    """What it said, and of which the client has not said that it has it."""
    last_taken: Stanza | None = None
    end: asyncio.TimerHandle | None = None

    def tell(self, stanza: Stanza) -> None:
        if self.is_kept:
            self.untold.append(stanza)
        if self.connection is not None:
            self.connection.say(stanza.text)
            if self.is_kept and stanza.can_go_back:
                self.connection.say(f"<r xmlns='{ACKS}'/>")

    def take_count(self, count: int) -> None:
        n_new = count - self.n_taken
        assert 0 <= n_new <= len(self.untold), "the client took what it never got"
        if n_new:
            self.last_taken = self.untold[n_new - 1]
        del self.untold[:n_new]
        self.n_taken = count


class KeepingServer:
    """Accounts, sessions, and what goes from one to another.

    Args:
        context: For TLS.
        passwords: Of each localpart.
        keeps_s: For how long a session without a connection is kept.
        chance: For what it does twice.
    """

    def __init__(
        self,
        context: SSL.Context,
        passwords: dict[str, str],
        *,
        keeps_s: int,
        chance: random.Random,
    ) -> None:
        self.context: Final = context
        self.passwords: Final = passwords
        self.keeps_s = keeps_s
        self.tells_count = chance.random() < 0.5
        self.doubles = 0.0
        """How likely it says something twice when a session goes on."""
        self.chance: Final = chance
        self.loop: Final = asyncio.get_running_loop()
        self.sessions: dict[str, Session] = {}
        self.n_bound = 0
        self.n_resumed = 0
        self.n_doubled = 0
        self.lost: set[str] = set()
        """Ids of stanzas that it had taken, and that nobody has or was told of: what
        came back came back to a session that was no more, or its own end came."""
        self._ended: dict[str, int] = {}

    def bind(self, localpart: str, connection: "Connection") -> Session:
        self.n_bound += 1
        name = f"s{self.n_bound}"
        jid = f"{localpart}@{DOMAIN}/r{self.n_bound}"
        self.sessions[name] = Session(name, localpart, jid, connection)
        return self.sessions[name]

    def left(self, session: Session) -> None:
        """The session has no connection any more."""
        session.connection = None
        if not session.is_kept:
            self.expire(session)
            return
        session.end = self.loop.call_later(self.keeps_s, self.expire, session)

    def expire(self, session: Session) -> None:
        """Let a session end: what was for it goes back to who sent it."""
        if self.sessions.pop(session.name, None) is None:
            return
        if session.end is not None:
            session.end.cancel()
        self._ended[session.name] = session.n_handled
        untold, session.untold = session.untold, []
        for stanza in untold:
            self.give_back(stanza, session.jid)

    def give_back(self, stanza: Stanza, to: str) -> None:
        there = self._find(stanza.sender) if stanza.can_go_back else None
        if there is None:
            self.lost.add(stanza.stanza_id)
            return
        error = (
            f"<message type='error' from='{to}' to='{stanza.sender}'"
            f" id='{stanza.stanza_id}'><error type='cancel'>"
            f"<service-unavailable xmlns='{STANZA_ERRORS}'/></error></message>"
        )
        there.tell(Stanza(error, stanza_id=stanza.stanza_id))

    def route(self, sender: str, message: ET.Element) -> None:
        to = message.get("to", "")
        if message.get("type") == "error":
            return
        stanza_id = message.get("id", "")
        text = (
            f"<message type='chat' from='{sender}' to='{to}' id='{stanza_id}'>"
            f"<body>{quoted(message.findtext(_BODY, ''))}</body></message>"
        )
        stanza = Stanza(text, sender, stanza_id)
        there = self._find(to)
        if there is None:
            self.give_back(stanza, to)
        else:
            there.tell(stanza)

    def resume(self, name: str, count: int, connection: "Connection") -> Session | None:
        session = self.sessions.get(name)
        if session is None:
            ended = self._ended.get(name, 0)
            told = f" h='{ended}'" if self.tells_count else ""
            connection.say(f"<failed xmlns='{ACKS}'{told}/>")
            return None
        if session.connection is not None:
            session.connection.replaced()
        if session.end is not None:
            session.end.cancel()
        session.connection = connection
        self.n_resumed += 1
        session.take_count(count)
        connection.say(
            f"<resumed xmlns='{ACKS}' h='{session.n_handled}' previd='{name}'/>"
        )
        doubled = session.last_taken
        if doubled is not None and self.chance.random() < self.doubles:
            self.n_doubled += 1
            session.untold.insert(0, Stanza(doubled.text))
        for stanza in session.untold:
            connection.say(stanza.text)
        connection.say(f"<r xmlns='{ACKS}'/>")
        return session

    def restart(self) -> None:
        """End at once and begin anew: no session is left, nothing goes back."""
        sessions, self.sessions = self.sessions, {}
        for session in sessions.values():
            self.lost |= {each.stanza_id for each in session.untold}
            if session.end is not None:
                session.end.cancel()
            if session.connection is not None:
                session.connection.replaced()
        self._ended.clear()

    def close(self) -> None:
        for session in self.sessions.values():
            if session.end is not None:
                session.end.cancel()

    def _find(self, jid: str) -> Session | None:
        """Return the session of an address, or the newest of its account."""
        bare = jid.partition("/")[0]
        mine = [s for s in self.sessions.values() if s.jid.partition("/")[0] == bare]
        exact = [session for session in mine if session.jid == jid]
        return next(iter([*exact, *reversed(mine)]), None)


class Connection:
    """One connection of a client, inside TLS.

    Args:
        server: Whose it is.
        write: Takes bytes for the client.
        close: Ends the connection.
    """

    def __init__(
        self,
        server: KeepingServer,
        write: Callable[[bytes], None],
        close: Callable[[], None],
    ) -> None:
        self._server = server
        self._write = write
        self._close = close
        self._tls = SSL.Connection(server.context, None)
        self._tls.set_accept_state()
        self._reader = XmlReader(POST_AUTH_LIMITS)
        self._scram: ScramServer | None = None
        self._localpart = ""
        self._is_signed_in = False
        self._has_head = False
        self._session: Session | None = None
        self._is_over = False

    def receive(self, data: bytes) -> None:
        """Take what came of the client's bytes, cut anywhere."""
        if self._is_over:
            return
        plain = bytearray()
        try:
            self._tls.bio_write(data)
            while True:
                plain += self._tls.recv(_CHUNK)
        except SSL.WantReadError:
            self._flush()
        except (SSL.ZeroReturnError, SSL.Error):
            self._take(bytes(plain))
            self._end()
            return
        self._take(bytes(plain))

    def lost(self) -> None:
        """The server notices that the connection is gone."""
        if self._is_over:
            return
        self._is_over = True
        if self._session is not None and self._session.connection is self:
            self._server.left(self._session)

    def replaced(self) -> None:
        """Another connection goes on with the session, or none ever will."""
        self._is_over = True
        self._close()

    def say(self, text: str) -> None:
        if self._is_over:
            return
        with suppress(SSL.Error):
            self._tls.sendall(text.encode())
            self._flush()

    def _flush(self) -> None:
        outgoing = bytearray()
        with suppress(SSL.WantReadError):
            while True:
                outgoing += self._tls.bio_read(_CHUNK)
        if outgoing:
            self._write(bytes(outgoing))

    def _end(self) -> None:
        self.lost()
        self._close()

    # --- the stream -------------------------------------------------------------------

    def _take(self, plain: bytes) -> None:
        if not plain:
            return
        self._reader.feed(plain)
        while not self._is_over:
            element = self._reader.next_stanza()
            if self._reader.head is not None and not self._has_head:
                self._has_head = True
                self._begin()
            if element is None:
                break
            self._take_element(element)
        if self._reader.is_ended and not self._is_over:
            self._goodbye()

    def _begin(self) -> None:
        if self._is_signed_in:
            inside = f"<bind xmlns='{BIND}'/><sm xmlns='{ACKS}'/>"
        else:
            inside = (
                f"<mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-1</mechanism>"
                "</mechanisms>"
            )
        self.say(
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}'"
            f" xmlns:stream='{STREAM}' id='1' from='{DOMAIN}' version='1.0'>"
            f"<stream:features>{inside}</stream:features>"
        )

    def _goodbye(self) -> None:
        session = self._session
        self.say("</stream:stream>")
        self._is_over = True
        if session is not None and session.connection is self:
            session.connection = None
            self._server.expire(session)
        self._close()

    def _take_element(self, element: ET.Element) -> None:
        namespace, _, name = element.tag[1:].partition("}")
        if namespace == SASL:
            self._take_sasl(name, element)
        elif namespace == ACKS:
            self._take_acks(name, element)
        elif name == "iq":
            self._take_iq(element)
        else:
            self._count()
            if name == "message":
                assert self._session is not None
                self._server.route(self._session.jid, element)

    def _take_sasl(self, name: str, element: ET.Element) -> None:
        content = base64.b64decode(element.text or "")
        if name == "auth":
            self._localpart = content.decode().split("n=")[1].split(",")[0]
            self._scram = ScramServer(self._server.passwords[self._localpart])
            answer = self._scram.challenge(content)
            self._say_sasl("challenge", answer)
            return
        assert name == "response"
        assert self._scram is not None
        final = self._scram.final(content)
        assert final is not None, "the password is right"
        self._say_sasl("success", final)
        self._is_signed_in, self._has_head = True, False
        self._reader = XmlReader(POST_AUTH_LIMITS)

    def _say_sasl(self, name: str, content: bytes) -> None:
        text = base64.b64encode(content).decode()
        self.say(f"<{name} xmlns='{SASL}'>{text}</{name}>")

    def _take_acks(self, name: str, element: ET.Element) -> None:
        if name == "resume":
            self._session = self._server.resume(
                element.get("previd", ""), int(element.get("h", "")), self
            )
            return
        session = self._session
        assert session is not None
        match name:
            case "enable":
                session.is_kept = True
                self.say(
                    f"<enabled xmlns='{ACKS}' resume='true' id='{session.name}'"
                    f" max='{self._server.keeps_s}'/>"
                )
            case "r":
                self.say(f"<a xmlns='{ACKS}' h='{session.n_handled}'/>")
            case "a":
                session.take_count(int(element.get("h", "")))
            case _:
                raise AssertionError(name)

    def _take_iq(self, iq: ET.Element) -> None:
        stanza_id, kind = iq.get("id"), iq.get("type")
        if iq.find("{" + BIND + "}bind") is not None:
            self._session = self._server.bind(self._localpart, self)
            jid = self._session.jid
            bound = f"<bind xmlns='{BIND}'><jid>{jid}</jid></bind>"
            self.say(f"<iq type='result' id='{stanza_id}'>{bound}</iq>")
            return
        session = self._session
        assert session is not None
        self._count()
        if kind not in ("get", "set"):
            return
        if iq.find("{" + ROSTER + "}query") is not None:
            inside, kind = f"<query xmlns='{ROSTER}'/>", "result"
        elif iq.find(_PING) is not None:
            inside, kind = "", "result"
        else:
            gone = f"<service-unavailable xmlns='{STANZA_ERRORS}'/>"
            inside, kind = f"<error type='cancel'>{gone}</error>", "error"
        session.tell(Stanza(f"<iq type='{kind}' id='{stanza_id}'>{inside}</iq>"))

    def _count(self) -> None:
        assert self._session is not None
        if self._session.is_kept:
            self._session.n_handled += 1
