"""A server that keeps sessions (XEP-0198), on bytes alone, for one account.

It is past the login: a connection begins with the second stream. Whatever comes is
handled in order and counted; what it has to say is kept until the client has it.
"""

from xml.etree import ElementTree as ET

from coykiosk.session.wire import ACKS, CLIENT, STREAM

JID = "me@a.example/r"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"


class Session:
    """What the server knows of one session, connected or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection: Connection | None = None
        self.n_handled = 0
        self.n_told_and_taken = 0
        self.untold: list[str] = []
        """What it said, and of which the client has not said that it has it."""

    def tell(self, stanza: str) -> None:
        self.untold.append(stanza)
        if self.connection is not None:
            self.connection.say(stanza)

    def take_count(self, count: int) -> None:
        n_new = count - self.n_told_and_taken
        assert 0 <= n_new <= len(self.untold), "the client took what it never got"
        del self.untold[:n_new]
        self.n_told_and_taken = count


class CountingServer:
    """All sessions of the account, and what has come out of them.

    Args:
        tells_count: Whether `<failed/>` says how far a session came that is no more.
    """

    def __init__(self, *, tells_count: bool = False) -> None:
        self.tells_count = tells_count
        self.handled: list[str] = []
        """The ids of the client's messages, in the order in which they came."""
        self.sessions: dict[str, Session] = {}
        self.ended: dict[str, int] = {}
        """Sessions that are no more -> how many stanzas each has handled."""
        self.n_bound = 0

    def bind(self) -> str:
        """Make a session; return its name."""
        self.n_bound += 1
        name = f"s{self.n_bound}"
        self.sessions[name] = Session(name)
        return name

    def forget(self) -> None:
        """Let every session end that has no connection, as time would."""
        for name, session in tuple(self.sessions.items()):
            if session.connection is None:
                self.ended[name] = session.n_handled
                del self.sessions[name]

    def tell(self, stanza: str) -> bool:
        """Say something to the newest session; False when there is none."""
        session = self._newest()
        if session is None:
            return False
        session.tell(stanza)
        return True

    def ask(self) -> None:
        """Ask the newest session what it has, if it is connected."""
        session = self._newest()
        if session is not None and session.connection is not None:
            session.connection.say(f"<r xmlns='{ACKS}'/>")

    def _newest(self) -> Session | None:
        return self.sessions.get(f"s{self.n_bound}")


class Connection:
    """One connection; bytes of the client in, `out` to the client."""

    def __init__(self, server: CountingServer) -> None:
        self.out = bytearray()
        self._server = server
        self._session: Session | None = None
        self._is_counting = False
        self._is_closed = False
        self._parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
        self._depth = 0

    def receive(self, data: bytes) -> None:
        """Take bytes of the client, cut anywhere."""
        if self._is_closed:
            return
        self._parser.feed(data)
        for event in self._parser.read_events():
            kind, element = list(event)
            assert isinstance(element, ET.Element)
            self._depth += 1 if kind == "start" else -1
            if kind == "start" and self._depth == 1:
                self._begin()
            if kind == "end" and self._depth == 1 and not self._is_closed:
                self._take(element)

    def say(self, stanza: str) -> None:
        if self._is_counting or not self._session:
            self.out += stanza.encode()

    def lose(self) -> None:
        """The server notices that the connection is gone."""
        self._is_closed = True
        if self._session is not None and self._session.connection is self:
            self._session.connection = None

    def _begin(self) -> None:
        self.out += (
            f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' id='1' "
            f"from='a.example' version='1.0'><stream:features><bind xmlns='{_BIND}'/>"
            f"<sm xmlns='{ACKS}'/></stream:features>"
        ).encode()

    def _take(self, element: ET.Element) -> None:
        name = element.tag.rpartition("}")[2]
        match name:
            case "iq":
                self._take_iq(element)
            case "message":
                self._take_message(element)
            case "presence":
                self._count()
            case "enable":
                self._enable(element)
            case "resume":
                self._resume(element)
            case "r":
                self._tell_count()
            case "a":
                self._take_count(element)
            case _:
                raise AssertionError(name)

    def _take_iq(self, iq: ET.Element) -> None:
        if iq.find("{" + _BIND + "}bind") is None:
            self._count()
            return
        assert self._session is None
        self._session = self._server.sessions[self._server.bind()]
        bound = f"<bind xmlns='{_BIND}'><jid>{JID}</jid></bind>"
        self.out += f"<iq type='result' id='{iq.get('id')}'>{bound}</iq>".encode()

    def _take_message(self, message: ET.Element) -> None:
        self._count()
        self._server.handled.append(message.get("id", ""))

    def _count(self) -> None:
        assert self._session is not None
        if self._is_counting:
            self._session.n_handled += 1

    def _enable(self, enable: ET.Element) -> None:
        assert enable.get("resume") == "true"
        assert self._session is not None
        self._is_counting = True
        self.out += (
            f"<enabled xmlns='{ACKS}' resume='true' id='{self._session.name}'/>"
        ).encode()
        self._session.connection = self
        for stanza in self._session.untold:
            self.say(stanza)

    def _resume(self, resume: ET.Element) -> None:
        name = resume.get("previd", "")
        session = self._server.sessions.get(name)
        if session is None:
            count = self._server.ended.get(name, 0)
            told = f" h='{count}'" if self._server.tells_count else ""
            self.out += f"<failed xmlns='{ACKS}'{told}/>".encode()
            return
        if session.connection is not None:
            session.connection.lose()
        session.connection, self._session = self, session
        self._is_counting = True
        session.take_count(int(resume.get("h", "")))
        self.out += (
            f"<resumed xmlns='{ACKS}' h='{session.n_handled}' previd='{name}'/>"
        ).encode()
        for stanza in session.untold:
            self.say(stanza)

    def _tell_count(self) -> None:
        assert self._session is not None
        self.out += f"<a xmlns='{ACKS}' h='{self._session.n_handled}'/>".encode()

    def _take_count(self, answer: ET.Element) -> None:
        assert self._session is not None
        self._session.take_count(int(answer.get("h", "")))
