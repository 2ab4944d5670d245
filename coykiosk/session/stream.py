"""The signed-in stream: slixmpp takes over what `opening` has opened.

Rule: it never answers or approves by itself, and swallows no error: whatever ends the
stream is raised by `run`, which owns every task in here. What slixmpp would do by
itself is taken from it in `tamed`.

slixmpp would begin with its own connection and its own parser. Instead it is given
elements that the guarded reader has made, and a way to write; of its hooks we use
`_spawn_event` (an element came in), `add_filter` (we look first) and `send` (a
stanza goes out). The version is pinned, and a test fails should they change.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn, final
from xml.etree import ElementTree as ET

from coykiosk.contract import Jid
from coykiosk.errors import ErrorCode, UserError, first_user_error
from coykiosk.ports import RandomBytes
from coykiosk.session import stanzas
from coykiosk.session.acks import Acks, AcksBrokenError
from coykiosk.session.answering import answer, is_from_server
from coykiosk.session.inbound import Inbound, MessagesTaken
from coykiosk.session.opening import Opened
from coykiosk.session.parting import confused, why_it_ended
from coykiosk.session.pulse import DeadError, Pulse
from coykiosk.session.questions import Questions
from coykiosk.session.requests import Request, read_answer
from coykiosk.session.resumption import Resumption
from coykiosk.session.stanzas import StanzaBase, tostring
from coykiosk.session.tamed import TamedXmpp
from coykiosk.session.wire import CLIENT, STREAM, token
from coykiosk.session.xmlguard import XmlRefusedError

__all__ = ["XmppStream"]

_MESSAGE: Final = "{" + CLIENT + "}message"
_PRESENCE: Final = "{" + CLIENT + "}presence"
_IQ: Final = "{" + CLIENT + "}iq"
_STREAM_ERROR: Final = "{" + STREAM + "}error"
_ACKS_BROKEN: Final = "acknowledgements"
_END: Final = "</stream:stream>"


@final
class XmppStream(TamedXmpp):
    """One signed-in stream; use once: `run` it, `close` it.

    Args:
        opened: What `open_session` gave; it is ours to close from now on.
        on_inbound: Called with each value that comes in, in order.
        random_bytes: For ids and for the moments of pings.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        on_inbound: Callable[[Inbound], None],
        random_bytes: RandomBytes,
    ) -> None:
        super().__init__(opened.jid)
        self.account: Final = opened.jid
        self._opened = opened
        self._stream = opened.stream
        self._reader = opened.reader
        self._on_inbound = on_inbound
        self._random_bytes = random_bytes
        resumed = opened.bound.resumed
        begun = opened.bound.acks if resumed is None else resumed.acks
        self._acks = begun or Acks()
        self._questions = Questions(opened.jid.domainpart)
        self._is_started = False
        self._pulse = Pulse(self._ping, random_bytes)
        self._over = asyncio.Event()
        self._failure: asyncio.Future[NoReturn] = self.loop.create_future()
        self._is_running = False
        self._is_closing = False
        self.add_filter("in", self._take)
        self.session_bind_event.set()

    # --- for the owner --------------------------------------------------------------

    def start(self) -> None:
        """Take the stream over: what is sent after this is counted. Idempotent.

        A session that goes on sends first what the server turned out not to have.
        """
        if self._is_started:
            return
        self._is_started = True
        if self._opened.bound.resumed is not None:
            for text in self._acks.again():
                # COMPAT(Prosody 0.12): it hears a session that goes on with the parser
                # of the last stream. One write is one TLS record (up to 16 KiB), and
                # so a cut leaves no half of a stanza in there.
                self.send_raw(text)
                self._pulse.asked()
        elif self._opened.bound.acks is None and self._opened.bound.offers_acks:
            self.send_raw(self._acks.enable())

    async def run(self) -> None:
        """Read until the end; returns only if it was we who closed.

        Raises:
            UserError: CONNECTION_LOST, SERVER_CONFUSED or TOR_STOPPED: why it ended.
        """
        self.start()
        self._is_running = True
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    group.create_task(self._keep_alive()),
                    group.create_task(self._wait_for_failure()),
                ]
                await self._read()
                for task in others:
                    task.cancel()
        except ExceptionGroup as errors:
            bugs = errors.split(UserError)[1]
            if bugs is not None:
                raise bugs.exceptions[0] from errors
            error = first_user_error(errors)
            self._questions.end(error)
            if not self._is_closing:
                raise error from errors
        finally:
            await self._clear_up()

    async def _clear_up(self) -> None:
        self._is_running = False
        self._over.set()
        self._questions.end(UserError(ErrorCode.CONNECTION_LOST, server=self._server))
        if not self._failure.cancel() and not self._failure.cancelled():
            self._failure.exception()  # or asyncio would complain that nobody asked
        for name in tuple(self.scheduled_events):
            self.cancel_schedule(name)
        await self._stream.close()

    def send_message(self, to: Jid, body: str, *, message_id: str) -> None:  # type: ignore[override]  # ours: one kind of message only
        """Send one OTR message, at once; dropped when the stream is gone.

        `MessagesTaken` tells when the server has it; where the server does not tell
        that, at once.

        Args:
            to: Bare or full JID.
            body: Begins with `?OTR`.
            message_id: 32 hexadecimal digits, random.

        Raises:
            UserError: ADDRESS_BAD.
        """
        self.send(stanzas.chat_message(to, body, message_id=message_id))
        if not self._acks.are_expected:
            self._give(MessagesTaken((message_id,)))

    async def ask(self, request: Request, *, limit_s: float) -> ET.Element:
        """Ask our server something, and wait for its answer; see `requests.Ask`."""
        request_id = self.new_id()
        iq = stanzas.iq_request(request, message_id=request_id)
        answer = await self._questions.ask(
            request_id, lambda: self.send(iq), limit_s=limit_s
        )
        return read_answer(answer)

    def forbid_archive(self) -> None:
        """Ask our server to keep none of our messages; nothing waits for its answer."""
        self.send(stanzas.archive_nothing(message_id=self.new_id()))

    async def close(self) -> None:
        """Say goodbye, wait until the server has done so too, and close.

        Waits as long as `run` does: the caller has a limit. Cancelled, or after
        `run`, it closes at once. Idempotent.
        """
        try:
            if not self._over.is_set() and not self._is_closing:
                self._is_closing = True
                self.send_raw(self._acks.count() + _END)
                await self._stream.drain()
            if self._is_running:
                await self._over.wait()
        finally:
            await self._stream.close()

    def suspend(self, now: float) -> Resumption | None:
        """Return the session that `run` has lost (now: monotonic seconds).

        None where the server does not let it be resumed, or where it went on and then
        did not hear us: a new session is the way out of that.
        """
        resumed, acks = self._opened.bound.resumed, self._acks
        is_deaf = resumed and self._pulse.is_dead and not acks.has_answered
        if is_deaf or not acks.is_resumable:
            return None
        roster_id = self._opened.bound.roster_id
        return Resumption(self.account, roster_id, acks, lost_at=now)

    def abort(self) -> None:
        """Let `run` end now, without a goodbye."""
        self._is_closing = True
        if not self._failure.done():
            error = UserError(ErrorCode.CONNECTION_LOST, server=self._server)
            self._failure.set_exception(error)

    # --- reading ----------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self.account.domainpart

    async def _read(self) -> None:
        if self._reader.head is not None:
            self.start_stream_handler(  # type: ignore[no-untyped-call]  # left so
                self._reader.head
            )
        for element in self._opened.bound.early:
            self._take_element(element)
        while True:
            self._take_all()
            if self._reader.is_ended:
                break
            # Whoever asks without taking our answers is not read any further, or the
            # answers would fill our memory; in the end the connection counts as dead.
            await self._stream.drain()
            data = await self._stream.read()
            if not data:
                break
            if not self._acks.owes_answer:
                self._pulse.heard()
            self._reader.feed(data)
        if not self._is_closing:
            raise UserError(ErrorCode.CONNECTION_LOST, server=self._server)

    def _take_all(self) -> None:
        try:
            while (element := self._reader.next_stanza()) is not None:
                self._take_element(element)
        except XmlRefusedError as exc:
            raise confused(self._server, exc.condition) from exc

    def _take_element(self, element: ET.Element) -> None:
        if self._acks.is_ours(element):
            self._take_ack(element)
            return
        self._acks.received(element)
        self._spawn_event(element)

    def _take_ack(self, element: ET.Element) -> None:
        try:
            answer, message_ids = self._acks.take(element)
        except AcksBrokenError as exc:
            raise confused(self._server, _ACKS_BROKEN) from exc
        if message_ids or not self._acks.owes_answer:
            self._pulse.heard()
        if answer:
            self.send_raw(answer)
        if message_ids:
            self._give(MessagesTaken(message_ids))

    def _take(self, stanza: StanzaBase) -> StanzaBase | None:
        """Look at a stanza before slixmpp does; None keeps it from slixmpp."""
        match stanza.xml.tag:
            case tag if tag == _MESSAGE:
                self._give(stanzas.read_message(stanza, self.account.bare))
            case tag if tag == _PRESENCE:
                self._give(stanzas.read_presence(stanza, self.account.bare))
            case tag if tag == _IQ:
                return self._take_iq(stanza)
            case tag if tag == _STREAM_ERROR:
                raise why_it_ended(stanza.xml, self._server)
        return None

    def _give(self, value: Inbound | None) -> None:
        if value is not None:
            self._on_inbound(value)

    def _take_iq(self, iq: StanzaBase) -> StanzaBase | None:
        match iq.xml.get("type"):
            case "get" | "set":
                reply, value = answer(iq, self.account)
                self.send(reply)
                self._give(value)
                return None
            case "result" if iq.xml.get("id") == self._opened.bound.roster_id:
                if is_from_server(iq, self.account):
                    roster = stanzas.read_roster(iq, self.account, is_push=False)
                    self._give(roster)
                return None
            case "result" | "error":
                is_ours = is_from_server(iq, self.account)
                if is_ours and self._questions.answer(iq.xml):
                    return None
                return iq  # a request of slixmpp's own may be waiting for it
            case _:
                return None

    # --- staying alive ----------------------------------------------------------------

    async def _keep_alive(self) -> NoReturn:
        try:
            await self._pulse.watch()
        except DeadError as exc:
            error = UserError(ErrorCode.CONNECTION_LOST, server=self._server)
            raise error from exc

    def _ping(self) -> None:
        self.send(stanzas.ping(self._server, message_id=self.new_id()))

    async def _wait_for_failure(self) -> NoReturn:
        await self._failure
        raise AssertionError

    # --- slixmpp's hooks ----------------------------------------------------------------

    def exception(self, exception: Exception) -> None:
        """Give an error that slixmpp would have logged to the owner of `run`."""
        if not self._failure.done():
            self._failure.set_exception(exception)

    def send(self, data: StanzaBase | str, use_filters: bool = True) -> None:  # noqa: FBT001, FBT002  # slixmpp's signature
        """Write a stanza at once: slixmpp's queue would swallow errors."""
        if isinstance(data, str):
            self.send_raw(data)
            return
        self.start()  # what goes out again goes out first
        text = tostring(data.xml, xmlns=self.default_ns, stream=self, top_level=True)
        is_message = data.xml.tag == _MESSAGE
        try:
            message_id = data.xml.get("id", "") if is_message else None
            question = self._acks.sent(message_id, text)
        except AcksBrokenError:
            self.exception(confused(self._server, _ACKS_BROKEN))
            return
        if question:
            self._pulse.asked()
        self.send_raw(text + question)

    def send_raw(self, data: str | bytes) -> None:
        """Write bytes."""
        self._stream.write(data.encode() if isinstance(data, str) else data)

    def new_id(self) -> str:
        """Draw a stanza id: 16 random bytes."""
        return token(self._random_bytes)
